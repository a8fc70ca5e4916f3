//! The encoding of a volume: compress, encrypt, hash on the way out; decrypt and decompress on the way in.
//!
//! Sigtars, manifests and statistics are encoded the same way. [`VolumeWriter`] and [`VolumeReader`] know nothing of
//! tar, names or volume sizes: the caller cuts, by looking at [`VolumeWriter::encoded_len`]. Nothing is buffered
//! beyond a few hundred KiB, and what is being compressed ([`redup_openpgp::deflate`]).
#![forbid(unsafe_code)]

mod digest;
mod error;
mod gzip;
mod reader;
mod writer;

pub use digest::{Digest, HashingReader, HashingWriter};
pub use error::{Error, Result};
pub use reader::VolumeReader;
pub use writer::{Encoding, VolumeWriter};
