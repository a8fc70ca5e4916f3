//! Merging streams that are sorted by path index.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Read;

use redup_format::index::PathIndex;

use crate::Error;
use crate::sigtar::{SigEntry, SigHead, SigtarReader};

/// Several sigtars side by side, path by path.
///
/// One entry header of each is in memory, and a signature only when it is asked for.
#[derive(Debug)]
pub struct Collated<R> {
    archives: Vec<SigtarReader<R>>,
    frontier: Frontier,
    /// Where the cursor is, with the archives that have that path.
    current: Option<Least>,
}

impl<R: Read> Collated<R> {
    /// Puts `archives` side by side; they are called by their place among them.
    pub fn new(archives: Vec<SigtarReader<R>>) -> Self {
        let frontier = Frontier::new(archives.len());
        Self {
            archives,
            frontier,
            current: None,
        }
    }

    /// Moves to the next path that any of them has. At the end every archive has been read to the end of its stream.
    pub fn advance(&mut self) -> Result<Option<&PathIndex>, Error> {
        self.current = None;
        while let Some(stream) = self.frontier.due() {
            let head = match self.archives.get_mut(stream) {
                Some(archive) => archive.advance()?,
                None => None,
            };
            let index = head.map(|head| head.index.clone());
            self.frontier.advanced(stream, index);
        }
        self.current = self.frontier.take_least();
        Ok(self.current.as_ref().map(|least| &least.index))
    }

    /// The archives that have the current path, in ascending order.
    pub fn present(&self) -> &[usize] {
        self.current
            .as_ref()
            .map_or(&[], |least| least.streams.as_slice())
    }

    /// One of those at its entry for the path; `None` for any other.
    pub fn archive(&mut self, archive: usize) -> Option<&mut SigtarReader<R>> {
        match self.present().contains(&archive) {
            true => self.archives.get_mut(archive),
            false => None,
        }
    }
}

/// The signatures of a chain as one stream: of each path, what the newest sigtar says of it.
///
/// Deleted paths stay in it, as markers. One entry header of each sigtar is in memory, and a signature only when it is
/// asked for.
#[derive(Debug)]
pub struct CombinedSignatures<R>(Collated<R>);

impl<R: Read> CombinedSignatures<R> {
    /// Combines `archives`, given oldest first: the full set's, then those of the incrementals.
    pub fn new(archives: Vec<SigtarReader<R>>) -> Self {
        Self(Collated::new(archives))
    }

    /// The entry the cursor is at; `None` before the first [`advance`](Self::advance) and after the last.
    pub fn head(&self) -> Option<&SigHead> {
        self.0.archives.get(self.newest()?)?.head()
    }

    /// Moves to the next path. At the end every archive has been read to the end of its stream.
    pub fn advance(&mut self) -> Result<Option<&SigHead>, Error> {
        self.0.advance()?;
        Ok(self.head())
    }

    /// The archive that has the entry, for its signature.
    pub fn archive(&mut self) -> Option<&mut SigtarReader<R>> {
        let newest = self.newest()?;
        self.0.archive(newest)
    }

    /// Reads the current file's signature, as [`SigtarReader::read_signature`] does.
    pub fn read_signature(&mut self, limit: u64) -> Result<Vec<u8>, Error> {
        match self.archive() {
            Some(archive) => archive.read_signature(limit),
            None => Ok(Vec::new()),
        }
    }

    /// Moves to the next path and reads its entry whole.
    pub fn next_entry(&mut self, signature_limit: u64) -> Result<Option<SigEntry>, Error> {
        let Some(head) = self.advance()?.cloned() else {
            return Ok(None);
        };
        let signature = self.read_signature(signature_limit)?;
        Ok(Some(head.with_signature(signature)))
    }

    fn newest(&self) -> Option<usize> {
        self.0.present().last().copied()
    }
}

/// Where several sorted streams stand, to take the least index of them again and again.
///
/// The streams stay with the caller: while [`due`](Self::due) names one, he moves it on and tells the result with
/// [`advanced`](Self::advanced); when none is due, [`take_least`](Self::take_least) names those that are at the least
/// index, which are due from then on. So an error on the way loses nothing.
#[derive(Debug)]
pub(crate) struct Frontier {
    heads: BinaryHeap<Reverse<(PathIndex, usize)>>,
    due: Vec<usize>,
}

/// The streams that stand at one index.
#[derive(Debug)]
pub(crate) struct Least {
    pub(crate) index: PathIndex,
    /// Ascending.
    pub(crate) streams: Vec<usize>,
}

impl Frontier {
    pub(crate) fn new(streams: usize) -> Self {
        Self {
            heads: BinaryHeap::with_capacity(streams),
            due: (0..streams).rev().collect(),
        }
    }

    pub(crate) fn due(&self) -> Option<usize> {
        self.due.last().copied()
    }

    /// `stream`, which was due, is now at `index`, or at its end.
    pub(crate) fn advanced(&mut self, stream: usize, index: Option<PathIndex>) {
        self.due.retain(|&due| due != stream);
        self.heads
            .extend(index.map(|index| Reverse((index, stream))));
    }

    pub(crate) fn take_least(&mut self) -> Option<Least> {
        let Reverse((index, first)) = self.heads.pop()?;
        let mut streams = vec![first];
        while let Some(Reverse((next, _))) = self.heads.peek()
            && *next == index
        {
            streams.extend(self.heads.pop().map(|Reverse((_, stream))| stream));
        }
        self.due = streams.iter().rev().copied().collect();
        Some(Least { index, streams })
    }
}
