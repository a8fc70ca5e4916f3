//! What it does about trouble: what it asks, repeats, cleans up and shows hangs on the codes, words and texts here.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use redup_testkit::surroundings::SmallDisk;
use rustix::process::{Pid, Signal, kill_process};

use super::*;

impl Desktop {
    /// The same for somebody whom permissions bind.
    fn owned(mut self) -> Self {
        // Where the program was built may be out of reach for others.
        fs::copy(env!("CARGO_BIN_EXE_redup"), self.env.path("duplicity")).unwrap();
        self.user = Some(OrdinaryUser::owning(&self.env));
        self
    }

    /// A backup of volumes of 1 MiB.
    fn many_volumes(&self, log: &str) -> Command {
        let include = format!("--include={}", self.env.source().display());
        let url = self.url();
        let words = ["full", &include, "--exclude=**", "--volsize=1", "/", &url];
        self.command(&words, log)
    }

    /// SIGKILL in the middle of such a backup. The next call waits until the lock is free, which goes with the
    /// process.
    fn killed(&self) {
        trees::filler(40).write(&self.env.source());
        let mut command = self.many_volumes("killed");
        let (killed, outcome) =
            Running::start(&mut command).kill_when(|| names(&self.env.target()).len() > 6);
        assert!(killed, "{outcome}");
        thread::sleep(Duration::from_millis(100));
    }

    fn restored(&self) -> PathBuf {
        let to = self.env.fresh("restored");
        let inside = self.env.source().display().to_string();
        let path = format!("--path-to-restore={}", inside.trim_start_matches('/'));
        let (url, out) = (self.url(), to.display().to_string());
        let words = ["restore", &path, "--no-restore-ownership", "--force"];
        self.call(&[&words[..], &[&url, &out]].concat()).ok();
        to
    }
}

impl Heard {
    /// Warnings that make it clean up.
    fn of_leftovers(&self) -> Vec<&Stanza> {
        let mut warnings = self.all("WARNING");
        warnings.retain(|it| (2..=6).contains(&it.code));
        warnings
    }

    fn warned(&self, code: u32) -> Vec<(&str, String)> {
        let warnings = self.all("WARNING").into_iter();
        warnings
            .filter(|it| it.code == code)
            .map(|it| (it.words.as_str(), it.text.join("\n")))
            .collect()
    }

    fn says(&self, text: &str) -> bool {
        self.stanzas
            .iter()
            .any(|it| it.text.iter().any(|line| line.contains(text)))
    }
}

#[test]
fn a_computer_of_another_name_is_asked_about_and_then_allowed() {
    let desktop = Desktop::new("");
    desktop.backup(&["full"]).ok();
    // As if it had been made elsewhere.
    let host = gethostname();
    for folder in [desktop.env.target(), cache(&desktop)] {
        let manifest = find(&folder, &["full.", ".manifest"]);
        let bytes = fs::read(&manifest).unwrap();
        let rest = bytes.strip_prefix(format!("Hostname {host}\n").as_bytes());
        let elsewhere = [b"Hostname else'where\n", rest.unwrap()].concat();
        fs::write(&manifest, elsewhere).unwrap();
    }
    let refused = desktop.backup(&["incremental"]);
    let (code, words, _) = refused.error();
    let both = format!("'{host}' 'else\\x27where'");
    assert_eq!((code, words), (3, both.as_str()));
    assert_eq!(names(&desktop.env.target()).len(), 3);

    desktop
        .backup(&["incremental", "--allow-source-mismatch"])
        .ok();
    // From here on it is this one's.
    desktop.backup(&["incremental"]).ok();
}

#[test]
fn another_folder_is_asked_about_and_then_allowed() {
    let desktop = Desktop::new("");
    let source = desktop.env.source().display().to_string();
    let url = desktop.url();
    desktop.backup(&["full"]).ok();
    let refused = desktop.call(&["incremental", &source, &url]);
    let both = format!("'{source}' '/'");
    assert_eq!((refused.error().0, refused.error().1), (42, both.as_str()));
    desktop
        .call(&["incremental", "--allow-source-mismatch", &source, &url])
        .ok();
}

#[test]
fn one_file_is_restored_with_nothing_but_the_password() {
    let mut desktop = Desktop::new("secret");
    let canary = desktop.env.source().join("cache/metadata");
    fs::create_dir_all(canary.parent().unwrap()).unwrap();
    fs::write(&canary, "canary\n").unwrap();
    desktop.backup(&["full"]).ok();
    let standing = names(&cache(&desktop));

    let inside = canary.display().to_string();
    let path = format!("--path-to-restore={}", inside.trim_start_matches('/'));
    let url = desktop.url();
    let verify = |desktop: &Desktop, name: &str| {
        // Both are in a folder that it throws away.
        let folder = desktop.env.temp().join(name);
        fs::create_dir(&folder).unwrap();
        let to = folder.join("metadata");
        let out = to.display().to_string();
        let words = [
            "restore",
            &path,
            "--no-restore-ownership",
            "--force",
            &url,
            &out,
        ];
        let mut command = desktop.command_with(&words, "log", &folder.join("cache"));
        (desktop.heard(run(&mut command)), to)
    };
    let (heard, to) = verify(&desktop, "duplicity-abc123");
    heard.ok();
    assert_eq!(fs::read_to_string(to).unwrap(), "canary\n");

    desktop.env.set("PASSPHRASE", "wrong");
    let (heard, to) = verify(&desktop, "duplicity-def456");
    let (code, words, text) = heard.error();
    assert_eq!((code, words), (31, "GPGError"));
    assert!(text.contains("Bad session key"), "{text}");
    assert!(!to.exists());

    desktop.env.unset("PASSPHRASE");
    let (heard, to) = verify(&desktop, "duplicity-ghi789");
    assert_eq!((heard.error().0, heard.error().1), (30, "EOFError"));
    assert!(!to.exists());
    assert_eq!(names(&cache(&desktop)), standing, "the cache is left alone");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let desktop = Desktop::new("");
    let closed = desktop.env.source().join("mine's ü");
    fs::write(&closed, "mine").unwrap();
    let desktop = desktop.owned();
    fs::set_permissions(&closed, PermissionsExt::from_mode(0o000)).unwrap();
    let heard = desktop.backup(&["full"]);
    let quoted = format!("'{}/mine\\x27s \\xfc'", desktop.env.source().display());
    let [(words, text)] = &heard.warned(10)[..] else {
        panic!("{}", heard.log);
    };
    assert_eq!(*words, quoted);
    assert!(text.contains("[Errno 13]"), "{text}");
    // What is told of it comes before the status, which tells a backup that lacks files from one that does not.
    assert_eq!(heard.error().0, 1);
    assert!(!heard.info(13).is_empty(), "the rest is stored");
    let to = desktop.restored();
    assert!(!to.join("mine's ü").exists() && to.is_dir());
}

#[test]
fn paths_that_cannot_be_restored_are_named() {
    let desktop = Desktop::new("");
    let source = desktop.env.source();
    fs::write(source.join("other"), "restored").unwrap();
    fs::write(source.join("in the way"), "of a folder").unwrap();
    desktop.backup(&["full"]).ok();
    let inside = source.display().to_string();
    let path = format!("--path-to-restore={}", inside.trim_start_matches('/'));
    let to = desktop.env.path("out");
    fs::create_dir_all(to.join("in the way/full")).unwrap();
    let (url, out) = (desktop.url(), to.display().to_string());
    let heard = desktop.call(&[
        "restore",
        &path,
        "--no-restore-ownership",
        "--force",
        &url,
        &out,
    ]);
    let [(words, text)] = &heard.warned(12)[..] else {
        panic!("{}", heard.log);
    };
    assert_eq!(*words, "'in the way'");
    assert!(text.starts_with(". Error '"), "{text}");
    assert!(
        text.contains("[Errno 21]") && text.ends_with("processing in the way"),
        "{text}"
    );
    assert_eq!(heard.error().0, 1);
    let others = Listing::of(&to)
        .without(b"in the way")
        .without(b"in the way/full");
    others.assert_is(&Listing::of(&source).without(b"in the way"), "all others");
}

#[test]
fn a_backup_that_was_killed_goes_on_without_a_reason_to_clean_up() {
    let desktop = Desktop::new("");
    desktop.killed();
    let again = desktop.heard(run(&mut desktop.many_volumes("log"))).ok();
    assert!(again.of_leftovers().is_empty(), "{}", again.log);
    assert!(
        again.says("left a partial set, restarting"),
        "{}",
        again.log
    );
    Listing::of(&desktop.restored()).assert_is(&Listing::of(&desktop.env.source()), "resumed");
}

#[test]
fn what_nobody_can_go_on_with_is_cleaned_up_once() {
    let desktop = Desktop::new("");
    desktop.killed();
    desktop.clear_cache();
    let url = desktop.url();
    // It ends a backup at the first of these, cleans up, and starts over.
    let first = desktop.heard(run(&mut desktop.many_volumes("log")));
    assert_eq!(first.of_leftovers()[0].code, 5, "{}", first.log);
    desktop.call(&["cleanup", "--force", &url]).ok();
    let second = desktop.heard(run(&mut desktop.many_volumes("log"))).ok();
    assert!(second.of_leftovers().is_empty(), "{}", second.log);
    Listing::of(&desktop.restored()).assert_is(&Listing::of(&desktop.env.source()), "anew");
}

#[test]
fn a_backup_that_was_stopped_goes_on() {
    let desktop = Desktop::new("");
    trees::filler(20).write(&desktop.env.source());
    let running = Running::start(&mut desktop.many_volumes("log"));
    let pid = Pid::from_raw(running.id().try_into().unwrap()).unwrap();
    while names(&desktop.env.target()).is_empty() {
        thread::yield_now();
    }
    kill_process(pid, Signal::STOP).unwrap();
    let state = || fs::read_to_string(format!("/proc/{}/stat", running.id())).unwrap();
    while !state().contains(") T ") {
        assert!(!state().contains(") Z "), "it was faster");
        thread::yield_now();
    }
    kill_process(pid, Signal::CONT).unwrap();
    desktop.heard(running.wait()).ok();
    Listing::of(&desktop.restored()).assert_is(&Listing::of(&desktop.env.source()), "all of it");
}

#[test]
fn a_full_target_is_told_with_both_names() {
    let desktop = Desktop::new("");
    fs::write(desktop.env.source().join("large"), trees::noise(1, 4 << 20)).unwrap();
    let Some(disk) = SmallDisk::over(&desktop.env.target(), 1024) else {
        // Nobody may mount here. The words are those of `a_full_store_names_operation_and_object`.
        return;
    };
    let heard = desktop.heard(disk.run(desktop.backup_command(&["full"])));
    let (code, words, text) = heard.error();
    // Five words in all are what "no space left" is told by.
    let volume = words.split(' ').nth(1).unwrap();
    assert_eq!((code, words), (53, &*format!("put {volume} {volume}")));
    assert!(volume.contains("/duplicity-full.") && volume.ends_with(".vol1.difftar.gz'"));
    assert!(text.contains("[Errno 28]"), "{text}");
}

#[test]
fn a_full_disk_for_the_cache_is_told_by_its_number() {
    let desktop = Desktop::new("");
    trees::filler(4).write(&desktop.env.source());
    fs::create_dir(desktop.env.path("cache")).unwrap();
    let Some(disk) = SmallDisk::over(&desktop.env.path("cache"), 32) else {
        return;
    };
    let heard = desktop.heard(disk.run(desktop.backup_command(&["full"])));
    let (code, words, text) = heard.error();
    assert_eq!((code, words), (30, "OSError"));
    assert!(text.contains("[Errno 28]"), "{text}");
}

#[test]
fn a_target_that_is_closed_is_told_with_its_name() {
    let desktop = Desktop::new("").owned();
    let target = desktop.env.target();
    if desktop.user.as_ref().unwrap().words().is_empty() {
        // Whoever runs the tests is bound by permissions, too.
        assert!(!rustix::process::geteuid().is_root());
    }
    fs::set_permissions(&target, PermissionsExt::from_mode(0o500)).unwrap();
    let put = desktop.backup(&["full"]);
    let words = put.error().1.to_owned();
    assert_eq!(put.error().0, 51);
    assert!(words.starts_with(&format!("put '{}/", target.display())));

    fs::set_permissions(&target, PermissionsExt::from_mode(0o000)).unwrap();
    let list = desktop.call(&["list-current-files", &desktop.url()]);
    let named = format!("list '{}'", target.display());
    assert_eq!((list.error().0, list.error().1), (51, named.as_str()));
    fs::set_permissions(&target, PermissionsExt::from_mode(0o700)).unwrap();
}

/// The only folder of metadata that it has.
fn cache(desktop: &Desktop) -> PathBuf {
    let cache = desktop.env.path("cache/deja-dup");
    cache.join(&names(&cache)[0])
}

fn gethostname() -> String {
    let name = rustix::system::uname().nodename().to_owned();
    name.into_string().unwrap()
}
