//! Chains of a full backup and increments bring every point in time back.

use proptest::prelude::*;
use proptest::test_runner::Config;
use redup_engine::{BackupKind, VolumeMode};
use redup_testkit::listing::Listing;
use redup_testkit::trees::{Tree, awkward, edited, history};

use crate::world::{Heard, World};

/// Backs up each state in turn; then every one of them is restored, verified and listed.
fn check(mode: VolumeMode, states: &[Tree], keep_archive_dir: bool) {
    let world = World::new(mode);
    let mut expected: Vec<Listing> = Vec::new();
    for (day, state) in (0..).zip(states) {
        world.put(state, (day > 0).then(|| &states[day as usize - 1]));
        let heard = Heard::default();
        world.backup(BackupKind::Auto, day, &heard).unwrap();
        assert_eq!(heard.lines(), Vec::<String>::new());
        expected.push(world.expected());
        if !keep_archive_dir {
            std::fs::remove_dir_all(world.archive_dir()).unwrap();
        }
    }
    let heard = Heard::default();
    let report = world.verify(true, &heard).unwrap();
    assert_eq!(
        (report.differences, report.failed, heard.lines()),
        (0, 0, Vec::new())
    );
    for (day, listing) in (0..).zip(&expected) {
        world
            .restored(Some(day))
            .assert_is(listing, format_args!("day {day}"));
        let listed: Vec<Vec<u8>> = listing.iter().map(|(path, _)| path.to_bytes()).collect();
        assert_eq!(world.listed(day), listed, "the listing of day {day}");
    }
}

#[test]
fn an_awkward_tree_comes_back_in_plain_volumes() {
    check(VolumeMode::Plain, &[awkward(), edited(), awkward()], true);
}

#[test]
fn an_awkward_tree_comes_back_in_gzip_volumes_without_the_archive_dir() {
    check(
        VolumeMode::Gzip { level: 6 },
        &[awkward(), edited(), awkward()],
        false,
    );
}

#[test]
fn an_awkward_tree_comes_back_encrypted() {
    check(
        VolumeMode::Encrypted,
        &[awkward(), edited(), awkward()],
        true,
    );
}

#[test]
fn an_awkward_tree_comes_back_encrypted_without_the_archive_dir() {
    check(
        VolumeMode::Encrypted,
        &[awkward(), edited(), awkward()],
        false,
    );
}

#[test]
fn an_unchanged_tree_makes_an_increment_of_one_empty_volume() {
    let world = World::new(VolumeMode::Plain);
    world.put(&awkward(), None);
    world
        .backup(BackupKind::Full, 0, &Heard::default())
        .unwrap();
    let report = world
        .backup(BackupKind::Incremental, 1, &Heard::default())
        .unwrap();
    assert_eq!((report.statistics.delta_entries, report.volumes), (0, 1));
    world
        .restored(None)
        .assert_is(&world.expected(), "the tree");
}

proptest! {
    #![proptest_config(Config::with_cases(24))]

    #[test]
    fn every_state_of_a_random_history_comes_back(states in history(30, 4), keep: bool) {
        check(VolumeMode::Plain, &states, keep);
    }
}
