//! What a removal is told, and what it returns.

use std::num::NonZeroUsize;

use redup_format::retention::Keep;
use redup_format::time::Timestamp;

/// Which chains are old.
#[derive(Debug, Clone)]
pub enum Retention {
    /// Those that ended before this time.
    OlderThan(Timestamp),
    /// All but those of the newest so many full backups.
    AllButFull(NonZeroUsize),
    /// The same chains, but only their increments go.
    IncrementsOfAllButFull(NonZeroUsize),
    /// Those without a backup that these rules keep.
    Calendar(Keep),
}

/// Options of [`crate::remove()`].
#[derive(Debug, Clone)]
pub struct RemoveOptions {
    /// What is old.
    pub retention: Retention,
    /// Delete; without it only tell.
    pub force: bool,
    /// Tell each file that `force` deletes, and delete none.
    pub dry_run: bool,
}

/// Options of [`crate::cleanup()`].
#[derive(Debug, Clone, Copy)]
pub struct CleanupOptions {
    /// Delete; without it only tell.
    pub force: bool,
    /// Tell each file that `force` deletes, and delete none.
    pub dry_run: bool,
}

/// What a removal did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoveReport {
    /// Files deleted at the store and in the archive dir.
    pub deleted: u64,
    /// Files that could not be deleted; each was told to the monitor.
    pub failed: u64,
}
