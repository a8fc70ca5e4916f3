//! What the format's description shows byte by byte.

use redup_rsync::block_len;

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
    check(
        b"same text",
        b"same text",
        "727302364500090 0".replace(' ', "").as_str(),
    );
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
    check(
        &basis,
        &new,
        "727302364600020042 01f3".replace(' ', "").as_str(),
    );
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
