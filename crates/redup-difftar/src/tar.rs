//! The tar flavours of backup archives.
//!
//! Written: POSIX pax as Python's `tarfile` does since version 3.8, byte for byte ([`encode_header`]). Read: that, and
//! GNU tar with long names and base-256 numbers ([`TarReader`]).
//!
//! The header blocks themselves are the `tar` crate's. Its writer is not used because it spells checksums and long
//! names differently, nor its pax parser, because that one splits records at newlines, which names may contain.

mod header;
mod limits;
mod number;
mod pax;
mod reader;

pub use header::{encode_header, padding};
pub use limits::Limits;
pub use reader::{TarMember, TarReader};

/// The unit of tar: headers are one block, payloads are padded to whole ones.
pub const BLOCK_LEN: usize = 512;

/// Archives end in zeros up to a multiple of this many bytes, twenty blocks.
pub const RECORD_LEN: usize = 20 * BLOCK_LEN;

/// Type bytes of a tar header.
pub mod type_flag {
    /// A regular file. Archives older than POSIX have a NUL there, which is read as this.
    pub const REGULAR: u8 = b'0';
    /// A symbolic link.
    pub const SYMLINK: u8 = b'2';
    /// A character device.
    pub const CHAR_DEVICE: u8 = b'3';
    /// A block device.
    pub const BLOCK_DEVICE: u8 = b'4';
    /// A directory.
    pub const DIRECTORY: u8 = b'5';
    /// A named pipe.
    pub const FIFO: u8 = b'6';
    /// Pax records for the next member.
    pub(crate) const PAX: u8 = b'x';
    /// Pax records for all members that follow.
    pub(crate) const PAX_GLOBAL: u8 = b'g';
    /// GNU: the name of the next member.
    pub(crate) const LONG_NAME: u8 = b'L';
    /// GNU: the link target of the next member.
    pub(crate) const LONG_LINK: u8 = b'K';
}

/// The zeros that end an archive of `len` bytes: always at least one block, up to the next multiple of
/// [`RECORD_LEN`].
pub(crate) fn end_padding(len: u64) -> &'static [u8] {
    static ZEROS: [u8; RECORD_LEN] = [0; RECORD_LEN];
    let used = usize::try_from(len % RECORD_LEN as u64).unwrap_or(0);
    ZEROS.get(used..).unwrap_or(&ZEROS)
}
