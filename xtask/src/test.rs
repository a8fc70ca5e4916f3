//! All that CI runs, in one command.

use std::process::Command;
use std::time::Instant;

use crate::workspace::root;
use crate::{Result, fixtures, ipv6, setup, sh, tidy};

/// One check of the whole.
type Step = (&'static str, fn() -> Result);

/// Installs what is missing and runs every check, cheapest first; the first failure ends it.
///
/// # Errors
/// When something cannot be installed, or a check fails.
pub(crate) fn all() -> Result {
    let steps: [Step; 9] = [
        ("tools", setup::for_testing),
        ("format", format),
        ("tidy", tidy::run),
        ("fixtures", fixtures::check),
        ("clippy", clippy),
        ("docs", docs),
        ("tests", tests),
        ("ipv6", ipv6::run_where_possible),
        ("doctests", doctests),
    ];
    let mut times = Vec::new();
    for (name, step) in steps {
        println!("==> {name}");
        let started = Instant::now();
        step()?;
        times.push(format!("{name} {} s", started.elapsed().as_secs()));
    }
    println!("==> all passed: {}", times.join(", "));
    Ok(())
}

/// The tests that run redup and real duplicity on the same archives.
///
/// # Errors
/// When something cannot be installed, or a test fails.
pub(crate) fn interop() -> Result {
    setup::for_testing()?;
    let tests = ["interop", "housekeeping", "options", "selection", "duply"];
    let arguments = [
        &["test", "--package", "redup", "--test", "it", "--"],
        &tests[..],
    ]
    .concat();
    sh::run(quiet(sh::cargo(&root()).args(arguments)))
}

fn format() -> Result {
    sh::run(sh::cargo(&root()).args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result {
    let arguments = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    sh::run(sh::cargo(&root()).args(arguments))
}

fn docs() -> Result {
    let mut command = sh::cargo(&root());
    command.args([
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    sh::run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

fn tests() -> Result {
    let mut command = sh::cargo(&root());
    let nextest = sh::succeeds(command.get_program(), &["nextest", "--version"]);
    if nextest {
        command.args(["nextest", "run", "--workspace", "--profile", "ci"]);
    } else {
        command.args([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
            "--",
            "--skip",
            ipv6::TESTS,
        ]);
    }
    sh::run(quiet(&mut command))
}

fn doctests() -> Result {
    sh::run(quiet(sh::cargo(&root()).args([
        "test",
        "--workspace",
        "--doc",
    ])))
}

/// Without variables of the caller that would change what is tested.
fn quiet(command: &mut Command) -> &mut Command {
    for name in ["PASSPHRASE", "SIGN_PASSPHRASE", "GNUPGHOME", "AWS_PROFILE"] {
        command.env_remove(name);
    }
    command
}
