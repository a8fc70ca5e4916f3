//! Times, sizes and durations as duplicity prints them.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

/// `Tue Nov  7 08:01:02 2023` in the zone given; the bare number when no calendar has that time.
pub(crate) fn pretty_time(seconds: i64, zone: &TimeZone) -> String {
    formatted(seconds, zone, "%a %b %e %H:%M:%S %Y")
}

/// `2023-11-07T08:01:02+01:00` in the zone given: a form that `--time` takes.
pub(crate) fn iso_time(seconds: i64, zone: &TimeZone) -> String {
    formatted(seconds, zone, "%Y-%m-%dT%H:%M:%S%:z")
}

/// `2023-11-07 08:01:02` in the zone given.
pub(crate) fn short_time(seconds: i64, zone: &TimeZone) -> String {
    formatted(seconds, zone, "%Y-%m-%d %H:%M:%S")
}

/// `2023-11-07T07:01:02Z`; `None` when no calendar has that time.
pub(crate) fn utc_time(seconds: i64) -> Option<String> {
    let time = Timestamp::from_second(seconds).ok()?;
    let year = ZonedDateTime::new(time, TimeZone::UTC).year();
    (0..=9999).contains(&year).then(|| time.to_string())
}

fn formatted(seconds: i64, zone: &TimeZone, format: &str) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => ZonedDateTime::new(time, zone.clone())
            .strftime(format)
            .to_string(),
        Err(_) => seconds.to_string(),
    }
}

/// Offset of `zone`'s standard time in seconds east of UTC, around `now`: the lesser of the offsets
/// of January and July, which holds on both hemispheres.
pub(crate) fn standard_offset(zone: &TimeZone, now: i64) -> i32 {
    const HALF_YEAR: i64 = 182 * 86_400;
    let offset =
        |seconds| Timestamp::from_second(seconds).map_or(0, |time| zone.to_offset(time).seconds());
    let year_start = Timestamp::from_second(now).map_or(now, |time| {
        let day = i64::from(ZonedDateTime::new(time, TimeZone::UTC).day_of_year());
        now - (day - 1) * 86_400
    });
    offset(year_start).min(offset(year_start + HALF_YEAR))
}

/// The day on which a time falls in the zone, counted from 1970-01-01.
pub(crate) fn local_day(seconds: i64, zone: &TimeZone) -> i64 {
    let offset = Timestamp::from_second(seconds).map_or(0, |time| zone.to_offset(time).seconds());
    seconds.saturating_add(offset.into()).div_euclid(86_400)
}

/// `8.02 KB`, `22.9 MB`, `118 MB`: three significant digits, in powers of 1024.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(40, "TB"), (30, "GB"), (20, "MB"), (10, "KB")];
    for (shift, unit) in UNITS {
        if bytes >= 1 << shift {
            #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
            let value = bytes as f64 / (1u64 << shift) as f64;
            let decimals = if value < 10.0 {
                2
            } else if value < 100.0 {
                1
            } else {
                0
            };
            return format!("{value:.decimals$} {unit}");
        }
    }
    if bytes == 1 {
        "1 byte".to_owned()
    } else {
        format!("{bytes} bytes")
    }
}

/// `512 B`, `8.02 KB`, `118 MB`: the same, where there is little room.
pub(crate) fn short_size(bytes: u64) -> String {
    let (number, _, unit) = in_unit_of(bytes, bytes);
    format!("{number} {unit}")
}

/// Two amounts in the unit that suits the second, with as many decimals as it has, and that unit.
pub(crate) fn in_unit_of(bytes: u64, of: u64) -> (String, String, &'static str) {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let steps = (1..UNITS.len()).rfind(|step| of >> (10 * step) > 0);
    let steps = steps.unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = |bytes: u64| bytes as f64 / (1u64 << (10 * steps)) as f64;
    let decimals = match value(of) {
        _ if steps == 0 => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    let text = |bytes| format!("{:.decimals$}", value(bytes));
    (text(bytes), text(of), UNITS[steps])
}

/// `2 hours ago`: the largest unit that it was at least one of.
pub(crate) fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    let (number, unit) = match seconds {
        0..60 => return "less than a minute ago".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural} ago")
}

/// `1 hour 3 minutes 4.21 seconds`; zero parts are left out.
pub(crate) fn duration(seconds: f64) -> String {
    let hundredths = (seconds.max(0.0) * 100.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and the conversion saturates"
    )]
    let hundredths = hundredths as u64;
    let (hours, minutes) = (hundredths / 360_000, hundredths / 6000 % 60);
    let rest = hundredths % 6000;
    let mut parts = Vec::new();
    let mut count = |number: u64, unit: &str| match number {
        0 => {}
        1 => parts.push(format!("1 {unit}")),
        _ => parts.push(format!("{number} {unit}s")),
    };
    count(hours, "hour");
    count(minutes, "minute");
    if rest == 100 {
        parts.push("1 second".to_owned());
    } else if rest != 0 || parts.is_empty() {
        parts.push(format!("{}.{:02} seconds", rest / 100, rest % 100));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_where_the_user_lives() {
        let zone = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        // 2024-01-02 04:59:59 and 05:00:00 in UTC, and the same in summer time.
        assert_eq!(local_day(1_704_171_599, &zone), 19_723);
        assert_eq!(local_day(1_704_171_600, &zone), 19_724);
        assert_eq!(local_day(1_719_892_799, &zone), 19_905);
        assert_eq!(local_day(1_719_892_800, &zone), 19_906);
        assert_eq!(local_day(-1, &TimeZone::UTC), -1);
    }

    #[test]
    fn pretty_times_are_those_of_asctime() {
        let zone = TimeZone::UTC;
        assert_eq!(
            pretty_time(1_700_000_000, &zone),
            "Tue Nov 14 22:13:20 2023"
        );
        assert_eq!(
            pretty_time(1_699_344_062, &zone),
            "Tue Nov  7 08:01:02 2023"
        );
        assert_eq!(pretty_time(i64::MAX, &zone), i64::MAX.to_string());
        let zone = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        assert_eq!(
            pretty_time(1_690_000_000, &zone),
            "Sat Jul 22 00:26:40 2023"
        );
    }

    #[test]
    fn times_for_typing_and_for_programs_have_a_zone() {
        let zone = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        assert_eq!(iso_time(1_690_000_000, &zone), "2023-07-22T00:26:40-04:00");
        assert_eq!(
            iso_time(1_690_000_000, &TimeZone::UTC),
            "2023-07-22T04:26:40+00:00"
        );
        assert_eq!(short_time(1_690_000_000, &zone), "2023-07-22 00:26:40");
        assert_eq!(utc_time(1_690_000_000).unwrap(), "2023-07-22T04:26:40Z");
        assert_eq!(utc_time(-1).unwrap(), "1969-12-31T23:59:59Z");
        assert_eq!(utc_time(i64::MAX), None);
    }

    #[test]
    fn standard_time_is_the_same_in_summer_and_winter() {
        for (zone, offset) in [
            ("UTC0", 0),
            ("EST5EDT,M3.2.0,M11.1.0", -5 * 3600),
            ("CET-1CEST,M3.5.0,M10.5.0/3", 3600),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", 10 * 3600),
            ("IST-5:30", 5 * 3600 + 1800),
        ] {
            let zone = TimeZone::posix(zone).unwrap();
            for now in [1_700_000_000, 1_690_000_000, 0] {
                assert_eq!(standard_offset(&zone, now), offset);
            }
        }
    }

    #[test]
    fn sizes_have_three_digits() {
        let cases = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1.00 KB"),
            (8209, "8.02 KB"),
            (24_012_390, "22.9 MB"),
            (123_731_968, "118 MB"),
            (5 << 30, "5.00 GB"),
            (7 << 50, "7168 TB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn short_sizes_have_short_units() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (8209, "8.02 KB"),
            (24_012_390, "22.9 MB"),
            (1_073_000_000, "1023 MB"),
            (u64::MAX, "16777216 TB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(short_size(bytes), text);
        }
        let both = |bytes, of| in_unit_of(bytes, of);
        assert_eq!(both(7, 900), ("7".into(), "900".into(), "B"));
        assert_eq!(
            both(30 << 20, 3480 << 20),
            ("0.03".into(), "3.40".into(), "GB")
        );
        assert_eq!(both(2048, 10 << 10), ("2.0".into(), "10.0".into(), "KB"));
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, expected) in [
            (59, "less than a minute ago"),
            (60, "1 minute ago"),
            (3599, "59 minutes ago"),
            (7300, "2 hours ago"),
            (86_400, "1 day ago"),
            (10_000_000, "115 days ago"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn durations_leave_out_what_is_zero() {
        let cases = [
            (0.0, "0.00 seconds"),
            (0.01, "0.01 seconds"),
            (3784.21, "1 hour 3 minutes 4.21 seconds"),
            (7200.0, "2 hours"),
            (60.0, "1 minute"),
            (-3.0, "0.00 seconds"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }
}
