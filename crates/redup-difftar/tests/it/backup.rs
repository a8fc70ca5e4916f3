//! Comparing a source with signatures, and whole round trips.

use proptest::prelude::*;
use redup_difftar::Error;
use redup_difftar::collate::CombinedSignatures;
use redup_difftar::diffdir::{Change, DiffDir, SourceError, SourceItem, unchanged};
use redup_difftar::sigtar::{SigtarReader, SigtarWriter};
use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;

use crate::support::{directory, file, index, of_type};

#[derive(Debug, Clone)]
struct Item(PathIndex, Attributes);

impl SourceItem for Item {
    fn index(&self) -> &PathIndex {
        &self.0
    }
    fn attributes(&self) -> &Attributes {
        &self.1
    }
}

#[derive(Debug, Clone)]
struct Unreadable(PathIndex);

impl SourceError for Unreadable {
    fn index(&self) -> &PathIndex {
        &self.0
    }
}

type Source = Vec<Result<Item, Unreadable>>;

/// `path`: a file; `path/`: a directory; `path*`: a file with another mtime; `path!`: unreadable.
fn source(entries: &[&str]) -> Source {
    let touched = Attributes { mtime: 7, ..file() };
    let one = |entry: &&str| match entry.split_at(entry.len() - 1) {
        (path, "/") => Ok(Item(index(path), directory())),
        (path, "*") => Ok(Item(index(path), touched.clone())),
        (path, "!") => Err(Unreadable(index(path))),
        _ => Ok(Item(index(entry), file())),
    };
    entries.iter().map(one).collect()
}

/// Entries as for [`source`], and `-path` for a deletion.
fn signatures(entries: &[&str]) -> Vec<u8> {
    let mut writer = SigtarWriter::new(Vec::new());
    for entry in entries {
        if let Some(path) = entry.strip_prefix('-') {
            writer.deleted(&index(path)).unwrap();
        } else {
            let Ok(Item(index, attributes)) = source(&[entry]).remove(0) else {
                panic!()
            };
            if attributes.file_type.is_regular() {
                writer.file(&index, &attributes, b"sig").unwrap();
            } else {
                writer.other(&index, &attributes).unwrap();
            }
        }
    }
    writer.finish().unwrap()
}

fn numbers(attributes: &Attributes) -> (u64, u64) {
    (attributes.uid, attributes.gid)
}

fn changes(source: Source, archive: Option<&[u8]>) -> Result<Vec<String>, Error> {
    let combined = archive.map(|bytes| CombinedSignatures::new(vec![SigtarReader::new(bytes)]));
    DiffDir::new(source.into_iter(), combined, numbers, 100)?
        .map(|change| {
            Ok(match change? {
                Change::Snapshot {
                    source,
                    previous: None,
                } => format!("new {}", source.0),
                Change::Snapshot {
                    source,
                    previous: Some(_),
                } => format!("anew {}", source.0),
                Change::Diff {
                    source, signature, ..
                } => {
                    assert_eq!(signature, b"sig");
                    format!("diff {}", source.0)
                }
                Change::Deleted { index, .. } => format!("gone {index}"),
                Change::Unchanged { source } => format!("same {}", source.0),
                Change::Unreadable { error } => format!("unreadable {}", error.0),
            })
        })
        .collect()
}

fn compared(entries: &[&str], stored: &[&str]) -> Vec<String> {
    changes(source(entries), Some(&signatures(stored))).unwrap()
}

#[test]
fn without_signatures_everything_is_stored_in_full() {
    let found = changes(source(&["/", "a", "d/", "d/x!"]), None).unwrap();
    assert_eq!(found, ["new .", "new a", "new d", "unreadable d/x"]);
}

#[test]
fn only_what_differs_is_stored() {
    assert_eq!(
        compared(
            &["/", "a", "b*", "d/", "new"],
            &["/", "a", "b", "c", "d/", "d/e", "z/"]
        ),
        [
            "same .", "same a", "diff b", "gone c", "same d", "gone d/e", "new new", "gone z"
        ]
    );
}

#[test]
fn what_was_deleted_before_is_not_deleted_again_and_is_new_when_it_returns() {
    assert_eq!(
        compared(&["/", "b"], &["/", "-a", "-b", "-c"]),
        ["same .", "new b"]
    );
}

#[test]
fn a_change_of_type_is_stored_in_full() {
    assert_eq!(
        compared(&["/", "a", "b/", "b/x"], &["/", "a/", "a/y", "b"]),
        ["same .", "anew a", "gone a/y", "anew b", "new b/x"]
    );
}

#[test]
fn the_root_is_never_deleted() {
    assert_eq!(compared(&[], &["/", "a"]), ["gone a"]);
}

#[test]
fn what_cannot_be_read_is_not_taken_for_deleted() {
    assert_eq!(
        compared(
            &["/", "a!", "b/", "b!", "c", "d/", "d/x!"],
            &[
                "/", "a/", "a/1", "a b", "b/", "b/2", "b/2/3", "c", "d/", "d/x", "d/y"
            ]
        ),
        [
            "same .",
            "unreadable a",
            "gone a b",
            "same b",
            "unreadable b",
            "same c",
            "same d",
            "unreadable d/x",
            "gone d/y",
        ]
    );
}

#[test]
fn an_unreadable_directory_covers_failures_below_it() {
    assert_eq!(
        compared(&["/", "a!", "a/b!"], &["/", "a/", "a/b", "a/c", "d"]),
        ["same .", "unreadable a", "unreadable a/b", "gone d"]
    );
    assert_eq!(compared(&["!"], &["/", "a", "b"]), ["unreadable ."]);
}

#[test]
fn a_source_out_of_order_is_an_error_and_the_end() {
    for entries in [&["a", "b", "a"][..], &["a", "a"], &["b/", "b/c", "b"]] {
        let result = changes(source(entries), None);
        assert!(
            matches!(result, Err(Error::SourceOutOfOrder { .. })),
            "{entries:?}"
        );
    }
}

#[test]
fn a_signature_beyond_the_limit_means_a_snapshot() {
    let archive = signatures(&["a"]);
    let combined = CombinedSignatures::new(vec![SigtarReader::new(archive.as_slice())]);
    let mut changes =
        DiffDir::new(source(&["a*"]).into_iter(), Some(combined), numbers, 2).unwrap();
    assert!(matches!(
        changes.next(),
        Some(Ok(Change::Snapshot {
            previous: Some(_),
            ..
        }))
    ));
}

#[test]
fn damaged_signatures_end_the_comparison() {
    let mut archive = signatures(&["a", "b", "c"]);
    archive[1024] ^= 1;
    let combined = CombinedSignatures::new(vec![SigtarReader::new(archive.as_slice())]);
    let mut changes =
        DiffDir::new(source(&["a", "b"]).into_iter(), Some(combined), numbers, 9).unwrap();
    assert!(matches!(changes.next(), Some(Err(Error::BadHeader { .. }))));
    assert!(changes.next().is_none());
}

#[test]
fn regular_files_directories_and_pipes_are_the_same_by_mode_owner_and_seconds() {
    for file_type in [FileType::Regular, FileType::Directory, FileType::Fifo] {
        let stored = of_type(file_type);
        assert!(unchanged(&stored, &stored, numbers));
        for different in [
            Attributes {
                mode: 0o600,
                ..stored.clone()
            },
            Attributes {
                uid: 1,
                ..stored.clone()
            },
            Attributes {
                gid: 1,
                ..stored.clone()
            },
            Attributes {
                mtime: 1,
                ..stored.clone()
            },
            of_type(FileType::Symlink {
                target: b"x".to_vec(),
            }),
        ] {
            assert!(!unchanged(&different, &stored, numbers), "{different:?}");
        }
    }
}

#[test]
fn links_are_the_same_by_target_and_devices_whatever_their_mtime() {
    let link = |target: &[u8], mode| Attributes {
        mode,
        uid: mode.into(),
        ..of_type(FileType::Symlink {
            target: target.to_vec(),
        })
    };
    assert!(unchanged(&link(b"a", 1), &link(b"a", 2), numbers));
    assert!(!unchanged(&link(b"a", 1), &link(b"b", 1), numbers));

    let device = of_type(FileType::BlockDevice { major: 1, minor: 2 });
    let later = Attributes {
        mtime: 1,
        ..device.clone()
    };
    assert!(unchanged(&later, &device, numbers));
    assert!(!unchanged(
        &Attributes { mode: 0, ..later },
        &device,
        numbers
    ));
    let other = of_type(FileType::BlockDevice { major: 1, minor: 3 });
    assert!(!unchanged(&other, &device, numbers));
}

#[test]
fn times_before_the_epoch_are_all_the_same() {
    let before = Attributes {
        mtime: -5,
        ..file()
    };
    let stored = Attributes { mtime: 0, ..file() };
    assert!(unchanged(&before, &stored, numbers));
}

#[test]
fn stored_owners_are_mapped_to_those_of_this_host() {
    let here = Attributes {
        uid: 500,
        gid: 600,
        ..file()
    };
    let by_name = |stored: &Attributes| {
        assert_eq!(stored.uname, b"root");
        (500, 600)
    };
    assert!(unchanged(&here, &file(), by_name));
    assert!(!unchanged(&file(), &file(), by_name));
}

/// A tree by path: a file of some version, a directory, or nothing.
fn tree() -> impl Strategy<Value = Vec<(PathIndex, u8)>> {
    proptest::collection::btree_map("[ab/. ]{1,5}", 0..4u8, 0..20).prop_map(|entries| {
        let valid = entries
            .into_iter()
            .filter_map(|(path, kind)| Some((PathIndex::from_bytes(path.as_bytes()).ok()?, kind)));
        let sorted: std::collections::BTreeMap<_, _> = valid.collect();
        sorted.into_iter().collect()
    })
}

fn item_of((index, kind): &(PathIndex, u8)) -> Item {
    let attributes = match kind {
        0 => directory(),
        version => Attributes {
            mtime: (*version).into(),
            ..file()
        },
    };
    Item(index.clone(), attributes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// After any sequence of trees the signatures describe the last one.
    #[test]
    fn signatures_follow_the_source(trees in proptest::collection::vec(tree(), 1..6)) {
        let mut archives: Vec<Vec<u8>> = Vec::new();
        for tree in &trees {
            let readers = archives.iter().map(|bytes| SigtarReader::new(bytes.as_slice()));
            let combined = CombinedSignatures::new(readers.collect());
            let source = tree.iter().map(|entry| Ok::<_, Unreadable>(item_of(entry)));
            let mut writer = SigtarWriter::new(Vec::new());
            for change in DiffDir::new(source, Some(combined), numbers, 100).unwrap() {
                match change.unwrap() {
                    Change::Deleted { index, .. } => writer.deleted(&index).unwrap(),
                    Change::Snapshot { source: Item(index, attributes), .. }
                    | Change::Diff { source: Item(index, attributes), .. } => {
                        if attributes.file_type.is_regular() {
                            writer.file(&index, &attributes, b"sig").unwrap();
                        } else {
                            writer.other(&index, &attributes).unwrap();
                        }
                    }
                    Change::Unchanged { .. } | Change::Unreadable { .. } => {}
                }
            }
            archives.push(writer.finish().unwrap());
        }
        let readers = archives.iter().map(|bytes| SigtarReader::new(bytes.as_slice()));
        let combined = CombinedSignatures::new(readers.collect());
        let last = trees.last().unwrap();
        let source = last.iter().map(|entry| Ok::<_, Unreadable>(item_of(entry)));
        let again: Vec<_> = DiffDir::new(source, Some(combined), numbers, 100)
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        prop_assert_eq!(again.len(), last.len());
        let all_same = again.iter().all(|change| matches!(change, Change::Unchanged { .. }));
        prop_assert!(all_same);
    }
}
