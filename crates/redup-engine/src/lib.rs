//! Backup, restore, verify, list and status over an archive in duplicity's format.
//!
//! One verb is one function: [`backup()`], [`restore()`], [`verify()`], [`list()`], [`find()`], [`diff()`], [`cat()`],
//! [`status()`], [`audit()`], [`changes()`], [`remove()`], [`cleanup()`]. Each takes a [`Target`] (the store, the archive dir, the keys), its own options and a [`Monitor`] that hears
//! what happens; state that lives through the work stays private below it.
//!
//! The engine never asks which kind of store it talks to, prints nothing and reads no environment.
#![forbid(unsafe_code)]

mod archive;
mod archive_dir;
mod audit;
mod backup;
mod cat;
mod chain;
mod checkpoint;
mod count;
mod diff;
mod error;
mod find;
mod history;
mod list;
mod monitor;
mod options;
mod owner;
mod remove;
mod report;
mod restore;
mod scratch;
mod signed;
mod state;
mod thaw;
pub mod transfer;
mod verify;
mod volumes;

pub use archive_dir::remove_lock_files;
pub use audit::{AuditReport, Wrong, audit};
pub use backup::{backup, measure};
pub use cat::{CatOptions, cat};
pub use count::Count;
pub use diff::{DiffOptions, DiffReport, PathChange, diff};
pub use error::{Error, Result};
pub use find::{FindOptions, FindReport, FindScope, Found, PathEvent, PathVersion, find};
pub use history::changes;
pub use list::{list, status};
pub use monitor::{Event, Monitor, Silent, SourceSize};
pub use options::{
    BackupKind, BackupOptions, JsonStat, KeyProvider, ListOptions, MakeJsonStat, MetadataSync,
    RestoreOptions, SignedBy, Target, VerifyOptions, VolumeMode,
};
pub use remove::{CleanupOptions, RemoveOptions, RemoveReport, Retention, cleanup, remove};
pub use report::{
    BackupReport, Difference, RestoreReport, SetChanges, Statistics, StatusReport, VerifyReport,
};
pub use restore::restore;
pub use state::{Aspect, PathState};
pub use verify::verify;
