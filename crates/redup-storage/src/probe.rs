//! A store tried out: one small object and one in parts, written, read back, compared, deleted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinSet;

use crate::{
    Access, Error, ErrorKind, ObjectInfo, ObjectKind, Op, Result, Storage, StorageExt as _,
    Unfinished, Upload,
};

/// The length of the small object.
const SMALL: usize = 1000;

/// Bytes of one request of the download.
const RANGE: u64 = 1 << 20;

/// How often the round trip is measured.
const ROUND_TRIPS: usize = 5;

/// Something that a store is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Listing the folder.
    List,
    /// Storing small objects with one request each: metadata, and a volume, whose class may be another.
    Write,
    /// Reading it back, compared.
    Read,
    /// Storing an object in parts, several at a time.
    Upload,
    /// Reading that back in ranges, several at a time, compared.
    Download,
    /// Listing uploads that were begun and not ended, which that of the object in parts is meanwhile. Only a
    /// clean-up needs it.
    Unfinished,
    /// Deleting what was written. Only removals and a clean-up need it.
    Delete,
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// It works.
    Works,
    /// It does not.
    Failed(Error),
    /// It was not tried.
    Skipped(&'static str),
}

/// One thing that was tried.
#[derive(Debug)]
pub struct Step {
    /// What.
    pub check: Check,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// What was found out.
#[derive(Debug, Default)]
pub struct Report {
    /// What was tried, in this order.
    pub steps: Vec<Step>,
    /// How many objects the folder has.
    pub objects: Option<usize>,
    /// The median time of a request that moves no data.
    pub round_trip: Option<Duration>,
    /// The length of the object in parts, and how many these were.
    pub large: Option<(u64, u32)>,
    /// What the store tells of that object, which was stored as a volume.
    pub stored: Option<ObjectInfo>,
    /// Whether the store tells the CRC-32 of an object in parts, and it is right.
    pub tells_crc32: bool,
    /// Whether it tells the SHA-1 that was stored beside the small object.
    pub tells_sha1: bool,
}

/// A trial of a store. Its objects have names that no run of the same moment has, and that
/// neither redup nor duplicity takes for part of a backup.
#[derive(Debug, Clone)]
pub struct Probe {
    storage: Arc<dyn Storage>,
    small: String,
    small_volume: String,
    large: String,
    lists_own_uploads: bool,
}

impl Probe {
    /// Tries nothing yet.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        let tag = getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id()));
        Self {
            storage,
            small: format!("redup-probe-{tag:016x}"),
            small_volume: format!("redup-probe-{tag:016x}-volume"),
            large: format!("redup-probe-{tag:016x}-parts"),
            lists_own_uploads: false,
        }
    }

    /// Expects that an open upload of this process is among those that the store lists.
    #[must_use]
    pub fn expecting_own_uploads(self) -> Self {
        Self {
            lists_own_uploads: true,
            ..self
        }
    }

    /// The same trial by another way to the store.
    #[must_use]
    pub fn by(&self, storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            ..self.clone()
        }
    }

    /// Tries everything that a backup and its restore need. A failure does not end it; what was
    /// written is deleted in any case.
    pub async fn run(&self) -> Report {
        let mut report = Report::default();
        let listed = step(&mut report, Check::List, self.storage.list()).await;
        report.objects = listed.map(|objects| objects.len());
        let small = noise(SMALL as u64);
        match step(&mut report, Check::Write, self.put_small(&small)).await {
            Some(()) => self.read_small(&mut report, &small).await,
            None => skip(&mut report, Check::Read, "nothing was written"),
        }
        let size = self.storage.tuning().part_size;
        let large = noise(size + size / 2);
        let (start, mut open) = (Instant::now(), Open::default());
        let (sent, outcome) = apart(self.upload(&large, &mut open).await);
        finish(&mut report, Check::Upload, start + open.took, outcome);
        match sent {
            Some(parts) => {
                report.large = Some((large.len() as u64, parts));
                self.read_large(&mut report, &large).await;
            }
            None => skip(&mut report, Check::Download, "nothing was uploaded"),
        }
        if open.listed.is_none() {
            self.list_open(&mut open).await;
        }
        self.judge_open(&mut report, open);
        let written = |step: &Step| {
            matches!(step.check, Check::Write | Check::Upload)
                && matches!(step.outcome, Outcome::Works)
        };
        match report.steps.iter().any(written) {
            true => drop(step(&mut report, Check::Delete, self.remove()).await),
            false => {
                // A write that failed may have been done all the same.
                self.remove().await.ok();
                skip(&mut report, Check::Delete, "nothing was written");
            }
        }
        report
    }

    /// Deletes what this may have written.
    ///
    /// # Errors
    /// The first one; the other objects are tried all the same.
    pub async fn remove(&self) -> Result<()> {
        let (small, volume, large) = tokio::join!(
            self.storage.delete(&self.small),
            self.storage.delete(&self.small_volume),
            self.storage.delete(&self.large)
        );
        small.and(volume).and(large)
    }

    async fn put_small(&self, data: &Bytes) -> Result<()> {
        let (metadata, volume) = (ObjectKind::Manifest, ObjectKind::Volume);
        self.storage
            .put(&self.small, data.clone(), metadata)
            .await?;
        self.storage
            .put(&self.small_volume, data.clone(), volume)
            .await
    }

    async fn read_small(&self, report: &mut Report, sent: &Bytes) {
        let read = async {
            let mut times = Vec::new();
            for _ in 0..ROUND_TRIPS {
                let start = Instant::now();
                let found = self.storage.head(&self.small).await?;
                times.push(start.elapsed());
                if times.len() == ROUND_TRIPS {
                    report.tells_sha1 = found.sha1.is_some();
                }
            }
            times.sort_unstable();
            report.round_trip = Some(times[ROUND_TRIPS / 2]);
            let range = 0..sent.len() as u64;
            let found = self.storage.get(&self.small, range).await?;
            self.compare(&self.small, &found, sent)
        };
        let start = Instant::now();
        let outcome = read.await;
        finish(report, Check::Read, start, outcome);
    }

    /// Sends `data` in parts, all at once, and gives their number. While the upload is open, open ones are listed.
    async fn upload(&self, data: &Bytes, open: &mut Open) -> Result<u32> {
        let begun = self.storage.begin_upload(&self.large, ObjectKind::Volume);
        let upload: Arc<dyn Upload> = Arc::from(begun.await?);
        let size = usize::try_from(upload.part_size()).unwrap_or(usize::MAX);
        let mut sending = JoinSet::new();
        let mut parts = 0;
        for at in (0..data.len()).step_by(size) {
            let part = data.slice(at..data.len().min(at.saturating_add(size)));
            let (upload, number) = (Arc::clone(&upload), parts);
            sending.spawn(async move { upload.put_part(number, part).await });
            parts += 1;
        }
        let mut sent = Ok(());
        while let Some(part) = sending.join_next().await {
            sent = sent.and(part.unwrap_or_else(|_| Err(self.stopped(Op::PutPart))));
        }
        let completed = match sent {
            Ok(()) => {
                self.list_open(open).await;
                open.with_own = true;
                upload.complete(parts, data.len() as u64).await
            }
            Err(error) => Err(error),
        };
        if completed.is_err() {
            upload.abort().await.ok();
        }
        completed.map(|()| parts)
    }

    async fn list_open(&self, open: &mut Open) {
        let start = Instant::now();
        open.listed = Some(self.storage.list_unfinished().await);
        open.took = start.elapsed();
    }

    fn judge_open(&self, report: &mut Report, open: Open) {
        let expected = self.lists_own_uploads && open.with_own;
        let own = |upload: &Unfinished| upload.name.as_ref() == Some(&self.large);
        let outcome = match open.listed {
            Some(Ok(listed)) if expected && !listed.iter().any(own) => Outcome::Skipped(
                "the server does not list open uploads: let a rule of the bucket end old ones",
            ),
            Some(Err(error)) => Outcome::Failed(error),
            _ => Outcome::Works,
        };
        report.steps.push(Step {
            check: Check::Unfinished,
            outcome,
            took: open.took,
        });
    }

    async fn read_large(&self, report: &mut Report, sent: &Bytes) {
        let head = self.storage.head(&self.large).await;
        let stored = match head {
            Ok(stored) => stored,
            Err(error) => return finish(report, Check::Download, Instant::now(), Err(error)),
        };
        report.tells_crc32 = stored.crc32.is_some();
        let readable = stored.access == Access::Immediate;
        report.stored = Some(stored);
        if !readable {
            let why = "volumes go to an archive class, and are read after thawing only";
            return skip(report, Check::Download, why);
        }
        step(report, Check::Download, self.download(sent)).await;
    }

    async fn download(&self, sent: &Bytes) -> Result<()> {
        let len = sent.len() as u64;
        let at_once = self.storage.tuning().downloads.max(1);
        let mut starts = (0..len).step_by(usize::try_from(RANGE).unwrap_or(usize::MAX));
        let mut reading = JoinSet::new();
        loop {
            while reading.len() < at_once
                && let Some(start) = starts.next()
            {
                let (storage, name) = (Arc::clone(&self.storage), self.large.clone());
                let range = start..len.min(start + RANGE);
                reading.spawn(async move {
                    let found = storage.get(&name, range.clone()).await;
                    (range, found)
                });
            }
            let Some(read) = reading.join_next().await else {
                return Ok(());
            };
            let (range, found) = read.map_err(|_| self.stopped(Op::Get))?;
            let expected = sent.get(range.start as usize..range.end as usize);
            self.compare(&self.large, &found?, expected.unwrap_or_default())?;
        }
    }

    fn compare(&self, name: &str, found: &[u8], expected: &[u8]) -> Result<()> {
        let error = || {
            Error::new(ErrorKind::Corrupt, Op::Get, self.object(name))
                .with_detail("what was read is not what was written")
        };
        (found == expected).then_some(()).ok_or_else(error)
    }

    fn stopped(&self, op: Op) -> Error {
        Error::new(ErrorKind::Other, op, self.object(&self.large))
    }

    fn object(&self, name: &str) -> String {
        format!("{}/{name}", self.storage.location())
    }
}

/// What a listing of open uploads came to.
#[derive(Debug, Default)]
struct Open {
    listed: Option<Result<Vec<Unfinished>>>,
    /// One of ours was open then.
    with_own: bool,
    took: Duration,
}

async fn step<T>(
    report: &mut Report,
    check: Check,
    work: impl Future<Output = Result<T>>,
) -> Option<T> {
    let start = Instant::now();
    let (value, outcome) = apart(work.await);
    finish(report, check, start, outcome);
    value
}

/// A value, and whether there is one.
fn apart<T>(result: Result<T>) -> (Option<T>, Result<()>) {
    match result {
        Ok(value) => (Some(value), Ok(())),
        Err(error) => (None, Err(error)),
    }
}

fn finish(report: &mut Report, check: Check, start: Instant, outcome: Result<()>) {
    report.steps.push(Step {
        check,
        outcome: outcome.map_or_else(Outcome::Failed, |()| Outcome::Works),
        took: start.elapsed(),
    });
}

fn skip(report: &mut Report, check: Check, why: &'static str) {
    report.steps.push(Step {
        check,
        outcome: Outcome::Skipped(why),
        took: Duration::ZERO,
    });
}

/// Bytes that no link and no disk can make smaller.
fn noise(len: u64) -> Bytes {
    let mut word = getrandom::u64().unwrap_or_default() | 1;
    let words = (0..len.div_ceil(8)).flat_map(|_| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word.to_le_bytes()
    });
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    words.take(len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Fault, FaultRule, MemoryStorage, When};

    /// What works, fails and is skipped when the first `op` goes wrong.
    async fn outcomes(op: Op, action: Action) -> (String, Vec<String>) {
        let memory = MemoryStorage::new();
        let rule = FaultRule::new(op, When::Nth(1), action);
        let store = Fault::new(Arc::new(memory.clone()), [rule]);
        let report = Probe::new(Arc::new(store)).run().await;
        let letter = |step: &Step| match step.outcome {
            Outcome::Works => 'w',
            Outcome::Failed(_) => 'F',
            Outcome::Skipped(_) => '-',
        };
        (report.steps.iter().map(letter).collect(), memory.names())
    }

    #[tokio::test]
    async fn whatever_fails_the_rest_is_tried_and_nothing_is_left() {
        use ErrorKind::PermissionDenied;
        for (op, action, expected) in [
            (Op::ListUnfinished, Action::LoseAnswer, "wwwwwFw"),
            (Op::List, Action::Fail(PermissionDenied), "Fwwwwww"),
            (Op::Put, Action::Fail(PermissionDenied), "wF-wwww"),
            (Op::Put, Action::LoseAnswer, "wF-wwww"),
            (Op::Get, Action::Flip(1), "wwFwwww"),
            (Op::Get, Action::Cut(3), "wwFwwww"),
            (Op::PutPart, Action::Fail(PermissionDenied), "wwwF-ww"),
            (Op::Complete, Action::LoseAnswer, "wwwF-ww"),
        ] {
            let found = outcomes(op, action).await;
            assert_eq!(found, (expected.to_owned(), vec![]), "{op} {action:?}");
        }
    }

    /// The store in memory has no open uploads that others could see.
    #[tokio::test]
    async fn an_open_upload_that_is_not_listed_is_told_where_it_is_expected() {
        let unfinished = |report: &Report| {
            let mut steps = report.steps.iter();
            let step = steps.find(|step| step.check == Check::Unfinished).unwrap();
            matches!(step.outcome, Outcome::Skipped(_))
        };
        let probe = Probe::new(Arc::new(MemoryStorage::new()));
        assert!(!unfinished(&probe.run().await));
        assert!(unfinished(&probe.expecting_own_uploads().run().await));
    }

    #[tokio::test]
    async fn what_cannot_be_deleted_is_told() {
        let (letters, left) = outcomes(Op::Delete, Action::Fail(ErrorKind::PermissionDenied)).await;
        assert_eq!(letters, "wwwwwwF");
        assert_eq!(left.len(), 1, "the others are deleted: {left:?}");
    }
}
