//! What the kernels over several blocks have in common.

use super::BlockSum;
use crate::rollsum::finish_rollsum;
use crate::strong::{MD4_CHUNK, md4_output, md4_padding};

/// The blocks of `len` bytes at `starts`; lanes without one repeat the first.
pub(super) fn lanes_of<'a, const LANES: usize>(
    bytes: &'a [u8],
    starts: &[usize],
    len: usize,
) -> [&'a [u8]; LANES] {
    let first = starts.first().copied().unwrap_or_default();
    std::array::from_fn(|lane| {
        let at = starts.get(lane).copied().unwrap_or(first);
        &bytes[at..at + len]
    })
}

/// What MD4 takes after the whole chunks of each block.
pub(super) struct Ends<const LANES: usize> {
    ends: [[u8; 2 * MD4_CHUNK]; LANES],
    chunks: usize,
    /// Only the first is set, and stands for all: no block has bytes of its own left.
    same: bool,
}

impl<const LANES: usize> Ends<LANES> {
    pub(super) fn new(blocks: &[&[u8]; LANES], len: usize) -> Self {
        let mut ends = Self {
            ends: [[0; _]; LANES],
            chunks: 0,
            same: len.is_multiple_of(MD4_CHUNK),
        };
        let own = if ends.same { 1 } else { LANES };
        for (end, block) in ends.ends.iter_mut().zip(blocks).take(own) {
            let (_, rest) = block.as_chunks::<MD4_CHUNK>();
            let used;
            (*end, used) = md4_padding(rest, len);
            ends.chunks = used / MD4_CHUNK;
        }
        ends
    }

    pub(super) fn chunks(&self) -> usize {
        self.chunks
    }

    pub(super) fn rows(&self, nth: usize) -> [&[u8; MD4_CHUNK]; LANES] {
        let row = |lane: usize| &self.ends[lane].as_chunks().0[nth];
        std::array::from_fn(|lane| if self.same { row(0) } else { row(lane) })
    }
}

/// Completes the sums of a block: `s1` and `s2` are those of its whole chunks.
pub(super) fn block_sum(state: [u32; 4], mut s1: u32, mut s2: u32, block: &[u8]) -> BlockSum {
    let (_, rest) = block.as_chunks::<MD4_CHUNK>();
    for &byte in rest {
        s1 = s1.wrapping_add(u32::from(byte));
        s2 = s2.wrapping_add(s1);
    }
    BlockSum {
        weak: finish_rollsum(s1, s2, block.len()),
        strong: md4_output(state),
    }
}
