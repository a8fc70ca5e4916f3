//! Signatures that lead to nothing.

use std::collections::BTreeSet;

use crate::filename::Span;

use super::{BackupSet, SetFile};

/// The sets whose signatures have a gap before them: without those of every set in between, nobody can tell
/// what they changed.
pub(super) fn unconnected<'a>(
    sets: impl Iterator<Item = &'a BackupSet>,
) -> impl Iterator<Item = &'a BackupSet> {
    let mut signed: Vec<_> = sets
        .filter(|set| final_ones(set).next().is_some())
        .collect();
    signed.sort_by_key(|set| (set.span.start(), set.span));
    let mut ends = BTreeSet::new();
    signed.retain(|set| {
        let leads_here = match set.span {
            Span::Full(_) => true,
            Span::Inc { .. } => ends.contains(&set.span.start()),
        };
        if leads_here {
            ends.insert(set.span.end());
        }
        !leads_here
    });
    signed.into_iter()
}

/// The signatures of a set; a checkpoint is not yet a link of a chain.
pub(super) fn final_ones(set: &BackupSet) -> impl Iterator<Item = &SetFile> {
    set.local.signature.iter().chain(&set.remote_signature)
}
