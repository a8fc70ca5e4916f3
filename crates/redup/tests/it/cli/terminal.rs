//! A terminal of the test's own, with a person before it.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use redup_testkit::env::{Program, TestEnv};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::support::redup;

/// Rows of a terminal.
const ROWS: u16 = 400;

/// A terminal, seen from the side of the person.
pub(crate) struct Terminal {
    person: File,
    line: OwnedFd,
}

impl Terminal {
    /// One that does not say how large it is.
    pub(crate) fn new() -> Self {
        let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap();
        let line = rustix::fs::open(
            name.as_c_str(),
            OFlags::RDWR | OFlags::NOCTTY,
            Mode::empty(),
        )
        .unwrap();
        Self {
            person: person.into(),
            line,
        }
    }

    /// One of so many columns.
    pub(crate) fn of_width(columns: u16) -> Self {
        let terminal = Self::new();
        set_width(&terminal.line, columns);
        terminal
    }

    /// Runs a command line with this as its controlling terminal; `answers` are typed, each at the
    /// next prompt. Returns all that was to be seen, and the exit status.
    pub(crate) fn run(self, env: &TestEnv, line: &str, answers: &[&str]) -> (String, i32) {
        let mut session = self.start(&redup(), env, line);
        for answer in answers {
            session.answers(answer);
        }
        session.ends()
    }

    /// Starts a command line with this as its controlling terminal.
    pub(crate) fn start(self, program: &Program, env: &TestEnv, line: &str) -> Session {
        let stdio = || Stdio::from(self.line.try_clone().unwrap());
        let bare = env.bare(program);
        // A session of its own, whose terminal this becomes.
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait"])
            .arg(bare.get_program())
            .args(line.split_whitespace());
        command.env_clear().envs(
            bare.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        command
            .current_dir(env.path(""))
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio());
        let child = command.spawn().unwrap();
        let (heard, written) = mpsc::channel();
        let mut person = self.person.try_clone().unwrap();
        // Always read: a terminal that nobody reads from keeps its programs waiting.
        thread::spawn(move || {
            let mut piece = [0; 4096];
            // With nobody left on the line an error ends it.
            while let Ok(count @ 1..) = person.read(&mut piece) {
                if heard.send(piece[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Session {
            terminal: self,
            child,
            written,
            seen: Vec::new(),
        }
    }
}

/// A program at a terminal.
pub(crate) struct Session {
    terminal: Terminal,
    child: Child,
    written: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Session {
    /// Types an answer at the next prompt.
    #[track_caller]
    pub(crate) fn answers(&mut self, answer: &str) {
        self.waits_until(|seen| seen.ends_with(": ") && seen.contains("assphrase"));
        let hidden = !self.has_echo();
        assert!(hidden, "the terminal shows what is typed:\n{}", self.seen());
        self.types(answer);
        // Nothing of what follows is taken for the prompt that was answered.
        self.seen.extend("\u{2026}".as_bytes());
    }

    /// Types what is not shown before anything is written.
    pub(crate) fn types(&mut self, text: &str) {
        self.terminal.person.write_all(text.as_bytes()).unwrap();
    }

    /// Makes the window so many columns wide.
    pub(crate) fn resizes(&self, columns: u16) {
        set_width(&self.terminal.line, columns);
    }

    /// Watches until what was written satisfies `done`.
    #[track_caller]
    pub(crate) fn waits_until(&mut self, done: impl Fn(&str) -> bool) {
        while !done(&self.seen()) {
            match self.written.recv() {
                Ok(piece) => self.seen.extend(piece),
                Err(_) => panic!("nothing more comes after:\n{}", self.seen()),
            }
        }
    }

    /// Whether the program is over.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// All that was written so far.
    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Watches to the end. Returns all that was to be seen, and the exit status.
    #[track_caller]
    pub(crate) fn ends(self) -> (String, i32) {
        let (bytes, status) = self.ends_raw();
        (bytes.replace('\r', ""), status)
    }

    /// The same, carriage returns included.
    #[track_caller]
    pub(crate) fn ends_raw(mut self) -> (String, i32) {
        let status = self.child.wait().unwrap();
        assert!(
            self.has_echo(),
            "the terminal was left without echo:\n{}",
            self.seen()
        );
        let Self {
            terminal,
            written,
            mut seen,
            ..
        } = self;
        drop(terminal.line);
        for piece in written {
            seen.extend(piece);
        }
        let seen = String::from_utf8_lossy(&seen).into_owned();
        (seen, status.code().unwrap_or(-1))
    }

    fn has_echo(&self) -> bool {
        let modes = tcgetattr(&self.terminal.line).unwrap().local_modes;
        modes.contains(LocalModes::ECHO)
    }
}

fn set_width(line: &OwnedFd, columns: u16) {
    let size = Winsize {
        ws_row: ROWS,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(line, size).unwrap();
}

/// What a terminal of so many columns, and of rows enough, shows after all this was written to it: its lines without blanks at their
/// ends, and where the cursor is: its row and column, counted from 0.
pub(crate) fn screen(written: &str, columns: u16) -> (String, (u16, u16)) {
    let size = [ROWS, columns].map(|cells| NonZero::new(cells).unwrap());
    let mut terminal = vt100::Parser::new(size[0], size[1], 0);
    terminal.process(written.as_bytes());
    let screen = terminal.screen();
    assert!(!screen.hide_cursor(), "the cursor is hidden");
    let mut text: String = screen
        .rows(0, columns)
        .map(|row| format!("{}\n", row.trim_end()))
        .collect();
    text.truncate(text.trim_end().len());
    (text, screen.cursor_position())
}
