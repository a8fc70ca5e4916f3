//! Writing the encrypted data packet that every gpg reads: tag 18, version 1, AES in CFB mode, SHA-1 MDC.

use std::io::{self, Write};

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::{MDC_HEADER, STEP};
use crate::cipher::{CfbStream, Cipher};
use crate::error::Result;
use crate::packet::{PartialWriter, tag};

/// Encrypts and hashes what is written and frames it as one packet.
pub(crate) struct MdcWriter {
    packet: PartialWriter,
    cfb: Box<dyn CfbStream>,
    sha1: Sha1,
    plain: Zeroizing<Vec<u8>>,
}

impl MdcWriter {
    /// Starts the packet. `prefix` is 16 random octets, new for every message.
    pub(crate) fn start(
        key: &[u8],
        prefix: [u8; 16],
        out: &mut (impl Write + ?Sized),
    ) -> Result<Self> {
        let cfb = Cipher::Aes256.encryptor(key)?;
        let mut packet = PartialWriter::start(tag::SEIPD, out)?;
        packet.write(&[1], out)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(STEP));
        plain.extend_from_slice(&prefix);
        plain.extend_from_slice(&prefix[14..]);
        Ok(Self {
            packet,
            cfb,
            sha1: Sha1::new(),
            plain,
        })
    }

    pub(crate) fn write(
        &mut self,
        mut data: &[u8],
        out: &mut (impl Write + ?Sized),
    ) -> io::Result<()> {
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(STEP - self.plain.len()));
            self.plain.extend_from_slice(now);
            data = later;
            if self.plain.len() == STEP {
                self.sha1.update(&*self.plain);
                self.flush(out)?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(mut self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        self.plain.extend_from_slice(&MDC_HEADER);
        self.sha1.update(&*self.plain);
        let digest = self.sha1.finalize_reset();
        self.plain.extend_from_slice(&digest);
        self.flush(out)?;
        self.packet.finish(out)
    }

    /// Octets taken but not yet written.
    pub(crate) fn buffered(&self) -> usize {
        self.plain.len() + self.packet.buffered()
    }

    /// Encrypts in place: the buffer holds whole blocks in all calls but the last.
    fn flush(&mut self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        self.cfb.apply(&mut self.plain);
        self.packet.write(&self.plain, out)?;
        self.plain.clear();
        Ok(())
    }
}
