//! What options do, beside 3.2.1 given the same words.

use std::fs;

use redup_testkit::damage::names;
use redup_testkit::env::TestEnv;
use redup_testkit::fixtures::TIMES;
use redup_testkit::listing::Listing;
use serde_json::Value;

use crate::{duplicity, redup};

fn plain() -> TestEnv {
    let mut env = TestEnv::new();
    env.options = vec!["--no-encryption".to_owned()];
    fs::create_dir_all(env.source().join("home/old/d")).unwrap();
    fs::create_dir_all(env.source().join("other")).unwrap();
    fs::write(env.source().join("home/old/f"), "x").unwrap();
    fs::write(env.source().join("home/old/d/g"), "y").unwrap();
    fs::write(env.source().join("other/h i"), "z").unwrap();
    env
}

#[test]
fn an_increment_without_changes_is_skipped_when_asked() {
    let mut env = plain();
    env.backup(&redup(), "full", TIMES[0]).ok();
    let before = names(&env.target());
    env.options.push("--skip-if-no-change".to_owned());
    for program in [redup(), duplicity()] {
        env.backup(&program, "inc", TIMES[1])
            .ok()
            .says("Skipped volume upload, as effectivly nothing has changed")
            .says("DeltaEntries 0");
        assert_eq!(names(&env.target()), before, "{}", program.name());
        let parts = names(&env.archive());
        assert!(!parts.iter().any(|name| name.contains("inc.")), "{parts:?}");
    }
    fs::write(env.source().join("new"), "new").unwrap();
    env.backup(&redup(), "inc", TIMES[1])
        .ok()
        .never_says("Skipped volume");
    assert_eq!(env.status(&redup()).sets.len(), 2);
}

#[test]
fn a_chain_ends_when_it_has_so_many_increments() {
    let mut env = plain();
    env.options
        .extend(["--full-if-n-inc", "2"].map(str::to_owned));
    let text = "Latest chain has too many incrementals, forcing full backup";
    for day in 0..6 {
        let outcome = env.backup(&redup(), "inc", TIMES[0] + day * 86_400);
        match day {
            // Nothing to build on yet.
            0 => {
                outcome.code(17);
                env.backup(&redup(), "full", TIMES[0]).ok();
            }
            3 => drop(outcome.ok().says(text)),
            _ => drop(outcome.ok().never_says(text)),
        }
    }
    let status = env.status(&redup());
    assert_eq!((status.sets.len(), status.other_chains), (3, 1));
    env.run(
        &duplicity(),
        "backup",
        ["--dry-run", env.source().to_str().unwrap(), &env.url],
    )
    .ok()
    .says(text);
}

#[test]
fn restored_paths_get_other_names() {
    let env = plain();
    env.backup(&redup(), "full", TIMES[0]).ok();
    let cases: [&[&str]; 7] = [
        &["--rename", "home/old", "home/new"],
        &["--rename", "home/old/", "x/y/z"],
        &[
            "--path-to-restore",
            "home",
            "--rename",
            "home/old",
            "home/new",
        ],
        &["--path-to-restore", "home", "--rename", "old", "new"],
        &["--rename", "home", "h", "--rename", "home/old", "home/q"],
        &["--rename", ".", "all"],
        &["--rename", "home/old", "a", "--rename", "home/old", "b"],
    ];
    for words in cases {
        let [ours, theirs] = [redup(), duplicity()].map(|program| {
            let folder = env.fresh("out");
            let to = [env.url.clone(), folder.display().to_string()];
            let args = words.iter().map(|word| (*word).to_owned()).chain(to);
            env.run(&program, "restore", args).ok();
            let listing = Listing::of(&folder);
            let paths: Vec<_> = listing.iter().map(|(path, _)| path.clone()).collect();
            paths
        });
        assert_eq!(ours, theirs, "{words:?}");
    }
    // Into a folder that comes later: duplicity loses the file.
    let folder = env.path("moved").display().to_string();
    let args = ["--rename", "home/old/f", "other/f", &env.url, &folder];
    env.run(&redup(), "restore", args).ok();
    assert_eq!(fs::read(env.path("moved/other/f")).unwrap(), b"x");
}

#[test]
fn the_changes_of_sets_and_files_are_told() {
    let env = plain();
    env.backup(&redup(), "full", TIMES[0]).ok();
    fs::write(env.source().join("home/old/f"), "longer").unwrap();
    fs::remove_file(env.source().join("home/old/d/g")).unwrap();
    fs::write(
        env.source().join("a very long name that sets the width"),
        "n",
    )
    .unwrap();
    env.backup(&redup(), "inc", TIMES[1]).ok();
    let cases: [&[&str]; 6] = [
        &["--show-changes-in-set", "0"],
        &["--show-changes-in-set", "1"],
        &["--file-changed", "home/old/f"],
        &["--file-changed", "other/h i"],
        &["--file-changed", "nothing"],
        &[],
    ];
    for words in cases {
        let [ours, theirs] = [redup(), duplicity()].map(|program| {
            let args = [words, &[env.url.as_str()][..]].concat();
            let said = env.run(&program, "collection-status", args).ok().stdout;
            // Python's way to print bytes, and a claim that something was backed up.
            said.replace("           b'New'", "              New")
                .replace("       b'Changed'", "          Changed")
                .replace("File: b'", "File: '")
                .replace('\'', "")
                .replace("Duplicity backup complete.\n", "")
        });
        assert_eq!(ours, theirs, "{words:?}");
    }
    let args = ["--show-changes-in-set", "2", &env.url];
    env.run(&redup(), "collection-status", args)
        .code(30)
        .says("there is no set 2: the newest chain has 2 set(s)");
}

#[test]
fn statistics_are_printed_and_stored_as_json() {
    let mut keys: Vec<Vec<String>> = Vec::new();
    let mut told = Vec::new();
    for program in [redup(), duplicity()] {
        let mut env = plain();
        env.options.push("--jsonstat".to_owned());
        env.backup(&program, "full", TIMES[0]).ok();
        fs::write(env.source().join("new"), "new").unwrap();
        let outcome = env.backup(&program, "inc", TIMES[1]).ok();
        let (begin, end) = (
            outcome.stdout.find('{').unwrap(),
            outcome.stdout.rfind('}').unwrap(),
        );
        let json: Value = serde_json::from_str(&outcome.stdout[begin..=end]).unwrap();
        let meta = &json["backup_meta"];
        assert_eq!(meta["action"], "inc");
        assert_eq!(meta["time_full_bkp"], TIMES[0]);
        let local = "duplicity-full.20240101T000000Z.jsonstat.gz";
        assert!(names(&env.archive()).contains(&local.to_owned()));
        assert!(names(&env.target()).contains(&local.to_owned()));
        let both = [&json, meta].map(|it| it.as_object().unwrap().keys().cloned());
        keys.push(both.into_iter().flatten().collect());
        // Either program prints what either stored.
        for reader in [redup(), duplicity()] {
            let args = ["--show-changes-in-set", "-1", &env.url];
            let said = env.run(&reader, "collection-status", args).ok().stdout;
            let (begin, end) = (said.find('{').unwrap(), said.rfind('}').unwrap());
            let json: Value = serde_json::from_str(&said[begin..=end]).unwrap();
            let new = json.as_object().unwrap().len();
            let counted = &json["full-20240101T000000Z"]["json_stat"]["NewFiles"];
            told.push((
                new,
                counted.clone(),
                json["full-20240101T000000Z"]["files_changed"].clone(),
            ));
        }
    }
    assert_eq!(keys[0], keys[1]);
    assert!(told.iter().all(|it| it == &told[0]), "{told:?}");
}

#[test]
fn encrypted_statistics_are_read_back() {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", "secret");
    fs::create_dir(env.source()).unwrap();
    env.options.push("--jsonstat".to_owned());
    env.backup(&redup(), "full", TIMES[0]).ok();
    assert!(
        names(&env.target()).contains(&"duplicity-full.20240101T000000Z.jsonstat.gpg".to_owned())
    );
    env.name = "fresh".to_owned();
    for program in [redup(), duplicity()] {
        let args = ["--show-changes-in-set", "0", &env.url];
        if program == duplicity() {
            drop(env.listed(&program, None));
        }
        env.run(&program, "collection-status", args)
            .ok()
            .says("full-20240101T000000Z");
    }
    env.run(
        &redup(),
        "collection-status",
        ["--show-changes-in-set", "0", &env.url],
    )
    .ok()
    .says("\"SourceFiles\": 1");
}

#[test]
fn progress_is_told_up_to_its_end() {
    let mut env = plain();
    fs::write(env.source().join("big"), vec![7; 30 << 20]).unwrap();
    env.options
        .extend(["--progress", "--progress-rate", "1"].map(str::to_owned));
    let log = env.path("log");
    env.options
        .extend(["--log-file".to_owned(), log.display().to_string()]);
    let bar = format!("[{}>] 100% ETA 0sec", "=".repeat(40));
    env.backup(&redup(), "full", TIMES[0])
        .ok()
        .says(&bar)
        .says("30.0MB ");
    let stanzas = redup_testkit::log::stanzas(&fs::read_to_string(log).unwrap());
    let last = stanzas
        .iter()
        .rfind(|it| it.keyword == "NOTICE" && it.code == 16);
    let words = &last.unwrap().words;
    assert!(
        words.starts_with(&format!("{} ", (30 << 20) + 3)),
        "{words}"
    );
    assert!(
        words.contains(" 100 0 ") && words.ends_with(" 0"),
        "{words}"
    );
}

#[test]
fn names_of_old_versions_are_not_written() {
    let env = plain();
    for option in ["--short-filenames", "--old-filenames"] {
        let source = env.source().display().to_string();
        env.run(&redup(), "full", [option, &source, &env.url])
            .code(10)
            .says("no longer written");
        env.run(&redup(), "collection-status", [option, &env.url])
            .ok();
    }
    assert!(names(&env.target()).is_empty());
}

#[test]
fn a_trusted_archive_dir_is_enough_for_all_but_volumes() {
    let mut env = plain();
    env.backup(&redup(), "full", TIMES[0]).ok();
    let first = Listing::of(&env.source());
    // What is at the target and not in the archive dir is not looked for, by either program.
    let stray = env
        .target()
        .join("duplicity-full.20010101T000000Z.manifest");
    fs::write(
        &stray,
        "Volume 1:\n    StartingPath   .\n    EndingPath     .\n",
    )
    .unwrap();
    env.options.push("--no-check-remote".to_owned());
    for (program, day) in [(redup(), 1), (duplicity(), 2)] {
        fs::write(env.source().join(format!("day {day}")), "new").unwrap();
        env.backup(&program, "inc", TIMES[0] + day * 86_400).ok();
    }
    let seen = [redup(), duplicity()].map(|program| env.status(&program));
    // duplicity leaves out a full backup without volumes.
    assert_eq!(seen[0].sets[1..], seen[1].sets);
    let no_volumes = |set: &String| set.contains(" 0 ");
    assert!(seen[0].sets.len() == 3 && seen[0].sets.iter().all(no_volumes));
    assert!(!env.archive().join(stray.file_name().unwrap()).exists());
    // redup goes to the store for volumes; duplicity does not find any.
    env.restored(&redup(), None)
        .assert_is(&Listing::of(&env.source()), "the last increment");
    env.restored(&redup(), Some(TIMES[0]))
        .assert_is(&first, "the full");
    env.name = "fresh".to_owned();
    for program in [redup(), duplicity()] {
        env.backup(&program, "inc", TIMES[1] + 9 * 86_400).code(17);
    }
}

#[test]
fn metadata_of_all_chains_is_brought_over_when_asked() {
    let mut env = plain();
    for day in [0, 1] {
        env.backup(&redup(), "full", TIMES[0] + day * 86_400).ok();
    }
    for (mode, expected) in [("partial", 2), ("full", 4)] {
        env.options = ["--no-encryption", "--metadata-sync-mode", mode]
            .map(str::to_owned)
            .into();
        for program in [redup(), duplicity()] {
            env.name = format!("{mode}-{}", program.name());
            drop(env.listed(&program, None));
            let found = names(&env.archive());
            assert_eq!(found.len(), expected, "{}: {found:?}", env.name);
        }
    }
}
