//! Runs a program and takes its time, its processor time and its memory.

use std::fs;
use std::io::Read;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(5);

/// What one run cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// From its start to its end, or what the program says itself about the transfer alone.
    pub(crate) seconds: f64,
    /// Processor time, in all.
    pub(crate) cpu: f64,
    /// The most memory it ever had resident.
    pub(crate) peak_kib: u64,
}

/// Runs it to its end. A program that prints `seconds N` to a pipe leaves out its own start.
pub(crate) fn run(command: &mut Command) -> Cost {
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    let mut peak_kib = 0;
    let cpu = loop {
        let folder = format!("/proc/{}", child.id());
        peak_kib = peak_kib.max(high_water_kib(&folder));
        let (ended, cpu) = state(&folder);
        if ended {
            break cpu;
        }
        thread::sleep(POLL);
    };
    let wall = started.elapsed().as_secs_f64();
    let status = child.wait().unwrap();
    let mut said = String::new();
    if let Some(mut output) = child.stdout.take() {
        output.read_to_string(&mut said).unwrap();
    }
    assert!(status.success(), "{command:?}: {status}\n{said}");
    let own = said
        .lines()
        .find_map(|line| line.strip_prefix("seconds ")?.parse().ok());
    Cost {
        seconds: own.unwrap_or(wall),
        cpu,
        peak_kib,
    }
}

/// Whether a process has ended, and its processor time so far, its threads' included.
fn state(folder: &str) -> (bool, f64) {
    let stat = fs::read_to_string(format!("{folder}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold anything.
    let mut fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split(' ')
        .skip(1);
    let ended = fields.next().is_none_or(|state| state == "Z");
    let ticks: f64 = fields
        .skip(10)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    (ended, ticks / 100.0)
}

fn high_water_kib(folder: &str) -> u64 {
    let status = fs::read_to_string(format!("{folder}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}
