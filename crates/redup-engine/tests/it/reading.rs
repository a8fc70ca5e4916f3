//! Finding paths, comparing points in time, and the content of one file, held against the trees that were backed up.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::Config;
use redup_engine::{
    Aspect, BackupKind, CatOptions, DiffOptions, Error, FindOptions, FindScope, ListOptions,
    PathChange, PathEvent, PathState, Silent, Target, VolumeMode,
};
use redup_format::index::PathIndex;
use redup_format::time::Timestamp;
use redup_select::{Mode, Pattern};
use redup_storage::{Action, ErrorKind, Fault, FaultRule, Op, Record, Storage, When};
use redup_testkit::changes::{Change, changes};
use redup_testkit::listing::{Entry, Kind, Listing};
use redup_testkit::trees::{Node, Tree, awkward, edited, history, noise};

use crate::world::{DAY, Heard, START, World};

fn time(day: i64) -> Timestamp {
    Timestamp::from_secs(START + day * DAY)
}

fn day(time: Timestamp) -> i64 {
    (time.secs() - START) / DAY
}

/// Backs up a state a day, with a full one on the days of `fulls`.
fn backed_up(mode: VolumeMode, states: &[Tree], fulls: &[i64]) -> (World, Vec<Listing>) {
    let world = World::new(mode);
    let mut listings = Vec::new();
    for (day, state) in (0..).zip(states) {
        world.put(state, (day > 0).then(|| &states[day as usize - 1]));
        let kind = match fulls.contains(&day) {
            true => BackupKind::Full,
            false => BackupKind::Auto,
        };
        world.backup(kind, day, &Heard::default()).unwrap();
        listings.push(world.expected());
    }
    (world, listings)
}

/// The word of docs/json.md.
fn word(aspect: &Aspect) -> &'static str {
    match aspect {
        Aspect::Type => "type",
        Aspect::Content => "content",
        Aspect::LinkTarget => "link_target",
        Aspect::Device => "device",
        Aspect::Mode => "mode",
        Aspect::Owner => "owner",
        Aspect::Mtime => "mtime",
        other => panic!("{other:?}"),
    }
}

fn changed(what: &[Aspect]) -> Change {
    Change::Changed(what.iter().map(word).collect())
}

/// A state as far as a listing tells it too.
#[track_caller]
fn is_of(state: &PathState, entry: &Entry) {
    let mtime = entry.mtime.map(|mtime| mtime.max(0));
    assert_eq!(
        mtime.unwrap_or(state.attributes.mtime),
        state.attributes.mtime
    );
    match (&entry.kind, &state.size) {
        (Kind::File { len, .. }, Some(size)) => {
            assert!(size.contains(len), "{len} is not in {size:?}");
            assert!(size.end() - size.start() < 2048.max(len / 100), "{size:?}");
        }
        (Kind::File { .. }, None) => panic!("a file has a size"),
        (_, size) => assert_eq!(*size, None),
    }
}

/// A path's days, what happened on each, and what was there then.
type Versions = Vec<(i64, Change, Option<PathState>)>;

fn differences(world: &World, old: i64, new: i64) -> (BTreeMap<Vec<u8>, Change>, Vec<PathIndex>) {
    let mut found = BTreeMap::new();
    let mut order = Vec::new();
    let options = DiffOptions {
        old: time(old),
        new: time(new),
    };
    let report = redup_engine::diff(&world.plain_target(), &options, &Silent, |index, change| {
        order.push(index.clone());
        let change = match change {
            PathChange::Added(_) => Change::Added,
            PathChange::Removed(_) => Change::Removed,
            PathChange::Changed { what, .. } => changed(what),
        };
        found.insert(index.as_bytes().to_vec(), change);
        ControlFlow::Continue(())
    });
    let report = report.unwrap();
    let count = |wanted: fn(&Change) -> bool| found.values().filter(|it| wanted(it)).count() as u64;
    assert_eq!(report.added, count(|it| *it == Change::Added));
    assert_eq!(report.removed, count(|it| *it == Change::Removed));
    assert_eq!(report.changed, count(|it| matches!(it, Change::Changed(_))));
    (found, order)
}

fn check_differences(world: &World, listings: &[Listing]) {
    let days = 0..listings.len();
    for (old, new) in days
        .clone()
        .flat_map(|old| days.clone().map(move |new| (old, new)))
    {
        let (found, order) = differences(world, old as i64, new as i64);
        assert!(order.is_sorted(), "{order:?}");
        let expected = changes(&listings[old], &listings[new]);
        assert_eq!(found, expected, "from day {old} to day {new}");
    }
}

fn search(world: &World, pattern: &str, scope: FindScope) -> BTreeMap<Vec<u8>, Versions> {
    let options = FindOptions {
        pattern: Pattern::new(pattern.as_bytes(), Mode::Glob, false).unwrap(),
        scope,
    };
    let mut found = BTreeMap::new();
    let mut order = Vec::new();
    let report = redup_engine::find(&world.plain_target(), &options, &Silent, |path| {
        order.push(path.index.clone());
        let versions = path.versions.iter().map(|version| {
            let (change, state) = match version.event.clone() {
                PathEvent::Added(state) => (Change::Added, Some(state)),
                PathEvent::Changed(state, what) => (changed(&what), Some(state)),
                PathEvent::Deleted => (Change::Removed, None),
            };
            (day(version.time), change, state)
        });
        found.insert(path.index.as_bytes().to_vec(), versions.collect());
        ControlFlow::Continue(())
    });
    let report = report.unwrap();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(report.found, found.len() as u64);
    assert_eq!(report.unsearched, 0);
    found
}

/// The history of every path but the root, by the listings of the days from `first` on.
fn expected_history(listings: &[Listing], first: usize) -> BTreeMap<Vec<u8>, Vec<(i64, Change)>> {
    let mut expected: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let empty = Listing::default();
    for day in first..listings.len() {
        let before = if day == first {
            &empty
        } else {
            &listings[day - 1]
        };
        for (path, change) in changes(before, &listings[day]) {
            if !path.is_empty() {
                expected.entry(path).or_default().push((day as i64, change));
            }
        }
    }
    expected
}

#[track_caller]
fn check_history(
    world: &World,
    scope: FindScope,
    listings: &[Listing],
    expected: &BTreeMap<Vec<u8>, Vec<(i64, Change)>>,
) {
    let found = search(world, "*", scope);
    for (path, versions) in &found {
        for (day, _, state) in versions {
            let entry = listings[*day as usize].get(path);
            assert_eq!(entry.is_some(), state.is_some());
            if let (Some(entry), Some(state)) = (entry, state) {
                is_of(state, entry);
            }
        }
    }
    let without_states = |versions: Vec<(i64, Change, _)>| {
        versions
            .into_iter()
            .map(|(day, change, _)| (day, change))
            .collect()
    };
    let found: BTreeMap<_, Vec<_>> = found
        .into_iter()
        .map(|(path, versions)| (path, without_states(versions)))
        .collect();
    assert_eq!(&found, expected, "{scope:?}");
}

fn content(world: &World, path: &str, day: Option<i64>) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let options = CatOptions {
        time: day.map(time),
        path: PathIndex::from_bytes(path.as_bytes()).unwrap(),
        tempdir: world.root.path().to_owned(),
    };
    redup_engine::cat(&world.plain_target(), &options, &mut out, &Silent).map(|()| out)
}

fn check_contents(world: &World, listings: &[Listing]) {
    for (day, listing) in (0..).zip(listings) {
        for (path, entry) in listing.iter() {
            let Kind::File { len, sha256 } = &entry.kind else {
                continue;
            };
            let options = CatOptions {
                time: Some(time(day)),
                path: PathIndex::from_bytes(&path.to_bytes()).unwrap(),
                tempdir: world.root.path().to_owned(),
            };
            let file = world.root.path().join("out");
            let mut out = std::fs::File::create(&file).unwrap();
            redup_engine::cat(&world.plain_target(), &options, &mut out, &Silent).unwrap();
            match &Listing::of(&file).get(b"").unwrap().kind {
                Kind::File {
                    len: found,
                    sha256: hash,
                } => {
                    assert_eq!((found, hash), (len, sha256), "{path:?} of day {day}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

fn check_all(mode: VolumeMode, states: &[Tree], fulls: &[i64]) {
    let (world, listings) = backed_up(mode, states, fulls);
    check_differences(&world, &listings);
    check_history(
        &world,
        FindScope::Everything,
        &listings,
        &expected_history(&listings, 0),
    );
    let there = fulls.iter().map(|&full| full as usize);
    let newest = there.filter(|&full| full < states.len()).max().unwrap_or(0);
    check_history(
        &world,
        FindScope::NewestChain,
        &listings,
        &expected_history(&listings, newest),
    );
    check_contents(&world, &listings);
}

#[test]
fn awkward_trees_are_found_compared_and_read() {
    let states = [awkward(), edited(), awkward(), edited()];
    check_all(VolumeMode::Gzip { level: 6 }, &states, &[0, 2]);
}

proptest! {
    #![proptest_config(Config { cases: 24, max_shrink_iters: 200, ..Config::default() })]

    #[test]
    fn random_histories_are_found_compared_and_read(states in history(12, 5), full in 1..6_i64) {
        check_all(VolumeMode::Plain, &states, &[0, full]);
    }
}

fn file(content: &str) -> Node {
    Node::file(content).mtime(START)
}

/// Three days: of a file that changes and goes, one that stays, one that comes, and a folder.
fn small() -> (World, Vec<Listing>) {
    let mut first = Tree::new();
    first
        .put("", Node::directory().mtime(START))
        .put("dir", Node::directory().mtime(START))
        .put("dir/goes", file("one"))
        .put("stays", file("same"));
    let mut second = first.clone();
    second.put("dir/goes", Node::file("two").mtime(START + 5));
    let mut third = second.clone();
    third.remove("dir/goes").put("dir/comes", file(""));
    backed_up(VolumeMode::Encrypted, &[first, second, third], &[0, 2])
}

#[test]
fn at_one_time_the_version_of_that_time_is_found() {
    let (world, _) = small();
    let found = |pattern: &str, day| {
        let found = search(&world, pattern, FindScope::At(time(day)));
        let found = found.into_iter().map(|(path, versions)| {
            let days: Vec<_> = versions
                .iter()
                .map(|(day, change, _)| match change {
                    Change::Added => format!("+{day}"),
                    Change::Changed(_) => format!("M{day}"),
                    Change::Removed => format!("-{day}"),
                })
                .collect();
            format!("{} {}", String::from_utf8(path).unwrap(), days.join(" "))
        });
        found.collect::<Vec<_>>()
    };
    assert_eq!(found("goes", 0), ["dir/goes +0"]);
    assert_eq!(found("goes", 1), ["dir/goes M1"]);
    assert_eq!(found("goes", 2), [""; 0]);
    assert_eq!(found("stays", 1), ["stays +0"]);
    assert_eq!(found("stays", 2), ["stays +2"]);
    assert_eq!(found("*", 2), ["dir +2", "dir/comes +2", "stays +2"]);
}

#[test]
fn folders_alone_are_found_with_a_slash() {
    let (world, _) = small();
    let paths = |pattern| {
        search(&world, pattern, FindScope::Everything)
            .into_keys()
            .collect::<Vec<_>>()
    };
    assert_eq!(paths("*/"), [b"dir".to_vec()]);
    assert_eq!(paths("stays/"), [b""; 0]);
}

#[test]
fn a_folder_that_became_a_file_is_a_folder_only_at_its_time() {
    let mut states = [Tree::new(), Tree::new()];
    states[0].put("x/inside", Node::file("a"));
    states[1].put("x", Node::file("a file").mtime(1_700_000_000));
    let (world, _) = backed_up(VolumeMode::Plain, &states, &[0]);
    let found = |scope| search(&world, "x/", scope).into_keys().count();
    assert_eq!(found(FindScope::At(time(0))), 1);
    assert_eq!(found(FindScope::At(time(1))), 0);
    assert_eq!(found(FindScope::Everything), 1);
}

#[test]
fn signatures_of_the_chain_before_an_interrupted_one_are_brought_over_once() {
    let (world, _) = small();
    let everything = |scope| FindOptions {
        pattern: Pattern::new(b"*", Mode::Glob, false).unwrap(),
        scope,
    };
    let newest = everything(FindScope::NewestChain);
    let at = everything(FindScope::At(time(9)));
    let differences = DiffOptions {
        old: time(0),
        new: time(9),
    };
    let looks: [&dyn Fn(&Target); 4] = [
        &|target| {
            redup_engine::find(target, &newest, &Silent, |_| ControlFlow::Continue(())).unwrap();
        },
        &|target| {
            redup_engine::find(target, &at, &Silent, |_| ControlFlow::Continue(())).unwrap();
        },
        &|target| {
            let each = |_: &_, _: &_| ControlFlow::Continue(());
            redup_engine::diff(target, &differences, &Silent, each).unwrap();
        },
        &|target| {
            let each = |_: &_, _: &_| ControlFlow::Continue(());
            redup_engine::list(target, &ListOptions { time: None }, &Silent, each).unwrap();
        },
    ];
    let storage = || Arc::clone(&world.memory) as Arc<dyn Storage>;
    for (number, look) in looks.iter().enumerate() {
        // The archive dir of a machine that has done nothing but begin another full.
        std::fs::remove_dir_all(world.archive_dir()).unwrap();
        let dies = FaultRule::new(Op::Head, When::From(2), Action::Fail(ErrorKind::Other));
        let target = world.target(Arc::new(Fault::new(storage(), [dies])), "secret");
        world
            .backup_to(&target, BackupKind::Full, 8, &Heard::default())
            .unwrap_err();
        let gets = || {
            let calls = Record::new(storage());
            look(&world.target(Arc::new(calls.clone()), "secret"));
            calls
                .calls()
                .iter()
                .filter(|call| call.op == Op::Get)
                .count()
        };
        assert!(gets() > 0, "{number}");
        assert_eq!(gets(), 0, "{number}");
    }
}

#[test]
fn what_both_states_leave_out_is_told_once() {
    let (world, _) = small();
    world.lose("inc.20240101T000000Z.to.20240102T000000Z.manifest");
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    let heard = Heard::default();
    let options = DiffOptions {
        old: time(1),
        new: time(2),
    };
    redup_engine::diff(&world.plain_target(), &options, &heard, |_, _| {
        ControlFlow::Continue(())
    })
    .unwrap();
    let lines = heard.lines();
    let told = lines
        .iter()
        .filter(|line| line.contains("20240102T000000Z: it has no manifest"));
    assert_eq!(told.count(), 1, "{lines:?}");
}

#[test]
fn what_lies_before_volumes_that_a_manifest_does_not_know_has_its_content() {
    let mut tree = Tree::new();
    let (first, second) = (noise(1, 700 << 10), noise(2, 700 << 10));
    tree.put("a", Node::file(first.clone()));
    tree.put("b", Node::file(second));
    let (world, _) = backed_up(VolumeMode::Plain, &[tree], &[0]);
    let names = world.memory.names();
    let name = names
        .iter()
        .find(|name| name.ends_with(".manifest"))
        .unwrap();
    let manifest = world.memory.data(name).unwrap();
    let text = String::from_utf8_lossy(&manifest);
    let cut = text.find("Volume 4:").unwrap();
    world.memory.insert(name, manifest[..cut].to_vec());
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    assert_eq!(content(&world, "a", None).unwrap(), first);
    for path in ["b", "c"] {
        let error = content(&world, path, None).unwrap_err();
        assert!(
            matches!(error, Error::ManifestShort { .. }),
            "{path} {error:?}"
        );
    }
}

#[test]
fn a_search_or_comparison_can_be_broken_off() {
    let (world, _) = small();
    let mut count = 0;
    let options = DiffOptions {
        old: time(0),
        new: time(2),
    };
    redup_engine::diff(&world.plain_target(), &options, &Silent, |_, _| {
        count += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    let options = FindOptions {
        pattern: Pattern::new(b"*", Mode::Glob, false).unwrap(),
        scope: FindScope::Everything,
    };
    redup_engine::find(&world.plain_target(), &options, &Silent, |_| {
        count += 1;
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(count, 2);
}

#[test]
fn all_is_found_without_an_archive_dir_and_no_volume_is_read() {
    let (world, listings) = small();
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    world.lose(".difftar");
    check_history(
        &world,
        FindScope::Everything,
        &listings,
        &expected_history(&listings, 0),
    );
    check_differences(&world, &listings);
}

#[test]
fn what_lacks_signatures_is_told_and_the_rest_is_searched() {
    let (world, _) = small();
    std::fs::remove_dir_all(world.archive_dir()).unwrap();
    world.lose(".to.20240102T000000Z.sigtar");
    let heard = Heard::default();
    let options = FindOptions {
        pattern: Pattern::new(b"goes", Mode::Glob, false).unwrap(),
        scope: FindScope::Everything,
    };
    let mut versions = 0;
    let report = redup_engine::find(&world.plain_target(), &options, &heard, |found| {
        versions += found.versions.len();
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!((report.sets, report.unsearched, versions), (2, 1, 2));
    let lines = heard.lines();
    assert!(lines[0].contains("its signatures are missing"), "{lines:?}");
    let options = DiffOptions {
        old: time(0),
        new: time(1),
    };
    let error = redup_engine::diff(&world.plain_target(), &options, &Silent, |_, _| {
        ControlFlow::Continue(())
    });
    assert!(matches!(error, Err(Error::NoSignatures(_))), "{error:?}");
}

#[test]
fn a_target_without_backups_has_nothing_to_look_at() {
    let world = World::new(VolumeMode::Plain);
    let options = DiffOptions {
        old: time(0),
        new: time(1),
    };
    let nothing = redup_engine::diff(&world.plain_target(), &options, &Silent, |_, _| {
        ControlFlow::Continue(())
    });
    assert!(matches!(nothing, Err(Error::NoSignatureChains(_))));
    assert!(matches!(
        content(&world, "a", None),
        Err(Error::NoChains(_))
    ));
}

#[test]
fn only_files_have_content() {
    let (world, _) = small();
    assert_eq!(content(&world, "dir/goes", Some(0)).unwrap(), b"one");
    assert_eq!(content(&world, "dir/goes", Some(1)).unwrap(), b"two");
    assert_eq!(content(&world, "dir/comes", None).unwrap(), b"");
    let error = |path, day| content(&world, path, day).unwrap_err().to_string();
    assert_eq!(error("dir/goes", None), "dir/goes is not in the backup");
    assert_eq!(
        error("dir/goes/x", Some(0)),
        "dir/goes/x is not in the backup"
    );
    assert_eq!(error("dir", None), "dir is a folder, not a file");
}

#[test]
fn nothing_of_a_damaged_volume_is_given_out() {
    let (world, _) = small();
    let names = world.memory.names();
    let name = names
        .iter()
        .find(|name| name.contains("full.20240101T000000Z.vol1."));
    let name = name.unwrap();
    let mut bytes = world.memory.data(name).unwrap().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    world.memory.insert(name, bytes);
    let mut out = Vec::new();
    let options = CatOptions {
        time: Some(time(0)),
        path: PathIndex::from_bytes(b"stays").unwrap(),
        tempdir: world.root.path().to_owned(),
    };
    let error = redup_engine::cat(&world.plain_target(), &options, &mut out, &Silent);
    assert!(
        matches!(error, Err(Error::HashMismatch { .. })),
        "{error:?}"
    );
    assert!(out.is_empty());
}
