//! Making signatures with a secret key, wherever that is.

use std::fmt;

use sequoia_openpgp::Packet;
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::crypto::hash::Context;
use sequoia_openpgp::crypto::mpi::PublicKey as Mpis;
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::types::{HashAlgorithm, SignatureType};

use crate::agent::{Agent, AgentKey, Keygrip};
use crate::error::{Error, Result};
use crate::keyring::PublicKey;
use crate::secret::Secret;

/// Signs messages; made by [`Keyring::signer`](crate::Keyring::signer). Can be shared between threads.
#[derive(Clone)]
pub struct Signer {
    public: PublicKey,
    holder: Holder,
}

#[derive(Clone)]
enum Holder {
    Memory(Box<KeyPair>),
    Agent {
        agent: Agent,
        keygrip: Keygrip,
        passphrase: Option<Secret>,
    },
}

impl Signer {
    pub(crate) fn in_memory(pair: Box<KeyPair>) -> Self {
        Self {
            public: pair.public().clone(),
            holder: Holder::Memory(pair),
        }
    }

    pub(crate) fn in_agent(
        public: PublicKey,
        agent: Agent,
        keygrip: Keygrip,
        passphrase: Option<Secret>,
    ) -> Self {
        Self {
            public,
            holder: Holder::Agent {
                agent,
                keygrip,
                passphrase,
            },
        }
    }

    /// Fingerprint of the key that signs, in upper-case hexadecimal; a subkey's when a subkey signs.
    pub fn fingerprint(&self) -> String {
        self.public.fingerprint().to_hex()
    }

    /// Makes one signature now, so that a wrong passphrase shows before a backup starts.
    pub fn test(&self) -> Result<()> {
        self.start()?.finish().map(drop)
    }

    /// Starts a signature over a message's content.
    pub(crate) fn start(&self) -> Result<PendingSignature> {
        let algorithm = digest_for(&self.public);
        let hash = algorithm.context().map_err(failed)?.for_signature(4);
        Ok(PendingSignature {
            signer: self.clone(),
            algorithm,
            hash,
        })
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("key", &self.fingerprint())
            .finish_non_exhaustive()
    }
}

/// A signature whose content is still being hashed.
pub(crate) struct PendingSignature {
    signer: Signer,
    algorithm: HashAlgorithm,
    hash: Context,
}

impl PendingSignature {
    /// Body of the one-pass signature packet that goes before the content.
    pub(crate) fn announcement(&self) -> Vec<u8> {
        const VERSION: u8 = 3;
        const LAST: u8 = 1;
        let key = &self.signer.public;
        let mut body = vec![
            VERSION,
            SignatureType::Binary.into(),
            self.algorithm.into(),
            key.pk_algo().into(),
        ];
        body.extend_from_slice(key.keyid().as_bytes());
        body.push(LAST);
        body
    }

    pub(crate) fn update(&mut self, content: &[u8]) {
        self.hash.update(content);
    }

    /// The signature packet that goes behind the content, header included.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        let builder = SignatureBuilder::new(SignatureType::Binary);
        let signature = match &self.signer.holder {
            Holder::Memory(pair) => builder
                .sign_hash(&mut (**pair).clone(), self.hash)
                .map_err(failed)?,
            Holder::Agent {
                agent,
                keygrip,
                passphrase,
            } => {
                let mut key =
                    AgentKey::new(agent, &self.signer.public, keygrip, passphrase.as_ref());
                let result = builder.sign_hash(&mut key, self.hash);
                match (result, key.into_error()) {
                    (Ok(signature), _) => signature,
                    (Err(_), Some(error)) => return Err(error),
                    (Err(error), None) => return Err(failed(error)),
                }
            }
        };
        Packet::from(signature).to_vec().map_err(failed)
    }
}

/// A digest that every gpg accepts for this kind of key: SHA-256, or as long as a larger curve asks for.
fn digest_for(key: &PublicKey) -> HashAlgorithm {
    match key.mpis() {
        Mpis::ECDSA { curve, .. } => match curve.bits() {
            Ok(0..=256) => HashAlgorithm::SHA256,
            Ok(257..=384) => HashAlgorithm::SHA384,
            _ => HashAlgorithm::SHA512,
        },
        _ => HashAlgorithm::SHA256,
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Crypto {
        what: "sign",
        source: source.into(),
    }
}
