//! What is different between two points in time.

use std::io::Read;
use std::ops::{ControlFlow, Range};

use redup_difftar::collate::Collated;
use redup_format::collections::BackupSet;
use redup_format::index::PathIndex;
use redup_format::time::Timestamp;

use crate::archive::{Archive, range_of, signature_error};
use crate::state::{Aspect, PathState, Version};
use crate::{Monitor, Result, Target};

/// Options of [`diff()`].
#[derive(Debug, Clone, Copy)]
pub struct DiffOptions {
    /// The point in time that is compared.
    pub old: Timestamp,
    /// The one it is compared with; it may be the earlier of the two.
    pub new: Timestamp,
}

/// How a path differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathChange {
    /// Only the new state has it.
    Added(PathState),
    /// Only the old state has it.
    Removed(PathState),
    /// Both have it, and it is not the same.
    Changed {
        /// What it was.
        old: PathState,
        /// What it is.
        new: PathState,
        /// What differs; not empty.
        what: Vec<Aspect>,
    },
}

/// How much differs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffReport {
    /// Paths that only the new state has.
    pub added: u64,
    /// Paths that only the old state has.
    pub removed: u64,
    /// Paths that both have and that differ.
    pub changed: u64,
}

/// Gives every path that differs between two points in time to `each`, in path order, until that breaks off. They may
/// be of one chain or of two. Works from the signatures alone: no volume is read.
///
/// Both times are told to the monitor as [`Event::PointInTime`](crate::Event::PointInTime), the old one first.
///
/// # Errors
/// [`Error::NoSignatureChains`](crate::Error::NoSignatureChains) when there is nothing to compare; the errors of
/// store, keys and archives.
pub fn diff(
    target: &Target,
    options: &DiffOptions,
    monitor: &dyn Monitor,
    mut each: impl FnMut(&PathIndex, &PathChange) -> ControlFlow<()>,
) -> Result<DiffReport> {
    let mut archive = Archive::open_metadata(target, monitor)?;
    let ranges = [options.old, options.new].map(|time| archive.whole_sets_at(time).map(range_of));
    // Where there is nothing to compare, that is said below.
    archive.sync_ranges(&ranges.into_iter().flatten().collect::<Vec<_>>())?;
    let old = archive.whole_sets_at(options.old)?;
    let new = archive.whole_sets_at(options.new)?;
    archive.tell_left_out(&[(old, Some(options.old)), (new, Some(options.new))]);
    archive.tell_time(old);
    archive.tell_time(new);
    let mut report = DiffReport::default();
    let full = |sets: &[BackupSet]| sets.first().map(|set| set.span);
    // Sets of one chain are read once: the shorter row is the beginning of the longer one.
    let (sets, sides): (Vec<_>, _) = if full(old) != full(new) {
        (
            old.iter().chain(new).collect(),
            [0..old.len(), old.len()..old.len() + new.len()],
        )
    } else if old.len() == new.len() {
        return Ok(report);
    } else {
        let longer = if old.len() < new.len() { new } else { old };
        (longer.iter().collect(), [0..old.len(), 0..new.len()])
    };
    let mut collated = Collated::new(archive.sigtars(sets)?);
    while let Some(index) = collated.advance().map_err(signature_error)? {
        let index = index.clone();
        let Some(change) = change(&mut collated, &sides)? else {
            continue;
        };
        match &change {
            PathChange::Added(_) => report.added += 1,
            PathChange::Removed(_) => report.removed += 1,
            PathChange::Changed { .. } => report.changed += 1,
        }
        if each(&index, &change).is_break() {
            break;
        }
    }
    Ok(report)
}

/// How the path where `collated` stands differs between two of its ranges, each a state by its newest entry.
fn change<R: Read>(
    collated: &mut Collated<R>,
    sides: &[Range<usize>; 2],
) -> Result<Option<PathChange>> {
    let newest = |side: &Range<usize>| {
        let mut present = collated.present().iter().rev();
        present.find(|archive| side.contains(archive)).copied()
    };
    let (old, new) = (newest(&sides[0]), newest(&sides[1]));
    if old == new {
        return Ok(None);
    }
    let mut read = |archive: Option<usize>| match archive.and_then(|it| collated.archive(it)) {
        Some(archive) => Version::read(archive),
        None => Ok(None),
    };
    Ok(match (read(old)?, read(new)?) {
        (None, None) => None,
        (None, Some(new)) => Some(PathChange::Added(new.state)),
        (Some(old), None) => Some(PathChange::Removed(old.state)),
        (Some(old), Some(new)) => {
            let what = old.differences(&new);
            (!what.is_empty()).then_some(PathChange::Changed {
                old: old.state,
                new: new.state,
                what,
            })
        }
    })
}
