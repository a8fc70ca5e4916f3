use std::io;

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be wrong with a signature, a delta, or the streams around them.
///
/// Offsets named `at` count bytes of the delta.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A block length outside of 1 to [`BlockLen::MAX`](crate::BlockLen::MAX).
    #[error("block length {0} is out of range")]
    BlockLen(u32),
    /// The signature starts with none of the four known magic numbers.
    #[error("not a signature: magic number {0:#010x}")]
    SignatureMagic(u32),
    /// The signature ends within its 12-byte header.
    #[error("signature of {0} bytes ends within its header")]
    SignatureTruncated(usize),
    /// Strong checksums so short that different blocks would be taken for equal, or longer than the hash.
    #[error("strong checksums of {0} bytes are not supported")]
    StrongLen(u32),
    /// After the last whole entry there are bytes too few for another one: the signature was cut, or something follows it.
    #[error("signature has {extra} bytes after the entry of block {blocks}")]
    SignatureTrailing {
        /// How many whole entries there are.
        blocks: usize,
        /// How many bytes follow them.
        extra: usize,
    },
    /// The delta does not start with its magic number.
    #[error("not a delta: magic number {0:#010x}")]
    DeltaMagic(u32),
    /// The delta ends before its end command.
    #[error("delta is cut short at byte {at}")]
    DeltaTruncated {
        /// Where bytes are missing.
        at: u64,
    },
    /// Bytes follow the end command of the delta.
    #[error("delta goes on after its end at byte {at}")]
    DeltaTrailing {
        /// The first byte too many.
        at: u64,
    },
    /// A command that the format does not know.
    #[error("unknown delta command {opcode:#04x} at byte {at}")]
    UnknownCommand {
        /// The unknown byte.
        opcode: u8,
        /// Its place.
        at: u64,
    },
    /// A command copies bytes that the basis does not have.
    #[error(
        "delta command at byte {at} copies {len} bytes from {offset} of a basis of {basis_len} bytes"
    )]
    CopyOutOfBounds {
        /// Where the command stands.
        at: u64,
        /// First byte to copy.
        offset: u64,
        /// How many bytes to copy.
        len: u64,
        /// How many bytes the basis has.
        basis_len: u64,
    },
    /// The delta makes a file longer than allowed by [`PatchLimits`](crate::PatchLimits).
    #[error("delta command at byte {at} makes more than the {limit} bytes allowed")]
    OutputTooLong {
        /// Where the command stands.
        at: u64,
        /// The limit that was exceeded.
        limit: u64,
    },
    /// Reading the delta failed.
    #[error("cannot read delta at byte {at}")]
    ReadDelta {
        /// How far it had been read.
        at: u64,
        /// Why it failed.
        source: io::Error,
    },
    /// Reading the basis failed.
    #[error("cannot read basis at byte {offset}")]
    ReadBasis {
        /// Where it was read.
        offset: u64,
        /// Why it failed.
        source: io::Error,
    },
    /// Writing the patched file failed.
    #[error("cannot write patched file at byte {offset}")]
    WriteOutput {
        /// How many bytes had been written.
        offset: u64,
        /// Why it failed.
        source: io::Error,
    },
}
