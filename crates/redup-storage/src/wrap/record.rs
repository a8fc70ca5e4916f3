//! A store that writes down what it is asked, so that tests can say what an operation costs.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{ObjectInfo, ObjectKind, Op, Pieces, Result, Storage, Tuning, Unfinished, Upload};

/// One call: what was asked, of which object. `Display` is `verb name`, or the verb alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The operation.
    pub op: Op,
    /// The object's name; empty for a call on the whole store.
    pub name: String,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.is_empty() {
            true => write!(f, "{}", self.op),
            false => write!(f, "{} {}", self.op, self.name),
        }
    }
}

/// A store that writes down each call before passing it on. Clones share the list.
#[derive(Debug, Clone)]
pub struct Record {
    inner: Arc<dyn Storage>,
    calls: Log,
}

type Log = Arc<Mutex<Vec<Call>>>;

impl Record {
    /// Records the calls to `inner`.
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Self {
            inner,
            calls: Log::default(),
        }
    }

    /// All calls so far, in the order in which they began.
    pub fn calls(&self) -> Vec<Call> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The calls since the last time this was asked.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn note(log: &Log, op: Op, name: &str) {
    let call = Call {
        op,
        name: name.to_owned(),
    };
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(call);
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Record {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn tuning(&self) -> Tuning {
        self.inner.tuning()
    }

    fn proves_uploads(&self) -> bool {
        self.inner.proves_uploads()
    }

    async fn list(&self) -> Result<Vec<ObjectInfo>> {
        note(&self.calls, Op::List, "");
        self.inner.list().await
    }

    async fn head(&self, name: &str) -> Result<ObjectInfo> {
        note(&self.calls, Op::Head, name);
        self.inner.head(name).await
    }

    async fn thaw(&self, object: &ObjectInfo) -> Result<()> {
        note(&self.calls, Op::Thaw, &object.name);
        self.inner.thaw(object).await
    }

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Pieces>> {
        note(&self.calls, Op::Get, name);
        self.inner.read(name, range).await
    }

    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()> {
        note(&self.calls, Op::Put, name);
        self.inner.put(name, data, kind).await
    }

    async fn begin_upload(&self, name: &str, kind: ObjectKind) -> Result<Box<dyn Upload>> {
        note(&self.calls, Op::BeginUpload, name);
        let inner = self.inner.begin_upload(name, kind).await?;
        Ok(Box::new(RecordUpload {
            inner,
            name: name.to_owned(),
            calls: Arc::clone(&self.calls),
        }))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        note(&self.calls, Op::Delete, name);
        self.inner.delete(name).await
    }

    async fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        note(&self.calls, Op::ListUnfinished, "");
        self.inner.list_unfinished().await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<()> {
        note(
            &self.calls,
            Op::DiscardUnfinished,
            unfinished.name.as_deref().unwrap_or_default(),
        );
        self.inner.discard_unfinished(unfinished).await
    }
}

#[derive(Debug)]
struct RecordUpload {
    inner: Box<dyn Upload>,
    name: String,
    calls: Log,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for RecordUpload {
    fn part_size(&self) -> u64 {
        self.inner.part_size()
    }

    async fn put_part(&self, number: u32, data: Bytes) -> Result<()> {
        note(&self.calls, Op::PutPart, &self.name);
        self.inner.put_part(number, data).await
    }

    async fn complete(&self, parts: u32, len: u64) -> Result<()> {
        note(&self.calls, Op::Complete, &self.name);
        self.inner.complete(parts, len).await
    }

    async fn abort(&self) -> Result<()> {
        note(&self.calls, Op::Abort, &self.name);
        self.inner.abort().await
    }
}
