use crate::{Error, Result};

/// The length of the blocks that a signature describes: 1 byte to [`BlockLen::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockLen(u32);

impl BlockLen {
    /// The longest block, 64 MiB.
    ///
    /// Matching holds at least one block in memory, so a signature from outside must not name
    /// any length it likes. duplicity would reach this one for a file of 4 PiB.
    pub const MAX: Self = Self(1 << 26);

    /// Checks the range.
    pub fn new(len: u32) -> Result<Self> {
        if (1..=Self::MAX.0).contains(&len) {
            Ok(Self(len))
        } else {
            Err(Error::BlockLen(len))
        }
    }

    /// The length in bytes.
    pub fn get(self) -> u32 {
        self.0
    }

    /// How many bytes of a file are best handed on at a time.
    ///
    /// Any number will do, but of a multiple of the blocks that are summed together none has to be
    /// copied in order to wait for the others. At least 256 KiB, and more than 512 KiB only for blocks
    /// longer than 16 KiB, then 16 blocks, and 32 MiB or one block at most.
    pub fn piece_len(self) -> usize {
        const ENOUGH: usize = 256 << 10;
        self.group_len() * ENOUGH.div_ceil(self.group_len())
    }

    /// How many bytes are gathered in order to be summed together.
    pub(crate) fn group_len(self) -> usize {
        const MOST: usize = 32 << 20;
        self.as_usize() * (MOST / self.as_usize()).clamp(1, GROUP)
    }

    pub(crate) fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// The blocks worth summing together: as many as the widest kernel has lanes.
pub(crate) const GROUP: usize = 16;

/// The shortest block that is chosen; all chosen lengths are multiples of it.
const STEP: u32 = 512;

/// The block length for the signature of a file of `file_len` bytes, by the rule of duplicity 3.
///
/// It is the square root of the length rounded up to a multiple of 512, at least 512 and at most
/// `max` (duplicity's `--max-blocksize`), so that signature and search window stay in proportion.
/// A `max` of zero counts as 1.
pub fn block_len(file_len: u64, max: Option<u32>) -> BlockLen {
    let wanted = file_len
        .isqrt()
        .next_multiple_of(u64::from(STEP))
        .max(u64::from(STEP));
    let most = max.unwrap_or(BlockLen::MAX.0).clamp(1, BlockLen::MAX.0);
    BlockLen(u32::try_from(wanted).unwrap_or(u32::MAX).min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_square_root_in_steps_of_512() {
        for (file_len, expected) in [
            (0, 512),
            (1, 512),
            (512 * 512, 512),
            (513 * 513 - 1, 512),
            (513 * 513, 1024),
            (3_145_728, 2048),
            (1_000_000_000, 31_744),
            (u64::MAX, 1 << 26),
        ] {
            assert_eq!(
                block_len(file_len, None).get(),
                expected,
                "file of {file_len} bytes"
            );
        }
    }

    #[test]
    fn stays_below_the_maximum_asked_for() {
        assert_eq!(block_len(1_000_000_000, Some(2048)).get(), 2048);
        assert_eq!(block_len(10, Some(100)).get(), 100);
        assert_eq!(block_len(10, Some(0)).get(), 1);
        assert_eq!(block_len(10, Some(u32::MAX)).get(), 512);
    }

    #[test]
    fn pieces_are_whole_groups_of_moderate_length() {
        for (block_len, piece_len) in [
            (1, 256 << 10),
            (512, 256 << 10),
            (1536, 11 * 16 * 1536),
            (16_384, 256 << 10),
            (31_744, 16 * 31_744),
            (4 << 20, 32 << 20),
            (48 << 20, 48 << 20),
        ] {
            assert_eq!(
                BlockLen(block_len).piece_len(),
                piece_len,
                "blocks of {block_len} bytes"
            );
        }
    }

    #[test]
    fn rejects_lengths_out_of_range() {
        assert!(matches!(BlockLen::new(0), Err(Error::BlockLen(0))));
        assert!(BlockLen::new((1 << 26) + 1).is_err());
        assert_eq!(BlockLen::new(1 << 26).unwrap(), BlockLen::MAX);
    }
}
