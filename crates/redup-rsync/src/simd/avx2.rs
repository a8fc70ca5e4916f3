//! The kernels for processors with AVX2.

use std::arch::x86_64::*;

use super::blocks::{Ends, block_sum, lanes_of};
use super::{BlockSum, Filter, Hit};
use crate::rollsum::{CHAR_OFFSET, Rolling};
use crate::strong::{MD4_CHUNK, MD4_INIT, md4_rounds};

/// The blocks summed side by side.
const LANES: usize = 8;

/// The proof that the processor has what this module needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// Appends MD4 and rollsum of the blocks of `len` bytes that start at `starts`.
    pub(super) fn block_sums(
        self,
        bytes: &[u8],
        starts: &[usize],
        len: usize,
        sums: &mut Vec<BlockSum>,
    ) {
        for starts in starts.chunks(LANES) {
            let blocks = lanes_of(bytes, starts, len);
            // SAFETY: `self` exists only where the features have been detected.
            let group = unsafe { block_sums(&blocks, len) };
            sums.extend_from_slice(&group[..starts.len()]);
        }
    }

    /// See [`super::Kernel::find_hits`]; for rollsums.
    pub(super) fn find_hits(
        self,
        filter: &Filter,
        rolling: &mut Rolling,
        leaving: &[u8],
        entering: &[u8],
        hits: &mut Vec<Hit>,
    ) {
        // SAFETY: `self` exists only where the features have been detected.
        unsafe { find_hits(filter, rolling, leaving, entering, hits) }
    }
}

/// A word of each of 8 blocks.
type Words = __m256i;

#[target_feature(enable = "avx2")]
fn block_sums(blocks: &[&[u8]; LANES], len: usize) -> [BlockSum; LANES] {
    let chunks = blocks.map(|block| block.as_chunks::<MD4_CHUNK>().0);
    let whole_chunks = len / MD4_CHUNK;
    let ends = Ends::new(blocks, len);

    let mut state = MD4_INIT.map(|word| ops::splat(word));
    let (mut s1, mut s2) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    for nth in 0..whole_chunks + ends.chunks() {
        let rows = match nth.checked_sub(whole_chunks) {
            None => chunks.map(|chunks| &chunks[nth]),
            Some(nth) => ends.rows(nth),
        };
        let x = transposed(rows);
        let [a, b, c, d] = md4_rounds!(ops, state, x);
        state = [
            ops::add(state[0], a),
            ops::add(state[1], b),
            ops::add(state[2], c),
            ops::add(state[3], d),
        ];
        if nth < whole_chunks {
            (s1, s2) = rollsum_chunk(s1, s2, x);
        }
    }

    let state = state.map(|words| lanes(words));
    let (s1, s2) = (lanes(s1), lanes(s2));
    std::array::from_fn(|lane| {
        block_sum(
            state.map(|words| words[lane]),
            s1[lane],
            s2[lane],
            blocks[lane],
        )
    })
}

/// Goes on by 64 bytes of each block: `s2` takes what `s1` had for each of them, and each byte as often as it will be in `s1`.
#[inline]
#[target_feature(enable = "avx2")]
fn rollsum_chunk(s1: Words, s2: Words, x: [Words; 16]) -> (Words, Words) {
    let ones = _mm256_set1_epi16(1);
    // At most 16 times 2 bytes, and 2 bytes 64 times, which 16 bits can hold.
    let mut sum1 = _mm256_setzero_si256();
    let mut sum2 = _mm256_add_epi32(s2, _mm256_slli_epi32::<6>(s1));
    macro_rules! add_words {
        ($($nth:literal)*) => {$(
            let weights = const { i32::from_le_bytes([64 - 4 * $nth, 63 - 4 * $nth, 62 - 4 * $nth, 61 - 4 * $nth]) };
            sum1 = _mm256_add_epi16(sum1, _mm256_maddubs_epi16(x[$nth], _mm256_set1_epi8(1)));
            let pairs = _mm256_maddubs_epi16(x[$nth], _mm256_set1_epi32(weights));
            sum2 = _mm256_add_epi32(sum2, _mm256_madd_epi16(pairs, ones));
        )*};
    }
    add_words!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    (_mm256_add_epi32(s1, _mm256_madd_epi16(sum1, ones)), sum2)
}

/// Turns 8 chunks into their first words, their second words, and so on.
#[inline]
#[target_feature(enable = "avx2")]
fn transposed(rows: [&[u8; MD4_CHUNK]; LANES]) -> [Words; 16] {
    let mut words = [_mm256_setzero_si256(); 16];
    for quarter in 0..4 {
        // Four words of each of two rows.
        let pair = |first: usize| {
            let part = |row: usize| load16(&rows[row].as_chunks().0[quarter]);
            _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(part(first)), part(first + 4))
        };
        let [r0, r1, r2, r3] = [pair(0), pair(1), pair(2), pair(3)];
        let (low01, high01) = (_mm256_unpacklo_epi32(r0, r1), _mm256_unpackhi_epi32(r0, r1));
        let (low23, high23) = (_mm256_unpacklo_epi32(r2, r3), _mm256_unpackhi_epi32(r2, r3));
        words[4 * quarter] = _mm256_unpacklo_epi64(low01, low23);
        words[4 * quarter + 1] = _mm256_unpackhi_epi64(low01, low23);
        words[4 * quarter + 2] = _mm256_unpacklo_epi64(high01, high23);
        words[4 * quarter + 3] = _mm256_unpackhi_epi64(high01, high23);
    }
    words
}

/// 8 words at a time.
mod ops {
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn splat(word: u32) -> __m256i {
        _mm256_set1_epi32(word.cast_signed())
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn add(a: __m256i, b: __m256i) -> __m256i {
        _mm256_add_epi32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn rol<const LEFT: i32, const RIGHT: i32>(words: __m256i) -> __m256i {
        _mm256_or_si256(
            _mm256_slli_epi32::<LEFT>(words),
            _mm256_srli_epi32::<RIGHT>(words),
        )
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn f(b: __m256i, c: __m256i, d: __m256i) -> __m256i {
        _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn g(b: __m256i, c: __m256i, d: __m256i) -> __m256i {
        _mm256_or_si256(
            _mm256_and_si256(b, c),
            _mm256_and_si256(d, _mm256_or_si256(b, c)),
        )
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn h(b: __m256i, c: __m256i, d: __m256i) -> __m256i {
        _mm256_xor_si256(b, _mm256_xor_si256(c, d))
    }
}

/// The places looked at in one step of the search.
const STEP: usize = 16;

#[target_feature(enable = "avx2")]
fn find_hits(
    filter: &Filter,
    rolling: &mut Rolling,
    leaving: &[u8],
    entering: &[u8],
    hits: &mut Vec<Hit>,
) {
    let (out_steps, out_rest) = leaving.as_chunks::<STEP>();
    let (in_steps, in_rest) = entering.as_chunks::<STEP>();

    let mut sums = Sums::new(rolling);
    for (nth, (out, into)) in out_steps.iter().zip(in_steps).enumerate() {
        for (half, weak) in sums.step(out, into).into_iter().enumerate() {
            let mut found = filter_mask(filter, weak);
            if found != 0 {
                let weak = lanes(weak);
                while found != 0 {
                    let lane = found.trailing_zeros() as usize;
                    hits.push(Hit {
                        at: nth * STEP + half * LANES + lane + 1,
                        weak: weak[lane],
                    });
                    found &= found - 1;
                }
            }
        }
    }
    rolling.set_sum(sums.current());
    super::scalar::find_hits(
        filter,
        rolling,
        out_rest,
        in_rest,
        out_steps.len() * STEP,
        hits,
    );
}

/// A bit for each checksum that passes.
#[inline]
#[target_feature(enable = "avx2")]
fn filter_mask(filter: &Filter, weak: Words) -> u32 {
    let key = _mm256_mullo_epi32(weak, _mm256_set1_epi32(Filter::MULTIPLIER.cast_signed()));
    let bit = _mm256_srl_epi32(key, _mm_cvtsi32_si128(32 - filter.leading_bits() as i32));
    let at = _mm256_srli_epi32::<5>(bit);
    // SAFETY: the key was shifted such that it is below the number of words.
    let words = unsafe { _mm256_i32gather_epi32::<4>(filter.words().as_ptr().cast(), at) };
    // The bit looked for becomes the sign; only the lowest five bits of a count would be wanted.
    let from_top = _mm256_andnot_si256(bit, _mm256_set1_epi32(31));
    _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_sllv_epi32(words, from_top))) as u32
}

/// Rollsums of 16 windows that start byte by byte, all in words of 16 bits as their halves are.
///
/// A window that moves by one byte changes `s1` by the byte that enters less the one that leaves, and `s2` by the
/// new `s1` less as many times the byte that leaves as the window is long. Both are sums of
/// such changes, and sums over the sums.
pub(super) struct Sums {
    s1: __m256i,
    s2: __m256i,
    window_len: __m256i,
    /// What every step of one byte takes from `s2` because of the character offset.
    offset: __m256i,
}

impl Sums {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(rolling: &Rolling) -> Self {
        let broadcast = |number: u32| _mm256_set1_epi16(number as i16);
        Self {
            s1: broadcast(rolling.sum()),
            s2: broadcast(rolling.sum() >> 16),
            window_len: broadcast(rolling.window_len()),
            offset: broadcast(rolling.window_len().wrapping_mul(CHAR_OFFSET)),
        }
    }

    /// Moves on by 16 bytes and returns the checksums after each of them.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn step(&mut self, out: &[u8; STEP], into: &[u8; STEP]) -> [Words; 2] {
        let (s1, s2) = self.step_halves(out, into);
        // Interleaving works on each half of a vector by itself.
        let (first, second) = (_mm256_unpacklo_epi16(s1, s2), _mm256_unpackhi_epi16(s1, s2));
        [
            _mm256_permute2x128_si256::<0x20>(first, second),
            _mm256_permute2x128_si256::<0x31>(first, second),
        ]
    }

    /// The same, but the lower and the upper halves of the checksums by themselves.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn step_halves(
        &mut self,
        out: &[u8; STEP],
        into: &[u8; STEP],
    ) -> (__m256i, __m256i) {
        let count = _mm256_setr_epi16(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
        let out = _mm256_cvtepu8_epi16(load16(out));
        let into = _mm256_cvtepu8_epi16(load16(into));
        let change1 = prefix_sums(_mm256_sub_epi16(into, out));
        let change2 = prefix_sums(_mm256_sub_epi16(
            change1,
            _mm256_mullo_epi16(out, self.window_len),
        ));
        let drift = _mm256_sub_epi16(self.s1, self.offset);
        let s1 = _mm256_add_epi16(self.s1, change1);
        let s2 = _mm256_add_epi16(
            _mm256_add_epi16(self.s2, change2),
            _mm256_mullo_epi16(count, drift),
        );
        self.s1 = _mm256_add_epi16(self.s1, last(change1));
        self.s2 = _mm256_add_epi16(
            _mm256_add_epi16(self.s2, last(change2)),
            _mm256_slli_epi16::<4>(drift),
        );
        (s1, s2)
    }

    /// The checksum after the last step.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn current(&self) -> u32 {
        let first = |words| _mm256_extract_epi16::<0>(words) as u32 & 0xffff;
        first(self.s2) << 16 | first(self.s1)
    }
}

/// The sums of the first word, the first two words, and so on.
#[inline]
#[target_feature(enable = "avx2")]
fn prefix_sums(x: __m256i) -> __m256i {
    let x = _mm256_add_epi16(x, _mm256_slli_si256::<2>(x));
    let x = _mm256_add_epi16(x, _mm256_slli_si256::<4>(x));
    let x = _mm256_add_epi16(x, _mm256_slli_si256::<8>(x));
    let lower_to_upper = _mm256_permute2x128_si256::<0x08>(x, x);
    _mm256_add_epi16(x, broadcast_last(lower_to_upper))
}

/// The last word in all places.
#[inline]
#[target_feature(enable = "avx2")]
fn last(x: __m256i) -> __m256i {
    broadcast_last(_mm256_permute2x128_si256::<0x11>(x, x))
}

/// The last word of each half in all places of that half.
#[inline]
#[target_feature(enable = "avx2")]
fn broadcast_last(x: __m256i) -> __m256i {
    _mm256_shuffle_epi8(x, _mm256_set1_epi16(0x0f0e))
}

#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn load16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the 16 bytes can be read, and the instruction takes any alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn lanes(words: Words) -> [u32; LANES] {
    let mut lanes = [0; LANES];
    // SAFETY: the 32 bytes can be written, and the instruction takes any alignment.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), words) };
    lanes
}
