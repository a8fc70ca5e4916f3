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
        let (pattern, folds) = match split_ignore_case(pattern) {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        let ignore_case = ignore_case || folds;
        let (pattern, folders_only) = match pattern {
            b"/" => (&b"/**"[..], false),
            [pattern @ .., b'/'] => (pattern, true),
            _ => (pattern, false),
        };
        if way_in(pattern).windows(2).any(|pair| pair == b"//") {
            return Err(BadPattern::ConsecutiveSlashes);
        }
        let read = |part: &[u8]| {
            let units = units(part);
            // Folding can make two characters of one, as of ß: only what is marked so is folded.
            let units = if folds { fold(&units) } else { units };
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
        match self.applies(path, kind) {
            Some(true) => Some(action.into()),
            // What a pattern for folders would stand for is none: nothing more is said of it.
            Some(false) => None,
            None if action == Action::Include && self.leads_from(path) => Some(Verdict::Scan),
            None => None,
        }
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

    /// Whether the pattern stands for the path or one above it; `None` if it does not fit either.
    fn applies(&self, path: &PathText, kind: Kind) -> Option<bool> {
        match self {
            Self::Glob {
                pattern,
                folders_only,
                ..
            } => {
                let found = pattern.compare(path);
                if found.exact && *folders_only {
                    return Some(kind == Kind::Directory);
                }
                (found.exact || found.below).then_some(true)
            }
            Self::Literal {
                path: own,
                ignore_case,
            } => {
                let path = in_case(path, *ignore_case);
                let rest = path.strip_prefix(&own[..])?;
                matches!(rest, [] | [SLASH, ..]).then_some(true)
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
    let cut = way_in(pattern);
    let slashes = cut.iter().enumerate().filter(|&(_, &byte)| byte == b'/');
    let folders = slashes.map(|(at, _)| if at == 0 { &cut[..1] } else { &cut[..at] });
    folders.chain(cut.ends_with(b"**").then_some(cut))
}

/// A pattern up to its first `**`, or all of it.
fn way_in(pattern: &[u8]) -> &[u8] {
    let anywhere = pattern.windows(2).position(|pair| pair == b"**");
    anywhere.map_or(pattern, |at| &pattern[..at + 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, path: &str, kind: Kind, expected: Option<Verdict>) {
        let selector = Selector::glob(pattern.as_bytes(), false).unwrap();
        let path = PathText::from_bytes(path.into());
        let found = selector.answer(Action::Include, &path, kind);
        assert_eq!(found, expected, "{pattern} {path:?}");
    }

    #[test]
    fn a_pattern_for_folders_says_nothing_of_a_file_in_a_folders_place() {
        check("s/d/", "s/d", Kind::Directory, Some(Verdict::Include));
        check("s/d/", "s/d", Kind::Regular, None);
        check("s/d/", "s/d/f", Kind::Regular, Some(Verdict::Include));
        check("s/d/", "s", Kind::Directory, Some(Verdict::Scan));
        // `**` leads everywhere, but a file that it stands for is not on the way to anything.
        check("s/**/", "s/f", Kind::Regular, None);
        check("s/**/", "s/d", Kind::Directory, Some(Verdict::Include));
        check("**/", "s/d/f", Kind::Regular, None);
    }

    #[test]
    fn only_what_is_marked_so_is_folded_into_several_characters() {
        let takes = |pattern: &str, ignore_case, path: &str| {
            let selector = Selector::glob(pattern.as_bytes(), ignore_case).unwrap();
            selector.reaches(&PathText::from_bytes(path.into()))
        };
        for (name, other) in [("Straße", "strasse"), ("ﬁ", "fi"), ("[ß]", "s")] {
            assert!(!takes(name, true, other), "{name}");
            assert!(takes(&format!("ignorecase:{name}"), false, other), "{name}");
        }
        assert!(takes("Straße", true, "sTRAßE") && takes("ß", true, "ẞ") && takes("ẞ", true, "ß"));
        assert!(takes("[ẞ]", true, "ß") && takes("[É-Ö]", true, "ó"));
    }

    #[test]
    fn slashes_may_be_doubled_where_anything_may_stand_before_them() {
        for pattern in ["s//d", "s/*//d", "s//**"] {
            let bad = Selector::glob(pattern.as_bytes(), false);
            assert!(
                matches!(bad, Err(BadPattern::ConsecutiveSlashes)),
                "{pattern}"
            );
        }
        check("s/**//d", "s/x/d", Kind::Regular, Some(Verdict::Scan));
        check("**//d", "s/d", Kind::Directory, Some(Verdict::Scan));
    }
}
