//! A killed backup is taken up by the next run, whoever was killed and whoever goes on.

use std::fs;
use std::path::Path;
use std::time::Instant;

use redup_testkit::damage::names;
use redup_testkit::env::{Program, TestEnv};
use redup_testkit::fixtures::{self, Case, PASSPHRASE, TIMES};
use redup_testkit::listing::Listing;
use redup_testkit::tools::Version;
use redup_testkit::trees::{self, Node};

use crate::{duplicity, redup};

/// How many moments of a run are tried for each kind of set.
const MOMENTS: u64 = 30;

#[test]
fn every_interrupted_fixture_resumes_to_its_tree() {
    let partial: Vec<Case> = fixtures::cases()
        .into_iter()
        .filter(Case::is_partial)
        .collect();
    assert_eq!(
        partial.len(),
        3,
        "each is a state that a restart has to understand"
    );
    for case in &partial {
        for program in crate::programs() {
            resume_fixture(case, &program);
        }
    }
}

#[test]
fn a_full_backup_killed_at_any_moment_loses_nothing() {
    let mut env = slow_env();
    trees::filler(5).write(&env.source());
    kill_at_all_moments(&mut env, "full", TIMES[0]);
}

#[test]
fn an_increment_killed_at_any_moment_loses_nothing() {
    let mut env = slow_env();
    let before = trees::filler(5);
    before.write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    trees::filler_edited(5).write_over(&before, &env.source());
    kill_at_all_moments(&mut env, "inc", TIMES[1]);
}

#[test]
fn duplicity_resumes_what_redup_left() {
    for version in Version::ALL {
        for action in ["full", "inc"] {
            hand_over(&redup(), &Program::Duplicity(version), action);
        }
    }
}

#[test]
fn redup_resumes_what_duplicity_left() {
    for version in Version::ALL {
        for action in ["full", "inc"] {
            hand_over(&Program::Duplicity(version), &redup(), action);
        }
    }
}

#[test]
fn what_changed_while_a_run_lay_dead_is_not_lost() {
    for action in ["full", "inc"] {
        let env = interrupted(&redup(), action);
        // Early files: their volumes are stored already.
        fs::write(env.source().join("f000/data"), "changed after the kill").unwrap();
        fs::write(env.source().join("f000/came"), "new after the kill").unwrap();
        fs::remove_file(env.source().join("f001/data")).unwrap();
        env.backup(&redup(), action, TIMES[2]).ok();
        // Later ones again, so that an increment builds on what the resumed run signed.
        fs::write(
            env.source().join("f000/data"),
            "changed after the kill, and again",
        )
        .unwrap();
        env.backup(&redup(), "inc", TIMES[2] + 86_400).ok();
        let expected = Listing::of(&env.source());
        for program in crate::programs() {
            let what = format!("{action}, restored by {}", program.name());
            env.restored(&program, None).assert_is(&expected, what);
        }
    }
}

#[test]
fn a_resumed_run_must_write_what_the_killed_one_wrote() {
    let mut env = interrupted(&redup(), "full");
    let before = names(&env.target());
    env.options = vec![
        "--volsize".to_owned(),
        "1".to_owned(),
        "--no-encryption".to_owned(),
    ];
    env.backup(&redup(), "full", TIMES[1]).code(45);
    assert_eq!(names(&env.target()), before);
}

fn resume_fixture(case: &Case, program: &Program) {
    let mut env = TestEnv::with_fixture(case);
    env.options = case.options();
    let last = case.states() - 1;
    for state in 0..=last {
        fixtures::make_tree(&case.tree(), state, &env.source());
    }
    let action = if last == 0 { "full" } else { "inc" };
    env.backup(program, action, TIMES[last]).ok();
    for (state, &time) in TIMES.iter().enumerate().take(case.states()) {
        for reader in [redup(), duplicity()] {
            let restored = env.restored(&reader, Some(time));
            let what = format!(
                "{} resumed by {}, state {state} read by {}",
                case.title(),
                program.name(),
                reader.name()
            );
            restored.assert_is(&case.expected(state).restored_by_me(), what);
        }
    }
}

/// Kills the run at moments spread over its whole length, by the clock and by the bytes stored,
/// every third time twice, and takes it up each time.
fn kill_at_all_moments(env: &mut TestEnv, action: &str, time: i64) {
    let start = env.snapshot();
    let started = Instant::now();
    env.backup(&redup(), action, time).ok();
    let (took, stored) = (started.elapsed(), bytes_in(&env.target()));
    let held = {
        env.return_to(&start);
        bytes_in(&env.target())
    };
    let expected = Listing::of(&env.source());

    let mut killed = 0;
    for moment in 0..MOMENTS {
        env.return_to(&start);
        let place = (moment as f64 + jitter(moment)) / MOMENTS as f64;
        let kills = if moment % 3 == 2 { 2 } else { 1 };
        for again in 0..kills {
            let run = env.start_backup(&redup(), action, time + i64::from(again));
            let was_running = if moment % 2 == 0 {
                run.kill_after(took.mul_f64(place)).0
            } else {
                let enough = held + ((stored - held) as f64 * place) as u64;
                run.kill_when(|| bytes_in(&env.target()) >= enough).0
            };
            killed += u32::from(was_running);
        }
        env.backup(&redup(), action, time + 60).ok();
        check_whole(
            env,
            &expected,
            &format!("{action} killed at {place:.3} of the way"),
        );
    }
    assert!(
        killed >= MOMENTS as u32 * 2 / 3,
        "only {killed} runs were still running when killed"
    );
}

/// Both programs restore the tree, with the archive dir at hand and without; nothing is left over.
fn check_whole(env: &mut TestEnv, expected: &Listing, what: &str) {
    env.restored(&redup(), None).assert_is(expected, what);
    let name = std::mem::replace(&mut env.name, "reader".to_owned());
    env.restored(&duplicity(), None)
        .assert_is(expected, format!("{what}, by duplicity"));
    drop(fs::remove_dir_all(env.archive()));
    env.name = name;
    let left = names(&env.archive());
    assert!(
        !left.iter().any(|name| name.contains(".part")),
        "{what}: {left:?}"
    );
    let foreign = names(&env.target())
        .into_iter()
        .filter(|name| !name.starts_with("duplicity-"));
    let foreign: Vec<String> = foreign.filter(|name| !name.starts_with("redup-")).collect();
    assert!(foreign.is_empty(), "{what}: {foreign:?}");
}

/// One program is killed in the middle of a run and another takes it up.
fn hand_over(from: &Program, to: &Program, action: &str) {
    let env = interrupted(from, action);
    let expected = Listing::of(&env.source());
    env.backup(to, action, TIMES[2]).ok();
    for reader in crate::programs() {
        let what = format!(
            "{action} begun by {}, resumed by {}, read by {}",
            from.name(),
            to.name(),
            reader.name()
        );
        env.restored(&reader, None).assert_is(&expected, what);
    }
}

/// A run of `program` that was killed after its second volume.
fn interrupted(program: &Program, action: &str) -> TestEnv {
    // The program may outrun the eye: then there is nothing left to resume, and it is done again.
    for _ in 0..20 {
        let env = slow_env();
        let before = trees::filler(6);
        let time = if action == "full" {
            before.write(&env.source());
            TIMES[0]
        } else {
            let mut small = trees::Tree::new();
            small.put("f000/data", Node::file("small"));
            small.write(&env.source());
            env.backup(program, "full", TIMES[0]).ok();
            trees::filler_edited(6).write_over(&small, &env.source());
            TIMES[1]
        };
        let run = env.start_backup(program, action, time);
        let stem = if action == "full" {
            "duplicity-full."
        } else {
            "duplicity-inc."
        };
        run.kill_when(|| {
            let stored = names(&env.target());
            let second = stored
                .iter()
                .any(|it| it.starts_with(stem) && it.contains(".vol3."));
            second && has_partial(&env.archive())
        });
        let finished = names(&env.target())
            .iter()
            .any(|name| name.starts_with(stem) && name.contains(".manifest"));
        if !finished && has_partial(&env.archive()) {
            return env;
        }
    }
    panic!(
        "{} could not be caught in the middle of a run",
        program.name()
    );
}

fn slow_env() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    env.options = vec!["--volsize".to_owned(), "1".to_owned()];
    env
}

fn has_partial(archive: &Path) -> bool {
    archive.exists()
        && names(archive)
            .iter()
            .any(|name| name.ends_with(".manifest.part"))
}

/// The bytes of all files in a folder, hidden ones too.
fn bytes_in(dir: &Path) -> u64 {
    let Ok(items) = fs::read_dir(dir) else {
        return 0;
    };
    items
        .flatten()
        .filter_map(|item| item.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// A number in 0..1 that differs from moment to moment and is the same in every run.
fn jitter(moment: u64) -> f64 {
    let bytes = trees::noise(moment, 1);
    f64::from(bytes[0]) / 256.0
}
