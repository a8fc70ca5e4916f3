//! Reading one set: order, pieces across volumes, what is passed over, what is refused.

use std::io::{self, Read};

use redup_difftar::difftar::{
    Content, DifftarReader, Member, OrderPolicy, Payload, Volume, volume_padding,
};
use redup_difftar::member::PIECE_LEN;
use redup_difftar::tar::encode_header;
use redup_difftar::{BoxError, Error, Warning};
use redup_format::entry::FileType;

use crate::support::{
    Volumes, collected_warnings, deleted, diff, dir, file, index, no_warnings, of_type, set,
    snapshot, volume, volumes,
};

#[test]
fn entries_come_with_their_kind_attributes_and_payload() {
    let mut reader = set([
        dir(""),
        snapshot("a", b"1"),
        diff("b", b"delta"),
        deleted("c"),
    ]);
    assert_eq!(reader.entry(), None);

    let root = reader.advance().unwrap().unwrap();
    assert!(matches!(&root.content, Content::Snapshot(found) if found.file_type.is_directory()));
    let entry = reader.advance().unwrap().unwrap();
    assert_eq!(
        (&entry.index, &entry.content),
        (&index("a"), &Content::Snapshot(file()))
    );
    assert_eq!(payload(&mut reader), b"1");
    let entry = reader.advance().unwrap().unwrap();
    assert_eq!(
        (&entry.index, &entry.content),
        (&index("b"), &Content::Diff(file()))
    );
    assert_eq!(payload(&mut reader), b"delta");
    let entry = reader.advance().unwrap().unwrap();
    assert_eq!(
        (&entry.index, &entry.content),
        (&index("c"), &Content::Deleted)
    );
    assert_eq!(payload(&mut reader), b"");
    assert_eq!(reader.advance().unwrap(), None);
    assert_eq!(reader.entry(), None);
}

#[test]
fn pieces_are_joined_across_volumes() {
    let bytes: Vec<u8> = (0..3 * PIECE_LEN + 9).map(|at| (at % 253) as u8).collect();
    let members: Vec<_> = [
        snapshot("a", b"x"),
        snapshot("big", &bytes),
        snapshot("c", b"y"),
    ]
    .concat();
    for cut in 0..=members.len() {
        let (first, second) = members.split_at(cut);
        let parts = vec![volume(first.to_vec()), Vec::new(), volume(second.to_vec())];
        let mut reader = DifftarReader::new(volumes(parts), no_warnings());
        assert_eq!(
            paths_and_payloads(&mut reader),
            [
                ("a".to_owned(), b"x".to_vec()),
                ("big".to_owned(), bytes.clone()),
                ("c".to_owned(), b"y".to_vec()),
            ]
        );
    }
}

#[test]
fn pieces_of_other_lengths_are_joined_too() {
    let mut members = Vec::new();
    for (number, payload) in [(1, &b"one"[..]), (2, b"two"), (3, b"three")] {
        let name = format!("multivol_snapshot/old/{number}");
        let header = encode_header(name.as_bytes(), &file(), payload.len() as u64).unwrap();
        let mut bytes = [header.as_slice(), payload].concat();
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        members.push(Member {
            index: index("old"),
            block: None,
            bytes,
        });
    }
    let mut reader = set([members]);
    assert_eq!(
        paths_and_payloads(&mut reader),
        [("old".to_owned(), b"onetwothree".to_vec())]
    );
}

#[test]
fn payloads_need_not_be_read() {
    let big = vec![7; 2 * PIECE_LEN];
    let mut reader = set([snapshot("a", &big), diff("b", &big), snapshot("c", b"c")]);
    let mut paths = Vec::new();
    while let Some(entry) = reader.advance().unwrap() {
        paths.push(entry.index.to_string());
        if paths.len() == 2 {
            reader.read_exact(&mut [0; 70_000]).unwrap();
        }
    }
    assert_eq!(paths, ["a", "b", "c"]);
}

#[test]
fn a_missing_piece_fails_only_who_reads_it() {
    let mut members = snapshot("big", &[1; 3 * PIECE_LEN]);
    members.remove(1);
    let archive = || set([members.clone(), snapshot("c", b"c")]);

    let mut reader = archive();
    reader.advance().unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
    let error = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    assert!(matches!(
        error,
        Error::MissingPiece {
            expected: 2,
            found: 3,
            ..
        }
    ));
    assert_eq!(
        error.to_string(),
        "contents of \"big\" are incomplete: piece 3 where 2 was due"
    );
    assert!(
        reader.read(&mut [0]).is_err(),
        "the failure does not look like an end"
    );
    assert_eq!(reader.advance().unwrap().unwrap().index, index("c"));

    let mut reader = archive();
    reader.advance().unwrap();
    assert_eq!(reader.advance().unwrap().unwrap().index, index("c"));
}

#[test]
fn a_file_whose_first_piece_is_missing_is_an_entry_that_cannot_be_read() {
    let mut members = diff("big", &[1; 3 * PIECE_LEN]);
    members.drain(..2);
    let mut reader = set([members]);
    assert_eq!(reader.advance().unwrap().unwrap().index, index("big"));
    let result = reader.read_payload(&mut [0]);
    assert!(matches!(
        result,
        Err(Error::MissingPiece {
            expected: 1,
            found: 3,
            ..
        })
    ));
}

#[test]
fn a_full_last_piece_is_warned_about() {
    let mut members = snapshot("big", &[1; 2 * PIECE_LEN]);
    members.pop();
    let (warnings, collected) = collected_warnings();
    let bytes = volume([members, snapshot("c", b"c")].concat());
    let mut reader = DifftarReader::new(volumes(vec![bytes]), warnings);
    let read = paths_and_payloads(&mut reader);
    assert_eq!(read[0].1.len(), 2 * PIECE_LEN);
    assert_eq!(
        *collected.lock().unwrap(),
        [Warning::MissingLastPiece {
            index: index("big")
        }]
    );
}

#[test]
fn late_entries_are_left_out_and_reported_once() {
    let late = snapshot("a", &[1; 2 * PIECE_LEN]);
    let entries = [
        snapshot("b", b"b"),
        late,
        snapshot("b", b"again"),
        snapshot("c", b"c"),
    ];
    let (warnings, collected) = collected_warnings();
    let bytes = volume(entries.concat());
    let mut reader = DifftarReader::new(volumes(vec![bytes]), warnings);
    let paths: Vec<_> = paths_and_payloads(&mut reader)
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(paths, ["b", "c"]);
    let late = |path| Warning::LateEntry {
        volume: "vol1".to_owned(),
        index: index(path),
        previous: index("b"),
    };
    assert_eq!(*collected.lock().unwrap(), [late("a"), late("b")]);
}

#[test]
fn late_entries_are_an_error_on_request() {
    let mut reader = set([snapshot("b", b""), snapshot("a", b"")]).with_order(OrderPolicy::Fail);
    reader.advance().unwrap();
    let error = reader.advance().unwrap_err();
    assert_eq!(
        error.to_string(),
        "entry \"a\" is out of order, it follows \"b\""
    );
}

#[test]
fn a_sub_path_is_itself_and_what_lies_below() {
    let paths = ["", "a", "a/b", "a/b/c", "a/b d", "a/b/e"];
    let mut sorted: Vec<_> = paths.iter().map(|path| index(path)).collect();
    sorted.sort();
    let entries = sorted
        .iter()
        .map(|path| snapshot(std::str::from_utf8(path.as_bytes()).unwrap(), b"x"));
    let mut reader = set(entries).within(index("a/b"));
    let found: Vec<_> = paths_and_payloads(&mut reader)
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(found, ["a/b", "a/b/c", "a/b/e"]);
}

#[test]
fn beyond_the_sub_path_the_volume_is_drained_and_no_other_is_asked_for() {
    let log = std::cell::RefCell::new(Vec::new());
    let parts = [
        vec![snapshot("a", b"1"), snapshot("b", b"2")],
        vec![snapshot("c", b"3")],
    ];
    let supply = parts.into_iter().zip(1..).map(|(entries, number)| {
        log.borrow_mut().push(format!("open {number}"));
        let bytes = [volume(entries.concat()), b"junk".to_vec()].concat();
        let (log, name) = (&log, format!("vol{number}"));
        let data = Noted {
            bytes: io::Cursor::new(bytes),
            at_end: move || log.borrow_mut().push(format!("end {number}")),
        };
        Ok::<_, BoxError>(Volume { name, data })
    });
    let mut reader = DifftarReader::new(supply, no_warnings()).within(index("a"));
    while reader.advance().unwrap().is_some() {}
    drop(reader);
    assert_eq!(log.into_inner(), ["open 1", "end 1"]);
}

#[test]
fn a_volume_is_read_to_its_end_before_the_next_is_opened() {
    let (warnings, parts) = (no_warnings(), [b"x".to_vec(), b"y".to_vec()]);
    let mut open = false;
    let open = std::cell::RefCell::new(&mut open);
    let supply = parts.iter().zip(["a", "b"]).map(|(payload, path)| {
        assert!(!**open.borrow());
        **open.borrow_mut() = true;
        let bytes = [volume(snapshot(path, payload)), b"junk".to_vec()].concat();
        let open = &open;
        let data = Noted {
            bytes: io::Cursor::new(bytes),
            at_end: move || **open.borrow_mut() = false,
        };
        Ok::<_, BoxError>(Volume {
            name: path.to_owned(),
            data,
        })
    });
    let mut reader = DifftarReader::new(supply, warnings);
    assert_eq!(paths_and_payloads(&mut reader).len(), 2);
}

#[test]
fn a_damaged_volume_is_named_and_the_next_one_can_be_read() {
    let big = snapshot("big", &[1; 2 * PIECE_LEN]);
    let (first, second) = big.split_at(1);
    let mut damaged = volume([snapshot("a", b"a"), first.to_vec()].concat());
    damaged.truncate(damaged.len() - 20_000);
    let parts = vec![
        damaged,
        volume([second.to_vec(), snapshot("c", b"c")].concat()),
    ];
    let mut reader = DifftarReader::new(volumes(parts), no_warnings());
    reader.advance().unwrap();
    reader.advance().unwrap();
    let error = loop {
        match reader.read_payload(&mut [0; 4096]) {
            Ok(count) => assert!(count > 0),
            Err(error) => break error,
        }
    };
    assert!(error.is_truncated());
    assert_eq!(error.to_string(), "\"vol1\" cannot be read to its end");
    assert!(matches!(
        reader.read_payload(&mut [0]),
        Err(Error::PayloadLost { .. })
    ));
    assert_eq!(reader.advance().unwrap().unwrap().index, index("c"));
}

#[test]
fn the_suppliers_error_comes_through() {
    let supply = std::iter::once(Err::<Volume<&[u8]>, BoxError>("no such object".into()));
    let mut reader = DifftarReader::new(supply, no_warnings());
    let error = reader.advance().unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "no such object");
}

#[test]
fn members_that_no_backup_holds_are_refused() {
    let with = |name: &[u8], file_type| {
        let bytes = encode_header(name, &of_type(file_type), 0).unwrap();
        let mut archive = bytes.clone();
        archive.extend_from_slice(volume_padding(bytes.len() as u64));
        let mut reader = DifftarReader::new(volumes(vec![archive]), no_warnings());
        let Err(Error::InArchive { source, .. }) = reader.advance() else {
            panic!()
        };
        *source
    };
    let regular = FileType::Regular;
    assert!(matches!(
        with(b"snapshot/../etc/passwd", regular.clone()),
        Error::BadPath { .. }
    ));
    assert!(matches!(
        with(b"signature/a", regular.clone()),
        Error::ForeignMember { .. }
    ));
    assert!(matches!(
        with(b"etc/passwd", regular),
        Error::ForeignMember { .. }
    ));
    assert!(matches!(
        with(b"diff/a", FileType::Fifo),
        Error::UnexpectedType { .. }
    ));
    assert!(matches!(
        with(b"multivol_snapshot/a/1", FileType::Directory),
        Error::UnexpectedType { .. }
    ));
}

#[test]
fn a_hard_link_is_refused() {
    let mut bytes = snapshot("a", b"").remove(0).bytes;
    bytes[156] = b'1';
    bytes[153] += 1;
    let mut reader = DifftarReader::new(volumes(vec![bytes]), no_warnings());
    let Err(Error::InArchive { source, .. }) = reader.advance() else {
        panic!()
    };
    assert_eq!(
        source.to_string(),
        "member \"snapshot/a\" has the tar type '1', which does not belong there"
    );
}

#[test]
fn a_path_may_look_like_a_piece_of_another() {
    let bytes = vec![3; PIECE_LEN];
    let mut reader = set([
        crate::support::file_members("multivol_diff/1", Payload::Snapshot, &bytes),
        snapshot("multivol_diff/1/1", b"x"),
    ]);
    let paths: Vec<_> = paths_and_payloads(&mut reader)
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(paths, ["multivol_diff/1", "multivol_diff/1/1"]);
}

/// Calls `at_end` when the end has been read.
struct Noted<F> {
    bytes: io::Cursor<Vec<u8>>,
    at_end: F,
}

impl<F: FnMut()> Read for Noted<F> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buf)?;
        if count == 0 {
            (self.at_end)();
        }
        Ok(count)
    }
}

fn payload(reader: &mut DifftarReader<Volumes>) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    bytes
}

fn paths_and_payloads<V: redup_difftar::difftar::VolumeSource>(
    reader: &mut DifftarReader<V>,
) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some(entry) = reader.advance().unwrap() {
        let path = entry.index.to_string();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        found.push((path, bytes));
    }
    found
}
