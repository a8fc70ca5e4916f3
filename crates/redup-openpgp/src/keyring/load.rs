//! Reading certificates from files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use sequoia_openpgp::cert::CertParser;
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::{Cert, Fingerprint};

use super::{KeyringOptions, keybox};
use crate::error::{Error, Result};

/// A keyring larger than this is not read: thousands of keys take a few MiB.
const MAX_FILE: u64 = 512 << 20;

pub(super) fn load(options: &KeyringOptions) -> Result<Vec<Cert>> {
    let mut certs = Certs::default();
    for path in &options.key_files {
        certs.add_key_file(path)?;
    }
    if let Some(home) = &options.gnupg_home {
        certs.add_home(home)?;
    }
    Ok(certs.0.into_values().collect())
}

#[derive(Default)]
struct Certs(BTreeMap<Fingerprint, Cert>);

impl Certs {
    fn add_key_file(&mut self, path: &Path) -> Result<()> {
        let failed = |source| Error::Keyring {
            path: path.to_owned(),
            source,
        };
        let data = read(path).map_err(|error| failed(error.into()))?;
        let before = self.0.len();
        let mut found = false;
        for cert in CertParser::from_bytes(&data).map_err(|error| failed(error.into()))? {
            self.add(cert.map_err(|error| failed(error.into()))?);
            found = true;
        }
        if !found && self.0.len() == before {
            return Err(failed("the file holds no keys".into()));
        }
        Ok(())
    }

    fn add_home(&mut self, home: &Path) -> Result<()> {
        if let Some(data) = read_if_present(&home.join("pubring.kbx"))? {
            for block in keybox::key_blocks(&data) {
                // A damaged blob ends a keybox; the keys before it are still good.
                let Ok(block) = block else { break };
                self.add_all(block);
            }
        }
        for ring in ["pubring.gpg", "secring.gpg"] {
            if let Some(data) = read_if_present(&home.join(ring))? {
                self.add_all(&data);
            }
        }
        if uses_keyboxd(home) {
            self.add_all(&export_from_gpg(home).unwrap_or_default());
        }
        Ok(())
    }

    /// Adds what can be parsed.
    fn add_all(&mut self, data: &[u8]) {
        let Ok(parser) = CertParser::from_bytes(data) else {
            return;
        };
        for cert in parser.flatten() {
            self.add(cert);
        }
    }

    fn add(&mut self, cert: Cert) {
        let fingerprint = cert.fingerprint();
        let merged = match self.0.remove(&fingerprint) {
            // Merging fails for different keys only, and these have the same fingerprint.
            Some(known) => known.clone().merge_public_and_secret(cert).unwrap_or(known),
            None => cert,
        };
        self.0.insert(fingerprint, merged);
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    File::open(path)?
        .take(MAX_FILE + 1)
        .read_to_end(&mut data)?;
    if data.len() as u64 > MAX_FILE {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "more than 512 MiB",
        ));
    }
    Ok(data)
}

fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>> {
    match read(path) {
        Ok(data) => Ok(Some(data)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(Error::Keyring {
            path: path.to_owned(),
            source: error.into(),
        }),
    }
}

/// Whether GnuPG 2.4 or newer keeps this home's keys in a database of its own.
fn uses_keyboxd(home: &Path) -> bool {
    let Ok(config) = read(&home.join("common.conf")) else {
        return false;
    };
    String::from_utf8_lossy(&config)
        .lines()
        .any(|line| line.trim() == "use-keyboxd")
}

/// All public keys, as gpg exports them; `None` when there is no gpg or it fails.
fn export_from_gpg(home: &Path) -> Option<Vec<u8>> {
    let mut command = Command::new("gpg");
    command
        .arg("--homedir")
        .arg(home)
        .args(["--batch", "--no-tty", "--quiet", "--export"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut keys = Vec::new();
    child
        .stdout
        .take()?
        .take(MAX_FILE)
        .read_to_end(&mut keys)
        .ok()?;
    child.wait().ok()?.success().then_some(keys)
}
