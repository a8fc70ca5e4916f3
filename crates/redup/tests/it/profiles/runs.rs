//! What a run of a profile does.

use std::fs;
use std::process::Command;

use redup_testkit::damage::names;
use redup_testkit::env::TestEnv;
use redup_testkit::listing::Listing;
use redup_testkit::run::{Outcome, run};

use super::{HOME, with_profile, write};
use crate::cli::support::{as_duplicity, go, place, typed};
use crate::cli::terminal::Terminal;

/// The volumes of full and incremental sets at the target.
fn sets(env: &TestEnv) -> (usize, usize) {
    let all = names(&env.target());
    let count = |lead| {
        let manifests = all.iter().filter(|name| name.contains(".manifest"));
        manifests.filter(|name| name.contains(lead)).count()
    };
    (count("-full."), count("-inc."))
}

#[test]
fn a_profile_is_backed_up_and_restored_by_its_name() {
    let env = with_profile("");
    go(&env, "run home --current-time 1700000000")
        .ok()
        .says("NewFiles 5");
    // A change within the second of the last one would be invisible.
    fs::write(env.source().join("new"), "").unwrap();
    go(&env, "run home").ok().says("NewFiles 1");
    assert_eq!(sets(&env), (1, 1));
    go(&env, "run home collection-status")
        .ok()
        .says("Number of contained backup sets: 2");
    go(&env, "run home restore out").ok();
    assert_eq!(Listing::of(&env.path("out")), Listing::of(&env.source()));
    go(&env, "run home restore -t 1700000000 -r a old").ok();
    assert_eq!(fs::read_to_string(env.path("old")).unwrap(), "first\n");
    go(&env, "run home verify --compare-data")
        .ok()
        .says("0 difference(s)");
    go(&env, "run home full").ok();
    assert_eq!(sets(&env), (2, 1));
    go(&env, "run home remove-all-but-n-full 1 --force").ok();
    assert_eq!(sets(&env), (1, 0));
}

#[test]
fn steps_are_run_in_order_with_their_own_options() {
    let env = with_profile(
        "steps = [\"full\", [\"verify\", \"--compare-data\"], \"prune --force\"]\nkeep-last = 1\n",
    );
    for _ in 0..2 {
        let told = go(&env, "run home --no-print-statistics").ok().stdout;
        let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text}\n{told}"));
        assert!(at("Profile home: full") < at("Profile home: verify --compare-data"));
        assert!(at("0 difference(s)") < at("Profile home: prune --force"));
        assert_eq!(sets(&env), (1, 0));
    }
}

#[test]
fn a_step_that_does_not_end_well_is_the_last() {
    let env = with_profile(
        "steps = [\"backup\", \"verify --compare-data\", \"prune --force\", \"cleanup\"]\nkeep-last = 1\n",
    );
    go(&env, "run home").ok();
    fs::write(env.source().join("a"), "changed\n").unwrap();
    write(
        &env,
        &format!(
            "{HOME}steps = [\"verify --compare-data\", \"prune --force\", \"cleanup\"]\nkeep-last = 1\n"
        ),
    );
    go(&env, "run home")
        .code(1)
        .says("Not run after that: prune --force, cleanup")
        .never_says("Profile home: prune");
    // An error is told once.
    write(
        &env,
        &format!("{HOME}steps = [\"restore ROOT/source\", \"backup\"]\n"),
    );
    let failed = go(&env, "run home").code(11);
    assert_eq!(failed.stderr.matches("error:").count(), 1, "{failed}");
    failed.says("Not run after that: backup");
}

#[test]
fn options_that_are_typed_win() {
    let env = with_profile(
        "verbosity = \"debug\"\nprint-statistics = false\nfile-prefix = \"of-the-profile-\"\n",
    );
    let told = go(&env, "run home").ok();
    told.says("Using archive dir").never_says("SourceFiles");
    assert!(
        names(&env.target())
            .iter()
            .all(|name| name.starts_with("of-the-profile-"))
    );
    let told = go(
        &env,
        "run home full -v4 --print-statistics --file-prefix typed-",
    )
    .ok();
    told.never_says("Using archive dir").says("SourceFiles");
    assert_eq!(
        names(&env.target())
            .iter()
            .filter(|name| name.starts_with("typed-"))
            .count(),
        3
    );
}

#[test]
fn what_selects_is_for_the_source_and_what_is_typed_decides_first() {
    let env = with_profile(
        "select = [\"--include=ROOT/source/sub\", \"--exclude **\"]\nsteps = [\"full\"]\n",
    );
    let stored = |line: &str| {
        go(&env, line).ok();
        let listed = go(&env, "run home list-current-files").ok().stdout;
        let path = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            let [_, _, _, _, year, path] = words[..] else {
                return None;
            };
            year.parse::<u16>().is_ok().then(|| path.to_owned())
        };
        listed.lines().filter_map(path).collect::<Vec<_>>()
    };
    assert_eq!(stored("run home"), [".", "sub", "sub/b"]);
    let root = env.path("source").display().to_string();
    let typed = stored(&format!("run home --include {root}/a"));
    assert_eq!(typed, [".", "a", "sub", "sub/b"]);
    // A filter that is typed is about what is typed.
    let typed = stored(&format!(
        "run home --filter-regexp --exclude {root}/sub/[b]"
    ));
    assert_eq!(typed, [".", "sub"]);
    // Nothing in an archive answers to the patterns of a backup.
    go(&env, "run home restore out")
        .ok()
        .never_says("Selection options");
    let verify = format!("run home verify --compare-data --exclude {root}/sub/b");
    go(&env, &verify).ok();
}

#[test]
fn the_home_folder_is_named_as_in_a_shell() {
    let mut env = place();
    env.unset("PASSPHRASE");
    fs::create_dir_all(env.path("home/docs/.cache")).unwrap();
    fs::write(env.path("home/docs/.cache/x"), "").unwrap();
    fs::write(env.path("home/docs/kept"), "").unwrap();
    write(
        &env,
        "[profiles.docs]\nsource = \"~/docs\"\ntarget = \"file://ROOT/target\"\nencryption = false\n\
         select = [\"--exclude=~/docs/.cache\"]\n",
    );
    go(&env, "run docs").ok().says("SourceFiles 2");
}

#[test]
fn a_profile_has_what_it_inherits_and_says_otherwise_where_it_does() {
    let env = with_profile(
        "steps = [\"full\"]\n\
         [profiles.second]\ninherit = \"home\"\ntarget = \"file://ROOT/second\"\nfile-prefix = \"p-\"\n\
         [profiles.third]\ninherit = \"second\"\nfile-prefix = \"\"\ncompression = true\n\
         [defaults]\nprint-statistics = false\nno-compression = true\nfile-prefix = \"d-\"\n",
    );
    go(&env, "run home").ok().never_says("SourceFiles");
    assert!(
        names(&env.target())
            .iter()
            .all(|name| name.starts_with("d-"))
    );
    go(&env, "run second").ok();
    let second = names(&env.path("second"));
    assert!(
        second.iter().all(|name| name.starts_with("p-")),
        "{second:?}"
    );
    assert!(
        second.iter().any(|name| name.ends_with(".difftar")),
        "{second:?}"
    );
    go(&env, "run third").ok();
    let third = names(&env.path("second"));
    assert!(
        third.iter().any(|name| name.ends_with(".difftar.gz")),
        "{third:?}"
    );
}

#[test]
fn a_passphrase_comes_from_a_program_or_a_file_and_is_the_first_line() {
    let encrypted = HOME.replace("no-encryption = true\n", "");
    let env = with_profile("");
    fs::write(env.path("secret"), "of the file\r\nsecond line\n").unwrap();
    super::chmod(&env.path("secret"), 0o600);
    let full = "steps = [\"full\"]\n";
    write(
        &env,
        &format!("{encrypted}{full}passphrase-file = \"ROOT/secret\"\n"),
    );
    go(&env, "run home --current-time 1700000000").ok();
    let restored = |passphrase: &str, code: i32| {
        let mut command = typed(&env, "verify file://target source --archive-dir fresh");
        run(command.env("PASSPHRASE", passphrase)).code(code);
    };
    restored("of the file", 0);
    restored("another", 31);
    // The program may use what redup was given, but for the passphrases.
    write(
        &env,
        &format!(
            "{encrypted}{full}passphrase-command = [\"sh\", \"-c\", \"echo $WORD${{PASSPHRASE-none}}; echo more\"]\n\
             [profiles.home.environment]\nWORD = \"of-the-program-\"\nPASSPHRASE = \"not this\"\n"
        ),
    );
    drop(fs::remove_dir_all(env.target()));
    go(&env, "run home --current-time 1700086400").ok();
    restored("of-the-program-none", 0);
}

#[test]
fn variables_of_the_profile_hold_for_everything() {
    // The zone is read by a library, the temporary folder by redup.
    let env = with_profile(
        "[profiles.home.environment]\nTZ = \"America/New_York\"\nPASSPHRASE = \"p\"\n",
    );
    go(&env, "run home --current-time 1700000000").ok();
    go(&env, "run home collection-status")
        .ok()
        .says("Tue Nov 14 17:13:20 2023");
    // The profile's goes before the caller's.
    write(
        &env,
        &format!("{HOME}[defaults.environment]\nTZ = \"UTC\"\n"),
    );
    let mut env = env;
    env.set("TZ", "Asia/Tokyo");
    go(&env, "run home collection-status")
        .ok()
        .says("Tue Nov 14 22:13:20 2023");
}

#[test]
fn called_as_duplicity_run_is_a_folder() {
    let env = with_profile("");
    fs::create_dir(env.path("run")).unwrap();
    let mut command = env.bare(&as_duplicity(&env));
    command.args(["run", "file://target", "--no-encryption"]);
    run(&mut command).ok().says("SourceFiles 1");
    let mut command = env.bare(&as_duplicity(&env));
    run(command.args(["run", "home"])).code(23);
    // Called as redup, too, where only that can be meant.
    go(&env, "run file://target --no-encryption")
        .ok()
        .says("SourceFiles 1");
    go(&env, "backup run file://target --no-encryption").ok();
}

/// `redup run home` in a shell, which may say more about it.
fn in_a_shell(env: &TestEnv, line: &str) -> Outcome {
    let inner = typed(env, "run home");
    let mut shell = Command::new("sh");
    shell.args(["-c", line, "sh"]).arg(inner.get_program());
    let variables = inner.get_envs();
    shell
        .env_clear()
        .envs(variables.filter_map(|(name, value)| Some((name, value?))));
    run(shell.current_dir(env.path("")))
}

#[test]
fn a_variable_that_the_system_takes_away_ends_the_run() {
    let env = with_profile("[profiles.home.environment]\nTAKEN = \"x\"\n");
    // As this process, once it has begun anew and still lacks the variable.
    in_a_shell(&env, "REDUP_BEGUN=$$ exec \"$1\" run home")
        .code(23)
        .says("error: the system takes the variable TAKEN of the profile away from redup");
    // Another process's number says nothing.
    in_a_shell(&env, "REDUP_BEGUN=$$ \"$1\" run home; exit $?").ok();
}

#[test]
fn a_file_that_comes_through_a_pipe_sets_no_variables() {
    let env = with_profile("");
    let line = "cat home/.config/redup/redup.toml | \"$1\" run home --config /dev/stdin";
    in_a_shell(&env, line).ok();
    write(
        &env,
        &format!("{HOME}[profiles.home.environment]\nA = \"x\"\n"),
    );
    in_a_shell(&env, line)
        .code(23)
        .says("/dev/stdin: a file that sets variables is read twice");
}

#[test]
fn a_result_has_standard_output_to_itself() {
    let env = with_profile(
        "json = true\nsteps = [\"verify\", \"collection-status\"]\n[profiles.home.hooks]\n\
         before = 'echo noise'\nafter = 'echo noise'\n\
         commands = [\"backup\", \"collection-status\"]\n",
    );
    go(&env, "run home backup").ok();
    for line in ["run home", "run home collection-status --dry-run"] {
        let outcome = go(&env, line).ok();
        for line in outcome.stdout.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
        assert!(outcome.stdout.contains("redup.status.v1"), "{outcome}");
        let said = ["noise", "Would run hook before"];
        assert!(
            said.iter().any(|text| outcome.stderr.contains(text)),
            "{outcome}"
        );
    }
}

#[test]
fn without_home_the_system_is_asked_for_it() {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let own = rustix::process::geteuid().as_raw().to_string();
    let user = users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let user = user.into_iter().find(|fields| fields[2] == own).unwrap();
    let env = place();
    let mut command = typed(&env, "run nobody");
    command.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
    // Where the file of profiles would be, or is.
    let told = run(&mut command);
    assert!(!told.status.success(), "{told}");
    let file = format!("{}/.config/redup/redup.toml", user[5]);
    told.says(&file);
}

#[test]
fn a_passphrase_is_typed_once_for_all_steps() {
    let mut env = place();
    env.unset("PASSPHRASE");
    let steps = "steps = [\"backup\", \"verify --compare-data\", \"full\"]\n";
    write(
        &env,
        &format!("{}{steps}", HOME.replace("no-encryption = true\n", "")),
    );
    let (seen, code) = Terminal::new().run(&env, "run home", &["good\n", "good\n"]);
    assert_eq!(code, 0, "{seen}");
    assert_eq!(seen.matches("passphrase").count(), 2, "{seen}");
    assert!(!seen.contains("good"), "{seen}");
    assert_eq!(sets(&env), (2, 0));
    env.set("PASSPHRASE", "good");
    go(&env, "run home restore out").ok();
}
