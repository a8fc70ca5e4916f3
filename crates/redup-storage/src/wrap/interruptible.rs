//! A store that can be left at once, for a run that is told to end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{RwLock, watch};
use tokio::task::JoinSet;

use crate::{
    Error, ErrorKind, ObjectInfo, ObjectKind, Op, Pieces, Result, Storage, Tuning, Unfinished,
    Upload,
};

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
    /// Read by every call that sends something; written by the interruption, once the last has ended.
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

    /// Makes every call fail, those under way and those to come, so that whoever works on the store comes to
    /// an end; then aborts every open upload.
    ///
    /// An upload that cannot be aborted stays behind as an [`Unfinished`] one.
    pub async fn interrupt(&self) {
        self.shared.interrupted.send_replace(true);
        // An abort beside a part on its way may leave that part behind.
        drop(self.shared.sending.write().await);
        let uploads = std::mem::take(&mut self.shared.open().uploads);
        let mut aborts = JoinSet::new();
        for upload in uploads.into_values() {
            aborts.spawn(async move { upload.abort().await });
        }
        while aborts.join_next().await.is_some() {}
    }

    fn object(&self, name: &str) -> String {
        format!("{}/{name}", self.inner.location())
    }

    async fn call<T>(
        &self,
        op: Op,
        name: &str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let answer = self.shared.unless_interrupted(call).await;
        answer.unwrap_or_else(|| Err(interrupted(op, self.object(name))))
    }
}

fn interrupted(op: Op, object: String) -> Error {
    Error::new(ErrorKind::Other, op, object).with_detail("interrupted")
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a call; `None` when there is an interruption before or meanwhile.
    async fn unless_interrupted<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let mut interrupted = self.interrupted.subscribe();
        tokio::select! {
            biased;
            _ = interrupted.wait_for(|interrupted| *interrupted) => None,
            answer = call => Some(answer),
        }
    }

    /// Runs a call that sends something.
    async fn send<T>(&self, call: impl Future<Output = Result<T>>) -> Option<Result<T>> {
        let sending = async {
            let _sending = self.sending.read().await;
            call.await
        };
        self.unless_interrupted(sending).await
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

    fn proves_uploads(&self) -> bool {
        self.inner.proves_uploads()
    }

    async fn list(&self) -> Result<Vec<ObjectInfo>> {
        self.call(Op::List, "", self.inner.list()).await
    }

    async fn head(&self, name: &str) -> Result<ObjectInfo> {
        self.call(Op::Head, name, self.inner.head(name)).await
    }

    async fn thaw(&self, object: &ObjectInfo) -> Result<()> {
        let call = self.inner.thaw(object);
        self.call(Op::Thaw, &object.name, call).await
    }

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Pieces>> {
        let read = self.call(Op::Get, name, self.inner.read(name, range));
        Ok(Box::new(InterruptiblePieces {
            inner: read.await?,
            storage: self.clone(),
            name: name.to_owned(),
        }))
    }

    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()> {
        let put = self.shared.send(self.inner.put(name, data, kind)).await;
        put.unwrap_or_else(|| Err(interrupted(Op::Put, self.object(name))))
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
                object: self.object(name),
            })
        });
        let begun = begun.await;
        let begun = begun.unwrap_or_else(|| Err(interrupted(Op::BeginUpload, self.object(name))));
        Ok(Box::new(begun?))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.call(Op::Delete, name, self.inner.delete(name)).await
    }

    async fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        let call = self.inner.list_unfinished();
        self.call(Op::ListUnfinished, "", call).await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<()> {
        let call = self.inner.discard_unfinished(unfinished);
        self.call(Op::DiscardUnfinished, "", call).await
    }
}

/// An upload that is open as long as this lives.
#[derive(Debug)]
struct InterruptibleUpload {
    inner: Arc<dyn Upload>,
    shared: Arc<Shared>,
    number: u64,
    object: String,
}

impl InterruptibleUpload {
    async fn send(&self, op: Op, call: impl Future<Output = Result<()>>) -> Result<()> {
        let sent = self.shared.send(call).await;
        sent.unwrap_or_else(|| Err(interrupted(op, self.object.clone())))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for InterruptibleUpload {
    fn part_size(&self) -> u64 {
        self.inner.part_size()
    }

    async fn put_part(&self, number: u32, data: Bytes) -> Result<()> {
        let sent = self.inner.put_part(number, data);
        self.send(Op::PutPart, sent).await
    }

    async fn complete(&self, parts: u32, len: u64) -> Result<()> {
        let completed = self.inner.complete(parts, len);
        self.send(Op::Complete, completed).await
    }

    /// Left to the interruption, once there is one.
    async fn abort(&self) -> Result<()> {
        let aborted = self.shared.unless_interrupted(self.inner.abort()).await;
        aborted.unwrap_or(Ok(()))
    }
}

impl Drop for InterruptibleUpload {
    fn drop(&mut self) {
        self.shared.open().uploads.remove(&self.number);
    }
}

#[derive(Debug)]
struct InterruptiblePieces {
    inner: Box<dyn Pieces>,
    storage: Interruptible,
    name: String,
}

#[async_trait]
impl Pieces for InterruptiblePieces {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        self.storage
            .call(Op::Get, &self.name, self.inner.next())
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Fault, FaultRule, FileStorage, StorageExt as _, When};

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
            upload.abort().await.unwrap();
            sent
        });
        // The hanging part is on its way.
        while storage.shared.sending.try_write().is_ok() {
            tokio::task::yield_now().await;
        }
        storage.interrupt().await;
        assert_eq!(names(&folder), [""; 0]);
        let error = part.await.unwrap().unwrap_err().to_string();
        let expected = format!(
            "cannot upload a part of {}/stuck: interrupted",
            storage.location()
        );
        assert_eq!(error, expected);
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_is_not_waited_for() {
        let (_folder, inner) = file();
        let hang = FaultRule::new(Op::List, When::Nth(1), Action::Hang);
        let storage = Interruptible::new(Arc::new(Fault::new(inner, [hang])));
        let other = storage.clone();
        let list = tokio::spawn(async move { other.list().await });
        while storage.shared.interrupted.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
        storage.interrupt().await;
        let error = list.await.unwrap().unwrap_err().to_string();
        assert!(error.ends_with(": interrupted"), "{error}");
    }

    #[tokio::test]
    async fn nothing_is_done_after_an_interruption() {
        let (folder, inner) = file();
        inner
            .put("old", Bytes::from_static(b"x"), ObjectKind::Manifest)
            .await
            .unwrap();
        let storage = Interruptible::new(inner);
        let mut begun = storage.read("old", 0..1).await.unwrap();
        storage.interrupt().await;
        let data = Bytes::from_static(b"x");
        begun.next().await.unwrap_err();
        storage.delete("old").await.unwrap_err();
        storage.get("old", 0..1).await.unwrap_err();
        storage
            .put("late", data, ObjectKind::Manifest)
            .await
            .unwrap_err();
        storage
            .begin_upload("late", ObjectKind::Volume)
            .await
            .unwrap_err();
        assert_eq!(names(&folder), ["old"]);
    }
}
