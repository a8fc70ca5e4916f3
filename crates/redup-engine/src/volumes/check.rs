//! Checking a volume: its hash against the manifest, its message's integrity, its signer.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use redup_openpgp::Decryptor;

use super::PlannedVolume;
use super::again::Again;
use super::incoming::Incoming;
use crate::checkpoint::hex;
use crate::signed::decryptor;
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
        let signer = self.keys.required_signer();
        let decryptor = decryptor(&*self.keys, signer, name, volume.suffix)?;
        let mut attempt = 1;
        loop {
            let checked = self.check_once(volume, (name, *len), decryptor.clone(), cancelled);
            match checked {
                // With the right hash these very bytes were stored: fetching them again changes nothing.
                Err(error)
                    if attempt < ATTEMPTS
                        && error.may_be_transfer()
                        && (volume.sha1.is_none()
                            || matches!(error, Error::HashMismatch { .. })) =>
                {
                    attempt += 1;
                }
                checked => return checked,
            }
        }
    }

    /// Fetches a volume, holds it against the manifest's hash, and checks its message on the way.
    fn check_once(
        &self,
        volume: &PlannedVolume,
        (name, len): (&str, u64),
        decryptor: Option<Arc<Decryptor>>,
        cancelled: &AtomicBool,
    ) -> Result<Checked> {
        let mut incoming = Incoming::open(&self.transfer, name, len, &volume.work, cancelled);
        let message = match &decryptor {
            Some(decryptor) => self.check_message(name, decryptor, &mut incoming),
            None => Ok(Vec::new()),
        };
        let (first, kept) = incoming.finish()?;
        let found = first.of_all();
        // What is not what was stored need not make sense.
        if let Some(expected) = volume.sha1.filter(|expected| *expected != found) {
            return Err(Error::HashMismatch {
                name: name.to_owned(),
                expected: hex(&expected),
                found: hex(&found),
            });
        }
        let warnings = message?;
        let bytes: Box<dyn Read + Send> = match kept {
            Some(kept) => Box::new(kept),
            None => Box::new(Again::new(&self.transfer, name, first)),
        };
        Ok(Checked {
            bytes,
            decryptor,
            warnings,
        })
    }

    /// Decrypts the whole message without using its content: to its integrity check, and for the
    /// signer, if one is required, through all its layers. Gives what is weak about it, in words.
    fn check_message(
        &self,
        name: &str,
        decryptor: &Decryptor,
        input: impl Read + Send,
    ) -> Result<Vec<String>> {
        let broken = |source| Error::OpenPgp {
            object: name.to_owned(),
            source,
        };
        let signer = self.keys.required_signer();
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
            Some(signer) if !report.is_signed_by(&signer.key) => Err(signer.missed(name)),
            _ => Ok(report
                .warnings
                .iter()
                .map(|warning| format!("{name}: {warning}"))
                .collect()),
        }
    }
}
