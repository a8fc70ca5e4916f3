//! An opened target: its listing, its archive dir, and the two brought in line.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use redup_difftar::collate::CombinedSignatures;
use redup_difftar::sigtar::SigtarReader;
use redup_format::collections::{BackupSet, Collection, Place, SetFile, SetState, SyncPlan};
use redup_format::filename::{Kind, Suffix};
use redup_format::manifest::{Manifest, Reader as ManifestReader};
use redup_format::time::Timestamp;
use redup_storage::Access;
use redup_volume::VolumeReader;

use crate::archive_dir::ArchiveDir;
use crate::thaw::make_readable;
use crate::transfer::Transfer;
use crate::volumes::ATTEMPTS;
use crate::{Error, Event, KeyProvider, MetadataSync, Monitor, Result, Target};

/// Level of local signature copies.
pub(crate) const LOCAL_LEVEL: u32 = 6;

/// Signatures as they are read from the archive dir.
pub(crate) type LocalSignatures = CombinedSignatures<Box<dyn Read>>;

/// A target with its archive dir locked and both listings read.
pub(crate) struct Archive<'t> {
    target: &'t Target,
    monitor: &'t dyn Monitor,
    dir: ArchiveDir,
    transfer: Transfer,
    collection: Collection,
    lengths: HashMap<String, u64>,
    /// Objects that may lie in an archive class, as the listing has it.
    archived: HashSet<String>,
    /// Whether the archive dir is taken for the store's metadata.
    trusted: bool,
    /// Whether the collection is what the store has.
    listed: bool,
}

impl<'t> Archive<'t> {
    /// Takes the lock, lists, repairs what a crash between two renames left, and tells what fits nowhere.
    pub(crate) fn open(target: &'t Target, monitor: &'t dyn Monitor) -> Result<Self> {
        Self::open_as(target, monitor, true)
    }

    /// The same for a command that needs no volume: an archive dir that is trusted stands for the
    /// store, and no volume is known.
    pub(crate) fn open_metadata(target: &'t Target, monitor: &'t dyn Monitor) -> Result<Self> {
        Self::open_as(target, monitor, false)
    }

    fn open_as(target: &'t Target, monitor: &'t dyn Monitor, volumes: bool) -> Result<Self> {
        let dir = ArchiveDir::open(&target.archive_dir)?;
        let trusted = target.sync == MetadataSync::Trusted && !holds_partial(target, &dir.names()?);
        let mut archive = Self {
            target,
            monitor,
            dir,
            transfer: Transfer::new(
                Arc::clone(&target.storage),
                target.runtime.clone(),
                target.transfer_memory,
            ),
            collection: Collection::default(),
            lengths: HashMap::new(),
            archived: HashSet::new(),
            trusted,
            listed: volumes || !trusted,
        };
        archive.refresh()?;
        archive.finish_renames()?;
        monitor.event(Event::Status(&archive.collection));
        Ok(archive)
    }

    /// Tells the time of the newest full: after a sync, where there is one.
    pub(crate) fn tell_last_full(&self) {
        let fulls = self.collection.chains().iter().map(|chain| chain.start());
        self.monitor.event(Event::LastFull(fulls.max()));
    }

    /// Lists both places again.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        let local = self.dir.names()?;
        if !self.listed {
            let names = || local.iter().map(String::as_str);
            self.collection = Collection::from_names(&self.target.naming, names(), names());
            return Ok(());
        }
        let remote = self.transfer.list()?;
        self.collection = Collection::from_names(
            &self.target.naming,
            remote.iter().map(|object| object.name.as_str()),
            local.iter().map(String::as_str),
        );
        let archived = remote
            .iter()
            .filter(|object| object.access != Access::Immediate);
        self.archived = archived.map(|object| object.name.clone()).collect();
        self.lengths = remote
            .into_iter()
            .map(|object| (object.name, object.len))
            .collect();
        Ok(())
    }

    /// Whether the store was listed, so that it can be said what is missing there.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed
    }

    /// Whether the archive dir is not to be compared with the store.
    pub(crate) fn is_trusted(&self) -> bool {
        self.trusted
    }

    pub(crate) fn collection(&self) -> &Collection {
        &self.collection
    }

    pub(crate) fn into_collection(self) -> Collection {
        self.collection
    }

    pub(crate) fn dir(&self) -> &ArchiveDir {
        &self.dir
    }

    pub(crate) fn transfer(&self) -> &Transfer {
        &self.transfer
    }

    pub(crate) fn monitor(&self) -> &'t dyn Monitor {
        self.monitor
    }

    pub(crate) fn target(&self) -> &'t Target {
        self.target
    }

    pub(crate) fn keys(&self) -> Arc<dyn KeyProvider> {
        Arc::clone(&self.target.keys)
    }

    /// The sets that make up the state at `time`, oldest first. Sets that would be newer, had they not
    /// lost a part, are told.
    pub(crate) fn sets_at(&self, time: Option<Timestamp>) -> Result<&[BackupSet]> {
        let sets = self.usable_sets_at(time)?;
        let newest = sets.last().map(|set| set.span.end());
        let lost = self.collection.incomplete_sets();
        for set in lost.iter().chain(self.collection.orphaned_sets()) {
            let end = set.span.end();
            if newest < Some(end) && time.is_none_or(|time| end <= time) {
                let why = match set.manifest() {
                    Some(_) => "a set it builds on is not complete",
                    None => "it has no manifest",
                };
                let text = format!("leaving out the set {}: {why}", set.span);
                self.monitor.event(Event::Warning(&text));
            }
        }
        Ok(sets)
    }

    /// The whole sets up to `time`.
    ///
    /// Without a time, an interrupted set is passed over while there is a complete one: what it has
    /// of the tree stops somewhere, and nobody who asks for the newest state means that.
    fn usable_sets_at(&self, time: Option<Timestamp>) -> Result<&[BackupSet]> {
        let none = || Error::NoChains(self.transfer.location());
        if let Some(time) = time {
            let chain = self.collection.chain_for_time(time)?.ok_or_else(none)?;
            if time < chain.start() {
                self.monitor.event(Event::BeforeOldest(chain.start()));
            }
            return Ok(chain.sets_up_to(time));
        }
        for chain in self.collection.chains().iter().rev() {
            let sets = chain.sets();
            let whole = sets
                .iter()
                .take_while(|set| set.state() != SetState::Interrupted)
                .count();
            if whole < sets.len() {
                let text = format!("leaving out the interrupted set {}", chain.last().span);
                self.monitor.event(Event::Warning(&text));
            }
            if whole > 0 {
                return Ok(&sets[..whole]);
            }
        }
        self.collection
            .newest_chain()
            .map(|chain| chain.sets())
            .ok_or_else(none)
    }

    /// A set's manifest without its list of files: the archive dir's copy, else the store's.
    pub(crate) fn manifest(&self, set: &BackupSet) -> Result<Manifest> {
        let file = set.manifest().ok_or(Error::NoManifest(set.span))?;
        let whole = |file: &SetFile| {
            let manifest = self.read_manifest(file)?;
            match set.state() {
                SetState::Complete => with_volumes(&file.name, manifest),
                _ => Ok(manifest),
            }
        };
        match (whole(file), &set.remote_manifest) {
            // The archive dir holds copies: a damaged one is no loss.
            (Err(error @ (Error::BadManifest { .. } | Error::EmptyManifest(_))), Some(remote))
                if file.place == Place::Local =>
            {
                let text = format!("{error}; using the one at {}", self.transfer.location());
                self.monitor.event(Event::Warning(&text));
                whole(remote)
            }
            (read, _) => read,
        }
    }

    /// A manifest, from wherever it is.
    pub(crate) fn read_manifest(&self, file: &SetFile) -> Result<Manifest> {
        self.fetched(file, || parse_manifest(&file.name, self.open_file(file)?))
    }

    /// What `read` makes of a metadata file; one of the store that is damaged is fetched again first.
    fn fetched<T>(&self, file: &SetFile, read: impl Fn() -> Result<T>) -> Result<T> {
        let mut attempt = 1;
        loop {
            match read() {
                Err(error)
                    if attempt < ATTEMPTS
                        && file.place == Place::Remote
                        && error.may_be_transfer() =>
                {
                    let text = format!("{error}; fetching {} again", file.name);
                    self.monitor.event(Event::Info(&text));
                    attempt += 1;
                }
                read => return read,
            }
        }
    }

    /// Name, length and wrapping of a volume that the store has.
    pub(crate) fn volume_object(
        &self,
        set: &BackupSet,
        number: u32,
    ) -> Option<(String, u64, Suffix)> {
        let file = set.volumes.get(&number)?;
        Some((file.name.clone(), self.length(&file.name), file.suffix))
    }

    /// The length of an object, as it was listed.
    pub(crate) fn length(&self, name: &str) -> u64 {
        self.lengths.get(name).copied().unwrap_or(0)
    }

    /// Whether an object may have to be thawed before it can be read.
    pub(crate) fn may_be_archived(&self, name: &str) -> bool {
        self.archived.contains(name)
    }

    /// Brings manifests and signatures of the chain that serves `time` into the archive dir, and
    /// removes what has no counterpart at the store.
    pub(crate) fn sync(&mut self, time: Option<Timestamp>) -> Result<()> {
        self.sync_kinds(time, true)?;
        self.refresh()?;
        self.tell_last_full();
        Ok(())
    }

    /// The same for manifests only, all that a restore needs.
    pub(crate) fn sync_manifests(&mut self, time: Option<Timestamp>) -> Result<()> {
        self.sync_kinds(time, false)?;
        self.refresh()?;
        self.tell_last_full();
        Ok(())
    }

    /// What [`sync`](Self::sync) would do, told and not done.
    pub(crate) fn announce_sync(&self) {
        if self.trusted {
            return;
        }
        let plan = self.sync_plan(None, true);
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

    fn sync_plan(&self, time: Option<Timestamp>, signatures: bool) -> SyncPlan {
        let all = self.target.sync == MetadataSync::All;
        let chain = match time {
            _ if all => None,
            Some(time) => self.collection.chain_for_time(time).ok().flatten(),
            None => self.collection.newest_chain(),
        };
        let mut plan = self.collection.sync_plan(chain.map(|chain| chain.range()));
        plan.fetch
            .retain(|fetch| signatures || all || fetch.kind == Kind::Manifest);
        plan
    }

    fn sync_kinds(&self, time: Option<Timestamp>, signatures: bool) -> Result<()> {
        if self.trusted {
            return Ok(());
        }
        let plan = self.sync_plan(time, signatures);
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

    /// A metadata file, unwrapped, from wherever it is.
    pub(crate) fn open_file(&self, file: &SetFile) -> Result<Box<dyn Read>> {
        let input: Box<dyn Read + Send> = match file.place {
            Place::Local => Box::new(BufReader::new(self.open_local(&file.name)?)),
            Place::Remote => Box::new(self.transfer.read(&file.name, self.length(&file.name))),
        };
        let decryptor = match file.suffix {
            Suffix::Gpg | Suffix::Gpgsm => Some(self.target.keys.decryptor()?),
            Suffix::Plain | Suffix::Gzip => None,
        };
        let reader =
            VolumeReader::new(file.suffix, decryptor.as_deref(), input).map_err(|source| {
                Error::Volume {
                    name: file.name.clone(),
                    source,
                }
            })?;
        Ok(Box::new(reader))
    }

    fn open_local(&self, name: &str) -> Result<File> {
        let missing = || Error::io("open", self.dir.path(name), io::ErrorKind::NotFound.into());
        self.dir.open_file(name)?.ok_or_else(missing)
    }

    /// The signatures of `sets`, oldest first, merged. The archive dir must have them.
    pub(crate) fn signatures(&self, sets: &[BackupSet]) -> Result<LocalSignatures> {
        let mut archives = Vec::new();
        for set in sets {
            let file = set.signature().ok_or(Error::NoSignatures(set.span))?;
            let input = self.open_file(file)?;
            archives.push(SigtarReader::new(input).named(&file.name));
        }
        Ok(CombinedSignatures::new(archives))
    }

    /// Ends what a crash between storing a manifest and renaming the local one left undone:
    /// duplicity refuses to work in that state.
    fn finish_renames(&mut self) -> Result<()> {
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

/// Whether a backup was interrupted, by the archive dir.
fn holds_partial(target: &Target, local: &[String]) -> bool {
    let mut names = local.iter().filter_map(|name| target.naming.parse(name));
    names.any(|name| name.partial)
}

/// Failures below a reader travel as themselves; the rest is about the object.
pub(crate) fn volume_error(name: &str, error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::Volume {
            name: name.to_owned(),
            source: redup_volume::Error::from_io(error),
        },
    }
}

/// A manifest without its list of files.
fn parse_manifest(name: &str, mut input: impl Read) -> Result<Manifest> {
    let bad = |source| Error::BadManifest {
        name: name.to_owned(),
        source,
    };
    let mut reader = ManifestReader::new().without_files();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match input.read(&mut buffer).map_err(|e| volume_error(name, e))? {
            0 => return reader.finish().map_err(bad),
            count => reader.push(&buffer[..count]).map_err(bad)?,
        }
    }
}

/// That of a complete set names at least one volume.
fn with_volumes(name: &str, manifest: Manifest) -> Result<Manifest> {
    if manifest.volumes.is_empty() {
        return Err(Error::EmptyManifest(name.to_owned()));
    }
    Ok(manifest)
}

/// Reads a sigtar to its end.
fn check_signatures(name: &str, input: impl Read) -> Result<()> {
    let mut reader = SigtarReader::new(input).named(name);
    while reader.advance().map_err(signature_error)?.is_some() {}
    Ok(())
}

/// The engine's error inside that of a signature archive, where reading failed below it.
pub(crate) fn signature_error(error: redup_difftar::Error) -> Error {
    use redup_difftar::Error as ArchiveError;
    match error {
        ArchiveError::InArchive { name, source } => match *source {
            ArchiveError::Read { source, .. } => volume_error(&name, source),
            source => Error::Signatures {
                source: ArchiveError::InArchive {
                    name,
                    source: Box::new(source),
                },
            },
        },
        source => Error::Signatures { source },
    }
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
