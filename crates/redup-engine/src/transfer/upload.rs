//! Uploads: a `Write` whose bytes leave in parts while more are written.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use redup_storage::{Buffer, ObjectKind, Upload};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::Transfer;
use crate::{Error, Result};

/// An object being written. Nothing of one that takes more than a part is visible at the store before
/// [`PendingObject::complete`]; dropped before, the upload is aborted. A smaller one may be from
/// [`finish`](Self::finish) on.
///
/// A part that failed for good makes the next write fail, and `complete` again.
#[derive(Debug)]
pub struct ObjectWriter {
    transfer: Transfer,
    name: String,
    kind: ObjectKind,
    part_size: usize,
    buffer: Option<Buffer>,
    buffer_memory: Option<OwnedSemaphorePermit>,
    parts: Parts,
    len: u64,
}

impl ObjectWriter {
    pub(super) fn new(transfer: Transfer, name: String, kind: ObjectKind) -> Self {
        let tuning = transfer.storage.tuning();
        let part_size = usize::try_from(tuning.part_size).unwrap_or(usize::MAX);
        let parts = Parts {
            transfer: transfer.clone(),
            upload: None,
            tasks: JoinSet::new(),
            count: 0,
        };
        Self {
            transfer,
            name,
            kind,
            part_size,
            buffer: None,
            buffer_memory: None,
            parts,
            len: 0,
        }
    }

    /// Ends the object's bytes, all of which are on their way then.
    ///
    /// # Errors
    /// When a part has failed for good.
    pub fn finish(mut self) -> Result<PendingObject> {
        if self.parts.upload.is_none() {
            self.send_whole();
        } else if self.buffer.is_some() {
            self.send_part()?;
        }
        Ok(PendingObject {
            parts: self.parts,
            len: self.len,
        })
    }

    /// Sends all there is with one request, which makes the object visible.
    fn send_whole(&mut self) {
        let whole = self.buffer.take().map(Buffer::freeze).unwrap_or_default();
        let memory = self.buffer_memory.take();
        let (transfer, name, kind) = (self.transfer.clone(), mem::take(&mut self.name), self.kind);
        let len = self.len;
        self.parts.tasks.spawn_on(
            async move {
                let connection = transfer.connect_to_upload().await;
                let sent = transfer.storage.put(&name, whole, kind).await;
                drop((connection, memory));
                sent?;
                transfer.stored.add(len);
                Ok(())
            },
            &self.transfer.runtime,
        );
    }

    fn send_part(&mut self) -> Result<()> {
        let Some(buffer) = self.buffer.take() else {
            return Ok(());
        };
        let bytes = buffer.freeze();
        let len = bytes.len() as u64;
        let memory = self.buffer_memory.take();
        let upload = match &self.parts.upload {
            Some(upload) => Arc::clone(upload),
            None => {
                let begun = self.transfer.storage.begin_upload(&self.name, self.kind);
                let upload = self.transfer.runtime.block_on(begun)?;
                self.part_size = usize::try_from(upload.part_size()).unwrap_or(usize::MAX);
                let upload: Arc<dyn Upload> = Arc::from(upload);
                self.parts.upload = Some(Arc::clone(&upload));
                upload
            }
        };
        let (transfer, number) = (self.transfer.clone(), self.parts.count);
        self.parts.count += 1;
        self.parts.tasks.spawn_on(
            async move {
                let connection = transfer.connect_to_upload().await;
                let sent = upload.put_part(number, bytes).await;
                drop((connection, memory));
                sent?;
                transfer.stored.add(len);
                Ok(())
            },
            &self.transfer.runtime,
        );
        self.parts.check()
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.buffer_memory.is_none() {
            let units = self.transfer.units(self.part_size as u64);
            let memory = Arc::clone(&self.transfer.memory).acquire_many_owned(units);
            self.buffer_memory = self.transfer.runtime.block_on(memory).ok();
        }
        // Pages of it that stay untouched cost nothing: most objects are small.
        let fresh = || self.transfer.buffers.take(self.part_size);
        let buffer = self.buffer.get_or_insert_with(fresh);
        let taken = self.part_size.saturating_sub(buffer.len()).min(buf.len());
        buffer.extend_from_slice(&buf[..taken]);
        self.len += taken as u64;
        self.transfer.made.add(taken as u64);
        if buffer.len() >= self.part_size {
            self.send_part().map_err(io::Error::other)?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An object whose bytes are all on their way.
#[derive(Debug)]
pub struct PendingObject {
    parts: Parts,
    len: u64,
}

impl PendingObject {
    /// Waits for all of it, and makes the object visible where it is not, whole. Gives its length.
    ///
    /// # Errors
    /// When a part, or the completion, has failed for good.
    pub fn complete(mut self) -> Result<u64> {
        self.parts.wait_all()?;
        if let Some(upload) = self.parts.upload.clone() {
            let completed = upload.complete(self.parts.count, self.len);
            self.parts.transfer.runtime.block_on(completed)?;
            self.parts.upload = None;
        }
        Ok(self.len)
    }
}

/// The parts in flight of one object, or all of it in one request; an upload is aborted when dropped before completion.
#[derive(Debug)]
struct Parts {
    transfer: Transfer,
    upload: Option<Arc<dyn Upload>>,
    tasks: JoinSet<Result<()>>,
    count: u32,
}

impl Parts {
    /// Reports a part that has failed, without waiting.
    fn check(&mut self) -> Result<()> {
        while let Some(done) = self.tasks.try_join_next() {
            done.map_err(|_| Error::Internal("a part's upload"))??;
        }
        Ok(())
    }

    fn wait_all(&mut self) -> Result<()> {
        let runtime = self.transfer.runtime.clone();
        while let Some(done) = runtime.block_on(self.tasks.join_next()) {
            done.map_err(|_| Error::Internal("a part's upload"))??;
        }
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take() {
            let mut tasks = mem::take(&mut self.tasks);
            // Parts first: an abort beside running parts may leave some behind at the server.
            let aborted = async move {
                tasks.shutdown().await;
                upload.abort().await
            };
            // A failure leaves an invisible upload; the error that led here is the one to report, and soon.
            let patience = self.transfer.patience_to_give_up();
            let aborted = async { tokio::time::timeout(patience, aborted).await };
            drop(self.transfer.runtime.block_on(aborted));
        }
    }
}
