//! Checksums on uploads.
//!
//! Every upload names CRC32 on create, each part and complete, with the value computed here: that
//! form works on the most servers, and lets the server find damage on the way. It is of the whole object,
//! not a checksum of the parts' checksums, so that HEAD tells whether an object is what was sent; a server
//! that keeps no such checksum says so on create, and is asked for those of the parts alone.
//!
//! Servers other than Amazon's that know none are sent none: a [`Habit`](crate::habit::Habit).

use aws_smithy_types::base64;
use redup_storage::ErrorKind;

use crate::error::Failure;

/// Whether a server may mean checksums when it refuses an upload like this: servers that do not know them
/// have many words for it. What we know to be about something else is not that.
pub(crate) fn may_be_about_checksums(failure: &Failure) -> bool {
    match (failure.status, failure.code.as_deref()) {
        (Some(501), _) => true,
        (
            Some(400..=499),
            Some(
                "MalformedXML"
                | "MethodNotAllowed"
                | "NotImplemented"
                | "SignatureDoesNotMatch"
                | "XAmzContentSHA256Mismatch",
            ),
        ) => true,
        (Some(400..=499), _) => failure.kind() == ErrorKind::Other,
        _ => false,
    }
}

/// The CRC32 of `data` as the protocol writes it.
pub(crate) fn crc32(data: &[u8]) -> String {
    encode(crc32fast::hash(data))
}

/// A CRC32 as the protocol writes it.
pub(crate) fn encode(crc32: u32) -> String {
    base64::encode(crc32.to_be_bytes())
}

/// A CRC32 that was written so.
pub(crate) fn decode(text: &str) -> Option<u32> {
    let bytes = base64::decode(text).ok()?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}

/// The CRC32 of pieces behind each other, each given by its own and its length.
pub(crate) fn combine(pieces: impl IntoIterator<Item = (u32, u64)>) -> u32 {
    let mut whole = crc32fast::Hasher::new();
    for (crc32, len) in pieces {
        whole.combine(&crc32fast::Hasher::new_with_initial_len(crc32, len));
    }
    whole.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_big_endian_base64() {
        assert_eq!(crc32(b"123456789"), "y/Q5Jg==");
        assert_eq!(decode("y/Q5Jg=="), Some(0xcbf4_3926));
        for text in ["", "y/Q5Jg==-2", "y/Q5JgAA"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn that_of_the_whole_follows_from_those_of_the_parts() {
        let pieces = [&b"1234"[..], b"", b"56789"];
        let known = pieces.map(|piece| (crc32fast::hash(piece), piece.len() as u64));
        assert_eq!(encode(combine(known)), crc32(b"123456789"));
    }
}
