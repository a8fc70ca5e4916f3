//! One profile, understood: what its keys mean, each told with its line when it means nothing.

use std::ffi::OsString;

use super::hooks::Hooks;
use super::item::Item;
use super::layers::{Entry, INHERIT, TABLES};
use super::secrets::{SECRET_KEYS, SecretSource, looks_secret};
use super::settings;
use crate::args::{CommandSpec, FromProfile, Opt, Options, RunCall, option_names};
use crate::env::Environment;
use crate::exit::Failure;

/// A profile of the file.
#[derive(Default)]
pub(super) struct Profile {
    pub(super) source: Option<String>,
    pub(super) target: Option<String>,
    /// In the order in which they were said, so that the last one counts.
    pub(super) options: Options,
    /// Options that select, in the order that decides.
    pub(super) select: Options,
    pub(super) steps: Vec<Step>,
    /// Variables for the whole run.
    pub(super) variables: Vec<(String, String)>,
    pub(super) secrets: Vec<SecretSource>,
    pub(super) hooks: Hooks,
}

/// A command of a profile.
pub(super) struct Step {
    pub(super) spec: &'static CommandSpec,
    /// The words behind it, as far as the profile itself has them not.
    pub(super) words: Vec<OsString>,
    pub(super) options: Options,
    /// As it stands in the file.
    pub(super) shown: String,
}

/// The keys of a profile that are no options, in the order of the documentation.
const KEYS: [&str; 4] = ["source", "target", "select", "steps"];

/// What a folder that is named for every working folder begins with.
const ROOTED: [char; 3] = ['/', '~', '$'];

impl Profile {
    /// # Errors
    /// With the first key that means nothing.
    pub(super) fn read(
        entries: Vec<Entry<'_>>,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let mut profile = Self::default();
        for Entry { table, item } in entries {
            match (table, item.key()) {
                (Some("environment"), _) => profile.variables.push(variable(&item)?),
                (Some(_), _) => profile.hooks.set(&item)?,
                (None, "source") => profile.source = Some(source(&item)?),
                (None, "target") => profile.target = Some(target(&item)?),
                (None, "select") => profile.select = settings::selection(&item, environment)?,
                (None, "steps") => profile.steps = settings::steps(&item)?,
                (None, key) if SECRET_KEYS.contains(&key) => {
                    let source = SecretSource::read(&item)?;
                    // The later way to get the same one replaces the earlier.
                    profile
                        .secrets
                        .retain(|old| old.variable != source.variable);
                    profile.secrets.push(source);
                }
                (None, key) => {
                    let Some(found) = settings::options(key, &item)? else {
                        let known = KEYS.into_iter().chain(SECRET_KEYS).chain(TABLES);
                        let known = known.chain([INHERIT]).chain(option_names());
                        return Err(item.unknown("there is no such option or key", known));
                    };
                    for occurrence in found {
                        profile.options.push(occurrence);
                    }
                }
            }
        }
        if profile.steps.is_empty() {
            profile.steps.extend(Step::backup());
        }
        Ok(profile)
    }

    /// What the command lines of its commands take from it.
    pub(super) fn for_commands(&self) -> FromProfile<'_> {
        FromProfile {
            source: self.source.as_deref(),
            target: self.target.as_deref(),
            options: &self.options,
            select: &self.select,
        }
    }

    /// The options about messages, which are needed before everything else; those typed win.
    pub(super) fn log_options(&self, call: &RunCall) -> Options {
        let all = self.options.iter().chain(call.options.iter());
        let mut options = Options::default();
        for occurrence in all.filter(|it| is_about_messages(it.spec.id)) {
            options.push(occurrence.clone());
        }
        options
    }
}

impl Step {
    /// What a profile does that says nothing else.
    fn backup() -> Option<Self> {
        Some(Self {
            spec: crate::args::command_called("backup")?,
            words: Vec::new(),
            options: Options::default(),
            shown: "backup".to_owned(),
        })
    }
}

/// Whether an option is about the messages of a whole run.
pub(super) fn is_about_messages(id: Opt) -> bool {
    matches!(
        id,
        Opt::Verbosity | Opt::LogFd | Opt::LogFile | Opt::LogTimestamp
    )
}

fn source(item: &Item<'_>) -> Result<String, Failure> {
    let text = item.text()?;
    if !text.starts_with(ROOTED) {
        let what = "a source begins with / or ~, since the run may start in any folder";
        return Err(item.fault(what));
    }
    Ok(text.to_owned())
}

fn target(item: &Item<'_>) -> Result<String, Failure> {
    let text = item.text()?;
    if !crate::args::is_url(text.as_ref()) {
        let failure = item.fault("a target is a URL");
        return Err(failure.hint("file:///absolute/folder, or s3://bucket/prefix"));
    }
    let relative = text.strip_prefix("file://");
    if relative.is_some_and(|path| !path.starts_with('/')) {
        let what = "the folder of a target begins with /, since the run may start in any folder";
        return Err(item
            .fault(what)
            .hint("file:///absolute/folder has three slashes"));
    }
    Ok(text.to_owned())
}

fn variable(item: &Item<'_>) -> Result<(String, String), Failure> {
    let (name, value) = (item.key(), item.text()?);
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        return Err(item.fault("this cannot be a variable of the environment"));
    }
    if ["HOME", "XDG_CONFIG_HOME"].contains(&name) {
        return Err(item.fault("it says where this file is, so it cannot be set in it"));
    }
    if looks_secret(name) && item.file().is_public() {
        let failure = item.fault("a secret, in a file that everybody may read");
        return Err(failure.hint(format!("chmod 600 {}", item.file().shown())));
    }
    Ok((name.to_owned(), value.to_owned()))
}
