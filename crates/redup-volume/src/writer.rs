//! Encoding a volume onto a sink.

use std::io::{self, Write};
use std::sync::Arc;

use redup_format::filename::Suffix;
use redup_openpgp::{Encryptor, MessageWriter};

use crate::digest::{Digest, HashingWriter};
use crate::error::Result;
use crate::gzip::GzipWriter;

/// How the objects of a set are encoded; the same for all of them.
#[derive(Clone, Debug)]
pub enum Encoding {
    /// As they are.
    Plain,
    /// One gzip member.
    Gzip {
        /// zlib's level, 0 to 9.
        level: u32,
    },
    /// One OpenPGP message, compressed inside as the encryptor says.
    OpenPgp(Arc<Encryptor>),
}

impl Encoding {
    /// What the names of such objects end in.
    pub fn suffix(&self) -> Suffix {
        match self {
            Self::Plain => Suffix::Plain,
            Self::Gzip { .. } => Suffix::Gzip,
            Self::OpenPgp(_) => Suffix::Gpg,
        }
    }
}

/// Encodes what is written and passes it to a sink, hashing on the way.
///
/// The sink sees writes of any size up to some 100 KiB, at irregular times. An unfinished volume is useless: gzip and
/// OpenPGP readers take it for truncated.
pub struct VolumeWriter<W: Write> {
    encoder: Encoder<HashingWriter<W>>,
}

enum Encoder<W: Write> {
    Plain(W),
    Gzip(Box<GzipWriter<W>>),
    OpenPgp(Box<MessageWriter<W>>),
}

impl<W: Write> VolumeWriter<W> {
    /// Starts a volume; headers go to the sink at once.
    pub fn new(encoding: &Encoding, sink: W) -> Result<Self> {
        let sink = HashingWriter::new(sink);
        let encoder = match encoding {
            Encoding::Plain => Encoder::Plain(sink),
            Encoding::Gzip { level } => Encoder::Gzip(Box::new(GzipWriter::start(sink, *level)?)),
            Encoding::OpenPgp(encryptor) => Encoder::OpenPgp(Box::new(encryptor.message(sink)?)),
        };
        Ok(Self { encoder })
    }

    /// The length the volume would have if it ended now: exact for plain volumes; within some hundred octets, and an
    /// estimate for what is still being compressed, for the others.
    ///
    /// A function of the bytes written so far alone: not of the number of threads, the machine's speed or how the
    /// bytes were cut into writes. So it may decide where a set is cut into volumes.
    pub fn encoded_len(&self) -> u64 {
        match &self.encoder {
            Encoder::Plain(sink) => sink.len(),
            Encoder::Gzip(gzip) => gzip.out().len() + gzip.waiting(),
            Encoder::OpenPgp(message) => message.encoded_len(),
        }
    }

    /// Ends the volume; returns its hash and length as the sink saw it, and the sink.
    pub fn finish(self) -> Result<(Digest, W)> {
        let sink = match self.encoder {
            Encoder::Plain(sink) => sink,
            Encoder::Gzip(gzip) => gzip.finish()?,
            Encoder::OpenPgp(message) => message.finish()?,
        };
        Ok(sink.finish())
    }
}

impl<W: Write> Write for VolumeWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.encoder {
            Encoder::Plain(sink) => sink.write(buf),
            Encoder::Gzip(gzip) => gzip.write(buf),
            Encoder::OpenPgp(message) => message.write(buf),
        }
    }

    /// Does nothing in encoded volumes: where blocks end must not depend on it.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
