//! What single options change, each with the same run without it beside: local folders only. The register
//! in `src/args/tests/effects.rs` says which test shows which option, and knows of any that none shows.

mod backup;
mod encryption;
mod general;
mod restore;
mod selection;

use std::fs;
use std::path::Path;

use redup_testkit::damage::names;
use redup_testkit::env::TestEnv;

use crate::cli::support::{go, place};

/// A place whose commands need no passphrase and no words about that.
fn plain() -> TestEnv {
    let mut env = place();
    env.unset("PASSPHRASE");
    env
}

/// Makes a full backup of the source without encryption, with these options. Returns the names stored.
#[track_caller]
fn stored(env: &TestEnv, options: &str) -> Vec<String> {
    drop(fs::remove_dir_all(env.target()));
    drop(fs::remove_dir_all(env.path("home/.cache")));
    go(
        env,
        &format!("full --no-encryption source file://target {options}"),
    )
    .ok();
    names(&env.target())
}

/// The bytes of the only stored file whose name holds `part`.
#[track_caller]
fn bytes_of(env: &TestEnv, part: &str) -> Vec<u8> {
    let all = names(&env.target());
    let name = all.iter().find(|name| name.contains(part));
    let name = name.unwrap_or_else(|| panic!("no {part} among {all:?}"));
    fs::read(env.target().join(name)).unwrap()
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
