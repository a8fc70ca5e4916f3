//! From the selection options, in their order, to rules.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use redup_select::{
    Action, Condition, Listed, Mode, RuleError, Rules, Separator, canonical_source,
};

use super::expand;
use crate::args::{Args, Occurrence, Opt, Value};
use crate::env::Environment;
use crate::exit::{Code, Failure, command_line};
use crate::times::{self, Clock};

/// Longest list of files that is read: a million paths and more.
const MAX_LIST: u64 = 1 << 30;

/// The rules for a walk of `source`. Reads the lists of files that are named.
///
/// # Errors
/// When a list cannot be read, or the options make no rules.
pub(crate) fn rules(
    args: &Args,
    source: &Path,
    environment: &Environment,
    clock: &Clock,
) -> Result<Rules, Failure> {
    let reader = Reader {
        args,
        environment,
        clock,
    };
    let conditions = reader.conditions()?;
    let rules = if conditions.is_empty() {
        Rules::all()
    } else {
        let source = canonical_source(source.as_os_str().as_bytes());
        Rules::new(&source, &conditions)?
    };
    Ok(match reader.files_from()? {
        Some(listed) => rules.limited_to(listed),
        None => rules,
    })
}

/// What is said of each list of files that the rules are made from, before it is read.
pub(crate) fn announced_lists(args: &Args, environment: &Environment) -> Vec<String> {
    let shown = |word: &OsStr| crate::args::lossy(&expand(word, environment));
    let mut lines = Vec::new();
    let mut kind = "globbing";
    for occurrence in args.options.iter() {
        let name = match (occurrence.spec.id, &occurrence.value) {
            (Opt::FilterMode, _) => {
                kind = match mode(occurrence) {
                    Mode::Literal => "literal",
                    Mode::Regexp => "regex",
                    _ => "globbing",
                };
                continue;
            }
            (Opt::FilesFrom, Value::Text(word)) => {
                lines.push(format!("Reading files to backup from list {}", shown(word)));
                continue;
            }
            (Opt::IncludeFilelist | Opt::ExcludeFilelist, Value::Text(word)) => shown(word),
            (Opt::IncludeFilelistStdin | Opt::ExcludeFilelistStdin, _) => {
                "standard input".to_owned()
            }
            _ => continue,
        };
        lines.push(format!("Reading {kind} filelist {name}"));
    }
    lines
}

/// What a restore makes of selection options.
#[derive(Debug)]
pub(crate) enum ArchiveRules {
    /// There are none.
    Everything,
    /// Patterns are relative to the root of the backup.
    Selected(Rules),
    /// They are those of a backup, carried along by a script: nothing in an archive answers to them.
    Meant,
}

/// The rules for a restore.
///
/// # Errors
/// When a list cannot be read, or the options make no rules.
pub(crate) fn archive_rules(
    args: &Args,
    environment: &Environment,
    clock: &Clock,
) -> Result<ArchiveRules, Failure> {
    let reader = Reader {
        args,
        environment,
        clock,
    };
    let conditions = reader.conditions()?;
    let is_of_a_backup = |condition: &Condition| match condition {
        Condition::ExcludeIfPresent(_) | Condition::ExcludeOtherFilesystems => true,
        Condition::Pattern { pattern, .. } => is_absolute(pattern),
        _ => false,
    };
    if args.options.os(Opt::FilesFrom).is_some() || conditions.iter().any(is_of_a_backup) {
        return Ok(ArchiveRules::Meant);
    }
    if conditions.is_empty() {
        return Ok(ArchiveRules::Everything);
    }
    match Rules::for_archive(&conditions) {
        Err(RuleError::OutsideSource { pattern, .. }) if is_absolute(&pattern) => {
            Ok(ArchiveRules::Meant)
        }
        Err(error) => Err(error.into()),
        Ok(_) if args.options.os(Opt::PathToRestore).is_some() => Err(command_line(
            "--path-to-restore and options that select cannot be combined",
        )),
        Ok(rules) => Ok(ArchiveRules::Selected(rules)),
    }
}

/// What an option says that changes how patterns are read.
pub(crate) fn mode(occurrence: &Occurrence) -> Mode {
    match occurrence.name.as_str() {
        "filter-literal" => Mode::Literal,
        "filter-regexp" => Mode::Regexp,
        _ => Mode::Glob,
    }
}

fn is_absolute(pattern: &[u8]) -> bool {
    const IGNORE_CASE: &[u8] = b"ignorecase:";
    let rest = match pattern.get(..IGNORE_CASE.len()) {
        Some(lead) if lead.eq_ignore_ascii_case(IGNORE_CASE) => &pattern[IGNORE_CASE.len()..],
        _ => pattern,
    };
    rest.starts_with(b"/")
}

struct Reader<'a> {
    args: &'a Args,
    environment: &'a Environment,
    clock: &'a Clock,
}

impl Reader<'_> {
    /// Every selection option, in order.
    fn conditions(&self) -> Result<Vec<Condition>, Failure> {
        self.args
            .options
            .iter()
            .filter_map(|occurrence| self.condition(occurrence).transpose())
            .collect()
    }

    /// The paths of `--files-from`.
    fn files_from(&self) -> Result<Option<Listed>, Failure> {
        let Some(word) = self.args.options.os(Opt::FilesFrom) else {
            return Ok(None);
        };
        let list = self.read_list(word)?;
        Ok(Some(Listed::parse(&list, self.separator())?))
    }

    /// What an option adds to the rules, if it is about selection.
    fn condition(&self, occurrence: &Occurrence) -> Result<Option<Condition>, Failure> {
        let bytes = match &occurrence.value {
            Value::Text(text) => text.as_bytes().to_vec(),
            _ => Vec::new(),
        };
        let pattern = |action| Condition::Pattern {
            action,
            pattern: bytes.clone(),
        };
        let regexp = |action| Condition::Regexp {
            action,
            pattern: occurrence.text().unwrap_or_default().to_owned(),
        };
        Ok(Some(match occurrence.spec.id {
            Opt::Include => pattern(Action::Include),
            Opt::Exclude => pattern(Action::Exclude),
            Opt::IncludeRegexp => regexp(Action::Include),
            Opt::ExcludeRegexp => regexp(Action::Exclude),
            Opt::IncludeFilelist => self.list(Action::Include, occurrence)?,
            Opt::ExcludeFilelist => self.list(Action::Exclude, occurrence)?,
            Opt::IncludeFilelistStdin => self.stdin(Action::Include)?,
            Opt::ExcludeFilelistStdin => self.stdin(Action::Exclude)?,
            Opt::ExcludeIfPresent => Condition::ExcludeIfPresent(bytes),
            Opt::ExcludeDeviceFiles => Condition::ExcludeDeviceFiles,
            Opt::ExcludeOtherFilesystems => Condition::ExcludeOtherFilesystems,
            Opt::ExcludeOlderThan => Condition::ExcludeOlderThan(
                times::parse(occurrence.text().unwrap_or_default(), self.clock)
                    .map_err(|error| command_line(error.to_string()))?,
            ),
            Opt::FilesFrom => Condition::FilesFrom,
            Opt::FilterMode => Condition::Mode(mode(occurrence)),
            Opt::FilterCase => Condition::IgnoreCase(occurrence.value == Value::Flag(true)),
            _ => return Ok(None),
        }))
    }

    fn list(&self, action: Action, occurrence: &Occurrence) -> Result<Condition, Failure> {
        let Value::Text(word) = &occurrence.value else {
            return Err(command_line(format!(
                "option --{} needs a file",
                occurrence.name
            )));
        };
        Ok(Condition::List {
            action,
            list: self.read_list(word)?,
            separator: self.separator(),
        })
    }

    fn stdin(&self, action: Action) -> Result<Condition, Failure> {
        let list = read(std::io::stdin().lock())
            .map_err(|error| ListError("of standard input".to_owned(), error))?;
        Ok(Condition::List {
            action,
            list,
            separator: self.separator(),
        })
    }

    fn read_list(&self, word: &OsStr) -> Result<Vec<u8>, ListError> {
        let path = expand(word, self.environment);
        std::fs::File::open(Path::new(&path))
            .and_then(read)
            .map_err(|error| ListError(crate::args::lossy(&path), error))
    }

    fn separator(&self) -> Separator {
        match self.args.options.flag(Opt::NullSeparator) {
            true => Separator::Nul,
            false => Separator::Newline,
        }
    }
}

fn read(input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut list = Vec::new();
    let len = input.take(MAX_LIST + 1).read_to_end(&mut list)?;
    if len as u64 > MAX_LIST {
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            "the list is too long",
        ));
    }
    Ok(list)
}

/// A list of files that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("Error opening file {0}")]
struct ListError(String, #[source] std::io::Error);

impl From<ListError> for Failure {
    fn from(error: ListError) -> Self {
        Self::from_error(Code::COMMAND_LINE, &error).extra("CommandLineError")
    }
}

impl From<RuleError> for Failure {
    fn from(error: RuleError) -> Self {
        let code = match &error {
            RuleError::OutsideSource { .. } => Code::PATTERN_PREFIX,
            RuleError::ConsecutiveSlashes { .. }
            | RuleError::BadRange { .. }
            | RuleError::BadRegexp { .. } => Code::PATTERN_SYNTAX,
            RuleError::OnlyIncludes { .. } => Code::PATTERN_REDUNDANT,
            RuleError::FilterWithoutEffect => Code::FILTER_WITHOUT_EFFECT,
            RuleError::FilterLast => Code::FILTER_LAST,
            RuleError::AbsolutePath { .. } | RuleError::ListedPath { .. } => Code::LISTED_PATH,
            RuleError::NothingListed => Code::NOTHING_LISTED,
            _ => Code::COMMAND_LINE,
        };
        let failure = Self::from_error(code, &error);
        match code {
            Code::PATTERN_PREFIX => failure.hint("patterns begin with the source as it was given"),
            Code::PATTERN_REDUNDANT => {
                failure.hint("--exclude '**' as the last one excludes the rest")
            }
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Parsed, parse};

    fn args(line: &str) -> Args {
        match parse(line.split(' ').map(Into::into), &|_| false) {
            Ok(Parsed::Run(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    const CLOCK: Clock = Clock {
        now: 1_700_000_000,
        standard_offset: 0,
        separator: ':',
    };

    fn conditions(line: &str) -> Vec<Condition> {
        let args = args(line);
        let environment = Environment::default();
        let reader = Reader {
            args: &args,
            environment: &environment,
            clock: &CLOCK,
        };
        args.options
            .iter()
            .filter_map(|occurrence| reader.condition(occurrence).unwrap())
            .collect()
    }

    fn code(line: &str) -> u8 {
        let args = args(line);
        rules(&args, Path::new("/src"), &Environment::default(), &CLOCK)
            .unwrap_err()
            .code
            .0
    }

    #[test]
    fn options_become_conditions_in_their_order() {
        let pattern = |action, pattern: &str| Condition::Pattern {
            action,
            pattern: pattern.into(),
        };
        assert_eq!(
            conditions(
                "/src file:///t --include /src/a --name x --exclude-if-present .no --exclude /src/**"
            ),
            [
                pattern(Action::Include, "/src/a"),
                Condition::ExcludeIfPresent(b".no".to_vec()),
                pattern(Action::Exclude, "/src/**"),
            ]
        );
        assert_eq!(
            conditions(
                "/src file:///t --filter-literal --filter-ignorecase --exclude-older-than 1D --exclude-regexp x$"
            ),
            [
                Condition::Mode(Mode::Literal),
                Condition::IgnoreCase(true),
                Condition::ExcludeOlderThan(1_699_913_600),
                Condition::Regexp {
                    action: Action::Exclude,
                    pattern: "x$".into()
                },
            ]
        );
    }

    #[test]
    fn lists_are_read_with_their_separator() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, "+ /src/a\0- **\0").unwrap();
        let line = format!(
            "/src file:///t --exclude-globbing-filelist {} --null-separator",
            path.display()
        );
        let expected = Condition::List {
            action: Action::Exclude,
            list: b"+ /src/a\0- **\0".to_vec(),
            separator: Separator::Nul,
        };
        assert_eq!(conditions(&line), [expected]);
    }

    #[test]
    fn each_mistake_has_its_code() {
        let line = |rest: &str| format!("/src file:///t {rest}");
        assert_eq!(code(&line("--exclude /other")), 14);
        assert_eq!(code(&line("--exclude /src//a")), 15);
        assert_eq!(code(&line("--exclude-regexp (")), 15);
        assert_eq!(code(&line("--include /src/a")), 16);
        assert_eq!(code(&line("--filter-globbing --exclude /src/a")), 70);
        assert_eq!(code(&line("--exclude /src/a --filter-literal")), 71);
        assert_eq!(code(&line("--exclude-filelist /nonexistent")), 23);
        assert_eq!(code(&line("--exclude-older-than never")), 23);
    }

    #[test]
    fn files_from_has_its_mistakes_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        let line = format!("/src file:///t --files-from {}", path.display());
        std::fs::write(&path, "/abs\n").unwrap();
        assert_eq!(code(&line), 72);
        std::fs::write(&path, "\n\n").unwrap();
        assert_eq!(code(&line), 73);
        assert_eq!(code("/src file:///t --files-from /nonexistent"), 23);
    }

    #[test]
    fn a_restore_selects_by_relative_patterns_and_passes_over_those_of_a_backup() {
        let of = |rest: &str| {
            let args = args(&format!("restore file:///t out {rest}"));
            archive_rules(&args, &Environment::default(), &CLOCK)
        };
        let is_meant = |rest: &str| matches!(of(rest), Ok(ArchiveRules::Meant));
        assert!(matches!(of("--force"), Ok(ArchiveRules::Everything)));
        assert!(matches!(of("--exclude a/b"), Ok(ArchiveRules::Selected(_))));
        assert!(is_meant("--include /src/a --exclude **"));
        assert!(is_meant("--exclude IgnoreCase:/src/a"));
        assert!(is_meant("--exclude a --exclude-if-present .no"));
        assert!(is_meant("--exclude-other-filesystems"));
        assert!(is_meant("--files-from /nonexistent"));
        assert_eq!(of("--exclude ../a").unwrap_err().code.0, 14);
        assert_eq!(of("--include a").unwrap_err().code.0, 16);
        assert_eq!(
            of("--exclude a --path-to-restore b").unwrap_err().code.0,
            23
        );
    }

    #[test]
    fn without_selection_everything_is_included() {
        assert!(conditions("/src file:///t --force").is_empty());
    }
}
