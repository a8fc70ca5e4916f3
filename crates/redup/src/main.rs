//! redup: backup and restore in duplicity's archive format.
//!
//! This crate is the command line: it reads arguments and environment, asks for passphrases, prints,
//! and knows the exit statuses. The work is done by `redup-engine`.
//!
//! From the top: [`args`] says what was typed, [`config`] makes ready objects of it, [`commands`] has
//! one file a command, [`ui`] prints, [`exit`] maps errors to words and codes.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod config;
mod env;
mod exit;
mod extras;
mod panics;
mod passphrase;
mod profiles;
mod program;
mod signals;
mod times;
mod ui;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::tz::TimeZone;

use args::{ArgsError, Opt, Options, Parsed};
use env::Environment;
use exit::{Code, Failure};
use passphrase::Typed;
use profiles::Wanted;
use program::Program;
use signals::Ending;
use ui::{Ui, UiOptions};

fn main() -> ExitCode {
    redup_storage::keep_freed_memory();
    let mut words = std::env::args_os();
    let program = Program::called(words.next().as_deref());
    let words: Vec<OsString> = words.collect();
    let environment = Environment::read();
    let profile = match program {
        Program::Redup => profiles::wanted(&words, &environment),
        Program::Duplicity => Ok(None),
    };
    // First of all, while no descriptor but the inherited ones is open.
    let options = match &profile {
        Ok(Some(Wanted::Run(run))) => run.log_options.clone(),
        _ => args::log_options(&words),
    };
    let (logs, log_failure) = match open_logs(&options, &environment) {
        Ok(logs) => (logs, None),
        Err(failure) => (Vec::new(), Some(failure)),
    };
    let ui = Arc::new(Ui::new(UiOptions {
        verbosity: verbosity(&options),
        timestamps: options.flag(Opt::LogTimestamp),
        zone: TimeZone::system(),
        logs,
    }));
    let result = match log_failure {
        Some(failure) => Err(failure),
        None => profile.and_then(|profile| run_caught(program, words, profile, environment, &ui)),
    };
    let code = result.unwrap_or_else(|failure| {
        failure.tell(&ui, program);
        failure.code
    });
    match code {
        Code::PIPE => signals::end_by_pipe(),
        code => ExitCode::from(code.0),
    }
}

/// Runs, and turns a panic, which the hook has reported, into its exit status.
fn run_caught(
    program: Program,
    words: Vec<OsString>,
    profile: Option<Wanted>,
    environment: Environment,
    ui: &Arc<Ui>,
) -> Result<Code, Failure> {
    panics::install(Arc::clone(ui));
    let run = AssertUnwindSafe(|| match profile {
        Some(Wanted::List(list)) => {
            ui.print(&list);
            Ok(Code::SUCCESS)
        }
        Some(Wanted::Run(profile)) => {
            let ending = ending()?;
            let code = profile.run(environment, ui, &ending);
            ending.finish(ui);
            Ok(code)
        }
        None => run(program, words, environment, ui),
    });
    catch_unwind(run).unwrap_or(Ok(panics::CODE))
}

fn run(
    program: Program,
    words: Vec<OsString>,
    environment: Environment,
    ui: &Arc<Ui>,
) -> Result<Code, Failure> {
    if program == Program::Redup
        && let Some(done) = extras::run(&words)
    {
        ui.print(&done?);
        return Ok(Code::SUCCESS);
    }
    let exists = |path: &Path| std::fs::symlink_metadata(path).is_ok();
    let own = args::parse_own(&words).filter(|_| program == Program::Redup);
    let parsed = own.unwrap_or_else(|| args::parse(words.iter().cloned(), &exists));
    let parsed = parsed.map_err(|error| match program {
        Program::Redup => mistaken(error, &words),
        Program::Duplicity => error.into(),
    });
    match parsed? {
        Parsed::Help(topic) => ui.print(&args::help(topic, program.name())),
        Parsed::Version => ui.print(&program.version()),
        Parsed::Run(args) => {
            if program == Program::Duplicity {
                args::refuse_own(&args.options)?;
            }
            let (ending, own) = (ending()?, Arc::clone(ui));
            let given = ending.clone();
            let command = move || {
                let done =
                    commands::run(program, args, environment, &own, given, &Typed::default());
                done.map_or_else(
                    |failure| {
                        failure.tell(&own, program);
                        failure.code
                    },
                    |done| done.code,
                )
            };
            let ended = ending.attend(ui, signals::SHORTLY, command);
            ending.finish(ui);
            return Ok(ended.and_then(Result::ok).unwrap_or(panics::CODE));
        }
    }
    Ok(Code::SUCCESS)
}

/// A mistake in the command line, with what may have been meant.
fn mistaken(error: ArgsError, words: &[OsString]) -> Failure {
    let meant = error.meant(words);
    let failure = Failure::from(error);
    match meant {
        Some(meant) => failure.hint(format!("did you mean {meant}?")),
        None => failure,
    }
}

/// Handles signals from now on.
fn ending() -> Result<Ending, Failure> {
    signals::install()
        .map_err(|error| Failure::from_error(Code::EXCEPTION, &error).extra("OSError"))
}

fn verbosity(options: &Options) -> u8 {
    options
        .number(Opt::Verbosity)
        .and_then(|level| u8::try_from(level).ok())
        .unwrap_or(3)
}

fn open_logs(options: &Options, environment: &Environment) -> Result<Vec<std::fs::File>, Failure> {
    let mut logs = Vec::new();
    if let Some(number) = options.number(Opt::LogFd) {
        logs.push(ui::log_descriptor(number)?);
    }
    if let Some(path) = options.os(Opt::LogFile) {
        logs.push(ui::log_file(PathBuf::from(config::expand(
            path,
            environment,
        )))?);
    }
    Ok(logs)
}
