//! Signals in the middle of a run of a profile.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use redup_testkit::damage::names;
use redup_testkit::env::TestEnv;
use redup_testkit::trees;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::with_profile;
use crate::cli::support::typed;

/// What the hooks behind write.
const NOTES: &str = "after-failure = 'env > ROOT/seen'\nafter = [\"touch\", \"ROOT/after\"]\n";

fn start(env: &TestEnv) -> Child {
    let mut command = typed(env, "run home");
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
    assert!(told.contains("trap is told to end, too"), "{told}");
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
        told.contains("trap does not end; it is left running"),
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
    // The two would count as one.
    sleep(Duration::from_millis(300));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    assert!(!env.path("after").exists());
    kill_process(hook, Signal::KILL).unwrap();
}

fn number(path: &Path) -> Pid {
    let text = fs::read_to_string(path).unwrap();
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}
