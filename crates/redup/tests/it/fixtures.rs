//! Every golden archive is listed, verified and restored at each of its states.
//!
//! The cases are found by walking `fixtures/`; the interrupted ones are resumed in
//! [`crate::resume`], which walks the same folders.

use redup_testkit::env::TestEnv;
use redup_testkit::fixtures::{Case, TIMES, cases};
use redup_testkit::listing::Listing;

use crate::redup;

#[test]
fn no_fixture_is_forgotten() {
    let mut versions: Vec<String> = cases().into_iter().map(|case| case.version).collect();
    versions.dedup();
    assert_eq!(
        versions,
        ["0.8.22", "3.2.1", "mixed"],
        "each of these has a test below"
    );
}

#[test]
fn archives_of_0_8_22_restore_to_every_state() {
    check_all("0.8.22");
}

#[test]
fn archives_of_3_2_1_restore_to_every_state() {
    check_all("3.2.1");
}

#[test]
fn chains_written_by_both_versions_restore_to_every_state() {
    check_all("mixed");
}

fn check_all(version: &str) {
    for case in cases()
        .iter()
        .filter(|case| case.version == version && !case.is_partial())
    {
        check(case);
    }
}

fn check(case: &Case) {
    let mut env = TestEnv::with_fixture(case);
    check_status(&env, case);
    for (state, &time) in TIMES.iter().enumerate().take(case.states()) {
        let what = format!("{} state {state}", case.title());
        let expected = case.expected(state);
        check_state(&env, time, &expected, &what);

        // Names of archive dirs are free: another one is an empty one, filled from the target.
        env.name = format!("fresh-{state}");
        let restored = env.restored(&redup(), Some(time));
        restored.assert_is(
            &expected.restored_by_me(),
            format!("{what}, empty archive dir"),
        );
        env.name = "fixture".to_owned();
    }
    check_part(&env, case);
}

fn check_status(env: &TestEnv, case: &Case) {
    let status = env.status(&redup());
    assert_eq!(
        status.sets.len(),
        case.states(),
        "{}: {status:?}",
        case.title()
    );
    assert!(status.complete, "{}: {status:?}", case.title());
    let encrypted = !case.options().contains(&"--no-encryption".to_owned());
    let word = if encrypted { "enc" } else { "noenc" };
    assert!(
        status.sets.iter().all(|set| set.ends_with(word)),
        "{}: {status:?}",
        case.title()
    );
}

/// Lists, restores, and verifies what was restored.
fn check_state(env: &TestEnv, time: i64, expected: &Listing, what: &str) {
    expected.assert_listed(&env.listed(&redup(), Some(time)), what);

    let (folder, outcome) = env.restore(&redup(), Some(time));
    outcome.ok();
    Listing::of(&folder).assert_is(&expected.clone().restored_by_me(), what);

    let words = [
        "--compare-data".to_owned(),
        "--time".to_owned(),
        time.to_string(),
    ];
    let mut verify = env.command(&redup(), "verify", &words);
    verify.arg(&env.url).arg(&folder);
    redup_testkit::run::run(&mut verify).ok();
}

/// A folder of the backup can be restored alone.
fn check_part(env: &TestEnv, case: &Case) {
    let newest = case.expected(case.states() - 1);
    for part in ["names", "type2/child2"] {
        if newest.get(part.as_bytes()).is_none() {
            continue;
        }
        let folder = env.fresh("part");
        let mut restore = env.command(&redup(), "restore", ["--path-to-restore", part]);
        restore.arg(&env.url).arg(&folder);
        redup_testkit::run::run(&mut restore).ok();
        let expected = newest.below(part.as_bytes()).restored_by_me();
        Listing::of(&folder).assert_is(&expected, format!("{} {part}", case.title()));
    }
}
