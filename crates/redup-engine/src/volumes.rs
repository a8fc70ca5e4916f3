//! Reading volumes: nothing of a volume is used before all of it has been checked.
//!
//! A volume that fits into the memory budget is fetched whole, hashed and decoded from memory. A
//! larger one, or any where reading twice costs nothing, is read once to check and once to decode.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use redup_difftar::BoxError;
use redup_difftar::difftar::Volume;
use redup_format::filename::{Span, Suffix};
use redup_openpgp::Decryptor;
use redup_volume::VolumeReader;
use sha1::{Digest, Sha1};

use crate::checkpoint::hex;
use crate::transfer::Transfer;
use crate::{Error, Event, KeyProvider, Monitor, Result};

/// A volume is fetched again once when its hash is wrong: transfers fail more often than disks.
const ATTEMPTS: u32 = 2;

/// A volume that a run reads.
#[derive(Debug, Clone)]
pub(crate) struct PlannedVolume {
    pub(crate) span: Span,
    pub(crate) number: u32,
    /// Its name and length at the store; `None` when it is missing there.
    pub(crate) object: Option<(String, u64)>,
    pub(crate) suffix: Suffix,
    /// The manifest's hash. Sets without one are older than any known release.
    pub(crate) sha1: Option<[u8; 20]>,
}

/// What all cursors of one run share.
pub(crate) struct VolumeOpener<'a> {
    pub(crate) transfer: Transfer,
    pub(crate) keys: Arc<dyn KeyProvider>,
    pub(crate) monitor: &'a dyn Monitor,
    pub(crate) ignore_errors: bool,
    pub(crate) total: u32,
    pub(crate) done: AtomicU32,
    pub(crate) skipped: AtomicU32,
}

impl VolumeOpener<'_> {
    /// The volumes of one set, opened one after the other as they are needed.
    pub(crate) fn cursor(&self, volumes: Vec<PlannedVolume>) -> VolumeCursor<'_> {
        VolumeCursor {
            opener: self,
            volumes: volumes.into(),
        }
    }

    fn open(&self, volume: &PlannedVolume) -> Result<Box<dyn Read + Send + '_>> {
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
        let checked = self.checked(volume, name, *len, decryptor.as_deref())?;
        self.decode(name, volume.suffix, decryptor, checked)
    }

    /// Fetches and checks a volume, and gives a fresh reader of the same bytes.
    fn checked(
        &self,
        volume: &PlannedVolume,
        name: &str,
        len: u64,
        decryptor: Option<&Decryptor>,
    ) -> Result<Box<dyn Read + Send>> {
        let mut attempt = 1;
        loop {
            let memory = self.transfer.try_hold(len);
            let found = if let Some(memory) = memory {
                let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
                self.transfer
                    .read(name, len)
                    .read_to_end(&mut bytes)
                    .map_err(|e| self.read_error(name, e))?;
                let found: [u8; 20] = Sha1::digest(&bytes).into();
                if volume.sha1.is_none_or(|expected| expected == found) {
                    self.check_message(name, decryptor, bytes.as_slice())?;
                    return Ok(Box::new(Held {
                        bytes: Cursor::new(bytes),
                        _memory: memory,
                    }));
                }
                found
            } else {
                let mut reader = Hashing {
                    inner: self.transfer.read(name, len),
                    hash: Sha1::new(),
                };
                io::copy(&mut reader, &mut io::sink()).map_err(|e| self.read_error(name, e))?;
                let found: [u8; 20] = reader.hash.finalize().into();
                if volume.sha1.is_none_or(|expected| expected == found) {
                    self.check_message(name, decryptor, self.transfer.read(name, len))?;
                    return Ok(Box::new(self.transfer.read(name, len)));
                }
                found
            };
            if attempt == ATTEMPTS {
                return Err(Error::HashMismatch {
                    name: name.to_owned(),
                    expected: volume.sha1.map(|d| hex(&d)).unwrap_or_default(),
                    found: hex(&found),
                });
            }
            attempt += 1;
        }
    }

    /// Decrypts the whole message without using it: its integrity, and its signer if one is required.
    fn check_message(
        &self,
        name: &str,
        decryptor: Option<&Decryptor>,
        bytes: impl Read + Send,
    ) -> Result<()> {
        let Some(decryptor) = decryptor else {
            return Ok(());
        };
        let broken = |source| Error::OpenPgp {
            object: name.to_owned(),
            source,
        };
        let mut message = decryptor.open(bytes).map_err(broken)?;
        io::copy(&mut message, &mut io::sink())
            .map_err(|e| broken(redup_openpgp::Error::from_io(e)))?;
        for warning in &message.report().warnings {
            self.monitor
                .event(Event::Info(&format!("{name}: {warning}")));
        }
        Ok(())
    }

    fn decode(
        &self,
        name: &str,
        suffix: Suffix,
        decryptor: Option<Arc<Decryptor>>,
        bytes: Box<dyn Read + Send>,
    ) -> Result<Box<dyn Read + Send + '_>> {
        let reader = VolumeReader::new(suffix, decryptor.as_deref(), bytes).map_err(|source| {
            Error::Volume {
                name: name.to_owned(),
                source,
            }
        })?;
        Ok(Box::new(reader))
    }

    fn read_error(&self, name: &str, error: io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(source) => Error::io("read", name, source),
        }
    }
}

/// Opens the volumes of a set in order. A missing or damaged one ends the run, or under
/// `ignore_errors` is told and left out.
pub(crate) struct VolumeCursor<'a> {
    opener: &'a VolumeOpener<'a>,
    volumes: VecDeque<PlannedVolume>,
}

impl<'a> Iterator for VolumeCursor<'a> {
    type Item = Result<Volume<Box<dyn Read + Send + 'a>>, BoxError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let volume = self.volumes.pop_front()?;
            let opened = self.opener.open(&volume);
            let number = self.opener.done.fetch_add(1, Ordering::Relaxed) + 1;
            self.opener.monitor.event(Event::VolumeRead {
                number,
                of: self.opener.total,
            });
            match opened {
                Err(error) if self.opener.ignore_errors && is_about_one_volume(&error) => {
                    self.opener.skipped.fetch_add(1, Ordering::Relaxed);
                    self.opener
                        .monitor
                        .event(Event::VolumeSkipped { error: &error });
                }
                Err(error) => return Some(Err(error.into())),
                Ok(data) => {
                    let name = volume.object.map(|(name, _)| name).unwrap_or_default();
                    return Some(Ok(Volume { name, data }));
                }
            }
        }
    }
}

/// Whether another volume may well be fine.
fn is_about_one_volume(error: &Error) -> bool {
    matches!(
        error,
        Error::MissingVolume { .. }
            | Error::HashMismatch { .. }
            | Error::Volume { .. }
            | Error::OpenPgp { .. }
            | Error::WrongSigner { .. }
    )
}

/// A volume in memory, with the permit that accounts for it.
struct Held<P> {
    bytes: Cursor<Vec<u8>>,
    _memory: P,
}

impl<P> Read for Held<P> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buf)
    }
}

struct Hashing<R> {
    inner: R,
    hash: Sha1,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.hash.update(&buf[..count]);
        Ok(count)
    }
}
