//! Reading tag 9: CFB without any integrity check, from the years before the MDC.

use std::io::{self, BufRead, Read};

use super::{Rewound, STEP, read_full, rewind};
use crate::cipher::{CfbStream, Cipher};
use crate::error::{Error, Result};

/// Decrypts a packet body. Nothing tells whether it was altered; callers must warn.
pub(crate) struct NoMdcReader<S> {
    src: S,
    cfb: Box<dyn CfbStream>,
    plain: Vec<u8>,
    pos: usize,
}

impl<S: Read> NoMdcReader<Rewound<S>> {
    /// `start` holds the ciphertext already taken from `src`, at least the prefix.
    pub(crate) fn new(cipher: Cipher, key: &[u8], start: &[u8], src: S) -> Result<Self> {
        let prefix = cipher.block_len() + 2;
        let (head, rest) = start
            .split_at_checked(prefix)
            .ok_or(Error::truncated("encrypted data"))?;
        // The stream restarts behind the prefix, with its last block of ciphertext as the vector.
        Ok(Self {
            src: rewind(rest, src),
            cfb: cipher.decryptor(key, &head[2..])?,
            plain: Vec::with_capacity(STEP),
            pos: 0,
        })
    }
}

impl<S: Read> Read for NoMdcReader<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let data = self.fill_buf()?;
        let len = data.len().min(buf.len());
        buf[..len].copy_from_slice(&data[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl<S: Read> BufRead for NoMdcReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.pos == self.plain.len() {
            self.plain.resize(STEP, 0);
            self.pos = 0;
            let len = read_full(&mut self.src, &mut self.plain).inspect_err(|_| self.pos = STEP)?;
            self.plain.truncate(len);
            self.cfb.apply(&mut self.plain);
        }
        Ok(&self.plain[self.pos..])
    }

    fn consume(&mut self, amount: usize) {
        self.pos = self.plain.len().min(self.pos + amount);
    }
}
