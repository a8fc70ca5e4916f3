//! Session keys behind passphrases: the SKESK packet, version 4.

use std::io;

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
    /// Empty: the derived key is the session key.
    encrypted: Vec<u8>,
}

impl Skesk {
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let (&[version, cipher], rest) = body
            .split_first_chunk()
            .ok_or(Error::damaged("a packet is too short"))?;
        if version != 4 {
            return Err(Error::unsupported("passphrase packet version", version));
        }
        let (s2k, encrypted) = S2k::parse(rest)?;
        Ok(Self {
            cipher: Cipher::from_id(cipher)?,
            s2k,
            encrypted: encrypted.to_vec(),
        })
    }

    /// The session key for this passphrase; `None` when it is plainly the wrong one. A wrong passphrase often gives a
    /// key that only the encrypted data can refute.
    pub(crate) fn open(&self, passphrase: &Secret, cache: &S2kCache) -> Option<SessionKey> {
        let mut key = cache.derive(&self.s2k, passphrase, self.cipher.key_len());
        if self.encrypted.is_empty() {
            return Some(SessionKey {
                cipher: self.cipher,
                key,
            });
        }
        let mut stream = self.cipher.decryptor(&key, &[]).ok()?;
        key = Key::new(self.encrypted.clone());
        stream.apply(&mut key);
        let cipher = Cipher::from_id(*key.first()?).ok()?;
        key.remove(0);
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
