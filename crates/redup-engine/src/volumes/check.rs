//! Checking a volume: its hash against the manifest, its message's integrity, its signer.

use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use redup_format::filename::Suffix;
use redup_openpgp::Decryptor;
use sha1::{Digest, Sha1};
use tokio::sync::OwnedSemaphorePermit;

use super::PlannedVolume;
use crate::checkpoint::hex;
use crate::transfer::Transfer;
use crate::{Error, KeyProvider, Result};

/// What is damaged is fetched again once: transfers fail more often than disks.
pub(crate) const ATTEMPTS: u32 = 2;

/// Fetches and checks volumes, from any thread.
#[derive(Debug)]
pub(crate) struct Checker {
    transfer: Transfer,
    keys: Arc<dyn KeyProvider>,
    /// Checks that run ahead of their use.
    pub(super) ahead: AtomicUsize,
}

/// The bytes of a volume that has passed every check, from their start.
pub(super) struct Checked {
    pub(super) bytes: Box<dyn Read + Send>,
    pub(super) decryptor: Option<Arc<Decryptor>>,
    /// What is weak about it, in words.
    pub(super) warnings: Vec<String>,
}

impl Checker {
    pub(crate) fn new(transfer: Transfer, keys: Arc<dyn KeyProvider>) -> Self {
        Self {
            transfer,
            keys,
            ahead: AtomicUsize::new(0),
        }
    }

    /// Checks a volume now.
    pub(super) fn check(&self, volume: &PlannedVolume) -> Result<Checked> {
        self.check_unless(volume, &AtomicBool::new(false))
    }

    /// The same, given up with any error once `cancelled` is set.
    pub(super) fn check_unless(
        &self,
        volume: &PlannedVolume,
        cancelled: &AtomicBool,
    ) -> Result<Checked> {
        let missing = || Error::MissingVolume {
            span: volume.span,
            number: volume.number,
            location: self.transfer.location(),
        };
        let (name, len) = volume.object.as_ref().ok_or_else(missing)?;
        let decryptor = match volume.suffix {
            Suffix::Gpg | Suffix::Gpgsm => Some(self.keys.decryptor()?),
            Suffix::Plain | Suffix::Gzip => None,
        };
        let mut attempt = 1;
        loop {
            // Whether these very bytes are what was stored: fetching them again changes nothing then.
            let mut proven = false;
            let checked = self
                .check_hash(volume, name, *len, cancelled)
                .and_then(|bytes| {
                    proven = volume.sha1.is_some() && matches!(bytes, Bytes::Held(..));
                    match &decryptor {
                        Some(decryptor) => {
                            self.check_message(name, *len, decryptor, bytes, cancelled)
                        }
                        None => Ok((bytes.into_reader(), Vec::new())),
                    }
                });
            match checked {
                Ok((bytes, warnings)) => {
                    return Ok(Checked {
                        bytes,
                        decryptor,
                        warnings,
                    });
                }
                Err(error) if attempt == ATTEMPTS || proven || !error.may_be_transfer() => {
                    return Err(error);
                }
                Err(_) => attempt += 1,
            }
        }
    }

    /// Fetches a volume and holds it against the manifest's hash.
    fn check_hash(
        &self,
        volume: &PlannedVolume,
        name: &str,
        len: u64,
        cancelled: &AtomicBool,
    ) -> Result<Bytes> {
        let memory = self.transfer.try_hold(len);
        let reader = Cancellable {
            inner: self.transfer.read(name, len),
            cancelled,
        };
        let (found, bytes) = match memory {
            Some(memory) => {
                let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
                read(name, reader, |chunk| bytes.extend_from_slice(chunk))?;
                (
                    Sha1::digest(&bytes),
                    Bytes::Held(Cursor::new(bytes), memory),
                )
            }
            None => {
                let mut hash = Sha1::new();
                read(name, reader, |chunk| hash.update(chunk))?;
                (
                    hash.finalize(),
                    Bytes::Again(Box::new(self.transfer.read(name, len))),
                )
            }
        };
        let found: [u8; 20] = found.into();
        if volume.sha1.is_none_or(|expected| expected == found) {
            return Ok(bytes);
        }
        Err(Error::HashMismatch {
            name: name.to_owned(),
            expected: volume.sha1.map(|d| hex(&d)).unwrap_or_default(),
            found: hex(&found),
        })
    }

    /// Decrypts the whole message without using its content: to its integrity check, and for the
    /// signer, if one is required, through all its layers.
    fn check_message(
        &self,
        name: &str,
        len: u64,
        decryptor: &Decryptor,
        bytes: Bytes,
        cancelled: &AtomicBool,
    ) -> Result<(Box<dyn Read + Send>, Vec<String>)> {
        let broken = |source| Error::OpenPgp {
            object: name.to_owned(),
            source,
        };
        let signer = self.keys.required_signer();
        let check = |bytes: &mut (dyn Read + Send)| -> Result<Vec<String>> {
            let input = Cancellable {
                inner: bytes,
                cancelled,
            };
            let report = match signer {
                None => decryptor.check_integrity(input).map_err(broken)?,
                Some(_) => {
                    let mut message = decryptor.open(input).map_err(broken)?;
                    io::copy(&mut message, &mut io::sink())
                        .map_err(|e| broken(redup_openpgp::Error::from_io(e)))?;
                    message.report().clone()
                }
            };
            match signer {
                Some(expected) if !report.is_signed_by(expected) => Err(Error::WrongSigner {
                    name: name.to_owned(),
                    expected: expected.to_owned(),
                }),
                _ => Ok(report
                    .warnings
                    .iter()
                    .map(|warning| format!("{name}: {warning}"))
                    .collect()),
            }
        };
        match bytes {
            Bytes::Held(mut held, memory) => {
                let warnings = check(&mut held)?;
                held.set_position(0);
                Ok((Bytes::Held(held, memory).into_reader(), warnings))
            }
            Bytes::Again(mut first) => {
                let warnings = check(&mut first)?;
                Ok((Box::new(self.transfer.read(name, len)), warnings))
            }
        }
    }
}

/// The bytes of a volume: in memory with the permit that accounts for them, or to be read again.
enum Bytes {
    Held(Cursor<Vec<u8>>, OwnedSemaphorePermit),
    Again(Box<dyn Read + Send>),
}

impl Bytes {
    fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::Held(bytes, memory) => Box::new(Held {
                bytes,
                _memory: memory,
            }),
            Self::Again(reader) => reader,
        }
    }
}

struct Held {
    bytes: Cursor<Vec<u8>>,
    _memory: OwnedSemaphorePermit,
}

impl Read for Held {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buf)
    }
}

struct Cancellable<'a, R> {
    inner: R,
    cancelled: &'a AtomicBool,
}

impl<R: Read> Read for Cancellable<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.inner.read(buf)
    }
}

fn read(name: &str, mut from: impl Read, mut take: impl FnMut(&[u8])) -> Result<()> {
    let mut buffer = vec![0; 1 << 17];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&buffer[..count]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                return Err(match e.downcast::<Error>() {
                    Ok(error) => error,
                    Err(source) => Error::io("read", name, source),
                });
            }
        }
    }
}
