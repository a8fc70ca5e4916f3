//! Which volumes of which sets a restore or verify reads, and their merged stream.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};

use redup_difftar::difftar::DifftarReader;
use redup_difftar::patchdir::PatchDir;
use redup_difftar::{Error as ArchiveError, Warning, Warnings};
use redup_format::collections::{BackupSet, SetState};
use redup_format::filename::Suffix;
use redup_format::index::PathIndex;
use redup_format::manifest::Manifest;
use redup_format::time::Timestamp;

use crate::archive::Archive;
use crate::count::{Count, Work};
use crate::volumes::{Checker, PlannedVolume, VolumeCursor, VolumeOpener};
use crate::{Error, Event, Result};

/// The sets that give the state at a time, oldest first, each with the volumes that are read.
#[derive(Debug)]
pub(crate) struct Chain {
    sets: Vec<Vec<PlannedVolume>>,
    /// Of sets that have volumes beyond a manifest that may have been cut short, where these may hold something of what is
    /// read.
    pub(crate) short_manifests: Vec<Error>,
    /// How far `done` counts.
    steps: u64,
    /// What was done about the volumes.
    done: Count,
}

impl Chain {
    /// Plans reading `path` and what lies below it, at `time` or at the newest time.
    pub(crate) fn plan(
        archive: &Archive<'_>,
        time: Option<Timestamp>,
        path: &PathIndex,
    ) -> Result<Self> {
        let mut sets = Vec::new();
        let mut short_manifests = Vec::new();
        let (done, mut steps) = (Count::default(), 0);
        let chosen = archive.sets_at(time)?;
        archive.tell_time(chosen);
        for set in chosen {
            let manifest = archive.manifest(set)?;
            let volumes = manifest.volumes_with(path).map(|info| {
                let object = archive.volume_object(set, info.number);
                let suffix = object
                    .as_ref()
                    .map_or(Suffix::Plain, |(_, _, suffix)| *suffix);
                PlannedVolume {
                    span: set.span,
                    number: info.number,
                    object: object.map(|(name, len, _)| (name, len)),
                    suffix,
                    sha1: info.sha1,
                    work: Work::default(),
                }
            });
            let mut volumes: Vec<_> = volumes.collect();
            steps =
                total(volumes.iter_mut().map(|volume| volume.count(&done))).saturating_add(steps);
            sets.push(volumes);
            match beyond_manifest(set, &manifest, path) {
                Some(error) if !manifest.has_file_list => short_manifests.push(error),
                // Nothing was cut off, so these are no part of the set.
                Some(error) => archive.monitor().event(Event::Warning(&error.to_string())),
                None => {}
            }
        }
        Ok(Self {
            sets,
            short_manifests,
            steps,
            done,
        })
    }

    /// The names of all planned volumes that the store has.
    pub(crate) fn volume_names(&self) -> impl Iterator<Item = &str> {
        self.sets
            .iter()
            .flatten()
            .filter_map(|v| v.object.as_ref())
            .map(|(name, _)| name.as_str())
    }

    /// What opens these volumes, of which it is told how much they are.
    pub(crate) fn opener<'a>(
        &self,
        archive: &'a Archive<'_>,
        ignore_errors: bool,
    ) -> VolumeOpener<'a> {
        let volumes = self.sets.iter().flatten();
        let objects = volumes.filter_map(|volume| volume.object.as_ref());
        archive.monitor().event(Event::Reading {
            bytes: total(objects.map(|(_, len)| *len)),
            steps: self.steps,
            done: &self.done,
        });
        opener(archive, self.sets.iter().map(Vec::len).sum(), ignore_errors)
    }

    /// The sets merged by path; `path` becomes the root.
    pub(crate) fn merge<'a>(
        &self,
        opener: &'a VolumeOpener<'a>,
        path: &PathIndex,
        oddities: &Oddities,
    ) -> PatchDir<VolumeCursor<'a>> {
        let sets = self
            .sets
            .iter()
            .map(|volumes| DifftarReader::new(opener.cursor(volumes.clone()), oddities.receiver()));
        PatchDir::new(sets.collect()).within(path.clone())
    }
}

/// The sum of lengths that a store has listed, which may be any.
pub(crate) fn total(lengths: impl Iterator<Item = u64>) -> u64 {
    lengths.fold(0, u64::saturating_add)
}

/// A complete set's manifest names all its volumes: one that is stored behind its last is of no set, or the manifest was
/// cut short. What it holds comes behind those that are named, and so it may be about `path`, or it is not.
pub(crate) fn beyond_manifest(
    set: &BackupSet,
    manifest: &Manifest,
    path: &PathIndex,
) -> Option<Error> {
    let complete = set.state() == SetState::Complete;
    let file = set.manifest().filter(|_| complete)?;
    let (&listed, last) = manifest.volumes.last_key_value()?;
    let stored = *set.volumes.last_key_value()?.0;
    let end = &last.end.index;
    let is_concerned = path >= end || end.starts_with(path);
    (stored > listed && is_concerned).then(|| Error::ManifestShort {
        name: file.name.clone(),
        listed,
        stored,
    })
}

/// What opens `total` volumes of an archive.
pub(crate) fn opener<'a>(
    archive: &'a Archive<'_>,
    total: usize,
    ignore_errors: bool,
) -> VolumeOpener<'a> {
    VolumeOpener {
        checker: Arc::new(Checker::new(archive.transfer().clone(), archive.keys())),
        monitor: archive.monitor(),
        ignore_errors,
        total: u32::try_from(total).unwrap_or(u32::MAX),
        done: AtomicU32::new(0),
        skipped: AtomicU32::new(0),
    }
}

/// Collects what readers pass over, until the run has room to tell it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Oddities(Arc<Mutex<VecDeque<Warning>>>);

impl Oddities {
    /// Where readers report.
    pub(crate) fn receiver(&self) -> Warnings {
        let queue = Arc::clone(&self.0);
        Warnings::new(move |warning| {
            queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_back(warning);
        })
    }

    /// The oldest report not yet taken, as an error of its path.
    pub(crate) fn take(&self) -> Option<(PathIndex, Error)> {
        let warning = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()?;
        let index = match &warning {
            Warning::LateEntry { index, .. } | Warning::MissingLastPiece { index } => index.clone(),
            _ => PathIndex::root(),
        };
        Some((index, Error::ArchiveWarning(warning)))
    }
}

/// The engine's error inside an archive error, where a volume could not be opened or read; else the archive's.
pub(crate) fn chain_error(error: ArchiveError) -> Error {
    let archive = |error| Error::Archive(error);
    match error {
        ArchiveError::NextVolume { source } => match source.downcast::<Error>() {
            Ok(error) => *error,
            Err(source) => archive(ArchiveError::NextVolume { source }),
        },
        ArchiveError::InArchive { name, source } => {
            let source = match *source {
                ArchiveError::Read { offset, source } => match source.downcast::<Error>() {
                    Ok(error) => return error,
                    Err(source) => ArchiveError::Read { offset, source },
                },
                source => source,
            };
            let source = Box::new(source);
            archive(ArchiveError::InArchive { name, source })
        }
        error => archive(error),
    }
}

/// Reads a payload to its end without using it.
pub(crate) fn discard(mut payload: impl Read) -> std::io::Result<u64> {
    std::io::copy(&mut payload, &mut std::io::sink())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_no_store_has_add_up_to_very_many_bytes() {
        assert_eq!(total([1, 2, 3].into_iter()), 6);
        assert_eq!(total([u64::MAX / 2; 3].into_iter()), u64::MAX);
    }
}
