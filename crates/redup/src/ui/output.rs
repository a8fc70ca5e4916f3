//! Standard output for what was asked for, as a program reads it: complete, or an error.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::{Message, Ui};

/// Bytes that are collected before they are written; at a terminal they are written at once.
const BUFFER: usize = 1 << 16;

/// Writes a result. Unlike a message, it must not get lost: what keeps it from being written ends the run.
pub(crate) struct Output<'a> {
    ui: &'a Ui,
    buffer: Vec<u8>,
    at_once: bool,
    error: Option<io::Error>,
}

impl<'a> Output<'a> {
    /// Begins a result.
    pub(crate) fn new(ui: &'a Ui) -> Self {
        Self {
            ui,
            buffer: Vec::new(),
            at_once: ui.stdout_is_terminal(),
            error: None,
        }
    }

    /// Adds whole lines; breaks off when they cannot be written, which [`finish`](Self::finish) tells.
    pub(crate) fn lines(&mut self, text: &str) -> ControlFlow<()> {
        if self.error.is_none() {
            self.error = self.write_all(text.as_bytes()).err();
        }
        match self.error {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    /// Adds what a message says, if the verbosity lets it through; a program that reads the log protocol hears it
    /// at once.
    pub(crate) fn message(&mut self, message: &Message) -> ControlFlow<()> {
        match self.ui.log(message) {
            Some(line) => self.lines(&line),
            None => ControlFlow::Continue(()),
        }
    }

    /// Ends the result.
    ///
    /// # Errors
    /// With what kept any of it from being written.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.flush(),
        }
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER || self.at_once {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.ui.write(&std::mem::take(&mut self.buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::tests::ui_to;

    /// Takes so many bytes, and then no more.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let count = bytes.len().min(self.0);
            self.0 -= count;
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_written_breaks_off_and_is_told_at_the_end() {
        let ui = ui_to(Full(100_000));
        let mut output = Output::new(&ui);
        let line = "x".repeat(999) + "\n";
        let taken = (0..200).take_while(|_| output.lines(&line).is_continue());
        let taken = taken.count();
        assert!((100..170).contains(&taken), "{taken}");
        assert_eq!(
            output.finish().unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
    }

    #[test]
    fn the_last_bytes_count_too() {
        let ui = ui_to(Full(10));
        let mut output = Output::new(&ui);
        assert!(output.lines("eleven bytes\n").is_continue());
        assert_eq!(
            output.finish().unwrap_err().kind(),
            io::ErrorKind::StorageFull
        );
        let ui = ui_to(Full(13));
        let mut output = Output::new(&ui);
        assert!(output.lines("eleven bytes\n").is_continue());
        output.finish().unwrap();
    }
}
