//! Telling every few seconds how far a backup is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use redup_engine::{Event, Monitor};

use crate::ui::{Narrator, Progress, Ui};

/// Seconds between two lines when nothing else is said.
const RATE: u64 = 3;

/// Counts the bytes that are read of the source, and passes on what it hears.
pub(super) struct Counter<'a> {
    pub(super) bytes: &'a AtomicU64,
    /// Nobody, in the run that only counts.
    pub(super) next: Option<&'a Narrator>,
}

impl Monitor for Counter<'_> {
    fn event(&self, event: Event<'_>) {
        if let Event::SourceBytes(bytes) = event {
            self.bytes.store(bytes, Ordering::Relaxed);
        }
        if let Some(next) = self.next {
            next.event(event);
        }
    }
}

/// Runs `work` and prints a line every `rate` seconds until it is over.
pub(super) fn watched<T, E>(
    ui: &Arc<Ui>,
    rate: Option<i64>,
    total: u64,
    bytes: &AtomicU64,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let rate = rate.and_then(|rate| u64::try_from(rate).ok());
    let rate = Duration::from_secs(rate.unwrap_or(RATE).max(1));
    let (ended, end) = mpsc::channel::<()>();
    let mut watch = Watch::new(total, rate);
    thread::scope(|scope| {
        let watcher = scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(rate) {
                ui.progress(&watch.look(bytes.load(Ordering::Relaxed)).message());
            }
            watch
        });
        let result = work();
        drop(ended);
        if let (Ok(mut watch), true) = (watcher.join(), result.is_ok()) {
            let last = watch.look(bytes.load(Ordering::Relaxed));
            let last = Progress {
                ended: true,
                stalled: false,
                ..last
            };
            ui.progress(&last.message());
        }
        result
    })
}

struct Watch {
    total: u64,
    start: Instant,
    /// Without news for so long it is stalled.
    patience: Duration,
    last: (Instant, u64),
    moved: Instant,
}

impl Watch {
    fn new(total: u64, rate: Duration) -> Self {
        let now = Instant::now();
        Self {
            total,
            start: now,
            patience: Duration::from_secs(5).max(rate * 2),
            last: (now, 0),
            moved: now,
        }
    }

    fn look(&mut self, done: u64) -> Progress {
        let now = Instant::now();
        let (before, had) = self.last;
        if done > had {
            self.moved = now;
        }
        let millis = now.duration_since(before).as_millis().max(1);
        let speed = u128::from(done.saturating_sub(had)) * 1000 / millis;
        self.last = (now, done);
        Progress {
            done,
            total: self.total,
            seconds: now.duration_since(self.start).as_secs(),
            speed: u64::try_from(speed).unwrap_or(u64::MAX),
            stalled: now.duration_since(self.moved) >= self.patience,
            ended: false,
        }
    }
}
