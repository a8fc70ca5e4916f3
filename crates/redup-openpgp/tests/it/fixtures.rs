//! Every encrypted object that duplicity and gpg wrote into the golden archives.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redup_openpgp::{
    Decryptor, DecryptorOptions, Keyring, KeyringOptions, MessageReport, Secret, Validity,
};

use crate::gpg::fixture_key;

const SIGNER: &str = "02234C02E8C8AB9CE3113F3B705E9B5A5C5B3D94";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// Encrypted objects of a case, of both versions.
fn objects(case: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for version in ["0.8.22", "3.2.1"] {
        let remote = fs::read_dir(root().join(version).join(case).join("remote")).unwrap();
        let paths = remote.map(|object| object.unwrap().path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|suffix| suffix == "gpg")));
    }
    assert!(found.len() >= 10, "{case}");
    found
}

#[track_caller]
fn check(decryptor: &Decryptor, path: &Path) -> MessageReport {
    let mut content = Vec::new();
    let mut reader = decryptor
        .open(fs::File::open(path).unwrap())
        .unwrap_or_else(|error| panic!("{path:?}: {error}"));
    reader
        .read_to_end(&mut content)
        .unwrap_or_else(|error| panic!("{path:?}: {error}"));
    if path.to_str().unwrap().contains("manifest") {
        assert!(content.starts_with(b"Hostname "), "{path:?}");
    } else {
        assert!(
            content.get(257..262) == Some(b"ustar") || content.iter().all(|octet| *octet == 0),
            "{path:?}"
        );
    }
    assert_eq!(reader.report().warnings, [], "{path:?}");
    reader.report().clone()
}

/// With these keys of the fixtures and no passphrase.
pub(crate) fn with_keys(names: &[&str]) -> Decryptor {
    let key_files = names
        .iter()
        .map(|name| fixture_key(&format!("{name}.asc")))
        .collect();
    let keyring = Keyring::open(&KeyringOptions {
        key_files,
        gnupg_home: None,
    })
    .unwrap();
    Decryptor::new(DecryptorOptions {
        keyring: Some(Arc::new(keyring)),
        ..DecryptorOptions::default()
    })
}

pub(crate) fn with_passphrase() -> Decryptor {
    let passphrase = Some(Secret::from("fixture-passphrase"));
    Decryptor::new(DecryptorOptions {
        passphrase,
        ..DecryptorOptions::default()
    })
}

#[test]
fn symmetric_objects_decrypt() {
    for case in ["sym", "sym-nocomp"] {
        for path in objects(case) {
            assert_eq!(check(&with_passphrase(), &path).signatures, []);
        }
    }
}

#[test]
fn objects_for_public_keys_decrypt_with_any_of_the_recipients() {
    for (case, key) in [
        ("pk", "encrypt.sec"),
        ("pk-ecc", "ecc.sec"),
        ("pk-2rcpt", "encrypt.sec"),
        ("pk-2rcpt", "ecc.sec"),
    ] {
        let decryptor = with_keys(&[key]);
        for path in objects(case) {
            assert_eq!(check(&decryptor, &path).signatures, []);
        }
    }
}

#[test]
fn objects_for_hidden_recipients_decrypt_by_trying_all_keys() {
    let decryptor = with_keys(&["sign.sec", "ecc.sec", "encrypt.sec"]);
    for path in objects("pk-hidden") {
        check(&decryptor, &path);
    }
}

#[test]
fn signers_are_known_when_their_public_keys_are() {
    let knows = with_keys(&["encrypt.sec", "sign.pub"]);
    let does_not = with_keys(&["encrypt.sec"]);
    for path in objects("pk-sign") {
        let report = check(&knows, &path);
        assert_eq!(report.signatures[0].issuer, SIGNER);
        assert_eq!(report.signatures[0].primary.as_deref(), Some(SIGNER));
        assert!(
            report.is_signed_by("705E9B5A5C5B3D94")
                && report.is_signed_by("0x5c5b3d94")
                && !report.is_signed_by("B13D8F00")
        );
        let report = check(&does_not, &path);
        assert_eq!(
            (report.signatures.len(), report.signatures[0].validity),
            (1, Validity::UnknownKey)
        );
        assert!(!report.is_signed_by(SIGNER));
    }
    for path in objects("sym-sign") {
        assert_eq!(check(&with_passphrase(), &path).signatures.len(), 1);
    }
}

#[test]
fn every_encrypted_case_is_covered() {
    let covered = [
        "sym",
        "sym-nocomp",
        "pk",
        "pk-ecc",
        "pk-2rcpt",
        "pk-hidden",
        "pk-sign",
        "sym-sign",
    ];
    for version in ["0.8.22", "3.2.1"] {
        for case in fs::read_dir(root().join(version))
            .unwrap()
            .map(|case| case.unwrap().path())
        {
            let remote = fs::read_dir(case.join("remote")).unwrap();
            let encrypted = remote
                .map(|object| object.unwrap().path())
                .any(|path| path.extension().is_some_and(|suffix| suffix == "gpg"));
            let name = case.file_name().unwrap().to_str().unwrap();
            // The interrupted one is as symmetric as "sym".
            assert!(
                !encrypted || covered.contains(&name) || name == "partial-full-sym",
                "{case:?}"
            );
        }
    }
}
