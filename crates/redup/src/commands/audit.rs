//! `audit`.

use super::Session;
use crate::exit::{Code, Failure};
use crate::ui::chain;

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let target = session.target()?;
    let ui = &session.ui;
    let report = redup_engine::audit(&target, &session.narrator(), |error| {
        ui.error(chain(&error));
    })?;
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
