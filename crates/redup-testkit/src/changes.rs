//! What is different between two trees, as a comparison of backups tells it.

use std::collections::BTreeMap;

use crate::listing::{Entry, Kind, Listing};

/// A path that is not in both trees, or not the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Only the new tree has it.
    Added,
    /// Only the old tree has it.
    Removed,
    /// Both have it; with the words of docs/json.md for what differs.
    Changed(Vec<&'static str>),
}

/// Every path that differs, with its bytes.
#[must_use]
pub fn changes(old: &Listing, new: &Listing) -> BTreeMap<Vec<u8>, Change> {
    let mut changes = BTreeMap::new();
    for (path, entry) in new.iter() {
        let path = path.to_bytes();
        let change = match old.get(&path).map(|old| what(old, entry)) {
            None => Change::Added,
            Some(what) if what.is_empty() => continue,
            Some(what) => Change::Changed(what),
        };
        changes.insert(path, change);
    }
    for (path, _) in old.iter() {
        let path = path.to_bytes();
        if new.get(&path).is_none() {
            changes.insert(path, Change::Removed);
        }
    }
    changes
}

fn what(old: &Entry, new: &Entry) -> Vec<&'static str> {
    if std::mem::discriminant(&old.kind) != std::mem::discriminant(&new.kind) {
        return vec!["type"];
    }
    let device = matches!(new.kind, Kind::CharDevice { .. } | Kind::BlockDevice { .. });
    let mut found = Vec::new();
    match (&old.kind, &new.kind) {
        // Of a link nothing else is heeded.
        (Kind::Symlink { target: old }, Kind::Symlink { target: new }) => {
            return if old == new {
                Vec::new()
            } else {
                vec!["link_target"]
            };
        }
        (old, new) if old == new => {}
        _ if device => found.push("device"),
        _ => found.push("content"),
    }
    if old.mode != new.mode {
        found.push("mode");
    }
    if (old.uid, old.gid) != (new.uid, new.gid) {
        found.push("owner");
    }
    if !device && old.mtime != new.mtime {
        found.push("mtime");
    }
    found
}
