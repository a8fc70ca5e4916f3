//! Describing a new file by its basis.
//!
//! What is decided at a place of the new file depends on its bytes from there on and on the decisions before, and
//! never on how the file came in pieces:
//!
//! 1. The block that follows the one copied last is copied again if it fits; else any block of the
//!    basis that fits, the first of equal ones.
//! 2. If none fits, but one block further the next but one does, a block was overwritten in place:
//!    it becomes literal bytes. No copy that could start within it would save more.
//! 3. Otherwise the place moves on by one byte, until a block fits.
//! 4. At the end of the file, where no whole block is left, the last block of the basis may fit, which
//!    may be short.
//!
//! 1 and 2 take the sums of 16 blocks at a time, 3 rolls a weak checksum along the file.

mod matcher;
mod output;

use std::borrow::Borrow;

use crate::DeltaIndex;
use crate::window::Window;
pub(crate) use matcher::{Known, Matcher};
pub use output::MAX_LITERAL;

/// Makes the delta of a new file, handed in piece by piece, against a [`DeltaIndex`].
///
/// The delta depends on the bytes of the file alone, not on how it was cut into pieces. It is complete
/// after [`Self::finish`]. Literal bytes come in commands of up to [`MAX_LITERAL`] bytes, copies
/// of adjacent ranges are one command.
///
/// Holds back some 16 blocks of the basis' block length, one literal, and nothing that grows with the file.
/// Pieces of [`BlockLen::piece_len`](crate::BlockLen::piece_len) bytes are best: they are not copied while they match.
#[derive(Debug)]
pub struct DeltaEncoder<I> {
    index: I,
    matcher: Matcher,
    window: Window,
}

impl<I: Borrow<DeltaIndex>> DeltaEncoder<I> {
    /// Starts with the first byte of a file. `index` may be a `&DeltaIndex` or an `Arc<DeltaIndex>`.
    pub fn new(index: I) -> Self {
        let matcher = Matcher::new(index.borrow().signature());
        Self {
            index,
            matcher,
            window: Window::default(),
        }
    }

    /// Takes the next bytes of the file, and appends to `delta` what is known of the delta by then.
    pub fn push(&mut self, chunk: &[u8], delta: &mut Vec<u8>) {
        let known = Known {
            index: self.index.borrow(),
            sums: None,
        };
        self.window
            .push(chunk, |bytes| self.matcher.run(known, bytes, false, delta));
    }

    /// Appends the rest of the delta.
    pub fn finish(self, delta: &mut Vec<u8>) {
        let known = Known {
            index: self.index.borrow(),
            sums: None,
        };
        self.matcher.finish(known, self.window.rest(), delta);
    }
}
