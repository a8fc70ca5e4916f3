//! Restore: the sets of a chain merged by path, each path rebuilt and written in one pass.

mod rebuild;
mod rename;
mod selection;
mod tree;

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use redup_difftar::difftar::VolumeSource;
use redup_difftar::patchdir::{PatchDir, Plan, Target as Wanted};
use redup_format::entry::Attributes;
use redup_format::index::PathIndex;

pub(crate) use rebuild::{Rebuilt, delta_error, payload_error, read_payload, rebuild};
use rename::Renames;
use selection::Selection;
use tree::{TemporaryFile, TreeWriter};

use crate::archive::Archive;
use crate::chain::{Chain, Oddities, chain_error};
use crate::owner::OwnerMap;
use crate::thaw::make_readable;
use crate::{Error, Event, Monitor, RestoreOptions, RestoreReport, Result, Target};

/// Restores the state at a time into `destination`, in path order.
///
/// A path that cannot be rebuilt or written is told to the monitor and counted, and the rest goes
/// on; a file appears under its name only when it is complete. What stops a restore: a volume that
/// is missing or damaged (unless `ignore_errors`), the store, a full disk at the target.
///
/// # Errors
/// [`Error::TargetNotEmpty`] without `force`; [`Error::PathNotFound`] and [`Error::NothingRestored`]
/// when the archive has nothing to give; the errors of reading an archive.
pub fn restore(
    target: &Target,
    destination: &Path,
    options: &RestoreOptions,
    monitor: &dyn Monitor,
) -> Result<RestoreReport> {
    if !options.force && !options.dry_run && tree::is_occupied(destination)? {
        return Err(Error::TargetNotEmpty(destination.to_owned()));
    }
    if !options.dry_run {
        tree::check_writable(destination)?;
    }
    let mut archive = Archive::open(target, monitor)?;
    archive.sync_manifests(options.time)?;
    let mut chain = Chain::plan(&archive, options.time, &options.path)?;
    let short_manifests = std::mem::take(&mut chain.short_manifests);
    if options.dry_run {
        let names: Vec<_> = chain.volume_names().collect();
        monitor.event(Event::VolumesNeeded { names: &names });
        return Ok(RestoreReport::default());
    }
    make_readable(&archive, chain.volume_names())?;
    let opener = chain.opener(&archive, options.ignore_errors);
    let oddities = Oddities::default();
    let mut sets = chain.merge(&opener, &options.path, &oddities);
    let owners = options
        .ownership
        .then(|| OwnerMap::new(options.numeric_owner));
    let mut run = Run {
        writer: TreeWriter::new(destination, owners, options.force),
        selection: Selection::new(options.selection.clone()),
        renames: Renames::new(options.renames.clone()),
        monitor,
        oddities,
        report: RestoreReport::default(),
    };
    tell(
        monitor,
        &mut run.report,
        &PathIndex::root(),
        short_manifests,
    );
    run.all(&mut sets, options.ignore_errors)?;
    let failures = run.writer.finish()?;
    tell(monitor, &mut run.report, &PathIndex::root(), failures);
    run.report.skipped_volumes = opener.skipped.load(Ordering::Relaxed);
    if run.report.restored == 0 && run.report.failed == 0 {
        return Err(if options.path.is_root() {
            Error::NothingRestored
        } else {
            Error::PathNotFound(options.path.to_string())
        });
    }
    Ok(run.report)
}

struct Run<'a> {
    writer: TreeWriter,
    selection: Selection,
    renames: Renames,
    monitor: &'a dyn Monitor,
    oddities: Oddities,
    report: RestoreReport,
}

impl Run<'_> {
    fn all<V: VolumeSource>(&mut self, sets: &mut PatchDir<V>, ignore_errors: bool) -> Result<()> {
        loop {
            let next = sets.next_plan();
            while let Some((index, error)) = self.oddities.take() {
                tell(self.monitor, &mut self.report, &index, vec![error]);
            }
            let mut plan = match next {
                Ok(Some(plan)) => plan,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let error = chain_error(error);
                    if !ignore_errors {
                        return Err(error);
                    }
                    self.fail(&PathIndex::root(), error);
                    continue;
                }
            };
            let index = plan.index.clone();
            match self.path(&index, &mut plan) {
                Ok(failures) if failures.is_empty() => {}
                Ok(failures) => tell(self.monitor, &mut self.report, &index, failures),
                Err(error) if ends_the_run(&error, ignore_errors) => return Err(error),
                Err(error) => self.fail(&index, error),
            }
        }
    }

    /// Writes one path. Gives what of its attributes, or of those of the folders that were left on
    /// the way to it, could not be set.
    fn path<V: VolumeSource>(
        &mut self,
        index: &PathIndex,
        plan: &mut Plan<'_, V>,
    ) -> Result<Vec<Error>> {
        let wanted = std::mem::replace(&mut plan.target, Wanted::Absent);
        let attributes = match &wanted {
            Wanted::Absent => return Ok(Vec::new()),
            Wanted::Unrecoverable(_) => None,
            Wanted::Node(attributes) | Wanted::File(attributes) => Some(attributes.clone()),
        };
        let Some(folders) = self.selection.admit(index, attributes.as_ref()) else {
            return Ok(Vec::new());
        };
        let Some(attributes) = attributes else {
            return Err(Error::Unrecoverable(index.to_string()));
        };
        let index = &self.renames.apply(index);
        let mut failures = Vec::new();
        for (folder, attributes) in folders {
            let folder = self.renames.apply(&folder);
            failures.extend(self.directory(&folder, attributes)?);
            self.report.restored += 1;
        }
        failures.extend(match wanted {
            Wanted::File(_) => {
                plan.target = wanted;
                self.file(index, &attributes, plan)?
            }
            _ if attributes.file_type.is_directory() => self.directory(index, attributes)?,
            _ => {
                self.begin(index, &attributes);
                self.writer.special(index, &attributes)?
            }
        });
        self.report.restored += 1;
        Ok(failures)
    }

    fn begin(&self, index: &PathIndex, attributes: &Attributes) {
        let file_type = &attributes.file_type;
        self.monitor.event(Event::Restoring { index, file_type });
    }

    fn directory(&mut self, index: &PathIndex, attributes: Attributes) -> Result<Vec<Error>> {
        self.begin(index, &attributes);
        self.writer.directory(index, attributes)
    }

    fn file<V: VolumeSource>(
        &mut self,
        index: &PathIndex,
        attributes: &Attributes,
        plan: &mut Plan<'_, V>,
    ) -> Result<Vec<Error>> {
        self.begin(index, attributes);
        let (mut failures, first) = self.writer.create(index)?;
        let writer = &mut self.writer;
        let file = rebuild(index, plan.steps(), first, || Ok(writer.create(index)?.1))?;
        failures.extend(self.writer.commit(index, file, attributes)?);
        Ok(failures)
    }

    fn fail(&mut self, index: &PathIndex, error: Error) {
        tell(self.monitor, &mut self.report, index, vec![error]);
    }
}

impl Rebuilt for TemporaryFile {
    type Basis = std::fs::File;

    fn writer(&mut self) -> &mut dyn Write {
        &mut self.file
    }

    fn basis(&self) -> &std::fs::File {
        &self.file
    }
}

/// One path counts once, however much of it failed.
fn tell(
    monitor: &dyn Monitor,
    report: &mut RestoreReport,
    index: &PathIndex,
    failures: Vec<Error>,
) {
    report.failed += u64::from(!failures.is_empty());
    for error in &failures {
        monitor.event(Event::RestoreFailed { index, error });
    }
}

/// Whether going on with the next path makes no sense.
fn ends_the_run(error: &Error, ignore_errors: bool) -> bool {
    match error {
        Error::Io { source, .. } => matches!(
            source.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
        ),
        Error::Unrecoverable(_) | Error::Delta { .. } | Error::PathPayload { .. } => false,
        _ => !ignore_errors,
    }
}
