//! Damaged archives give an error, never a wrong tree under the right names.

use redup_engine::{BackupKind, Error, VolumeMode};
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
fn a_missing_volume_is_named() {
    let world = two_days(VolumeMode::Plain);
    let storage: &dyn redup_storage::Storage = &*world.memory;
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
    let storage =
        std::sync::Arc::clone(&world.memory) as std::sync::Arc<dyn redup_storage::Storage>;
    let target = world.target(storage, "wrong");
    let error = world
        .backup_to(&target, BackupKind::Incremental, 2, &Heard::default())
        .unwrap_err();
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        text += &format!("{error}\n");
        cause = error.source();
    }
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
