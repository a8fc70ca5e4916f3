//! An opened target: its listing, its archive dir, and the two brought in line.

mod sync;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::RangeInclusive;
use std::sync::Arc;

use redup_difftar::collate::CombinedSignatures;
use redup_difftar::sigtar::SigtarReader;
use redup_format::collections::{BackupChain, BackupSet, Collection, Place, SetFile, SetState};
use redup_format::filename::Suffix;
use redup_format::manifest::{Manifest, Reader as ManifestReader};
use redup_format::time::Timestamp;
use redup_storage::Access;
use redup_volume::VolumeReader;

use crate::archive_dir::ArchiveDir;
use crate::signed::{SignedReader, decryptor};
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

    /// The collection, and what the store has of each name, if it was listed.
    pub(crate) fn into_collection(self) -> (Collection, Option<HashMap<String, u64>>) {
        (self.collection, self.listed.then_some(self.lengths))
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
        let sets = match time {
            Some(time) => self.all_sets_at(time)?,
            None => self.newest_sets()?,
        };
        self.tell_left_out(&[(sets, time)]);
        Ok(sets)
    }

    /// Tells what is not in these states, each of a time: sets that would be newer, had they not lost a part, and that
    /// a time is before all of them.
    pub(crate) fn tell_left_out(&self, states: &[(&[BackupSet], Option<Timestamp>)]) {
        let mut early = states.iter().filter_map(|(sets, time)| {
            let oldest = sets.first()?.span.end();
            time.is_some_and(|time| time < oldest).then_some(oldest)
        });
        if let Some(oldest) = early.next() {
            self.monitor.event(Event::BeforeOldest(oldest));
        }
        let lost = self.collection.incomplete_sets();
        for set in lost.iter().chain(self.collection.orphaned_sets()) {
            let end = set.span.end();
            let is_left_out = |(sets, time): &(&[BackupSet], Option<Timestamp>)| {
                sets.last().map(|set| set.span.end()) < Some(end)
                    && time.is_none_or(|time| end <= time)
            };
            if states.iter().any(is_left_out) {
                let why = match set.manifest() {
                    Some(_) => "a set it builds on is not complete",
                    None => "it has no manifest",
                };
                let text = format!("leaving out the set {}: {why}", set.span);
                self.monitor.event(Event::Warning(&text));
            }
        }
    }

    /// Tells which point in time `sets` make up.
    pub(crate) fn tell_time(&self, sets: &[BackupSet]) {
        if let Some(last) = sets.last() {
            self.monitor.event(Event::PointInTime(last.span.end()));
        }
    }

    /// The sets up to `time`, that of an interrupted run included.
    fn all_sets_at(&self, time: Timestamp) -> Result<&[BackupSet]> {
        let none = || Error::NoChains(self.transfer.location());
        let chain = self.collection.chain_for_time(time)?.ok_or_else(none)?;
        Ok(chain.sets_up_to(time))
    }

    /// The sets of the newest state.
    ///
    /// An interrupted one is passed over while there is a complete one: what it has of the tree stops somewhere, and
    /// nobody who asks for the newest state means that.
    fn newest_sets(&self) -> Result<&[BackupSet]> {
        let none = || Error::NoChains(self.transfer.location());
        for chain in self.collection.chains().iter().rev() {
            let sets = chain.sets();
            let whole = sets.iter().take_while(|set| is_whole(set)).count();
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

    /// The sets that make up the state at `time` as far as runs have ended: what an interrupted one has stored is no
    /// point in time yet.
    pub(crate) fn whole_sets_at(&self, time: Timestamp) -> Result<&[BackupSet]> {
        let mut time = time;
        loop {
            let sets = self.all_sets_at(time).map_err(without_signatures)?;
            let whole = sets.iter().take_while(|set| is_whole(set));
            let whole = &sets[..whole.count()];
            match sets.first().map(|set| set.span.end()) {
                _ if !whole.is_empty() => return Ok(whole),
                // A full that was interrupted hides those before it.
                Some(start) if start <= time => time = Timestamp::from_secs(start.secs() - 1),
                _ => return Err(Error::NoSignatureChains(self.transfer.location())),
            }
        }
    }

    /// The newest chain whose full was made to its end.
    pub(crate) fn newest_whole_chain(&self) -> Option<&BackupChain> {
        let mut chains = self.collection.chains().iter().rev();
        chains.find(|chain| is_whole(chain.full()))
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

    /// A metadata file, unwrapped, from wherever it is. At its end it is an error when it lacks a signature that is
    /// asked for.
    pub(crate) fn open_file(&self, file: &SetFile) -> Result<Box<dyn Read>> {
        let input: Box<dyn Read + Send> = match file.place {
            Place::Local => Box::new(BufReader::new(self.open_local(&file.name)?)),
            Place::Remote => Box::new(self.transfer.read(&file.name, self.length(&file.name))),
        };
        let keys = &*self.target.keys;
        let signer = keys
            .required_signer()
            .filter(|signer| signer.metadata && file.place == Place::Remote);
        let decryptor = decryptor(keys, signer, &file.name, file.suffix)?;
        let reader = VolumeReader::new(file.suffix, decryptor.as_deref(), input)
            .map_err(|error| volume_error(&file.name, error.into()))?;
        Ok(match signer {
            Some(signer) => Box::new(SignedReader::new(reader, signer, &file.name)),
            None => Box::new(reader),
        })
    }

    fn open_local(&self, name: &str) -> Result<File> {
        let missing = || Error::io("open", self.dir.path(name), io::ErrorKind::NotFound.into());
        self.dir.open_file(name)?.ok_or_else(missing)
    }

    /// The signatures of `sets`, oldest first, merged. The archive dir must have them.
    pub(crate) fn signatures(&self, sets: &[BackupSet]) -> Result<LocalSignatures> {
        self.sigtars(sets).map(CombinedSignatures::new)
    }

    /// The signatures of `sets`, each by itself.
    pub(crate) fn sigtars<'s>(
        &self,
        sets: impl IntoIterator<Item = &'s BackupSet>,
    ) -> Result<Vec<SigtarReader<Box<dyn Read>>>> {
        let open = |set: &BackupSet| {
            let file = set.signature().ok_or(Error::NoSignatures(set.span))?;
            let input = self.open_file(file)?;
            Ok(SigtarReader::new(input).named(&file.name))
        };
        sets.into_iter().map(open).collect()
    }
}

/// Whether the run that made it ended.
pub(crate) fn is_whole(set: &BackupSet) -> bool {
    set.state() != SetState::Interrupted
}

/// The times of these sets of one chain, of which there is at least one.
pub(crate) fn range_of(sets: &[BackupSet]) -> RangeInclusive<Timestamp> {
    let time = |set: Option<&BackupSet>| set.map_or(Timestamp::from_secs(0), |set| set.span.end());
    time(sets.first())..=time(sets.last())
}

/// For those who look at signatures.
pub(crate) fn without_signatures(error: Error) -> Error {
    match error {
        Error::NoChains(location) => Error::NoSignatureChains(location),
        other => other,
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
