//! Bringing the archive dir in line with the store.

use std::io::{self, BufWriter, Read, Write};
use std::ops::RangeInclusive;

use flate2::Compression;
use flate2::write::GzEncoder;
use redup_difftar::sigtar::SigtarReader;
use redup_format::collections::{BackupChain, BackupSet, SetFile, SyncPlan};
use redup_format::filename::Kind;
use redup_format::time::Timestamp;

use super::{Archive, LOCAL_LEVEL, parse_manifest, signature_error, with_volumes};
use crate::thaw::make_readable;
use crate::{Error, Event, MetadataSync, Result};

impl Archive<'_> {
    /// Brings manifests and signatures of the chain that serves `time` (the newest state for `None`) into the archive
    /// dir, and removes what has no counterpart at the store.
    pub(crate) fn sync(&mut self, time: Option<Timestamp>) -> Result<()> {
        let range = self.range_at(time);
        self.sync_kinds(range.as_slice(), true)
    }

    /// The same for what overlaps any of `ranges`.
    pub(crate) fn sync_ranges(&mut self, ranges: &[RangeInclusive<Timestamp>]) -> Result<()> {
        self.sync_kinds(ranges, true)
    }

    /// The same as [`sync`](Self::sync) for manifests only, all that a restore needs.
    pub(crate) fn sync_manifests(&mut self, time: Option<Timestamp>) -> Result<()> {
        let range = self.range_at(time);
        self.sync_kinds(range.as_slice(), false)
    }

    /// What [`sync`](Self::sync) would do, told and not done.
    pub(crate) fn announce_sync(&self) {
        let Some(plan) = self.sync_plan(self.range_at(None).as_slice(), true) else {
            return;
        };
        let fetch = plan.fetch.iter().map(|fetch| fetch.remote.name.as_str());
        self.monitor.event(Event::SyncPlanned {
            fetch: &fetch.collect::<Vec<_>>(),
            delete: &plan.delete.iter().map(String::as_str).collect::<Vec<_>>(),
        });
    }

    /// Tells that the archive dir has all that the newest chain has at the store, if that is so.
    pub(crate) fn tell_in_sync(&self) {
        drop(self.sync_plan(self.range_at(None).as_slice(), true));
    }

    /// Whether metadata of all chains were asked for.
    pub(crate) fn syncs_all(&self) -> bool {
        self.target.sync == MetadataSync::All
    }

    /// The chain that has the state at `time`.
    fn range_at(&self, time: Option<Timestamp>) -> Option<RangeInclusive<Timestamp>> {
        let chain = match time {
            Some(time) => self.collection.chain_for_time(time).ok().flatten(),
            None => self.newest_whole_chain().or(self.collection.newest_chain()),
        };
        chain.map(BackupChain::range)
    }

    /// What there is to do. Where that is nothing, says that all is in line.
    fn sync_plan(
        &self,
        ranges: &[RangeInclusive<Timestamp>],
        signatures: bool,
    ) -> Option<SyncPlan> {
        if self.trusted {
            return None;
        }
        let all = self.syncs_all();
        let mut plan = self.collection.sync_plan((!all).then_some(ranges));
        plan.fetch
            .retain(|fetch| signatures || all || fetch.kind == Kind::Manifest);
        if plan.is_empty() {
            self.monitor.event(Event::InSync);
            return None;
        }
        Some(plan)
    }

    fn sync_kinds(&mut self, ranges: &[RangeInclusive<Timestamp>], signatures: bool) -> Result<()> {
        if let Some(plan) = self.sync_plan(ranges, signatures) {
            self.carry_out(&plan)?;
        }
        self.refresh()?;
        self.tell_last_full();
        Ok(())
    }

    fn carry_out(&self, plan: &SyncPlan) -> Result<()> {
        make_readable(
            self,
            plan.fetch.iter().map(|fetch| fetch.remote.name.as_str()),
        )?;
        self.monitor.event(Event::SyncStarted);
        for name in &plan.delete {
            self.monitor.event(Event::SyncDelete { name });
            self.dir.remove(name)?;
        }
        for fetch in &plan.fetch {
            self.monitor.event(Event::SyncFetch {
                name: &fetch.remote.name,
            });
            match self.fetch(&fetch.remote, &fetch.local, fetch.kind) {
                // Whoever needs this one reads it at the store and fails there; another state of
                // the chain may not.
                Err(error @ (Error::BadManifest { .. } | Error::EmptyManifest(_))) => {
                    let text = format!("{error}; the archive dir goes without it");
                    self.monitor.event(Event::Warning(&text));
                }
                other => other?,
            }
        }
        self.dir.sync()
    }

    /// Copies a metadata file into the archive dir, where it appears only when it could be read whole
    /// and makes sense: a damaged copy would outlive the repair of the original.
    fn fetch(&self, remote: &SetFile, local: &str, kind: Kind) -> Result<()> {
        self.fetched(remote, || self.fetch_once(remote, local, kind))
    }

    fn fetch_once(&self, remote: &SetFile, local: &str, kind: Kind) -> Result<()> {
        let mut staged = self.dir.stage(local)?;
        let local_error = |e| Error::io("write", self.dir.path(local), e);
        let write_error = |e| io::Error::other(local_error(e));
        let input = self.open_file(remote)?;
        let out = BufWriter::new(&mut staged);
        if kind == Kind::Signature {
            let mut out = GzEncoder::new(out, Compression::new(LOCAL_LEVEL));
            check_signatures(&remote.name, Copying::new(input, &mut out, write_error))?;
            out.finish().and_then(|mut out| out.flush())
        } else {
            let mut out = out;
            let copied = Copying::new(input, &mut out, write_error);
            with_volumes(&remote.name, parse_manifest(&remote.name, copied)?)?;
            out.flush()
        }
        .map_err(local_error)?;
        staged.commit()
    }

    /// Ends what a crash between storing a manifest and renaming the local one left undone:
    /// duplicity refuses to work in that state.
    pub(super) fn finish_renames(&mut self) -> Result<()> {
        let pending: Vec<BackupSet> = self.collection.pending_renames().cloned().collect();
        for set in &pending {
            if let (Some(part), Some(remote)) = (&set.local.manifest_part, &set.remote_manifest) {
                let local = self.target.naming.local_name(set.span, Kind::Manifest);
                match self.fetch(remote, &local, Kind::Manifest) {
                    Ok(()) => self.dir.remove(&part.name)?,
                    // Without the key: the signatures get their final name before the manifest is
                    // stored, so where they have it the checkpoint is the whole manifest.
                    Err(_) if set.local.signature.is_some() => {
                        self.dir.rename(&part.name, &local)?;
                    }
                    Err(error) => return Err(error),
                }
                if let Some(signatures) = &set.local.signature_part {
                    self.dir.remove(&signatures.name)?;
                }
                self.dir.remove(crate::checkpoint::NAME)?;
                self.dir.sync()?;
            }
        }
        if pending.is_empty() {
            Ok(())
        } else {
            self.refresh()
        }
    }
}

/// Reads a sigtar to its end.
fn check_signatures(name: &str, input: impl Read) -> Result<()> {
    let mut reader = SigtarReader::new(input).named(name);
    while reader.advance().map_err(signature_error)?.is_some() {}
    Ok(())
}

/// Reads from `input` and writes what was read to `out`.
struct Copying<R, W, F> {
    input: R,
    out: W,
    write_error: F,
}

impl<R: Read, W: Write, F: Fn(io::Error) -> io::Error> Copying<R, W, F> {
    fn new(input: R, out: W, write_error: F) -> Self {
        Self {
            input,
            out,
            write_error,
        }
    }
}

impl<R: Read, W: Write, F: Fn(io::Error) -> io::Error> Read for Copying<R, W, F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buf)?;
        self.out
            .write_all(&buf[..count])
            .map_err(&self.write_error)?;
        Ok(count)
    }
}
