//! The completions of `docs/completions`, in the shells that they are for.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use redup_testkit::env::TestEnv;
use redup_testkit::run::run;

fn file(name: &str) -> PathBuf {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/completions");
    PathBuf::from(docs).join(name)
}

/// What a script for a shell prints, a line each; the completions are its first argument.
#[track_caller]
fn said(shell: &[&str], script: &str, name: &str) -> Vec<String> {
    said_by(Command::new(shell[0]), shell, script, name)
}

#[track_caller]
fn said_by(mut command: Command, shell: &[&str], script: &str, name: &str) -> Vec<String> {
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

/// A shell that finds redup, whose user has these profiles.
fn with_profiles(shell: &str) -> (TestEnv, Command) {
    let env = TestEnv::new();
    let config = env.path("home/.config/redup");
    fs::create_dir_all(&config).unwrap();
    let text = "[profiles.home]\nsource = \"/\"\ntarget = \"file:///t\"\nsteps = [\"backup\", \"cleanup\"]\n\
                [profiles.photos]\nsource = \"/\"\ntarget = \"file:///p\"\n";
    fs::write(config.join("redup.toml"), text).unwrap();
    fs::create_dir(env.path("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_redup"), env.path("bin/redup")).unwrap();
    let mut command = Command::new(shell);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", env.path("bin").display());
    command.env("PATH", path).env("HOME", env.path("home"));
    command.env_remove("XDG_CONFIG_HOME");
    (env, command)
}

#[test]
fn profiles_are_completed_by_their_names() {
    let bash = |words: &str| {
        let (_env, command) = with_profiles("bash");
        let script = format!(
            "source \"$1\"; COMP_WORDS=({words} ''); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _redup; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        said_by(command, &["bash", "--norc"], &script, "redup.bash")
    };
    assert_eq!(bash("redup run"), ["home", "photos"]);
    assert!(!bash("duplicity run").contains(&"home".to_owned()));

    let fish = |line: &str| {
        let (_env, command) = with_profiles("fish");
        let script = format!("source $argv[1]; complete -C '{line}'");
        said_by(command, &["fish", "--no-config"], &script, "redup.fish")
    };
    assert_eq!(fish("redup run ho"), ["home\tProfile"]);
    assert!(fish("duplicity run ho").is_empty());

    // What zsh's own functions would be given.
    let zsh = |service: &str| {
        let (_env, command) = with_profiles("zsh");
        let script = format!(
            "compadd() {{ shift; print -l -- $@ }}; _files() {{ print files }}; _arguments() {{ _redup_words }}; \
             service={service}; words=({service} run ''); source $1"
        );
        said_by(command, &["zsh", "-f"], &script, "_redup")
    };
    assert_eq!(zsh("redup"), ["home", "photos"]);
    assert_eq!(zsh("duplicity"), ["files"]);
}

#[test]
fn options_of_redups_own_are_completed_for_it_alone() {
    let bash = |program: &str| {
        let script = format!(
            "source \"$1\"; COMP_WORDS=({program} st --memory); COMP_CWORD=2; _redup; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        said(&["bash", "--norc"], &script, "redup.bash")
    };
    assert_eq!(bash("redup"), ["--memory-limit"]);
    assert!(bash("duplicity").concat().is_empty());
    let fish = |line: &str| {
        let script = format!("source $argv[1]; complete -C '{line}'");
        said(&["fish", "--no-config"], &script, "redup.fish")
    };
    assert_eq!(fish("redup st --memory").len(), 1);
    assert!(fish("duplicity st --memory").is_empty());
    let zsh = |service: &str| {
        let script = format!("_arguments() {{ print -l -- $@ }}; service={service}; source $1");
        let told = said(&["zsh", "-f"], &script, "_redup");
        told.iter().any(|line| line.starts_with("*--memory-limit["))
    };
    assert!(zsh("redup") && !zsh("duplicity"));
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
