//! Archives that duplicity wrote, read to the end, rebuilt, and written again.

use std::collections::BTreeMap;
use std::io::Read;

use redup_difftar::Error;
use redup_difftar::difftar::{
    Content, DifftarReader, Member, Payload, PieceEncoder, VolumeSource, volume_padding,
};
use redup_difftar::patchdir::{PatchDir, Plan, StepKind, Target};
use redup_difftar::sigtar::{SigtarReader, SigtarWriter};
use redup_difftar::tar::{Limits, TarReader};
use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;
use redup_rsync::{PatchLimits, patch};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::fixture::{Case, case, readable_cases};
use crate::support::hex;

#[test]
fn every_state_of_every_readable_fixture_is_rebuilt() {
    for case in readable_cases() {
        if case.is_partial() {
            continue;
        }
        let states = case.sets().count();
        assert!(states >= 2, "{}", case.title);
        for state in 0..states {
            compare(
                &rebuild(&case, state, ""),
                &case.expected(state),
                &case.title,
            );
        }
    }
}

#[test]
fn the_sets_that_a_killed_run_left_are_read_to_their_end() {
    for title in ["0.8.22/partial-full-plain", "3.2.1/partial-inc-plain"] {
        let case = case(title);
        let last = case.sets().last().unwrap();
        let (warnings, collected) = crate::support::collected_warnings();
        let volumes = last.volumes.values().cloned().collect();
        let mut reader = DifftarReader::new(crate::support::volumes(volumes), warnings);
        let mut entries = 0;
        while reader.advance().unwrap().is_some() {
            std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
            entries += 1;
        }
        assert!(entries > 0, "{title}");
        // The run was killed inside a file of many pieces.
        assert_eq!(collected.lock().unwrap().len(), 1, "{title}");
    }
}

#[test]
fn a_sub_path_is_rebuilt_as_the_root() {
    let case = case("3.2.1/plain");
    for prefix in ["big.bin", "names", "type4/sub", "ord/a"] {
        for state in 0..3 {
            let whole = rebuild(&case, state, "");
            let prefix_index = crate::support::index(prefix);
            let below: BTreeMap<_, _> = whole
                .into_iter()
                .filter_map(|(index, value)| Some((index.strip_prefix(&prefix_index)?, value)))
                .collect();
            assert_eq!(
                rebuild(&case, state, prefix),
                below,
                "{prefix} at state {state}"
            );
        }
    }
}

#[test]
fn what_3_2_1_wrote_is_written_again_to_the_byte() {
    for title in [
        "3.2.1/plain",
        "3.2.1/attrs",
        "3.2.1/gz",
        "3.2.1/prefix",
        "3.2.1/maxblock",
    ] {
        for set in case(title).sets() {
            let mut members = written_again(set.reader()).into_iter().peekable();
            for (number, volume) in &set.volumes {
                let mut bytes = Vec::new();
                let content = content_len(volume);
                while bytes.len() < content {
                    bytes.extend(members.next().unwrap().bytes);
                }
                bytes.extend_from_slice(volume_padding(bytes.len() as u64));
                assert!(bytes == *volume, "{title}: volume {number} differs");
            }
            assert!(members.next().is_none());
        }
    }
}

#[test]
fn sigtars_of_3_2_1_are_written_again_to_the_byte() {
    for case in readable_cases() {
        for sigtar in case.sets().filter_map(|set| set.sigtar.as_deref()) {
            let mut reader = SigtarReader::new(sigtar);
            let mut writer = SigtarWriter::new(Vec::new());
            while let Some(entry) = reader.next_entry(u64::MAX).unwrap() {
                writer.entry(&entry).unwrap();
            }
            let written = writer.finish().unwrap();
            assert_eq!(written.len() % 10_240, 0);
            // Both versions ran under the same Python, the old one with the GNU flavour in some cases.
            if !case.title.contains("gnutar") {
                assert!(written == sigtar, "{} differs", case.title);
            }
        }
    }
}

fn rebuild(case: &Case, state: usize, prefix: &str) -> BTreeMap<PathIndex, Value> {
    let readers = case
        .sets()
        .take(state + 1)
        .map(|set| set.reader())
        .collect();
    let mut patches = PatchDir::new(readers).within(crate::support::index(prefix));
    let mut tree = BTreeMap::new();
    while let Some(mut plan) = patches.next_plan().unwrap() {
        let attributes = match &plan.target {
            Target::Absent => continue,
            Target::Node(attributes) | Target::File(attributes) => attributes.clone(),
            Target::Unrecoverable(error) => panic!("{error}"),
        };
        let contents = contents_of(&mut plan);
        let listed = listed(&attributes, &contents);
        assert!(tree.insert(plan.index, listed).is_none());
    }
    tree
}

fn contents_of<V: VolumeSource>(plan: &mut Plan<'_, V>) -> Vec<u8> {
    let mut contents = Vec::new();
    for mut step in plan.steps() {
        match step.kind {
            StepKind::Base => {
                step.read_to_end(&mut contents).unwrap();
            }
            StepKind::Delta => {
                let mut newer = Vec::new();
                patch(step, &contents, &mut newer, &PatchLimits::default()).unwrap();
                contents = newer;
            }
        }
    }
    contents
}

/// The form of a line in the fixtures' listings, without the path.
fn listed(attributes: &Attributes, contents: &[u8]) -> Value {
    let mode = format!("{:04o}", attributes.mode);
    let mut value = json!({
        "mode": mode, "uid": attributes.uid, "gid": attributes.gid, "mtime": attributes.mtime,
    });
    match &attributes.file_type {
        FileType::Regular => {
            let sha256: String = Sha256::digest(contents)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            value["type"] = "reg".into();
            value["size"] = contents.len().into();
            value["sha256"] = sha256.into();
        }
        FileType::Directory => value["type"] = "dir".into(),
        FileType::Fifo => value["type"] = "fifo".into(),
        FileType::Symlink { target } => {
            value["type"] = "sym".into();
            value["target_hex"] = hex(target).into();
            value["mode"] = Value::Null;
            value["mtime"] = Value::Null;
        }
        FileType::CharDevice { major, minor } => {
            value["type"] = "chr".into();
            value["dev"] = json!([major, minor]);
        }
        FileType::BlockDevice { major, minor } => {
            value["type"] = "blk".into();
            value["dev"] = json!([major, minor]);
        }
    }
    value
}

#[track_caller]
fn compare(tree: &BTreeMap<PathIndex, Value>, expected: &[Value], title: &str) {
    let mut rows = expected.iter();
    for (index, value) in tree {
        let mut row = rows
            .next()
            .unwrap_or_else(|| panic!("{title}: {index} is too many"))
            .clone();
        let fields = row.as_object_mut().unwrap();
        fields.remove("path");
        let path = fields.remove("path_hex").unwrap();
        assert_eq!(
            path.as_str(),
            Some(hex(index.as_bytes()).as_str()),
            "{title}"
        );
        assert_eq!(*value, row, "{title}: {index}");
    }
    assert_eq!(rows.next(), None, "{title}: a path is missing");
}

fn written_again<V: VolumeSource>(mut set: DifftarReader<V>) -> Vec<Member> {
    let mut members = Vec::new();
    while let Some(entry) = set.advance().unwrap() {
        let index = entry.index.clone();
        let (attributes, payload) = match &entry.content {
            Content::Deleted => {
                members.push(Member::deleted(index).unwrap());
                continue;
            }
            Content::Snapshot(attributes) if !attributes.file_type.is_regular() => {
                members.push(Member::snapshot(index, attributes).unwrap());
                continue;
            }
            Content::Snapshot(attributes) => (attributes.clone(), Payload::Snapshot),
            Content::Diff(attributes) => (attributes.clone(), Payload::Diff),
        };
        let mut encoder = PieceEncoder::new(index, attributes, payload);
        let mut sink = |member| {
            members.push(member);
            Ok::<(), Error>(())
        };
        let mut chunk = [0; 10_000];
        loop {
            match set.read(&mut chunk).unwrap() {
                0 => break,
                count => encoder.push(&chunk[..count], &mut sink).unwrap(),
            }
        }
        encoder.finish(&mut sink).unwrap();
    }
    members
}

/// The length of a volume's members.
fn content_len(volume: &[u8]) -> usize {
    let mut tar = TarReader::new(volume, Limits::default());
    let mut end = 0;
    while let Some(member) = tar.next_member().unwrap() {
        let header = if volume[member.offset as usize + 156] == b'x' {
            let size = &volume[member.offset as usize + 124..][..11];
            let size = usize::from_str_radix(std::str::from_utf8(size).unwrap(), 8).unwrap();
            1024 + size.next_multiple_of(512)
        } else {
            512
        };
        end = member.offset as usize + header + (member.size as usize).next_multiple_of(512);
    }
    end
}
