//! Which paths belong to a backup.

mod build;
mod filelist;
mod glob;
mod pattern;
mod regexp;
mod selector;
mod text;

use std::fmt;
use std::sync::Arc;

use redup_format::index::PathIndex;

use crate::entry::Kind;
use crate::listed::Listed;
pub use pattern::Pattern;
use regexp::Regexp;
use selector::Selector;
use text::PathText;

/// Which paths belong to a backup: conditions tried in order, the first that decides wins.
///
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What stands in front of an index in the path the conditions see; `None` in an archive, where nothing does.
    source: Option<Vec<u8>>,
    functions: Arc<[Function]>,
    only: Option<Listed>,
}

/// One selection option, as typed.
///
/// Patterns are bytes as the shell handed them over. What is no UTF-8 in a pattern or a path counts as one character
/// a byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `--include`, `--exclude`: paths that match the pattern, and what lies below them.
    Pattern {
        /// What becomes of them.
        action: Action,
        /// A shell pattern, or what [`Condition::Mode`] made of it. Starts with the source.
        pattern: Vec<u8>,
    },
    /// `--include-filelist`, `--exclude-filelist`: a pattern a line.
    List {
        /// What becomes of the paths if the line does not say.
        action: Action,
        /// The list itself.
        list: Vec<u8>,
        /// What ends a line.
        separator: Separator,
    },
    /// `--include-regexp`, `--exclude-regexp`: paths in which the expression is found.
    Regexp {
        /// What becomes of them.
        action: Action,
        /// The expression, in Python's syntax as far as it is common.
        pattern: String,
    },
    /// `--exclude-if-present`: folders that hold an entry of this name. Precedes all patterns wherever it stands.
    ExcludeIfPresent(Vec<u8>),
    /// `--exclude-device-files`: precedes all patterns wherever it stands.
    ExcludeDeviceFiles,
    /// `--exclude-other-filesystems`: what is not on the device of the source.
    ExcludeOtherFilesystems,
    /// `--exclude-older-than`: regular files written before this time, in seconds since the epoch.
    ExcludeOlderThan(i64),
    /// `--files-from`: selects nothing by itself, see [`Rules::limited_to`], but a filter in front of it is not the last
    /// option.
    FilesFrom,
    /// `--filter-globbing` and its like: how patterns from here on are read.
    Mode(Mode),
    /// `--filter-ignorecase`, `--filter-strictcase`: whether case counts from here on.
    IgnoreCase(bool),
}

/// What a condition does with the paths it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// They belong to the backup.
    Include,
    /// They do not.
    Exclude,
}

/// What ends a line of a list of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Separator {
    /// A newline.
    #[default]
    Newline,
    /// A NUL byte (`--null-separator`).
    Nul,
}

/// How a pattern is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// As a shell pattern.
    #[default]
    Glob,
    /// As the path itself.
    Literal,
    /// As a regular expression.
    Regexp,
}

/// What conditions ask about a path besides its name.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// What it is.
    pub kind: Kind,
    /// When it was last written, in seconds since the epoch.
    pub mtime: i64,
    /// Whether it is on another file system than the source.
    pub other_filesystem: bool,
    /// Whether it, being a folder, holds an entry of this name.
    pub has_entry: &'a dyn Fn(&[u8]) -> bool,
}

/// What rules say of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to the backup.
    Include,
    /// It does not, nor does anything below it.
    Exclude,
    /// If it is a folder that holds something that belongs to the backup, so does it. Otherwise it does not.
    Scan,
}

impl Rules {
    /// Everything belongs to the backup.
    pub fn all() -> Self {
        Self {
            source: None,
            functions: Arc::default(),
            only: None,
        }
    }

    /// Lets a walk visit the listed paths instead of what folders hold. The conditions apply to them as well.
    #[must_use]
    pub fn limited_to(self, listed: Listed) -> Self {
        Self {
            only: Some(listed),
            ..self
        }
    }

    /// What a walk visits instead of what folders hold.
    pub(crate) fn only(&self) -> Option<&Listed> {
        self.only.as_ref()
    }

    /// What the conditions say of the path at `index`. The root always belongs to the backup.
    ///
    /// Assumes that nothing above the path is excluded, and that the path is one a walk would visit.
    pub fn judge(&self, index: &PathIndex, facts: &Facts<'_>) -> Verdict {
        if self.functions.is_empty() || index.is_root() {
            return Verdict::Include;
        }
        let path = PathText::new(self.source.as_deref(), index);
        let mut scan = false;
        for function in &*self.functions {
            match function.answer(&path, facts) {
                Some(Verdict::Include) => return Verdict::Include,
                Some(Verdict::Exclude) if scan => return Verdict::Scan,
                Some(Verdict::Exclude) => return Verdict::Exclude,
                Some(Verdict::Scan) => scan = true,
                None => {}
            }
        }
        if scan {
            Verdict::Scan
        } else {
            Verdict::Include
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self::all()
    }
}

/// A condition ready to be asked.
#[derive(Debug)]
struct Function {
    action: Action,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Path(Selector),
    Regexp(Regexp),
    IfPresent(Vec<u8>),
    Device,
    OtherFilesystem,
    OlderThan(i64),
}

impl Function {
    fn answer(&self, path: &PathText, facts: &Facts<'_>) -> Option<Verdict> {
        let applies = match &self.test {
            Test::Path(selector) => return selector.answer(self.action, path, facts.kind),
            Test::Regexp(regexp) => regexp.is_found(path, self.action),
            Test::IfPresent(name) => facts.kind == Kind::Directory && (facts.has_entry)(name),
            Test::Device => facts.kind == Kind::Device,
            Test::OtherFilesystem => facts.other_filesystem,
            Test::OlderThan(time) => facts.kind == Kind::Regular && facts.mtime < *time,
        };
        applies.then_some(self.action.into())
    }
}

impl From<Action> for Verdict {
    fn from(action: Action) -> Self {
        match action {
            Action::Include => Self::Include,
            Action::Exclude => Self::Exclude,
        }
    }
}

impl fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("kind", &self.kind)
            .field("mtime", &self.mtime)
            .field("other_filesystem", &self.other_filesystem)
            .finish_non_exhaustive()
    }
}
