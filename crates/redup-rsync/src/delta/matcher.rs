use super::output::Output;
use crate::block::GROUP;
use crate::rollsum::Rolling;
use crate::simd::{BlockSum, BlockSummer, Hit, Kernel};
use crate::{DeltaIndex, Signature, SignatureKind};

/// Decides which ranges of the new file are copies and which are literal.
#[derive(Debug)]
pub(crate) struct Matcher {
    kind: SignatureKind,
    block_len: usize,
    /// Where in the new file the bytes of the next call start.
    base: u64,
    /// The block of the basis that comes next if the file goes on as it did.
    expected: Option<usize>,
    /// While no block fits: the checksum at the current place, which has been looked up.
    search: Option<Rolling>,
    runs: Runs,
    candidates: Candidates,
    output: Output,
}

impl Matcher {
    pub(crate) fn new(basis: &Signature) -> Self {
        let block_len = basis.block_len().as_usize();
        Self {
            kind: basis.kind(),
            block_len,
            base: 0,
            expected: Some(0),
            search: None,
            runs: Runs {
                summer: BlockSummer::new(basis.kind(), basis.block_len()),
                block_len,
                start: 0,
                sums: Vec::new(),
            },
            candidates: Candidates::new(basis),
            output: Output::default(),
        }
    }

    /// Decides about as many of `bytes` as can be without knowing what follows, and returns their number.
    ///
    /// The others must come again, unless `at_end`: then they are the file's last ones, less than a
    /// block of them if there is no search under way, and no more than a block if there is.
    pub(crate) fn run(
        &mut self,
        known: Known<'_>,
        bytes: &[u8],
        at_end: bool,
        delta: &mut Vec<u8>,
    ) -> usize {
        let (mut at, mut literal_from) = (0, 0);
        loop {
            let left = &bytes[at..];
            let place = self.base + at as u64;
            if let Some(rolling) = &mut self.search {
                if left.len() <= self.block_len {
                    break;
                }
                match self
                    .candidates
                    .search(known, rolling, left, place, &mut self.runs)
                {
                    Search::Found(distance) => {
                        at += distance;
                        self.search = None;
                    }
                    Search::Nothing(distance) => at += distance,
                }
                continue;
            }
            let Some(sum) = self.runs.sum(known, left, place, at_end) else {
                break;
            };
            if let Some(block) = self.fitting(known.index, &sum) {
                self.output.literal(&bytes[literal_from..at], delta);
                self.copy(block, self.block_len, delta);
                self.expected = Some(block + 1);
                self.candidates.matched();
                at += self.block_len;
                literal_from = at;
                continue;
            }
            if let Some(expected) = self.expected {
                let (after, place) = (&left[self.block_len..], place + self.block_len as u64);
                let sum = self.runs.sum(known, after, place, at_end);
                if sum.is_none() && !at_end {
                    break;
                }
                if sum.is_some_and(|sum| known.index.signature().has(expected + 1, &sum)) {
                    self.expected = Some(expected + 1);
                    at += self.block_len;
                    continue;
                }
            }
            self.expected = None;
            self.search = Some(Rolling::new(self.kind.weak(), sum.weak, self.block_len));
        }
        self.output.literal(&bytes[literal_from..at], delta);
        self.base += at as u64;
        at
    }

    /// Decides about the last bytes of the file and completes the delta.
    pub(crate) fn finish(mut self, known: Known<'_>, rest: &[u8], delta: &mut Vec<u8>) {
        let used = self.run(known, rest, true, delta);
        let tail = &rest[used..];
        if let Some((block, len)) = self.fitting_end(known.index.signature(), tail) {
            self.output.literal(&tail[..tail.len() - len], delta);
            self.copy(block, len, delta);
        } else {
            self.output.literal(tail, delta);
        }
        self.output.finish(delta);
    }

    fn copy(&mut self, block: usize, len: usize, delta: &mut Vec<u8>) {
        self.output
            .copy(block as u64 * self.block_len as u64, len as u64, delta);
    }

    fn fitting(&self, index: &DeltaIndex, sum: &BlockSum) -> Option<usize> {
        self.expected
            .filter(|&block| index.signature().has(block, sum))
            .or_else(|| index.find(sum))
    }

    /// The last block of the basis and its length, if the file ends with it.
    fn fitting_end(&self, basis: &Signature, tail: &[u8]) -> Option<(usize, usize)> {
        let last = basis.blocks().checked_sub(1)?;
        let weak = basis.weak(last);
        let mut lens = Vec::new();
        for (sum, len) in self.kind.weak().of_suffixes(tail).zip(1..) {
            if sum == weak {
                if lens.len() == MAX_END_TRIES {
                    lens.remove(0);
                }
                lens.push(len);
            }
        }
        let fits =
            |len: &usize| basis.has(last, &BlockSum::of(self.kind, &tail[tail.len() - len..]));
        lens.into_iter().rev().find(fits).map(|len| (last, len))
    }
}

/// What the new file is compared with, and what is known of it beforehand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) index: &'a DeltaIndex,
    /// The signature of the file's first bytes, with the same blocks as the basis.
    pub(crate) sums: Option<&'a Signature>,
}

/// How many lengths of the last block are tried of those with the right weak checksum, longest first.
///
/// More than one is an accident or an attempt to make the search slow.
const MAX_END_TRIES: usize = 16;

/// The sums of blocks that follow each other, taken together and ahead of time.
#[derive(Debug)]
struct Runs {
    summer: BlockSummer,
    block_len: usize,
    /// The place in the new file that `sums` start from.
    start: u64,
    sums: Vec<BlockSum>,
}

impl Runs {
    /// The sum of the block that `bytes`, found at `place` of the new file, starts with.
    ///
    /// `None` if there is no whole block, or if it is not known yet and there will be more bytes to sum together.
    fn sum(
        &mut self,
        known: Known<'_>,
        bytes: &[u8],
        place: u64,
        at_end: bool,
    ) -> Option<BlockSum> {
        if bytes.len() < self.block_len {
            return None;
        }
        let known = known
            .sums
            .and_then(|sums| self.aligned(sums, place))
            .or_else(|| self.summed(place));
        let group_len = self.summer.group_len();
        if known.is_some() || bytes.len() < group_len && !at_end {
            return known;
        }
        self.start = place;
        self.sums.clear();
        self.sums.extend_from_slice(
            self.summer
                .sums_of_run(&bytes[..group_len.min(bytes.len())]),
        );
        self.summed(place)
    }

    /// The sum of the block at `place`, if it was summed together with the ones before it.
    fn summed(&self, place: u64) -> Option<BlockSum> {
        let distance = place.checked_sub(self.start)?;
        let nth = usize::try_from(distance / self.block_len as u64).ok()?;
        self.sums
            .get(nth)
            .filter(|_| distance.is_multiple_of(self.block_len as u64))
            .copied()
    }

    fn aligned(&self, sums: &Signature, place: u64) -> Option<BlockSum> {
        let block_len = self.block_len as u64;
        let block = usize::try_from(place / block_len).ok()?;
        place.is_multiple_of(block_len).then(|| sums.sum(block))?
    }
}

/// The search for the next block that fits, byte by byte.
///
/// Looks at many places before it hashes any block, so its outcome must not depend on how many.
#[derive(Debug)]
struct Candidates {
    block_len: usize,
    kernel: Kernel,
    credit: Credit,
    /// How many places the next step looks at: more when nothing is found for long.
    step: usize,
    hits: Vec<Hit>,
    starts: Vec<usize>,
}

enum Search {
    /// A block fits after so many bytes.
    Found(usize),
    /// None fits at any of so many places.
    Nothing(usize),
}

const FIRST_STEP: usize = 256;
const LAST_STEP: usize = 16 * 1024;

impl Candidates {
    fn new(basis: &Signature) -> Self {
        let block_len = basis.block_len().as_usize();
        let credit = Credit::new(block_len as u64);
        Self {
            block_len,
            kernel: Kernel::detect(),
            credit,
            step: FIRST_STEP,
            hits: Vec::new(),
            starts: Vec::new(),
        }
    }

    fn matched(&mut self) {
        self.credit.refill();
        self.step = FIRST_STEP;
    }

    /// Looks at some of the places after the first of `bytes`, which is found at `place` of the new file.
    fn search(
        &mut self,
        known: Known<'_>,
        rolling: &mut Rolling,
        bytes: &[u8],
        place: u64,
        runs: &mut Runs,
    ) -> Search {
        let table = known.index.table();
        let count = (bytes.len() - self.block_len).min(self.step);
        self.hits.clear();
        self.kernel.find_hits(
            &table.filter,
            rolling,
            bytes,
            self.block_len,
            count,
            &mut self.hits,
        );

        self.starts.clear();
        for hit in &self.hits {
            if table.has_weak(hit.weak) && self.credit.take(place + hit.at as u64) {
                self.starts.push(hit.at);
            }
        }
        // The first one mostly fits, and then the blocks after it do; the others are there by accident.
        if let Some((&first, others)) = self.starts.split_first() {
            // Its bytes are there, so there is no need to wait.
            let sum = runs.sum(known, &bytes[first..], place + first as u64, true);
            if sum.is_some_and(|sum| known.index.find(&sum).is_some()) {
                return Search::Found(first);
            }
            for starts in others.chunks(GROUP) {
                let sums = runs.summer.sums_at(bytes, starts);
                if let Some(nth) = sums.iter().position(|sum| known.index.find(sum).is_some()) {
                    return Search::Found(starts[nth]);
                }
            }
        }
        self.step = (self.step * 2).min(LAST_STEP);
        Search::Nothing(count)
    }
}

/// A bound on the blocks that are hashed in vain.
///
/// The weak checksums of different blocks can be equal, by accident in very large files, by
/// intent in any. Hashing a block for every such place would be slow beyond measure, so it takes
/// credit, which grows with every byte searched and is full again after a block that fits.
#[derive(Debug)]
struct Credit {
    block_len: u64,
    bytes: u64,
    /// The place up to which credit has been given.
    place: u64,
}

/// Bytes that may be hashed in vain for each byte searched.
///
/// A search in unrelated data needs 2 for a basis of 4 GiB, 26 for one of 64 GiB.
const CREDIT_PER_BYTE: u64 = 32;

/// Blocks that may be hashed in vain at once.
const CREDIT_BLOCKS: u64 = 64;

impl Credit {
    fn new(block_len: u64) -> Self {
        Self {
            block_len,
            bytes: CREDIT_BLOCKS * block_len,
            place: 0,
        }
    }

    fn refill(&mut self) {
        self.bytes = CREDIT_BLOCKS * self.block_len;
    }

    /// Whether a block may be hashed at `place`.
    fn take(&mut self, place: u64) -> bool {
        let earned = place
            .saturating_sub(self.place)
            .saturating_mul(CREDIT_PER_BYTE);
        self.place = place;
        self.bytes = self
            .bytes
            .saturating_add(earned)
            .min(CREDIT_BLOCKS * self.block_len);
        match self.bytes.checked_sub(self.block_len) {
            Some(left) => {
                self.bytes = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hashed_in_vain_is_bounded_by_what_is_searched() {
        for block_len in [512, 31_744] {
            let mut credit = Credit::new(block_len);
            let places = 100 * block_len;
            let taken = (0..places).filter(|&place| credit.take(place)).count() as u64;
            assert!(taken * block_len <= places * CREDIT_PER_BYTE + CREDIT_BLOCKS * block_len);
            assert!(
                taken > 100 * CREDIT_PER_BYTE - 1,
                "the credit earned is used"
            );
        }
    }

    #[test]
    fn a_fitting_block_restores_the_credit() {
        let mut credit = Credit::new(1 << 20);
        let burst =
            |credit: &mut Credit| (0..100).take_while(|&place| credit.take(place)).count() as u64;
        assert_eq!(burst(&mut credit), CREDIT_BLOCKS);
        assert_eq!(burst(&mut credit), 0);
        credit.refill();
        assert_eq!(burst(&mut credit), CREDIT_BLOCKS);
    }
}
