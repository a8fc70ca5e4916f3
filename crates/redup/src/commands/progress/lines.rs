//! A line every few seconds, as duplicity prints them.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::ui::{Progress, Ui};

/// Between two lines when nothing else is said.
const RATE: Duration = Duration::from_secs(3);

/// Runs `work` and prints a line every `rate` until it is over. `bytes` says how many are done, and of how many.
pub(super) fn watched<T, E>(
    ui: &Arc<Ui>,
    rate: Option<Duration>,
    bytes: impl Fn() -> (u64, u64) + Sync,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let rate = rate.unwrap_or(RATE);
    let (ended, end) = mpsc::channel::<()>();
    let mut watch = Watch::new(rate);
    let bytes = &bytes;
    thread::scope(|scope| {
        let watcher = scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(rate) {
                ui.progress(&watch.look(bytes()).message());
            }
            watch
        });
        let result = work();
        drop(ended);
        if let (Ok(mut watch), true) = (watcher.join(), result.is_ok()) {
            let last = watch.look(bytes());
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
    start: Instant,
    /// Without news for so long it is stalled.
    patience: Duration,
    last: (Instant, u64),
    moved: Instant,
}

impl Watch {
    fn new(rate: Duration) -> Self {
        let now = Instant::now();
        Self {
            start: now,
            patience: Duration::from_secs(5).max(rate * 2),
            last: (now, 0),
            moved: now,
        }
    }

    fn look(&mut self, (done, total): (u64, u64)) -> Progress {
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
            total,
            seconds: now.duration_since(self.start).as_secs(),
            speed: u64::try_from(speed).unwrap_or(u64::MAX),
            stalled: now.duration_since(self.moved) >= self.patience,
            ended: false,
        }
    }
}
