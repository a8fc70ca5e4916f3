//! The OCB mode of the block ciphers, behind one trait.

use ocb3::Ocb3;
use ocb3::aead::consts::U15;
use ocb3::aead::inout::InOutBuf;
use ocb3::aead::{AeadInOut, KeyInit};

use crate::cipher::Cipher;
use crate::error::{Error, Result};

/// OpenPGP's number of OCB; EAX (1) was in drafts only, GCM (3) is not in LibrePGP.
pub(crate) const OCB: u8 = 2;

/// Octets of a nonce.
pub(crate) const NONCE_LEN: usize = 15;

/// Octets of a tag.
pub(crate) const TAG_LEN: usize = 16;

/// One key; opens what was sealed with it.
pub(crate) trait OcbKey: Send {
    /// Decrypts `data` in place; `false` when the tag does not fit, and then `data` is worthless.
    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        associated: &[u8],
        data: &mut [u8],
        tag: [u8; TAG_LEN],
    ) -> bool;
}

impl<A> OcbKey for A
where
    A: AeadInOut<NonceSize = U15, TagSize = ocb3::aead::consts::U16> + Send,
{
    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        associated: &[u8],
        data: &mut [u8],
        tag: [u8; TAG_LEN],
    ) -> bool {
        self.decrypt_inout_detached(&nonce.into(), associated, InOutBuf::from(data), &tag.into())
            .is_ok()
    }
}

/// A key for a cipher with 128-bit blocks.
pub(crate) fn key(cipher: Cipher, key: &[u8]) -> Result<Box<dyn OcbKey>> {
    let short = |_| Error::damaged("length of a session key");
    Ok(match cipher {
        Cipher::Aes128 => Box::new(Ocb3::<aes::Aes128, U15>::new_from_slice(key).map_err(short)?),
        Cipher::Aes192 => Box::new(Ocb3::<aes::Aes192, U15>::new_from_slice(key).map_err(short)?),
        Cipher::Aes256 => Box::new(Ocb3::<aes::Aes256, U15>::new_from_slice(key).map_err(short)?),
        Cipher::Camellia128 => {
            Box::new(Ocb3::<camellia::Camellia128, U15>::new_from_slice(key).map_err(short)?)
        }
        Cipher::Camellia192 => {
            Box::new(Ocb3::<camellia::Camellia192, U15>::new_from_slice(key).map_err(short)?)
        }
        Cipher::Camellia256 => {
            Box::new(Ocb3::<camellia::Camellia256, U15>::new_from_slice(key).map_err(short)?)
        }
        Cipher::Twofish => {
            Box::new(Ocb3::<twofish::Twofish, U15>::new_from_slice(key).map_err(short)?)
        }
        other => return Err(Error::unsupported("cipher for OCB", other.id())),
    })
}
