//! `restore`.

use redup_engine::RestoreOptions;

use super::plan::{self, Kept};
use super::{Points, Session, progress};
use crate::args::Opt;
use crate::config::{self, ArchiveRules};
use crate::exit::{Code, Failure};
use crate::ui::json;

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    session.announce_lists();
    let selection = config::archive_rules(&session.args, &session.environment, &session.clock)?;
    let options = RestoreOptions {
        time: session.restore_time()?,
        path: config::path_inside(&session.args, &session.environment)?,
        selection: match selection {
            ArchiveRules::Selected(rules) => Some(rules),
            ArchiveRules::Everything => None,
            ArchiveRules::Meant => {
                session.ui.warning(
                    "Selection options --exclude/--include currently work only when backing up,not restoring.",
                );
                None
            }
        },
        renames: config::renames(&session.args)?,
        force: session.flag(Opt::Force),
        ownership: session.args.options.switch(Opt::RestoreOwnership, true),
        numeric_owner: session.flag(Opt::NumericOwner),
        ignore_errors: session.flag(Opt::IgnoreErrors),
        dry_run: session.flag(Opt::DryRun),
    };
    let target = session.target()?;
    if session.flag(Opt::Json) {
        // A dry run, as was checked.
        let monitor = Kept::new(Points::new(session.narrator()), plan::volumes);
        redup_engine::restore(&target, session.local(), &options, &monitor)?;
        let volumes = monitor.take().unwrap_or_default();
        let time = monitor.monitor().last();
        let text = json::restore_plan(&session.shown_target(), time, &volumes);
        plan::print(session, &text)?;
        return Ok(Code::SUCCESS);
    }
    let report = progress::reading(session, "Restoring", |monitor| {
        redup_engine::restore(&target, session.local(), &options, monitor)
    })?;
    if report.failed > 0 {
        // Each was told; the status says that not everything is there.
        session.ui.error(format!(
            "{} path(s) could not be restored completely",
            report.failed
        ));
        return Ok(Code::GENERIC);
    }
    if report.skipped_volumes > 0 {
        session.ui.error(format!(
            "{} volume(s) could not be read; what only they hold was not restored",
            report.skipped_volumes
        ));
        return Ok(Code::GENERIC);
    }
    Ok(Code::SUCCESS)
}
