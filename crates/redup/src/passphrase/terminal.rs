//! Asking a person at the terminal, without showing what is typed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::Ask;
use crate::ui::Ui;

/// Longest line that is taken for a passphrase.
const MAX_LINE: usize = 64 * 1024;

/// The controlling terminal; without one, standard input.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// What else writes to the terminal.
    ui: Arc<Ui>,
}

impl Terminal {
    /// The one that `ui` writes to.
    pub(crate) fn new(ui: Arc<Ui>) -> Self {
        Self { ui }
    }
}

impl Ask for Terminal {
    fn ask(&mut self, prompt: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let _held = self.ui.hold_bar();
        match File::options().read(true).write(true).open("/dev/tty") {
            Ok(terminal) => ask_terminal(&terminal, prompt),
            Err(_) => {
                let mut stderr = io::stderr();
                let mut show = |text: &str| {
                    stderr
                        .write_all(text.as_bytes())
                        .and_then(|()| stderr.flush())
                };
                // The prompt is for a person; where nobody can see it, nobody misses it.
                show(prompt).ok();
                let line = read_line(&mut io::stdin().lock());
                // What follows begins on a line of its own.
                show("\n").ok();
                line
            }
        }
    }
}

fn ask_terminal(terminal: &File, prompt: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut stream = terminal;
    let hidden = Hidden::new(terminal)?;
    stream.write_all(prompt.as_bytes())?;
    let line = read_line(&mut &*terminal);
    drop(hidden);
    stream.write_all(b"\n")?;
    line
}

/// Keeps the terminal from showing what is typed, for as long as it lives.
struct Hidden;

/// The terminal whose echo is off, and its settings from before, for [`restore_echo`].
static HIDDEN: Mutex<Option<(File, Termios)>> = Mutex::new(None);

impl Hidden {
    fn new(terminal: &File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.remove(LocalModes::ECHONL);
        let mut slot = HIDDEN.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some((terminal.try_clone()?, before));
        drop(slot);
        let hidden = Self;
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(hidden)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        restore_echo();
    }
}

/// Shows again what is typed, if a prompt is open: for the end of a prompt, and for a signal that ends
/// the program in the middle of one. Gives whether one was.
pub(crate) fn restore_echo() -> bool {
    let hidden = HIDDEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((terminal, before)) = hidden else {
        return false;
    };
    // A terminal that is gone has nothing to restore.
    tcsetattr(&terminal, OptionalActions::Now, &before).ok();
    true
}

/// One line without its end, read byte by byte so that what follows stays for whoever reads next; `None` at the end of the input.
fn read_line(input: &mut impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Room from the start: a vector that grows leaves copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_LINE));
    let mut byte = Zeroizing::new([0]);
    loop {
        match input.read(&mut byte[..]) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => return Ok(Some(line)),
            Ok(_) if byte[0] == b'\n' => return Ok(Some(line)),
            Ok(_) if line.len() == MAX_LINE => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the passphrase is too long",
                ));
            }
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mut input: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut lines = Vec::new();
        loop {
            let line = read_line(&mut input).unwrap().map(|line| line.to_vec());
            lines.push(line.clone());
            if line.is_none() {
                return lines;
            }
        }
    }

    #[test]
    fn lines_end_at_a_newline_or_at_the_end() {
        assert_eq!(
            lines(b"one\n\n two"),
            [
                Some(b"one".to_vec()),
                Some(Vec::new()),
                Some(b" two".to_vec()),
                None
            ]
        );
    }

    #[test]
    fn an_empty_input_is_the_end() {
        assert_eq!(lines(b""), [None]);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let long = vec![b'x'; MAX_LINE + 1];
        assert!(read_line(&mut &long[..]).is_err());
    }
}
