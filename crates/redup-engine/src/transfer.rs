//! Moving objects: bounded in bytes, several requests in flight, plain `Read` and `Write` outside.
//!
//! This is the only async code of the engine. Threads of the pipeline block here when the memory
//! budget is spent: that is the back-pressure.

mod connections;
mod download;
mod thaw;
mod upload;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use redup_storage::{Buffers, ObjectInfo, ObjectKind, Storage, Unfinished};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use download::ObjectReader;
pub use upload::{ObjectWriter, PendingObject};

use crate::{Count, Result};
use connections::{Connection, Connections};

/// The unit in which memory is counted; semaphores count in `u32`.
const MEMORY_UNIT: u64 = 4096;

/// The smallest budget that lets two parts of this size be in flight: what transfers take, whatever they are
/// allowed.
pub fn least_memory(part_size: u64) -> u64 {
    part_size.saturating_mul(3)
}

/// The share of the budget that requests of other objects have for themselves, as a divisor.
const REQUESTS: u64 = 64;

/// A volume this small is held in memory even where it could be read twice.
const SMALL_VOLUME: u64 = 4 << 20;

/// What the uploads that a run gives up may take together: the store may be why they are given up.
const GIVING_UP: Duration = Duration::from_secs(5);

/// What each of them may take at least.
const GIVING_ONE_UP: Duration = Duration::from_millis(500);

/// Starts uploads and downloads that share one memory budget.
#[derive(Debug, Clone)]
pub struct Transfer {
    storage: Arc<dyn Storage>,
    runtime: Handle,
    memory: Arc<Semaphore>,
    budget: u64,
    uploads: Connections,
    downloads: Connections,
    /// What parts are gathered in.
    buffers: Buffers,
    /// Bytes of objects that were made.
    made: Count,
    /// Those that the store has acknowledged.
    stored: Count,
    /// The first upload was given up then.
    given_up: Arc<OnceLock<Instant>>,
}

impl Transfer {
    /// Transfers of one run, which hold at most about `memory` bytes, or [`least_memory`] where that is more.
    pub fn new(storage: Arc<dyn Storage>, runtime: Handle, memory: u64) -> Self {
        let tuning = storage.tuning();
        let budget = memory.max(least_memory(tuning.part_size));
        let units = usize::try_from(budget / MEMORY_UNIT).unwrap_or(usize::MAX);
        Self {
            storage,
            runtime,
            memory: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))),
            budget,
            uploads: Connections::new(),
            downloads: Connections::new(),
            buffers: Buffers::new(usize::try_from(budget / tuning.part_size).unwrap_or(0)),
            made: Count::default(),
            stored: Count::default(),
            given_up: Arc::default(),
        }
    }

    /// Starts an object; its bytes leave in parts as they are written.
    pub fn create(&self, name: &str, kind: ObjectKind) -> ObjectWriter {
        ObjectWriter::new(self.clone(), name.to_owned(), kind)
    }

    /// Bytes of objects that were made, and those that the store has acknowledged.
    pub(crate) fn traffic(&self) -> (&Count, &Count) {
        (&self.made, &self.stored)
    }

    /// Bytes of an object that are gathered before the first of them leaves.
    pub(crate) fn gathered(&self) -> u64 {
        self.storage.tuning().part_size
    }

    /// Everything the store has.
    pub(crate) fn list(&self) -> Result<Vec<ObjectInfo>> {
        Ok(self.runtime.block_on(self.storage.list())?)
    }

    /// Deletes an object; one that is missing is fine.
    pub(crate) fn delete(&self, name: &str) -> Result<()> {
        Ok(self.runtime.block_on(self.storage.delete(name))?)
    }

    /// Uploads that were begun and not ended.
    pub(crate) fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        Ok(self.runtime.block_on(self.storage.list_unfinished())?)
    }

    /// Frees what such an upload occupies.
    pub(crate) fn discard_unfinished(&self, upload: &Unfinished) -> Result<()> {
        Ok(self
            .runtime
            .block_on(self.storage.discard_unfinished(upload))?)
    }

    /// Reads an object of `len` bytes from its start, with requests ahead of the reader.
    pub fn read(&self, name: &str, len: u64) -> ObjectReader {
        ObjectReader::new(self.clone(), name.to_owned(), len, false)
    }

    /// The same by somebody who keeps all of it, and has a [`Hold`] for that.
    pub(crate) fn read_held(&self, name: &str, len: u64) -> ObjectReader {
        ObjectReader::new(self.clone(), name.to_owned(), len, true)
    }

    /// The length of an object.
    pub fn length(&self, name: &str) -> Result<u64> {
        Ok(self.runtime.block_on(self.storage.head(name))?.len)
    }

    /// Room for `bytes` in memory while the permit lives. Nothing when that is better spent
    /// otherwise: it would not leave enough for requests, or reading an object twice costs next to nothing.
    pub(crate) fn try_hold(&self, bytes: u64) -> Option<Hold> {
        let cheap = self.storage.tuning().rereads_are_cheap;
        let free = self.memory.available_permits() as u64 * MEMORY_UNIT;
        if (cheap && bytes > SMALL_VOLUME) || bytes > free.saturating_sub(self.budget / REQUESTS) {
            return None;
        }
        self.try_permit(bytes).map(Hold)
    }

    fn try_permit(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = self.units(bytes);
        Arc::clone(&self.memory).try_acquire_many_owned(units).ok()
    }

    /// The store, for messages.
    pub(crate) fn location(&self) -> String {
        self.storage.location()
    }

    /// Waits until the store likes one more request that stores bytes.
    async fn connect_to_upload(&self) -> Connection {
        self.uploads.acquire(self.storage.tuning().uploads).await
    }

    /// Waits until the store likes one more request that reads.
    async fn connect_to_download(&self) -> Connection {
        let wanted = self.storage.tuning().downloads;
        self.downloads.acquire(wanted).await
    }

    /// How long the next upload that is given up may take for that.
    fn patience_to_give_up(&self) -> Duration {
        let since = self.given_up.get_or_init(Instant::now).elapsed();
        GIVING_UP.saturating_sub(since).max(GIVING_ONE_UP)
    }

    /// Memory permits for `bytes`, never more than the whole budget.
    fn units(&self, bytes: u64) -> u32 {
        let bytes = bytes.min(self.budget);
        u32::try_from(bytes.div_ceil(MEMORY_UNIT).min(self.budget / MEMORY_UNIT))
            .unwrap_or(u32::MAX)
    }
}

/// Room in the memory budget, free again when dropped.
#[derive(Debug)]
pub(crate) struct Hold(OwnedSemaphorePermit);

impl Hold {
    /// Frees `bytes` of it, rounded down.
    pub(crate) fn release(&mut self, bytes: u64) {
        let units = usize::try_from(bytes / MEMORY_UNIT).unwrap_or(usize::MAX);
        drop(self.0.split(units.min(self.0.num_permits())));
    }
}
