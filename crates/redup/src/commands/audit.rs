//! `audit`.

use super::{Session, written};
use crate::args::Opt;
use crate::exit::{Code, Failure};
use crate::ui::{JsonLines, chain, json};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let target = session.target()?;
    let ui = &session.ui;
    let mut lines = session
        .flag(Opt::Json)
        .then(|| JsonLines::new(ui, "redup.audit.v1", session.shown_target()));
    let report = redup_engine::audit(&target, &session.narrator(), |wrong| {
        ui.error(chain(&wrong.error));
        if let Some(lines) = &mut lines {
            // What could not be written is told by the end.
            let _ = lines.begin(|| json::Nothing {});
            let _ = lines.record("wrong", json::Wrong::new(&wrong));
        }
    })?;
    if let Some(mut lines) = lines {
        let _ = lines.begin(|| json::Nothing {});
        written(lines.end(json::AuditEnd::new(&report), true))?;
    }
    ui.notice(format!(
        "Audit complete: {} volume(s) of {} set(s) are what was stored, {} are not.",
        report.confirmed, report.sets, report.wrong
    ));
    if report.untold > 0 {
        ui.notice(format!(
            "Of {} volume(s) that are there no hash is told; 'redup verify' reads them.",
            report.untold
        ));
    }
    if report.unknown_sets > 0 {
        ui.warning(format!(
            "{} set(s) have no manifest, and were passed over; 'redup collection-status' lists them",
            report.unknown_sets
        ));
    }
    match report.wrong {
        0 => Ok(Code::SUCCESS),
        _ => Ok(Code::GENERIC),
    }
}
