//! Signals that end a run, and one that must not.
//!
//! An interrupted backup loses nothing: what is stored and recorded stays, and the next run goes on
//! from there. So a signal only restores the terminal and ends the process, with the status that
//! callers of duplicity know.

use std::io;
use std::sync::Arc;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::exit::Code;
use crate::passphrase::restore_echo;
use crate::ui::Ui;

/// Handles SIGINT, SIGTERM and SIGHUP from now on.
///
/// # Errors
/// When the system refuses the handlers.
pub(crate) fn install(ui: Arc<Ui>) -> io::Result<()> {
    // Caught, not acted on: the write that hits a limit on file sizes then fails with a message
    // instead of ending the process without one.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                restore_echo();
                if signal == SIGINT {
                    ui.info("INT intercepted...exiting.");
                    std::process::exit(Code::INTERRUPTED.0.into());
                }
                // Ends the process by the signal itself, so that its parent sees what happened.
                if signal_hook::low_level::emulate_default_handler(signal).is_err() {
                    std::process::exit(128 + signal);
                }
            }
        })?;
    Ok(())
}
