//! Deleting one set after the other, and counting.

use std::collections::HashSet;

use redup_format::collections::{BackupSet, SetFile, SetState};
use redup_storage::{ErrorKind, Unfinished};

use super::RemoveReport;
use crate::archive::Archive;
use crate::{Error, Event, Result, checkpoint};

/// Deletes files of an archive and keeps count. In a dry run it only tells.
pub(super) struct Eraser<'a, 't> {
    archive: &'a Archive<'t>,
    dry_run: bool,
    /// Names at the store that are done with.
    done: HashSet<String>,
    report: RemoveReport,
}

impl<'a, 't> Eraser<'a, 't> {
    pub(super) fn new(archive: &'a Archive<'t>, dry_run: bool) -> Self {
        Self {
            archive,
            dry_run,
            done: HashSet::new(),
            report: RemoveReport::default(),
        }
    }

    /// Deletes a set's signatures in both places. Without them it can still be restored.
    pub(super) fn signatures(&mut self, set: &BackupSet) -> Result<()> {
        if let Some(file) = &set.remote_signature {
            self.remote(&file.name)?;
        }
        if let Some(file) = &set.local.signature {
            self.local(&file.name)?;
        }
        Ok(())
    }

    /// Deletes a set in both places. Says whether what it builds on may go as well: not while it has a
    /// manifest.
    pub(super) fn set(&mut self, set: &BackupSet) -> Result<bool> {
        if set.state() == SetState::Interrupted {
            // First of all what a resumed run would believe.
            let checkpoints = [&set.local.manifest_part, &set.local.signature_part];
            for file in checkpoints.into_iter().flatten() {
                self.local(&file.name)?;
            }
            self.local(checkpoint::NAME)?;
        }
        let manifest = set.remote_manifest.as_ref();
        let is_manifest = |name: &str| manifest.is_some_and(|file: &SetFile| file.name == name);
        for name in set.remote_names() {
            if !self.remote(name)? && is_manifest(name) {
                return Ok(false);
            }
        }
        for name in set.local_names() {
            self.local(name)?;
        }
        Ok(true)
    }

    /// Deletes an object of the store. Says whether it is gone.
    ///
    /// A store that cannot be used at all ends the run: each further object would only fail the same way.
    pub(super) fn remote(&mut self, name: &str) -> Result<bool> {
        if self.done.contains(name) {
            return Ok(true);
        }
        self.archive.monitor().event(Event::Deleting { name });
        let deleted = match self.dry_run {
            true => Ok(()),
            false => self.archive.transfer().delete(name),
        };
        let gone = self.count(name, deleted)?;
        if gone {
            self.done.insert(name.to_owned());
        }
        Ok(gone)
    }

    /// Deletes a file of the archive dir, if it is there.
    pub(super) fn local(&mut self, name: &str) -> Result<bool> {
        let path = self.archive.dir().path(name);
        if !path.exists() {
            return Ok(true);
        }
        self.archive.monitor().event(Event::Deleting {
            name: &path.to_string_lossy(),
        });
        let deleted = match self.dry_run {
            true => Ok(()),
            false => self.archive.dir().remove(name),
        };
        self.count(name, deleted)
    }

    /// Frees an unfinished upload.
    pub(super) fn upload(&mut self, upload: &Unfinished) -> Result<bool> {
        let name = upload.name.as_deref().unwrap_or(&upload.id);
        let freed = match self.dry_run {
            true => Ok(()),
            false => self.archive.transfer().discard_unfinished(upload),
        };
        self.count(name, freed)
    }

    pub(super) fn finish(self) -> Result<RemoveReport> {
        self.archive.dir().sync()?;
        Ok(self.report)
    }

    fn count(&mut self, name: &str, done: Result<()>) -> Result<bool> {
        match done {
            Ok(()) => {
                self.report.deleted += u64::from(!self.dry_run);
                Ok(true)
            }
            Err(Error::Storage(error)) if concerns_the_whole_store(error.kind()) => {
                Err(error.into())
            }
            Err(error) => {
                self.report.failed += 1;
                self.archive.monitor().event(Event::DeleteFailed {
                    name,
                    error: &error,
                });
                Ok(false)
            }
        }
    }
}

fn concerns_the_whole_store(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unreachable | ErrorKind::Credentials)
}
