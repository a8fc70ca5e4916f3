//! Deltas restore the file, in little, and do not depend on how it was read.

use proptest::prelude::*;
use redup_rsync::{BlockLen, Command, CommandReader, DeltaIndex, Differ, MAX_LITERAL};

use crate::sample::{delta, delta_in_pieces, file_and_successor, noise, patched, signature};

/// The commands of a delta, literals without their bytes.
fn commands(delta: &[u8]) -> Vec<Command> {
    let mut reader = CommandReader::new(delta).unwrap();
    let mut commands = Vec::new();
    loop {
        match reader.next_command().unwrap() {
            Command::End => return commands,
            command => {
                if let Command::Literal { len } = command {
                    reader.literal(&mut vec![0; len as usize]).unwrap();
                }
                commands.push(command);
            }
        }
    }
}

#[track_caller]
fn check(basis: &[u8], new: &[u8], expected: &[Command]) {
    let delta = delta(signature(basis, 512), new);
    assert_eq!(commands(&delta), expected);
    assert!(patched(basis, &delta) == new);
}

const fn literal(len: u64) -> Command {
    Command::Literal { len }
}

const fn copy(offset: u64, len: u64) -> Command {
    Command::Copy { offset, len }
}

#[test]
fn an_unchanged_file_is_one_copy_to_its_last_byte() {
    for len in [1, 511, 512, 513, 8192, 8193, 100_000] {
        let file = noise(len, 5);
        check(&file, &file, &[copy(0, len as u64)]);
    }
}

#[test]
fn an_inserted_byte_costs_a_byte() {
    let basis = noise(100_000, 6);
    check(
        &basis,
        &[b"!", basis.as_slice()].concat(),
        &[literal(1), copy(0, 100_000)],
    );
    let middle = [&basis[..51_200], b"!", &basis[51_200..]].concat();
    check(
        &basis,
        &middle,
        &[copy(0, 51_200), literal(1), copy(51_200, 48_800)],
    );
}

#[test]
fn an_overwritten_byte_costs_a_block() {
    let basis = noise(100_000, 7);
    let mut new = basis.clone();
    new[51_300] ^= 1;
    check(
        &basis,
        &new,
        &[copy(0, 51_200), literal(512), copy(51_712, 48_288)],
    );
    let mut new = basis.clone();
    new[5] ^= 1;
    check(&basis, &new, &[literal(512), copy(512, 99_488)]);
}

#[test]
fn moved_blocks_are_found_at_any_place() {
    let basis = noise(8 * 512, 8);
    let new = [&basis[2048..], b"between", &basis[..2048]].concat();
    check(&basis, &new, &[copy(2048, 2048), literal(7), copy(0, 2048)]);
}

#[test]
fn the_short_last_block_is_found_at_the_end_only() {
    let basis = noise(700, 9);
    let (first, last) = basis.split_at(512);
    check(
        &basis,
        &[b"new start ", last].concat(),
        &[literal(10), copy(512, 188)],
    );
    check(
        &basis,
        &[first, last, b"!"].concat(),
        &[copy(0, 512), literal(189)],
    );
}

#[test]
fn zeros_are_copied_in_long_runs() {
    let basis = vec![0; 64 * 512];
    check(&basis, &basis, &[copy(0, 64 * 512)]);
    check(
        &basis,
        &vec![0; 100 * 512],
        &[copy(0, 64 * 512), copy(0, 36 * 512)],
    );
    check(&basis, &vec![0; 512 * 3 / 2], &[copy(0, 512), literal(256)]);
}

#[test]
fn literals_are_merged_up_to_their_maximum() {
    let new = noise(2 * MAX_LITERAL + 7, 10);
    check(b"", &new, &[literal(65_535), literal(65_535), literal(7)]);
    check(&noise(4096, 11), &new[..MAX_LITERAL], &[literal(65_535)]);
}

#[test]
fn a_file_full_of_weak_matches_does_not_stop_the_search() {
    // One byte up, its neighbour down twice, the next up: the rollsum stays, the block differs.
    let mut basis = vec![100; 4096];
    basis[1] += 1;
    basis[2] -= 2;
    basis[3] += 1;
    let mut new = vec![100; 3 << 20];
    new.extend_from_slice(&basis);
    let delta = delta(signature(&basis, 4096), &new);
    assert!(patched(&basis, &delta) == new);
}

proptest! {
    #[test]
    fn patching_restores_the_file((basis, new) in file_and_successor(), block_len in 1u32..700) {
        let delta = delta(signature(&basis, block_len), &new);
        prop_assert_eq!(patched(&basis, &delta), new);
    }

    #[test]
    fn the_delta_does_not_depend_on_the_pieces(
        (basis, new) in file_and_successor(),
        block_len in prop_oneof![1u32..700, Just(64), Just(512)],
        pieces in prop::collection::vec(prop_oneof![1usize..5, 1usize..3000], 0..40),
    ) {
        let signature = signature(&basis, block_len);
        let whole = delta(signature.clone(), &new);
        prop_assert_eq!(delta_in_pieces(signature, &new, &pieces), whole);
    }

    #[test]
    fn one_pass_gives_the_same_delta_and_signature_as_two(
        (basis, new) in file_and_successor(),
        block_len in prop_oneof![1u32..700, Just(64), Just(512)],
        other_len in prop::option::of(1u32..700),
        pieces in prop::collection::vec(prop_oneof![1usize..5, 1usize..3000], 0..40),
    ) {
        let basis = signature(&basis, block_len);
        let expected = (delta(basis.clone(), &new), signature(&new, other_len.unwrap_or(block_len)));

        let index = DeltaIndex::new(basis);
        let mut differ = Differ::new(&index, BlockLen::new(other_len.unwrap_or(block_len)).unwrap());
        let (mut delta, mut rest) = (Vec::new(), new.as_slice());
        for len in pieces {
            let (piece, later) = rest.split_at(len.min(rest.len()));
            differ.push(piece, &mut delta);
            rest = later;
        }
        differ.push(rest, &mut delta);
        let signature = differ.finish(&mut delta);
        prop_assert_eq!((delta, signature), expected);
    }
}
