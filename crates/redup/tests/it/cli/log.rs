//! The protocol for programs, as they read it.

use std::fs;

use expect_test::expect;

use super::support::{go, place, text, typed};

#[test]
fn a_mistake_is_reported_to_the_program_that_made_it() {
    let env = place();
    go(&env, "full --log-file log --bogus").code(23);
    expect![[r#"
        ERROR 23 CommandLineError
        . CommandLineError: unknown option: --bogus
        . Enter 'redup --help' for help screen.

    "#]]
    .assert_eq(&fs::read_to_string(env.path("log")).unwrap());
}

#[test]
fn a_backup_tells_what_it_stores() {
    let env = place();
    go(&env, "full source file://target --log-file log -v5 --no-print-statistics --current-time 1700000000").ok();
    let log = fs::read_to_string(env.path("log")).unwrap();
    let heads: Vec<_> = log
        .split("\n\n")
        .map(|stanza| stanza.lines().next().unwrap_or_default())
        .collect();
    let coded: Vec<_> = heads
        .into_iter()
        .filter(|head| !head.ends_with(" 1"))
        .collect();
    expect![[r#"
        INFO 4 '.'
        INFO 4 'a'
        INFO 4 'link'
        INFO 4 'sub'
        INFO 4 'sub/b'
        INFO 11
        INFO 13
        INFO 2 13
    "#]]
    .assert_eq(&coded.join("\n"));
}

#[test]
fn a_listing_carries_time_name_and_type() {
    let env = place();
    fs::write(env.source().join("ü b"), "").unwrap();
    go(&env, "full source file://target").ok();
    go(&env, "ls file://target --log-file log -v2").ok();
    let log = fs::read_to_string(env.path("log")).unwrap();
    let heads = log.split("\n\n").filter_map(|stanza| stanza.lines().next());
    let words: Vec<_> = heads
        .filter_map(|head| head.strip_prefix("INFO 10 ")?.split_once(' '))
        .collect();
    let entries: Vec<_> = words.iter().map(|(_, rest)| *rest).collect();
    assert_eq!(
        entries,
        [
            "'.' dir",
            "'a' reg",
            "'link' sym",
            "'sub' dir",
            "'sub/b' reg",
            "'\\xfc b' reg"
        ]
    );
    assert!(
        words
            .iter()
            .all(|(time, _)| time.len() == 16 && time.ends_with('Z'))
    );
}

#[test]
fn a_missing_passphrase_is_what_a_desktop_program_waits_for() {
    let mut env = place();
    go(&env, "full source file://target").ok();
    env.unset("PASSPHRASE");
    go(&env, "restore file://target out --log-file log").code(30);
    let log = fs::read_to_string(env.path("log")).unwrap();
    assert!(log.contains("\nERROR 30 EOFError\n. "), "{log}");
}

#[test]
fn stanzas_go_to_an_inherited_descriptor() {
    use std::process::Stdio;
    let env = place();
    // Standard output is a descriptor like any other.
    let mut command = typed(&env, "st file://target --log-fd 1 -v0");
    let outcome = redup_testkit::run::run(command.stdin(Stdio::null())).ok();
    assert!(
        outcome
            .stdout
            .starts_with("INFO 3 \nbackend BackendWrapper\n"),
        "{outcome}"
    );
}

#[test]
fn lines_carry_the_time_when_asked() {
    let env = place();
    let outcome = go(&env, "st file://target --log-timestamp").ok();
    let first = text(&env, &outcome);
    let first = first.lines().next().unwrap();
    assert_eq!(&first[4..5], "-", "{first}");
    assert_eq!(&first[23..], " NOTICE Last full backup date: none");
}
