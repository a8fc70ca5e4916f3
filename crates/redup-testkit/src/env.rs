//! A home of its own for the programs under test, and backups made in it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::fixtures::{self, Case};
use crate::gpghome::GpgHome;
use crate::listing::Listing;
use crate::log;
use crate::run::{self, Outcome, Running};
use crate::tools::{self, Version};

/// A program with duplicity's command line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Program {
    /// The real thing.
    Duplicity(Version),
    /// Ours; tests hand in `env!("CARGO_BIN_EXE_redup")`.
    Redup(PathBuf),
}

impl Program {
    /// Ours at `path`.
    #[must_use]
    pub fn redup(path: impl Into<PathBuf>) -> Self {
        Self::Redup(path.into())
    }

    /// A short name for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Duplicity(version) => version.to_string(),
            Self::Redup(_) => "redup".to_owned(),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Duplicity(version) => tools::duplicity(*version),
            Self::Redup(path) => path.clone(),
        }
    }
}

/// Folders and variables that no other test sees: HOME, GnuPG home, archive dirs, temporary files,
/// a target and a source. The programs get these variables and no others.
#[derive(Debug)]
pub struct TestEnv {
    root: TempDir,
    gpg: GpgHome,
    variables: Vec<(OsString, OsString)>,
    /// Options that every command gets: how to encrypt, prefixes, volume size.
    pub options: Vec<String>,
    /// The folder below the archive dir that commands use; another name is a fresh archive dir.
    pub name: String,
    /// The target; a folder of this environment unless a test sets another.
    pub url: String,
}

impl TestEnv {
    /// One with an empty GnuPG home, which is enough for everything but public keys.
    ///
    /// # Panics
    /// When the folders cannot be made.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::with(GpgHome::empty())
    }

    /// One whose GnuPG home holds the secret fixture keys.
    ///
    /// # Panics
    /// When the folders cannot be made, or gpg fails.
    #[must_use]
    #[track_caller]
    pub fn with_keys() -> Self {
        Self::with(GpgHome::with_fixture_keys())
    }

    /// One that holds a copy of a fixture: its target, its archive dir (named `fixture`), its
    /// variables and the options that its reader needs.
    ///
    /// # Panics
    /// When the folders cannot be made, or gpg fails.
    #[must_use]
    #[track_caller]
    pub fn with_fixture(case: &Case) -> Self {
        let keyed = case.options().iter().any(|option| option.ends_with("-key"));
        let mut env = if keyed {
            Self::with_keys()
        } else {
            Self::new()
        };
        fixtures::copy_files(&case.remote(), &env.target());
        env.name = "fixture".to_owned();
        fixtures::copy_files(&case.archive(), &env.archive());
        for (name, value) in case.variables() {
            env.set(name, value);
        }
        env.options = case.reading_options();
        env
    }

    /// Sets a variable for all programs.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        let name = name.into();
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, value.into()));
        self
    }

    /// Takes a variable away.
    pub fn unset(&mut self, name: &str) -> &mut Self {
        self.variables.retain(|(other, _)| other != name);
        self
    }

    /// A path in this environment, for whatever a test needs.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The source folder; tests make it.
    #[must_use]
    pub fn source(&self) -> PathBuf {
        self.path("source")
    }

    /// The target folder.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        self.path("target")
    }

    /// The archive dir of the current [`name`](Self::name).
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        self.path("archive").join(&self.name)
    }

    /// What `TMPDIR` points to.
    #[must_use]
    pub fn temp(&self) -> PathBuf {
        self.path("tmp")
    }

    /// The GnuPG home.
    #[must_use]
    pub fn gpg(&self) -> &GpgHome {
        &self.gpg
    }

    /// The program with this environment's variables and nothing else on its command line.
    #[must_use]
    #[track_caller]
    pub fn bare(&self, program: &Program) -> Command {
        let mut command = Command::new(program.path());
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("home"));
        command.env("GNUPGHOME", self.gpg.path());
        command.env("TMPDIR", self.temp());
        command.env("TZ", "UTC");
        command.env("LANG", "C.UTF-8");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.root.path());
        command
    }

    /// The program with archive dir, name, options and then `args`.
    #[must_use]
    #[track_caller]
    pub fn command<A: AsRef<OsStr>>(
        &self,
        program: &Program,
        action: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = self.bare(program);
        command
            .arg(action)
            .arg("--archive-dir")
            .arg(self.path("archive"));
        command
            .arg("--name")
            .arg(&self.name)
            .args(&self.options)
            .args(args);
        command
    }

    /// Runs one action to its end.
    ///
    /// # Panics
    /// When the program cannot be run, or hangs.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(
        &self,
        program: &Program,
        action: &str,
        args: impl IntoIterator<Item = A>,
    ) -> Outcome {
        run::run(&mut self.command(program, action, args))
    }

    /// A backup of [`source`](Self::source): `action` is `full`, `inc` or any other name of them.
    /// Host and folder of earlier sets do not matter.
    ///
    /// # Panics
    /// When the program cannot be run, or hangs.
    #[track_caller]
    pub fn backup(&self, program: &Program, action: &str, time: i64) -> Outcome {
        run::run(&mut self.backup_command(program, action, time))
    }

    /// Starts what [`backup`](Self::backup) runs.
    ///
    /// # Panics
    /// When the program cannot be run.
    #[must_use]
    #[track_caller]
    pub fn start_backup(&self, program: &Program, action: &str, time: i64) -> Running {
        Running::start(&mut self.backup_command(program, action, time))
    }

    /// The command of [`backup`](Self::backup), for tests that change it further.
    #[must_use]
    #[track_caller]
    pub fn backup_command(&self, program: &Program, action: &str, time: i64) -> Command {
        let time = time.to_string();
        let args = ["--allow-source-mismatch", "--current-time", &time];
        let mut command = self.command(program, action, args);
        command.arg(self.source()).arg(&self.url);
        command
    }

    /// Restores everything as of `time` (the newest without one) into a fresh folder, and returns
    /// it with the outcome.
    ///
    /// # Panics
    /// When the program cannot be run, or hangs.
    #[track_caller]
    pub fn restore(&self, program: &Program, time: Option<i64>) -> (PathBuf, Outcome) {
        let folder = self.fresh("restored");
        let mut command = self.command(program, "restore", time_args(time));
        command.arg(&self.url).arg(&folder);
        (folder, run::run(&mut command))
    }

    /// Restores into a fresh folder, asserts success and lists what came out.
    ///
    /// # Panics
    /// When the restore fails.
    #[track_caller]
    pub fn restored(&self, program: &Program, time: Option<i64>) -> Listing {
        let (folder, outcome) = self.restore(program, time);
        outcome.ok();
        let listing = Listing::of(&folder);
        // Kept small: a test restores many times, and looks at the listing only.
        drop(fs::remove_dir_all(&folder));
        listing
    }

    /// Verifies against [`source`](Self::source) with `--compare-data`.
    ///
    /// # Panics
    /// When the program cannot be run, or hangs.
    #[track_caller]
    pub fn verify(&self, program: &Program, time: Option<i64>) -> Outcome {
        let mut command = self.command(program, "verify", time_args(time));
        command
            .arg("--compare-data")
            .arg(&self.url)
            .arg(self.source());
        run::run(&mut command)
    }

    /// Lists the files as of `time`, and asserts success. duplicity leaves out names that are no
    /// UTF-8: compare with [`Listing::utf8_only`] then.
    ///
    /// # Panics
    /// When the listing fails.
    #[must_use]
    #[track_caller]
    pub fn listed(&self, program: &Program, time: Option<i64>) -> Vec<log::Listed> {
        let file = self.fresh("log");
        let mut command = self.command(program, "list-current-files", time_args(time));
        command.arg("--log-file").arg(&file).arg(&self.url);
        run::run(&mut command).ok();
        log::listed(&read_text(&file))
    }

    /// Asks for the chains and sets, and asserts success.
    ///
    /// # Panics
    /// When the status fails.
    #[must_use]
    #[track_caller]
    pub fn status(&self, program: &Program) -> log::Status {
        let file = self.fresh("log");
        let mut command = self.command(program, "collection-status", [&self.url]);
        run::run(command.arg("--log-file").arg(&file)).ok();
        log::status(&read_text(&file))
    }

    /// Copies of the target and of all archive dirs as they are now, to return to.
    ///
    /// # Panics
    /// When files cannot be copied.
    #[must_use]
    #[track_caller]
    pub fn snapshot(&self) -> Snapshot {
        let dir = self.fresh("snapshot");
        fixtures::copy_files(&self.target(), &dir.join("target"));
        if self.archive().exists() {
            fixtures::copy_files(&self.archive(), &dir.join("archive"));
        }
        Snapshot { dir }
    }

    /// Puts target and archive dir back to what `snapshot` took.
    ///
    /// # Panics
    /// When files cannot be copied.
    #[track_caller]
    pub fn return_to(&self, snapshot: &Snapshot) {
        for (from, to) in [("target", self.target()), ("archive", self.archive())] {
            drop(fs::remove_dir_all(&to));
            let kept = snapshot.dir.join(from);
            if kept.exists() {
                fixtures::copy_files(&kept, &to);
            }
        }
    }

    /// A path that nothing uses yet.
    #[must_use]
    pub fn fresh(&self, stem: &str) -> PathBuf {
        let free = |number: &usize| !self.path(&format!("{stem}-{number}")).exists();
        let number = (0..).find(free).unwrap_or_default();
        self.path(&format!("{stem}-{number}"))
    }

    #[track_caller]
    fn with(gpg: GpgHome) -> Self {
        let made = tempfile::Builder::new().prefix("redup-test-").tempdir();
        let root = made.unwrap_or_else(|error| panic!("cannot make a test folder: {error}"));
        for name in ["home", "archive", "tmp", "target"] {
            let folder = root.path().join(name);
            fs::create_dir(&folder)
                .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
        }
        let url = url_of(&root.path().join("target"));
        let name = "test".to_owned();
        Self {
            root,
            gpg,
            variables: Vec::new(),
            options: Vec::new(),
            name,
            url,
        }
    }
}

impl Default for TestEnv {
    fn default() -> Self {
        Self::new()
    }
}

/// What [`TestEnv::snapshot`] took; it lives as long as its environment.
#[derive(Debug)]
pub struct Snapshot {
    dir: PathBuf,
}

impl Snapshot {
    /// The copy of the target.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        self.dir.join("target")
    }

    /// The copy of the archive dir.
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        self.dir.join("archive")
    }
}

/// The `file://` URL of a folder.
#[must_use]
pub fn url_of(folder: &Path) -> String {
    format!("file://{}", folder.display())
}

#[track_caller]
fn read_text(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn time_args(time: Option<i64>) -> Vec<String> {
    time.map_or_else(Vec::new, |time| vec!["--time".to_owned(), time.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees;

    #[test]
    fn both_oracles_restore_what_they_backed_up() {
        for version in Version::ALL {
            let program = Program::Duplicity(version);
            let mut env = TestEnv::new();
            env.set("PASSPHRASE", "secret");
            trees::awkward().write(&env.source());
            env.backup(&program, "full", 1_704_067_200).ok();
            let expected = Listing::of(&env.source());
            env.restored(&program, None).assert_is(&expected, version);
            env.verify(&program, None).ok();
            let expected = expected.utf8_only();
            expected.assert_listed(&env.listed(&program, None), version);
            let status = env.status(&program);
            assert!(status.complete && status.sets.len() == 1, "{status:?}");
        }
    }

    #[test]
    fn a_snapshot_brings_target_and_archive_dir_back() {
        let env = TestEnv::new();
        fs::write(env.target().join("a"), "1").unwrap();
        let snapshot = env.snapshot();
        fs::write(env.target().join("a"), "2").unwrap();
        fs::write(env.target().join("b"), "3").unwrap();
        env.return_to(&snapshot);
        assert_eq!(fs::read(env.target().join("a")).unwrap(), b"1");
        assert!(!env.target().join("b").exists());
    }
}
