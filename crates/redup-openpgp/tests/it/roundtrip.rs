//! What we write, gpg reads; what gpg writes, we read.

use std::io::{Read, Write};

use redup_openpgp::{Compression, Decryptor, DecryptorOptions, Encryptor, Error, Secret, Warning};

use crate::gpg::Gpg;

pub(crate) const PASSPHRASE: &str = "correct horse";

/// Text and noise in turns, so that some is compressed and some stored.
pub(crate) fn content(len: usize) -> Vec<u8> {
    let mut noise = vec![0; len];
    getrandom::fill(&mut noise).unwrap();
    for (i, octet) in noise.iter_mut().enumerate() {
        if i / 70_000 % 2 == 0 {
            *octet = b"To be, or not to be, that is the question. "[i % 43];
        }
    }
    noise
}

pub(crate) fn encrypt(encryptor: &Encryptor, content: &[u8]) -> Vec<u8> {
    let mut writer = encryptor.message(Vec::new()).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn decrypt(decryptor: &Decryptor, message: &[u8]) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    decryptor
        .open(message)?
        .read_to_end(&mut content)
        .map_err(Error::from_io)?;
    Ok(content)
}

pub(crate) fn passphrase(text: &str) -> Decryptor {
    Decryptor::new(DecryptorOptions {
        passphrase: Some(Secret::from(text)),
        ..DecryptorOptions::default()
    })
}

#[test]
fn gpg_and_we_read_what_we_write_symmetrically() {
    let gpg = Gpg::new();
    for compression in [
        Compression::None,
        Compression::Zip(6),
        Compression::Zip(1),
        Compression::Zlib(6),
    ] {
        let encryptor = Encryptor::symmetric(Secret::from(PASSPHRASE), compression).unwrap();
        for len in [0, 1, 100_000, 3_000_000] {
            let content = content(len);
            let message = encrypt(&encryptor, &content);
            assert!(
                decrypt(&passphrase(PASSPHRASE), &message).unwrap() == content,
                "{compression:?} {len}"
            );
            let theirs = gpg.decrypt(PASSPHRASE, &message);
            assert!(
                theirs.ok && theirs.stdout == content,
                "{compression:?} {len}: {}",
                theirs.stderr
            );
        }
    }
}

/// gpg's options for a symmetric message, and what we report.
fn check_gpg_symmetric(gpg: &Gpg, options: &[&str], warnings: &[Warning]) {
    let content = content(200_000);
    let mut args = vec!["--passphrase", PASSPHRASE];
    args.extend(options);
    args.push("--symmetric");
    let message = match gpg.run(&args, &content) {
        Ok(message) => message,
        Err(error) => panic!("{options:?}: {error}"),
    };
    let decryptor = passphrase(PASSPHRASE);
    let mut reader = decryptor
        .open(&message[..])
        .unwrap_or_else(|error| panic!("{options:?}: {error}"));
    let mut ours = Vec::new();
    reader
        .read_to_end(&mut ours)
        .unwrap_or_else(|error| panic!("{options:?}: {error}"));
    assert!(ours == content, "{options:?}");
    assert_eq!(reader.report().warnings, warnings, "{options:?}");
    assert!(
        matches!(
            decrypt(&passphrase("wrong"), &message),
            Err(Error::WrongPassphrase)
        ),
        "{options:?}"
    );
}

#[test]
fn every_cipher_of_gpg_is_read() {
    let gpg = Gpg::new();
    for cipher in [
        "AES",
        "AES192",
        "AES256",
        "TWOFISH",
        "CAMELLIA128",
        "CAMELLIA192",
        "CAMELLIA256",
    ] {
        check_gpg_symmetric(&gpg, &["--cipher-algo", cipher], &[]);
    }
    for cipher in ["IDEA", "3DES", "CAST5", "BLOWFISH"] {
        check_gpg_symmetric(
            &gpg,
            &["--force-mdc", "--cipher-algo", cipher],
            &[Warning::SmallBlocks],
        );
    }
}

#[test]
fn every_compression_and_key_derivation_of_gpg_is_read() {
    let gpg = Gpg::new();
    for algorithm in ["none", "zip", "zlib", "bzip2"] {
        check_gpg_symmetric(&gpg, &["--compress-algo", algorithm], &[]);
    }
    for mode in ["0", "1", "3"] {
        check_gpg_symmetric(&gpg, &["--s2k-mode", mode], &[]);
    }
    for digest in ["SHA1", "RIPEMD160", "SHA224", "SHA256", "SHA384", "SHA512"] {
        check_gpg_symmetric(
            &gpg,
            &["--s2k-digest-algo", digest, "--s2k-count", "1024"],
            &[],
        );
    }
    check_gpg_symmetric(&gpg, &["--s2k-count", "65011712"], &[]);
}

#[test]
fn messages_without_mdc_are_read_with_a_warning() {
    check_gpg_symmetric(
        &Gpg::new(),
        &["--rfc2440", "--cipher-algo", "AES"],
        &[Warning::NoIntegrityProtection],
    );
}

#[test]
fn armored_messages_are_read() {
    check_gpg_symmetric(&Gpg::new(), &["--armor"], &[]);
}

#[test]
fn the_length_so_far_depends_on_the_content_alone_and_is_near_the_final_one() {
    let content = content(4_000_000);
    let encryptor = Encryptor::symmetric(Secret::from(PASSPHRASE), Compression::Zip(6)).unwrap();
    let lengths = |step: usize| {
        let mut writer = encryptor.message(Vec::new()).unwrap();
        let mut lengths = Vec::new();
        for megabyte in content.chunks(1_000_000) {
            megabyte
                .chunks(step)
                .for_each(|piece| writer.write_all(piece).unwrap());
            lengths.push(writer.encoded_len());
        }
        (lengths, writer.finish().unwrap().len())
    };
    let (whole, total) = lengths(1_000_000);
    let (pieces, again) = lengths(777);
    assert_eq!((&whole, total), (&pieces, again));
    let last = whole[3] as f64;
    assert!(
        (last / total as f64 - 1.0).abs() < 0.05,
        "{last} of {total}"
    );
}

#[test]
fn secrets_are_in_no_debug_output() {
    let secret = Secret::from("swordfish");
    let decryptor = passphrase("swordfish");
    let encryptor = Encryptor::symmetric(secret.clone(), Compression::None).unwrap();
    let shown = format!("{secret:?} {decryptor:?} {encryptor:?}");
    assert!(
        !shown.contains("swordfish") && !shown.contains("115, 119"),
        "{shown}"
    );
}
