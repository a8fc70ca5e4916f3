//! Where a profile's passphrases come from: a program that prints one, or a file that is nobody else's.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::file::{open_private, unreadable};
use super::hooks::ended;
use super::item::Item;
use crate::config::expand;
use crate::env::{Environment, PASSPHRASE, SIGN_PASSPHRASE};
use crate::exit::{Code, Failure};
use crate::passphrase::Secret;
use crate::signals::{Ending, status_of};

/// The keys that say where a passphrase is.
pub(super) const SECRET_KEYS: [&str; 4] = [
    "passphrase-command",
    "passphrase-file",
    "sign-passphrase-command",
    "sign-passphrase-file",
];

/// More than any passphrase has.
const LONGEST: u64 = 64 << 10;

/// A little more, so that the end is seen without growing.
const ROOM: usize = (64 << 10) + 64;

/// Where to get a passphrase.
#[derive(Clone, Debug)]
pub(super) struct SecretSource {
    /// The variable that would hold it.
    pub(super) variable: &'static str,
    /// The file, line and key that say so.
    place: String,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Command(Vec<String>),
    File(String),
}

impl SecretSource {
    /// # Errors
    /// When the value is of another kind.
    pub(super) fn read(item: &Item<'_>) -> Result<Self, Failure> {
        let variable = match item.key().starts_with("sign-") {
            true => SIGN_PASSPHRASE,
            false => PASSPHRASE,
        };
        let way = match item.key().ends_with("-file") {
            true => Way::File(item.text()?.to_owned()),
            false => {
                let words = item.words()?;
                Way::Command(words.into_iter().map(str::to_owned).collect())
            }
        };
        Ok(Self {
            variable,
            place: item.place(),
            way,
        })
    }

    /// Gets it: the first line.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn get(
        &self,
        environment: &Environment,
        ending: &Ending,
    ) -> Result<Secret, Failure> {
        let all = match &self.way {
            Way::Command(words) => self.printed(words, environment, ending)?,
            Way::File(path) => {
                let path = PathBuf::from(expand(OsStr::new(path), environment));
                let file = open_private(&path).map_err(|failure| self.in_place(failure))?;
                let read = bounded(file).map_err(|error| unreadable(&path, &error));
                read.map_err(|failure| self.in_place(failure))?
            }
        };
        let line = all.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return Err(self.failed("there is no passphrase in its first line"));
        }
        Ok(Zeroizing::new(line.to_vec()))
    }

    fn printed(
        &self,
        words: &[String],
        environment: &Environment,
        ending: &Ending,
    ) -> Result<Secret, Failure> {
        let program = words.first().map(String::as_str).unwrap_or_default();
        let mut command = Command::new(program);
        command.args(words.get(1..).unwrap_or_default());
        // It may need keys of its own, as for a store of secrets in the cloud.
        command.env_clear().envs(environment.variables());
        command.env_remove(PASSPHRASE).env_remove(SIGN_PASSPHRASE);
        command.stdout(Stdio::piped());
        let mut child = ending.spawn(&mut command, program).map_err(|error| {
            let message = format!("{}: cannot run {program}", self.place);
            Failure::caused(Code::EXCEPTION, message, &error)
        })?;
        let printed = child.stdout().map(bounded);
        let status = child.wait();
        if let Some(signal) = ending.signal() {
            return Err(Failure::silent(Code(status_of(signal))));
        }
        let (printed, status) = match (printed.transpose(), status) {
            (Ok(printed), Ok(status)) => (printed.unwrap_or_default(), status),
            (Err(error), _) | (_, Err(error)) => return Err(self.failed(&error.to_string())),
        };
        match status.success() {
            true => Ok(printed),
            false => Err(self.failed(&format!("{program} ended with {}", ended(status)))),
        }
    }

    fn failed(&self, what: &str) -> Failure {
        Failure::new(Code::EXCEPTION, format!("{}: {what}", self.place))
    }

    fn in_place(&self, mut failure: Failure) -> Failure {
        failure.message = format!("{}: {}", self.place, failure.message);
        failure
    }
}

fn bounded(input: impl Read) -> io::Result<Secret> {
    // Room from the start: a vector that grows leaves copies behind.
    let mut bytes = Secret::new(Vec::with_capacity(ROOM));
    input.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a variable of that name holds what nobody else may see.
pub(super) fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["PASSPHRASE", "PASSWORD", "SECRET", "TOKEN"]
        .iter()
        .any(|part| name.contains(part))
}
