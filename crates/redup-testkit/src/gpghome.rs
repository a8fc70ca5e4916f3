//! A GnuPG home of its own, with or without the fixture keys.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::{fixtures, tools};

/// The fixtures' RSA key for encryption; its secret key has no passphrase.
pub const ENCRYPT_KEY: &str = "5C4965C176EA43DC2BE6D58BE6EFE75388B13D8F";
/// The fixtures' RSA key for signing; its secret key has no passphrase.
pub const SIGN_KEY: &str = "02234C02E8C8AB9CE3113F3B705E9B5A5C5B3D94";
/// The fixtures' Curve25519 key; its secret key has no passphrase.
pub const ECC_KEY: &str = "9D5B891DFFC2736475F9569D5938F0EB8458E5CC";

/// A temporary `GNUPGHOME`; dropping it ends its agent and removes it.
#[derive(Debug)]
pub struct GpgHome {
    dir: TempDir,
}

impl GpgHome {
    /// An empty one.
    ///
    /// # Panics
    /// When the folder cannot be made.
    #[must_use]
    #[track_caller]
    pub fn empty() -> Self {
        // Directly in /tmp whatever TMPDIR says: the agent's socket path must stay below 108 bytes.
        let made = tempfile::Builder::new().prefix("rdgpg-").tempdir_in("/tmp");
        let dir = made.unwrap_or_else(|error| panic!("cannot make a GnuPG home: {error}"));
        let private = fs::set_permissions(dir.path(), Permissions::from_mode(0o700));
        private.unwrap_or_else(|error| panic!("cannot restrict the GnuPG home: {error}"));
        Self { dir }
    }

    /// One that holds the secret fixture keys and trusts them ultimately.
    ///
    /// # Panics
    /// When gpg fails.
    #[must_use]
    #[track_caller]
    pub fn with_fixture_keys() -> Self {
        let home = Self::empty();
        for name in ["encrypt", "sign", "ecc"] {
            home.import(&fixtures::root().join(format!("keys/{name}.sec.asc")));
        }
        let trust = [ENCRYPT_KEY, SIGN_KEY, ECC_KEY]
            .map(|key| format!("{key}:6:\n"))
            .concat();
        home.gpg_with_input(&["--import-ownertrust"], trust.as_bytes());
        home
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Imports a key file.
    ///
    /// # Panics
    /// When gpg fails.
    #[track_caller]
    pub fn import(&self, key_file: &Path) {
        let bytes = fs::read(key_file)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", key_file.display()));
        self.gpg_with_input(&["--import"], &bytes);
    }

    /// Runs gpg in this home with `input` on standard input; its standard output.
    ///
    /// # Panics
    /// When gpg fails.
    #[track_caller]
    pub fn gpg_with_input(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new(tools::gpg())
            .args([
                "--batch",
                "--no-tty",
                "--quiet",
                "--pinentry-mode=loopback",
                "--homedir",
            ])
            .arg(self.path())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run gpg: {error}"));
        let mut stdin = child.stdin.take();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || {
                // gpg may end without reading everything; its status says whether that was well.
                drop(stdin.take().map(|mut stdin| stdin.write_all(input)));
            });
            child.wait_with_output()
        });
        let output = output.unwrap_or_else(|error| panic!("cannot run gpg: {error}"));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {args:?} failed: {text}");
        output.stdout
    }
}

impl Drop for GpgHome {
    fn drop(&mut self) {
        let mut kill = Command::new("gpgconf");
        kill.arg("--homedir")
            .arg(self.path())
            .args(["--kill", "all"]);
        // An agent that never ran cannot be ended.
        drop(kill.stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encrypted_to_a_fixture_key_is_decrypted_there() {
        let home = GpgHome::with_fixture_keys();
        let sealed = home.gpg_with_input(&["--encrypt", "--recipient", ENCRYPT_KEY], b"secret");
        assert_eq!(home.gpg_with_input(&["--decrypt"], &sealed), b"secret");
    }
}
