//! Decompression of a packet: ZIP, ZLIB, BZIP2.

use std::io::{self, BufRead, Read};

use bzip2::Status as BzStatus;
use flate2::{FlushDecompress, Status};

use crate::error::{Error, Result};

/// Decompresses one stream.
///
/// When it ends, the source is read to its end and what is there dropped: that is where the integrity of the
/// surrounding encrypted data is checked. A stream that does not end is an error.
pub(crate) struct Inflate<S> {
    src: S,
    codec: Codec,
    done: bool,
}

enum Codec {
    Deflate(flate2::Decompress),
    Bzip2(bzip2::Decompress),
}

impl<S: BufRead> Inflate<S> {
    /// `algorithm` is OpenPGP's number.
    pub(crate) fn new(algorithm: u8, src: S) -> Result<Self> {
        let codec = match algorithm {
            1 => Codec::Deflate(flate2::Decompress::new(false)),
            2 => Codec::Deflate(flate2::Decompress::new(true)),
            3 => Codec::Bzip2(bzip2::Decompress::new(false)),
            other => return Err(Error::unsupported("compression", other)),
        };
        Ok(Self {
            src,
            codec,
            done: false,
        })
    }

    /// One step: octets taken, octets given, whether the stream ended.
    fn step(codec: &mut Codec, input: &[u8], buf: &mut [u8]) -> Result<(usize, usize, bool)> {
        let damaged = || Error::damaged("compressed data");
        Ok(match codec {
            Codec::Deflate(codec) => {
                let (taken, given) = (codec.total_in(), codec.total_out());
                let status = codec
                    .decompress(input, buf, FlushDecompress::None)
                    .map_err(|_| damaged())?;
                let end = status == Status::StreamEnd;
                (
                    (codec.total_in() - taken) as usize,
                    (codec.total_out() - given) as usize,
                    end,
                )
            }
            Codec::Bzip2(codec) => {
                let (taken, given) = (codec.total_in(), codec.total_out());
                let status = codec.decompress(input, buf).map_err(|_| damaged())?;
                let end = status == BzStatus::StreamEnd;
                (
                    (codec.total_in() - taken) as usize,
                    (codec.total_out() - given) as usize,
                    end,
                )
            }
        })
    }

    fn drain(&mut self) -> io::Result<()> {
        loop {
            match self.src.fill_buf()?.len() {
                0 => return Ok(()),
                len => self.src.consume(len),
            }
        }
    }
}

impl<S: BufRead> Read for Inflate<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() || self.done {
            return Ok(0);
        }
        loop {
            let input = self.src.fill_buf()?;
            let at_end = input.is_empty();
            let (taken, given, end) = Self::step(&mut self.codec, input, buf)?;
            self.src.consume(taken);
            if end {
                self.drain()?;
                self.done = true;
            } else if given == 0 && taken == 0 {
                let stuck = if at_end {
                    Error::truncated("compressed data")
                } else {
                    Error::damaged("compressed data")
                };
                return Err(stuck.into());
            }
            if given > 0 || end {
                return Ok(given);
            }
        }
    }
}
