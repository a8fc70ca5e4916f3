//! How many requests at once, and how long each: found out while they run.
//!
//! It begins with a number that suits most lines, or a near server, and tries twice as many whenever all
//! allowed requests are in use: as long as throughput grows by a fifth with each step, it goes on; when
//! it does not, the step is taken back and tried again much later. A server that asks to be spared halves
//! the number, once a burst, and it grows back the same way. The size follows from what is known of the
//! line: a request should move many times what fits into one round trip, or waiting dominates.
//!
//! Pure: times are given, nothing waits.

use std::mem;
use std::time::Duration;

/// Throughput has to grow by this for a step up to be kept: twice the requests cost twice the memory, and
/// two measurements of the same differ by a tenth.
const WORTHWHILE: f64 = 1.2;

/// Measurements without a new try after one that did not pay, and near a server before the first.
const HOLD: u32 = 12;

/// Measurements without a try after the server asked to be spared.
const HOLD_SPARED: u32 = 3;

/// Refusals within this time are about the same requests.
const BURST: Duration = Duration::from_secs(2);

/// A request should take this many round trips.
const ROUND_TRIPS: f64 = 16.0;

/// Who answers this fast is near: requests wait for the processors and not for each other, and more of
/// them only take turns.
const NEAR: Duration = Duration::from_millis(2);

/// What to begin with there.
const FEW: usize = 2;

/// The weight of a new measurement in the rate of a connection.
const WEIGHT: f64 = 0.2;

/// The state of the search.
#[derive(Debug)]
pub(crate) struct Pace {
    limit: usize,
    most: usize,
    /// Nothing is known yet of what more or fewer requests would do.
    untried: bool,
    window: Option<Window>,
    /// The throughput and the limit before the step that is being tried.
    trial: Option<(f64, usize)>,
    hold: u32,
    spared_until: Duration,
    round_trip: Option<Duration>,
    rate: Option<f64>,
}

/// What was moved while every allowed request was in use.
#[derive(Debug)]
struct Window {
    since: Duration,
    bytes: u64,
    requests: usize,
}

impl Pace {
    /// A search from `start` requests at once to at most `most`.
    pub(crate) fn searching(start: usize, most: usize) -> Self {
        Self {
            limit: start.clamp(1, most.max(1)),
            most: most.max(1),
            untried: true,
            window: None,
            trial: None,
            hold: 0,
            spared_until: Duration::ZERO,
            round_trip: None,
            rate: None,
        }
    }

    /// No search: this many, unless the server asks to be spared.
    pub(crate) fn fixed(limit: usize) -> Self {
        let mut pace = Self::searching(limit, limit);
        pace.untried = false;
        pace
    }

    /// How many requests to have under way.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// A request without a body was answered after `took`.
    pub(crate) fn answered(&mut self, took: Duration) {
        let round_trip = self.round_trip.map_or(took, |known| known.min(took));
        self.round_trip = Some(round_trip);
        if self.untried && round_trip < NEAR && self.limit > FEW {
            self.limit = FEW;
            self.hold = HOLD;
        }
    }

    /// A request that took `took` has moved `bytes`, and ends now, with `in_flight` under way, itself
    /// included. `now` counts from any fixed moment.
    pub(crate) fn moved(&mut self, bytes: u64, took: Duration, in_flight: usize, now: Duration) {
        let moving = took.saturating_sub(self.round_trip.unwrap_or_default());
        let rate = bytes as f64 / moving.as_secs_f64().max(1e-3);
        self.rate = Some(
            self.rate
                .map_or(rate, |known| known + WEIGHT * (rate - known)),
        );
        // Fewer than allowed: the line is not what limits.
        if in_flight < self.limit {
            self.window = None;
            return;
        }
        let Some(window) = &mut self.window else {
            self.window = Some(Window {
                since: now,
                bytes: 0,
                requests: 0,
            });
            return;
        };
        window.bytes += bytes;
        window.requests += 1;
        if window.requests >= 2 * self.limit {
            let elapsed = now.saturating_sub(window.since).as_secs_f64().max(1e-6);
            let throughput = window.bytes as f64 / elapsed;
            self.window = None;
            self.judge(throughput);
        }
    }

    /// The server asked to be spared.
    pub(crate) fn spare(&mut self, now: Duration) {
        if now < self.spared_until {
            return;
        }
        self.untried = false;
        self.limit = (self.limit / 2).max(1);
        self.spared_until = now + BURST;
        self.hold = HOLD_SPARED;
        (self.trial, self.window) = (None, None);
    }

    /// How long a request should be, within these bounds; the lower one while nothing is known.
    pub(crate) fn size(&self, least: u64, most: u64) -> u64 {
        const STEP: u64 = 1 << 20;
        let (Some(round_trip), Some(rate)) = (self.round_trip, self.rate) else {
            return least.min(most);
        };
        let enough = round_trip.as_secs_f64() * rate * ROUND_TRIPS;
        (enough as u64).next_multiple_of(STEP).max(least).min(most)
    }

    fn judge(&mut self, throughput: f64) {
        // The first ones were slower than what follows: their connections were new.
        if mem::take(&mut self.untried) {
            return;
        }
        if self.hold > 0 {
            self.hold -= 1;
            return;
        }
        match self.trial.take() {
            Some((before, limit)) if throughput < before * WORTHWHILE => {
                self.limit = limit;
                self.hold = HOLD;
            }
            _ if self.limit < self.most => {
                self.trial = Some((throughput, self.limit));
                self.limit = (2 * self.limit).min(self.most);
            }
            _ => self.hold = HOLD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A line on which each connection has 5 MB/s, up to `connections` of them.
    struct Line {
        connections: usize,
        now: Duration,
    }

    impl Line {
        /// Runs `requests` of 8 MiB, always as many at once as allowed.
        fn run(&mut self, pace: &mut Pace, requests: usize) {
            for _ in 0..requests {
                let useful = pace.limit().min(self.connections);
                self.now += Duration::from_secs_f64(8.0 * MIB as f64 / 5e6 / useful as f64);
                let took = Duration::from_secs_f64(1.7);
                pace.moved(8 * MIB, took, pace.limit(), self.now);
            }
        }
    }

    fn line(connections: usize) -> Line {
        Line {
            connections,
            now: Duration::ZERO,
        }
    }

    #[test]
    fn more_requests_are_tried_as_long_as_they_pay() {
        for (connections, expected) in [(4, 8), (8, 8), (12, 16), (100, 16)] {
            let mut pace = Pace::searching(8, 16);
            line(connections).run(&mut pace, 200);
            assert_eq!(pace.limit(), expected, "{connections}");
        }
    }

    #[test]
    fn a_step_that_does_not_pay_is_taken_back_and_tried_again_later() {
        let mut pace = Pace::searching(8, 16);
        let mut line = line(8);
        line.run(&mut pace, 80);
        assert_eq!(pace.limit(), 8);
        line.connections = 16;
        line.run(&mut pace, 600);
        assert_eq!(pace.limit(), 16);
    }

    #[test]
    fn a_near_server_gets_few_requests_until_more_pay() {
        for (connections, expected) in [(4, 4), (100, 16)] {
            let mut pace = Pace::searching(8, 16);
            pace.answered(Duration::from_millis(30));
            assert_eq!(pace.limit(), 8);
            pace.answered(Duration::from_millis(1));
            assert_eq!(pace.limit(), 2);
            let mut line = line(connections);
            line.run(&mut pace, 200);
            assert_eq!(pace.limit(), expected);
            // What was found out stays.
            pace.answered(Duration::from_micros(100));
            assert_eq!(pace.limit(), expected);
        }
    }

    #[test]
    fn new_connections_are_slower_and_do_not_count() {
        let mut pace = Pace::searching(8, 16);
        let mut line = line(2);
        line.run(&mut pace, 17);
        line.connections = 8;
        line.run(&mut pace, 60);
        assert_eq!(pace.limit(), 8);
    }

    #[test]
    fn what_does_not_use_the_line_proves_nothing() {
        let mut pace = Pace::searching(8, 16);
        for second in 0..1000 {
            pace.moved(
                8 * MIB,
                Duration::from_secs(1),
                7,
                Duration::from_secs(second),
            );
        }
        assert_eq!(pace.limit(), 8);
    }

    #[test]
    fn a_server_that_asks_is_spared_once_a_burst_and_used_again_later() {
        let mut pace = Pace::searching(8, 16);
        let mut line = line(100);
        for millis in [0, 10, 500, 1900] {
            pace.spare(Duration::from_millis(millis));
        }
        assert_eq!(pace.limit(), 4);
        for second in [10, 20, 30] {
            pace.spare(Duration::from_secs(second));
        }
        assert_eq!(pace.limit(), 1);
        line.now = Duration::from_secs(60);
        line.run(&mut pace, 400);
        assert_eq!(pace.limit(), 16);
    }

    #[test]
    fn a_number_that_was_asked_for_stays_unless_the_server_asks_for_less() {
        let mut pace = Pace::fixed(3);
        pace.answered(Duration::from_micros(100));
        let mut line = line(100);
        line.run(&mut pace, 100);
        assert_eq!(pace.limit(), 3);
        pace.spare(Duration::from_secs(1000));
        assert_eq!(pace.limit(), 1);
        line.now = Duration::from_secs(1010);
        line.run(&mut pace, 100);
        assert_eq!(pace.limit(), 3);
    }

    #[test]
    fn long_round_trips_make_long_requests() {
        let mut pace = Pace::searching(8, 16);
        assert_eq!(pace.size(MIB, 32 * MIB), MIB);
        for (millis, expected) in [(100, 8), (20, 2), (1, 1)] {
            pace.answered(Duration::from_millis(millis));
            let took = Duration::from_millis(1000 + millis);
            for second in 0..50 {
                pace.moved(5_000_000, took, 1, Duration::from_secs(second));
            }
            assert_eq!(pace.size(MIB, 32 * MIB), expected * MIB, "{millis} ms");
        }
        assert_eq!(pace.size(4 * MIB, 2 * MIB), 2 * MIB);
    }
}
