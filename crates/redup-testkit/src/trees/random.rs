//! Random trees and edit scripts for property tests.

use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::edit::readable;
use super::{BASE_MTIME, Edit, Node, NodeKind, Tree, noise};

/// Trees of up to `paths` paths with at most some 300 KiB a file.
pub fn tree(paths: usize) -> impl Strategy<Value = Tree> {
    vec(put(), 0..paths).prop_map(|script| {
        let mut tree = Tree::new();
        for edit in &script {
            tree.edit(edit, BASE_MTIME);
        }
        tree
    })
}

/// Edit scripts of the given length.
pub fn edits(len: Range<usize>) -> impl Strategy<Value = Vec<Edit>> {
    vec(edit(), len)
}

/// A tree and its states after each of up to `steps` scripts: what a chain of a full backup and
/// increments has to bring back. Mtimes grow by a minute a step, so every change shows.
pub fn history(paths: usize, steps: usize) -> impl Strategy<Value = Vec<Tree>> {
    (tree(paths), vec(edits(0..8), 1..=steps)).prop_map(|(first, scripts)| {
        let mut states = vec![first];
        for (step, script) in scripts.iter().enumerate() {
            let before = states.last().cloned().unwrap_or_default();
            let mut next = before.clone();
            for edit in script {
                next.edit(edit, BASE_MTIME + 60 * (step as i64 + 1));
            }
            next.show_changes_since(&before);
            states.push(next);
        }
        states
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    let place = || 0..=1000_u16;
    prop_oneof![
        3 => (at(), place(), bytes(5000)).prop_map(|(a, p, b)| Edit::Overwrite(a, p, b)),
        2 => (at(), place(), bytes(5000)).prop_map(|(a, p, b)| Edit::Insert(a, p, b)),
        2 => (at(), bytes(70_000)).prop_map(|(a, b)| Edit::Append(a, b)),
        2 => (at(), place()).prop_map(|(a, p)| Edit::Truncate(a, p)),
        3 => put(),
        2 => (at(), node()).prop_map(|(a, n)| Edit::Replace(a, n)),
        2 => at().prop_map(Edit::Remove),
        2 => (at(), name()).prop_map(|(a, n)| Edit::Rename(a, n)),
        1 => (at(), mode()).prop_map(|(a, m)| Edit::Chmod(a, m)),
        1 => at().prop_map(Edit::Touch),
    ]
}

fn put() -> impl Strategy<Value = Edit> {
    (any::<Index>(), name(), node()).prop_map(|(at, name, node)| Edit::Put(at, name, node))
}

fn node() -> impl Strategy<Value = Node> {
    let kind = prop_oneof![
        8 => content().prop_map(NodeKind::File),
        4 => Just(NodeKind::Directory),
        1 => vec(1..=255_u8, 1..60).prop_map(NodeKind::Symlink),
        1 => Just(NodeKind::Fifo),
    ];
    (kind, mode(), 0..100_i64).prop_map(|(kind, mode, later)| {
        let node = Node {
            kind,
            mode: 0,
            mtime: BASE_MTIME + later,
        };
        let mode = readable(&node, mode);
        node.mode(mode)
    })
}

/// Names of any bytes a file system takes, with a bias to those that quoting, tar and patterns
/// treat specially, and to few of them, so that scripts meet the same path again.
fn name() -> impl Strategy<Value = Vec<u8>> {
    const SPECIAL: &[u8] = b" \n\t\"'\\*?[]-~$.\x01\x7f\xff\xc3\xa9\xa0";
    let byte = || {
        prop_oneof![
            select(&b"ab1"[..]),
            select(SPECIAL),
            (1..=255_u8).prop_filter("no slash in a name", |&byte| byte != b'/'),
        ]
    };
    prop_oneof![
        3 => vec(select(&b"ab"[..]), 1..3),
        4 => vec(byte(), 1..12),
        1 => vec(byte(), 90..256),
    ]
    .prop_filter("not a dot name", |name| name != b"." && name != b"..")
}

/// File contents, most of them at sizes where blocks and pieces begin and end.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![
        4 => 0..2000_usize,
        3 => select(&[0, 1, 511, 512, 513, 2048, 65_535, 65_536, 65_537, 131_072][..]),
        1 => 0..300_000_usize,
    ];
    (size, 0..4_u64).prop_map(|(size, seed)| match seed {
        0 => vec![b'x'; size],
        1 => b"The quick brown fox\n"
            .iter()
            .copied()
            .cycle()
            .take(size)
            .collect(),
        seed => noise(seed, size),
    })
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    (1..most, any::<u64>()).prop_map(|(len, seed)| noise(seed, len))
}

fn mode() -> impl Strategy<Value = u32> {
    prop_oneof![select(&[0o600, 0o644, 0o755, 0o444][..]), 0..=0o7777_u32]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Listing;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn every_history_can_be_brought_to_disk(states in history(12, 3)) {
            let dir = tempfile::tempdir().unwrap();
            let live = dir.path().join("live");
            states[0].write(&live);
            for (number, pair) in states.windows(2).enumerate() {
                pair[1].write_over(&pair[0], &live);
                let fresh = dir.path().join(number.to_string());
                pair[1].write(&fresh);
                let found = Listing::of(&live);
                found.assert_is(&Listing::of(&fresh), format!("state {number}"));
            }
        }
    }
}
