//! Writing gzip: one member, deflated in parallel blocks.

use std::io::{self, Write};

use flate2::Crc;
use redup_openpgp::deflate::BlockDeflate;

/// Deflate, no name, no time, unknown system: what duplicity writes, less the time, so that the same content always
/// gives the same bytes.
const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];

/// Trailer: checksum and length.
const TRAILER_LEN: u64 = 8;

pub(crate) struct GzipWriter<W> {
    out: W,
    deflate: BlockDeflate,
    crc: Crc,
}

impl<W: Write> GzipWriter<W> {
    pub(crate) fn start(mut out: W, level: u32) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        Ok(Self {
            out,
            deflate: BlockDeflate::new(level),
            crc: Crc::new(),
        })
    }

    pub(crate) fn out(&self) -> &W {
        &self.out
    }

    /// Octets still to come, estimated for what is being compressed.
    pub(crate) fn waiting(&self) -> u64 {
        self.deflate.estimated_len() + TRAILER_LEN
    }

    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.deflate.finish(&mut self.out)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.crc.update(buf);
        self.deflate.write(buf, &mut self.out)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
