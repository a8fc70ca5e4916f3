//! The file of profiles: where it is, who may read it, and in which line something stands.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use toml::de::{DeTable, DeValue};

use crate::args::lossy;
use crate::env::Environment;
use crate::exit::{Code, Failure};

const NAME: &str = "redup.toml";
const OF_THE_SYSTEM: &str = "/etc/redup/redup.toml";

/// No file of profiles is as long as this.
const LONGEST: u64 = 1 << 20;

const READABLE_BY_ALL: u32 = 0o004;
const WRITABLE_BY_ALL: u32 = 0o002;

/// A file of profiles as it was read.
pub(super) struct ProfileFile {
    path: PathBuf,
    text: String,
    mode: u32,
}

impl ProfileFile {
    /// Reads the file that was named, or that in the folder that was named; else the first there is of the
    /// user's and the system's.
    ///
    /// # Errors
    /// When there is none, or it cannot be read or trusted.
    pub(super) fn find(named: Option<PathBuf>, environment: &Environment) -> Result<Self, Failure> {
        if let Some(path) = named {
            let path = if path.is_dir() { path.join(NAME) } else { path };
            return Self::read(&path).map_err(|error| unreadable(&path, &error))?;
        }
        let candidates = candidates(environment);
        for path in &candidates {
            match Self::read(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unreadable(path, &error)),
                Ok(file) => return file,
            }
        }
        let looked: Vec<_> = candidates.iter().map(|path| shown(path)).collect();
        let failure = Failure::new(Code::COMMAND_LINE, "there is no file of profiles");
        Err(failure.hint(format!(
            "write {}; 'redup run --help' shows one. --config FILE names another",
            looked.join(" or ")
        )))
    }

    fn read(path: &Path) -> io::Result<Result<Self, Failure>> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut bytes = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut bytes)?;
        Ok(Self::checked(path, metadata.mode(), bytes))
    }

    fn checked(path: &Path, mode: u32, bytes: Vec<u8>) -> Result<Self, Failure> {
        let refused = |why: &str| {
            let message = format!("{}: {why}", shown(path));
            Failure::new(Code::COMMAND_LINE, message)
        };
        if mode & WRITABLE_BY_ALL != 0 {
            let failure = refused("everybody may write to it, and what it names is run");
            return Err(failure.hint(format!("chmod o-w {}", shown(path))));
        }
        if bytes.len() as u64 > LONGEST {
            return Err(refused("it is longer than 1 MiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| refused("it is not valid UTF-8"))?;
        Ok(Self {
            path: path.to_owned(),
            text,
            mode,
        })
    }

    /// Its tables.
    ///
    /// # Errors
    /// When it is no TOML. The line itself is not shown: it may hold a secret.
    pub(super) fn parse(&self) -> Result<DeValue<'_>, Failure> {
        let parsed = DeTable::parse(&self.text).map_err(|error| {
            let at = error.span().unwrap_or(self.text.len()..self.text.len());
            self.fault(&at, error.message())
        })?;
        Ok(DeValue::Table(parsed.into_inner()))
    }

    /// What is wrong with what stands at `span`.
    pub(super) fn fault(&self, span: &Range<usize>, what: &str) -> Failure {
        let message = format!("{}: {what}", self.place(span));
        Failure::new(Code::COMMAND_LINE, message)
    }

    /// The file and the line.
    pub(super) fn place(&self, span: &Range<usize>) -> String {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        format!("{}, line {line}", self.shown())
    }

    /// Whether everybody may read it: no place for a secret.
    pub(super) fn is_public(&self) -> bool {
        self.mode & READABLE_BY_ALL != 0
    }

    /// Whether it is a file and no pipe, which is empty the next time.
    pub(super) fn can_be_read_again(&self) -> bool {
        FileType::from_raw_mode(self.mode).is_file()
    }

    /// Its path, for messages.
    pub(super) fn shown(&self) -> String {
        shown(&self.path)
    }
}

impl std::fmt::Debug for ProfileFile {
    /// Without the text: it may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProfileFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Opens a file that holds a secret.
///
/// # Errors
/// When it cannot be opened, or everybody may read it.
pub(super) fn open_private(path: &Path) -> Result<File, Failure> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if metadata.mode() & READABLE_BY_ALL != 0 {
        let message = format!("{}: everybody may read it", shown(path));
        let failure = Failure::new(Code::COMMAND_LINE, message);
        return Err(failure.hint(format!("chmod 600 {}", shown(path))));
    }
    Ok(file)
}

fn candidates(environment: &Environment) -> Vec<PathBuf> {
    let of_the_user = environment.config_home();
    let of_the_user = of_the_user.map(|home| home.join("redup").join(NAME));
    of_the_user
        .into_iter()
        .chain([PathBuf::from(OF_THE_SYSTEM)])
        .collect()
}

fn shown(path: &Path) -> String {
    lossy(path.as_os_str())
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let message = format!("cannot read {}", shown(path));
    Failure::caused(Code::COMMAND_LINE, message, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: u32, text: &str) -> Result<ProfileFile, Failure> {
        ProfileFile::checked(Path::new("/p"), mode, text.into())
    }

    #[test]
    fn the_users_file_goes_before_the_systems() {
        let found = |variables: &[(&str, &str)]| -> Vec<String> {
            let environment = variables.iter().copied().collect();
            candidates(&environment)
                .iter()
                .map(|path| shown(path))
                .collect()
        };
        let system = "/etc/redup/redup.toml";
        let home = ("HOME", "/h");
        assert_eq!(found(&[home]), ["/h/.config/redup/redup.toml", system]);
        let both = found(&[home, ("XDG_CONFIG_HOME", "/x")]);
        assert_eq!(both, ["/x/redup/redup.toml", system]);
        assert_eq!(found(&[]), [system]);
    }

    #[test]
    fn a_file_that_everybody_may_write_to_is_not_trusted() {
        let refused = file(0o666, "").unwrap_err();
        assert_eq!(
            refused.message,
            "/p: everybody may write to it, and what it names is run"
        );
        assert_eq!(refused.hints, ["chmod o-w /p"]);
        assert!(file(0o664, "").unwrap().is_public());
        assert!(!file(0o640, "").unwrap().is_public());
    }

    #[test]
    fn a_mistake_is_told_with_its_line_and_not_with_its_text() {
        let file = file(0o600, "a = 1\n\nPASSPHRASE = secret\n").unwrap();
        let failure = file.parse().unwrap_err();
        assert!(failure.message.starts_with("/p, line 3: "), "{failure:?}");
        assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
    }
}
