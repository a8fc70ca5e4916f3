//! Manifests written by duplicity, cut ones, and there and back.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use redup_format::index::PathIndex;
use redup_format::manifest::{
    ChangeKind, Difference, FileChange, Manifest, ManifestError, Position, Reader, VolumeInfo,
    filelist_bytes, header_bytes, quote, unquote,
};

use crate::{fixtures, json_lines};

/// The second increment of the plain case, without most of its list of files.
const EXAMPLE: &str = r#"Hostname fixture-host
Localdir /srv/redup-fixture/src
Volume 1:
    StartingPath   .  
    EndingPath     big2.bin 15
    Hash SHA1 a198c0c928ed6adf5fb7b4e519a5d26e6edfb3c1
Volume 2:
    StartingPath   big2.bin 16
    EndingPath     "names/with\x20space"  
    Hash SHA1 0d03c42b05e879cb5626515a00d4723a796070fc
Filelist 3
    changed  big.bin
    new      big2.bin
    deleted  one
"#;

#[test]
fn a_manifest_says_what_is_where() {
    let manifest = Manifest::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(manifest.hostname.as_deref(), Some(&b"fixture-host"[..]));
    assert_eq!(
        manifest.local_dir.as_deref(),
        Some(&b"/srv/redup-fixture/src"[..])
    );
    let second = &manifest.volumes[&2];
    assert_eq!(
        second.start,
        Position {
            index: index("big2.bin"),
            block: Some(16)
        }
    );
    assert_eq!(
        second.end,
        Position {
            index: index("names/with space"),
            block: None
        }
    );
    assert_eq!(manifest.volumes[&1].start, Position::default());
    assert_eq!(
        manifest.files_changed[1],
        FileChange {
            kind: ChangeKind::New,
            index: index("big2.bin")
        }
    );
    assert_eq!(String::from_utf8(manifest.to_bytes()).unwrap(), EXAMPLE);
}

#[test]
fn every_golden_manifest_is_written_again_byte_for_byte() {
    let mut count = 0;
    for path in golden_manifests() {
        let bytes = std::fs::read(&path).unwrap();
        let manifest =
            Manifest::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut written = manifest.to_bytes();
        if path
            .extension()
            .is_some_and(|extension| extension == "part")
        {
            assert!(written.ends_with(b"Filelist 0\n"), "{}", path.display());
            written.truncate(written.len() - b"Filelist 0\n".len());
        }
        assert_eq!(written, bytes, "{}", path.display());
        count += 1;
    }
    assert!(count > 60, "only {count} golden manifests were found");
}

fn golden_manifests() -> Vec<PathBuf> {
    let entries = |dir: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).into_iter().flatten();
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect()
    };
    let cases = ["0.8.22", "3.2.1", "mixed"]
        .iter()
        .flat_map(|version| entries(&fixtures().join(version)));
    let files = cases.flat_map(|case| entries(&case.join("archive")));
    let is_manifest = |path: &PathBuf| {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        name.ends_with(".manifest")
            || name.ends_with(".manifest.part")
            || name.starts_with("d") && name.ends_with(".m")
    };
    files.filter(is_manifest).collect()
}

#[test]
fn paths_are_quoted_as_duplicity_quotes_them() {
    let bytes = |hex: &serde_json::Value| -> Vec<u8> {
        let hex = hex.as_str().unwrap();
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    for vector in json_lines("vectors/3.2.1/quote.jsonl") {
        let (raw, quoted) = (bytes(&vector["raw_hex"]), bytes(&vector["quoted_hex"]));
        assert_eq!(*quote(&raw), quoted, "{vector}");
        assert_eq!(unquote(&quoted).unwrap(), raw, "{vector}");
    }
}

#[test]
fn quotes_that_do_not_close_are_refused() {
    assert_eq!(unquote(b"\""), None);
    assert_eq!(unquote(b"\"a"), None);
    assert_eq!(unquote(br#""a\xzz\x4""#).unwrap(), &br"a\xzz\x4"[..]);
}

/// A block of lines whose hash tells one writing from another.
fn block(number: u32, hash: u8) -> String {
    format!(
        "Volume {number}:\n    StartingPath   .  \n    EndingPath     a  \n    Hash SHA1 {}\n",
        hex_of(hash)
    )
}

fn hex_of(hash: u8) -> String {
    format!("{hash:02x}").repeat(20)
}

#[track_caller]
fn check_volumes(text: &str, expected: &[(u32, u8)]) {
    let manifest = Manifest::parse(text.as_bytes()).expect("a manifest");
    let found = manifest
        .volumes
        .values()
        .map(|volume| (volume.number, volume.sha1.map_or(0, |hash| hash[0])));
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

#[test]
fn the_last_of_several_blocks_with_one_number_holds() {
    let text = [
        block(1, 1),
        block(2, 2),
        block(3, 3),
        block(3, 4),
        block(4, 5),
    ]
    .concat();
    check_volumes(&text, &[(1, 1), (2, 2), (3, 4), (4, 5)]);
}

#[test]
fn blocks_above_the_last_one_are_of_an_earlier_try() {
    check_volumes(
        &[block(1, 1), block(2, 2), block(3, 3), block(2, 4)].concat(),
        &[(1, 1), (2, 4)],
    );
}

#[test]
fn a_manifest_cut_anywhere_in_its_last_block_lacks_that_block() {
    let (whole, last) = (block(1, 1), block(2, 2));
    for cut in 0..last.len() - 1 {
        check_volumes(&format!("{whole}{}", &last[..cut]), &[(1, 1)]);
    }
    for cut in last.len() - 1..=last.len() {
        check_volumes(&format!("{whole}{}", &last[..cut]), &[(1, 1), (2, 2)]);
    }
}

#[test]
fn a_cut_list_of_files_costs_no_volume() {
    let text = EXAMPLE.as_bytes();
    let list = EXAMPLE.find("Filelist").unwrap();
    for cut in list..text.len() {
        assert_eq!(
            Manifest::parse(&text[..cut]).unwrap().volumes.len(),
            2,
            "cut at {cut}"
        );
    }
}

#[test]
fn volumes_of_very_old_sets_have_no_hash() {
    let text = "Volume 1:\n  startingpath . \n  ENDINGPATH a/b 3\nvolume 2:\n  StartingPath c\n  EndingPath c\n";
    check_volumes(text, &[(1, 0), (2, 0)]);
    let text =
        "Volume 1:\n StartingPath .\n EndingPath a\n Hash MD5 00112233445566778899aabbccddeeff\n";
    assert!(
        Manifest::parse(text.as_bytes()).unwrap().volumes[&1]
            .md5
            .is_some()
    );
}

#[test]
fn a_block_cut_by_a_crash_is_forgiven_when_it_was_written_again() {
    let cut = "Volume 2:\n    StartingPath   b  \n";
    check_volumes(
        &[&block(1, 1), cut, &block(2, 2)].concat(),
        &[(1, 1), (2, 2)],
    );
    let missing = [&block(1, 1), cut, &block(3, 3)].concat();
    let error = Manifest::parse(missing.as_bytes()).unwrap_err();
    assert_eq!(error, ManifestError::IncompleteVolume { number: 2 });
}

#[test]
fn an_empty_manifest_has_no_volumes() {
    assert_eq!(Manifest::parse(b"").unwrap(), Manifest::default());
}

#[test]
fn nonsense_names_its_line() {
    let bad = |text: &str| Manifest::parse(text.as_bytes()).unwrap_err();
    assert!(matches!(
        bad("Volume 0:\n"),
        ManifestError::VolumeNumber { line: 1, .. }
    ));
    assert!(matches!(
        bad("\nVolume 99999999999999:\n"),
        ManifestError::VolumeNumber { line: 2, .. }
    ));
    assert!(matches!(
        bad("Volume 1:\n StartingPath a/../b\n"),
        ManifestError::Path { line: 2, .. }
    ));
    assert!(matches!(
        bad("Volume 1:\n StartingPath /a\n"),
        ManifestError::Path { line: 2, .. }
    ));
    assert!(matches!(
        bad("Volume 1:\n StartingPath \"a\n"),
        ManifestError::Quoting { line: 2 }
    ));
    assert!(matches!(
        bad("Volume 1:\n StartingPath a x\n"),
        ManifestError::Block { line: 2 }
    ));
    assert!(matches!(
        bad("Volume 1:\n Hash SHA1 abc\n"),
        ManifestError::Hash { line: 2 }
    ));
    assert!(matches!(
        bad(&"x".repeat(Manifest::MAX_LINE + 1)),
        ManifestError::LongLine { line: 1 }
    ));
}

#[test]
fn the_list_of_files_can_be_passed_over() {
    let mut reader = Reader::new().without_files();
    reader.push(EXAMPLE.as_bytes()).unwrap();
    assert!(reader.finish().unwrap().files_changed.is_empty());
}

#[test]
fn copies_are_compared_as_duplicity_compares_them() {
    let remote = Manifest::parse(EXAMPLE.as_bytes()).unwrap();
    let mut local = remote.clone();
    local.volumes.get_mut(&1).unwrap().sha1 = None;
    local.files_changed.clear();
    assert_eq!(remote.difference(&local), None);
    local.local_dir = None;
    assert_eq!(remote.difference(&local), Some(Difference::LocalDir));
    local.volumes.remove(&2);
    assert_eq!(remote.difference(&local), Some(Difference::Volumes));
}

#[test]
fn only_volumes_whose_range_touches_a_path_can_hold_it() {
    let range = |start: &str, end: &str| VolumeInfo {
        number: 1,
        start: Position {
            index: index(start),
            block: None,
        },
        end: Position {
            index: index(end),
            block: None,
        },
        sha1: None,
        md5: None,
        crc32: None,
    };
    assert!(range("a/b", "c").can_hold(&index("a")));
    assert!(range("a/b", "c").can_hold(&index("b")));
    assert!(range("a/b", "c").can_hold(&PathIndex::root()));
    assert!(range("", "a/b").can_hold(&index("a")));
    assert!(!range("a/b", "c").can_hold(&index("a/a")));
    assert!(!range("a/b", "c").can_hold(&index("c-")));
    assert!(!range("a/b", "c").can_hold(&index("d")));
}

#[track_caller]
fn index(joined: &str) -> PathIndex {
    PathIndex::from_bytes(joined.as_bytes()).expect("an index")
}

fn any_index() -> impl Strategy<Value = PathIndex> {
    let byte = prop_oneof![1 => any::<u8>(), 1 => prop::sample::select(b" \\\"'\n.ax/".to_vec())];
    let component = prop::collection::vec(byte, 1..6);
    prop::collection::vec(component, 0..4).prop_filter_map("a path", |components| {
        PathIndex::from_bytes(&components.join(&b'/')).ok()
    })
}

fn any_position() -> impl Strategy<Value = Position> {
    (any_index(), any::<Option<u32>>()).prop_map(|(index, block)| Position { index, block })
}

fn any_manifest() -> impl Strategy<Value = Manifest> {
    let volume = (
        any_position(),
        any_position(),
        any::<[u8; 20]>(),
        any::<Option<[u8; 16]>>(),
        any::<Option<u32>>(),
    );
    let volumes = prop::collection::vec(volume, 0..6);
    let kind = prop::sample::select(vec![
        ChangeKind::New,
        ChangeKind::Changed,
        ChangeKind::Deleted,
    ]);
    let files = prop::collection::vec((kind, any_index()), 0..6);
    let bytes = || prop::option::of(prop::collection::vec(any::<u8>(), 1..12));
    (bytes(), bytes(), volumes, files).prop_map(|(hostname, local_dir, volumes, files)| Manifest {
        hostname,
        local_dir,
        volumes: (1..)
            .zip(volumes)
            .map(|(number, (start, end, sha1, md5, crc32))| {
                (
                    number,
                    VolumeInfo {
                        number,
                        start,
                        end,
                        sha1: Some(sha1),
                        md5,
                        crc32,
                    },
                )
            })
            .collect(),
        files_changed: files
            .into_iter()
            .map(|(kind, index)| FileChange { kind, index })
            .collect(),
        has_file_list: true,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(manifest in any_manifest()) {
        prop_assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
    }

    #[test]
    fn the_chunks_a_manifest_comes_in_do_not_matter(manifest in any_manifest(), size in 1usize..40) {
        let bytes = manifest.to_bytes();
        let mut reader = Reader::new();
        for chunk in bytes.chunks(size) {
            reader.push(chunk).unwrap();
        }
        prop_assert_eq!(reader.finish(), Ok(manifest));
    }

    #[test]
    fn a_manifest_written_piece_by_piece_is_the_same(manifest in any_manifest()) {
        let mut bytes = header_bytes(manifest.hostname.as_deref(), manifest.local_dir.as_deref());
        bytes.extend(manifest.volumes.values().flat_map(VolumeInfo::to_bytes));
        bytes.extend(filelist_bytes(&manifest.files_changed));
        prop_assert_eq!(bytes, manifest.to_bytes());
    }

    #[test]
    fn any_bytes_are_a_manifest_or_an_error(lines in "((Volume|Hostname|Localdir|Hash|StartingPath|EndingPath|new)[ :a-f0-9\"./\\\\]{0,12}\n){0,12}\\PC{0,9}") {
        let _outcome = Manifest::parse(lines.as_bytes());
    }

    #[test]
    fn indexes_are_ordered_as_their_tuples_are(a in any_index(), b in any_index()) {
        let tuple = |index: &PathIndex| index.components().map(<[u8]>::to_vec).collect::<Vec<_>>();
        prop_assert_eq!(a.cmp(&b), tuple(&a).cmp(&tuple(&b)));
    }
}

/// It is for stores to be asked by, and nothing else depends on it.
#[test]
fn a_checksum_stands_before_the_hash_and_one_that_is_none_is_passed_over() {
    let hash = "0d03c42b05e879cb5626515a00d4723a796070fc";
    let text = |crc32: &str| {
        format!(
            "Volume 1:\n    StartingPath   .  \n    EndingPath     a  \n    Hash CRC32 {crc32}\n    Hash SHA1 {hash}\n"
        )
    };
    let read = |crc32: &str| Manifest::parse(text(crc32).as_bytes()).unwrap().volumes[&1].clone();
    assert_eq!(read("0badf00d").crc32, Some(0x0bad_f00d));
    assert_eq!(read("0badf00d").to_bytes(), text("0badf00d").into_bytes());
    for none in ["badf00d", "0badf00d00", "0badf00g", ""] {
        let volume = read(none);
        assert_eq!(
            (volume.crc32, volume.sha1.is_some()),
            (None, true),
            "{none}"
        );
    }
}

#[test]
fn a_lost_beginning_of_a_volume_is_an_error() {
    let block = "Volume 1:\n StartingPath a\n EndingPath b\n";
    let lost = format!("{block} StartingPath b\n EndingPath c\n");
    assert_eq!(
        Manifest::parse(lost.as_bytes()),
        Err(ManifestError::Repeated { line: 4 })
    );
    let gap = format!("{block}Volume 3:\n StartingPath b\n EndingPath c\n");
    assert_eq!(
        Manifest::parse(gap.as_bytes()),
        Err(ManifestError::IncompleteVolume { number: 2 })
    );
}
