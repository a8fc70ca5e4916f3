//! One backup set: the files that carry its times, in the target and in the archive dir.

use std::collections::BTreeMap;

use crate::filename::{Span, Suffix};
use crate::manifest::Manifest;

/// A backup set as far as names tell: what is in the files, and whether all volumes are there, only its manifest
/// knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSet {
    /// Its time or times.
    pub span: Span,
    /// Its volumes in the target.
    pub volumes: BTreeMap<u32, SetFile>,
    /// Its manifest in the target.
    pub remote_manifest: Option<SetFile>,
    /// Its signatures in the target.
    pub remote_signature: Option<SetFile>,
    /// Its statistics in the target.
    pub remote_jsonstat: Option<SetFile>,
    /// Files of the target that carry the set's times and are not read: leftovers, and duplicates of the above.
    pub remote_extra: Vec<String>,
    /// What the archive dir has of it.
    pub local: LocalFiles,
}

/// What the archive dir has of a set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocalFiles {
    /// The manifest.
    pub manifest: Option<SetFile>,
    /// The checkpoint of the manifest.
    pub manifest_part: Option<SetFile>,
    /// The signatures.
    pub signature: Option<SetFile>,
    /// The checkpoint of the signatures.
    pub signature_part: Option<SetFile>,
    /// The statistics.
    pub jsonstat: Option<SetFile>,
    /// Other files with the set's times.
    pub extra: Vec<String>,
}

/// A file of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetFile {
    /// Its whole name.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// How it is wrapped.
    pub suffix: Suffix,
}

/// Where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In the archive dir.
    Local,
    /// In the target.
    Remote,
}

/// How far a set came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetState {
    /// Its manifest is stored.
    Complete,
    /// Its manifest is a checkpoint in the archive dir: a run that can be resumed.
    Interrupted,
    /// Its manifest is stored and the archive dir's copy still a checkpoint: complete, see
    /// [`Collection::pending_renames`](super::Collection::pending_renames).
    RenamePending,
    /// It has no manifest, so nobody can tell what its volumes hold.
    Incomplete,
    /// The target has nothing of it but signatures, if that.
    Absent,
}

impl BackupSet {
    pub(super) fn new(span: Span) -> Self {
        Self {
            span,
            volumes: BTreeMap::new(),
            remote_manifest: None,
            remote_signature: None,
            remote_jsonstat: None,
            remote_extra: Vec::new(),
            local: LocalFiles::default(),
        }
    }

    /// How far the set came.
    pub fn state(&self) -> SetState {
        match (&self.remote_manifest, &self.local.manifest_part) {
            (Some(_), None) => SetState::Complete,
            (Some(_), Some(_)) => SetState::RenamePending,
            (None, Some(_)) => SetState::Interrupted,
            (None, None) if self.is_absent() => SetState::Absent,
            (None, None) => SetState::Incomplete,
        }
    }

    fn is_absent(&self) -> bool {
        self.volumes.is_empty() && self.remote_jsonstat.is_none() && self.remote_extra.is_empty()
    }

    /// The manifest to read: the archive dir's copy, its checkpoint, or the target's.
    ///
    /// A copy whose set the target does not have as complete is out of date and is passed over.
    pub fn manifest(&self) -> Option<&SetFile> {
        match self.state() {
            SetState::Complete => self
                .local
                .manifest
                .as_ref()
                .or(self.remote_manifest.as_ref()),
            SetState::RenamePending => self.remote_manifest.as_ref(),
            SetState::Interrupted => self.local.manifest_part.as_ref(),
            SetState::Incomplete | SetState::Absent => None,
        }
    }

    /// The signatures to read: the archive dir's copy or the target's; a checkpoint only while it is all there can be.
    pub fn signature(&self) -> Option<&SetFile> {
        let part = self.local.signature_part.as_ref();
        let part = part.filter(|_| self.state() == SetState::Interrupted);
        self.local
            .signature
            .as_ref()
            .or(self.remote_signature.as_ref())
            .or(part)
    }

    /// Every file with signatures, wherever it is.
    pub fn signature_files(&self) -> impl Iterator<Item = &SetFile> {
        let local = self
            .local
            .signature
            .iter()
            .chain(&self.local.signature_part);
        local.chain(&self.remote_signature)
    }

    /// Whether any of its files in the target is encrypted.
    pub fn is_encrypted(&self) -> bool {
        let others = [
            &self.remote_manifest,
            &self.remote_signature,
            &self.remote_jsonstat,
        ];
        let mut files = self.volumes.values().chain(others.into_iter().flatten());
        files.any(|file| file.suffix.is_encrypted())
    }

    /// How many volumes are there from the first without a gap.
    pub fn contiguous_volumes(&self) -> u32 {
        let run = (1..)
            .zip(self.volumes.keys())
            .take_while(|(expected, found)| expected == *found);
        run.last().map_or(0, |(number, _)| number)
    }

    /// The volumes that the manifest names and the target lacks.
    pub fn missing_volumes(&self, manifest: &Manifest) -> Vec<u32> {
        let named = manifest.volumes.keys();
        named
            .filter(|number| !self.volumes.contains_key(number))
            .copied()
            .collect()
    }

    /// The set's names in the target in the order in which to delete them.
    ///
    /// The manifest goes before the volumes, and these go from the last to the first: whatever stops the deletion
    /// leaves a set that is known to be none.
    pub fn remote_names(&self) -> impl Iterator<Item = &str> {
        let meta = [
            &self.remote_signature,
            &self.remote_jsonstat,
            &self.remote_manifest,
        ];
        let meta = meta.into_iter().flatten().map(|file| file.name.as_str());
        let extra = self.remote_extra.iter().map(String::as_str);
        meta.chain(extra)
            .chain(self.volumes.values().rev().map(|file| file.name.as_str()))
    }

    /// The set's names in the archive dir.
    pub fn local_names(&self) -> impl Iterator<Item = &str> {
        let LocalFiles {
            manifest,
            manifest_part,
            signature,
            signature_part,
            jsonstat,
            extra,
        } = &self.local;
        let files = [signature, signature_part, jsonstat, manifest, manifest_part];
        let files = files.into_iter().flatten().map(|file| file.name.as_str());
        files.chain(extra.iter().map(String::as_str))
    }
}
