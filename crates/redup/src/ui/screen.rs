//! The terminal that messages go to, if they go to one.

use std::io;

use rustix::process::getpgrp;
use rustix::termios::{tcgetpgrp, tcgetwinsize};

/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

/// How wide it is now.
pub(crate) fn columns() -> usize {
    match tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => COLUMNS,
    }
}

/// Whether the terminal is this process's to draw on: not while it works in the background of a shell.
pub(crate) fn is_ours() -> bool {
    // One that controls no process is whoever's writes to it.
    tcgetpgrp(io::stdout()).map_or(true, |group| group == getpgrp())
}
