//! The program under test, and what makes its output the same every time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant, UNIX_EPOCH};

use redup_testkit::env::{Program, TestEnv};
use redup_testkit::run::{Outcome, run};

/// The binary that this package builds.
pub(crate) fn redup() -> Program {
    Program::redup(env!("CARGO_BIN_EXE_redup"))
}

/// The binary through a link called `duplicity` in `env`.
pub(crate) fn as_duplicity(env: &TestEnv) -> Program {
    let link = env.path("duplicity");
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_redup"), &link).unwrap();
    }
    Program::redup(link)
}

/// A place with a small source, `source`, and a passphrase. Programs run in its root, so that names
/// are short and the same everywhere.
pub(crate) fn place() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", "secret");
    make_source(&env.source());
    env
}

fn make_source(source: &Path) {
    fs::create_dir_all(source.join("sub")).unwrap();
    fs::write(source.join("a"), "first\n").unwrap();
    fs::write(source.join("sub/b"), "second\n").unwrap();
    symlink("a", source.join("link")).unwrap();
}

/// A command line, words separated by blanks, typed in the root of `env`.
pub(crate) fn typed(env: &TestEnv, line: &str) -> Command {
    let mut command = env.bare(&redup());
    command.args(line.split_whitespace());
    command
}

/// Runs a command line to its end, with nothing on standard input.
#[track_caller]
pub(crate) fn go(env: &TestEnv, line: &str) -> Outcome {
    run(&mut typed(env, line))
}

/// What was printed on both streams, one behind the other, with what differs from run to run
/// replaced: the folder of the test, and the figures of time.
pub(crate) fn text(env: &TestEnv, outcome: &Outcome) -> String {
    let all = format!("{}{}", outcome.stdout, outcome.stderr);
    let root = env.path("").display().to_string();
    let all = all.replace(&root, "/test/");
    all.lines()
        .map(|line| format!("{}\n", steady(line)))
        .collect()
}

/// A line without the figures of time and of a folder's size.
pub(crate) fn steady(line: &str) -> String {
    for name in [
        "StartTime",
        "EndTime",
        "ElapsedTime",
        "SourceFileSize",
        "NewFileSize",
        "ChangedFileSize",
        "TotalDestinationSizeChange",
    ] {
        if line.starts_with(name) {
            return format!("{name} …");
        }
    }
    line.to_owned()
}

/// Gives a path of the source this time of modification. A change within the second of the last backup would not
/// be seen.
pub(crate) fn dated(env: &TestEnv, name: &str, time: u64) {
    let file = fs::File::open(env.source().join(name)).unwrap();
    let time = UNIX_EPOCH + Duration::from_secs(time);
    file.set_modified(time).unwrap();
}

/// Adds so many files that a run that names each says more than a pipe holds.
pub(crate) fn wordy(env: &TestEnv) {
    for number in 0..2000 {
        let name = format!("{number:0100}");
        fs::write(env.source().join(name), "").unwrap();
    }
}

/// Waits until a child's standard output, a pipe, is full and stays so.
#[track_caller]
pub(crate) fn wait_until_stuck(child: &mut Child) {
    let started = Instant::now();
    let mut seen = (0, 0);
    while seen.1 < 50 {
        let output = child.stdout.as_ref().unwrap();
        let waiting = rustix::io::ioctl_fionread(output).unwrap();
        let again = waiting > 1 << 15 && waiting == seen.0;
        seen = (waiting, if again { seen.1 + 1 } else { 0 });
        let ended = child.try_wait().unwrap();
        let limit = Duration::from_secs(120);
        assert!(ended.is_none() && started.elapsed() < limit, "{ended:?}");
        sleep(Duration::from_millis(5));
    }
}
