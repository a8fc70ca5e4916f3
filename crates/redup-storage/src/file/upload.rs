//! Files that are being written: staged under a hidden name, synced, renamed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{age_of, failed};
use crate::name::TEMPORARY_PREFIX;
use crate::parts::check_part;
use crate::{Error, ErrorKind, Op, PartLedger, Result, Upload};

/// Where locks do not work, a temporary file this old is taken for abandoned.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How often a name is tried again when a sweep of another process removed the file
/// between its creation and its locking.
const CREATE_TRIES: u32 = 16;

/// A file under a hidden name, locked for as long as it is open. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Staged {
    file: File,
    path: PathBuf,
    published: AtomicBool,
}

impl Staged {
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        for _ in 0..CREATE_TRIES {
            let path = folder.join(temporary_name()?);
            let file = match OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)
            {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            let locked = flock(&file, FlockOperation::NonBlockingLockExclusive);
            // A sweep may have seen the file before it was locked, and removed it.
            if locked != Err(Errno::WOULDBLOCK) && file.metadata()?.nlink() > 0 {
                return Ok(Self {
                    file,
                    path,
                    published: AtomicBool::new(false),
                });
            }
        }
        Err(io::Error::other(
            "temporary files are removed as fast as they are made",
        ))
    }

    pub(super) fn write_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    /// Cuts the file to `len` bytes: a part sent again with fewer bytes leaves old ones behind.
    fn truncate(&self, len: u64) -> io::Result<()> {
        match self.file.metadata()?.len() == len {
            true => Ok(()),
            false => self.file.set_len(len),
        }
    }

    /// Makes the file durable and visible as `path`, which is in the same folder.
    /// After an error it can be called again.
    pub(super) fn publish(&self, path: &Path) -> io::Result<()> {
        if !self.published.load(Ordering::Acquire) {
            self.file.sync_all()?;
            fs::rename(&self.path, path)?;
            self.published.store(true, Ordering::Release);
        }
        sync_folder(path)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !*self.published.get_mut() {
            fs::remove_file(&self.path).ok();
        }
    }
}

/// How long ago a temporary file was last written, unless a living process holds it.
pub(super) fn abandoned_for(path: &Path) -> Option<Duration> {
    let file = File::open(path).ok()?;
    let age = age_of(file.metadata().ok()?.modified().ok()?);
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Some(age),
        Err(Errno::WOULDBLOCK) => None,
        Err(_) => (age >= ABANDONED_AFTER).then_some(age),
    }
}

fn temporary_name() -> io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(format!(
        "{TEMPORARY_PREFIX}{:016x}",
        u64::from_le_bytes(random)
    ))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    match File::open(folder.unwrap_or(Path::new(".")))?.sync_all() {
        // Some network file systems cannot sync folders; the rename is as durable as it gets.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// An upload into a staged file: part `n` is written at `n` times the part size.
#[derive(Debug)]
pub(super) struct FileUpload {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
enum State {
    Open {
        staged: Arc<Staged>,
        ledger: PartLedger,
    },
    Completed,
    Aborted,
}

impl FileUpload {
    pub(super) fn new(path: &Path, staged: Staged) -> Self {
        let state = State::Open {
            staged: Arc::new(staged),
            ledger: PartLedger::new(),
        };
        Self {
            path: path.to_owned(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn error(&self, op: Op, detail: impl Into<String>) -> Error {
        Error::new(ErrorKind::Mismatch, op, self.path.display().to_string()).with_detail(detail)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        op: Op,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|error| failed(op, &self.path, error)),
            Err(stopped) => Err(self.error(op, "interrupted").with_source(stopped)),
        }
    }

    fn staged(&self, op: Op) -> Result<Arc<Staged>> {
        match &*lock(&self.state) {
            State::Open { staged, .. } => Ok(Arc::clone(staged)),
            State::Completed | State::Aborted => Err(self.error(op, "the upload is over")),
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for FileUpload {
    fn part_size(&self) -> u64 {
        super::PART_SIZE
    }

    async fn put_part(&self, number: u32, data: Bytes) -> Result<()> {
        let len = data.len() as u64;
        check_part(self.part_size(), number, len)
            .map_err(|fault| self.error(Op::PutPart, fault))?;
        let offset = u64::from(number) * self.part_size();
        let staged = self.staged(Op::PutPart)?;
        self.blocking(Op::PutPart, move || staged.write_at(&data, offset))
            .await?;
        match &mut *lock(&self.state) {
            State::Open { ledger, .. } => {
                ledger.record(number, len);
                Ok(())
            }
            State::Completed | State::Aborted => Err(self.error(Op::PutPart, "the upload is over")),
        }
    }

    async fn complete(&self, parts: u32, len: u64) -> Result<()> {
        let (path, state) = (self.path.clone(), Arc::clone(&self.state));
        let part_size = self.part_size();
        let work = move || {
            // Held to the end: whoever completes a second time waits and finds it done.
            let mut state = lock(&state);
            match &*state {
                State::Completed => return Ok(Ok(())),
                State::Aborted => return Ok(Err("the upload was aborted".into())),
                State::Open { staged, ledger } => {
                    if let Err(fault) = ledger.check(part_size, parts, len) {
                        return Ok(Err(fault));
                    }
                    staged.truncate(len)?;
                    staged.publish(&path)?;
                }
            }
            *state = State::Completed;
            Ok(Ok(()))
        };
        let outcome: std::result::Result<(), String> = self.blocking(Op::Complete, work).await?;
        outcome.map_err(|fault| self.error(Op::Complete, fault))
    }

    async fn abort(&self) -> Result<()> {
        let mut state = lock(&self.state);
        if matches!(&*state, State::Open { .. }) {
            *state = State::Aborted;
        }
        Ok(())
    }
}
