//! A store that is asked, after an upload, how long the object is.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Error, ErrorKind, ObjectInfo, ObjectKind, Op, Pieces, Result, Storage, Tuning, Unfinished,
    Upload,
};

/// The wait before a store is asked again; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// No wait is longer than this, however often the store is asked.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A store whose acknowledgement alone does not count: an upload has succeeded when the store tells the
/// length that was sent.
///
/// A store that [proves its uploads](Storage::proves_uploads) is not asked: that would cost a round trip for each
/// object, and tell less than its checksum has told. One that tells another length, or nothing, is asked again after
/// 1, 2, 4 … seconds, for some show late what they have. In the end that is [`ErrorKind::WrongLength`].
#[derive(Debug, Clone)]
pub struct Confirm {
    inner: Arc<dyn Storage>,
    times: u32,
}

impl Confirm {
    /// `inner`, which is asked this often before an upload counts as failed. 0 counts as 1.
    pub fn new(inner: Arc<dyn Storage>, times: u32) -> Self {
        Self { inner, times }
    }

    async fn confirm(&self, op: Op, name: &str, sent: u64) -> Result<()> {
        if self.inner.proves_uploads() {
            return Ok(());
        }
        let mut wait = FIRST_WAIT;
        let mut left = self.times.max(1);
        loop {
            let found = match self.inner.head(name).await {
                Ok(object) => Some(object.len),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            if found == Some(sent) {
                return Ok(());
            }
            left -= 1;
            if left == 0 {
                return Err(self.wrong_length(op, name, sent, found));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn wrong_length(&self, op: Op, name: &str, sent: u64, found: Option<u64>) -> Error {
        let location = self.inner.location();
        let object = format!("{}/{name}", location.trim_end_matches('/'));
        let has = match found {
            Some(found) => format!("the store has {found}"),
            None => "the store does not have it".to_owned(),
        };
        Error::new(ErrorKind::WrongLength { sent, found }, op, object)
            .with_detail(format!("{sent} bytes were sent, and {has}"))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Confirm {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn tuning(&self) -> Tuning {
        self.inner.tuning()
    }

    /// What it acknowledges, it has asked for.
    fn proves_uploads(&self) -> bool {
        true
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

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Pieces>> {
        self.inner.read(name, range).await
    }

    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()> {
        let sent = data.len() as u64;
        self.inner.put(name, data, kind).await?;
        self.confirm(Op::Put, name, sent).await
    }

    async fn begin_upload(&self, name: &str, kind: ObjectKind) -> Result<Box<dyn Upload>> {
        let inner = self.inner.begin_upload(name, kind).await?;
        Ok(Box::new(ConfirmUpload {
            inner,
            store: self.clone(),
            name: name.to_owned(),
        }))
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

#[derive(Debug)]
struct ConfirmUpload {
    inner: Box<dyn Upload>,
    store: Confirm,
    name: String,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for ConfirmUpload {
    fn part_size(&self) -> u64 {
        self.inner.part_size()
    }

    async fn put_part(&self, number: u32, data: Bytes) -> Result<()> {
        self.inner.put_part(number, data).await
    }

    async fn complete(&self, parts: u32, len: u64) -> Result<()> {
        self.inner.complete(parts, len).await?;
        self.store.confirm(Op::Complete, &self.name, len).await
    }

    async fn abort(&self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::{Action, Fault, FaultRule, MemoryStorage, Record, When};

    /// A store that loses the end of what is put, as `when` says, below a recorder.
    fn losing(when: When, times: u32) -> (Record, Confirm) {
        let rule = FaultRule::new(Op::Put, when, Action::Cut(2));
        over(Fault::new(Arc::new(MemoryStorage::new()), [rule]), times)
    }

    fn over(store: impl Storage + 'static, times: u32) -> (Record, Confirm) {
        let record = Record::new(Arc::new(store));
        (record.clone(), Confirm::new(Arc::new(record), times))
    }

    async fn put(store: &Confirm) -> Result<()> {
        let data = Bytes::from_static(b"four");
        store.put("x", data, ObjectKind::Volume).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_has_less_than_was_sent_has_failed() {
        let (record, store) = losing(When::From(1), 4);
        let start = Instant::now();
        let error = put(&store).await.unwrap_err();
        let kind = ErrorKind::WrongLength {
            sent: 4,
            found: Some(2),
        };
        assert_eq!((error.kind(), error.op()), (kind, Op::Put));
        assert_eq!(
            error.to_string(),
            "cannot write memory:/x: 4 bytes were sent, and the store has 2"
        );
        let asked = record.calls().iter().filter(|it| it.op == Op::Head).count();
        assert_eq!(asked, 4);
        assert_eq!(start.elapsed(), Duration::from_secs(1 + 2 + 4));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_late_is_waited_for() {
        let rule = |nth| FaultRule::new(Op::Head, nth, Action::Fail(ErrorKind::NotFound));
        let memory = Arc::new(MemoryStorage::new());
        let (record, store) = over(Fault::new(memory, [rule(When::First(2))]), 3);
        put(&store).await.unwrap();
        assert_eq!(record.calls().len(), 1 + 3);

        let memory = Arc::new(MemoryStorage::new());
        let (_, store) = over(Fault::new(memory, [rule(When::From(1))]), 3);
        let error = put(&store).await.unwrap_err();
        assert!(error.to_string().ends_with("the store does not have it"));
    }

    #[tokio::test(start_paused = true)]
    async fn uploads_in_parts_are_asked_for_too() {
        let memory = Arc::new(MemoryStorage::new());
        let spoiled = Fault::new(
            Arc::clone(&memory) as Arc<dyn Storage>,
            [FaultRule::new(
                Op::Head,
                When::Nth(1),
                Action::Fail(ErrorKind::NotFound),
            )],
        );
        let (record, store) = over(spoiled, 2);
        let upload = store.begin_upload("x", ObjectKind::Volume).await.unwrap();
        let data = Bytes::from_static(b"data");
        upload.put_part(0, data).await.unwrap();
        upload.complete(1, 4).await.unwrap();
        let verbs: Vec<_> = record.calls().iter().map(|call| call.op).collect();
        assert_eq!(
            verbs,
            [
                Op::BeginUpload,
                Op::PutPart,
                Op::Complete,
                Op::Head,
                Op::Head
            ]
        );
    }

    #[tokio::test]
    async fn a_store_that_proves_its_uploads_is_not_asked() {
        let (record, store) = over(Confirm::new(Arc::new(MemoryStorage::new()), 1), 1);
        put(&store).await.unwrap();
        assert_eq!(record.calls().len(), 1);
    }
}
