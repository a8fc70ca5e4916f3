//! The manifest: which volumes a set has, which range of paths is in each, and their hashes.
//!
//! A manifest is text with raw path bytes. It is appended to while a backup runs, so the pieces it is made of can be
//! written one by one ([`header_bytes`], [`VolumeInfo::to_bytes`], [`filelist_header`], [`FileChange::to_bytes`]),
//! and it is read leniently where an interruption can have cut it and strictly everywhere else.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::index::{IndexError, PathIndex};

mod quote;
mod read;

pub use quote::{quote, unquote};
pub use read::Reader;

/// A manifest, as its volume numbers are to be understood after every restart it has seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The source's host.
    pub hostname: Option<Vec<u8>>,
    /// The source as it was given on the command line, in canonical form; need not be absolute.
    pub local_dir: Option<Vec<u8>>,
    /// The volumes by their number.
    pub volumes: BTreeMap<u32, VolumeInfo>,
    /// What happened to regular files, in path order. Informational: it may be absent, and nothing depends on it.
    pub files_changed: Vec<FileChange>,
    /// Whether that list is there, be it empty or not read. It stands behind the volumes, so that a manifest which has it
    /// was not cut short before.
    pub has_file_list: bool,
}

/// One volume's entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeInfo {
    /// The volume's number, at least 1.
    pub number: u32,
    /// Its first entry.
    pub start: Position,
    /// Its last entry.
    pub end: Position,
    /// SHA-1 of the file as it is stored. Old sets may lack it; duplicity cannot restore those.
    pub sha1: Option<[u8; 20]>,
    /// MD5 of the file as it is stored, in very old sets.
    pub md5: Option<[u8; 16]>,
    /// CRC-32 of the file as it is stored, which stores tell of what they have. Of redup's own: duplicity
    /// passes over it, and writes none.
    pub crc32: Option<u32>,
}

/// An end of a volume's range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Position {
    /// The entry.
    pub index: PathIndex,
    /// Which piece of a file in several pieces; `None` for the last one and for everything that is whole.
    pub block: Option<u32>,
}

/// A line of the list of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// What happened.
    pub kind: ChangeKind,
    /// To which file.
    pub index: PathIndex,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is stored whole.
    New,
    /// It is stored as a delta.
    Changed,
    /// It is gone.
    Deleted,
}

/// How two copies of one manifest differ, as far as duplicity compares them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The numbers of the volumes.
    Volumes,
    /// The host name.
    Hostname,
    /// The source directory.
    LocalDir,
}

/// Why bytes are not a manifest. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// A line longer than [`Manifest::MAX_LINE`].
    #[error("manifest line {line} is longer than {} bytes", Manifest::MAX_LINE)]
    LongLine {
        /// Which line.
        line: u64,
    },
    /// More volumes than [`Manifest::MAX_VOLUMES`].
    #[error("manifest has more than {} volumes", Manifest::MAX_VOLUMES)]
    TooManyVolumes,
    /// A volume number that is zero or does not fit.
    #[error("manifest line {line}: no volume has the number {number:?}")]
    VolumeNumber {
        /// Which line.
        line: u64,
        /// What stands there.
        number: String,
    },
    /// A volume that is left out, or lacks its first or last entry, and that nothing later replaces.
    #[error("manifest: volume {number} is missing, or has no starting or no ending path")]
    IncompleteVolume {
        /// Which volume.
        number: u32,
    },
    /// A second first or last entry of one volume.
    #[error("manifest line {line}: the volume has that path already")]
    Repeated {
        /// Which line.
        line: u64,
    },
    /// A path that is none.
    #[error("manifest line {line}: bad path")]
    Path {
        /// Which line.
        line: u64,
        /// What is wrong with it.
        #[source]
        source: IndexError,
    },
    /// Quotes that do not match or an escape that is none.
    #[error("manifest line {line}: bad quoting")]
    Quoting {
        /// Which line.
        line: u64,
    },
    /// A block number that is none.
    #[error("manifest line {line}: bad block number")]
    Block {
        /// Which line.
        line: u64,
    },
    /// A hash of a known kind that is none.
    #[error("manifest line {line}: bad hash")]
    Hash {
        /// Which line.
        line: u64,
    },
}

impl Manifest {
    /// The longest line. Paths that the kernel takes whole have at most 4 KiB, four times that quoted; deeper ones
    /// are reached step by step, so there is room to spare.
    pub const MAX_LINE: usize = 1 << 20;

    /// The most volumes: two hundred terabytes at the usual size, and the entries still fit in memory.
    pub const MAX_VOLUMES: usize = 1_000_000;

    /// The most files in the list that a reader keeps. More than people look at; the rest is passed over.
    pub const MAX_FILES: usize = 1_000_000;

    /// Reads a manifest, the list of files included.
    ///
    /// Of several blocks of one number the last one holds, and blocks with a number above that of the last block are
    /// dropped: that is what a restarted backup leaves. A last block that was cut short is dropped too.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let mut reader = Reader::new();
        reader.push(bytes)?;
        reader.finish()
    }

    /// The manifest as a backup that was never interrupted would have written it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = header_bytes(self.hostname.as_deref(), self.local_dir.as_deref());
        for volume in self.volumes.values() {
            bytes.extend(volume.to_bytes());
        }
        bytes.extend(filelist_bytes(&self.files_changed));
        bytes
    }

    /// The first way in which duplicity would call this and another copy inconsistent: numbers of volumes, host and
    /// source are compared, hashes and paths are not.
    pub fn difference(&self, other: &Self) -> Option<Difference> {
        if !self.volumes.keys().eq(other.volumes.keys()) {
            Some(Difference::Volumes)
        } else if self.hostname != other.hostname {
            Some(Difference::Hostname)
        } else if self.local_dir != other.local_dir {
            Some(Difference::LocalDir)
        } else {
            None
        }
    }

    /// The volumes that can hold something of `path` or below it, in order.
    pub fn volumes_with<'a>(&'a self, path: &'a PathIndex) -> impl Iterator<Item = &'a VolumeInfo> {
        self.volumes
            .values()
            .filter(move |volume| volume.can_hold(path))
    }
}

impl VolumeInfo {
    /// Whether the volume's range touches `path` or what lies below it.
    pub fn can_hold(&self, path: &PathIndex) -> bool {
        let starts_before = self.start.index <= *path || self.start.index.starts_with(path);
        starts_before && *path <= self.end.index
    }

    /// The volume's block of lines.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("Volume {}:\n", self.number).into_bytes();
        self.start.write_line(b"    StartingPath   ", &mut bytes);
        self.end.write_line(b"    EndingPath     ", &mut bytes);
        let hashes = [
            ("SHA1", self.sha1.as_ref().map(<[u8; 20]>::as_slice)),
            ("MD5", self.md5.as_ref().map(<[u8; 16]>::as_slice)),
        ];
        // Before the others: a block that is cut is told by its last line.
        if let Some(crc32) = self.crc32 {
            bytes.extend(format!("    Hash CRC32 {crc32:08x}\n").bytes());
        }
        for (name, hash) in hashes {
            if let Some(hash) = hash {
                bytes.extend(format!("    Hash {name} {}\n", quote::hex(hash)).bytes());
            }
        }
        bytes
    }
}

impl Position {
    /// Ends with a blank block number where there is none, so the line then ends in two spaces.
    fn write_line(&self, label: &[u8], bytes: &mut Vec<u8>) {
        bytes.extend(label);
        bytes.extend(spelt(&self.index));
        bytes.push(b' ');
        match self.block {
            Some(block) => bytes.extend(block.to_string().bytes()),
            None => bytes.push(b' '),
        }
        bytes.push(b'\n');
    }
}

impl FileChange {
    /// The file's line of the list.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("    {:7}  ", self.kind.word()).into_bytes();
        bytes.extend(spelt(&self.index));
        bytes.push(b'\n');
        bytes
    }
}

impl ChangeKind {
    fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }

    fn from_word(word: &[u8]) -> Option<Self> {
        [Self::New, Self::Changed, Self::Deleted]
            .into_iter()
            .find(|kind| kind.word().as_bytes() == word)
    }
}

/// The lines a manifest starts with.
pub fn header_bytes(hostname: Option<&[u8]>, local_dir: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (keyword, value) in [("Hostname ", hostname), ("Localdir ", local_dir)] {
        if let Some(value) = value {
            bytes.extend(keyword.bytes());
            bytes.extend(quote(value).iter());
            bytes.push(b'\n');
        }
    }
    bytes
}

/// The line before the list of files; `count` lines of [`FileChange::to_bytes`] follow.
pub fn filelist_header(count: usize) -> Vec<u8> {
    format!("Filelist {count}\n").into_bytes()
}

/// The whole list of files, which a manifest ends with.
pub fn filelist_bytes(files: &[FileChange]) -> Vec<u8> {
    let mut bytes = filelist_header(files.len());
    bytes.extend(files.iter().flat_map(FileChange::to_bytes));
    bytes
}

/// An index as manifests have it: quoted, and `.` for the root.
fn spelt(index: &PathIndex) -> Vec<u8> {
    if index.is_root() {
        b".".to_vec()
    } else {
        quote(index.as_bytes()).into_owned()
    }
}

fn index_from(spelling: &[u8], line: u64) -> Result<PathIndex, ManifestError> {
    if spelling == b"." {
        return Ok(PathIndex::root());
    }
    let joined = unquote(spelling).ok_or(ManifestError::Quoting { line })?;
    PathIndex::from_bytes(&joined).map_err(|source| ManifestError::Path { line, source })
}
