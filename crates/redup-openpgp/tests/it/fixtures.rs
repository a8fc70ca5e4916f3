//! Every encrypted object that duplicity and gpg wrote into the golden archives.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use redup_openpgp::{Decryptor, DecryptorOptions, Secret};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// Encrypted objects of the cases that `wanted` accepts.
fn objects(wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for version in ["0.8.22", "3.2.1"] {
        for case in fs::read_dir(root().join(version)).unwrap().map(|case| case.unwrap().path()) {
            if wanted(case.file_name().unwrap().to_str().unwrap()) {
                let remote = fs::read_dir(case.join("remote")).unwrap().map(|object| object.unwrap().path());
                found.extend(remote.filter(|path| path.extension().is_some_and(|suffix| suffix == "gpg")));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

#[track_caller]
fn check(decryptor: &Decryptor, path: &Path) {
    let mut content = Vec::new();
    let mut reader = decryptor.open(fs::File::open(path).unwrap()).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    reader.read_to_end(&mut content).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    if path.to_str().unwrap().contains("manifest") {
        assert!(content.starts_with(b"Hostname "), "{path:?}");
    } else {
        assert!(content.get(257..262) == Some(b"ustar") || content.iter().all(|octet| *octet == 0), "{path:?}");
    }
}

#[test]
fn symmetric_objects_decrypt() {
    let decryptor = Decryptor::new(DecryptorOptions { passphrase: Some(Secret::from("fixture-passphrase")) });
    for path in objects(|case| case.starts_with("sym")) {
        check(&decryptor, &path);
    }
}
