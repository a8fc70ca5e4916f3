//! What can go wrong: with one path of the source, and with the rules.

use std::fmt;
use std::io;
use std::path::PathBuf;

use redup_format::index::{IndexError, PathIndex, escaped};
use thiserror::Error;

/// One path of the source could not be read; the walk goes on behind it.
#[derive(Debug, Error)]
#[error("cannot {access} \"{}\"", escaped(path.as_os_str().as_encoded_bytes()))]
#[non_exhaustive]
pub struct WalkError {
    /// Where it is in the backup.
    pub index: PathIndex,
    /// Where it is on this host, for messages.
    pub path: PathBuf,
    /// What was tried.
    pub access: Access,
    /// Why it failed.
    pub source: io::Error,
}

/// What a walk does with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Ask for its attributes: the path itself is not in the walk.
    Examine,
    /// List a folder: the folder is in the walk, what lies in it is not, or not all of it.
    List,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Examine => "examine",
            Self::List => "list folder",
        })
    }
}

/// Selection options that make no rules.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// No path of the source can match, be it for a typing error or a pattern that does not start with the source.
    #[error(
        "pattern \"{}\" cannot match anything in \"{}\"",
        escaped(pattern),
        escaped(source_path)
    )]
    OutsideSource {
        /// What was typed.
        pattern: Vec<u8>,
        /// The source as the rules name it; `.` for an archive.
        source_path: Vec<u8>,
    },
    /// A pattern with two slashes in a row, which no path has.
    #[error("pattern \"{}\" has consecutive slashes", escaped(pattern))]
    ConsecutiveSlashes {
        /// What was typed.
        pattern: Vec<u8>,
    },
    /// A set such as `[z-a]`.
    #[error(
        "pattern \"{}\" has a range that ends before it begins",
        escaped(pattern)
    )]
    BadRange {
        /// What was typed.
        pattern: Vec<u8>,
    },
    /// A regular expression that is none.
    #[error("\"{}\" is not a regular expression", escaped(pattern))]
    BadRegexp {
        /// What was typed.
        pattern: Vec<u8>,
        /// What is wrong with it.
        source: Box<fancy_regex::Error>,
    },
    /// A pattern of no characters.
    #[error("a pattern is empty")]
    EmptyPattern,
    /// The last condition includes what would be included without it.
    #[error(
        "the last selection option, \"{last}\", only includes: without an exclusion behind it, it has no effect"
    )]
    OnlyIncludes {
        /// The pattern, fit for a terminal.
        last: String,
    },
    /// A filter option with no selection option behind it.
    #[error("the last selection option is a filter: nothing follows it could have an effect on")]
    FilterLast,
    /// Filter options that only say what holds without them.
    #[error("the filter options have no effect: patterns are shell patterns that heed case anyway")]
    FilterWithoutEffect,
    /// A path in a list of files that is not relative to the source.
    #[error(
        "\"{}\" in the list of files is not relative to the source",
        escaped(path)
    )]
    AbsolutePath {
        /// The line.
        path: Vec<u8>,
    },
    /// A path in a list of files that cannot be below the source.
    #[error("\"{}\" in the list of files cannot be in the source", escaped(path))]
    ListedPath {
        /// The line.
        path: Vec<u8>,
        /// Why not.
        source: IndexError,
    },
    /// A list of files without any.
    #[error("the list of files is empty")]
    NothingListed,
}
