//! The real gpg program in a home of its own.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A GnuPG home that disappears with its agent.
pub(crate) struct Gpg {
    home: tempfile::TempDir,
}

/// What gpg said.
pub(crate) struct Output {
    pub(crate) ok: bool,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Gpg {
    pub(crate) fn new() -> Self {
        // Short and outside of any long target folder: the agent's socket name may have 107 octets.
        let home = tempfile::Builder::new()
            .prefix("gpg")
            .tempdir_in("/tmp")
            .unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self { home }
    }

    /// With all secret keys of the fixtures.
    pub(crate) fn with_fixture_keys() -> Self {
        let gpg = Self::new();
        for key in ["encrypt", "sign", "ecc"] {
            let file = fixture_key(&format!("{key}.sec.asc"));
            gpg.run(&["--import", file.to_str().unwrap()], b"").unwrap();
        }
        gpg
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn try_run(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new("gpg")
            .args([
                "--batch",
                "--no-tty",
                "--yes",
                "--trust-model",
                "always",
                "--pinentry-mode",
                "loopback",
            ])
            .args(args)
            .env("GNUPGHOME", self.home())
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // gpg may stop reading early: a broken pipe is its business.
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Output {
            ok: output.status.success(),
            stdout: output.stdout,
            stderr,
        }
    }

    #[track_caller]
    pub(crate) fn run(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, String> {
        let output = self.try_run(args, input);
        if output.ok {
            Ok(output.stdout)
        } else {
            Err(output.stderr)
        }
    }

    pub(crate) fn stop_agent(&self) {
        let stop = Command::new("gpgconf")
            .args(["--kill", "all"])
            .env("GNUPGHOME", self.home())
            .status();
        assert!(stop.is_ok_and(|status| status.success()));
    }

    /// Fingerprint of the primary key of a user.
    pub(crate) fn fingerprint(&self, user: &str) -> String {
        self.fingerprints(user).swap_remove(0)
    }

    /// Fingerprints of the subkeys, in the order they were made.
    pub(crate) fn subkeys(&self, user: &str) -> Vec<String> {
        self.fingerprints(user).split_off(1)
    }

    fn fingerprints(&self, user: &str) -> Vec<String> {
        let listing = String::from_utf8(
            self.run(&["--with-colons", "--list-keys", user], b"")
                .unwrap(),
        )
        .unwrap();
        let records = listing.lines().filter(|line| line.starts_with("fpr:"));
        records
            .map(|line| line.split(':').nth(9).unwrap().to_owned())
            .collect()
    }

    /// Decrypts with a passphrase, which may be unused.
    pub(crate) fn decrypt(&self, passphrase: &str, message: &[u8]) -> Output {
        self.try_run(&["--passphrase", passphrase, "--decrypt"], message)
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop_agent();
        }
    }
}

pub(crate) fn fixture_key(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/keys")
        .join(name)
}
