//! A store that tries again what may well succeed the next time.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    Error, ErrorKind, ObjectInfo, ObjectKind, Pieces, Result, Storage, Tuning, Unfinished, Upload,
};

/// A range that broke off after as many bytes is gone on with at once.
const PLENTY: u64 = 1 << 20;

/// With less than this it counts as failed, so that nothing asks for ever for a few bytes more; in between,
/// there is a pause.
const WORTH_KEEPING: u64 = 64 << 10;

/// How often and how long to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The most tries of one operation, the first included. 0 counts as 1.
    pub tries: u32,
    /// The ceiling of the wait before the second try; it doubles with each further one.
    /// The wait itself is drawn evenly between nothing and its ceiling, so that many
    /// operations that failed together do not come back together.
    pub first_wait: Duration,
    /// No ceiling is higher than this; a store that names a time to wait gets that time, though.
    pub longest_wait: Duration,
    /// No try begins later than this after the first one began.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    /// Five tries, 1 s doubling up to 30 s, within 10 minutes.
    fn default() -> Self {
        Self {
            tries: 5,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(30),
            budget: Duration::from_secs(600),
        }
    }
}

impl RetryPolicy {
    /// The wait after try number `tries` (from 1) has failed; `random` is even over all values.
    fn wait(&self, tries: u32, error: &Error, random: u32) -> Duration {
        if let Some(wait) = error.retry_after() {
            return wait;
        }
        let doubled = self.first_wait.saturating_mul(1 << (tries - 1).min(20));
        // A store under load is given more time, as duplicity does.
        let factor = if error.kind() == ErrorKind::Throttled {
            3
        } else {
            1
        };
        let ceiling = doubled.saturating_mul(factor).min(self.longest_wait);
        ceiling.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

/// A try that failed and will be followed by another.
#[derive(Debug)]
pub struct RetryEvent<'a> {
    /// Which try failed, from 1.
    pub tries: u32,
    /// Why; names the operation and the object.
    pub error: &'a Error,
    /// How long the pause before the next try is.
    pub wait: Duration,
}

/// A store that repeats what failed for a reason that may pass.
///
/// Repeated are operations that ended in a [transient](ErrorKind::is_transient) kind; all
/// operations of a [`Storage`] are idempotent, uploads part by part. A missing object, a denied
/// permission and bad credentials are reported at once. A range that broke off is gone on with where it
/// ended. The error at the end tells how often and
/// how long was tried.
#[derive(Clone)]
pub struct Retry {
    inner: Arc<dyn Storage>,
    attempts: Attempts,
}

/// Called before each pause.
type Observer = Arc<dyn Fn(&RetryEvent<'_>) + Send + Sync>;

#[derive(Clone)]
struct Attempts {
    policy: RetryPolicy,
    observer: Option<Observer>,
}

impl Retry {
    /// Tries again what fails in `inner`, as `policy` says.
    pub fn new(inner: Arc<dyn Storage>, policy: RetryPolicy) -> Self {
        Self {
            inner,
            attempts: Attempts {
                policy,
                observer: None,
            },
        }
    }

    /// Has `observer` called for every try that failed and is followed by another.
    #[must_use]
    pub fn observed(mut self, observer: impl Fn(&RetryEvent<'_>) + Send + Sync + 'static) -> Self {
        self.attempts.observer = Some(Arc::new(observer));
        self
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = &self.attempts.policy;
        f.debug_struct("Retry")
            .field("inner", &self.inner)
            .field("policy", policy)
            .finish()
    }
}

impl Attempts {
    async fn run<T, F: Future<Output = Result<T>> + Send>(
        &self,
        call: impl Fn() -> F + Send + Sync,
    ) -> Result<T> {
        let mut tries = Tries::begin(self);
        loop {
            match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => tries.after(error).await?,
            }
        }
    }
}

/// The tries of one operation.
struct Tries {
    attempts: Attempts,
    start: Instant,
    failed: u32,
}

impl Tries {
    fn begin(attempts: &Attempts) -> Self {
        Self {
            attempts: attempts.clone(),
            start: Instant::now(),
            failed: 0,
        }
    }

    /// Waits after a try that failed; its error where it was the last.
    async fn after(&mut self, error: Error) -> Result<()> {
        self.failed += 1;
        let Attempts { policy, .. } = &self.attempts;
        let wait = policy.wait(self.failed, &error, random());
        let elapsed = self.start.elapsed();
        let over = self.failed >= policy.tries || elapsed + wait > policy.budget;
        if over || !error.kind().is_transient() {
            return Err(error.with_tries(self.failed, elapsed));
        }
        self.announce(&error, wait);
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn announce(&self, error: &Error, wait: Duration) {
        if let Some(observer) = &self.attempts.observer {
            let tries = self.failed;
            observer(&RetryEvent { tries, error, wait });
        }
    }
}

fn random() -> u32 {
    // Without randomness every wait is as long as it may be: slower, never wrong.
    getrandom::u32().unwrap_or(u32::MAX)
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for Retry {
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
        self.attempts.run(|| self.inner.list()).await
    }

    async fn head(&self, name: &str) -> Result<ObjectInfo> {
        self.attempts.run(|| self.inner.head(name)).await
    }

    async fn thaw(&self, object: &ObjectInfo) -> Result<()> {
        self.attempts.run(|| self.inner.thaw(object)).await
    }

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Pieces>> {
        let mut tries = Tries::begin(&self.attempts);
        let current = loop {
            match self.inner.read(name, range.clone()).await {
                Ok(pieces) => break pieces,
                Err(error) => tries.after(error).await?,
            }
        };
        Ok(Box::new(RetryPieces {
            inner: Arc::clone(&self.inner),
            name: name.to_owned(),
            rest: range,
            current,
            since_failure: 0,
            tries,
        }))
    }

    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()> {
        self.attempts
            .run(|| self.inner.put(name, data.clone(), kind))
            .await
    }

    async fn begin_upload(&self, name: &str, kind: ObjectKind) -> Result<Box<dyn Upload>> {
        let inner = self
            .attempts
            .run(|| self.inner.begin_upload(name, kind))
            .await?;
        Ok(Box::new(RetryUpload {
            inner,
            attempts: self.attempts.clone(),
        }))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.attempts.run(|| self.inner.delete(name)).await
    }

    async fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        self.attempts.run(|| self.inner.list_unfinished()).await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<()> {
        self.attempts
            .run(|| self.inner.discard_unfinished(unfinished))
            .await
    }
}

/// A range that is gone on with where it broke off.
struct RetryPieces {
    inner: Arc<dyn Storage>,
    name: String,
    /// What is still to come.
    rest: Range<u64>,
    current: Box<dyn Pieces>,
    /// Bytes that have come since the last try failed.
    since_failure: u64,
    tries: Tries,
}

impl fmt::Debug for RetryPieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPieces")
            .field("current", &self.current)
            .field("rest", &self.rest)
            .finish()
    }
}

impl RetryPieces {
    /// Does what is to be done after a failure, before the rest is asked for.
    ///
    /// A line that has brought something and then broke works: the rest is asked for, and the tries
    /// count anew. One that stands still again and again does not, whatever came in between.
    async fn after(&mut self, error: Error) -> Result<()> {
        let brought = std::mem::take(&mut self.since_failure);
        let broke_off = error.kind().is_transient() && error.kind() != ErrorKind::Timeout;
        if !broke_off || brought < WORTH_KEEPING {
            return self.tries.after(error).await;
        }
        (self.tries.failed, self.tries.start) = (1, Instant::now());
        let wait = match brought < PLENTY {
            true => self.tries.attempts.policy.wait(1, &error, random()),
            false => Duration::ZERO,
        };
        self.tries.announce(&error, wait);
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

#[async_trait]
impl Pieces for RetryPieces {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.current.next().await {
                Ok(Some(piece)) => {
                    let len = piece.len() as u64;
                    self.rest.start += len;
                    self.since_failure += len;
                    return Ok(Some(piece));
                }
                Ok(None) => return Ok(None),
                Err(error) => self.after(error).await?,
            }
            if self.rest.is_empty() {
                // All there was to come has come before the failure.
                return Ok(None);
            }
            self.current = loop {
                match self.inner.read(&self.name, self.rest.clone()).await {
                    Ok(pieces) => break pieces,
                    Err(error) => self.tries.after(error).await?,
                }
            };
        }
    }
}

struct RetryUpload {
    inner: Box<dyn Upload>,
    attempts: Attempts,
}

impl fmt::Debug for RetryUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryUpload")
            .field("inner", &self.inner)
            .finish()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for RetryUpload {
    fn part_size(&self) -> u64 {
        self.inner.part_size()
    }

    async fn put_part(&self, number: u32, data: Bytes) -> Result<()> {
        self.attempts
            .run(|| self.inner.put_part(number, data.clone()))
            .await
    }

    async fn complete(&self, parts: u32, len: u64) -> Result<()> {
        self.attempts.run(|| self.inner.complete(parts, len)).await
    }

    /// Once: who gives an upload up has an error to report, and what stays is invisible.
    async fn abort(&self) -> Result<()> {
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{Action, Fault, FaultRule, MemoryStorage, Op, Record, StorageExt as _, When};

    /// A store that fails `rule`, below a recorder, below the policy.
    fn retrying(rule: FaultRule, policy: RetryPolicy) -> (Record, Retry) {
        let record = Record::new(Arc::new(Fault::new(Arc::new(MemoryStorage::new()), [rule])));
        (record.clone(), Retry::new(Arc::new(record), policy))
    }

    fn failing(when: When, kind: ErrorKind) -> FaultRule {
        FaultRule::new(Op::Put, when, Action::Fail(kind))
    }

    async fn put(store: &Retry) -> Result<()> {
        store
            .put("x", Bytes::from_static(b"x"), ObjectKind::Other)
            .await
    }

    #[tokio::test(start_paused = true)]
    async fn transient_failures_are_tried_again_until_they_pass() {
        for kind in [
            ErrorKind::Unreachable,
            ErrorKind::Throttled,
            ErrorKind::Timeout,
        ] {
            let (record, store) = retrying(failing(When::First(4), kind), RetryPolicy::default());
            put(&store).await.unwrap();
            assert_eq!(record.calls().len(), 5, "{kind:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_pass_is_reported_at_once() {
        use ErrorKind::{Credentials, NoSpace, NotFound, Other, PermissionDenied, Unsupported};
        for kind in [
            NotFound,
            PermissionDenied,
            Credentials,
            NoSpace,
            Unsupported,
            Other,
        ] {
            let (record, store) = retrying(failing(When::From(1), kind), RetryPolicy::default());
            let error = put(&store).await.unwrap_err();
            assert_eq!((error.kind(), error.tries()), (kind, Some(1)));
            assert_eq!(record.calls().len(), 1, "{kind:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_error_tells_how_often_and_how_long() {
        let rule = failing(When::From(1), ErrorKind::Unreachable);
        let (record, store) = retrying(rule, RetryPolicy::default());
        let error = put(&store).await.unwrap_err();
        assert_eq!(record.calls().len(), 5);
        let text = error.to_string();
        assert!(
            text.starts_with("cannot write x: the store cannot be reached (5 tries in "),
            "{text}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_budget_ends_the_tries() {
        let policy = RetryPolicy {
            tries: 1000,
            budget: Duration::from_secs(60),
            ..RetryPolicy::default()
        };
        let rule = failing(When::From(1), ErrorKind::Timeout);
        let (_, store) = retrying(rule, policy);
        let start = Instant::now();
        put(&store).await.unwrap_err();
        assert!(start.elapsed() <= Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn every_pause_is_announced() {
        let rule = failing(When::First(2), ErrorKind::Timeout);
        let (_, store) = retrying(rule, RetryPolicy::default());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let store = store.observed(move |event| {
            log.lock().unwrap().push((event.tries, event.error.op()));
        });
        put(&store).await.unwrap();
        assert_eq!(*seen.lock().unwrap(), [(1, Op::Put), (2, Op::Put)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_completion_whose_answer_was_lost_is_found_out() {
        let rule = FaultRule::new(Op::Complete, When::Nth(1), Action::LoseAnswer);
        let (record, store) = retrying(rule, RetryPolicy::default());
        let upload = store.begin_upload("x", ObjectKind::Volume).await.unwrap();
        upload
            .put_part(0, Bytes::from_static(b"data"))
            .await
            .unwrap();
        upload.complete(1, 4).await.unwrap();
        let verbs: Vec<_> = record.calls().iter().map(|call| call.op).collect();
        assert_eq!(
            verbs,
            [Op::BeginUpload, Op::PutPart, Op::Complete, Op::Complete]
        );
    }

    /// What a range of `LEN` bytes comes to where its reads are spoilt by `rule`, the waits that were
    /// announced, and how often it was asked for.
    async fn reading(rule: FaultRule) -> (Result<bool>, Vec<(u32, Duration)>, usize) {
        const LEN: usize = 5_000_000;
        let memory = MemoryStorage::new();
        let data: Bytes = (0..LEN).map(|at| (at / 7) as u8).collect();
        memory.insert("x", data.clone());
        let record = Record::new(Arc::new(Fault::new(Arc::new(memory), [rule])));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let store = Retry::new(Arc::new(record.clone()), RetryPolicy::default());
        let store =
            store.observed(move |event| log.lock().unwrap().push((event.tries, event.wait)));
        let read = store.get("x", 1..LEN as u64).await;
        let waits = seen.lock().unwrap().clone();
        (
            read.map(|read| read == data[1..]),
            waits,
            record.calls().len(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_range_that_breaks_off_is_gone_on_with_at_once_where_it_ended() {
        let often = FaultRule::new(Op::Get, When::First(4), Action::BreakOff(1_100_000));
        let (read, waits, calls) = reading(often).await;
        assert!(read.unwrap(), "every byte once, in order");
        assert_eq!((waits, calls), (vec![(1, Duration::ZERO); 4], 5));
        // All had come but the end.
        let at_the_end = FaultRule::new(Op::Get, When::Nth(1), Action::BreakOff(4_999_999));
        let (read, _, calls) = reading(at_the_end).await;
        assert_eq!((read.unwrap(), calls), (true, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_range_that_breaks_off_soon_is_gone_on_with_after_a_pause() {
        let often = FaultRule::new(Op::Get, When::First(20), Action::BreakOff(100_000));
        let (read, waits, calls) = reading(often).await;
        assert!(read.unwrap(), "every byte once, in order");
        assert_eq!((waits.len(), calls), (20, 21));
        assert!(waits.iter().all(|&(tries, _)| tries == 1));
        let together: Duration = waits.iter().map(|&(_, wait)| wait).sum();
        assert!(together > Duration::from_secs(1), "{together:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn few_bytes_between_failures_do_not_keep_a_range_alive() {
        let rule = FaultRule::new(Op::Get, When::From(1), Action::BreakOff(50_000));
        let (read, waits, calls) = reading(rule).await;
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unreachable);
        assert_eq!((error.tries(), waits.len(), calls), (Some(5), 4, 5));
    }

    #[test]
    fn waits_double_up_to_the_longest_and_follow_the_store() {
        let policy = RetryPolicy::default();
        let timeout = || Error::new(ErrorKind::Timeout, Op::Get, "x");
        let longest = |tries| policy.wait(tries, &timeout(), u32::MAX).as_secs();
        assert_eq!(
            [1, 2, 3, 5, 6, 60, 4_000_000].map(longest),
            [1, 2, 4, 16, 30, 30, 30]
        );
        assert_eq!(policy.wait(3, &timeout(), 0), Duration::ZERO);
        let throttled = Error::new(ErrorKind::Throttled, Op::Get, "x");
        assert_eq!(policy.wait(2, &throttled, u32::MAX).as_secs(), 6);
        let told = timeout().with_retry_after(Duration::from_secs(77));
        assert_eq!(policy.wait(1, &told, 0).as_secs(), 77);
    }
}
