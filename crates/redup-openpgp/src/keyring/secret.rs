//! Secret keys: in memory when a key file held them, else in gpg-agent.

use sequoia_openpgp::Cert;
use sequoia_openpgp::crypto::KeyPair;
use sequoia_openpgp::crypto::S2K;
use sequoia_openpgp::packet::key::SecretKeyMaterial;
use sequoia_openpgp::types::SymmetricAlgorithm;

use super::PublicKey;
use crate::agent::{Agent, Keygrip};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// Who can use a secret key.
#[derive(Clone)]
pub(crate) enum KeyHolder {
    Memory(Box<KeyPair>),
    Agent(Agent, Keygrip),
}

/// Looks for the secret part of `key`: in its certificate, then in the agent. `None` when nobody has it.
pub(crate) fn find_secret(
    cert: &Cert,
    key: &PublicKey,
    passphrase: Option<&Secret>,
    agent: Option<&Agent>,
) -> Result<Option<KeyHolder>> {
    if let Some(pair) = unlock(cert, key, passphrase)? {
        return Ok(Some(KeyHolder::Memory(Box::new(pair))));
    }
    let Some(agent) = agent else { return Ok(None) };
    let Some(keygrip) = agent.keygrip(key) else {
        return Ok(None);
    };
    Ok(agent
        .has_key(&keygrip)?
        .then(|| KeyHolder::Agent(agent.clone(), keygrip)))
}

/// The key pair, when the certificate holds the secret part. A wrong passphrase is an error.
fn unlock(cert: &Cert, key: &PublicKey, passphrase: Option<&Secret>) -> Result<Option<KeyPair>> {
    let failed = |source| Error::SecretKey {
        key: key.fingerprint().to_hex(),
        source,
    };
    let Some(found) = cert
        .keys()
        .secret()
        .find(|found| found.key().fingerprint() == key.fingerprint())
    else {
        return Ok(None);
    };
    let mut secret = found.key().clone();
    if let SecretKeyMaterial::Encrypted(encrypted) = secret.secret() {
        // gpg exports a stub for a key that is elsewhere, on a card or offline.
        if matches!(encrypted.s2k(), S2K::Private { .. })
            || encrypted.algo() == SymmetricAlgorithm::Unencrypted
        {
            return Ok(None);
        }
        let passphrase = passphrase
            .ok_or_else(|| failed("it is protected by a passphrase and none was given".into()))?;
        secret = secret
            .decrypt_secret(&passphrase.expose().into())
            .map_err(|_| failed("Bad passphrase".into()))?;
    }
    secret
        .into_keypair()
        .map(Some)
        .map_err(|error| failed(error.into()))
}
