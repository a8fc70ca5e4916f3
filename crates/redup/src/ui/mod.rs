//! All printing: levels and streams, the log protocol, and the texts of each command.
//!
//! Names that come from archives, folders or the command line are escaped on their way in, by
//! [`escape()`] for people and [`quote_word`] for programs.

mod bar;
mod changes;
mod compared;
mod difference;
mod drawn;
mod end;
mod escape;
mod find;
mod format;
pub(crate) mod json;
mod jsonstat;
mod message;
mod narrator;
mod output;
mod pace;
mod probe;
mod progress;
mod removal;
pub(crate) mod screen;
mod statistics;
mod status;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;

pub(crate) use bar::{Amount, Bar, Left};
pub(crate) use changes::{file_history, set_changes};
pub(crate) use compared::{comparison, path_change};
pub(crate) use difference::{path_bytes, path_text, type_word};
use drawn::DrawnBar;
pub(crate) use escape::{escape, escape_lines, quote_word};
pub(crate) use find::found;
pub(crate) use format::{iso_time, local_day, pretty_time, size, standard_offset};
pub(crate) use json::JsonLines;
pub(crate) use jsonstat::{RunFacts, run_statistics, stored_statistics};
pub(crate) use message::{Level, Message};
pub(crate) use narrator::{Narrator, chain};
pub(crate) use output::Output;
pub(crate) use pace::Pace;
pub(crate) use probe::{ProbeResult, Row, Rows};
pub(crate) use progress::Progress;
pub(crate) use statistics::statistics;
pub(crate) use status::status;

/// What to show, and where.
#[derive(Debug)]
pub(crate) struct UiOptions {
    /// From 0, errors alone, to 9, everything.
    pub(crate) verbosity: u8,
    /// Begin messages with time and level.
    pub(crate) timestamps: bool,
    /// The zone of printed times.
    pub(crate) zone: TimeZone,
    /// Streams of the log protocol, open for writing.
    pub(crate) logs: Vec<File>,
}

/// The one way to a person or program that watches. Usable from any thread.
pub(crate) struct Ui {
    verbosity: u8,
    timestamps: bool,
    zone: TimeZone,
    /// Standard output is for a result; messages go to standard error.
    result_only: AtomicBool,
    /// Nothing is said any more but last words.
    ended: AtomicBool,
    outputs: Mutex<Outputs>,
}

struct Outputs {
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    logs: Vec<File>,
    /// The last line on standard output is one of progress, on a terminal, and the next may take
    /// its place.
    replaceable: bool,
    bar: DrawnBar,
}

impl Outputs {
    fn log(&mut self, message: &Message) {
        let stanza = message.stanza();
        for log in &mut self.logs {
            log.write_all(stanza.as_bytes()).ok();
        }
    }
}

impl Ui {
    /// Speaks to the process's streams.
    pub(crate) fn new(options: UiOptions) -> Self {
        Self::with_streams(options, Box::new(io::stdout()), Box::new(io::stderr()))
    }

    fn with_streams(
        options: UiOptions,
        stdout: Box<dyn Write + Send>,
        stderr: Box<dyn Write + Send>,
    ) -> Self {
        let UiOptions {
            verbosity,
            timestamps,
            zone,
            logs,
        } = options;
        Self {
            verbosity,
            timestamps,
            zone,
            result_only: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            outputs: Mutex::new(Outputs {
                stdout,
                stderr,
                logs,
                replaceable: false,
                bar: DrawnBar::default(),
            }),
        }
    }

    /// The zone of printed times.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// A time as it is printed everywhere.
    pub(crate) fn time(&self, seconds: i64) -> String {
        pretty_time(seconds, &self.zone)
    }

    /// The level up to which messages are shown.
    pub(crate) fn verbosity(&self) -> u8 {
        self.verbosity
    }

    /// Whether messages of this level are shown: to save the work of making them.
    pub(crate) fn shows(&self, level: Level) -> bool {
        level.0 <= self.verbosity
    }

    /// Says it on the terminal and on the log streams, if the verbosity lets it through. A stream
    /// that is closed is no error: the work goes on.
    pub(crate) fn say(&self, message: &Message) {
        self.say_as(message, false, false);
    }

    /// Says how far the work is: on a terminal in the place of the last such line.
    pub(crate) fn progress(&self, message: &Message) {
        let replaceable = self.stdout_is_terminal() && !self.is_result_only();
        self.say_as(message, replaceable, false);
    }

    fn say_as(&self, message: &Message, replaceable: bool, last: bool) {
        let Some(line) = self.line(message) else {
            return;
        };
        let mut outputs = self.outputs();
        if self.has_ended() && !last {
            return;
        }
        outputs.log(message);
        if message.text.is_empty() {
            return;
        }
        let up = match std::mem::replace(&mut outputs.replaceable, replaceable) && replaceable {
            true => "\x1b[F\x1b[2K",
            false => "",
        };
        let line = format!("{up}{line}");
        outputs.erase();
        let to_stderr = message.level < Level::WARNING || self.is_result_only();
        let stream = if to_stderr {
            &mut outputs.stderr
        } else {
            &mut outputs.stdout
        };
        stream
            .write_all(line.as_bytes())
            .and_then(|()| stream.flush())
            .ok();
    }

    /// Says it on the log streams alone; gives the line for whoever prints it.
    fn log(&self, message: &Message) -> Option<String> {
        let line = self.line(message)?;
        let mut outputs = self.outputs();
        if self.has_ended() {
            return None;
        }
        outputs.log(message);
        (!message.text.is_empty()).then_some(line)
    }

    /// The line of a message that the verbosity lets through.
    fn line(&self, message: &Message) -> Option<String> {
        if !message.forced && !self.shows(message.level) {
            return None;
        }
        Some(format!("{}{}\n", self.stamp(message.level), message.text))
    }

    /// An error without a code of its own that does not end the run.
    pub(crate) fn error(&self, text: impl Into<String>) {
        self.say(&Message::new(Level::ERROR, text));
    }

    /// Something a person should know.
    pub(crate) fn warning(&self, text: impl Into<String>) {
        self.say(&Message::new(Level::WARNING, text));
    }

    /// What is shown by default.
    pub(crate) fn notice(&self, text: impl Into<String>) {
        self.say(&Message::new(Level::NOTICE, text));
    }

    /// What helps to follow a run.
    pub(crate) fn info(&self, text: impl Into<String>) {
        self.say(&Message::new(Level::INFO, text));
    }

    /// From here on standard output is for what was asked for alone, and messages go to standard error.
    pub(crate) fn keep_stdout(&self) {
        self.result_only.store(true, Ordering::Relaxed);
    }

    /// Whether messages go to standard error.
    pub(crate) fn is_result_only(&self) -> bool {
        self.result_only.load(Ordering::Relaxed)
    }

    /// Whether a person sees what is printed.
    pub(crate) fn stdout_is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Writes part of what was asked for, and tells when that fails.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut outputs = self.outputs();
        if self.has_ended() {
            return Err(io::Error::other("interrupted"));
        }
        let stream = &mut outputs.stdout;
        stream.write_all(bytes).and_then(|()| stream.flush())
    }

    /// Prints text that was asked for (help, version) as it is.
    pub(crate) fn print(&self, text: &str) {
        let mut outputs = self.outputs();
        if self.has_ended() {
            return;
        }
        outputs.erase();
        let stream = &mut outputs.stdout;
        stream
            .write_all(text.as_bytes())
            .and_then(|()| stream.flush())
            .ok();
    }

    fn stamp(&self, level: Level) -> String {
        if !self.timestamps {
            return String::new();
        }
        let now = jiff::ZonedDateTime::new(jiff::Timestamp::now(), self.zone.clone());
        let millis = now.millisecond();
        format!(
            "{},{millis:03} {:<6} ",
            now.strftime("%Y-%m-%d %H:%M:%S"),
            level.keyword()
        )
    }

    fn outputs(&self) -> MutexGuard<'_, Outputs> {
        // A thread that panicked while it printed leaves the streams as usable as before.
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Ui {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ui")
            .field("verbosity", &self.verbosity)
            .finish_non_exhaustive()
    }
}

/// Why a log stream cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("cannot write to log file descriptor {0}")]
    Descriptor(i64, #[source] io::Error),
    #[error("cannot open log file {}", .0.display())]
    File(PathBuf, #[source] io::Error),
}

/// Opens a descriptor that the caller of this process left open.
///
/// Call it before anything else is opened, so that a number nobody opened is noticed.
pub(crate) fn log_descriptor(number: i64) -> Result<File, LogError> {
    descriptor(number).map_err(|error| LogError::Descriptor(number, error))
}

/// Opens a file that stanzas are appended to.
pub(crate) fn log_file(path: PathBuf) -> Result<File, LogError> {
    File::options()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(|error| LogError::File(path, error))
}

/// A descriptor known by its number is duplicated by the kernel's own means, or, where those are
/// forbidden, opened anew through `/proc`, which serves pipes and files.
fn descriptor(number: i64) -> io::Result<File> {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    use std::os::fd::AsRawFd;

    let number = i32::try_from(number).map_err(|_| rustix::io::Errno::BADF)?;
    if let Ok(own) = pidfd_open(getpid(), PidfdFlags::empty()) {
        if own.as_raw_fd() == number {
            return Err(rustix::io::Errno::BADF.into());
        }
        match pidfd_getfd(&own, number, PidfdGetfdFlags::empty()) {
            Ok(duplicate) => return Ok(duplicate.into()),
            Err(rustix::io::Errno::BADF) => return Err(rustix::io::Errno::BADF.into()),
            Err(_) => {}
        }
    }
    File::options()
        .append(true)
        .open(format!("/proc/self/fd/{number}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A stream that keeps what is written.
    #[derive(Clone, Default)]
    pub(super) struct Kept(pub(super) Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// One whose standard output is `stdout`.
    pub(super) fn ui_to(stdout: impl Write + Send + 'static) -> Ui {
        let options = UiOptions {
            verbosity: 3,
            timestamps: false,
            zone: TimeZone::UTC,
            logs: Vec::new(),
        };
        Ui::with_streams(options, Box::new(stdout), Box::new(io::sink()))
    }
}
