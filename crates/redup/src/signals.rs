//! Signals that end a run, and one that must not.
//!
//! An interrupted backup loses nothing: what is stored and recorded stays, and the next run goes on
//! from there. So a signal gives up what is being uploaded, restores the terminal and ends the
//! process, with the status that callers of duplicity know.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::Code;
use crate::passphrase::restore_echo;
use crate::ui::Ui;

/// What is left to do when a signal ends the process. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct LastDeed(Arc<Mutex<Option<Deed>>>);

type Deed = Box<dyn FnOnce() + Send>;

impl LastDeed {
    /// Does this before the end, in place of what was set before. It should be quick.
    pub(crate) fn set(&self, deed: impl FnOnce() + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(deed));
    }

    fn take(&self) -> Option<Deed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Handles SIGINT, SIGTERM and SIGHUP from now on. A second one does not wait for the last deed.
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
        let Some(deed) = last_deed.take() else {
            end_by(signal)
        };
        thread::spawn(move || {
            deed();
            end_by(signal)
        });
        if let Some(signal) = signals.next() {
            end_by(signal)
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(await_end)?;
    Ok(())
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
