//! What the format's description shows byte by byte.

use redup_rsync::{Signature, SignatureKind, block_len};

use crate::sample::{delta, noise, patched, signature};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn check(basis: &[u8], new: &[u8], expected: &str) {
    let delta = delta(signature(basis, 512), new);
    assert_eq!(patched(basis, &delta), new);
    assert!(
        hex(&delta).starts_with(expected),
        "{} instead of {expected}",
        hex(&delta)
    );
}

#[test]
fn an_unchanged_short_file_is_one_copy() {
    check(b"same text", b"same text", "7273023645000900");
}

#[test]
fn a_short_file_that_changed_is_one_literal() {
    check(b"x", b"y", "72730236017900");
}

#[test]
fn a_file_that_became_empty_is_only_an_end() {
    check(&noise(65_536, 1), b"", "7273023600");
}

#[test]
fn a_changed_end_follows_the_copy_of_the_whole_blocks() {
    let basis = noise(1000, 2);
    let mut new = basis.clone();
    new.truncate(1011);
    new[600] ^= 1;
    new.extend_from_slice(b"and a bit m");
    assert_eq!(new.len(), 512 + 499);
    check(&basis, &new, "72730236460002004201f3");
}

#[test]
fn long_copies_have_lengths_of_four_bytes() {
    let basis = noise(1_499_136 + 100, 3);
    let mut new = basis[..1_499_136].to_vec();
    new.extend(noise(70_000, 4));
    check(&basis, &new, "7273023647000016e00042ffff");
}

#[test]
fn block_lengths_are_those_of_duplicity_3() {
    for line in include_str!("../../../../fixtures/vectors/3.2.1/blocksize.jsonl").lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let (file_len, expected) = (
            case["file_len"].as_u64().unwrap(),
            case["block_len"].as_u64().unwrap(),
        );
        assert_eq!(
            u64::from(block_len(file_len, None).get()),
            expected,
            "file of {file_len} bytes"
        );
    }
}

/// Made by `rdiff -H HASH -R SUM -S 8 -b 16 signature`.
const FOX: &[u8] = b"The quick brown fox jumps over the lazy dog, twice over and again.";
const FOX_SIGNATURES: [(SignatureKind, &str); 4] = [
    (
        SignatureKind::Md4,
        "72730136000000100000000841b907b63d55465380a6a05c44b807fcb17bb7244d1c454f\
         40650797c1ceb2ae62555098404f079905362e4750c98327016700dafa230a1197d895b4",
    ),
    (
        SignatureKind::RabinKarpMd4,
        "72730146000000100000000894c17c633d55465380a6a05c2e571d1db17bb7244d1c454f\
         a7f9c2b0c1ceb2ae62555098eda0d36205362e4750c983271cb3856dfa230a1197d895b4",
    ),
    (
        SignatureKind::Blake2,
        "72730137000000100000000841b907b62cdcb86a8b3265e244b807fc551647500963f8d5\
         406507971a264d6b513fbded404f079974a01c6d71587324016700dac4cc11de39ef9ee0",
    ),
    (
        SignatureKind::RabinKarpBlake2,
        "72730147000000100000000894c17c632cdcb86a8b3265e22e571d1d551647500963f8d5\
         a7f9c2b01a264d6b513fbdededa0d36274a01c6d715873241cb3856dc4cc11de39ef9ee0",
    ),
];

#[test]
fn signatures_of_all_kinds_are_matched() {
    for (kind, encoded) in FOX_SIGNATURES {
        let signature = Signature::parse(bytes(encoded)).unwrap();
        assert_eq!(
            (signature.kind(), signature.blocks(), signature.strong_len()),
            (kind, 5, 8)
        );

        let moved = [b"Once more: ", FOX].concat();
        let delta = delta(signature, &moved);
        assert_eq!(
            hex(&delta),
            "727302360b4f6e6365206d6f72653a2045004200",
            "{kind:?}"
        );
        assert_eq!(patched(FOX, &delta), moved);
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
