//! A store whose uploads can all be given up at once, for a run that is told to end.

use std::collections::BTreeMap;
use std::future::pending;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{RwLock, watch};
use tokio::task::JoinSet;

use crate::{ObjectInfo, ObjectKind, Result, Storage, Tuning, Unfinished, Upload};

/// A store that can be interrupted. Clones share the state.
///
/// A process that simply dies leaves the parts it has uploaded at the server, invisible and paid
/// for; one that has time for a last request does not.
#[derive(Debug, Clone)]
pub struct Interruptible {
    inner: Arc<dyn Storage>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    interrupted: watch::Sender<bool>,
    /// Read by every call that sends something; written, once and for all, by the interruption.
    sending: RwLock<()>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    uploads: BTreeMap<u64, Arc<dyn Upload>>,
    next: u64,
}

impl Interruptible {
    /// `inner`, not interrupted yet.
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        let shared = Shared {
            interrupted: watch::Sender::new(false),
            sending: RwLock::default(),
            open: Mutex::default(),
        };
        Self {
            inner,
            shared: Arc::new(shared),
        }
    }

    /// Stops whatever is being sent and aborts every open upload.
    ///
    /// From here on no call that sends something returns: this is for a process about to end.
    /// An upload that cannot be aborted stays behind as an [`Unfinished`] one.
    pub async fn interrupt(&self) {
        self.shared.interrupted.send_replace(true);
        // An abort beside a part on its way may leave that part behind.
        std::mem::forget(self.shared.sending.write().await);
        let uploads = std::mem::take(&mut self.shared.open().uploads);
        let mut aborts = JoinSet::new();
        for upload in uploads.into_values() {
            aborts.spawn(async move { upload.abort().await });
        }
        while aborts.join_next().await.is_some() {}
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a call that sends something, unless or until there is an interruption.
    async fn send<T>(&self, call: impl Future<Output = T>) -> T {
        let sending = self.sending.read().await;
        let mut interrupted = self.interrupted.subscribe();
        tokio::select! {
            answer = call => return answer,
            _ = interrupted.wait_for(|interrupted| *interrupted) => {}
        }
        drop(sending);
        pending().await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Interruptible {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn tuning(&self) -> Tuning {
        self.inner.tuning()
    }

    async fn list(&self) -> Result<Vec<ObjectInfo>> {
        self.inner.list().await
    }

    async fn head(&self, name: &str) -> Result<ObjectInfo> {
        self.inner.head(name).await
    }

    async fn thaw(&self, object: &ObjectInfo) -> Result<()> {
        self.inner.thaw(object).await
    }

    async fn get(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        self.inner.get(name, range).await
    }

    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()> {
        self.shared.send(self.inner.put(name, data, kind)).await
    }

    async fn begin_upload(&self, name: &str, kind: ObjectKind) -> Result<Box<dyn Upload>> {
        let begun = self.shared.send(async {
            let inner: Arc<dyn Upload> = Arc::from(self.inner.begin_upload(name, kind).await?);
            let mut open = self.shared.open();
            let number = open.next;
            open.next += 1;
            open.uploads.insert(number, Arc::clone(&inner));
            let shared = Arc::clone(&self.shared);
            Ok(InterruptibleUpload {
                inner,
                shared,
                number,
            })
        });
        Ok(Box::new(begun.await?))
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

/// An upload that is open as long as this lives.
#[derive(Debug)]
struct InterruptibleUpload {
    inner: Arc<dyn Upload>,
    shared: Arc<Shared>,
    number: u64,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for InterruptibleUpload {
    fn part_size(&self) -> u64 {
        self.inner.part_size()
    }

    async fn put_part(&self, number: u32, data: Bytes) -> Result<()> {
        self.shared.send(self.inner.put_part(number, data)).await
    }

    async fn complete(&self, parts: u32, len: u64) -> Result<()> {
        self.shared.send(self.inner.complete(parts, len)).await
    }

    async fn abort(&self) -> Result<()> {
        self.inner.abort().await
    }
}

impl Drop for InterruptibleUpload {
    fn drop(&mut self) {
        self.shared.open().uploads.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Action, Fault, FaultRule, FileStorage, Op, When};

    fn file() -> (tempfile::TempDir, Arc<dyn Storage>) {
        let folder = tempfile::tempdir().unwrap();
        let storage = Arc::new(FileStorage::new(folder.path()));
        (folder, storage)
    }

    /// Everything in the folder, temporary names included.
    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let name = |file: std::io::Result<std::fs::DirEntry>| file.unwrap().file_name();
        files
            .map(|file| name(file).into_string().unwrap())
            .collect()
    }

    async fn begun(storage: &Interruptible, name: &str) -> Box<dyn Upload> {
        let upload = storage.begin_upload(name, ObjectKind::Volume).await;
        let upload = upload.unwrap();
        upload.put_part(0, Bytes::from_static(b"x")).await.unwrap();
        upload
    }

    #[tokio::test]
    async fn an_interruption_aborts_what_is_open_and_keeps_what_is_complete() {
        let (folder, inner) = file();
        let storage = Interruptible::new(inner);
        let done = begun(&storage, "done").await;
        done.complete(1, 1).await.unwrap();
        let _open = [begun(&storage, "a").await, begun(&storage, "b").await];
        assert_eq!(names(&folder).len(), 3);
        storage.interrupt().await;
        assert_eq!(names(&folder), ["done"]);
    }

    #[tokio::test]
    async fn a_part_that_never_arrives_does_not_hold_an_interruption_up() {
        let (folder, inner) = file();
        let hang = FaultRule::new(Op::PutPart, When::Nth(2), Action::Hang);
        let storage = Interruptible::new(Arc::new(Fault::new(inner, [hang])));
        let upload = begun(&storage, "stuck").await;
        let part = tokio::spawn(async move {
            let sent = upload.put_part(1, Bytes::from_static(b"y")).await;
            (upload, sent.is_ok())
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        storage.interrupt().await;
        assert_eq!(names(&folder), [""; 0]);
        part.abort();
        assert!(part.await.unwrap_err().is_cancelled(), "it never returns");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_after_an_interruption() {
        let (folder, inner) = file();
        let storage = Interruptible::new(inner);
        storage.interrupt().await;
        let put = storage.put("late", Bytes::from_static(b"x"), ObjectKind::Manifest);
        let put = tokio::time::timeout(Duration::from_secs(60), put);
        put.await.unwrap_err();
        assert_eq!(names(&folder), [""; 0]);
    }
}
