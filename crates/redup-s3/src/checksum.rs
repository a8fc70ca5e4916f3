//! Checksums on uploads, and servers that do not want them.
//!
//! Every upload names CRC32 on create, each part and complete, with the value computed here: that
//! form works on the most servers, and lets the server find damage on the way. It is of the whole object,
//! not a checksum of the parts' checksums, so that HEAD tells whether an object is what was sent. A server other than
//! Amazon's that refuses its first upload because of it is asked again without, and so for the
//! rest of the run.

use std::sync::atomic::{AtomicU8, Ordering};

use aws_smithy_types::base64;

use crate::error::Failure;

/// Whether uploads carry checksums.
#[derive(Debug)]
pub(crate) struct Checksums {
    state: AtomicU8,
    may_be_refused: bool,
    /// Whether uploads ask for something else that a server may not have.
    asks_more: bool,
}

/// Checksums are sent, and no upload has succeeded yet.
const TRIED: u8 = 0;
/// Checksums are sent, and the server is known to take them.
const PROVEN: u8 = 1;
/// No checksums are sent.
const OFF: u8 = 2;

impl Checksums {
    /// Checksums from the start, if `wanted`; given up when refused, if `may_be_refused`.
    pub(crate) fn new(wanted: bool, may_be_refused: bool) -> Self {
        Self {
            state: AtomicU8::new(if wanted { TRIED } else { OFF }),
            may_be_refused,
            asks_more: false,
        }
    }

    /// The same where uploads ask for something else that a server may not have, if `asks_more`: then one
    /// that does not do something (501) has to name checksums.
    pub(crate) fn among_others(self, asks_more: bool) -> Self {
        Self { asks_more, ..self }
    }

    /// Whether the next upload is to carry checksums.
    pub(crate) fn enabled(&self) -> bool {
        self.state.load(Ordering::Acquire) != OFF
    }

    /// An upload with checksums has succeeded: what fails from here on has other reasons.
    pub(crate) fn proven(&self) {
        let exchange = (Ordering::AcqRel, Ordering::Relaxed);
        self.state
            .compare_exchange(TRIED, PROVEN, exchange.0, exchange.1)
            .ok();
    }

    /// What to make of an upload with checksums that failed.
    pub(crate) fn refused(&self, failure: &Failure) -> Verdict {
        if !self.may_be_refused || !looks_like_refusal(failure, self.asks_more) {
            return Verdict::Unrelated;
        }
        match self
            .state
            .compare_exchange(TRIED, OFF, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => Verdict::GivenUp,
            Err(OFF) => Verdict::GivenUpBefore,
            Err(_) => Verdict::Unrelated,
        }
    }
}

/// Whether a failed upload should be tried again without checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It failed for another reason.
    Unrelated,
    /// Yes, and this is the first to find it out.
    GivenUp,
    /// Yes, as another request has found out meanwhile.
    GivenUpBefore,
}

/// The answers that servers were seen to give to checksums they do not know.
fn looks_like_refusal(failure: &Failure, asks_more: bool) -> bool {
    let message = failure.message.as_deref().unwrap_or_default();
    let message = message.to_ascii_lowercase();
    let names_checksums = || message.contains("checksum");
    let names_it = || {
        ["checksum", "x-amz-", "aws-chunked", "trailer"]
            .iter()
            .any(|word| message.contains(word))
    };
    match (failure.status, failure.code.as_deref()) {
        (Some(400..=499), Some("InvalidArgument" | "InvalidDigest" | "UnsupportedArgument")) => {
            names_it()
        }
        (
            Some(400..=403),
            Some("InvalidRequest" | "XAmzContentSHA256Mismatch" | "SignatureDoesNotMatch"),
        ) => true,
        (Some(501), _) => !asks_more || names_checksums(),
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

    #[test]
    fn refusals_of_servers_are_recognised() {
        for (status, code, message) in [
            (400, "XAmzContentSHA256Mismatch", ""),
            (
                400,
                "InvalidArgument",
                "Unsupported header 'x-amz-sdk-checksum-algorithm'",
            ),
            (403, "SignatureDoesNotMatch", ""),
            (501, "NotImplemented", ""),
        ] {
            let checksums = Checksums::new(true, true);
            assert_eq!(
                checksums.refused(&Failure::answered(status, code, message)),
                Verdict::GivenUp
            );
            assert!(!checksums.enabled());
            let again = checksums.refused(&Failure::answered(status, code, message));
            assert_eq!(
                again,
                Verdict::GivenUpBefore,
                "a request in flight at the time"
            );
        }
    }

    #[test]
    fn other_failures_change_nothing() {
        let checksums = Checksums::new(true, true);
        for (status, code) in [
            (403, "AccessDenied"),
            (400, "InvalidArgument"),
            (503, "SlowDown"),
        ] {
            assert_eq!(
                checksums.refused(&Failure::answered(status, code, "class")),
                Verdict::Unrelated
            );
        }
        assert!(checksums.enabled());
    }

    #[test]
    fn a_server_without_a_key_service_or_a_class_is_not_taken_to_refuse_checksums() {
        let refusal = Failure::answered(501, "NotImplemented", "server side encryption");
        let with_kms = Checksums::new(true, true).among_others(true);
        assert_eq!(with_kms.refused(&refusal), Verdict::Unrelated);
        let named = Failure::answered(501, "NotImplemented", "x-amz-checksum-crc32");
        assert_eq!(with_kms.refused(&named), Verdict::GivenUp);
    }

    #[test]
    fn a_server_that_took_them_once_and_amazon_are_not_doubted() {
        let refusal = Failure::answered(403, "SignatureDoesNotMatch", "");
        let proven = Checksums::new(true, true);
        proven.proven();
        assert_eq!(proven.refused(&refusal), Verdict::Unrelated);
        assert_eq!(
            Checksums::new(true, false).refused(&refusal),
            Verdict::Unrelated
        );
        let off = Checksums::new(false, true);
        off.proven();
        assert!(!off.enabled());
    }
}
