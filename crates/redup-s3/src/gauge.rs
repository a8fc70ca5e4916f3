//! Watches the requests of a store, and tells [`Pace`] what they took.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_smithy_types::retry::ErrorKind;

use crate::pace::Pace;

/// Uploads that most lines are used well with: throughput grows almost linearly up to there.
const UPLOADS: usize = 8;

/// Beyond this, servers begin to refuse, and little is won.
///
/// Downloads begin with it: what is read in order waits for the slowest, and a connection that is
/// added on the way takes ten round trips to become as fast as the others.
const MOST: usize = 16;

/// What a server can make us wait with `Retry-After`.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The watch of one store. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Gauge {
    start: Instant,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    up: Lane,
    down: Lane,
}

/// Where the bytes of a request go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Up,
    Down,
}

/// The requests of one way: what suits uploads tells nothing of downloads.
#[derive(Debug)]
struct Lane {
    in_flight: usize,
    pace: Pace,
}

impl Lane {
    fn new(start: usize, fixed: Option<usize>) -> Self {
        let pace = match fixed {
            Some(fixed) => Pace::fixed(fixed),
            None => Pace::searching(start, MOST),
        };
        Self { in_flight: 0, pace }
    }
}

impl State {
    fn lane(&mut self, way: Way) -> &mut Lane {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    fn paces(&mut self) -> [&mut Pace; 2] {
        [&mut self.up.pace, &mut self.down.pace]
    }
}

impl Gauge {
    /// The number of requests at once is searched for, unless it is given.
    pub(crate) fn new(connections: Option<usize>) -> Self {
        let state = State {
            up: Lane::new(UPLOADS, connections),
            down: Lane::new(MOST, connections),
        };
        Self {
            start: Instant::now(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// How many requests to have under way.
    pub(crate) fn at_once(&self, way: Way) -> usize {
        self.state().lane(way).pace.limit()
    }

    /// How long a range should be, within bounds.
    pub(crate) fn range_size(&self, least: u64, most: u64) -> u64 {
        self.state().down.pace.size(least, most)
    }

    /// A request that moves data begins.
    pub(crate) fn begin(&self, way: Way) -> Running {
        self.state().lane(way).in_flight += 1;
        Running {
            gauge: self.clone(),
            way,
            begun: Instant::now(),
        }
    }

    /// A request without a body was answered after `took`.
    pub(crate) fn answered(&self, took: Duration) {
        for pace in self.state().paces() {
            pace.answered(took);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that moves data, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    gauge: Gauge,
    way: Way,
    begun: Instant,
}

impl Running {
    /// It has succeeded.
    pub(crate) fn moved(self, bytes: u64) {
        let now = self.gauge.start.elapsed();
        let mut state = self.gauge.state();
        let Lane { in_flight, pace } = state.lane(self.way);
        pace.moved(bytes, self.begun.elapsed(), *in_flight, now);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.gauge.state().lane(self.way).in_flight -= 1;
    }
}

/// A time to wait that a server names. Dates, which the header may hold as well, are left to our own
/// waits: they are as wrong as the clocks. No wait that is asked for is longer than our longest.
pub(crate) fn retry_after(text: &str) -> Option<Duration> {
    let seconds = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// Sees every answer, those that the SDK gets over by itself too, and notes a server that asks to be
/// spared.
impl ClassifyRetry for Gauge {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let status = context.response().map(|answer| answer.status().as_u16());
        if !matches!(status, Some(429 | 503)) {
            return RetryAction::NoActionIndicated;
        }
        let now = self.start.elapsed();
        for pace in self.state().paces() {
            pace.spare(now);
        }
        let header = |answer: &HttpResponse| answer.headers().get("retry-after").map(str::to_owned);
        match context
            .response()
            .and_then(header)
            .as_deref()
            .and_then(retry_after)
        {
            Some(wait) => {
                RetryAction::retryable_error_with_explicit_delay(ErrorKind::ThrottlingError, wait)
            }
            // The SDK repeats what is answered with 503, and of 429 what has a code that it knows.
            None => RetryAction::throttling_error(),
        }
    }

    fn name(&self) -> &'static str {
        "Gauge"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_once(gauge: &Gauge) -> (usize, usize) {
        (gauge.at_once(Way::Up), gauge.at_once(Way::Down))
    }

    #[test]
    fn a_number_that_was_given_holds_for_both_ways() {
        assert_eq!(at_once(&Gauge::new(Some(3))), (3, 3));
    }

    #[test]
    fn downloads_begin_with_all_and_a_near_server_gets_few_of_either() {
        let gauge = Gauge::new(None);
        gauge.answered(Duration::from_millis(20));
        assert_eq!(at_once(&gauge), (8, 16));
        gauge.answered(Duration::from_millis(1));
        assert_eq!(at_once(&gauge), (2, 2));
    }

    #[test]
    fn what_one_way_is_used_for_tells_nothing_of_the_other() {
        let gauge = Gauge::new(None);
        gauge.answered(Duration::from_micros(100));
        let took = Duration::from_millis(1);
        for requests in 1..100 {
            let Lane { pace, .. } = &mut gauge.state().down;
            pace.moved(1 << 20, took, 2, took * requests);
        }
        assert_eq!(at_once(&gauge), (2, 4));
        drop(gauge.begin(Way::Up));
        gauge.begin(Way::Up).moved(1 << 20);
        assert_eq!(at_once(&gauge), (2, 4));
    }

    #[test]
    fn the_time_that_a_server_names_has_a_limit() {
        let seconds = |text| retry_after(text).map(|wait| wait.as_secs());
        assert_eq!(seconds("3"), Some(3));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("86400"), Some(60));
        assert_eq!(seconds("Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(seconds("-1"), None);
    }
}
