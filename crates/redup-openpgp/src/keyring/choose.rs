//! Which key is meant, and which part of it is used.

use std::fmt;
use std::time::SystemTime;

use sequoia_openpgp::Cert;
use sequoia_openpgp::cert::amalgamation::key::{PrimaryKey, ValidErasedKeyAmalgamation};
use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::policy::{Policy, StandardPolicy};
use sequoia_openpgp::types::RevocationStatus;

use super::PublicKey;
use super::id::KeySpec;
use super::policy::AnyAlgorithm;
use super::secret::{KeyHolder, find_secret};
use crate::agent::Agent;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::signer::Signer;

/// A key that messages are encrypted to.
#[derive(Clone)]
pub struct Recipient {
    pub(crate) key: PublicKey,
    pub(crate) hidden: bool,
    primary: String,
}

impl Recipient {
    /// Leaves the key id out of the messages, so that they do not tell whom they are for. Who decrypts has to try all
    /// secret keys.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self {
            hidden: true,
            ..self
        }
    }

    /// Fingerprint of the key that encrypts, in upper-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint().to_hex()
    }

    /// Fingerprint of the primary key it belongs to.
    pub fn primary_fingerprint(&self) -> &str {
        &self.primary
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipient")
            .field("key", &self.fingerprint())
            .field("hidden", &self.hidden)
            .finish()
    }
}

/// Chooses under the strict policy, as new data must not rest on broken algorithms.
pub(super) fn recipient(certs: &[Cert], spec: &KeySpec) -> Result<Recipient> {
    let policy = StandardPolicy::new();
    choose(certs, spec, |cert| {
        let key = best_key(cert, spec, &policy, "encryption", |key| {
            key.for_transport_encryption() || key.for_storage_encryption()
        })?;
        let key = key.first().ok_or("it has no encryption key")?.clone();
        Ok(Recipient {
            key,
            hidden: false,
            primary: cert.fingerprint().to_hex(),
        })
    })
}

/// Chooses by what gpg would use, old algorithms included: a signature protects nothing that encryption does not.
pub(super) fn signer(
    certs: &[Cert],
    spec: &KeySpec,
    passphrase: Option<&Secret>,
    agent: Option<&Agent>,
) -> Result<Signer> {
    let keys = choose(certs, spec, |cert| {
        let keys = best_key(cert, spec, &AnyAlgorithm, "signing", |key| {
            key.for_signing()
        })?;
        Ok((cert, keys))
    });
    let (cert, keys) = keys?;
    for key in &keys {
        match find_secret(cert, key, passphrase, agent)? {
            Some(KeyHolder::Memory(pair)) => return Ok(Signer::in_memory(pair)),
            Some(KeyHolder::Agent(agent, keygrip)) => {
                return Ok(Signer::in_agent(
                    key.clone(),
                    agent,
                    keygrip,
                    passphrase.cloned(),
                ));
            }
            None => {}
        }
    }
    Err(Error::NoSecretKey {
        key_ids: keys.iter().map(|key| key.keyid().to_hex()).collect(),
    })
}

/// Finds the one certificate that `spec` means and `usable` accepts.
fn choose<'a, T>(
    certs: &'a [Cert],
    spec: &KeySpec,
    usable: impl Fn(&'a Cert) -> std::result::Result<T, Rule>,
) -> Result<T> {
    let mut matching: Vec<&Cert> = certs.iter().filter(|cert| spec.matches(cert)).collect();
    // A mail address typed in full means its owner, not those who contain it.
    if matching.iter().any(|cert| spec.is_mail_of(cert)) {
        matching.retain(|cert| spec.is_mail_of(cert));
    }
    let Some(first) = matching.first() else {
        return Err(Error::KeyNotFound {
            id: spec.typed.clone(),
        });
    };
    let mut refused = None;
    let mut found = Vec::new();
    for cert in &matching {
        match usable(cert) {
            Ok(choice) => found.push((cert.fingerprint().to_hex(), choice)),
            Err(rule) => {
                refused.get_or_insert((cert.fingerprint().to_hex(), rule));
            }
        }
    }
    if found.len() > 1 {
        let candidates = found
            .into_iter()
            .map(|(fingerprint, _)| fingerprint)
            .collect();
        return Err(Error::KeyAmbiguous {
            id: spec.typed.clone(),
            candidates,
        });
    }
    match (found.pop(), refused) {
        (Some((_, choice)), _) => Ok(choice),
        (None, Some((fingerprint, rule))) => Err(Error::KeyUnusable {
            id: spec.typed.clone(),
            fingerprint,
            rule: rule.0,
        }),
        (None, None) => {
            let fingerprint = first.fingerprint().to_hex();
            Err(Error::KeyUnusable {
                id: spec.typed.clone(),
                fingerprint,
                rule: "no part of it fits".into(),
            })
        }
    }
}

/// Why a key is refused, in words that follow "cannot be used:".
struct Rule(String);

impl From<&str> for Rule {
    fn from(rule: &str) -> Self {
        Self(rule.to_owned())
    }
}

/// The keys of `cert` that may be used for `purpose`, best first: subkeys before the primary key, newest first.
fn best_key(
    cert: &Cert,
    spec: &KeySpec,
    policy: &dyn Policy,
    purpose: &str,
    fits: impl Fn(&ValidErasedKeyAmalgamation<'_, PublicParts>) -> bool,
) -> std::result::Result<Vec<PublicKey>, Rule> {
    let now = SystemTime::now();
    let valid = cert.with_policy(policy, now).map_err(|error| {
        Rule(format!(
            "its self-signature is not accepted: {}",
            chain(&error)
        ))
    })?;
    if let RevocationStatus::Revoked(_) = valid.revocation_status() {
        return Err("it is revoked".into());
    }
    if let Err(error) = valid.alive() {
        return Err(Rule(format!("it is not valid now: {}", chain(&error))));
    }
    let mut keys = Vec::new();
    let mut why_not = None;
    for key in cert.keys() {
        if spec.exact && !spec.matches_key(key.key()) {
            continue;
        }
        let id = key.key().keyid().to_hex();
        let refused = match key.with_policy(policy, now) {
            Err(error) => Some(format!("{id} is not accepted: {}", chain(&error))),
            Ok(key) if !fits(&key) => spec.exact.then(|| format!("{id} is not for {purpose}")),
            Ok(key) if matches!(key.revocation_status(), RevocationStatus::Revoked(_)) => {
                Some(format!("{id} is revoked"))
            }
            Ok(key) => match key.alive() {
                Err(error) => Some(format!("{id} is not valid now: {}", chain(&error))),
                Ok(()) if !key.key().pk_algo().is_supported() => Some(format!(
                    "{id} uses {}, which is not supported",
                    key.key().pk_algo()
                )),
                Ok(()) => {
                    keys.push((!key.primary(), key.key().creation_time(), key.key().clone()));
                    None
                }
            },
        };
        why_not = why_not.or(refused);
    }
    if keys.is_empty() {
        let why = why_not.map(|why| format!(" ({why})")).unwrap_or_default();
        return Err(Rule(format!("it has no key for {purpose}{why}")));
    }
    keys.sort_by_key(|(subkey, created, _)| std::cmp::Reverse((*subkey, *created)));
    Ok(keys.into_iter().map(|(.., key)| key).collect())
}

/// An error of sequoia with its causes, in one line.
fn chain(
    error: &(impl std::ops::Deref<Target = dyn std::error::Error + Send + Sync> + ?Sized),
) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
