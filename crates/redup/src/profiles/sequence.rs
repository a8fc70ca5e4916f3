//! A run of a profile: what goes before, its commands one behind the other, what goes after.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use redup_engine::BackupReport;

use super::hooks::{Hooks, Runner, Variables};
use super::secrets::SecretSource;
use crate::args::{Args, Opt};
use crate::commands;
use crate::config::expand;
use crate::env::Environment;
use crate::exit::{Code, Failure};
use crate::panics;
use crate::passphrase::Typed;
use crate::program::Program;
use crate::signals::{self, Ending, PATIENTLY};
use crate::ui::Ui;

/// Everything that a run does.
#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) profile: String,
    pub(super) source: Option<String>,
    pub(super) target: Option<String>,
    pub(super) steps: Vec<Planned>,
    pub(super) secrets: Vec<SecretSource>,
    pub(super) hooks: Hooks,
}

/// A command to run.
#[derive(Debug)]
pub(super) struct Planned {
    /// As it was typed, or stands in the file.
    pub(super) shown: String,
    pub(super) args: Args,
}

/// How the commands ended.
#[derive(Debug)]
struct Outcome {
    code: Code,
    /// Success, or a run that did not get through, or one that did and has something to complain about.
    result: &'static str,
    error: Option<String>,
    /// The command that ended the run.
    failed: Option<String>,
    /// Of the last backup.
    report: Option<BackupReport>,
}

impl Sequence {
    /// Runs it. Failures are told as they come.
    pub(super) fn run(self, environment: Environment, ui: &Arc<Ui>, ending: &Ending) -> Code {
        let started = Instant::now();
        if self
            .steps
            .iter()
            .any(|step| commands::gives_a_result(&step.args))
        {
            ui.keep_stdout();
        }
        let variables = self.variables(&environment);
        let dry_run = self
            .steps
            .iter()
            .all(|step| step.args.options.flag(Opt::DryRun));
        let hooks = self.hooks.clone();
        let runner = Arc::new(Runner {
            environment,
            ui: Arc::clone(ui),
            ending: ending.clone(),
            dry_run,
        });
        let outcome = {
            let (runner, variables) = (Arc::clone(&runner), variables.clone());
            let (ui, ending) = (Arc::clone(ui), ending.clone());
            move || match runner.before(&self.hooks, &variables) {
                Ok(()) => self.steps(runner.environment.clone(), &ui, &ending),
                Err(failure) => Outcome::failed(failure, None, &ui),
            }
        };
        let outcome = match (ending.attend(ui, PATIENTLY, outcome), ending.signal()) {
            (Some(Ok(outcome)), None) => outcome,
            (Some(Ok(outcome)), Some(_)) if outcome.code == Code::SUCCESS => outcome,
            (_, Some(signal)) => Outcome::ended_by(signal),
            (Some(Err(_)) | None, None) => Outcome::panicked(None),
        };
        let mut code = outcome.code;
        let variables = Arc::new(outcome.variables(variables, started));
        for hook in hooks.behind(code == Code::SUCCESS) {
            let (runner, variables) = (Arc::clone(&runner), Arc::clone(&variables));
            let run = move || {
                let done = runner.run(&hook, &variables);
                done.map_err(|failure| {
                    failure.tell_at_last(&runner.ui, Program::Redup);
                    failure.code
                })
            };
            let failed = match ending.attend(ui, PATIENTLY, run) {
                Some(Ok(done)) => done.err(),
                Some(Err(_)) => Some(panics::CODE),
                None => None,
            };
            if code == Code::SUCCESS {
                code = failed.unwrap_or(code);
            }
        }
        code
    }

    /// Gets the passphrases and runs the commands, up to the first that does not end well, or to a signal.
    fn steps(self, environment: Environment, ui: &Arc<Ui>, ending: &Ending) -> Outcome {
        let environment = match with_secrets(environment, &self.secrets, ending) {
            Ok(environment) => environment,
            Err(failure) => return Outcome::failed(failure, None, ui),
        };
        let typed = Typed::default();
        let many = self.steps.len() > 1;
        let mut report = None;
        let mut steps = self.steps.into_iter();
        while let Some(Planned { shown, args }) = steps.next() {
            if let Some(signal) = ending.signal() {
                return Outcome::ended_by(signal);
            }
            if many {
                ui.notice(format!("Profile {}: {shown}", self.profile));
            }
            let (environment, ending) = (environment.clone(), ending.clone());
            let run = || commands::run(Program::Redup, args, environment, ui, ending, &typed);
            let ended = catch_unwind(AssertUnwindSafe(run));
            let outcome = match ended {
                Ok(Ok(done)) => {
                    report = done.backup.or(report);
                    if done.code == Code::SUCCESS {
                        continue;
                    }
                    Outcome::complains(done.code, shown)
                }
                Ok(Err(failure)) => Outcome::failed(failure, Some(shown), ui),
                Err(_) => Outcome::panicked(Some(shown)),
            };
            let rest: Vec<_> = steps.map(|step| step.shown).collect();
            if !rest.is_empty() {
                ui.warning(format!("Not run after that: {}", rest.join(", ")));
            }
            return Outcome { report, ..outcome };
        }
        Outcome {
            code: Code::SUCCESS,
            result: "success",
            error: None,
            failed: None,
            report,
        }
    }

    /// What every hook gets.
    fn variables(&self, environment: &Environment) -> Variables {
        let steps: Vec<_> = self
            .steps
            .iter()
            .map(|step| step.args.command.name())
            .collect();
        let target = self.target.as_deref().map(redup_storage::masked);
        let mut variables: Variables = vec![
            ("REDUP_PROFILE", (&self.profile).into()),
            ("REDUP_COMMAND", steps.join(" ").into()),
        ];
        let source = self.source.as_ref();
        let source = source.map(|text| expand(text.as_ref(), environment));
        variables.extend(source.map(|source| ("REDUP_SOURCE", source)));
        variables.extend(target.map(|target| ("REDUP_TARGET", target.into())));
        variables
    }
}

fn with_secrets(
    mut environment: Environment,
    secrets: &[SecretSource],
    ending: &Ending,
) -> Result<Environment, Failure> {
    for source in secrets {
        let secret = source.get(&environment, ending)?;
        environment = environment.with_passphrase(source.variable, secret);
    }
    Ok(environment)
}

impl Outcome {
    fn failed(failure: Failure, failed: Option<String>, ui: &Ui) -> Self {
        failure.tell(ui, Program::Redup);
        let error = match failure.code {
            Code::PIPE => "nobody reads the output any more".to_owned(),
            _ => failure.message,
        };
        Self {
            code: failure.code,
            result: "failure",
            error: Some(error),
            failed,
            report: None,
        }
    }

    fn complains(code: Code, step: String) -> Self {
        Self {
            code,
            result: "warning",
            error: Some(format!("{step} ended with status {}", code.0)),
            failed: Some(step),
            report: None,
        }
    }

    fn panicked(step: Option<String>) -> Self {
        Self {
            code: panics::CODE,
            result: "failure",
            error: Some("internal error".to_owned()),
            failed: step,
            report: None,
        }
    }

    fn ended_by(signal: i32) -> Self {
        Self {
            code: Code(signals::status_of(signal)),
            result: "failure",
            error: Some(format!("ended by {}", signals::name_of(signal))),
            failed: None,
            report: None,
        }
    }

    /// What the hooks behind get, beside what all get.
    fn variables(&self, mut variables: Variables, started: Instant) -> Variables {
        let mut add = |name, value: String| variables.push((name, value.into()));
        add("REDUP_RESULT", self.result.to_owned());
        add("REDUP_STATUS", self.code.0.to_string());
        add("REDUP_SECONDS", started.elapsed().as_secs().to_string());
        if let Some(error) = &self.error {
            let line = error.lines().next().unwrap_or_default();
            add("REDUP_ERROR", crate::ui::escape(line.as_bytes()));
        }
        if let Some(step) = &self.failed {
            add("REDUP_FAILED", step.clone());
        }
        if let Some(report) = &self.report {
            if !report.skipped {
                let kind = if report.span.is_full() { "full" } else { "inc" };
                add("REDUP_SET_TYPE", kind.to_owned());
                add("REDUP_SET_TIME", report.span.end().to_string());
            }
            let figures = &report.statistics;
            for (name, value) in [
                ("REDUP_SOURCE_FILES", figures.source_files),
                ("REDUP_SOURCE_BYTES", figures.source_file_size),
                ("REDUP_NEW_FILES", figures.new_files),
                ("REDUP_CHANGED_FILES", figures.changed_files),
                ("REDUP_DELETED_FILES", figures.deleted_files),
                ("REDUP_UNREAD_FILES", figures.errors),
                ("REDUP_STORED_BYTES", figures.total_destination_size_change),
            ] {
                add(name, value.to_string());
            }
        }
        variables
    }
}
