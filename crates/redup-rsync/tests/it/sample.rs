//! Made-up files and edits, and short ways through the crate.

use proptest::prelude::*;
use redup_rsync::{
    BlockLen, DeltaEncoder, DeltaIndex, PatchLimits, Signature, SignatureBuilder, patch,
};

/// Bytes without pattern, the same for the same `seed`.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

pub(crate) fn signature(data: &[u8], block_len: u32) -> Signature {
    let mut builder = SignatureBuilder::new(BlockLen::new(block_len).unwrap());
    builder.update(data);
    builder.finish()
}

pub(crate) fn delta(basis: Signature, new: &[u8]) -> Vec<u8> {
    let index = DeltaIndex::new(basis);
    let mut encoder = DeltaEncoder::new(&index);
    let mut delta = Vec::new();
    encoder.push(new, &mut delta);
    encoder.finish(&mut delta);
    delta
}

/// The delta of a file that comes in pieces of the given lengths, and then the rest.
pub(crate) fn delta_in_pieces(basis: Signature, mut new: &[u8], pieces: &[usize]) -> Vec<u8> {
    let index = DeltaIndex::new(basis);
    let mut encoder = DeltaEncoder::new(&index);
    let mut delta = Vec::new();
    for &len in pieces {
        let (piece, rest) = new.split_at(len.min(new.len()));
        encoder.push(piece, &mut delta);
        new = rest;
    }
    encoder.push(new, &mut delta);
    encoder.finish(&mut delta);
    delta
}

pub(crate) fn patched(basis: &[u8], delta: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    patch(delta, basis, &mut out, &PatchLimits::default()).unwrap();
    out
}

/// A file and a later version of it, with much, little or nothing in common.
pub(crate) fn file_and_successor() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let file = (0usize..12_000, any::<u64>(), 1usize..40).prop_map(|(len, seed, runs)| {
        // Stretches of noise, of zeros and of a repeated phrase, so that blocks recur.
        let phrases = [
            noise(len.div_ceil(runs), seed),
            vec![0; len.div_ceil(runs)],
            b"abcabcab".repeat(len / runs / 8 + 1),
        ];
        let mut file: Vec<u8> = (0..runs)
            .flat_map(|nth| phrases[(seed as usize + nth * nth) % 3].clone())
            .collect();
        file.truncate(len);
        file
    });
    let edit = (
        any::<prop::sample::Index>(),
        0usize..900,
        prop::collection::vec(any::<u8>(), 0..900),
        any::<bool>(),
    );
    (file, prop::collection::vec(edit, 0..6)).prop_map(|(file, edits)| {
        let mut successor = file.clone();
        for (place, removed, inserted, overwrite) in edits {
            let from = place.index(successor.len() + 1);
            let removed = if overwrite { inserted.len() } else { removed };
            let to = successor.len().min(from + removed);
            successor.splice(from..to, inserted);
        }
        (file, successor)
    })
}
