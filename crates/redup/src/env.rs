//! The environment: the only place that names its variables.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use zeroize::Zeroizing;

/// Opens and locks what is encrypted.
pub(crate) const PASSPHRASE: &str = "PASSPHRASE";
/// Opens the signing key.
pub(crate) const SIGN_PASSPHRASE: &str = "SIGN_PASSPHRASE";

/// The variables of this process, read once.
///
/// What the AWS SDK reads (`AWS_…`) is left to it.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    variables: HashMap<OsString, OsString>,
}

impl Environment {
    /// The process's environment.
    pub(crate) fn read() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
        }
    }

    /// All of them.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// All but those that hold secrets of redup's, or say how to get at them.
    pub(crate) fn without_secrets(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let of_a_store = |name: &[u8]| name.starts_with(b"AWS_") || name.starts_with(b"GS_");
        self.variables().filter(move |(name, _)| {
            *name != PASSPHRASE && *name != SIGN_PASSPHRASE && !of_a_store(name.as_bytes())
        })
    }

    /// The same with one variable set.
    pub(crate) fn with(mut self, name: &str, value: &[u8]) -> Self {
        let value = OsStr::from_bytes(value).to_owned();
        self.variables.insert(name.into(), value);
        self
    }

    /// Any variable: for `$NAME` in paths.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
    }

    /// `PASSPHRASE`: opens and locks what is encrypted. Empty counts as given.
    pub(crate) fn passphrase(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.secret(PASSPHRASE)
    }

    /// `SIGN_PASSPHRASE`: opens the signing key.
    pub(crate) fn sign_passphrase(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.secret(SIGN_PASSPHRASE)
    }

    /// `HOME`.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.path("HOME")
    }

    /// `XDG_CACHE_HOME`, else `~/.cache`: where archive dirs are by default.
    pub(crate) fn cache_home(&self) -> Option<PathBuf> {
        self.path("XDG_CACHE_HOME")
            .or_else(|| self.home().map(|home| home.join(".cache")))
    }

    /// `XDG_CONFIG_HOME`, else `~/.config`: where a user's settings are.
    pub(crate) fn config_home(&self) -> Option<PathBuf> {
        self.path("XDG_CONFIG_HOME")
            .or_else(|| self.home().map(|home| home.join(".config")))
    }

    /// `GNUPGHOME`, else `~/.gnupg`.
    pub(crate) fn gnupg_home(&self) -> Option<PathBuf> {
        self.path("GNUPGHOME")
            .or_else(|| self.home().map(|home| home.join(".gnupg")))
    }

    /// `TMPDIR`, `TEMP` or `TMP`, in this order.
    pub(crate) fn temp_dir(&self) -> Option<PathBuf> {
        ["TMPDIR", "TEMP", "TMP"]
            .iter()
            .find_map(|name| self.path(name))
    }

    /// `TERM`: whether the terminal, if there is one, can do more than print line after line.
    pub(crate) fn can_redraw(&self) -> bool {
        self.get("TERM")
            .is_some_and(|term| !term.is_empty() && term != "dumb")
    }

    /// `AWS_CA_BUNDLE`: certificates to trust, which the AWS SDK leaves to its user.
    pub(crate) fn ca_bundle(&self) -> Option<PathBuf> {
        self.path("AWS_CA_BUNDLE")
    }

    /// `GS_ACCESS_KEY_ID` and `GS_SECRET_ACCESS_KEY`: for `gs://`.
    pub(crate) fn google_keys(&self) -> Option<(String, String)> {
        let text = |name| self.get(name)?.to_str().map(str::to_owned);
        Some((text("GS_ACCESS_KEY_ID")?, text("GS_SECRET_ACCESS_KEY")?))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }

    fn secret(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.get(name)
            .map(|value| Zeroizing::new(value.as_bytes().to_vec()))
    }
}

impl std::fmt::Debug for Environment {
    /// Names alone: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        let variables = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self { variables }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_passphrase_counts_as_given() {
        let environment = Environment::from([("PASSPHRASE", "")]);
        assert_eq!(
            environment.passphrase().as_deref().map(Vec::as_slice),
            Some(&b""[..])
        );
        assert!(environment.sign_passphrase().is_none());
    }

    #[test]
    fn empty_folders_count_as_not_given() {
        let environment = Environment::from([
            ("HOME", "/h"),
            ("XDG_CACHE_HOME", ""),
            ("TMPDIR", ""),
            ("TMP", "/t"),
        ]);
        assert_eq!(environment.cache_home(), Some("/h/.cache".into()));
        assert_eq!(environment.temp_dir(), Some("/t".into()));
        assert_eq!(environment.gnupg_home(), Some("/h/.gnupg".into()));
    }

    #[test]
    fn a_terminal_that_is_dumb_or_unknown_is_not_redrawn() {
        for (term, can) in [("xterm", true), ("dumb", false), ("", false)] {
            assert_eq!(Environment::from([("TERM", term)]).can_redraw(), can);
        }
        assert!(!Environment::default().can_redraw());
    }

    #[test]
    fn what_others_get_has_no_secrets() {
        let environment = Environment::from([
            ("PATH", "/bin"),
            ("PASSPHRASE", "a"),
            ("SIGN_PASSPHRASE", "b"),
            ("AWS_PROFILE", "c"),
            ("GS_SECRET_ACCESS_KEY", "d"),
        ]);
        let names: Vec<_> = environment
            .without_secrets()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["PATH"]);
        assert_eq!(environment.variables().count(), 5);
    }

    #[test]
    fn debug_shows_no_values() {
        let environment = Environment::from([("PASSPHRASE", "geheim")]);
        assert!(!format!("{environment:?}").contains("geheim"));
    }
}
