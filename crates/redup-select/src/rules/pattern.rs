//! A pattern that is looked for among the paths of an archive.

use redup_format::index::PathIndex;

use super::regexp::Regexp;
use super::selector::{BadPattern, Selector, split_ignore_case};
use super::text::PathText;
use super::{Action, Mode};
use crate::error::RuleError;

/// What is looked for in an archive: the paths that fit a pattern, not those below them.
///
/// A shell pattern or a literal without a slash inside is compared with the last name of each path; one with a slash
/// with the whole path from the root of the backup, where a slash in front of it means nothing more. A slash at its
/// end is for folders only. A regular expression is searched for in the whole path.
#[derive(Debug)]
pub struct Pattern {
    test: Test,
    name_only: bool,
    folders_only: bool,
}

#[derive(Debug)]
enum Test {
    Path(Selector),
    Regexp(Regexp),
}

impl Pattern {
    /// Reads what was typed. `ignorecase:` in front of a shell pattern is the same as `ignore_case`.
    ///
    /// # Errors
    /// When it is empty, or none in that mode.
    pub fn new(typed: &[u8], mode: Mode, ignore_case: bool) -> Result<Self, RuleError> {
        let pattern = || typed.to_vec();
        if mode == Mode::Regexp {
            if typed.is_empty() {
                return Err(RuleError::EmptyPattern);
            }
            let text = String::from_utf8_lossy(typed);
            let test =
                Regexp::parse(&text, ignore_case).map_err(|source| RuleError::BadRegexp {
                    pattern: pattern(),
                    source,
                })?;
            return Ok(Self {
                test: Test::Regexp(test),
                name_only: false,
                folders_only: false,
            });
        }
        let (rest, ignore_case) = match split_ignore_case(typed) {
            Some(rest) if mode == Mode::Glob => (rest, true),
            _ => (typed, ignore_case),
        };
        let (rest, folders_only) = match rest {
            [rest @ .., b'/'] => (rest, true),
            _ => (rest, false),
        };
        let name_only = !rest.contains(&b'/');
        let rest = rest
            .strip_prefix(b".")
            .filter(|rest| rest.starts_with(b"/"))
            .unwrap_or(rest);
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        if matches!(rest, b"" | b".") {
            return Err(RuleError::EmptyPattern);
        }
        let selector = match mode {
            Mode::Literal => Selector::literal(rest, ignore_case),
            _ => Selector::glob(rest, ignore_case).map_err(|bad| match bad {
                BadPattern::ConsecutiveSlashes => {
                    RuleError::ConsecutiveSlashes { pattern: pattern() }
                }
                BadPattern::Range => RuleError::BadRange { pattern: pattern() },
            })?,
        };
        Ok(Self {
            test: Test::Path(selector),
            name_only,
            folders_only,
        })
    }

    /// Whether it is only about folders.
    pub fn folders_only(&self) -> bool {
        self.folders_only
    }

    /// Whether the name of this path fits; never that of the root, which has none.
    pub fn matches(&self, index: &PathIndex) -> bool {
        let Some(name) = index.name() else {
            return false;
        };
        let path = match self.name_only {
            true => PathText::from_bytes(name.to_vec()),
            false => PathText::new(None, index),
        };
        match &self.test {
            Test::Path(selector) => selector.is(&path),
            Test::Regexp(regexp) => regexp.is_found(&path, Action::Include),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 8] = [
        "a",
        "a/b",
        "a/b/letter.txt",
        "b",
        "b/LETTER.txt",
        "b/letter",
        "letter.txt",
        "le[t]",
    ];

    #[track_caller]
    fn check_as(typed: &str, mode: Mode, ignore_case: bool, expected: &[&str]) {
        let pattern = Pattern::new(typed.as_bytes(), mode, ignore_case).unwrap();
        let found = PATHS
            .iter()
            .filter(|path| pattern.matches(&PathIndex::from_bytes(path.as_bytes()).unwrap()));
        assert_eq!(found.copied().collect::<Vec<_>>(), expected, "{typed}");
        assert!(
            !pattern.matches(&PathIndex::root()),
            "{typed} is not the root"
        );
    }

    #[track_caller]
    fn check(typed: &str, expected: &[&str]) {
        check_as(typed, Mode::Glob, false, expected);
    }

    #[test]
    fn a_pattern_without_a_slash_is_about_names() {
        check("letter.txt", &["a/b/letter.txt", "letter.txt"]);
        check("*.txt", &["a/b/letter.txt", "b/LETTER.txt", "letter.txt"]);
        check("b", &["a/b", "b"]);
        check("*", &PATHS);
        check("[x]", &[]);
    }

    #[test]
    fn a_pattern_with_a_slash_is_about_whole_paths() {
        check("/letter.txt", &["letter.txt"]);
        check("./letter.txt", &["letter.txt"]);
        check("b/*", &["b/LETTER.txt", "b/letter"]);
        check("/b", &["b"]);
        check("**/letter.txt", &["a/b/letter.txt"]);
        check("a/**", &["a/b", "a/b/letter.txt"]);
        check("../b", &[]);
    }

    #[test]
    fn a_slash_at_the_end_is_for_folders() {
        let pattern = Pattern::new(b"b/", Mode::Glob, false).unwrap();
        assert!(pattern.folders_only());
        check("b/", &["a/b", "b"]);
        check("/b/", &["b"]);
    }

    #[test]
    fn case_is_minded_until_it_is_not() {
        let both = ["a/b/letter.txt", "b/LETTER.txt", "letter.txt"];
        check("ignorecase:Letter.TXT", &both);
        check_as("Letter.TXT", Mode::Glob, true, &both);
        check_as("LETTER.TXT", Mode::Literal, true, &both);
    }

    #[test]
    fn other_modes_are_literal_or_search() {
        check_as("le[t]", Mode::Literal, false, &["le[t]"]);
        check_as("a/b", Mode::Literal, false, &["a/b"]);
        check_as("/letter$", Mode::Regexp, false, &["b/letter"]);
        check_as("^B", Mode::Regexp, true, &["b", "b/LETTER.txt", "b/letter"]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for typed in ["", "/", "//", "./", "a//b", "[z-a]"] {
            assert!(
                Pattern::new(typed.as_bytes(), Mode::Glob, false).is_err(),
                "{typed}"
            );
        }
        assert!(Pattern::new(b"(", Mode::Regexp, false).is_err());
        assert!(Pattern::new(b"", Mode::Regexp, false).is_err());
    }
}
