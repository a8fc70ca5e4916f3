//! How fast something moves, from looks at it at times that are handed in.
//!
//! What moves may come in bursts: parts of an upload that share a slow line end together, and for a minute
//! none does. So the memory is as long as a few of the pauses that were seen, and a pause counts when it is
//! over, or when it is longer than those before it.

use std::time::Duration;

/// A smoothed rate.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Seconds that are remembered at least.
    memory: f64,
    /// The share of the time so far that is remembered at least.
    share: f64,
    begun: f64,
    /// When it moved last, and how far it was then.
    last: f64,
    total: f64,
    /// The longest pause of late: what moves for half as long makes it forgotten.
    pause: f64,
    /// What was moved in how many seconds, the older the less.
    moved: f64,
    seconds: f64,
}

impl Pace {
    /// Nothing has moved yet at `now`, where the count is at `total`. The last `memory` count, or a `share` of
    /// all the time when that is longer.
    pub(crate) fn new(memory: Duration, share: f64, now: Duration, total: f64) -> Self {
        let now = now.as_secs_f64();
        Self {
            memory: memory.as_secs_f64(),
            share,
            begun: now,
            last: now,
            total,
            pause: 0.0,
            moved: 0.0,
            seconds: 0.0,
        }
    }

    /// The count is at `total` now. One that goes back is waited for.
    pub(crate) fn look(&mut self, now: Duration, total: f64) {
        let now = now.as_secs_f64();
        let seconds = now - self.last;
        if total <= self.total || seconds <= 0.0 {
            return;
        }
        self.pause = seconds.max(self.pause - 2.0 * seconds);
        let memory = self
            .memory
            .max(self.share * (now - self.begun))
            .max(2.0 * self.pause);
        let kept = (-seconds / memory).exp();
        self.moved = self.moved * kept + (total - self.total);
        self.seconds = self.seconds * kept + seconds;
        self.last = now;
        self.total = total;
    }

    /// The count goes on from `total`, at the rate so far.
    pub(crate) fn resume(&mut self, total: f64) {
        self.total = total;
    }

    /// Units a second; `None` before anything has moved.
    pub(crate) fn rate(&self, now: Duration) -> Option<f64> {
        let pause = self.still(now).as_secs_f64();
        let usual = pause <= 1.5 * self.pause + 1.0;
        let seconds = self.seconds + if usual { 0.0 } else { pause };
        (seconds > 0.0).then(|| self.moved / seconds)
    }

    /// For how long nothing has moved.
    pub(crate) fn still(&self, now: Duration) -> Duration {
        Duration::from_secs_f64((now.as_secs_f64() - self.last).max(0.0))
    }

    /// Whether nothing moves where something should: for longer than it ever paused of late.
    pub(crate) fn is_stalled(&self, now: Duration) -> bool {
        self.still(now).as_secs_f64() > (3.0 * self.pause).max(10.0)
    }

    /// Since when it is looked at.
    pub(crate) fn age(&self, now: Duration) -> Duration {
        Duration::from_secs_f64((now.as_secs_f64() - self.begun).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace::new(Duration::from_secs(5), 0.0, Duration::ZERO, 0.0)
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Looks ten times a second until `end`; what has moved by then is said by `total`.
    fn watch(pace: &mut Pace, from: f64, end: f64, total: impl Fn(f64) -> f64) {
        let mut now = from;
        while now < end {
            now += 0.1;
            pace.look(at(now), total(now));
        }
    }

    #[track_caller]
    fn near(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        let off = (found - expected).abs() / expected;
        assert!(off < 0.1, "{found}, not {expected}");
    }

    #[test]
    fn there_is_no_rate_before_anything_moves() {
        let mut pace = pace();
        pace.look(at(1.0), 0.0);
        assert_eq!(pace.rate(at(1.0)), None);
        assert!(!pace.is_stalled(at(10.0)) && pace.is_stalled(at(11.0)));
    }

    #[test]
    fn a_steady_rate_is_told_from_the_start() {
        let mut pace = pace();
        for second in [1.0, 10.0, 100.0] {
            watch(&mut pace, second - 1.0, second, |now| 7.0 * now);
            near(pace.rate(at(second)), 7.0);
        }
    }

    #[test]
    fn a_change_is_told_within_some_seconds() {
        let mut pace = pace();
        watch(&mut pace, 0.0, 60.0, |now| 100.0 * now);
        watch(&mut pace, 60.0, 75.0, |now| 6000.0 + 10.0 * (now - 60.0));
        let rate = pace.rate(at(75.0)).unwrap();
        assert!((10.0..16.0).contains(&rate), "{rate}");
    }

    #[test]
    fn bursts_far_apart_are_told_by_their_mean() {
        let mut pace = pace();
        // 64 units within two seconds, once a minute.
        let total = |now: f64| 64.0 * ((now / 60.0).floor() + (now % 60.0 / 2.0).min(1.0)) - 64.0;
        watch(&mut pace, 0.0, 300.0, total);
        for now in [303.0, 320.0, 359.0] {
            watch(&mut pace, now - 1.0, now, total);
            let rate = pace.rate(at(now)).unwrap();
            assert!((0.8..1.5).contains(&rate), "{rate} at {now}");
            assert!(!pace.is_stalled(at(now)));
        }
    }

    #[test]
    fn a_stall_brings_the_rate_down() {
        let mut pace = pace();
        watch(&mut pace, 0.0, 30.0, |now| now);
        near(pace.rate(at(31.0)), 1.0);
        assert!(pace.rate(at(60.0)).unwrap() < 0.2);
        assert!(pace.is_stalled(at(41.0)) && !pace.is_stalled(at(35.0)));
    }

    #[test]
    fn a_count_that_goes_back_is_waited_for() {
        let mut pace = pace();
        watch(&mut pace, 0.0, 10.0, |now| now);
        pace.look(at(11.0), 5.0);
        watch(&mut pace, 11.0, 20.0, |now| now);
        near(pace.rate(at(20.0)), 1.0);
    }

    #[test]
    fn a_long_memory_spans_what_alternates() {
        let mut pace = Pace::new(Duration::from_secs(15), 0.5, Duration::ZERO, 0.0);
        // A minute at 1, a minute at 9, and so on: 5 on average.
        let total = |now: f64| {
            let (pairs, rest) = ((now / 120.0).floor(), now % 120.0);
            600.0 * pairs + rest.min(60.0) + 9.0 * (rest - 60.0).max(0.0)
        };
        watch(&mut pace, 0.0, 3600.0, total);
        near(pace.rate(at(3600.0)), 5.0);
    }
}
