//! Damaged, cut and made-up messages: always an error, never a panic, never other content.

use std::sync::LazyLock;

use proptest::prelude::*;
use redup_openpgp::{Compression, Decryptor, Encryptor, EncryptorOptions, Error, Secret};

use crate::fixtures::with_keys;
use crate::roundtrip::{PASSPHRASE, content, decrypt, encrypt, passphrase};

struct Sample {
    content: Vec<u8>,
    message: Vec<u8>,
    decryptor: Decryptor,
}

fn symmetric(compression: Compression) -> Sample {
    let content = content(150_000);
    let message = encrypt(
        &Encryptor::symmetric(Secret::from(PASSPHRASE), compression).unwrap(),
        &content,
    );
    Sample {
        content,
        message,
        decryptor: passphrase(PASSPHRASE),
    }
}

static PLAIN: LazyLock<Sample> = LazyLock::new(|| symmetric(Compression::None));
static ZIP: LazyLock<Sample> = LazyLock::new(|| symmetric(Compression::Zip(6)));
static PUBLIC: LazyLock<Sample> = LazyLock::new(|| {
    let keyring = crate::keys::fixture_keyring("sec");
    let options = EncryptorOptions {
        recipients: vec![keyring.recipient("8458E5CC").unwrap()],
        signer: Some(keyring.signer("8458E5CC", None, None).unwrap()),
        compression: Compression::Zlib(6),
        ..EncryptorOptions::default()
    };
    let content = content(50_000);
    Sample {
        message: encrypt(&Encryptor::new(options).unwrap(), &content),
        content,
        decryptor: with_keys(&["ecc.sec"]),
    }
});

fn samples() -> impl Iterator<Item = &'static Sample> {
    [&*PLAIN, &*ZIP, &*PUBLIC].into_iter()
}

/// An alteration may be without effect, in the form of a length for instance; it may not change the content.
fn check_altered(sample: &Sample, altered: &[u8]) -> Result<(), TestCaseError> {
    match decrypt(&sample.decryptor, altered) {
        Err(_) => Ok(()),
        Ok(content) => {
            prop_assert!(content == sample.content, "altered content came out");
            Ok(())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn flipped_bits_never_change_what_comes_out(at: prop::sample::Index, bit in 0..8u8) {
        for sample in samples() {
            let mut altered = sample.message.clone();
            altered[at.index(sample.message.len())] ^= 1 << bit;
            check_altered(sample, &altered)?;
        }
    }

    #[test]
    fn flipped_bits_of_the_encrypted_data_are_noticed(at: prop::sample::Index, bit in 0..8u8) {
        for sample in samples() {
            let mut altered = sample.message.clone();
            // Behind the key packets and the first chunk's header.
            let at = 200 + at.index(sample.message.len() - 200);
            altered[at] ^= 1 << bit;
            prop_assert!(decrypt(&sample.decryptor, &altered).is_err(), "{at}");
            prop_assert!(sample.decryptor.check_integrity(altered.as_slice()).is_err(), "{at}");
        }
    }

    #[test]
    fn whole_messages_pass_the_integrity_check(sample in 0..3usize) {
        let sample = samples().nth(sample).unwrap();
        prop_assert!(sample.decryptor.check_integrity(sample.message.as_slice()).is_ok());
    }

    #[test]
    fn cut_messages_are_errors(at: prop::sample::Index) {
        for sample in samples() {
            let cut = &sample.message[..at.index(sample.message.len())];
            prop_assert!(decrypt(&sample.decryptor, cut).is_err());
            prop_assert!(sample.decryptor.check_integrity(cut).is_err());
        }
    }

    #[test]
    fn what_follows_a_message_is_ignored(garbage: Vec<u8>) {
        let message = [&PUBLIC.message[..], &garbage].concat();
        prop_assert!(decrypt(&PUBLIC.decryptor, &message).unwrap() == PUBLIC.content);
    }

    #[test]
    fn garbage_is_an_error(garbage: Vec<u8>, tag in 0..64u8) {
        let decryptor = with_keys(&["ecc.sec"]);
        prop_assert!(decrypt(&decryptor, &garbage).is_err());
        let packet = [&[0xC0 | tag, garbage.len().min(191) as u8][..], &garbage].concat();
        prop_assert!(decrypt(&decryptor, &packet).is_err());
        let packets = [&PUBLIC.message[..90], &packet].concat();
        prop_assert!(decrypt(&decryptor, &packets).is_err());
    }

    #[test]
    fn garbage_in_key_packets_is_an_error(garbage in prop::collection::vec(any::<u8>(), 0..150), version in 2..7u8) {
        for tag in [1, 3] {
            let packet = [&[0xC0 | tag, garbage.len() as u8 + 1, version][..], &garbage].concat();
            let encrypted = [&[0xD2, 40, 1][..], &[0; 39]].concat();
            prop_assert!(decrypt(&PUBLIC.decryptor, &[packet, encrypted].concat()).is_err());
        }
    }
}

#[test]
fn nothing_and_almost_nothing_are_truncated() {
    assert!(matches!(
        decrypt(&passphrase(PASSPHRASE), b""),
        Err(Error::Truncated { .. })
    ));
    let skesk_only = &PLAIN.message[..15];
    assert!(matches!(
        decrypt(&passphrase(PASSPHRASE), skesk_only),
        Err(Error::Truncated { .. })
    ));
}

#[test]
fn a_tampered_middle_is_an_integrity_failure_and_a_wrong_passphrase_is_not() {
    let mut altered = PLAIN.message.clone();
    altered[100_000] ^= 1;
    assert!(matches!(
        decrypt(&PLAIN.decryptor, &altered),
        Err(Error::IntegrityCheck)
    ));
    assert!(matches!(
        decrypt(&passphrase("wrong"), &PLAIN.message),
        Err(Error::WrongPassphrase)
    ));
    let none = Decryptor::new(redup_openpgp::DecryptorOptions::default());
    assert!(matches!(
        decrypt(&none, &PLAIN.message),
        Err(Error::PassphraseMissing)
    ));
}

#[test]
fn unencrypted_messages_are_refused() {
    let literal = [0xCB, 9, b'b', 0, 0, 0, 0, 0, b'a', b'b', b'c'];
    assert!(matches!(
        decrypt(&passphrase(PASSPHRASE), &literal),
        Err(Error::Damaged { .. })
    ));
    assert!(matches!(
        decrypt(&passphrase(PASSPHRASE), b"duplicity"),
        Err(Error::Damaged { .. })
    ));
}

#[test]
fn an_empty_passphrase_does_not_encrypt() {
    let refused = Encryptor::symmetric(Secret::from(""), Compression::None);
    assert!(matches!(refused, Err(Error::Options { .. })));
    assert!(matches!(
        Encryptor::new(EncryptorOptions::default()),
        Err(Error::Options { .. })
    ));
}
