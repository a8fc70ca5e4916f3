//! Retention by the calendar: the newest backup of each of the last so many days, weeks, months and years.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::time::{Timestamp, date_of};

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
        let (year, month, _) = date_of(day);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_and_years_end_with_their_last_day() {
        let keep = Keep {
            rules: Vec::new(),
            local_day: Arc::new(|time| time.secs()),
        };
        let number = |period, day| keep.number(period, Timestamp::from_secs(day));
        // The last day of 1969, of February 1970, 2000 and 2100, and of 2023.
        for (day, ends_year) in [
            (-1, true),
            (58, false),
            (11_016, false),
            (47_540, false),
            (19_722, true),
        ] {
            let month = |day| number(Period::Month, day);
            assert_eq!(month(day - 1), month(day), "day {day}");
            assert_ne!(month(day), month(day + 1), "day {day}");
            let years = [day, day + 1].map(|day| number(Period::Year, day));
            assert_eq!(years[0] != years[1], ends_year, "day {day}");
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
