//! How many volumes are on their way to the store while the next one is made.

use std::sync::Arc;

use redup_engine::{BackupKind, BackupOptions, Silent, VolumeMode};
use redup_storage::{Op, Record, Storage};
use redup_testkit::trees::{Node, Tree, noise};

use crate::world::World;

/// For each volume that was begun, how many before it were made and not yet stored.
fn outstanding(concurrency: u32) -> Vec<u32> {
    let world = World::new(VolumeMode::Plain);
    let mut tree = Tree::new();
    tree.put("large", Node::file(noise(1, 3 << 20)));
    world.put(&tree, None);
    let record = Record::new(Arc::clone(&world.memory) as Arc<dyn Storage>);
    let options = BackupOptions {
        concurrency: Some(concurrency),
        ..world.backup_options(BackupKind::Full, 0)
    };
    let target = world.target(Arc::new(record.clone()), "secret");
    redup_engine::backup(&target, &world.source(), &options, &Silent).unwrap();
    world
        .restored(None)
        .assert_is(&world.expected(), "what was stored");
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
