//! Session keys behind passphrases: the SKESK packet, version 4 and LibrePGP's version 5.

use std::io;

use crate::bulk::ocb::{self, NONCE_LEN, OCB, TAG_LEN};
use crate::cipher::{Cipher, Key};
use crate::error::{Error, Result};
use crate::packet::{tag, write_header};
use crate::s2k::{S2k, S2kCache};
use crate::secret::Secret;

/// A session key and the cipher it is for.
#[derive(Clone)]
pub(crate) struct SessionKey {
    pub(crate) cipher: Cipher,
    pub(crate) key: Key,
}

/// A session key encrypted with a passphrase, or derived from it.
#[derive(Debug)]
pub(crate) struct Skesk {
    cipher: Cipher,
    s2k: S2k,
    wrapping: Wrapping,
}

/// How the derived key gives the session key.
#[derive(Debug)]
enum Wrapping {
    /// It is the session key.
    Derived,
    /// Version 4: decrypts the session key's cipher and the session key.
    Cfb(Vec<u8>),
    /// Version 5: opens the session key, which is for the same cipher.
    Ocb {
        nonce: [u8; NONCE_LEN],
        sealed: Vec<u8>,
        tag: [u8; TAG_LEN],
    },
}

impl Skesk {
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let short = || Error::damaged("a packet is too short");
        let (&[version, cipher], mut rest) = body.split_first_chunk().ok_or_else(short)?;
        match version {
            4 => {}
            5 => {
                let (mode, after) = rest.split_first().ok_or_else(short)?;
                if *mode != OCB {
                    return Err(Error::unsupported("mode of encryption", *mode));
                }
                rest = after;
            }
            _ => return Err(Error::unsupported("passphrase packet version", version)),
        }
        let (s2k, rest) = S2k::parse(rest)?;
        let wrapping = if version == 5 {
            let (nonce, rest) = rest.split_first_chunk().ok_or_else(short)?;
            let (sealed, tag) = rest.split_last_chunk().ok_or_else(short)?;
            Wrapping::Ocb {
                nonce: *nonce,
                sealed: sealed.to_vec(),
                tag: *tag,
            }
        } else if rest.is_empty() {
            Wrapping::Derived
        } else {
            Wrapping::Cfb(rest.to_vec())
        };
        Ok(Self {
            cipher: Cipher::from_id(cipher)?,
            s2k,
            wrapping,
        })
    }

    /// The session key for this passphrase; `None` when it is plainly the wrong one. A wrong passphrase often gives a
    /// key that only the encrypted data can refute.
    pub(crate) fn open(&self, passphrase: &Secret, cache: &S2kCache) -> Option<SessionKey> {
        let derived = cache.derive(&self.s2k, passphrase, self.cipher.key_len());
        let (cipher, key) = match &self.wrapping {
            Wrapping::Derived => (self.cipher, derived),
            Wrapping::Cfb(encrypted) => {
                let mut key = Key::new(encrypted.clone());
                self.cipher.decryptor(&derived, &[]).ok()?.apply(&mut key);
                let cipher = Cipher::from_id(*key.first()?).ok()?;
                key.remove(0);
                (cipher, key)
            }
            Wrapping::Ocb { nonce, sealed, tag } => {
                let mut key = Key::new(sealed.clone());
                let associated = [0xC0 | tag::SKESK, 5, self.cipher.id(), OCB];
                let opened =
                    ocb::key(self.cipher, &derived)
                        .ok()?
                        .open(*nonce, &associated, &mut key, *tag);
                (self.cipher, opened.then_some(key)?)
            }
        };
        (key.len() == cipher.key_len()).then_some(SessionKey { cipher, key })
    }
}

/// Writes a packet that makes the derived key the session key of an AES-256 message, as gpg does, and returns the key.
pub(crate) fn write_skesk(s2k: S2k, passphrase: &Secret, out: &mut impl io::Write) -> Result<Key> {
    let cipher = Cipher::Aes256;
    let s2k_octets = s2k.to_bytes();
    write_header(out, tag::SKESK, 2 + s2k_octets.len() as u32)?;
    out.write_all(&[4, cipher.id()])?;
    out.write_all(&s2k_octets)?;
    Ok(s2k.derive(passphrase, cipher.key_len()))
}

/// Writes a packet that carries `key`, encrypted with a key derived from the passphrase: for messages that have
/// recipients too. The salt must be new, as the encryption has no other variation.
pub(crate) fn write_skesk_for(
    s2k: S2k,
    passphrase: &Secret,
    cipher: Cipher,
    key: &[u8],
    out: &mut impl io::Write,
) -> Result<()> {
    let derived = s2k.derive(passphrase, cipher.key_len());
    let mut encrypted = Key::new([&[cipher.id()], key].concat());
    cipher.encryptor(&derived)?.apply(&mut encrypted);
    let s2k_octets = s2k.to_bytes();
    write_header(
        out,
        tag::SKESK,
        (2 + s2k_octets.len() + encrypted.len()) as u32,
    )?;
    out.write_all(&[4, cipher.id()])?;
    out.write_all(&s2k_octets)?;
    out.write_all(&encrypted)?;
    Ok(())
}
