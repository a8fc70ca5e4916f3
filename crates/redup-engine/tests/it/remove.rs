//! Deleting: stopped anywhere, and refused anything, it leaves every set that remains readable.

use std::num::NonZeroUsize;
use std::sync::Arc;

use redup_engine::{
    BackupKind, CleanupOptions, Error, RemoveOptions, RemoveReport, Retention, Silent, VolumeMode,
};
use redup_format::collections::Collection;
use redup_format::filename::Naming;
use redup_storage::{Action, ErrorKind, Fault, FaultRule, MemoryStorage, Op, Storage, When};
use redup_testkit::listing::Listing;
use redup_testkit::trees::{awkward, edited};

use crate::world::World;

const ALL_BUT_ONE: Retention = Retention::AllButFull(NonZeroUsize::MIN);

/// A chain of days 0 to 2 and one of day 3, with what each day holds.
fn two_chains() -> (World, Vec<Listing>) {
    let world = World::new(VolumeMode::Plain);
    let kinds = [
        BackupKind::Full,
        BackupKind::Incremental,
        BackupKind::Incremental,
        BackupKind::Full,
    ];
    let mut days = Vec::new();
    world.put(&awkward(), None);
    for (day, kind) in (0..).zip(kinds) {
        match day % 2 {
            1 => world.put(&edited(), Some(&awkward())),
            _ if day > 0 => world.put(&awkward(), Some(&edited())),
            _ => {}
        }
        world.backup(kind, day, &Silent).unwrap();
        days.push(world.expected());
    }
    (world, days)
}

fn contents(memory: &MemoryStorage) -> Vec<(String, Vec<u8>)> {
    let names = memory.names();
    let data = |name: String| {
        let data = memory.data(&name).unwrap().to_vec();
        (name, data)
    };
    names.into_iter().map(data).collect()
}

/// The same store with `rule` in the way.
fn remove_with(
    world: &World,
    retention: Retention,
    rules: impl IntoIterator<Item = FaultRule>,
) -> redup_engine::Result<RemoveReport> {
    let faulty = Fault::new(Arc::clone(&world.memory) as Arc<dyn Storage>, rules);
    let options = RemoveOptions {
        retention,
        force: true,
        dry_run: false,
    };
    redup_engine::remove(&world.target(Arc::new(faulty), "secret"), &options, &Silent)
}

/// Restores every set that the listing still offers.
fn check_what_is_left(world: &World, days: &[Listing], what: &str) {
    let names = world.memory.names();
    let collection =
        Collection::from_names(&Naming::default(), names.iter().map(String::as_str), []);
    assert!(collection.orphaned_sets().is_empty(), "{what}");
    for set in collection.chains().iter().flat_map(|chain| chain.sets()) {
        let day = (set.span.end().secs() - crate::world::START) / crate::world::DAY;
        let expected = &days[usize::try_from(day).unwrap()];
        world.restored(Some(day)).assert_is(expected, what);
    }
}

#[test]
fn stopped_after_any_deletion_what_is_left_can_be_restored() {
    let (world, days) = two_chains();
    let before = contents(&world.memory);
    for nth in 1..100 {
        let stop = FaultRule::new(
            Op::Delete,
            When::From(nth),
            Action::Fail(ErrorKind::Unreachable),
        );
        let ended = remove_with(&world, ALL_BUT_ONE, [stop]);
        check_what_is_left(&world, &days, &format!("stopped at deletion {nth}"));
        if let Ok(report) = ended {
            assert!(nth > 10 && report.failed == 0, "{nth} {report:?}");
            return;
        }
        // The next run ends what this one began; then everything comes back for the next moment.
        remove_with(&world, ALL_BUT_ONE, []).unwrap();
        redup_engine::cleanup(
            &world.plain_target(),
            &CleanupOptions {
                force: true,
                dry_run: false,
            },
            &Silent,
        )
        .unwrap();
        let left = world.memory.names();
        assert!(
            left.iter().all(|name| name.contains("20240104")),
            "{left:?}"
        );
        for (name, data) in &before {
            world.memory.insert(name.clone(), data.clone());
        }
    }
    panic!("a hundred deletions were not enough");
}

#[test]
fn a_file_that_cannot_be_deleted_is_counted_and_breaks_no_chain() {
    let (world, days) = two_chains();
    let before = contents(&world.memory);
    for (name, _) in &before {
        let refused = FaultRule::new(
            Op::Delete,
            When::From(1),
            Action::Fail(ErrorKind::PermissionDenied),
        );
        let report = remove_with(&world, ALL_BUT_ONE, [refused.on(name.clone())]).unwrap();
        let goes = !name.contains("20240104");
        assert_eq!(report.failed > 0, goes, "{name}");
        assert!(world.memory.names().contains(name), "{name}");
        check_what_is_left(&world, &days, &format!("{name} cannot be deleted"));
        for (name, data) in &before {
            world.memory.insert(name.clone(), data.clone());
        }
    }
}

#[test]
fn nothing_goes_when_what_stays_lacks_a_volume() {
    let (world, _) = two_chains();
    let missing = world
        .memory
        .names()
        .into_iter()
        .find(|name| name.contains("full.20240104") && name.contains("vol2"))
        .unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(world.memory.delete(&missing)).unwrap();
    let before = world.memory.names();
    let error = remove_with(&world, ALL_BUT_ONE, []).unwrap_err();
    assert!(
        matches!(error, Error::MissingVolume { number: 2, .. }),
        "{error:?}"
    );
    assert_eq!(world.memory.names(), before);
}
