//! Which points in time a run is about.

use std::sync::{Mutex, PoisonError};

use redup_engine::{Event, Monitor};
use redup_format::time::Timestamp;

use crate::ui::Narrator;

/// Keeps the points in time that it hears of, and passes everything on.
pub(super) struct Points {
    narrator: Narrator,
    times: Mutex<Vec<Timestamp>>,
}

impl Points {
    pub(super) fn new(narrator: Narrator) -> Self {
        Self {
            narrator,
            times: Mutex::default(),
        }
    }

    /// The one that was told first.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.times().first().copied()
    }

    /// The one that was told last.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.times().last().copied()
    }

    fn times(&self) -> std::sync::MutexGuard<'_, Vec<Timestamp>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor for Points {
    fn event(&self, event: Event<'_>) {
        if let Event::PointInTime(time) = event {
            self.times().push(time);
        }
        self.narrator.event(event);
    }
}
