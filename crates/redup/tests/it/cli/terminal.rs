//! A terminal of the test's own, with a person before it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use redup_testkit::env::TestEnv;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::support::redup;

/// A terminal, seen from the side of the person.
pub(crate) struct Terminal {
    person: File,
    line: OwnedFd,
}

impl Terminal {
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

    /// Runs a command line with this as its controlling terminal; `answers` are typed, each at the
    /// next prompt. Returns all that was to be seen, and the exit status.
    pub(crate) fn run(mut self, env: &TestEnv, line: &str, answers: &[&str]) -> (String, i32) {
        let stdio = || Stdio::from(self.line.try_clone().unwrap());
        let bare = env.bare(&redup());
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
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut seen = String::new();
        for answer in answers {
            self.read_until(&mut seen, |seen| {
                seen.ends_with(": ") && seen.contains("assphrase")
            });
            let hidden = !tcgetattr(&self.line)
                .unwrap()
                .local_modes
                .contains(LocalModes::ECHO);
            assert!(hidden, "the terminal shows what is typed:\n{seen}");
            self.person.write_all(answer.as_bytes()).unwrap();
            seen.push('\u{2026}');
        }
        let status = child.wait().unwrap();
        let echo = tcgetattr(&self.line)
            .unwrap()
            .local_modes
            .contains(LocalModes::ECHO);
        assert!(echo, "the terminal was left without echo:\n{seen}");
        let Self { mut person, line } = self;
        drop(line);
        // With nobody left on the line the rest can be read, and then an error ends it.
        let mut rest = Vec::new();
        person.read_to_end(&mut rest).ok();
        seen.push_str(&String::from_utf8_lossy(&rest));
        (seen.replace('\r', ""), status.code().unwrap_or(-1))
    }

    fn read_until(&mut self, seen: &mut String, done: impl Fn(&str) -> bool) {
        let mut byte = [0];
        while !done(seen) {
            self.person
                .read_exact(&mut byte)
                .unwrap_or_else(|error| panic!("{error} after:\n{seen}"));
            seen.push(char::from(byte[0]));
        }
    }
}
