//! From options to a message on its way.

use std::io::Write;

use super::writer::MessageWriter;
use super::{public, session};
use crate::bulk::MdcWriter;
use crate::cipher::{Cipher, Key};
use crate::error::{Error, Result};
use crate::keyring::Recipient;
use crate::s2k::S2k;
use crate::secret::Secret;
use crate::signer::Signer;

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
#[derive(Clone, Debug)]
pub struct EncryptorOptions {
    /// Keys that can open the messages.
    pub recipients: Vec<Recipient>,
    /// A passphrase that opens the messages, beside or instead of recipients.
    pub passphrase: Option<Secret>,
    /// Signs the content of every message.
    pub signer: Option<Signer>,
    /// Applied before encryption.
    pub compression: Compression,
}

impl Default for EncryptorOptions {
    /// Nobody can read it yet; gpg's level of compression.
    fn default() -> Self {
        Self {
            recipients: Vec::new(),
            passphrase: None,
            signer: None,
            compression: Compression::Zip(6),
        }
    }
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
            None if !options.recipients.is_empty() => {}
            None => {
                return Err(Error::Options {
                    what: "neither recipients nor a passphrase were given",
                });
            }
            Some(passphrase) if passphrase.is_empty() => {
                return Err(Error::Options {
                    what: "the passphrase is empty",
                });
            }
            Some(_) => {}
        }
        Ok(Self { options })
    }

    /// For a passphrase alone, as duplicity without `--encrypt-key`.
    pub fn symmetric(passphrase: Secret, compression: Compression) -> Result<Self> {
        Self::new(EncryptorOptions {
            passphrase: Some(passphrase),
            compression,
            ..EncryptorOptions::default()
        })
    }

    /// Starts a message on `out`: key packets and the head of the encrypted data are written at once.
    ///
    /// With a passphrase this costs a key derivation (65 MB through SHA-256), as each message has its own salt.
    pub fn message<W: Write>(&self, mut out: W) -> Result<MessageWriter<W>> {
        let mut header = Vec::new();
        let key = self.session_key(&mut header)?;
        let mdc = MdcWriter::start(&key, random()?, &mut header)?;
        out.write_all(&header)?;
        let signature = self
            .options
            .signer
            .as_ref()
            .map(Signer::start)
            .transpose()?;
        MessageWriter::start(
            out,
            header.len() as u64,
            mdc,
            self.options.compression,
            signature,
        )
    }

    /// The recipients, as given.
    pub fn recipients(&self) -> &[Recipient] {
        &self.options.recipients
    }

    /// Writes the packets that carry the session key, and returns it.
    fn session_key(&self, out: &mut Vec<u8>) -> Result<Key> {
        let passphrase = self.options.passphrase.as_ref();
        if let (Some(passphrase), []) = (passphrase, &self.options.recipients[..]) {
            return session::write_skesk(S2k::strong(random()?), passphrase, out);
        }
        let cipher = Cipher::Aes256;
        let key = Key::new(random::<32>()?.to_vec());
        for recipient in &self.options.recipients {
            public::write_pkesk(recipient, cipher, &key, out)?;
        }
        if let Some(passphrase) = passphrase {
            session::write_skesk_for(S2k::strong(random()?), passphrase, cipher, &key, out)?;
        }
        Ok(key)
    }
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|error| Error::Crypto {
        what: "get random octets from the system",
        source: error.to_string().into(),
    })?;
    Ok(octets)
}
