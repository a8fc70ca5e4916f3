//! From options to a message on its way.

use std::io::Write;

use zeroize::Zeroizing;

use super::session;
use super::writer::MessageWriter;
use crate::bulk::MdcWriter;
use crate::error::{Error, Result};
use crate::s2k::S2k;
use crate::secret::Secret;

/// How the content is compressed before it is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: there is no compressed packet.
    None,
    /// Raw deflate, gpg's own choice with a passphrase. Levels are zlib's, 0 to 9.
    Zip(u32),
    /// Deflate in the zlib frame, gpg's choice with recipients.
    Zlib(u32),
}

/// Who can read the messages, and how they are made.
#[derive(Debug)]
pub struct EncryptorOptions {
    /// A passphrase that opens the messages, beside or instead of recipients.
    pub passphrase: Option<Secret>,
    /// Applied before encryption.
    pub compression: Compression,
}

/// Makes any number of messages with the same keys; can be shared between threads.
#[derive(Debug)]
pub struct Encryptor {
    options: EncryptorOptions,
}

impl Encryptor {
    /// Checks that somebody can read the messages: a recipient or a passphrase that is not empty.
    pub fn new(options: EncryptorOptions) -> Result<Self> {
        match &options.passphrase {
            None => return Err(Error::Options { what: "neither recipients nor a passphrase were given" }),
            Some(passphrase) if passphrase.is_empty() => return Err(Error::Options { what: "the passphrase is empty" }),
            Some(_) => {}
        }
        Ok(Self { options })
    }

    /// For a passphrase alone, as duplicity without `--encrypt-key`.
    pub fn symmetric(passphrase: Secret, compression: Compression) -> Result<Self> {
        Self::new(EncryptorOptions { passphrase: Some(passphrase), compression })
    }

    /// Starts a message on `out`: key packets and the head of the encrypted data are written at once.
    ///
    /// With a passphrase this costs a key derivation (65 MB through SHA-256), as each message has its own salt.
    pub fn message<W: Write>(&self, mut out: W) -> Result<MessageWriter<W>> {
        let mut header = Vec::new();
        let key = self.session_key(&mut header)?;
        let mdc = MdcWriter::start(&key, random()?, &mut header)?;
        out.write_all(&header)?;
        Ok(MessageWriter::start(out, header.len() as u64, mdc, self.options.compression)?)
    }

    /// Writes the packets that carry the session key, and returns it.
    fn session_key(&self, out: &mut Vec<u8>) -> Result<Zeroizing<Vec<u8>>> {
        let Some(passphrase) = &self.options.passphrase else {
            return Err(Error::Options { what: "neither recipients nor a passphrase were given" });
        };
        session::write_skesk(S2k::strong(random()?), passphrase, out)
    }
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets)
        .map_err(|error| Error::Crypto { what: "get random octets from the system", source: error.to_string().into() })?;
    Ok(octets)
}
