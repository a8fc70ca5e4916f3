//! `redup run`: backups that a file describes.

mod file;
mod hooks;
mod runs;
mod signals;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use redup_testkit::env::TestEnv;

use crate::cli::support::place;

/// Where a user has the file.
fn config(env: &TestEnv) -> PathBuf {
    env.path("home/.config/redup/redup.toml")
}

/// Writes it, for its owner alone. `ROOT` in the text is the folder of the test.
fn write(env: &TestEnv, text: &str) {
    let root = env.path("");
    let root = root.to_str().unwrap().trim_end_matches('/');
    let path = config(env);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text.replace("ROOT", root)).unwrap();
    chmod(&path, 0o600);
}

fn chmod(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A place with a file that has one profile, `home`, of its source; without encryption, so that only tests of
/// that need a passphrase. `more` stands below it.
fn with_profile(more: &str) -> TestEnv {
    let mut env = place();
    env.unset("PASSPHRASE");
    write(&env, &format!("{HOME}{more}"));
    env
}

const HOME: &str = "\
[profiles.home]
source = \"ROOT/source\"
target = \"file://ROOT/target\"
no-encryption = true
";
