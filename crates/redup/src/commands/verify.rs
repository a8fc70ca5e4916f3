//! `verify`.

use std::sync::{Mutex, PoisonError};

use redup_engine::{Event, Monitor, VerifyOptions, VerifyReport};
use serde::Serialize;

use super::{Points, Session, progress, written};
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
    let report = if session.flag(Opt::Json) {
        let told = Told::new(session);
        let report = redup_engine::verify(&target, session.local(), &options, &told)?;
        told.end(&report)?;
        report
    } else {
        progress::reading(session, "Verifying", |monitor| {
            redup_engine::verify(&target, session.local(), &options, monitor)
        })?
    };
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
    match differences + report.failed {
        0 => Ok(Code::SUCCESS),
        _ => Ok(Code::GENERIC),
    }
}

/// Tells differences and failures as JSON; the latter also as messages, like all else.
struct Told<'a> {
    points: Points,
    lines: Mutex<JsonLines<'a>>,
}

impl<'a> Told<'a> {
    fn new(session: &'a Session) -> Self {
        Self {
            points: Points::new(session.narrator()),
            lines: Mutex::new(JsonLines::new(
                &session.ui,
                "redup.verify.v1",
                session.shown_target(),
            )),
        }
    }

    /// What could not be written is told by the end.
    fn record(&self, record: &'static str, fields: impl Serialize) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = lines.begin(|| json::PointInTime::new(self.points.last()));
        let _ = lines.record(record, fields);
    }

    fn end(self, report: &VerifyReport) -> Result<(), Failure> {
        let mut lines = self
            .lines
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let _ = lines.begin(|| json::PointInTime::new(self.points.last()));
        let complete = report.failed == 0 && report.skipped_volumes == 0;
        written(lines.end(json::VerifyEnd::new(report), complete))
    }
}

impl Monitor for Told<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Difference { index, difference } => {
                return self.record("difference", json::Differs::new(index, difference));
            }
            Event::RestoreFailed { index, error } => {
                self.record("failure", json::Failed::new(Some(index), chain(error)));
            }
            Event::VolumeSkipped { error } => {
                self.record("failure", json::Failed::new(None, chain(error)));
            }
            _ => {}
        }
        self.points.event(event);
    }
}
