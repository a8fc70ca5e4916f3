//! Delta and signature of a file in one pass.

use std::borrow::Borrow;

use crate::delta::{Known, Matcher};
use crate::signature::{STRONG_LEN, Sums};
use crate::window::Window;
use crate::{BlockLen, DeltaEncoder, DeltaIndex, Signature, SignatureBuilder, SignatureKind};

/// Makes the delta of a new file and its own signature: what a backup stores of a changed file.
///
/// Gives what a [`DeltaEncoder`] and a [`SignatureBuilder`] give that are handed the same pieces, with the
/// same guarantees. Where the block lengths of basis and new file agree, the blocks that have not moved
/// are hashed once for both.
#[derive(Debug)]
pub struct Differ<I>(Inner<I>);

#[derive(Debug)]
enum Inner<I> {
    /// The sums of the new signature serve for the comparison.
    Shared {
        index: I,
        matcher: Matcher,
        sums: Sums,
        window: Window,
        place: u64,
    },
    Separate {
        encoder: DeltaEncoder<I>,
        builder: SignatureBuilder,
    },
}

impl<I: Borrow<DeltaIndex>> Differ<I> {
    /// Starts with the first byte of a file, whose signature is to have blocks of `block_len`.
    pub fn new(index: I, block_len: BlockLen) -> Self {
        let basis = index.borrow().signature();
        let can_share = basis.kind() == SignatureKind::Md4
            && basis.block_len() == block_len
            && basis.strong_len() <= STRONG_LEN;
        Self(if can_share {
            let (matcher, sums) = (Matcher::new(basis), Sums::new(block_len));
            Inner::Shared {
                index,
                matcher,
                sums,
                window: Window::default(),
                place: 0,
            }
        } else {
            let builder = SignatureBuilder::new(block_len);
            Inner::Separate {
                encoder: DeltaEncoder::new(index),
                builder,
            }
        })
    }

    /// Takes the next bytes of the file, and appends to `delta` what is known of the delta by then.
    pub fn push(&mut self, chunk: &[u8], delta: &mut Vec<u8>) {
        match &mut self.0 {
            Inner::Shared {
                index,
                matcher,
                sums,
                window,
                place,
            } => window.push(chunk, |bytes| {
                // Sums run ahead of matching, which sees no more of the file than they do.
                let summed = usize::try_from(sums.bytes() - *place).unwrap_or(usize::MAX);
                let summed = summed + sums.add_groups(&bytes[summed..]);
                let known = Known {
                    index: (*index).borrow(),
                    sums: Some(sums.signature()),
                };
                let used = matcher.run(known, &bytes[..summed], false, delta);
                *place += used as u64;
                used
            }),
            Inner::Separate { encoder, builder } => {
                encoder.push(chunk, delta);
                builder.update(chunk);
            }
        }
    }

    /// Appends the rest of the delta and returns the signature of the new file.
    pub fn finish(self, delta: &mut Vec<u8>) -> Signature {
        match self.0 {
            Inner::Shared {
                index,
                matcher,
                sums,
                window,
                place,
            } => {
                let rest = window.rest();
                let summed = usize::try_from(sums.bytes() - place).unwrap_or(usize::MAX);
                let signature = sums.finish(&rest[summed..]);
                matcher.finish(
                    Known {
                        index: index.borrow(),
                        sums: Some(&signature),
                    },
                    rest,
                    delta,
                );
                signature
            }
            Inner::Separate { encoder, builder } => {
                encoder.finish(delta);
                builder.finish()
            }
        }
    }
}
