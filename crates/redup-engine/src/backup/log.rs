//! The signature archive and the file list of the set being written, as far as they are.
//!
//! The scanning stage adds a path here before its last member leaves for a volume; the commit stage
//! syncs the log before it records that volume. So at every checkpoint the log covers at least what
//! the volumes hold, and what it holds beyond that is cut off when a run is resumed.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use redup_difftar::sigtar::SigtarWriter;
use redup_format::entry::Attributes;
use redup_format::filename::{Kind, Naming, Span};
use redup_format::index::PathIndex;
use redup_format::manifest::{ChangeKind, FileChange};
use sha1::{Digest, Sha1};

use crate::archive_dir::ArchiveDir;
use crate::{Error, Result};

/// The file list of the set being written; a name of redup's own.
pub(super) const FILE_LIST_NAME: &str = "redup-filelist";

/// Names before the first volume is stored: swept like any temporary file when the run dies.
const UNPUBLISHED_SIGNATURES: &str = ".redup-tmp-signatures";
const UNPUBLISHED_FILE_LIST: &str = ".redup-tmp-filelist";

/// What a path's signature archive entry says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry<'a> {
    /// A regular file's new attributes and signature.
    File(&'a Attributes, &'a [u8]),
    /// Anything else that exists.
    Other(&'a Attributes),
    /// No longer there.
    Deleted,
}

/// Writes both files.
#[derive(Debug)]
pub(super) struct SetLog {
    signatures: SigtarWriter<HashingFile>,
    files: BufWriter<File>,
    file_count: u64,
    partial_name: String,
    published: bool,
}

impl SetLog {
    /// An empty log for `span`; it replaces an older one only when it is published.
    pub(super) fn create(dir: &ArchiveDir, naming: &Naming, span: Span) -> Result<Self> {
        let file = dir.create(UNPUBLISHED_SIGNATURES)?;
        Ok(Self {
            signatures: SigtarWriter::new(HashingFile::new(file)),
            files: BufWriter::new(dir.create(UNPUBLISHED_FILE_LIST)?),
            file_count: 0,
            partial_name: naming.partial_name(span, Kind::Signature),
            published: false,
        })
    }

    /// Adds a path; indexes must rise.
    pub(super) fn add(
        &mut self,
        index: &PathIndex,
        entry: Entry<'_>,
        change: Option<ChangeKind>,
    ) -> Result<()> {
        match entry {
            Entry::File(attributes, signature) => {
                self.signatures.file(index, attributes, signature)
            }
            Entry::Other(attributes) => self.signatures.other(index, attributes),
            Entry::Deleted => self.signatures.deleted(index),
        }
        .map_err(|e| self.write_error(io::Error::other(e)))?;
        if let Some(kind) = change {
            let line = FileChange {
                kind,
                index: index.clone(),
            }
            .to_bytes();
            self.files
                .write_all(&line)
                .map_err(|e| Error::io("write", FILE_LIST_NAME, e))?;
            self.file_count += 1;
        }
        Ok(())
    }

    /// Makes all that was added survive a crash; gives the signature archive's length and SHA-1.
    pub(super) fn sync(&mut self) -> Result<(u64, [u8; 20])> {
        self.signatures
            .flush()
            .map_err(|e| self.write_error(io::Error::other(e)))?;
        let state = self
            .signatures
            .get_ref()
            .sync()
            .map_err(|e| self.write_error(e))?;
        self.files
            .flush()
            .and_then(|()| self.files.get_ref().sync_data())
            .map_err(|e| Error::io("sync", FILE_LIST_NAME, e))?;
        Ok(state)
    }

    /// Gives both files the names under which a later run finds them.
    pub(super) fn publish(&mut self, dir: &ArchiveDir) -> Result<()> {
        if !self.published {
            self.sync()?;
            dir.rename(UNPUBLISHED_FILE_LIST, FILE_LIST_NAME)?;
            dir.rename(UNPUBLISHED_SIGNATURES, &self.partial_name)?;
            self.published = true;
        }
        Ok(())
    }

    /// Ends the signature archive. Gives the number of lines of the file list.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.sync()?;
        let name = self.partial_name;
        let finished = self.signatures.finish().map_err(io::Error::other);
        finished
            .and_then(|mut file| file.flush().and_then(|()| file.sync()))
            .map_err(|e| Error::io("write", &name, e))?;
        Ok(self.file_count)
    }

    fn write_error(&self, source: io::Error) -> Error {
        Error::io("write", &self.partial_name, source)
    }
}

/// A file that knows the hash of what was written to it.
#[derive(Debug)]
pub(super) struct HashingFile {
    file: BufWriter<File>,
    len: u64,
    hash: Sha1,
}

impl HashingFile {
    fn new(file: File) -> Self {
        Self {
            file: BufWriter::with_capacity(1 << 16, file),
            len: 0,
            hash: Sha1::new(),
        }
    }

    /// Syncs what was flushed; gives length and SHA-1 of all that was written.
    fn sync(&self) -> io::Result<(u64, [u8; 20])> {
        self.file.get_ref().sync_data()?;
        Ok((self.len, self.hash.clone().finalize().into()))
    }
}

impl Write for HashingFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buf)?;
        self.hash.update(&buf[..written]);
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
