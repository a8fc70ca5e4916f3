//! The content of one file.

use std::io::Write;
use std::path::{Path, PathBuf};

use redup_difftar::difftar::VolumeSource;
use redup_difftar::patchdir::{Plan, Step, StepKind, Target as Wanted};
use redup_format::index::PathIndex;
use redup_format::time::Timestamp;
use redup_rsync::{PatchLimits, patch};

use crate::archive::Archive;
use crate::chain::{Chain, Oddities, chain_error};
use crate::restore::{Rebuilt, delta_error, read_payload, rebuild};
use crate::scratch::Scratch;
use crate::thaw::make_readable;
use crate::{Error, Monitor, Result, Target};

/// Bytes copied at a time.
const BUFFER: usize = 1 << 17;

/// Options of [`cat()`].
#[derive(Debug, Clone)]
pub struct CatOptions {
    /// The point in time; `None` is the newest.
    pub time: Option<Timestamp>,
    /// The file.
    pub path: PathIndex,
    /// Where the older version of a large file is spooled when a difference has to be applied to it.
    pub tempdir: PathBuf,
}

/// Writes the content of a regular file at a time to `out`.
///
/// A volume's bytes are used only when all of it has been checked, so what is written is what was backed up; but a file
/// may lie in several volumes, and what the first ones hold is written before the last one is looked at. After an
/// error what was written is incomplete.
///
/// # Errors
/// [`Error::PathNotFound`] and [`Error::NotAFile`] before anything is written; [`Error::Output`] when `out` fails; the
/// errors of reading an archive.
pub fn cat(
    target: &Target,
    options: &CatOptions,
    out: &mut dyn Write,
    monitor: &dyn Monitor,
) -> Result<()> {
    let mut archive = Archive::open(target, monitor)?;
    archive.sync_manifests(options.time)?;
    let mut chain = Chain::plan(&archive, options.time, &options.path)?;
    if let Some(error) = chain.short_manifests.pop() {
        return Err(error);
    }
    make_readable(&archive, chain.volume_names())?;
    let opener = chain.opener(&archive, false);
    let oddities = Oddities::default();
    let mut sets = chain.merge(&opener, &options.path, &oddities);
    let path = &options.path;
    let not_found = || Error::PathNotFound(path.to_string());
    let plan = sets.next_plan().map_err(chain_error)?;
    let plan = plan
        .filter(|plan| plan.index.is_root())
        .ok_or_else(not_found)?;
    match &plan.target {
        Wanted::File(_) => write(path, plan, &options.tempdir, out)?,
        Wanted::Node(attributes) => {
            return Err(Error::NotAFile {
                path: path.to_string(),
                file_type: attributes.file_type.clone(),
            });
        }
        Wanted::Absent => return Err(not_found()),
        Wanted::Unrecoverable(_) => return Err(Error::Unrecoverable(path.to_string())),
    }
    // What is odd about other paths is not asked for.
    while let Some((index, error)) = oddities.take() {
        if index == *path {
            return Err(error);
        }
    }
    out.flush().map_err(Error::Output)
}

/// Writes the file that `plan` rebuilds. Only versions before the last difference are spooled.
fn write<V: VolumeSource>(
    path: &PathIndex,
    mut plan: Plan<'_, V>,
    tempdir: &Path,
    out: &mut dyn Write,
) -> Result<()> {
    let mut steps: Vec<_> = plan.steps().collect();
    let Some(mut last) = steps.pop() else {
        return Err(Error::Unrecoverable(path.to_string()));
    };
    if last.kind == StepKind::Base {
        return copy(path, &mut last, out);
    }
    let scratch = || Ok(Scratch::new(tempdir));
    let basis = rebuild(path, steps.into_iter(), scratch()?, scratch)?;
    match patch(&mut last, basis.basis(), out, &PatchLimits::default()) {
        Err(redup_rsync::Error::WriteOutput { source, .. }) => Err(Error::Output(source)),
        patched => patched
            .map(drop)
            .map_err(|source| delta_error(path, source)),
    }
}

fn copy<V: VolumeSource>(
    path: &PathIndex,
    step: &mut Step<'_, V>,
    out: &mut dyn Write,
) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match read_payload(path, step, &mut buffer)? {
            0 => return Ok(()),
            count => out.write_all(&buffer[..count]).map_err(Error::Output)?,
        }
    }
}
