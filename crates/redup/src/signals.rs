//! Signals that end a run, and one that must not.
//!
//! An interrupted backup loses nothing: what is stored and recorded stays, and the next run goes on
//! from there. So a signal gives up what is being uploaded, restores the terminal and ends the
//! process, with the status that callers of duplicity know. Only what a profile has done afterwards, and the
//! program that it runs at the moment, are seen to first.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::Code;
use crate::passphrase::restore_echo;
use crate::ui::Ui;

/// What is left to do when a signal ends the process. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct LastDeed(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    deed: Option<Deed>,
    farewell: Option<Farewell>,
    child: Option<(Pid, String)>,
    /// Whether a signal has come.
    ending: bool,
}

type Deed = Box<dyn FnOnce() + Send>;
type Farewell = Box<dyn FnOnce(i32) + Send>;

/// How long a program that is told to end is waited for.
const TIME_TO_END: Duration = Duration::from_secs(5);

impl LastDeed {
    /// Does this before the end, in place of what was set before. It should be quick.
    pub(crate) fn set(&self, deed: impl FnOnce() + Send + 'static) {
        self.state().deed = Some(Box::new(deed));
    }

    /// Takes back what was set.
    pub(crate) fn clear(&self) {
        self.state().deed = None;
    }

    /// Does this last of all, with the number of the signal. It may take its time.
    pub(crate) fn set_farewell(&self, farewell: impl FnOnce(i32) + Send + 'static) {
        self.state().farewell = Some(Box::new(farewell));
    }

    /// Takes it back, to do the same without a signal. Does not return when one has come.
    pub(crate) fn take_farewell(&self) {
        self.go_on();
        self.state().farewell = None;
    }

    /// Does not return when a signal has come: the process is about to end.
    pub(crate) fn go_on(&self) {
        while self.state().ending {
            thread::park();
        }
    }

    /// Has a program that redup runs told to end, too, when a signal comes before it has been waited for.
    pub(crate) fn watch(&self, child: &Child, name: &str) -> Watched {
        self.state().child = Some((Pid::from_child(child), name.to_owned()));
        Watched(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the program that runs to end; gives its name.
    fn tell_child(&self) -> Option<String> {
        let state = self.state();
        let (pid, name) = state.child.as_ref()?;
        // It is there: what has ended is reaped only after this has forgotten it.
        kill_process(*pid, Signal::TERM).ok();
        Some(name.clone())
    }

    /// The same, and waits for it.
    fn end_child(&self, ui: &Ui) {
        let Some(name) = self.tell_child() else {
            return;
        };
        ui.warning(format!("{name} is told to end, too"));
        let told = Instant::now();
        while self.state().child.is_some() {
            if told.elapsed() > TIME_TO_END {
                ui.warning(format!("{name} does not end; it is left running"));
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A program that is told to end when a signal comes.
pub(crate) struct Watched(LastDeed);

impl Watched {
    /// Waits for its end.
    ///
    /// # Errors
    /// When the system cannot.
    pub(crate) fn wait(self, child: &mut Child) -> io::Result<ExitStatus> {
        let end = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let pid = Pid::from_child(child);
        while let Err(Errno::INTR) = waitid(WaitId::Pid(pid), end) {}
        // From here on its number may be another's. A program that did not end when told may have left its
        // place to the next.
        self.0.state().child.take_if(|(known, _)| *known == pid);
        child.wait()
    }
}

/// Handles SIGINT, SIGTERM and SIGHUP from now on. A second one does not wait for what the first one does.
///
/// # Errors
/// When the system refuses the handlers.
pub(crate) fn install(ui: Arc<Ui>, last_deed: LastDeed) -> io::Result<()> {
    // Caught, not acted on: the write that hits a limit on file sizes then fails with a message
    // instead of ending the process without one.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let await_end = move || {
        let mut signals = signals.forever();
        let Some(signal) = signals.next() else { return };
        restore_echo();
        ui.end_bar();
        if signal == SIGINT {
            ui.info("INT intercepted...exiting.");
        }
        let (deed, farewell, child) = {
            let mut state = last_deed.state();
            state.ending = true;
            (
                state.deed.take(),
                state.farewell.take(),
                state.child.is_some(),
            )
        };
        if deed.is_none() && farewell.is_none() && !child {
            end_by(signal)
        }
        let last = last_deed.clone();
        thread::spawn(move || {
            last.end_child(&ui);
            if let Some(deed) = deed {
                deed();
            }
            if let Some(farewell) = farewell {
                farewell(signal);
            }
            end_by(signal)
        });
        if let Some(signal) = signals.next() {
            last_deed.tell_child();
            end_by(signal)
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(await_end)?;
    Ok(())
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
    if signal == SIGINT {
        std::process::exit(Code::INTERRUPTED.0.into());
    }
    // By the signal itself, so that its parent sees what happened. Does not come back, unless it fails.
    drop(signal_hook::low_level::emulate_default_handler(signal));
    std::process::exit(128 + signal)
}
