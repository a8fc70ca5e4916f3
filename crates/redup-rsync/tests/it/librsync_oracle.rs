//! The same work done by librsync.

use std::io::Cursor;

use librsync::SignatureType;
use librsync::whole;
use proptest::prelude::*;
use redup_rsync::Signature;

use crate::sample::{delta, file_and_successor, noise, patched, signature};

fn their_signature(data: &[u8], block_len: u32, kind: SignatureType) -> Vec<u8> {
    let mut out = Vec::new();
    let strong_len = if kind == SignatureType::MD4 { 8 } else { 32 };
    whole::signature_with_options(
        &mut Cursor::new(data),
        &mut out,
        block_len as usize,
        strong_len,
        kind,
    )
    .unwrap();
    out
}

fn their_delta(signature: &[u8], new: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    whole::delta(&mut Cursor::new(new), &mut Cursor::new(signature), &mut out).unwrap();
    out
}

fn patched_by_them(basis: &[u8], delta: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    whole::patch(&mut Cursor::new(basis), &mut Cursor::new(delta), &mut out).unwrap();
    out
}

#[test]
fn signatures_are_equal_for_lengths_around_the_blocks() {
    for block_len in [1, 2, 55, 56, 63, 64, 65, 100, 512, 600, 1024, 2048, 31_744] {
        let unit = block_len as usize;
        let around_groups = [8, 16, 17, 32].map(|blocks| blocks * unit);
        for near in [0, unit, 2 * unit].into_iter().chain(around_groups) {
            for len in near.saturating_sub(1)..=near + 1 {
                let data = noise(len, len as u64);
                let ours = signature(&data, block_len);
                assert!(
                    ours.as_bytes() == their_signature(&data, block_len, SignatureType::MD4),
                    "{len} bytes in blocks of {block_len}"
                );
            }
        }
    }
}

#[test]
fn signatures_are_equal_for_mebibytes_of_extreme_bytes() {
    for data in [
        noise((3 << 20) + 77, 1),
        vec![0; 1 << 20],
        vec![0xff; (1 << 20) + 1],
    ] {
        for block_len in [512, 1024, 2048, 65_536] {
            assert!(
                signature(&data, block_len).as_bytes()
                    == their_signature(&data, block_len, SignatureType::MD4)
            );
        }
    }
}

#[test]
fn deltas_are_hardly_longer_than_theirs() {
    let basis = noise(1 << 20, 3);
    let mut new = basis.clone();
    for nth in 0..20 {
        new[nth * 50_000 + 17] ^= 1;
    }
    new.splice(300_000..300_100, noise(333, 4));
    let signature = signature(&basis, 1024);
    let theirs = their_delta(signature.as_bytes(), &new);
    let ours = delta(signature, &new);
    assert!(
        ours.len() <= theirs.len() + 64,
        "{} and {} bytes",
        ours.len(),
        theirs.len()
    );
}

proptest! {
    #[test]
    fn they_restore_from_our_deltas((basis, new) in file_and_successor(), block_len in 16u32..700) {
        let delta = delta(signature(&basis, block_len), &new);
        prop_assert_eq!(patched_by_them(&basis, &delta), new);
    }

    #[test]
    fn we_restore_from_their_deltas((basis, new) in file_and_successor(), block_len in 16u32..700) {
        let signature = their_signature(&basis, block_len, SignatureType::MD4);
        prop_assert_eq!(patched(&basis, &their_delta(&signature, &new)), new);
    }

    #[test]
    fn their_blake2_signatures_are_matched((basis, new) in file_and_successor(), block_len in 16u32..700) {
        let signature = Signature::parse(their_signature(&basis, block_len, SignatureType::Blake2)).unwrap();
        let ours = delta(signature.clone(), &new);
        prop_assert_eq!(patched(&basis, &ours), new.as_slice());
        let same = delta(signature, &basis);
        prop_assert!(basis.is_empty() || same.len() < 4 + 10 + 1 + basis.len() / 8);
    }
}
