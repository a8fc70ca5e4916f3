//! The content of an encrypted message, packet by packet.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use super::report::MessageReport;
use super::verify::Verifier;
use crate::error::{Error, Result};
use crate::inflate::Inflate;
use crate::keyring::Keyring;
use crate::packet::{Body, BodyReader, Header, tag};

/// Where packets come from; its end is the end of the surrounding packet, and reaching it verifies the integrity of
/// the encrypted data.
pub(crate) type Source<'a> = Box<dyn BufRead + Send + 'a>;

/// Compressed packets inside each other. gpg writes one; two octets can otherwise become terabytes.
const MAX_DEPTH: u32 = 4;

/// Packets beside the literal data: signatures, markers.
const MAX_PACKETS: u32 = 64;

/// Size of a signature packet: those of large keys with many notations take a few KiB.
const MAX_SIGNATURE_LEN: usize = 1 << 16;

/// Buffer behind a decompressor.
const BUFFER: usize = 1 << 16;

/// Reads the content of one message.
///
/// Octets are handed out before the end of the message was seen, so whoever keeps them must first read to the end:
/// only `Ok(0)` says that the integrity check passed. Any other end is an error that carries this crate's
/// [`Error`] ([`Error::from_io`] gets it back).
pub struct MessageReader<'a> {
    source: Source<'a>,
    state: State,
    report: MessageReport,
    packets: u32,
    verifier: Verifier,
    keyring: Option<Arc<Keyring>>,
}

enum State {
    Literal(Body),
    Done,
    Failed,
}

impl<'a> MessageReader<'a> {
    /// Reads up to the content. `keyring` has the keys that signatures are checked with.
    pub(crate) fn new(
        source: Source<'a>,
        report: MessageReport,
        keyring: Option<Arc<Keyring>>,
    ) -> Result<Self> {
        let verifier = Verifier::default();
        let mut reader = Self {
            source,
            state: State::Failed,
            report,
            packets: 0,
            verifier,
            keyring,
        };
        reader.state = State::Literal(reader.find_literal()?);
        Ok(reader)
    }

    /// What the message told about itself; complete after the end.
    pub fn report(&self) -> &MessageReport {
        &self.report
    }

    /// Reads the packets before the literal data, going into compressed ones.
    fn find_literal(&mut self) -> Result<Body> {
        let mut depth = 0;
        loop {
            let header = self
                .next_packet()?
                .ok_or(Error::damaged("no literal data"))?;
            let mut body = Body::new(header.length);
            match header.tag {
                tag::LITERAL => {
                    let [_format, name_len] = body.array(&mut self.source)?;
                    for _ in 0..name_len {
                        let [_] = body.array(&mut self.source)?;
                    }
                    let [_, _, _, _] = body.array(&mut self.source)?;
                    return Ok(body);
                }
                tag::COMPRESSED => {
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return Err(Error::Limit {
                            what: "nested compression",
                        });
                    }
                    self.enter_compressed(body)?;
                }
                tag::ONE_PASS_SIGNATURE => self
                    .verifier
                    .announce(&body.collect(&mut self.source, MAX_SIGNATURE_LEN)?),
                tag::SIGNATURE => self
                    .verifier
                    .add_early(body.collect(&mut self.source, MAX_SIGNATURE_LEN)?),
                tag::MARKER | tag::PADDING => body.skip(&mut self.source)?,
                other => return Err(Error::unsupported("packet inside encrypted data", other)),
            }
        }
    }

    fn enter_compressed(&mut self, mut body: Body) -> Result<()> {
        let [algorithm] = body.array(&mut self.source)?;
        let source = std::mem::replace(&mut self.source, Box::new(io::empty()));
        let packet = BodyReader::new(source, body);
        self.source = match algorithm {
            0 => Box::new(packet),
            _ => Box::new(BufReader::with_capacity(
                BUFFER,
                Inflate::new(algorithm, packet)?,
            )),
        };
        Ok(())
    }

    /// Reads what follows the literal data, to the end of everything, and only then judges the signatures: damage is
    /// to be called damage.
    fn finish(&mut self) -> Result<()> {
        let mut signatures = self.verifier.take_early();
        while let Some(header) = self.next_packet()? {
            let mut body = Body::new(header.length);
            match header.tag {
                tag::SIGNATURE => {
                    signatures.push(body.collect(&mut self.source, MAX_SIGNATURE_LEN)?);
                }
                _ => body.skip(&mut self.source)?,
            }
        }
        for signature in signatures {
            self.report
                .signatures
                .push(self.verifier.check(&signature, self.keyring.as_deref())?);
        }
        Ok(())
    }

    fn next_packet(&mut self) -> Result<Option<Header>> {
        self.packets += 1;
        if self.packets > MAX_PACKETS {
            return Err(Error::Limit {
                what: "number of packets",
            });
        }
        Header::read(&mut self.source)
    }

    fn read_some(&mut self, buf: &mut [u8]) -> Result<usize> {
        match &mut self.state {
            State::Done => Ok(0),
            State::Failed => Err(Error::damaged("an earlier read failed")),
            State::Literal(body) => {
                let len = body.read(&mut self.source, buf)?;
                self.verifier.update(&buf[..len]);
                if len == 0 {
                    self.finish()?;
                    self.state = State::Done;
                }
                Ok(len)
            }
        }
    }
}

impl Read for MessageReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let result = self.read_some(buf);
        if let Err(error) = &result
            && !matches!(error, Error::Io(cause) if cause.kind() == io::ErrorKind::Interrupted)
        {
            self.state = State::Failed;
        }
        Ok(result?)
    }
}
