//! One key of the agent, in the shape sequoia asks for.

use sequoia_openpgp::crypto::mem::Protected;
use sequoia_openpgp::crypto::mpi::{Ciphertext, MPI, PublicKey as Mpis, Signature};
use sequoia_openpgp::crypto::{Decryptor, SessionKey, Signer, ecdh};
use sequoia_openpgp::types::{Curve, HashAlgorithm};
use zeroize::Zeroizing;

use super::assuan::{Answer, Connection};
use super::sexp::{self, Sexp};
use super::{Agent, Keygrip};
use crate::error::{Error, Result};
use crate::keyring::PublicKey;
use crate::secret::Secret;

/// Decrypts session keys and signs digests with a key that stays in the agent.
///
/// sequoia may drop what went wrong; [`into_error`](Self::into_error) has it.
pub(crate) struct AgentKey<'a> {
    agent: &'a Agent,
    public: &'a PublicKey,
    keygrip: &'a Keygrip,
    passphrase: Option<&'a Secret>,
    error: Option<Error>,
}

impl<'a> AgentKey<'a> {
    /// With a passphrase, the agent is answered when it asks, and nobody is prompted. Without, the agent prompts as it
    /// sees fit.
    pub(crate) fn new(
        agent: &'a Agent,
        public: &'a PublicKey,
        keygrip: &'a Keygrip,
        passphrase: Option<&'a Secret>,
    ) -> Self {
        Self {
            agent,
            public,
            keygrip,
            passphrase,
            error: None,
        }
    }

    /// What the agent or the conversation with it failed with, if it did.
    pub(crate) fn into_error(self) -> Option<Error> {
        self.error
    }

    fn record<T>(&mut self, result: Result<T>) -> sequoia_openpgp::Result<T> {
        result.map_err(|error| {
            let text = error.to_string();
            let key = self.public.fingerprint().to_hex();
            self.error = Some(Error::SecretKey {
                key,
                source: error.into(),
            });
            sequoia_openpgp::Error::InvalidOperation(text).into()
        })
    }

    /// A connection on which the key is chosen by `verb` and questions are settled.
    fn connect(&self, verb: &str) -> Result<Connection> {
        let mut connection = self.agent.connect()?;
        if self.passphrase.is_some() {
            connection.ask("OPTION pinentry-mode=loopback", &mut |_| None)?;
        } else {
            for (name, value) in &self.agent.0.options.pinentry {
                // A name or value the agent does not know costs comfort at most.
                drop(connection.ask(&format!("OPTION {name}={}", one_line(value)), &mut |_| None));
            }
        }
        connection.ask(&format!("{verb} {}", self.keygrip), &mut |_| None)?;
        let description = format!(
            "SETKEYDESC redup+asks+for+the+passphrase+of+the+OpenPGP+key%0A{}",
            self.public.fingerprint()
        );
        connection.ask(&description, &mut |_| None)?;
        Ok(connection)
    }

    fn ask(&self, connection: &mut Connection, command: &str, ciphertext: &[u8]) -> Result<Answer> {
        connection.ask(command, &mut |keyword| match keyword {
            "CIPHERTEXT" => Some(Zeroizing::new(ciphertext.to_vec())),
            "PASSPHRASE" => self
                .passphrase
                .map(|passphrase| Zeroizing::new(passphrase.expose().to_vec())),
            "PINENTRY_LAUNCHED" => Some(Zeroizing::default()),
            _ => None,
        })
    }

    /// The agent's raw answer for a session key.
    fn pkdecrypt(&self, ciphertext: &Ciphertext) -> Result<(Zeroizing<Vec<u8>>, bool)> {
        let request = match ciphertext {
            Ciphertext::RSA { c } => sexp::write("(enc-val(rsa(a%)))", &[c.value()]),
            Ciphertext::ElGamal { e, c } => {
                sexp::write("(enc-val(elg(a%)(b%)))", &[e.value(), c.value()])
            }
            Ciphertext::ECDH { e, key } => {
                sexp::write("(enc-val(ecdh(s%)(e%)))", &[key, e.value()])
            }
            _ => return Err(unsupported("kind of encrypted session key")),
        };
        let mut connection = self.connect("SETKEY")?;
        let mut answer = self.ask(&mut connection, "PKDECRYPT", &request)?;
        // Some versions end the expression with a zero octet.
        while answer.data.last() == Some(&0) && Sexp::parse(&answer.data).is_err() {
            answer.data.pop();
        }
        let value = Sexp::parse(&answer.data)?
            .value("value")
            .map(|value| Zeroizing::new(value.to_vec()));
        let padded = !answer.status.iter().any(|line| line == "PADDING 0");
        Ok((
            value.ok_or_else(|| unsupported("answer to PKDECRYPT"))?,
            padded,
        ))
    }

    fn pksign(&self, algorithm: HashAlgorithm, digest: &[u8]) -> Result<Signature> {
        let mut connection = self.connect("SIGKEY")?;
        let digits: String = digest.iter().map(|octet| format!("{octet:02X}")).collect();
        connection.ask(
            &format!("SETHASH {} {digits}", u8::from(algorithm)),
            &mut |_| None,
        )?;
        let answer = self.ask(&mut connection, "PKSIGN", &[])?;
        let sexp = Sexp::parse(&answer.data)?;
        let value = |name| {
            sexp.value(name)
                .map(MPI::new)
                .ok_or_else(|| unsupported("answer to PKSIGN"))
        };
        Ok(match self.public.mpis() {
            Mpis::RSA { .. } => Signature::RSA { s: value("s")? },
            Mpis::DSA { .. } => Signature::DSA {
                r: value("r")?,
                s: value("s")?,
            },
            Mpis::EdDSA { .. } => Signature::EdDSA {
                r: value("r")?,
                s: value("s")?,
            },
            Mpis::ECDSA { .. } => Signature::ECDSA {
                r: value("r")?,
                s: value("s")?,
            },
            _ => return Err(unsupported("kind of signing key")),
        })
    }
}

impl Decryptor for AgentKey<'_> {
    fn public(&self) -> &PublicKey {
        self.public
    }

    fn decrypt(
        &mut self,
        ciphertext: &Ciphertext,
        plaintext_len: Option<usize>,
    ) -> sequoia_openpgp::Result<SessionKey> {
        let result = self.pkdecrypt(ciphertext);
        let (value, padded) = self.record(result)?;
        match self.public.mpis() {
            Mpis::ECDH { curve, .. } => {
                let result = shared_secret(curve, &value)
                    .map(Protected::from)
                    .ok_or_else(|| unsupported("answer to PKDECRYPT"));
                let shared = self.record(result)?;
                ecdh::decrypt_unwrap(self.public, &shared, ciphertext, plaintext_len)
            }
            _ if padded => {
                let result = unpad(&value).ok_or(Error::damaged("encrypted session key"));
                Ok(self.record(result)?.to_vec().into())
            }
            _ => Ok(value.to_vec().into()),
        }
    }
}

impl Signer for AgentKey<'_> {
    fn public(&self) -> &PublicKey {
        self.public
    }

    fn sign(
        &mut self,
        algorithm: HashAlgorithm,
        digest: &[u8],
    ) -> sequoia_openpgp::Result<Signature> {
        let result = self.pksign(algorithm, digest);
        self.record(result)
    }
}

/// The x coordinate of the point that the agent answers with.
fn shared_secret(curve: &Curve, point: &[u8]) -> Option<Vec<u8>> {
    if *curve == Curve::Cv25519 {
        let x = point.strip_prefix(&[0x40]).unwrap_or(point);
        return (x.len() == 32).then(|| x.to_vec());
    }
    let xy = point.strip_prefix(&[4])?;
    (xy.len().is_multiple_of(2) && !xy.is_empty()).then(|| xy[..xy.len() / 2].to_vec())
}

/// Takes off the PKCS #1 padding: `00 02`, octets that are not zero, `00`. The first zero is lost where the block went
/// through a number.
fn unpad(block: &[u8]) -> Option<&[u8]> {
    let block = block
        .strip_prefix(&[0])
        .unwrap_or(block)
        .strip_prefix(&[2])?;
    let zero = block.iter().position(|octet| *octet == 0)?;
    Some(&block[zero + 1..])
}

fn one_line(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).collect()
}

fn unsupported(what: &str) -> Error {
    Error::Agent {
        what: format!("unsupported {what}"),
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_taken_off_with_and_without_its_first_zero() {
        assert_eq!(unpad(&[0, 2, 7, 7, 0, 9, 0]), Some(&[9, 0][..]));
        assert_eq!(unpad(&[2, 7, 0, 9]), Some(&[9][..]));
        assert_eq!(unpad(&[1, 7, 0, 9]), None);
        assert_eq!(unpad(&[2, 7, 7]), None);
    }

    #[test]
    fn the_x_coordinate_is_found_in_both_kinds_of_points() {
        let x = [5; 32];
        assert_eq!(
            shared_secret(&Curve::Cv25519, &[&[0x40][..], &x].concat()),
            Some(x.to_vec())
        );
        assert_eq!(shared_secret(&Curve::Cv25519, &x), Some(x.to_vec()));
        assert_eq!(
            shared_secret(&Curve::NistP256, &[&[4][..], &x, &[6; 32]].concat()),
            Some(x.to_vec())
        );
        assert_eq!(shared_secret(&Curve::NistP256, &[4, 1]), None);
        assert_eq!(shared_secret(&Curve::Cv25519, &[1]), None);
    }
}
