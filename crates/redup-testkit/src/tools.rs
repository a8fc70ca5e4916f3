//! Where the programs that tests run are: `cargo xtask test` installs what is missing.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A release of duplicity that the tests run as an oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// What Debian 12 ships.
    V0_8_22,
    /// The newest one that redup is held against.
    V3_2_1,
}

impl Version {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::V0_8_22, Self::V3_2_1];

    /// The version number.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V0_8_22 => "0.8.22",
            Self::V3_2_1 => "3.2.1",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The folder of the tools that no package brings: `$REDUP_TEST_TOOLS`, else `target/test-tools`
/// of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    env::var_os("REDUP_TEST_TOOLS")
        .map_or_else(|| workspace().join("target/test-tools"), PathBuf::from)
}

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path.pop();
    path
}

/// The `duplicity` program of that version.
///
/// # Panics
/// When it is not installed.
#[must_use]
#[track_caller]
pub fn duplicity(version: Version) -> PathBuf {
    static FOUND: [OnceLock<Option<PathBuf>>; 2] = [OnceLock::new(), OnceLock::new()];
    let found = FOUND[version as usize].get_or_init(|| {
        let ours = root().join(format!("duplicity-{version}/bin/duplicity"));
        let candidates = [ours, PathBuf::from("/usr/bin/duplicity")];
        candidates
            .into_iter()
            .find(|program| is_version(program, version))
    });
    found
        .clone()
        .unwrap_or_else(|| missing(&format!("duplicity {version}")))
}

/// The `gpg` program.
///
/// # Panics
/// When it is not installed.
#[must_use]
#[track_caller]
pub fn gpg() -> PathBuf {
    in_path("gpg").unwrap_or_else(|| missing("gpg"))
}

/// The `duply` wrapper around duplicity.
///
/// # Panics
/// When it is not installed.
#[must_use]
#[track_caller]
pub fn duply() -> PathBuf {
    in_path("duply").unwrap_or_else(|| missing("duply"))
}

/// The SeaweedFS program, which has an S3 server.
///
/// # Panics
/// When it is not installed.
#[must_use]
#[track_caller]
pub fn weed() -> PathBuf {
    existing(root().join("seaweedfs/bin/weed"), "SeaweedFS")
}

/// The s3s-fs program, an S3 server.
///
/// # Panics
/// When it is not installed.
#[must_use]
#[track_caller]
pub fn s3s_fs() -> PathBuf {
    existing(root().join("s3s-fs/bin/s3s-fs"), "s3s-fs")
}

/// moto, an S3 server that plays archive classes through.
///
/// # Panics
/// When it is not installed.
#[must_use]
#[track_caller]
pub fn moto() -> PathBuf {
    existing(root().join("moto/bin/moto_server"), "moto")
}

/// A Python that has boto3, to look at an S3 server with other eyes than ours.
///
/// # Panics
/// When it is not installed.
#[must_use]
#[track_caller]
pub fn python_with_boto3() -> PathBuf {
    existing(root().join("boto3/bin/python"), "boto3")
}

#[track_caller]
fn existing(path: PathBuf, name: &str) -> PathBuf {
    if path.exists() { path } else { missing(name) }
}

#[track_caller]
fn missing(name: &str) -> ! {
    panic!("{name} is missing; run `cargo xtask test` once: it installs what the tests need");
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

fn is_version(program: &Path, version: Version) -> bool {
    let Ok(output) = Command::new(program).arg("--version").output() else {
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().nth(1) == Some(version.as_str())
}
