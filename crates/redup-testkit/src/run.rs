//! Running a program: with a time limit and its output kept, or up to the moment it is killed.

use std::fmt;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a program under test may take. Far more than any needs, so that only one that hangs
/// fails by it.
pub const LIMIT: Duration = Duration::from_secs(300);

const POLL: Duration = Duration::from_millis(2);

/// What a finished program left.
#[derive(Clone)]
pub struct Outcome {
    /// The command line, for messages.
    pub command: String,
    /// Exit status or signal.
    pub status: ExitStatus,
    /// Standard output; what is not UTF-8 is replaced.
    pub stdout: String,
    /// Standard error; what is not UTF-8 is replaced.
    pub stderr: String,
}

impl Outcome {
    /// Asserts that the program succeeded.
    ///
    /// # Panics
    /// When it did not; with all that it printed.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.status.success(), "{self}");
        self
    }

    /// Asserts the exit status.
    ///
    /// # Panics
    /// When it is another one, or a signal ended the program.
    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert!(
            self.status.code() == Some(expected),
            "expected exit status {expected}\n{self}"
        );
        self
    }

    /// Asserts that `text` is in what the program printed, on either stream.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let said = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(said, "expected {text:?} in the output\n{self}");
        self
    }

    /// Asserts that `text` is nowhere in what the program printed.
    ///
    /// # Panics
    /// When it is.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        let said = self.stdout.contains(text) || self.stderr.contains(text);
        assert!(!said, "expected no {text:?} in the output\n{self}");
        self
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}\n{}", self.command, self.status)?;
        writeln!(
            f,
            "--- stdout\n{}--- stderr\n{}---",
            self.stdout, self.stderr
        )
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Runs `command` to its end, with nothing on standard input.
///
/// # Panics
/// When it cannot be started, or still runs after [`LIMIT`].
#[track_caller]
pub fn run(command: &mut Command) -> Outcome {
    let mut running = Running::start(command);
    let started = Instant::now();
    loop {
        if let Some(status) = running.poll() {
            return running.into_outcome(status);
        }
        if started.elapsed() > LIMIT {
            let outcome = running.kill();
            panic!("killed after {} seconds\n{outcome}", LIMIT.as_secs());
        }
        thread::sleep(POLL);
    }
}

/// `words` and then the arguments of `command`, with its variables (and no others) and folder.
pub(crate) fn wrapped(words: &[std::ffi::OsString], command: &Command) -> Command {
    let mut outer = Command::new(&words[0]);
    outer.args(&words[1..]).args(command.get_args()).env_clear();
    outer.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}

/// A program that runs while the test does something else; killed when dropped.
pub struct Running {
    command: String,
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts `command`, with nothing on standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let line = command_line(command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
        let stdout = child.stdout.take().map(collect);
        let stderr = child.stderr.take().map(collect);
        Self {
            command: line,
            child,
            stdout,
            stderr,
        }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGKILL once `moment` is true, and says whether the program was still running then;
    /// it may end by itself before.
    ///
    /// # Panics
    /// When neither happens within [`LIMIT`].
    #[track_caller]
    pub fn kill_when(mut self, mut moment: impl FnMut() -> bool) -> (bool, Outcome) {
        let started = Instant::now();
        loop {
            if let Some(status) = self.poll() {
                return (false, self.into_outcome(status));
            }
            if moment() {
                return (true, self.kill());
            }
            assert!(
                started.elapsed() < LIMIT,
                "{} neither ended nor got there",
                self.command
            );
            thread::sleep(Duration::from_micros(300));
        }
    }

    /// Sends SIGKILL after `delay`, and says whether the program was still running then.
    ///
    /// # Panics
    /// Never for reasons of the program.
    #[track_caller]
    pub fn kill_after(self, delay: Duration) -> (bool, Outcome) {
        let started = Instant::now();
        self.kill_when(|| started.elapsed() >= delay)
    }

    /// Waits for the end, up to [`LIMIT`].
    ///
    /// # Panics
    /// When it still runs then.
    #[track_caller]
    pub fn wait(self) -> Outcome {
        self.kill_when(|| false).1
    }

    fn kill(mut self) -> Outcome {
        // It may have ended by itself since the last look; then there is nothing to kill.
        drop(self.child.kill());
        let status = self
            .child
            .wait()
            .unwrap_or_else(|error| panic!("cannot wait: {error}"));
        self.into_outcome(status)
    }

    fn poll(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .unwrap_or_else(|error| panic!("cannot wait: {error}"))
    }

    fn into_outcome(mut self, status: ExitStatus) -> Outcome {
        let text = |thread: Option<JoinHandle<String>>| {
            thread
                .and_then(|thread| thread.join().ok())
                .unwrap_or_default()
        };
        Outcome {
            command: std::mem::take(&mut self.command),
            status,
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A broken pipe ends the text as an end of file does.
        drop(stream.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_and_the_status_are_kept() {
        run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]))
            .code(3)
            .says("out")
            .says("err")
            .never_says("other");
    }

    #[test]
    fn a_killed_program_was_still_running_and_a_finished_one_was_not() {
        let sleeper = Running::start(Command::new("sleep").arg("60"));
        assert!(sleeper.kill_after(Duration::from_millis(10)).0);
        let quick = Running::start(&mut Command::new("true"));
        assert!(!quick.kill_after(Duration::from_secs(60)).0);
    }
}
