//! From the selection options, in their order, to rules.

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use redup_select::{Action, Condition, Mode, RuleError, Rules, Separator, canonical_source};

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
    let conditions: Vec<_> = args
        .options
        .iter()
        .filter_map(|occurrence| reader.condition(occurrence).transpose())
        .collect::<Result<_, _>>()?;
    if conditions.is_empty() {
        return Ok(Rules::all());
    }
    Rules::new(
        &canonical_source(source.as_os_str().as_bytes()),
        &conditions,
    )
    .map_err(Failure::from)
}

/// Whether any option selects.
pub(crate) fn selects(args: &Args) -> bool {
    args.options
        .iter()
        .any(|occurrence| is_selection(occurrence.spec.id))
}

fn is_selection(id: Opt) -> bool {
    matches!(
        id,
        Opt::Include
            | Opt::Exclude
            | Opt::IncludeRegexp
            | Opt::ExcludeRegexp
            | Opt::IncludeFilelist
            | Opt::ExcludeFilelist
            | Opt::IncludeFilelistStdin
            | Opt::ExcludeFilelistStdin
            | Opt::ExcludeIfPresent
            | Opt::ExcludeOlderThan
            | Opt::ExcludeOtherFilesystems
            | Opt::ExcludeDeviceFiles
            | Opt::FilterMode
            | Opt::FilterCase
    )
}

struct Reader<'a> {
    args: &'a Args,
    environment: &'a Environment,
    clock: &'a Clock,
}

impl Reader<'_> {
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
            Opt::FilterMode => Condition::Mode(match occurrence.name.as_str() {
                "filter-literal" => Mode::Literal,
                "filter-regexp" => Mode::Regexp,
                _ => Mode::Glob,
            }),
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
        let path = expand(word, self.environment);
        let failed = |error| {
            let shown = crate::args::lossy(&path);
            Failure::from_error(Code::COMMAND_LINE, &ListError(shown, error))
                .extra("CommandLineError")
        };
        let file = std::fs::File::open(Path::new(&path)).map_err(failed)?;
        self.read(action, file).map_err(failed)
    }

    fn stdin(&self, action: Action) -> Result<Condition, Failure> {
        self.read(action, std::io::stdin().lock()).map_err(|error| {
            Failure::from_error(
                Code::COMMAND_LINE,
                &ListError("of standard input".to_owned(), error),
            )
            .extra("CommandLineError")
        })
    }

    fn read(&self, action: Action, input: impl Read) -> std::io::Result<Condition> {
        let mut list = Vec::new();
        let len = input.take(MAX_LIST + 1).read_to_end(&mut list)?;
        if len as u64 > MAX_LIST {
            return Err(std::io::Error::new(
                std::io::ErrorKind::FileTooLarge,
                "the list is too long",
            ));
        }
        let separator = match self.args.options.flag(Opt::NullSeparator) {
            true => Separator::Nul,
            false => Separator::Newline,
        };
        Ok(Condition::List {
            action,
            list,
            separator,
        })
    }
}

/// A list of files that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("Error opening file {0}")]
struct ListError(String, #[source] std::io::Error);

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
    fn without_selection_everything_is_included() {
        assert!(conditions("/src file:///t --force").is_empty());
        assert!(!selects(&args("/src file:///t --force")));
        assert!(selects(&args("/src file:///t --exclude-device-files")));
    }
}
