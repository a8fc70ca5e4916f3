//! `find`.

use std::os::unix::ffi::OsStrExt;

use redup_engine::{FindOptions, FindScope};
use redup_select::{Mode, Pattern};

use super::{Session, troubled, written};
use crate::args::Opt;
use crate::config;
use crate::exit::{Code, Failure, command_line};
use crate::ui::{self, JsonLines, Output, json};

/// Ends with 0 when something was found, with 1 when nothing was, and with more after a failure, as grep does.
pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let scope = match (session.restore_time()?, session.flag(Opt::NewestChain)) {
        (Some(_), true) => {
            return Err(command_line("--time and --newest-chain exclude each other"));
        }
        (Some(time), false) => FindScope::At(time),
        (None, true) => FindScope::NewestChain,
        (None, false) => FindScope::Everything,
    };
    let options = FindOptions {
        pattern: pattern(session)?,
        scope,
    };
    search(session, &options).map_err(troubled)
}

fn search(session: &Session, options: &FindOptions) -> Result<Code, Failure> {
    let target = session.target()?;
    let (ui, narrator) = (&session.ui, session.narrator());
    let typed = crate::args::lossy(session.word(0));
    let report = if session.flag(Opt::Json) {
        let mut lines = JsonLines::new(ui, "redup.find.v1", session.shown_target());
        let begin = || json::FindBegin { pattern: &typed };
        let report = redup_engine::find(&target, options, &narrator, |found| {
            lines.begin(begin)?;
            lines.record("path", json::PathFound::new(found))
        })?;
        let _ = lines.begin(begin);
        written(lines.end(json::FindEnd::new(&report), report.unsearched == 0))?;
        report
    } else {
        let mut output = Output::new(ui);
        let report = redup_engine::find(&target, options, &narrator, |found| {
            output.lines(&ui::found(found, ui.zone()))
        });
        // What was found before a failure was found.
        let end = output.finish();
        let report = report?;
        written(end)?;
        report
    };
    if report.found == 0 {
        let sets = report.sets;
        ui.notice(format!("Nothing in {sets} backup set(s) fits '{typed}'."));
    }
    Ok(match (report.unsearched, report.found) {
        (0, 0) => Code::GENERIC,
        (0, _) => Code::SUCCESS,
        _ => {
            ui.error("not all backup sets could be searched");
            Code::TROUBLE
        }
    })
}

fn pattern(session: &Session) -> Result<Pattern, Failure> {
    let options = &session.args.options;
    let mut modes = options
        .iter()
        .filter(|occurrence| occurrence.spec.id == Opt::FilterMode);
    let mode = modes.next_back().map_or(Mode::Glob, config::mode);
    let pattern = Pattern::new(
        session.word(0).as_bytes(),
        mode,
        session.flag(Opt::FilterCase),
    )?;
    Ok(pattern)
}
