//! What happens to a tree between two backups.

use proptest::sample::Index;

use super::{Key, Node, NodeKind, Tree};

/// One change. Which path it meets is chosen by an [`Index`] when it is applied, so that a script
/// makes sense on any tree; a change that does not fit the path (a symlink cannot be truncated)
/// does nothing.
///
/// Every change is one that the format can see: content changes come with a new mtime.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Overwrites some bytes of a file, at a place given in thousandths of its length.
    Overwrite(Index, u16, Vec<u8>),
    /// Inserts bytes into a file, at a place given in thousandths of its length.
    Insert(Index, u16, Vec<u8>),
    /// Adds bytes to the end of a file.
    Append(Index, Vec<u8>),
    /// Cuts a file to so many thousandths of its length.
    Truncate(Index, u16),
    /// Makes or replaces a path in some folder.
    Put(Index, Vec<u8>, Node),
    /// Puts something else, of another type perhaps, in the place of a path.
    Replace(Index, Node),
    /// Removes a path and what is below it.
    Remove(Index),
    /// Moves a path and what is below it to another name in its folder.
    Rename(Index, Vec<u8>),
    /// Sets the permission bits.
    Chmod(Index, u32),
    /// Sets the mtime alone.
    Touch(Index),
}

impl Tree {
    /// Applies `edit`; whatever changes gets `now` as its mtime, and so does the folder in which
    /// a name came or went.
    pub fn edit(&mut self, edit: &Edit, now: i64) {
        match edit {
            Edit::Overwrite(at, place, bytes) => self.edit_content(at, now, |content| {
                let start = scaled(content.len(), *place);
                let end = (start + bytes.len()).min(content.len());
                content.splice(start..end, bytes.iter().copied());
            }),
            Edit::Insert(at, place, bytes) => self.edit_content(at, now, |content| {
                let start = scaled(content.len(), *place);
                content.splice(start..start, bytes.iter().copied());
            }),
            Edit::Append(at, bytes) => {
                self.edit_content(at, now, |content| content.extend_from_slice(bytes));
            }
            Edit::Truncate(at, place) => self.edit_content(at, now, |content| {
                content.truncate(scaled(content.len(), *place));
            }),
            Edit::Put(at, name, node) => {
                let folders = self.keys(|_, node| node.is_directory());
                let Some(folder) = pick(at, &folders) else {
                    return;
                };
                self.put_at(folder.join(name), node.clone().mtime(now));
                self.touch(&folder, now);
            }
            Edit::Replace(at, node) => {
                let Some(key) = self.pick_below_root(at) else {
                    return;
                };
                self.put_at(key.clone(), node.clone().mtime(now));
                self.touch_parent(&key, now);
            }
            Edit::Remove(at) => {
                let Some(key) = self.pick_below_root(at) else {
                    return;
                };
                self.remove_at(&key);
                self.touch_parent(&key, now);
            }
            Edit::Rename(at, name) => self.rename(at, name, now),
            Edit::Chmod(at, mode) => {
                let keys = self.keys(|_, node| !matches!(node.kind, NodeKind::Symlink(_)));
                let Some(node) = pick(at, &keys).and_then(|key| self.nodes.get_mut(&key)) else {
                    return;
                };
                node.mode = readable(node, *mode);
            }
            Edit::Touch(at) => {
                let keys = self.keys(|_, _| true);
                if let Some(key) = pick(at, &keys) {
                    self.touch(&key, now);
                }
            }
        }
    }

    /// Gives files that have other content than in `before`, and nothing else that differs, another
    /// mtime: one file renamed over another can look like that, and no backup by mtimes sees it.
    pub(super) fn show_changes_since(&mut self, before: &Self) {
        for (key, node) in &mut self.nodes {
            if let Some(old) = before.nodes.get(key)
                && (old.mode, old.mtime) == (node.mode, node.mtime)
                && old.kind != node.kind
            {
                node.mtime += 1;
            }
        }
    }

    fn edit_content(&mut self, at: &Index, now: i64, change: impl FnOnce(&mut Vec<u8>)) {
        let files = self.keys(|_, node| matches!(node.kind, NodeKind::File(_)));
        let Some(node) = pick(at, &files).and_then(|key| self.nodes.get_mut(&key)) else {
            return;
        };
        if let NodeKind::File(content) = &mut node.kind {
            change(content);
            node.mtime = now;
        }
    }

    fn rename(&mut self, at: &Index, name: &[u8], now: i64) {
        let Some(from) = self.pick_below_root(at) else {
            return;
        };
        let Some(folder) = from.parent() else { return };
        let to = folder.join(name);
        if to == from {
            return;
        }
        let moved: Vec<(Key, Node)> = self
            .nodes
            .iter()
            .filter_map(|(key, node)| Some((key.strip_prefix(&from)?, node.clone())))
            .collect();
        self.remove_at(&from);
        for (rest, node) in moved {
            let mut path = to.to_bytes();
            path.push(b'/');
            path.extend(rest.to_bytes());
            self.put_at(Key::from_bytes(&path), node);
        }
        self.touch(&folder, now);
    }

    fn pick_below_root(&self, at: &Index) -> Option<Key> {
        pick(at, &self.keys(|key, _| !key.is_root()))
    }

    fn keys(&self, which: impl Fn(&Key, &Node) -> bool) -> Vec<Key> {
        let chosen = self.nodes.iter().filter(|(key, node)| which(key, node));
        chosen.map(|(key, _)| key.clone()).collect()
    }

    fn touch(&mut self, key: &Key, now: i64) {
        if let Some(node) = self.nodes.get_mut(key) {
            node.mtime = now;
        }
    }

    fn touch_parent(&mut self, key: &Key, now: i64) {
        if let Some(folder) = key.parent() {
            self.touch(&folder, now);
        }
    }
}

/// `mode` with what the owner needs to read it: tests need not run as root.
pub(super) fn readable(node: &Node, mode: u32) -> u32 {
    if node.is_directory() {
        mode | 0o700
    } else {
        mode | 0o400
    }
}

fn pick(at: &Index, keys: &[Key]) -> Option<Key> {
    (!keys.is_empty()).then(|| at.get(keys).clone())
}

fn scaled(len: usize, thousandths: u16) -> usize {
    len * usize::from(thousandths.min(1000)) / 1000
}
