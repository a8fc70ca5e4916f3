//! The inner loops, over as many blocks or bytes at a time as the processor can take.
//!
//! What is used is decided when the program runs. Every kernel has a twin in plain Rust that it is tested against.

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "processor features; loads from references, stores to references"
)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "processor features; stores to references")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod blocks;
mod filter;
mod scalar;

pub(crate) use filter::Filter;

use crate::block::GROUP;
use crate::rollsum::{Rolling, WeakKind};
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

/// A place where a block may start that the signature has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Where, counted from the window's first place.
    pub(crate) at: usize,
    /// The weak checksum there.
    pub(crate) weak: u32,
}

/// The instructions to use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kernel {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
}

impl Kernel {
    /// The fastest that this processor has.
    pub(crate) fn detect() -> Self {
        Self::available().next().unwrap_or(Self::Scalar)
    }

    /// All that this processor has, the fastest first.
    fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let special = [
            avx512::Avx512::detect().map(Self::Avx512),
            avx2::Avx2::detect().map(Self::Avx2),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let special = [None];
        special.into_iter().flatten().chain([Self::Scalar])
    }

    /// Appends the sums of the blocks of `len` bytes at `starts`.
    fn block_sums(
        self,
        kind: SignatureKind,
        bytes: &[u8],
        starts: &[usize],
        len: usize,
        sums: &mut Vec<BlockSum>,
    ) {
        // All lanes take the time of one, and a single lane longer than plain code.
        let side_by_side = kind == SignatureKind::Md4 && starts.len() > 1;
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(kernel) if side_by_side => {
                kernel.block_sums(bytes, starts, len, sums);
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(kernel) if side_by_side => {
                kernel.block_sums(bytes, starts, len, sums);
            }
            _ => scalar::block_sums(kind, bytes, starts, len, sums),
        }
    }

    /// Moves a window of `len` bytes along `bytes`, `count` times by one byte, and adds the places that pass the filter.
    ///
    /// `rolling` is the checksum at the first byte, which is not looked up, and becomes that of the last place.
    /// `bytes` must have `len + count` bytes at least.
    pub(crate) fn find_hits(
        self,
        filter: &Filter,
        rolling: &mut Rolling,
        bytes: &[u8],
        len: usize,
        count: usize,
        hits: &mut Vec<Hit>,
    ) {
        let (leaving, entering) = (&bytes[..count], &bytes[len..len + count]);
        let is_rollsum = rolling.kind() == WeakKind::Rollsum;
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(kernel) if is_rollsum => {
                kernel.find_hits(filter, rolling, leaving, entering, hits);
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(kernel) if is_rollsum => {
                kernel.find_hits(filter, rolling, leaving, entering, hits);
            }
            _ => scalar::find_hits(filter, rolling, leaving, entering, 0, hits),
        }
    }
}

/// Sums blocks of one length, side by side.
#[derive(Debug)]
pub(crate) struct BlockSummer {
    kind: SignatureKind,
    block_len: usize,
    group_len: usize,
    kernel: Kernel,
    starts: Vec<usize>,
    sums: Vec<BlockSum>,
}

impl BlockSummer {
    pub(crate) fn new(kind: SignatureKind, block_len: BlockLen) -> Self {
        let (starts, sums) = (Vec::with_capacity(GROUP), Vec::with_capacity(GROUP));
        Self {
            kind,
            block_len: block_len.as_usize(),
            group_len: block_len.group_len(),
            kernel: Kernel::detect(),
            starts,
            sums,
        }
    }

    /// How many bytes are worth gathering before blocks are summed.
    pub(crate) fn group_len(&self) -> usize {
        self.group_len
    }

    /// The sums of the whole blocks that `bytes` consist of.
    pub(crate) fn sums_of_run(&mut self, bytes: &[u8]) -> &[BlockSum] {
        self.starts.clear();
        self.starts
            .extend((0..bytes.len() / self.block_len).map(|nth| nth * self.block_len));
        self.sums.clear();
        self.kernel.block_sums(
            self.kind,
            bytes,
            &self.starts,
            self.block_len,
            &mut self.sums,
        );
        &self.sums
    }

    /// The sums of the blocks that start at the given places.
    pub(crate) fn sums_at(&mut self, bytes: &[u8], starts: &[usize]) -> &[BlockSum] {
        self.sums.clear();
        self.kernel
            .block_sums(self.kind, bytes, starts, self.block_len, &mut self.sums);
        &self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes that are random, or as large or small as sums can bear.
    fn bytes(
        len: impl Into<prop::collection::SizeRange> + Clone,
    ) -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![any::<u8>(), Just(0xff), Just(0)];
        prop_oneof![
            prop::collection::vec(any::<u8>(), len.clone()),
            prop::collection::vec(byte, len)
        ]
    }

    #[test]
    fn all_kernels_sum_long_blocks_of_extreme_bytes_alike() {
        for byte in [0, 0x7f, 0x80, 0xff] {
            let bytes = vec![byte; 3 * 100_003];
            for kernel in Kernel::available() {
                let mut sums = Vec::new();
                kernel.block_sums(
                    SignatureKind::Md4,
                    &bytes,
                    &[0, 1, 200_006],
                    100_003,
                    &mut sums,
                );
                let expected = BlockSum::of(SignatureKind::Md4, &bytes[..100_003]);
                assert_eq!(sums, [expected; 3], "{kernel:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn all_kernels_sum_alike(
            bytes in bytes(1300..1600),
            starts in prop::collection::vec(0usize..300, 0..40),
            len in 1usize..1000,
        ) {
            let expected: Vec<_> =
                starts.iter().map(|&at| BlockSum::of(SignatureKind::Md4, &bytes[at..at + len])).collect();
            for kernel in Kernel::available() {
                let mut sums = Vec::new();
                kernel.block_sums(SignatureKind::Md4, &bytes, &starts, len, &mut sums);
                prop_assert_eq!(&sums, &expected, "{:?}", kernel);
            }
        }

        #[test]
        fn all_kernels_find_the_same_places(
            bytes in bytes(1..3000),
            len in 1usize..2000,
            blocks in prop::collection::vec(any::<prop::sample::Index>(), 0..50),
        ) {
            let len = len.min(bytes.len());
            let count = bytes.len() - len;
            let mut filter = Filter::new(blocks.len());
            for block in blocks {
                let at = block.index(count + 1);
                filter.insert(Filter::key(WeakKind::Rollsum.of(&bytes[at..at + len])));
            }
            for kind in [WeakKind::Rollsum, WeakKind::RabinKarp] {
                let start = Rolling::new(kind, kind.of(&bytes[..len]), len);
                let (mut rolling, mut expected) = (start, Vec::new());
                scalar::find_hits(&filter, &mut rolling, &bytes[..count], &bytes[len..], 0, &mut expected);
                for kernel in Kernel::available() {
                    let (mut same, mut hits) = (start, Vec::new());
                    kernel.find_hits(&filter, &mut same, &bytes, len, count, &mut hits);
                    prop_assert_eq!(&hits, &expected, "{:?}", kernel);
                    prop_assert_eq!(same, rolling, "{:?}", kernel);
                }
            }
        }
    }
}
