//! Names of the files of a collection: what they say, and how they are written.
//!
//! Three schemes occur: the long one that everybody writes, the same with the times of the earliest releases, and
//! short names in base 36. A name is recognised by its beginning; what follows the last fixed part only has to start
//! with a dot. So an unknown ending does not hide a file, it makes it a [stray](ParsedName::exact) that is reported
//! and goes when its set goes, but that is never read.

use std::fmt;

use crate::time::Timestamp;

mod recognise;

/// The time or times that name a backup set.
///
/// Ordered by the time the set brings its chain to, fulls before increments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Span {
    /// A full backup of this time.
    Full(Timestamp),
    /// What changed between two times.
    Inc {
        /// The time of the set that this one builds on.
        start: Timestamp,
        /// The time of this set.
        end: Timestamp,
    },
}

impl Span {
    /// The time of the set itself.
    pub fn end(self) -> Timestamp {
        match self {
            Self::Full(time) | Self::Inc { end: time, .. } => time,
        }
    }

    /// The time of the set this one builds on; for a full, its own.
    pub fn start(self) -> Timestamp {
        match self {
            Self::Full(time) | Self::Inc { start: time, .. } => time,
        }
    }

    /// Whether this is a full backup.
    pub fn is_full(self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl Ord for Span {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |span: &Self| (span.end(), !span.is_full(), span.start());
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Span {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// For messages: `full 20240101T000000Z` or `inc 20240101T000000Z to 20240102T000000Z`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(time) => write!(f, "full {time}"),
            Self::Inc { start, end } => write!(f, "inc {start} to {end}"),
        }
    }
}

/// What a file of a backup set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The difftar volume of this number, which is at least 1.
    Volume(u32),
    /// The manifest.
    Manifest,
    /// The signatures.
    Signature,
    /// The statistics that 3.x keeps on request.
    JsonStat,
}

/// How a file is wrapped, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Suffix {
    /// As it is; no suffix.
    Plain,
    /// `.gz`, or `.z` in short names.
    Gzip,
    /// An OpenPGP message: `.gpg`, or `.g` in short names.
    Gpg,
    /// A CMS message made by gpgsm: `.p7m`.
    Gpgsm,
}

impl Suffix {
    /// The suffix with its dot, as long names have it; empty for [`Suffix::Plain`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Gpg => ".gpg",
            Self::Gpgsm => ".p7m",
        }
    }

    /// Whether the file is encrypted.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Gpg | Self::Gpgsm)
    }

    /// Whether the file is a gzip stream. An encrypted one is compressed inside and is not meant here.
    pub fn is_compressed(self) -> bool {
        self == Self::Gzip
    }
}

/// The way a name is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `duplicity-full.20240101T000000Z.…`
    Long,
    /// `duplicity-full.2023-12-31T19:00:00-05:00.…`
    Old,
    /// `df.s6k2o0.…`
    Short,
}

/// What a recognised name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ParsedName {
    /// The set it belongs to.
    pub span: Span,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is a checkpoint of a running or interrupted backup (`.part`, `.p`).
    pub partial: bool,
    /// How it is wrapped.
    pub suffix: Suffix,
    /// How it is spelt.
    pub scheme: Scheme,
    /// Whether the name ends with its fixed part and suffix. Otherwise it is a leftover of some upload or a
    /// companion of another program, `….difftar.gz.tmp` or `….difftar.gpg.par2`, whose suffix says nothing.
    pub exact: bool,
}

/// The options that stand in front of names: one for all files, one more for each kind.
///
/// They apply to the names in the archive dir too. A name that lacks them is another collection's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Naming {
    /// In front of everything.
    pub prefix: String,
    /// Next, in front of volumes.
    pub archive: String,
    /// Next, in front of manifests.
    pub manifest: String,
    /// Next, in front of signatures.
    pub signature: String,
    /// Next, in front of statistics.
    pub jsonstat: String,
}

impl Naming {
    /// Reads a name; `None` when it is no file of this collection.
    ///
    /// Volume numbers that are zero or do not fit are no volumes.
    pub fn parse(&self, name: &str) -> Option<ParsedName> {
        match self.recognise(name) {
            Recognised::Name(parsed) => Some(parsed),
            Recognised::BadVolumeNumber | Recognised::Foreign => None,
        }
    }

    /// Like [`Naming::parse`], telling a hopeless volume from a foreign file.
    pub(crate) fn recognise(&self, name: &str) -> Recognised {
        recognise::recognise(self, name)
    }

    /// The name of a finished file, in the long scheme.
    pub fn name(&self, span: Span, kind: Kind, suffix: Suffix) -> String {
        self.spell(span, kind, "", suffix)
    }

    /// The name of a checkpoint in the archive dir: `.part` and no suffix.
    pub fn partial_name(&self, span: Span, kind: Kind) -> String {
        self.spell(span, kind, ".part", Suffix::Plain)
    }

    /// The name of a finished file's copy in the archive dir: manifests plain, the others gzip, whatever the target
    /// holds.
    pub fn local_name(&self, span: Span, kind: Kind) -> String {
        let suffix = match kind {
            Kind::Manifest => Suffix::Plain,
            Kind::Volume(_) | Kind::Signature | Kind::JsonStat => Suffix::Gzip,
        };
        self.spell(span, kind, "", suffix)
    }

    fn spell(&self, span: Span, kind: Kind, part: &str, suffix: Suffix) -> String {
        let stem = match (span, kind) {
            (Span::Full(time), Kind::Signature) => format!("full-signatures.{time}"),
            (Span::Inc { start, end }, Kind::Signature) => {
                format!("new-signatures.{start}.to.{end}")
            }
            (Span::Full(time), _) => format!("full.{time}"),
            (Span::Inc { start, end }, _) => format!("inc.{start}.to.{end}"),
        };
        let what = match kind {
            Kind::Volume(number) => format!("vol{number}.difftar"),
            Kind::Manifest => "manifest".to_owned(),
            Kind::Signature => "sigtar".to_owned(),
            Kind::JsonStat => "jsonstat".to_owned(),
        };
        let (all, own, suffix) = (&self.prefix, self.prefix_of(kind), suffix.as_str());
        format!("{all}{own}duplicity-{stem}.{what}{part}{suffix}")
    }

    fn prefix_of(&self, kind: Kind) -> &str {
        match kind {
            Kind::Volume(_) => &self.archive,
            Kind::Manifest => &self.manifest,
            Kind::Signature => &self.signature,
            Kind::JsonStat => &self.jsonstat,
        }
    }

    /// `name` without both prefixes of files of this kind.
    fn strip<'a>(&self, name: &'a str, kind: Kind) -> Option<&'a str> {
        name.strip_prefix(&self.prefix)?
            .strip_prefix(self.prefix_of(kind))
    }
}

/// What a name turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// A file of the collection.
    Name(ParsedName),
    /// The name of a volume whose number is zero or out of range.
    BadVolumeNumber,
    /// Anything else.
    Foreign,
}

/// The name that a file of the target has in the archive dir: without its suffix, and `.gz` for all but manifests.
///
/// Unlike [`Naming::local_name`] this keeps the scheme, which is what other programs look for.
pub fn local_copy(remote: &str, kind: Kind) -> String {
    let key = [".gpg", ".g", ".gz", ".z", ".p7m"]
        .iter()
        .find_map(|suffix| remote.strip_suffix(suffix))
        .unwrap_or(remote);
    match kind {
        Kind::Manifest => key.to_owned(),
        Kind::Volume(_) | Kind::Signature | Kind::JsonStat => format!("{key}.gz"),
    }
}
