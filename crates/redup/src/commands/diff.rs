//! `diff`.

use redup_engine::DiffOptions;
use redup_format::time::Timestamp;

use super::{Points, Session, troubled, written};
use crate::args::Opt;
use crate::exit::{Code, Failure, command_line};
use crate::times;
use crate::ui::{self, JsonLines, Output, json};

/// Ends with 0 when the points in time are equal, with 1 when they differ, and with more after a failure, as diff does.
pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let time = |position| {
        let word = session.word(position).to_string_lossy();
        times::parse(&word, &session.clock)
            .map(Timestamp::from_secs)
            .map_err(|error| command_line(error.to_string()))
    };
    let options = DiffOptions {
        old: time(0)?,
        new: time(1)?,
    };
    compare(session, &options).map_err(troubled)
}

fn compare(session: &Session, options: &DiffOptions) -> Result<Code, Failure> {
    let target = session.target()?;
    let (ui, points) = (&session.ui, Points::new(session.narrator()));
    let report = if session.flag(Opt::Json) {
        let mut lines = JsonLines::new(ui, "redup.diff.v1", session.shown_target());
        let begin = || json::DiffBegin::new(points.first(), points.last());
        let report = redup_engine::diff(&target, options, &points, |index, change| {
            lines.begin(begin)?;
            lines.record("path", json::Difference::new(index, change))
        })?;
        let _ = lines.begin(begin);
        written(lines.end(json::DiffEnd::new(&report), true))?;
        report
    } else {
        let mut output = Output::new(ui);
        let report = redup_engine::diff(&target, options, &points, |index, change| {
            output.lines(&ui::path_change(index, change, ui.zone()))
        })?;
        written(output.finish())?;
        report
    };
    if let (Some(old), Some(new)) = (points.first(), points.last()) {
        let [old_time, new_time] = [old, new].map(|time| ui::iso_time(time.secs(), ui.zone()));
        match old == new {
            true => ui.notice(format!("Both times mean the backup set of {old_time}.")),
            false => ui.notice(format!(
                "From {old_time} to {new_time}: {}",
                ui::comparison(&report)
            )),
        }
    }
    match report.added + report.removed + report.changed {
        0 => Ok(Code::SUCCESS),
        _ => Ok(Code::GENERIC),
    }
}
