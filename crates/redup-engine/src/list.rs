//! Listing the files of a point in time, and the state of a target.

use std::ops::ControlFlow;

use redup_format::index::PathIndex;

use crate::archive::{Archive, signature_error, without_signatures};
use crate::state::PathState;
use crate::{ListOptions, Monitor, Result, StatusReport, Target};

/// Gives every path of the tree at a time to `each`, in path order, until that breaks off. Works from the signatures
/// alone: no volume is read.
///
/// What an interrupted run has stored counts as the state at its time, if that is the time asked for, as with duplicity's
/// list-current-files; [`find()`](crate::find()) and [`diff()`](crate::diff()) take no such state for one.
///
/// The time of the backup set is told to the monitor as [`Event::PointInTime`](crate::Event::PointInTime) before.
///
/// # Errors
/// [`Error::NoSignatureChains`](crate::Error::NoSignatureChains) when there is nothing to list; the errors of store,
/// keys and archives.
pub fn list(
    target: &Target,
    options: &ListOptions,
    monitor: &dyn Monitor,
    mut each: impl FnMut(&PathIndex, &PathState) -> ControlFlow<()>,
) -> Result<()> {
    let mut archive = Archive::open_metadata(target, monitor)?;
    archive.sync(options.time)?;
    let sets = archive.sets_at(options.time).map_err(without_signatures)?;
    archive.tell_time(sets);
    let mut signatures = archive.signatures(sets)?;
    while let Some(head) = signatures.advance().map_err(signature_error)? {
        let index = head.index.clone();
        let state = match signatures.archive() {
            Some(archive) => PathState::read(archive)?,
            None => None,
        };
        if let Some(state) = state
            && each(&index, &state).is_break()
        {
            break;
        }
    }
    Ok(())
}

/// The sets and chains of a target. Nothing is fetched and nothing but a half-done rename changed.
///
/// # Errors
/// Those of the store and the archive dir.
pub fn status(target: &Target, monitor: &dyn Monitor) -> Result<StatusReport> {
    let archive = Archive::open_metadata(target, monitor)?;
    archive.tell_last_full();
    let (collection, lengths) = archive.into_collection();
    Ok(StatusReport {
        collection,
        lengths,
    })
}
