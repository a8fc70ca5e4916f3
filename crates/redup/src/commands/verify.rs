//! `verify`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use redup_engine::{Event, Monitor, VerifyOptions, VerifyReport};
use redup_format::time::Timestamp;
use serde::Serialize;

use super::{Session, progress, written};
use crate::args::Opt;
use crate::config;
use crate::exit::{Code, Failure};
use crate::ui::{JsonLines, chain, json};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let options = VerifyOptions {
        time: session.restore_time()?,
        path: config::path_inside(&session.args, &session.environment)?,
        compare_data: session.flag(Opt::CompareData),
        rules: session.rules()?,
        copy_links: session.flag(Opt::CopyLinks),
        numeric_owner: session.flag(Opt::NumericOwner),
        ignore_errors: session.flag(Opt::IgnoreErrors),
        tempdir: config::temp_dir(&session.args, &session.environment),
    };
    let target = session.target()?;
    let lines = session.flag(Opt::Json).then(|| Lines::new(session));
    let report = progress::reading(session, "Verifying", |monitor| {
        let verify = |monitor: &dyn Monitor| {
            redup_engine::verify(&target, session.local(), &options, monitor)
        };
        match &lines {
            Some(lines) => verify(&Told { lines, monitor }),
            None => verify(monitor),
        }
    })?;
    if let Some(lines) = lines {
        lines.end(&report)?;
    }
    let (compared, differences) = (report.compared, report.differences);
    session.ui.notice(format!(
        "Verify complete: {compared} file(s) compared, {differences} difference(s) found."
    ));
    if report.failed > 0 {
        session.ui.error(format!(
            "{} path(s) could not be rebuilt from the backup",
            report.failed
        ));
    }
    if report.skipped_volumes > 0 {
        session.ui.error(format!(
            "{} volume(s) could not be read; what only they hold was not compared",
            report.skipped_volumes
        ));
    }
    match (differences, report.failed, report.skipped_volumes) {
        (0, 0, 0) => Ok(Code::SUCCESS),
        _ => Ok(Code::GENERIC),
    }
}

/// Differences and failures as JSON.
struct Lines<'a> {
    lines: Mutex<JsonLines<'a>>,
    time: Mutex<Option<Timestamp>>,
}

impl<'a> Lines<'a> {
    fn new(session: &'a Session) -> Self {
        let lines = JsonLines::new(&session.ui, "redup.verify.v1", session.shown_target());
        Self {
            lines: Mutex::new(lines),
            time: Mutex::default(),
        }
    }

    /// Once the first line is there. What could not be written is told by the end.
    fn begun(&self) -> MutexGuard<'_, JsonLines<'a>> {
        let time = *self.time.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = lines.begin(|| json::PointInTime::new(time));
        lines
    }

    fn record(&self, record: &'static str, fields: impl Serialize) {
        let _ = self.begun().record(record, fields);
    }

    fn end(self, report: &VerifyReport) -> Result<(), Failure> {
        drop(self.begun());
        let lines = self.lines.into_inner();
        let lines = lines.unwrap_or_else(PoisonError::into_inner);
        let complete = report.failed == 0 && report.skipped_volumes == 0;
        written(lines.end(json::VerifyEnd::new(report), complete))
    }
}

/// Tells them. They are messages as well, differences to a log alone.
struct Told<'a, 'l> {
    lines: &'a Lines<'l>,
    monitor: &'a dyn Monitor,
}

impl Monitor for Told<'_, '_> {
    fn event(&self, event: Event<'_>) {
        let lines = self.lines;
        match event {
            Event::PointInTime(time) => {
                *lines.time.lock().unwrap_or_else(PoisonError::into_inner) = Some(time);
            }
            Event::Difference { index, difference } => {
                lines.record("difference", json::Differs::new(index, difference));
            }
            Event::RestoreFailed { index, error } => {
                lines.record("failure", json::Failed::new(Some(index), chain(error)));
            }
            Event::VolumeSkipped { error } => {
                lines.record("failure", json::Failed::new(None, chain(error)));
            }
            _ => {}
        }
        self.monitor.event(event);
    }
}
