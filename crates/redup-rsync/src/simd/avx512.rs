//! The kernels for processors with AVX-512 and its dot products of bytes.

use std::arch::x86_64::*;

use super::avx2::{Sums, load16};
use super::blocks::{Ends, block_sum, lanes_of};
use super::{BlockSum, Filter, Hit};
use crate::rollsum::Rolling;
use crate::strong::{MD4_CHUNK, MD4_INIT, md4_rounds};

/// The blocks summed side by side.
const LANES: usize = 16;

/// The proof that the processor has what this module needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(super) fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        found.then_some(Self(()))
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

/// A word of each of 16 blocks.
type Words = __m512i;

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn block_sums(blocks: &[&[u8]; LANES], len: usize) -> [BlockSum; LANES] {
    let chunks = blocks.map(|block| block.as_chunks::<MD4_CHUNK>().0);
    let whole_chunks = len / MD4_CHUNK;
    let ends = Ends::new(blocks, len);

    let mut state = MD4_INIT.map(|word| ops::splat(word));
    let (mut s1, mut s2) = (_mm512_setzero_si512(), _mm512_setzero_si512());
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
#[target_feature(enable = "avx512f,avx512vnni")]
fn rollsum_chunk(s1: Words, s2: Words, x: [Words; 16]) -> (Words, Words) {
    let mut sum1 = [s1, _mm512_setzero_si512()];
    let mut sum2 = [
        _mm512_add_epi32(s2, _mm512_slli_epi32::<6>(s1)),
        _mm512_setzero_si512(),
    ];
    macro_rules! add_words {
        ($($nth:literal)*) => {$(
            let weights = const { i32::from_le_bytes([64 - 4 * $nth, 63 - 4 * $nth, 62 - 4 * $nth, 61 - 4 * $nth]) };
            sum1[$nth % 2] = _mm512_dpbusd_epi32(sum1[$nth % 2], x[$nth], _mm512_set1_epi8(1));
            sum2[$nth % 2] = _mm512_dpbusd_epi32(sum2[$nth % 2], x[$nth], _mm512_set1_epi32(weights));
        )*};
    }
    add_words!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    (
        _mm512_add_epi32(sum1[0], sum1[1]),
        _mm512_add_epi32(sum2[0], sum2[1]),
    )
}

/// Turns 16 chunks into their first words, their second words, and so on.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: [&[u8; MD4_CHUNK]; LANES]) -> [Words; 16] {
    let mut words = [_mm512_setzero_si512(); 16];
    for quarter in 0..4 {
        // Four words of each of four rows, the rows in steps of four.
        let stride = |first: usize| {
            let part = |row: usize| load16(&rows[first + 4 * row].as_chunks().0[quarter]);
            let low = _mm512_castsi128_si512(part(0));
            let low = _mm512_inserti32x4::<1>(low, part(1));
            let low = _mm512_inserti32x4::<2>(low, part(2));
            _mm512_inserti32x4::<3>(low, part(3))
        };
        let [r0, r1, r2, r3] = [stride(0), stride(1), stride(2), stride(3)];
        let (low01, high01) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
        let (low23, high23) = (_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
        words[4 * quarter] = _mm512_unpacklo_epi64(low01, low23);
        words[4 * quarter + 1] = _mm512_unpackhi_epi64(low01, low23);
        words[4 * quarter + 2] = _mm512_unpacklo_epi64(high01, high23);
        words[4 * quarter + 3] = _mm512_unpackhi_epi64(high01, high23);
    }
    words
}

/// 16 words at a time.
mod ops {
    use std::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn splat(word: u32) -> __m512i {
        _mm512_set1_epi32(word.cast_signed())
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn add(a: __m512i, b: __m512i) -> __m512i {
        _mm512_add_epi32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn rol<const LEFT: i32, const RIGHT: i32>(words: __m512i) -> __m512i {
        _mm512_rol_epi32::<LEFT>(words)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn f(b: __m512i, c: __m512i, d: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0b1100_1010>(b, c, d)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn g(b: __m512i, c: __m512i, d: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0b1110_1000>(b, c, d)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn h(b: __m512i, c: __m512i, d: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<0b1001_0110>(b, c, d)
    }
}

/// The places looked at in one step of the search.
const STEP: usize = 16;

/// The steps between two looks for hits.
const BATCH: usize = 16;

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
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
    let shift = _mm_cvtsi32_si128(32 - filter.leading_bits() as i32);
    // Hits are few: collecting them later keeps the loop over all places free of branches.
    let mut weak = [[0; STEP]; BATCH];
    let mut found = [0; BATCH];
    let mut done = 0;
    for (out_steps, in_steps) in out_steps.chunks(BATCH).zip(in_steps.chunks(BATCH)) {
        for ((out, into), (weak, found)) in out_steps
            .iter()
            .zip(in_steps)
            .zip(weak.iter_mut().zip(&mut found))
        {
            let (s1, s2) = sums.step_halves(out, into);
            let (s1, s2) = (_mm512_cvtepu16_epi32(s1), _mm512_cvtepu16_epi32(s2));
            let checksums = _mm512_or_si512(_mm512_slli_epi32::<16>(s2), s1);
            let key = _mm512_mullo_epi32(
                checksums,
                _mm512_set1_epi32(Filter::MULTIPLIER.cast_signed()),
            );
            let bit = _mm512_srl_epi32(key, shift);
            let words = gather(filter, _mm512_srli_epi32::<5>(bit));
            let mask = _mm512_sllv_epi32(
                _mm512_set1_epi32(1),
                _mm512_and_si512(bit, _mm512_set1_epi32(31)),
            );
            *found = _mm512_test_epi32_mask(words, mask);
            *weak = lanes(checksums);
        }
        for (nth, &found) in found[..out_steps.len()].iter().enumerate() {
            let mut found = found;
            while found != 0 {
                let lane = found.trailing_zeros() as usize;
                hits.push(Hit {
                    at: done + nth * STEP + lane + 1,
                    weak: weak[nth][lane],
                });
                found &= found - 1;
            }
        }
        done += out_steps.len() * STEP;
    }
    rolling.set_sum(sums.current());

    super::scalar::find_hits(filter, rolling, out_rest, in_rest, done, hits);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn gather(filter: &Filter, at: __m512i) -> __m512i {
    // SAFETY: the callers shift keys such that they are below the number of words.
    unsafe { _mm512_i32gather_epi32::<4>(at, filter.words().as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn lanes(words: Words) -> [u32; LANES] {
    let mut lanes = [0; LANES];
    // SAFETY: the 64 bytes can be written, and the instruction takes any alignment.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), words) };
    lanes
}
