//! Public and secret keys, from files and from a GnuPG home.

mod choose;
mod id;
mod keybox;
mod load;
mod policy;
mod secret;

use std::fmt;
use std::path::PathBuf;

use sequoia_openpgp::Cert;
use sequoia_openpgp::packet::{Key, key};

pub use choose::Recipient;
pub(crate) use id::hex_digits;
pub(crate) use policy::AnyAlgorithm;
pub(crate) use secret::{KeyHolder, find_secret};

use crate::agent::Agent;
use crate::error::Result;
use crate::secret::Secret;
use crate::signer::Signer;
use id::KeySpec;

/// A public key in whatever place of its certificate.
pub(crate) type PublicKey = Key<key::PublicParts, key::UnspecifiedRole>;

/// Where keys come from.
#[derive(Clone, Debug, Default)]
pub struct KeyringOptions {
    /// GnuPG's home, whose public keys are read: `pubring.kbx`, `pubring.gpg`, and the `secring.gpg` of gpg 1.x. A home
    /// that keeps its keys in keyboxd is asked through the gpg program. Files that are missing are no error.
    pub gnupg_home: Option<PathBuf>,
    /// Files with exported keys, public or secret, armored or binary, with any number of keys each. They must be readable.
    pub key_files: Vec<PathBuf>,
}

/// All known keys; read once, then unchanged.
pub struct Keyring {
    certs: Vec<Cert>,
}

impl Keyring {
    /// Reads the keyrings and key files.
    ///
    /// Keys that cannot be parsed are passed over in a GnuPG home, which may hold anything; in a key file they are an
    /// error. The same key in several places is merged.
    pub fn open(options: &KeyringOptions) -> Result<Self> {
        Ok(Self {
            certs: load::load(options)?,
        })
    }

    /// The key to encrypt to for what a user typed: 8, 16 or 40 hexadecimal digits of a primary key or subkey (with or
    /// without `0x`), a mail address, or part of a name.
    ///
    /// As gpg does, takes the newest valid encryption subkey of the key that is meant; a trailing `!` takes exactly the
    /// key that was typed. Not found, ambiguous, expired, revoked and too weak are errors that say so.
    pub fn recipient(&self, id: &str) -> Result<Recipient> {
        choose::recipient(&self.certs, &KeySpec::parse(id))
    }

    /// What signs for the key a user typed (the same forms as for [`recipient`](Self::recipient)).
    ///
    /// Takes the newest signing subkey, else the primary key, whose secret part is at hand: in a key file, unlocked with
    /// `passphrase`, or in gpg-agent, which is given `passphrase` when it asks for one.
    pub fn signer(
        &self,
        id: &str,
        passphrase: Option<&Secret>,
        agent: Option<&Agent>,
    ) -> Result<Signer> {
        choose::signer(&self.certs, &KeySpec::parse(id), passphrase, agent)
    }

    /// How many keys there are; for messages.
    pub fn len(&self) -> usize {
        self.certs.len()
    }

    /// Whether no key was found at all.
    pub fn is_empty(&self) -> bool {
        self.certs.is_empty()
    }

    pub(crate) fn certs(&self) -> &[Cert] {
        &self.certs
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.certs.iter().map(|cert| cert.fingerprint().to_hex());
        f.debug_struct("Keyring")
            .field("certs", &keys.collect::<Vec<_>>())
            .finish()
    }
}
