//! Damaged archives give an error, never a wrong tree under the right names.

use std::sync::Arc;

use redup_engine::{BackupKind, Error, Target, VolumeMode};
use redup_storage::wrap::{Action, Fault, FaultRule, Record, When};
use redup_storage::{Op, Storage};
use redup_testkit::listing::Listing;
use redup_testkit::trees::{awkward, edited};

use crate::world::{Heard, World};

fn two_days(mode: VolumeMode) -> World {
    let world = World::new(mode);
    world.put(&awkward(), None);
    world
        .backup(BackupKind::Full, 0, &Heard::default())
        .unwrap();
    world.put(&edited(), Some(&awkward()));
    world
        .backup(BackupKind::Incremental, 1, &Heard::default())
        .unwrap();
    world
}

fn name_of(world: &World, part: &str) -> String {
    world
        .memory
        .names()
        .into_iter()
        .find(|name| name.contains(part))
        .unwrap()
}

#[test]
fn a_flipped_bit_in_a_volume_is_found_before_anything_of_it_is_used() {
    let world = two_days(VolumeMode::Plain);
    let name = name_of(&world, "vol1.difftar");
    let mut bytes = world.memory.data(&name).unwrap().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    world.memory.insert(name, bytes);
    let to = world.root.path().join("out");
    let error = world.restore_to(&to, None, &Heard::default()).unwrap_err();
    assert!(matches!(error, Error::HashMismatch { .. }), "{error:?}");
    assert!(!to.exists() || Listing::of(&to).len() <= 1);
}

#[test]
fn what_was_altered_on_its_way_from_the_store_is_fetched_again() {
    // What is neither encrypted nor compressed shows no damage, but in volumes, whose hash is known.
    let (volume, manifest, signatures) = (
        "vol1.difftar",
        "full.20240101T000000Z.manifest",
        "full-signatures",
    );
    for (mode, parts) in [
        (VolumeMode::Plain, &[volume][..]),
        (VolumeMode::Gzip { level: 1 }, &[volume, signatures]),
        (VolumeMode::Encrypted, &[volume, manifest, signatures]),
    ] {
        let world = two_days(mode);
        for part in parts {
            for action in [Action::Flip(30), Action::Flip(300)] {
                std::fs::remove_dir_all(world.archive_dir()).unwrap();
                let rule = FaultRule::new(Op::Get, When::Nth(1), action).on(*part);
                let memory = Arc::clone(&world.memory) as Arc<dyn Storage>;
                let calls = Arc::new(Record::new(Arc::new(Fault::new(memory, [rule]))));
                let target = world.target(Arc::clone(&calls) as Arc<dyn Storage>, "secret");
                let what = format!("{mode:?} {part} {action:?}");
                gets_through(&world, &target, *part == signatures, &what);
                let calls = calls.calls();
                let gets = calls
                    .iter()
                    .filter(|call| call.op == Op::Get && call.name.contains(part));
                assert!(gets.count() >= 2, "{what}: {calls:?}");
            }
        }
    }
}

/// A restore is right; or an increment, which alone needs signatures, is made.
#[track_caller]
fn gets_through(world: &World, target: &Target, increment: bool, what: &str) {
    if increment {
        let mut options = world.backup_options(BackupKind::Incremental, 2);
        options.skip_if_unchanged = true;
        redup_engine::backup(target, &world.source(), &options, &Heard::default())
            .unwrap_or_else(|error| panic!("{what}: {}", causes(&error)));
        return;
    }
    let to = world.root.path().join("out");
    world
        .restore_from(target, &to, None, &Heard::default())
        .unwrap_or_else(|error| panic!("{what}: {}", causes(&error)));
    assert_eq!(Listing::of(&to), Listing::of(&world.source()), "{what}");
    std::fs::remove_dir_all(to).unwrap();
}

#[test]
fn a_missing_volume_is_named() {
    let world = two_days(VolumeMode::Plain);
    let storage: &dyn Storage = &*world.memory;
    let name = name_of(&world, "vol2.difftar");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(storage.delete(&name)).unwrap();
    let error = world
        .restore_to(&world.root.path().join("out"), Some(0), &Heard::default())
        .unwrap_err();
    assert!(
        matches!(error, Error::MissingVolume { number: 2, .. }),
        "{error:?}"
    );
}

#[test]
fn a_wrong_passphrase_is_told_and_leaves_the_archive_dir_alone() {
    let world = two_days(VolumeMode::Encrypted);
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    let storage = Arc::clone(&world.memory) as Arc<dyn Storage>;
    let target = world.target(storage, "wrong");
    let error = world
        .backup_to(&target, BackupKind::Incremental, 2, &Heard::default())
        .unwrap_err();
    let text = causes(&error);
    assert!(text.contains("Bad session key"), "{text}");
    assert_eq!(std::fs::read_dir(world.archive_dir()).unwrap().count(), 0);
}

#[test]
fn another_source_folder_is_refused() {
    let world = two_days(VolumeMode::Plain);
    let mut options = world.backup_options(BackupKind::Incremental, 2);
    options.local_dir = b"elsewhere".to_vec();
    let error = redup_engine::backup(
        &world.plain_target(),
        &world.source(),
        &options,
        &Heard::default(),
    );
    assert!(matches!(error.unwrap_err(), Error::SourceMismatch { .. }));
}

#[test]
fn an_emptied_manifest_is_an_error_not_an_older_state() {
    for bytes in [Vec::new(), vec![0; 200]] {
        let world = two_days(VolumeMode::Plain);
        std::fs::remove_dir_all(world.archive_dir()).unwrap();
        let name = world
            .memory
            .names()
            .into_iter()
            .find(|name| name.starts_with("duplicity-inc") && name.ends_with(".manifest"));
        world.memory.insert(name.unwrap(), bytes);
        let to = world.root.path().join("out");
        let error = world.restore_to(&to, None, &Heard::default()).unwrap_err();
        assert!(
            matches!(error, Error::EmptyManifest(_) | Error::BadManifest { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn damaged_signatures_end_an_increment_before_anything_is_stored() {
    let world = two_days(VolumeMode::Plain);
    let name = name_of(&world, "full-signatures");
    let whole = world.memory.data(&name).unwrap();
    world
        .memory
        .insert(name.clone(), whole[..whole.len() / 2].to_vec());
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    let before = world.memory.names();
    let increment = || world.backup(BackupKind::Incremental, 2, &Heard::default());

    let error = increment().unwrap_err();
    assert!(matches!(error, Error::Signatures { .. }), "{error:?}");
    assert!(causes(&error).contains(&name), "{}", causes(&error));
    assert_eq!(world.memory.names(), before);
    assert!(!world.archive_dir().join(format!("{name}.gz")).exists());

    // Nothing of the damage is left in the archive dir.
    world.memory.insert(name, whole);
    increment().unwrap();
}

#[test]
fn a_damaged_manifest_is_named_and_not_kept() {
    let world = two_days(VolumeMode::Plain);
    let name = name_of(&world, "full.20240101T000000Z.manifest");
    let whole = world.memory.data(&name).unwrap();
    let mut damaged = whole.to_vec();
    let place = place_of(&whole, b"Volume 2:");
    damaged[place + b"Volume ".len()] = b'#';
    world.memory.insert(name.clone(), damaged);
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    let to = world.root.path().join("out");

    let error = world.restore_to(&to, None, &Heard::default()).unwrap_err();
    assert!(causes(&error).contains(&name), "{}", causes(&error));
    assert!(!to.exists());

    world.memory.insert(name, whole);
    world.restore_to(&to, None, &Heard::default()).unwrap();
    assert_eq!(Listing::of(&to), Listing::of(&world.source()));
}

#[test]
fn volumes_beyond_their_manifest_are_told() {
    let world = two_days(VolumeMode::Plain);
    let name = name_of(&world, "full.20240101T000000Z.manifest");
    let whole = world.memory.data(&name).unwrap();
    let cut = place_of(&whole, b"Volume 2:");
    world.memory.insert(name.clone(), whole[..cut].to_vec());
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    let heard = Heard::default();
    let report = world
        .restore_to(&world.root.path().join("out"), Some(0), &heard)
        .unwrap();
    assert!(report.failed > 0);
    let told = heard.lines().iter().any(|line| line.contains(&name));
    assert!(told, "{:?}", heard.lines());
}

#[test]
fn an_increment_that_lost_its_manifest_is_told_by_a_restore() {
    let world = two_days(VolumeMode::Plain);
    let name = name_of(&world, "inc.20240101T000000Z.to.20240102T000000Z.manifest");
    let storage: &dyn Storage = &*world.memory;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(storage.delete(&name)).unwrap();
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    let heard = Heard::default();
    world
        .restore_to(&world.root.path().join("out"), None, &heard)
        .unwrap();
    let told = heard
        .lines()
        .iter()
        .any(|line| line.contains("20240102T000000Z") && line.contains("no manifest"));
    assert!(told, "{:?}", heard.lines());
}

#[test]
fn a_dry_run_changes_neither_target_nor_archive_dir() {
    let world = two_days(VolumeMode::Encrypted);
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    let before = world.memory.names();
    let mut options = world.backup_options(BackupKind::Incremental, 2);
    options.dry_run = true;
    std::fs::write(world.source().join("added"), b"new").unwrap();
    let report = redup_engine::backup(
        &world.plain_target(),
        &world.source(),
        &options,
        &Heard::default(),
    )
    .unwrap();
    // The folder that got it counts as new, too: only regular files are told to have changed.
    assert_eq!(report.statistics.new_files, 2);
    assert_eq!(world.memory.names(), before);
    assert_eq!(std::fs::read_dir(world.archive_dir()).unwrap().count(), 0);
}

fn place_of(bytes: &[u8], part: &[u8]) -> usize {
    let mut windows = bytes.windows(part.len());
    windows.position(|window| window == part).unwrap()
}

/// An error with all its causes.
fn causes(error: &Error) -> String {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        text += &format!("{error}\n");
        cause = error.source();
    }
    text
}
