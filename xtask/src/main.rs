//! Chores of the redup workspace: `cargo xtask help` lists them.
//!
//! Everything that is not plain cargo is here, so that a chore is written once, in a language the
//! project already has, and runs the same by hand and in CI.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a chore talks to whoever typed it")]
#![expect(clippy::print_stderr, reason = "a chore talks to whoever typed it")]

mod bench;
mod fixtures;
mod ipv6;
mod quickstart;
mod setup;
mod sh;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

/// Result of a chore; the error is a sentence for whoever typed it.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Chores of the redup workspace

Usage: cargo xtask <CHORE>

  quickstart     build redup, back up this repository encrypted, change it, back up the
                 change, restore both points in time and compare; prints each command
  test           install what the tests need (Debian; asks sudo when not root), then run
                 all that CI runs
  tidy           check what no compiler checks: crate arrows, file sizes, links, leftovers
  interop        only the tests that run redup against real duplicity
  ipv6           only the tests of a machine without IPv4, and of broken networks, in
                 namespaces of their own
  fixtures       check that every golden archive is whole; say how to make them again
  bench memory [GIGABYTES FILES]
                 peak memory and temporary files of a 4 GB file and of 200,000 files
  bench s3 [MEBIBYTES [ROUNDS]]
                 the S3 store beside rclone and boto3, with and without latency; a whole
                 backup to S3 beside one to a folder; and what faults of 5 % cost
  help           this text
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["quickstart"] => quickstart::run(),
        ["test"] => test::all(),
        ["interop"] => test::interop(),
        ["tidy"] => tidy::run(),
        ["ipv6"] => ipv6::run(),
        ["fixtures"] => fixtures::run(),
        ["bench", "memory", rest @ ..] => bench::memory(rest),
        ["bench", "s3", rest @ ..] => bench::s3(rest),
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!(
            "there is no chore {:?}; see cargo xtask help",
            words.join(" ")
        )
        .into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
