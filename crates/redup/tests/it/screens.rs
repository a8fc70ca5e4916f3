//! What a person sees at a terminal, kept as text files in `tests/screens/` to be read as a whole.
//! `UPDATE_EXPECT=1` writes them anew; who changes one looks at it.
//!
//! What is kept is what a terminal shows in the end of all that was written to it: nothing is left of a bar. The bar
//! itself, from second to second, is in `progress-*.txt`, which unit tests beside its code make.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use expect_test::expect_file;
use redup_testkit::env::TestEnv;

use crate::cli::support::{place, redup, steady};
use crate::cli::terminal::{Terminal, screen};

/// Wide enough for paths, which are as long as the folder of the test is deep.
const COLUMNS: u16 = 400;

/// A session: command lines, what is typed at the prompts of each, and all that is seen.
struct Session {
    env: TestEnv,
    seen: String,
}

impl Session {
    /// One with a source of two files, all of a day in 2023.
    fn new() -> Self {
        let mut env = place();
        env.set("TERM", "xterm");
        // The time of a link cannot be set everywhere.
        fs::remove_file(env.source().join("link")).unwrap();
        let session = Self {
            env,
            seen: String::new(),
        };
        session.dated();
        session
    }

    /// Gives everything in the source the same time.
    fn dated(&self) {
        let source = self.env.source();
        for name in ["a", "sub/b", "sub", "."] {
            let Ok(file) = fs::File::open(source.join(name)) else {
                continue;
            };
            let time = UNIX_EPOCH + Duration::from_secs(1_699_999_200);
            file.set_modified(time).unwrap();
        }
    }

    /// Gives the folders alone that time.
    fn dated_folders(&self) {
        for name in ["sub", "."] {
            let time = UNIX_EPOCH + Duration::from_secs(1_699_999_200);
            let file = fs::File::open(self.env.source().join(name)).unwrap();
            file.set_modified(time).unwrap();
        }
    }

    fn types(&mut self, line: &str, answers: &[&str]) {
        let mut session = Terminal::of_width(COLUMNS).start(&redup(), &self.env, line);
        for answer in answers {
            session.answers(answer);
        }
        let (written, code) = session.ends_raw();
        let (seen, _) = screen(&written, COLUMNS);
        self.seen.push_str(&format!("$ redup {line}\n"));
        let root = self.env.path("").display().to_string();
        for line in seen.replace(&root, "/test/").lines() {
            self.seen.push_str(&steady(line));
            self.seen.push('\n');
        }
        if code != 0 {
            self.seen.push_str(&format!("[status {code}]\n"));
        }
        self.seen.push('\n');
    }

    fn is(self, name: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/screens/{name}.txt"));
        expect_file![file].assert_eq(&self.seen);
    }
}

#[test]
fn help() {
    let mut session = Session::new();
    session.types("--help", &[]);
    session.is("help");
    let mut session = Session::new();
    session.types("restore --help", &[]);
    session.types("help urls", &[]);
    session.is("help-restore");
    let mut session = Session::new();
    session.types("help options", &[]);
    session.is("help-options");
}

#[test]
fn a_first_day() {
    let mut session = Session::new();
    session.env.unset("PASSPHRASE");
    let backup = "source file://target --current-time 1700000000";
    session.types(backup, &["one\n", "two\n", "secret\n", "secret\n"]);
    session.env.set("PASSPHRASE", "secret");
    fs::write(session.env.source().join("a"), "changed\n").unwrap();
    let backup = "incr --progress --no-print-statistics --current-time 1700086400";
    session.types(&format!("{backup} source file://target"), &[]);
    session.types("collection-status file://target", &[]);
    session.dated();
    session.types("list-current-files -t 1700000000 file://target", &[]);
    session.types("restore file://target out", &[]);
    session.types("restore file://target out", &[]);
    session.types("restore -r nosuch file://target other", &[]);
    session.types("verify file://target source", &[]);
    session.is("first-day");
}

#[test]
fn differences() {
    let mut session = Session::new();
    session.types(
        "full source file://target --no-print-statistics --current-time 1700000000",
        &[],
    );
    let source = session.env.source();
    fs::write(source.join("new"), "").unwrap();
    fs::write(source.join("a"), "FIRST\n").unwrap();
    fs::remove_file(source.join("sub/b")).unwrap();
    session.dated();
    session.types("verify --compare-data file://target source", &[]);
    session.is("differences");
}

#[test]
fn looking_back() {
    let mut session = Session::new();
    let backup = "source file://target --no-print-statistics --current-time";
    session.types(&format!("full {backup} 1700000000"), &[]);
    let source = session.env.source();
    fs::write(source.join("a"), "changed\n").unwrap();
    fs::File::open(source.join("a"))
        .and_then(|file| file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_050_000)))
        .unwrap();
    fs::remove_file(source.join("sub/b")).unwrap();
    session.dated_folders();
    session.types(&format!("incr {backup} 1700086400"), &[]);
    session.seen.clear();
    session.types("find a file://target", &[]);
    session.types("find b file://target", &[]);
    session.types("find lost.txt file://target", &[]);
    session.types("diff 2023-11-15 now file://target", &[]);
    session.types("diff now now file://target", &[]);
    session.types("cat sub/b file://target", &[]);
    session.types("cat sub/b -t 2023-11-15 file://target", &[]);
    session.types("cat sub file://target", &[]);
    session.types("ls --json file://target", &[]);
    session.types(
        "collection-status --json --no-check-remote file://target",
        &[],
    );
    session.is("looking-back");
}

#[test]
fn housekeeping() {
    let mut session = Session::new();
    for time in [1_700_000_000, 1_702_000_000, 1_704_000_000] {
        let line = format!("full source file://target --no-print-statistics --current-time {time}");
        session.types(&line, &[]);
    }
    session.seen.clear();
    session.types("remove-older-than 2023-12-20 file://target", &[]);
    session.types("remove-all-but-n-full 1 file://target --force", &[]);
    fs::write(
        session
            .env
            .target()
            .join("duplicity-full.20240101T000000Z.vol1.difftar.gpg"),
        "",
    )
    .unwrap();
    session.types("cleanup file://target", &[]);
    session.types("cleanup --force file://target", &[]);
    session.types("cleanup file://target", &[]);
    session.is("housekeeping");
}

#[test]
fn trouble() {
    let mut session = Session::new();
    let backup = "full source file://target --no-print-statistics --current-time 1700000000";
    session.types(backup, &[]);
    session.seen.clear();
    session.env.set("PASSPHRASE", "wrong");
    session.types("restore file://target out", &[]);
    session.env.unset("PASSPHRASE");
    session.types("restore file://target out", &["wrong\n"]);
    session.env.set("PASSPHRASE", "secret");
    session.types("restore file://nowhere out", &[]);
    session.types("ls s3://", &[]);
    session.types("ls sftp://me@host/dir", &[]);
    session.types("full source file://target --bogus", &[]);
    session.types("full source file://target --no", &[]);
    session.types("full source file://target --volsize huge", &[]);
    session.types("full source file://target --gpg-options --armor", &[]);
    session.types("restore out file://target", &[]);
    session.types("full source", &[]);
    session.types("bakcup source file://target", &[]);
    session.types("full missing file://target", &[]);
    session.types("full source file://target --encrypt-key DEADBEEF", &[]);
    session.types("full source file://target --include source/a", &[]);
    session.types("ls file://target -t tomorrow", &[]);
    session.is("trouble");
}
