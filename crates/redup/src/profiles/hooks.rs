//! Programs that are run before and after.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use toml::de::DeValue;

use super::item::Item;
use super::settings::shown;
use crate::args::{self, command_called, command_names};
use crate::env::Environment;
use crate::exit::{Code, Failure};
use crate::signals::LastDeed;
use crate::ui::Ui;

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

/// What a profile has run before and after.
#[derive(Clone, Debug)]
pub(super) struct Hooks {
    hooks: Vec<Hook>,
    commands: Vec<args::Command>,
}

/// One program.
#[derive(Clone, Debug)]
struct Hook {
    moment: Moment,
    words: Vec<String>,
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
            self.hooks.push(Hook {
                moment,
                words,
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

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.hooks.is_empty()
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
            let words = owned(vec!["/bin/sh", "-c", line]);
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
        let found = command_called(name).ok_or_else(|| {
            let failure = item.fault(&format!("there is no command '{name}'"));
            match args::nearest(name, command_names()) {
                Some(meant) => failure.hint(format!("did you mean {meant}?")),
                None => failure,
            }
        })?;
        Ok(found.command)
    };
    item.list()
        .ok_or_else(wanted)?
        .into_iter()
        .map(command)
        .collect()
}

/// What runs hooks.
pub(super) struct Runner<'a> {
    pub(super) hooks: &'a Hooks,
    pub(super) environment: &'a Environment,
    pub(super) ui: &'a Ui,
    pub(super) last_deed: &'a LastDeed,
    /// Hooks are named and not run.
    pub(super) dry_run: bool,
    /// A signal ends the process, and these are the last that it runs.
    pub(super) farewell: bool,
}

/// Variables of a hook.
pub(super) type Variables = Vec<(&'static str, OsString)>;

impl Runner<'_> {
    /// Runs those that go before, up to the first that fails.
    ///
    /// # Errors
    /// When one fails.
    pub(super) fn before(&self, variables: &Variables) -> Result<(), Failure> {
        let mut hooks = self.hooks.at(Moment::Before);
        hooks.try_for_each(|hook| self.run(hook, variables))
    }

    /// Runs those that go behind, all of them. Gives those that failed.
    pub(super) fn after(&self, success: bool, variables: &Variables) -> Vec<Failure> {
        let of_the_result = match success {
            true => Moment::AfterSuccess,
            false => Moment::AfterFailure,
        };
        let hooks = self
            .hooks
            .at(of_the_result)
            .chain(self.hooks.at(Moment::After));
        hooks
            .filter_map(|hook| self.run(hook, variables).err())
            .collect()
    }

    fn run(&self, hook: &Hook, variables: &Variables) -> Result<(), Failure> {
        let key = hook.moment.key();
        if self.dry_run {
            self.ui
                .notice(format!("Would run hook {key}: {}", hook.shown));
            return Ok(());
        }
        // Its words may be meant for nobody's eyes, so that they are in no message.
        let program = hook.shown.split(' ').next().unwrap_or_default();
        self.ui.info(format!("Running hook {key}: {program}"));
        let mut command = Command::new(hook.words.first().map_or("", String::as_str));
        command
            .args(hook.words.get(1..).unwrap_or_default())
            .env_clear()
            .envs(self.environment.without_secrets())
            .env("REDUP_HOOK", key)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        let failed = |what: String| {
            let text = format!("{}: {program} {what}", hook.place);
            Failure::new(Code::HOOK, text)
        };
        let mut child = command.spawn().map_err(|error| {
            let message = format!("{}: cannot run {program}", hook.place);
            Failure::caused(Code::HOOK, message, &error)
        })?;
        let status = self.last_deed.watch(&child, program).wait(&mut child);
        if !self.farewell {
            self.last_deed.go_on();
        }
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failed(format!("ended with {}", ended(status)))),
            Err(error) => Err(failed(format!("cannot be waited for: {error}"))),
        }
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
