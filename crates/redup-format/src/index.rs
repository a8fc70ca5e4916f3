//! The path index: where an entry stands inside a backup, and the order of every stream.

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

/// A path inside a backup: byte components relative to the backup's root, which itself is the empty index.
///
/// Kept joined by `/`. A component is never empty, `.` or `..` and holds no NUL, so an index can be opened beneath a
/// directory without looking at it again.
///
/// The order is the one all streams of the archive have: components compared one by one as unsigned bytes, a path
/// before its children, and these before the path's next sibling. It is not the order of the joined bytes.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct PathIndex(Vec<u8>);

/// Why some bytes are not a path index.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IndexError {
    /// A leading, trailing or doubled slash, or an empty name given to [`PathIndex::join`].
    #[error("path \"{}\" has an empty component", escaped(.0))]
    EmptyComponent(Vec<u8>),
    /// A component is `.` or `..`.
    #[error("path \"{}\" has a component that is not a name", escaped(.0))]
    DotComponent(Vec<u8>),
    /// A NUL byte.
    #[error("path \"{}\" contains a NUL byte", escaped(.0))]
    Nul(Vec<u8>),
    /// A slash inside one name given to [`PathIndex::join`].
    #[error("name \"{}\" contains a slash", escaped(.0))]
    Slash(Vec<u8>),
}

impl PathIndex {
    /// The backup's root, the smallest index.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// Takes components joined by `/`; no bytes are the root.
    ///
    /// The archive writes the root as `.` in manifests and the like: that spelling is the caller's to recognise.
    pub fn from_bytes(joined: &[u8]) -> Result<Self, IndexError> {
        if joined.is_empty() {
            return Ok(Self::root());
        }
        for component in joined.split(|&byte| byte == b'/') {
            check_component(component, joined)?;
        }
        Ok(Self(joined.to_vec()))
    }

    /// The index of the entry `name` of this directory.
    pub fn join(&self, name: &[u8]) -> Result<Self, IndexError> {
        if name.contains(&b'/') {
            return Err(IndexError::Slash(name.to_vec()));
        }
        check_component(name, name)?;
        let mut joined = Vec::with_capacity(self.0.len() + 1 + name.len());
        if !self.is_root() {
            joined.extend_from_slice(&self.0);
            joined.push(b'/');
        }
        joined.extend_from_slice(name);
        Ok(Self(joined))
    }

    /// The components joined by `/`; empty for the root.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The components from the root down; none for the root.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0
            .split(|&byte| byte == b'/')
            .filter(|component| !component.is_empty())
    }

    /// The last component; `None` for the root.
    pub fn name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// Whether this is the backup's root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is `ancestor` itself or lies below it.
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        self.below(ancestor).is_some()
    }

    /// What is left of this index below `ancestor`: the root when both are equal, `None` when it lies elsewhere.
    pub fn strip_prefix(&self, ancestor: &Self) -> Option<Self> {
        self.below(ancestor).map(|rest| Self(rest.to_vec()))
    }

    /// The directory that holds this entry; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        let end = self.0.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        Some(Self(self.0[..end].to_vec()))
    }

    fn below(&self, ancestor: &Self) -> Option<&[u8]> {
        if ancestor.is_root() {
            return Some(&self.0);
        }
        match self.0.strip_prefix(ancestor.as_bytes())? {
            [] => Some(&[]),
            [b'/', rest @ ..] => Some(rest),
            _ => None,
        }
    }
}

/// Components hold neither NUL nor `/`, so ranking the separator below every other byte makes the order of the
/// joined bytes that of the tuples.
impl Ord for PathIndex {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
        match self.0.iter().zip(&other.0).find(|(a, b)| a != b) {
            Some((&a, &b)) => rank(a).cmp(&rank(b)),
            None => self.0.len().cmp(&other.0.len()),
        }
    }
}

impl PartialOrd for PathIndex {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl AsRef<[u8]> for PathIndex {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// For people: lossy, and control characters are escaped so that a name cannot drive a terminal. The root is `.`.
impl fmt::Display for PathIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        f.write_str(&escaped(&self.0))
    }
}

impl fmt::Debug for PathIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PathIndex({self})")
    }
}

/// Bytes from strangers as text for people: invalid UTF-8 replaced, control characters escaped.
pub fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for c in String::from_utf8_lossy(bytes).chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text
}

fn check_component(component: &[u8], whole: &[u8]) -> Result<(), IndexError> {
    match component {
        b"" => Err(IndexError::EmptyComponent(whole.to_vec())),
        b"." | b".." => Err(IndexError::DotComponent(whole.to_vec())),
        _ if component.contains(&0) => Err(IndexError::Nul(whole.to_vec())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(joined: &[u8]) -> PathIndex {
        PathIndex::from_bytes(joined).unwrap()
    }

    #[test]
    fn children_come_before_siblings_that_share_their_parents_beginning() {
        let expected: [&[u8]; 10] = [
            b"",
            b"ord",
            b"ord/A",
            b"ord/a",
            b"ord/a/x",
            b"ord/a b",
            b"ord/a-b",
            b"ord/a.txt",
            b"ord/aa",
            b"ord/\xff",
        ];
        let mut sorted: Vec<_> = expected.iter().rev().map(|bytes| index(bytes)).collect();
        sorted.sort();
        assert_eq!(
            sorted.iter().map(PathIndex::as_bytes).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn a_name_with_a_byte_below_the_slash_follows_the_children() {
        assert!(index(b"a/z") < index(b"a\x01"));
        assert!(index(b"a") < index(b"a/z"));
    }

    #[test]
    fn what_cannot_be_a_path_beneath_a_directory_is_refused() {
        for bad in [
            &b"/"[..],
            b"/a",
            b"a/",
            b"a//b",
            b".",
            b"..",
            b"a/..",
            b"./a",
            b"a/../b",
            b"a\0b",
        ] {
            assert!(PathIndex::from_bytes(bad).is_err(), "{bad:?}");
        }
        assert!(PathIndex::root().join(b"a/b").is_err());
        assert!(PathIndex::root().join(b"").is_err());
        assert!(PathIndex::root().join(b"..").is_err());
        assert!(PathIndex::from_bytes(b"...").is_ok());
    }

    #[test]
    fn a_prefix_ends_at_a_component() {
        assert_eq!(
            index(b"a/b/c").strip_prefix(&index(b"a")),
            Some(index(b"b/c"))
        );
        assert_eq!(
            index(b"a/b").strip_prefix(&index(b"a/b")),
            Some(PathIndex::root())
        );
        assert_eq!(index(b"ab").strip_prefix(&index(b"a")), None);
        assert_eq!(
            index(b"ab").strip_prefix(&PathIndex::root()),
            Some(index(b"ab"))
        );
        assert!(!PathIndex::root().starts_with(&index(b"a")));
    }

    #[test]
    fn parents_lead_to_the_root() {
        assert_eq!(index(b"a/b").parent(), Some(index(b"a")));
        assert_eq!(index(b"a").parent(), Some(PathIndex::root()));
        assert_eq!(PathIndex::root().parent(), None);
        assert_eq!(index(b"a/b").name(), Some(&b"b"[..]));
    }

    #[test]
    fn display_keeps_a_terminal_safe() {
        assert_eq!(index(b"a\x1b[2J\xff").to_string(), "a\\u{1b}[2J\u{fffd}");
        assert_eq!(PathIndex::root().to_string(), ".");
    }
}
