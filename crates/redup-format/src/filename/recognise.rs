//! Reading names.
//!
//! Every family of names is a beginning, one or two times, and a last fixed part. The families' shapes exclude each
//! other, so the order in which they are tried decides nothing unless the prefixes make two of them alike; then it
//! is volumes, manifests, signatures, statistics.

use super::{Kind, Naming, ParsedName, Recognised, Scheme, Span, Suffix};
use crate::time::{Timestamp, parse_base36};

/// Longer names are nobody's: file systems and stores end at 255 and 1024 bytes.
const MAX_NAME: usize = 4096;

pub(super) fn recognise(naming: &Naming, name: &str) -> Recognised {
    if name.len() > MAX_NAME {
        return Recognised::Foreign;
    }
    for family in &FAMILIES {
        let Some(bare) = naming.strip(name, family.kind) else {
            continue;
        };
        for shape in [family.short(bare), family.long(bare)]
            .into_iter()
            .flatten()
        {
            if let Some(span) = shape.span() {
                return shape.conclude(family.kind, span);
            }
        }
    }
    Recognised::Foreign
}

/// The fixed parts of the names of one kind; of volumes, whose kind is that of all of them here.
struct Family {
    kind: Kind,
    long: Parts,
    short: Parts,
}

struct Parts {
    full: &'static str,
    inc: &'static str,
    between_times: &'static str,
    last: &'static str,
    part: &'static str,
}

const FAMILIES: [Family; 4] = [
    Family {
        kind: Kind::Volume(1),
        long: Parts {
            full: "duplicity-full.",
            inc: "duplicity-inc.",
            between_times: ".to.",
            last: ".difftar",
            part: ".part",
        },
        short: Parts {
            full: "df.",
            inc: "di.",
            between_times: ".",
            last: ".dt",
            part: ".p",
        },
    },
    Family {
        kind: Kind::Manifest,
        long: Parts {
            full: "duplicity-full.",
            inc: "duplicity-inc.",
            between_times: ".to.",
            last: ".manifest",
            part: ".part",
        },
        short: Parts {
            full: "df.",
            inc: "di.",
            between_times: ".",
            last: ".m",
            part: ".p",
        },
    },
    Family {
        kind: Kind::Signature,
        long: Parts {
            full: "duplicity-full-signatures.",
            inc: "duplicity-new-signatures.",
            between_times: ".to.",
            last: ".sigtar",
            part: ".part",
        },
        short: Parts {
            full: "dfs.",
            inc: "dns.",
            between_times: ".",
            last: ".st",
            part: ".p",
        },
    },
    Family {
        kind: Kind::JsonStat,
        long: Parts {
            full: "duplicity-full.",
            inc: "duplicity-inc.",
            between_times: ".to.",
            last: ".jsonstat",
            part: ".part",
        },
        short: Parts {
            full: "dfst.",
            inc: "dist.",
            between_times: ".to.",
            last: ".jst",
            part: ".p",
        },
    },
];

impl Family {
    /// Takes a long name apart: `TIMES.volN.difftar…`, `TIMES.manifest…`.
    fn long<'a>(&self, bare: &'a str) -> Option<Shape<'a>> {
        let (is_full, rest) = self.long.after_beginning(bare)?;
        let (times, volume, rest) = if self.is_volume() {
            let (times, rest) = rest.split_once(".vol")?;
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = rest.split_at(digits);
            (times, Some(number), rest.strip_prefix(self.long.last)?)
        } else {
            let (times, rest) = rest.split_once(self.long.last)?;
            (times, None, rest)
        };
        let (partial, end) = self.ending(&self.long, rest)?;
        let times = self.long.split_times(times, is_full)?;
        Some(Shape {
            short: false,
            times,
            volume,
            partial,
            end,
        })
    }

    /// Takes a short name apart: `TIMES.N.dt…`, `TIMES.m…`.
    fn short<'a>(&self, bare: &'a str) -> Option<Shape<'a>> {
        let (is_full, rest) = self.short.after_beginning(bare)?;
        let (times, rest) = rest.split_once(self.short.last)?;
        let (times, volume) = if self.is_volume() {
            let (times, number) = times.rsplit_once('.')?;
            (times, Some(number))
        } else {
            (times, None)
        };
        let (partial, end) = self.ending(&self.short, rest)?;
        let times = self.short.split_times(times, is_full)?;
        Some(Shape {
            short: true,
            times,
            volume,
            partial,
            end,
        })
    }

    fn is_volume(&self) -> bool {
        matches!(self.kind, Kind::Volume(_))
    }

    /// What follows the last fixed part, after the checkpoint mark if there is one; `None` when the part did not end.
    ///
    /// Volumes have no checkpoints: their `.part` is an ending like any other.
    fn ending<'a>(&self, parts: &Parts, rest: &'a str) -> Option<(bool, &'a str)> {
        let ends = |rest: &str| rest.is_empty() || rest.starts_with('.');
        let marked = rest.strip_prefix(parts.part).filter(|after| ends(after));
        match marked {
            Some(after) if !self.is_volume() => Some((true, after)),
            _ => ends(rest).then_some((false, rest)),
        }
    }
}

impl Parts {
    fn after_beginning<'a>(&self, bare: &'a str) -> Option<(bool, &'a str)> {
        let full = bare.strip_prefix(self.full).map(|rest| (true, rest));
        full.or_else(|| bare.strip_prefix(self.inc).map(|rest| (false, rest)))
    }

    fn split_times<'a>(&self, times: &'a str, is_full: bool) -> Option<(&'a str, Option<&'a str>)> {
        if is_full {
            return Some((times, None));
        }
        let (start, end) = times.split_once(self.between_times)?;
        Some((start, Some(end)))
    }
}

/// A name taken apart, its times and number not yet read.
struct Shape<'a> {
    short: bool,
    times: (&'a str, Option<&'a str>),
    volume: Option<&'a str>,
    partial: bool,
    /// What follows the last fixed part: nothing, or a dot and more.
    end: &'a str,
}

impl Shape<'_> {
    fn span(&self) -> Option<Span> {
        let read = if self.short {
            Timestamp::parse_base36
        } else {
            Timestamp::parse
        };
        let (first, second) = self.times;
        Some(match second {
            None => Span::Full(read(first)?),
            Some(second) => Span::Inc {
                start: read(first)?,
                end: read(second)?,
            },
        })
    }

    fn conclude(&self, kind: Kind, span: Span) -> Recognised {
        let kind = match self.volume {
            None => kind,
            Some("") => return Recognised::Foreign,
            Some(text) => match self.volume_number(text) {
                Some(number) => Kind::Volume(number),
                None => return Recognised::BadVolumeNumber,
            },
        };
        Recognised::Name(ParsedName {
            span,
            kind,
            partial: self.partial,
            suffix: suffix_of(self.end),
            scheme: self.scheme(),
            exact: matches!(self.end, "" | ".gz" | ".z" | ".gpg" | ".g" | ".p7m"),
        })
    }

    fn volume_number(&self, text: &str) -> Option<u32> {
        let number = if self.short {
            parse_base36(text)?.try_into().ok()?
        } else {
            text.parse().ok()?
        };
        (number > 0).then_some(number)
    }

    fn scheme(&self) -> Scheme {
        if self.short {
            Scheme::Short
        } else if self.times.0.contains('-') {
            Scheme::Old
        } else {
            Scheme::Long
        }
    }
}

/// The wrapping goes by how the whole name ends, whatever stands before.
fn suffix_of(end: &str) -> Suffix {
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| end.ends_with(suffix));
    if ends(&[".gz", ".z"]) {
        Suffix::Gzip
    } else if ends(&[".gpg", ".g"]) {
        Suffix::Gpg
    } else if ends(&[".p7m"]) {
        Suffix::Gpgsm
    } else {
        Suffix::Plain
    }
}
