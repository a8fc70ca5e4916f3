//! The inner loops, over as many blocks or bytes at a time as the processor can take.
//!
//! Every kernel has a plain twin in [`scalar`] that it is tested against.

mod filter;
mod scalar;

pub(crate) use filter::Filter;

use crate::rollsum::Rolling;
use crate::strong::Strong;
use crate::{BlockLen, SignatureKind};

/// Both checksums of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockSum {
    pub(crate) weak: u32,
    /// At full length, whatever a signature keeps of it.
    pub(crate) strong: Strong,
}

impl BlockSum {
    pub(crate) fn of(kind: SignatureKind, block: &[u8]) -> Self {
        Self {
            weak: kind.weak().of(block),
            strong: kind.strong().of(block),
        }
    }
}

/// Sums blocks of one length, side by side.
#[derive(Debug)]
pub(crate) struct BlockSummer {
    kind: SignatureKind,
    block_len: usize,
    sums: Vec<BlockSum>,
}

/// The most blocks that are summed side by side.
pub(crate) const LANES: usize = 16;

/// The most bytes that are gathered in order to be summed side by side.
const MAX_GROUP: usize = 32 << 20;

impl BlockSummer {
    pub(crate) fn new(kind: SignatureKind, block_len: BlockLen) -> Self {
        Self {
            kind,
            block_len: block_len.as_usize(),
            sums: Vec::with_capacity(LANES),
        }
    }

    /// How many bytes are worth gathering before blocks are summed.
    pub(crate) fn group_len(&self) -> usize {
        self.block_len * (MAX_GROUP / self.block_len).clamp(1, LANES)
    }

    /// The sums of whole blocks that follow each other.
    pub(crate) fn sums_of_run(&mut self, blocks: &[u8]) -> &[BlockSum] {
        self.sums.clear();
        scalar::block_sums(
            self.kind,
            blocks.chunks_exact(self.block_len),
            &mut self.sums,
        );
        &self.sums
    }

    /// The sums of the blocks that start at the given places.
    pub(crate) fn sums_at(&mut self, bytes: &[u8], starts: &[usize]) -> &[BlockSum] {
        self.sums.clear();
        let blocks = starts.iter().map(|&at| &bytes[at..at + self.block_len]);
        scalar::block_sums(self.kind, blocks, &mut self.sums);
        &self.sums
    }
}

/// A place where a block may start that the signature has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Where, counted from the window's first place.
    pub(crate) at: usize,
    /// The weak checksum there.
    pub(crate) weak: u32,
}

/// Moves a window of `len` bytes along `bytes`, `count` times by one byte, and adds the places that pass the filter.
///
/// `rolling` is the checksum at the first byte, which is not looked up, and becomes that of the last place.
/// `bytes` must have `len + count` bytes at least.
pub(crate) fn find_hits(
    filter: &Filter,
    rolling: &mut Rolling,
    bytes: &[u8],
    len: usize,
    count: usize,
    hits: &mut Vec<Hit>,
) {
    scalar::find_hits(
        filter,
        rolling,
        &bytes[..count],
        &bytes[len..len + count],
        hits,
    );
}
