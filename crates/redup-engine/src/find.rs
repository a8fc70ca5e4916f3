//! Looking for paths in every point in time.

use std::io::Read;
use std::ops::ControlFlow;
use std::slice;

use redup_difftar::collate::Collated;
use redup_format::collections::{BackupChain, BackupSet};
use redup_format::index::PathIndex;
use redup_format::time::Timestamp;
use redup_select::Pattern;

use crate::archive::{Archive, is_whole, range_of, signature_error};
use crate::state::{Aspect, PathState, Version};
use crate::{Error, Event, Monitor, Result, Target};

/// Options of [`find()`].
#[derive(Debug)]
pub struct FindOptions {
    /// What is looked for.
    pub pattern: Pattern,
    /// Where.
    pub scope: FindScope,
}

/// The points in time that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindScope {
    /// All of them, of every chain.
    Everything,
    /// Those of the newest chain.
    NewestChain,
    /// The one that serves this time.
    At(Timestamp),
}

/// A path that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path.
    pub index: PathIndex,
    /// What became of it, oldest first. With [`FindScope::At`] it is what is there at that time.
    pub versions: Vec<PathVersion>,
}

/// A point in time at which a path was not what it had been before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathVersion {
    /// The time of the backup set.
    pub time: Timestamp,
    /// What happened to it.
    pub event: PathEvent,
}

/// What happened to a path between two points in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathEvent {
    /// It is there for the first time, or again.
    Added(PathState),
    /// It is another.
    Changed(PathState, Vec<Aspect>),
    /// It is gone.
    Deleted,
}

/// What a search looked at and found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FindReport {
    /// Paths found.
    pub found: u64,
    /// Points in time looked at.
    pub sets: usize,
    /// Points in time that could not be looked at; each was told to the monitor.
    pub unsearched: usize,
}

/// Gives every path that fits to `each`, in path order, with its history, until that breaks off. Works from the
/// signatures alone: no volume is read. Those that the archive dir lacks are fetched into it.
///
/// An entry of each set's signatures is in memory, and a file of each is open.
///
/// # Errors
/// [`Error::NoSignatureChains`] when there is nothing to look at; the errors of store, keys and archives.
pub fn find(
    target: &Target,
    options: &FindOptions,
    monitor: &dyn Monitor,
    mut each: impl FnMut(&Found) -> ControlFlow<()>,
) -> Result<FindReport> {
    let mut archive = Archive::open_metadata(target, monitor)?;
    // Where there is nothing to look at, that is said below.
    let ranges: Vec<_> = match options.scope {
        FindScope::Everything => {
            let chains = archive.collection().chains();
            chains.iter().map(BackupChain::range).collect()
        }
        FindScope::NewestChain => {
            let newest = archive.newest_whole_chain();
            newest.map(BackupChain::range).into_iter().collect()
        }
        FindScope::At(time) => archive
            .whole_sets_at(time)
            .map(range_of)
            .into_iter()
            .collect(),
    };
    archive.sync_ranges(&ranges)?;
    let mut report = FindReport::default();
    let sets = sets(&archive, options.scope, monitor, &mut report)?;
    let fulls: Vec<_> = (0..sets.len())
        .filter(|&set| sets[set].span.is_full())
        .collect();
    let mut collated = Collated::new(archive.sigtars(sets.iter().copied())?);
    while let Some(index) = collated.advance().map_err(signature_error)? {
        if !options.pattern.matches(index) {
            continue;
        }
        let index = index.clone();
        let mut versions = versions(&sets, &fulls, &mut collated)?;
        if let FindScope::At(_) = options.scope {
            // What came before is of no interest, and what is gone is not there.
            versions.drain(..versions.len().saturating_sub(1));
            versions.retain(|version| version.event != PathEvent::Deleted);
        }
        let is_wanted = match options.pattern.folders_only() {
            true => versions.iter().any(PathVersion::is_folder),
            false => !versions.is_empty(),
        };
        if !is_wanted {
            continue;
        }
        report.found += 1;
        if each(&Found { index, versions }).is_break() {
            break;
        }
    }
    Ok(report)
}

/// The sets that are looked at, chain by chain.
fn sets<'a>(
    archive: &'a Archive<'_>,
    scope: FindScope,
    monitor: &dyn Monitor,
    report: &mut FindReport,
) -> Result<Vec<&'a BackupSet>> {
    let mut sets = Vec::new();
    if let FindScope::At(time) = scope {
        let whole = archive.whole_sets_at(time)?;
        archive.tell_left_out(&[(whole, Some(time))]);
        archive.tell_time(whole);
        sets.extend(whole);
    } else {
        let chains = match scope {
            FindScope::NewestChain => archive
                .newest_whole_chain()
                .map_or(&[][..], slice::from_ref),
            _ => archive.collection().chains(),
        };
        for chain in chains {
            let whole = chain.sets().iter().take_while(|set| is_whole(set));
            let whole: Vec<_> = whole.collect();
            let signed = whole.iter().take_while(|set| set.signature().is_some());
            let signed = signed.count();
            sets.extend(&whole[..signed]);
            // What a set changed is not known, so neither is what it and the next ones look like.
            if let Some(first) = whole.get(signed) {
                let text = format!(
                    "not looking at {} backup set(s) from {} on: its signatures are missing",
                    whole.len() - signed,
                    first.span
                );
                monitor.event(Event::Warning(&text));
                report.unsearched += whole.len() - signed;
            }
        }
    }
    if sets.is_empty() {
        return Err(Error::NoSignatureChains(archive.transfer().location()));
    }
    report.sets = sets.len();
    Ok(sets)
}

/// What the sets say of the path where `collated` stands. A full set says of each path that it does not have that it is
/// gone.
fn versions<R: Read>(
    sets: &[&BackupSet],
    fulls: &[usize],
    collated: &mut Collated<R>,
) -> Result<Vec<PathVersion>> {
    let present = collated.present().to_vec();
    let mut stops = [fulls, &present].concat();
    stops.sort_unstable();
    stops.dedup();
    let mut before: Option<Version> = None;
    let mut versions = Vec::new();
    for set in stops {
        let now = match collated.archive(set) {
            Some(archive) => Version::read(archive)?,
            None => None,
        };
        let event = match (&before, &now) {
            (None, None) => None,
            (None, Some(now)) => Some(PathEvent::Added(now.state.clone())),
            (Some(_), None) => Some(PathEvent::Deleted),
            (Some(before), Some(now)) => match before.differences(now) {
                what if what.is_empty() => None,
                what => Some(PathEvent::Changed(now.state.clone(), what)),
            },
        };
        let time = sets[set].span.end();
        versions.extend(event.map(|event| PathVersion { time, event }));
        before = now;
    }
    Ok(versions)
}

impl PathVersion {
    fn is_folder(&self) -> bool {
        match &self.event {
            PathEvent::Added(state) | PathEvent::Changed(state, _) => {
                state.attributes.file_type.is_directory()
            }
            PathEvent::Deleted => false,
        }
    }
}
