//! Programs that are run before and after.

use std::collections::BTreeMap;
use std::fs;

use redup_testkit::damage::names;
use redup_testkit::env::TestEnv;

use super::{HOME, with_profile, write};
use crate::cli::support::go;

/// A profile whose hooks write their environment into files of their own names.
fn noted(more: &str) -> TestEnv {
    let hook = |name: &str| format!("{name} = 'env > ROOT/seen-$REDUP_HOOK'\n");
    let hooks: String = ["before", "after", "after-success", "after-failure"]
        .map(hook)
        .concat();
    with_profile(&format!("{more}[profiles.home.hooks]\n{hooks}"))
}

/// What a hook had in its environment, if it was run.
fn seen(env: &TestEnv, hook: &str) -> Option<BTreeMap<String, String>> {
    let text = fs::read_to_string(env.path(&format!("seen-{hook}"))).ok()?;
    let lines = text.lines().filter_map(|line| line.split_once('='));
    Some(
        lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    )
}

/// What redup tells a hook.
#[track_caller]
fn told(env: &TestEnv, hook: &str) -> String {
    let seen = seen(env, hook).unwrap_or_else(|| panic!("{hook} was not run"));
    let root = env.path("").display().to_string();
    let told = seen.iter().filter(|(name, _)| name.starts_with("REDUP_"));
    let lines = told.map(|(name, value)| match name.as_str() {
        "REDUP_SECONDS" | "REDUP_STORED_BYTES" | "REDUP_SOURCE_BYTES" => {
            value.parse::<u64>().unwrap();
            format!("{name}\n")
        }
        _ => format!("{name}={}\n", value.replace(&root, "/test/")),
    });
    lines.collect()
}

#[test]
fn hooks_get_the_result_in_their_environment() {
    let env = noted("");
    go(&env, "run home --current-time 1700000000").ok();
    expect_test::expect![[r#"
        REDUP_COMMAND=backup
        REDUP_HOOK=before
        REDUP_PROFILE=home
        REDUP_SOURCE=/test/source
        REDUP_TARGET=file:///test/target
    "#]]
    .assert_eq(&told(&env, "before"));
    expect_test::expect![[r#"
        REDUP_CHANGED_FILES=0
        REDUP_COMMAND=backup
        REDUP_DELETED_FILES=0
        REDUP_HOOK=after-success
        REDUP_NEW_FILES=5
        REDUP_PROFILE=home
        REDUP_RESULT=success
        REDUP_SECONDS
        REDUP_SET_TIME=20231114T221320Z
        REDUP_SET_TYPE=full
        REDUP_SOURCE=/test/source
        REDUP_SOURCE_BYTES
        REDUP_SOURCE_FILES=5
        REDUP_STATUS=0
        REDUP_STORED_BYTES
        REDUP_TARGET=file:///test/target
        REDUP_UNREAD_FILES=0
    "#]]
    .assert_eq(&told(&env, "after-success"));
    let both = ["after", "after-success"].map(|hook| told(&env, hook));
    assert_eq!(both[0], both[1].replace("HOOK=after-success", "HOOK=after"));
    assert!(seen(&env, "after-failure").is_none());
}

#[test]
fn a_failure_is_told_with_its_first_line_and_the_step() {
    let env = noted("steps = [\"backup\", \"restore ROOT/source\", \"cleanup\"]\n");
    go(&env, "run home --current-time 1700000000").code(11);
    expect_test::expect![[r#"
        REDUP_CHANGED_FILES=0
        REDUP_COMMAND=backup restore cleanup
        REDUP_DELETED_FILES=0
        REDUP_ERROR=restore target /test/source is not empty
        REDUP_FAILED=restore /test/source
        REDUP_HOOK=after-failure
        REDUP_NEW_FILES=5
        REDUP_PROFILE=home
        REDUP_RESULT=failure
        REDUP_SECONDS
        REDUP_SET_TIME=20231114T221320Z
        REDUP_SET_TYPE=full
        REDUP_SOURCE=/test/source
        REDUP_SOURCE_BYTES
        REDUP_SOURCE_FILES=5
        REDUP_STATUS=11
        REDUP_STORED_BYTES
        REDUP_TARGET=file:///test/target
        REDUP_UNREAD_FILES=0
    "#]]
    .assert_eq(&told(&env, "after-failure"));
    assert!(seen(&env, "after").is_some());
    assert!(seen(&env, "after-success").is_none());
}

#[test]
fn a_run_that_has_something_to_complain_about_is_a_warning() {
    let env = noted("steps = [\"verify --compare-data\"]\n");
    go(&env, "run home backup").ok();
    fs::remove_file(env.path("seen-after-success")).unwrap();
    fs::write(env.source().join("a"), "changed\n").unwrap();
    go(&env, "run home").code(1);
    expect_test::expect![[r#"
        REDUP_COMMAND=verify
        REDUP_ERROR=verify --compare-data ended with status 1
        REDUP_FAILED=verify --compare-data
        REDUP_HOOK=after-failure
        REDUP_PROFILE=home
        REDUP_RESULT=warning
        REDUP_SECONDS
        REDUP_SOURCE=/test/source
        REDUP_STATUS=1
        REDUP_TARGET=file:///test/target
    "#]]
    .assert_eq(&told(&env, "after-failure"));
    assert!(seen(&env, "after-success").is_none());
}

#[test]
fn no_hook_sees_a_secret() {
    let mut env = noted(
        "passphrase-command = [\"echo\", \"geheim\"]\n[profiles.home.environment]\nAWS_PROFILE = \"backup\"\n\
         SIGN_PASSPHRASE = \"geheim\"\nFOR_HOOKS = \"seen\"\n",
    );
    for name in [
        "PASSPHRASE",
        "AWS_SECRET_ACCESS_KEY",
        "GS_SECRET_ACCESS_KEY",
    ] {
        env.set(name, "geheim");
    }
    go(&env, "run home").ok();
    for hook in ["before", "after", "after-success"] {
        let seen = seen(&env, hook).unwrap();
        assert_eq!(seen["FOR_HOOKS"], "seen");
        assert!(seen.contains_key("PATH") && seen.contains_key("HOME"));
        let secrets = seen.keys().filter(|name| {
            name.starts_with("AWS_") || name.starts_with("GS_") || name.ends_with("PASSPHRASE")
        });
        assert_eq!(secrets.count(), 0, "{seen:?}");
        assert!(!format!("{seen:?}").contains("geheim"), "{seen:?}");
    }
}

#[test]
fn a_hook_before_that_fails_keeps_the_backup_from_beginning() {
    let env = noted("");
    let hooks = fs::read_to_string(super::config(&env)).unwrap();
    let failing = hooks.replace(
        "before = ",
        "before = [[\"true\"], [\"sh\", \"-c\", \"exit 3\"], [\"touch\", \"ROOT/third\"]]\n#",
    );
    write(&env, &failing);
    let outcome = go(&env, "run home").code(80);
    outcome.says("line 6: profiles.home.hooks.before: sh ended with status 3");
    assert!(names(&env.target()).is_empty());
    assert!(!env.path("third").exists());
    let after = seen(&env, "after-failure").unwrap();
    assert_eq!(
        (
            after["REDUP_STATUS"].as_str(),
            after["REDUP_RESULT"].as_str()
        ),
        ("80", "failure")
    );
    assert!(seen(&env, "after").is_some());
    let missing = failing.replace("\"true\"", "\"/no/such/program\"");
    write(&env, &missing);
    go(&env, "run home")
        .code(80)
        .says("cannot run /no/such/program");
}

#[test]
fn a_hook_behind_that_fails_is_told_and_the_others_are_run() {
    let hooks = "[profiles.home.hooks]\nafter-success = 'kill -9 $$'\nafter = [[\"false\"], [\"touch\", \"ROOT/last\"]]\n";
    let env = with_profile(hooks);
    let outcome = go(&env, "run home").code(80);
    outcome
        .says("after-success: sh ended with signal 9")
        .says("after: false ended with status 1");
    assert!(env.path("last").exists());
    assert!(!names(&env.target()).is_empty(), "the backup is there");
    // A status that is not 0 stays what it is.
    write(
        &env,
        &format!("{HOME}steps = [\"restore ROOT/source\"]\n{hooks}"),
    );
    go(&env, "run home")
        .code(11)
        .says("after: false ended with status 1");
}

#[test]
fn hooks_go_with_backups_and_with_the_commands_that_are_named() {
    let env = noted("");
    let is_run = |line: &str| {
        drop(fs::remove_file(env.path("seen-before")));
        go(&env, line).ok();
        seen(&env, "before").is_some()
    };
    assert!(is_run("run home") && is_run("run home full") && is_run("run home incr"));
    assert!(!is_run("run home verify") && !is_run("run home st"));
    let all = fs::read_to_string(super::config(&env)).unwrap();
    write(&env, &format!("{all}commands = [\"verify\"]\n"));
    assert!(is_run("run home verify") && is_run("run home") && !is_run("run home full"));
}

#[test]
fn a_dry_run_names_hooks_and_runs_none() {
    let env = noted("steps = [\"backup\", \"cleanup\"]\n");
    go(&env, "run home --dry-run")
        .ok()
        .says("Would run hook before: env > ")
        .says("Would run hook after-success: env > ")
        .says("Would run hook after: env > ");
    assert!(seen(&env, "before").is_none() && seen(&env, "after").is_none());
    assert!(names(&env.target()).is_empty());
}

#[test]
fn an_inherited_hook_is_replaced_or_taken_back() {
    let env = with_profile(
        "[profiles.other]\ninherit = \"home\"\n[profiles.other.hooks]\nbefore = []\n\
         [profiles.home.hooks]\nafter = [\"touch\", \"ROOT/after\"]\n\
         [defaults.hooks]\nbefore = [\"touch\", \"ROOT/before\"]\n",
    );
    go(&env, "run other").ok();
    assert!(env.path("after").exists() && !env.path("before").exists());
    go(&env, "run home").ok();
    assert!(env.path("before").exists());
}

#[test]
fn what_a_hook_is_made_of_is_in_no_message() {
    let env = with_profile(
        "[profiles.home.hooks]\nbefore = \"TOKEN=s3cr3t /bin/false\"\n\
         after = [\"ROOT/my tools/x\", \"s3cr3t\"]\n",
    );
    go(&env, "run home -v9")
        .code(80)
        .says("hooks.before: sh ended with status 1")
        .says("/my tools/x\n")
        .never_says("s3cr3t");
    // It is asked for there.
    go(&env, "run home --dry-run").says("TOKEN=s3cr3t /bin/false");
}

#[test]
fn a_hook_is_told_the_source_as_it_is_backed_up() {
    let env = with_profile("");
    fs::create_dir(env.path("home/docs")).unwrap();
    let profile = HOME.replace("ROOT/source", "~/docs");
    let hooks = "[profiles.home.hooks]\nbefore = 'test -d \"$REDUP_SOURCE\"'\n";
    write(&env, &format!("{profile}{hooks}"));
    go(&env, "run home").ok();
}
