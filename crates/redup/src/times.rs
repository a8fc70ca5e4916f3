//! Time strings: what `--time`, `--full-if-older-than` and their like accept.
//!
//! A pure function of the text, the time now and the zone's standard offset. A date or time without
//! a zone is local *standard* time whatever the season, as in duplicity, so that a string keeps its
//! meaning through the year.

/// What a time string is read against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// Seconds since the epoch.
    pub(crate) now: i64,
    /// Seconds east of UTC, without daylight saving.
    pub(crate) standard_offset: i32,
    /// Between hours, minutes and seconds: normally a colon.
    pub(crate) separator: char,
}

/// The text is no time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Bad time string \"'{0}'\"\n\n\
     A time is \"now\", seconds since the epoch, an interval back from now such as 3D or 1W2D12h\n\
     (s, m, h, D, W, M of 30 days, Y of 365 days), a date such as 2024-04-23 or 4/23/2024\n\
     (the month before the day), or a date and time such as 2024-04-23T04:22:01+02:00."
)]
pub(crate) struct BadTime(String);

/// Reads a time string as seconds since the epoch.
///
/// # Errors
/// When it has none of the known forms, or is a date that no calendar has: month 13, day 32.
pub(crate) fn parse(text: &str, clock: &Clock) -> Result<i64, BadTime> {
    forms(text, clock).ok_or_else(|| BadTime(crate::ui::escape(text.as_bytes())))
}

fn forms(text: &str, clock: &Clock) -> Option<i64> {
    if text == "now" {
        return Some(clock.now);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    date_and_time(text, clock)
        .or_else(|| compact(text, clock))
        .or_else(|| interval(text).and_then(|seconds| clock.now.checked_sub(seconds)))
        .or_else(|| date(text, clock))
}

/// `2002-01-25T07:00:00`, followed by `Z`, `±hh:mm` or nothing.
fn date_and_time(text: &str, clock: &Clock) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let [year, month, day] = fields(date, &['-'], [4, 2, 2])?;
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    // A time separator may itself be a minus: then the zone stands behind the third field.
    let zone_at = if clock.separator == '-' {
        zone_at.max(8).min(rest.len())
    } else {
        zone_at
    };
    let (time, zone) = rest.split_at_checked(zone_at)?;
    let [hour, minute, second] = fields(time, &[clock.separator], [2, 2, 2])?;
    let offset = match zone {
        "" => i64::from(clock.standard_offset),
        "Z" => 0,
        _ => zone_offset(zone, clock.separator)?,
    };
    Some(moment(year, month, day, hour, minute, second)? - offset)
}

fn zone_offset(zone: &str, separator: char) -> Option<i64> {
    let (sign, zone) = match zone.strip_prefix('-') {
        Some(zone) => (-1, zone),
        None => (1, zone.strip_prefix('+')?),
    };
    let [hours, minutes] = fields(zone, &[':', separator], [2, 2])?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// `20020125T070000Z`, which is UTC whatever its last character says, and the same without that
/// character, which is local; `20020125Z`, which is local midnight.
fn compact(text: &str, clock: &Clock) -> Option<i64> {
    let local = i64::from(clock.standard_offset);
    if let Some(digits) = text.strip_suffix('Z').filter(|digits| digits.len() == 8) {
        let (year, month, day) = compact_date(digits)?;
        return Some(moment(year, month, day, 0, 0, 0)? - local);
    }
    let (date, time) = text.split_once('T')?;
    let (year, month, day) = compact_date(date)?;
    let digits = time.get(..6)?;
    let [hour, minute, second] = [
        number(&digits[..2])?,
        number(&digits[2..4])?,
        number(&digits[4..])?,
    ];
    let offset = match time[6..].chars().count() {
        0 => local,
        1 => 0,
        _ => return None,
    };
    Some(moment(year, month, day, hour, minute, second)? - offset)
}

fn compact_date(digits: &str) -> Option<(i64, i64, i64)> {
    let all_digits = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then_some(())?;
    Some((
        number(&digits[..4])?,
        number(&digits[4..6])?,
        number(&digits[6..])?,
    ))
}

/// `1W2D`: the sum in seconds.
fn interval(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut seconds: i64 = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit())
            .filter(|at| *at > 0)?;
        let count: i64 = rest[..digits].parse().ok()?;
        let unit = match rest.as_bytes().get(digits)? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'D' => 86_400,
            b'W' => 7 * 86_400,
            b'M' => 30 * 86_400,
            b'Y' => 365 * 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(count.checked_mul(unit)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.is_empty()).then_some(seconds)
}

/// `2002-03-05`, `2002/3/5`, `03-05-2002`, `3/5/2002`: local midnight.
fn date(text: &str, clock: &Clock) -> Option<i64> {
    let parts: Vec<&str> = text.split(['-', '/']).collect();
    let [first, second, third] = parts[..] else {
        return None;
    };
    let (year, month, day) = if first.len() == 4 {
        (first, second, third)
    } else {
        (third, first, second)
    };
    let short = |part: &str| (1..=2).contains(&part.len());
    if year.len() != 4 || !short(month) || !short(day) {
        return None;
    }
    let midnight = moment(number(year)?, number(month)?, number(day)?, 0, 0, 0)?;
    Some(midnight - i64::from(clock.standard_offset))
}

/// The numbers between separators, each of exactly so many digits.
fn fields<const N: usize>(text: &str, separators: &[char], digits: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separators);
    let mut values = [0; N];
    for (value, digits) in values.iter_mut().zip(digits) {
        *value = parts
            .next()
            .filter(|part| part.len() == digits)
            .and_then(number)?;
    }
    parts.next().is_none().then_some(values)
}

fn number(digits: &str) -> Option<i64> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

/// Seconds since the epoch of a UTC date and time. A day that its month does not have runs over
/// into the next: 31 February is 3 March.
fn moment(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    let valid = (1901..=2099).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=61).contains(&second);
    valid.then(|| days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, with years that begin in March so that
/// the leap day comes last.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z, read one and a half hours east of Greenwich.
    const CLOCK: Clock = Clock {
        now: 1_700_000_000,
        standard_offset: 5400,
        separator: ':',
    };

    #[track_caller]
    fn check(text: &str, expected: i64) {
        assert_eq!(parse(text, &CLOCK), Ok(expected), "{text}");
    }

    #[track_caller]
    fn refuse(text: &str) {
        assert!(parse(text, &CLOCK).is_err(), "{text}");
    }

    #[test]
    fn now_and_numbers_of_seconds_are_taken_as_they_are() {
        check("now", CLOCK.now);
        check("1700000000", 1_700_000_000);
        check("20020125", 20_020_125);
        check("0", 0);
    }

    #[test]
    fn intervals_count_back_from_now() {
        check("0s", CLOCK.now);
        check("90s", CLOCK.now - 90);
        check("1h78m", CLOCK.now - 3600 - 78 * 60);
        check("1W2D", CLOCK.now - 9 * 86_400);
        check("1M", CLOCK.now - 30 * 86_400);
        check("2Y", CLOCK.now - 730 * 86_400);
        check("1D1D", CLOCK.now - 2 * 86_400);
        for bad in [
            "",
            "D",
            "1d",
            "1D ",
            "1 D",
            "-1D",
            "1.5D",
            "99999999999999999999D",
        ] {
            refuse(bad);
        }
        refuse("9223372036854775807Y");
    }

    #[test]
    fn a_time_with_a_zone_is_that_moment() {
        check("2002-01-25T07:00:00Z", 1_011_942_000);
        check("2002-01-25T07:00:00+02:00", 1_011_934_800);
        check("2002-01-25T07:00:00-05:30", 1_011_961_800);
        check("2002-01-25T23:59:61Z", 1_012_003_201);
        check("1970-01-01T00:00:00Z", 0);
        check("20020125T070000Z", 1_011_942_000);
        check("20020125T070000x", 1_011_942_000);
        for bad in [
            "2002-1-25T07:00:00Z",
            "2002-01-25T7:00:00Z",
            "2002-01-25T07:00Z",
            "2002-01-25T24:00:00Z",
            "2002-01-25T07:60:00Z",
            "2002-01-25T07:00:62Z",
            "2002-01-25T07:00:00+2:00",
            "2002-01-25T07:00:00z",
            "2002/01/25T07:00:00Z",
            "20020125T070000ZZ",
            "20021325T070000Z",
        ] {
            refuse(bad);
        }
    }

    #[test]
    fn what_has_no_zone_is_local_standard_time() {
        check("2002-01-25T07:00:00", 1_011_942_000 - 5400);
        check("20020125T070000", 1_011_942_000 - 5400);
        let midnight = 1_011_916_800 - 5400;
        for text in [
            "2002-01-25",
            "2002/1/25",
            "2002/1-25",
            "01-25-2002",
            "1/25/2002",
            "20020125Z",
        ] {
            check(text, midnight);
        }
    }

    #[test]
    fn days_run_over_and_months_do_not() {
        check("2002/02/31", 1_015_113_600 - 5400);
        check("2000-02-29", 951_782_400 - 5400);
        check("2099-12-31", 4_102_358_400 - 5400);
        check("1901-01-01", -2_177_452_800 - 5400);
        for bad in [
            "2002-13-01",
            "2002-00-10",
            "2002-01-32",
            "1900-01-01",
            "2100-01-01",
            "02-01-01",
            "tomorrow",
        ] {
            refuse(bad);
        }
    }

    #[test]
    fn another_time_separator_is_understood() {
        for separator in ['_', '-'] {
            let clock = Clock { separator, ..CLOCK };
            let text = format!("2002-01-25T07{separator}00{separator}00Z");
            assert_eq!(parse(&text, &clock), Ok(1_011_942_000));
            assert!(parse("2002-01-25T07:00:00Z", &clock).is_err());
        }
    }

    #[test]
    fn words_of_other_alphabets_do_not_confuse_it() {
        for bad in [
            "ü",
            "1ü",
            "2002-01-25T07:00:ü0",
            "äöüß1234",
            "2002-01-25Tü",
            "ttT€€€€€€",
        ] {
            refuse(bad);
        }
    }

    #[test]
    fn the_message_quotes_the_text_and_names_the_forms() {
        let message = parse("bo\u{1b}gus", &CLOCK).unwrap_err().to_string();
        assert!(
            message.starts_with("Bad time string \"'bo\\x1bgus'\"\n\n"),
            "{message}"
        );
        assert!(message.contains("interval"));
    }
}
