//! Block ciphers by their OpenPGP numbers, in CFB mode.

use aes::cipher::{
    Array, Block, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser,
    InnerIvInit, KeyInit,
};
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A symmetric key; wiped when dropped.
pub(crate) type Key = Zeroizing<Vec<u8>>;

/// A symmetric cipher as OpenPGP numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Cipher {
    Idea,
    TripleDes,
    Cast5,
    Blowfish,
    Aes128,
    Aes192,
    Aes256,
    Twofish,
    Camellia128,
    Camellia192,
    Camellia256,
}

impl Cipher {
    pub(crate) fn from_id(id: u8) -> Result<Self> {
        Ok(match id {
            1 => Self::Idea,
            2 => Self::TripleDes,
            3 => Self::Cast5,
            4 => Self::Blowfish,
            7 => Self::Aes128,
            8 => Self::Aes192,
            9 => Self::Aes256,
            10 => Self::Twofish,
            11 => Self::Camellia128,
            12 => Self::Camellia192,
            13 => Self::Camellia256,
            _ => return Err(Error::unsupported("cipher", id)),
        })
    }

    pub(crate) fn id(self) -> u8 {
        match self {
            Self::Idea => 1,
            Self::TripleDes => 2,
            Self::Cast5 => 3,
            Self::Blowfish => 4,
            Self::Aes128 => 7,
            Self::Aes192 => 8,
            Self::Aes256 => 9,
            Self::Twofish => 10,
            Self::Camellia128 => 11,
            Self::Camellia192 => 12,
            Self::Camellia256 => 13,
        }
    }

    pub(crate) fn key_len(self) -> usize {
        match self {
            Self::Idea | Self::Cast5 | Self::Blowfish | Self::Aes128 | Self::Camellia128 => 16,
            Self::TripleDes | Self::Aes192 | Self::Camellia192 => 24,
            Self::Aes256 | Self::Twofish | Self::Camellia256 => 32,
        }
    }

    pub(crate) fn block_len(self) -> usize {
        match self {
            Self::Idea | Self::TripleDes | Self::Cast5 | Self::Blowfish => 8,
            _ => 16,
        }
    }

    /// A stream that decrypts; `iv` has the block's length or is empty for zeros.
    pub(crate) fn decryptor(self, key: &[u8], iv: &[u8]) -> Result<Box<dyn CfbStream>> {
        match self {
            Self::Idea => decryptor::<idea::Idea>(key, iv),
            Self::TripleDes => decryptor::<des::TdesEde3>(key, iv),
            Self::Cast5 => decryptor::<cast5::Cast5>(key, iv),
            Self::Blowfish => decryptor::<blowfish::Blowfish>(key, iv),
            Self::Aes128 => decryptor::<aes::Aes128>(key, iv),
            Self::Aes192 => decryptor::<aes::Aes192>(key, iv),
            Self::Aes256 => decryptor::<aes::Aes256>(key, iv),
            Self::Twofish => decryptor::<twofish::Twofish>(key, iv),
            Self::Camellia128 => decryptor::<camellia::Camellia128>(key, iv),
            Self::Camellia192 => decryptor::<camellia::Camellia192>(key, iv),
            Self::Camellia256 => decryptor::<camellia::Camellia256>(key, iv),
        }
    }

    /// A stream that encrypts from a zero IV. Only AES is written.
    pub(crate) fn encryptor(self, key: &[u8]) -> Result<Box<dyn CfbStream>> {
        match self {
            Self::Aes128 => encryptor::<aes::Aes128>(key),
            Self::Aes192 => encryptor::<aes::Aes192>(key),
            Self::Aes256 => encryptor::<aes::Aes256>(key),
            other => Err(Error::unsupported("cipher for writing", other.id())),
        }
    }
}

/// A CFB key stream in one direction.
pub(crate) trait CfbStream: Send {
    /// Transforms the next octets in place. Every call but the last must bring whole blocks.
    fn apply(&mut self, data: &mut [u8]);
}

struct Decrypt<C: BlockCipherEncrypt>(cfb_mode::Decryptor<C>);
struct Encrypt<C: BlockCipherEncrypt>(cfb_mode::Encryptor<C>);

impl<C: BlockCipherEncrypt + Send> CfbStream for Decrypt<C> {
    fn apply(&mut self, data: &mut [u8]) {
        let (blocks, tail) = Array::slice_as_chunks_mut(data);
        self.0.decrypt_blocks(blocks);
        if !tail.is_empty() {
            let mut block = padded::<C>(tail);
            self.0.decrypt_block(&mut block);
            tail.copy_from_slice(&block[..tail.len()]);
        }
    }
}

impl<C: BlockCipherEncrypt + Send> CfbStream for Encrypt<C> {
    fn apply(&mut self, data: &mut [u8]) {
        let (blocks, tail) = Array::slice_as_chunks_mut(data);
        self.0.encrypt_blocks(blocks);
        if !tail.is_empty() {
            let mut block = padded::<C>(tail);
            self.0.encrypt_block(&mut block);
            tail.copy_from_slice(&block[..tail.len()]);
        }
    }
}

/// In CFB each octet of a block depends on its own input octet and on earlier blocks only.
fn padded<C: BlockSizeUser>(tail: &[u8]) -> Block<C> {
    let mut block = Block::<C>::default();
    block[..tail.len()].copy_from_slice(tail);
    block
}

fn decryptor<C>(key: &[u8], iv: &[u8]) -> Result<Box<dyn CfbStream>>
where
    C: BlockCipherEncrypt + KeyInit + Send + 'static,
{
    let cipher = C::new_from_slice(key).map_err(|_| Error::damaged("length of a session key"))?;
    let iv = if iv.is_empty() {
        Block::<C>::default()
    } else {
        Block::<C>::try_from(iv)
            .map_err(|_| Error::damaged("length of an initialisation vector"))?
    };
    Ok(Box::new(Decrypt::<C>(InnerIvInit::inner_iv_init(
        cipher, &iv,
    ))))
}

fn encryptor<C>(key: &[u8]) -> Result<Box<dyn CfbStream>>
where
    C: BlockCipherEncrypt + KeyInit + Send + 'static,
{
    let cipher = C::new_from_slice(key).map_err(|_| Error::damaged("length of a session key"))?;
    Ok(Box::new(Encrypt::<C>(InnerIvInit::inner_iv_init(
        cipher,
        &Block::<C>::default(),
    ))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_of_whole_blocks_and_a_tail_equal_one_piece() {
        let key = [7; 32];
        let plain: Vec<u8> = (0..1000u32).map(|i| (i * i) as u8).collect();
        let mut once = plain.clone();
        Cipher::Aes256.encryptor(&key).unwrap().apply(&mut once);
        let mut twice = plain.clone();
        let mut stream = Cipher::Aes256.encryptor(&key).unwrap();
        stream.apply(&mut twice[..48]);
        stream.apply(&mut twice[48..]);
        assert_eq!(once, twice);
        let mut stream = Cipher::Aes256.decryptor(&key, &[]).unwrap();
        stream.apply(&mut twice[..160]);
        stream.apply(&mut twice[160..]);
        assert_eq!(twice, plain);
    }

    #[test]
    fn every_cipher_has_the_key_and_block_it_says() {
        for id in (1..=13).filter(|id| ![5, 6].contains(id)) {
            let cipher = Cipher::from_id(id).unwrap();
            assert_eq!(cipher.id(), id);
            let key = vec![1; cipher.key_len()];
            assert!(
                cipher.decryptor(&key, &vec![0; cipher.block_len()]).is_ok(),
                "{cipher:?}"
            );
            assert!(
                cipher.decryptor(&key[1..], &[]).is_err()
                    || cipher == Cipher::Blowfish
                    || cipher == Cipher::Cast5
            );
            assert!(cipher.decryptor(&key, &[0; 3]).is_err());
        }
        assert!(matches!(Cipher::from_id(0), Err(Error::Unsupported { .. })));
    }
}
