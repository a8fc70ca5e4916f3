//! The encrypted data packets: everything that carries the bulk of a message.

mod mdc_reader;
mod mdc_writer;
mod no_mdc;
pub(crate) mod ocb;
mod ocb_reader;

pub(crate) use mdc_reader::MdcReader;
pub(crate) use mdc_writer::MdcWriter;
pub(crate) use no_mdc::NoMdcReader;
pub(crate) use ocb_reader::LockedOcb;

use std::io::{self, Read};

use crate::cipher::Cipher;
use crate::error::{Error, Result};

/// Octets decrypted at a time: a multiple of every block length, and small enough to stay in cache between the
/// cipher and the hash.
const STEP: usize = 1 << 16;

/// Header of an MDC packet: type 19 in the new format, 20 octets.
const MDC_HEADER: [u8; 2] = [0xD3, 20];

/// The MDC packet as a whole.
const MDC_LEN: usize = 22;

/// Whether `key` opens data whose first ciphertext octets are `start`.
///
/// Looks at the two repeated octets of the prefix and at the first packet header behind it, which together
/// accept about one wrong key in 700,000. `start` must hold the block length and three more octets. `resync` is for
/// packets without MDC, where the stream restarts behind the prefix.
pub(crate) fn key_fits(cipher: Cipher, key: &[u8], start: &[u8], resync: bool) -> Result<bool> {
    let block = cipher.block_len();
    let mut prefix = start[..block + 3].to_vec();
    cipher.decryptor(key, &[])?.apply(&mut prefix);
    if resync {
        let mut first = [start[block + 2]];
        cipher
            .decryptor(key, &start[2..block + 2])?
            .apply(&mut first);
        prefix[block + 2] = first[0];
    }
    Ok(prefix[block - 2..block] == prefix[block..block + 2] && plausible_header(prefix[block + 2]))
}

/// Whether an octet can start the content of an encrypted packet: a compressed, literal, signature, one-pass
/// signature, marker or padding packet.
pub(crate) fn plausible_header(octet: u8) -> bool {
    use crate::packet::tag;
    let tag = match octet {
        0..0x80 => return false,
        0x80..0xC0 => (octet >> 2) & 15,
        0xC0.. => octet & 63,
    };
    matches!(
        tag,
        tag::SIGNATURE
            | tag::ONE_PASS_SIGNATURE
            | tag::COMPRESSED
            | tag::MARKER
            | tag::LITERAL
            | tag::PADDING
    )
}

/// Reads the head of an encrypted data packet.
pub(crate) fn exactly<const N: usize>(src: &mut impl Read) -> Result<[u8; N]> {
    let mut start = [0; N];
    src.read_exact(&mut start)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::truncated("encrypted data"),
            _ => Error::from_io(error),
        })?;
    Ok(start)
}

/// A source with the octets already taken from it put back.
pub(crate) type Rewound<S> = io::Chain<io::Cursor<Vec<u8>>, S>;

fn rewind<S: Read>(start: &[u8], src: S) -> Rewound<S> {
    io::Cursor::new(start.to_vec()).chain(src)
}

/// Reads until `buf` is full or the data end.
fn read_full(src: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match src.read(&mut buf[filled..]) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
