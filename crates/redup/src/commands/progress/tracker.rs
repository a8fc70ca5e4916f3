//! The monitor of a run that is shown: it passes on what it hears, and keeps what matters for the bar.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redup_engine::{BackupOptions, Event, Monitor};
use redup_format::time::Timestamp;

use super::work::{View, Work};
use crate::ui::Narrator;

/// Paths that are counted before the sum is handed over.
const BATCH: usize = 256;

pub(super) struct Tracker<'a> {
    next: &'a Narrator,
    work: Mutex<Work>,
    /// Tells [`measure`](Self::measure) to begin; gone when the run is over.
    begin: Mutex<Option<Sender<Option<Timestamp>>>>,
    begun: Mutex<Receiver<Option<Timestamp>>>,
    over: AtomicBool,
}

impl<'a> Tracker<'a> {
    /// For a run whose main part is called `verb`; events go on to `next`.
    pub(super) fn new(next: &'a Narrator, verb: &'static str) -> Self {
        let (begin, begun) = mpsc::channel();
        Self {
            next,
            work: Mutex::new(Work::new(verb)),
            begin: Mutex::new(Some(begin)),
            begun: Mutex::new(begun),
            over: AtomicBool::new(false),
        }
    }

    /// Counts what there is to back up, from the moment when the run comes to its source until it is over.
    pub(super) fn measure(&self, source: &Path, options: &BackupOptions) {
        let Ok(since) = lock(&self.begun).recv() else {
            return;
        };
        let mut batch = Vec::with_capacity(BATCH);
        redup_engine::measure(source, options, since, |size| {
            batch.push(size);
            if batch.len() == BATCH {
                let mut work = lock(&self.work);
                batch.drain(..).for_each(|size| work.counted(size));
            }
            !self.over.load(Ordering::Relaxed)
        });
        let mut work = lock(&self.work);
        batch.drain(..).for_each(|size| work.counted(size));
        work.counted_all();
    }

    /// How far it is.
    pub(super) fn view(&self) -> View {
        lock(&self.work).view()
    }

    /// Bytes of volumes that were gone through, and of how many.
    pub(super) fn volume_bytes(&self) -> (u64, u64) {
        lock(&self.work).volume_bytes()
    }

    /// Ends the counting.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        drop(lock(&self.begin).take());
    }
}

impl Monitor for Tracker<'_> {
    fn event(&self, event: Event<'_>) {
        lock(&self.work).hear(&event);
        match &event {
            Event::SourceBegins { since, .. } => {
                if let Some(begin) = lock(&self.begin).take() {
                    // A receiver that is gone counts nothing.
                    begin.send(*since).ok();
                }
            }
            Event::SourceEnds => self.over.store(true, Ordering::Relaxed),
            _ => {}
        }
        self.next.event(event);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a thread that panicked has counted is as good as before.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
