//! The golden archives: whole, and how to make them again.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::workspace::root;

const NOT_CASES: [&str; 3] = ["keys", "tools", "vectors"];

const REMAKE: &str = "\
To make them again (as root, on a Debian 12 with duplicity 0.8.22 and a venv with 3.2.1):

  export GNUPGHOME=$(mktemp -d) D0822=/usr/bin/duplicity \\
         D321=target/test-tools/duplicity-3.2.1/bin/duplicity
  gpg --import fixtures/keys/*.sec.asc
  fixtures/tools/make-fixtures.sh fixtures

The partial-* cases are made one by one with kill_after_volume.py, as their commands.txt says.
What is random (session keys, salts, gzip times) differs; fixtures/README.md has the layout.
";

/// Checks the fixtures and prints how they are made.
///
/// # Errors
/// When a case lacks a part.
pub(crate) fn run() -> Result {
    check()?;
    print!("{REMAKE}");
    Ok(())
}

/// Checks that every folder of `fixtures/` is a whole case; the tests walk the same folders, so a
/// whole case is a covered one.
///
/// # Errors
/// When a case lacks a part.
pub(crate) fn check() -> Result {
    let fixtures = root().join("fixtures");
    let mut count = 0;
    for version in folders(&fixtures)? {
        if NOT_CASES.contains(&version.as_str()) {
            continue;
        }
        for case in folders(&fixtures.join(&version))? {
            check_case(&fixtures.join(&version).join(&case))?;
            count += 1;
        }
    }
    println!("{count} fixtures are whole");
    Ok(())
}

fn check_case(dir: &Path) -> Result {
    for part in ["remote", "archive", "commands.txt", "expected/state0.jsonl"] {
        if !dir.join(part).exists() {
            return Err(format!("{} has no {part}", dir.display()).into());
        }
    }
    if fs::read_dir(dir.join("remote"))?.next().is_none() {
        return Err(format!("{}/remote is empty", dir.display()).into());
    }
    Ok(())
}

fn folders(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for item in fs::read_dir(dir)? {
        let item = item?;
        if item.file_type()?.is_dir() {
            names.push(item.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
