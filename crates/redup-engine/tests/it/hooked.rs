//! A store whose answers a test decides.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use redup_storage::{
    Arrived, ObjectInfo, ObjectKind, Op, Pieces, Result, Storage, Tuning, Unfinished, Upload,
};

type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;
type Before = Box<dyn Fn(Op, &str) -> Option<Wait> + Send + Sync>;
type Answer = Box<dyn Fn(&str, &Range<u64>) -> Option<Bytes> + Send + Sync>;

/// `inner`, but for what the test wants otherwise.
pub(crate) struct Hooked {
    inner: Arc<dyn Storage>,
    /// What `put`, `begin_upload` and `head` wait for before they do anything.
    before: Before,
    /// What `read` answers instead.
    get: Answer,
}

impl Hooked {
    pub(crate) fn new(inner: Arc<dyn Storage>) -> Self {
        Self {
            inner,
            before: Box::new(|_, _| None),
            get: Box::new(|_, _| None),
        }
    }

    pub(crate) fn getting(
        self,
        get: impl Fn(&str, &Range<u64>) -> Option<Bytes> + Send + Sync + 'static,
    ) -> Self {
        let get = Box::new(get);
        Self { get, ..self }
    }

    /// What it waits for may well be another call, so this can tell which are made at the same time.
    pub(crate) fn waiting<W: Future<Output = ()> + Send + 'static>(
        self,
        before: impl Fn(Op, &str) -> Option<W> + Send + Sync + 'static,
    ) -> Self {
        let boxed = move |op, name: &str| -> Option<Wait> { Some(Box::pin(before(op, name)?)) };
        Self {
            before: Box::new(boxed),
            ..self
        }
    }

    async fn wait(&self, op: Op, name: &str) {
        if let Some(wait) = (self.before)(op, name) {
            wait.await;
        }
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Storage for Hooked {
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
        self.inner.list().await
    }

    async fn head(&self, name: &str) -> Result<ObjectInfo> {
        self.wait(Op::Head, name).await;
        self.inner.head(name).await
    }

    async fn thaw(&self, object: &ObjectInfo) -> Result<()> {
        self.inner.thaw(object).await
    }

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Pieces>> {
        match (self.get)(name, &range) {
            Some(answer) => Ok(Arrived::whole(answer)),
            None => self.inner.read(name, range).await,
        }
    }

    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()> {
        self.wait(Op::Put, name).await;
        self.inner.put(name, data, kind).await
    }

    async fn begin_upload(&self, name: &str, kind: ObjectKind) -> Result<Box<dyn Upload>> {
        self.wait(Op::BeginUpload, name).await;
        self.inner.begin_upload(name, kind).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.inner.delete(name).await
    }

    async fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        self.inner.list_unfinished().await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<()> {
        self.inner.discard_unfinished(unfinished).await
    }
}
