//! Members as they are written.

use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;

use super::no_attributes;
use crate::Error;
use crate::member::{self, MemberKind, PIECE_LEN};
use crate::tar::{BLOCK_LEN, encode_header, padding};

/// One member of a difftar, the unit in which volumes are filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The path it belongs to.
    pub index: PathIndex,
    /// The piece's number as the manifest has it: none for a whole member *and for the last piece* of a file.
    pub block: Option<u32>,
    /// Header, payload and padding.
    pub bytes: Vec<u8>,
}

impl Member {
    /// A directory, link, pipe or device. A regular file goes through a [`PieceEncoder`]; given here, it is empty.
    pub fn snapshot(index: PathIndex, attributes: &Attributes) -> Result<Self, Error> {
        let name = member::difftar_name(MemberKind::Snapshot, &index, attributes);
        Self::new(index, None, &name, attributes, &[])
    }

    /// The statement that a path is gone.
    pub fn deleted(index: PathIndex) -> Result<Self, Error> {
        let attributes = no_attributes();
        let name = member::difftar_name(MemberKind::Deleted, &index, &attributes);
        Self::new(index, None, &name, &attributes, &[])
    }

    fn new(
        index: PathIndex,
        block: Option<u32>,
        name: &[u8],
        attributes: &Attributes,
        payload: &[u8],
    ) -> Result<Self, Error> {
        let len = payload.len() as u64;
        let mut bytes = encode_header(name, attributes, len)?;
        bytes.reserve_exact(payload.len() + BLOCK_LEN);
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len() + padding(len), 0);
        Ok(Self {
            index,
            block,
            bytes,
        })
    }
}

/// What the payload of a regular file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// The file's contents.
    Snapshot,
    /// A delta against its previous version.
    Diff,
}

/// Cuts one regular file's payload into members, however it arrives.
///
/// Less than [`PIECE_LEN`] bytes make a single whole member. Otherwise there are pieces of exactly that length, each
/// given out as soon as it is full, and a last shorter one, which may be empty. At most one piece is held in memory.
///
/// Each method hands the members that are ready to `sink`, whose error ends the encoding.
#[derive(Debug)]
pub struct PieceEncoder {
    index: PathIndex,
    attributes: Attributes,
    payload: Payload,
    /// Full pieces given out.
    pieces: u32,
    buffer: Vec<u8>,
}

impl PieceEncoder {
    /// For the regular file `index`, whose new attributes every piece repeats.
    pub fn new(index: PathIndex, attributes: Attributes, payload: Payload) -> Self {
        Self {
            index,
            attributes: Attributes {
                file_type: FileType::Regular,
                ..attributes
            },
            payload,
            pieces: 0,
            buffer: Vec::new(),
        }
    }

    /// Takes the next bytes of the payload.
    pub fn push<E: From<Error>>(
        &mut self,
        mut data: &[u8],
        sink: &mut impl FnMut(Member) -> Result<(), E>,
    ) -> Result<(), E> {
        while self.buffer.len() + data.len() >= PIECE_LEN {
            let (head, rest) = data.split_at(PIECE_LEN - self.buffer.len());
            data = rest;
            let member = if self.buffer.is_empty() {
                self.full_piece(head)?
            } else {
                self.buffer.extend_from_slice(head);
                let buffer = std::mem::take(&mut self.buffer);
                let member = self.full_piece(&buffer)?;
                self.buffer = buffer;
                self.buffer.clear();
                member
            };
            sink(member)?;
        }
        self.buffer.extend_from_slice(data);
        Ok(())
    }

    /// Ends the payload: gives out the single member or the last piece.
    pub fn finish<E: From<Error>>(
        self,
        sink: &mut impl FnMut(Member) -> Result<(), E>,
    ) -> Result<(), E> {
        let name = if self.pieces == 0 {
            let kind = match self.payload {
                Payload::Snapshot => MemberKind::Snapshot,
                Payload::Diff => MemberKind::Diff,
            };
            member::difftar_name(kind, &self.index, &self.attributes)
        } else {
            self.piece_name(self.next_number()?)
        };
        let member = Member::new(self.index, None, &name, &self.attributes, &self.buffer)?;
        sink(member)
    }

    fn full_piece(&mut self, payload: &[u8]) -> Result<Member, Error> {
        let number = self.next_number()?;
        self.pieces = number;
        Member::new(
            self.index.clone(),
            Some(number),
            &self.piece_name(number),
            &self.attributes,
            payload,
        )
    }

    fn next_number(&self) -> Result<u32, Error> {
        self.pieces
            .checked_add(1)
            .ok_or_else(|| Error::TooManyPieces {
                index: self.index.clone(),
            })
    }

    fn piece_name(&self, number: u32) -> Vec<u8> {
        member::piece_name(self.payload == Payload::Diff, &self.index, number)
    }
}
