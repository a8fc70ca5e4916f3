//! What can be wrong with an archive.

use std::io;

use redup_format::index::{IndexError, PathIndex, escaped};
use thiserror::Error;

/// The error of whoever supplies the volumes.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an archive cannot be read or written.
///
/// Offsets count the bytes of the tar stream, after decryption and decompression.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The stream below failed.
    #[error("reading the archive failed at byte {offset}")]
    Read {
        /// Bytes read until then.
        offset: u64,
        /// What the stream said.
        source: io::Error,
    },
    /// The stream ended where a member was not complete.
    #[error("the archive is cut short inside a member, at byte {offset}")]
    Truncated {
        /// Where the stream ended.
        offset: u64,
    },
    /// A block that should be a tar header is none.
    #[error("no valid tar header at byte {offset}: {fault}")]
    BadHeader {
        /// Where the block begins.
        offset: u64,
        /// What is wrong with it.
        fault: HeaderFault,
    },
    /// An extended header (pax, or GNU long name) exceeds [`Limits::extension_len`](crate::tar::Limits).
    #[error("extended header of {len} bytes at byte {offset}, the limit is {limit}")]
    ExtensionTooLong {
        /// Where its header begins.
        offset: u64,
        /// The length it claims.
        len: u64,
        /// The limit in force.
        limit: u64,
    },
    /// A member name or link target exceeds [`Limits::name_len`](crate::tar::Limits).
    #[error("name of {len} bytes in the member at byte {offset}, the limit is {limit}")]
    NameTooLong {
        /// Where the member's header begins.
        offset: u64,
        /// The name's length.
        len: usize,
        /// The limit in force.
        limit: usize,
    },
    /// A member name does not begin with one of the archive's prefixes, or has no piece number where it needs one.
    #[error("\"{}\" is not the name of a backup's member", escaped(.name))]
    ForeignMember {
        /// The whole name.
        name: Vec<u8>,
    },
    /// A member name holds a path that no backup has: `..`, empty components, NUL.
    #[error("member \"{}\" has an inadmissible path", escaped(.name))]
    BadPath {
        /// The whole name.
        name: Vec<u8>,
        /// What is wrong with the path.
        source: IndexError,
    },
    /// A tar type that backups do not hold, or that does not go with the member's name.
    #[error("member \"{}\" has the tar type {:?}, which does not belong there", escaped(.name), char::from(*.type_flag))]
    UnexpectedType {
        /// The member's name.
        name: Vec<u8>,
        /// The type byte of its header.
        type_flag: u8,
    },
    /// An entry does not come after the one before it.
    #[error("entry \"{index}\" is out of order, it follows \"{previous}\"")]
    OutOfOrder {
        /// The late entry.
        index: PathIndex,
        /// The greatest index before it.
        previous: PathIndex,
    },
    /// A file cut into pieces lacks one: a volume is missing, or the archive was put together wrongly.
    #[error("contents of \"{index}\" are incomplete: piece {found} where {expected} was due")]
    MissingPiece {
        /// The file.
        index: PathIndex,
        /// The number that was due.
        expected: u32,
        /// The number that came.
        found: u32,
    },
    /// Reading the contents of a file was tried again after it had failed.
    #[error("contents of \"{index}\" could not be read to their end")]
    PayloadLost {
        /// The file.
        index: PathIndex,
    },
    /// A signature is longer than the caller can take.
    #[error("signature of \"{index}\" has {len} bytes, the limit is {limit}")]
    SignatureTooLong {
        /// The file it belongs to.
        index: PathIndex,
        /// The signature's length.
        len: u64,
        /// The caller's limit.
        limit: u64,
    },
    /// The next volume could not be had.
    #[error("the next volume could not be opened")]
    NextVolume {
        /// What its supplier said.
        source: BoxError,
    },
    /// Something is wrong inside a volume or a sigtar.
    #[error("\"{name}\" cannot be read to its end")]
    InArchive {
        /// The name its supplier gave it.
        name: String,
        /// What is wrong.
        source: Box<Self>,
    },
    /// A path cannot be rebuilt: there is a difference, but not what it refers to.
    #[error(
        "\"{index}\" cannot be rebuilt: the version its oldest difference refers to is missing"
    )]
    MissingBase {
        /// The path.
        index: PathIndex,
    },
    /// The source tree was not walked in path order, so that nothing can be said about deletions.
    #[error("source entry \"{index}\" is out of order, it follows \"{previous}\"")]
    SourceOutOfOrder {
        /// The late entry.
        index: PathIndex,
        /// The entry before it.
        previous: PathIndex,
    },
    /// A device number that a tar header cannot hold (2097152 and more; Linux has none such).
    #[error("device number {number} of member \"{}\" is too large for a tar archive", escaped(.name))]
    DeviceNumber {
        /// The member's name.
        name: Vec<u8>,
        /// The major or minor number.
        number: u32,
    },
    /// A file has more pieces than 32 bits can count (256 TiB).
    #[error("\"{index}\" is too long to be stored")]
    TooManyPieces {
        /// The file.
        index: PathIndex,
    },
    /// The archive could not be written.
    #[error("writing the archive failed")]
    Write(#[source] io::Error),
}

/// What is wrong with a tar header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// Its checksum does not fit its bytes.
    #[error("the checksum does not match")]
    Checksum,
    /// A numeric field holds no number, or one out of range.
    #[error("the {0} field holds no usable number")]
    Number(&'static str),
    /// A pax extended header is not a sequence of records.
    #[error("malformed pax record")]
    PaxRecord,
}

impl Error {
    /// Whether the archive simply stops too early, as one does that is still being written.
    pub fn is_truncated(&self) -> bool {
        match self {
            Self::Truncated { .. } => true,
            Self::InArchive { source, .. } => source.is_truncated(),
            _ => false,
        }
    }
}

/// For the `Read` implementations: the error becomes the cause of an `io::Error`.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            _ if error.is_truncated() => io::ErrorKind::UnexpectedEof,
            Error::Read { source, .. } | Error::Write(source) => source.kind(),
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
