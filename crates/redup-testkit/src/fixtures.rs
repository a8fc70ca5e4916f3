//! The golden archives of `fixtures/`, case by case.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::listing::Listing;
use crate::{run, tools};

/// The passphrase of all symmetric cases.
pub const PASSPHRASE: &str = "fixture-passphrase";
/// Seconds since the epoch at which state 0, 1 and 2 were backed up.
pub const TIMES: [i64; 3] = [1_704_067_200, 1_704_153_600, 1_704_240_000];
/// The host name that the manifests record.
pub const HOST: &str = "fixture-host";

/// One folder `fixtures/<version>/<case>`.
#[derive(Clone, Debug)]
pub struct Case {
    /// `0.8.22`, `3.2.1` or `mixed`.
    pub version: String,
    /// The name of the case.
    pub name: String,
    dir: PathBuf,
    commands: String,
}

/// The folder `fixtures/`.
#[must_use]
pub fn root() -> PathBuf {
    tools::workspace().join("fixtures")
}

/// All cases, found by walking the folders: one that is added is covered by that.
///
/// # Panics
/// When a folder holds no whole case: every one needs `remote/`, `archive/`, `commands.txt` and at
/// least one expected state.
#[must_use]
#[track_caller]
pub fn cases() -> Vec<Case> {
    const NOT_CASES: [&str; 3] = ["keys", "tools", "vectors"];
    let mut cases = Vec::new();
    for version in folders(&root()) {
        if NOT_CASES.contains(&version.as_str()) {
            continue;
        }
        for name in folders(&root().join(&version)) {
            let dir = root().join(&version).join(&name);
            let commands = fs::read_to_string(dir.join("commands.txt"))
                .unwrap_or_else(|error| panic!("{}/commands.txt: {error}", dir.display()));
            let whole = ["remote", "archive", "expected/state0.jsonl"];
            for part in whole.map(|part| dir.join(part)) {
                assert!(part.exists(), "{} is missing", part.display());
            }
            cases.push(Case {
                version: version.clone(),
                name,
                dir,
                commands,
            });
        }
    }
    assert!(!cases.is_empty(), "no cases in {}", root().display());
    cases
}

/// The one case of that version and name.
///
/// # Panics
/// When there is none.
#[must_use]
#[track_caller]
pub fn case(version: &str, name: &str) -> Case {
    let found = cases()
        .into_iter()
        .find(|case| case.version == version && case.name == name);
    found.unwrap_or_else(|| panic!("there is no fixture {version}/{name}"))
}

/// Brings the source tree `kind` at `dest` (missing, or at the state before) to `state`.
///
/// # Panics
/// When `mktree.py` fails; `attrs` needs root.
#[track_caller]
pub fn make_tree(kind: &str, state: usize, dest: &Path) {
    let script = root().join("tools/mktree.py");
    run::run(
        Command::new("python3")
            .arg(script)
            .args([kind, &state.to_string()])
            .arg(dest),
    )
    .ok();
}

impl Case {
    /// `version/name`, for messages.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}/{}", self.version, self.name)
    }

    /// The stored target folder; not to be written to.
    #[must_use]
    pub fn remote(&self) -> PathBuf {
        self.dir.join("remote")
    }

    /// The stored archive dir; not to be written to.
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        self.dir.join("archive")
    }

    /// How many states the case has.
    #[must_use]
    pub fn states(&self) -> usize {
        (0..TIMES.len())
            .take_while(|&state| self.expected_path(state).exists())
            .count()
    }

    /// The tree that a restore of `state` gives.
    ///
    /// # Panics
    /// When the case has no such state.
    #[must_use]
    #[track_caller]
    pub fn expected(&self, state: usize) -> Listing {
        Listing::load(&self.expected_path(state))
    }

    /// Whether its last run was killed and waits to be resumed.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.name.starts_with("partial-")
    }

    /// The kind of its source tree, for [`make_tree`].
    #[must_use]
    pub fn tree(&self) -> String {
        let word = self
            .commands
            .split("mktree.py ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        word.unwrap_or_default().to_owned()
    }

    /// The options its commands had beyond time, archive dir and name.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        let line = self.duplicity_line();
        let words = line
            .split_whitespace()
            .skip_while(|word| *word != "fixture")
            .skip(1);
        words
            .take_while(|word| !word.starts_with('/'))
            .map(str::to_owned)
            .collect()
    }

    /// The options that a reader of the archive needs: file prefixes, and whether it is encrypted.
    #[must_use]
    pub fn reading_options(&self) -> Vec<String> {
        let mut wanted = Vec::new();
        let mut options = self.options().into_iter();
        while let Some(option) = options.next() {
            if option.starts_with("--file-prefix") {
                wanted.push(option);
                wanted.extend(options.next());
            } else if option == "--no-encryption" {
                wanted.push(option);
            }
        }
        wanted
    }

    /// The variables its commands had: `PASSPHRASE`, `SIGN_PASSPHRASE`, `TZ`.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        let line = self.duplicity_line();
        let words = line
            .split_whitespace()
            .take_while(|word| *word != "duplicity");
        words
            .filter_map(|word| word.split_once('='))
            .map(|(n, v)| (n.into(), v.into()))
            .collect()
    }

    fn expected_path(&self, state: usize) -> PathBuf {
        self.dir.join(format!("expected/state{state}.jsonl"))
    }

    /// The last backup command.
    fn duplicity_line(&self) -> &str {
        let mut lines = self.commands.lines().filter(|line| !line.starts_with('#'));
        lines
            .rfind(|line| line.contains("duplicity "))
            .unwrap_or_default()
    }
}

/// Copies the files of `from`, one level, into `to`, which is made.
///
/// # Panics
/// When a file cannot be copied.
#[track_caller]
pub fn copy_files(from: &Path, to: &Path) {
    let copied = fs::create_dir_all(to).and_then(|()| {
        for item in fs::read_dir(from)? {
            let item = item?;
            if item.file_type()?.is_file() {
                fs::copy(item.path(), to.join(item.file_name()))?;
            }
        }
        Ok(())
    });
    copied.unwrap_or_else(|error| panic!("cannot copy {}: {error}", from.display()));
}

#[track_caller]
fn folders(dir: &Path) -> Vec<String> {
    let mut names = crate::damage::names(dir);
    names.retain(|name| dir.join(name).is_dir());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_say_how_they_were_made() {
        let case = case("0.8.22", "prefix");
        assert_eq!(case.tree(), "small");
        assert_eq!(
            case.options()[..3],
            ["--no-encryption", "--file-prefix", "all-"]
        );
        assert_eq!(case.states(), 3);
        let signed = super::case("3.2.1", "sym-sign");
        assert_eq!(
            signed.variables()[0],
            ("PASSPHRASE".into(), PASSPHRASE.into())
        );
        assert!(signed.reading_options().is_empty());
    }

    #[test]
    fn every_version_and_both_mixed_chains_are_there() {
        let cases = cases();
        let count = |version: &str| cases.iter().filter(|case| case.version == version).count();
        assert_eq!(
            (count("0.8.22"), count("3.2.1"), count("mixed")),
            (18, 16, 2)
        );
    }

    #[test]
    fn a_source_tree_can_be_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("src");
        make_tree("grow", 0, &source);
        make_tree("grow", 1, &source);
        assert_eq!(Listing::of(&source).len(), 4);
    }
}
