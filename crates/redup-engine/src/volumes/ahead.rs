//! Checking the next volume of a set while the current one is decoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::PlannedVolume;
use super::check::{Checked, Checker};
use crate::{Error, Result};

/// Checks that run ahead at once, over all sets of a run: chains can be long, and those volumes
/// that are needed now come first.
const MAX_AHEAD: usize = 2;

/// A check that runs. Dropped, it is called off.
pub(super) struct Ahead {
    thread: Option<JoinHandle<Result<Checked>>>,
    cancelled: Arc<AtomicBool>,
}

impl Ahead {
    /// Starts checking `volume`, if there is room for it.
    pub(super) fn start(checker: &Arc<Checker>, volume: &PlannedVolume) -> Option<Self> {
        let room = |running| (running < MAX_AHEAD).then_some(running + 1);
        let order = Ordering::Relaxed;
        checker.ahead.fetch_update(order, order, room).ok()?;
        let cancelled = Arc::new(AtomicBool::new(false));
        let (slot, flag, volume) = (
            Slot(Arc::clone(checker)),
            Arc::clone(&cancelled),
            volume.clone(),
        );
        let check = move || slot.0.check_unless(&volume, &flag);
        let thread = thread::Builder::new()
            .name("volume check".into())
            .spawn(check)
            .ok()?;
        Some(Self {
            thread: Some(thread),
            cancelled,
        })
    }

    /// Waits for the result.
    pub(super) fn wait(mut self) -> Result<Checked> {
        let died = || Err(Error::Internal("the volume check"));
        self.thread
            .take()
            .map_or_else(died, |thread| thread.join().unwrap_or_else(|_| died()))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.cancelled.store(true, Ordering::Relaxed);
            drop(thread.join());
        }
    }
}

/// A place among the checks that run ahead; free again when dropped.
struct Slot(Arc<Checker>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.ahead.fetch_sub(1, Ordering::Relaxed);
    }
}
