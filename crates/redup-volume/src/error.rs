//! What can go wrong with a volume's encoding.

use std::io;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a volume could not be encoded or decoded. The name of the volume is the caller's to add.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Encryption or decryption failed; the source tells a wrong passphrase, a missing key and damage apart.
    #[error("OpenPGP failed")]
    OpenPgp(#[source] redup_openpgp::Error),

    /// The gzip data are cut short, altered or not gzip.
    #[error("the gzip data are damaged or truncated")]
    Gzip(#[source] io::Error),

    /// An encrypted object, and nothing to open it with.
    #[error("encrypted, but no keys are at hand")]
    NoDecryptor,

    /// An encoding that redup does not read: CMS by gpgsm.
    #[error("encrypted by gpgsm, which is not supported")]
    Gpgsm,

    /// The stream below failed.
    #[error("input or output failed")]
    Io(#[source] io::Error),
}

impl Error {
    /// Recovers this crate's error, or the OpenPGP one, from what travelled through a `Read` or `Write`.
    pub fn from_io(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            Err(other) => redup_openpgp::Error::from_io(other).into(),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::from_io(error)
    }
}

impl From<redup_openpgp::Error> for Error {
    fn from(error: redup_openpgp::Error) -> Self {
        match error {
            redup_openpgp::Error::Io(error) => Self::Io(error),
            error => Self::OpenPgp(error),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            Error::OpenPgp(error) => error.into(),
            error => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}
