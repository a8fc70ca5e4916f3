//! `collection-status`.

use redup_engine::{SetChanges, Target};
use redup_format::index::PathIndex;
use redup_format::manifest::FileChange;

use super::{Session, printed, written};
use crate::args::Opt;
use crate::config;
use crate::exit::{Code, Failure, command_line};
use crate::program::Program;
use crate::ui::{JsonLines, Output, file_history, json, set_changes, status, stored_statistics};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let zone = session.ui.zone();
    let file = config::inner_file(&session.args, Opt::FileChanged, &session.environment)?;
    let number = session.args.options.number(Opt::ShowChangesInSet);
    let json = session.flag(Opt::Json);
    if json && session.flag(Opt::JsonStat) {
        return Err(command_line(
            "--json and --jsonstat exclude each other: the latter has a form of its own",
        ));
    }
    let target = session.target()?;
    let narrator = session.narrator();
    if json {
        return as_json(session, &target, file, number);
    }
    let message = match (file, number) {
        (Some(file), _) => {
            let sets = redup_engine::changes(&target, false, &narrator)?;
            file_history(&sets, &file, zone)
        }
        (None, Some(number)) if session.flag(Opt::JsonStat) => {
            let sets = redup_engine::changes(&target, true, &narrator)?;
            match number {
                // All of them.
                -1 => stored_statistics(sets.iter()),
                number => stored_statistics([newest(&sets, number)?].into_iter()),
            }
        }
        (None, Some(number)) => {
            let sets = redup_engine::changes(&target, false, &narrator)?;
            set_changes(newest(&sets, number)?, zone)
        }
        (None, None) => {
            let report = redup_engine::status(&target, &narrator)?;
            status(&report.collection, &session.places.archive_dir, zone)
        }
    };
    if session.program == Program::Duplicity {
        session.ui.say(&message);
        return Ok(Code::SUCCESS);
    }
    let mut output = Output::new(&session.ui);
    // The end tells whether it could be written.
    let _ = output.message(&message);
    written(output.finish())?;
    Ok(Code::SUCCESS)
}

fn as_json(
    session: &Session,
    target: &Target,
    file: Option<PathIndex>,
    number: Option<i64>,
) -> Result<Code, Failure> {
    let narrator = session.narrator();
    if file.is_none() && number.is_none() {
        let report = redup_engine::status(target, &narrator)?;
        let dir = &session.places.archive_dir;
        let text = json::status(&report, &session.shown_target(), dir);
        printed(&session.ui, &text)?;
        return Ok(Code::SUCCESS);
    }
    let sets = redup_engine::changes(target, false, &narrator)?;
    let shown = match (&file, number) {
        (None, Some(number)) => std::slice::from_ref(newest(&sets, number)?),
        _ => &sets[..],
    };
    let mut lines = JsonLines::new(&session.ui, "redup.changes.v1", session.shown_target());
    let _ = lines.begin(|| json::Nothing {});
    let mut changes = 0;
    for set in shown {
        let wanted = |change: &&FileChange| file.as_ref().is_none_or(|file| change.index == *file);
        for change in set.files.iter().filter(wanted) {
            changes += 1;
            if lines
                .record("path", json::FileChanged::new(set, change))
                .is_break()
            {
                break;
            }
        }
    }
    written(lines.end(json::ChangesEnd { changes }, true))?;
    Ok(Code::SUCCESS)
}

/// The set of this number, counted back from the newest, which is 0.
fn newest(sets: &[SetChanges], number: i64) -> Result<&SetChanges, Failure> {
    let found = usize::try_from(number)
        .ok()
        .and_then(|number| sets.iter().nth_back(number));
    found.ok_or_else(|| {
        let text = format!(
            "there is no set {number}: the newest chain has {} set(s), 0 is the newest of them",
            sets.len()
        );
        Failure::new(Code::EXCEPTION, text).extra("IndexError")
    })
}
