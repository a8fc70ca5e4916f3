//! `cat`.

use std::io::{self, Write};

use redup_engine::{CatOptions, Error};
use redup_format::entry::FileType;

use super::{Session, written};
use crate::config;
use crate::exit::{Code, Failure};
use crate::ui::{Output, Ui};

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let options = CatOptions {
        time: session.restore_time()?,
        path: config::path_word(session.word(0))?,
        tempdir: config::temp_dir(&session.args, &session.environment),
    };
    let target = session.target()?;
    let mut screen = Screen::new(&session.ui);
    match redup_engine::cat(&target, &options, &mut screen, &session.narrator()) {
        Ok(()) => Ok(Code::SUCCESS),
        Err(_) if screen.refused => {
            let path = crate::args::lossy(session.word(0));
            let from = if screen.begun { "from here on, " } else { "" };
            let text = format!("{from}{path} is no text, and standard output is a terminal");
            Err(Failure::new(Code::GENERIC, text).hint("redirect it: > FILE"))
        }
        Err(Error::Output(error)) => written(Err(error)).map(|()| Code::SUCCESS),
        Err(error) => Err(explained(error)),
    }
}

/// With what to type instead.
fn explained(error: Error) -> Failure {
    let hint = match &error {
        Error::PathNotFound(path) => {
            let name = path.rsplit('/').next().unwrap_or(path);
            format!(
                "'redup find {name} URL' shows where and when there was one of that name; paths begin at the root of the backup"
            )
        }
        Error::NotAFile {
            file_type: FileType::Symlink { .. },
            ..
        } => "cat the path that it points to".to_owned(),
        Error::NotAFile { path, .. } => {
            format!("'redup restore --path-to-restore {path} URL FOLDER' restores it")
        }
        Error::HashMismatch { .. }
        | Error::MissingVolume { .. }
        | Error::Volume { .. }
        | Error::Archive(_) => {
            // A key may be what is wrong, and says more.
            let mut failure = Failure::from(error);
            let useless = |hint: &String| hint.starts_with("--ignore-errors");
            if failure.hints.iter().any(useless) {
                failure.hints = vec![
                    "an older version may lie in other volumes: 'redup find' tells the times for --time".to_owned(),
                ];
            }
            return failure;
        }
        _ => return error.into(),
    };
    let mut failure = Failure::from(error);
    failure.hints = vec![hint];
    failure
}

/// Standard output, where a terminal gets text alone: other bytes would not be read by anybody, and could change its
/// settings.
struct Screen<'a> {
    output: Output<'a>,
    is_terminal: bool,
    begun: bool,
    in_a_line: bool,
    refused: bool,
}

impl<'a> Screen<'a> {
    fn new(ui: &'a Ui) -> Self {
        Self {
            output: Output::new(ui),
            is_terminal: ui.stdout_is_terminal(),
            begun: false,
            in_a_line: false,
            refused: false,
        }
    }
}

impl Write for Screen<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_terminal && !is_text(bytes) {
            self.refused = true;
            if self.in_a_line {
                // What is said about it begins on a line of its own.
                self.output.write_all(b"\n")?;
            }
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.begun = true;
        self.in_a_line = !bytes.ends_with(b"\n");
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// Whether a file with this in it is one to read. Of the control characters, texts have white space, and what
/// makes parts of them bold or coloured.
fn is_text(piece: &[u8]) -> bool {
    let strange = |byte: &u8| matches!(byte, 0..=7 | 14..=26 | 28..=31 | 127);
    !piece.iter().any(strange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_what_is_none() {
        for text in ["", "a\tb\r\n", "\x1b[31mred\x1b[0m", "_\x08under", "Grüße"] {
            assert!(is_text(text.as_bytes()), "{text:?}");
        }
        assert!(is_text(b"caf\xe9"));
        assert!(!is_text(b"\x1f\x8b\x08"));
        assert!(!is_text(b"text\0"));
    }
}
