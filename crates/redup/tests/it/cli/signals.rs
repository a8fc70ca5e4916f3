//! Signals in the middle of a run.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::support::{go, place, typed, wait_until_stuck, wordy};

/// Starts a backup of 48 MiB that does not compress, and sends `signal` once two volumes are there.
fn interrupted(signal: Signal) -> (redup_testkit::env::TestEnv, std::process::ExitStatus) {
    let env = place();
    fs::write(env.source().join("big"), noise(48 << 20)).unwrap();
    let mut command = typed(
        &env,
        "full source file://target --volsize 2 --no-encryption",
    );
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let second_volume = || {
        let names = fs::read_dir(env.target()).into_iter().flatten().flatten();
        names
            .filter(|entry| entry.file_name().to_string_lossy().contains(".vol2."))
            .count()
            > 0
    };
    while !second_volume() {
        assert!(
            started.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none()
        );
        sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), signal).unwrap();
    let status = child.wait().unwrap();
    (env, status)
}

/// Bytes that no compressor makes smaller, the same every time.
fn noise(len: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..len / 8).flat_map(|_| next().to_le_bytes()).collect()
}

#[test]
fn an_interrupt_is_status_4_and_the_next_run_goes_on() {
    let (env, status) = interrupted(Signal::INT);
    assert_eq!(status.code(), Some(4));
    assert_eq!(left_over(&env), Vec::<String>::new());
    go(
        &env,
        "full source file://target --volsize 2 --no-encryption",
    )
    .ok()
    .says("Last full backup left a partial set, restarting.");
    go(
        &env,
        "verify --compare-data file://target source --no-encryption",
    )
    .ok();
}

#[test]
fn a_termination_is_seen_as_one() {
    for (signal, number) in [(Signal::TERM, 15), (Signal::HUP, 1)] {
        let (env, status) = interrupted(signal);
        assert_eq!(status.signal(), Some(number));
        assert_eq!(left_over(&env), Vec::<String>::new());
        go(&env, "source file://target --volsize 2 --no-encryption").ok();
        go(
            &env,
            "verify --compare-data file://target source --no-encryption",
        )
        .ok();
    }
}

/// Names of what a run has no use for once it has ended: temporary files, the lock, unfinished objects.
fn left_over(env: &redup_testkit::env::TestEnv) -> Vec<String> {
    let archives = env.path("home/.cache/duplicity");
    let archive = fs::read_dir(archives).unwrap().next().unwrap().unwrap();
    let mut names = Vec::new();
    for folder in [env.temp(), env.target(), archive.path()] {
        names.extend(redup_testkit::damage::names(&folder));
    }
    names.retain(|name| !name.starts_with("duplicity-") || name.contains("temp"));
    names.retain(|name| !name.starts_with("redup-"));
    names
}

#[test]
fn a_run_ends_whose_output_nobody_takes() {
    for signal in [Signal::INT, Signal::TERM] {
        let env = place();
        wordy(&env);
        let mut command = typed(&env, "full source file://target -v8 --no-encryption");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        wait_until_stuck(&mut child);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        match signal {
            Signal::INT => assert_eq!(status.code(), Some(4)),
            _ => assert_eq!(status.signal(), Some(signal.as_raw())),
        }
        // Nothing of it is left in the way.
        go(&env, "full source file://target --no-encryption").ok();
    }
}
