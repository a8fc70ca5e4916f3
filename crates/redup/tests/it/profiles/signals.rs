//! Signals in the middle of a run of a profile.

use std::cell::OnceCell;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use redup_testkit::damage::names;
use redup_testkit::env::TestEnv;
use redup_testkit::trees;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{HOME, with_profile, write};
use crate::cli::support::{go, typed, wait_until_stuck, wordy};

/// What the hooks behind write.
const NOTES: &str = "after-failure = 'env > ROOT/seen'\nafter = [\"touch\", \"ROOT/after\"]\n";

fn start(env: &TestEnv) -> Child {
    start_line(env, "run home")
}

fn start_line(env: &TestEnv, line: &str) -> Child {
    let mut command = typed(env, line);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits until something is there while the run goes on.
#[track_caller]
fn await_that(child: &mut Child, is_there: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_there() {
        let ended = child.try_wait().unwrap();
        assert!(
            ended.is_none() && started.elapsed() < Duration::from_secs(120),
            "{ended:?}"
        );
        sleep(Duration::from_millis(5));
    }
}

fn signal(child: Child, signal: Signal) -> Output {
    kill_process(Pid::from_child(&child), signal).unwrap();
    child.wait_with_output().unwrap()
}

fn seen(env: &TestEnv, line: &str) -> bool {
    let seen = fs::read_to_string(env.path("seen")).unwrap();
    assert!(
        seen.lines().any(|it| it.starts_with("REDUP_STATUS=")),
        "{seen}"
    );
    seen.lines().any(|it| it == line)
}

#[test]
fn what_goes_behind_is_run_when_a_signal_ends_a_backup() {
    for (number, status) in [(Signal::TERM, 143), (Signal::INT, 4)] {
        let env = with_profile(&format!("volsize = 1\n[profiles.home.hooks]\n{NOTES}"));
        trees::filler(60).write(&env.path("source/more"));
        let mut child = start(&env);
        let second = || {
            names(&env.target())
                .iter()
                .any(|name| name.contains(".vol2."))
        };
        await_that(&mut child, second);
        let output = signal(child, number);
        match number {
            Signal::INT => assert_eq!(output.status.code(), Some(status)),
            _ => assert_eq!(output.status.signal(), Some(number.as_raw())),
        }
        assert!(seen(&env, "REDUP_RESULT=failure"));
        assert!(seen(&env, &format!("REDUP_STATUS={status}")));
        let name = if number == Signal::INT {
            "SIGINT"
        } else {
            "SIGTERM"
        };
        assert!(seen(&env, &format!("REDUP_ERROR=ended by {name}")));
        assert!(env.path("after").exists());
    }
}

/// A profile whose hook before writes its number and then waits for ever.
fn waiting(on_signal: &str) -> TestEnv {
    with_profile(&format!(
        "[profiles.home.hooks]\nbefore = \"trap '{on_signal}' TERM; echo $$ > ROOT/number; \
         mv ROOT/number ROOT/running; while :; do sleep 0.1; done\"\n{NOTES}"
    ))
}

#[test]
fn a_hook_that_runs_is_told_to_end_and_nothing_else_begins() {
    let env = waiting("touch ROOT/told; exit");
    let mut child = start(&env);
    await_that(&mut child, || env.path("running").exists());
    let output = signal(child, Signal::TERM);
    assert_eq!(output.status.signal(), Some(Signal::TERM.as_raw()));
    assert!(env.path("told").exists() && env.path("after").exists());
    assert!(seen(&env, "REDUP_STATUS=143"));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("sh is told to end, too"), "{told}");
    assert!(names(&env.target()).is_empty());
}

#[test]
fn a_hook_that_does_not_end_is_left_running_and_that_is_told() {
    let env = waiting("");
    let mut child = start(&env);
    await_that(&mut child, || env.path("running").exists());
    let hook = number(&env.path("running"));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    await_that(&mut child, || env.path("after").exists());
    test_kill_process(hook).unwrap();
    // It holds the streams open.
    kill_process(hook, Signal::KILL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::TERM.as_raw()));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("sh does not end; it is left running"),
        "{told}"
    );
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let env = waiting("");
    let mut child = start(&env);
    await_that(&mut child, || env.path("running").exists());
    let hook = number(&env.path("running"));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    // Two at once would count as one.
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = output.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("is told to end, too")));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    assert!(!env.path("after").exists());
    kill_process(hook, Signal::KILL).unwrap();
}

#[test]
fn the_hooks_that_are_left_are_run_when_a_signal_comes_in_one_of_them() {
    let env = with_profile(
        "[profiles.home.hooks]\nafter-success = [['sh', '-c', 'mkdir ROOT/running; exec sleep 600'], \
         ['touch', 'ROOT/second']]\nafter = 'env > ROOT/seen'\n",
    );
    let mut child = start(&env);
    await_that(&mut child, || env.path("running").exists());
    let output = signal(child, Signal::TERM);
    assert_eq!(output.status.signal(), Some(Signal::TERM.as_raw()));
    assert!(env.path("second").exists());
    assert!(seen(&env, "REDUP_RESULT=success"), "the backup was one");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("error"), "{said}");
}

/// A hook that calls redup on the same target, which needs the lock, and keeps its status.
fn looking_in() -> String {
    let redup = env!("CARGO_BIN_EXE_redup");
    format!(
        "[profiles.home.hooks]\ncommands = ['backup', 'restore']\n\
         after = '{redup} run home collection-status > ROOT/said 2>&1; echo $? > ROOT/status'\n"
    )
}

#[track_caller]
fn looked_in(env: &TestEnv) {
    let [said, status] = ["said", "status"].map(|name| fs::read_to_string(env.path(name)));
    assert_eq!(status.unwrap(), "0\n", "{}", said.unwrap());
}

#[test]
fn the_hooks_behind_begin_when_the_work_has_ended() {
    let env = with_profile(&format!("volsize = 1\n{}", looking_in()));
    trees::filler(60).write(&env.path("source/more"));
    let mut child = start(&env);
    let second = || {
        let names = names(&env.target());
        names.iter().any(|name| name.contains(".vol2."))
    };
    await_that(&mut child, second);
    let output = signal(child, Signal::TERM);
    assert_eq!(output.status.signal(), Some(Signal::TERM.as_raw()));
    looked_in(&env);
    go(&env, "run home").ok();
    for name in ["said", "status"] {
        fs::remove_file(env.path(name)).unwrap();
    }
    let mut child = start_line(&env, "run home restore out");
    await_that(&mut child, || env.path("out/more").exists());
    let output = signal(child, Signal::TERM);
    assert_eq!(output.status.signal(), Some(Signal::TERM.as_raw()));
    looked_in(&env);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!said.contains("interrupted"), "nobody asked: {said}");
}

#[test]
fn the_hooks_behind_are_run_when_nobody_takes_the_output() {
    let env = with_profile(&format!("verbosity = 8\n[profiles.home.hooks]\n{NOTES}"));
    wordy(&env);
    let mut child = start(&env);
    wait_until_stuck(&mut child);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    assert!(env.path("after").exists());
    assert!(seen(&env, "REDUP_STATUS=4"));
}

#[test]
fn the_hooks_behind_are_run_when_nobody_reads_any_more() {
    let env = with_profile(&format!(
        "[profiles.home.hooks]\ncommands = ['cat']\n{NOTES}"
    ));
    fs::write(env.source().join("large"), vec![b'x'; 4 << 20]).unwrap();
    go(&env, "run home").ok();
    let mut child = start_line(&env, "run home cat large");
    let mut start = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::PIPE.as_raw()));
    assert!(seen(&env, "REDUP_STATUS=141"));
    assert!(env.path("after").exists());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_server_that_never_answers_does_not_hold_the_end_up() {
    let mut env = with_profile("");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let target = format!("s3://bucket/path\"\ns3-endpoint-url = \"http://127.0.0.1:{port}");
    let profile = HOME.replace("file://ROOT/target", &target);
    write(&env, &format!("{profile}\n[profiles.home.hooks]\n{NOTES}"));
    env.set("AWS_ACCESS_KEY_ID", "nobody");
    env.set("AWS_SECRET_ACCESS_KEY", "nothing");
    let mut child = start(&env);
    // It asks, and waits for the answer.
    server.set_nonblocking(true).unwrap();
    let accepted = OnceCell::new();
    await_that(&mut child, || {
        server
            .accept()
            .is_ok_and(|(connection, _)| accepted.set(connection).is_ok())
    });
    let mut connection = accepted.into_inner().unwrap();
    connection.set_nonblocking(false).unwrap();
    connection.read_exact(&mut [0; 4]).unwrap();
    let output = signal(child, Signal::TERM);
    assert_eq!(output.status.signal(), Some(Signal::TERM.as_raw()));
    assert!(seen(&env, "REDUP_ERROR=ended by SIGTERM"));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!said.contains("does not end"), "{said}");
    drop(connection);
}

fn number(path: &Path) -> Pid {
    let text = fs::read_to_string(path).unwrap();
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}
