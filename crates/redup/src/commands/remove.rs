//! `remove-older-than`, `remove-all-but-n-full`, `remove-all-inc-of-but-n-full`, `prune`.

use std::num::NonZeroUsize;
use std::sync::Arc;

use redup_engine::{RemoveOptions, RemoveReport, Retention};
use redup_format::retention::{Keep, Period};
use redup_format::time::Timestamp;

use serde::Serialize;

use super::Session;
use super::plan::{self, Kept};
use crate::args::{Args, Command, Occurrence, Opt};
use crate::exit::{Code, Failure, command_line};
use crate::ui::json;
use crate::{times, ui};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let options = RemoveOptions {
        retention: retention(session)?,
        force: session.flag(Opt::Force),
        dry_run: session.flag(Opt::DryRun),
    };
    let target = session.target()?;
    let monitor = Kept::new(session.narrator(), plan::removal);
    let report = redup_engine::remove(&target, &options, &monitor)?;
    if session.flag(Opt::Json) {
        let chains = monitor.take().unwrap_or_default();
        print(session, "redup.removal.v1", &chains, &report)?;
    }
    Ok(ended(session, report))
}

/// Prints what was deleted, or would be.
pub(super) fn print(
    session: &Session,
    schema: &'static str,
    plan: &impl Serialize,
    report: &RemoveReport,
) -> Result<(), Failure> {
    let deletes = session.flag(Opt::Force) && !session.flag(Opt::DryRun);
    let text = json::deletion(schema, &session.shown_target(), deletes, plan, report);
    plan::print(session, &text)
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
    if session.args.command == Command::Prune {
        return calendar(session);
    }
    let word = session.args.positionals.first();
    let word = word.and_then(|word| word.to_str()).unwrap_or_default();
    // The parser has checked the number.
    let count = || {
        word.trim()
            .parse::<NonZeroUsize>()
            .unwrap_or(NonZeroUsize::MAX)
    };
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

/// The options of `prune`.
const KEEPS: [(Opt, Period); 5] = [
    (Opt::KeepLast, Period::Backup),
    (Opt::KeepDaily, Period::Day),
    (Opt::KeepWeekly, Period::Week),
    (Opt::KeepMonthly, Period::Month),
    (Opt::KeepYearly, Period::Year),
];

/// Refuses the options of `prune` and `find` to any other command, which would take no notice of them. duplicity's own
/// are taken everywhere, as wrappers pass the same ones to all commands.
pub(super) fn refuse_elsewhere(args: &Args) -> Result<(), Failure> {
    let of = |found: &Occurrence| match found.spec.id {
        Opt::NewestChain => Some((Command::Find, "find")),
        id if KEEPS.iter().any(|(option, _)| *option == id) => Some((Command::Prune, "prune")),
        _ => None,
    };
    for found in args.options.iter() {
        if let Some((command, name)) = of(found)
            && args.command != command
        {
            return Err(command_line(format!("--{} is for {name} only", found.name)));
        }
    }
    Ok(())
}

/// What the options of `prune` keep, on this machine's calendar.
fn calendar(session: &Session) -> Result<Retention, Failure> {
    let wanted = |option| session.args.options.number(option);
    let rules: Vec<_> = KEEPS
        .into_iter()
        .filter_map(|(option, period)| Some((period, usize::try_from(wanted(option)?).ok()?)))
        .collect();
    if rules.is_empty() {
        return Err(command_line(
            "prune: say what to keep, with one or more of --keep-last, --keep-daily, --keep-weekly, \
             --keep-monthly, --keep-yearly",
        ));
    }
    let zone = session.ui.zone().clone();
    Ok(Retention::Calendar(Keep {
        rules,
        local_day: Arc::new(move |time| ui::local_day(time.secs(), &zone)),
    }))
}
