//! Trouble from outside: wrong words, wrong keys, full disks, files that will not be read.
//!
//! Each is a clear error with duplicity's exit status, no panic, and nothing changed that was
//! there before.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use redup_testkit::damage::{find, names};
use redup_testkit::env::{TestEnv, url_of};
use redup_testkit::fixtures::{PASSPHRASE, TIMES};
use redup_testkit::gpghome::ENCRYPT_KEY;
use redup_testkit::listing::{Listing, same_files};
use redup_testkit::run::{Outcome, Running, run};
use redup_testkit::surroundings::{OrdinaryUser, SmallDisk};
use redup_testkit::trees::{self, Node, Tree};

use crate::redup;

#[test]
fn an_unknown_option_is_named() {
    let env = saved();
    env.run(
        &redup(),
        "restore",
        ["--no-such-thing", &env.url, "somewhere"],
    )
    .code(23)
    .says("--no-such-thing");
}

#[test]
fn a_wrong_passphrase_is_told_from_damage() {
    let mut env = saved();
    let before = env.snapshot();
    env.set("PASSPHRASE", "not the one");
    env.name = "fresh".to_owned();
    fails(&env.restore(&redup(), None).1).says("passphrase");
    fails(&env.backup(&redup(), "inc", TIMES[1])).says("passphrase");
    assert!(same_files(&env.target(), &before.target()));
}

#[test]
fn a_full_backup_with_another_passphrase_leaves_the_old_chain_readable() {
    let mut env = saved();
    let expected = Listing::of(&env.source());
    env.set("PASSPHRASE", "not the one");
    env.name = "fresh".to_owned();
    // Whether it is refused or made, what was saved before must stay readable with its passphrase.
    env.backup(&redup(), "full", TIMES[1]);
    env.set("PASSPHRASE", PASSPHRASE);
    env.name = "another".to_owned();
    env.restored(&redup(), Some(TIMES[0]))
        .assert_is(&expected, "the old chain");
}

#[test]
fn no_passphrase_and_no_terminal_is_the_error_that_front_ends_wait_for() {
    let mut env = saved();
    env.unset("PASSPHRASE");
    env.name = "fresh".to_owned();
    let log = env.path("log");
    let mut restore = env.command(&redup(), "restore", ["--log-file"]);
    restore.arg(&log).arg(&env.url).arg(env.path("out"));
    run(&mut restore).code(30);
    assert!(
        fs::read_to_string(log)
            .unwrap()
            .contains("ERROR 30 EOFError")
    );
}

#[test]
fn a_recipient_that_no_keyring_has_is_named() {
    let mut env = TestEnv::new();
    env.options = vec!["--encrypt-key".to_owned(), "0123456789ABCDEF".to_owned()];
    env.set("PASSPHRASE", "");
    small().write(&env.source());
    fails(&env.backup(&redup(), "full", TIMES[0])).says("0123456789ABCDEF");
    assert!(names(&env.target()).is_empty(), "nothing may be stored");
}

#[test]
fn a_missing_secret_key_is_an_error_that_names_the_key() {
    let mut env = TestEnv::with_keys();
    env.options = vec!["--encrypt-key".to_owned(), ENCRYPT_KEY.to_owned()];
    env.set("PASSPHRASE", "");
    small().write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    // Another home, without the secret key.
    let empty = redup_testkit::gpghome::GpgHome::empty();
    env.name = "fresh".to_owned();
    let mut restore = env.command(&redup(), "restore", [&env.url]);
    restore.arg(env.path("out")).env("GNUPGHOME", empty.path());
    fails(&run(&mut restore)).says("A89709C486FB022F");
}

#[test]
fn a_folder_without_a_backup_is_said_to_be_one() {
    let env = TestEnv::new();
    fs::write(env.target().join("holiday.jpg"), "not a backup").unwrap();
    fails(&env.restore(&redup(), None).1).says("No backup chains found");
    assert_eq!(names(&env.target()), ["holiday.jpg"]);
}

#[test]
fn a_target_that_does_not_exist_is_named() {
    let mut env = TestEnv::new();
    env.url = url_of(&env.path("nowhere"));
    fails(&env.restore(&redup(), None).1).says("nowhere");
}

#[test]
fn an_increment_without_a_full_is_refused() {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    small().write(&env.source());
    env.backup(&redup(), "incremental", TIMES[0]).code(17);
    assert!(names(&env.target()).is_empty());
}

#[test]
fn a_source_that_is_missing_is_named() {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    fails(&env.backup(&redup(), "full", TIMES[0])).says("source");
    assert!(names(&env.target()).is_empty());
}

#[test]
fn another_source_or_host_is_refused_unless_allowed() {
    let env = saved();
    let other = env.path("other");
    small().write(&other);
    env.run(&redup(), "inc", [other.to_str().unwrap(), &env.url])
        .code(42);
    let time = TIMES[1].to_string();
    let words = [
        "--allow-source-mismatch",
        "--current-time",
        &time,
        other.to_str().unwrap(),
    ];
    env.run(&redup(), "inc", words.into_iter().chain([env.url.as_str()]))
        .ok();
}

#[test]
fn a_restore_into_a_folder_that_holds_something_is_refused() {
    let env = saved();
    let full = env.path("full-folder");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine"), "precious").unwrap();
    env.run(
        &redup(),
        "restore",
        [env.url.as_str(), full.to_str().unwrap()],
    )
    .code(11);
    assert_eq!(names(&full), ["mine"]);
}

#[test]
fn a_path_that_is_not_in_the_backup_is_named() {
    let env = saved();
    let words = ["--path-to-restore", "no/such", &env.url, "out"];
    env.run(&redup(), "restore", words).code(19).says("no/such");
}

#[test]
fn a_second_run_at_the_same_time_is_refused() {
    let env = saved();
    fs::create_dir_all(env.archive()).unwrap();
    // The lock of another program: a POSIX record lock, as duplicity takes it.
    let script = "import fcntl,sys,time\nf=open(sys.argv[1],'a')\nfcntl.lockf(f,fcntl.LOCK_EX)\n\
                  open(sys.argv[2],'w').close()\ntime.sleep(60)";
    let ready = env.path("locked");
    let mut locker = Command::new("python3");
    locker
        .args(["-c", script])
        .arg(env.archive().join("lockfile"))
        .arg(&ready);
    let locker = Running::start(&mut locker);
    while !ready.exists() {
        thread::yield_now();
    }
    // Each command takes it, and who does not get it leaves the file to whoever has it.
    for _ in 0..2 {
        env.backup(&redup(), "inc", TIMES[1])
            .code(23)
            .says("Another");
        env.run(&redup(), "collection-status", [&env.url]).code(23);
        env.run(&redup(), "cleanup", ["--force", &*env.url])
            .code(23);
        assert!(env.archive().join("lockfile").exists());
    }
    drop(locker);
    // A file that nobody has locked is no lock; it is gone in the end.
    env.backup(&redup(), "inc", TIMES[1]).ok();
    assert!(!env.archive().join("lockfile").exists());
}

#[test]
fn a_local_manifest_that_differs_from_the_stored_one_stops_an_increment() {
    let env = saved();
    let manifest = find(&env.archive(), &["full.", ".manifest"]);
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("Hostname ", "Hostname not-")).unwrap();
    let time = TIMES[1].to_string();
    let source = env.source();
    let words = ["--current-time", &time, source.to_str().unwrap(), &env.url];
    env.run(&redup(), "inc", words).code(5);
}

#[test]
fn an_unreadable_file_is_listed_and_all_others_are_saved() {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    small().write(&env.source());
    fs::set_permissions(env.source().join("b"), PermissionsExt::from_mode(0o000)).unwrap();
    let user = OrdinaryUser::owning(&env);
    let outcome = user.run(env.backup_command(&redup(), "full", TIMES[0]));
    outcome.code(1).says("/b").says("Errors 1");

    let mut expected = Listing::of(&env.source());
    let restored = env.restored(&redup(), None);
    assert!(restored.get(b"b").is_none());
    expected = expected.without(b"b");
    restored
        .without(b"b")
        .assert_is(&expected, "all the others");
}

#[test]
fn files_that_change_while_they_are_read_do_not_spoil_the_archive() {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    env.options = vec!["--volsize".to_owned(), "1".to_owned()];
    trees::filler(8).write(&env.source());
    let restless = env.source().join("f010/data");
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                let len = 100_000 + (round * 77_777) % 900_000;
                fs::write(&restless, trees::noise(round as u64, len)).unwrap();
            }
        });
        env.backup(&redup(), "full", TIMES[0]).ok();
        env.backup(&redup(), "inc", TIMES[1]).ok();
        stop.store(true, Ordering::Relaxed);
    });
    // Changes within one second are beyond the format: whole-second mtimes tell files apart.
    let later = SystemTime::now() + Duration::from_secs(10);
    let file = fs::File::options().append(true).open(&restless).unwrap();
    file.set_modified(later).unwrap();
    env.backup(&redup(), "inc", TIMES[2]).ok();
    let expected = Listing::of(&env.source());
    for program in crate::programs() {
        let what = format!("at rest again, read by {}", program.name());
        env.restored(&program, None).assert_is(&expected, what);
        for time in [TIMES[0], TIMES[1]] {
            let other = env.restored(&program, Some(time)).without(b"f010/data");
            other.assert_is(
                &expected.clone().without(b"f010/data"),
                "all others, before",
            );
        }
    }
}

#[test]
fn a_source_that_is_a_link_to_a_folder_yields_the_link_s_folder_or_says_why_not() {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    small().write(&env.path("real"));
    symlink(env.path("real"), env.source()).unwrap();
    let outcome = env.backup(&redup(), "full", TIMES[0]);
    assert_ne!(outcome.status.code(), Some(101), "{outcome}");
}

#[test]
fn a_full_disk_at_the_target_keeps_what_was_there() {
    full_disk("target", |env| env.target());
}

#[test]
fn a_full_disk_in_the_archive_dir_keeps_what_was_there() {
    full_disk("archive dir", |env| env.path("archive"));
}

/// With `folder` on a disk of 1.5 MiB, a full backup of 4 MiB fails and is no loss; with room
/// again, it goes on.
fn full_disk(what: &str, folder: impl Fn(&TestEnv) -> PathBuf) {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    env.options = vec!["--volsize".to_owned(), "1".to_owned()];
    small().write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    let before = Listing::of(&env.source());
    let kept = names(&env.target());

    trees::filler(4).write(&env.source().join("more"));
    let archive_grows = folder(&env) != env.target();
    let Some(disk) = SmallDisk::over(&folder(&env), if archive_grows { 64 } else { 1536 }) else {
        // Without the right to mount, the same is tested on the wrappers of the storage crate.
        return;
    };
    let outcome = disk.run(env.backup_command(&redup(), "inc", TIMES[1]));
    let outcome = fails(&outcome).says("space");
    for name in kept {
        assert!(
            env.target().join(&name).exists(),
            "{what}: {name} is gone\n{outcome}"
        );
    }
    env.restored(&redup(), Some(TIMES[0]))
        .assert_is(&before, what);

    env.backup(&redup(), "inc", TIMES[2]).ok();
    env.restored(&redup(), None)
        .assert_is(&Listing::of(&env.source()), what);
}

/// Asserts a failure that is no panic and no signal.
#[track_caller]
fn fails(outcome: &Outcome) -> Outcome {
    let code = outcome.status.code();
    assert!(
        code.is_some_and(|code| code != 0 && code != 101),
        "{outcome}"
    );
    assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    outcome.clone()
}

/// One full backup of a small tree.
fn saved() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    small().write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    env
}

fn small() -> Tree {
    let mut tree = Tree::new();
    tree.put("a", Node::file("first"))
        .put("b", Node::file("second"));
    tree.put("folder/c", Node::file(trees::noise(1, 100_000)));
    tree
}
