//! `redup audit` of a target with manifests that cannot be read.

use std::fs;

use redup_testkit::damage::{Damage, find, names};
use redup_testkit::env::TestEnv;
use redup_testkit::run::Outcome;
use serde_json::Value;

use crate::cli::support::{dated, go, place};

const MIDDLE: [&str; 2] = ["duplicity-inc.20231114", ".manifest"];
const AUDIT: &str = "audit file://target";

/// A full set and two increments, and no archive dir.
fn three_sets() -> TestEnv {
    let env = place();
    for day in 0..3 {
        let time = 1_700_000_000 + day * 86_400;
        go(&env, &format!("source file://target --current-time {time}")).ok();
        fs::write(env.source().join("a"), format!("day {day}\n")).unwrap();
        dated(&env, "a", 1_600_000_000 + day);
    }
    fs::remove_dir_all(env.path("home/.cache")).unwrap();
    env
}

fn lines(outcome: &Outcome) -> Vec<Value> {
    let lines = outcome.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_damaged_manifest_between_two_good_ones_is_told_and_the_sets_behind_it_are_audited() {
    let env = three_sets();
    Damage::Halve.apply(&find(&env.target(), &MIDDLE));
    fs::remove_file(find(&env.target(), &["duplicity-inc.20231115", ".vol1."])).unwrap();
    go(&env, AUDIT)
        .code(1)
        .says("error: cannot process duplicity-inc.20231114T221320Z.to.20231115T221320Z.manifest.gpg\ncaused by: ")
        .says("\nhint: restore an older time with --time, or bring that manifest back from a copy\n")
        .says("volume 1 of the set inc 20231115T221320Z to ")
        .says("Audit incomplete: ")
        .says("of 2 set(s) are what was stored, 1 are not.")
        .says("1 manifest(s) are wrong");

    let lines = lines(&go(&env, &format!("{AUDIT} --json")).code(1));
    assert_eq!(lines.len(), 4, "{lines:?}");
    let (manifest, volume, end) = (&lines[1], &lines[2], &lines[3]);
    assert_eq!(manifest["record"], "wrong");
    assert_eq!(manifest["set_time"], "2023-11-15T22:13:20Z");
    assert_eq!(manifest["volume"], Value::Null);
    assert!(
        manifest["error"]
            .as_str()
            .unwrap()
            .contains(".manifest.gpg: ")
    );
    assert_eq!(volume["set_time"], "2023-11-16T22:13:20Z");
    assert_eq!(volume["volume"], 1);
    let counts = ["sets", "wrong_manifests", "wrong"].map(|name| end[name].as_u64());
    assert_eq!(counts, [Some(2), Some(1), Some(1)]);
    assert_eq!(end["complete"], false);
}

#[test]
fn a_passphrase_that_opens_no_manifest_ends_the_audit_with_its_own_status() {
    let mut env = three_sets();
    env.set("PASSPHRASE", "wrong");
    let outcome = go(&env, &format!("{AUDIT} --json"))
        .code(31)
        .says("hint: check PASSPHRASE");
    assert_eq!(outcome.stdout, "");
    assert_eq!(outcome.stderr.matches("error: ").count(), 1, "{outcome}");
    go(&env, AUDIT)
        .code(31)
        .never_says("manifest(s)")
        .never_says("complete");
}

#[test]
fn nothing_is_called_complete_when_no_manifest_can_be_read() {
    let env = three_sets();
    for name in names(&env.target()) {
        if name.contains(".manifest") {
            Damage::Empty.apply(&env.target().join(name));
        }
    }
    go(&env, AUDIT)
        .code(1)
        .says("\nno volume was asked about: none of 3 manifest(s) could be read")
        .never_says("complete");
    let lines = lines(&go(&env, &format!("{AUDIT} --json")).code(1));
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!(lines[4]["sets"], 0);
    assert_eq!(lines[4]["complete"], false);
}

#[test]
fn a_set_without_signatures_is_told_and_its_volumes_are_as_good() {
    let env = three_sets();
    fs::remove_file(find(&env.target(), &["new-signatures.20231115"])).unwrap();
    go(&env, AUDIT)
        .ok()
        .says("has no signatures at target: ")
        .says("of 3 set(s) are what was stored, 0 are not.");
    let lines = lines(&go(&env, &format!("{AUDIT} --json")).ok());
    assert_eq!(lines[1]["sets_without_signatures"], 1);
}
