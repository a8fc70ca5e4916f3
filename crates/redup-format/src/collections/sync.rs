//! Bringing the archive dir in line with the target.
//!
//! The target decides, but for the checkpoints of an interrupted run, which exist nowhere else.

use std::ops::RangeInclusive;

use super::{BackupSet, SetFile, SetState};
use crate::filename::{Kind, local_copy};
use crate::time::Timestamp;

/// What to do to the archive dir, in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncPlan {
    /// Files of the archive dir to delete.
    pub delete: Vec<String>,
    /// Files to fetch, by their name in the target.
    pub fetch: Vec<Fetch>,
}

/// A file to fetch, unwrap, and keep: a manifest as it is, signatures as gzip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The file in the target.
    pub remote: SetFile,
    /// Its name in the archive dir.
    pub local: String,
    /// Manifest or signatures.
    pub kind: Kind,
}

impl SyncPlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.fetch.is_empty()
    }

    pub(super) fn new<'a>(
        sets: impl Iterator<Item = &'a BackupSet>,
        wanted: Option<&[RangeInclusive<Timestamp>]>,
    ) -> Self {
        let mut plan = Self::default();
        for set in sets {
            plan.delete
                .extend(spurious(set).map(|file| file.name.clone()));
            let overlaps = |wanted: &RangeInclusive<Timestamp>| {
                *wanted.start() <= set.span.end() && set.span.start() <= *wanted.end()
            };
            let is_wanted = wanted.is_none_or(|ranges| ranges.iter().any(overlaps));
            if set.state() == SetState::Complete && is_wanted {
                plan.fetch_missing(set);
            }
        }
        plan.delete.sort();
        plan.fetch.sort_by(|a, b| a.remote.name.cmp(&b.remote.name));
        plan
    }

    fn fetch_missing(&mut self, set: &BackupSet) {
        let pairs = [
            (Kind::Manifest, &set.remote_manifest, &set.local.manifest),
            (Kind::Signature, &set.remote_signature, &set.local.signature),
        ];
        for (kind, remote, local) in pairs {
            if let (Some(remote), None) = (remote, local) {
                let local = local_copy(&remote.name, kind);
                self.fetch.push(Fetch {
                    remote: remote.clone(),
                    local,
                    kind,
                });
            }
        }
    }
}

/// What the archive dir has and the target does not vouch for.
///
/// Sets without a manifest keep all they have: it may be the only trace of them.
fn spurious(set: &BackupSet) -> impl Iterator<Item = &SetFile> {
    let local = &set.local;
    let files = match set.state() {
        // The repair of such a set looks at all there is.
        SetState::RenamePending | SetState::Incomplete => [None; 3],
        // Beside a checkpoint, a finished file is of an earlier try.
        SetState::Interrupted => {
            let signature = local
                .signature
                .as_ref()
                .filter(|_| local.signature_part.is_some());
            [local.manifest.as_ref(), signature, None]
        }
        SetState::Complete | SetState::Absent => {
            let manifest = local
                .manifest
                .as_ref()
                .filter(|_| set.remote_manifest.is_none());
            let signature = local
                .signature
                .as_ref()
                .filter(|_| set.remote_signature.is_none());
            [manifest, signature, local.signature_part.as_ref()]
        }
    };
    files.into_iter().flatten()
}
