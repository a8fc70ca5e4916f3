//! A path inside a tree, ordered as archives order it.

use std::fmt;

/// The components of a path below a tree's root, as bytes; the root has none.
///
/// Ordered component by component, so a folder comes before its content and its content before
/// the folder's next sibling. Written anew here rather than taken from the format crate: an oracle
/// that shares the code under test agrees with its faults.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(Vec<Vec<u8>>);

impl Key {
    /// The root.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// Splits `path` at `/`; empty components count for nothing.
    #[must_use]
    pub fn from_bytes(path: &[u8]) -> Self {
        let components = path
            .split(|&byte| byte == b'/')
            .filter(|name| !name.is_empty());
        Self(components.map(<[u8]>::to_vec).collect())
    }

    /// The components joined by `/`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.join(&b'/')
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path of `name` in this folder.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut components = self.0.clone();
        components.push(name.to_vec());
        Self(components)
    }

    /// The folder that holds this path; the root has none.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        Some(Self(above.to_vec()))
    }

    /// This path as seen from `base`, when it is at or below it.
    #[must_use]
    pub fn strip_prefix(&self, base: &Self) -> Option<Self> {
        self.0
            .strip_prefix(base.0.as_slice())
            .map(|rest| Self(rest.to_vec()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        write!(f, "{}", self.to_bytes().escape_ascii())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_s_content_comes_before_siblings_that_start_alike() {
        let order = ["", "a", "a/x", "a b", "a-b", "a.txt", "aa"];
        let keys: Vec<Key> = order
            .iter()
            .map(|path| Key::from_bytes(path.as_bytes()))
            .collect();
        assert!(keys.is_sorted());
    }
}
