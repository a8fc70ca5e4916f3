//! What can go wrong with one path of the source.

use std::fmt;
use std::io;
use std::path::PathBuf;

use redup_format::index::{PathIndex, escaped};
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
