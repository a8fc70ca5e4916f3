//! Regular expressions, with look-around and back references as Python has them.

use fancy_regex::{Regex, RegexBuilder};

use super::Action;
use super::text::PathText;

/// Steps back an expression may take on one path: enough for all but the hopeless, and some milliseconds.
const MOST_BACKTRACKING: usize = 100_000;

/// An expression that is searched for in paths.
#[derive(Debug)]
pub(super) struct Regexp(Regex);

impl Regexp {
    pub(super) fn parse(pattern: &str, ignore_case: bool) -> Result<Self, Box<fancy_regex::Error>> {
        RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .backtrack_limit(MOST_BACKTRACKING)
            .build()
            .map(Self)
            .map_err(Box::new)
    }

    /// Whether the expression is found in the path.
    ///
    /// If that takes too long to find out, the answer is the one that keeps the path in the backup.
    pub(super) fn is_found(&self, path: &PathText, action: Action) -> bool {
        let found = self.0.is_match(path.text());
        found.unwrap_or(action == Action::Include)
    }
}
