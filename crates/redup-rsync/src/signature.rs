//! The checksums of a file's blocks, as kept in a sigtar.

use std::fmt;
use std::ops::RangeInclusive;

use crate::rollsum::WeakKind;
use crate::simd::{BlockSum, BlockSummer};
use crate::strong::{MAX_LEN, StrongKind};
use crate::window::Window;
use crate::{BlockLen, Error, Result};

/// The pair of checksums that a signature consists of, told by its magic number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureKind {
    /// Rollsum and MD4: the only kind that duplicity writes, and the only one written here.
    Md4,
    /// Rollsum and BLAKE2b.
    Blake2,
    /// Rabin-Karp hash and MD4.
    RabinKarpMd4,
    /// Rabin-Karp hash and BLAKE2b.
    RabinKarpBlake2,
}

impl SignatureKind {
    fn of_magic(magic: u32) -> Result<Self> {
        match magic {
            0x7273_0136 => Ok(Self::Md4),
            0x7273_0137 => Ok(Self::Blake2),
            0x7273_0146 => Ok(Self::RabinKarpMd4),
            0x7273_0147 => Ok(Self::RabinKarpBlake2),
            _ => Err(Error::SignatureMagic(magic)),
        }
    }

    fn magic(self) -> u32 {
        match self {
            Self::Md4 => 0x7273_0136,
            Self::Blake2 => 0x7273_0137,
            Self::RabinKarpMd4 => 0x7273_0146,
            Self::RabinKarpBlake2 => 0x7273_0147,
        }
    }

    pub(crate) fn weak(self) -> WeakKind {
        match self {
            Self::Md4 | Self::Blake2 => WeakKind::Rollsum,
            Self::RabinKarpMd4 | Self::RabinKarpBlake2 => WeakKind::RabinKarp,
        }
    }

    pub(crate) fn strong(self) -> StrongKind {
        match self {
            Self::Md4 | Self::RabinKarpMd4 => StrongKind::Md4,
            Self::Blake2 | Self::RabinKarpBlake2 => StrongKind::Blake2b,
        }
    }
}

/// Magic number, block length, length of the strong checksums.
const HEADER_LEN: usize = 12;

const WEAK_LEN: usize = 4;

/// The length of the strong checksums written: duplicity's.
pub(crate) const STRONG_LEN: usize = 8;

/// How a signature is made: what its first bytes say. Equal files have equal signatures where these are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureShape {
    kind: SignatureKind,
    block_len: BlockLen,
    strong_len: usize,
}

impl SignatureShape {
    /// How many bytes of a signature tell it.
    pub const LEN: usize = HEADER_LEN;

    /// Takes the start of an encoded signature; what [`Signature::parse`] refuses is refused.
    pub fn parse(header: &[u8; Self::LEN]) -> Result<Self> {
        let [magic, block_len, strong_len] = [0, 4, 8].map(|at| be_u32(header, at));
        let kind = SignatureKind::of_magic(magic)?;
        let block_len = BlockLen::new(block_len)?;
        let strong_len = strong_len as usize;
        if !(STRONG_LEN..=kind.strong().max_len()).contains(&strong_len) {
            return Err(Error::StrongLen(strong_len as u32));
        }
        Ok(Self {
            kind,
            block_len,
            strong_len,
        })
    }

    /// How long a file is whose encoded signature has this length: of its last block the length is not known. `None`
    /// when no signature has it.
    pub fn file_len(&self, encoded_len: u64) -> Option<RangeInclusive<u64>> {
        let entries = encoded_len.checked_sub(HEADER_LEN as u64)?;
        let entry_len = (WEAK_LEN + self.strong_len) as u64;
        if !entries.is_multiple_of(entry_len) {
            return None;
        }
        let block_len = u64::from(self.block_len.get());
        let most = (entries / entry_len).checked_mul(block_len)?;
        Some(most.saturating_sub(block_len - 1)..=most)
    }
}

/// The checksums of all blocks of a file. The last block may be shorter than the others.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    kind: SignatureKind,
    block_len: BlockLen,
    strong_len: usize,
    /// The encoded signature, header included: 12 bytes a block in memory for the usual kind.
    bytes: Vec<u8>,
}

impl Signature {
    /// Takes an encoded signature of any kind; pass a `Vec<u8>` to save a copy.
    ///
    /// Refuses block lengths out of the range of [`BlockLen`], and strong checksums longer than
    /// the hash or shorter than duplicity's 8 bytes: with few bytes, different blocks would be taken for equal.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Self> {
        let bytes = bytes.into();
        let Some((header, entries)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(Error::SignatureTruncated(bytes.len()));
        };
        let SignatureShape {
            kind,
            block_len,
            strong_len,
        } = SignatureShape::parse(header)?;
        let entry_len = WEAK_LEN + strong_len;
        match (entries.len() / entry_len, entries.len() % entry_len) {
            (_, 0) => Ok(Self {
                kind,
                block_len,
                strong_len,
                bytes,
            }),
            (blocks, extra) => Err(Error::SignatureTrailing { blocks, extra }),
        }
    }

    /// The signature of an empty file.
    fn empty(kind: SignatureKind, block_len: BlockLen, strong_len: usize) -> Self {
        let header = [kind.magic(), block_len.get(), strong_len as u32];
        let bytes = header
            .iter()
            .flat_map(|number| number.to_be_bytes())
            .collect();
        Self {
            kind,
            block_len,
            strong_len,
            bytes,
        }
    }

    /// The encoded signature.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The encoded signature, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A copy of the encoded signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The length of the encoded signature.
    pub fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    /// Which checksums the signature consists of.
    pub fn kind(&self) -> SignatureKind {
        self.kind
    }

    /// The length of all blocks but the last.
    pub fn block_len(&self) -> BlockLen {
        self.block_len
    }

    /// The length of a strong checksum in bytes.
    pub fn strong_len(&self) -> usize {
        self.strong_len
    }

    /// How many blocks the file has.
    pub fn blocks(&self) -> usize {
        (self.bytes.len() - HEADER_LEN) / self.entry_len()
    }

    /// The weak checksum of a block below [`Self::blocks`].
    pub(crate) fn weak(&self, block: usize) -> u32 {
        be_u32(&self.bytes, HEADER_LEN + block * self.entry_len())
    }

    /// The strong checksum of a block below [`Self::blocks`].
    pub(crate) fn strong(&self, block: usize) -> &[u8] {
        let at = HEADER_LEN + block * self.entry_len() + WEAK_LEN;
        &self.bytes[at..at + self.strong_len]
    }

    /// Whether there is such a block and it has these checksums.
    pub(crate) fn has(&self, block: usize, sum: &BlockSum) -> bool {
        block < self.blocks()
            && self.weak(block) == sum.weak
            && *self.strong(block) == sum.strong[..self.strong_len]
    }

    /// The checksums of a block, if there is such a block; the strong one as far as it is kept.
    pub(crate) fn sum(&self, block: usize) -> Option<BlockSum> {
        (block < self.blocks()).then(|| {
            let mut strong = [0; MAX_LEN];
            strong[..self.strong_len].copy_from_slice(self.strong(block));
            BlockSum {
                weak: self.weak(block),
                strong,
            }
        })
    }

    fn push(&mut self, sum: &BlockSum) {
        self.bytes.extend_from_slice(&sum.weak.to_be_bytes());
        self.bytes.extend_from_slice(&sum.strong[..self.strong_len]);
    }

    fn entry_len(&self) -> usize {
        WEAK_LEN + self.strong_len
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature")
            .field("kind", &self.kind)
            .field("block_len", &self.block_len.get())
            .field("strong_len", &self.strong_len)
            .field("blocks", &self.blocks())
            .finish()
    }
}

fn be_u32(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4]
        .iter()
        .fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// Makes the [`Signature`] of a stream: rollsum and MD4, with strong checksums of 8 bytes.
///
/// Holds back up to 16 blocks, which are summed side by side. Chunks of [`BlockLen::piece_len`]
/// bytes are best: they are not copied.
#[derive(Debug)]
pub struct SignatureBuilder {
    sums: Sums,
    window: Window,
}

impl SignatureBuilder {
    /// Starts with the first byte of a file; see [`block_len`](crate::block_len()).
    pub fn new(block_len: BlockLen) -> Self {
        Self {
            sums: Sums::new(block_len),
            window: Window::default(),
        }
    }

    /// Adds the next bytes of the file.
    pub fn update(&mut self, chunk: &[u8]) {
        self.window.push(chunk, |bytes| self.sums.add_groups(bytes));
    }

    /// Completes the signature with the last, maybe short, block.
    pub fn finish(self) -> Signature {
        self.sums.finish(self.window.rest())
    }
}

/// A signature that grows, without the bytes that it still lacks.
#[derive(Debug)]
pub(crate) struct Sums {
    signature: Signature,
    summer: BlockSummer,
}

impl Sums {
    pub(crate) fn new(block_len: BlockLen) -> Self {
        let kind = SignatureKind::Md4;
        let signature = Signature::empty(kind, block_len, STRONG_LEN);
        Self {
            signature,
            summer: BlockSummer::new(kind, block_len),
        }
    }

    /// The signature of the bytes summed.
    pub(crate) fn signature(&self) -> &Signature {
        &self.signature
    }

    /// How many bytes have been summed.
    pub(crate) fn bytes(&self) -> u64 {
        self.signature.blocks() as u64 * u64::from(self.signature.block_len.get())
    }

    /// Sums those of the next bytes that make whole groups of blocks, and returns their number.
    pub(crate) fn add_groups(&mut self, bytes: &[u8]) -> usize {
        let group_len = self.summer.group_len();
        let groups = bytes.chunks_exact(group_len);
        let left = groups.remainder().len();
        for group in groups {
            self.add_blocks(group);
        }
        bytes.len() - left
    }

    /// Sums all that is left of the file.
    pub(crate) fn finish(mut self, rest: &[u8]) -> Signature {
        let last = rest.len() % self.signature.block_len.as_usize();
        let (blocks, last) = rest.split_at(rest.len() - last);
        self.add_blocks(blocks);
        if !last.is_empty() {
            self.signature
                .push(&BlockSum::of(self.signature.kind, last));
        }
        self.signature
    }

    fn add_blocks(&mut self, blocks: &[u8]) {
        for sum in self.summer.sums_of_run(blocks) {
            self.signature.push(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn signature_of(data: &[u8], block_len: u32) -> Signature {
        let mut builder = SignatureBuilder::new(BlockLen::new(block_len).unwrap());
        builder.update(data);
        builder.finish()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    proptest! {
        #[test]
        fn the_length_of_a_file_is_told_but_for_its_last_block(len in 0..5000_usize, block_len in 1..700_u32) {
            let signature = signature_of(&vec![7; len], block_len).into_bytes();
            let shape = SignatureShape::parse(signature.first_chunk().unwrap()).unwrap();
            let told = shape.file_len(signature.len() as u64).unwrap();
            prop_assert!(told.contains(&(len as u64)), "{len} is not in {told:?}");
            prop_assert!(told.end() - told.start() < u64::from(block_len));
            prop_assert_eq!(len == 0, *told.end() == 0);
            prop_assert_eq!(shape.file_len(signature.len() as u64 + 1), None);
        }
    }

    #[test]
    fn agrees_with_the_examples_of_the_specification() {
        let fox = b"The quick brown fox\n".repeat(50);
        for (data, signature) in [
            (&b""[..], "727301360000020000000008"),
            (b"x", "7273013600000200000000080097009751b834b7c1ef0b59"),
            (
                &fox,
                "727301360000020000000008ba00f42787983abeb34b0fd54168e89becbad97b903a66d6",
            ),
        ] {
            assert_eq!(hex(signature_of(data, 512).as_bytes()), signature);
        }
    }

    #[test]
    fn three_mebibytes_have_1536_blocks_by_the_rule_of_duplicity_3() {
        let signature = signature_of(&vec![0; 3 << 20], crate::block_len(3 << 20, None).get());
        assert_eq!(
            (signature.blocks(), signature.encoded_len()),
            (1536, 18_444)
        );
    }

    #[test]
    fn headers_out_of_range_are_refused() {
        let header = |numbers: [u32; 3]| numbers.map(u32::to_be_bytes).concat();
        let parse = |numbers| Signature::parse(header(numbers));
        assert!(parse([0x7273_0136, 512, 16]).is_ok());
        assert!(parse([0x7273_0147, 512, 32]).is_ok());
        assert!(matches!(
            parse([0x7273_0236, 512, 8]),
            Err(Error::SignatureMagic(0x7273_0236))
        ));
        assert!(matches!(
            parse([0x7273_0136, 0, 8]),
            Err(Error::BlockLen(0))
        ));
        assert!(matches!(
            parse([0x7273_0136, u32::MAX, 8]),
            Err(Error::BlockLen(u32::MAX))
        ));
        assert!(matches!(
            parse([0x7273_0136, 512, 17]),
            Err(Error::StrongLen(17))
        ));
        assert!(matches!(
            parse([0x7273_0136, 512, 7]),
            Err(Error::StrongLen(7))
        ));
        assert!(matches!(
            parse([0x7273_0137, 512, 33]),
            Err(Error::StrongLen(33))
        ));
    }

    #[test]
    fn a_cut_or_extended_signature_is_refused() {
        let whole = signature_of(&[7; 2000], 512).into_bytes();
        assert_eq!(whole.len(), 12 + 4 * 12);
        for len in 0..whole.len() {
            match Signature::parse(&whole[..len]) {
                Err(Error::SignatureTruncated(found)) => assert!(found == len && len < 12),
                Err(Error::SignatureTrailing { blocks, extra }) => {
                    assert_eq!(12 + blocks * 12 + extra, len);
                }
                Err(other) => panic!("{other}"),
                Ok(signature) => assert_eq!(signature.encoded_len() % 12, 0),
            }
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_keeps_what_it_accepts(mut bytes in prop::collection::vec(any::<u8>(), 0..200), plausible: bool) {
            if plausible {
                let header = [0x72, 0x73, 1, 0x37, 0, 0, 2, 0, 0, 0, 0, 9];
                bytes.splice(..bytes.len().min(12), header);
            }
            if let Ok(signature) = Signature::parse(bytes.as_slice()) {
                prop_assert_eq!(signature.as_bytes(), bytes.as_slice());
            }
        }

        #[test]
        fn does_not_depend_on_how_the_file_is_cut(
            data in prop::collection::vec(any::<u8>(), 0..6000),
            cuts in prop::collection::vec(1usize..900, 1..30),
            block_len in 1u32..600,
        ) {
            let mut builder = SignatureBuilder::new(BlockLen::new(block_len).unwrap());
            let mut rest = data.as_slice();
            for cut in cuts {
                let (chunk, next) = rest.split_at(cut.min(rest.len()));
                builder.update(chunk);
                rest = next;
            }
            builder.update(rest);
            let blocks: Vec<_> = data.chunks(block_len as usize).collect();
            let signature = builder.finish();
            prop_assert_eq!(signature.blocks(), blocks.len());
            for (at, block) in blocks.into_iter().enumerate() {
                prop_assert!(signature.has(at, &BlockSum::of(SignatureKind::Md4, block)));
            }
        }
    }
}
