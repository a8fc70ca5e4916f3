//! Checking the signatures over a message's content.

use std::time::SystemTime;

use sequoia_openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use sequoia_openpgp::crypto::hash::Context;
use sequoia_openpgp::packet::Signature;
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::types::{HashAlgorithm, RevocationStatus, SignatureType};
use sequoia_openpgp::{Cert, KeyHandle, Packet};

use super::report::{SignatureReport, Validity};
use crate::error::{Error, Result};
use crate::keyring::{AnyAlgorithm, Keyring, PublicKey};
use crate::packet::{tag, write_header};

/// The content's hashes, one for each kind of signature that was announced.
#[derive(Default)]
pub(super) struct Verifier {
    hashes: Vec<Context>,
    /// Signatures that stood before the content, as PGP 2 wrote them.
    early: Vec<Vec<u8>>,
}

impl Verifier {
    /// Takes note of a one-pass signature packet. Kinds that cannot be checked are found out when the signature comes.
    pub(super) fn announce(&mut self, body: &[u8]) {
        if let [3, _, hash, ..] = body {
            self.add_hash(HashAlgorithm::from(*hash));
        }
    }

    /// Takes note of a signature packet that comes before the content.
    pub(super) fn add_early(&mut self, body: Vec<u8>) {
        let hash = match &body[..] {
            [4, _, _, hash, ..] => *hash,
            [3, rest @ ..] => rest.get(15).copied().unwrap_or_default(),
            _ => 0,
        };
        self.add_hash(HashAlgorithm::from(hash));
        self.early.push(body);
    }

    pub(super) fn take_early(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.early)
    }

    fn add_hash(&mut self, algorithm: HashAlgorithm) {
        if !self.hashes.iter().any(|hash| hash.algo() == algorithm)
            && let Ok(hash) = algorithm.context()
        {
            self.hashes.push(hash.for_signature(4));
        }
    }

    pub(super) fn update(&mut self, content: &[u8]) {
        for hash in &mut self.hashes {
            hash.update(content);
        }
    }

    /// Checks the body of a signature packet. A signature by a known key that does not fit is an error.
    pub(super) fn check(&self, body: &[u8], keyring: Option<&Keyring>) -> Result<SignatureReport> {
        let Some(signature) = parse(body)? else {
            return Ok(SignatureReport {
                issuer: String::new(),
                primary: None,
                validity: Validity::Unsupported,
            });
        };
        let issuers = signature.get_issuers();
        // Fingerprints first: a key id can be made to collide.
        let issuer = issuers
            .iter()
            .find(|id| matches!(id, KeyHandle::Fingerprint(_)))
            .or(issuers.first());
        let mut report = SignatureReport {
            issuer: issuer.map(KeyHandle::to_hex).unwrap_or_default(),
            primary: None,
            validity: Validity::UnknownKey,
        };
        let hash = self
            .hashes
            .iter()
            .find(|hash| hash.algo() == signature.hash_algo());
        let Some(hash) = hash.filter(|_| signature.typ() == SignatureType::Binary) else {
            report.validity = Validity::Unsupported;
            return Ok(report);
        };
        let mut bad = None;
        for (cert, key) in keyring
            .into_iter()
            .flat_map(|keyring| issued_by(keyring, &issuers))
        {
            match signature.verify_hash(&key, hash.clone()) {
                Ok(()) => {
                    report.issuer = key.fingerprint().to_hex();
                    report.primary = Some(cert.fingerprint().to_hex());
                    report.validity = validity(cert, &key, &signature);
                    return Ok(report);
                }
                Err(_) if !key.pk_algo().is_supported() => report.validity = Validity::Unsupported,
                Err(_) => bad = Some(key.fingerprint().to_hex()),
            }
        }
        match bad {
            Some(key) => Err(Error::BadSignature { key }),
            None => Ok(report),
        }
    }
}

/// `None` for kinds of signatures that are not known.
fn parse(body: &[u8]) -> Result<Option<Signature>> {
    let mut framed = Vec::with_capacity(body.len() + 6);
    write_header(
        &mut framed,
        tag::SIGNATURE,
        u32::try_from(body.len()).unwrap_or(u32::MAX),
    )?;
    framed.extend_from_slice(body);
    Ok(match Packet::from_bytes(&framed) {
        Ok(Packet::Signature(signature)) => Some(signature),
        _ => None,
    })
}

fn issued_by<'a>(
    keyring: &'a Keyring,
    issuers: &'a [KeyHandle],
) -> impl Iterator<Item = (&'a Cert, PublicKey)> {
    keyring.certs().iter().flat_map(move |cert| {
        cert.keys()
            .filter(|key| {
                issuers
                    .iter()
                    .any(|issuer| key.key().key_handle().aliases(issuer))
            })
            .map(move |key| (cert, key.key().clone()))
    })
}

/// Whether the key may sign today, judged as leniently as gpg does.
fn validity(cert: &Cert, key: &PublicKey, signature: &Signature) -> Validity {
    let (policy, now) = (AnyAlgorithm, SystemTime::now());
    let Ok(valid) = cert.with_policy(&policy, now) else {
        return Validity::Expired;
    };
    let Some(found) = cert
        .keys()
        .find(|found| found.key().fingerprint() == key.fingerprint())
    else {
        return Validity::UnknownKey;
    };
    let Ok(found) = found.with_policy(&policy, now) else {
        return Validity::UnknownKey;
    };
    let is_revoked = |status: RevocationStatus<'_>| matches!(status, RevocationStatus::Revoked(_));
    if is_revoked(valid.revocation_status()) || is_revoked(found.revocation_status()) {
        Validity::Revoked
    } else if valid.alive().is_err()
        || found.alive().is_err()
        || signature.signature_alive(now, None).is_err()
    {
        Validity::Expired
    } else {
        Validity::Good
    }
}
