//! `remove-older-than`, `remove-all-but-n-full`, `remove-all-inc-of-but-n-full`.

use std::num::NonZeroUsize;

use redup_engine::{RemoveOptions, RemoveReport, Retention};
use redup_format::time::Timestamp;

use super::Session;
use crate::args::{Command, Opt};
use crate::exit::{Code, Failure, command_line};
use crate::times;

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let options = RemoveOptions {
        retention: retention(session)?,
        force: session.flag(Opt::Force),
        dry_run: session.flag(Opt::DryRun),
    };
    let target = session.target()?;
    let report = redup_engine::remove(&target, &options, &session.narrator())?;
    Ok(ended(session, report))
}

/// How a run ends that deleted something, or tried to.
pub(super) fn ended(session: &Session, report: RemoveReport) -> Code {
    if report.failed == 0 {
        return Code::SUCCESS;
    }
    // Each was told; the status says that some are still there.
    session
        .ui
        .error(format!("{} file(s) could not be deleted", report.failed));
    Code::GENERIC
}

fn retention(session: &Session) -> Result<Retention, Failure> {
    let word = session.args.positionals.first();
    let word = word.and_then(|word| word.to_str()).unwrap_or_default();
    // The parser has checked the number.
    let count = || word.parse::<NonZeroUsize>().unwrap_or(NonZeroUsize::MAX);
    Ok(match session.args.command {
        Command::RemoveAllButNFull => Retention::AllButFull(count()),
        Command::RemoveAllIncOfButNFull => Retention::IncrementsOfAllButFull(count()),
        _ => {
            let time = times::parse(word, &session.clock)
                .map_err(|error| command_line(error.to_string()))?;
            Retention::OlderThan(Timestamp::from_secs(time))
        }
    })
}
