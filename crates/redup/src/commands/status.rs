//! `collection-status`.

use redup_engine::SetChanges;

use super::Session;
use crate::args::Opt;
use crate::config;
use crate::exit::{Code, Failure};
use crate::ui::{file_history, set_changes, status, stored_statistics};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let zone = session.ui.zone();
    let file = config::inner_file(&session.args, Opt::FileChanged, &session.environment)?;
    let number = session.args.options.number(Opt::ShowChangesInSet);
    let target = session.target()?;
    let narrator = session.narrator();
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
    session.ui.say(&message);
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
