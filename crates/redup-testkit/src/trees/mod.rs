//! Trees to back up: held in memory, edited there, and brought to disk exactly as they are.
//!
//! A [`Tree`] is plain data, so a property test can shrink it, and keeping the states of a history
//! costs no disk. [`Tree::write_over`] changes on disk only what changed in the model, as a user
//! would: an untouched file keeps its inode and times.

mod awkward;
mod edit;
mod key;
mod random;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, mknodat, utimensat};

use crate::listing::on_disk;

pub use awkward::{awkward, edited, filler, filler_edited, noise};
pub use edit::Edit;
pub use key::Key;
pub use random::{edits, history, tree};

/// The mtime of everything that says nothing else: 2020-09-13T12:26:40Z.
pub const BASE_MTIME: i64 = 1_600_000_000;

/// A folder and all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    nodes: BTreeMap<Key, Node>,
}

/// One path of a [`Tree`]. Owners are those of the user who runs the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The 12 permission bits; of no meaning for symlinks.
    pub mode: u32,
    /// Whole seconds since the epoch; of no meaning for symlinks.
    pub mtime: i64,
}

/// Type and content of a [`Node`].
#[derive(Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A folder.
    Directory,
    /// A regular file and its content.
    File(Vec<u8>),
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// A named pipe.
    Fifo,
}

impl Node {
    /// A folder, mode 755.
    #[must_use]
    pub fn directory() -> Self {
        Self {
            kind: NodeKind::Directory,
            mode: 0o755,
            mtime: BASE_MTIME,
        }
    }

    /// A regular file, mode 644.
    #[must_use]
    pub fn file(content: impl Into<Vec<u8>>) -> Self {
        Self {
            kind: NodeKind::File(content.into()),
            mode: 0o644,
            mtime: BASE_MTIME,
        }
    }

    /// A symbolic link.
    #[must_use]
    pub fn symlink(target: impl Into<Vec<u8>>) -> Self {
        Self {
            kind: NodeKind::Symlink(target.into()),
            mode: 0o777,
            mtime: BASE_MTIME,
        }
    }

    /// A named pipe, mode 644.
    #[must_use]
    pub fn fifo() -> Self {
        Self {
            kind: NodeKind::Fifo,
            mode: 0o644,
            mtime: BASE_MTIME,
        }
    }

    /// The same with other permission bits.
    #[must_use]
    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// The same with another mtime.
    #[must_use]
    pub fn mtime(self, mtime: i64) -> Self {
        Self { mtime, ..self }
    }

    /// Whether it is a folder.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.kind == NodeKind::Directory
    }
}

impl std::fmt::Debug for NodeKind {
    /// Contents by their length: a failing property prints whole trees.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory => f.write_str("directory"),
            Self::File(content) => write!(f, "file({} bytes)", content.len()),
            Self::Symlink(target) => write!(f, "symlink({})", target.escape_ascii()),
            Self::Fifo => f.write_str("fifo"),
        }
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// A tree that is its root alone.
    #[must_use]
    pub fn new() -> Self {
        Self {
            nodes: BTreeMap::from([(Key::root(), Node::directory())]),
        }
    }

    /// Puts `node` at `path` (components joined by `/`), in place of what was there and below,
    /// and makes the folders above it.
    pub fn put(&mut self, path: impl AsRef<[u8]>, node: Node) -> &mut Self {
        self.put_at(Key::from_bytes(path.as_ref()), node);
        self
    }

    /// Takes away `path` and all below it; nothing happens when it is not there, or is the root.
    pub fn remove(&mut self, path: impl AsRef<[u8]>) -> &mut Self {
        self.remove_at(&Key::from_bytes(path.as_ref()));
        self
    }

    /// The node at `path`.
    #[must_use]
    pub fn get(&self, path: impl AsRef<[u8]>) -> Option<&Node> {
        self.nodes.get(&Key::from_bytes(path.as_ref()))
    }

    /// The node at `path`, to change in place.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn node_mut(&mut self, path: impl AsRef<[u8]>) -> &mut Node {
        let key = Key::from_bytes(path.as_ref());
        let Some(node) = self.nodes.get_mut(&key) else {
            panic!("the tree has no {key}")
        };
        node
    }

    /// All nodes, the root first, in path order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Node)> {
        self.nodes.iter()
    }

    /// Writes the tree to `root`, which must not exist or be an empty folder.
    ///
    /// # Panics
    /// When a path cannot be made.
    #[track_caller]
    pub fn write(&self, root: &Path) {
        fs::create_dir_all(root)
            .unwrap_or_else(|error| panic!("cannot create {}: {error}", root.display()));
        self.write_over(
            &Self {
                nodes: BTreeMap::new(),
            },
            root,
        );
    }

    /// Makes `root`, which holds `before`, hold this tree, touching only what differs.
    ///
    /// # Panics
    /// When a path cannot be changed.
    #[track_caller]
    pub fn write_over(&self, before: &Self, root: &Path) {
        for (key, old) in before.nodes.iter().rev() {
            let stays = self
                .nodes
                .get(key)
                .is_some_and(|new| becomes_in_place(old, new));
            if !stays && !key.is_root() {
                must(key, "remove", remove(&on_disk(root, key), old));
            }
        }
        for (key, node) in &self.nodes {
            if before.nodes.get(key) != Some(node) {
                must(key, "write", create(&on_disk(root, key), node));
            }
        }
        // Times of folders last and from the leaves up: what happens in one changes them.
        for (key, node) in self
            .nodes
            .iter()
            .rev()
            .filter(|(_, node)| node.is_directory())
        {
            must(key, "touch", restamp(&on_disk(root, key), node));
        }
    }

    fn put_at(&mut self, key: Key, node: Node) {
        self.remove_at(&key);
        let mut parent = key.parent();
        while let Some(folder) = parent {
            let there = self
                .nodes
                .entry(folder.clone())
                .or_insert_with(Node::directory);
            if !there.is_directory() {
                *there = Node::directory();
            }
            parent = folder.parent();
        }
        self.nodes.insert(key, node);
    }

    fn remove_at(&mut self, key: &Key) {
        if !key.is_root() {
            self.nodes
                .retain(|other, _| other.strip_prefix(key).is_none());
        }
    }
}

/// Whether `old` can be made `new` without being removed first.
fn becomes_in_place(old: &Node, new: &Node) -> bool {
    old == new || std::mem::discriminant(&old.kind) == std::mem::discriminant(&new.kind)
}

#[track_caller]
fn must(key: &Key, action: &str, result: io::Result<()>) {
    if let Err(error) = result {
        panic!("cannot {action} {key} of the tree: {error}");
    }
}

fn remove(path: &Path, node: &Node) -> io::Result<()> {
    if node.is_directory() {
        fs::remove_dir(path)
    } else {
        fs::remove_file(path)
    }
}

fn create(path: &Path, node: &Node) -> io::Result<()> {
    match &node.kind {
        NodeKind::Directory => {
            if !path.is_dir() {
                fs::create_dir(path)?;
            }
        }
        NodeKind::File(content) => {
            if path.exists() {
                fs::set_permissions(path, Permissions::from_mode(0o600))?;
            }
            fs::write(path, content)?;
        }
        NodeKind::Symlink(target) => {
            if fs::symlink_metadata(path).is_ok() {
                fs::remove_file(path)?;
            }
            return symlink(OsStr::from_bytes(target), path);
        }
        NodeKind::Fifo => {
            if fs::symlink_metadata(path).is_err() {
                mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
            }
        }
    }
    stamp(path, node)
}

/// Sets mode and mtime where they differ.
fn restamp(path: &Path, node: &Node) -> io::Result<()> {
    let found = fs::metadata(path)?;
    let same = found.mode() & 0o7777 == node.mode && found.mtime() == node.mtime;
    if same { Ok(()) } else { stamp(path, node) }
}

/// Sets mode and mtime.
fn stamp(path: &Path, node: &Node) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(node.mode))?;
    let time = Timespec {
        tv_sec: node.mtime,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Writes `size` bytes that do not compress to `path`, without holding them; for big files.
///
/// # Errors
/// When the file cannot be written.
pub fn write_noise(path: &Path, seed: u64, size: u64) -> io::Result<()> {
    use io::Write;
    const CHUNK: usize = 1 << 20;
    let mut file = io::BufWriter::new(File::create(path)?);
    let mut left = size;
    let mut number = 0;
    while left > 0 {
        let take = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        file.write_all(&noise(
            seed.wrapping_mul(1_000_003).wrapping_add(number),
            take,
        ))?;
        left -= take as u64;
        number += 1;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Listing;

    #[test]
    fn an_edited_tree_is_the_same_on_disk_as_one_written_afresh() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (awkward(), edited());
        first.write(&dir.path().join("a"));
        second.write_over(&first, &dir.path().join("a"));
        second.write(&dir.path().join("b"));
        Listing::of(&dir.path().join("a")).assert_is(&Listing::of(&dir.path().join("b")), "edited");
    }

    #[test]
    fn an_untouched_file_keeps_its_inode() {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::new();
        tree.put("a", Node::file("one")).put("b", Node::file("two"));
        tree.write(dir.path());
        let before = fs::metadata(dir.path().join("a")).unwrap();
        let mut changed = tree.clone();
        changed.put("b", Node::file("three"));
        changed.write_over(&tree, dir.path());
        let after = fs::metadata(dir.path().join("a")).unwrap();
        assert_eq!(
            (before.ino(), before.ctime_nsec()),
            (after.ino(), after.ctime_nsec())
        );
    }

    #[test]
    fn putting_a_node_below_a_file_makes_the_file_a_folder() {
        let mut tree = Tree::new();
        tree.put("a", Node::file("x")).put("a/b", Node::fifo());
        assert!(tree.get("a").unwrap().is_directory());
    }
}
