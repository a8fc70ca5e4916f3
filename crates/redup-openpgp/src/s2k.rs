//! From a passphrase to a key: OpenPGP's string-to-key functions.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use md5::Md5;
use ripemd::Ripemd160;
use sha1::Sha1;
use sha1::digest::DynDigest;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use crate::cipher::Key;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// Parameters of one derivation, as stored in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct S2k {
    hash: Hash,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mode {
    Simple,
    Salted([u8; 8]),
    Iterated([u8; 8], u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Hash {
    Md5,
    Sha1,
    Ripemd160,
    Sha256,
    Sha384,
    Sha512,
    Sha224,
}

impl S2k {
    /// What we write: iterated SHA-256 with the largest count, 65,011,712 octets, which is gpg's too. SHA-256 needs
    /// one pass for an AES-256 key where gpg's SHA-1 needs two.
    pub(crate) fn strong(salt: [u8; 8]) -> Self {
        Self {
            hash: Hash::Sha256,
            mode: Mode::Iterated(salt, 0xFF),
        }
    }

    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let hash = self.hash.id();
        match self.mode {
            Mode::Simple => vec![0, hash],
            Mode::Salted(salt) => [&[1, hash][..], &salt].concat(),
            Mode::Iterated(salt, count) => [&[3, hash][..], &salt, &[count]].concat(),
        }
    }

    /// Parses the specifier at the start of `data` and returns what follows it.
    pub(crate) fn parse(data: &[u8]) -> Result<(Self, &[u8])> {
        let short = || Error::damaged("string-to-key specifier");
        let (&[mode, hash], rest) = data.split_first_chunk().ok_or_else(short)?;
        let (mode, rest) = match mode {
            0 => (Mode::Simple, rest),
            1 => {
                let (salt, rest) = rest.split_first_chunk().ok_or_else(short)?;
                (Mode::Salted(*salt), rest)
            }
            3 => {
                let (salt, rest) = rest.split_first_chunk().ok_or_else(short)?;
                let (count, rest) = rest.split_first().ok_or_else(short)?;
                (Mode::Iterated(*salt, *count), rest)
            }
            other => return Err(Error::unsupported("string-to-key method", other)),
        };
        Ok((
            Self {
                hash: Hash::from_id(hash)?,
                mode,
            },
            rest,
        ))
    }

    /// Derives a key. The cost is bounded by the format: at most 65,011,712 octets (or the passphrase, if longer)
    /// hashed once for each digest the key needs.
    pub(crate) fn derive(&self, passphrase: &Secret, key_len: usize) -> Key {
        let (salt, count) = match &self.mode {
            Mode::Simple => (&[][..], 0),
            Mode::Salted(salt) => (&salt[..], 0),
            Mode::Iterated(salt, coded) => (
                &salt[..],
                (16 + u64::from(coded & 15)) << ((coded >> 4) + 6),
            ),
        };
        let unit = Zeroizing::new([salt, passphrase.expose()].concat());
        let octets = count.max(unit.len() as u64);
        let mut key = Zeroizing::new(Vec::with_capacity(key_len + 64));
        let mut zeros = 0;
        while key.len() < key_len {
            let mut digest = self.hash.start();
            digest.update(&vec![0; zeros]);
            feed(digest.as_mut(), &unit, octets);
            key.extend_from_slice(&Zeroizing::new(digest.finalize().to_vec()));
            zeros += 1;
        }
        key.truncate(key_len);
        key
    }
}

/// Hashes `unit` over and over until `octets` octets went in.
fn feed(digest: &mut dyn DynDigest, unit: &[u8], octets: u64) {
    if unit.is_empty() {
        return;
    }
    // Large updates: a digest works best on many blocks at a time.
    let many = Zeroizing::new(unit.repeat((16384 / unit.len()).max(1)));
    let mut left = octets;
    while left >= many.len() as u64 {
        digest.update(&many);
        left -= many.len() as u64;
    }
    if let Ok(left) = usize::try_from(left) {
        digest.update(&many[..left]);
    }
}

impl Hash {
    fn from_id(id: u8) -> Result<Self> {
        Ok(match id {
            1 => Self::Md5,
            2 => Self::Sha1,
            3 => Self::Ripemd160,
            8 => Self::Sha256,
            9 => Self::Sha384,
            10 => Self::Sha512,
            11 => Self::Sha224,
            _ => return Err(Error::unsupported("string-to-key hash", id)),
        })
    }

    fn id(self) -> u8 {
        match self {
            Self::Md5 => 1,
            Self::Sha1 => 2,
            Self::Ripemd160 => 3,
            Self::Sha256 => 8,
            Self::Sha384 => 9,
            Self::Sha512 => 10,
            Self::Sha224 => 11,
        }
    }

    fn start(self) -> Box<dyn DynDigest> {
        match self {
            Self::Md5 => Box::new(Md5::default()),
            Self::Sha1 => Box::new(Sha1::default()),
            Self::Ripemd160 => Box::new(Ripemd160::default()),
            Self::Sha256 => Box::new(Sha256::default()),
            Self::Sha384 => Box::new(Sha384::default()),
            Self::Sha512 => Box::new(Sha512::default()),
            Self::Sha224 => Box::new(Sha224::default()),
        }
    }
}

/// Keys derived from one passphrase, so that a message opened twice costs one derivation.
#[derive(Default)]
pub(crate) struct S2kCache(Mutex<HashMap<(S2k, usize), Key>>);

/// More than the volumes a restore has in flight; a bound, not a tuning knob.
const CACHED_KEYS: usize = 256;

impl S2kCache {
    /// The derived key. Two threads that ask for the same key at once may both derive it.
    pub(crate) fn derive(&self, s2k: &S2k, passphrase: &Secret, key_len: usize) -> Key {
        if let Some(key) = self.lock().get(&(*s2k, key_len)) {
            return key.clone();
        }
        let key = s2k.derive(passphrase, key_len);
        let mut cache = self.lock();
        if cache.len() >= CACHED_KEYS {
            cache.clear();
        }
        cache.insert((*s2k, key_len), key.clone());
        key
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(S2k, usize), Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn simple_keys_longer_than_the_digest_use_zero_prefixed_digests() {
        let s2k = S2k {
            hash: Hash::Sha1,
            mode: Mode::Simple,
        };
        let key = s2k.derive(&Secret::from("abc"), 32);
        let second = Hash::Sha1.start();
        let mut second = second;
        second.update(b"\0abc");
        let expected = [&b"\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d"[..], &second.finalize()].concat();
        assert_eq!(hex(&key), hex(&expected[..32]));
    }

    #[test]
    fn a_long_passphrase_is_hashed_whole_whatever_the_count() {
        let long = Secret::new(vec![b'x'; 5000]);
        let iterated = S2k {
            hash: Hash::Sha256,
            mode: Mode::Iterated([1; 8], 0),
        };
        let salted = S2k {
            hash: Hash::Sha256,
            mode: Mode::Salted([1; 8]),
        };
        assert_eq!(iterated.derive(&long, 32), salted.derive(&long, 32));
    }

    #[test]
    fn specifiers_read_back_and_short_or_strange_ones_are_refused() {
        for mode in [
            Mode::Simple,
            Mode::Salted([3; 8]),
            Mode::Iterated([4; 8], 96),
        ] {
            for hash in [1, 2, 3, 8, 9, 10, 11] {
                let s2k = S2k {
                    hash: Hash::from_id(hash).unwrap(),
                    mode,
                };
                let mut octets = s2k.to_bytes();
                octets.push(42);
                assert_eq!(S2k::parse(&octets).unwrap(), (s2k, &[42][..]));
                assert!(S2k::parse(&octets[..octets.len() - 2]).is_err());
            }
        }
        assert!(matches!(
            S2k::parse(&[4, 8, 0, 0]),
            Err(Error::Unsupported { .. })
        ));
        assert!(matches!(
            S2k::parse(&[0, 7]),
            Err(Error::Unsupported { .. })
        ));
    }

    #[test]
    fn the_cache_returns_what_a_fresh_derivation_would() {
        let cache = S2kCache::default();
        let secret = Secret::from("pass");
        let s2k = S2k {
            hash: Hash::Sha1,
            mode: Mode::Iterated([5; 8], 10),
        };
        let first = cache.derive(&s2k, &secret, 16);
        assert_eq!(first, cache.derive(&s2k, &secret, 16));
        assert_eq!(first, s2k.derive(&secret, 16));
        assert_eq!(cache.derive(&s2k, &secret, 32).len(), 32);
    }
}
