//! From two listings of names to backup sets and chains.
//!
//! A set is what one run wrote under one [`Span`]; a chain is a full set and the increments that follow it, each
//! starting at the very second its predecessor ended. A set takes part in a chain when it has a manifest: that of an
//! interrupted run is still in the archive dir. Sets without one are set aside and reported, and never stop anybody.
//!
//! Listings are not trusted. Names that contradict each other are reported as [`Problem`]s and one of them is
//! preferred, always the same whatever the order of the listing.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use thiserror::Error;

use crate::filename::{Naming, Span};
use crate::time::Timestamp;

mod chain;
mod gather;
mod set;
mod signatures;
mod sync;

pub use chain::BackupChain;
pub use set::{BackupSet, LocalFiles, Place, SetFile, SetState};
pub use sync::{Fetch, SyncPlan};

/// Everything in one target under one set of prefixes, and what the archive dir knows of it.
#[derive(Debug, Clone, Default)]
pub struct Collection {
    chains: Vec<BackupChain>,
    orphaned: Vec<BackupSet>,
    incomplete: Vec<BackupSet>,
    superseded: Vec<BackupSet>,
    leftovers: Vec<BackupSet>,
    problems: Vec<Problem>,
}

/// Something a listing should not contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A volume whose number is zero or absurd; ignored.
    VolumeNumber {
        /// The file.
        name: String,
    },
    /// Two files for one thing.
    Duplicate {
        /// The one that counts.
        kept: String,
        /// The one that does not.
        ignored: String,
    },
    /// A file that duplicity would take for part of a set, although its ending says that it is none.
    Stray {
        /// The file.
        name: String,
    },
    /// An increment that does not end after it starts; it belongs to no chain.
    Backwards {
        /// The increment.
        span: Span,
    },
}

/// Why a question to a collection has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// Two chains cover the time.
    #[error("two backup chains cover {time}: those that start at {first} and at {second}")]
    Overlap {
        /// The time asked for.
        time: Timestamp,
        /// Start of one of the chains.
        first: Timestamp,
        /// Start of the other.
        second: Timestamp,
    },
}

/// The newest chain with the signatures that an increment needs.
#[derive(Debug, Clone, Copy)]
pub struct Matched<'a> {
    /// The chain, the dropped set included.
    pub chain: &'a BackupChain,
    /// Its sets that have signatures: an increment starts at the end of the last of them.
    pub sets: &'a [BackupSet],
    /// The chain's last set when its signatures are missing, to be warned of and left alone.
    pub dropped: Option<&'a BackupSet>,
}

impl Matched<'_> {
    /// Where an increment on top of this starts.
    pub fn end(&self) -> Timestamp {
        self.sets
            .last()
            .map_or(self.chain.start(), |set| set.span.end())
    }

    /// The signatures to compare the source with, the full's first.
    pub fn signatures(&self) -> impl Iterator<Item = &SetFile> {
        self.sets.iter().filter_map(BackupSet::signature)
    }
}

impl Collection {
    /// Sorts out what the target and the archive dir list, in any order. Foreign names are ignored.
    pub fn from_names<'a>(
        naming: &Naming,
        remote: impl IntoIterator<Item = &'a str>,
        local: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let gathered = gather::gather(naming, remote, local);
        let mut collection = Self {
            problems: gathered.problems,
            ..Self::default()
        };
        let mut candidates = Vec::new();
        for set in gathered.sets.into_values() {
            match set.state() {
                SetState::Complete | SetState::Interrupted | SetState::RenamePending => {
                    candidates.push(set);
                }
                SetState::Incomplete => collection.incomplete.push(set),
                SetState::Absent => collection.leftovers.push(set),
            }
        }
        collection.assemble(candidates);
        collection
    }

    fn assemble(&mut self, candidates: Vec<BackupSet>) {
        let backwards = |set: &BackupSet| !set.span.is_full() && set.span.end() <= set.span.start();
        let (backwards, candidates): (Vec<_>, Vec<_>) = candidates.into_iter().partition(backwards);
        self.problems.extend(
            backwards
                .iter()
                .map(|set| Problem::Backwards { span: set.span }),
        );
        let assembled = chain::assemble(candidates);
        self.chains = assembled.chains;
        self.superseded = assembled.superseded;
        self.orphaned = assembled.orphaned;
        self.orphaned.extend(backwards);
        self.orphaned.sort_by_key(|set| set.span);
    }

    /// The chains, by their end and then their start.
    pub fn chains(&self) -> &[BackupChain] {
        &self.chains
    }

    /// Increments with a manifest that fit no chain, by time.
    pub fn orphaned_sets(&self) -> &[BackupSet] {
        &self.orphaned
    }

    /// Sets without a manifest, by time.
    pub fn incomplete_sets(&self) -> &[BackupSet] {
        &self.incomplete
    }

    /// Increments that another one with the same start and a later end replaced, by time. Their files are whole,
    /// but no chain leads through them any more.
    pub fn superseded_sets(&self) -> &[BackupSet] {
        &self.superseded
    }

    /// Signatures that no set of the collection goes with, and those that follow a gap in their chain.
    pub fn orphaned_signatures(&self) -> impl Iterator<Item = &SetFile> {
        let behind_a_gap = signatures::unconnected(self.sets().chain(&self.leftovers))
            .filter(|set| set.state() != SetState::Absent)
            .flat_map(signatures::final_ones);
        let of_no_set = self.leftovers.iter().flat_map(BackupSet::signature_files);
        of_no_set.chain(behind_a_gap)
    }

    /// Whether signatures are all that there is.
    pub fn has_only_signatures(&self) -> bool {
        self.sets().next().is_none() && self.leftovers.iter().any(|set| set.span.is_full())
    }

    /// What the listings should not contain.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// All sets, in chains or not, in no particular order.
    pub fn sets(&self) -> impl Iterator<Item = &BackupSet> {
        let chained = self.chains.iter().flat_map(|chain| chain.sets());
        chained
            .chain(&self.orphaned)
            .chain(&self.incomplete)
            .chain(&self.superseded)
    }

    /// The set of this span, if there is one.
    pub fn set(&self, span: Span) -> Option<&BackupSet> {
        self.sets().find(|set| set.span == span)
    }

    /// The chain with the latest end.
    pub fn newest_chain(&self) -> Option<&BackupChain> {
        self.chains.last()
    }

    /// The set of an interrupted run that the next backup resumes, whatever it was asked to do: the last set of the
    /// chain with the newest full, if its manifest is still a checkpoint.
    pub fn partial_set(&self) -> Option<&BackupSet> {
        let chain = self.chains.iter().max_by_key(|chain| chain.start())?;
        Some(chain.last()).filter(|set| set.state() == SetState::Interrupted)
    }

    /// Sets whose manifest has been stored while the archive dir still has it as a checkpoint.
    ///
    /// A crash between the two steps leaves this, and duplicity then refuses to do anything: the checkpoint has to be
    /// renamed, once it is known to be the whole manifest.
    pub fn pending_renames(&self) -> impl Iterator<Item = &BackupSet> {
        self.sets()
            .filter(|set| set.state() == SetState::RenamePending)
    }

    /// The newest chain, if an increment can be put on top of it.
    ///
    /// Each of its sets must have signatures, or all but the last if the one before is an increment too: then the
    /// last one is left out.
    pub fn matched(&self) -> Option<Matched<'_>> {
        let chain = self.newest_chain()?;
        let sets = chain.sets();
        let signed = sets
            .iter()
            .take_while(|set| set.signature().is_some())
            .count();
        match sets.len() - signed {
            0 => Some(Matched {
                chain,
                sets,
                dropped: None,
            }),
            1 if signed >= 2 => Some(Matched {
                chain,
                sets: &sets[..signed],
                dropped: sets.last(),
            }),
            _ => None,
        }
    }

    /// The chain that serves a time: the one that covers it, else the last one that ended before, else the oldest of
    /// all although it lies after the time.
    pub fn chain_for_time(&self, time: Timestamp) -> Result<Option<&BackupChain>, CollectionError> {
        let mut covering = self
            .chains
            .iter()
            .filter(|chain| chain.range().contains(&time));
        if let Some(chain) = covering.next() {
            return match covering.next() {
                None => Ok(Some(chain)),
                Some(other) => {
                    let (first, second) = (
                        chain.start().min(other.start()),
                        chain.start().max(other.start()),
                    );
                    Err(CollectionError::Overlap {
                        time,
                        first,
                        second,
                    })
                }
            };
        }
        let before = self.chains.iter().rev().find(|chain| chain.end() < time);
        Ok(before.or_else(|| self.chains.iter().min_by_key(|chain| chain.start())))
    }

    /// What has to be done to the archive dir so that it mirrors the target's manifests and signatures.
    ///
    /// With ranges, only what overlaps one of them is fetched: usually the chain that serves the wanted time.
    pub fn sync_plan(&self, wanted: Option<&[RangeInclusive<Timestamp>]>) -> SyncPlan {
        SyncPlan::new(self.sets().chain(&self.leftovers), wanted)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VolumeNumber { name } => write!(f, "{name:?} has no possible volume number"),
            Self::Duplicate { kept, ignored } => {
                write!(f, "{ignored:?} is ignored in favour of {kept:?}")
            }
            Self::Stray { name } => {
                write!(f, "{name:?} looks like part of a backup set but is none")
            }
            Self::Backwards { span } => write!(f, "{span} ends before it starts"),
        }
    }
}

/// Sets by their span, which is the order of time.
type Sets = BTreeMap<Span, BackupSet>;
