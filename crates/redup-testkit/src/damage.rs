//! What disks, networks and hands do to the files of a target or an archive dir.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// One kind of damage to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Flips one bit in the middle.
    FlipMiddle,
    /// Flips one bit of the first byte.
    FlipFirst,
    /// Flips one bit of the last byte.
    FlipLast,
    /// Keeps the first half.
    Halve,
    /// Takes the last byte away.
    DropLastByte,
    /// Keeps nothing but the name.
    Empty,
    /// Adds zeros to the end.
    AppendZeros,
    /// Removes the file.
    Delete,
}

impl Damage {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::FlipMiddle,
        Self::FlipFirst,
        Self::FlipLast,
        Self::Halve,
        Self::DropLastByte,
        Self::Empty,
        Self::AppendZeros,
        Self::Delete,
    ];

    /// Damages `path`.
    ///
    /// # Panics
    /// When the file cannot be read, or is empty and has nothing to damage.
    #[track_caller]
    pub fn apply(self, path: &Path) {
        let len = fs::read(path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
            .len();
        match self {
            Self::FlipMiddle => flip_bit(path, len / 2),
            Self::FlipFirst => flip_bit(path, 0),
            Self::FlipLast => flip_bit(path, len - 1),
            Self::Halve => truncate(path, len / 2),
            Self::DropLastByte => truncate(path, len - 1),
            Self::Empty => truncate(path, 0),
            Self::AppendZeros => append(path, &[0; 1000]),
            Self::Delete => fs::remove_file(path)
                .unwrap_or_else(|error| panic!("cannot remove {}: {error}", path.display())),
        }
    }
}

/// Flips the lowest bit of the byte at `offset`.
///
/// # Panics
/// When the file is shorter, or cannot be rewritten.
#[track_caller]
pub fn flip_bit(path: &Path, offset: usize) {
    rewrite(path, |bytes| bytes[offset] ^= 1);
}

/// Cuts the file to `len` bytes.
///
/// # Panics
/// When the file cannot be rewritten.
#[track_caller]
pub fn truncate(path: &Path, len: usize) {
    rewrite(path, |bytes| bytes.truncate(len));
}

/// Adds `bytes` to the end.
///
/// # Panics
/// When the file cannot be written.
#[track_caller]
pub fn append(path: &Path, bytes: &[u8]) {
    let written = OpenOptions::new()
        .append(true)
        .open(path)
        .and_then(|mut f| f.write_all(bytes));
    written.unwrap_or_else(|error| panic!("cannot append to {}: {error}", path.display()));
}

/// The one file in `dir` whose name contains all of `parts`.
///
/// # Panics
/// When there is none, or more than one.
#[must_use]
#[track_caller]
pub fn find(dir: &Path, parts: &[&str]) -> PathBuf {
    let mut found = names(dir);
    found.retain(|name| parts.iter().all(|part| name.contains(part)));
    assert!(
        found.len() == 1,
        "{} files of {} match {parts:?}",
        found.len(),
        dir.display()
    );
    dir.join(&found[0])
}

/// The names in `dir`, sorted.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
#[track_caller]
pub fn names(dir: &Path) -> Vec<String> {
    let read =
        fs::read_dir(dir).unwrap_or_else(|error| panic!("cannot read {}: {error}", dir.display()));
    let mut names: Vec<String> = read
        .filter_map(Result::ok)
        .map(|item| item.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let result = fs::read(path).and_then(|mut bytes| {
        change(&mut bytes);
        fs::write(path, bytes)
    });
    result.unwrap_or_else(|error| panic!("cannot damage {}: {error}", path.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_damage_changes_the_file() {
        for damage in Damage::ALL {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            fs::write(&path, b"some content").unwrap();
            damage.apply(&path);
            assert_ne!(
                fs::read(&path).ok().as_deref(),
                Some(&b"some content"[..]),
                "{damage:?}"
            );
        }
    }
}
