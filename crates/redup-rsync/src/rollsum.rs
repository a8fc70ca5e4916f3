//! The weak checksums, which can be moved along a file byte by byte.

/// Which weak checksum a signature uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WeakKind {
    /// Adler-like sums: what duplicity writes.
    Rollsum,
    /// Polynomial hash modulo 2^32 of later librsync versions.
    RabinKarp,
}

/// Added to every byte of a rollsum, so that zeros count.
pub(crate) const CHAR_OFFSET: u32 = 31;

const RK_SEED: u32 = 1;
const RK_MULT: u32 = 0x0810_4225;
/// Makes the seed stay in place while the window moves.
const RK_ADJ: u32 = 0x0810_4224;

impl WeakKind {
    /// The checksum of a whole block.
    pub(crate) fn of(self, block: &[u8]) -> u32 {
        match self {
            Self::Rollsum => {
                let (mut s1, mut s2) = (0u32, 0u32);
                for &byte in block {
                    s1 = s1.wrapping_add(u32::from(byte));
                    s2 = s2.wrapping_add(s1);
                }
                finish_rollsum(s1, s2, block.len())
            }
            Self::RabinKarp => block.iter().fold(RK_SEED, |sum, &byte| {
                sum.wrapping_mul(RK_MULT).wrapping_add(u32::from(byte))
            }),
        }
    }

    /// The checksums of the ends of `tail`: of its last byte, its last two bytes, and so on.
    pub(crate) fn of_suffixes(self, tail: &[u8]) -> impl Iterator<Item = u32> {
        let (mut s1, mut s2, mut power) = (0u32, 0u32, 1u32);
        tail.iter()
            .rev()
            .zip(1u32..)
            .map(move |(&byte, len)| match self {
                Self::Rollsum => {
                    let byte = u32::from(byte) + CHAR_OFFSET;
                    s1 = s1.wrapping_add(byte);
                    s2 = s2.wrapping_add(byte.wrapping_mul(len));
                    pack(s1, s2)
                }
                Self::RabinKarp => {
                    s1 = s1.wrapping_add(power.wrapping_mul(u32::from(byte)));
                    power = power.wrapping_mul(RK_MULT);
                    RK_SEED.wrapping_mul(power).wrapping_add(s1)
                }
            })
    }
}

/// Adds the share of the character offset to plain sums of `len` bytes and packs them.
pub(crate) fn finish_rollsum(s1: u32, s2: u32, len: usize) -> u32 {
    let len = len as u64;
    let triangle = (len * (len + 1) / 2) as u32;
    pack(
        s1.wrapping_add(CHAR_OFFSET.wrapping_mul(len as u32)),
        s2.wrapping_add(CHAR_OFFSET.wrapping_mul(triangle)),
    )
}

fn pack(s1: u32, s2: u32) -> u32 {
    s2 << 16 | (s1 & 0xffff)
}

/// The weak checksum of a window of fixed length that moves along a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rolling {
    kind: WeakKind,
    sum: u32,
    /// Rollsum: the length of the window. Rabin-Karp: the multiplier to that power.
    factor: u32,
}

impl Rolling {
    /// Starts from the known checksum of a window of `len` bytes.
    pub(crate) fn new(kind: WeakKind, sum: u32, len: usize) -> Self {
        let factor = match kind {
            WeakKind::Rollsum => len as u32,
            WeakKind::RabinKarp => RK_MULT.wrapping_pow(len as u32),
        };
        Self { kind, sum, factor }
    }

    pub(crate) fn kind(&self) -> WeakKind {
        self.kind
    }

    /// For a rollsum: how long the window is.
    pub(crate) fn window_len(&self) -> u32 {
        self.factor
    }

    /// Sets the checksum after the window was moved by other means.
    pub(crate) fn set_sum(&mut self, sum: u32) {
        self.sum = sum;
    }

    pub(crate) fn sum(&self) -> u32 {
        self.sum
    }

    /// Moves the window by one byte.
    #[inline(always)]
    pub(crate) fn roll(&mut self, out: u8, into: u8) {
        let (out, into) = (u32::from(out), u32::from(into));
        self.sum = match self.kind {
            WeakKind::Rollsum => {
                let s1 = self.sum.wrapping_add(into).wrapping_sub(out);
                let leaving = self.factor.wrapping_mul(out + CHAR_OFFSET);
                let s2 = (self.sum >> 16).wrapping_sub(leaving).wrapping_add(s1);
                pack(s1, s2)
            }
            WeakKind::RabinKarp => self
                .sum
                .wrapping_mul(RK_MULT)
                .wrapping_add(into)
                .wrapping_sub(self.factor.wrapping_mul(out + RK_ADJ)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [WeakKind; 2] = [WeakKind::Rollsum, WeakKind::RabinKarp];

    #[test]
    fn a_single_byte_has_the_sum_of_the_specification() {
        assert_eq!(WeakKind::Rollsum.of(b"x"), 0x0097_0097);
    }

    proptest! {
        #[test]
        fn rolling_equals_summing_anew(data in prop::collection::vec(any::<u8>(), 2..600), len in 1usize..300) {
            let len = len.min(data.len() - 1);
            for kind in KINDS {
                let mut rolling = Rolling::new(kind, kind.of(&data[..len]), len);
                for at in 1..=data.len() - len {
                    rolling.roll(data[at - 1], data[at + len - 1]);
                    prop_assert_eq!(rolling.sum(), kind.of(&data[at..at + len]));
                }
            }
        }

        #[test]
        fn suffix_sums_equal_the_sums_of_the_suffixes(data in prop::collection::vec(any::<u8>(), 0..300)) {
            for kind in KINDS {
                for (sum, len) in kind.of_suffixes(&data).zip(1..) {
                    prop_assert_eq!(sum, kind.of(&data[data.len() - len..]));
                }
            }
        }
    }
}
