//! Deleting what is old, and what belongs to nothing.
//!
//! What goes is decided by [`redup_format::retention`], from names alone. Here it is deleted in an order
//! that leaves every set that remains readable, wherever the run is stopped:
//!
//! * within a chain the newest set goes first, so that no set outlives what it builds on;
//! * within a set the manifest goes before the volumes, so that a set with a hole is known to be none, and
//!   `cleanup` finds the rest of it;
//! * a checkpoint in the archive dir goes before the volumes it vouches for, all other local copies after
//!   their originals.
//!
//! A file that cannot be deleted is told and counted. Where it is a manifest, its set and all that it builds
//! on stay.

mod eraser;
mod options;

use std::collections::BTreeSet;

use redup_format::collections::{BackupChain, BackupSet, Place, SetState};
use redup_format::retention::{Cleanup, Removal};
use redup_storage::Unfinished;

use crate::archive::Archive;
use crate::{Error, Event, Monitor, Result, Target};

use eraser::Eraser;

pub use options::{CleanupOptions, RemoveOptions, RemoveReport, Retention};

/// Deletes old chains, or the increments of old chains, at the store and in the archive dir. Without `force`
/// only tells what would go.
///
/// The newest chain that can be restored never goes, and nothing at all goes while every chain that would
/// stay lacks volumes of its full set.
///
/// # Errors
/// [`Error::MissingVolume`] in that case; the errors of the store and the archive dir. A single file that
/// cannot be deleted is counted in the report.
pub fn remove(
    target: &Target,
    options: &RemoveOptions,
    monitor: &dyn Monitor,
) -> Result<RemoveReport> {
    let archive = Archive::open(target, monitor)?;
    archive.tell_last_full();
    let collection = archive.collection();
    let removal = match &options.retention {
        Retention::OlderThan(time) => Removal::older_than(collection, *time),
        Retention::AllButFull(count) => Removal::all_but_full(collection, *count),
        Retention::IncrementsOfAllButFull(count) => {
            Removal::increments_of_all_but_full(collection, *count)
        }
        Retention::Calendar(keep) => Removal::all_but_kept(collection, keep),
    };
    monitor.event(Event::RemovalPlanned {
        removal: &removal,
        deletes: options.force,
    });
    if removal.is_empty() || !options.force {
        return Ok(RemoveReport::default());
    }
    if !removal.keeps_fulls {
        check_what_stays(&archive, &removal)?;
    }
    let mut eraser = Eraser::new(&archive, options.dry_run);
    for chain in &removal.chains {
        monitor.event(Event::Removing {
            chain,
            signatures: true,
            keeps_full: removal.keeps_fulls,
        });
        for set in removal.sets_of(chain) {
            eraser.signatures(set)?;
        }
    }
    for chain in &removal.chains {
        monitor.event(Event::Removing {
            chain,
            signatures: false,
            keeps_full: removal.keeps_fulls,
        });
        for set in removal.sets_of(chain) {
            if !eraser.set(set)? {
                break;
            }
        }
    }
    eraser.finish()
}

/// Deletes what no chain leads to: sets without a manifest or without the set they build on, an interrupted
/// set, signatures without a set, and uploads that were begun and never ended. Without `force` only tells.
///
/// # Errors
/// Those of the store and the archive dir. A single file that cannot be deleted is counted in the report.
pub fn cleanup(
    target: &Target,
    options: &CleanupOptions,
    monitor: &dyn Monitor,
) -> Result<RemoveReport> {
    let archive = Archive::open(target, monitor)?;
    archive.tell_last_full();
    let cleanup = Cleanup::of(archive.collection());
    let unfinished = unfinished(&archive);
    let names = names(&cleanup);
    let interrupted = cleanup
        .sets
        .iter()
        .find(|set| set.state() == SetState::Interrupted);
    monitor.event(Event::CleanupPlanned {
        names: &names,
        unfinished: &unfinished,
        resumable: interrupted.map(|set| set.span),
        deletes: options.force,
    });
    if !options.force {
        return Ok(RemoveReport::default());
    }
    let mut eraser = Eraser::new(&archive, options.dry_run);
    for set in &cleanup.sets {
        eraser.set(set)?;
    }
    for file in &cleanup.signatures {
        match file.place {
            Place::Remote => eraser.remote(&file.name)?,
            Place::Local => eraser.local(&file.name)?,
        };
    }
    for upload in &unfinished {
        eraser.upload(upload)?;
    }
    // Copies whose originals are gone, as every command that fetches metadata removes them.
    for name in archive.collection().sync_plan(None).delete {
        eraser.local(&name)?;
    }
    eraser.finish()
}

/// Refuses to go on when nothing that stays can be restored, as far as that can be told without a key.
fn check_what_stays(archive: &Archive<'_>, removal: &Removal<'_>) -> Result<()> {
    let goes = |chain: &BackupChain| removal.chains.iter().any(|it| it.start() == chain.start());
    let mut first_gap = None;
    for chain in archive.collection().chains().iter().rev() {
        if goes(chain) || chain.full().state() == SetState::Interrupted {
            continue;
        }
        match missing_volume(archive, chain.full()) {
            None => return Ok(()),
            Some(number) => first_gap = first_gap.or(Some((chain.full().span, number))),
        }
    }
    match first_gap {
        None => Ok(()),
        Some((span, number)) => Err(Error::MissingVolume {
            span,
            number,
            location: archive.transfer().location(),
        }),
    }
}

/// The first volume that a set lacks. Without a readable copy of its manifest, gaps alone tell.
fn missing_volume(archive: &Archive<'_>, set: &BackupSet) -> Option<u32> {
    let local = set
        .manifest()
        .filter(|file| file.place == Place::Local || !file.suffix.is_encrypted());
    if let Some(manifest) = local.and_then(|file| archive.read_manifest(file).ok()) {
        return set.missing_volumes(&manifest).first().copied();
    }
    let last = set.volumes.keys().next_back().copied().unwrap_or(0);
    let whole = set.contiguous_volumes();
    (whole == 0 || whole < last).then_some(whole + 1)
}

/// Every file that a cleanup deletes, in that order; what is at the store and in the archive dir, once.
fn names<'a>(cleanup: &Cleanup<'a>) -> Vec<&'a str> {
    let sets = cleanup
        .sets
        .iter()
        .flat_map(|set| set.remote_names().chain(set.local_names()));
    let signatures = cleanup.signatures.iter().map(|file| file.name.as_str());
    let mut seen = BTreeSet::new();
    sets.chain(signatures)
        .filter(|name| seen.insert(*name))
        .collect()
}

/// Uploads of this collection that nobody will end: the archive dir's lock says that no run of ours does.
fn unfinished(archive: &Archive<'_>) -> Vec<Unfinished> {
    let naming = &archive.target().naming;
    let ours = |it: &Unfinished| {
        it.name
            .as_deref()
            .is_none_or(|name| naming.parse(name).is_some())
    };
    match archive.transfer().list_unfinished() {
        Ok(found) => found.into_iter().filter(ours).collect(),
        Err(error) => {
            // Many who may delete objects may not ask for this.
            let text = format!("unfinished uploads are not known: {error}");
            archive.monitor().event(Event::Info(&text));
            Vec::new()
        }
    }
}
