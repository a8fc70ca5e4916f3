//! Cutting the member stream into volumes: the stage that compresses, encrypts and hashes.

use std::io::Write;

use crossbeam_channel::Sender;
use redup_difftar::difftar::{Member, volume_padding};
use redup_format::filename::{Kind, Naming, Span};
use redup_format::manifest::{Position, VolumeInfo};
use redup_storage::ObjectKind;
use redup_volume::{Encoding, VolumeWriter};
use sha1::{Digest, Sha1};

use super::outstanding::Outstanding;
use crate::archive::volume_error;
use crate::checkpoint::StoredPieces;
use crate::transfer::{ObjectWriter, PendingObject, Transfer};
use crate::{Error, Result};

/// Bytes of a full piece; every piece but a file's last has this many.
pub(super) const PIECE: usize = 65536;

/// Room kept for the largest member (a piece, its headers) and the end of the volume.
const MEMBER_BOUND: u64 = PIECE as u64 + 16 * 1024;

/// A member on its way into a volume.
#[derive(Debug)]
pub(super) struct CutMember {
    pub(super) member: Member,
    /// Whether its payload is part of a delta.
    pub(super) diff: bool,
    /// Whether it is in a volume that a resumed run keeps: it is compared, not written.
    pub(super) stored: bool,
}

/// A volume whose bytes are all on their way to the store.
#[derive(Debug)]
pub(super) struct FinishedVolume {
    pub(super) name: String,
    pub(super) info: VolumeInfo,
    pub(super) pieces: Option<StoredPieces>,
    pub(super) object: PendingObject,
}

/// Where and how volumes are written.
#[derive(Debug, Clone)]
pub(super) struct VolumePlan {
    pub(super) span: Span,
    pub(super) naming: Naming,
    pub(super) encoding: Encoding,
    pub(super) volsize: u64,
}

impl VolumePlan {
    /// The name of volume `number`.
    pub(super) fn name(&self, number: u32) -> String {
        self.naming
            .name(self.span, Kind::Volume(number), self.encoding.suffix())
    }
}

/// The file in whose middle a resumed run goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Continued {
    pub(super) position: Position,
    pub(super) pieces: StoredPieces,
}

/// Cuts members into volumes and hands finished ones on in order.
pub(super) struct Cutter {
    plan: VolumePlan,
    transfer: Transfer,
    finished: Sender<FinishedVolume>,
    outstanding: Outstanding,
    number: u32,
    open: Option<OpenVolume>,
    file: Option<FilePieces>,
    continued: Option<Continued>,
}

struct OpenVolume {
    writer: VolumeWriter<ObjectWriter>,
    plain_len: u64,
    start: Position,
    end: Position,
}

/// The running hash of the multi-piece file at hand.
#[derive(Debug)]
struct FilePieces {
    diff: bool,
    hash: Sha1,
}

impl Cutter {
    /// A cutter whose first volume is `first`. A resumed run that goes on inside a file says so: the
    /// pieces that are stored must come first, marked as such, and be what they were.
    pub(super) fn new(
        plan: VolumePlan,
        transfer: Transfer,
        finished: Sender<FinishedVolume>,
        outstanding: Outstanding,
        first: u32,
        continued: Option<Continued>,
    ) -> Self {
        Self {
            plan,
            transfer,
            finished,
            outstanding,
            number: first,
            open: None,
            file: None,
            continued,
        }
    }

    /// Adds a member to the current volume, or to the next one when this one is full.
    pub(super) fn push(&mut self, item: &CutMember) -> Result<()> {
        let member = &item.member;
        if item.stored {
            self.hash_piece(item);
            return self.compare_continued(member);
        }
        if let Some(continued) = &self.continued {
            return Err(Error::ChangedSinceInterruption(
                continued.position.index.to_string(),
            ));
        }
        let volsize = self.plan.volsize;
        if self
            .open
            .as_ref()
            .is_some_and(|v| v.writer.encoded_len() + MEMBER_BOUND > volsize)
        {
            self.close()?;
        }
        let position = Position {
            index: member.index.clone(),
            block: member.block,
        };
        if self.open.is_none() {
            self.open = Some(self.start(position.clone())?);
        }
        let name = self.plan.name(self.number);
        let Some(volume) = &mut self.open else {
            return Err(Error::Internal("the volume writer"));
        };
        volume
            .writer
            .write_all(&member.bytes)
            .map_err(|e| volume_error(&name, e))?;
        volume.plain_len += member.bytes.len() as u64;
        volume.end = position;
        self.hash_piece(item);
        Ok(())
    }

    /// Ends the last volume. `empty` is the range of the one volume that a set without members has.
    pub(super) fn finish(mut self, empty: Option<Position>) -> Result<()> {
        if let (None, Some(position)) = (&self.open, empty) {
            self.open = Some(self.start(position)?);
        }
        if self.open.is_some() {
            self.close()?;
        }
        Ok(())
    }

    fn start(&mut self, position: Position) -> Result<OpenVolume> {
        self.outstanding.wait()?;
        let name = self.plan.name(self.number);
        let sink = self.transfer.create(&name, ObjectKind::Volume);
        let writer =
            VolumeWriter::new(&self.plan.encoding, sink).map_err(|e| encode_error(&name, e))?;
        Ok(OpenVolume {
            writer,
            plain_len: 0,
            start: position.clone(),
            end: position,
        })
    }

    fn close(&mut self) -> Result<()> {
        let Some(mut volume) = self.open.take() else {
            return Ok(());
        };
        let name = self.plan.name(self.number);
        volume
            .writer
            .write_all(volume_padding(volume.plain_len))
            .map_err(|e| volume_error(&name, e))?;
        let (digest, sink) = volume.writer.finish().map_err(|e| encode_error(&name, e))?;
        let pieces = volume
            .end
            .block
            .and(self.file.as_ref())
            .map(|file| StoredPieces {
                diff: file.diff,
                sha1: file.hash.clone().finalize().into(),
            });
        let info = VolumeInfo {
            number: self.number,
            start: volume.start,
            end: volume.end,
            sha1: Some(digest.sha1),
            md5: None,
            crc32: Some(digest.crc32),
        };
        let object = sink.finish()?;
        self.number += 1;
        self.outstanding.add();
        // Nobody listens any more when committing failed; its error is the one reported.
        self.finished
            .send(FinishedVolume {
                name,
                info,
                pieces,
                object,
            })
            .map_err(|_| Error::Internal("the commit stage"))
    }

    /// At the last stored piece: all of them must be what the interrupted run stored.
    fn compare_continued(&mut self, member: &Member) -> Result<()> {
        let Some(continued) = self.continued.take_if(|c| c.position.block == member.block) else {
            return Ok(());
        };
        let same = self.file.as_ref().is_some_and(|file| {
            let sha1: [u8; 20] = file.hash.clone().finalize().into();
            continued.pieces
                == StoredPieces {
                    diff: file.diff,
                    sha1,
                }
        });
        if same {
            Ok(())
        } else {
            Err(Error::ChangedSinceInterruption(member.index.to_string()))
        }
    }

    fn hash_piece(&mut self, CutMember { member, diff, .. }: &CutMember) {
        match member.block {
            None => self.file = None,
            Some(block) => {
                if block == 1 {
                    self.file = Some(FilePieces {
                        diff: *diff,
                        hash: Sha1::new(),
                    });
                }
                if let Some(file) = &mut self.file {
                    file.hash
                        .update(&member.bytes[member.bytes.len() - PIECE..]);
                }
            }
        }
    }
}

fn encode_error(name: &str, source: redup_volume::Error) -> Error {
    Error::Volume {
        name: name.to_owned(),
        source,
    }
}
