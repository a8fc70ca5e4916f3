//! Making volumes visible and recording them, in order.
//!
//! A volume enters duplicity's partial manifest only once the store has it. One more rule protects
//! whoever resumes with duplicity: its restart skips pieces of a delta by number, which is right only
//! for deltas of its own making. So a volume that ends inside a delta of ours is withheld from the
//! partial manifest, with all that follow, until a later volume ends elsewhere; seen from duplicity
//! the set then has more volumes than its manifest, and it starts over. redup itself resumes from its
//! own checkpoint, which has every volume.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender};
use redup_format::filename::{Kind, Naming, Span};
use redup_format::manifest::VolumeInfo;

use super::cut::FinishedVolume;
use super::log::SetLog;
use crate::archive_dir::ArchiveDir;
use crate::checkpoint::{Checkpoint, StoredPieces, StoredVolume};
use crate::{Error, Event, Monitor, Result};

/// Records volumes as the store acknowledges them.
pub(super) struct Committer<'a> {
    dir: &'a ArchiveDir,
    monitor: &'a dyn Monitor,
    log: Arc<Mutex<SetLog>>,
    manifest_name: String,
    header: Vec<u8>,
    checkpoint: Option<Checkpoint>,
    span: Span,
    volumes: Vec<StoredVolume>,
    listed: usize,
    stored_bytes: u64,
}

impl<'a> Committer<'a> {
    /// A committer that goes on after `kept` volumes, whose record it writes anew.
    pub(super) fn new(
        dir: &'a ArchiveDir,
        monitor: &'a dyn Monitor,
        naming: &Naming,
        span: Span,
        header: Vec<u8>,
        log: Arc<Mutex<SetLog>>,
        kept: Vec<StoredVolume>,
    ) -> Result<Self> {
        let mut committer = Self {
            dir,
            monitor,
            log,
            manifest_name: naming.partial_name(span, Kind::Manifest),
            header,
            checkpoint: None,
            span,
            volumes: kept,
            listed: 0,
            stored_bytes: 0,
        };
        if !committer.volumes.is_empty() {
            committer.begin()?;
        }
        Ok(committer)
    }

    /// The number of the next volume.
    pub(super) fn next_number(&self) -> u32 {
        u32::try_from(self.volumes.len() + 1).unwrap_or(u32::MAX)
    }

    /// Commits volumes until the cutter has no more, and tells `stored` of each. Gives all volumes of the
    /// set and the bytes that this run stored.
    pub(super) fn run(
        mut self,
        finished: &Receiver<FinishedVolume>,
        stored: &Sender<()>,
    ) -> Result<(Vec<StoredVolume>, u64)> {
        for volume in finished {
            self.monitor.event(Event::Writing { name: &volume.name });
            let len = volume.object.complete()?;
            self.stored_bytes += len;
            self.record(volume.info, volume.pieces, len)?;
            // A cutter that makes no more does not listen.
            stored.send(()).ok();
        }
        Ok((self.volumes, self.stored_bytes))
    }

    fn record(&mut self, info: VolumeInfo, pieces: Option<StoredPieces>, len: u64) -> Result<()> {
        let number = info.number;
        let signatures = lock(&self.log)?.sync()?;
        let volume = StoredVolume {
            info,
            len,
            pieces,
            signatures,
        };
        match &mut self.checkpoint {
            None => {
                self.volumes.push(volume);
                self.begin()?;
            }
            Some(checkpoint) => {
                checkpoint.append(self.dir, &volume)?;
                self.volumes.push(volume);
                self.list_in_manifest()?;
            }
        }
        self.monitor.event(Event::VolumeStored { number });
        Ok(())
    }

    /// Gives the set its partial files: signatures first, for the manifest's existence claims them.
    fn begin(&mut self) -> Result<()> {
        lock(&self.log)?.publish(self.dir)?;
        self.checkpoint = Some(Checkpoint::begin(self.dir, self.span, &self.volumes)?);
        let listed = self.listable();
        let mut bytes = self.header.clone();
        for volume in &self.volumes[..listed] {
            bytes.extend(volume.info.to_bytes());
        }
        self.dir.write(&self.manifest_name, &bytes)?;
        self.listed = listed;
        Ok(())
    }

    fn list_in_manifest(&mut self) -> Result<()> {
        let listable = self.listable();
        if listable <= self.listed {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for volume in &self.volumes[self.listed..listable] {
            bytes.extend(volume.info.to_bytes());
        }
        let path = self.dir.path(&self.manifest_name);
        let mut file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|e| Error::io("open", &path, e))?;
        file.write_all(&bytes)
            .and_then(|()| file.sync_data())
            .map_err(|e| Error::io("write", path, e))?;
        self.listed = listable;
        Ok(())
    }

    /// How many volumes duplicity may be told of. It would resume after the last but one of those
    /// at the store, so that one must not end inside a delta unless it is kept from it.
    fn listable(&self) -> usize {
        let count = self.volumes.len();
        let ends_in_delta = |v: &StoredVolume| v.pieces.as_ref().is_some_and(|p| p.diff);
        match self.volumes[..count.saturating_sub(1)].last() {
            Some(last_but_one) if ends_in_delta(last_but_one) => self.listed,
            _ => count - usize::from(self.volumes.last().is_some_and(ends_in_delta)),
        }
    }
}

pub(super) fn lock(log: &Mutex<SetLog>) -> Result<std::sync::MutexGuard<'_, SetLog>> {
    log.lock()
        .map_err(|_| Error::Internal("the signature writer"))
}
