//! The archive dir: local copies of manifests and signatures, shared with duplicity.
//!
//! Every file here is either written under a name that nothing reads and renamed when it is
//! complete and synced, or is an append-only checkpoint that tolerates a cut tail.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, fcntl_lock};

use crate::{Error, Result};

/// The name and lock type that duplicity uses, so that both exclude each other.
const LOCK_NAME: &str = "lockfile";

/// Files that are being written start like this; leftovers of a crash are swept on opening.
const TEMPORARY_PREFIX: &str = ".redup-tmp-";

/// The files of the locks that this process holds.
static LOCKS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the files of all locks that this process holds, as the end of each run does: for a process that ends in the
/// middle of one. The locks themselves go with it.
pub fn remove_lock_files() {
    for path in std::mem::take(&mut *locks()) {
        // One that stays is no lock, and in nobody's way.
        drop(fs::remove_file(path));
    }
}

fn locks() -> MutexGuard<'static, Vec<PathBuf>> {
    LOCKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An archive dir, locked for this process while it lives.
#[derive(Debug)]
pub(crate) struct ArchiveDir {
    path: PathBuf,
    lock: File,
}

impl ArchiveDir {
    /// Opens the folder, makes it (mode 0700) when missing, and takes the lock without waiting.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|e| Error::io("create archive dir", path, e))?;
        let lock_path = path.join(LOCK_NAME);
        let lock = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|e| Error::io("open", &lock_path, e))?;
        match fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
                return Err(Error::Locked(path.to_owned()));
            }
            Err(e) => return Err(Error::io("lock", &lock_path, e.into())),
        }
        locks().push(lock_path);
        let dir = Self {
            path: path.to_owned(),
            lock,
        };
        dir.sweep()?;
        Ok(dir)
    }

    /// The path of `name` in this folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The names of all files; names that are not UTF-8 are nobody's here and left out.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|e| self.error("list", e))? {
            let entry = entry.map_err(|e| self.error("list", e))?;
            if let Ok(name) = entry.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// The content of a small file, or nothing when it does not exist.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", path, e)),
        }
    }

    /// Opens a file for reading, or nothing when it does not exist.
    pub(crate) fn open_file(&self, name: &str) -> Result<Option<File>> {
        let path = self.path(name);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("open", path, e)),
        }
    }

    /// Creates or truncates a file that only its owner may read.
    pub(crate) fn create(&self, name: &str) -> Result<File> {
        let path = self.path(name);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::io("create", path, e))
    }

    /// Starts a file that appears under `name` only when [`StagedFile::commit`] is called.
    pub(crate) fn stage(&self, name: &str) -> Result<StagedFile<'_>> {
        let temporary = format!("{TEMPORARY_PREFIX}{name}");
        let file = self.create(&temporary)?;
        Ok(StagedFile {
            dir: self,
            file: Some(file),
            temporary,
            name: name.to_owned(),
        })
    }

    /// Writes a whole file: after a crash either the old or the new content is there.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut staged = self.stage(name)?;
        staged
            .write_all(bytes)
            .map_err(|e| Error::io("write", self.path(name), e))?;
        staged.commit()
    }

    /// Renames a file and makes that durable.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.path(from), self.path(to))
            .map_err(|e| Error::io("rename", self.path(from), e))?;
        self.sync()
    }

    /// Removes a file; one that does not exist is fine.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.path(name)) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Error::io("remove", self.path(name), e)),
        }
    }

    /// Makes created, renamed and removed names durable.
    pub(crate) fn sync(&self) -> Result<()> {
        File::open(&self.path)
            .and_then(|d| d.sync_all())
            .map_err(|e| self.error("sync", e))
    }

    fn sweep(&self) -> Result<()> {
        for name in self.names()? {
            if name.starts_with(TEMPORARY_PREFIX) {
                self.remove(&name)?;
            }
        }
        Ok(())
    }

    fn error(&self, action: &'static str, source: io::Error) -> Error {
        Error::io(action, &self.path, source)
    }
}

impl Drop for ArchiveDir {
    fn drop(&mut self) {
        // While the lock is still held: nobody else's file can be removed here.
        let path = self.path.join(LOCK_NAME);
        drop(fs::remove_file(&path));
        locks().retain(|held| *held != path);
        let _ = fcntl_lock(&self.lock, FlockOperation::NonBlockingUnlock);
    }
}

/// A file under a temporary name; dropped without commit it is removed.
#[derive(Debug)]
pub(crate) struct StagedFile<'a> {
    dir: &'a ArchiveDir,
    file: Option<File>,
    temporary: String,
    name: String,
}

impl StagedFile<'_> {
    /// Syncs the content, gives the file its name and makes that durable.
    pub(crate) fn commit(mut self) -> Result<()> {
        if let Some(file) = self.file.take() {
            let path = self.dir.path(&self.temporary);
            if let Err(e) = file.sync_all() {
                drop(fs::remove_file(&path));
                return Err(Error::io("sync", path, e));
            }
        }
        self.dir.rename(&self.temporary, &self.name)
    }
}

impl Write for StagedFile<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(buf),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for StagedFile<'_> {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            drop(fs::remove_file(self.dir.path(&self.temporary)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_file_appears_when_it_is_committed() {
        let root = tempfile::tempdir().unwrap();
        let dir = ArchiveDir::open(&root.path().join("a/b")).unwrap();
        let mut staged = dir.stage("x").unwrap();
        staged.write_all(b"one").unwrap();
        assert_eq!(dir.read("x").unwrap(), None);
        staged.commit().unwrap();
        assert_eq!(dir.read("x").unwrap().as_deref(), Some(&b"one"[..]));
    }

    #[test]
    fn a_staged_file_that_is_dropped_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let dir = ArchiveDir::open(root.path()).unwrap();
        dir.write("x", b"old").unwrap();
        let mut staged = dir.stage("x").unwrap();
        staged.write_all(b"new").unwrap();
        drop(staged);
        assert_eq!(dir.read("x").unwrap().as_deref(), Some(&b"old"[..]));
        assert_eq!(dir.names().unwrap(), ["lockfile", "x"]);
    }

    #[test]
    fn leftovers_of_a_crash_are_swept() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(".redup-tmp-x"), b"half").unwrap();
        let dir = ArchiveDir::open(root.path()).unwrap();
        assert_eq!(dir.names().unwrap(), ["lockfile"]);
    }

    #[test]
    fn the_lock_file_goes_with_the_lock() {
        let root = tempfile::tempdir().unwrap();
        drop(ArchiveDir::open(root.path()).unwrap());
        assert!(!root.path().join("lockfile").exists());
    }
}
