//! Downloads: a `Read` with requests ahead of it.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::Transfer;
use crate::{Error, Result};

/// Bytes of one request: small enough that many chains' cursors fit in memory, large enough that
/// the round trip does not count.
const CHUNK: u64 = 1 << 20;

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
}

type Request = (JoinHandle<Result<Bytes>>, Option<OwnedSemaphorePermit>);

impl ObjectReader {
    pub(super) fn new(transfer: Transfer, name: String, len: u64) -> Self {
        Self {
            transfer,
            name,
            len,
            requested: 0,
            ahead: VecDeque::new(),
            current: Bytes::new(),
            current_memory: None,
        }
    }

    fn request_ahead(&mut self) {
        let depth = self.transfer.storage.tuning().connections.max(1);
        while self.requested < self.len && self.ahead.len() < depth {
            let end = self.len.min(self.requested + CHUNK);
            let units = self.transfer.units(end - self.requested);
            let memory = Arc::clone(&self.transfer.memory)
                .try_acquire_many_owned(units)
                .ok();
            if memory.is_none() && !self.ahead.is_empty() {
                return;
            }
            let (transfer, name, range) = (
                self.transfer.clone(),
                self.name.clone(),
                self.requested..end,
            );
            let request = self.transfer.runtime.spawn(async move {
                let _connection = transfer.connections.acquire().await;
                Ok(transfer.storage.get(&name, range).await?)
            });
            self.ahead.push_back((request, memory));
            self.requested = end;
        }
    }

    fn next_chunk(&mut self) -> Result<bool> {
        self.current_memory = None;
        self.request_ahead();
        let Some((request, memory)) = self.ahead.pop_front() else {
            return Ok(false);
        };
        self.current = self
            .transfer
            .runtime
            .block_on(request)
            .map_err(|_| Error::Internal("a download"))??;
        self.current_memory = memory;
        self.request_ahead();
        Ok(true)
    }
}

impl Read for ObjectReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if buf.is_empty() || !self.next_chunk().map_err(io::Error::other)? {
                return Ok(0);
            }
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
