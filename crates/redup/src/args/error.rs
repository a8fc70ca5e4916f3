//! What is wrong with a command line, in words for the person who typed it.

use std::ffi::OsString;

use super::command::{CommandSpec, Shape};
use super::help::usage;
use super::named::{command_names, nearest, option_names};

/// Why a command line was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgsError {
    #[error("unknown option: {0}")]
    UnknownOption(String),
    #[error("unknown option: {0}; redup has it where it is called by its own name")]
    OwnOption(String),
    #[error("option {option} of duplicity is not available: {why}")]
    RefusedOption { option: String, why: &'static str },
    #[error("ambiguous option: {typed} could match {}", names.join(", "))]
    AmbiguousOption { typed: String, names: Vec<String> },
    #[error("argument {0}: expected one argument")]
    MissingValue(String),
    #[error("argument {0}: expected 2 arguments")]
    MissingPair(String),
    #[error("option {0} takes no value")]
    UnexpectedValue(String),
    #[error("Option {0} cannot be empty.")]
    EmptyValue(String),
    #[error("option {option}: '{value}' is not a whole number")]
    NotANumber { option: String, value: String },
    #[error("option {option}: {value} is too small, the least is {least}")]
    TooSmall {
        option: String,
        value: i64,
        least: i64,
    },
    #[error("option {option}: {value} is too large")]
    TooLarge { option: String, value: String },
    #[error("option {option}: '{value}' is none of {}", choices.join(", "))]
    NotAChoice {
        option: String,
        value: String,
        choices: &'static [&'static str],
    },
    #[error("option {option}: '{value}' is not a single character")]
    NotAChar { option: String, value: String },
    #[error("option {0}: the value is not valid UTF-8")]
    NotText(String),
    #[error(
        "option {option}: '{value}' is no verbosity; it is a digit from 0 to 9, or one of e, error, \
         w, warning, n, notice, i, info, d, debug"
    )]
    BadVerbosity { option: String, value: String },
    #[error("Missing or invalid explicit or implicit action.")]
    NoAction,
    #[error("there is no help on '{0}'; it is on a command, on options, or on urls")]
    NoTopic(String),
    #[error("command '{word}' not unique, could be {}", names.join(", "))]
    AmbiguousCommand {
        word: String,
        names: Vec<&'static str>,
    },
    #[error(
        "'replicate' is a command of duplicity 0.8 that no later version has; copy the files of the target instead"
    )]
    Replicate,
    #[error(
        "Invalid '{}' action and cannot be implied from the given arguments: {}\n\
         Valid actions are: {}",
        words.first().map_or("", String::as_str),
        words.join(" "),
        valid_actions()
    )]
    CannotImply { words: Vec<String> },
    #[error(
        "Wrong number of positional args for '{command}', got {}\n\
         Expected {expected} positionals from [{}].",
        words.len(),
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ")
    )]
    WrongCount {
        command: &'static str,
        expected: usize,
        words: Vec<String>,
    },
    #[error("{role} should be url, not directory.  Got '{got}' instead.")]
    NotAUrl { role: &'static str, got: String },
    #[error("{role} should be pathname, not url.  Got '{got}' instead.")]
    NotAPath { role: &'static str, got: String },
    #[error("{} must not be empty", .0.role())]
    EmptyWord(Shape),
    #[error("'{}' takes {} behind it, and got {}\nusage: {}", spec.name, roles(spec), quoted(got), usage(spec, "redup"))]
    OwnWords {
        spec: &'static CommandSpec,
        got: Vec<String>,
    },
    #[error("{error}\nusage: {}", usage(spec, "redup"))]
    OfOwn {
        spec: &'static CommandSpec,
        error: Box<Self>,
    },
    #[error("a profile has no words that ask for help or the version")]
    NothingToAsk,
    #[error("'{command}' needs a {what}, which the profile has not")]
    ProfileLacks {
        command: &'static str,
        what: &'static str,
    },
    #[error(
        "'{command}' of a profile takes {} behind it, and got {}",
        if takes.is_empty() { "nothing".to_owned() } else { takes.join(", ") },
        quoted(got)
    )]
    ProfileWords {
        command: &'static str,
        takes: Vec<&'static str>,
        got: Vec<String>,
    },
    #[error("count must be a whole number above 0, not '{0}'")]
    BadCount(String),
}

impl ArgsError {
    /// The same about a command of redup's own: with how that is called, as its words are nobody's habit.
    pub(super) fn of_own(self, spec: &'static CommandSpec) -> Self {
        match self {
            Self::WrongCount { words, .. } => Self::OwnWords { spec, got: words },
            error => Self::OfOwn {
                spec,
                error: Box::new(error),
            },
        }
    }

    /// What is near to what was typed, among all that redup has.
    pub(crate) fn meant(&self, words: &[OsString]) -> Option<String> {
        match self {
            Self::UnknownOption(name) => {
                let name = name.trim_start_matches('-');
                let name = name.split('=').next().unwrap_or_default();
                nearest(name, option_names()).map(|meant| format!("--{meant}"))
            }
            Self::NoAction | Self::CannotImply { .. } => {
                let names = || command_names().chain(["run"]);
                let typed = words.iter().filter_map(|word| word.to_str());
                let mut typed = typed.filter(|word| !word.starts_with('-'));
                nearest(typed.next()?, names()).map(str::to_owned)
            }
            _ => None,
        }
    }

    /// The exit status: 23 as duplicity 3.x, and 2 where both versions have that.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::AmbiguousOption { .. } => 2,
            _ => 23,
        }
    }
}

fn roles(spec: &CommandSpec) -> String {
    let roles: Vec<_> = spec.shapes.iter().map(|shape| shape.role()).collect();
    roles.join(", ")
}

fn quoted(words: &[String]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    match quoted.is_empty() {
        true => "nothing".to_owned(),
        false => quoted.join(", "),
    }
}

fn valid_actions() -> String {
    let names: Vec<_> = super::command::COMMANDS
        .iter()
        .map(|spec| spec.name)
        .collect();
    names.join(", ")
}
