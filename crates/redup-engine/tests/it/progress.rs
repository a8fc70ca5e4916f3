//! What a run tells of its progress adds up.

use std::sync::Mutex;

use redup_engine::{BackupKind, Count, Event, Monitor, SourceSize, VolumeMode, measure};
use redup_format::time::Timestamp;
use redup_testkit::trees::{awkward, edited};

use crate::world::{Heard, World};

/// What was told, and the counts that were handed out.
#[derive(Debug, Default)]
struct Told {
    began: Option<Option<Timestamp>>,
    traffic: Option<(Count, Count)>,
    paths: Vec<(String, SourceSize)>,
    read: u64,
    /// Paths that were told when the source ended.
    ended: Option<usize>,
    reading: Option<(u64, u64, Count)>,
}

#[derive(Debug, Default)]
struct Watcher(Mutex<Told>);

impl Monitor for Watcher {
    fn event(&self, event: Event<'_>) {
        let mut told = self.0.lock().unwrap();
        match event {
            Event::SourceBegins {
                since,
                made,
                stored,
                ..
            } => {
                assert!(told.began.replace(since).is_none(), "it begins once");
                told.traffic = Some((made.clone(), stored.clone()));
            }
            Event::SourcePath { index, size } => told.paths.push((index.to_string(), size)),
            Event::SourceBytes(bytes) => told.read = bytes,
            Event::SourceEnds => {
                assert!(told.ended.is_none(), "it ends once");
                told.ended = Some(told.paths.len());
            }
            Event::Reading { bytes, steps, done } => {
                assert_eq!(done.get(), 0);
                told.reading = Some((bytes, steps, done.clone()));
            }
            _ => {}
        }
    }
}

fn backed_up(world: &World, kind: BackupKind, day: i64) -> Told {
    let watcher = Watcher::default();
    world.backup(kind, day, &watcher).unwrap();
    watcher.0.into_inner().unwrap()
}

fn measured(world: &World, since: Option<Timestamp>) -> Vec<SourceSize> {
    let options = world.backup_options(BackupKind::Auto, 0);
    let mut sizes = Vec::new();
    measure(&world.source(), &options, since, |size| {
        sizes.push(size);
        true
    });
    sizes
}

#[test]
fn the_paths_of_a_full_backup_are_those_that_are_counted() {
    for mode in [VolumeMode::Plain, VolumeMode::Encrypted] {
        let world = World::new(mode);
        world.put(&awkward(), None);
        let told = backed_up(&world, BackupKind::Full, 0);
        assert_eq!(told.began, Some(None));
        assert_eq!(told.ended, Some(told.paths.len()));
        let sizes: Vec<_> = told.paths.iter().map(|(_, size)| *size).collect();
        assert_eq!(sizes, measured(&world, None));
        assert!(sizes.iter().all(|size| size.expected));
        // Each file was read, and counted as long as it is.
        assert_eq!(sizes.iter().map(|size| size.len).sum::<u64>(), told.read);
    }
}

#[test]
fn what_is_made_is_what_the_store_has_in_the_end() {
    for mode in [VolumeMode::Plain, VolumeMode::Encrypted] {
        let world = World::new(mode);
        world.put(&awkward(), None);
        let told = backed_up(&world, BackupKind::Full, 0);
        let (made, stored) = told.traffic.unwrap();
        let names = world.memory.names();
        let there = names
            .iter()
            .map(|name| world.memory.data(name).unwrap().len());
        assert_eq!(made.get(), there.sum::<usize>() as u64);
        assert_eq!(made.get(), stored.get());
    }
}

#[test]
fn an_increment_expects_what_its_inode_says_has_changed() {
    let world = World::new(VolumeMode::Plain);
    world.put(&awkward(), None);
    world
        .backup(BackupKind::Full, 0, &Heard::default())
        .unwrap();
    // Everything here is younger than the day of that backup.
    let told = backed_up(&world, BackupKind::Incremental, 1);
    let since = told.began.unwrap().unwrap();
    assert!(told.paths.iter().all(|(_, size)| size.expected));
    assert_eq!(told.read, 0, "nothing has changed");
    let sizes: Vec<_> = told.paths.iter().map(|(_, size)| *size).collect();
    assert_eq!(sizes, measured(&world, Some(since)));
    let tomorrow = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
        + 86_400;
    let later = measured(&world, Some(Timestamp::from_secs(tomorrow)));
    assert_eq!(later.len(), sizes.len());
    assert!(later.iter().all(|size| !size.expected));
}

#[test]
fn counting_ends_when_it_is_told_to() {
    let world = World::new(VolumeMode::Plain);
    world.put(&awkward(), None);
    let options = world.backup_options(BackupKind::Auto, 0);
    let mut seen = 0;
    measure(&world.source(), &options, None, |_| {
        seen += 1;
        seen < 3
    });
    assert_eq!(seen, 3);
    measure(&world.root.path().join("nowhere"), &options, None, |_| {
        panic!("there is nothing")
    });
}

#[test]
fn volumes_are_gone_through_to_the_last_step() {
    for mode in [VolumeMode::Gzip { level: 1 }, VolumeMode::Encrypted] {
        let world = World::new(mode);
        world.put(&awkward(), None);
        world
            .backup(BackupKind::Full, 0, &Heard::default())
            .unwrap();
        world.put(&edited(), Some(&awkward()));
        world
            .backup(BackupKind::Incremental, 1, &Heard::default())
            .unwrap();
        let volumes = |name: &&String| name.contains(".difftar");
        let names = world.memory.names();
        let len = |name: &String| world.memory.data(name).unwrap().len() as u64;
        let all: u64 = names.iter().filter(volumes).map(len).sum();
        let restored = Watcher::default();
        let to = world.root.path().join("out");
        world.restore_to(&to, None, &restored).unwrap();
        let verified = Watcher::default();
        world.verify(false, &verified).unwrap();
        for watcher in [restored, verified] {
            let (bytes, steps, done) = watcher.0.into_inner().unwrap().reading.unwrap();
            assert_eq!((bytes, steps), (all, 2 * all));
            assert_eq!(done.get(), steps);
        }
    }
}

#[test]
fn a_volume_that_is_left_out_counts_as_gone_through() {
    let world = World::new(VolumeMode::Plain);
    world.put(&awkward(), None);
    world
        .backup(BackupKind::Full, 0, &Heard::default())
        .unwrap();
    let names = world.memory.names();
    let name = names
        .iter()
        .find(|name| name.contains("vol1.difftar"))
        .unwrap();
    let mut bytes = world.memory.data(name).unwrap().to_vec();
    bytes[0] ^= 1;
    world.memory.insert(name.clone(), bytes);
    let watcher = Watcher::default();
    let to = world.root.path().join("out");
    world.restore_ignoring(&to, &watcher).unwrap();
    let (_, steps, done) = watcher.0.into_inner().unwrap().reading.unwrap();
    assert_eq!(done.get(), steps);
}
