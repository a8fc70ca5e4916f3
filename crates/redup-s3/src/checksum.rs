//! Checksums on uploads, and servers that do not want them.
//!
//! Every upload names CRC32 on create, each part and complete, with the value computed here: that
//! form works on the most servers, and lets the server find damage on the way. It is of the whole object,
//! not a checksum of the parts' checksums, so that HEAD tells whether an object is what was sent; a server
//! that keeps no such checksum says so on create, and is asked for those of the parts alone.
//!
//! A server other than Amazon's that refuses its first upload for a reason that may be this one is asked
//! again without. If that helps, so it stays for the rest of the run, and the user is told.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_smithy_types::base64;
use redup_storage::ErrorKind;

use crate::error::Failure;

/// Whether uploads carry checksums.
#[derive(Debug)]
pub(crate) struct Checksums {
    state: Mutex<State>,
    may_be_refused: bool,
}

#[derive(Debug)]
enum State {
    /// They are sent, and no upload has succeeded yet.
    Tried,
    /// They are sent, and the server is known to take them.
    Taken,
    /// They are left out to see whether that helps, since this was the answer to them.
    Doubted { answer: String },
    /// They are not sent.
    Off,
}

impl Checksums {
    /// Checksums from the start, if `wanted`; given up when refused, if `may_be_refused`.
    pub(crate) fn new(wanted: bool, may_be_refused: bool) -> Self {
        let state = if wanted { State::Tried } else { State::Off };
        Self {
            state: Mutex::new(state),
            may_be_refused,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the next upload is to carry checksums.
    pub(crate) fn enabled(&self) -> bool {
        matches!(*self.state(), State::Tried | State::Taken)
    }

    /// Data was taken, with checksums or without. Returns what the server answered to them, once, when it
    /// turns out to have been about them.
    pub(crate) fn succeeded(&self, with: bool) -> Option<String> {
        let mut state = self.state();
        match (&mut *state, with) {
            (State::Tried | State::Doubted { .. }, true) => *state = State::Taken,
            (State::Doubted { answer }, false) => {
                let answer = std::mem::take(answer);
                *state = State::Off;
                return Some(answer);
            }
            _ => {}
        }
        None
    }

    /// Data was refused, with checksums or without: whether to send it again without.
    pub(crate) fn failed(&self, with: bool, failure: &Failure) -> bool {
        if !self.may_be_refused || !may_be_about_checksums(failure) {
            return false;
        }
        let mut state = self.state();
        match (&*state, with) {
            (State::Tried, true) => {
                let answer = failure.answer();
                *state = State::Doubted { answer };
                true
            }
            // Another request has found it out meanwhile.
            (State::Doubted { .. } | State::Off, true) => true,
            // It was about something else.
            (State::Doubted { .. }, false) => {
                *state = State::Tried;
                false
            }
            _ => false,
        }
    }
}

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

    /// What servers were seen to answer to checksums that they do not know.
    const REFUSALS: [(u16, &str, &str); 6] = [
        (400, "XAmzContentSHA256Mismatch", ""),
        (
            400,
            "InvalidArgument",
            "Unsupported header 'x-amz-sdk-checksum-algorithm'",
        ),
        (400, "InvalidRequest", "aws-chunked is not supported"),
        (400, "", ""),
        (403, "SignatureDoesNotMatch", ""),
        (501, "NotImplemented", ""),
    ];

    fn answered((status, code, message): (u16, &str, &str)) -> Failure {
        Failure::answered(status, code, message)
    }

    #[test]
    fn what_helps_when_left_out_stays_out_and_is_told_once() {
        for refusal in REFUSALS.map(answered) {
            let checksums = Checksums::new(true, true);
            assert!(checksums.failed(true, &refusal));
            assert!(checksums.failed(true, &refusal), "a request in flight then");
            assert!(!checksums.enabled());
            assert_eq!(checksums.succeeded(false), Some(refusal.answer()));
            assert_eq!(checksums.succeeded(false), None);
            assert!(!checksums.enabled());
            assert!(!checksums.failed(false, &refusal));
        }
    }

    #[test]
    fn what_does_not_help_when_left_out_was_not_the_reason() {
        for refusal in REFUSALS.map(answered) {
            let checksums = Checksums::new(true, true);
            assert!(checksums.failed(true, &refusal));
            assert!(!checksums.failed(false, &refusal));
            assert!(checksums.enabled());
            assert_eq!(checksums.succeeded(true), None);
            assert!(!checksums.failed(true, &refusal), "they were taken since");
        }
    }

    #[test]
    fn what_arrives_with_them_while_they_are_doubted_clears_them() {
        for refusal in REFUSALS.map(answered) {
            let checksums = Checksums::new(true, true);
            assert!(checksums.failed(true, &refusal));
            // It was on its way then.
            assert_eq!(checksums.succeeded(true), None);
            assert!(checksums.enabled());
            assert_eq!(checksums.succeeded(false), None, "which says nothing then");
            assert!(checksums.enabled());
            assert!(!checksums.failed(true, &refusal));
        }
    }

    #[test]
    fn other_failures_change_nothing() {
        let checksums = Checksums::new(true, true);
        for (status, code) in [
            (403, "AccessDenied"),
            (403, ""),
            (400, "ExpiredToken"),
            (400, "BadDigest"),
            (400, "InvalidStorageClass"),
            (404, "NoSuchBucket"),
            (503, "SlowDown"),
            (500, "InternalError"),
        ] {
            let failure = Failure::answered(status, code, "");
            assert!(!checksums.failed(true, &failure), "{code}");
        }
        assert!(checksums.enabled());
    }

    #[test]
    fn a_server_that_took_them_once_and_amazon_are_not_doubted() {
        for refusal in REFUSALS.map(answered) {
            let taken = Checksums::new(true, true);
            assert_eq!(taken.succeeded(true), None);
            assert!(!taken.failed(true, &refusal));
            assert!(!Checksums::new(true, false).failed(true, &refusal));
        }
        let off = Checksums::new(false, true);
        assert_eq!(off.succeeded(false), None);
        assert!(!off.enabled());
    }
}
