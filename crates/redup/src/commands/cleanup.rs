//! `cleanup`.

use redup_engine::CleanupOptions;

use super::plan::{self, Kept};
use super::{Session, remove};
use crate::args::Opt;
use crate::exit::{Code, Failure};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let options = CleanupOptions {
        force: session.flag(Opt::Force),
        dry_run: session.flag(Opt::DryRun),
    };
    let target = session.target()?;
    let monitor = Kept::new(session.narrator(), plan::cleanup);
    let report = redup_engine::cleanup(&target, &options, &monitor)?;
    if session.flag(Opt::Json) {
        let leftovers = monitor.take().unwrap_or_default();
        remove::print(session, "redup.cleanup.v1", &leftovers, &report)?;
    }
    Ok(remove::ended(session, report))
}
