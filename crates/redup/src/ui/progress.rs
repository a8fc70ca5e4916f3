//! The progress line of a backup.

use std::fmt::Write as _;

use super::{Level, Message};

/// Marks between the brackets.
const BAR: usize = 40;

/// How far a backup is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// Bytes of the source that were read.
    pub(crate) done: u64,
    /// Bytes that there are to read.
    pub(crate) total: u64,
    /// Seconds since it began.
    pub(crate) seconds: u64,
    /// Bytes a second, lately.
    pub(crate) speed: u64,
    /// Nothing has happened for a while.
    pub(crate) stalled: bool,
    /// It is over.
    pub(crate) ended: bool,
}

impl Progress {
    /// The line and its stanza.
    pub(crate) fn message(&self) -> Message {
        let (percent, eta) = (self.percent(), self.eta());
        let words = if self.stalled {
            "Stalled!".to_owned()
        } else {
            format!("ETA {}", eta_words(eta))
        };
        let marks = BAR * usize::try_from(percent).unwrap_or(0) / 100;
        let text = format!(
            "{} {} [{}/s] [{}>{}] {percent}% {words}",
            amount(self.done),
            clock(self.seconds),
            amount(self.speed),
            "=".repeat(marks),
            " ".repeat(BAR - marks),
        );
        let extra = format!(
            "{} {} {percent} {eta} {} {}",
            self.done,
            self.seconds,
            self.speed,
            u8::from(self.stalled)
        );
        Message::new(Level::NOTICE, text).code(16).extra(extra)
    }

    /// The end alone is all of it.
    fn percent(&self) -> u64 {
        match self.total {
            _ if self.ended => 100,
            0 => 0,
            total => (u128::from(self.done) * 100 / u128::from(total)).min(99) as u64,
        }
    }

    fn eta(&self) -> u64 {
        let left = self.total.saturating_sub(self.done);
        match self.seconds.checked_mul(left) {
            Some(product) if !self.ended => product.checked_div(self.done).unwrap_or(0),
            _ => 0,
        }
    }
}

fn amount(bytes: u64) -> String {
    let mut value = bytes as f64 / 1024.0;
    let mut units = ["KB", "MB", "GB", "TB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if value <= 1000.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1}{unit}")
}

fn clock(seconds: u64) -> String {
    let days = match seconds / 86_400 {
        0 => String::new(),
        days => format!("{days}d,"),
    };
    let rest = seconds % 86_400;
    format!(
        "{days}{:02}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

fn eta_words(seconds: u64) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = match seconds {
        0..=15 => write!(text, "{seconds}sec"),
        16..30 => write!(text, "< 30sec"),
        30..45 => write!(text, "< 45sec"),
        45..60 => write!(text, "< 1min"),
        60..600 => match seconds % 60 {
            0..30 => write!(text, "{}min", seconds / 60),
            _ => write!(text, "{}min 30sec", seconds / 60),
        },
        600..3600 => write!(text, "{}min", seconds / 60),
        3600..86_400 => write!(text, "{}h {}min", seconds / 3600, seconds / 60 % 60),
        _ => write!(
            text,
            "{}d {}h {}min",
            seconds / 86_400,
            seconds / 3600 % 24,
            seconds / 60 % 60
        ),
    };
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const QUARTER: Progress = Progress {
        done: 25 << 20,
        total: 100 << 20,
        seconds: 61,
        speed: 1_800_000,
        stalled: false,
        ended: false,
    };

    #[test]
    fn the_line_is_the_one_that_programs_know() {
        let stalled = Progress {
            stalled: true,
            speed: 0,
            ..QUARTER
        };
        let ended = Progress {
            ended: true,
            done: 100 << 20,
            ..QUARTER
        };
        let text: String = [QUARTER, stalled, ended]
            .map(|it| it.message().stanza())
            .concat();
        expect![[r#"
            NOTICE 16 26214400 61 25 183 1800000 0
            . 25.0MB 00:01:01 [1.7MB/s] [==========>                              ] 25% ETA 3min

            NOTICE 16 26214400 61 25 183 0 1
            . 25.0MB 00:01:01 [0.0KB/s] [==========>                              ] 25% Stalled!

            NOTICE 16 104857600 61 100 0 1800000 0
            . 100.0MB 00:01:01 [1.7MB/s] [========================================>] 100% ETA 0sec

        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn it_is_not_over_before_the_end() {
        let all = Progress {
            done: 100 << 20,
            ..QUARTER
        };
        assert_eq!(all.percent(), 99);
        assert_eq!(
            Progress {
                total: 0,
                done: 0,
                ..QUARTER
            }
            .percent(),
            0
        );
    }

    #[test]
    fn times_and_amounts_are_short() {
        let words = [2, 20, 40, 59, 215, 185, 720, 3900, 183_840].map(eta_words);
        let expected = [
            "2sec",
            "< 30sec",
            "< 45sec",
            "< 1min",
            "3min 30sec",
            "3min",
            "12min",
            "1h 5min",
            "2d 3h 4min",
        ];
        assert_eq!(words, expected);
        assert_eq!(clock(90_061), "1d,01:01:01");
        assert_eq!(amount(999 * 1024), "999.0KB");
        assert_eq!(amount(1001 * 1024), "1.0MB");
        assert_eq!(amount(0), "0.0KB");
    }
}
