//! `collection-status`.

use super::Session;
use crate::exit::{Code, Failure};
use crate::ui::status;

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let target = session.target()?;
    let report = redup_engine::status(&target, &session.narrator())?;
    let message = status(
        &report.collection,
        &session.places.archive_dir,
        session.ui.zone(),
    );
    session.ui.say(&message);
    Ok(Code::SUCCESS)
}
