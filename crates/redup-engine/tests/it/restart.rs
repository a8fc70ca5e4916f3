//! Runs that die anywhere are gone on with, and nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use redup_engine::{BackupKind, Error, Event, Monitor, VolumeMode};
use redup_storage::{Action, ErrorKind, Fault, FaultRule, Op, Storage, When};
use redup_testkit::trees::{Node, Tree, awkward, filler, filler_edited, noise};

use crate::world::{Heard, World};

/// Lets the n-th call of an operation fail for good and everything after it, as a killed run does.
fn dying(world: &World, op: Op, n: u32) -> Arc<dyn Storage> {
    let memory = Arc::clone(&world.memory) as Arc<dyn Storage>;
    let ops = [
        Op::Put,
        Op::BeginUpload,
        Op::PutPart,
        Op::Complete,
        Op::Head,
    ];
    let mut rules = vec![FaultRule::new(
        op,
        When::From(n),
        Action::Fail(ErrorKind::Other),
    )];
    rules.extend(
        ops.iter()
            .filter(|o| **o != op)
            .map(|o| FaultRule::new(*o, When::From(10_000), Action::Fail(ErrorKind::Other))),
    );
    Arc::new(Fault::new(memory, rules))
}

/// Dies at the n-th call, for every n until a run gets through; each time the next run ends it.
fn dies_everywhere(mode: VolumeMode, op: Op, start: &Tree, then: &Tree) {
    for n in 1..60 {
        let world = World::new(mode);
        world.put(start, None);
        let first = world.expected();
        let target = world.target(dying(&world, op, n), "secret");
        let survived = world
            .backup_to(&target, BackupKind::Full, 0, &Heard::default())
            .is_ok();
        if !survived {
            world
                .backup(BackupKind::Full, 1, &Heard::default())
                .unwrap();
        }
        world
            .restored(None)
            .assert_is(&first, format_args!("full that died at {op:?} {n}"));

        world.put(then, Some(start));
        let target = world.target(dying(&world, op, n), "secret");
        let ended = world
            .backup_to(&target, BackupKind::Incremental, 2, &Heard::default())
            .is_ok();
        if !ended {
            world
                .backup(BackupKind::Incremental, 3, &Heard::default())
                .unwrap();
        }
        world.restored(None).assert_is(
            &world.expected(),
            format_args!("inc that died at {op:?} {n}"),
        );
        world
            .restored(Some(1))
            .assert_is(&first, format_args!("full under the inc, {op:?} {n}"));
        if survived && ended {
            assert!(n > 2, "nothing died");
            return;
        }
    }
}

#[test]
fn a_run_that_dies_at_any_completed_upload_is_resumed() {
    dies_everywhere(
        VolumeMode::Plain,
        Op::Complete,
        &filler(2),
        &filler_edited(2),
    );
}

#[test]
fn a_run_that_dies_at_any_put_is_resumed() {
    dies_everywhere(
        VolumeMode::Encrypted,
        Op::Put,
        &filler(2),
        &filler_edited(2),
    );
}

#[test]
fn a_run_that_dies_at_any_size_check_is_resumed() {
    dies_everywhere(
        VolumeMode::Gzip { level: 1 },
        Op::Head,
        &filler(2),
        &filler_edited(2),
    );
}

/// A tree whose one large file fills several volumes.
fn large(seed: u64) -> Tree {
    let mut tree = Tree::new();
    tree.put("a", Node::file("first"));
    tree.put("large", Node::file(noise(seed, 2 << 20)));
    tree.put("z", Node::file("last"));
    tree
}

fn interrupted(op: Op, n: u32) -> World {
    let world = World::new(VolumeMode::Plain);
    world.put(&large(1), None);
    let target = world.target(dying(&world, op, n), "secret");
    world
        .backup_to(&target, BackupKind::Full, 0, &Heard::default())
        .unwrap_err();
    world
}

fn deaths() -> [(Op, u32); 1] {
    [(Op::Head, 4)]
}

#[test]
fn an_unchanged_large_file_is_gone_on_with_in_its_middle() {
    for (op, n) in deaths() {
        let world = interrupted(op, n);
        let heard = Heard::default();
        let report = world.backup(BackupKind::Full, 1, &heard).unwrap();
        assert!(report.resumed);
        assert_eq!(heard.lines(), ["resumed after 3"]);
        world
            .restored(None)
            .assert_is(&world.expected(), "the tree");
    }
}

#[test]
fn a_large_file_that_changed_since_is_stored_anew_not_mixed() {
    for (op, n) in deaths() {
        let world = interrupted(op, n);
        world.put(&large(2), Some(&large(1)));
        let heard = Heard::default();
        world.backup(BackupKind::Full, 1, &heard).unwrap();
        assert_eq!(heard.lines(), ["started over"]);
        world
            .restored(None)
            .assert_is(&world.expected(), "the tree");
    }
}

#[test]
fn early_files_that_changed_or_came_since_reach_the_next_increment() {
    for (op, n) in deaths() {
        let world = interrupted(op, n);
        let mut changed = large(1);
        changed.put("a", Node::file("changed").mtime(1_700_000_000));
        changed.put("aa", Node::file("new"));
        world.put(&changed, Some(&large(1)));
        world
            .backup(BackupKind::Full, 1, &Heard::default())
            .unwrap();
        world
            .backup(BackupKind::Incremental, 2, &Heard::default())
            .unwrap();
        world
            .restored(None)
            .assert_is(&world.expected(), "after the increment");
        changed.put("a", Node::file("changed again").mtime(1_700_000_100));
        world.put(&changed, Some(&large(1)));
        world
            .backup(BackupKind::Incremental, 3, &Heard::default())
            .unwrap();
        world
            .restored(None)
            .assert_is(&world.expected(), "after one more");
    }
}

/// A store that lets nobody delete anything.
fn keeping(world: &World) -> Arc<dyn Storage> {
    let denied = Action::Fail(ErrorKind::PermissionDenied);
    let memory = Arc::clone(&world.memory) as Arc<dyn Storage>;
    let rule = FaultRule::new(Op::Delete, When::From(1), denied);
    Arc::new(Fault::new(memory, [rule]))
}

/// A file that fills the first volumes, and one that fills those behind.
fn two_files(second: usize) -> Tree {
    let mut tree = Tree::new();
    tree.put("a", Node::file(noise(1, 700 << 10)));
    tree.put("b", Node::file(noise(second as u64, second)));
    tree
}

/// What a run before has stored of `two_files` and nobody may delete is left where it is.
#[track_caller]
fn goes_on_beside_leftovers(second: usize, expected: &str) -> World {
    let world = World::new(VolumeMode::Plain);
    world.put(&two_files(2 << 20), None);
    let target = world.target(dying(&world, Op::Head, 8), "secret");
    world
        .backup_to(&target, BackupKind::Full, 0, &Heard::default())
        .unwrap_err();
    world.put(&two_files(second), Some(&two_files(2 << 20)));
    let heard = Heard::default();
    // At the very time of the run before: its name is not taken again.
    world
        .backup_to(
            &world.target(keeping(&world), "secret"),
            BackupKind::Full,
            0,
            &heard,
        )
        .unwrap();
    let lines = heard.lines();
    let told = |line: &&String| !line.starts_with("warning left over");
    let rest: Vec<_> = lines.iter().filter(told).collect();
    assert_eq!(rest, expected.split(", ").collect::<Vec<_>>(), "{lines:?}");
    assert!(rest.len() < lines.len(), "{lines:?}");
    world
}

#[test]
fn volumes_that_cannot_be_deleted_are_replaced_by_those_of_a_resumed_set_that_comes_as_far() {
    let world = goes_on_beside_leftovers(4 << 20, "resumed after 2");
    world
        .restored(None)
        .assert_is(&world.expected(), "the tree");
}

#[test]
fn a_set_does_not_become_complete_before_volumes_that_cannot_be_deleted() {
    let world = goes_on_beside_leftovers(1000, "resumed after 2, started over");
    // Another run, which does not have the first one's archive dir, finds it whole.
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    world
        .restored(None)
        .assert_is(&world.expected(), "the tree");
    let heard = Heard::default();
    let verified = world.verify(true, &heard).unwrap();
    assert_eq!(
        (verified.differences, verified.failed),
        (0, 0),
        "{:?}",
        heard.lines()
    );
    world
        .backup(BackupKind::Incremental, 1, &Heard::default())
        .unwrap();
    world
        .restored(None)
        .assert_is(&world.expected(), "after the increment");
}

#[test]
fn a_store_that_cannot_tell_what_is_unfinished_holds_no_resumed_run_up() {
    for (op, n) in deaths() {
        let world = interrupted(op, n);
        let denied = FaultRule::new(
            Op::ListUnfinished,
            When::From(1),
            Action::Fail(ErrorKind::PermissionDenied),
        );
        let memory = Arc::clone(&world.memory) as Arc<dyn Storage>;
        let target = world.target(Arc::new(Fault::new(memory, [denied])), "secret");
        let heard = Heard::default();
        world
            .backup_to(&target, BackupKind::Full, 1, &heard)
            .unwrap();
        let [warning, resumed] = &heard.lines()[..] else {
            panic!("{:?}", heard.lines())
        };
        assert!(
            warning.contains("may still take up space") && warning.contains("unfinished uploads"),
            "{warning}"
        );
        assert_eq!(resumed, "resumed after 3");
        world
            .restored(None)
            .assert_is(&world.expected(), "the tree");
    }
}

#[test]
fn a_checkpoint_of_signatures_alone_is_swept_by_the_next_run() {
    let world = World::new(VolumeMode::Plain);
    world.put(&large(1), None);
    std::fs::create_dir(world.archive_dir()).unwrap();
    let part = world
        .archive_dir()
        .join("duplicity-full-signatures.20231231T000000Z.sigtar.part");
    std::fs::write(&part, b"half").unwrap();
    world
        .backup(BackupKind::Full, 1, &Heard::default())
        .unwrap();
    assert!(!part.exists());
}

/// Has the run told to stop when so many paths have gone by.
struct Stopper {
    stop: Arc<AtomicBool>,
    left: AtomicU32,
}

impl Monitor for Stopper {
    fn event(&self, event: Event<'_>) {
        if let Event::SourcePath { .. } = event
            && self.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_run_that_is_told_to_stop_stops_at_any_path_and_the_next_goes_on() {
    for kind in [BackupKind::Full, BackupKind::Incremental] {
        for paths in [1, 2, 5] {
            let world = World::new(VolumeMode::Plain);
            world.put(&awkward(), None);
            if kind == BackupKind::Incremental {
                // Nothing has changed then: the store is asked for nothing while the source is gone through.
                world
                    .backup(BackupKind::Full, 0, &Heard::default())
                    .unwrap();
            }
            let target = world.plain_target();
            let stopper = Stopper {
                stop: Arc::clone(&target.stop),
                left: AtomicU32::new(paths),
            };
            let error = world.backup_to(&target, kind, 1, &stopper).unwrap_err();
            assert!(matches!(error, Error::Stopped), "{error}");
            assert!(stopper.left.into_inner() == 0, "it stops at once");
            world.backup(kind, 1, &Heard::default()).unwrap();
            let report = world.verify(true, &Heard::default()).unwrap();
            assert_eq!((report.differences, report.failed), (0, 0));
        }
    }
}
