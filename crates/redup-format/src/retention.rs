//! What may be removed from a collection: chains past their time, increments of old chains, and debris.
//!
//! Only whole chains go, or all increments of one, and never the last chain that can be restored. Nothing here
//! deletes: an answer lists what goes in an order in which being stopped leaves every remaining set of use.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use crate::collections::{BackupChain, BackupSet, Collection, SetFile, SetState};
use crate::time::Timestamp;

mod calendar;

pub use calendar::{Keep, Period};

/// What a removal by age or number amounts to.
#[derive(Debug, Clone, Default)]
pub struct Removal<'a> {
    /// The chains that go or lose their increments, the newest first.
    pub chains: Vec<&'a BackupChain>,
    /// Whether the chains' full sets stay.
    pub keeps_fulls: bool,
    /// Sets older than the limit that stay because newer ones of their chain do.
    pub depended_on: Vec<&'a BackupSet>,
    /// The chain that stays although it is older than the limit, because it is all there is to restore from.
    pub active: Option<&'a BackupChain>,
}

impl<'a> Removal<'a> {
    /// Every chain that ended before `limit`.
    pub fn older_than(collection: &'a Collection, limit: Timestamp) -> Self {
        let mut removal = Self::default();
        let active = active(collection);
        let interrupted = collection.partial_set().map(|set| set.span);
        for chain in collection.chains() {
            if chain.end() >= limit {
                removal
                    .depended_on
                    .extend(chain.sets().iter().filter(|set| set.span.end() < limit));
            } else if active.is_some_and(|active| is_same(active, chain)) {
                removal.active = Some(chain);
            } else if interrupted != Some(chain.last().span) {
                removal.chains.push(chain);
            }
        }
        removal.chains.reverse();
        removal
    }

    /// Every chain that ended before the `count`-th newest full; nothing when there are fewer.
    ///
    /// A full that was interrupted does not count: it can end up as nothing.
    pub fn all_but_full(collection: &'a Collection, count: NonZeroUsize) -> Self {
        let mut starts: Vec<_> = collection
            .chains()
            .iter()
            .filter(|chain| is_restorable(chain))
            .collect();
        starts.sort_by_key(|chain| std::cmp::Reverse(chain.start()));
        match starts.get(count.get() - 1) {
            Some(chain) => Self::older_than(collection, chain.start()),
            None => Self::default(),
        }
    }

    /// The increments of every chain that [`Removal::all_but_full`] would remove.
    pub fn increments_of_all_but_full(collection: &'a Collection, count: NonZeroUsize) -> Self {
        let mut removal = Self::all_but_full(collection, count);
        removal.chains.retain(|chain| !chain.incs().is_empty());
        removal.keeps_fulls = true;
        removal
    }

    /// Every chain without a backup that `keep` keeps. The newest chain that can be restored, and one whose
    /// last set was interrupted, stay in any case.
    pub fn all_but_kept(collection: &'a Collection, keep: &Keep) -> Self {
        let complete = |set: &&BackupSet| set.state() != SetState::Interrupted;
        let chains = collection.chains();
        let backups = chains
            .iter()
            .filter(|chain| is_restorable(chain))
            .flat_map(|chain| chain.sets().iter().filter(complete))
            .map(|set| set.span.end());
        let kept = keep.kept(backups);
        let active = active(collection);
        let stays = |chain: &BackupChain| {
            let sets = chain.sets();
            active.is_some_and(|active| is_same(active, chain))
                || chain.last().state() == SetState::Interrupted
                || sets.iter().any(|set| kept.contains(&set.span.end()))
        };
        Self {
            chains: chains.iter().rev().filter(|chain| !stays(chain)).collect(),
            ..Self::default()
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.chains.is_empty()
    }

    /// The sets that go, in the order in which to delete them: each before the one it builds on.
    pub fn sets(&self) -> impl Iterator<Item = &'a BackupSet> {
        self.chains.iter().flat_map(|chain| self.sets_of(chain))
    }

    /// The sets of one of the chains that go, in that order.
    pub fn sets_of(&self, chain: &'a BackupChain) -> impl Iterator<Item = &'a BackupSet> + use<'a> {
        let first = usize::from(self.keeps_fulls);
        chain.sets()[first..].iter().rev()
    }
}

/// Debris: what duplicity's names stand on and no chain leads to.
#[derive(Debug, Clone, Default)]
pub struct Cleanup<'a> {
    /// Sets without a manifest, increments that fit no chain, and a set whose run was interrupted; newest first.
    pub sets: Vec<&'a BackupSet>,
    /// Signatures without a set, and those behind a gap in their chain, in the target and in the archive dir.
    pub signatures: Vec<&'a SetFile>,
}

impl<'a> Cleanup<'a> {
    /// Looks for debris. Sets that lack volumes are none: what is left of them can still be restored.
    pub fn of(collection: &'a Collection) -> Self {
        let interrupted = collection
            .chains()
            .iter()
            .map(BackupChain::last)
            .filter(|set| set.state() == SetState::Interrupted);
        let outside = collection
            .orphaned_sets()
            .iter()
            .chain(collection.incomplete_sets());
        let mut sets: Vec<_> = interrupted.chain(outside).collect();
        sets.sort_by_key(|set| std::cmp::Reverse(set.span));
        let file = |file: &'a SetFile| (file.place, file.name.as_str());
        let of_sets = sets.iter().flat_map(|set| set.signature_files());
        let of_sets: BTreeSet<_> = of_sets.map(file).collect();
        let signatures = collection.orphaned_signatures();
        Self {
            signatures: signatures
                .filter(|it| !of_sets.contains(&file(it)))
                .collect(),
            sets,
        }
    }

    /// Whether the collection is clean.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty() && self.signatures.is_empty()
    }
}

/// The chain that is never removed: the newest one that can be restored.
fn active(collection: &Collection) -> Option<&BackupChain> {
    collection
        .chains()
        .iter()
        .rev()
        .find(|chain| is_restorable(chain))
}

fn is_restorable(chain: &BackupChain) -> bool {
    chain.full().state() != SetState::Interrupted
}

/// Chains have each their own full.
fn is_same(a: &BackupChain, b: &BackupChain) -> bool {
    a.start() == b.start()
}
