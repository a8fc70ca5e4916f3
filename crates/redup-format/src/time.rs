//! Times as the names of the archive carry them: whole seconds, UTC.

use std::fmt;

/// A moment in whole seconds since the epoch.
///
/// Times are identity in the archive: two backup sets follow one another when these seconds are equal, however they
/// were spelt. Displayed in the form that is written into names, `20240101T000000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The last second of the year 9999, so that every time has a spelling with four digits for the year.
const LATEST: i64 = 253_402_300_799;

const SECONDS_A_DAY: i64 = 86_400;

impl Timestamp {
    /// The moment `secs` seconds after the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch.
    pub const fn secs(self) -> i64 {
        self.0
    }

    /// Reads a time as names spell it, in any case; `None` when it is not one.
    ///
    /// Accepted are seconds since the epoch, `YYYYMMDDTHHMMSSZ`, and the form of the earliest releases,
    /// `YYYY-MM-DDTHH:MM:SS` followed by `Z` or an offset, with `_` for `:` where that could not stand in a name.
    /// Days past the end of a month and leap seconds roll over. Intervals, plain dates and local times are not read:
    /// no name was ever written with them.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit) {
            return nonzero(text.parse().ok()?);
        }
        match bytes.len() {
            16 => basic(bytes),
            20 | 25 => extended(bytes),
            _ => None,
        }
    }

    /// Reads a time in base 36, as short names spell it; upper-case digits are refused.
    pub(crate) fn parse_base36(text: &str) -> Option<Self> {
        nonzero(parse_base36(text)?.try_into().ok()?)
    }
}

/// A number in lower-case base 36.
pub(crate) fn parse_base36(text: &str) -> Option<u64> {
    let digits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z');
    if text.is_empty() || !text.bytes().all(digits) {
        return None;
    }
    u64::from_str_radix(text, 36).ok()
}

/// Zero stands for "no time" in a name that counts seconds.
fn nonzero(secs: i64) -> Option<Timestamp> {
    (1..=LATEST).contains(&secs).then_some(Timestamp(secs))
}

/// `YYYYMMDDTHHMMSS` and one more character, which no release looks at.
fn basic(bytes: &[u8]) -> Option<Timestamp> {
    if !bytes[8].eq_ignore_ascii_case(&b'T') {
        return None;
    }
    let fields = Fields {
        year: number(&bytes[0..4])?,
        month: number(&bytes[4..6])?,
        day: number(&bytes[6..8])?,
        hour: number(&bytes[9..11])?,
        minute: number(&bytes[11..13])?,
        second: number(&bytes[13..15])?,
    };
    fields.seconds().map(Timestamp)
}

/// `YYYY-MM-DDTHH:MM:SS` and a zone.
fn extended(bytes: &[u8]) -> Option<Timestamp> {
    let separators = bytes[4] == b'-' && bytes[7] == b'-' && bytes[10].eq_ignore_ascii_case(&b'T');
    if !separators || !is_time_separator(bytes[13]) || !is_time_separator(bytes[16]) {
        return None;
    }
    let fields = Fields {
        year: number(&bytes[0..4])?,
        month: number(&bytes[5..7])?,
        day: number(&bytes[8..10])?,
        hour: number(&bytes[11..13])?,
        minute: number(&bytes[14..16])?,
        second: number(&bytes[17..19])?,
    };
    Some(Timestamp(fields.seconds()? - zone_offset(&bytes[19..])?))
}

/// What a zone adds to UTC, in seconds.
///
/// The minutes are always added: names carry half hours west of Greenwich as `-04:30` for −03:30.
fn zone_offset(zone: &[u8]) -> Option<i64> {
    match *zone {
        [b'Z' | b'z'] => Some(0),
        [sign, h1, h2, separator, m1, m2] if is_time_separator(separator) => {
            let hours = match sign {
                b'+' => number(&[h1, h2])?,
                b'-' => -number(&[h1, h2])?,
                _ => return None,
            };
            Some((hours * 60 + number(&[m1, m2])?) * 60)
        }
        _ => None,
    }
}

fn is_time_separator(byte: u8) -> bool {
    matches!(byte, b':' | b'_')
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + i64::from(byte - b'0'))
    })
}

struct Fields {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Fields {
    fn seconds(&self) -> Option<i64> {
        let plausible = (1901..=2099).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour <= 23
            && self.minute <= 59
            && self.second <= 61;
        plausible.then(|| {
            let days = days_to_month(self.year, self.month) + self.day - 1;
            days * SECONDS_A_DAY + self.hour * 3600 + self.minute * 60 + self.second
        })
    }
}

/// Days from the epoch to the first of a month, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year.
fn days_to_month(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let day_of_year = (153 * month + 2) / 5;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// The inverse of [`days_to_month`]: year, month and day of the month.
pub(crate) fn date_of(days: i64) -> (i64, i64, i64) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    let days = days + 719_468;
    let era = days.div_euclid(DAYS_IN_400_YEARS);
    let day = days.rem_euclid(DAYS_IN_400_YEARS);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let year = era * 400 + year_of_era;
    if month < 10 {
        (year, month + 3, day_of_month)
    } else {
        (year + 1, month - 9, day_of_month)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.0.div_euclid(SECONDS_A_DAY));
        let second = self.0.rem_euclid(SECONDS_A_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<i64> {
        Timestamp::parse(text).map(Timestamp::secs)
    }

    #[test]
    fn the_written_form_is_read_whatever_its_last_character() {
        assert_eq!(parsed("20240101T000000Z"), Some(1_704_067_200));
        assert_eq!(parsed("20240101t000000z"), Some(1_704_067_200));
        assert_eq!(parsed("20240101T000000x"), Some(1_704_067_200));
    }

    #[test]
    fn days_and_leap_seconds_roll_over() {
        assert_eq!(parsed("20240230T000000Z"), parsed("20240301T000000Z"));
        assert_eq!(parsed("20240101T235961Z"), parsed("20240102T000001Z"));
    }

    #[test]
    fn minutes_of_a_zone_are_always_added() {
        assert_eq!(
            parsed("2024-01-01T00:00:00-04:30"),
            parsed("20240101T033000Z")
        );
        assert_eq!(
            parsed("2024-01-01T00:00:00+05:30"),
            parsed("20231231T183000Z")
        );
        assert_eq!(
            parsed("2024-01-01T00_00_00-05_00"),
            parsed("20240101T050000Z")
        );
    }

    #[test]
    fn what_no_name_was_written_with_is_not_a_time() {
        for text in [
            "",
            "0",
            "3D",
            "now",
            "2024-01-01",
            "20240101Z",
            "2024-01-01T00:00:00",
            "20240101T000000",
            "20241301T000000Z",
            "18990101T000000Z",
            "20240101T240000Z",
            "99999999999999999999",
            "2024-01-01T00:00:00é00:00",
            "２０２４０１",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn any_number_of_seconds_can_be_displayed() {
        assert_eq!(
            Timestamp::from_secs(1_704_067_200).to_string(),
            "20240101T000000Z"
        );
        assert_eq!(Timestamp::from_secs(-1).to_string(), "19691231T235959Z");
        for secs in [i64::MIN, i64::MAX] {
            assert!(Timestamp::from_secs(secs).to_string().ends_with('Z'));
        }
    }

    #[test]
    fn every_day_of_the_accepted_years_survives_a_round_trip() {
        let first = days_to_month(1901, 1);
        for day in first..days_to_month(2100, 1) {
            let time = Timestamp::from_secs(day * SECONDS_A_DAY + 45_296);
            assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
        }
    }

    #[test]
    fn short_names_count_in_base_36() {
        assert_eq!(
            Timestamp::parse_base36("s6k2o0"),
            Some(Timestamp(1_704_067_200))
        );
        assert_eq!(Timestamp::parse_base36("S6K2O0"), None);
        assert_eq!(Timestamp::parse_base36("+1"), None);
        assert_eq!(Timestamp::parse_base36("zzzzzzzzzzzzzzzzz"), None);
    }
}
