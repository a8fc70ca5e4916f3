//! How to rebuild a tree: the sets of a chain beside each other.

use std::io::{self, Read};

use redup_format::entry::Attributes;
use redup_format::index::PathIndex;

use crate::Error;
use crate::collate::{Frontier, Least};
use crate::difftar::{Content, DifftarReader, VolumeSource};

/// Merges the sets of a chain by path: for each path in turn, the [`Plan`] by which its newest state is rebuilt.
pub struct PatchDir<V: VolumeSource> {
    /// Oldest first.
    sets: Vec<DifftarReader<V>>,
    frontier: Frontier,
    prefix: PathIndex,
}

/// How one path is rebuilt.
pub struct Plan<'a, V: VolumeSource> {
    /// The path, relative to the restored prefix: what was asked for is the root.
    pub index: PathIndex,
    /// What there is to rebuild.
    pub target: Target,
    sources: Vec<&'a mut DifftarReader<V>>,
}

/// What a path is in its newest state.
#[derive(Debug)]
pub enum Target {
    /// Nothing: it was deleted.
    Absent,
    /// A directory, link, pipe or device, with its attributes.
    Node(Attributes),
    /// A regular file with its attributes. [`Plan::steps`] gives its contents.
    File(Attributes),
    /// It was something, but what its oldest difference refers to is missing ([`Error::MissingBase`]).
    Unrecoverable(Error),
}

/// One step of rebuilding a file; as a [`Read`] it gives the step's payload.
pub struct Step<'a, V: VolumeSource> {
    /// What the payload is.
    pub kind: StepKind,
    payload: &'a mut DifftarReader<V>,
}

/// What the payload of a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// The file's contents in some version.
    Base,
    /// A delta that makes the next version out of the one that the steps before it gave.
    Delta,
}

impl<V: VolumeSource> PatchDir<V> {
    /// Merges `sets`, given oldest first.
    pub fn new(sets: Vec<DifftarReader<V>>) -> Self {
        let frontier = Frontier::new(sets.len());
        Self {
            sets,
            frontier,
            prefix: PathIndex::root(),
        }
    }

    /// Rebuilds only `prefix` and what lies below it, and calls it the root.
    ///
    /// To be set before the first [`next_plan`](Self::next_plan).
    #[must_use]
    pub fn within(mut self, prefix: PathIndex) -> Self {
        let sets = self.sets.into_iter();
        self.sets = sets.map(|set| set.within(prefix.clone())).collect();
        self.prefix = prefix;
        self
    }

    /// The next path and how it is rebuilt; `None` when all sets are at their end.
    ///
    /// An error is that of one set, [`DifftarReader::advance`] says when it can be gone on after. What the plan before
    /// left unread is passed over.
    pub fn next_plan(&mut self) -> Result<Option<Plan<'_, V>>, Error> {
        while let Some(stream) = self.frontier.due() {
            let entry = match self.sets.get_mut(stream) {
                Some(set) => set.advance()?,
                None => None,
            };
            let index = entry.map(|entry| entry.index.clone());
            self.frontier.advanced(stream, index);
        }
        Ok(self.frontier.take_least().map(|least| self.plan(least)))
    }

    fn plan(&mut self, Least { index, streams }: Least) -> Plan<'_, V> {
        let contents: Vec<&Content> = streams
            .iter()
            .filter_map(|&stream| Some(&self.sets.get(stream)?.entry()?.content))
            .collect();
        let (target, needless) = resolve(&index, &contents);
        let streams = streams.get(needless..).unwrap_or_default();
        let sets = self.sets.iter_mut().enumerate();
        Plan {
            index: index.strip_prefix(&self.prefix).unwrap_or(index),
            target,
            sources: sets
                .filter(|(stream, _)| streams.contains(stream))
                .map(|(_, set)| set)
                .collect(),
        }
    }
}

impl<V: VolumeSource> Plan<'_, V> {
    /// The steps that give a file's contents, in order: a base, then deltas. None for any other target.
    ///
    /// The payloads may be read in any order and also side by side, but each only once, and before the next plan is
    /// asked for.
    pub fn steps(&mut self) -> impl ExactSizeIterator<Item = Step<'_, V>> {
        let is_file = matches!(self.target, Target::File(_));
        let sources = if is_file {
            self.sources.as_mut_slice()
        } else {
            &mut []
        };
        sources.iter_mut().map(|set| Step {
            kind: match set.entry().map(|entry| &entry.content) {
                Some(Content::Diff(_)) => StepKind::Delta,
                _ => StepKind::Base,
            },
            payload: set,
        })
    }
}

impl<V: VolumeSource> Read for Step<'_, V> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.payload.read(buf)
    }
}

/// What `contents`, oldest first, amount to, and how many of the oldest are not needed for it.
fn resolve(index: &PathIndex, contents: &[&Content]) -> (Target, usize) {
    let missing_base = || {
        let index = index.clone();
        (Target::Unrecoverable(Error::MissingBase { index }), 0)
    };
    let is_diff = |content: &&Content| matches!(content, Content::Diff(_));
    let Some(base) = contents.iter().rposition(|content| !is_diff(content)) else {
        return missing_base();
    };
    match (contents.get(base..), contents.last()) {
        (Some([Content::Deleted]), _) => (Target::Absent, base),
        (Some([Content::Snapshot(attributes)]), _) if !attributes.file_type.is_regular() => {
            (Target::Node(attributes.clone()), base)
        }
        (Some([Content::Snapshot(first), ..]), Some(last)) if first.file_type.is_regular() => {
            match last.attributes() {
                Some(attributes) => (Target::File(attributes.clone()), base),
                None => missing_base(),
            }
        }
        _ => missing_base(),
    }
}
