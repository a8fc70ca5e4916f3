//! Signature archives: writing, reading, combining.

use redup_difftar::Error;
use redup_difftar::collate::{Collated, CombinedSignatures};
use redup_difftar::sigtar::{SigEntry, SigKind, SigState, SigtarReader, SigtarWriter};
use redup_format::entry::FileType;

use crate::support::{directory, file, index, of_type};

/// `path=signature` a file, `path/` a directory, `-path` a deletion; in any order.
fn sigtar(entries: &[&str]) -> Vec<u8> {
    let empty = SigtarWriter::new(Vec::new());
    let writer = entries.iter().fold(empty, |writer, entry| {
        // A writer that goes on with an archive does not know what is in it.
        let written = writer.written();
        let mut writer = SigtarWriter::append(writer.into_inner(), written);
        add(&mut writer, entry);
        writer
    });
    writer.finish().unwrap()
}

fn add(writer: &mut SigtarWriter<Vec<u8>>, entry: &str) {
    if let Some(path) = entry.strip_prefix('-') {
        writer.deleted(&index(path)).unwrap();
    } else if let Some(path) = entry.strip_suffix('/') {
        writer.other(&index(path), &directory()).unwrap();
    } else {
        let (path, signature) = entry.split_once('=').unwrap();
        writer
            .file(&index(path), &file(), signature.as_bytes())
            .unwrap();
    }
}

fn show(entry: &SigEntry) -> String {
    match &entry.state {
        SigState::File { signature } => {
            format!("{}={}", entry.index, String::from_utf8_lossy(signature))
        }
        SigState::Other => format!("{}/", entry.index),
        SigState::Deleted => format!("-{}", entry.index),
    }
}

fn read(archive: &[u8]) -> Vec<String> {
    let mut reader = SigtarReader::new(archive);
    std::iter::from_fn(|| reader.next_entry(100).unwrap())
        .map(|entry| show(&entry))
        .collect()
}

fn combined(archives: &[Vec<u8>]) -> Vec<String> {
    let readers = archives
        .iter()
        .map(|archive| SigtarReader::new(archive.as_slice()));
    let mut combined = CombinedSignatures::new(readers.collect());
    std::iter::from_fn(|| combined.next_entry(100).unwrap())
        .map(|entry| show(&entry))
        .collect()
}

#[test]
fn entries_are_read_as_they_were_written() {
    let target = b"to\xff".to_vec();
    let mut writer = SigtarWriter::new(Vec::new());
    writer.other(&index(""), &directory()).unwrap();
    writer.file(&index("a"), &file(), b"sig").unwrap();
    writer
        .other(&index("l"), &of_type(FileType::Symlink { target }))
        .unwrap();
    writer.deleted(&index("z")).unwrap();
    let first = writer.finish().unwrap();

    let mut reader = SigtarReader::new(first.as_slice());
    let mut writer = SigtarWriter::new(Vec::new());
    while let Some(entry) = reader.next_entry(3).unwrap() {
        writer.entry(&entry).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), first);
}

#[test]
fn an_archive_ends_in_two_zero_blocks_and_fills_its_last_record() {
    assert_eq!(sigtar(&[]), vec![0; 10_240]);
    let entries: Vec<String> = (10..30).map(|number| format!("{number}/")).collect();
    let lens: Vec<_> = (17..=20)
        .map(|count| {
            let entries: Vec<_> = entries[..count].iter().map(String::as_str).collect();
            sigtar(&entries).len()
        })
        .collect();
    assert_eq!(lens, [10_240, 10_240, 20_480, 20_480]);
}

#[test]
fn an_archive_of_no_bytes_is_empty() {
    assert!(read(b"").is_empty());
}

#[test]
fn an_unfinished_archive_is_read_and_gone_on_with() {
    let mut writer = SigtarWriter::new(Vec::new());
    add(&mut writer, "a=1");
    writer.flush().unwrap();
    let written = writer.written();
    assert_eq!(read(writer.get_ref()), ["a=1"]);

    let mut writer = SigtarWriter::append(writer.into_inner(), written);
    add(&mut writer, "b=2");
    assert_eq!(writer.finish().unwrap(), sigtar(&["a=1", "b=2"]));
}

#[test]
fn a_long_signature_is_refused_before_it_is_read() {
    let archive = sigtar(&["a=12345", "b=1"]);
    let mut reader = SigtarReader::new(archive.as_slice());
    assert!(matches!(
        reader.next_entry(4),
        Err(Error::SignatureTooLong {
            len: 5,
            limit: 4,
            ..
        })
    ));
    assert_eq!(reader.next_entry(4).unwrap().unwrap().index, index("b"));
}

#[test]
fn signatures_need_not_be_read() {
    let archive = sigtar(&["a=1", "b=22"]);
    let mut reader = SigtarReader::new(archive.as_slice());
    reader.advance().unwrap();
    assert_eq!(
        reader.advance().unwrap().unwrap().kind,
        SigKind::File { signature_len: 2 }
    );
    assert_eq!(reader.read_signature(2).unwrap(), b"22");
    assert_eq!(reader.advance().unwrap(), None);
}

#[test]
fn repetitions_and_late_roots_are_passed_over() {
    assert_eq!(
        read(&sigtar(&["/", "/", "a=1", "a=2", "/", "b/"])),
        ["./", "a=1", "b/"]
    );
}

#[test]
fn entries_out_of_order_are_not_written() {
    let mut writer = SigtarWriter::new(Vec::new());
    add(&mut writer, "b=1");
    for path in ["b", "a"] {
        let result = writer.deleted(&index(path));
        assert!(matches!(result, Err(Error::OutOfOrder { .. })));
    }
    assert_eq!(read(writer.get_ref()), ["b=1"]);
}

#[test]
fn a_late_entry_is_an_error() {
    let archive = sigtar(&["b=1", "a=1"]);
    let mut reader = SigtarReader::new(archive.as_slice());
    reader.advance().unwrap();
    assert!(matches!(reader.advance(), Err(Error::OutOfOrder { .. })));
}

#[test]
fn the_newest_archive_decides_and_deletions_stay() {
    let archives = [
        sigtar(&["/", "a=1", "b=1", "c=1", "d/", "d/e=1"]),
        sigtar(&["b=2", "-c", "d=2", "-d/e", "f=2"]),
        sigtar(&["/", "b=3", "c/", "e=3"]),
    ];
    assert_eq!(
        combined(&archives),
        ["./", "a=1", "b=3", "c/", "d=2", "-d/e", "e=3", "f=2"]
    );
    assert_eq!(
        combined(&archives[..1]),
        ["./", "a=1", "b=1", "c=1", "d/", "d/e=1"]
    );
    assert!(combined(&[]).is_empty());
    assert!(combined(&[Vec::new(), sigtar(&[])]).is_empty());
}

#[test]
fn sigtars_side_by_side_tell_which_of_them_has_a_path() {
    let archives = [
        sigtar(&["a=one", "b/", "c=x"]),
        sigtar(&[]),
        sigtar(&["-a", "c=three"]),
    ];
    let readers = archives
        .iter()
        .map(|archive| SigtarReader::new(archive.as_slice()));
    let mut collated = Collated::new(readers.collect());
    assert!(collated.present().is_empty() && collated.archive(0).is_none());
    let mut seen = Vec::new();
    while let Some(path) = collated.advance().unwrap().map(ToString::to_string) {
        assert!(collated.archive(1).is_none(), "it has no entries");
        for archive in collated.present().to_vec() {
            let reader = collated.archive(archive).unwrap();
            let deleted = reader.head().unwrap().kind == SigKind::Deleted;
            let mut part = [0; 2];
            let mut signature = Vec::new();
            loop {
                match reader.read_signature_part(&mut part).unwrap() {
                    0 => break,
                    count => signature.extend_from_slice(&part[..count]),
                }
            }
            let signature = String::from_utf8(signature).unwrap();
            seen.push(format!(
                "{archive}:{}{path}={signature}",
                if deleted { "-" } else { "" }
            ));
        }
    }
    assert_eq!(seen, ["0:a=one", "2:-a=", "0:b=", "0:c=x", "2:c=three"]);
}

#[test]
fn an_error_in_one_archive_is_the_error_of_all() {
    let mut damaged = sigtar(&["a=1", "c=1"]);
    damaged.truncate(1500);
    let archives = [sigtar(&["b=1"]), damaged];
    let readers = archives
        .iter()
        .map(|archive| SigtarReader::new(archive.as_slice()));
    let mut combined = CombinedSignatures::new(readers.collect());
    assert_eq!(combined.advance().unwrap().unwrap().index, index("a"));
    assert!(combined.advance().unwrap_err().is_truncated());
}
