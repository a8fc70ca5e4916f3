//! The completions of `docs/completions`, in the shells that they are for.

use std::path::PathBuf;
use std::process::Command;

use redup_testkit::run::run;

fn file(name: &str) -> PathBuf {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/completions");
    PathBuf::from(docs).join(name)
}

/// What a script for a shell prints, a line each; the completions are its first argument.
#[track_caller]
fn said(shell: &[&str], script: &str, name: &str) -> Vec<String> {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).args(["-c", script]);
    // Only zsh and bash take a name before the arguments of a script.
    command
        .args((shell[0] != "fish").then_some("shell"))
        .arg(file(name));
    let told = run(command.current_dir(env!("CARGO_MANIFEST_DIR"))).ok();
    assert_eq!(told.stderr, "", "{told}");
    told.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_files() {
    let complete = |words: &str| {
        let script = format!(
            "source \"$1\"; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             complete -p redup >/dev/null; _redup; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        said(&["bash", "--norc"], &script, "redup.bash")
    };
    assert_eq!(complete("redup coll"), ["collection-status"]);
    assert_eq!(complete("redup prob"), ["probe"]);
    assert_eq!(complete("redup full --volsi"), ["--volsize"]);
    let compression = complete("redup full --no-en --no-c");
    assert_eq!(compression, ["--no-check-remote", "--no-compression"]);
    assert_eq!(complete("redup --archive-dir Cargo.to"), ["Cargo.toml"]);
    assert_eq!(complete("redup --metadata-sync-mode p"), ["partial"]);
    assert!(
        complete("redup --volsize --no-c").concat().is_empty(),
        "a value is awaited"
    );
}

#[test]
fn fish_completes_commands_and_options() {
    let complete = |line: &str| {
        let script = format!("source $argv[1]; complete -C '{line}'");
        said(&["fish", "--no-config"], &script, "redup.fish")
    };
    let commands = complete("redup coll");
    assert!(
        commands[0].starts_with("collection-status\tPrint the chains"),
        "{commands:?}"
    );
    let options = complete("redup full --volsi");
    assert!(
        options[0].starts_with("--volsize\tSize of a volume"),
        "{options:?}"
    );
    assert_eq!(complete("redup --metadata-sync-mode p").len(), 1);
    assert!(complete("duplicity prob").is_empty(), "redup alone has it");
}

#[test]
fn zsh_takes_the_completions_for_both_names() {
    let zsh = |script: &str| said(&["zsh", "-f"], script, "_redup");
    assert!(zsh("zsh -n $1").is_empty());
    let taken = zsh(
        "fpath=(${1:h} $fpath); autoload -Uz compinit; compinit -u -D; \
         print $_comps[redup]; print $_comps[duplicity]",
    );
    assert_eq!(taken, ["_redup", "_redup"]);
}
