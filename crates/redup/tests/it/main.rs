//! The program from outside: its archives against real duplicity's, its restarts against SIGKILL,
//! its errors against damage and trouble.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use redup_testkit::env::Program;
use redup_testkit::tools::Version;

mod audit;
mod cli;
mod codes;
mod completions;
mod damage;
mod dejadup;
mod duply;
mod effects;
mod errors;
mod fixtures;
mod golden;
mod history;
mod housekeeping;
mod interop;
mod json;
mod options;
mod profiles;
mod reading;
mod resume;
mod s3;
mod screens;
mod selection;
mod sidebyside;
mod signing;

/// The program under test.
fn redup() -> Program {
    Program::redup(env!("CARGO_BIN_EXE_redup"))
}

/// The oracle that is used where one is enough.
fn duplicity() -> Program {
    Program::Duplicity(Version::V3_2_1)
}

/// Ours and both of theirs.
fn programs() -> [Program; 3] {
    [redup(), Program::Duplicity(Version::V0_8_22), duplicity()]
}
