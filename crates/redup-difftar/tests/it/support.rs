//! Small things that the tests build their cases from.

use std::sync::{Arc, Mutex};

use redup_difftar::difftar::{
    DifftarReader, Member, Payload, PieceEncoder, Volume, volume_padding,
};
use redup_difftar::{BoxError, Error, Warning, Warnings};
use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;

/// Any volumes from memory.
pub(crate) type Volumes = std::vec::IntoIter<Result<Volume<std::io::Cursor<Vec<u8>>>, BoxError>>;

pub(crate) fn index(path: &str) -> PathIndex {
    PathIndex::from_bytes(path.as_bytes()).unwrap()
}

pub(crate) fn of_type(file_type: FileType) -> Attributes {
    Attributes {
        file_type,
        mode: 0o644,
        uid: 0,
        gid: 0,
        uname: b"root".to_vec(),
        gname: b"root".to_vec(),
        mtime: 1_600_000_000,
    }
}

pub(crate) fn file() -> Attributes {
    of_type(FileType::Regular)
}

pub(crate) fn directory() -> Attributes {
    of_type(FileType::Directory)
}

/// The members of one regular file.
pub(crate) fn file_members(path: &str, payload: Payload, bytes: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    let mut sink = |member| {
        members.push(member);
        Ok::<(), Error>(())
    };
    let mut encoder = PieceEncoder::new(index(path), file(), payload);
    encoder.push(bytes, &mut sink).unwrap();
    encoder.finish(&mut sink).unwrap();
    members
}

pub(crate) fn snapshot(path: &str, bytes: &[u8]) -> Vec<Member> {
    file_members(path, Payload::Snapshot, bytes)
}

pub(crate) fn diff(path: &str, bytes: &[u8]) -> Vec<Member> {
    file_members(path, Payload::Diff, bytes)
}

pub(crate) fn dir(path: &str) -> Vec<Member> {
    vec![Member::snapshot(index(path), &directory()).unwrap()]
}

pub(crate) fn deleted(path: &str) -> Vec<Member> {
    vec![Member::deleted(index(path)).unwrap()]
}

/// One volume of these members.
pub(crate) fn volume(members: impl IntoIterator<Item = Member>) -> Vec<u8> {
    let mut bytes: Vec<u8> = members
        .into_iter()
        .flat_map(|member| member.bytes)
        .collect();
    bytes.extend_from_slice(volume_padding(bytes.len() as u64));
    bytes
}

pub(crate) fn volumes(volumes: Vec<Vec<u8>>) -> Volumes {
    let named: Vec<_> = (1..)
        .zip(volumes)
        .map(|(number, bytes)| {
            Ok(Volume {
                name: format!("vol{number}"),
                data: std::io::Cursor::new(bytes),
            })
        })
        .collect();
    named.into_iter()
}

/// A set in one volume, whose reading must not warn.
pub(crate) fn set(entries: impl IntoIterator<Item = Vec<Member>>) -> DifftarReader<Volumes> {
    let bytes = volume(entries.into_iter().flatten());
    DifftarReader::new(volumes(vec![bytes]), no_warnings())
}

pub(crate) fn no_warnings() -> Warnings {
    Warnings::new(|warning| panic!("{warning}"))
}

/// Warnings, and where to look at them.
pub(crate) fn collected_warnings() -> (Warnings, Arc<Mutex<Vec<Warning>>>) {
    let collected = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&collected);
    (
        Warnings::new(move |warning| sink.lock().unwrap().push(warning)),
        collected,
    )
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
