//! From what was typed to what is asked.

use redup_format::index::{PathIndex, escaped};

use super::filelist;
use super::regexp::Regexp;
use super::selector::{BadPattern, Selector};
use super::text::PathText;
use super::{Action, Condition, Function, Mode, Rules, Test};
use crate::error::RuleError;

impl Rules {
    /// Rules for the backup of `source`, in the form that [`canonical_source`](crate::canonical_source) gives it,
    /// from options in the order they were typed.
    pub fn new(source: &[u8], conditions: &[Condition]) -> Result<Self, RuleError> {
        Self::build(Some(source), conditions)
    }

    /// Rules for the paths in an archive, where patterns start at the root: `dir/file`, not `/home/dir/file`.
    ///
    /// Conditions that ask a file system are for the caller to refuse.
    pub fn for_archive(conditions: &[Condition]) -> Result<Self, RuleError> {
        Self::build(None, conditions)
    }

    fn build(source: Option<&[u8]>, conditions: &[Condition]) -> Result<Self, RuleError> {
        check_filters(conditions)?;
        let mut builder = Builder {
            source,
            mode: Mode::Glob,
            ignore_case: false,
            first: Vec::new(),
            functions: Vec::new(),
        };
        for condition in conditions {
            builder.add(condition)?;
        }
        builder.finish()
    }
}

struct Builder<'a> {
    source: Option<&'a [u8]>,
    mode: Mode,
    ignore_case: bool,
    /// Those that precede all others; the last one found is asked first.
    first: Vec<Function>,
    /// With each what was typed, for messages.
    functions: Vec<(Function, String)>,
}

impl Builder<'_> {
    fn add(&mut self, condition: &Condition) -> Result<(), RuleError> {
        match condition {
            Condition::Pattern { action, pattern } => self.add_pattern(*action, pattern)?,
            Condition::List {
                action,
                list,
                separator,
            } => {
                for (action, pattern) in filelist::lines(list, *separator, *action) {
                    self.add_pattern(action, pattern)?;
                }
            }
            Condition::Regexp { action, pattern } => {
                self.add_regexp(*action, pattern.as_bytes())?;
            }
            Condition::ExcludeIfPresent(name) => {
                // Nothing is ever present under what is not a name.
                if PathIndex::root().join(name).is_ok() {
                    self.add_first(Test::IfPresent(name.clone()));
                }
            }
            Condition::ExcludeDeviceFiles => self.add_first(Test::Device),
            Condition::ExcludeOtherFilesystems => {
                self.push(
                    Action::Exclude,
                    Test::OtherFilesystem,
                    b"other file systems",
                );
            }
            Condition::ExcludeOlderThan(time) => {
                self.push(Action::Exclude, Test::OlderThan(*time), b"older files");
            }
            Condition::FilesFrom => {}
            Condition::Mode(mode) => self.mode = *mode,
            Condition::IgnoreCase(ignore_case) => self.ignore_case = *ignore_case,
        }
        Ok(())
    }

    fn add_pattern(&mut self, action: Action, typed: &[u8]) -> Result<(), RuleError> {
        if typed.is_empty() {
            return Err(RuleError::EmptyPattern);
        }
        if self.mode == Mode::Regexp {
            return self.add_regexp(action, typed);
        }
        let pattern = self.in_archive(typed)?;
        let selector = match self.mode {
            Mode::Literal => Selector::literal(pattern, self.ignore_case),
            _ => Selector::glob(pattern, self.ignore_case).map_err(|bad| {
                let pattern = typed.to_vec();
                match bad {
                    BadPattern::ConsecutiveSlashes => RuleError::ConsecutiveSlashes { pattern },
                    BadPattern::Range => RuleError::BadRange { pattern },
                }
            })?,
        };
        if let Some(source) = self.source
            && !selector.reaches(&PathText::from_bytes(source.to_vec()))
        {
            return Err(self.outside(typed));
        }
        self.push(action, Test::Path(selector), typed);
        Ok(())
    }

    fn add_regexp(&mut self, action: Action, pattern: &[u8]) -> Result<(), RuleError> {
        let text = String::from_utf8_lossy(pattern);
        let regexp =
            Regexp::parse(&text, self.ignore_case).map_err(|source| RuleError::BadRegexp {
                pattern: pattern.to_vec(),
                source,
            })?;
        self.push(action, Test::Regexp(regexp), pattern);
        Ok(())
    }

    /// A pattern for archived paths cannot leave the root; `./` in front of it means nothing.
    fn in_archive<'p>(&self, pattern: &'p [u8]) -> Result<&'p [u8], RuleError> {
        if self.source.is_some() {
            return Ok(pattern);
        }
        let inner = pattern.strip_prefix(b"./").unwrap_or(pattern);
        let mut parts = inner.split(|&byte| byte == b'/');
        if inner.starts_with(b"/") || parts.any(|part| matches!(part, b"." | b"..")) {
            return Err(self.outside(pattern));
        }
        Ok(inner)
    }

    fn outside(&self, pattern: &[u8]) -> RuleError {
        RuleError::OutsideSource {
            pattern: pattern.to_vec(),
            source_path: self.source.unwrap_or(b".").to_vec(),
        }
    }

    fn push(&mut self, action: Action, test: Test, typed: &[u8]) {
        self.functions
            .push((Function { action, test }, escaped(typed)));
    }

    fn add_first(&mut self, test: Test) {
        let action = Action::Exclude;
        self.first.push(Function { action, test });
    }

    fn finish(self) -> Result<Rules, RuleError> {
        if let Some((last, typed)) = self.functions.last()
            && last.action == Action::Include
        {
            return Err(RuleError::OnlyIncludes {
                last: typed.clone(),
            });
        }
        let others = self.functions.into_iter().map(|(function, _)| function);
        Ok(Rules {
            source: self.source.map(<[u8]>::to_vec),
            functions: self.first.into_iter().rev().chain(others).collect(),
            only: None,
        })
    }
}

/// Filters that change nothing are taken for a misunderstanding.
fn check_filters(conditions: &[Condition]) -> Result<(), RuleError> {
    let is_filter =
        |condition: &Condition| matches!(condition, Condition::Mode(_) | Condition::IgnoreCase(_));
    let is_default = |condition: &Condition| {
        matches!(
            condition,
            Condition::Mode(Mode::Glob) | Condition::IgnoreCase(false)
        )
    };
    if conditions.last().is_some_and(is_filter) {
        return Err(RuleError::FilterLast);
    }
    let mut filters = conditions.iter().filter(|c| is_filter(c)).peekable();
    if filters.peek().is_some() && filters.all(is_default) {
        return Err(RuleError::FilterWithoutEffect);
    }
    Ok(())
}
