//! Difftar and sigtar archives: members, pieces, collate, diffdir, patchdir.
//!
//! Two kinds of tar archive make up a backup set: the *difftar*, cut into volumes, holds what changed; the *sigtar*
//! holds a signature of every file in its new state. Both are sorted by path index, so everything here works by
//! merging streams and keeps no more than the current entry of each in memory.
//!
//! * [`tar`]: the tar flavours those archives are written in, to the byte;
//! * [`member`]: the names of their members;
//! * [`sigtar`], [`difftar`]: reading and writing the two archives;
//! * [`collate`]: the signatures of a whole chain as one stream, the newest of each path;
//! * [`diffdir`]: a source tree beside those signatures, giving what a backup has to store;
//! * [`patchdir`]: the sets of a chain beside each other, giving how to rebuild each path.
//!
//! No files, clock, threads: bytes come from [`std::io::Read`] and go to [`std::io::Write`] or a closure. All input is
//! taken for hostile: it is parsed under [`tar::Limits`], and nothing in it can make this crate panic or allocate
//! more than those limits.

#![forbid(unsafe_code)]

pub mod collate;
pub mod diffdir;
pub mod difftar;
mod error;
pub mod member;
pub mod patchdir;
pub mod sigtar;
pub mod tar;
mod warning;

pub use error::{BoxError, Error, HeaderFault};
pub use warning::{Warning, Warnings};
