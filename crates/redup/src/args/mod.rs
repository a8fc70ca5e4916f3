//! What was typed: a command line as options, a command and positionals, checked but not yet acted on.
//!
//! Nothing here looks at the machine (except whether a word is also a file's name) or at the
//! environment; [`crate::config`] makes ready objects of the result. The rules are those of both
//! duplicity versions together: whatever worked with either is accepted.

mod applies;
mod command;
mod error;
mod help;
mod named;
mod options;
mod parse;
mod reference;
mod run;
mod spec;
mod table;
#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(crate) use command::{Command, CommandSpec, is_url, names_with_json};
pub(crate) use error::ArgsError;
pub(crate) use help::{Topic, help};
pub(crate) use named::{
    Setting, command_called, command_or_meant, nearest, option_called, option_names,
    options_and_words,
};
pub(crate) use options::{Occurrence, Opt, Options, Value};
pub(crate) use reference::FORMS;
pub(crate) use run::{FromProfile, RunCall, run_call};
use spec::Origin;
pub(crate) use spec::{OptionSpec, Support};

/// A command line that was understood.
#[derive(Debug)]
pub(crate) enum Parsed {
    /// `--help` and its relatives.
    Help(Topic),
    /// `--version`.
    Version,
    /// A command to run.
    Run(Args),
}

/// A command with all that was said about it.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) command: Command,
    /// As many words as the command has positionals, in its order; kinds already checked.
    pub(crate) positionals: Vec<OsString>,
    pub(crate) options: Options,
    /// What to tell at info level about how the command line was read.
    pub(crate) remarks: Vec<String>,
}

/// Understands the words behind the program's name.
///
/// `exists` says whether a local file of that name is there.
///
/// # Errors
/// When an option or command is unknown, not supported, or used wrongly. The options typed before
/// the mistake are lost, except through [`log_options`].
pub(crate) fn parse(
    words: impl IntoIterator<Item = OsString>,
    exists: &dyn Fn(&Path) -> bool,
) -> Result<Parsed, ArgsError> {
    let words = parse::split(words)?;
    match words.asked {
        Some(parse::Asked::Help(topic)) => return Ok(Parsed::Help(topic)),
        Some(parse::Asked::Version) => return Ok(Parsed::Version),
        None => {}
    }
    let action = command::find(&words.positionals, exists)?;
    let mut remarks = Vec::new();
    if action.implied {
        remarks.push(implied_remark(action.command));
    }
    remarks.extend(no_effect_remarks(&words.options));
    Ok(Parsed::Run(Args {
        command: action.command,
        positionals: action.positionals,
        options: words.options,
        remarks,
    }))
}

/// The same for a command that duplicity has not, if the words name one.
///
/// # Errors
/// As [`parse()`].
pub(crate) fn parse_own(words: &[OsString]) -> Option<Result<Parsed, ArgsError>> {
    if let [help, topic @ ..] = words
        && help == "help"
        && let Some(parsed) = help_on(topic)
    {
        return Some(parsed);
    }
    if let Some(parsed) = run::asked_of_run(words) {
        return Some(Ok(parsed));
    }
    let words = parse::split(words.iter().cloned()).ok()?;
    let (spec, action) = command::find_own(&words.positionals)?;
    if words.asked.is_some() {
        return Some(Ok(Parsed::Help(Topic::Command(spec.command))));
    }
    Some(action.map(|action| {
        Parsed::Run(Args {
            command: action.command,
            positionals: action.positionals,
            remarks: no_effect_remarks(&words.options),
            options: words.options,
        })
    }))
}

/// What `help` and these words ask for; `None` when `help` is a folder to back up.
fn help_on(words: &[OsString]) -> Option<Result<Parsed, ArgsError>> {
    match words {
        [] => Some(Ok(Parsed::Help(Topic::Overview))),
        [url, ..] if is_url(url) => None,
        [word] => {
            let topic = Topic::named(word.as_bytes());
            let topic = topic.ok_or_else(|| ArgsError::NoTopic(lossy(word)));
            Some(topic.map(Parsed::Help))
        }
        _ => None,
    }
}

/// The options that say where messages go, read even from a command line with mistakes, so that
/// the mistake itself can be reported there.
pub(crate) fn log_options(words: &[OsString]) -> Options {
    const WANTED: [Opt; 4] = [Opt::LogFd, Opt::LogFile, Opt::Verbosity, Opt::LogTimestamp];
    let mut options = Options::default();
    for at in 0..words.len() {
        if words[at] == "--" {
            break;
        }
        // Two words at a time: an option and its value, whatever stands around them. One, where the second
        // begins another option that lacks its value here.
        let some = |count| parse::split(words[at..].iter().take(count).cloned());
        if let Ok(found) = some(2).or_else(|_| some(1)) {
            let first = found.options.iter().next();
            if let Some(occurrence) = first.filter(|found| WANTED.contains(&found.spec.id)) {
                options.push(occurrence.clone());
            }
        }
    }
    options
}

/// A word for a message: control characters and bytes that are not UTF-8 escaped.
pub(crate) fn lossy(word: &OsStr) -> String {
    crate::ui::escape(word.as_bytes())
}

fn implied_remark(command: Command) -> String {
    let (name, given, target) = match command {
        Command::Restore => ("restore", "url", "path"),
        _ => ("backup", "path", "url"),
    };
    format!(
        "No valid action found. Will imply '{name}' because a {given} source was given and target \
         is a {target} location."
    )
}

/// Refuses options that duplicity has not, for whoever called redup by its name.
///
/// # Errors
/// With the first of them.
pub(crate) fn refuse_own(options: &Options) -> Result<(), ArgsError> {
    let own = |it: &&Occurrence| {
        it.spec
            .name(&it.name)
            .is_some_and(|name| name.origin == Origin::Redup)
    };
    match options.iter().find(own) {
        Some(own) => Err(ArgsError::OwnOption(format!("--{}", own.name))),
        None => Ok(()),
    }
}

/// Whether a text speaks of an option that [`refuse_own`] refuses.
pub(crate) fn names_own_option(text: &str) -> bool {
    let words = text.split(|c: char| c != '-' && !c.is_ascii_alphanumeric());
    words
        .filter_map(|word| word.strip_prefix("--"))
        .any(|word| {
            let known = option_called(word).and_then(|spec| spec.name(word));
            known.is_some_and(|name| name.origin == Origin::Redup)
        })
}

fn no_effect_remarks(options: &Options) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    for occurrence in options.iter() {
        let why = match occurrence.spec.support {
            Support::NoEffect(why) => why,
            Support::RunOnly => "it is for redup run",
            Support::OtherStore => "it concerns a store that redup does not use",
            Support::Yes | Support::Refused(_) => continue,
        };
        let remark = format!("Option --{} has no effect: {why}.", occurrence.name);
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }
    remarks
}
