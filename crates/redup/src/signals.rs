//! Signals that end a run, and one that must not.
//!
//! An interrupted backup loses nothing: what is stored and recorded stays, and the next run goes on from there. So
//! a signal makes the work end where it is, gives up what is being uploaded, has a profile do what it does
//! afterwards, and ends the process with the status that callers of duplicity know.
//!
//! The thread that listens notes the signal, tells the program that runs, and no more: it never prints and never
//! waits, so that it hears the second signal, which ends the process at once, whatever hangs. All else is the main
//! thread's: it has the work done by other threads ([`Ending::attend`]) and waits for their end, or for the signal
//! and then not for long.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::Code;
use crate::passphrase::restore_echo;
use crate::ui::{Level, Message, Ui};

/// How long work that is told to end is waited for, when nothing follows it.
pub(crate) const SHORTLY: Duration = Duration::from_secs(1);

/// The same when something follows that wants it to have ended, and for a program.
pub(crate) const PATIENTLY: Duration = Duration::from_secs(5);

/// As large as the main thread's usually is.
const STACK: usize = 8 << 20;

/// The end that a signal asks for. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Ending(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The first signal that came.
    signal: Option<i32>,
    /// Somebody was being asked for a passphrase then: that thread waits for the answer.
    at_a_prompt: bool,
    /// The main thread has begun to act on it.
    noticed: bool,
    /// What makes the work end.
    interruption: Option<Box<dyn FnOnce() + Send>>,
    /// That is being done.
    interrupting: bool,
    /// The program that runs.
    child: Option<(Pid, String)>,
}

/// What became of work.
pub(crate) type Attended<T> = Option<thread::Result<T>>;

impl Ending {
    /// The signal, when one has come.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.state().signal
    }

    /// Makes the work end by this when a signal comes, in place of what was set before. It should be quick.
    pub(crate) fn set(&self, interruption: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        if !state.noticed {
            state.interruption = Some(Box::new(interruption));
            return;
        }
        drop(state);
        interruption();
    }

    /// Takes back what was set; waits for its end if it is under way.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.interruption = None;
        while state.interrupting {
            state = self.wait(state);
        }
    }

    /// Does `work` on a thread of its own and waits for its end.
    ///
    /// Work during which a signal comes is interrupted and waited for only as long as `patience` says: without a
    /// result it is still at it. What begins after the signal has all the time it wants.
    pub(crate) fn attend<T: Send + 'static>(
        &self,
        ui: &Arc<Ui>,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Attended<T> {
        let had_come = self.signal().is_some();
        if had_come {
            self.notice(ui);
        }
        let slot = Arc::new(Mutex::new(None));
        let (filled, ending) = (Arc::clone(&slot), self.clone());
        let work = move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            drop(ending.state());
            ending.0.changed.notify_all();
        };
        let thread = thread::Builder::new().name("work".to_owned());
        if let Err(error) = thread.stack_size(STACK).spawn(work) {
            return Some(Err(Box::new(error)));
        }
        let result = || slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut state = self.state();
        while had_come || state.signal.is_none() {
            if let Some(result) = result() {
                return Some(result);
            }
            state = self.wait(state);
        }
        drop(state);
        self.notice(ui);
        let told = Instant::now();
        let mut state = self.state();
        let patience = match state.at_a_prompt {
            true => Duration::ZERO,
            false => patience,
        };
        loop {
            if let Some(result) = result() {
                return Some(result);
            }
            let Some(left) = patience.checked_sub(told.elapsed()) else {
                break;
            };
            let waited = self.0.changed.wait_timeout(state, left);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        let left = match state.child.take() {
            Some((_, name)) => Some(name),
            None => (patience > SHORTLY).then(|| "the work".to_owned()),
        };
        drop(state);
        if let Some(left) = left {
            let text = format!("{left} does not end; it is left running");
            ui.say_at_last(&Message::new(Level::WARNING, text));
        }
        None
    }

    /// Starts a program, which is told to end, too, when a signal comes before it has ended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn spawn(&self, command: &mut Command, name: &str) -> io::Result<Running> {
        let had_come = self.signal().is_some();
        let child = command.spawn()?;
        let mut state = self.state();
        state.child = Some((Pid::from_child(&child), name.to_owned()));
        if !had_come {
            state.tell_child_of_signal();
        }
        drop(state);
        let ending = self.clone();
        Ok(Running { child, ending })
    }

    /// Ends the process when a signal has asked for it.
    pub(crate) fn finish(&self, ui: &Arc<Ui>) {
        if let Some(signal) = self.signal() {
            self.notice(ui);
            end_by(signal)
        }
    }

    /// Says what happens, and makes the work end. Once.
    fn notice(&self, ui: &Arc<Ui>) {
        let mut state = self.state();
        if std::mem::replace(&mut state.noticed, true) {
            return;
        }
        let (signal, child) = (state.signal, state.child.clone());
        let interruption = state.interruption.take();
        state.interrupting = interruption.is_some();
        drop(state);
        ui.end();
        if signal == Some(SIGINT) {
            let text = "INT intercepted...exiting.";
            ui.say_at_last(&Message::new(Level::INFO, text));
        }
        if let Some((_, name)) = child {
            let text = format!("{name} is told to end, too");
            ui.say_at_last(&Message::new(Level::WARNING, text));
        }
        if let Some(interruption) = interruption {
            // Whatever becomes of it, what follows is still to be done.
            drop(catch_unwind(AssertUnwindSafe(interruption)));
            self.state().interrupting = false;
            self.0.changed.notify_all();
        }
    }

    /// A signal has come.
    fn begin(&self, signal: i32, at_a_prompt: bool) {
        let mut state = self.state();
        state.signal = Some(signal);
        state.at_a_prompt = at_a_prompt;
        state.tell_child_of_signal();
        drop(state);
        self.0.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let state = self.0.changed.wait(state);
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells the program that runs to end, if a signal has come.
    fn tell_child_of_signal(&self) {
        if let (Some(_), Some((pid, _))) = (self.signal, &self.child) {
            // It is there: what has ended is reaped only after this has forgotten it.
            kill_process(*pid, Signal::TERM).ok();
        }
    }
}

/// A program that is told to end when a signal comes.
pub(crate) struct Running {
    child: Child,
    ending: Ending,
}

impl Running {
    /// What it prints, if that was asked for.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the system cannot.
    pub(crate) fn wait(mut self) -> io::Result<ExitStatus> {
        let end = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let pid = Pid::from_child(&self.child);
        while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), end) {}
        // From here on its number may be another's. A program that did not end when told may have left its
        // place to the next.
        self.ending
            .state()
            .child
            .take_if(|(known, _)| *known == pid);
        self.child.wait()
    }
}

/// Handles SIGINT, SIGTERM and SIGHUP from now on. A second one does not wait for what the first one does.
///
/// # Errors
/// When the system refuses the handlers.
pub(crate) fn install() -> io::Result<Ending> {
    // Caught, not acted on: the write that hits a limit on file sizes then fails with a message
    // instead of ending the process without one.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let ending = Ending::default();
    let told = ending.clone();
    let listen = move || {
        let mut signals = signals.forever();
        let Some(signal) = signals.next() else { return };
        told.begin(signal, restore_echo());
        if let Some(signal) = signals.next() {
            told.state().tell_child_of_signal();
            end_by(signal)
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(listen)?;
    Ok(ending)
}

/// The status of a process that a signal ends, as a shell tells it.
pub(crate) fn status_of(signal: i32) -> u8 {
    match signal {
        SIGINT => Code::INTERRUPTED.0,
        _ => u8::try_from(128 + signal).unwrap_or(u8::MAX),
    }
}

/// The name of a signal that ends a run.
pub(crate) fn name_of(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("a signal")
}

/// Ends the process as a program that writes to a pipe which nobody reads any more.
pub(crate) fn end_by_pipe() -> ! {
    end_by(SIGPIPE)
}

/// Ends the process.
fn end_by(signal: i32) -> ! {
    redup_engine::remove_lock_files();
    if signal == SIGINT {
        std::process::exit(Code::INTERRUPTED.0.into());
    }
    // By the signal itself, so that its parent sees what happened. Does not come back, unless it fails.
    drop(signal_hook::low_level::emulate_default_handler(signal));
    std::process::exit(128 + signal)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::ui::UiOptions;

    const FOREVER: Duration = Duration::from_secs(3600);

    fn ui() -> Arc<Ui> {
        Arc::new(Ui::new(UiOptions {
            verbosity: 0,
            timestamps: false,
            zone: TimeZone::UTC,
            logs: Vec::new(),
        }))
    }

    fn result<T>(attended: Attended<T>) -> Option<T> {
        attended.map(|result| result.unwrap())
    }

    #[test]
    fn work_is_done_and_its_panics_are_caught() {
        let (ending, ui) = (Ending::default(), ui());
        assert_eq!(result(ending.attend(&ui, FOREVER, || 7)), Some(7));
        let panicked = ending.attend(&ui, FOREVER, || std::panic::resume_unwind(Box::new("oh")));
        let panicked: Option<thread::Result<()>> = panicked;
        assert!(panicked.unwrap().is_err());
    }

    #[test]
    fn work_that_a_signal_interrupts_is_waited_for() {
        let (ending, ui) = (Ending::default(), ui());
        let own = ending.clone();
        let ended = ending.attend(&ui, FOREVER, move || {
            let (interrupt, interrupted) = mpsc::channel();
            own.set(move || interrupt.send(()).unwrap());
            own.begin(SIGTERM, false);
            interrupted.recv().unwrap();
            own.clear();
            "in its own time"
        });
        assert_eq!(result(ended), Some("in its own time"));
        assert_eq!(ending.signal(), Some(SIGTERM));
    }

    #[test]
    fn work_that_does_not_end_is_left_alone_and_what_follows_is_done() {
        let (ending, ui) = (Ending::default(), ui());
        let own = ending.clone();
        let (end, forever) = mpsc::channel::<()>();
        let work = move || {
            // One that fails is no reason to stay.
            own.set(|| std::panic::resume_unwind(Box::new("oh")));
            own.begin(SIGTERM, false);
            forever.recv().ok();
        };
        assert!(ending.attend(&ui, Duration::ZERO, work).is_none());
        assert_eq!(result(ending.attend(&ui, Duration::ZERO, || 1)), Some(1));
        drop(end);
    }

    #[test]
    fn who_asks_for_a_passphrase_is_not_waited_for() {
        let (ending, ui) = (Ending::default(), ui());
        let own = ending.clone();
        let (end, answer) = mpsc::channel::<()>();
        let ask = move || {
            own.begin(SIGINT, true);
            answer.recv().ok();
        };
        assert!(ending.attend(&ui, FOREVER, ask).is_none());
        drop(end);
    }

    #[test]
    fn a_program_is_told_to_end_and_its_end_is_seen() {
        let (ending, ui) = (Ending::default(), ui());
        let own = ending.clone();
        let status = ending.attend(&ui, FOREVER, move || {
            let child = own.spawn(Command::new("sleep").arg("3600"), "sleep");
            own.begin(SIGTERM, false);
            child.unwrap().wait().unwrap()
        });
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(result(status).unwrap().signal(), Some(SIGTERM));
        // What begins after it is not meant.
        let later = ending.spawn(&mut Command::new("true"), "true");
        assert!(later.unwrap().wait().unwrap().success());
    }
}
