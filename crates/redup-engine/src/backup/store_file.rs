//! One file into members: it is read once, and the same buffers feed the new signature and the
//! literal bytes or the delta.

use std::io::{self, Read};

use redup_difftar::difftar::{Member, Payload, PieceEncoder};
use redup_format::entry::Attributes;
use redup_format::index::PathIndex;
use redup_rsync::{DeltaEncoder, DeltaIndex, SignatureBuilder, block_len};

use crate::Result;

/// Bytes of one read: a multiple of the block lengths at hand, and small beside the memory limit.
const BUFFER: usize = 256 * 1024;

/// A file as it was read.
#[derive(Debug)]
pub(super) struct StoredFile {
    /// The signature of what was read.
    pub(super) signature: Vec<u8>,
    /// Bytes read.
    pub(super) read: u64,
    /// Bytes of content or delta put into members.
    pub(super) payload: u64,
    /// A read error that ended the file early.
    pub(super) error: Option<io::Error>,
    /// The encoder, which still holds the last piece.
    pub(super) last: PieceEncoder,
}

/// What one file is stored with.
#[derive(Debug)]
pub(super) struct FileJob<'a> {
    pub(super) index: &'a PathIndex,
    pub(super) attributes: &'a Attributes,
    /// Length as the walk saw it: decides the block length.
    pub(super) len: u64,
    pub(super) max_blocksize: Option<u32>,
    /// What the old version looked like, to store a delta.
    pub(super) basis: Option<&'a DeltaIndex>,
}

impl FileJob<'_> {
    /// Reads the file to its end, unless told otherwise by `read_so_far`, and hands over every member but the last,
    /// which [`PieceEncoder::finish`] gives: the signature must be recorded before it leaves.
    pub(super) fn run(
        &self,
        mut file: impl Read,
        mut read_so_far: impl FnMut(u64) -> Result<()>,
        mut sink: impl FnMut(Member) -> Result<()>,
    ) -> Result<StoredFile> {
        let mut signature = SignatureBuilder::new(block_len(self.len, self.max_blocksize));
        let mut delta = self.basis.map(DeltaEncoder::new);
        let kind = if delta.is_some() {
            Payload::Diff
        } else {
            Payload::Snapshot
        };
        let mut pieces = PieceEncoder::new(self.index.clone(), self.attributes.clone(), kind);
        let mut buffer = vec![0; BUFFER.min(usize::try_from(self.len).unwrap_or(BUFFER) + 1)];
        let mut encoded = Vec::new();
        let (mut read, mut payload, mut error) = (0, 0, None);
        loop {
            let bytes = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => &buffer[..count],
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    error = Some(e);
                    break;
                }
            };
            read += bytes.len() as u64;
            read_so_far(bytes.len() as u64)?;
            signature.update(bytes);
            let out = match &mut delta {
                Some(delta) => {
                    encoded.clear();
                    delta.push(bytes, &mut encoded);
                    encoded.as_slice()
                }
                None => bytes,
            };
            payload += out.len() as u64;
            pieces.push(out, &mut sink)?;
            if buffer.len() < BUFFER && read >= buffer.len() as u64 {
                // The file is longer than the walk saw.
                buffer.resize(BUFFER, 0);
            }
        }
        if let Some(delta) = delta {
            encoded.clear();
            delta.finish(&mut encoded);
            payload += encoded.len() as u64;
            pieces.push(&encoded, &mut sink)?;
        }
        let signature = signature.finish().to_bytes();
        Ok(StoredFile {
            signature,
            read,
            payload,
            error,
            last: pieces,
        })
    }
}
