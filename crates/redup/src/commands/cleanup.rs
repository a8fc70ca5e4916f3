//! `cleanup`.

use redup_engine::CleanupOptions;

use super::{Session, remove};
use crate::args::Opt;
use crate::exit::{Code, Failure};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let options = CleanupOptions {
        force: session.flag(Opt::Force),
        dry_run: session.flag(Opt::DryRun),
    };
    let target = session.target()?;
    let report = redup_engine::cleanup(&target, &options, &session.narrator())?;
    Ok(remove::ended(session, report))
}
