//! Session keys behind public keys: the PKESK packet, version 3.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sequoia_openpgp::crypto::SessionKey as SequoiaKey;
use sequoia_openpgp::packet::PKESK;
use sequoia_openpgp::packet::pkesk::PKESK3;
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::SerializeInto;
use sequoia_openpgp::{Cert, KeyID, Packet};

use super::session::SessionKey;
use crate::agent::{Agent, AgentKey};
use crate::cipher::{Cipher, Key};
use crate::error::{Error, Result};
use crate::keyring::{KeyHolder, Keyring, PublicKey, Recipient, find_secret};
use crate::packet::{tag, write_header};
use crate::secret::Secret;

/// Writes the packet that gives `recipient` the session key.
pub(super) fn write_pkesk(
    recipient: &Recipient,
    cipher: Cipher,
    key: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Crypto {
        what: "encrypt to a recipient",
        source,
    };
    let session = SequoiaKey::from(key);
    let mut pkesk = PKESK3::for_recipient(cipher.id().into(), &session, &recipient.key)
        .map_err(|error| failed(error.into()))?;
    if recipient.hidden {
        pkesk.set_recipient(None);
    }
    out.extend(
        Packet::from(pkesk)
            .to_vec()
            .map_err(|error| failed(error.into()))?,
    );
    Ok(())
}

/// A session key for one, perhaps unnamed, recipient.
pub(super) struct Pkesk {
    packet: PKESK3,
    /// `None`: hidden.
    recipient: Option<KeyID>,
}

impl Pkesk {
    pub(super) fn parse(body: &[u8]) -> Result<Self> {
        match body.first() {
            None => return Err(Error::damaged("a packet is too short")),
            Some(2 | 3) => {}
            Some(version) => return Err(Error::unsupported("recipient packet version", *version)),
        }
        let mut framed = Vec::with_capacity(body.len() + 6);
        write_header(
            &mut framed,
            tag::PKESK,
            u32::try_from(body.len()).unwrap_or(u32::MAX),
        )?;
        framed.extend_from_slice(body);
        // Any parse error means a packet nobody can use.
        match Packet::from_bytes(&framed) {
            Ok(Packet::PKESK(PKESK::V3(packet))) => {
                let recipient = packet.recipient().filter(|id| !id.is_wildcard()).cloned();
                Ok(Self { packet, recipient })
            }
            _ => Err(Error::unsupported(
                "public-key algorithm",
                body.get(9).copied().unwrap_or_default(),
            )),
        }
    }
}

/// Secret keys, and what was learnt about them.
#[derive(Default)]
pub(super) struct KeyCache(Mutex<HashMap<String, Option<KeyHolder>>>);

/// Where secret keys may be, and the passphrase for them.
pub(super) struct SecretKeys<'a> {
    pub(super) keyring: &'a Keyring,
    pub(super) passphrase: Option<&'a Secret>,
    pub(super) agent: Option<&'a Agent>,
    pub(super) cache: &'a KeyCache,
}

impl SecretKeys<'_> {
    /// Tries the secret keys that may open `pkesk`, until `fits` accepts a session key. `Ok(None)` when there is no such
    /// key; an error when a key is there and could not be used.
    pub(super) fn open(
        &self,
        pkesk: &Pkesk,
        fits: &dyn Fn(&SessionKey) -> Result<bool>,
    ) -> Result<Option<SessionKey>> {
        let mut failure = None;
        for (cert, key) in self.candidates(pkesk) {
            match self.try_key(cert, &key, pkesk) {
                Ok(Some(session)) if fits(&session)? => return Ok(Some(session)),
                // A hidden message may be for another of the keys; a named one is damaged.
                Ok(Some(_)) if pkesk.recipient.is_some() => {
                    return Err(Error::damaged("encrypted session key"));
                }
                Ok(_) => {}
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    /// The keys named by the packet, or all that could be meant by a hidden one.
    fn candidates<'a>(&'a self, pkesk: &'a Pkesk) -> impl Iterator<Item = (&'a Cert, PublicKey)> {
        self.keyring.certs().iter().flat_map(move |cert| {
            cert.keys()
                .map(move |key| (cert, key.key().clone()))
                .filter(move |(_, key)| match &pkesk.recipient {
                    Some(id) => key.keyid() == *id,
                    None => {
                        key.pk_algo() == pkesk.packet.pk_algo() && key.pk_algo().for_encryption()
                    }
                })
        })
    }

    fn try_key(&self, cert: &Cert, key: &PublicKey, pkesk: &Pkesk) -> Result<Option<SessionKey>> {
        let opened = match self.holder(cert, key)? {
            None => return Ok(None),
            Some(KeyHolder::Memory(pair)) => pkesk.packet.decrypt(&mut { *pair }, None),
            Some(KeyHolder::Agent(agent, keygrip)) => {
                let mut agent_key = AgentKey::new(&agent, key, &keygrip, self.passphrase);
                let opened = pkesk.packet.decrypt(&mut agent_key, None);
                if let Some(error) = agent_key.into_error() {
                    return Err(error);
                }
                opened
            }
        };
        let Some((algorithm, session)) = opened else {
            return if pkesk.recipient.is_some() {
                Err(Error::damaged("encrypted session key"))
            } else {
                Ok(None)
            };
        };
        let cipher = Cipher::from_id(algorithm.into())?;
        let key = Key::new(session.to_vec());
        Ok((key.len() == cipher.key_len()).then_some(SessionKey { cipher, key }))
    }

    /// Unlocks a key once: doing so takes a third of a second. Failures are not remembered.
    fn holder(&self, cert: &Cert, key: &PublicKey) -> Result<Option<KeyHolder>> {
        let fingerprint = key.fingerprint().to_hex();
        let mut cache = self.cache.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(holder) = cache.get(&fingerprint) {
            return Ok(holder.clone());
        }
        let holder = find_secret(cert, key, self.passphrase, self.agent)?;
        cache.insert(fingerprint, holder.clone());
        Ok(holder)
    }
}
