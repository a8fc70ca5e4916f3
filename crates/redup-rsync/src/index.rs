//! Finding the block of a signature that has given checksums.

use std::sync::OnceLock;

use crate::Signature;
use crate::simd::{BlockSum, Filter};

/// A signature made ready for searching: what a [`DeltaEncoder`](crate::DeltaEncoder) compares a new file with.
///
/// Takes 32 to 44 bytes a block for duplicity's signatures. The larger part of it is made when the
/// first block is found out of place, so a file that only grew or was touched does not pay for it.
///
/// May be shared by several encoders, also across threads.
#[derive(Debug)]
pub struct DeltaIndex {
    signature: Signature,
    table: OnceLock<Table>,
}

impl DeltaIndex {
    /// Takes the signature of the basis.
    pub fn new(signature: Signature) -> Self {
        Self {
            signature,
            table: OnceLock::new(),
        }
    }

    /// The signature of the basis.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    pub(crate) fn table(&self) -> &Table {
        self.table.get_or_init(|| Table::new(&self.signature))
    }

    /// The first block with these checksums.
    pub(crate) fn find(&self, sum: &BlockSum) -> Option<usize> {
        self.table().find(&self.signature, sum)
    }
}

/// All different blocks, in the order of their keys and then of their strong checksums.
///
/// Sorting instead of hashing bounds every look-up by the logarithm of the number of blocks,
/// however many of them share a weak checksum, and however they were chosen.
#[derive(Debug)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    /// Where the entries start whose keys have the same leading bits.
    starts: Vec<u32>,
    leading_bits: u32,
    pub(crate) filter: Filter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    key: u32,
    block: u32,
}

impl Table {
    fn new(signature: &Signature) -> Self {
        let mut entries: Vec<_> = (0..signature.blocks())
            .map_while(|block| {
                Some(Entry {
                    key: Filter::key(signature.weak(block)),
                    block: u32::try_from(block).ok()?,
                })
            })
            .collect();
        entries.sort_unstable();
        for same_key in entries
            .chunk_by_mut(|a, b| a.key == b.key)
            .filter(|run| run.len() > 1)
        {
            same_key.sort_unstable_by_key(|entry| {
                (signature.strong(entry.block as usize), entry.block)
            });
        }
        entries.dedup_by(|b, a| {
            a.key == b.key
                && signature.strong(a.block as usize) == signature.strong(b.block as usize)
        });

        let leading_bits = entries.len().next_power_of_two().ilog2().clamp(1, 31);
        let mut starts = vec![0; (1 << leading_bits) + 1];
        let mut filter = Filter::new(entries.len());
        for entry in &entries {
            starts[(entry.key >> (32 - leading_bits)) as usize + 1] += 1;
            filter.insert(entry.key);
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        Self {
            entries,
            starts,
            leading_bits,
            filter,
        }
    }

    /// Whether any block has this weak checksum.
    #[inline]
    pub(crate) fn has_weak(&self, weak: u32) -> bool {
        let key = Filter::key(weak);
        let bucket = self.bucket(key);
        let at = bucket.partition_point(|entry| entry.key < key);
        bucket.get(at).is_some_and(|entry| entry.key == key)
    }

    fn find(&self, signature: &Signature, sum: &BlockSum) -> Option<usize> {
        let wanted = (Filter::key(sum.weak), &sum.strong[..signature.strong_len()]);
        let full_key = |entry: &Entry| (entry.key, signature.strong(entry.block as usize));
        let bucket = self.bucket(wanted.0);
        let at = bucket.partition_point(|entry| entry.key < wanted.0 || full_key(entry) < wanted);
        bucket
            .get(at)
            .filter(|entry| full_key(entry) == wanted)
            .map(|entry| entry.block as usize)
    }

    #[inline]
    fn bucket(&self, key: u32) -> &[Entry] {
        let bucket = (key >> (32 - self.leading_bits)) as usize;
        &self.entries[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlockLen, SignatureKind};
    use proptest::prelude::*;

    /// A signature with the given pairs of weak and strong checksums.
    fn signature(sums: &[(u32, u64)]) -> Signature {
        let mut bytes = [0x7273_0136, 512, 8].map(u32::to_be_bytes).concat();
        for (weak, strong) in sums {
            bytes.extend(weak.to_be_bytes());
            bytes.extend(strong.to_be_bytes());
        }
        Signature::parse(bytes).unwrap()
    }

    fn sum(weak: u32, strong: u64) -> BlockSum {
        let mut sum = BlockSum {
            weak,
            strong: [0xaa; 32],
        };
        sum.strong[..8].copy_from_slice(&strong.to_be_bytes());
        sum
    }

    #[test]
    fn an_empty_signature_has_no_block() {
        let index = DeltaIndex::new(signature(&[]));
        assert_eq!(index.find(&sum(0, 0)), None);
        assert!(!index.table().has_weak(0));
    }

    #[test]
    fn equal_blocks_are_kept_once() {
        let index = DeltaIndex::new(signature(&[(7, 7); 1000]));
        assert_eq!(index.find(&sum(7, 7)), Some(0));
        assert_eq!(index.table().entries.len(), 1);
    }

    #[test]
    fn a_million_blocks_with_one_weak_checksum_are_all_found() {
        let sums: Vec<_> = (0..1_000_000u64)
            .map(|n| (7, n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect();
        let index = DeltaIndex::new(signature(&sums));
        for (block, &(weak, strong)) in sums.iter().enumerate() {
            assert_eq!(index.find(&sum(weak, strong)), Some(block));
        }
    }

    proptest! {
        #[test]
        fn finds_the_first_block_with_both_checksums(sums in prop::collection::vec((0u32..40, 0u64..3), 0..200)) {
            let signature = signature(&sums);
            prop_assert_eq!(signature.kind(), SignatureKind::Md4);
            prop_assert_eq!(signature.block_len(), BlockLen::new(512).unwrap());
            let index = DeltaIndex::new(signature);
            for weak in 0..50 {
                prop_assert_eq!(index.table().has_weak(weak), sums.iter().any(|&(other, _)| other == weak));
                for strong in 0..4 {
                    let first = sums.iter().position(|&other| other == (weak, strong));
                    prop_assert_eq!(index.find(&sum(weak, strong)), first);
                }
            }
        }
    }
}
