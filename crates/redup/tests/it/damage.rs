//! Damage: an action, a file, a kind of damage, and what came of it.
//!
//! Whatever is damaged, a run ends in an error that names it, or in one of the states that were
//! saved, never in something else and never in a panic; and it leaves the target as it was.

use std::fs;
use std::path::Path;

use redup_testkit::damage::{Damage, find, names};
use redup_testkit::env::{Snapshot, TestEnv};
use redup_testkit::fixtures::{PASSPHRASE, TIMES};
use redup_testkit::listing::{Kind, Listing, same_files};
use redup_testkit::run::Outcome;
use redup_testkit::trees;

use crate::redup;

/// The files of a chain, by what their names contain.
const FILES: [&[&str]; 6] = [
    &["full.", ".vol1."],
    &["inc.", ".vol1."],
    &["full.", ".manifest"],
    &["inc.", ".manifest"],
    &["full-signatures.", ".sigtar"],
    &["new-signatures.", ".sigtar"],
];

/// The exit status of a panic.
const PANIC: i32 = 101;

#[test]
fn damage_to_an_encrypted_target_is_an_error_or_without_effect() {
    damage_everything(&["--volsize", "1"]);
}

#[test]
fn damage_to_a_plain_target_is_an_error_or_without_effect() {
    damage_everything(&["--volsize", "1", "--no-encryption", "--no-compression"]);
}

#[test]
fn damage_to_a_gzip_target_is_an_error_or_without_effect() {
    damage_everything(&["--volsize", "1", "--no-encryption"]);
}

#[test]
fn a_damaged_volume_is_named_and_its_status_is_21() {
    let (env, _) = chain(&["--volsize", "1"]);
    let volume = find(&env.target(), FILES[0]);
    Damage::FlipMiddle.apply(&volume);
    let name = volume.file_name().unwrap().to_string_lossy().into_owned();
    env.restore(&redup(), None).1.code(21).says(&name);
}

#[test]
fn a_missing_volume_is_named() {
    let (env, _) = chain(&["--volsize", "1"]);
    let volume = find(&env.target(), FILES[1]);
    fs::remove_file(&volume).unwrap();
    let outcome = env
        .restore(&redup(), None)
        .1
        .says("volume 1")
        .says("missing");
    assert!(!outcome.status.success());
}

#[test]
fn what_other_volumes_hold_is_restored_when_errors_are_ignored() {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    env.options = vec!["--volsize".to_owned(), "1".to_owned()];
    trees::filler(4).write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    let whole = Listing::of(&env.source());
    fs::remove_file(find(&env.target(), &["full.", ".vol2."])).unwrap();

    let folder = env.path("rescued");
    let mut restore = env.command(&redup(), "restore", ["--ignore-errors"]);
    restore.arg(&env.url).arg(&folder);
    let outcome = redup_testkit::run::run(&mut restore).code(1);
    let rescued = Listing::of(&folder);
    let intact = whole
        .iter()
        .filter(|(key, entry)| rescued.get(&key.to_bytes()) == Some(entry));
    assert!(
        intact.count() > whole.len() / 3,
        "most of the other volumes' files are whole"
    );
    for (key, entry) in rescued
        .iter()
        .filter(|(_, entry)| entry.kind != Kind::Directory)
    {
        let same = whole.get(&key.to_bytes()) == Some(entry);
        let named = key.to_string();
        let told = outcome.stderr.contains(&named) || outcome.stdout.contains(&named);
        assert!(
            same || told,
            "{key} is not whole, and nobody said so\n{outcome}"
        );
    }
}

#[test]
fn a_lost_archive_dir_is_rebuilt_from_the_target() {
    let (mut env, states) = chain(&["--volsize", "1"]);
    fs::remove_dir_all(env.archive()).unwrap();
    env.backup(&redup(), "inc", TIMES[2]).ok();
    env.restored(&redup(), None)
        .assert_is(&states[1], "after the loss");
    assert_eq!(env.status(&redup()).sets.len(), 3);
    env.name = "another".to_owned();
    env.restored(&redup(), Some(TIMES[0]))
        .assert_is(&states[0], "with another one");
}

#[test]
fn a_damaged_archive_dir_is_an_error_or_without_effect() {
    let (env, states) = chain(&["--volsize", "1"]);
    let snapshot = env.snapshot();
    for name in names(&env.archive()) {
        for damage in [
            Damage::FlipMiddle,
            Damage::Halve,
            Damage::Empty,
            Damage::Delete,
        ] {
            env.return_to(&snapshot);
            let path = env.archive().join(&name);
            if fs::metadata(&path).unwrap().len() == 0 {
                continue;
            }
            damage.apply(&path);
            let what = format!("{damage:?} of {name} in the archive dir");
            let (folder, outcome) = env.restore(&redup(), None);
            judge(&folder, &outcome, &states, &what);
        }
    }
}

fn damage_everything(options: &[&str]) {
    let (mut env, states) = chain(options);
    let snapshot = env.snapshot();
    let mut number = 0;
    for file in FILES {
        for damage in Damage::ALL {
            env.return_to(&snapshot);
            damage.apply(&find(&env.target(), file));
            let damaged = env.snapshot();
            number += 1;
            // An empty archive dir, so that nothing hides the damage.
            env.name = format!("fresh-{number}");
            let what = format!("{damage:?} of {}", file.concat());
            check_readers(&env, &states, &what);
            check_backup(&env, &damaged, &what);
            drop(fs::remove_dir_all(env.archive()));
            env.name = "test".to_owned();
        }
    }
}

fn check_readers(env: &TestEnv, states: &[Listing], what: &str) {
    let before = env.snapshot();
    let (folder, outcome) = env.restore(&redup(), None);
    judge(&folder, &outcome, states, what);
    drop(fs::remove_dir_all(&folder));
    for action in ["collection-status", "list-current-files"] {
        no_panic(
            &env.run(&redup(), action, [&env.url]),
            &format!("{action}: {what}"),
        );
    }
    let verify = env.verify(&redup(), None);
    no_panic(&verify, &format!("verify: {what}"));
    assert!(
        same_files(&env.target(), &before.target()),
        "a reader changed it: {what}"
    );
}

/// An increment on a damaged target stands on what is whole, or is refused; what was stored stays.
fn check_backup(env: &TestEnv, damaged: &Snapshot, what: &str) {
    let outcome = env.backup(&redup(), "inc", TIMES[2]);
    no_panic(&outcome, &format!("increment: {what}"));
    let stored = damaged.target();
    for name in names(&stored) {
        let kept = fs::read(env.target().join(&name)).ok();
        let whole = kept == fs::read(stored.join(&name)).ok();
        // A set without a manifest is an aborted one, which a backup may clear away.
        assert!(
            whole || what.contains("manifest"),
            "{name} did not survive: {what}\n{outcome}"
        );
    }
}

/// Success is one of the saved states; failure says so in words.
#[track_caller]
fn judge(folder: &Path, outcome: &Outcome, states: &[Listing], what: &str) {
    no_panic(outcome, what);
    if outcome.status.success() {
        let found = Listing::of(folder);
        let known = states
            .iter()
            .any(|state| found.differences(state).is_empty());
        let differences = found.differences(&states[states.len() - 1]).join("\n");
        assert!(
            known,
            "{what}: restored something else\n{differences}\n{outcome}"
        );
    } else {
        assert!(
            !outcome.stderr.is_empty() || !outcome.stdout.is_empty(),
            "{what}: no words"
        );
    }
}

#[track_caller]
fn no_panic(outcome: &Outcome, what: &str) {
    let code = outcome.status.code();
    let panicked = code == Some(PANIC) || outcome.stderr.contains("panicked");
    assert!(code.is_some() && !panicked, "{what}\n{outcome}");
}

/// A full and an increment, and what they hold.
fn chain(options: &[&str]) -> (TestEnv, Vec<Listing>) {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    env.options = options.iter().map(|&word| word.to_owned()).collect();
    let (first, second) = (small_tree(0), small_tree(1));
    first.write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    let mut states = vec![Listing::of(&env.source())];
    second.write_over(&first, &env.source());
    env.backup(&redup(), "inc", TIMES[1]).ok();
    states.push(Listing::of(&env.source()));
    (env, states)
}

/// One volume's worth: a file that changes in the middle, one that comes, one that goes.
fn small_tree(state: i64) -> trees::Tree {
    let now = trees::BASE_MTIME + state * 1000;
    let mut tree = trees::Tree::new();
    let mut content = trees::noise(1, 200_000);
    if state > 0 {
        content.splice(90_000..90_100, trees::noise(2, 500));
        tree.put("comes", trees::Node::file("new").mtime(now));
    } else {
        tree.put("goes", trees::Node::file("old").mtime(now));
    }
    tree.put("changes", trees::Node::file(content).mtime(now));
    tree.put("stays/here", trees::Node::file(trees::noise(3, 70_000)));
    tree.node_mut("").mtime = now;
    tree
}
