//! Options and commands by their names, for whoever has them from elsewhere than a command line.

use std::ffi::OsString;

use super::command::{COMMANDS, CommandSpec, OWN};
use super::error::ArgsError;
use super::options::{Occurrence, Opt, Options, Value};
use super::parse::{self, convert};
use super::spec::{OptionSpec, Support, ValueKind};
use super::table::{GROUPS, SELECTION};

/// A value for an option, of a kind that files of settings have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Switch(bool),
    Number(i64),
    Text(String),
    Pair(String, String),
}

/// The option that has exactly this long name.
pub(crate) fn option_called(name: &str) -> Option<&'static OptionSpec> {
    let all = GROUPS.iter().flat_map(|group| group.options);
    all.into_iter()
        .find(|spec| spec.names.iter().any(|known| known.text == name))
}

/// The switch that has exactly this long name, as if it was typed.
pub(super) fn switch(name: &str) -> Option<Occurrence> {
    let spec = option_called(name)?;
    match spec.value {
        ValueKind::Flag(on) => Some(Occurrence {
            spec,
            name: name.to_owned(),
            value: Value::Flag(on),
        }),
        _ => None,
    }
}

/// The long names that the help text shows.
pub(crate) fn option_names() -> impl Iterator<Item = &'static str> {
    let shown = GROUPS.iter().flat_map(|group| group.options);
    let shown = shown.filter(|spec| !spec.hidden);
    shown.flat_map(|spec| spec.names.iter().map(|name| name.text))
}

/// The command that has exactly this name, or this short one.
pub(crate) fn command_called(name: &str) -> Option<&'static CommandSpec> {
    let mut all = COMMANDS.iter().chain(OWN);
    all.find(|spec| spec.name == name || spec.short_names.contains(&name))
}

/// The same; else what is wrong with the name, and which one may have been meant.
///
/// # Errors
/// When there is no such command.
pub(crate) fn command_or_meant(
    name: &str,
) -> Result<&'static CommandSpec, (String, Option<String>)> {
    command_called(name).ok_or_else(|| {
        let meant = nearest(name, command_names());
        let hint = meant.map(|meant| format!("did you mean {meant}?"));
        (format!("there is no command '{name}'"), hint)
    })
}

/// The names of all commands.
pub(crate) fn command_names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().chain(OWN).map(|spec| spec.name)
}

impl OptionSpec {
    /// Whether it is one of those whose order decides what is selected.
    pub(crate) fn selects(&self) -> bool {
        SELECTION.iter().any(|spec| spec.id == self.id)
    }

    /// Whether several of its values count, not the last alone.
    pub(crate) fn is_repeatable(&self) -> bool {
        let listed = matches!(
            self.id,
            Opt::EncryptKey
                | Opt::HiddenEncryptKey
                | Opt::EncryptSignKey
                | Opt::SecretKeyFile
                | Opt::Rename
        );
        listed || self.value == ValueKind::Words
    }

    /// What its values are, in words.
    pub(crate) fn wanted(&self) -> &'static str {
        match self.value {
            ValueKind::Flag(_) => "true or false",
            ValueKind::Int(_) | ValueKind::Megabytes(_) => "a whole number",
            ValueKind::Verbosity => "a number from 0 to 9, or a word such as \"info\"",
            ValueKind::Pair => "a list of two strings",
            _ => "a string",
        }
    }

    /// The option called `name`, with this value; `None` when it takes another kind.
    ///
    /// # Errors
    /// As for the same value on a command line.
    pub(crate) fn occurrence(
        &'static self,
        name: &str,
        setting: Setting,
    ) -> Option<Result<Occurrence, ArgsError>> {
        let typed = format!("--{name}");
        if let Support::Refused(why) = self.support {
            return Some(Err(ArgsError::RefusedOption { option: typed, why }));
        }
        let value = match (self.value, setting) {
            // What switches something off is, when false, what switches it on.
            (ValueKind::Flag(on), Setting::Switch(yes)) => Ok(Value::Flag(on == yes)),
            (
                ValueKind::Int(_) | ValueKind::Megabytes(_) | ValueKind::Verbosity,
                Setting::Number(number),
            ) => convert(self.value, &typed, number.to_string().into()),
            (ValueKind::Pair, Setting::Pair(from, to)) => Ok(Value::Pair(from.into(), to.into())),
            (
                ValueKind::Flag(_) | ValueKind::Int(_) | ValueKind::Megabytes(_) | ValueKind::Pair,
                _,
            ) => return None,
            (kind, Setting::Text(text)) => convert(kind, &typed, text.into()),
            _ => return None,
        };
        Some(value.map(|value| Occurrence {
            spec: self,
            name: name.to_owned(),
            value,
        }))
    }
}

/// Reads words that are options and the words between them.
///
/// # Errors
/// As for a command line; also when they ask for help or the version.
pub(crate) fn options_and_words(
    words: impl IntoIterator<Item = OsString>,
) -> Result<(Options, Vec<OsString>), ArgsError> {
    let words = parse::split(words)?;
    match words.asked {
        Some(_) => Err(ArgsError::NothingToAsk),
        None => Ok((words.options, words.positionals)),
    }
}

/// The name that differs from `word` in a letter or two, if one does.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).clamp(1, 3);
    names
        .map(|name| (distance(word, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters have to be put in, taken out, replaced, or swapped with the next one.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str, setting: Setting) -> Option<Result<Value, ArgsError>> {
        let spec = option_called(name).unwrap();
        let found = spec.occurrence(name, setting)?;
        Some(found.map(|occurrence| occurrence.value))
    }

    #[test]
    fn the_nearest_name_is_a_letter_or_two_away() {
        let names = ["volsize", "verbosity", "verify", "force"];
        let near = |word| nearest(word, names.into_iter());
        assert_eq!(near("volsise"), Some("volsize"));
        assert_eq!(near("vlosize"), Some("volsize"));
        assert_eq!(near("verfiy"), Some("verify"));
        assert_eq!(near("fource"), Some("force"));
        assert_eq!(near("x"), None);
        assert_eq!(near("prune"), None);
        assert_eq!(near(""), None);
    }

    #[test]
    fn a_value_is_checked_as_on_a_command_line() {
        let number = value("volsize", Setting::Number(50));
        assert_eq!(number, Some(Ok(Value::Number(50 << 20))));
        let small = value("volsize", Setting::Number(0)).unwrap();
        assert!(
            small
                .unwrap_err()
                .to_string()
                .contains("--volsize: 0 is too small")
        );
        assert_eq!(value("volsize", Setting::Text("50".into())), None);
        assert_eq!(
            value("verbosity", Setting::Number(5)),
            Some(Ok(Value::Number(5)))
        );
        let word = value("verbosity", Setting::Text("info".into()));
        assert_eq!(word, Some(Ok(Value::Number(5))));
        assert_eq!(value("full-if-older-than", Setting::Number(30)), None);
        assert!(value("use-gpgsm", Setting::Switch(true)).unwrap().is_err());
    }

    #[test]
    fn false_is_the_opposite_of_a_switch() {
        let switch = |name, yes| value(name, Setting::Switch(yes)).unwrap().unwrap();
        assert_eq!(switch("encryption", true), Value::Flag(true));
        assert_eq!(switch("encryption", false), Value::Flag(false));
        assert_eq!(switch("no-encryption", false), Value::Flag(true));
        assert_eq!(switch("progress", false), Value::Flag(false));
    }

    #[test]
    fn commands_go_by_whole_names() {
        let found = |name| command_called(name).map(|spec| spec.name);
        assert_eq!(found("incr"), Some("incremental"));
        assert_eq!(found("prune"), Some("prune"));
        assert_eq!(found("coll"), None);
    }
}
