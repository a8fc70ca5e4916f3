//! `verify`.

use redup_engine::VerifyOptions;

use super::{Session, progress};
use crate::args::Opt;
use crate::config;
use crate::exit::{Code, Failure};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let options = VerifyOptions {
        time: session.restore_time()?,
        path: config::path_inside(&session.args, &session.environment)?,
        compare_data: session.flag(Opt::CompareData),
        rules: session.rules()?,
        copy_links: session.flag(Opt::CopyLinks),
        numeric_owner: session.flag(Opt::NumericOwner),
        ignore_errors: session.flag(Opt::IgnoreErrors),
        tempdir: config::temp_dir(&session.args, &session.environment),
    };
    let target = session.target()?;
    let report = progress::reading(session, "Verifying", |monitor| {
        redup_engine::verify(&target, session.local(), &options, monitor)
    })?;
    let (compared, differences) = (report.compared, report.differences);
    session.ui.notice(format!(
        "Verify complete: {compared} file(s) compared, {differences} difference(s) found."
    ));
    if report.failed > 0 {
        session.ui.error(format!(
            "{} path(s) could not be rebuilt from the backup",
            report.failed
        ));
    }
    match differences + report.failed {
        0 => Ok(Code::SUCCESS),
        _ => Ok(Code::GENERIC),
    }
}
