//! What a run would do or does, kept for `--json` while it is told as ever.

use std::io;
use std::sync::{Mutex, PoisonError};

use redup_engine::{Event, Monitor};

use super::{Session, written};
use crate::exit::Failure;
use crate::ui::{Output, json};

/// Keeps of each event what `of` makes of it, the last time that it makes something, and passes everything on.
pub(super) struct Kept<M, F, T> {
    monitor: M,
    of: F,
    kept: Mutex<Option<T>>,
}

impl<M, F, T> Kept<M, F, T> {
    pub(super) fn new(monitor: M, of: F) -> Self {
        Self {
            monitor,
            of,
            kept: Mutex::new(None),
        }
    }

    /// What passes everything on.
    pub(super) fn monitor(&self) -> &M {
        &self.monitor
    }

    pub(super) fn take(&self) -> Option<T> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl<M: Monitor, F: Fn(&Event<'_>) -> Option<T> + Send + Sync, T: Send> Monitor for Kept<M, F, T> {
    fn event(&self, event: Event<'_>) {
        if let Some(found) = (self.of)(&event) {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        }
        self.monitor.event(event);
    }
}

/// Prints a deletion or its preview.
pub(super) fn print(session: &Session, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut output = Output::new(&session.ui);
        // The end tells whether it could be written.
        let _ = output.lines(text);
        output.finish()
    };
    written(write())
}

/// The chains that an event says are removed.
pub(super) fn removal(event: &Event<'_>) -> Option<json::RemovalPlan> {
    match event {
        Event::RemovalPlanned { removal, .. } => Some(json::RemovalPlan::new(removal)),
        _ => None,
    }
}

/// The leftovers that an event says are removed.
pub(super) fn cleanup(event: &Event<'_>) -> Option<json::CleanupPlan> {
    match event {
        Event::CleanupPlanned {
            names,
            unfinished,
            resumable,
            ..
        } => {
            let interrupted = resumable.map(|span| span.end());
            Some(json::CleanupPlan::new(names, unfinished, interrupted))
        }
        _ => None,
    }
}

/// The volumes that an event says a restore needs.
pub(super) fn volumes(event: &Event<'_>) -> Option<Vec<String>> {
    match event {
        Event::VolumesNeeded { names } => Some(names.iter().map(|&name| name.to_owned()).collect()),
        _ => None,
    }
}
