//! Going on with an interrupted set.
//!
//! The signatures of paths that lie before the position must describe what the stored volumes hold,
//! not what the source looks like now: otherwise a later increment builds on content that is in no
//! volume. For sets that redup began, the checkpoint vouches for a prefix of the signature archive,
//! and that is copied. For sets that duplicity began, the signatures are computed again from the
//! stored volumes themselves.
//!
//! A set whose last volume ends inside a file goes on there only if the file still gives the very
//! pieces that are stored; else the volumes from the file's start on are made anew.

use std::io::{self, Read};
use std::path::Path;

use redup_difftar::Warnings;
use redup_difftar::diffdir::unchanged;
use redup_difftar::difftar::{Content, DifftarReader, Member};
use redup_difftar::sigtar::{SigEntry, SigState, SigtarReader};
use redup_format::collections::BackupSet;
use redup_format::entry::Attributes;
use redup_format::index::PathIndex;
use redup_format::manifest::{ChangeKind, Position};
use redup_rsync::{DeltaIndex, Signature, SignatureBuilder, block_len};
use redup_select::SourceEntry;
use sha1::{Digest, Sha1};

use super::cut::{Continued, PIECE};
use super::filelist::FileList;
use super::log::{Entry, SetLog};
use super::store_file::FileJob;
use crate::archive::{Archive, signature_error};
use crate::checkpoint::{Checkpoint, StoredPieces, StoredVolume};
use crate::count::Work;
use crate::owner::OwnerMap;
use crate::thaw::make_readable;
use crate::volumes::PlannedVolume;
use crate::{BackupOptions, Error, Event, Result};

/// Longest signature that is held in memory: that of a file of some 10^15 bytes.
pub(super) const SIGNATURE_LIMIT: u64 = 1 << 30;

/// Where a run starts in the stream of members.
#[derive(Debug, Default)]
pub(super) struct Start {
    position: Option<Position>,
}

impl Start {
    /// Whether a path is to be stored: it lies behind the start, or the start is inside it.
    pub(super) fn is_before(&self, index: &PathIndex) -> bool {
        match &self.position {
            None => true,
            Some(Position {
                index: last,
                block: None,
            }) => index > last,
            Some(Position {
                index: last,
                block: Some(_),
            }) => index >= last,
        }
    }

    /// Whether a volume that is kept has this member.
    pub(super) fn has(&self, member: &Member) -> bool {
        self.position.as_ref().is_some_and(|p| {
            p.index == member.index && member.block.is_some() && member.block <= p.block
        })
    }
}

/// What a resumed run starts from.
pub(super) struct Resumed {
    /// Volumes that stay.
    pub(super) kept: Vec<StoredVolume>,
    pub(super) start: Start,
    pub(super) continued: Option<Continued>,
    /// Signatures and file list of what the kept volumes hold.
    pub(super) log: SetLog,
}

/// What resuming needs to know.
pub(super) struct Resumer<'a> {
    pub(super) archive: &'a Archive<'a>,
    pub(super) set: &'a BackupSet,
    pub(super) source: &'a Path,
    pub(super) options: &'a BackupOptions,
    /// The sets the interrupted increment builds on.
    pub(super) basis: &'a [BackupSet],
}

impl Resumer<'_> {
    /// Finds the last volume after which the set can go on. `None`: nothing can be kept.
    pub(super) fn run(&self) -> Result<Option<Resumed>> {
        let own = self.own_volumes()?;
        let (volumes, own) = if own.is_empty() {
            (self.foreign_volumes()?, false)
        } else {
            (own, true)
        };
        for count in (1..=volumes.len()).rev() {
            let kept = &volumes[..count];
            let resumed = if own {
                self.resume_own(kept)?
            } else {
                self.resume_foreign(kept)?
            };
            let Some(resumed) = resumed else { continue };
            if let Some(last) = resumed.kept.last() {
                let (after, block) = (&last.info.end.index, last.info.end.block);
                let (span, volume) = (self.set.span, last.info.number);
                self.archive.monitor().event(Event::Resuming {
                    span,
                    volume,
                    after,
                    block,
                });
            }
            return Ok(Some(resumed));
        }
        Ok(None)
    }

    /// Volumes that redup's checkpoint has and the store still has as they were.
    fn own_volumes(&self) -> Result<Vec<StoredVolume>> {
        let recorded = Checkpoint::read(self.archive.dir(), self.set.span)?;
        let stored = |v: &StoredVolume| {
            let object = self.archive.volume_object(self.set, v.info.number);
            object.is_some_and(|(_, len, _)| len == v.len)
        };
        Ok(recorded.into_iter().take_while(stored).collect())
    }

    /// Volumes of duplicity's partial manifest, but for the last one at the store, which may be
    /// incomplete.
    fn foreign_volumes(&self) -> Result<Vec<StoredVolume>> {
        let manifest = self.archive.manifest(self.set)?;
        let usable = self.set.contiguous_volumes().saturating_sub(1);
        let known = manifest
            .volumes
            .keys()
            .zip(1..)
            .take_while(|(found, due)| *found == due)
            .count();
        if (known as u64) < u64::from(usable) {
            return Ok(Vec::new());
        }
        let volumes = manifest.volumes.into_values().take(usable as usize);
        Ok(volumes
            .map(|info| StoredVolume {
                len: self
                    .archive
                    .volume_object(self.set, info.number)
                    .map_or(0, |(_, len, _)| len),
                info,
                pieces: None,
                signatures: (0, [0; 20]),
            })
            .collect())
    }

    fn resume_own(&self, kept: &[StoredVolume]) -> Result<Option<Resumed>> {
        let Some(last) = kept.last() else {
            return Ok(None);
        };
        let Some(mut signatures) = self.vouched_signatures(last)? else {
            return Ok(None);
        };
        let position = &last.info.end;
        if let (Some(_), Some(pieces)) = (position.block, &last.pieces)
            && self.pieces_now(position, pieces.diff)?.as_ref() != Some(pieces)
        {
            return Ok(None);
        }
        let mut log = self.new_log()?;
        let mut files = FileList::open(self.archive.dir())?;
        while let Some(entry) = signatures
            .next_entry(SIGNATURE_LIMIT)
            .map_err(signature_error)?
        {
            if entry.index > position.index
                || (entry.index == position.index && position.block.is_some())
            {
                break;
            }
            let change = files.change_of(&entry.index)?;
            add(&mut log, &entry, change)?;
        }
        self.resumed(kept, last.pieces.clone(), log)
    }

    /// The signature archive up to what the checkpoint vouches for; nothing if it is another.
    fn vouched_signatures(
        &self,
        last: &StoredVolume,
    ) -> Result<Option<SigtarReader<Box<dyn Read>>>> {
        let local = &self.set.local;
        let Some(file) = local.signature_part.as_ref().or(local.signature.as_ref()) else {
            return Ok(None);
        };
        let (len, sha1) = last.signatures;
        let mut hash = Sha1::new();
        let mut prefix = self.archive.open_file(file)?.take(len);
        let mut buffer = vec![0; 1 << 16];
        let mut read = 0;
        loop {
            match prefix
                .read(&mut buffer)
                .map_err(|e| Error::io("read", &file.name, e))?
            {
                0 => break,
                count => {
                    hash.update(&buffer[..count]);
                    read += count as u64;
                }
            }
        }
        if read != len || <[u8; 20]>::from(hash.finalize()) != sha1 {
            return Ok(None);
        }
        let prefix: Box<dyn Read> = Box::new(self.archive.open_file(file)?.take(len));
        Ok(Some(SigtarReader::new(prefix)))
    }

    /// What the stored pieces of the file at `position` would be if they were made now.
    fn pieces_now(&self, position: &Position, diff: bool) -> Result<Option<StoredPieces>> {
        let Some(blocks) = position.block else {
            return Ok(None);
        };
        let entry = self.find(&position.index);
        let Some(entry) = entry.filter(|e| e.attributes.file_type.is_regular()) else {
            return Ok(None);
        };
        let basis = if diff { self.basis_of(&entry)? } else { None };
        if diff != basis.is_some() {
            return Ok(None);
        }
        let Ok(file) = entry.open() else {
            return Ok(None);
        };
        let job = FileJob {
            index: &position.index,
            attributes: &entry.attributes,
            len: entry.len,
            max_blocksize: self.options.max_blocksize,
            basis: basis.as_ref(),
        };
        let mut hash = Sha1::new();
        let mut seen = 0;
        let hashed = job.run(
            file,
            |_| Ok(()),
            |member| {
                hash.update(&member.bytes[member.bytes.len() - PIECE..]);
                seen += 1;
                // Enough is known: an error of our own ends the reading.
                if seen == blocks {
                    Err(Error::Internal("pieces"))
                } else {
                    Ok(())
                }
            },
        );
        drop(hashed);
        Ok((seen == blocks).then(|| StoredPieces {
            diff,
            sha1: hash.finalize().into(),
        }))
    }

    /// The old version that a delta of `entry` would build on, if a backup made one now.
    fn basis_of(&self, entry: &SourceEntry) -> Result<Option<DeltaIndex>> {
        let owners = OwnerMap::new(self.options.numeric_owner);
        let mut signatures = self.archive.signatures(self.basis)?;
        while let Some(head) = signatures.advance().map_err(signature_error)? {
            if head.index < entry.index {
                continue;
            }
            if head.index > entry.index
                || unchanged(&entry.attributes, &head.attributes, |a| owners.resolve(a))
            {
                return Ok(None);
            }
            let bytes = signatures
                .read_signature(SIGNATURE_LIMIT)
                .map_err(signature_error)?;
            return Ok(Signature::parse(bytes).ok().map(DeltaIndex::new));
        }
        Ok(None)
    }

    /// Rebuilds the log from the volumes.
    fn resume_foreign(&self, kept: &[StoredVolume]) -> Result<Option<Resumed>> {
        let Some(last) = kept.last() else {
            return Ok(None);
        };
        let opener = crate::chain::opener(self.archive, kept.len(), false);
        let volumes = kept.iter().map(|v| {
            let object = self.archive.volume_object(self.set, v.info.number);
            let suffix = object
                .as_ref()
                .map_or(redup_format::filename::Suffix::Plain, |o| o.2);
            PlannedVolume {
                span: self.set.span,
                number: v.info.number,
                object: object.map(|(name, len, _)| (name, len)),
                suffix,
                sha1: v.info.sha1,
                work: Work::default(),
            }
        });
        let volumes: Vec<_> = volumes.collect();
        let objects = volumes.iter().filter_map(|v| v.object.as_ref());
        make_readable(self.archive, objects.map(|(name, _)| name.as_str()))?;
        let cursor = opener.cursor(volumes);
        let mut reader = DifftarReader::new(cursor, Warnings::new(|_| {}));
        let mut log = self.new_log()?;
        let mut pieces = None;
        loop {
            let (index, content) = match reader.advance().map_err(crate::chain::chain_error) {
                Ok(Some(entry)) => (entry.index.clone(), entry.content.clone()),
                Ok(None) => break,
                Err(error) if is_missing_key(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            let position = &last.info.end;
            if position.block.is_some() && index == position.index {
                let diff = matches!(content, Content::Diff(_));
                let mut hash = Sha1::new();
                copy(&mut reader, |bytes| hash.update(bytes))?;
                pieces = Some(StoredPieces {
                    diff,
                    sha1: hash.finalize().into(),
                });
            } else {
                self.recover(&mut log, &mut reader, &index, &content)?;
            }
        }
        if let Some(pieces) = &pieces
            && self.pieces_now(&last.info.end, pieces.diff)?.as_ref() != Some(pieces)
        {
            return Ok(None);
        }
        self.resumed(kept, pieces, log)
    }

    /// Adds one path of a kept volume to the log.
    fn recover(
        &self,
        log: &mut SetLog,
        payload: impl Read,
        index: &PathIndex,
        content: &Content,
    ) -> Result<()> {
        match content {
            Content::Deleted => log.add(index, Entry::Deleted, None),
            Content::Snapshot(attributes) if !attributes.file_type.is_regular() => {
                log.add(index, Entry::Other(attributes), None)
            }
            Content::Snapshot(attributes) => {
                let len = self.find(index).map_or(0, |e| e.len);
                let signature = self.sign(payload, len)?;
                log.add(
                    index,
                    Entry::File(attributes, &signature),
                    Some(ChangeKind::New),
                )
            }
            Content::Diff(attributes) => match self.sign_unchanged(index, attributes)? {
                Some(signature) => log.add(
                    index,
                    Entry::File(attributes, &signature),
                    Some(ChangeKind::Changed),
                ),
                // Unknown: the next increment stores it whole.
                None => log.add(index, Entry::Deleted, None),
            },
        }
    }

    /// The signature of a file that has not been touched since the set's time.
    fn sign_unchanged(&self, index: &PathIndex, stored: &Attributes) -> Result<Option<Vec<u8>>> {
        let entry = self.find(index);
        let owners = OwnerMap::new(self.options.numeric_owner);
        let untouched = entry.filter(|e| {
            e.ctime < self.set.span.end().secs()
                && unchanged(&e.attributes, stored, |a| owners.resolve(a))
        });
        match untouched.and_then(|e| Some((e.len, e.open().ok()?))) {
            Some((len, file)) => self.sign(file, len).map(Some),
            None => Ok(None),
        }
    }

    fn sign(&self, payload: impl Read, len: u64) -> Result<Vec<u8>> {
        let mut builder = SignatureBuilder::new(block_len(len, self.options.max_blocksize));
        copy(payload, |bytes| builder.update(bytes))?;
        Ok(builder.finish().into_bytes())
    }

    /// A path of the source as it is now.
    fn find(&self, index: &PathIndex) -> Option<SourceEntry> {
        SourceEntry::find(self.source, index, self.options.links())
            .ok()
            .flatten()
    }

    fn new_log(&self) -> Result<SetLog> {
        SetLog::create(
            self.archive.dir(),
            &self.archive.target().naming,
            self.set.span,
        )
    }

    /// Every kept volume is now vouched for by the new log, which covers them all.
    fn resumed(
        &self,
        kept: &[StoredVolume],
        pieces: Option<StoredPieces>,
        mut log: SetLog,
    ) -> Result<Option<Resumed>> {
        let signatures = log.sync()?;
        let mut kept: Vec<StoredVolume> = kept
            .iter()
            .map(|v| StoredVolume {
                signatures,
                ..v.clone()
            })
            .collect();
        let Some(last) = kept.last_mut() else {
            return Ok(None);
        };
        last.pieces.clone_from(&pieces);
        let position = last.info.end.clone();
        let continued = pieces
            .filter(|_| position.block.is_some())
            .map(|pieces| Continued {
                position: position.clone(),
                pieces,
            });
        Ok(Some(Resumed {
            kept,
            start: Start {
                position: Some(position),
            },
            continued,
            log,
        }))
    }
}

fn add(log: &mut SetLog, entry: &SigEntry, change: Option<ChangeKind>) -> Result<()> {
    let what = match &entry.state {
        SigState::File { signature } => Entry::File(&entry.attributes, signature),
        SigState::Other => Entry::Other(&entry.attributes),
        SigState::Deleted => Entry::Deleted,
    };
    log.add(&entry.index, what, change)
}

fn copy(mut from: impl Read, mut to: impl FnMut(&[u8])) -> Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to(&buffer[..count]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(crate::restore::payload_error(&PathIndex::root(), e)),
        }
    }
}

/// Whether volumes cannot be read here at all: backups to public keys need no secret key.
fn is_missing_key(error: &Error) -> bool {
    let source = match error {
        Error::OpenPgp { source, .. } => source,
        Error::Volume {
            source: redup_volume::Error::OpenPgp(source),
            ..
        } => source,
        _ => return false,
    };
    matches!(source, redup_openpgp::Error::NoSecretKey { .. })
}
