//! Keygrips: the agent names keys by a hash of their mathematical parameters, whatever protocol they serve.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use sequoia_openpgp::crypto::mpi::PublicKey as Mpis;
use sequoia_openpgp::types::Curve;
use sha1::{Digest, Sha1};

use crate::keyring::PublicKey;

/// A keygrip; displayed as the 40 digits the agent wants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Keygrip([u8; 20]);

impl fmt::Display for Keygrip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

/// The keygrip of an RSA, DSA, ElGamal, Ed25519 or X25519 key; `None` for others.
pub(super) fn compute(key: &PublicKey) -> Option<Keygrip> {
    let mut hash = Sha1::new();
    match key.mpis() {
        Mpis::RSA { n, .. } => hash.update(signed(n.value())),
        Mpis::DSA { p, q, g, y } => {
            for (name, value) in [('p', p), ('q', q), ('g', g), ('y', y)] {
                part(&mut hash, name, &signed(value.value()));
            }
        }
        Mpis::ElGamal { p, g, y } => {
            for (name, value) in [('p', p), ('g', g), ('y', y)] {
                part(&mut hash, name, &signed(value.value()));
            }
        }
        Mpis::EdDSA {
            curve: Curve::Ed25519,
            q,
        } => curve(&mut hash, &ED25519, q.value().strip_prefix(&[0x40])?)?,
        Mpis::ECDH {
            curve: Curve::Cv25519,
            q,
            ..
        } => curve(&mut hash, &CURVE25519, q.value().strip_prefix(&[0x40])?)?,
        Mpis::Ed25519 { a } => curve(&mut hash, &ED25519, a)?,
        Mpis::X25519 { u } => curve(&mut hash, &CURVE25519, u)?,
        _ => return None,
    }
    Some(Keygrip(hash.finalize().into()))
}

/// The keygrip as gpg lists it, for keys whose curve we have no parameters of.
pub(super) fn ask_gpg(home: Option<&Path>, fingerprint: &str) -> Option<Keygrip> {
    let mut command = Command::new("gpg");
    if let Some(home) = home {
        command.arg("--homedir").arg(home);
    }
    command.args([
        "--batch",
        "--no-tty",
        "--with-colons",
        "--with-keygrip",
        "--list-keys",
        fingerprint,
    ]);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    listed(&String::from_utf8_lossy(&output.stdout), fingerprint)
}

/// Finds the `grp` record behind the `fpr` record of this key.
fn listed(listing: &str, fingerprint: &str) -> Option<Keygrip> {
    let mut ours = false;
    for line in listing.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        match (fields.first(), fields.get(9)) {
            (Some(&"fpr"), Some(value)) => ours = value.eq_ignore_ascii_case(fingerprint),
            (Some(&"grp"), Some(value)) if ours => return unhex(value),
            _ => {}
        }
    }
    None
}

/// Curve parameters in the order they are hashed: p, a, b, g (uncompressed), n.
type Parameters = [(char, &'static str); 5];

/// The curve's a and b are negative; what is hashed is their size without the sign.
const ED25519: Parameters = [
    (
        'p',
        "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFED",
    ),
    ('a', "01"),
    (
        'b',
        "2DFC9311D490018C7338BF8688861767FF8FF5B2BEBE27548A14B235ECA6874A",
    ),
    (
        'g',
        "04216936D3CD6E53FEC0A4E231FDD6DC5C692CC7609525A7B2C9562D608F25D51A\
         6666666666666666666666666666666666666666666666666666666666666658",
    ),
    (
        'n',
        "1000000000000000000000000000000014DEF9DEA2F79CD65812631A5CF5D3ED",
    ),
];

const CURVE25519: Parameters = [
    (
        'p',
        "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFED",
    ),
    ('a', "01DB41"),
    ('b', "01"),
    (
        'g',
        "040000000000000000000000000000000000000000000000000000000000000009\
         20AE19A1B8A086B4E01EDD2C7748D14C923D4D7E6D7C61B229E9C5A27ECED3D9",
    ),
    (
        'n',
        "1000000000000000000000000000000014DEF9DEA2F79CD65812631A5CF5D3ED",
    ),
];

/// Hashes a curve and a point on it; `None` never, as the tables are digits.
fn curve(hash: &mut Sha1, parameters: &Parameters, q: &[u8]) -> Option<()> {
    for (name, digits) in parameters {
        part(hash, *name, &unhex_all(digits)?);
    }
    part(hash, 'q', q);
    Some(())
}

fn part(hash: &mut Sha1, name: char, value: &[u8]) {
    hash.update(format!("(1:{name}{}:", value.len()));
    hash.update(value);
    hash.update(b")");
}

/// A number with a zero in front when it would look negative.
fn signed(value: &[u8]) -> Vec<u8> {
    let sign = value.first().is_some_and(|octet| octet & 0x80 != 0);
    [&[0][..usize::from(sign)], value].concat()
}

fn unhex(digits: &str) -> Option<Keygrip> {
    Some(Keygrip(unhex_all(digits)?.try_into().ok()?))
}

fn unhex_all(digits: &str) -> Option<Vec<u8>> {
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpg_listings_are_searched_by_fingerprint() {
        let grip = "0123456789ABCDEF0123456789ABCDEF01234567";
        let listing = format!(
            "pub:u:::\nfpr:::::::::AA:\ngrp:::::::::{}:\nsub:u:\nfpr:::::::::BB:\ngrp:::::::::{grip}:\n",
            &grip.replace('0', "9")
        );
        assert_eq!(listed(&listing, "bb").unwrap().to_string(), grip);
        assert_eq!(listed(&listing, "CC"), None);
        assert_eq!(listed("fpr:::::::::BB:\ngrp:::::::::zz:\n", "BB"), None);
    }
}
