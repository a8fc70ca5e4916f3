//! Archives made to write outside of the restore target.

use std::fs;
use std::sync::Arc;

use redup_difftar::difftar::{Member, volume_padding};
use redup_engine::VolumeMode;
use redup_format::entry::{Attributes, FileType};
use redup_format::filename::{Kind, Naming, Span, Suffix};
use redup_format::index::PathIndex;
use redup_format::manifest::{Manifest, Position, VolumeInfo};
use redup_format::time::Timestamp;
use redup_storage::MemoryStorage;
use sha1::{Digest, Sha1};

use crate::world::{Heard, START, World};

fn attributes(file_type: FileType) -> Attributes {
    Attributes {
        file_type,
        mode: 0o755,
        uid: 0,
        gid: 0,
        uname: Vec::new(),
        gname: Vec::new(),
        mtime: 1,
    }
}

fn store(memory: &Arc<MemoryStorage>, members: &[(&[u8], FileType)]) {
    let index = |path: &[u8]| PathIndex::from_bytes(path).unwrap();
    let mut volume = Vec::new();
    for (path, file_type) in members {
        let member = Member::snapshot(index(path), &attributes(file_type.clone())).unwrap();
        volume.extend(member.bytes);
    }
    volume.extend(volume_padding(volume.len() as u64));
    let position = |path: &[u8]| Position {
        index: index(path),
        block: None,
    };
    let mut manifest = Manifest::default();
    let info = VolumeInfo {
        number: 1,
        start: position(b""),
        end: position(members.last().unwrap().0),
        sha1: Some(Sha1::digest(&volume).into()),
        md5: None,
        crc32: None,
    };
    manifest.volumes.insert(1, info);
    let span = Span::Full(Timestamp::from_secs(START));
    let name = |kind| Naming::default().name(span, kind, Suffix::Plain);
    memory.insert(name(Kind::Volume(1)), volume);
    memory.insert(name(Kind::Manifest), manifest.to_bytes());
}

#[test]
fn paths_below_a_root_that_is_no_folder_are_not_written_beside_the_target() {
    let link = FileType::Symlink {
        target: b".".to_vec(),
    };
    for root in [FileType::Regular, FileType::Fifo, link] {
        let world = World::new(VolumeMode::Plain);
        store(
            &world.memory,
            &[
                (b"", root),
                (b".bashrc", FileType::Regular),
                (b"dir", FileType::Directory),
                (b"dir/keys", FileType::Regular),
            ],
        );
        let home = world.root.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::write(home.join(".bashrc"), "mine").unwrap();
        let heard = Heard::default();
        let report = world.restore_to(&home.join("restored"), None, &heard);
        assert!(report.is_err() || report.unwrap().failed > 0);
        assert_eq!(fs::read(home.join(".bashrc")).unwrap(), b"mine");
        let names: Vec<_> = fs::read_dir(&home)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert!(
            names.iter().all(|n| n == ".bashrc" || n == "restored"),
            "{names:?}"
        );
    }
}

#[test]
fn a_link_in_the_archive_is_not_followed_by_what_comes_below_it() {
    let world = World::new(VolumeMode::Plain);
    let outside = world.root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.to_str().unwrap().as_bytes().to_vec();
    store(
        &world.memory,
        &[
            (b"", FileType::Directory),
            (b"a", FileType::Symlink { target }),
            (b"a/file", FileType::Regular),
        ],
    );
    let report = world.restore_to(&world.root.path().join("out"), None, &Heard::default());
    assert!(report.is_err() || report.unwrap().failed > 0);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}
