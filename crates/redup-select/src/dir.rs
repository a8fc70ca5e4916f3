//! Open folders, and what they hold.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dir, Mode, OFlags};
use rustix::path::Arg;

use crate::entry::Links;

/// Opens the folder `name` in `at`, and nothing but a folder.
pub(crate) fn open(at: impl AsFd, name: impl Arg, links: Links) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | links.open_flags();
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

/// Opens the source itself, if it is a folder.
pub(crate) fn open_root(root: &Path, links: Links) -> io::Result<OwnedFd> {
    open(CWD, root, links)
}

/// The names in a folder, sorted as unsigned bytes.
///
/// Kept in one allocation and eight bytes a name, so that a folder of millions of files stays affordable.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// All names, each ended by a NUL byte, which no name contains.
    bytes: Vec<u8>,
    /// Where each name starts; the next one to hand out is last.
    starts: Vec<usize>,
}

impl Names {
    /// Reads a folder. What was listed before an error is kept beside it.
    pub(crate) fn list(dir: impl AsFd) -> (Self, io::Result<()>) {
        let mut names = Self::default();
        let result = names.read(dir);
        let bytes = &names.bytes;
        names
            .starts
            .sort_unstable_by(|&a, &b| name_at(bytes, b).cmp(name_at(bytes, a)));
        (names, result)
    }

    /// Takes names that are sorted already.
    pub(crate) fn from_sorted(sorted: &[Vec<u8>]) -> Self {
        let mut names = Self::default();
        for name in sorted {
            names.starts.push(names.bytes.len());
            names.bytes.extend_from_slice(name);
            names.bytes.push(0);
        }
        names.starts.reverse();
        names
    }

    /// Takes the smallest name that is left.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        let start = self.starts.pop()?;
        Some(name_at(&self.bytes, start))
    }

    fn read(&mut self, dir: impl AsFd) -> io::Result<()> {
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                self.starts.push(self.bytes.len());
                self.bytes.extend_from_slice(name.to_bytes_with_nul());
            }
        }
        self.bytes.shrink_to_fit();
        self.starts.shrink_to_fit();
        Ok(())
    }
}

fn name_at(bytes: &[u8], start: usize) -> &[u8] {
    let rest = &bytes[start..];
    let end = rest.iter().position(|&byte| byte == 0);
    &rest[..end.unwrap_or(rest.len())]
}
