//! `redup run`: backups that a file describes.
//!
//! [`mod@file`] finds and trusts the file, [`layers`] puts a profile together, [`profile`] understands its keys, and
//! [`sequence`] runs it between its [`hooks`].

mod file;
mod hooks;
mod item;
mod layers;
mod profile;
mod secrets;
mod sequence;
mod settings;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use crate::args::{self, FromProfile, Options, RunCall, lossy, run_call};
use crate::config;
use crate::env::{BEGUN, Environment};
use crate::exit::{Code, Failure, command_line};
use crate::program::Program;
use crate::signals::Ending;
use crate::ui::Ui;
use file::ProfileFile;
use hooks::Hooks;
use item::Item;
use layers::{Document, meant_or_all};
use profile::Profile;
use sequence::{Planned, Sequence};

/// What a `redup run` comes to.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The list of profiles, to be printed.
    List(String),
    /// A run, and its options about messages.
    Run(Box<ProfileRun>),
}

/// A run of a profile that can begin.
#[derive(Debug)]
pub(crate) struct ProfileRun {
    /// The options about messages: they are needed before everything else.
    pub(crate) log_options: Options,
    sequence: Sequence,
}

/// Reads the file of profiles if `words` are those of `redup run`; `None` when they are not, or ask for help.
///
/// A profile that sets variables begins the process anew with them: the libraries that ask for them (of
/// credentials, proxies, time zones) look nowhere else.
///
/// # Errors
/// With what is wrong with the file, or with what was typed.
pub(crate) fn wanted(
    words: &[OsString],
    environment: &Environment,
) -> Result<Option<Wanted>, Failure> {
    let Some(call) = run_call(words) else {
        return Ok(None);
    };
    let named = call.file.as_deref();
    let named = named.map(|path| PathBuf::from(config::expand(path, environment)));
    let file = ProfileFile::find(named, environment)?;
    let parsed = file.parse()?;
    let document = Document::of(&Item::root(&file, &parsed))?;
    let Some(name) = &call.profile else {
        return Ok(Some(Wanted::List(list(&file, &document, environment)?)));
    };
    let name = lossy(name);
    let Some(entries) = document.entries(&name) else {
        let message = format!("there is no profile '{name}' in {}", file.shown());
        let failure = Failure::new(Code::COMMAND_LINE, message);
        return Err(failure.hint(meant_or_all(&name, document.names())));
    };
    let profile = Profile::read(entries?, environment)?;
    let log_options = profile.log_options(&call);
    let variables = profile.variables.clone();
    let sequence = plan(name, profile, call)?;
    adopt(&file, &variables, environment, words)?;
    Ok(Some(Wanted::Run(Box::new(ProfileRun {
        log_options,
        sequence,
    }))))
}

impl ProfileRun {
    /// Runs it. Failures are told as they come.
    pub(crate) fn run(self, environment: Environment, ui: &Arc<Ui>, ending: &Ending) -> Code {
        self.sequence.run(environment, ui, ending)
    }
}

/// What is to be done: the steps of the profile, or the command that was typed in their place.
fn plan(name: String, profile: Profile, call: RunCall) -> Result<Sequence, Failure> {
    let from = profile.for_commands();
    let (steps, hooks) = match call.command.split_first() {
        None => {
            let steps = profile.steps.iter().map(|step| {
                let mut options = step.options.clone();
                call.options.iter().for_each(|it| options.push(it.clone()));
                let args = step.spec.of_profile(from, step.words.clone(), &options);
                let args = args.map_err(|error| of_profile(&name, error))?;
                let shown = step.shown.clone();
                Ok(Planned { shown, args })
            });
            (steps.collect::<Result<_, Failure>>()?, profile.hooks)
        }
        Some((command, words)) => {
            let command = lossy(command);
            let spec = args::command_or_meant(&command)
                .map_err(|(what, hint)| hint.into_iter().fold(command_line(what), Failure::hint))?;
            let args = spec.of_profile(from, words.to_vec(), &call.options);
            let args = args.map_err(|error| of_profile(&name, error))?;
            let hooks = match profile.hooks.go_with(args.command) {
                true => profile.hooks,
                false => Hooks::default(),
            };
            let shown = spec.name.to_owned();
            (vec![Planned { shown, args }], hooks)
        }
    };
    Ok(Sequence {
        profile: name,
        source: profile.source,
        target: profile.target,
        steps,
        secrets: profile.secrets,
        hooks,
    })
}

fn of_profile(name: &str, error: args::ArgsError) -> Failure {
    let mut failure = Failure::from(error);
    failure.message = format!("profile '{name}': {}", failure.message);
    failure
}

/// Begins the process anew with these variables, unless it has them. Once: what it then still lacks, it never gets.
fn adopt(
    file: &ProfileFile,
    variables: &[(String, String)],
    environment: &Environment,
    words: &[OsString],
) -> Result<(), Failure> {
    let lacks = |(name, value): &&(String, String)| {
        let set = environment.get(name);
        set.is_none_or(|set| set != value.as_str())
    };
    let Some((name, _)) = variables.iter().find(lacks) else {
        return Ok(());
    };
    if environment.has_begun_anew() {
        let message =
            format!("the system takes the variable {name} of the profile away from redup");
        return Err(Failure::new(Code::COMMAND_LINE, message).hint(
            "it does so with some where a program has capabilities (getcap) or a set-user-id bit; an option may say \
             the same, as tempdir does in place of TMPDIR",
        ));
    }
    if !file.can_be_read_again() {
        let message = format!(
            "{}: a file that sets variables is read twice, and this is none that can be",
            file.shown()
        );
        return Err(Failure::new(Code::COMMAND_LINE, message).hint("name a regular file"));
    }
    let error = match std::env::current_exe() {
        Ok(program) => Command::new(program)
            .arg0(Program::Redup.name())
            .args(words)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env(BEGUN, std::process::id().to_string())
            .exec(),
        Err(error) => error,
    };
    let message = "cannot begin anew with the variables of the profile";
    Err(Failure::caused(Code::EXCEPTION, message, &error))
}

/// The profiles, each of which is read to its end: what is wrong with one is told here, too.
fn list(
    file: &ProfileFile,
    document: &Document<'_>,
    environment: &Environment,
) -> Result<String, Failure> {
    let mut rows = Vec::new();
    for name in document.names() {
        let Some(entries) = document.entries(name) else {
            continue;
        };
        let profile = Profile::read(entries?, environment)?;
        rows.push((name, described(&profile)));
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut text = match rows.is_empty() {
        true => format!("There are no profiles in {}.\n", file.shown()),
        false => format!("Profiles in {}:\n", file.shown()),
    };
    for (name, (places, steps)) in rows {
        text.push_str(&format!("  {name:width$}  {places}\n"));
        if !steps.is_empty() {
            text.push_str(&format!("  {:width$}  {steps}\n", ""));
        }
    }
    Ok(text)
}

/// From where to where, and what is done unless that is a backup alone.
fn described(profile: &Profile) -> (String, String) {
    let shown = |text: &String| lossy(text.as_ref());
    let FromProfile { source, target, .. } = profile.for_commands();
    let source = source.map(|source| lossy(source.as_ref()));
    let target = target.map(|target| redup_storage::masked(lossy(target.as_ref())));
    let places = match (source, target) {
        (Some(source), Some(target)) => format!("{source} -> {target}"),
        (Some(source), None) => format!("{source}, without a target"),
        (None, Some(target)) => format!("{target}, without a source"),
        (None, None) => "without source and target".to_owned(),
    };
    let steps: Vec<_> = profile
        .steps
        .iter()
        .map(|step| shown(&step.shown))
        .collect();
    let steps = match steps.join(", ") {
        steps if steps == "backup" => String::new(),
        steps => steps,
    };
    (places, steps)
}
