//! Retention by the calendar: the newest backup of each of the last so many days, weeks, months and years.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::time::Timestamp;

/// A stretch of time of which one backup is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Each backup by itself.
    Backup,
    /// A day.
    Day,
    /// A week, which begins on Monday.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

/// Which backups are kept: those that one of the rules wants.
#[derive(Clone)]
pub struct Keep {
    /// How many periods of each kind keep their newest backup, counted from the newest one. A period without a
    /// backup does not count, so that a pause in backing up forgets nothing.
    pub rules: Vec<(Period, usize)>,
    /// The day on which a time falls where the user lives, counted from 1970-01-01.
    pub local_day: Arc<dyn Fn(Timestamp) -> i64 + Send + Sync>,
}

impl Keep {
    /// The times that are kept of these, which may come in any order.
    pub fn kept(&self, times: impl IntoIterator<Item = Timestamp>) -> BTreeSet<Timestamp> {
        let times: BTreeSet<_> = times.into_iter().collect();
        let mut kept = BTreeSet::new();
        for (period, count) in &self.rules {
            let mut last = None;
            let newest = times.iter().rev().filter(|time| {
                let number = self.number(*period, **time);
                last.replace(number) != Some(number)
            });
            kept.extend(newest.take(*count));
        }
        kept
    }

    /// A number that times share when they are in the same period.
    fn number(&self, period: Period, time: Timestamp) -> i64 {
        if period == Period::Backup {
            return time.secs();
        }
        let day = (self.local_day)(time);
        let (year, month) = year_and_month(day);
        match period {
            // 1970-01-01 was a Thursday.
            Period::Week => (day + 3).div_euclid(7),
            Period::Month => year * 12 + month,
            Period::Year => year,
            Period::Day | Period::Backup => day,
        }
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keep")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// The Gregorian year and month, 1 to 12, of a day counted from 1970-01-01.
///
/// Counted in years that begin in March, so that a leap day is the last of its year, and in the eras of 400 years
/// after which the calendar repeats itself.
fn year_and_month(day: i64) -> (i64, i64) {
    const DAYS_OF_ERA: i64 = 146_097;
    // From 0000-03-01 on.
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(DAYS_OF_ERA), day.rem_euclid(DAYS_OF_ERA));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (year, month) = match month {
        0..=9 => (year, month + 3),
        _ => (year + 1, month - 9),
    };
    (era * 400 + year, month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_fall_into_the_months_of_the_calendar() {
        for (day, expected) in [
            (0, (1970, 1)),
            (-1, (1969, 12)),
            (58, (1970, 2)),
            (59, (1970, 3)),
            (11_016, (2000, 2)),
            (11_017, (2000, 3)),
            (19_722, (2023, 12)),
            (19_723, (2024, 1)),
            (19_782, (2024, 2)),
            (19_783, (2024, 3)),
            (47_540, (2100, 2)),
            (47_541, (2100, 3)),
            (-719_469, (0, 2)),
            (-719_468, (0, 3)),
        ] {
            assert_eq!(year_and_month(day), expected, "day {day}");
        }
    }

    #[test]
    fn weeks_begin_on_monday() {
        let keep = Keep {
            rules: Vec::new(),
            local_day: Arc::new(|time| time.secs()),
        };
        let week = |day| keep.number(Period::Week, Timestamp::from_secs(day));
        // 2024-01-01 was a Monday.
        assert_ne!(week(19_722), week(19_723));
        assert_eq!(week(19_723), week(19_729));
        assert_ne!(week(19_729), week(19_730));
    }
}
