//! Signatures that are asked for: what is read must be a message that a certain key has signed.

use std::io::{self, Read};
use std::sync::Arc;

use redup_format::filename::Suffix;
use redup_openpgp::Decryptor;
use redup_volume::VolumeReader;

use crate::{Error, KeyProvider, Result, SignedBy};

/// What opens an object with this ending: nothing for what is not encrypted.
///
/// # Errors
/// [`Error::NotSigned`] when it cannot have the signature of `signer`; those of the keys.
pub(crate) fn decryptor(
    keys: &dyn KeyProvider,
    signer: Option<&SignedBy>,
    name: &str,
    suffix: Suffix,
) -> Result<Option<Arc<Decryptor>>> {
    match (suffix, signer) {
        (Suffix::Gpg | Suffix::Gpgsm, _) => keys.decryptor().map(Some),
        (Suffix::Plain | Suffix::Gzip, Some(signer)) if !signer.unencrypted => {
            Err(Error::NotSigned {
                name: name.to_owned(),
                expected: signer.key.clone(),
            })
        }
        (Suffix::Plain | Suffix::Gzip, _) => Ok(None),
    }
}

impl SignedBy {
    /// The signature is not there.
    pub(crate) fn missed(&self, name: &str) -> Error {
        Error::WrongSigner {
            name: name.to_owned(),
            expected: self.key.clone(),
        }
    }
}

/// Reads an object; the signature comes at its end, and its end is an error without the signature.
pub(crate) struct SignedReader<'a> {
    inner: VolumeReader<'a>,
    signer: SignedBy,
    name: String,
}

impl<'a> SignedReader<'a> {
    pub(crate) fn new(inner: VolumeReader<'a>, signer: &SignedBy, name: &str) -> Self {
        Self {
            inner,
            signer: signer.clone(),
            name: name.to_owned(),
        }
    }
}

impl Read for SignedReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        let ended = count == 0 && !buf.is_empty();
        // What is not encrypted has no report: it was let pass when it was opened.
        let report = self.inner.report().filter(|_| ended);
        match report.is_some_and(|report| !report.is_signed_by(&self.signer.key)) {
            true => Err(io::Error::other(self.signer.missed(&self.name))),
            false => Ok(count),
        }
    }
}
