//! Programs that are run before and after.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use toml::de::DeValue;

use super::item::Item;
use super::settings::shown;
use crate::args::{self, command_or_meant};
use crate::env::Environment;
use crate::exit::{Code, Failure};
use crate::signals::{Ending, status_of};
use crate::ui::{Level, Message, Ui};

/// When a hook is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
    AfterSuccess,
    AfterFailure,
}

const MOMENTS: [(&str, Moment); 4] = [
    ("before", Moment::Before),
    ("after-success", Moment::AfterSuccess),
    ("after-failure", Moment::AfterFailure),
    ("after", Moment::After),
];

/// Which commands they go with, when one is typed in place of what the profile does.
const COMMANDS: &str = "commands";

/// What runs a string.
const SHELL: &str = "/bin/sh";

/// What a profile has run before and after.
#[derive(Clone, Debug)]
pub(super) struct Hooks {
    hooks: Vec<Hook>,
    commands: Vec<args::Command>,
}

/// One program.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    moment: Moment,
    words: Vec<String>,
    /// What it is called in messages. Its other words, and a line for a shell, may be meant for nobody's eyes; only a
    /// dry run shows them, which is asked for that.
    program: String,
    /// As it stands in the file.
    shown: String,
    /// The file, line and key.
    place: String,
}

impl Default for Hooks {
    fn default() -> Self {
        use args::Command::{Backup, Full, Incremental};
        Self {
            hooks: Vec::new(),
            commands: vec![Backup, Full, Incremental],
        }
    }
}

impl Hooks {
    /// Takes what stands under a key of the table.
    ///
    /// # Errors
    /// When that means nothing.
    pub(super) fn set(&mut self, item: &Item<'_>) -> Result<(), Failure> {
        if item.key() == COMMANDS {
            self.commands = commands(item)?;
            return Ok(());
        }
        let Some((_, moment)) = MOMENTS.into_iter().find(|(key, _)| *key == item.key()) else {
            let known = MOMENTS.iter().map(|(key, _)| *key).chain([COMMANDS]);
            return Err(item.unknown("there is no such hook", known));
        };
        for (words, shown) in programs(item)? {
            let program = words.first().map_or("", String::as_str);
            let program = if program == SHELL { "sh" } else { program }.to_owned();
            self.hooks.push(Hook {
                moment,
                words,
                program,
                shown,
                place: item.place(),
            });
        }
        Ok(())
    }

    /// Whether they go with a command that was typed.
    pub(super) fn go_with(&self, command: args::Command) -> bool {
        self.commands.contains(&command)
    }

    /// Those that go behind.
    pub(super) fn behind(&self, success: bool) -> Vec<Hook> {
        let of_the_result = match success {
            true => Moment::AfterSuccess,
            false => Moment::AfterFailure,
        };
        let hooks = self.at(of_the_result).chain(self.at(Moment::After));
        hooks.cloned().collect()
    }

    fn at(&self, moment: Moment) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().filter(move |hook| hook.moment == moment)
    }
}

/// One program by its words, one line for a shell, or a list of the former.
fn programs(item: &Item<'_>) -> Result<Vec<(Vec<String>, String)>, Failure> {
    let wanted = "a list of words, a list of such lists, or a string for a shell";
    let owned =
        |words: Vec<&str>| -> Vec<String> { words.into_iter().map(str::to_owned).collect() };
    let by_words = |item: &Item<'_>| -> Result<_, Failure> {
        let words = owned(item.words()?);
        let shown = shown(&words);
        Ok((words, shown))
    };
    match (item.value(), item.list()) {
        (DeValue::String(line), _) => {
            let words = owned(vec![SHELL, "-c", line]);
            Ok(vec![(words, shown(&[line.to_string()]))])
        }
        (_, Some(items)) if items.iter().all(|item| item.list().is_some()) => {
            items.iter().map(by_words).collect()
        }
        (_, Some(_)) => Ok(vec![by_words(item)?]),
        _ => Err(item.expected(wanted)),
    }
}

fn commands(item: &Item<'_>) -> Result<Vec<args::Command>, Failure> {
    let wanted = || item.expected("a list of commands");
    let command = |item: Item<'_>| -> Result<_, Failure> {
        let name = item.text()?;
        let found = command_or_meant(name)
            .map_err(|(what, hint)| hint.into_iter().fold(item.fault(&what), Failure::hint))?;
        Ok(found.command)
    };
    item.list()
        .ok_or_else(wanted)?
        .into_iter()
        .map(command)
        .collect()
}

/// What runs hooks.
pub(super) struct Runner {
    pub(super) environment: Environment,
    pub(super) ui: Arc<Ui>,
    pub(super) ending: Ending,
    /// Hooks are named and not run.
    pub(super) dry_run: bool,
}

/// Variables of a hook.
pub(super) type Variables = Vec<(&'static str, OsString)>;

impl Runner {
    /// Runs those that go before, up to the first that fails, or to a signal.
    ///
    /// # Errors
    /// When one fails.
    pub(super) fn before(&self, hooks: &Hooks, variables: &Variables) -> Result<(), Failure> {
        let mut hooks = hooks.at(Moment::Before);
        hooks.try_for_each(|hook| match self.ending.signal() {
            Some(signal) => Err(Failure::silent(Code(status_of(signal)))),
            None => self.run(hook, variables),
        })
    }

    /// Runs one. That it is ended by a signal that ends redup is no failure to be told.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn run(&self, hook: &Hook, variables: &Variables) -> Result<(), Failure> {
        let key = hook.moment.key();
        if self.dry_run {
            self.say(
                Level::NOTICE,
                format!("Would run hook {key}: {}", hook.shown),
            );
            return Ok(());
        }
        let program = &hook.program;
        self.say(Level::INFO, format!("Running hook {key}: {program}"));
        let mut command = Command::new(hook.words.first().map_or("", String::as_str));
        command
            .args(hook.words.get(1..).unwrap_or_default())
            .env_clear()
            .envs(self.environment.without_secrets())
            .env("REDUP_HOOK", key)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        if self.ui.is_result_only() {
            command.stdout(io::stderr());
        }
        let failed = |what: String| {
            let text = format!("{}: {program} {what}", hook.place);
            Failure::new(Code::HOOK, text)
        };
        let earlier = self.ending.signal();
        let child = self.ending.spawn(&mut command, program).map_err(|error| {
            let message = format!("{}: cannot run {program}", hook.place);
            Failure::caused(Code::HOOK, message, &error)
        })?;
        match (child.wait(), self.ending.signal()) {
            (Ok(status), _) if status.success() => Ok(()),
            (_, Some(signal)) if earlier.is_none() => Err(Failure::silent(Code(status_of(signal)))),
            (Ok(status), _) => Err(failed(format!("ended with {}", ended(status)))),
            (Err(error), _) => Err(failed(format!("cannot be waited for: {error}"))),
        }
    }

    fn say(&self, level: Level, text: String) {
        self.ui.say_at_last(&Message::new(level, text));
    }
}

impl Moment {
    fn key(self) -> &'static str {
        let found = MOMENTS.iter().find(|(_, moment)| *moment == self);
        found.map_or("", |(key, _)| key)
    }
}

/// How a program ended that did not end well.
pub(super) fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        _ => status.to_string(),
    }
}
