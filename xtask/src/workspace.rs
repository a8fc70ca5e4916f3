//! What cargo and git say about the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Result, sh};

/// The root folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path
}

/// One crate of the workspace.
pub(crate) struct Member {
    /// Its name.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// Whether it says under which licence it is.
    pub(crate) licensed: bool,
    /// Names of what its code depends on (build scripts included).
    pub(crate) dependencies: Vec<String>,
    /// Names of what only its tests depend on.
    pub(crate) dev_dependencies: Vec<String>,
}

/// The crates of the workspace and the target folder.
pub(crate) struct Metadata {
    /// All crates.
    pub(crate) members: Vec<Member>,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
}

/// Asks cargo.
///
/// # Errors
/// When cargo fails or answers something else than its documented JSON.
pub(crate) fn metadata() -> Result<Metadata> {
    let text = sh::output(sh::cargo(&root()).args([
        "metadata",
        "--no-deps",
        "--format-version=1",
        "--offline",
    ]))?;
    let value: Value = serde_json::from_str(&text)?;
    let packages = value["packages"]
        .as_array()
        .ok_or("cargo metadata lists no packages")?;
    let members = packages.iter().filter_map(member).collect();
    let target = value["target_directory"]
        .as_str()
        .ok_or("cargo metadata names no target")?;
    Ok(Metadata {
        members,
        target: target.into(),
    })
}

/// The files that git tracks, relative to the root; all files but `target/` where there is no git.
///
/// # Errors
/// When neither git nor the folder can be read.
pub(crate) fn tracked_files() -> Result<Vec<PathBuf>> {
    let root = root();
    let listed = sh::output(
        Command::new("git")
            .current_dir(&root)
            .args(["ls-files", "-z"]),
    );
    if let Ok(text) = listed {
        let names = text
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(PathBuf::from);
        // A file may be tracked and, for the moment, not there.
        return Ok(names
            .filter(|name| root.join(name).symlink_metadata().is_ok())
            .collect());
    }
    let mut files = Vec::new();
    walk(&root, Path::new(""), &mut files)?;
    Ok(files)
}

fn walk(root: &Path, below: &Path, files: &mut Vec<PathBuf>) -> Result {
    for item in std::fs::read_dir(root.join(below))? {
        let item = item?;
        let path = below.join(item.file_name());
        if path == Path::new("target") || path == Path::new(".git") {
            continue;
        }
        if item.file_type()?.is_dir() {
            walk(root, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn member(package: &Value) -> Option<Member> {
    let names = |dev: bool| -> Vec<String> {
        let all = package["dependencies"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let chosen = all
            .iter()
            .filter(|it| (it["kind"].as_str() == Some("dev")) == dev);
        chosen
            .filter_map(|it| it["name"].as_str())
            .map(str::to_owned)
            .collect()
    };
    Some(Member {
        name: package["name"].as_str()?.to_owned(),
        dir: Path::new(package["manifest_path"].as_str()?)
            .parent()?
            .to_path_buf(),
        licensed: package["license"].as_str() == Some("MIT OR Apache-2.0"),
        dependencies: names(false),
        dev_dependencies: names(true),
    })
}
