//! The rsync engine: signature, delta and patch in librsync's formats.
//!
//! A [`Signature`] holds two checksums for every block of a file, the *basis*. From it alone, without
//! the basis, a [`DeltaEncoder`] describes a newer file as copies of ranges of the basis and
//! literal bytes; [`patch()`] puts the newer file together from the basis and that *delta*.
//!
//! Signatures are byte for byte those of librsync. Deltas follow its format and can be applied
//! by it, but cut the file in their own way.
//!
//! Everything works on slices and streams handed in, in memory that depends on the block length
//! (and, for a delta, on the signature), never on the length of a file.
//!
//! ```
//! use redup_rsync::{DeltaEncoder, DeltaIndex, PatchLimits, SignatureBuilder, block_len, patch};
//!
//! let basis = b"All happy families are alike.".as_slice();
//! let mut builder = SignatureBuilder::new(block_len(basis.len() as u64, None));
//! builder.update(basis);
//! let index = DeltaIndex::new(builder.finish());
//!
//! let mut delta = Vec::new();
//! let mut encoder = DeltaEncoder::new(&index);
//! encoder.push(b"Tolstoy: ", &mut delta);
//! encoder.push(basis, &mut delta);
//! encoder.finish(&mut delta);
//!
//! let mut newer = Vec::new();
//! patch(delta.as_slice(), basis, &mut newer, &PatchLimits::default())?;
//! assert_eq!(newer, b"Tolstoy: All happy families are alike.");
//! # Ok::<(), redup_rsync::Error>(())
//! ```

#![deny(unsafe_code)]

mod block;
mod command;
mod delta;
mod differ;
mod error;
mod index;
mod patch;
mod rollsum;
mod signature;
mod simd;
mod strong;
mod window;

pub use block::{BlockLen, block_len};
pub use command::{Command, CommandReader};
pub use delta::{DeltaEncoder, MAX_LITERAL};
pub use differ::Differ;
pub use error::{Error, Result};
pub use index::DeltaIndex;
pub use patch::{PatchLimits, ReadAt, patch};
pub use signature::{Signature, SignatureBuilder, SignatureKind, SignatureShape};
