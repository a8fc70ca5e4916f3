//! One backup set as a stream of entries.

use std::io::{self, Read};

use redup_format::index::PathIndex;

use super::Entry;
use super::part::Part;
use crate::member::{MemberKind, PIECE_LEN};
use crate::tar::{Limits, TarReader};
use crate::{BoxError, Error, Warning, Warnings};

/// One volume, decrypted and decompressed.
#[derive(Debug)]
pub struct Volume<R> {
    /// How errors and warnings call it.
    pub name: String,
    /// Its bytes. They are read to the end, past the end of the archive in them, before the next volume is asked
    /// for: that is where a stream can vouch for its integrity.
    pub data: R,
}

/// Supplies the volumes of one set in ascending order, each when the one before it has been read.
///
/// Every iterator over `Result<Volume<_>, BoxError>` is one.
pub trait VolumeSource {
    /// What a volume is read from.
    type Reader: Read;

    /// The next volume; `None` after the last.
    fn next_volume(&mut self) -> Result<Option<Volume<Self::Reader>>, BoxError>;
}

impl<I, R> VolumeSource for I
where
    I: Iterator<Item = Result<Volume<R>, BoxError>>,
    R: Read,
{
    type Reader = R;

    fn next_volume(&mut self) -> Result<Option<Volume<R>>, BoxError> {
        self.next().transpose()
    }
}

/// What becomes of an entry that does not come after the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrderPolicy {
    /// It is left out with a [`Warning::LateEntry`]. Some old archives hold such entries (their names were mangled
    /// when written), and nobody can restore these.
    #[default]
    SkipLate,
    /// It is an [`Error::OutOfOrder`].
    Fail,
}

/// Reads one backup set: a cursor over its entries, and a [`Read`] of the current entry's payload.
///
/// The pieces of a file are joined, across volumes too. Payloads need not be read: what is left of one is passed over
/// when the cursor moves on. Faults in a payload (a missing piece, say) come to light only when it is read.
///
/// After an error that concerns a volume, the rest of that volume is given up and the cursor can be moved on: it goes
/// to the next volume. So a caller may stop at the first error or salvage what there is.
#[derive(Debug)]
pub struct DifftarReader<V: VolumeSource> {
    volumes: V,
    volume: Option<OpenVolume<V::Reader>>,
    warnings: Warnings,
    order: OrderPolicy,
    limits: Limits,
    within: PathIndex,
    entry: Option<Entry>,
    payload: Payload,
    /// The entry whose further pieces are not entries of their own.
    joining: Option<(PathIndex, MemberKind)>,
    /// A member read ahead: it turned out to belong to the next entry.
    ahead: Option<Part>,
    /// The greatest index met.
    last: Option<PathIndex>,
    finished: bool,
}

#[derive(Debug)]
struct OpenVolume<R> {
    name: String,
    tar: TarReader<R>,
}

/// Where the current entry's payload stands.
#[derive(Debug)]
enum Payload {
    /// Nothing more comes.
    Ended,
    /// In the only member.
    Whole,
    /// In this piece, of so many bytes.
    Piece { number: u32, size: u64 },
    /// Another piece came than was due.
    Gap { expected: u32, found: u32 },
    /// Reading failed before.
    Lost,
}

impl<V: VolumeSource> DifftarReader<V> {
    /// A reader of the set in `volumes`, of which none is asked for yet.
    pub fn new(volumes: V, warnings: Warnings) -> Self {
        Self {
            volumes,
            volume: None,
            warnings,
            order: OrderPolicy::default(),
            limits: Limits::default(),
            within: PathIndex::root(),
            entry: None,
            payload: Payload::Ended,
            joining: None,
            ahead: None,
            last: None,
            finished: false,
        }
    }

    /// Sets what becomes of entries out of order.
    #[must_use]
    pub fn with_order(mut self, order: OrderPolicy) -> Self {
        self.order = order;
        self
    }

    /// Sets the limits of the tar layer.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Gives only `prefix` and what lies below it, under their full indexes.
    ///
    /// Once the stream has passed `prefix`, the current volume is read to its end and no other is asked for.
    #[must_use]
    pub fn within(mut self, prefix: PathIndex) -> Self {
        self.within = prefix;
        self
    }

    /// The entry the cursor is at; `None` before the first [`advance`](Self::advance) and after the last.
    pub fn entry(&self) -> Option<&Entry> {
        self.entry.as_ref()
    }

    /// Moves to the next entry, passing over what is left of the current payload. `None` at the end of the set.
    pub fn advance(&mut self) -> Result<Option<&Entry>, Error> {
        self.entry = None;
        self.payload = Payload::Ended;
        while let Some(part) = self.next_part()? {
            if self.is_further_piece(&part) {
                continue;
            }
            self.joining = part
                .piece
                .is_some()
                .then(|| (part.index.clone(), part.kind));
            if !self.check_order(&part.index)? {
                continue;
            }
            self.last = Some(part.index.clone());
            if part.index.starts_with(&self.within) {
                return Ok(Some(self.begin(part)));
            }
            if part.index > self.within {
                self.end_early()?;
            }
        }
        Ok(None)
    }

    /// Reads from the current entry's payload; 0 at its end, and for entries without one.
    pub fn read_payload(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        let result = self.try_read_payload(buf);
        if matches!(result, Err(ref error) if !matches!(error, Error::MissingPiece { .. })) {
            self.payload = Payload::Lost;
        }
        result
    }

    fn try_read_payload(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            match self.payload {
                Payload::Ended => return Ok(0),
                Payload::Whole | Payload::Piece { .. } => {}
                Payload::Gap { expected, found } => {
                    return Err(Error::MissingPiece {
                        index: self.current_index(),
                        expected,
                        found,
                    });
                }
                Payload::Lost => {
                    return Err(Error::PayloadLost {
                        index: self.current_index(),
                    });
                }
            }
            let count = self.read_member(buf)?;
            if count > 0 {
                return Ok(count);
            }
            self.payload = match self.payload {
                Payload::Piece { number, size } => self.next_piece(number, size)?,
                _ => Payload::Ended,
            };
        }
    }

    /// What comes after the piece `number`.
    fn next_piece(&mut self, number: u32, size: u64) -> Result<Payload, Error> {
        let next = self.next_part()?;
        match next {
            Some(part) if self.is_further_piece(&part) => {
                Ok(payload_at(&part, number.saturating_add(1)))
            }
            other => {
                self.ahead = other;
                if size == PIECE_LEN as u64 {
                    self.warnings.report(Warning::MissingLastPiece {
                        index: self.current_index(),
                    });
                }
                Ok(Payload::Ended)
            }
        }
    }

    fn begin(&mut self, part: Part) -> &Entry {
        self.payload = if part.content.has_payload() {
            payload_at(&part, 1)
        } else {
            Payload::Ended
        };
        self.entry.insert(Entry {
            index: part.index,
            content: part.content,
        })
    }

    fn is_further_piece(&self, part: &Part) -> bool {
        part.piece.is_some()
            && self
                .joining
                .as_ref()
                .is_some_and(|(index, kind)| *index == part.index && *kind == part.kind)
    }

    /// Whether `index` comes after all before it; if not, by the policy, false or an error.
    fn check_order(&self, index: &PathIndex) -> Result<bool, Error> {
        let Some(previous) = self.last.as_ref().filter(|last| *last >= index) else {
            return Ok(true);
        };
        let (index, previous) = (index.clone(), previous.clone());
        match self.order {
            OrderPolicy::Fail => Err(Error::OutOfOrder { index, previous }),
            OrderPolicy::SkipLate => {
                let volume = self.volume.as_ref();
                self.warnings.report(Warning::LateEntry {
                    volume: volume.map_or_else(String::new, |volume| volume.name.clone()),
                    index,
                    previous,
                });
                Ok(false)
            }
        }
    }

    fn current_index(&self) -> PathIndex {
        self.entry
            .as_ref()
            .map_or_else(PathIndex::root, |entry| entry.index.clone())
    }

    fn read_member(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        match &mut self.volume {
            Some(volume) => {
                let result = volume.tar.read_payload(buf);
                result.map_err(|error| self.give_up_volume(error))
            }
            None => Ok(0),
        }
    }

    /// The member read ahead, or else the next one, from the next volume if need be.
    fn next_part(&mut self) -> Result<Option<Part>, Error> {
        if let Some(part) = self.ahead.take() {
            return Ok(Some(part));
        }
        while self.open_volume()? {
            let Some(volume) = &mut self.volume else {
                break;
            };
            match volume.tar.next_member() {
                Ok(Some(member)) => {
                    return Part::understand(member)
                        .map(Some)
                        .map_err(|error| self.give_up_volume(error));
                }
                Ok(None) => self.close_volume()?,
                Err(error) => return Err(self.give_up_volume(error)),
            }
        }
        Ok(None)
    }

    /// Makes sure that a volume is open; false if there are no more.
    fn open_volume(&mut self) -> Result<bool, Error> {
        if self.volume.is_none() && !self.finished {
            let next = self.volumes.next_volume();
            match next.map_err(|source| Error::NextVolume { source })? {
                Some(Volume { name, data }) => {
                    let tar = TarReader::new(data, self.limits);
                    self.volume = Some(OpenVolume { name, tar });
                }
                None => self.finished = true,
            }
        }
        Ok(self.volume.is_some())
    }

    fn close_volume(&mut self) -> Result<(), Error> {
        if let Some(volume) = &mut self.volume {
            let drained = volume.tar.drain();
            drained.map_err(|error| self.give_up_volume(error))?;
        }
        self.volume = None;
        Ok(())
    }

    fn end_early(&mut self) -> Result<(), Error> {
        self.finished = true;
        self.close_volume()
    }

    /// Drops the current volume, in which `error` occurred.
    fn give_up_volume(&mut self, error: Error) -> Error {
        match self.volume.take() {
            Some(volume) => Error::InArchive {
                name: volume.name,
                source: Box::new(error),
            },
            None => error,
        }
    }
}

impl<V: VolumeSource> Read for DifftarReader<V> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_payload(buf)?)
    }
}

fn payload_at(part: &Part, expected: u32) -> Payload {
    match part.piece {
        None => Payload::Whole,
        Some(number) if number == expected => Payload::Piece {
            number,
            size: part.size,
        },
        Some(found) => Payload::Gap { expected, found },
    }
}
