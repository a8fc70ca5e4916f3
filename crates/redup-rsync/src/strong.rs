//! The strong checksums, which decide whether two blocks are equal.

use blake2::{Blake2b, Digest, digest::consts::U32};

/// The longest strong checksum.
pub(crate) const MAX_LEN: usize = 32;

/// A strong checksum at full length, padded with zeros.
pub(crate) type Strong = [u8; MAX_LEN];

/// Which strong checksum a signature uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StrongKind {
    /// MD4: what duplicity writes.
    Md4,
    /// BLAKE2b with a digest of 32 bytes.
    Blake2b,
}

impl StrongKind {
    /// The length of the whole checksum.
    pub(crate) fn max_len(self) -> usize {
        match self {
            Self::Md4 => 16,
            Self::Blake2b => 32,
        }
    }

    /// The checksum of a whole block.
    pub(crate) fn of(self, block: &[u8]) -> Strong {
        match self {
            Self::Md4 => md4(block),
            Self::Blake2b => Blake2b::<U32>::digest(block).into(),
        }
    }
}

/// The state that MD4 starts from.
pub(crate) const MD4_INIT: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The bytes that MD4 takes at a time.
pub(crate) const MD4_CHUNK: usize = 64;

fn md4(block: &[u8]) -> Strong {
    let mut state = MD4_INIT;
    let (chunks, rest) = block.as_chunks();
    for chunk in chunks {
        md4_compress(&mut state, chunk);
    }
    let (padding, used) = md4_padding(rest, block.len());
    let (chunks, _) = padding[..used].as_chunks();
    for chunk in chunks {
        md4_compress(&mut state, chunk);
    }
    md4_output(state)
}

/// The one or two last chunks of a message of `len` bytes that ends with `rest`.
pub(crate) fn md4_padding(rest: &[u8], len: usize) -> ([u8; 2 * MD4_CHUNK], usize) {
    let mut padding = [0; 2 * MD4_CHUNK];
    let used = if rest.len() < MD4_CHUNK - 8 {
        MD4_CHUNK
    } else {
        2 * MD4_CHUNK
    };
    padding[..rest.len()].copy_from_slice(rest);
    padding[rest.len()] = 0x80;
    padding[used - 8..used].copy_from_slice(&(len as u64).wrapping_mul(8).to_le_bytes());
    (padding, used)
}

pub(crate) fn md4_output(state: [u32; 4]) -> Strong {
    let mut strong = [0; MAX_LEN];
    let (words, _) = strong.as_chunks_mut();
    for (bytes, word) in words.iter_mut().zip(state) {
        *bytes = word.to_le_bytes();
    }
    strong
}

fn md4_compress(state: &mut [u32; 4], chunk: &[u8; MD4_CHUNK]) {
    let (bytes, _) = chunk.as_chunks();
    let mut x = [0; 16];
    for (word, bytes) in x.iter_mut().zip(bytes) {
        *word = u32::from_le_bytes(*bytes);
    }
    let sums = md4_rounds!(ops, *state, x);
    for (word, sum) in state.iter_mut().zip(sums) {
        *word = word.wrapping_add(sum);
    }
}

/// The three rounds of MD4 on one chunk, written once for all widths.
///
/// `$ops` is a module with `splat`, `add`, `rol::<LEFT, RIGHT>`, `f`, `g` and `h` on words or on
/// vectors of words. Evaluates to the state after the rounds, before it is added to the one before.
macro_rules! md4_rounds {
    ($ops:ident, $state:expr, $x:ident) => {{
        use crate::strong::md4_round as round;
        let mut s = $state;
        round!($ops::f, $ops, 0, s, $x, [3 29, 7 25, 11 21, 19 13], [0 1 2 3][4 5 6 7][8 9 10 11][12 13 14 15]);
        round!($ops::g, $ops, 0x5a82_7999, s, $x, [3 29, 5 27, 9 23, 13 19], [0 4 8 12][1 5 9 13][2 6 10 14][3 7 11 15]);
        round!($ops::h, $ops, 0x6ed9_eba1, s, $x, [3 29, 9 23, 11 21, 15 17], [0 8 4 12][2 10 6 14][1 9 5 13][3 11 7 15]);
        s
    }};
}

/// One round: the distances of the four rotations, and the order of the words.
macro_rules! md4_round {
    (
        $fun:path, $ops:ident, $k:expr, $s:ident, $x:ident,
        [$l0:literal $r0:literal, $l1:literal $r1:literal, $l2:literal $r2:literal, $l3:literal $r3:literal],
        $([$w0:literal $w1:literal $w2:literal $w3:literal])*
    ) => {{
        let k = $ops::splat($k);
        let [mut a, mut b, mut c, mut d] = $s;
        $(
            a = $ops::rol::<$l0, $r0>($ops::add($ops::add(a, $ops::add($x[$w0], k)), $fun(b, c, d)));
            d = $ops::rol::<$l1, $r1>($ops::add($ops::add(d, $ops::add($x[$w1], k)), $fun(a, b, c)));
            c = $ops::rol::<$l2, $r2>($ops::add($ops::add(c, $ops::add($x[$w2], k)), $fun(d, a, b)));
            b = $ops::rol::<$l3, $r3>($ops::add($ops::add(b, $ops::add($x[$w3], k)), $fun(c, d, a)));
        )*
        $s = [a, b, c, d];
    }};
}
pub(crate) use {md4_round, md4_rounds};

/// One word at a time.
mod ops {
    pub(super) fn splat(word: u32) -> u32 {
        word
    }

    pub(super) fn add(a: u32, b: u32) -> u32 {
        a.wrapping_add(b)
    }

    pub(super) fn rol<const LEFT: u32, const RIGHT: u32>(word: u32) -> u32 {
        word << LEFT | word >> RIGHT
    }

    pub(super) fn f(b: u32, c: u32, d: u32) -> u32 {
        d ^ (b & (c ^ d))
    }

    pub(super) fn g(b: u32, c: u32, d: u32) -> u32 {
        (b & c) | (d & (b | c))
    }

    pub(super) fn h(b: u32, c: u32, d: u32) -> u32 {
        b ^ c ^ d
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md4_agrees_with_rfc_1320() {
        for (message, digest) in [
            ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
            ("abc", "a448017aaf21d8525fc10ae87aa6729d"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "e33b4ddc9c38f2199c3e7b164fcc0536",
            ),
        ] {
            assert_eq!(hex(&StrongKind::Md4.of(message.as_bytes())[..16]), digest);
        }
    }

    #[test]
    fn blake2b_has_a_digest_of_32_bytes_of_its_own() {
        let digest = "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319";
        assert_eq!(hex(&StrongKind::Blake2b.of(b"abc")), digest);
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
