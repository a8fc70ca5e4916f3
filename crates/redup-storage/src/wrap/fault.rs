//! A store that fails on purpose, by a schedule given as a value.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Error, ErrorKind, ObjectInfo, ObjectKind, Op, Pieces, Result, Storage, Tuning, Unfinished,
    Upload,
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The call fails and has no effect.
    Fail(ErrorKind),
    /// The call takes effect, but its answer is lost: it ends in a timeout.
    LoseAnswer,
    /// Only this many bytes of the data get through, and nobody notices
    /// (`read`, `put` and `put_part`; a listing loses all but this many entries).
    Cut(u64),
    /// The call fails after this many bytes have been read (`read` alone).
    BreakOff(u64),
    /// The byte at this place of the data is inverted, and nobody notices
    /// (`read`, `put` and `put_part`).
    Flip(u64),
    /// The call takes this much longer.
    Delay(Duration),
    /// The call never returns.
    Hang,
}

/// Which of the calls that a rule is about it hits, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The n-th alone.
    Nth(u32),
    /// The first n.
    First(u32),
    /// The n-th and all after it.
    From(u32),
    /// Every n-th.
    Every(u32),
}

impl When {
    fn hits(self, count: u32) -> bool {
        match self {
            Self::Nth(n) => count == n,
            Self::First(n) => count <= n,
            Self::From(n) => count >= n,
            Self::Every(n) => n > 0 && count.is_multiple_of(n),
        }
    }
}

/// One thing that goes wrong: on which calls, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRule {
    op: Op,
    name: Option<String>,
    when: When,
    action: Action,
}

impl FaultRule {
    /// `action` happens to those calls of `op` that `when` picks.
    pub fn new(op: Op, when: When, action: Action) -> Self {
        Self {
            op,
            name: None,
            when,
            action,
        }
    }

    /// Counts and hits only calls for objects whose name contains `part`.
    #[must_use]
    pub fn on(mut self, part: impl Into<String>) -> Self {
        self.name = Some(part.into());
        self
    }

    fn is_about(&self, op: Op, name: &str) -> bool {
        self.op == op && self.name.as_ref().is_none_or(|part| name.contains(part))
    }
}

/// A store that does what its rules say, and passes on what they leave alone.
///
/// Each rule counts the calls it is about; of several that hit the same call the first decides.
#[derive(Debug, Clone)]
pub struct Fault {
    inner: Arc<dyn Storage>,
    schedule: Arc<Schedule>,
}

#[derive(Debug)]
struct Schedule {
    rules: Mutex<Vec<(FaultRule, u32)>>,
}

impl Fault {
    /// `inner`, spoiled by `rules`.
    pub fn new(inner: Arc<dyn Storage>, rules: impl IntoIterator<Item = FaultRule>) -> Self {
        let rules = Mutex::new(rules.into_iter().map(|rule| (rule, 0)).collect());
        Self {
            inner,
            schedule: Arc::new(Schedule { rules }),
        }
    }
}

impl Schedule {
    fn next(&self, op: Op, name: &str) -> Option<Action> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hit = None;
        for (rule, count) in rules.iter_mut().filter(|(rule, _)| rule.is_about(op, name)) {
            *count += 1;
            if rule.when.hits(*count) && hit.is_none() {
                hit = Some(rule.action);
            }
        }
        hit
    }

    /// Runs a call that takes no data and returns none.
    async fn run<T>(&self, op: Op, name: &str, call: impl Future<Output = Result<T>>) -> Result<T> {
        let action = self.next(op, name);
        before(action, op, name).await?;
        let answer = call.await?;
        after(action, op, name)?;
        Ok(answer)
    }

    /// Runs a call that sends data.
    async fn send<T, F: Future<Output = Result<T>>>(
        &self,
        op: Op,
        name: &str,
        data: Bytes,
        call: impl FnOnce(Bytes) -> F,
    ) -> Result<T> {
        let action = self.next(op, name);
        before(action, op, name).await?;
        let answer = call(spoil(action, data)).await?;
        after(action, op, name)?;
        Ok(answer)
    }
}

async fn before(action: Option<Action>, op: Op, name: &str) -> Result<()> {
    match action {
        Some(Action::Fail(kind)) => Err(injected(kind, op, name)),
        Some(Action::Delay(time)) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
        Some(Action::Hang) => std::future::pending().await,
        _ => Ok(()),
    }
}

fn after(action: Option<Action>, op: Op, name: &str) -> Result<()> {
    match action {
        Some(Action::LoseAnswer) => Err(injected(ErrorKind::Timeout, op, name)),
        _ => Ok(()),
    }
}

fn spoil(action: Option<Action>, data: Bytes) -> Bytes {
    match action {
        Some(Action::Cut(len)) => {
            data.slice(..usize::try_from(len).unwrap_or(usize::MAX).min(data.len()))
        }
        Some(Action::Flip(place)) => {
            let mut data = data.to_vec();
            if let Some(byte) = usize::try_from(place)
                .ok()
                .and_then(|place| data.get_mut(place))
            {
                *byte ^= 0xff;
            }
            data.into()
        }
        _ => data,
    }
}

fn injected(kind: ErrorKind, op: Op, name: &str) -> Error {
    Error::new(kind, op, name).with_source("injected fault")
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Fault {
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
        let action = self.schedule.next(Op::List, "");
        before(action, Op::List, "").await?;
        let mut objects = self.inner.list().await?;
        after(action, Op::List, "")?;
        if let Some(Action::Cut(len)) = action {
            objects.truncate(usize::try_from(len).unwrap_or(usize::MAX));
        }
        Ok(objects)
    }

    async fn head(&self, name: &str) -> Result<ObjectInfo> {
        self.schedule
            .run(Op::Head, name, self.inner.head(name))
            .await
    }

    async fn thaw(&self, object: &ObjectInfo) -> Result<()> {
        self.schedule
            .run(Op::Thaw, &object.name, self.inner.thaw(object))
            .await
    }

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Pieces>> {
        let action = self.schedule.next(Op::Get, name);
        before(action, Op::Get, name).await?;
        let inner = self.inner.read(name, range).await?;
        after(action, Op::Get, name)?;
        Ok(Box::new(FaultPieces {
            inner,
            name: name.to_owned(),
            action,
            at: 0,
        }))
    }

    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()> {
        let call = |data| self.inner.put(name, data, kind);
        self.schedule.send(Op::Put, name, data, call).await
    }

    async fn begin_upload(&self, name: &str, kind: ObjectKind) -> Result<Box<dyn Upload>> {
        let call = self.inner.begin_upload(name, kind);
        let inner = self.schedule.run(Op::BeginUpload, name, call).await?;
        let schedule = Arc::clone(&self.schedule);
        Ok(Box::new(FaultUpload {
            inner,
            name: name.to_owned(),
            schedule,
        }))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.schedule
            .run(Op::Delete, name, self.inner.delete(name))
            .await
    }

    async fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        self.schedule
            .run(Op::ListUnfinished, "", self.inner.list_unfinished())
            .await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<()> {
        let name = unfinished.name.as_deref().unwrap_or_default();
        let call = self.inner.discard_unfinished(unfinished);
        self.schedule.run(Op::DiscardUnfinished, name, call).await
    }
}

/// A range with something wrong at a place of it.
#[derive(Debug)]
struct FaultPieces {
    inner: Box<dyn Pieces>,
    name: String,
    action: Option<Action>,
    at: u64,
}

#[async_trait]
impl Pieces for FaultPieces {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(piece) = self.inner.next().await? else {
            return Ok(None);
        };
        let start = self.at;
        self.at += piece.len() as u64;
        // What is wrong, as seen from the piece.
        let action = match self.action {
            Some(Action::Cut(len)) => Some(Action::Cut(len.saturating_sub(start))),
            Some(Action::Flip(place)) => place.checked_sub(start).map(Action::Flip),
            Some(Action::BreakOff(len)) if len <= start => {
                return Err(injected(ErrorKind::Unreachable, Op::Get, &self.name));
            }
            Some(Action::BreakOff(len)) => Some(Action::Cut(len - start)),
            other => other,
        };
        let piece = spoil(action, piece);
        Ok((!piece.is_empty()).then_some(piece))
    }
}

#[derive(Debug)]
struct FaultUpload {
    inner: Box<dyn Upload>,
    name: String,
    schedule: Arc<Schedule>,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for FaultUpload {
    fn part_size(&self) -> u64 {
        self.inner.part_size()
    }

    async fn put_part(&self, number: u32, data: Bytes) -> Result<()> {
        let call = |data| self.inner.put_part(number, data);
        self.schedule
            .send(Op::PutPart, &self.name, data, call)
            .await
    }

    async fn complete(&self, parts: u32, len: u64) -> Result<()> {
        let call = self.inner.complete(parts, len);
        self.schedule.run(Op::Complete, &self.name, call).await
    }

    async fn abort(&self) -> Result<()> {
        self.schedule
            .run(Op::Abort, &self.name, self.inner.abort())
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStorage, StorageExt as _};

    fn faulty(rules: impl IntoIterator<Item = FaultRule>) -> (MemoryStorage, Fault) {
        let memory = MemoryStorage::new();
        (memory.clone(), Fault::new(Arc::new(memory), rules))
    }

    fn data() -> Bytes {
        Bytes::from_static(b"content")
    }

    #[tokio::test]
    async fn the_second_put_of_a_manifest_fails_and_no_other() {
        let fail = Action::Fail(ErrorKind::NoSpace);
        let (memory, store) = faulty([FaultRule::new(Op::Put, When::Nth(2), fail).on("manifest")]);
        store.put("vol1", data(), ObjectKind::Volume).await.unwrap();
        store
            .put("a.manifest", data(), ObjectKind::Manifest)
            .await
            .unwrap();
        let error = store
            .put("b.manifest", data(), ObjectKind::Manifest)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        store
            .put("c.manifest", data(), ObjectKind::Manifest)
            .await
            .unwrap();
        assert_eq!(memory.names(), ["a.manifest", "c.manifest", "vol1"]);
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_the_effect() {
        let (memory, store) = faulty([FaultRule::new(Op::Put, When::Nth(1), Action::LoseAnswer)]);
        let error = store.put("x", data(), ObjectKind::Other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_eq!(memory.names(), ["x"]);
    }

    #[tokio::test]
    async fn a_cut_part_goes_unnoticed_until_the_lengths_are_compared() {
        let (memory, store) = faulty([FaultRule::new(Op::PutPart, When::Nth(1), Action::Cut(3))]);
        let upload = store.begin_upload("x", ObjectKind::Volume).await.unwrap();
        upload.put_part(0, data()).await.unwrap();
        let error = upload.complete(1, 7).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Mismatch);
        assert!(memory.names().is_empty());
    }

    #[tokio::test]
    async fn flipped_bytes_are_delivered_as_if_they_were_right() {
        let (memory, store) = faulty([FaultRule::new(Op::Get, When::From(2), Action::Flip(0))]);
        memory.insert("x", data());
        assert_eq!(store.get("x", 0..2).await.unwrap(), &b"co"[..]);
        assert_eq!(
            store.get("x", 0..2).await.unwrap(),
            &[b'c' ^ 0xff, b'o'][..]
        );
        assert_eq!(store.get("x", 0..0).await.unwrap(), &b""[..]);
    }
}
