//! How a run ends: exit statuses, and failures in words for people and codes for programs.

mod codes;
mod engine;

use std::error::Error;
use std::sync::Arc;

use crate::args::{ArgsError, names_own_option};
use crate::passphrase::PassphraseError;
use crate::program::Program;
use crate::ui::{Level, LogError, Message, Ui, escape_lines};

pub(crate) use codes::Code;
pub(crate) use engine::hint_below;

/// A failure that ends the run.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    /// Words behind the code in the log protocol: names quoted.
    pub(crate) extra: String,
    /// What failed, naming the object.
    pub(crate) message: String,
    /// The chain of causes, outermost first.
    pub(crate) causes: Vec<String>,
    /// What the user can type or check.
    pub(crate) hints: Vec<String>,
}

impl Failure {
    /// A failure without causes.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            extra: String::new(),
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// A failure with an error's text and its chain of sources.
    pub(crate) fn from_error(code: Code, error: &(dyn Error + 'static)) -> Self {
        let mut failure = Self::new(code, text(error));
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = text(error);
            // Wrappers that only repeat what they wrap tell nothing new.
            if failure.causes.last().unwrap_or(&failure.message) != &text {
                failure.causes.push(text);
            }
            cause = error.source();
        }
        failure
    }

    /// A failure whose cause is an error.
    pub(crate) fn caused(
        code: Code,
        message: impl Into<String>,
        error: &(dyn Error + 'static),
    ) -> Self {
        let mut failure = Self::from_error(code, error);
        let cause = std::mem::replace(&mut failure.message, message.into());
        failure.causes.insert(0, cause);
        failure
    }

    /// A failure that needs no words: somebody knows already.
    pub(crate) fn silent(code: Code) -> Self {
        Self::new(code, "")
    }

    /// Tells it, under the name of the `program` that was called.
    pub(crate) fn tell(&self, ui: &Ui, program: Program) {
        if !self.message.is_empty() {
            ui.say(&self.message(program.name()));
        }
    }

    /// The same for what comes after the work, and so is told also after a signal.
    pub(crate) fn tell_at_last(&self, ui: &Arc<Ui>, program: Program) {
        if !self.message.is_empty() {
            ui.say_at_last(&self.message(program.name()));
        }
    }

    /// Adds the words by which programs tell failures of one code apart.
    pub(crate) fn extra(mut self, extra: impl Into<String>) -> Self {
        self.extra = extra.into();
        self
    }

    /// Adds something to type or check.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds something to type or check, unless a cause below has already said more than this error.
    pub(crate) fn or_hint(self, hint: &str) -> Self {
        if self.hints.is_empty() && self.extra.is_empty() {
            self.hint(hint)
        } else {
            self
        }
    }

    /// Adds something to type or check, unless a cause below has done so.
    pub(crate) fn else_hint(self, hint: &str) -> Self {
        match self.hints.is_empty() {
            true => self.hint(hint),
            false => self,
        }
    }

    /// What is printed: `error:`, `caused by:`, `hint:`. A mistake in the command line keeps the form
    /// that scripts know, its class in front, and names the help of the `program` that was called.
    pub(crate) fn message(&self, program: &str) -> Message {
        let lead = match self.code {
            Code::COMMAND_LINE if self.extra == COMMAND_LINE_ERROR => COMMAND_LINE_ERROR,
            _ => "error",
        };
        let mut text = format!("{lead}: {}", escape_lines(&self.message));
        for cause in &self.causes {
            text.push_str("\ncaused by: ");
            text.push_str(&escape_lines(cause));
        }
        for hint in &self.hints {
            text.push_str("\nhint: ");
            text.push_str(&escape_lines(hint));
            if program == "duplicity" && names_own_option(hint) {
                text.push_str(" (an option of redup, under its own name)");
            }
        }
        if lead == COMMAND_LINE_ERROR {
            text.push_str(&format!("\nEnter '{program} --help' for help screen."));
        }
        Message::new(Level::ERROR, text)
            .code(self.code.0.into())
            .extra(&*self.extra)
    }
}

/// The class name that goes with a mistake in the command line.
const COMMAND_LINE_ERROR: &str = "CommandLineError";

/// An error's own words. System errors get their number in the form that programs look for.
pub(crate) fn text(error: &(dyn Error + 'static)) -> String {
    match error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::raw_os_error)
    {
        Some(number) => {
            let words = error.to_string();
            let words = words.split(" (os error").next().unwrap_or_default();
            format!("[Errno {number}] {words}")
        }
        None => error.to_string(),
    }
}

impl From<ArgsError> for Failure {
    fn from(error: ArgsError) -> Self {
        match error.exit_code() {
            2 => Self::new(Code::AMBIGUOUS, error.to_string()),
            _ => command_line(error.to_string()),
        }
    }
}

/// A mistake in the command line.
pub(crate) fn command_line(message: impl Into<String>) -> Failure {
    Failure::new(Code::COMMAND_LINE, message).extra(COMMAND_LINE_ERROR)
}

impl From<PassphraseError> for Failure {
    fn from(error: PassphraseError) -> Self {
        match error {
            PassphraseError::Ended => Self::from_error(Code::EXCEPTION, &error)
                .extra("EOFError")
                .hint("set PASSPHRASE, or run it at a terminal"),
            PassphraseError::Read(_) => Self::from_error(Code::EXCEPTION, &error).extra("OSError"),
            PassphraseError::SignerDiffers => Self::from_error(Code::COMMAND_LINE, &error),
        }
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        Self::from_error(Code::EXCEPTION, &error).extra("OSError")
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(failure: &Failure, expected: Expect) {
        expected.assert_eq(&failure.message("duplicity").stanza());
    }

    #[test]
    fn a_mistake_in_the_command_line_keeps_its_known_form() {
        check(
            &ArgsError::UnknownOption("--bogus".into()).into(),
            expect![[r#"
            ERROR 23 CommandLineError
            . CommandLineError: unknown option: --bogus
            . Enter 'duplicity --help' for help screen.

        "#]],
        );
    }

    #[test]
    fn an_ambiguous_option_is_code_2() {
        let error = ArgsError::AmbiguousOption {
            typed: "--no".into(),
            names: vec!["--no-a".into(), "--no-b".into()],
        };
        check(
            &error.into(),
            expect![[r#"
            ERROR 2
            . error: ambiguous option: --no could match --no-a, --no-b

        "#]],
        );
    }

    #[test]
    fn a_missing_passphrase_is_what_a_desktop_program_waits_for() {
        check(
            &PassphraseError::Ended.into(),
            expect![[r#"
            ERROR 30 EOFError
            . error: no passphrase: PASSPHRASE is not set and standard input ended
            . hint: set PASSPHRASE, or run it at a terminal

        "#]],
        );
    }

    #[test]
    fn causes_carry_the_number_of_a_system_error() {
        let error = LogError::File("/x\u{1b}/log".into(), std::io::Error::from_raw_os_error(28));
        check(
            &error.into(),
            expect![[r#"
            ERROR 30 OSError
            . error: cannot open log file /x\x1b/log
            . caused by: [Errno 28] No space left on device

        "#]],
        );
    }
}
