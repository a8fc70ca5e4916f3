//! `audit`.

use redup_engine::AuditReport;

use super::{Session, written};
use crate::args::Opt;
use crate::exit::{Code, Failure};
use crate::ui::{JsonLines, Ui, chain, json};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let target = session.target()?;
    let ui = &session.ui;
    let mut lines = session
        .flag(Opt::Json)
        .then(|| JsonLines::new(ui, "redup.audit.v1", session.shown_target()));
    let report = redup_engine::audit(&target, &session.narrator(), |wrong| {
        if let Some(lines) = &mut lines {
            // What could not be written is told by the end.
            let _ = lines.begin(|| json::Nothing {});
            let _ = lines.record("wrong", json::Wrong::new(&wrong));
        }
        match wrong.volume {
            Some(_) => ui.error(chain(&wrong.error)),
            None => Failure::from(wrong.error).tell(ui, session.program),
        }
    })?;
    if let Some(mut lines) = lines {
        let _ = lines.begin(|| json::Nothing {});
        let complete = report.wrong_manifests == 0;
        written(lines.end(json::AuditEnd::new(&report), complete))?;
    }
    tell(ui, &report);
    match (report.wrong, report.wrong_manifests) {
        (0, 0) => Ok(Code::SUCCESS),
        _ => Ok(Code::GENERIC),
    }
}

fn tell(ui: &Ui, report: &AuditReport) {
    if report.sets > 0 {
        let word = match report.wrong_manifests {
            0 => "complete",
            _ => "incomplete",
        };
        ui.notice(format!(
            "Audit {word}: {} volume(s) of {} set(s) are what was stored, {} are not.",
            report.confirmed, report.sets, report.wrong
        ));
    }
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
    match (report.wrong_manifests, report.sets) {
        (0, _) => {}
        (count, 0) => ui.error(format!(
            "no volume was asked about: none of {count} manifest(s) could be read"
        )),
        (count, _) => ui.error(format!(
            "{count} manifest(s) are wrong: volumes that only they name were not asked about"
        )),
    }
}
