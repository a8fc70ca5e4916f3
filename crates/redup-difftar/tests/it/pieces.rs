//! Cutting payloads into members.

use proptest::prelude::*;
use redup_difftar::Error;
use redup_difftar::difftar::{Member, Payload, PieceEncoder, volume_padding};
use redup_difftar::member::PIECE_LEN;
use redup_difftar::tar::{Limits, TarReader};
use redup_format::index::PathIndex;

use crate::support::{diff, dir, file, index, snapshot};

/// Name, block number and payload length of each member.
fn summary(members: &[Member]) -> Vec<(String, Option<u32>, u64)> {
    let of_one = |member: &Member| {
        let mut tar = TarReader::new(member.bytes.as_slice(), Limits::default());
        let found = tar.next_member().unwrap().unwrap();
        assert_eq!(tar.next_member().unwrap(), None);
        assert_eq!(member.bytes.len() % 512, 0);
        (
            String::from_utf8(found.name).unwrap(),
            member.block,
            found.size,
        )
    };
    members.iter().map(of_one).collect()
}

fn row(name: &str, block: Option<u32>, size: u64) -> (String, Option<u32>, u64) {
    (name.to_owned(), block, size)
}

#[test]
fn less_than_a_piece_is_one_whole_member() {
    assert_eq!(summary(&snapshot("a", b"")), [row("snapshot/a", None, 0)]);
    assert_eq!(
        summary(&snapshot("a", &[0; 65_535])),
        [row("snapshot/a", None, 65_535)]
    );
    assert_eq!(summary(&diff("d/a", b"x")), [row("diff/d/a", None, 1)]);
}

#[test]
fn the_last_piece_is_short_and_has_no_block_number() {
    assert_eq!(
        summary(&snapshot("a", &[0; 65_536])),
        [
            row("multivol_snapshot/a/1", Some(1), 65_536),
            row("multivol_snapshot/a/2", None, 0),
        ]
    );
    assert_eq!(
        summary(&diff("a", &[0; 2 * 65_536 + 5])),
        [
            row("multivol_diff/a/1", Some(1), 65_536),
            row("multivol_diff/a/2", Some(2), 65_536),
            row("multivol_diff/a/3", None, 5),
        ]
    );
}

#[test]
fn a_single_file_as_the_root_has_names_of_its_own() {
    let names = |bytes: &[u8]| {
        let rows = summary(&snapshot("", bytes));
        rows.into_iter().map(|(name, ..)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(b"x"), ["snapshot/"]);
    assert_eq!(
        names(&[0; 65_536]),
        ["multivol_snapshot/./1", "multivol_snapshot/./2"]
    );
    assert_eq!(summary(&dir("")), [row("snapshot/./", None, 0)]);
}

#[test]
fn a_full_piece_is_given_out_at_once() {
    let mut given = 0;
    let mut sink = |_| {
        given += 1;
        Ok::<(), Error>(())
    };
    let mut encoder = PieceEncoder::new(index("a"), file(), Payload::Snapshot);
    encoder.push(&[0; 65_535], &mut sink).unwrap();
    encoder.push(&[], &mut sink).unwrap();
    assert_eq!(given, 0);
    let mut sink = |_| {
        given += 1;
        Ok::<(), Error>(())
    };
    encoder.push(&[0], &mut sink).unwrap();
    assert_eq!(given, 1);
}

#[test]
fn an_error_of_the_sink_comes_through() {
    #[derive(Debug, PartialEq)]
    struct Full;
    impl From<Error> for Full {
        fn from(error: Error) -> Self {
            panic!("{error}")
        }
    }
    let mut sink = |_| Err(Full);
    let mut encoder = PieceEncoder::new(PathIndex::root(), file(), Payload::Diff);
    assert_eq!(encoder.push(&[0; 70_000], &mut sink), Err(Full));
}

#[test]
fn a_volume_ends_in_at_least_one_block_of_zeros() {
    for (len, zeros) in [
        (0, 10_240),
        (512, 9728),
        (9728, 512),
        (10_240, 10_240),
        (20_992, 9728),
    ] {
        assert_eq!(volume_padding(len).len(), zeros, "{len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn members_do_not_depend_on_how_the_payload_arrives(
        len in 0..4 * PIECE_LEN,
        cuts in proptest::collection::vec(0..4 * PIECE_LEN, 0..12),
    ) {
        let payload: Vec<u8> = (0..len).map(|at| (at / 251 + at) as u8).collect();
        let mut cuts: Vec<_> = cuts.into_iter().filter(|&cut| cut < len).collect();
        cuts.sort_unstable();
        let mut members = Vec::new();
        let mut sink = |member| {
            members.push(member);
            Ok::<(), Error>(())
        };
        let mut encoder = PieceEncoder::new(index("f"), file(), Payload::Snapshot);
        let mut start = 0;
        for end in cuts.into_iter().chain([len]) {
            encoder.push(&payload[start..end], &mut sink).unwrap();
            start = end;
        }
        encoder.finish(&mut sink).unwrap();
        prop_assert!(members == snapshot("f", &payload));
    }
}
