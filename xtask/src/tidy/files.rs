//! What must and must not be in files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::Member;

/// A file longer than this is asking to be split.
const MOST_LINES: usize = 800;

/// Leftovers that must not land. Written in halves, so that this list does not find itself.
const LEFTOVERS: &[&str] = &[
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
    concat!("#[", "ignore"),
    concat!("FIX", "ME"),
    concat!("XXX", ":"),
];

/// Layer 0: bytes in, bytes out. What its code must not name, tests aside.
const LAYER_0: &[&str] = &[
    "redup-format",
    "redup-rsync",
    "redup-difftar",
    "redup-volume",
];
const OUTSIDE: &[&str] = &[
    "File::open",
    "File::create",
    "OpenOptions",
    "fs::read",
    "fs::write",
    "std::env::",
    "std::net::",
    "SystemTime::now",
    "Instant::now",
];

/// The one crate with vector code.
const MAY_BE_UNSAFE: &str = "redup-rsync";

/// Manifest fields, lints and the unsafe ban of every crate.
pub(super) fn check_crates(members: &[Member]) -> Vec<String> {
    let mut findings = Vec::new();
    for member in members {
        if !member.licensed {
            findings.push(format!(
                "{}: the licence is not the workspace's",
                member.name
            ));
        }
        let manifest = read(&member.dir.join("Cargo.toml"));
        if !manifest.contains("[lints]\nworkspace = true") {
            findings.push(format!(
                "{}: does not inherit the workspace's lints",
                member.name
            ));
        }
        let entry = ["src/lib.rs", "src/main.rs"].map(|name| member.dir.join(name));
        let bans = entry
            .iter()
            .any(|path| read(path).contains("#![forbid(unsafe_code)]"));
        if !bans && member.name != MAY_BE_UNSAFE {
            findings.push(format!("{}: does not forbid unsafe code", member.name));
        }
        findings.extend(forgotten_tests(member));
    }
    findings
}

/// Leftovers, lengths and layers of every tracked file.
pub(super) fn check_sources(root: &Path, tracked: &[PathBuf]) -> Vec<String> {
    let home = std::env::var("HOME").unwrap_or_default();
    let machine: Vec<String> = [format!("{}/", root.display()), format!("{home}/.")]
        .into_iter()
        .filter(|path| path.len() > 4)
        .collect();
    let mut findings = Vec::new();
    for path in tracked.iter().filter(|path| !path.starts_with("fixtures")) {
        let text = read(&root.join(path));
        for place in machine.iter().filter(|place| text.contains(place.as_str())) {
            findings.push(format!(
                "{}: names a path of this machine, {place}",
                path.display()
            ));
        }
        if path.extension().is_some_and(|extension| extension == "rs") {
            findings.extend(check_source(path, &text));
        }
    }
    findings
}

/// Files that the project as a whole must have.
pub(super) fn check_project(root: &Path) -> Vec<String> {
    let wanted = [
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "docs/format.md",
        "docs/semantics.md",
        ".ci/run",
    ];
    let missing = wanted.iter().filter(|name| !root.join(name).exists());
    let mut findings: Vec<String> = missing.map(|name| format!("{name} is missing")).collect();
    if !read(&root.join("CHANGELOG.md")).contains("## Unreleased") {
        findings.push("CHANGELOG.md has no section Unreleased".to_owned());
    }
    findings
}

fn check_source(path: &Path, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > MOST_LINES {
        findings.push(format!(
            "{}: {lines} lines, more than {MOST_LINES}",
            path.display()
        ));
    }
    for leftover in LEFTOVERS.iter().filter(|leftover| text.contains(*leftover)) {
        findings.push(format!("{}: has a {leftover}", path.display()));
    }
    let layer_0 = LAYER_0
        .iter()
        .any(|name| path.starts_with(format!("crates/{name}/src")));
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    for name in OUTSIDE
        .iter()
        .filter(|name| layer_0 && code.contains(*name))
    {
        findings.push(format!(
            "{}: {name} in a crate that opens nothing",
            path.display()
        ));
    }
    findings
}

/// Files of `tests/it` that `main.rs` does not name: they would never run.
fn forgotten_tests(member: &Member) -> Vec<String> {
    let folder = member.dir.join("tests/it");
    let main = read(&folder.join("main.rs"));
    let Ok(files) = fs::read_dir(&folder) else {
        return Vec::new();
    };
    let modules = files
        .filter_map(Result::ok)
        .map(|item| item.path())
        .filter(|path| {
            path.extension().is_some_and(|ext| ext == "rs") || path.join("mod.rs").exists()
        });
    let names = modules.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    names
        .filter(|name| name != "main" && !main.contains(&format!("mod {name};")))
        .map(|name| format!("{}: tests/it/main.rs has no `mod {name};`", member.name))
        .collect()
}

fn read(path: &Path) -> String {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_in_layer_0_is_found_and_one_in_its_tests_is_not() {
        let path = Path::new("crates/redup-format/src/time.rs");
        assert_eq!(check_source(path, "let now = SystemTime::now();").len(), 1);
        assert_eq!(
            check_source(path, "#[cfg(test)]\nmod tests { use std::fs; }").len(),
            0
        );
    }

    #[test]
    fn a_leftover_is_found() {
        let path = Path::new("crates/redup/src/main.rs");
        assert_eq!(check_source(path, concat!("todo", "!()")).len(), 1);
        assert_eq!(check_source(path, concat!("#[", "ignore]")).len(), 1);
    }
}
