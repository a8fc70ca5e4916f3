//! One pattern of the command line or a list, as a question about a path.

use super::glob::{BadRange, Glob};
use super::text::{PathText, Unit, fold, units};
use super::{Action, Verdict};
use crate::entry::Kind;

const SLASH: Unit = b'/' as Unit;

/// A pattern, and the folders on the way to what it may stand for.
#[derive(Debug)]
pub(super) enum Selector {
    Glob {
        pattern: Glob,
        /// The pattern ends in a slash: it is about folders and what is in them.
        folders_only: bool,
        /// What of the pattern may lead to a match, cut at each slash.
        ways: Vec<Glob>,
    },
    Literal {
        path: Vec<Unit>,
        ignore_case: bool,
    },
}

/// Why a pattern cannot be used.
#[derive(Debug)]
pub(super) enum BadPattern {
    ConsecutiveSlashes,
    Range,
}

impl Selector {
    /// Reads a shell pattern.
    pub(super) fn glob(pattern: &[u8], ignore_case: bool) -> Result<Self, BadPattern> {
        let (pattern, ignore_case) = match split_ignore_case(pattern) {
            Some(rest) => (rest, true),
            None => (pattern, ignore_case),
        };
        let (pattern, folders_only) = match pattern {
            b"/" => (&b"/**"[..], false),
            [pattern @ .., b'/'] => (pattern, true),
            _ => (pattern, false),
        };
        if pattern.windows(2).any(|pair| pair == b"//") {
            return Err(BadPattern::ConsecutiveSlashes);
        }
        let read = |part: &[u8]| {
            let units = units(part);
            let units = if ignore_case { fold(&units) } else { units };
            Glob::parse(&units, ignore_case).map_err(|BadRange| BadPattern::Range)
        };
        Ok(Self::Glob {
            pattern: read(pattern)?,
            folders_only,
            ways: ways(pattern).map(read).collect::<Result<_, _>>()?,
        })
    }

    /// Takes a path as it is.
    pub(super) fn literal(path: &[u8], ignore_case: bool) -> Self {
        let path = units(path.strip_suffix(b"/").unwrap_or(path));
        Self::Literal {
            path: if ignore_case { fold(&path) } else { path },
            ignore_case,
        }
    }

    /// What the pattern says of a path; `None` if nothing.
    pub(super) fn answer(&self, action: Action, path: &PathText, kind: Kind) -> Option<Verdict> {
        if self.applies(path, kind) {
            return Some(action.into());
        }
        (action == Action::Include && self.leads_from(path)).then_some(Verdict::Scan)
    }

    /// Whether anything at or below `path`, a folder, or everything, is what the pattern is about.
    pub(super) fn reaches(&self, path: &PathText) -> bool {
        self.answer(Action::Include, path, Kind::Directory)
            .is_some()
    }

    /// Whether the pattern stands for `path` itself.
    pub(super) fn is(&self, path: &PathText) -> bool {
        match self {
            Self::Glob { pattern, .. } => pattern.compare(path).exact,
            Self::Literal {
                path: own,
                ignore_case,
            } => in_case(path, *ignore_case) == own,
        }
    }

    fn applies(&self, path: &PathText, kind: Kind) -> bool {
        match self {
            Self::Glob {
                pattern,
                folders_only,
                ..
            } => {
                let found = pattern.compare(path);
                if found.exact && *folders_only {
                    return kind == Kind::Directory;
                }
                found.exact || found.below
            }
            Self::Literal {
                path: own,
                ignore_case,
            } => {
                let path = in_case(path, *ignore_case);
                let rest = path.strip_prefix(&own[..]);
                rest.is_some_and(|rest| matches!(rest, [] | [SLASH, ..]))
            }
        }
    }

    fn leads_from(&self, path: &PathText) -> bool {
        match self {
            Self::Glob { ways, .. } => ways.iter().any(|way| way.compare(path).exact),
            Self::Literal {
                path: own,
                ignore_case,
            } => {
                let path = in_case(path, *ignore_case);
                let rest = own.strip_prefix(path);
                rest.is_some_and(|rest| matches!(rest, [SLASH, ..]) || path == [SLASH])
            }
        }
    }
}

fn in_case(path: &PathText, ignore_case: bool) -> &[Unit] {
    if ignore_case {
        path.folded()
    } else {
        path.units()
    }
}

pub(super) fn split_ignore_case(pattern: &[u8]) -> Option<&[u8]> {
    const PREFIX: &[u8] = b"ignorecase:";
    let (prefix, rest) = pattern.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(rest)
}

/// The parts of a pattern that end in front of a slash, up to its first `**`, behind which everything may match.
fn ways(pattern: &[u8]) -> impl Iterator<Item = &[u8]> {
    let anywhere = pattern.windows(2).position(|pair| pair == b"**");
    let cut = anywhere.map_or(pattern, |at| &pattern[..at + 2]);
    let slashes = cut.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
    let folders = slashes.map(|(at, _)| if at == 0 { &cut[..1] } else { &cut[..at] });
    folders.chain(anywhere.map(|_| cut))
}
