//! What a run returns.

use std::collections::HashMap;

use redup_format::collections::{BackupSet, Collection};
use redup_format::entry::Attributes;
use redup_format::filename::Span;
use redup_format::manifest::FileChange;

use crate::chain::total;

/// The counters of duplicity's statistics block; sizes in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Selected entries of every type, the root included.
    pub source_files: u64,
    /// Sum of their sizes.
    pub source_file_size: u64,
    /// Entries that the previous set does not have.
    pub new_files: u64,
    /// Sum of their sizes.
    pub new_file_size: u64,
    /// Entries that are gone.
    pub deleted_files: u64,
    /// Entries with changed data or attributes.
    pub changed_files: u64,
    /// Sum of their new sizes.
    pub changed_file_size: u64,
    /// New, changed and deleted entries together.
    pub delta_entries: u64,
    /// Bytes of contents and deltas put into volumes, before compression and without headers.
    pub raw_delta_size: u64,
    /// Bytes of the stored volumes.
    pub total_destination_size_change: u64,
    /// Entries that could not be read.
    pub errors: u64,
}

/// What a backup did.
#[derive(Debug, Clone)]
pub struct BackupReport {
    /// The set that was made.
    pub span: Span,
    /// Counters.
    pub statistics: Statistics,
    /// Whether an interrupted set was resumed.
    pub resumed: bool,
    /// Whether nothing was stored because nothing has changed, as asked.
    pub skipped: bool,
    /// Volumes of the set.
    pub volumes: u32,
    /// The sets that this one builds on, the full first, each with the name of its statistics in the
    /// archive dir.
    pub built_on: Vec<(Span, Option<String>)>,
}

/// What a restore did.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreReport {
    /// Paths restored.
    pub restored: u64,
    /// Paths that could not be restored, or only in part; each was told to the monitor.
    pub failed: u64,
    /// Volumes left out under `ignore_errors`.
    pub skipped_volumes: u32,
}

/// What a verify found.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyReport {
    /// Paths compared (or read, without comparing).
    pub compared: u64,
    /// Differences; each was told to the monitor.
    pub differences: u64,
    /// Paths whose content could not be rebuilt.
    pub failed: u64,
    /// Volumes left out under `ignore_errors`.
    pub skipped_volumes: u32,
}

/// The state of a target.
#[derive(Debug)]
pub struct StatusReport {
    /// Sets and chains.
    pub collection: Collection,
    /// What the store has of each name; `None` when it was not listed.
    pub(crate) lengths: Option<HashMap<String, u64>>,
}

impl StatusReport {
    /// The bytes of a set's files at the store; `None` when that was not listed.
    pub fn bytes(&self, set: &BackupSet) -> Option<u64> {
        let lengths = self.lengths.as_ref()?;
        let lengths = set.remote_names().filter_map(|name| lengths.get(name));
        Some(total(lengths.copied()))
    }
}

/// The regular files that one set changed, as its manifest lists them.
#[derive(Debug)]
pub struct SetChanges {
    /// The set.
    pub span: Span,
    /// The files, in path order; none when the set was made without a list.
    pub files: Vec<FileChange>,
    /// Its statistics, where they were stored and asked for.
    pub jsonstat: Option<Vec<u8>>,
}

/// How a source path differs from the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// Only in the source.
    New,
    /// Only in the backup.
    Missing,
    /// Types differ: (source, backup).
    Type(Attributes, Attributes),
    /// Owner or permissions differ: (source, backup).
    Permissions(Attributes, Attributes),
    /// Times differ: (source, backup), seconds.
    Mtime(i64, i64),
    /// Content of a regular file differs.
    Data,
    /// Link targets differ: (source, backup).
    LinkTarget(Vec<u8>, Vec<u8>),
    /// Device numbers differ: (source, backup), each (major, minor).
    Device((u32, u32), (u32, u32)),
}
