//! The file list that an interrupted run left, read beside its signatures.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::iter::Peekable;

use redup_format::index::PathIndex;
use redup_format::manifest::{ChangeKind, FileChange};

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
        let lines = dir.open_file(FILE_LIST_NAME)?.map(|file| parsed(file).peekable());
        Ok(Self { lines })
    }

    /// What the list says of `index`; indexes must rise from call to call.
    pub(super) fn change_of(&mut self, index: &PathIndex) -> Result<Option<ChangeKind>> {
        let Some(lines) = &mut self.lines else { return Ok(None) };
        while lines.next_if(|change| change.index < *index).is_some() {}
        Ok(lines.next_if(|change| change.index == *index).map(|change| change.kind))
    }
}

fn parsed(file: File) -> Lines {
    let lines = BufReader::new(file).split(b'\n');
    Box::new(lines.map_while(|line| FileChange::parse(&line.ok()?)))
}
