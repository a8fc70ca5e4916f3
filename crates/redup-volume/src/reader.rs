//! Decoding a volume.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use redup_format::filename::Suffix;
use redup_openpgp::{Decryptor, MessageReader, MessageReport};

use crate::error::{Error, Result};

/// Buffer between the input and the gzip decoder.
const BUFFER: usize = 1 << 16;

/// Reads the content of a volume, a sigtar or a manifest.
///
/// Content comes out before the end of the volume was seen, so nothing is final until `Ok(0)`, or
/// [`finish`](Self::finish): only then were checksum (gzip) and integrity (OpenPGP) verified. Errors carry
/// [`Error`]; [`Error::from_io`] gets it back.
pub struct VolumeReader<'a> {
    decoder: Decoder<'a>,
}

enum Decoder<'a> {
    Plain(Box<dyn Read + Send + 'a>),
    /// A gzip volume without entries is 0 octets long in old archives: not even a header.
    Empty,
    Gzip(Box<dyn Read + Send + 'a>),
    OpenPgp(Box<MessageReader<'a>>),
}

impl<'a> VolumeReader<'a> {
    /// Chooses the decoding by the name's suffix; an OpenPGP message is opened at once, which may derive a key or ask
    /// gpg-agent.
    pub fn new<R: Read + Send + 'a>(
        suffix: Suffix,
        decryptor: Option<&Decryptor>,
        input: R,
    ) -> Result<Self> {
        let decoder = match suffix {
            Suffix::Plain => Decoder::Plain(Box::new(input)),
            Suffix::Gzip => {
                let mut input = BufReader::with_capacity(BUFFER, input);
                if input.fill_buf()?.is_empty() {
                    Decoder::Empty
                } else {
                    Decoder::Gzip(Box::new(MultiGzDecoder::new(input)))
                }
            }
            Suffix::Gpg => {
                Decoder::OpenPgp(Box::new(decryptor.ok_or(Error::NoDecryptor)?.open(input)?))
            }
            Suffix::Gpgsm => return Err(Error::Gpgsm),
        };
        Ok(Self { decoder })
    }

    /// Reads to the end, dropping what is left, so that everything was verified; returns what an OpenPGP message told
    /// about itself (empty for the other encodings).
    pub fn finish(mut self) -> Result<MessageReport> {
        io::copy(&mut self, &mut io::sink())?;
        Ok(self.report().cloned().unwrap_or_default())
    }

    /// What an OpenPGP message tells about itself, complete once it was read to its end; `None` for the other encodings.
    pub fn report(&self) -> Option<&MessageReport> {
        match &self.decoder {
            Decoder::OpenPgp(message) => Some(message.report()),
            Decoder::Plain(_) | Decoder::Empty | Decoder::Gzip(_) => None,
        }
    }
}

impl Read for VolumeReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.decoder {
            Decoder::Plain(input) => input.read(buf),
            Decoder::Empty => Ok(0),
            Decoder::Gzip(gzip) => gzip.read(buf).map_err(gzip_error),
            Decoder::OpenPgp(message) => message.read(buf),
        }
    }
}

/// Tells what the decoder found apart from what the input reported.
fn gzip_error(error: io::Error) -> io::Error {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    match error.kind() {
        InvalidData | InvalidInput | UnexpectedEof => Error::Gzip(error).into(),
        _ => error,
    }
}
