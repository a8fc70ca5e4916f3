//! Audit: what belongs to one set, and what ends the run.

use std::sync::Arc;

use redup_engine::{AuditReport, BackupKind, Error, Result, Target, VolumeMode, Wrong, audit};
use redup_storage::wrap::{Action, Fault, FaultRule, When};
use redup_storage::{ErrorKind, Op, Storage};
use redup_testkit::trees::{self, Tree};

use crate::world::{Heard, World};

const MIDDLE: &str = "inc.20240101T000000Z.to.20240102T000000Z.manifest";
const LAST_VOLUME: &str = "inc.20240102T000000Z.to.20240103T000000Z.vol1";

/// A full set of some volumes and two increments; the archive dir is lost.
fn three_days(mode: VolumeMode) -> World {
    let world = World::new(mode);
    world.put(&trees::filler(1), None);
    for (day, kind) in [
        (0, BackupKind::Full),
        (1, BackupKind::Incremental),
        (2, BackupKind::Incremental),
    ] {
        std::fs::write(world.source().join(format!("day{day}")), "new").unwrap();
        world.backup(kind, day, &Heard::default()).unwrap();
    }
    forget(&world);
    world
}

fn forget(world: &World) {
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
}

/// The report, and what was told of each volume and manifest.
fn audited(target: &Target) -> (Result<AuditReport>, Vec<String>) {
    let mut told = Vec::new();
    let report = audit(target, &Heard::default(), |wrong| {
        let Wrong {
            span,
            volume,
            error,
        } = wrong;
        told.push(format!("{span} {volume:?} {error}"));
    });
    (report, told)
}

fn name_of(world: &World, part: &str) -> String {
    let names = world.memory.names();
    names.into_iter().find(|name| name.contains(part)).unwrap()
}

/// A target whose store does this to what has `part` in its name.
fn faulty(world: &World, op: Op, part: &str, action: Action) -> Target {
    let rule = FaultRule::new(op, When::From(1), action).on(part);
    let memory = Arc::clone(&world.memory) as Arc<dyn Storage>;
    world.target(Arc::new(Fault::new(memory, [rule])), "secret")
}

/// The manifest in the middle is told, and a volume that is missing behind it.
#[track_caller]
fn goes_on(target: &Target, what: &str) {
    let (report, told) = audited(target);
    let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(
        (report.sets, report.wrong_manifests, report.wrong),
        (2, 1, 1),
        "{what}: {told:?}"
    );
    assert!(
        told[0].contains(" None ") && told[0].contains(MIDDLE),
        "{what}: {told:?}"
    );
    assert!(
        told[1].contains(" Some(1) volume 1 of the set "),
        "{what}: {told:?}"
    );
    assert_eq!(told.len(), 2, "{what}: {told:?}");
}

#[test]
fn a_manifest_that_cannot_be_read_does_not_hide_the_sets_behind_it() {
    for mode in [VolumeMode::Plain, VolumeMode::Encrypted] {
        let world = three_days(mode);
        world.lose(LAST_VOLUME);
        let name = name_of(&world, MIDDLE);
        let whole = world.memory.data(&name).unwrap();
        for damaged in [
            Vec::new(),
            whole[..whole.len() / 2].to_vec(),
            vec![0xff; whole.len()],
        ] {
            let what = format!("{mode:?} {} bytes", damaged.len());
            world.memory.insert(name.clone(), damaged);
            goes_on(&world.plain_target(), &what);
        }
        world.memory.insert(name, whole);
        for kind in [
            ErrorKind::NotFound,
            ErrorKind::Corrupt,
            ErrorKind::Unsupported,
        ] {
            let target = faulty(&world, Op::Get, MIDDLE, Action::Fail(kind));
            goes_on(&target, &format!("{mode:?} {kind:?}"));
        }
    }
}

#[test]
fn what_is_not_about_one_set_ends_the_run() {
    for mode in [VolumeMode::Plain, VolumeMode::Encrypted] {
        let world = three_days(mode);
        for (op, part) in [(Op::Get, MIDDLE), (Op::Head, ".vol1")] {
            for kind in [
                ErrorKind::PermissionDenied,
                ErrorKind::Credentials,
                ErrorKind::Unreachable,
                ErrorKind::Timeout,
            ] {
                let (report, told) = audited(&faulty(&world, op, part, Action::Fail(kind)));
                match report {
                    Err(Error::Storage(error)) => assert_eq!(error.kind(), kind),
                    other => panic!("{mode:?} {op} {kind:?}: {other:?}"),
                }
                assert!(told.is_empty(), "{told:?}");
            }
        }
    }
}

#[test]
fn a_manifest_that_ends_before_its_set_is_told_and_its_volumes_are_looked_up() {
    let world = three_days(VolumeMode::Plain);
    let name = name_of(&world, "full.20240101T000000Z.manifest");
    let whole = world.memory.data(&name).unwrap();
    let text = String::from_utf8_lossy(&whole);
    let cut = text.find("Volume 2:").unwrap();
    world.memory.insert(name, whole[..cut].to_vec());
    world.lose("full.20240101T000000Z.vol1");
    let (report, told) = audited(&world.plain_target());
    let report = report.unwrap();
    assert_eq!(
        (report.sets, report.wrong_manifests, report.wrong),
        (3, 1, 1)
    );
    assert!(
        told[0].contains("ends with volume 1, and there are volumes up to "),
        "{told:?}"
    );
}

#[test]
fn a_passphrase_is_wrong_when_it_opens_nothing_and_a_set_is_when_others_open() {
    let world = three_days(VolumeMode::Encrypted);
    let later = World::new(VolumeMode::Encrypted);
    later.put(&Tree::new(), None);
    let memory = Arc::clone(&later.memory) as Arc<dyn Storage>;
    let full = later.backup_to(
        &later.target(memory, "other"),
        BackupKind::Full,
        5,
        &Heard::default(),
    );
    full.unwrap();
    for name in later.memory.names() {
        let data = later.memory.data(&name).unwrap();
        world.memory.insert(name, data.to_vec());
    }
    let audited_with = |passphrase| {
        let memory = Arc::clone(&world.memory) as Arc<dyn Storage>;
        audited(&world.target(memory, passphrase))
    };
    for (passphrase, opened, closed) in [("secret", 3, 1), ("other", 1, 3)] {
        let (report, told) = audited_with(passphrase);
        let report = report.unwrap();
        assert_eq!((report.sets, report.wrong_manifests), (opened, closed));
        assert_eq!((report.wrong, told.len() as u64), (0, closed), "{told:?}");
    }
    let (report, told) = audited_with("third");
    assert!(
        matches!(
            report,
            Err(Error::Volume {
                source: redup_volume::Error::OpenPgp(redup_openpgp::Error::WrongPassphrase),
                ..
            })
        ),
        "{report:?}"
    );
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn without_any_manifest_that_can_be_read_each_is_told() {
    let world = three_days(VolumeMode::Plain);
    for name in world.memory.names() {
        if name.ends_with(".manifest") {
            world.memory.insert(name, Vec::new());
        }
    }
    let (report, told) = audited(&world.plain_target());
    let report = report.unwrap();
    assert_eq!((report.sets, report.wrong_manifests), (0, 3));
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn a_lost_manifest_is_told_where_it_is_known_that_there_was_one() {
    let world = three_days(VolumeMode::Plain);
    // The archive dir has it again.
    world.restored(None);
    world.lose(MIDDLE);
    let counts = || {
        let (report, told) = audited(&world.plain_target());
        let report = report.unwrap();
        (report.wrong_manifests, report.unknown_sets, told)
    };
    let (wrong, unknown, told) = counts();
    assert_eq!((wrong, unknown), (1, 0));
    assert!(told[0].ends_with("has no manifest"), "{told:?}");
    forget(&world);
    assert_eq!(counts(), (0, 1, Vec::new()));
}

#[test]
fn signatures_that_are_lost_are_told_and_no_reason_for_a_restore_to_fail() {
    let world = three_days(VolumeMode::Plain);
    world.restored(None);
    world.lose("new-signatures.20240101T000000Z.to.20240102T000000Z");
    let heard = Heard::default();
    let report = audit(&world.plain_target(), &heard, |wrong| panic!("{wrong:?}")).unwrap();
    assert_eq!((report.sets, report.sets_without_signatures), (3, 1));
    let lines = heard.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("20240102T000000Z has no signatures at "),
        "{lines:?}"
    );
}
