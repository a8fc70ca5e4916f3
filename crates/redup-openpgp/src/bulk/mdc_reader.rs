//! Reading tag 18, version 1: CFB with a SHA-1 MDC at the end.

use std::io::{self, BufRead, Read};

use sha1::{Digest, Sha1};

use super::{MDC_HEADER, MDC_LEN, Rewound, STEP, read_full, rewind};
use crate::cipher::{CfbStream, Cipher};
use crate::error::{Error, Result};

/// Decrypts a packet body and checks its MDC when the body ends.
///
/// Plaintext is released before the MDC was seen: who reads must not act on it for good until the end was reached
/// without an error. Reading again after an error repeats the error.
pub(crate) struct MdcReader<S> {
    src: S,
    cfb: Box<dyn CfbStream>,
    sha1: Sha1,
    /// Decrypted octets; those from `usable` on may turn out to be the MDC.
    plain: Vec<u8>,
    pos: usize,
    usable: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Verified,
    Failed,
}

impl<S: Read> MdcReader<Rewound<S>> {
    /// `start` holds the ciphertext already taken from `src`, at least the prefix.
    pub(crate) fn new(cipher: Cipher, key: &[u8], start: &[u8], src: S) -> Result<Self> {
        let mut reader = Self {
            src: rewind(start, src),
            cfb: cipher.decryptor(key, &[])?,
            sha1: Sha1::new(),
            plain: Vec::with_capacity(STEP + MDC_LEN),
            pos: 0,
            usable: 0,
            state: State::Reading,
        };
        reader.refill()?;
        let prefix = cipher.block_len() + 2;
        if reader.usable < prefix {
            return Err(Error::truncated("encrypted data"));
        }
        reader.pos = prefix;
        Ok(reader)
    }
}

impl<S: Read> MdcReader<S> {
    fn refill(&mut self) -> Result<()> {
        self.plain.drain(..self.usable);
        (self.pos, self.usable) = (0, 0);
        let held = self.plain.len();
        self.plain.resize(held + STEP, 0);
        let len = read_full(&mut self.src, &mut self.plain[held..])?;
        self.plain.truncate(held + len);
        self.cfb.apply(&mut self.plain[held..]);
        let usable = self
            .plain
            .len()
            .checked_sub(MDC_LEN)
            .ok_or(Error::truncated("encrypted data"))?;
        self.usable = usable;
        self.sha1.update(&self.plain[..usable]);
        if len < STEP {
            self.verify()?;
        }
        Ok(())
    }

    fn verify(&mut self) -> Result<()> {
        let mdc = &self.plain[self.usable..];
        self.sha1.update(&mdc[..2]);
        if mdc[..2] != MDC_HEADER || mdc[2..] != self.sha1.finalize_reset()[..] {
            return Err(Error::IntegrityCheck);
        }
        self.state = State::Verified;
        Ok(())
    }
}

impl<S: Read> Read for MdcReader<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let data = self.fill_buf()?;
        let len = data.len().min(buf.len());
        buf[..len].copy_from_slice(&data[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl<S: Read> BufRead for MdcReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.state == State::Failed {
            return Err(Error::IntegrityCheck.into());
        }
        while self.pos == self.usable && self.state == State::Reading {
            if let Err(error) = self.refill() {
                self.state = State::Failed;
                return Err(error.into());
            }
        }
        Ok(&self.plain[self.pos..self.usable])
    }

    fn consume(&mut self, amount: usize) {
        self.pos = self.usable.min(self.pos + amount);
    }
}
