//! Merging sets into plans.

use std::io::Read;

use redup_difftar::Error;
use redup_difftar::difftar::{DifftarReader, Member};
use redup_difftar::member::PIECE_LEN;
use redup_difftar::patchdir::{PatchDir, StepKind, Target};

use crate::support::{
    Volumes, collected_warnings, deleted, diff, dir, index, set, snapshot, volume, volumes,
};

/// Each plan as `path kind: payloads`.
fn plans(patches: &mut PatchDir<Volumes>) -> Vec<String> {
    let mut shown = Vec::new();
    while let Some(mut plan) = patches.next_plan().unwrap() {
        let kind = match &plan.target {
            Target::Absent => "absent",
            Target::Node(_) => "node",
            Target::File(_) => "file",
            Target::Unrecoverable(Error::MissingBase { .. }) => "unrecoverable",
            Target::Unrecoverable(error) => panic!("{error}"),
        };
        let mut line = format!("{} {kind}", plan.index);
        for mut step in plan.steps() {
            let mut payload = String::new();
            step.read_to_string(&mut payload).unwrap();
            let sign = if step.kind == StepKind::Base {
                "="
            } else {
                "+"
            };
            line.push_str(&format!(" {sign}{payload}"));
        }
        shown.push(line);
    }
    shown
}

fn merged<const N: usize>(sets: [Vec<Vec<Member>>; N]) -> PatchDir<Volumes> {
    PatchDir::new(sets.into_iter().map(set).collect())
}

#[test]
fn a_file_is_its_newest_base_and_the_deltas_since() {
    let mut patches = merged([
        vec![
            snapshot("a", b"a0"),
            snapshot("b", b"b0"),
            snapshot("c", b"c0"),
        ],
        vec![diff("a", b"a1"), diff("b", b"b1"), snapshot("d", b"d1")],
        vec![snapshot("b", b"b2"), diff("d", b"d2")],
        vec![diff("a", b"a3"), diff("b", b"b3")],
    ]);
    assert_eq!(
        plans(&mut patches),
        [
            "a file =a0 +a1 +a3",
            "b file =b2 +b3",
            "c file =c0",
            "d file =d1 +d2"
        ]
    );
}

#[test]
fn deletions_and_changes_of_type_hide_what_was_before() {
    let mut patches = merged([
        vec![
            dir(""),
            snapshot("a", b"0"),
            dir("b"),
            snapshot("b/c", b"0"),
            snapshot("d", b"0"),
        ],
        vec![deleted("a"), snapshot("b", b"1"), deleted("b/c"), dir("d")],
        vec![snapshot("a", b"2")],
    ]);
    assert_eq!(
        plans(&mut patches),
        [". node", "a file =2", "b file =1", "b/c absent", "d node"]
    );
}

#[test]
fn a_difference_without_its_base_is_unrecoverable_and_the_rest_is_not() {
    let mut patches = merged([
        vec![deleted("a"), dir("b"), snapshot("z", b"0")],
        vec![
            diff("a", b"1"),
            diff("b", b"1"),
            diff("c", b"1"),
            diff("z", b"1"),
        ],
    ]);
    assert_eq!(
        plans(&mut patches),
        [
            "a unrecoverable",
            "b unrecoverable",
            "c unrecoverable",
            "z file =0 +1"
        ]
    );
}

#[test]
fn attributes_are_those_of_the_last_step() {
    let mut old = crate::support::file();
    old.mode = 0o600;
    let mut members = Vec::new();
    let encoder = redup_difftar::difftar::PieceEncoder::new(
        index("a"),
        old,
        redup_difftar::difftar::Payload::Snapshot,
    );
    let mut sink = |member| {
        members.push(member);
        Ok::<(), Error>(())
    };
    encoder.finish(&mut sink).unwrap();
    let mut patches = merged([vec![members], vec![diff("a", b"1")]]);
    let plan = patches.next_plan().unwrap().unwrap();
    assert!(matches!(plan.target, Target::File(attributes) if attributes.mode == 0o644));
}

#[test]
fn steps_can_be_read_side_by_side_or_not_at_all() {
    let mut patches = merged([
        vec![snapshot("a", b"base"), snapshot("b", b"b")],
        vec![diff("a", b"delta")],
    ]);
    let mut plan = patches.next_plan().unwrap().unwrap();
    let mut steps: Vec<_> = plan.steps().collect();
    assert_eq!(steps.len(), 2);
    let mut bytes = [0; 3];
    steps[1].read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"del");
    steps[0].read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"bas");
    drop(steps);
    assert_eq!(plans(&mut patches), ["b file =b"]);
}

#[test]
fn a_sub_path_becomes_the_root() {
    let sets = [
        vec![
            dir(""),
            dir("a"),
            snapshot("a/b", b"0"),
            snapshot("ab", b"0"),
            dir("c"),
        ],
        vec![
            diff("a/b", b"1"),
            snapshot("a/c", b"1"),
            snapshot("d", b"1"),
        ],
    ];
    let mut patches = merged(sets.clone()).within(index("a"));
    assert_eq!(plans(&mut patches), [". node", "b file =0 +1", "c file =1"]);
    let mut patches = merged(sets).within(index("a/b"));
    assert_eq!(plans(&mut patches), [". file =0 +1"]);
}

#[test]
fn damage_in_a_needless_version_does_not_matter() {
    let mut members = snapshot("a", &[1; 3 * PIECE_LEN]);
    members.remove(1);
    let (warnings, _) = collected_warnings();
    let old = DifftarReader::new(volumes(vec![volume(members)]), warnings);
    let mut patches = PatchDir::new(vec![old, set([snapshot("a", b"1")])]);
    assert_eq!(plans(&mut patches), ["a file =1"]);
}

#[test]
fn after_a_damaged_volume_the_merge_can_go_on() {
    let mut damaged = volume([snapshot("a", b"0"), snapshot("b", b"0")].concat());
    damaged[1024] ^= 1;
    let (warnings, _) = collected_warnings();
    let old = DifftarReader::new(
        volumes(vec![damaged, volume(snapshot("c", b"0"))]),
        warnings,
    );
    let mut patches = PatchDir::new(vec![
        old,
        set([diff("a", b"1"), diff("b", b"1"), diff("c", b"1")]),
    ]);
    assert_eq!(patches.next_plan().unwrap().unwrap().index, index("a"));
    assert!(matches!(patches.next_plan(), Err(Error::InArchive { .. })));
    assert_eq!(plans(&mut patches), ["b unrecoverable", "c file =0 +1"]);
}
