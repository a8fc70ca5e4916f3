//! The environment: the only place that names its variables.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::passphrase::Secret;

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
    /// What a profile gives in place of the variables.
    passphrase: Option<Secret>,
    sign_passphrase: Option<Secret>,
    /// This process has begun itself anew.
    begun_anew: bool,
    /// Where the system says that the user is at home.
    home: Option<PathBuf>,
}

/// Says to a process that begins itself anew that it has done so, by its number, which it keeps.
pub(crate) const BEGUN: &str = "REDUP_BEGUN";

impl Environment {
    /// The process's environment.
    pub(crate) fn read() -> Self {
        let mut variables: HashMap<_, _> = std::env::vars_os().collect();
        let begun = variables.remove(OsStr::new(BEGUN));
        let own = std::process::id().to_string();
        Self {
            variables,
            passphrase: None,
            sign_passphrase: None,
            begun_anew: begun.is_some_and(|number| *number == *own),
            home: home_of_user(),
        }
    }

    /// Whether this process has begun itself anew, with the variables of a profile.
    pub(crate) fn has_begun_anew(&self) -> bool {
        self.begun_anew
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

    /// The same with a passphrase in place of the variable that would hold it. It is in no copy that is not wiped.
    pub(crate) fn with_passphrase(mut self, name: &str, secret: Secret) -> Self {
        match name {
            SIGN_PASSPHRASE => self.sign_passphrase = Some(secret),
            _ => self.passphrase = Some(secret),
        }
        self
    }

    /// Any variable: for `$NAME` in paths.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
    }

    /// `PASSPHRASE`: opens and locks what is encrypted. Empty counts as given.
    pub(crate) fn passphrase(&self) -> Option<Secret> {
        let given = self.passphrase.clone();
        given.or_else(|| self.secret(PASSPHRASE))
    }

    /// `SIGN_PASSPHRASE`: opens the signing key.
    pub(crate) fn sign_passphrase(&self) -> Option<Secret> {
        let given = self.sign_passphrase.clone();
        given.or_else(|| self.secret(SIGN_PASSPHRASE))
    }

    /// `HOME`; without it, as in a service of systemd, what the system knows, as gpg and duplicity do.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.path("HOME").or_else(|| self.home.clone())
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

    fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name)
            .map(|value| Zeroizing::new(value.as_bytes().to_vec()))
    }
}

/// The home folder of the user who runs this, as far as a file of users tells it.
fn home_of_user() -> Option<PathBuf> {
    let users = std::fs::read("/etc/passwd").ok()?;
    home_in(&users, rustix::process::geteuid().as_raw())
}

fn home_in(users: &[u8], id: u32) -> Option<PathBuf> {
    let id = id.to_string();
    let mut lines = users.split(|byte| *byte == b'\n');
    let home = lines.find_map(|line| {
        let fields: Vec<_> = line.split(|byte| *byte == b':').collect();
        fields
            .get(5)
            .filter(|_| fields[2] == id.as_bytes())
            .copied()
    })?;
    (!home.is_empty()).then(|| OsStr::from_bytes(home).into())
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
        variables.into_iter().collect()
    }
}

#[cfg(test)]
impl<'a> FromIterator<(&'a str, &'a str)> for Environment {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(variables: T) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            variables,
            ..Self::default()
        }
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
    fn a_given_passphrase_goes_before_a_variable_and_to_nobody_else() {
        let environment = Environment::from([("PASSPHRASE", "variable")]);
        let given = Zeroizing::new(b"given".to_vec());
        let environment = environment.with_passphrase(SIGN_PASSPHRASE, given.clone());
        assert_eq!(&*environment.passphrase().unwrap(), b"variable");
        assert_eq!(environment.sign_passphrase(), Some(given.clone()));
        let environment = environment.with_passphrase(PASSPHRASE, given.clone());
        assert_eq!(environment.passphrase(), Some(given));
        assert_eq!(environment.variables().count(), 1);
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
    fn the_system_knows_where_a_user_is_at_home() {
        let users = b"root:x:0:0:root:/root:/bin/bash\n+::::::\nme:x:1000:100:Me,,,:/home/me:/bin/sh\nnone:x:7:7:::\n";
        assert_eq!(home_in(users, 0), Some("/root".into()));
        assert_eq!(home_in(users, 1000), Some("/home/me".into()));
        assert_eq!(home_in(users, 7), None);
        assert_eq!(home_in(users, 100), None);
        let known = Environment {
            home: Some("/known".into()),
            ..Environment::from([("HOME", "/said")])
        };
        assert_eq!(known.home(), Some("/said".into()));
        let unsaid = Environment {
            home: Some("/known".into()),
            ..Environment::from([("HOME", "")])
        };
        assert_eq!(unsaid.gnupg_home(), Some("/known/.gnupg".into()));
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
