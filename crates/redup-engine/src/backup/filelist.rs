//! The file list that an interrupted run left, read beside its signatures.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::iter::Peekable;

use redup_format::index::PathIndex;
use redup_format::manifest::{ChangeKind, FileChange, unquote};

use super::log::FILE_LIST_NAME;
use crate::Result;
use crate::archive_dir::ArchiveDir;

/// Lines in path order. The list only informs people: a line that cannot be read ends it early.
pub(super) struct FileList {
    lines: Option<Peekable<Lines>>,
}

type Lines = Box<dyn Iterator<Item = FileChange>>;

impl FileList {
    pub(super) fn open(dir: &ArchiveDir) -> Result<Self> {
        let lines = dir
            .open_file(FILE_LIST_NAME)?
            .map(|file| parsed(file).peekable());
        Ok(Self { lines })
    }

    /// What the list says of `index`; indexes must rise from call to call.
    pub(super) fn change_of(&mut self, index: &PathIndex) -> Result<Option<ChangeKind>> {
        let Some(lines) = &mut self.lines else {
            return Ok(None);
        };
        while lines.next_if(|change| change.index < *index).is_some() {}
        Ok(lines
            .next_if(|change| change.index == *index)
            .map(|change| change.kind))
    }
}

fn parsed(file: File) -> Lines {
    let lines = BufReader::new(file).split(b'\n');
    Box::new(lines.map_while(|line| parse(&line.ok()?)))
}

/// The manifest's own form of a line.
fn parse(line: &[u8]) -> Option<FileChange> {
    let mut words = line.trim_ascii_start().splitn(2, |b| *b == b' ');
    let kind = match words.next()? {
        b"new" => ChangeKind::New,
        b"changed" => ChangeKind::Changed,
        b"deleted" => ChangeKind::Deleted,
        _ => return None,
    };
    let path = unquote(words.next()?.trim_ascii_start())?;
    let index = if *path == *b"." {
        PathIndex::root()
    } else {
        PathIndex::from_bytes(&path).ok()?
    };
    Some(FileChange { kind, index })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_is_written_is_read_back() {
        for name in [&b"a"[..], b"a b/\n\xff", b"", b"\"q'", b"new  x"] {
            for kind in [ChangeKind::New, ChangeKind::Changed, ChangeKind::Deleted] {
                let change = FileChange {
                    kind,
                    index: PathIndex::from_bytes(name).unwrap(),
                };
                let line = change.to_bytes();
                assert_eq!(parse(line.strip_suffix(b"\n").unwrap()), Some(change));
            }
        }
    }
}
