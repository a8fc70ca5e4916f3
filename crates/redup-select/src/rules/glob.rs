//! Shell patterns.

use memchr::memmem::Finder;

use super::text::{PathText, Unit, fold_one, to_bytes, upper_one};

const SLASH: Unit = b'/' as Unit;
const NEWLINE: Unit = b'\n' as Unit;

/// A shell pattern that stands for whole paths.
///
/// Matching takes at most the length of the pattern times that of the path, whatever stars the pattern has.
#[derive(Debug)]
pub(super) struct Glob {
    /// What every match begins with.
    start: Vec<Unit>,
    /// The rest.
    tokens: Vec<Token>,
    ignore_case: bool,
    filter: Filter,
}

/// Bytes that every match has: what lacks them, as nearly all paths do, needs no closer look.
#[derive(Debug)]
struct Filter {
    start: Vec<u8>,
    /// The longest characters in a row behind the start.
    inside: Box<Finder<'static>>,
}

/// How a path fits a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Match {
    /// The path is what the pattern stands for.
    pub(super) exact: bool,
    /// A path above it is.
    pub(super) below: bool,
}

/// A set in a pattern has a range that ends before it begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadRange;

#[derive(Debug, PartialEq, Eq)]
enum Token {
    One(Unit),
    /// `?`
    Any,
    /// `[…]`, as ranges that include both ends.
    Set {
        negated: bool,
        ranges: Vec<(Unit, Unit)>,
    },
    /// `*`
    Star,
    /// `**`
    DoubleStar,
}

impl Glob {
    /// Reads a pattern. With `ignore_case` characters match that differ in case; what folds to several is for the
    /// caller to fold.
    pub(super) fn parse(pattern: &[Unit], ignore_case: bool) -> Result<Self, BadRange> {
        let mut tokens = parse(pattern)?;
        let mut start = Vec::new();
        let mut inside = Vec::new();
        if !ignore_case {
            start = literal(&tokens);
            tokens.drain(..start.len());
            let runs = (0..tokens.len()).map(|at| literal(&tokens[at..]));
            inside = runs.max_by_key(Vec::len).unwrap_or_default();
        }
        Ok(Self {
            filter: Filter {
                start: to_bytes(&start),
                inside: Box::new(Finder::new(&to_bytes(&inside)).into_owned()),
            },
            start,
            tokens,
            ignore_case,
        })
    }

    /// Compares a path with the pattern.
    ///
    /// As in duplicity, the end of the path is also seen in front of a newline that ends it.
    pub(super) fn compare(&self, path: &PathText) -> Match {
        if !self.filter.may_match(path.bytes()) {
            return Match::default();
        }
        match path.units().strip_prefix(&self.start[..]) {
            Some(rest) => self.compare_rest(rest),
            None => Match::default(),
        }
    }

    fn compare_rest(&self, rest: &[Unit]) -> Match {
        let mut found = Match::default();
        let mut places = Vec::new();
        self.arrive(0, &mut places);
        let mut next = Vec::new();
        for at in 0..=rest.len() {
            if places.last() == Some(&self.tokens.len()) {
                match &rest[at..] {
                    [] | [NEWLINE] => found.exact = true,
                    [SLASH, ..] => found.below = true,
                    _ => {}
                }
            }
            let Some(&unit) = rest.get(at) else { break };
            next.clear();
            for &place in &places {
                self.step(place, unit, &mut next);
            }
            if next.is_empty() {
                break;
            }
            std::mem::swap(&mut places, &mut next);
        }
        found
    }

    fn step(&self, place: usize, unit: Unit, next: &mut Vec<usize>) {
        match self.tokens.get(place) {
            Some(Token::DoubleStar) => self.arrive(place, next),
            Some(Token::Star) if unit != SLASH => self.arrive(place, next),
            Some(token) if token.takes(unit, self.ignore_case) => self.arrive(place + 1, next),
            _ => {}
        }
    }

    /// Adds a place in the pattern, and those that stars which stand for nothing lead to.
    ///
    /// Places are added in rising order, and what would come twice is the last one or before it.
    fn arrive(&self, mut place: usize, places: &mut Vec<usize>) {
        loop {
            if places.last().is_none_or(|&last| last < place) {
                places.push(place);
            }
            match self.tokens.get(place) {
                Some(Token::Star | Token::DoubleStar) => place += 1,
                _ => break,
            }
        }
    }
}

impl Filter {
    fn may_match(&self, path: &[u8]) -> bool {
        let rest = path.strip_prefix(&self.start[..]);
        rest.is_some_and(|rest| self.inside.find(rest).is_some())
    }
}

/// The characters that the tokens begin with.
fn literal(tokens: &[Token]) -> Vec<Unit> {
    let units = tokens.iter().map_while(|token| match token {
        Token::One(unit) => Some(*unit),
        _ => None,
    });
    units.collect()
}

impl Token {
    /// Whether the token, which is no star, stands for this character.
    fn takes(&self, unit: Unit, ignore_case: bool) -> bool {
        match self {
            Self::One(own) if ignore_case => fold_one(*own) == fold_one(unit),
            Self::One(own) => *own == unit,
            Self::Any => unit != SLASH,
            Self::Set { negated, ranges } => {
                let lower = fold_one(unit);
                let has = |unit| {
                    ranges
                        .iter()
                        .any(|&(low, high)| (low..=high).contains(&unit))
                };
                let alike = || {
                    ranges
                        .iter()
                        .any(|&(low, high)| low == high && fold_one(low) == lower)
                };
                let found =
                    has(unit) || ignore_case && (has(lower) || has(upper_one(lower)) || alike());
                found != *negated
            }
            Self::Star | Self::DoubleStar => false,
        }
    }
}

fn parse(pattern: &[Unit]) -> Result<Vec<Token>, BadRange> {
    const STAR: Unit = b'*' as Unit;
    const QUESTION: Unit = b'?' as Unit;
    const OPEN: Unit = b'[' as Unit;
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some((&first, after)) = rest.split_first() {
        let (token, after) = match (first, after) {
            (STAR, [STAR, after @ ..]) => (Token::DoubleStar, after),
            (STAR, _) => (Token::Star, after),
            (QUESTION, _) => (Token::Any, after),
            (OPEN, _) => match split_set(after) {
                Some((set, after)) => (parse_set(set)?, after),
                None => (Token::One(OPEN), after),
            },
            _ => (Token::One(first), after),
        };
        tokens.push(token);
        rest = after;
    }
    Ok(tokens)
}

/// Cuts behind the `]` that ends a set. One that comes first, behind a sign of negation, is in the set.
fn split_set(after_open: &[Unit]) -> Option<(&[Unit], &[Unit])> {
    let first = usize::from(is_negated(after_open)) + 1;
    let candidates = after_open.get(first..)?;
    let end = candidates
        .iter()
        .position(|&unit| unit == Unit::from(b']'))?;
    let (set, rest) = after_open.split_at(first + end);
    Some((set, &rest[1..]))
}

fn parse_set(set: &[Unit]) -> Result<Token, BadRange> {
    const DASH: Unit = b'-' as Unit;
    let negated = is_negated(set);
    let mut rest = &set[usize::from(negated)..];
    let mut ranges = Vec::new();
    while let Some((&low, after)) = rest.split_first() {
        let (high, after) = match after {
            [DASH, high, after @ ..] => (*high, after),
            _ => (low, after),
        };
        if high < low {
            return Err(BadRange);
        }
        ranges.push((low, high));
        rest = after;
    }
    Ok(Token::Set { negated, ranges })
}

fn is_negated(set: &[Unit]) -> bool {
    [b'!', b'^']
        .iter()
        .any(|&sign| set.first() == Some(&Unit::from(sign)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::{fold, units};
    use super::*;

    const NONE: Match = Match {
        exact: false,
        below: false,
    };
    const EXACT: Match = Match {
        exact: true,
        below: false,
    };
    const BELOW: Match = Match {
        exact: false,
        below: true,
    };
    const BOTH: Match = Match {
        exact: true,
        below: true,
    };

    #[track_caller]
    fn check(pattern: &str, path: &str, expected: Match) {
        let glob = Glob::parse(&units(pattern.as_bytes()), false).unwrap();
        assert_eq!(glob.compare(&PathText::from_bytes(path.into())), expected);
    }

    #[track_caller]
    fn check_caseless(pattern: &str, path: &str, expected: Match) {
        let glob = Glob::parse(&fold(&units(pattern.as_bytes())), true).unwrap();
        assert_eq!(glob.compare(&PathText::from_bytes(path.into())), expected);
    }

    #[test]
    fn a_pattern_stands_for_a_path_and_what_lies_below_it() {
        check("a/b", "a/b", EXACT);
        check("a/b", "a/b/c", BELOW);
        check("a/b", "a/bc", NONE);
        check("a/b", "a", NONE);
    }

    #[test]
    fn stars_stop_at_slashes_and_doubled_ones_do_not() {
        check("a/*", "a/b", EXACT);
        check("a/*", "a/", EXACT);
        check("a/*", "a/b/c", BELOW);
        check("*/c", "a/b/c", NONE);
        check("**/c", "a/b/c", EXACT);
        check("**/c", "c", NONE);
        check("a/**/c", "a/c", NONE);
        check("a/**", "a/b/c", BOTH);
        check("**", "x", EXACT);
        check("a***.py", "a/b/c.py", EXACT);
        check("*a*b*c", "xxaxxbxxcc", EXACT);
    }

    #[test]
    fn question_marks_stand_for_one_character() {
        check("?", "é", EXACT);
        check("??", "é", NONE);
        check("a?b", "a/b", NONE);
        check("a?b", "a\nb", EXACT);
    }

    #[test]
    fn sets_take_one_character_each() {
        check("[a-c]", "b", EXACT);
        check("[!a-c]", "b", NONE);
        check("[^a-c]", "d", EXACT);
        check("[]]", "]", EXACT);
        check("[!]]", "]", NONE);
        check("[5-]", "-", EXACT);
        check("[-5]", "-", EXACT);
        check("[a^]", "^", EXACT);
        check("[\\]", "\\", EXACT);
        check("[*]", "*", EXACT);
        check("a[!x]b", "a/b", EXACT);
        check("[é-ë]", "ê", EXACT);
    }

    #[test]
    fn what_is_no_set_is_taken_as_it_is() {
        check("x[1", "x[1", EXACT);
        check("[", "[", EXACT);
        check("[]", "[]", EXACT);
        check("[!", "[!", EXACT);
        check("[!]", "[!]", EXACT);
        check("back\\*", "back\\slash", EXACT);
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        assert_eq!(Glob::parse(&units(b"[z-a]"), false).unwrap_err(), BadRange);
    }

    #[test]
    fn the_end_is_also_seen_before_a_last_newline() {
        check("nl", "nl\n", EXACT);
        check("nl", "nl\nx", NONE);
        check("nl", "nl\n\n", NONE);
        check("nl?", "nl\n", EXACT);
    }

    #[test]
    fn case_is_ignored_character_by_character() {
        check_caseless("Tree/FOO", "tree/foo/x", BELOW);
        check_caseless("STRASSE", "straße", NONE);
        check_caseless("straße", "STRASSE", EXACT);
        check_caseless("Ünï", "ÜNÏ", EXACT);
        check_caseless("[A-C]x", "bX", EXACT);
        check_caseless("k", "\u{212a}", EXACT);
    }

    #[test]
    fn many_stars_take_no_longer_for_it() {
        let pattern = "*a".repeat(200) + "b";
        check(&pattern, &"a".repeat(4000), NONE);
        check(&"**".repeat(200), &"a/".repeat(2000), BOTH);
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(pattern in "[ab/*?]{0,8}", text in "[ab/]{0,8}") {
            let path = units(text.as_bytes());
            let tokens = parse(&units(pattern.as_bytes())).unwrap();
            let glob = Glob::parse(&units(pattern.as_bytes()), false).unwrap();
            let below = (0..path.len()).any(|at| path[at] == SLASH && expands(&tokens, &path[..at]));
            let expected = Match { exact: expands(&tokens, &path), below };
            prop_assert_eq!(glob.compare(&PathText::from_bytes(text.into())), expected);
        }
    }

    /// Tries everything.
    fn expands(tokens: &[Token], path: &[Unit]) -> bool {
        match tokens {
            [] => path.is_empty(),
            [token @ (Token::Star | Token::DoubleStar), rest @ ..] => {
                expands(rest, path)
                    || path.split_first().is_some_and(|(&unit, below)| {
                        (unit != SLASH || *token == Token::DoubleStar) && expands(tokens, below)
                    })
            }
            [token, rest @ ..] => path
                .split_first()
                .is_some_and(|(&unit, below)| token.takes(unit, false) && expands(rest, below)),
        }
    }
}
