//! The first stage: source beside signatures, each change into members and log entries.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

use crossbeam_channel::Sender;
use redup_difftar::diffdir::{Change, SourceError, SourceItem};
use redup_difftar::difftar::Member;
use redup_format::entry::Attributes;
use redup_format::index::PathIndex;
use redup_format::manifest::ChangeKind;
use redup_format::time::Timestamp;
use redup_rsync::{DeltaIndex, Signature};
use redup_select::{SourceEntry, WalkError};

use super::commit::lock;
use super::cut::CutMember;
use super::log::{Entry, SetLog};
use super::measure::weigh;
use super::resume::Start;
use super::store_file::FileJob;
use crate::archive::signature_error;
use crate::{Error, Event, Monitor, Result, Statistics, Target};

/// A source entry, as the comparison sees it.
#[derive(Debug)]
pub(super) struct Item(pub(super) SourceEntry);

impl SourceItem for Item {
    fn index(&self) -> &PathIndex {
        &self.0.index
    }

    fn attributes(&self) -> &Attributes {
        &self.0.attributes
    }
}

/// A path that could not be walked.
#[derive(Debug)]
pub(super) struct Unwalkable(pub(super) WalkError);

impl SourceError for Unwalkable {
    fn index(&self) -> &PathIndex {
        &self.0.index
    }
}

/// What the comparison says of one path.
pub(super) type SourceChange = Change<Item, Unwalkable>;

/// Where what is stored goes: paths into the log, their members into volumes.
pub(super) struct Output {
    pub(super) log: Arc<Mutex<SetLog>>,
    pub(super) members: Sender<CutMember>,
}

impl Output {
    fn log(&self, index: &PathIndex, entry: Entry<'_>, change: Option<ChangeKind>) -> Result<()> {
        lock(&self.log)?.add(index, entry, change)
    }

    fn send(&self, member: Member, diff: bool, stored: bool) -> Result<()> {
        // The stage behind reports its own error; this one only ends the scan.
        let item = CutMember {
            member,
            diff,
            stored,
        };
        self.members
            .send(item)
            .map_err(|_| Error::Internal("the volume writer"))
    }
}

/// Compares, reads and hands on.
pub(super) struct Scanner<'a> {
    /// `None` when nothing is stored (dry run).
    pub(super) output: Option<Output>,
    /// Says when to stop.
    pub(super) target: &'a Target,
    pub(super) monitor: &'a dyn Monitor,
    pub(super) max_blocksize: Option<u32>,
    pub(super) start: Start,
    /// When the set that is built on was made.
    pub(super) since: Option<Timestamp>,
    pub(super) statistics: Statistics,
    pub(super) source_bytes: u64,
}

impl Scanner<'_> {
    /// Stores every change that lies behind the start.
    pub(super) fn run(
        &mut self,
        changes: impl Iterator<Item = Result<SourceChange, redup_difftar::Error>>,
    ) -> Result<()> {
        for change in changes {
            self.target.go_on()?;
            match change.map_err(signature_error)? {
                Change::Unchanged { source } => self.count_source(&source.0),
                Change::Unreadable { error } => {
                    self.unreadable(&error.0.path, &error.0.source);
                }
                Change::Deleted { index, previous } => self.deleted(index, &previous)?,
                // Stored whole, like what is new: duplicity calls it so, too, unless both the old and the
                // new are regular files.
                Change::Snapshot { source, .. } => self.present(&source.0, false, None)?,
                Change::Diff {
                    source, signature, ..
                } => {
                    self.present(&source.0, true, Some(signature))?;
                }
            }
        }
        Ok(())
    }

    fn deleted(&mut self, index: PathIndex, previous: &Attributes) -> Result<()> {
        self.statistics.deleted_files += 1;
        self.statistics.delta_entries += 1;
        if !self.start.is_before(&index) {
            return Ok(());
        }
        self.monitor.event(Event::Deleted(&index));
        if let Some(output) = &self.output {
            let listed = previous
                .file_type
                .is_regular()
                .then_some(ChangeKind::Deleted);
            output.log(&index, Entry::Deleted, listed)?;
            output.send(Member::deleted(index)?, false, false)?;
        }
        Ok(())
    }

    fn present(
        &mut self,
        entry: &SourceEntry,
        existed: bool,
        signature: Option<Vec<u8>>,
    ) -> Result<()> {
        if !self.start.is_before(&entry.index) {
            self.count_source(entry);
            self.count_change(entry, existed, entry.len);
            return Ok(());
        }
        let file = if entry.attributes.file_type.is_regular() {
            match entry.open() {
                Ok(file) => Some(file),
                Err(error) => {
                    self.count_source(entry);
                    self.unreadable(&entry.path(), &error);
                    return Ok(());
                }
            }
        } else {
            None
        };
        self.monitor.event(if existed {
            Event::Changed(&entry.index)
        } else {
            Event::Added(&entry.index)
        });
        let len = match (file, &self.output) {
            (Some(file), Some(_)) => self.file(entry, &file, signature)?,
            (None, Some(output)) => {
                output.log(&entry.index, Entry::Other(&entry.attributes), None)?;
                let member = Member::snapshot(entry.index.clone(), &entry.attributes)?;
                output.send(member, false, false)?;
                entry.len
            }
            (Some(_), None) => {
                // Whoever waits for a dry run waits for this sum.
                self.source_bytes += entry.len;
                self.monitor.event(Event::SourceBytes(self.source_bytes));
                entry.len
            }
            (None, None) => entry.len,
        };
        self.count_source(entry);
        self.count_change(entry, existed, len);
        Ok(())
    }

    /// Stores one regular file; gives the bytes that were read.
    fn file(
        &mut self,
        entry: &SourceEntry,
        file: &File,
        signature: Option<Vec<u8>>,
    ) -> Result<u64> {
        let before = file.metadata().map(|m| stamp(&m)).ok();
        let basis = match signature {
            Some(bytes) => Signature::parse(bytes)
                .map(DeltaIndex::new)
                .map(Some)
                .or_else(|e| {
                    // Nothing can build on it: a full copy is always right.
                    let text = format!(
                        "stored signature of {} is unusable ({e}), storing it whole",
                        entry.index
                    );
                    self.monitor.event(Event::Warning(&text));
                    Ok::<_, Error>(None)
                })?,
            None => None,
        };
        let diff = basis.is_some();
        let job = FileJob {
            index: &entry.index,
            attributes: &entry.attributes,
            len: entry.len,
            max_blocksize: self.max_blocksize,
            basis: basis.as_ref(),
        };
        let Some(output) = &self.output else {
            return Ok(0);
        };
        let (target, monitor, start) = (self.target, self.monitor, &self.start);
        let source_bytes = &mut self.source_bytes;
        let stored = job.run(
            file,
            |count| {
                *source_bytes += count;
                monitor.event(Event::SourceBytes(*source_bytes));
                target.go_on()
            },
            |member| {
                let stored = start.has(&member);
                output.send(member, diff, stored)
            },
        )?;
        let mut attributes = entry.attributes.clone();
        if let Some(error) = &stored.error {
            self.unreadable(&entry.path(), error);
            // The next run must not take the part that was read for the file.
            attributes.mtime = 0;
        } else if file.metadata().map(|m| stamp(&m)).ok() != before {
            self.monitor.event(Event::ChangedWhileRead(&entry.path()));
        }
        let listed = if diff {
            ChangeKind::Changed
        } else {
            ChangeKind::New
        };
        self.statistics.raw_delta_size += stored.payload;
        if let Some(output) = &self.output {
            output.log(
                &entry.index,
                Entry::File(&attributes, &stored.signature),
                Some(listed),
            )?;
            stored
                .last
                .finish(&mut |member| output.send(member, diff, false))?;
        }
        Ok(stored.read)
    }

    fn unreadable(&mut self, path: &std::path::Path, error: &io::Error) {
        self.statistics.errors += 1;
        self.monitor.event(Event::Unreadable { path, error });
    }

    fn count_source(&mut self, entry: &SourceEntry) {
        self.statistics.source_files += 1;
        self.statistics.source_file_size += entry.len;
        self.monitor.event(Event::SourcePath {
            index: &entry.index,
            size: weigh(entry, self.since),
        });
    }

    fn count_change(&mut self, entry: &SourceEntry, existed: bool, len: u64) {
        let s = &mut self.statistics;
        s.delta_entries += 1;
        let len = if entry.attributes.file_type.is_regular() {
            len
        } else {
            entry.len
        };
        if existed {
            s.changed_files += 1;
            s.changed_file_size += len;
        } else {
            s.new_files += 1;
            s.new_file_size += len;
        }
    }
}

/// What changes when a file is written to.
fn stamp(metadata: &std::fs::Metadata) -> (u64, i64, i64) {
    (metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}
