//! Fixed trees: one with everything that has ever been awkward, one that fills volumes.

use super::{BASE_MTIME, Node, Tree};

/// Bytes that do not compress, the same for the same `seed`.
#[must_use]
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    // SplitMix64: short, and every seed gives a stream of its own.
    let mut state = seed;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A small tree (under 1 MiB) of every kind of entry a user can make: names of arbitrary bytes,
/// sizes at the edges of archive blocks, pieces and signature blocks, odd modes and times.
#[must_use]
pub fn awkward() -> Tree {
    let mut tree = Tree::new();
    for (number, name) in awkward_names().into_iter().enumerate() {
        let mut path = b"names/".to_vec();
        path.extend_from_slice(&name);
        tree.put(path, Node::file(format!("{number}\n")));
    }
    for size in [
        0, 1, 511, 512, 513, 2047, 65_535, 65_536, 65_537, 131_072, 200_000,
    ] {
        tree.put(
            format!("sizes/{size}"),
            Node::file(noise(size as u64, size)),
        );
    }
    tree.put("text", Node::file("The quick brown fox\n".repeat(3000)));
    tree.put("links/plain", Node::symlink("../text"))
        .put("links/dangling", Node::symlink("nowhere/at all"))
        .put("links/absolute", Node::symlink("/etc/hostname"))
        .put("links/not-utf8", Node::symlink(b"target-\xff\xfe"))
        .put("links/long", Node::symlink("t/".repeat(100) + "end"))
        .put("links/slash", Node::symlink("../names/"));
    tree.put("fifo", Node::fifo().mode(0o600));
    for mode in [0o400, 0o444, 0o600, 0o755, 0o2755, 0o4755] {
        tree.put(format!("modes/f{mode:o}"), Node::file("mode").mode(mode));
    }
    tree.put("modes/d700", Node::directory().mode(0o700))
        .put("modes/d1777", Node::directory().mode(0o1777))
        .put("modes/d2755", Node::directory().mode(0o2755));
    tree.put("times/zero", Node::file("epoch").mtime(0))
        .put("times/future", Node::file("2242").mtime(8_589_934_597));
    tree.put("becomes/link", Node::file("file"))
        .put("becomes/dir", Node::file("file"))
        .put("becomes/file/child", Node::file("child of a folder"))
        .put("becomes/nothing/at/all", Node::file("deep"));
    tree.put("empty-dir", Node::directory().mtime(BASE_MTIME + 5));
    tree.put("multivol_diff/1", Node::file(noise(7, 70_000)))
        .put("snapshot/2", Node::file("looks like a member name"));
    for name in ["a/x", "a-b", "a.txt", "aa", "a b", "A"] {
        tree.put(format!("order/{name}"), Node::file("order"));
    }
    tree
}

/// [`awkward`] after a day's work: contents changed at the front, in the middle and at the end,
/// paths removed, made, moved, turned into another type, and changed in mode or time alone.
#[must_use]
pub fn edited() -> Tree {
    let mut tree = awkward();
    let now = BASE_MTIME + 1000;
    let mut middle = noise(200_000, 200_000);
    middle.splice(100_000..100_100, noise(1, 3000));
    tree.put("sizes/200000", Node::file(middle).mtime(now))
        .put(
            "sizes/131072",
            Node::file(noise(131_072, 100_000)).mtime(now),
        )
        .put("sizes/65536", Node::file("").mtime(now))
        .put("sizes/0", Node::file(noise(9, 65_536)).mtime(now));
    let mut text = "The quick brown fox\n".repeat(3000);
    text.insert_str(0, "In front\n");
    text.push_str("jumps over\n");
    tree.put("text", Node::file(text).mtime(now));
    tree.put("links/plain", Node::symlink("elsewhere"));
    tree.node_mut("fifo").mode = 0o644;
    tree.node_mut("modes/f600").mode = 0o640;
    tree.node_mut("modes/d700").mode = 0o711;
    tree.node_mut("times/zero").mtime = now;
    tree.put("becomes/link", Node::symlink("file"))
        .put("becomes/dir/child", Node::file("now a folder").mtime(now))
        .put("becomes/file", Node::file("now a file").mtime(now))
        .remove("becomes/nothing");
    let moved = tree.get("order/A").cloned().unwrap_or_else(Node::fifo);
    tree.remove("order/A").put("order/moved", moved);
    tree.put(b"names/new \xff", Node::file("new").mtime(now));
    for folder in ["", "becomes", "becomes/dir", "order", "names"] {
        tree.node_mut(folder).mtime = now;
    }
    tree
}

/// A tree of `megabytes` MiB that does not compress, in files of some 300 KiB: volumes fill at a
/// predictable pace and every one holds ends and beginnings of files.
#[must_use]
pub fn filler(megabytes: usize) -> Tree {
    let mut tree = Tree::new();
    for number in 0..megabytes * 1024 / 300 {
        let size = 300 * 1024 + number * 37;
        tree.put(
            format!("f{number:03}/data"),
            Node::file(noise(number as u64, size)),
        );
    }
    tree
}

/// [`filler`] with every file changed, so that an increment spans about as many volumes.
#[must_use]
pub fn filler_edited(megabytes: usize) -> Tree {
    let mut tree = filler(megabytes);
    let paths: Vec<Vec<u8>> = tree
        .iter()
        .filter(|(_, node)| !node.is_directory())
        .map(|(key, _)| key.to_bytes())
        .collect();
    for (number, path) in paths.into_iter().enumerate() {
        let size = 280 * 1024 + number * 41;
        let content = noise(1_000_000 + number as u64, size);
        tree.put(path, Node::file(content).mtime(BASE_MTIME + 1000));
    }
    tree
}

fn awkward_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        b"plain".as_slice(),
        b"with space",
        b" lead-trail ",
        b"new\nline",
        b"tab\there",
        b"quote\"dq",
        b"quote'sq",
        b"back\\slash",
        b"lit-\\x41-esc",
        b"-dash",
        b"glob*?[x]",
        b"ctrl-\x01\x7f",
        b"bad-\xff\xfe-utf8",
        b"latin1-caf\xe9",
        "ünïcödé-文件-🦀".as_bytes(),
        "nbsp-\u{a0}-x".as_bytes(),
        b"...",
        b"~tilde",
        b"$HOME",
        b"1",
    ]
    .into_iter()
    .map(<[u8]>::to_vec)
    .collect();
    for len in [99, 100, 101, 155, 255] {
        names.push(format!("{len:-<len$}").into_bytes());
    }
    let deep = (0..15).map(|level| format!("level{level:02}-abcdefghijabcdefghij"));
    names.push(deep.collect::<Vec<_>>().join("/").into_bytes());
    names
}
