//! Options, selections and steps in a file of profiles: the same as on a command line, with the line they are in.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use toml::de::DeValue;

use super::item::Item;
use super::profile::{Step, is_about_messages};
use crate::args::{
    self, ArgsError, Occurrence, Opt, OptionSpec, Options, Setting, Value, command_or_meant,
    option_called,
};
use crate::config::expand_home;
use crate::env::Environment;
use crate::exit::Failure;

/// An option under its long name, once or as often as there are values; `None` when there is no such option.
pub(super) fn options(key: &str, item: &Item<'_>) -> Result<Option<Vec<Occurrence>>, Failure> {
    let Some(spec) = option_called(key) else {
        return Ok(None);
    };
    if let Some(why) = not_here(spec) {
        return Err(item.fault(why));
    }
    if spec.selects() {
        let failure =
            item.fault("what selects stands in the list 'select', where its order counts");
        return Err(failure.hint(format!("select = [\"--{key}{}\"]", example(spec))));
    }
    let pair = item.list().is_some_and(|list| {
        let text = |item: &Item<'_>| item.value().as_str().is_some();
        spec.is_pair() && list.len() == 2 && list.iter().all(text)
    });
    let values = match item.list() {
        Some(values) if spec.is_repeatable() && !pair => values,
        _ => vec![item.clone()],
    };
    let found = values.iter().map(|value| {
        let setting = setting(value).ok_or_else(|| value.expected(spec.wanted()))?;
        let occurrence = spec.occurrence(key, setting);
        let occurrence = occurrence.ok_or_else(|| value.expected(spec.wanted()))?;
        occurrence.map_err(|error| fault(value, &error))
    });
    found.collect::<Result<_, _>>().map(Some)
}

/// Why an option is none for a profile.
fn not_here(spec: &OptionSpec) -> Option<&'static str> {
    match spec.id {
        Opt::Help | Opt::Version | Opt::ConfigDir => Some("this is for the command line alone"),
        Opt::Force => Some(
            "it would hold for every command; give it to the step that needs it, as in \
             steps = [\"backup\", \"prune --force\"]",
        ),
        _ => None,
    }
}

fn example(spec: &OptionSpec) -> &'static str {
    match spec.takes_value() {
        true => "=…",
        false => "",
    }
}

fn setting(item: &Item<'_>) -> Option<Setting> {
    Some(match item.value() {
        DeValue::String(text) => Setting::Text(text.to_string()),
        DeValue::Boolean(yes) => Setting::Switch(*yes),
        DeValue::Integer(number) => {
            Setting::Number(i64::from_str_radix(number.as_str(), number.radix()).ok()?)
        }
        DeValue::Array(_) => {
            let words = item.words().ok()?;
            let [from, to] = words[..] else { return None };
            Setting::Pair(from.to_owned(), to.to_owned())
        }
        _ => return None,
    })
}

/// The options that select, each as it would be typed.
pub(super) fn selection(item: &Item<'_>, environment: &Environment) -> Result<Options, Failure> {
    let wanted = "a list of options, such as [\"--exclude=/home/me/.cache\"]";
    let mut options = Options::default();
    for item in item.list().ok_or_else(|| item.expected(wanted))? {
        let text = item
            .value()
            .as_str()
            .ok_or_else(|| item.expected("a string"))?;
        let words = as_typed(text);
        let (found, rest) = args::options_and_words(words).map_err(|error| fault(&item, &error))?;
        let mut found = found.iter();
        let (Some(one), None, true) = (found.next(), found.next(), rest.is_empty()) else {
            return Err(item.fault("not an option; it begins with --include or --exclude"));
        };
        if !one.spec.selects() {
            let what = format!("--{} does not select; it stands beside 'select'", one.name);
            return Err(item.fault(&what));
        }
        options.push(at_home(one.clone(), environment));
    }
    Ok(options)
}

/// A pattern below `~/` is one below the home folder, as a shell would have it.
fn at_home(mut occurrence: Occurrence, environment: &Environment) -> Occurrence {
    if let Value::Text(text) = &mut occurrence.value
        && occurrence.spec.is_pattern()
        && text.as_bytes().starts_with(b"~/")
    {
        *text = expand_home(text, environment);
    }
    occurrence
}

/// `--name=value` or `--name value`; the value may have blanks.
fn as_typed(text: &str) -> Vec<OsString> {
    let end = text.find(|letter: char| letter == '=' || letter.is_whitespace());
    match end.map(|end| text.split_at(end)) {
        Some((name, value)) if !value.starts_with('=') => {
            let value = value.trim();
            vec![format!("{name}={value}").into()]
        }
        _ => vec![text.into()],
    }
}

/// The commands that a profile runs.
pub(super) fn steps(item: &Item<'_>) -> Result<Vec<Step>, Failure> {
    let wanted = "a list of commands, such as [\"backup\", \"verify\"]";
    let items = item.list().filter(|items| !items.is_empty());
    let items = items.ok_or_else(|| item.expected(wanted))?;
    items.iter().map(step).collect()
}

fn step(item: &Item<'_>) -> Result<Step, Failure> {
    let words: Vec<String> = match item.value() {
        DeValue::String(text) if text.contains(['"', '\'']) => {
            let what =
                "quotes have no meaning here; a step with blanks in a word is a list of words";
            let failure = item.fault(what);
            return Err(failure.hint("[\"verify\", \"--path-to-restore\", \"my files\"]"));
        }
        DeValue::String(text) => text.split_whitespace().map(str::to_owned).collect(),
        _ => item.words()?.into_iter().map(str::to_owned).collect(),
    };
    let Some((name, rest)) = words.split_first() else {
        return Err(item.fault("a step begins with a command"));
    };
    let spec = command_or_meant(name)
        .map_err(|(what, hint)| hint.into_iter().fold(item.fault(&what), Failure::hint))?;
    let rest = rest.iter().map(OsString::from);
    let (options, rest) = args::options_and_words(rest).map_err(|error| fault(item, &error))?;
    if let Some(found) = options.iter().find(|it| is_about_messages(it.spec.id)) {
        let what = format!(
            "--{} is for the whole run: it stands beside 'steps'",
            found.name
        );
        return Err(item.fault(&what));
    }
    Ok(Step {
        spec,
        words: rest,
        options,
        shown: shown(&words),
    })
}

/// Words in one line, for messages.
pub(super) fn shown(words: &[String]) -> String {
    let words: Vec<_> = words
        .iter()
        .map(|word| args::lossy(OsStr::new(word)))
        .collect();
    words.join(" ")
}

fn fault(item: &Item<'_>, error: &ArgsError) -> Failure {
    item.fault(&error.to_string())
}
