//! How many volumes are on their way to the store while the next one is made.

use std::sync::Arc;

use redup_engine::{BackupKind, BackupOptions, Silent, VolumeMode};
use redup_storage::{MemoryStorage, Op, Record, Storage, Tuning};
use redup_testkit::trees::{Node, Tree, noise};
use tokio::sync::watch;

use crate::hooked::Hooked;
use crate::world::World;

/// A world whose next backup is of several volumes.
fn world() -> World {
    let world = World::new(VolumeMode::Plain);
    let mut tree = Tree::new();
    tree.put("large", Node::file(noise(1, 3 << 20)));
    world.put(&tree, None);
    world
}

fn back_up(world: &World, storage: Arc<dyn Storage>, concurrency: u32) {
    let options = BackupOptions {
        concurrency: Some(concurrency),
        ..world.backup_options(BackupKind::Full, 0)
    };
    let target = world.target(storage, "secret");
    redup_engine::backup(&target, &world.source(), &options, &Silent).unwrap();
    world
        .restored(None)
        .assert_is(&world.expected(), "what was stored");
}

/// For each volume that was begun, how many before it were made and not yet stored.
fn outstanding(concurrency: u32) -> Vec<u32> {
    let world = world();
    let record = Record::new(Arc::clone(&world.memory) as Arc<dyn Storage>);
    back_up(&world, Arc::new(record.clone()), concurrency);
    let (mut begun, mut stored, mut found) = (0, 0, Vec::new());
    for call in record.calls() {
        match call.op {
            _ if !call.name.contains("vol") => {}
            Op::BeginUpload => {
                found.push(begun - stored);
                begun += 1;
            }
            // The last thing that is asked of a volume: is it there, and whole?
            Op::Head => stored += 1,
            _ => {}
        }
    }
    assert!(begun > 8, "{begun} volumes");
    found
}

#[test]
fn a_volume_is_stored_before_the_next_is_begun_when_none_may_be_on_its_way() {
    let found = outstanding(0);
    assert!(found.iter().all(|&count| count == 0), "{found:?}");
}

#[test]
fn never_more_volumes_are_on_their_way_than_asked_for() {
    for most in 1..4 {
        let found = outstanding(most);
        assert!(found.iter().all(|&count| count <= most), "{most} {found:?}");
    }
}

/// Holds the first volume back until so many have been begun. A run that begins fewer never ends.
fn gets_to(world: &World, begun_by: Op, held: Op, concurrency: u32, begun: u32) {
    let (begin, _) = watch::channel(0);
    let storage = Hooked::new(Arc::clone(&world.memory) as Arc<dyn Storage>);
    let storage = storage.waiting(move |op, name| {
        let is_volume = name.contains(".vol");
        if is_volume && op == begun_by {
            begin.send_modify(|count| *count += 1);
        }
        let mut count = begin.subscribe();
        let is_held = op == held && name.contains(".vol1.");
        is_held.then_some(async move {
            count.wait_for(|count| *count >= begun).await.unwrap();
        })
    });
    back_up(world, Arc::new(storage), concurrency);
}

#[test]
fn as_many_volumes_are_on_their_way_as_asked_for() {
    // Beside them another one is being made.
    for concurrency in [1, 3] {
        gets_to(
            &world(),
            Op::BeginUpload,
            Op::Head,
            concurrency,
            concurrency + 1,
        );
    }
}

/// The same with parts so large that a volume is stored by one request.
fn world_of_small_volumes() -> World {
    let mut world = world();
    world.memory = Arc::new(MemoryStorage::with_tuning(Tuning {
        part_size: 1 << 20,
        range_size: 64 << 10,
        uploads: 4,
        downloads: 4,
        rereads_are_cheap: true,
    }));
    world
}

#[test]
fn volumes_smaller_than_a_part_are_on_their_way_at_the_same_time() {
    for concurrency in [1, 3] {
        let begun = concurrency + 1;
        gets_to(
            &world_of_small_volumes(),
            Op::Put,
            Op::Put,
            concurrency,
            begun,
        );
    }
}

#[test]
fn volumes_smaller_than_a_part_are_stored_one_after_the_other_when_none_may_be_on_its_way() {
    let world = world_of_small_volumes();
    let record = Record::new(Arc::clone(&world.memory) as Arc<dyn Storage>);
    back_up(&world, Arc::new(record.clone()), 0);
    let calls = record.calls();
    let volumes = calls.iter().filter(|call| call.name.contains(".vol"));
    let ops: Vec<Op> = volumes
        .map(|call| call.op)
        .filter(|op| matches!(op, Op::Put | Op::Head))
        .collect();
    assert!(ops.len() > 16, "{ops:?}");
    assert!(
        ops.chunks(2).all(|pair| pair == [Op::Put, Op::Head]),
        "{ops:?}"
    );
}
