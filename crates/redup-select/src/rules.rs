//! Which paths belong to a backup.

use redup_format::index::PathIndex;

use crate::entry::Kind;

/// Which paths belong to a backup.
#[derive(Debug, Clone, Default)]
pub struct Rules {}

/// What rules ask about a path besides its name.
pub struct Facts<'a> {
    /// What it is.
    pub kind: Kind,
    /// When it was last written, in seconds since the epoch.
    pub mtime: i64,
    /// Whether it is on another file system than the source.
    pub other_filesystem: bool,
    /// Whether it is a folder that holds an entry of this name.
    pub has_entry: &'a dyn Fn(&[u8]) -> bool,
}

/// What rules say of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to the backup.
    Include,
    /// It does not, nor does anything in it.
    Exclude,
    /// It is a part of the backup if it is a folder that holds one.
    Scan,
}

impl Rules {
    /// Everything belongs to the backup.
    pub fn all() -> Self {
        Self::default()
    }

    /// What the rules say of the path at `index`.
    pub fn judge(&self, _index: &PathIndex, _facts: &Facts<'_>) -> Verdict {
        Verdict::Include
    }
}

/// The source as rules and messages name it: without doubled slashes, slashes at the end or `.` components; links
/// and `..` stay as they are.
pub fn canonical_source(source: &[u8]) -> Vec<u8> {
    let names: Vec<&[u8]> = source
        .split(|&byte| byte == b'/')
        .filter(|name| !matches!(*name, b"" | b"."))
        .collect();
    let joined = names.join(&b'/');
    match (source.starts_with(b"/"), joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
