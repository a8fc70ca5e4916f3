//! Bringing the archive dir in line with the store.

use std::io::{self, BufWriter, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use redup_difftar::sigtar::SigtarReader;
use redup_format::collections::{BackupSet, SetFile, SyncPlan};
use redup_format::filename::Kind;
use redup_format::time::Timestamp;

use super::{Archive, LOCAL_LEVEL, parse_manifest, signature_error, with_volumes};
use crate::thaw::make_readable;
use crate::{Error, Event, MetadataSync, Result};

/// The chains whose metadata a command needs.
pub(crate) enum Wanted<'a> {
    /// Those that serve these times, the newest one for `None`.
    Times(&'a [Option<Timestamp>]),
    /// Every chain.
    AllChains,
}

impl Archive<'_> {
    /// Brings manifests and signatures of the chain that serves `time` into the archive dir, and
    /// removes what has no counterpart at the store.
    pub(crate) fn sync(&mut self, time: Option<Timestamp>) -> Result<()> {
        self.sync_chains(&Wanted::Times(&[time]))
    }

    /// The same for several chains.
    pub(crate) fn sync_chains(&mut self, wanted: &Wanted<'_>) -> Result<()> {
        self.sync_kinds(wanted, true)?;
        self.refresh()?;
        self.tell_last_full();
        Ok(())
    }

    /// The same for manifests only, all that a restore needs.
    pub(crate) fn sync_manifests(&mut self, time: Option<Timestamp>) -> Result<()> {
        self.sync_kinds(&Wanted::Times(&[time]), false)?;
        self.refresh()?;
        self.tell_last_full();
        Ok(())
    }

    /// What [`sync`](Self::sync) would do, told and not done.
    pub(crate) fn announce_sync(&self) {
        if self.trusted {
            return;
        }
        let plan = self.sync_plan(&Wanted::Times(&[None]), true);
        if plan.delete.is_empty() && plan.fetch.is_empty() {
            self.monitor.event(Event::InSync);
            return;
        }
        let fetch = plan.fetch.iter().map(|fetch| fetch.remote.name.as_str());
        self.monitor.event(Event::SyncPlanned {
            fetch: &fetch.collect::<Vec<_>>(),
            delete: &plan.delete.iter().map(String::as_str).collect::<Vec<_>>(),
        });
    }

    /// Tells that the archive dir has all that the newest chain has at the store, if that is so.
    pub(crate) fn tell_in_sync(&self) {
        let plan = self.sync_plan(&Wanted::Times(&[None]), true);
        if !self.trusted && plan.delete.is_empty() && plan.fetch.is_empty() {
            self.monitor.event(Event::InSync);
        }
    }

    /// Whether metadata of all chains were asked for.
    pub(crate) fn syncs_all(&self) -> bool {
        self.target.sync == MetadataSync::All
    }

    fn sync_plan(&self, wanted: &Wanted<'_>, signatures: bool) -> SyncPlan {
        let all = self.syncs_all();
        let chain = |time: &Option<Timestamp>| match time {
            Some(time) => self.collection.chain_for_time(*time).ok().flatten(),
            None => self.collection.newest_chain(),
        };
        let ranges: Vec<_> = match wanted {
            Wanted::Times(times) if !all => times
                .iter()
                .map(|time| chain(time).map(|chain| chain.range()))
                .collect(),
            // What belongs to no chain is not asked for.
            Wanted::AllChains if !all => {
                let chains = self.collection.chains().iter();
                chains.map(|chain| Some(chain.range())).collect()
            }
            Wanted::Times(_) | Wanted::AllChains => vec![None],
        };
        let mut plan = SyncPlan::default();
        for range in ranges {
            let SyncPlan { delete, fetch } = self.collection.sync_plan(range);
            plan.delete = delete;
            for fetch in fetch {
                if !plan.fetch.contains(&fetch) {
                    plan.fetch.push(fetch);
                }
            }
        }
        plan.fetch
            .retain(|fetch| signatures || all || fetch.kind == Kind::Manifest);
        plan
    }

    fn sync_kinds(&self, wanted: &Wanted<'_>, signatures: bool) -> Result<()> {
        if self.trusted {
            return Ok(());
        }
        let plan = self.sync_plan(wanted, signatures);
        if plan.delete.is_empty() && plan.fetch.is_empty() {
            self.monitor.event(Event::InSync);
            return Ok(());
        }
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
