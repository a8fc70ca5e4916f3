//! Backup chains.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::{BackupSet, SetFile};
use crate::filename::Span;
use crate::time::Timestamp;

/// A full set and the increments on top of it, each starting when the one before ended.
#[derive(Debug, Clone)]
pub struct BackupChain {
    /// Never empty; a full and then increments.
    sets: Vec<BackupSet>,
    start: Timestamp,
}

impl BackupChain {
    /// The sets, the full first.
    pub fn sets(&self) -> &[BackupSet] {
        &self.sets
    }

    /// The full set.
    pub fn full(&self) -> &BackupSet {
        &self.sets[0]
    }

    /// The increments, oldest first.
    pub fn incs(&self) -> &[BackupSet] {
        &self.sets[1..]
    }

    /// The newest set.
    pub fn last(&self) -> &BackupSet {
        &self.sets[self.sets.len() - 1]
    }

    /// The time of the full.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The time of the newest set.
    pub fn end(&self) -> Timestamp {
        self.last().span.end()
    }

    /// From the first to the last time that can be restored.
    pub fn range(&self) -> RangeInclusive<Timestamp> {
        self.start()..=self.end()
    }

    /// The sets that make up a time: the full, and the increments that ended by then.
    pub fn sets_up_to(&self, time: Timestamp) -> &[BackupSet] {
        let later = self
            .incs()
            .iter()
            .take_while(|set| set.span.end() <= time)
            .count();
        &self.sets[..=later]
    }

    /// The signatures that describe the tree at a time, the full's first; `None` when a set lacks them.
    pub fn signatures_up_to(&self, time: Timestamp) -> Option<Vec<&SetFile>> {
        self.sets_up_to(time)
            .iter()
            .map(BackupSet::signature)
            .collect()
    }
}

#[derive(Default)]
pub(super) struct Assembled {
    /// By end, then start.
    pub(super) chains: Vec<BackupChain>,
    pub(super) orphaned: Vec<BackupSet>,
    pub(super) superseded: Vec<BackupSet>,
}

/// Makes chains of sets that come in the order of their spans; increments end after they start.
///
/// An increment goes to the oldest chain that takes it: one that ends where it starts, or one whose last increment
/// has the same start, which it then replaces.
pub(super) fn assemble(sets: Vec<BackupSet>) -> Assembled {
    let mut assembly = Assembly::default();
    for set in sets {
        match set.span {
            Span::Full(start) => assembly.open(set, start),
            Span::Inc { start, .. } => assembly.append(set, start),
        }
    }
    let mut result = assembly.result;
    result
        .chains
        .sort_by_key(|chain| (chain.end(), chain.start()));
    result
}

/// Chains in the order of their creation, found by where they end and where their last increment starts.
#[derive(Default)]
struct Assembly {
    result: Assembled,
    by_end: Lookup,
    by_last_start: Lookup,
}

type Lookup = BTreeMap<Timestamp, BTreeSet<usize>>;

impl Assembly {
    fn open(&mut self, full: BackupSet, start: Timestamp) {
        let number = self.result.chains.len();
        self.by_end.entry(start).or_default().insert(number);
        self.result.chains.push(BackupChain {
            sets: vec![full],
            start,
        });
    }

    fn append(&mut self, inc: BackupSet, start: Timestamp) {
        let first = |lookup: &Lookup| lookup.get(&start).and_then(BTreeSet::first).copied();
        let (fitting, replacing) = (first(&self.by_end), first(&self.by_last_start));
        let Some(number) = fitting.into_iter().chain(replacing).min() else {
            self.result.orphaned.push(inc);
            return;
        };
        let chain = &mut self.result.chains[number];
        let (old_end, new_end) = (chain.end(), inc.span.end());
        let last_start = chain.incs().last().map(|last| last.span.start());
        move_number(&mut self.by_last_start, number, last_start, start);
        move_number(&mut self.by_end, number, Some(old_end), new_end);
        if old_end != start {
            self.result.superseded.extend(chain.sets.pop());
        }
        chain.sets.push(inc);
    }
}

fn move_number(lookup: &mut Lookup, number: usize, from: Option<Timestamp>, to: Timestamp) {
    if let Some(numbers) = from.and_then(|from| lookup.get_mut(&from)) {
        numbers.remove(&number);
    }
    lookup.entry(to).or_default().insert(number);
}
