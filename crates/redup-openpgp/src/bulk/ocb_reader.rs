//! Reading LibrePGP's tag 20: OCB in chunks, each with its tag, and one more tag over the length.
//!
//! gpg 2.3 and later write it for recipients whose keys ask for it.

use std::io::{self, BufRead, Read};

use super::ocb::{self, NONCE_LEN, OCB, OcbKey, TAG_LEN};
use crate::cipher::Cipher;
use crate::error::{Error, Result};
use crate::message::SessionKey;

/// Chunks of 2^27 octets are the largest that gpg ever made unasked; the format allows 2^62.
const MAX_CHUNK_BITS: u8 = 27;

/// What stands before the encrypted octets of the packet.
#[derive(Clone, Copy)]
pub(crate) struct OcbHeader {
    cipher: Cipher,
    /// The packet's type octet and the header as authenticated with every chunk.
    associated: [u8; 5],
    iv: [u8; NONCE_LEN],
    chunk_len: usize,
}

impl OcbHeader {
    pub(crate) fn read(src: &mut impl Read) -> Result<Self> {
        let [version, cipher, mode, chunk_bits] = super::exactly(src)?;
        if version != 1 {
            return Err(Error::unsupported("encrypted data version", version));
        }
        if mode != OCB {
            return Err(Error::unsupported("mode of encryption", mode));
        }
        if chunk_bits > MAX_CHUNK_BITS - 6 {
            return Err(Error::Limit {
                what: "size of an encrypted chunk",
            });
        }
        Ok(Self {
            cipher: Cipher::from_id(cipher)?,
            associated: [0xD4, version, cipher, mode, chunk_bits],
            iv: super::exactly(src)?,
            chunk_len: 1 << (chunk_bits + 6),
        })
    }

    /// The initialisation vector with the chunk's number mixed into its end.
    fn nonce(&self, index: u64) -> [u8; NONCE_LEN] {
        let mut nonce = self.iv;
        for (octet, part) in nonce[NONCE_LEN - 8..].iter_mut().zip(index.to_be_bytes()) {
            *octet ^= part;
        }
        nonce
    }

    fn associated(&self, index: u64) -> Vec<u8> {
        [&self.associated[..], &index.to_be_bytes()].concat()
    }
}

/// Decrypts a packet body chunk by chunk. No octet is released before its chunk was authenticated; that the last chunk
/// was reached is known at the end only.
pub(crate) struct OcbReader<S> {
    src: S,
    header: OcbHeader,
    key: Box<dyn OcbKey>,
    /// Ciphertext read ahead, at most a chunk and two tags.
    ahead: Vec<u8>,
    plain: Vec<u8>,
    pos: usize,
    index: u64,
    total: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Verified,
    Failed,
}

/// A packet whose header and first chunk were read, but for which no key is known yet.
pub(crate) struct LockedOcb<S> {
    src: S,
    header: OcbHeader,
    ahead: Vec<u8>,
}

impl<S: Read> LockedOcb<S> {
    pub(crate) fn read(mut src: S) -> Result<Self> {
        let header = OcbHeader::read(&mut src)?;
        let mut ahead = Vec::new();
        fill(&mut src, &mut ahead, header.chunk_len)?;
        Ok(Self { src, header, ahead })
    }

    /// Whether this session key opens the first chunk.
    pub(crate) fn fits(&self, session: &SessionKey) -> Result<bool> {
        if session.cipher != self.header.cipher {
            return Ok(false);
        }
        let (mut chunk, tag, _) = split(&self.ahead, self.header.chunk_len)?;
        let (nonce, associated) = match chunk.len() {
            // No chunk at all: what is there is the tag over the length.
            0 => (
                self.header.nonce(0),
                [&self.header.associated(0)[..], &[0; 8]].concat(),
            ),
            _ => (self.header.nonce(0), self.header.associated(0)),
        };
        Ok(ocb::key(session.cipher, &session.key)?.open(nonce, &associated, &mut chunk, tag))
    }

    pub(crate) fn unlock(self, session: &SessionKey) -> Result<OcbReader<S>> {
        Ok(OcbReader {
            src: self.src,
            header: self.header,
            key: ocb::key(session.cipher, &session.key)?,
            ahead: self.ahead,
            plain: Vec::new(),
            pos: 0,
            index: 0,
            total: 0,
            state: State::Reading,
        })
    }
}

impl<S: Read> OcbReader<S> {
    fn next_chunk(&mut self) -> Result<()> {
        let chunk_len = self.header.chunk_len;
        fill(&mut self.src, &mut self.ahead, chunk_len)?;
        let (mut chunk, tag, used) = split(&self.ahead, chunk_len)?;
        let mut associated = self.header.associated(self.index);
        let last = chunk.is_empty();
        if last {
            associated.extend_from_slice(&self.total.to_be_bytes());
        }
        if !self
            .key
            .open(self.header.nonce(self.index), &associated, &mut chunk, tag)
        {
            return Err(Error::IntegrityCheck);
        }
        if last {
            self.state = State::Verified;
        }
        self.ahead.drain(..used);
        self.index += 1;
        self.total += chunk.len() as u64;
        self.plain = chunk;
        self.pos = 0;
        Ok(())
    }
}

/// Reads ahead until a chunk, its tag and another tag are there, or the data end.
fn fill(src: &mut impl Read, ahead: &mut Vec<u8>, chunk_len: usize) -> Result<()> {
    let missing = chunk_len + 2 * TAG_LEN - ahead.len().min(chunk_len + 2 * TAG_LEN);
    src.by_ref().take(missing as u64).read_to_end(ahead)?;
    Ok(())
}

/// The next chunk and its tag, and how many octets they take. The last tag stands alone: an empty chunk.
fn split(ahead: &[u8], chunk_len: usize) -> Result<(Vec<u8>, [u8; TAG_LEN], usize)> {
    let before_last_tag = ahead
        .len()
        .checked_sub(TAG_LEN)
        .ok_or(Error::truncated("encrypted data"))?;
    let used = match before_last_tag {
        0 => TAG_LEN,
        len => len.min(chunk_len + TAG_LEN),
    };
    let (chunk, tag) = ahead[..used]
        .split_last_chunk()
        .ok_or(Error::truncated("encrypted data"))?;
    Ok((chunk.to_vec(), *tag, used))
}

impl<S: Read> Read for OcbReader<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let data = self.fill_buf()?;
        let len = data.len().min(buf.len());
        buf[..len].copy_from_slice(&data[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl<S: Read> BufRead for OcbReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.state == State::Failed {
            return Err(Error::IntegrityCheck.into());
        }
        while self.pos == self.plain.len() && self.state == State::Reading {
            if let Err(error) = self.next_chunk() {
                self.state = State::Failed;
                return Err(error.into());
            }
        }
        Ok(&self.plain[self.pos..])
    }

    fn consume(&mut self, amount: usize) {
        self.pos = self.plain.len().min(self.pos + amount);
    }
}
