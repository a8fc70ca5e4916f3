//! The calls of the desktop program Déjà Dup, as it makes them: no terminal, both streams to nowhere, and
//! messages read from a descriptor. What it looks at has to be there, in its order and form.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use redup_testkit::damage::{find, names};
use redup_testkit::env::TestEnv;
use redup_testkit::listing::Listing;
use redup_testkit::log::{self, Stanza};
use redup_testkit::run::{Outcome, Running, run};
use redup_testkit::surroundings::OrdinaryUser;
use redup_testkit::trees;

use crate::cli::support::as_duplicity;

mod trouble;

/// A desktop that backs up one folder of the whole system.
struct Desktop {
    env: TestEnv,
    /// Whom it belongs to; otherwise whoever runs the tests.
    user: Option<OrdinaryUser>,
}

/// What the caller gets to see: the exit status and the messages.
struct Heard {
    outcome: Outcome,
    stanzas: Vec<Stanza>,
    log: String,
}

impl Desktop {
    fn new(passphrase: &str) -> Self {
        let mut env = TestEnv::new();
        env.set("PASSPHRASE", passphrase);
        trees::awkward().write(&env.source());
        Self { env, user: None }
    }

    fn command(&self, words: &[&str], log: &str) -> Command {
        let archive = self.env.path("cache/deja-dup");
        self.command_with(words, log, &archive)
    }

    /// A call with an archive dir of its own.
    fn command_with(&self, words: &[&str], log: &str, archive: &Path) -> Command {
        let env = &self.env;
        let mut command = env.bare(&as_duplicity(env));
        let program = command.get_program().to_owned();
        let variables: Vec<_> = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        let mut line = self.user.iter().flat_map(OrdinaryUser::words);
        command = Command::new(line.next().unwrap_or("setsid".into()));
        command.args(line);
        if self
            .user
            .as_ref()
            .is_some_and(|user| !user.words().is_empty())
        {
            command.arg("setsid");
        }
        command
            .arg("--wait")
            .args(["sh", "-c", "log=$1; shift; exec \"$@\" 9>\"$log\""]);
        command
            .arg("sh")
            .arg(env.path(log))
            .arg(program)
            .args(words);
        if variables
            .iter()
            .any(|(name, value)| name == "PASSPHRASE" && value.is_empty())
        {
            command.arg("--no-encryption");
        }
        command
            .args(["--verbosity=9", "--timeout=120", "--num-retries=1"])
            .arg(format!("--archive-dir={}", archive.display()))
            .arg(format!("--tempdir={}", env.temp().display()))
            .arg("--log-fd=9");
        command
            .env_clear()
            .envs(variables)
            .current_dir(env.path(""));
        command.stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn call(&self, words: &[&str]) -> Heard {
        self.heard(run(&mut self.command(words, "log")))
    }

    /// What a call has left.
    #[track_caller]
    fn heard(&self, outcome: Outcome) -> Heard {
        let log = fs::read_to_string(self.env.path("log")).unwrap();
        Heard {
            outcome,
            stanzas: log::stanzas(&log),
            log,
        }
    }

    fn url(&self) -> String {
        format!("gio+{}", self.env.url)
    }

    #[track_caller]
    fn backup(&self, words: &[&str]) -> Heard {
        self.heard(run(&mut self.backup_command(words)))
    }

    fn backup_command(&self, words: &[&str]) -> Command {
        let include = format!("--include={}", self.env.source().display());
        let url = self.url();
        let rest = [
            "--exclude=/proc",
            &include,
            "--exclude=**",
            "--exclude-if-present=CACHEDIR.TAG",
            "--exclude-if-present=.deja-dup-ignore",
            "--volsize=200",
            "/",
            &url,
        ];
        self.command(&[words, &rest].concat(), "log")
    }

    /// Its copy of the backup's metadata.
    fn clear_cache(&self) {
        fs::remove_dir_all(self.env.path("cache")).unwrap();
    }
}

impl Heard {
    #[track_caller]
    fn ok(self) -> Self {
        assert_eq!(self.outcome.status.code(), Some(0), "{}", self.log);
        assert!(self.all("ERROR").is_empty(), "{}", self.log);
        self
    }

    fn all(&self, keyword: &str) -> Vec<&Stanza> {
        self.stanzas
            .iter()
            .filter(|it| it.keyword == keyword)
            .collect()
    }

    fn info(&self, code: u32) -> Vec<&Stanza> {
        let wanted = |it: &&Stanza| it.keyword == "INFO" && it.code == code;
        self.stanzas.iter().filter(wanted).collect()
    }

    /// The one error: its code, its words and its text.
    #[track_caller]
    fn error(&self) -> (u32, &str, String) {
        let errors = self.all("ERROR");
        assert_eq!(errors.len(), 1, "{}", self.log);
        assert_eq!(self.outcome.status.code(), Some(errors[0].code as i32));
        (errors[0].code, &errors[0].words, errors[0].text.join("\n"))
    }
}

#[test]
fn a_first_backup_is_estimated_made_listed_and_restored() {
    for passphrase in ["", "secret"] {
        let desktop = Desktop::new(passphrase);
        let env = &desktop.env;
        let source = env.source().display().to_string();
        let inside = source.trim_start_matches('/');

        let empty = desktop.call(&["collection-status", &desktop.url()]).ok();
        let status = empty.info(3).pop().unwrap();
        assert!(!status.data.iter().any(|line| line.starts_with("chain-")));

        let estimate = desktop.backup(&["full", "--dry-run"]).ok();
        let total: u64 = estimate.info(2).last().unwrap().words.parse().unwrap();
        assert!(total > 100_000, "{total}");
        assert!(names(&env.target()).is_empty());

        let made = desktop.backup(&["full"]).ok();
        let done: u64 = made.info(2).last().unwrap().words.parse().unwrap();
        assert_eq!(done, total, "the last word on progress is all of it");
        assert!(!made.info(11).is_empty(), "an upload is told");
        let added = log::paths(&made.log, 4);
        assert!(
            added
                .iter()
                .any(|path| path.to_bytes().starts_with(inside.as_bytes()))
        );
        assert!(made.all("WARNING").is_empty(), "{}", made.log);

        let status = desktop.call(&["collection-status", &desktop.url()]).ok();
        let found = log::status(&status.log);
        let word = if passphrase.is_empty() {
            "noenc"
        } else {
            "enc"
        };
        assert!(found.complete && found.sets[0].ends_with(word), "{found:?}");
        let time = found.sets[0].split(' ').nth(1).unwrap().to_owned();

        let time_option = format!("--time={time}");
        let list = desktop
            .call(&["list-current-files", &time_option, &desktop.url()])
            .ok();
        assert_eq!(log::listed(&list.log).len(), added.len());

        let to = env.path("restored");
        let restored = desktop
            .call(&[
                "restore",
                &format!("--path-to-restore={inside}"),
                &time_option,
                "--no-restore-ownership",
                "--force",
                &desktop.url(),
                to.to_str().unwrap(),
            ])
            .ok();
        Listing::of(&to).assert_is(&Listing::of(&env.source()), "restored");
        let progress = restored.info(2);
        assert_eq!(progress.last().unwrap().words, "1 1");
        assert!(!log::paths(&restored.log, 7).is_empty());
    }
}

#[test]
fn folders_come_back_into_a_home_of_another_name() {
    let desktop = Desktop::new("");
    let env = &desktop.env;
    desktop.backup(&["full"]).ok();
    let source = env.source().display().to_string();
    let (old, new) = (source.trim_start_matches('/'), "home/new");
    let to = env.path("system");
    desktop
        .call(&[
            "restore",
            "--rename",
            old,
            new,
            "--no-restore-ownership",
            "--force",
            &desktop.url(),
            to.to_str().unwrap(),
        ])
        .ok();
    Listing::of(&to.join(new)).assert_is(&Listing::of(&env.source()), "renamed");
}

#[test]
fn the_password_is_asked_for_and_a_wrong_one_told() {
    let mut desktop = Desktop::new("secret");
    desktop.backup(&["full"]).ok();
    let url = desktop.url();

    desktop.env.unset("PASSPHRASE");
    desktop.clear_cache();
    let list = desktop.call(&["list-current-files", &url]);
    assert_eq!((list.error().0, list.error().1), (30, "EOFError"));

    desktop.env.set("PASSPHRASE", "wrong");
    let list = desktop.call(&["list-current-files", &url]);
    let (code, words, text) = list.error();
    assert_eq!((code, words), (31, "GPGError"));
    assert!(text.contains("Bad session key"), "{text}");

    // It removes manifests before a full, so that a wrong password does not begin a new chain.
    desktop.env.set("PASSPHRASE", "secret");
    desktop.call(&["list-current-files", &url]).ok();
    let cache = desktop.env.path("cache/deja-dup");
    let folder = cache.join(&names(&cache)[0]);
    fs::remove_file(find(&folder, &["duplicity-full.", ".manifest"])).unwrap();
    desktop.env.set("PASSPHRASE", "wrong");
    let full = desktop.backup(&["full"]);
    assert_eq!(full.error().0, 31);
    assert_eq!(names(&desktop.env.target()).len(), 3);
}

#[test]
fn what_is_not_there_has_its_codes() {
    let desktop = Desktop::new("");
    let url = desktop.url();
    let list = desktop.call(&["list-current-files", &url]);
    assert_eq!((list.error().0, list.error().1), (30, "CollectionsError"));
    desktop.backup(&["full"]).ok();
    let to = desktop.env.path("out").display().to_string();
    let missing = desktop.call(&["restore", "--path-to-restore=no/such", "--force", &url, &to]);
    assert_eq!(missing.error().0, 19);
}

#[test]
fn a_cancelled_backup_is_cleaned_up_and_old_ones_make_room() {
    let desktop = Desktop::new("");
    let env = &desktop.env;
    let url = desktop.url();
    for _ in 0..3 {
        desktop.backup(&["full"]).ok();
    }
    desktop
        .call(&["remove-all-but-n-full", "1", "--force", &url])
        .ok();
    let whole = names(&env.target());
    assert_eq!(whole.len(), 3);

    // Cancelling is SIGKILL to the group, and then this.
    trees::filler(40).write(&env.source());
    let include = format!("--include={}", env.source().display());
    let words = ["full", &include, "--exclude=**", "--volsize=1", "/", &url];
    let running = Running::start(&mut desktop.command(&words, "killed"));
    let (killed, outcome) = running.kill_when(|| names(&env.target()).len() > 6);
    assert!(killed, "{outcome}");
    // The shell's child outlives it for a moment, and holds the lock.
    let cleaned = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let cleaned = desktop.call(&["cleanup", "--force", &url]);
        (cleaned.outcome.status.code() != Some(23)).then_some(cleaned)
    });
    cleaned.unwrap().ok();
    let status = desktop.call(&["collection-status", &url]).ok();
    assert!(status.all("WARNING").is_empty(), "{}", status.log);
}
