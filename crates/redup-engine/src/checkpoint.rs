//! The checkpoint: what a killed run has safely stored, so that the next one goes on from there.
//!
//! duplicity's own restart state (`….manifest.part` and `….sigtar.part`) cannot say which signatures
//! belong to what was stored. So redup keeps its own record beside them: a line for each volume the
//! store has acknowledged, with the length and hash that the signature archive had when it covered
//! that volume. A record whose signature archive is not the one it names (duplicity ran in between,
//! or a disk lost it) is not used.
//!
//! The file is JSON lines, appended and synced; a line cut by a crash is dropped.

use std::fs::{File, OpenOptions};
use std::io::Write;

use redup_format::filename::Span;
use redup_format::index::PathIndex;
use redup_format::manifest::{Position, VolumeInfo};
use serde::{Deserialize, Serialize};

use crate::archive_dir::ArchiveDir;
use crate::{Error, Result};

/// A name of redup's own: duplicity ignores it.
pub(crate) const NAME: &str = "redup-checkpoint";

/// Raised when a line's meaning changes, or what it vouches for: the bytes that the delta engine
/// makes of given input, and where members are cut.
const FORMAT: u32 = 1;

/// One volume that the store has, and what vouches for the state after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredVolume {
    /// Number, range and hash.
    pub(crate) info: VolumeInfo,
    /// Length of the object.
    pub(crate) len: u64,
    /// When the volume ends inside a file: what its stored pieces look like.
    pub(crate) pieces: Option<StoredPieces>,
    /// Length and SHA-1 of the signature archive, all signatures up to this volume included.
    pub(crate) signatures: (u64, [u8; 20]),
}

/// The pieces of a file that lie before a volume's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredPieces {
    /// Whether they are pieces of a delta, not of the file.
    pub(crate) diff: bool,
    /// SHA-1 of their payload.
    #[serde(with = "hex_digest")]
    pub(crate) sha1: [u8; 20],
}

/// The checkpoint of the set being written.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    file: File,
}

impl Checkpoint {
    /// Begins the record of `span` with the volumes that a resumed run keeps.
    pub(crate) fn begin(dir: &ArchiveDir, span: Span, kept: &[StoredVolume]) -> Result<Self> {
        let mut bytes = line(&Header {
            redup_checkpoint: FORMAT,
            set: span_key(span),
        })?;
        for volume in kept {
            bytes.extend(line(&Line::from(volume))?);
        }
        dir.write(NAME, &bytes)?;
        let path = dir.path(NAME);
        let file = OpenOptions::new().append(true).open(&path);
        Ok(Self {
            file: file.map_err(|e| Error::io("open", path, e))?,
        })
    }

    /// Records a volume; on return it survives a crash.
    pub(crate) fn append(&mut self, dir: &ArchiveDir, volume: &StoredVolume) -> Result<()> {
        let bytes = line(&Line::from(volume))?;
        self.file
            .write_all(&bytes)
            .and_then(|()| self.file.sync_data())
            .map_err(|e| Error::io("write", dir.path(NAME), e))
    }

    /// Reads the record of `span`; empty when there is none, or one that cannot be used.
    pub(crate) fn read(dir: &ArchiveDir, span: Span) -> Result<Vec<StoredVolume>> {
        let bytes = dir.read(NAME)?.unwrap_or_default();
        let mut lines = bytes
            .split_inclusive(|b| *b == b'\n')
            .filter(|l| l.ends_with(b"\n"));
        let header = lines
            .next()
            .and_then(|l| serde_json::from_slice::<Header>(l).ok());
        if !header.is_some_and(|h| h.redup_checkpoint == FORMAT && h.set == span_key(span)) {
            return Ok(Vec::new());
        }
        let mut volumes = Vec::new();
        for bytes in lines {
            let Some(volume) = serde_json::from_slice::<Line>(bytes)
                .ok()
                .and_then(Line::into_volume)
            else {
                break;
            };
            if volume.info.number as usize != volumes.len() + 1 {
                break;
            }
            volumes.push(volume);
        }
        Ok(volumes)
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    redup_checkpoint: u32,
    set: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    volume: u32,
    /// Paths are bytes, JSON is not.
    start: String,
    start_block: Option<u32>,
    end: String,
    end_block: Option<u32>,
    #[serde(with = "hex_digest")]
    sha1: [u8; 20],
    /// Records of older versions have none.
    #[serde(default)]
    crc32: Option<u32>,
    len: u64,
    pieces: Option<StoredPieces>,
    signatures_len: u64,
    #[serde(with = "hex_digest")]
    signatures_sha1: [u8; 20],
}

impl From<&StoredVolume> for Line {
    fn from(v: &StoredVolume) -> Self {
        Self {
            volume: v.info.number,
            start: hex(v.info.start.index.as_bytes()),
            start_block: v.info.start.block,
            end: hex(v.info.end.index.as_bytes()),
            end_block: v.info.end.block,
            sha1: v.info.sha1.unwrap_or_default(),
            crc32: v.info.crc32,
            len: v.len,
            pieces: v.pieces.clone(),
            signatures_len: v.signatures.0,
            signatures_sha1: v.signatures.1,
        }
    }
}

impl Line {
    fn into_volume(self) -> Option<StoredVolume> {
        let position = |index: &str, block| {
            let index = PathIndex::from_bytes(&unhex(index)?).ok()?;
            Some(Position { index, block })
        };
        let start = position(&self.start, self.start_block)?;
        let end = position(&self.end, self.end_block)?;
        Some(StoredVolume {
            info: VolumeInfo {
                number: self.volume,
                start,
                end,
                sha1: Some(self.sha1),
                md5: None,
                crc32: self.crc32,
            },
            len: self.len,
            pieces: self.pieces,
            signatures: (self.signatures_len, self.signatures_sha1),
        })
    }
}

fn line<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value).map_err(|_| Error::Internal("checkpoint"))?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn span_key(span: Span) -> String {
    match span {
        Span::Full(time) => format!("full {time}"),
        Span::Inc { start, end } => format!("inc {start} {end}"),
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |d: u8| {
        char::from(d)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    digits
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

mod hex_digest {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(digest: &[u8; 20], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::hex(digest))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 20], D::Error> {
        let text = String::deserialize(from)?;
        super::unhex(&text)
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| D::Error::custom("not a SHA-1"))
    }
}

#[cfg(test)]
mod tests {
    use redup_format::time::Timestamp;

    use super::*;

    fn volume(number: u32, end: &[u8]) -> StoredVolume {
        let position = |index: &[u8], block| Position {
            index: PathIndex::from_bytes(index).unwrap(),
            block,
        };
        StoredVolume {
            info: VolumeInfo {
                number,
                start: position(b"", None),
                end: position(end, Some(3)),
                sha1: Some([number as u8; 20]),
                md5: None,
                crc32: Some(number),
            },
            len: 1000,
            pieces: Some(StoredPieces {
                diff: true,
                sha1: [9; 20],
            }),
            signatures: (77, [8; 20]),
        }
    }

    fn span() -> Span {
        Span::Full(Timestamp::from_secs(1_704_067_200))
    }

    #[test]
    fn what_was_recorded_is_read_back_whatever_the_bytes_of_a_name() {
        let root = tempfile::tempdir().unwrap();
        let dir = ArchiveDir::open(root.path()).unwrap();
        let first = volume(1, b"a b/\xff\xfe\n");
        let mut checkpoint = Checkpoint::begin(&dir, span(), std::slice::from_ref(&first)).unwrap();
        checkpoint.append(&dir, &volume(2, b"z")).unwrap();
        assert_eq!(
            Checkpoint::read(&dir, span()).unwrap(),
            [first, volume(2, b"z")]
        );
    }

    #[test]
    fn a_line_cut_by_a_crash_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let dir = ArchiveDir::open(root.path()).unwrap();
        Checkpoint::begin(&dir, span(), &[volume(1, b"a"), volume(2, b"b")]).unwrap();
        let bytes = dir.read(NAME).unwrap().unwrap();
        for cut in 1..200 {
            dir.write(NAME, &bytes[..bytes.len() - cut]).unwrap();
            assert_eq!(Checkpoint::read(&dir, span()).unwrap(), [volume(1, b"a")]);
        }
    }

    #[test]
    fn the_record_of_another_set_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let dir = ArchiveDir::open(root.path()).unwrap();
        Checkpoint::begin(&dir, span(), &[volume(1, b"a")]).unwrap();
        let other = Span::Full(Timestamp::from_secs(1_704_067_201));
        assert_eq!(Checkpoint::read(&dir, other).unwrap(), []);
    }
}
