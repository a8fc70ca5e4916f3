//! `redup run`: the words of its command line, and command lines made of a profile.

use std::ffi::OsString;

use super::applies::applies;
use super::command::{self, Command, CommandSpec, Shape, is_url};
use super::error::ArgsError;
use super::help::Topic;
use super::options::{Opt, Options};
use super::parse::{self, Asked};
use super::spec::Support;
use super::{Args, Parsed, named, no_effect_remarks};

/// What `redup run` is told.
#[derive(Debug, Default)]
pub(crate) struct RunCall {
    /// Nobody's: a list is wanted.
    pub(crate) profile: Option<OsString>,
    /// A command in place of what the profile does, with the words behind it.
    pub(crate) command: Vec<OsString>,
    /// Where the profiles are.
    pub(crate) file: Option<OsString>,
    pub(crate) options: Options,
}

/// What of a command line comes from a profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FromProfile<'a> {
    pub(crate) source: Option<&'a str>,
    pub(crate) target: Option<&'a str>,
    /// For every command that they make a difference to.
    pub(crate) options: &'a Options,
    /// In order, for the commands that walk the source.
    pub(crate) select: &'a Options,
}

/// The words of `redup run`, if they are that and ask for nothing else. A folder called `run` can still be
/// backed up: no profile is called as a URL is.
pub(crate) fn run_call(words: &[OsString]) -> Option<RunCall> {
    let (asked, call) = read(words)?;
    asked.is_none().then_some(call)
}

/// What the words of `redup run` ask for instead.
pub(super) fn asked_of_run(words: &[OsString]) -> Option<Parsed> {
    let (asked, call) = read(words)?;
    let on = |word: &OsString| named::command_called(word.to_str()?);
    Some(match asked? {
        Asked::Version => Parsed::Version,
        Asked::Help(_) => Parsed::Help(match call.command.first().and_then(on) {
            Some(spec) => Topic::Command(spec.command),
            None => Topic::Run,
        }),
    })
}

fn read(words: &[OsString]) -> Option<(Option<Asked>, RunCall)> {
    let words = parse::split(words.iter().cloned()).ok()?;
    let (run, rest) = words.positionals.split_first()?;
    if run != "run" || rest.first().is_some_and(|word| is_url(word)) {
        return None;
    }
    // That one is for `run` itself.
    let (file, options) = words.options.without(Opt::ConfigDir);
    let call = RunCall {
        profile: rest.first().cloned(),
        command: rest.get(1..).unwrap_or_default().to_vec(),
        file,
        options,
    };
    Some((words.asked, call))
}

impl CommandSpec {
    /// The command line of this command for a profile. `words` are those that the profile has not, `given` the
    /// options typed for this command, which win over the profile's.
    ///
    /// # Errors
    /// When the profile lacks what the command needs, or the words are too many, too few or unfit.
    pub(crate) fn of_profile(
        &self,
        profile: FromProfile<'_>,
        words: Vec<OsString>,
        given: &Options,
    ) -> Result<Args, ArgsError> {
        let positionals = self.filled(profile, words)?;
        for (shape, word) in self.shapes.iter().zip(&positionals) {
            command::check_shape(*shape, word)?;
        }
        let options = self.options_of(profile, given);
        Ok(Args {
            command: self.command,
            positionals,
            remarks: no_effect_remarks(&options),
            options,
        })
    }

    /// Its words, with those of the profile where they belong.
    fn filled(
        &self,
        profile: FromProfile<'_>,
        words: Vec<OsString>,
    ) -> Result<Vec<OsString>, ArgsError> {
        let typed: Vec<_> = words.iter().map(|word| super::lossy(word)).collect();
        let mut words = words.into_iter();
        let lacking = |what| ArgsError::ProfileLacks {
            command: self.name,
            what,
        };
        let mut filled = Vec::new();
        for shape in self.shapes {
            let word = match shape {
                Shape::SourcePath => Some(profile.source.ok_or(lacking("source"))?.into()),
                Shape::TargetUrl | Shape::SourceUrl => {
                    Some(profile.target.ok_or(lacking("target"))?.into())
                }
                // What was backed up is what there is to compare with.
                Shape::TargetPath if self.command == Command::Verify => {
                    words.next().or(profile.source.map(Into::into))
                }
                _ => words.next(),
            };
            filled.extend(word);
        }
        if filled.len() < self.shapes.len() || words.next().is_some() {
            return Err(ArgsError::ProfileWords {
                command: self.name,
                takes: self.own_words(),
                got: typed,
            });
        }
        Ok(filled)
    }

    /// What has to be said behind the command when a profile has the rest.
    pub(crate) fn own_words(&self) -> Vec<&'static str> {
        let own = |shape: &&Shape| {
            !matches!(
                shape,
                Shape::SourcePath | Shape::TargetUrl | Shape::SourceUrl
            )
        };
        self.shapes
            .iter()
            .filter(own)
            .map(|shape| shape.role())
            .collect()
    }

    /// The options of the profile that make a difference here, then those given. What selects is the other way
    /// round: there the first that matches decides.
    fn options_of(&self, profile: FromProfile<'_>, given: &Options) -> Options {
        let mut options = Options::default();
        for occurrence in profile.options.iter() {
            let spec = occurrence.spec;
            // What has no effect has none for every command, and says so.
            let silent = spec.hidden || spec.support != Support::Yes;
            if silent || applies(spec, self.command) {
                options.push(occurrence.clone());
            }
        }
        let walks = self.command.is_backup() || self.command == Command::Verify;
        let ordered = |id| !matches!(id, Opt::FilesFrom | Opt::NullSeparator);
        let select = || profile.select.iter().filter(|_| walks);
        for occurrence in select()
            .filter(|it| !ordered(it.spec.id))
            .chain(given.iter())
        {
            options.push(occurrence.clone());
        }
        let mut rest = select().filter(|it| ordered(it.spec.id)).peekable();
        let filters = |id| matches!(id, Opt::FilterMode | Opt::FilterCase);
        if rest.peek().is_some() && given.iter().any(|it| filters(it.spec.id)) {
            // A filter that was given is not about the profile's patterns.
            for name in ["filter-globbing", "filter-strictcase"] {
                let usual = named::switch(name);
                usual.into_iter().for_each(|it| options.push(it));
            }
        }
        for occurrence in rest {
            options.push(occurrence.clone());
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ArgsError;
    use crate::args::named::{command_called, options_and_words};

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(Into::into).collect()
    }

    fn call(line: &str) -> Option<String> {
        let call = run_call(&words(line))?;
        let options = call.options.iter().map(|it| it.name.as_str());
        let options: Vec<_> = options.collect();
        let text = |words: &[OsString]| words.join(" ".as_ref()).into_string().unwrap();
        let (profile, file) = (call.profile.into_iter(), call.file.into_iter());
        let parts = [profile.collect(), call.command, file.collect::<Vec<_>>()];
        let [profile, command, file] = parts.map(|part: Vec<_>| text(&part));
        Some(format!("{profile}|{command}|{file}|{}", options.join(" ")))
    }

    #[test]
    fn a_call_is_a_profile_a_command_and_options() {
        let is = |line, expected: &str| assert_eq!(call(line).as_deref(), Some(expected), "{line}");
        is("run", "|||");
        is("run home", "home|||");
        is("-v5 run home --dry-run", "home|||verbosity dry-run");
        is(
            "run home restore -t 3D /out",
            "home|restore /out||restore-time",
        );
        is("run --config a --conf b home", "home||b|");
        is("run home -- ls -x", "home|ls -x||");
        for other in [
            "run file:///t",
            "run s3://b --dry-run",
            "backup run file:///t",
            "runs",
            "",
            "run --bogus",
            "run -h",
        ] {
            assert_eq!(call(other), None, "{other}");
        }
    }

    /// What a command of a profile comes to.
    fn made(command: &str, typed: &str) -> Result<String, String> {
        let lines = "--volsize 5 --keep-daily 3 --compare-data --encrypt-key A --pydevd --name a";
        let (options, _) = options_and_words(words(lines)).unwrap();
        let select = "--files-from f --exclude x --include y";
        let (select, _) = options_and_words(words(select)).unwrap();
        let profile = FromProfile {
            source: Some("/s"),
            target: Some("file:///t"),
            options: &options,
            select: &select,
        };
        let (given, rest) = options_and_words(words(typed)).unwrap();
        let spec = command_called(command).unwrap();
        let args = spec
            .of_profile(profile, rest, &given)
            .map_err(|error: ArgsError| error.to_string())?;
        let words = args.positionals.join(" ".as_ref()).into_string().unwrap();
        let options: Vec<_> = args.options.iter().map(|it| it.name.as_str()).collect();
        Ok(format!("{words} | {}", options.join(" ")))
    }

    #[test]
    fn a_command_gets_the_places_and_the_options_that_it_makes_something_of() {
        let is = |command, typed, expected: &str| {
            assert_eq!(made(command, typed).as_deref(), Ok(expected), "{command}");
        };
        is(
            "backup",
            "",
            "/s file:///t | volsize encrypt-key pydevd name files-from exclude include",
        );
        is(
            "prune",
            "--force",
            "file:///t | keep-daily pydevd name force",
        );
        is(
            "restore",
            "/out --name b",
            "file:///t /out | pydevd name name",
        );
        let verify = "pydevd compare-data name files-from exclude include";
        let verify = verify.replace("pydevd compare-data", "compare-data pydevd");
        is("verify", "", &format!("file:///t /s | {verify}"));
        is("verify", "/other", &format!("file:///t /other | {verify}"));
        is("ro", "6M", "6M file:///t | pydevd name");
    }

    #[test]
    fn what_is_typed_selects_before_the_profile() {
        let made = made("full", "--filter-regexp --include z").unwrap();
        assert!(
            made.ends_with(
                "files-from filter-regexp include filter-globbing filter-strictcase exclude include"
            ),
            "{made}"
        );
    }

    #[test]
    fn words_are_counted_without_those_of_the_profile() {
        let refused = |command, typed| made(command, typed).unwrap_err();
        assert_eq!(
            refused("restore", ""),
            "'restore' of a profile takes target_path behind it, and got nothing"
        );
        assert_eq!(
            refused("cleanup", "a b"),
            "'cleanup' of a profile takes nothing behind it, and got 'a', 'b'"
        );
        assert!(refused("restore", "file:///x").contains("should be pathname"));
        assert!(refused("ra", "x").contains("above 0"));
    }
}
