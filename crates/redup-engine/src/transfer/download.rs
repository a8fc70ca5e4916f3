//! Downloads: a `Read` with requests ahead of it.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;

use bytes::{Buf, Bytes};
use redup_storage::Tuning;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::Transfer;
use crate::{Error, Result};

/// The share of the memory budget that the requests of one object get at most: cursors of many chains
/// may want theirs at the same time.
const SHARE: u64 = 2;

/// The shortest range that is asked for, but for an object's last.
const LEAST: u64 = 64 << 10;

/// The longest one that is asked for without room in the budget, which every reader may do, once at a time.
const UNCOUNTED: u64 = 256 << 10;

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
    /// Whoever reads has room for all of it: no request counts in the budget.
    has_room: bool,
}

/// A range on its way.
#[derive(Debug)]
struct Request {
    task: JoinHandle<()>,
    pieces: UnboundedReceiver<Result<Bytes>>,
    /// Bytes that have not been taken.
    left: u64,
    /// Room for all of it, until the last piece has been used.
    _memory: Option<OwnedSemaphorePermit>,
}

impl ObjectReader {
    pub(super) fn new(transfer: Transfer, name: String, len: u64, has_room: bool) -> Self {
        Self {
            transfer,
            name,
            len,
            requested: 0,
            ahead: VecDeque::new(),
            current: Bytes::new(),
            has_room,
        }
    }

    fn request_ahead(&mut self) {
        let tuning = self.transfer.storage.tuning();
        let (depth, size) = shape(tuning, self.transfer.budget / SHARE);
        while self.requested < self.len && self.ahead.len() < depth {
            let mut end = self.len.min(self.requested + size);
            let memory = match self.has_room {
                true => None,
                false => self.transfer.try_permit(end - self.requested),
            };
            if memory.is_none() && !self.has_room {
                if !self.ahead.is_empty() {
                    return;
                }
                end = end.min(self.requested + UNCOUNTED);
            }
            let request = self.request(self.requested..end, memory);
            self.ahead.push_back(request);
            self.requested = end;
        }
    }

    fn request(&self, range: Range<u64>, memory: Option<OwnedSemaphorePermit>) -> Request {
        let (transfer, name) = (self.transfer.clone(), self.name.clone());
        let left = range.end - range.start;
        // What is in it has its room already.
        let (sender, pieces) = unbounded_channel();
        let task = self.transfer.runtime.spawn(async move {
            if let Err(error) = pass_on(&transfer, &name, range, &sender).await {
                sender.send(Err(error)).ok();
            }
        });
        Request {
            task,
            pieces,
            left,
            _memory: memory,
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
        if self.ahead.front().is_some_and(|request| request.left == 0) {
            self.ahead.pop_front();
        }
        self.request_ahead();
        let Some(request) = self.ahead.front_mut() else {
            return Ok(None);
        };
        let piece = self.transfer.runtime.block_on(request.pieces.recv());
        let piece = piece.ok_or(Error::Internal("a download"))??;
        request.left = request.left.saturating_sub(piece.len() as u64);
        Ok(Some(piece))
    }
}

/// How many requests to have ahead, and how long each, in so much room: where it is short they are first
/// shorter, down to half, and then fewer.
fn shape(tuning: Tuning, room: u64) -> (usize, u64) {
    // One more than there may be at once, so that none waits for what is being read.
    let most = tuning.downloads.max(1) as u64 + 1;
    let shortest = (tuning.range_size / 2).max(LEAST);
    let size = (room / most).clamp(shortest, tuning.range_size.max(shortest));
    let depth = (room / size).clamp(2.min(most), most);
    let size = size.min(room / depth).max(LEAST);
    (usize::try_from(depth).unwrap_or(1), size)
}

/// Takes the bytes of `range` as they come, as long as somebody wants them.
async fn pass_on(
    transfer: &Transfer,
    name: &str,
    range: Range<u64>,
    to: &UnboundedSender<Result<Bytes>>,
) -> Result<()> {
    let _connection = transfer.connect_to_download().await;
    let mut pieces = transfer.storage.read(name, range).await?;
    while let Some(piece) = pieces.next().await? {
        if to.send(Ok(piece)).is_err() {
            break;
        }
    }
    Ok(())
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
        for request in &self.ahead {
            request.task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_first_shorter_and_then_fewer() {
        const MIB: u64 = 1 << 20;
        let shaped = |room: u64, downloads, range_size| {
            let tuning = Tuning {
                part_size: MIB,
                range_size: range_size * MIB,
                uploads: 1,
                downloads,
                rereads_are_cheap: false,
            };
            let (depth, size) = shape(tuning, room * MIB);
            (depth, size >> 10)
        };
        assert_eq!(shaped(1000, 16, 16), (17, 16 << 10));
        assert_eq!(shaped(204, 16, 16), (17, 12 << 10));
        assert_eq!(shaped(76, 16, 16), (9, 8 << 10));
        assert_eq!(shaped(32, 16, 8), (8, 4 << 10));
        assert_eq!(shaped(32, 2, 8), (3, 8 << 10));
        // Two are worth more than long ones.
        assert_eq!(shaped(6, 16, 16), (2, 3 << 10));
        assert_eq!(shaped(0, 16, 16), (2, LEAST >> 10));
        assert_eq!(shaped(32, 0, 8), (2, 8 << 10));
    }
}
