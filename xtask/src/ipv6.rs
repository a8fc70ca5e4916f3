//! The tests that need a network of their own: a machine without IPv4, and broken families.

use std::process::Command;

use crate::workspace::root;
use crate::{Result, setup, sh};

/// These tests; `.config/nextest.toml` leaves them out.
pub(crate) const TESTS: &str = "s3::ipv6::";

/// Ways to get namespaces in which one may do as one likes: as root, and as anybody else.
const WAYS: [&[&str]; 2] = [
    &["unshare", "--mount", "--net"],
    &["unshare", "--map-root-user", "--mount", "--net"],
];

/// What the tests do there.
const PROBE: &str = "ip link set lo up && ip link add wire type veth peer name eth0 \
                     && mount --bind /etc/hosts /etc/hosts && unshare --net true";

/// Runs them.
///
/// # Errors
/// When the system makes no namespaces, something cannot be installed, or a test fails.
pub(crate) fn run() -> Result {
    setup::for_testing()?;
    let way =
        way().ok_or("this system makes no network namespaces for us, so nothing was shown")?;
    tests(way)
}

/// Runs them where that is possible, and says so where it is not.
///
/// # Errors
/// When a test fails.
pub(crate) fn run_where_possible() -> Result {
    if let Some(way) = way() {
        return tests(way);
    }
    println!("NOT RUN: this system makes no network namespaces for us, as in some containers;");
    println!("nothing was shown about machines without IPv4 here");
    Ok(())
}

fn way() -> Option<&'static [&'static str]> {
    let works = |way: &&&[&str]| {
        let words = [&way[1..], &["sh", "-c", PROBE]].concat();
        sh::succeeds(way[0], &words)
    };
    WAYS.iter().find(works).copied()
}

fn tests(way: &[&str]) -> Result {
    let runner = format!("target.'cfg(unix)'.runner={way:?}");
    let mut command: Command = sh::cargo(&root());
    // Of all packages, as the other tests are built: with the features of one alone, cargo would
    // build half of the dependencies again.
    command.args(["--config", &runner, "test", "--workspace"]);
    command.args(["--test", "it", TESTS, "--"]);
    command.args(["--nocapture", "--test-threads=1"]);
    sh::run(&mut command)
}
