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

mod foreign;
mod own;

use std::path::Path;

use redup_difftar::diffdir::unchanged;
use redup_difftar::difftar::Member;
use redup_format::collections::BackupSet;
use redup_format::index::PathIndex;
use redup_format::manifest::Position;
use redup_rsync::{DeltaIndex, Signature};
use redup_select::SourceEntry;
use sha1::{Digest, Sha1};

use super::cut::{Continued, PIECE};
use super::log::SetLog;
use super::store_file::FileJob;
use crate::archive::{Archive, signature_error};
use crate::checkpoint::{StoredPieces, StoredVolume};
use crate::owner::OwnerMap;
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
