//! The name that redup is called by.

use std::ffi::OsStr;
use std::path::Path;

/// The version whose behaviour the command line has. Wrappers decide by it what to pass.
const DUPLICITY_VERSION: &str = "3.2.1";

/// As whom redup was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Through a link called `duplicity`.
    Duplicity,
    /// By its own name, or any other.
    Redup,
}

impl Program {
    /// Decides by the zeroth argument.
    pub(crate) fn called(argument: Option<&OsStr>) -> Self {
        let name = argument.and_then(|argument| Path::new(argument).file_name());
        match name {
            Some(name) if name == "duplicity" => Self::Duplicity,
            _ => Self::Redup,
        }
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Duplicity => "duplicity",
            Self::Redup => "redup",
        }
    }

    /// The line of `--version`. As duplicity it is two words, which is what wrappers take apart.
    pub(crate) fn version(self) -> String {
        match self {
            Self::Duplicity => format!("duplicity {DUPLICITY_VERSION}\n"),
            Self::Redup => {
                let own = env!("CARGO_PKG_VERSION");
                format!("redup {own} (compatible with duplicity {DUPLICITY_VERSION})\n")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_path_decides() {
        let called = |argument: &str| Program::called(Some(OsStr::new(argument)));
        assert_eq!(called("/usr/local/bin/duplicity"), Program::Duplicity);
        assert_eq!(called("duplicity"), Program::Duplicity);
        assert_eq!(called("/opt/duplicity/redup"), Program::Redup);
        assert_eq!(Program::called(None), Program::Redup);
    }

    #[test]
    fn as_duplicity_the_version_is_two_words_on_one_line() {
        assert_eq!(Program::Duplicity.version(), "duplicity 3.2.1\n");
        assert_eq!(
            Program::Redup.version(),
            "redup 0.1.0 (compatible with duplicity 3.2.1)\n"
        );
    }
}
