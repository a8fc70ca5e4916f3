//! The difftar: what changed, as members of volumes.
//!
//! Writing gives whole members ([`PieceEncoder`], [`Member`]) which the caller puts into volumes: a member never
//! crosses a volume's end. Reading takes one backup set, its volumes in order, and joins the pieces of a file again
//! ([`DifftarReader`]).

mod encode;
mod part;
mod read;

use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;

pub use encode::{Member, Payload, PieceEncoder};
pub(crate) use part::{attributes, attributes_of_file};
pub use read::{DifftarReader, OrderPolicy, Volume, VolumeSource};

/// What a set has to say of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path.
    pub index: PathIndex,
    /// What became of it.
    pub content: Content,
}

/// What became of a path, with its attributes in the new state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Stored in full; a regular file's bytes are the payload.
    Snapshot(Attributes),
    /// A regular file, stored as a delta against its version in the sets before, which is the payload.
    Diff(Attributes),
    /// It no longer exists.
    Deleted,
}

impl Content {
    /// The attributes, unless the path is gone.
    pub fn attributes(&self) -> Option<&Attributes> {
        match self {
            Self::Snapshot(attributes) | Self::Diff(attributes) => Some(attributes),
            Self::Deleted => None,
        }
    }

    /// Whether there is a payload to read, which may be empty.
    pub fn has_payload(&self) -> bool {
        self.attributes()
            .is_some_and(|attributes| attributes.file_type.is_regular())
    }
}

/// The zeros that end a volume whose members take `len` bytes: to the next multiple of 10240, and never none.
pub fn volume_padding(len: u64) -> &'static [u8] {
    crate::tar::end_padding(len)
}

/// What stands in the header of a member that says a path is gone.
pub(crate) fn no_attributes() -> Attributes {
    Attributes {
        file_type: FileType::Regular,
        mode: 0,
        uid: 0,
        gid: 0,
        uname: Vec::new(),
        gname: Vec::new(),
        mtime: 0,
    }
}
