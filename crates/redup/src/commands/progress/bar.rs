//! The bar: a thread that looks at the work and has it drawn.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::tracker::Tracker;
use super::work::{Stage, View};
use crate::ui::{Bar, Left, Pace, Ui, screen};

/// A run that is over before gets no bar.
const FIRST: Duration = Duration::from_millis(250);

/// Between two drawings.
const INTERVAL: Duration = Duration::from_millis(100);

/// How long the rate is remembered that is shown, and that the time left is told by.
const SHOWN: Duration = Duration::from_secs(5);
const RELIED_ON: Duration = Duration::from_secs(15);

/// The share of a stage so far that the time left is told by: long enough to span files that have changed and
/// files that have not, short enough to follow a line that has become slower.
const SHARE: f64 = 0.5;

/// The time left is not told before so long.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs `work`, whose monitor is `tracker`, beside `count`, and has the bar drawn until it is over.
pub(super) fn watched<T>(
    ui: &Arc<Ui>,
    interval: Option<Duration>,
    tracker: &Tracker<'_>,
    count: impl FnOnce() + Send,
    work: impl FnOnce() -> T,
) -> T {
    let (ended, end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(count);
        scope.spawn(move || {
            let start = Instant::now();
            let mut meter = Meter::new();
            let mut columns = screen::columns();
            let mut pause = FIRST;
            while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(pause) {
                pause = interval.unwrap_or(INTERVAL);
                let bar = meter.look(start.elapsed(), tracker.view());
                let before = std::mem::replace(&mut columns, screen::columns());
                // While a window is being resized, each line drawn may leave a piece behind.
                if columns == before && screen::is_ours() {
                    ui.draw(bar.line(columns));
                }
            }
            ui.erase();
        });
        let ending = Ending {
            tracker,
            _ended: ended,
        };
        let result = work();
        drop(ending);
        result
    })
}

/// Ends the threads, also when the work panics.
struct Ending<'a> {
    tracker: &'a Tracker<'a>,
    _ended: mpsc::Sender<()>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.tracker.end();
    }
}

/// Makes a bar of each look at the work.
pub(super) struct Meter {
    stage: Stage,
    /// Of the bytes that are shown, and of the work.
    shown: Pace,
    relied_on: Pace,
    /// The share that was shown: it does not go back.
    share: f64,
}

impl Meter {
    pub(super) fn new() -> Self {
        let pace = || Pace::new(SHOWN, 0.0, Duration::ZERO, 0.0);
        Self {
            stage: Stage::Connecting,
            shown: pace(),
            relied_on: pace(),
            share: 0.0,
        }
    }

    /// The bar at `now`, counted from any moment that stays the same.
    pub(super) fn look(&mut self, now: Duration, view: View) -> Bar {
        let moved = view.moved.map(float);
        let work = view.work.map(|(done, total)| (float(done), float(total)));
        let (bytes, done) = (moved.unwrap_or(0.0), work.map_or(0.0, |(done, _)| done));
        if !self.stage.goes_on_as(view.stage) {
            self.shown = Pace::new(SHOWN, 0.0, now, bytes);
            self.relied_on = Pace::new(RELIED_ON, SHARE, now, done);
            self.share = 0.0;
        } else if self.stage != view.stage {
            // What was gathered is not done now.
            self.shown.resume(bytes);
            self.relied_on.resume(done);
        }
        self.stage = view.stage;
        self.shown.look(now, bytes);
        self.relied_on.look(now, done);
        let share = work.map(|(done, total)| if total > 0.0 { done / total } else { 0.0 });
        let share = share.map(|share| self.onward(share, view.counting));
        let stalled = match work {
            Some((done, total)) => done < total && self.relied_on.is_stalled(now),
            None => moved.is_some() && self.shown.is_stalled(now),
        };
        let rate = moved.and_then(|_| self.shown.rate(now));
        Bar {
            phase: view.phase,
            share,
            counting: view.counting,
            amount: view.amount,
            rate: rate.map(|rate| if stalled { 0.0 } else { rate }),
            left: match stalled {
                true => Left::Stalled,
                false => self.left(now, work, view.counting),
            },
            errors: view.errors,
            name: view.name,
        }
    }

    fn onward(&mut self, share: f64, counting: bool) -> f64 {
        if !counting {
            self.share = self.share.max(share);
            return self.share;
        }
        share
    }

    fn left(&self, now: Duration, work: Option<(f64, f64)>, counting: bool) -> Left {
        let Some((done, total)) = work.filter(|_| !counting) else {
            return Left::Unknown;
        };
        match self.relied_on.rate(now) {
            Some(rate) if rate > 0.0 && self.relied_on.age(now) >= PATIENCE => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "not negative, and the conversion saturates"
                )]
                let seconds = ((total - done) / rate).ceil() as u64;
                Left::Seconds(seconds)
            }
            _ => Left::Unknown,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "for rates and shares")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Amount;

    fn view(stage: Stage, done: u64, total: u64) -> View {
        View {
            phase: "Working",
            stage,
            work: Some((done, total)),
            counting: false,
            amount: Amount::Part(done, total),
            moved: Some(done),
            errors: 0,
            name: String::new(),
        }
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Looks ten times a second from `from` to `to`.
    fn watch(meter: &mut Meter, from: f64, to: f64, view: impl Fn(f64) -> View) -> Bar {
        let steps = ((to - from) * 10.0).round() as u32;
        let times = (1..=steps).map(|step| from + f64::from(step) / 10.0);
        let bars: Vec<Bar> = times.map(|now| meter.look(at(now), view(now))).collect();
        bars.last().unwrap().clone()
    }

    fn seconds(bar: &Bar) -> u64 {
        match bar.left {
            Left::Seconds(seconds) => seconds,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_time_left_of_a_steady_run_is_right() {
        let mut meter = Meter::new();
        let steady = |now: f64| view(Stage::Storing, (now * 1000.0) as u64, 100_000);
        let early = watch(&mut meter, 0.0, 2.9, steady);
        assert_eq!(early.left, Left::Unknown);
        let bar = watch(&mut meter, 2.9, 20.0, steady);
        assert!((79..=81).contains(&seconds(&bar)), "{bar:?}");
        assert!((950.0..1050.0).contains(&bar.rate.unwrap()));
        assert_eq!(bar.share, Some(0.2));
    }

    #[test]
    fn what_comes_before_a_stage_says_nothing_about_it() {
        let mut meter = Meter::new();
        let waiting = View {
            work: None,
            moved: None,
            amount: Amount::Unknown,
            ..view(Stage::Connecting, 0, 0)
        };
        let bar = watch(&mut meter, 0.0, 60.0, |_| waiting.clone());
        assert_eq!((bar.share, bar.rate, bar.left), (None, None, Left::Unknown));
        // Half of it is there already: what an interrupted run has stored.
        let looking = |now: f64| view(Stage::Looking, ((now - 60.0) * 1e6) as u64, 100_000_000);
        watch(&mut meter, 60.0, 110.0, looking);
        let storing = |now: f64| {
            let done = 5e7 + (now - 110.0) * 1e6;
            view(Stage::Storing, done as u64, 100_000_000)
        };
        let bar = watch(&mut meter, 110.0, 120.0, storing);
        assert!((39..=41).contains(&seconds(&bar)), "{bar:?}");
    }

    #[test]
    fn sending_the_rest_goes_on_at_the_same_rate() {
        let mut meter = Meter::new();
        let storing = |now: f64| view(Stage::Storing, (now * 1000.0) as u64, 100_000);
        watch(&mut meter, 0.0, 80.0, storing);
        let sending = |now: f64| view(Stage::Sending, (now * 1000.0) as u64, 100_000);
        let bar = watch(&mut meter, 80.0, 80.1, sending);
        assert!((19..=21).contains(&seconds(&bar)), "{bar:?}");
        assert!(bar.rate.unwrap() > 950.0);
    }

    #[test]
    fn the_bar_does_not_go_back() {
        let mut meter = Meter::new();
        let look =
            |meter: &mut Meter, now, stage, done| meter.look(at(now), view(stage, done, 100)).share;
        assert_eq!(look(&mut meter, 1.0, Stage::Storing, 50), Some(0.5));
        // A part was given to the store, and what it holds of the source is not done yet.
        assert_eq!(look(&mut meter, 2.0, Stage::Storing, 40), Some(0.5));
        assert_eq!(look(&mut meter, 3.0, Stage::Storing, 60), Some(0.6));
        // Nor is what was gathered, when there is nothing else to wait for.
        assert_eq!(look(&mut meter, 4.0, Stage::Sending, 45), Some(0.6));
        assert_eq!(look(&mut meter, 5.0, Stage::Sending, 70), Some(0.7));
        assert_eq!(look(&mut meter, 6.0, Stage::Reading, 1), Some(0.01));
    }

    #[test]
    fn nothing_is_foretold_while_it_is_counted() {
        let mut meter = Meter::new();
        let counting = |now: f64| View {
            counting: true,
            ..view(Stage::Storing, now as u64, 100 + now as u64 * 10)
        };
        let bar = watch(&mut meter, 0.0, 30.0, counting);
        assert_eq!((bar.left, bar.counting), (Left::Unknown, true));
        // It grows faster than what is done, so the share may sink.
        assert!(bar.share.unwrap() < 0.1);
    }

    #[test]
    fn a_stall_is_told_and_its_end_too() {
        let mut meter = Meter::new();
        let stalled = |now: f64| view(Stage::Reading, (now.min(20.0) * 1000.0) as u64, 100_000);
        watch(&mut meter, 0.0, 20.0, stalled);
        let bar = watch(&mut meter, 20.0, 29.0, stalled);
        assert!(matches!(bar.left, Left::Seconds(_)), "{bar:?}");
        let bar = watch(&mut meter, 29.0, 31.0, stalled);
        assert_eq!((bar.left, bar.rate), (Left::Stalled, Some(0.0)));
        let again = |now: f64| view(Stage::Reading, ((now - 11.0) * 1000.0) as u64, 100_000);
        let bar = watch(&mut meter, 31.0, 40.0, again);
        assert!(matches!(bar.left, Left::Seconds(70..150)), "{bar:?}");
    }

    #[test]
    fn what_is_over_does_not_stall() {
        let mut meter = Meter::new();
        let over = |now: f64| view(Stage::Sending, (now.min(1.0) * 1000.0) as u64, 1000);
        let bar = watch(&mut meter, 0.0, 60.0, over);
        assert_eq!((bar.left, bar.share), (Left::Seconds(0), Some(1.0)));
    }

    #[test]
    fn files_changed_here_and_there_do_not_make_the_time_left_jump() {
        // A hundred stretches of a tree: 9 s of reading, then 1 s that passes 20 times as much.
        let work = |now: f64| {
            let (stretches, rest) = ((now / 10.0).floor(), now % 10.0);
            29.0 * stretches + rest.min(9.0) + 20.0 * (rest - 9.0).max(0.0)
        };
        let total = work(1000.0);
        let mut meter = Meter::new();
        let at_work = |now: f64| {
            view(
                Stage::Storing,
                (work(now) * 1e6) as u64,
                (total * 1e6) as u64,
            )
        };
        watch(&mut meter, 0.0, 60.0, at_work);
        let mut now = 60.0;
        while now < 900.0 {
            let bar = watch(&mut meter, now, now + 7.3, at_work);
            now += 7.3;
            let (told, real) = (seconds(&bar) as f64, 1000.0 - now);
            let off = (told - real).abs() / real;
            assert!(off < 0.25, "{told} s left, really {real}");
        }
    }
}
