//! Listing the files of a point in time, and the state of a target.

use redup_difftar::sigtar::{SigHead, SigKind};

use crate::archive::{Archive, signature_error};
use crate::{Error, ListOptions, Monitor, Result, StatusReport, Target};

/// Gives every entry of the tree at a time to `entry`, in path order, from the signatures alone: no
/// volume is read. A file's size is not recorded there.
///
/// # Errors
/// [`Error::NoSignatureChains`] when there is nothing to list; the errors of store, keys and archives.
pub fn list(
    target: &Target,
    options: &ListOptions,
    monitor: &dyn Monitor,
    mut entry: impl FnMut(&SigHead),
) -> Result<()> {
    let mut archive = Archive::open_metadata(target, monitor)?;
    archive.sync(options.time)?;
    let sets = archive.sets_at(options.time).map_err(|error| match error {
        Error::NoChains(location) => Error::NoSignatureChains(location),
        other => other,
    })?;
    let mut signatures = archive.signatures(sets)?;
    while let Some(head) = signatures.advance().map_err(signature_error)? {
        if head.kind != SigKind::Deleted {
            entry(head);
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
    Ok(StatusReport {
        collection: archive.into_collection(),
    })
}
