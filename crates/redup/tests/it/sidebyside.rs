//! The same command lines for redup and for duplicity 3.2.1, on copies of the same archive: what they print,
//! what they log for programs and how they end is equal, but for what [`decided`] names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use redup_testkit::damage::names;
use redup_testkit::env::{Program, TestEnv};
use redup_testkit::fixtures::TIMES;
use redup_testkit::log::{Stanza, stanzas};
use redup_testkit::run::run;

use crate::{duplicity, redup};

/// What a run showed: its status, its output by lines, its messages for programs.
#[derive(Debug, PartialEq)]
struct Shown {
    status: Option<i32>,
    lines: Vec<String>,
    log: Vec<Stanza>,
}

/// Lines that only one of the two has, each with the reason.
const ONLY_ONE: &[(&str, &str)] = &[
    ("GPG binary is ", "redup runs no gpg"),
    (
        "Import of duplicity.backends.",
        "there is no Python in redup",
    ),
    (
        "Using temporary directory ",
        "redup stages nothing on a local disk",
    ),
    ("Temp has ", "the same"),
    ("====", "the frame around Python's versions"),
    ("duplicity 3.2.1", "the versions"),
    ("redup 0.", "the versions"),
    ("Args: ", "passwords may be among the arguments"),
    ("Linux ", "the versions"),
    ("DEBUG: to_", "left-over debugging of 3.2.1"),
    ("Processing local manifest", "left-over debugging of 3.2.1"),
    ("Processing remote ", "left-over debugging of 3.2.1"),
    (
        "Found 1 volumes in manifest",
        "left-over debugging of 3.2.1",
    ),
    (
        "Added incremental Backupset",
        "left-over debugging of 3.2.1",
    ),
    (
        "Ignoring incremental Backupset",
        "left-over debugging of 3.2.1",
    ),
    (
        "Duplicity backup complete.",
        "3.2.1 says so after every command, failed ones too",
    ),
    ("Need to use '", "the line below says it better"),
    (
        "Writing duplicity-",
        "3.2.1 does not name manifests and signatures",
    ),
    (
        "Deleting duplicity-",
        "redup names each file that it deletes at info level",
    ),
    ("Deleting /", "the same"),
];

fn is_only_one(text: &str) -> bool {
    ONLY_ONE.iter().any(|(start, _)| text.starts_with(start)) || text.contains("bin/python3 ")
}

/// A line without what differs for a reason.
fn decided(line: &str) -> String {
    // Times and sizes of a run; a folder's size is the file system's.
    for name in [
        "StartTime",
        "EndTime",
        "ElapsedTime",
        "TotalDestinationSizeChange",
    ] {
        if line.starts_with(name) {
            return name.to_owned();
        }
    }
    // Python's way to print bytes, in a column that is as wide.
    line.replace("   b'New'", "      New")
        .replace("   b'Changed'", "      Changed")
        .replace("File: b'a'", "File: a")
}

/// Runs both programs, each on a copy of the archive of `env`; a `@` in the words is the copy.
fn both(env: &TestEnv, words: &[&str]) -> [Shown; 2] {
    [redup(), duplicity()].map(|program| one(env, &program, words))
}

fn one(env: &TestEnv, program: &Program, words: &[&str]) -> Shown {
    // The same names for both: the copies are made anew.
    let (side, log) = (env.path("side"), env.path("side/log"));
    drop(fs::remove_dir_all(&side));
    fs::create_dir(&side).unwrap();
    copy(&env.target(), &side.join("target"));
    copy(&env.path("archive"), &side.join("archive"));
    let mut command = env.bare(program);
    command.args(
        words
            .iter()
            .map(|word| word.replace('@', "file://side/target")),
    );
    command.args([
        "--archive-dir",
        "side/archive",
        "--name",
        &env.name,
        "--log-file",
    ]);
    command.arg(&log).args(&env.options);
    let outcome = run(&mut command);
    let lines = outcome.stdout.lines().chain(outcome.stderr.lines());
    let mut lines: Vec<_> = lines
        .filter(|line| !is_only_one(line))
        .map(decided)
        .collect();
    // 3.2.1 tells of a chain's signatures once for the store and once for the archive dir.
    lines.dedup();
    let mut log = log_of(&fs::read_to_string(&log).unwrap());
    log.dedup();
    Shown {
        status: outcome.status.code(),
        lines,
        log,
    }
}

fn log_of(log: &str) -> Vec<Stanza> {
    let mut all = stanzas(log);
    all.retain(|it| {
        let text = it.text.first().and_then(|line| line.strip_prefix(". "));
        // "Uploading" and "uploaded": sent by 0.8.22 only, and a desktop program waits for them.
        let uploading = it.keyword == "INFO" && matches!(it.code, 11 | 13);
        !uploading && !text.is_some_and(is_only_one)
    });
    for it in &mut all {
        let text = std::mem::take(&mut it.text);
        it.text = text
            .iter()
            .map(|line| decided(line.strip_prefix(". ").unwrap_or(line)))
            .collect();
        // Bytes of the source: 3.2.1 counts folders, which a file system sizes as it likes.
        if it.keyword == "INFO" && it.code == 2 && !it.words.contains(' ') {
            it.words.clear();
        }
    }
    all
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to)).ok();
}

/// Every kind of change between two sets.
fn change(source: &Path) {
    let script = "echo changed > a; chmod 600 mode; rm -rf gone type; mkdir type; ln -sfn b link; \
                  chmod 600 fifo; chmod 700 sub; echo new > 'new file'; mkdir -p newdir";
    run(Command::new("sh").args(["-c", script]).current_dir(source)).ok();
}

/// A chain of a full and two increments, then one of a full and an increment, made by duplicity.
fn two_chains() -> TestEnv {
    let mut env = TestEnv::new();
    env.options = vec!["--no-encryption".into(), "--allow-source-mismatch".into()];
    fs::create_dir_all(env.source()).unwrap();
    let script = "mkdir sub; echo one > a; echo two > sub/b; echo m > mode; echo g > gone; \
                  echo t > type; ln -s a link; mkfifo fifo; touch -d 2023-01-01 * sub/*";
    run(Command::new("sh")
        .args(["-c", script])
        .current_dir(env.source()))
    .ok();
    env.backup(&duplicity(), "full", TIMES[0]).ok();
    change(&env.source());
    env.backup(&duplicity(), "inc", TIMES[0] + 86_400).ok();
    fs::write(env.source().join("third"), "3").unwrap();
    env.backup(&duplicity(), "inc", TIMES[0] + 2 * 86_400).ok();
    env.backup(&duplicity(), "full", TIMES[0] + 3 * 86_400).ok();
    fs::remove_file(env.source().join("third")).unwrap();
    env.backup(&duplicity(), "inc", TIMES[0] + 4 * 86_400).ok();
    env
}

#[track_caller]
fn same(env: &TestEnv, words: &[&str]) {
    let [ours, theirs] = both(env, words);
    assert_eq!(ours, theirs, "redup is left, duplicity right: {words:?}");
}

#[test]
fn looking_at_a_backup_shows_the_same() {
    let env = two_chains();
    same(&env, &["collection-status", "@"]);
    same(&env, &["collection-status", "@", "--file-changed", "a"]);
    same(
        &env,
        &["collection-status", "@", "--show-changes-in-set", "0"],
    );
    same(
        &env,
        &["collection-status", "@", "--show-changes-in-set", "1"],
    );
    for time in [
        "now",
        "2024-01-01T00:00:00Z",
        "2024-01-02T12:00:00Z",
        "2023-01-01",
    ] {
        same(&env, &["list-current-files", "@", "--time", time]);
    }
    same(&env, &["verify", "@", "source", "-v5"]);
    fs::write(env.source().join("local"), "").unwrap();
    fs::remove_file(env.source().join("sub/b")).unwrap();
    fs::remove_dir(env.source().join("newdir")).unwrap();
    fs::write(env.source().join("newdir"), "").unwrap();
    run(Command::new("chmod")
        .arg("640")
        .arg(env.source().join("mode")))
    .ok();
    same(&env, &["verify", "@", "source", "--compare-data"]);
    same(&env, &["verify", "@", "source"]);
    same(
        &env,
        &[
            "restore",
            "@",
            "side/out",
            "--time",
            "2024-01-01T00:00:00Z",
            "-v5",
        ],
    );
    same(&env, &["restore", "@", "side/out", "--dry-run"]);
}

#[test]
fn deleting_shows_the_same() {
    let env = two_chains();
    for more in [&[][..], &["--force"]] {
        for words in [
            &["remove-older-than", "2024-01-03T12:00:00", "@"][..],
            &["remove-older-than", "2025-01-01", "@"],
            &["remove-all-but-n-full", "1", "@"],
            &["remove-all-inc-of-but-n-full", "1", "@"],
        ] {
            same(&env, &[words, more].concat());
        }
        let mut shown = both(&env, &[&["cleanup", "@"], more].concat());
        // A cleanup of ours deletes, and fetches nothing for that.
        let synced = "Local and Remote metadata are synchronized, no sync needed.";
        shown[1].lines.retain(|line| line != synced);
        shown[1].log.retain(|it| it.text != [synced]);
        assert_eq!(shown[0], shown[1]);
    }
}

#[test]
fn a_backup_shows_the_same() {
    let env = two_chains();
    change(&env.source());
    fs::write(env.source().join("fourth"), "4").unwrap();
    let time = (TIMES[0] + 5 * 86_400).to_string();
    for action in ["full", "incremental"] {
        same(
            &env,
            &[action, "source", "@", "-v5", "--current-time", &time],
        );
    }
    for words in [
        &["backup", "--full-if-older-than", "30D"][..],
        &["backup", "--full-if-n-inc", "1"],
        &["incremental", "--full-if-n-inc", "2"],
        &[
            "incremental",
            "--full-if-n-inc",
            "0",
            "--full-if-n-inc",
            "-1",
        ],
    ] {
        same(
            &env,
            &[words, &["source", "@", "--current-time", &time]].concat(),
        );
    }
    // 3.2.1 counts each regular file twice in a dry run.
    let [mut ours, mut theirs] = both(
        &env,
        &["inc", "source", "@", "--dry-run", "--current-time", &time],
    );
    for shown in [&mut ours, &mut theirs] {
        let counted = |line: &String| line.starts_with("SourceFile");
        shown.lines.retain(|line| !counted(line));
        shown
            .log
            .iter_mut()
            .for_each(|it| it.text.retain(|line| !counted(line)));
    }
    assert_eq!(ours, theirs);
}

#[test]
fn an_empty_target_shows_the_same() {
    let env = two_chains();
    for folder in [env.target(), env.path("archive")] {
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(folder).unwrap();
    }
    same(&env, &["collection-status", "@"]);
    same(&env, &["remove-all-but-n-full", "1", "@", "--force"]);
    let time = TIMES[0].to_string();
    for words in [
        &["full"][..],
        &["backup"],
        &["incremental", "--full-if-older-than", "30D"],
    ] {
        same(
            &env,
            &[words, &["source", "@", "--current-time", &time]].concat(),
        );
    }
    // Errors have words of our own, up to which all is the same.
    for (words, code) in [
        (&["incremental", "source", "@"][..], 17),
        (&["list-current-files", "@"], 30),
        (&["verify", "@", "source"], 30),
        (&["restore", "@", "side/out"], 30),
    ] {
        let [ours, theirs] = both(&env, words);
        assert_eq!(
            (ours.status, theirs.status),
            (Some(code), Some(code)),
            "{words:?}"
        );
        let until_error = |shown: &Shown| {
            let before = shown.log.iter().take_while(|it| it.keyword != "ERROR");
            let heads = before.map(|it| (it.keyword.clone(), it.code, it.text.clone()));
            let error = shown.log.iter().find(|it| it.keyword == "ERROR").unwrap();
            (heads.collect::<Vec<_>>(), error.code, error.words.clone())
        };
        assert_eq!(until_error(&ours), until_error(&theirs), "{words:?}");
    }
}

/// Signatures that a gap cuts off are named, and go with a cleanup.
#[test]
fn lost_signatures_are_told_alike() {
    let env = two_chains();
    let before = env.snapshot();
    let lose = |part: &str| {
        env.return_to(&before);
        for folder in [env.target(), env.archive()] {
            for name in names(&folder) {
                if name.contains("signatures.") && name.contains(part) {
                    fs::remove_file(folder.join(name)).unwrap();
                }
            }
        }
    };
    // The second of three, then all but one of the older chain; the newer chain is whole.
    for lost in ["20240101T000000Z.to.", "full-signatures.20240101"] {
        lose(lost);
        same(&env, &["collection-status", "@"]);
        same(&env, &["list-current-files", "@"]);
        let [ours, theirs] = both(&env, &["cleanup", "@", "--force"]);
        let deleted = |shown: &Shown| {
            let lines = shown.lines.iter();
            let names = lines.filter(|line| line.starts_with("duplicity-"));
            names.cloned().collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(deleted(&ours), deleted(&theirs));
        assert!(!deleted(&ours).is_empty());
    }
    lose("signatures");
    same(&env, &["collection-status", "@"]);
}

#[test]
fn a_set_without_a_manifest_and_one_without_its_base_are_told_apart() {
    let env = two_chains();
    for folder in [env.target(), env.archive()] {
        for name in names(&folder) {
            if name.contains("inc.20240104T000000Z") && name.ends_with(".manifest") {
                fs::remove_file(folder.join(name)).unwrap();
            }
        }
    }
    let [ours, theirs] = both(&env, &["collection-status", "@"]);
    // Nobody can tell what a set without a manifest holds: it is in no chain and is warned of. For 3.2.1
    // it is part of its chain, and its next backup deletes it.
    let mut differ = BTreeMap::new();
    for line in &ours.lines {
        *differ.entry(line.clone()).or_insert(0) += 1;
    }
    for line in &theirs.lines {
        *differ.entry(line.clone()).or_insert(0) -= 1;
    }
    let differ: Vec<_> = differ
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .map(|(line, count)| format!("{count:+} {line}"))
        .collect();
    expect![[r#"
        -1          Incremental         Fri Jan  5 00:00:00 2024                 1
        -1 Chain end time: Fri Jan  5 00:00:00 2024
        +1 Chain end time: Thu Jan  4 00:00:00 2024
        +1 Number of contained backup sets: 1
        -1 Number of contained backup sets: 2
        +1 Total number of contained volumes: 1
        -1 Total number of contained volumes: 2
        +1 Warning, found incomplete backup sets, probably left from aborted session
        +1 [duplicity-inc.20240104T000000Z.to.20240105T000000Z.vol1.difftar.gz]"#]]
    .assert_eq(&differ.join("\n"));
}
