//! What a run tells while it works.

use std::path::Path;

use redup_format::collections::{BackupChain, Collection};
use redup_format::entry::FileType;
use redup_format::filename::Span;
use redup_format::index::PathIndex;
use redup_format::retention::Removal;
use redup_format::time::Timestamp;
use redup_storage::Unfinished;

use crate::Count;

/// Hears the events of a run, from any of its threads and in no fixed order across threads.
pub trait Monitor: Send + Sync {
    /// Something happened. Must return quickly: the pipeline waits.
    fn event(&self, event: Event<'_>);
}

/// A monitor that hears nothing; errors still come back as results and in reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Monitor for Silent {
    fn event(&self, _: Event<'_>) {}
}

/// What a path of the source weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceSize {
    /// The bytes of a regular file; 0 for anything else.
    pub len: u64,
    /// Whether its inode has changed since the set that is built on was made. Most of what a backup reads
    /// is such, and most of what is such is read; only the comparison knows.
    pub expected: bool,
}

/// One thing that happened. Paths are relative to the backup root.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The collection was read; orphaned and incomplete sets are in it.
    Status(&'a Collection),
    /// The newest full backup's time.
    LastFull(Option<Timestamp>),
    /// The oldest backup is from this time, and an earlier one was asked for: it serves.
    BeforeOldest(Timestamp),
    /// The time of the backup set whose state is looked at, before any of its paths.
    PointInTime(Timestamp),
    /// The archive dir already agrees with the store.
    InSync,
    /// A run that changes nothing would bring the archive dir in line with the store.
    SyncPlanned {
        /// Remote names of what it would copy.
        fetch: &'a [&'a str],
        /// Local names of what it would delete.
        delete: &'a [&'a str],
    },
    /// The archive dir is being brought in line with the store.
    SyncStarted,
    /// A metadata file is copied to the archive dir.
    SyncFetch {
        /// Its remote name.
        name: &'a str,
    },
    /// A local metadata file without counterpart at the store is deleted.
    SyncDelete {
        /// Its local name.
        name: &'a str,
    },
    /// No chain to build on: a full is made instead.
    SwitchedToFull,
    /// The newest full is older than asked: a full is made.
    FullIsTooOld,
    /// The chain has as many increments as asked: a full is made.
    TooManyIncrements,
    /// An interrupted set is resumed.
    Resuming {
        /// The set.
        span: Span,
        /// The last volume that is kept.
        volume: u32,
        /// The path after which work goes on.
        after: &'a PathIndex,
        /// The piece of that path that was stored last, if it is not complete.
        block: Option<u32>,
    },
    /// An interrupted set cannot be resumed; it is made anew.
    RestartFromScratch {
        /// The set.
        span: Span,
        /// Why.
        reason: &'a str,
    },
    /// A path was stored that the previous set does not have, or whose earlier state is of no use for
    /// it: not both are regular files.
    Added(&'a PathIndex),
    /// A regular file with changed content or attributes was stored.
    Changed(&'a PathIndex),
    /// A path is gone.
    Deleted(&'a PathIndex),
    /// A socket was left out: it has nothing to store.
    SocketSkipped(&'a Path),
    /// A source path could not be read and is not in this backup. Counted in the report.
    Unreadable {
        /// The path.
        path: &'a Path,
        /// What the system said.
        error: &'a std::io::Error,
    },
    /// A source file changed while it was read; what was read is stored.
    ChangedWhileRead(&'a Path),
    /// The source is compared with the newest set, to see whether there is anything to store.
    Comparing,
    /// The source is gone through from here on.
    SourceBegins {
        /// When the set that is built on was made; nothing for a full backup.
        since: Option<Timestamp>,
        /// Bytes of objects that were made. The count goes on.
        made: &'a Count,
        /// Those that the store has acknowledged.
        stored: &'a Count,
        /// Bytes that are gathered before the first of them leaves.
        gathered: u64,
    },
    /// A path of the source is done with, whether it was stored or left alone.
    SourcePath {
        /// The path.
        index: &'a PathIndex,
        /// How large it was when the walk came by, and whether it was expected to be read.
        size: SourceSize,
    },
    /// Bytes of source files read so far.
    SourceBytes(u64),
    /// The source has been gone through; what is left is to store the rest.
    SourceEnds,
    /// An object is being written to the store.
    Writing {
        /// Its name.
        name: &'a str,
    },
    /// Objects in an archive class are needed, and are being thawed.
    ThawRequested {
        /// How many this run has asked for.
        objects: usize,
        /// How many were asked for before.
        under_way: usize,
        /// The bytes of all of them.
        bytes: u64,
        /// The classes they are in.
        classes: &'a str,
    },
    /// The objects being thawed were looked at.
    Thawing {
        /// How many can be read.
        ready: usize,
        /// How many are needed.
        of: usize,
    },
    /// A volume is stored and recorded.
    VolumeStored {
        /// Its number.
        number: u32,
    },
    /// Volumes are read from here on.
    Reading {
        /// The length of all of them.
        bytes: u64,
        /// How far `done` counts: a volume is gone through more than once, to check it and to use it.
        steps: u64,
        /// What was gone through. The count goes on.
        done: &'a Count,
    },
    /// A volume has been read to its end.
    VolumeRead {
        /// How many have been read, this one included.
        number: u32,
        /// How many this run reads.
        of: u32,
    },
    /// A volume is missing or damaged and left out, as asked. Counted in the report.
    VolumeSkipped {
        /// What is wrong with it.
        error: &'a crate::Error,
    },
    /// The volumes that the restore needs (dry run).
    VolumesNeeded {
        /// Their names.
        names: &'a [&'a str],
    },
    /// A path is being restored.
    Restoring {
        /// The path, below the restored one.
        index: &'a PathIndex,
        /// Its type.
        file_type: &'a FileType,
    },
    /// A path was not restored, or not completely. Counted in the report.
    RestoreFailed {
        /// The path.
        index: &'a PathIndex,
        /// Why.
        error: &'a crate::Error,
    },
    /// Verify found a difference.
    Difference {
        /// The path.
        index: &'a PathIndex,
        /// What differs.
        difference: &'a crate::Difference,
    },
    /// What a removal by age or number deletes, or would.
    RemovalPlanned {
        /// The chains, and what stays for which reason.
        removal: &'a Removal<'a>,
        /// Whether it is deleted now.
        deletes: bool,
    },
    /// A chain, or its increments, is being deleted.
    Removing {
        /// The chain.
        chain: &'a BackupChain,
        /// Its signatures, all chains' before any volume; else its sets.
        signatures: bool,
        /// Whether the full stays.
        keeps_full: bool,
    },
    /// What belongs to nothing, and is deleted or would be.
    CleanupPlanned {
        /// Files, at the store or in the archive dir.
        names: &'a [&'a str],
        /// Uploads that were begun and not ended.
        unfinished: &'a [Unfinished],
        /// The interrupted set among it, which the next backup would go on with.
        resumable: Option<Span>,
        /// Whether it is deleted now.
        deletes: bool,
    },
    /// A file is being deleted (in a dry run: would be).
    Deleting {
        /// Its name at the store, or its path in the archive dir.
        name: &'a str,
    },
    /// A file could not be deleted. Counted in the report.
    DeleteFailed {
        /// Its name.
        name: &'a str,
        /// Why.
        error: &'a crate::Error,
    },
    /// Anything else that the user should know; the run goes on.
    Warning(&'a str),
    /// Anything else that helps to understand a run.
    Info(&'a str),
}
