//! Downloads: a `Read` with requests ahead of it.

use std::collections::VecDeque;
use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::Transfer;
use crate::{Error, Result};

/// The share of the memory budget that the requests of one object get at most: cursors of many chains
/// may want theirs at the same time.
const SHARE: u64 = 2;

/// The shortest range that is asked for, but for an object's last.
const LEAST: u64 = 64 << 10;

/// An object read from its start. One request is always allowed; more run ahead while the memory
/// budget and the store's connections have room.
#[derive(Debug)]
pub struct ObjectReader {
    transfer: Transfer,
    name: String,
    len: u64,
    requested: u64,
    ahead: VecDeque<Request>,
    current: Bytes,
    current_memory: Option<OwnedSemaphorePermit>,
    /// Whoever reads has room for all of it: no request counts in the budget.
    has_room: bool,
}

type Request = (JoinHandle<Result<Bytes>>, Option<OwnedSemaphorePermit>);

impl ObjectReader {
    pub(super) fn new(transfer: Transfer, name: String, len: u64, has_room: bool) -> Self {
        Self {
            transfer,
            name,
            len,
            requested: 0,
            ahead: VecDeque::new(),
            current: Bytes::new(),
            current_memory: None,
            has_room,
        }
    }

    fn request_ahead(&mut self) {
        let tuning = self.transfer.storage.tuning();
        // One is being read while the others are under way.
        let depth = tuning.connections.max(1) + 1;
        let room = self.transfer.budget / SHARE / depth as u64;
        let size = tuning.range_size.min(room).max(LEAST);
        while self.requested < self.len && self.ahead.len() < depth {
            let end = self.len.min(self.requested + size);
            let memory = match self.has_room {
                true => None,
                false => self.transfer.try_permit(end - self.requested),
            };
            if memory.is_none() && !self.has_room && !self.ahead.is_empty() {
                return;
            }
            let (transfer, name, range) = (
                self.transfer.clone(),
                self.name.clone(),
                self.requested..end,
            );
            let request = self.transfer.runtime.spawn(async move {
                let _connection = transfer.connect().await;
                Ok(transfer.storage.get(&name, range).await?)
            });
            self.ahead.push_back((request, memory));
            self.requested = end;
        }
    }

    /// The bytes that come next, as they arrived: nothing is copied. `None` at the end. They count in the
    /// memory budget until more is asked for; who keeps them longer accounts for them.
    ///
    /// # Errors
    /// When a request has failed for good.
    pub fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        if !self.current.is_empty() {
            return Ok(Some(std::mem::take(&mut self.current)));
        }
        self.current_memory = None;
        self.request_ahead();
        let Some((request, memory)) = self.ahead.pop_front() else {
            return Ok(None);
        };
        let chunk = self
            .transfer
            .runtime
            .block_on(request)
            .map_err(|_| Error::Internal("a download"))??;
        self.current_memory = memory;
        self.request_ahead();
        Ok(Some(chunk))
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            let chunk = match buf.is_empty() {
                true => None,
                false => self.next_chunk().map_err(io::Error::other)?,
            };
            let Some(chunk) = chunk else {
                return Ok(0);
            };
            self.current = chunk;
        }
        let taken = self.current.len().min(buf.len());
        self.current.copy_to_slice(&mut buf[..taken]);
        Ok(taken)
    }
}

impl Drop for ObjectReader {
    fn drop(&mut self) {
        for (request, _) in &self.ahead {
            request.abort();
        }
    }
}
