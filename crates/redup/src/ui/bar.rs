//! The line that a person watches at a terminal: how far the work is, at which rate, and how much longer.

use super::format::{in_unit_of, short_size};

/// What the line says. Absent is what is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bar {
    /// What is being done.
    pub(crate) phase: &'static str,
    /// How much of it is done, from 0 to 1; of what is known so far when `counting`.
    pub(crate) share: Option<f64>,
    /// What there is to do is still being counted: it will be more.
    pub(crate) counting: bool,
    /// How much of what, in bytes or otherwise.
    pub(crate) amount: Amount,
    /// Bytes a second.
    pub(crate) rate: Option<f64>,
    pub(crate) left: Left,
    /// What could not be done so far.
    pub(crate) errors: u64,
    /// The file or volume at hand, escaped.
    pub(crate) name: String,
}

/// How much is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Amount {
    #[default]
    Unknown,
    /// So many bytes.
    Bytes(u64),
    /// So many bytes of so many.
    Part(u64, u64),
    /// So many objects of so many.
    Objects(usize, usize),
}

/// How much longer it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Left {
    #[default]
    Unknown,
    /// So many seconds.
    Seconds(u64),
    /// Nothing moves.
    Stalled,
}

/// Columns that a name needs to be of use.
const SHORTEST_NAME: usize = 8;

/// Columns that stay free: for the `^C` that a terminal writes behind the line when it is typed, and the last,
/// which may begin a new line.
const SPARE: usize = 3;

/// Between two fields.
const GAP: &str = "  ";

impl Bar {
    /// The line for a terminal of so many columns. The narrower, the less is said. Fields keep their width
    /// while their figures change.
    pub(crate) fn line(&self, columns: usize) -> String {
        let room = columns.saturating_sub(SPARE);
        let percent = cut_end(&self.percent(), room);
        let mut line = cut_end(self.phase, room - percent.len());
        line.push_str(&percent);
        let mut left = room - line.len();
        // In the order of their use; each is there only when the ones before it are.
        let mut fields = [
            (self.errors > 0).then(|| errors(self.errors)),
            Some(self.left_words()).filter(|words| !words.is_empty()),
            self.share.map(|share| marks(share, columns)),
            self.amount_words(),
            self.rate.map(|rate| format!("{:>9}", rate_words(rate))),
        ];
        for field in &mut fields {
            match field {
                Some(text) if text.len() + GAP.len() <= left => left -= text.len() + GAP.len(),
                Some(_) => (*field, left) = (None, 0),
                None => {}
            }
        }
        let [errors, time, bar, amount, rate] = fields;
        for field in [bar, amount, rate, time, errors].into_iter().flatten() {
            line.push_str(GAP);
            line.push_str(&field);
        }
        if !self.name.is_empty() && left >= SHORTEST_NAME + GAP.len() {
            line.push_str(GAP);
            line.push_str(&cut_start(&self.name, left - GAP.len()));
        }
        line
    }

    fn percent(&self) -> String {
        let Some(share) = self.share else {
            return String::new();
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 100"
        )]
        let percent = (share.clamp(0.0, 1.0) * 100.0) as u32;
        match self.counting {
            true => format!("{:>4}%", format!("<{}", (percent + 1).min(100))),
            false => format!("{percent:>4}%"),
        }
    }

    fn amount_words(&self) -> Option<String> {
        let more = if self.counting { "+" } else { "" };
        match self.amount {
            Amount::Unknown => None,
            Amount::Bytes(bytes) => Some(format!("{:>9}", short_size(bytes))),
            Amount::Part(done, total) => {
                let (done, total, unit) = in_unit_of(done, total);
                let width = total.len();
                Some(format!("{done:>width$}/{total}{more} {unit}"))
            }
            Amount::Objects(done, total) => Some(format!("{done} of {total} objects")),
        }
    }

    fn left_words(&self) -> String {
        let words = match self.left {
            _ if self.counting => "counting".to_owned(),
            Left::Unknown => return String::new(),
            Left::Stalled => "stalled".to_owned(),
            Left::Seconds(seconds) => format!("{} left", time_words(seconds)),
        };
        format!("{words:>9}")
    }
}

fn errors(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} error{plural}")
}

/// `[=======>      ]`, as long as the terminal is wide.
fn marks(share: f64, columns: usize) -> String {
    let length = (columns / 8).clamp(10, 30);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "from 0 to a few"
    )]
    let full = (share.clamp(0.0, 1.0) * length as f64) as usize;
    let head = if full < length { ">" } else { "" };
    let mut marks = "=".repeat(full);
    marks.push_str(head);
    format!("[{marks:<length$}]")
}

fn rate_words(rate: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and the conversion saturates"
    )]
    let bytes = rate.max(0.0).round() as u64;
    format!("{}/s", short_size(bytes))
}

/// `5s`, `12:05`, `3h 05m`, `2d 4h`.
fn time_words(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
        // Nobody waits for it.
        8_640_000.. => ">99d".to_owned(),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// The columns that a letter takes at most: those of the East, and pictures, take two. Marks that take none
/// count as one, which only makes a line shorter.
fn columns(letter: char) -> usize {
    if letter < '\u{1100}' { 1 } else { 2 }
}

/// The beginning of an ASCII text.
fn cut_end(text: &str, room: usize) -> String {
    text.chars().take(room).collect()
}

/// The end of a name, which says more than its beginning, in so many columns.
fn cut_start(name: &str, room: usize) -> String {
    const CUT: &str = "...";
    if name.chars().map(columns).sum::<usize>() <= room {
        return name.to_owned();
    }
    let mut left = room.saturating_sub(CUT.len());
    let mut from = name.len();
    for (at, letter) in name.char_indices().rev() {
        let Some(rest) = left.checked_sub(columns(letter)) else {
            break;
        };
        (left, from) = (rest, at);
    }
    format!("{CUT}{}", &name[from..])
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn backup() -> Bar {
        Bar {
            phase: "Backing up",
            share: Some(0.423),
            counting: false,
            amount: Amount::Part(1_300 << 20, 3_480 << 20),
            rate: Some(35.1 * 1_048_576.0),
            left: Left::Seconds(62),
            errors: 0,
            name: "home/me/Pictures/2023/summer/IMG_2041.JPG".to_owned(),
        }
    }

    #[track_caller]
    fn check(bar: &Bar, widths: &[usize], expected: Expect) {
        let lines: String = widths
            .iter()
            .map(|width| format!("{width}|{}|\n", bar.line(*width)))
            .collect();
        expected.assert_eq(&lines);
    }

    #[test]
    fn the_wider_the_terminal_the_more_is_said() {
        check(
            &backup(),
            &[200, 140, 120, 100, 80, 72, 60, 40, 30, 20, 12, 1, 0],
            expect![[r#"
                200|Backing up  42%  [==========>              ]  1.27/3.40 GB  35.1 MB/s  1:02 left  home/me/Pictures/2023/summer/IMG_2041.JPG|
                140|Backing up  42%  [=======>         ]  1.27/3.40 GB  35.1 MB/s  1:02 left  home/me/Pictures/2023/summer/IMG_2041.JPG|
                120|Backing up  42%  [======>        ]  1.27/3.40 GB  35.1 MB/s  1:02 left  home/me/Pictures/2023/summer/IMG_2041.JPG|
                100|Backing up  42%  [=====>      ]  1.27/3.40 GB  35.1 MB/s  1:02 left  .../2023/summer/IMG_2041.JPG|
                80|Backing up  42%  [====>     ]  1.27/3.40 GB  35.1 MB/s  1:02 left  ...041.JPG|
                72|Backing up  42%  [====>     ]  1.27/3.40 GB  35.1 MB/s  1:02 left|
                60|Backing up  42%  [====>     ]  1.27/3.40 GB  1:02 left|
                40|Backing up  42%  1:02 left|
                30|Backing up  42%  1:02 left|
                20|Backing up  42%|
                12|Back  42%|
                1||
                0||
            "#]],
        );
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let connecting = Bar {
            phase: "Connecting",
            ..Bar::default()
        };
        check(
            &connecting,
            &[80, 20, 5],
            expect![[r#"
                80|Connecting|
                20|Connecting|
                5|Co|
            "#]],
        );
        let counting = Bar {
            counting: true,
            ..backup()
        };
        check(
            &counting,
            &[80],
            expect![[r#"
                 80|Backing up <43%  [====>     ]  1.27/3.40+ GB  35.1 MB/s   counting  ...41.JPG|
            "#]],
        );
        let thawing = Bar {
            phase: "Thawing",
            amount: Amount::Objects(3, 12),
            ..Bar::default()
        };
        check(
            &thawing,
            &[80],
            expect![[r#"
                 80|Thawing  3 of 12 objects|
            "#]],
        );
        let signatures = Bar {
            phase: "Storing signatures",
            amount: Amount::Bytes(17 << 20),
            rate: Some(0.0),
            left: Left::Stalled,
            ..Bar::default()
        };
        check(
            &signatures,
            &[80],
            expect![[r#"
                 80|Storing signatures    17.0 MB      0 B/s    stalled|
            "#]],
        );
    }

    #[test]
    fn errors_are_said_before_anything_else() {
        let bar = Bar {
            errors: 2,
            ..backup()
        };
        check(
            &bar,
            &[100, 80, 40, 28],
            expect![[r#"
                100|Backing up  42%  [=====>      ]  1.27/3.40 GB  35.1 MB/s  1:02 left  2 errors  ...er/IMG_2041.JPG|
                80|Backing up  42%  [====>     ]  1.27/3.40 GB  35.1 MB/s  1:02 left  2 errors|
                40|Backing up  42%  1:02 left  2 errors|
                28|Backing up  42%  2 errors|
            "#]],
        );
    }

    #[test]
    fn the_marks_are_full_at_the_end_alone() {
        let lines: Vec<_> = [0.0, 0.5, 0.999, 1.0].map(|share| marks(share, 60)).into();
        expect![[r#"
            [
                "[>         ]",
                "[=====>    ]",
                "[=========>]",
                "[==========]",
            ]
        "#]]
        .assert_debug_eq(&lines);
    }

    #[test]
    fn times_are_short() {
        let words = [
            0,
            59,
            60,
            725,
            3599,
            3600,
            11_100,
            86_400,
            187_200,
            u64::MAX,
        ];
        expect![[r#"
            [
                "0s",
                "59s",
                "1:00",
                "12:05",
                "59:59",
                "1h 00m",
                "3h 05m",
                "1d 0h",
                "2d 4h",
                ">99d",
            ]
        "#]]
        .assert_debug_eq(&words.map(time_words));
    }

    #[test]
    fn a_long_name_loses_its_beginning() {
        assert_eq!(cut_start("abcdef", 6), "abcdef");
        assert_eq!(cut_start("abcdefg", 6), "...efg");
        // Two columns each: four of five would fit but for the mark.
        assert_eq!(cut_start("日本語の本", 10), "日本語の本");
        assert_eq!(cut_start("日本語の本", 9), "...語の本");
        assert_eq!(cut_start("日本語の本", 8), "...の本");
    }

    proptest! {
        #[test]
        fn no_line_is_longer_than_the_terminal_is_wide(
            width in 0..200_usize,
            share in proptest::option::of(-1.0..2.0),
            counting: bool,
            done: u64,
            total: u64,
            rate in proptest::option::of(0.0..1e30),
            seconds: u64,
            errors: u64,
            name: String,
        ) {
            let bar = Bar {
                phase: "Looking for changes",
                share,
                counting,
                amount: Amount::Part(done, total),
                rate,
                left: Left::Seconds(seconds),
                errors,
                name: crate::ui::escape(name.as_bytes()),
            };
            let line = bar.line(width);
            prop_assert!(line.chars().map(columns).sum::<usize>() <= width.saturating_sub(SPARE));
            prop_assert!(!line.contains(char::is_control));
        }
    }
}
