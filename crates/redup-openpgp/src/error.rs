//! What can go wrong, told apart so that a program can say what to do.

use std::io;
use std::path::PathBuf;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A cause from a library below, kept as `source`.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a message could not be written or read, or a key not be used.
///
/// No variant ever holds a passphrase or key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The passphrase does not fit. The text carries gpg's words, which programs around duplicity look for.
    #[error("cannot decrypt: Bad session key (wrong passphrase)")]
    WrongPassphrase,

    /// The message can be opened with a passphrase, and none was given.
    #[error("cannot decrypt: the message is protected by a passphrase and none was given")]
    PassphraseMissing,

    /// None of the keys the message is encrypted to is available. An id of all zeros stands for a hidden recipient.
    #[error("cannot decrypt: No secret key (encrypted to {})", list(.key_ids))]
    NoSecretKey {
        /// Key ids from the message, 16 hexadecimal digits each.
        key_ids: Vec<String>,
    },

    /// A secret key was found, but it could not be used: a wrong passphrase for it, a refused prompt, a broken card.
    /// The text carries gpg's words for it.
    #[error("cannot use the secret key {key} (in gpg's words: No secret key)")]
    SecretKey {
        /// Fingerprint or key id.
        key: String,
        /// What the key's holder said.
        #[source]
        source: Cause,
    },

    /// The message is not what was written: bits flipped, bytes lost or not OpenPGP at all.
    #[error("the OpenPGP message is damaged: {what}")]
    Damaged {
        /// What did not fit.
        what: &'static str,
    },

    /// The data end before the message does.
    #[error("the OpenPGP message is truncated: {what}")]
    Truncated {
        /// What was being read.
        what: &'static str,
    },

    /// The integrity check of the encrypted data failed: nothing read from this message can be trusted.
    #[error("the OpenPGP message was altered: its integrity check (MDC) failed")]
    IntegrityCheck,

    /// A well-formed message that uses something redup does not know.
    #[error("unsupported OpenPGP {what} {id}")]
    Unsupported {
        /// The kind of thing: `cipher`, `packet`, ….
        what: &'static str,
        /// Its number in the message.
        id: u64,
    },

    /// More nesting, packets or key derivations than any honest message has.
    #[error("the OpenPGP message exceeds a limit: {what}")]
    Limit {
        /// Which limit.
        what: &'static str,
    },

    /// A signature that was made by a known key and does not fit the data.
    #[error("bad signature by key {key}")]
    BadSignature {
        /// Fingerprint or key id of the issuer.
        key: String,
    },

    /// No key fits what the user typed.
    #[error("no public key found for {id:?}")]
    KeyNotFound {
        /// As typed.
        id: String,
    },

    /// More than one key fits what the user typed.
    #[error("{id:?} is ambiguous: it fits the keys {}", list(.candidates))]
    KeyAmbiguous {
        /// As typed.
        id: String,
        /// Fingerprints of the candidates.
        candidates: Vec<String>,
    },

    /// The key exists, but a rule forbids its use.
    #[error("key {fingerprint} (given as {id:?}) cannot be used: {rule}")]
    KeyUnusable {
        /// As typed.
        id: String,
        /// The key it means.
        fingerprint: String,
        /// The rule, in words.
        rule: String,
    },

    /// A keyring or key file cannot be read.
    #[error("cannot read keys from {path}")]
    Keyring {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },

    /// The conversation with gpg-agent failed.
    #[error("gpg-agent: {what}")]
    Agent {
        /// What was asked, or what the agent answered.
        what: String,
        /// Why, when there is more to say.
        #[source]
        source: Option<io::Error>,
    },

    /// The options ask for something that makes no message, such as encryption to nobody.
    #[error("cannot encrypt: {what}")]
    Options {
        /// What is wrong with them.
        what: &'static str,
    },

    /// Signing or encrypting to a key failed.
    #[error("cannot {what}")]
    Crypto {
        /// What was attempted.
        what: &'static str,
        /// Why.
        #[source]
        source: Cause,
    },

    /// The stream below failed.
    #[error("input or output failed")]
    Io(#[source] io::Error),
}

impl Error {
    /// Recovers this crate's error from one that travelled through a `Read` or `Write` as [`io::Error`].
    pub fn from_io(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => ours,
            Err(other) => Self::Io(other),
        }
    }

    pub(crate) fn damaged(what: &'static str) -> Self {
        Self::Damaged { what }
    }

    pub(crate) fn truncated(what: &'static str) -> Self {
        Self::Truncated { what }
    }

    pub(crate) fn unsupported(what: &'static str, id: impl Into<u64>) -> Self {
        Self::Unsupported {
            what,
            id: id.into(),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::from_io(error)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error,
            error => Self::new(error.io_kind(), error),
        }
    }
}

impl Error {
    fn io_kind(&self) -> io::ErrorKind {
        match self {
            Self::Truncated { .. } => io::ErrorKind::UnexpectedEof,
            Self::Unsupported { .. } => io::ErrorKind::Unsupported,
            Self::Damaged { .. } | Self::IntegrityCheck | Self::Limit { .. } => {
                io::ErrorKind::InvalidData
            }
            _ => io::ErrorKind::Other,
        }
    }
}

fn list(names: &[String]) -> String {
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_a_trip_through_io() {
        let there: io::Error = Error::IntegrityCheck.into();
        assert!(matches!(Error::from_io(there), Error::IntegrityCheck));
        let there: io::Error = Error::Io(io::ErrorKind::BrokenPipe.into()).into();
        assert_eq!(there.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn texts_carry_the_words_that_programs_look_for() {
        assert!(
            Error::WrongPassphrase
                .to_string()
                .contains("Bad session key")
        );
        let missing = Error::NoSecretKey {
            key_ids: vec!["A89709C486FB022F".into(), "0000000000000000".into()],
        };
        assert!(missing.to_string().contains("No secret key"));
        assert!(
            missing
                .to_string()
                .contains("A89709C486FB022F, 0000000000000000")
        );
    }
}
