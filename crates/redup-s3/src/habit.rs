//! What uploads do as long as the server takes it.
//!
//! A server that refuses the first upload for a reason that may be this one is asked again without. If that
//! helps, so it stays for the rest of the run, and the user is told.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Failure;

/// Something that uploads have, until it turns out to be what the server refuses.
#[derive(Debug)]
pub(crate) struct Habit {
    state: Mutex<State>,
    may_be_refused: Option<fn(&Failure) -> bool>,
}

#[derive(Debug)]
enum State {
    /// Uploads have it, and none has succeeded yet.
    Tried,
    /// Uploads have it, and the server is known to take it.
    Taken,
    /// It is left out to see whether that helps, since this was the answer to it.
    Doubted { answer: String },
    /// It is left out.
    Off,
}

impl Habit {
    /// Kept from the start, if `wanted`; given up after an answer of which `may_be_refused` says that it may
    /// be meant.
    pub(crate) fn new(wanted: bool, may_be_refused: Option<fn(&Failure) -> bool>) -> Self {
        let state = if wanted { State::Tried } else { State::Off };
        Self {
            state: Mutex::new(state),
            may_be_refused,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the next upload is to have it.
    pub(crate) fn enabled(&self) -> bool {
        matches!(*self.state(), State::Tried | State::Taken)
    }

    /// Data was taken, with it or without. Returns what the server answered to it, once, when that turns out
    /// to have been about it.
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

    /// Data was refused, with it or without: whether to send it again without.
    pub(crate) fn failed(&self, with: bool, failure: &Failure) -> bool {
        if !self.may_be_refused.is_some_and(|about| about(failure)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::may_be_about_checksums;

    fn checksums() -> Habit {
        Habit::new(true, Some(may_be_about_checksums))
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
            let checksums = checksums();
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
            let checksums = checksums();
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
            let checksums = checksums();
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
        let checksums = checksums();
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
            let taken = checksums();
            assert_eq!(taken.succeeded(true), None);
            assert!(!taken.failed(true, &refusal));
            assert!(!Habit::new(true, None).failed(true, &refusal));
        }
        let off = Habit::new(false, Some(may_be_about_checksums));
        assert_eq!(off.succeeded(false), None);
        assert!(!off.enabled());
    }
}
