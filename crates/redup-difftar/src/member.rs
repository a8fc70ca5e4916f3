//! The names of members: what a member is, and of which path.

use redup_format::entry::Attributes;
use redup_format::index::{IndexError, PathIndex};

use crate::Error;

/// The length of every piece of a file but the last, which is shorter.
///
/// Whoever resumes an interrupted backup finds his place by counting pieces, so this is part of the format. Readers
/// take pieces of any length.
pub const PIECE_LEN: usize = 65_536;

/// What a member of a difftar or a sigtar says of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberKind {
    /// The path in full: contents, link target or whatever its type has.
    Snapshot,
    /// A regular file as a delta against its previous version.
    Diff,
    /// The path is gone.
    Deleted,
    /// A regular file's signature (sigtars only).
    Signature,
}

/// A member's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberName {
    /// What the member says of the path.
    pub kind: MemberKind,
    /// The path.
    pub index: PathIndex,
    /// The number of the piece, from 1, if the payload is cut in pieces.
    pub piece: Option<u32>,
}

impl MemberName {
    /// Reads a member's name.
    ///
    /// For a member in pieces the path ends before the *last* slash and number: `multivol_snapshot/multivol_diff/1/1`
    /// is the first piece of `multivol_diff/1`. A slash at the end says nothing of the type. No path at all, or `.`,
    /// is the root.
    pub fn parse(name: &[u8]) -> Result<Self, Error> {
        let foreign = || Error::ForeignMember {
            name: name.to_vec(),
        };
        let (prefix, rest) = split_at_slash(name);
        let (kind, in_pieces) = kind_of(prefix).ok_or_else(foreign)?;
        let (path, piece) = if in_pieces {
            let (path, piece) = split_piece(rest).ok_or_else(foreign)?;
            (path, Some(piece))
        } else {
            (rest.strip_suffix(b"/").unwrap_or(rest), None)
        };
        let index = index_of(path).map_err(|source| Error::BadPath {
            name: name.to_vec(),
            source,
        })?;
        Ok(Self { kind, index, piece })
    }
}

/// The name of a whole (uncut) member of a difftar.
pub fn difftar_name(kind: MemberKind, index: &PathIndex, attributes: &Attributes) -> Vec<u8> {
    // The one place where the two archives differ: a difftar calls the root "snapshot/./".
    if kind == MemberKind::Snapshot && index.is_root() && attributes.file_type.is_directory() {
        return b"snapshot/./".to_vec();
    }
    sigtar_name(kind, index, attributes)
}

/// The name of a member of a sigtar.
pub fn sigtar_name(kind: MemberKind, index: &PathIndex, attributes: &Attributes) -> Vec<u8> {
    let prefix: &[u8] = match kind {
        MemberKind::Snapshot => b"snapshot/",
        MemberKind::Diff => b"diff/",
        MemberKind::Deleted => b"deleted/",
        MemberKind::Signature => b"signature/",
    };
    let mut name = [prefix, index.as_bytes()].concat();
    let is_directory = kind == MemberKind::Snapshot && attributes.file_type.is_directory();
    if is_directory && !index.is_root() {
        name.push(b'/');
    }
    name
}

/// The name of one piece of a regular file, with `number` counted from 1.
pub(crate) fn piece_name(is_diff: bool, index: &PathIndex, number: u32) -> Vec<u8> {
    let prefix: &[u8] = if is_diff {
        b"multivol_diff/"
    } else {
        b"multivol_snapshot/"
    };
    let path = if index.is_root() {
        b"."
    } else {
        index.as_bytes()
    };
    let mut name = [prefix, path].concat();
    name.extend_from_slice(format!("/{number}").as_bytes());
    name
}

fn kind_of(prefix: &[u8]) -> Option<(MemberKind, bool)> {
    Some(match prefix {
        b"snapshot" => (MemberKind::Snapshot, false),
        b"diff" => (MemberKind::Diff, false),
        b"deleted" => (MemberKind::Deleted, false),
        b"signature" => (MemberKind::Signature, false),
        b"multivol_snapshot" => (MemberKind::Snapshot, true),
        b"multivol_diff" => (MemberKind::Diff, true),
        _ => return None,
    })
}

/// What stands before and after the first slash.
fn split_at_slash(name: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = name.splitn(2, |&byte| byte == b'/');
    let first = parts.next().unwrap_or_default();
    (first, parts.next().unwrap_or_default())
}

/// The path and the number after the last slash.
fn split_piece(rest: &[u8]) -> Option<(&[u8], u32)> {
    let slash = rest.iter().rposition(|&byte| byte == b'/')?;
    let (path, digits) = (rest.get(..slash)?, rest.get(slash + 1..)?);
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((path, number))
}

fn index_of(path: &[u8]) -> Result<PathIndex, IndexError> {
    match path {
        b"." => Ok(PathIndex::root()),
        _ => PathIndex::from_bytes(path),
    }
}

#[cfg(test)]
mod tests {
    use redup_format::entry::FileType;

    use super::*;

    fn index(path: &str) -> PathIndex {
        PathIndex::from_bytes(path.as_bytes()).unwrap()
    }

    #[track_caller]
    fn check(name: &str, kind: MemberKind, path: &str, piece: Option<u32>) {
        let parsed = MemberName::parse(name.as_bytes()).unwrap();
        let index = index(path);
        assert_eq!(parsed, MemberName { kind, index, piece });
    }

    #[test]
    fn whole_members_name_their_path() {
        check("snapshot/a/b", MemberKind::Snapshot, "a/b", None);
        check("snapshot/dir/", MemberKind::Snapshot, "dir", None);
        check("diff/a\nb", MemberKind::Diff, "a\nb", None);
        check("deleted/x", MemberKind::Deleted, "x", None);
        check("signature/1", MemberKind::Signature, "1", None);
    }

    #[test]
    fn the_root_has_three_spellings() {
        for name in ["snapshot/./", "snapshot/.", "snapshot/", "snapshot"] {
            check(name, MemberKind::Snapshot, "", None);
        }
        check("diff/", MemberKind::Diff, "", None);
        check("multivol_snapshot/./1", MemberKind::Snapshot, "", Some(1));
        check("multivol_diff//3", MemberKind::Diff, "", Some(3));
    }

    #[test]
    fn only_the_last_number_is_the_piece() {
        check(
            "multivol_snapshot/multivol_diff/1/1",
            MemberKind::Snapshot,
            "multivol_diff/1",
            Some(1),
        );
        check("multivol_diff/a/2/34", MemberKind::Diff, "a/2", Some(34));
        check("multivol_diff/a\n/b/7", MemberKind::Diff, "a\n/b", Some(7));
    }

    #[test]
    fn names_of_other_archives_are_refused() {
        for name in [
            "",
            "/",
            "a",
            "snapshots/a",
            "multivol_snapshot/a",
            "multivol_snapshot/a/",
            "multivol_snapshot/a/1/",
            "multivol_snapshot/a/+1",
            "multivol_snapshot/a/4294967296",
        ] {
            let result = MemberName::parse(name.as_bytes());
            assert!(matches!(result, Err(Error::ForeignMember { .. })), "{name}");
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for name in [
            "snapshot/../a",
            "snapshot/a/..",
            "snapshot/a//b",
            "snapshot//a",
            "snapshot/a/./b",
            "diff/..",
            "multivol_snapshot/../1",
            "snapshot/a\0b",
        ] {
            let result = MemberName::parse(name.as_bytes());
            assert!(matches!(result, Err(Error::BadPath { .. })), "{name}");
        }
    }

    #[test]
    fn written_names_are_those_of_the_format() {
        let of_type = |file_type| Attributes {
            file_type,
            ..crate::difftar::no_attributes()
        };
        let (dir, file) = (of_type(FileType::Directory), of_type(FileType::Regular));
        let root = PathIndex::root();
        let snapshot = MemberKind::Snapshot;
        assert_eq!(difftar_name(snapshot, &root, &dir), b"snapshot/./");
        assert_eq!(sigtar_name(snapshot, &root, &dir), b"snapshot/");
        assert_eq!(difftar_name(snapshot, &root, &file), b"snapshot/");
        assert_eq!(difftar_name(snapshot, &index("d"), &dir), b"snapshot/d/");
        assert_eq!(
            difftar_name(MemberKind::Diff, &index("d/f"), &file),
            b"diff/d/f"
        );
        assert_eq!(
            difftar_name(MemberKind::Deleted, &index("d"), &dir),
            b"deleted/d"
        );
        assert_eq!(
            sigtar_name(MemberKind::Signature, &root, &file),
            b"signature/"
        );
        assert_eq!(piece_name(false, &root, 1), b"multivol_snapshot/./1");
        assert_eq!(piece_name(true, &index("d/f"), 12), b"multivol_diff/d/f/12");
    }
}
