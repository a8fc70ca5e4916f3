//! LibrePGP's encrypted data packet. gpg 2.2 reads it and does not write it, so the test does.

use std::io::Write;

use aes::cipher::KeyInit;
use ocb3::aead::AeadInOut;
use ocb3::aead::inout::InOutBuf;
use redup_openpgp::Error;
use sha2::{Digest, Sha256};

use crate::gpg::Gpg;
use crate::roundtrip::{PASSPHRASE, content, decrypt, passphrase};

type Ocb = ocb3::Ocb3<aes::Aes256, ocb3::aead::consts::U15>;

const SALT: [u8; 8] = *b"saltsalt";
const IV: [u8; 15] = *b"fifteen octets.";

/// A message whose chunks hold 2^(6 + `chunk_bits`) octets.
fn seal(content: &[u8], chunk_bits: u8) -> Vec<u8> {
    let mut message = skesk5(&[7; 32]);
    let mut plain = vec![0xCB, 0xFF];
    plain
        .write_all(&(content.len() as u32 + 6).to_be_bytes())
        .unwrap();
    plain.extend([b'b', 0, 0, 0, 0, 0]);
    plain.extend(content);

    let ocb = Ocb::new(&[7; 32].into());
    let associated = [0xD4, 1, 9, 2, chunk_bits];
    let mut body = associated[1..].to_vec();
    body.extend(IV);
    let mut index = 0u64;
    let mut nonce = || {
        let mut nonce = IV;
        for (octet, part) in nonce[7..].iter_mut().zip(index.to_be_bytes()) {
            *octet ^= part;
        }
        index += 1;
        (
            nonce,
            [&associated[..], &(index - 1).to_be_bytes()].concat(),
        )
    };
    for chunk in plain.chunks(64 << chunk_bits) {
        let (nonce, associated) = nonce();
        body.extend(sealed(&ocb, nonce, &associated, chunk));
    }
    let (nonce, associated) = nonce();
    let associated = [&associated[..], &(plain.len() as u64).to_be_bytes()].concat();
    body.extend(sealed(&ocb, nonce, &associated, &[]));

    message.extend([0xD4, 0xFF]);
    message.extend((body.len() as u32).to_be_bytes());
    message.extend(body);
    message
}

/// A version 5 packet with the session key sealed by the passphrase.
fn skesk5(session_key: &[u8; 32]) -> Vec<u8> {
    let derived = Sha256::digest([&SALT[..], PASSPHRASE.as_bytes()].concat());
    let mut body = vec![5, 9, 2, 1, 8];
    body.extend(SALT);
    body.extend(IV);
    body.extend(sealed(
        &Ocb::new(&derived),
        IV,
        &[0xC3, 5, 9, 2],
        session_key,
    ));
    [&[0xC3, body.len() as u8][..], &body].concat()
}

fn sealed(ocb: &Ocb, nonce: [u8; 15], associated: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut data = plain.to_vec();
    let tag = ocb
        .encrypt_inout_detached(&nonce.into(), associated, InOutBuf::from(&mut data[..]))
        .unwrap();
    data.extend(tag);
    data
}

#[test]
fn chunked_messages_are_read_as_gpg_reads_them() {
    let gpg = Gpg::new();
    for (len, chunk_bits) in [
        (0, 0),
        (56, 0),
        (57, 0),
        (64 * 3 - 12, 0),
        (100_000, 4),
        (100_000, 16),
        (300_000, 10),
    ] {
        let content = content(len);
        let message = seal(&content, chunk_bits);
        let theirs = gpg.decrypt(PASSPHRASE, &message);
        assert!(
            theirs.ok && theirs.stdout == content,
            "{len} {chunk_bits}: {}",
            theirs.stderr
        );
        let ours = decrypt(&passphrase(PASSPHRASE), &message).unwrap();
        assert!(ours == content, "{len} {chunk_bits}");
    }
}

#[test]
fn altered_cut_and_oversized_chunks_are_errors() {
    let message = seal(&content(1000), 0);
    assert!(matches!(
        decrypt(&passphrase("wrong"), &message),
        Err(Error::WrongPassphrase)
    ));
    let decryptor = passphrase(PASSPHRASE);
    for at in 120..message.len() {
        let mut altered = message.clone();
        altered[at] ^= 1;
        assert!(decrypt(&decryptor, &altered).is_err(), "{at}");
        assert!(decrypt(&decryptor, &message[..at]).is_err(), "{at}");
    }
    // The packet's length made right again: a chunk dropped from the end is still noticed.
    let start = skesk5(&[7; 32]).len();
    let mut shorter = message[..message.len() - 80].to_vec();
    let body = (shorter.len() - start - 6) as u32;
    shorter[start + 2..start + 6].copy_from_slice(&body.to_be_bytes());
    assert!(matches!(
        decrypt(&decryptor, &shorter),
        Err(Error::IntegrityCheck)
    ));
    let mut huge = message;
    huge[start + 9] = 56;
    assert!(matches!(
        decrypt(&decryptor, &huge),
        Err(Error::Limit { .. })
    ));
}
