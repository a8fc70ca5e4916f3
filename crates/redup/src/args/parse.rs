//! From words to options and positionals, by the table.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::error::ArgsError;
use super::help::Topic;
use super::lossy;
use super::options::{Occurrence, Opt, Options, Value};
use super::spec::{Name, OptionSpec, Origin, Support, ValueKind};
use super::table::GROUPS;

/// Options and the words between them.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) options: Options,
    pub(super) positionals: Vec<OsString>,
    /// Set as soon as help or the version is asked for: nothing after it is looked at.
    pub(super) asked: Option<Asked>,
}

/// A question that is answered instead of running a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Help(Topic),
    Version,
}

/// Separates options from positionals. Options may stand anywhere before a `--`.
pub(super) fn split(words: impl IntoIterator<Item = OsString>) -> Result<Words, ArgsError> {
    let mut rest: VecDeque<OsString> = words.into_iter().collect();
    let mut result = Words::default();
    while let Some(word) = rest.pop_front() {
        let bytes = word.as_bytes();
        if bytes == b"--" {
            result.positionals.extend(rest.drain(..));
        } else if let Some(long) = bytes.strip_prefix(b"--") {
            result.long(long, &mut rest)?;
        } else if bytes.len() > 1 && bytes[0] == b'-' && !is_number(&bytes[1..]) {
            result.short(&bytes[1..], &mut rest)?;
        } else {
            result.positionals.push(word);
        }
        if result.asked.is_some() {
            break;
        }
    }
    Ok(result)
}

impl Words {
    fn long(&mut self, word: &[u8], rest: &mut VecDeque<OsString>) -> Result<(), ArgsError> {
        let mut parts = word.splitn(2, |byte| *byte == b'=');
        let typed = parts.next().unwrap_or_default();
        let attached = parts.next().map(|value| OsString::from_vec(value.to_vec()));
        if let Some(topic) = typed.strip_prefix(b"help-").and_then(Topic::begun) {
            self.asked = Some(Asked::Help(topic));
            return Ok(());
        }
        let (spec, name) = resolve(typed)?;
        self.take(
            spec,
            name.text.to_owned(),
            &format!("--{}", name.text),
            attached,
            rest,
        )
    }

    fn short(&mut self, letters: &[u8], rest: &mut VecDeque<OsString>) -> Result<(), ArgsError> {
        let spec = by_letter(letters[0]).ok_or_else(|| {
            ArgsError::UnknownOption(format!("-{}", lossy(OsStr::from_bytes(letters))))
        })?;
        let typed = format!("-{}", char::from(letters[0]));
        let more = &letters[1..];
        if !spec.takes_value() && !more.is_empty() {
            self.take(spec, spec.main_name().to_owned(), &typed, None, rest)?;
            return match self.asked {
                Some(_) => Ok(()),
                None => self.short(more, rest),
            };
        }
        // `-v=9` is `-v9` to 3.x.
        let value = more.strip_prefix(b"=").unwrap_or(more);
        let attached = (!more.is_empty()).then(|| OsString::from_vec(value.to_vec()));
        self.take(spec, spec.main_name().to_owned(), &typed, attached, rest)
    }

    fn take(
        &mut self,
        spec: &'static OptionSpec,
        name: String,
        typed: &str,
        attached: Option<OsString>,
        rest: &mut VecDeque<OsString>,
    ) -> Result<(), ArgsError> {
        if let Support::Refused(why) = spec.support {
            return Err(ArgsError::RefusedOption {
                option: typed.to_owned(),
                why,
            });
        }
        let value = match spec.value {
            ValueKind::Flag(on) => match attached {
                Some(_) => return Err(ArgsError::UnexpectedValue(typed.to_owned())),
                None => Value::Flag(on),
            },
            ValueKind::Pair => {
                let pair = || ArgsError::MissingPair(typed.to_owned());
                let first = attached
                    .or_else(|| next_value(spec, rest))
                    .ok_or_else(pair)?;
                Value::Pair(first, next_value(spec, rest).ok_or_else(pair)?)
            }
            _ => {
                let word = attached
                    .or_else(|| next_value(spec, rest))
                    .ok_or_else(|| ArgsError::MissingValue(typed.to_owned()))?;
                convert(spec.value, typed, word)?
            }
        };
        match spec.id {
            Opt::Help => {
                let words = self.positionals.iter().chain(rest.iter());
                self.asked = Some(Asked::Help(Topic::of_line(words)));
            }
            Opt::Version => self.asked = Some(Asked::Version),
            _ => self.options.push(Occurrence { spec, name, value }),
        }
        Ok(())
    }
}

/// Whether what follows a `-` makes it a negative number, which no option is.
fn is_number(rest: &[u8]) -> bool {
    rest.iter().all(u8::is_ascii_digit)
}

/// Finds a long option by its name or by a prefix that only one option can mean. A prefix is tried
/// among the names of both duplicity versions, then of 3.x, then of 0.8, and only then of ours, so
/// that nothing we add takes a prefix away from a script.
fn resolve(typed: &[u8]) -> Result<(&'static OptionSpec, Name), ArgsError> {
    let shown = || format!("--{}", lossy(OsStr::from_bytes(typed)));
    let Some(typed) = std::str::from_utf8(typed)
        .ok()
        .filter(|typed| !typed.is_empty())
    else {
        return Err(ArgsError::UnknownOption(shown()));
    };
    if let Some(found) = named().find(|(_, name)| name.text == typed) {
        return Ok(found);
    }
    let among = |origins: &[Origin]| -> Vec<(&'static OptionSpec, Name)> {
        named()
            .filter(|(_, name)| origins.contains(&name.origin) && name.text.starts_with(typed))
            .collect()
    };
    let union = among(&[Origin::Both, Origin::V3, Origin::V0_8]);
    let choices = [
        union.clone(),
        among(&[Origin::Both, Origin::V3]),
        among(&[Origin::Both, Origin::V0_8]),
    ];
    if let Some(found) = choices
        .iter()
        .find_map(|candidates| one_meaning(candidates))
    {
        return Ok(found);
    }
    if union.is_empty() {
        let ours = among(&[Origin::Redup]);
        return one_meaning(&ours).ok_or_else(|| ArgsError::UnknownOption(shown()));
    }
    let mut names: Vec<_> = union
        .iter()
        .map(|(_, name)| format!("--{}", name.text))
        .collect();
    names.sort();
    Err(ArgsError::AmbiguousOption {
        typed: shown(),
        names,
    })
}

/// The first candidate, when all of them mean the same.
fn one_meaning(candidates: &[(&'static OptionSpec, Name)]) -> Option<(&'static OptionSpec, Name)> {
    let (first, name) = *candidates.first()?;
    let same =
        |spec: &OptionSpec| spec.id == first.id && spec.value == first.value && !by_name(spec.id);
    (candidates.len() == 1 || candidates.iter().all(|(spec, _)| same(spec)))
        .then_some((first, name))
}

/// Whether options of this identity are told apart by their names.
fn by_name(id: Opt) -> bool {
    matches!(id, Opt::Other | Opt::FilterMode | Opt::S3Deprecated)
}

fn named() -> impl Iterator<Item = (&'static OptionSpec, Name)> {
    GROUPS
        .iter()
        .flat_map(|group| group.options)
        .flat_map(|spec| spec.names.iter().map(move |name| (spec, *name)))
}

fn by_letter(letter: u8) -> Option<&'static OptionSpec> {
    let letter = char::from(letter);
    GROUPS
        .iter()
        .flat_map(|group| group.options)
        .find(|spec| spec.short == Some(letter))
}

/// The next word as a value. A word that is itself an option is left alone, so that a forgotten
/// value is noticed; options that hand words on to other programs take everything.
fn next_value(spec: &OptionSpec, rest: &mut VecDeque<OsString>) -> Option<OsString> {
    let next = rest.front()?;
    if spec.value != ValueKind::Words && is_option(next) {
        return None;
    }
    rest.pop_front()
}

fn is_option(word: &OsStr) -> bool {
    let bytes = word.as_bytes();
    if let Some(long) = bytes.strip_prefix(b"--") {
        let name = long.split(|byte| *byte == b'=').next().unwrap_or_default();
        return name.is_empty() || !matches!(resolve(name), Err(ArgsError::UnknownOption(_)));
    }
    bytes.len() > 1 && bytes[0] == b'-' && by_letter(bytes[1]).is_some()
}

pub(super) fn convert(kind: ValueKind, typed: &str, word: OsString) -> Result<Value, ArgsError> {
    let option = typed.to_owned();
    // What names files is bytes.
    match kind {
        ValueKind::Pattern if word.is_empty() => return Err(ArgsError::EmptyValue(option)),
        ValueKind::File | ValueKind::Pattern => return Ok(Value::Text(word)),
        _ => {}
    }
    let Some(text) = word.to_str() else {
        return Err(ArgsError::NotText(option));
    };
    match kind {
        ValueKind::NonEmpty if text.is_empty() => Err(ArgsError::EmptyValue(option)),
        ValueKind::Int(least) => Ok(Value::Number(number(&option, text, least)?)),
        ValueKind::Megabytes(least) => {
            let bytes = number(&option, text, least)?.checked_mul(1 << 20);
            bytes.map(Value::Number).ok_or(ArgsError::TooLarge {
                option,
                value: text.to_owned(),
            })
        }
        ValueKind::Verbosity => match verbosity(text) {
            Some(level) => Ok(Value::Number(level)),
            None => Err(ArgsError::BadVerbosity {
                option,
                value: lossy(&word),
            }),
        },
        ValueKind::Char if text.chars().count() != 1 => Err(ArgsError::NotAChar {
            option,
            value: lossy(&word),
        }),
        ValueKind::Choice(choices) if !choices.contains(&text) => Err(ArgsError::NotAChoice {
            option,
            value: lossy(&word),
            choices,
        }),
        _ => Ok(Value::Text(word)),
    }
}

fn number(option: &str, text: &str, least: i64) -> Result<i64, ArgsError> {
    let option = || option.to_owned();
    let digits = text.trim();
    let value: i64 = digits.parse().map_err(|_| {
        let unsigned = digits.trim_start_matches(['+', '-']);
        if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            ArgsError::TooLarge {
                option: option(),
                value: digits.to_owned(),
            }
        } else {
            ArgsError::NotANumber {
                option: option(),
                value: lossy(OsStr::new(text)),
            }
        }
    })?;
    if value < least {
        return Err(ArgsError::TooSmall {
            option: option(),
            value,
            least,
        });
    }
    Ok(value)
}

fn verbosity(text: &str) -> Option<i64> {
    match text.to_ascii_lowercase().as_str() {
        "e" | "error" => Some(0),
        "w" | "warning" => Some(2),
        "n" | "notice" => Some(3),
        "i" | "info" => Some(5),
        "d" | "debug" => Some(9),
        digits => digits.parse().ok().filter(|level| (0..=9).contains(level)),
    }
}
