//! What options do, beside 3.2.1 given the same words.

use std::fs;

use redup_testkit::damage::names;
use redup_testkit::env::TestEnv;
use redup_testkit::fixtures::TIMES;
use redup_testkit::listing::Listing;

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
