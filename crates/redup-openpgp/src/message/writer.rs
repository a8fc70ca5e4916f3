//! A message being written: literal data → compression → encryption → sink.

use std::io::{self, Write};

use super::encrypt::Compression;
use crate::bulk::MdcWriter;
use crate::deflate::BlockDeflate;
use crate::error::Result;
use crate::packet::{PartialWriter, tag, write_header};
use crate::signer::PendingSignature;

/// Encrypts what is written to it.
///
/// The message is complete only after [`finish`](Self::finish); dropping the writer leaves a truncated one, which no
/// reader accepts. `flush` passes no data on: where packets end must not depend on it.
pub struct MessageWriter<W: Write> {
    lower: Compressor<W>,
    literal: PartialWriter,
    signature: Option<PendingSignature>,
}

impl<W: Write> MessageWriter<W> {
    /// `written` octets went to `out` before.
    pub(crate) fn start(
        out: W,
        written: u64,
        mdc: MdcWriter,
        compression: Compression,
        signature: Option<PendingSignature>,
    ) -> Result<Self> {
        let encrypted = Encrypted { out, written, mdc };
        let mut lower = Compressor::start(encrypted, compression)?;
        if let Some(signature) = &signature {
            let body = signature.announcement();
            write_header(&mut lower, tag::ONE_PASS_SIGNATURE, body.len() as u32)?;
            lower.write_all(&body)?;
        }
        let mut literal = PartialWriter::start(tag::LITERAL, &mut lower)?;
        // Binary, no file name, no date: gpg's date would be the time of writing, and nothing reads it.
        literal.write(&[b'b', 0, 0, 0, 0, 0], &mut lower)?;
        Ok(Self {
            lower,
            literal,
            signature,
        })
    }

    /// How long the message would be if it ended now, short of some hundred octets; an estimate for what is still being
    /// compressed.
    ///
    /// A function of the octets written so far alone: neither the sizes of the writes nor the number of threads
    /// matter.
    pub fn encoded_len(&self) -> u64 {
        let buffered = self.lower.encrypted.mdc.buffered() + self.literal.buffered();
        self.lower.encrypted.written + buffered as u64 + self.lower.waiting()
    }

    /// Signs, if asked to, ends the message and returns the sink.
    pub fn finish(mut self) -> Result<W> {
        self.literal.finish(&mut self.lower)?;
        if let Some(signature) = self.signature {
            self.lower.write_all(&signature.finish()?)?;
        }
        let Encrypted { mut out, mdc, .. } = self.lower.finish()?;
        mdc.finish(&mut out)?;
        Ok(out)
    }
}

impl<W: Write> Write for MessageWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if let Some(signature) = &mut self.signature {
            signature.update(buf);
        }
        self.literal.write(buf, &mut self.lower)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lowest layer: encryption onto the sink.
struct Encrypted<W> {
    out: W,
    written: u64,
    mdc: MdcWriter,
}

impl<W: Write> Write for Encrypted<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut out = Counted {
            out: &mut self.out,
            written: &mut self.written,
        };
        self.mdc.write(buf, &mut out)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Counted<'a, W> {
    out: &'a mut W,
    written: &'a mut u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let len = self.out.write(buf)?;
        *self.written += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The layer that compresses, or not.
struct Compressor<W> {
    encrypted: Encrypted<W>,
    packet: Option<CompressedPacket>,
}

struct CompressedPacket {
    packet: PartialWriter,
    deflate: BlockDeflate,
    adler: Option<Adler32>,
}

impl<W: Write> Compressor<W> {
    fn start(mut encrypted: Encrypted<W>, compression: Compression) -> io::Result<Self> {
        let (level, head, adler) = match compression {
            Compression::None => {
                return Ok(Self {
                    encrypted,
                    packet: None,
                });
            }
            Compression::Zip(level) => (level, &[1][..], None),
            // The zlib header: deflate, 32 KiB window, default level, no dictionary.
            Compression::Zlib(level) => (level, &[2, 0x78, 0x9C][..], Some(Adler32::default())),
        };
        let mut packet = PartialWriter::start(tag::COMPRESSED, &mut encrypted)?;
        packet.write(head, &mut encrypted)?;
        let packet = CompressedPacket {
            packet,
            deflate: BlockDeflate::new(level),
            adler,
        };
        Ok(Self {
            encrypted,
            packet: Some(packet),
        })
    }

    /// Octets that wait for compression or framing, estimated as they will be written.
    fn waiting(&self) -> u64 {
        self.packet.as_ref().map_or(0, |packet| {
            packet.deflate.estimated_len() + packet.packet.buffered() as u64
        })
    }

    fn finish(mut self) -> io::Result<Encrypted<W>> {
        if let Some(CompressedPacket {
            mut packet,
            deflate,
            adler,
        }) = self.packet
        {
            deflate.finish(&mut Framed {
                packet: &mut packet,
                out: &mut self.encrypted,
            })?;
            if let Some(adler) = adler {
                packet.write(&adler.finish().to_be_bytes(), &mut self.encrypted)?;
            }
            packet.finish(&mut self.encrypted)?;
        }
        Ok(self.encrypted)
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.packet {
            None => self.encrypted.write_all(buf)?,
            Some(CompressedPacket {
                packet,
                deflate,
                adler,
            }) => {
                if let Some(adler) = adler {
                    adler.update(buf);
                }
                deflate.write(
                    buf,
                    &mut Framed {
                        packet,
                        out: &mut self.encrypted,
                    },
                )?;
            }
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A packet body as a sink.
struct Framed<'a, W> {
    packet: &'a mut PartialWriter,
    out: &'a mut W,
}

impl<W: Write> Write for Framed<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.packet.write(buf, self.out)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The checksum of the zlib frame.
struct Adler32 {
    a: u32,
    b: u32,
}

impl Default for Adler32 {
    fn default() -> Self {
        Self { a: 1, b: 0 }
    }
}

impl Adler32 {
    const MODULUS: u32 = 65_521;
    /// As many octets as fit before `b` could overflow.
    const RUN: usize = 5552;

    fn update(&mut self, data: &[u8]) {
        for run in data.chunks(Self::RUN) {
            for octet in run {
                self.a += u32::from(*octet);
                self.b += self.a;
            }
            self.a %= Self::MODULUS;
            self.b %= Self::MODULUS;
        }
    }

    fn finish(self) -> u32 {
        self.b << 16 | self.a
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adler32_of_known_texts() {
        let mut adler = Adler32::default();
        adler.update(b"Wikipedia");
        assert_eq!(adler.finish(), 0x11E6_0398);
        let mut adler = Adler32::default();
        adler.update(&[0xFF; 100_000]);
        let (mut a, mut b) = (1u64, 0u64);
        for _ in 0..100_000 {
            a = (a + 255) % 65_521;
            b = (b + a) % 65_521;
        }
        assert_eq!(u64::from(adler.finish()), b << 16 | a);
    }
}
