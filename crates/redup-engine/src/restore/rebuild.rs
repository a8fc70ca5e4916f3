//! A file from its base and deltas.

use std::io::{self, BufWriter, Read, Write};

use redup_difftar::Error as ArchiveError;
use redup_difftar::difftar::VolumeSource;
use redup_difftar::patchdir::{Step, StepKind};
use redup_format::index::PathIndex;
use redup_rsync::{PatchLimits, ReadAt, patch};

use crate::chain::chain_error;
use crate::{Error, Result};

/// Something a version of a file is written to, and read from when the next version builds on it.
pub(crate) trait Rebuilt {
    /// What gives random access to it.
    type Basis: ReadAt;

    /// Where the version is written, from its start.
    fn writer(&mut self) -> &mut dyn Write;

    /// The finished version.
    fn basis(&self) -> &Self::Basis;
}

/// Applies the steps of a plan: the base goes into `first`, each delta's result into one that
/// `next` makes. Gives the last; the others are dropped on the way, so two exist at a time.
pub(crate) fn rebuild<'a, V: VolumeSource + 'a, T: Rebuilt>(
    index: &PathIndex,
    steps: impl Iterator<Item = Step<'a, V>>,
    first: T,
    mut next: impl FnMut() -> Result<T>,
) -> Result<T> {
    let mut version = first;
    for mut step in steps {
        match step.kind {
            StepKind::Base => {
                io::copy(&mut step, version.writer()).map_err(|e| payload_error(index, e))?;
            }
            StepKind::Delta => {
                let mut newer = next()?;
                let mut out = BufWriter::with_capacity(1 << 17, newer.writer());
                let patched = patch(
                    &mut step,
                    version.basis(),
                    &mut out,
                    &PatchLimits::default(),
                );
                patched.map_err(|source| delta_error(index, source))?;
                out.flush().map_err(|e| payload_error(index, e))?;
                drop(out);
                version = newer;
            }
        }
    }
    Ok(version)
}

/// What became of applying a difference.
pub(crate) fn delta_error(index: &PathIndex, error: redup_rsync::Error) -> Error {
    match error {
        redup_rsync::Error::ReadDelta { source, .. }
        | redup_rsync::Error::WriteOutput { source, .. } => payload_error(index, source),
        source => Error::Delta {
            path: index.to_string(),
            source,
        },
    }
}

/// Failures of the volumes below come through the payload: they are not this path's alone.
pub(crate) fn payload_error(index: &PathIndex, error: io::Error) -> Error {
    match error.downcast::<ArchiveError>() {
        Ok(source @ (ArchiveError::MissingPiece { .. } | ArchiveError::PayloadLost { .. })) => {
            Error::PathPayload {
                path: index.to_string(),
                source,
            }
        }
        Ok(source) => chain_error(source),
        Err(source) => Error::io("write", index.to_string(), source),
    }
}

/// Reads a payload; for those that compare instead of writing.
pub(crate) fn read_payload<V: VolumeSource>(
    index: &PathIndex,
    step: &mut Step<'_, V>,
    buffer: &mut [u8],
) -> Result<usize> {
    step.read(buffer).map_err(|e| payload_error(index, e))
}
