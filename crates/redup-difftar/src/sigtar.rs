//! The sigtar: the new state of every path of a set, regular files as their signatures.

use std::io::{Read, Write};

use redup_format::entry::Attributes;
use redup_format::index::PathIndex;

use crate::Error;
use crate::difftar::{attributes, attributes_of_file, no_attributes};
use crate::member::{MemberKind, MemberName, sigtar_name};
use crate::tar::{BLOCK_LEN, Limits, TarMember, TarReader, encode_header, end_padding, padding};

/// What a sigtar says of one path, but for the signature itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigHead {
    /// The path.
    pub index: PathIndex,
    /// What is there.
    pub kind: SigKind,
    /// Its attributes; meaningless (zeros) for [`SigKind::Deleted`].
    pub attributes: Attributes,
}

/// What was at a path when the set was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigKind {
    /// A regular file, with a signature of so many bytes.
    File {
        /// Encoded length of the signature.
        signature_len: u64,
    },
    /// Anything else.
    Other,
    /// Nothing, though there had been something before.
    Deleted,
}

/// One entry of a sigtar, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigEntry {
    /// The path.
    pub index: PathIndex,
    /// What is there.
    pub state: SigState,
    /// Its attributes; meaningless (zeros) for [`SigState::Deleted`].
    pub attributes: Attributes,
}

/// What was at a path when the set was made, with the signature of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SigState {
    /// A regular file.
    File {
        /// Its signature, encoded.
        signature: Vec<u8>,
    },
    /// Anything else.
    Other,
    /// Nothing, though there had been something before.
    Deleted,
}

impl SigHead {
    /// The whole entry; `signature` counts only for a file.
    pub(crate) fn with_signature(self, signature: Vec<u8>) -> SigEntry {
        SigEntry {
            index: self.index,
            state: match self.kind {
                SigKind::File { .. } => SigState::File { signature },
                SigKind::Other => SigState::Other,
                SigKind::Deleted => SigState::Deleted,
            },
            attributes: self.attributes,
        }
    }
}

/// Reads one sigtar: a cursor over its entries, of which a signature is read only when asked for.
///
/// Further entries of the same index as the one before, and of the root, are passed over: very old archives repeat
/// the root. Any other entry out of order is an [`Error::OutOfOrder`], because leaving it out could make a later
/// backup store a difference against the wrong version.
#[derive(Debug)]
pub struct SigtarReader<R> {
    name: Option<String>,
    tar: TarReader<R>,
    head: Option<SigHead>,
    last: Option<PathIndex>,
}

impl<R: Read> SigtarReader<R> {
    /// Starts at the beginning of a sigtar, decrypted and decompressed; no bytes at all are one without entries.
    pub fn new(inner: R) -> Self {
        Self::with_limits(inner, Limits::default())
    }

    /// As [`new`](Self::new), with other limits for the tar layer.
    pub fn with_limits(inner: R, limits: Limits) -> Self {
        Self {
            name: None,
            tar: TarReader::new(inner, limits),
            head: None,
            last: None,
        }
    }

    /// Gives the sigtar a name, which every error then tells as [`Error::InArchive`].
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The entry the cursor is at; `None` before the first [`advance`](Self::advance) and after the last.
    pub fn head(&self) -> Option<&SigHead> {
        self.head.as_ref()
    }

    /// Moves to the next entry. At the end of the archive the stream below is read to its end, and the result is
    /// `None`.
    pub fn advance(&mut self) -> Result<Option<&SigHead>, Error> {
        self.head = None;
        self.head = self.next_head().map_err(|error| self.in_archive(error))?;
        Ok(self.head())
    }

    fn next_head(&mut self) -> Result<Option<SigHead>, Error> {
        while let Some(member) = self.tar.next_member()? {
            let head = understand(member)?;
            if self.check_order(&head.index)? {
                self.last = Some(head.index.clone());
                return Ok(Some(head));
            }
        }
        self.tar.drain()?;
        Ok(None)
    }

    fn in_archive(&self, error: Error) -> Error {
        match &self.name {
            Some(name) => Error::InArchive {
                name: name.clone(),
                source: Box::new(error),
            },
            None => error,
        }
    }

    /// Reads the current file's signature, once: then it is empty, as it is for anything but a file.
    ///
    /// Fails with [`Error::SignatureTooLong`] instead of holding more than `limit` bytes; the cursor can go on.
    pub fn read_signature(&mut self, limit: u64) -> Result<Vec<u8>, Error> {
        let Some(SigHead {
            index,
            kind: SigKind::File { signature_len: len },
            ..
        }) = &self.head
        else {
            return Ok(Vec::new());
        };
        if *len > limit {
            return Err(Error::SignatureTooLong {
                index: index.clone(),
                len: *len,
                limit,
            });
        }
        let mut signature = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match self.read_signature_part(&mut chunk)? {
                0 => return Ok(signature),
                count => signature.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// Reads on in the current file's signature: 0 at its end, and for anything but a file.
    pub fn read_signature_part(&mut self, buf: &mut [u8]) -> Result<usize, Error> {
        match &self.head {
            Some(SigHead {
                kind: SigKind::File { .. },
                ..
            }) => {
                let read = self.tar.read_payload(buf);
                read.map_err(|error| self.in_archive(error))
            }
            _ => Ok(0),
        }
    }

    /// Moves to the next entry and reads it whole.
    pub fn next_entry(&mut self, signature_limit: u64) -> Result<Option<SigEntry>, Error> {
        let Some(head) = self.advance()?.cloned() else {
            return Ok(None);
        };
        let signature = self.read_signature(signature_limit)?;
        Ok(Some(head.with_signature(signature)))
    }

    fn check_order(&self, index: &PathIndex) -> Result<bool, Error> {
        match &self.last {
            Some(last) if last == index || index.is_root() => Ok(false),
            Some(last) if last > index => Err(Error::OutOfOrder {
                index: index.clone(),
                previous: last.clone(),
            }),
            _ => Ok(true),
        }
    }
}

fn understand(member: TarMember) -> Result<SigHead, Error> {
    let name = MemberName::parse(&member.name)?;
    let (kind, attributes) = match (name.kind, name.piece) {
        (MemberKind::Signature, _) => {
            let signature_len = member.size;
            (SigKind::File { signature_len }, attributes_of_file(member)?)
        }
        (MemberKind::Snapshot, None) => (SigKind::Other, attributes(member)?),
        (MemberKind::Deleted, _) => (SigKind::Deleted, no_attributes()),
        _ => return Err(Error::ForeignMember { name: member.name }),
    };
    Ok(SigHead {
        index: name.index,
        kind,
        attributes,
    })
}

/// Writes one sigtar. Entries must come in path order, which is checked: one out of order, once stored, would make
/// the whole chain unusable.
///
/// Every entry is written whole by the call that adds it, so the archive may be flushed, or left unfinished, between
/// any two: a reader takes it as it is.
#[derive(Debug)]
pub struct SigtarWriter<W> {
    inner: W,
    written: u64,
    last: Option<PathIndex>,
}

impl<W: Write> SigtarWriter<W> {
    /// Starts an archive.
    pub fn new(inner: W) -> Self {
        Self::append(inner, 0)
    }

    /// Goes on with an unfinished archive of `written` bytes, at whose end `inner` stands.
    pub fn append(inner: W, written: u64) -> Self {
        Self {
            inner,
            written,
            last: None,
        }
    }

    /// Adds a regular file by its encoded signature.
    pub fn file(
        &mut self,
        index: &PathIndex,
        attributes: &Attributes,
        signature: &[u8],
    ) -> Result<(), Error> {
        self.member(MemberKind::Signature, index, attributes, signature)
    }

    /// Adds anything else that exists.
    pub fn other(&mut self, index: &PathIndex, attributes: &Attributes) -> Result<(), Error> {
        self.member(MemberKind::Snapshot, index, attributes, &[])
    }

    /// Adds that a path is gone.
    pub fn deleted(&mut self, index: &PathIndex) -> Result<(), Error> {
        self.member(MemberKind::Deleted, index, &no_attributes(), &[])
    }

    /// Adds an entry as another sigtar had it.
    pub fn entry(&mut self, entry: &SigEntry) -> Result<(), Error> {
        match &entry.state {
            SigState::File { signature } => self.file(&entry.index, &entry.attributes, signature),
            SigState::Other => self.other(&entry.index, &entry.attributes),
            SigState::Deleted => self.deleted(&entry.index),
        }
    }

    /// Bytes written so far; at this length the archive can be cut and gone on with.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Flushes what is below.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.inner.flush().map_err(Error::Write)
    }

    /// What is below, for instance to sync it to disk.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// Leaves the archive unfinished.
    pub fn into_inner(self) -> W {
        self.inner
    }

    /// Writes the archive's end: two blocks of zeros, and more up to a multiple of 10240 bytes. Flushes.
    pub fn finish(mut self) -> Result<W, Error> {
        self.write(&[0; 2 * BLOCK_LEN])?;
        if !self.written.is_multiple_of(crate::tar::RECORD_LEN as u64) {
            self.write(end_padding(self.written))?;
        }
        self.flush()?;
        Ok(self.inner)
    }

    fn member(
        &mut self,
        kind: MemberKind,
        index: &PathIndex,
        attributes: &Attributes,
        payload: &[u8],
    ) -> Result<(), Error> {
        if let Some(previous) = self.last.as_ref().filter(|last| *last >= index) {
            let (index, previous) = (index.clone(), previous.clone());
            return Err(Error::OutOfOrder { index, previous });
        }
        let name = sigtar_name(kind, index, attributes);
        let len = payload.len() as u64;
        self.write(&encode_header(&name, attributes, len)?)?;
        self.write(payload)?;
        self.write(&[0; BLOCK_LEN][..padding(len)])?;
        self.last = Some(index.clone());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.inner.write_all(bytes).map_err(Error::Write)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}
