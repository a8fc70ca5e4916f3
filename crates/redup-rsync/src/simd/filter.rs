//! A first sieve for weak checksums.

/// Says for any weak checksum that no block has it, or that maybe one has.
#[derive(Debug)]
pub(crate) struct Filter {
    /// A bit for every value of the leading bits of a key.
    words: Vec<u32>,
    leading_bits: u32,
}

/// Bits for each block: with fewer, more checksums pass that no block has; with more, the bits do not stay in cache.
const BITS_PER_BLOCK_LOG2: u32 = 6;

/// 32 MiB: what the bits take at most.
const MAX_BITS_LOG2: u32 = 28;

impl Filter {
    /// For so many blocks.
    pub(crate) fn new(blocks: usize) -> Self {
        let blocks_log2 = blocks.next_power_of_two().ilog2();
        let leading_bits = (blocks_log2 + BITS_PER_BLOCK_LOG2).min(MAX_BITS_LOG2);
        Self {
            words: vec![0; 1 << (leading_bits - 5)],
            leading_bits,
        }
    }

    /// Spreads a weak checksum, most in the leading bits. Different checksums have different keys.
    #[inline(always)]
    pub(crate) fn key(weak: u32) -> u32 {
        weak.wrapping_mul(Self::MULTIPLIER)
    }

    pub(super) const MULTIPLIER: u32 = 0x9e37_79b1;

    pub(crate) fn insert(&mut self, key: u32) {
        let bit = key >> (32 - self.leading_bits);
        self.words[(bit >> 5) as usize] |= 1 << (bit & 31);
    }

    #[inline(always)]
    pub(super) fn may_have(&self, key: u32) -> bool {
        let bit = key >> (32 - self.leading_bits);
        self.words[(bit >> 5) as usize] >> (bit & 31) & 1 != 0
    }

    pub(super) fn words(&self) -> &[u32] {
        &self.words
    }

    pub(super) fn leading_bits(&self) -> u32 {
        self.leading_bits
    }
}
