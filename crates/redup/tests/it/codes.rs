//! Exit statuses that no other module is about, typed as duplicity's user would.
//!
//! The others: 1 `damage`, `errors`; 2, 11, 12, 14 to 17, 19, 23, 30, 31 `cli::refusals`; 3, 42, 51, 53 `dejadup::trouble`; 4
//! `cli::signals`; 5 `errors`; 10 `options`; 21 `damage`; 22 `effects::encryption`; 44 `s3::lengths`; 45 `resume`; 50
//! `s3`; 80 `profiles`.

use std::fs;
use std::path::PathBuf;

use redup_testkit::damage::{find, truncate};
use redup_testkit::env::{Program, TestEnv};
use redup_testkit::listing::Listing;
use redup_testkit::log::stanzas;
use redup_testkit::run::{Outcome, run};
use redup_testkit::trees;

use crate::cli::support::{as_duplicity, place, typed};

/// A command line typed as duplicity's, without encryption; the code of its one error is the status.
#[track_caller]
fn go(env: &TestEnv, line: &str) -> Outcome {
    let log = env.path("log");
    drop(fs::remove_file(&log));
    let mut command = env.bare(&as_duplicity(env));
    command.args(line.split_whitespace());
    let outcome = run(command.args(["--no-encryption", "--log-file"]).arg(&log));
    let told = stanzas(&fs::read_to_string(&log).unwrap());
    let errors: Vec<_> = told.iter().filter(|it| it.keyword == "ERROR").collect();
    match outcome.status.code() {
        Some(0) => assert!(errors.is_empty(), "{outcome}"),
        code => assert_eq!(errors[0].code as i32, code.unwrap(), "{outcome}"),
    }
    outcome
}

/// A place with a full backup and an increment, and its archive dir.
fn saved() -> (TestEnv, PathBuf) {
    let env = place();
    go(
        &env,
        "full source file://target --name x --current-time 1700000000",
    )
    .ok();
    fs::write(env.source().join("c"), "third\n").unwrap();
    go(
        &env,
        "inc source file://target --name x --current-time 1700086400",
    )
    .ok();
    let cache = env.path("home/.cache/duplicity/x");
    (env, cache)
}

#[test]
fn a_manifest_that_names_nothing_is_6() {
    let (env, cache) = saved();
    for manifest in [
        find(&env.target(), &["full.", ".manifest"]),
        find(&cache, &["full.", ".manifest"]),
    ] {
        truncate(&manifest, 0);
    }
    for line in ["restore file://target out", "verify file://target source"] {
        go(&env, &format!("{line} --name x"))
            .code(6)
            .says("names no volume")
            .says("hint: restore an older time with --time");
    }
}

#[test]
fn a_selection_that_leaves_nothing_to_restore_is_20() {
    let (env, _) = saved();
    go(
        &env,
        "restore file://target out --include nothing --exclude ** --name x",
    )
    .code(20);
}

#[test]
fn filters_without_anything_to_filter_are_70_and_71() {
    let env = place();
    go(
        &env,
        "full source file://target --filter-globbing --exclude **/x",
    )
    .code(70);
    go(
        &env,
        "full source file://target --filter-strictcase --exclude **/x",
    )
    .code(70);
    go(&env, "full source file://target --filter-literal").code(71);
    go(
        &env,
        "full source file://target --exclude **/x --filter-regexp",
    )
    .code(71);
    go(
        &env,
        "full source file://target --filter-ignorecase --exclude **/x",
    )
    .ok();
}

#[test]
fn lists_of_files_with_absolute_paths_or_none_are_72_and_73() {
    let env = place();
    fs::write(env.path("absolute"), "a\n/b\n").unwrap();
    fs::write(env.path("empty"), "\n\n").unwrap();
    go(&env, "full source file://target --files-from absolute")
        .code(72)
        .says("/b");
    go(&env, "full source file://target --files-from empty").code(73);
    go(&env, "full source file://target --files-from missing").code(23);
}

/// duplicity's 34 to 37 are about room for temporary volumes and about open files.
#[test]
fn neither_temporary_space_nor_many_open_files_are_needed() {
    let env = place();
    trees::filler(6).write(&env.source());
    for line in [
        "full --volsize 1 source file://target",
        "restore file://target out",
        "verify --compare-data file://target source",
    ] {
        let mut limited = env.bare(&Program::redup("/bin/sh"));
        limited.args(["-c", "ulimit -n 48 && exec \"$@\"", "sh"]);
        limited
            .arg(env!("CARGO_BIN_EXE_redup"))
            .args(line.split(' '));
        run(limited.args(["--no-encryption", "--tempdir", "/nonexistent"])).ok();
    }
    Listing::of(&env.path("out")).assert_is(&Listing::of(&env.source()), "restored");
}

#[test]
fn what_is_about_python_alone_has_no_status() {
    let mut env = place();
    env.set("PYTHONOPTIMIZE", "1");
    go(&env, "st file://target").ok();
}

#[test]
fn a_prefix_that_would_be_a_folder_is_23_before_anything_is_made() {
    let env = place();
    for option in [
        "--file-prefix",
        "--file-prefix-archive",
        "--file-prefix-manifest",
        "--file-prefix-signature",
        "--file-prefix-jsonstat",
    ] {
        for line in ["full source file://target", "st file://target"] {
            go(&env, &format!("{line} {option} a/b"))
                .code(23)
                .says(&format!("option {option}: 'a/b'"));
        }
    }
    assert!(!env.path("home/.cache").exists());
    assert!(fs::read_dir(env.target()).unwrap().next().is_none());
}

#[test]
fn options_of_redups_own_are_unknown_to_duplicity_and_say_whose_they_are() {
    let (env, _) = saved();
    for option in ["--json", "--memory-limit 128", "--no-progress", "--mem 128"] {
        go(&env, &format!("st file://target --name x {option}"))
            .code(23)
            .says("unknown option: --")
            .says("by its own name");
        let line = format!("st file://target --no-encryption --name x {option}");
        run(&mut typed(&env, &line)).ok();
    }
    go(&env, "full --help").ok().never_says("--memory-limit");
    let help = run(&mut typed(&env, "full --help")).ok();
    help.says("--memory-limit").says("--volsize");
}

#[test]
fn volumes_that_no_manifest_names_are_told_and_do_not_matter() {
    let (env, cache) = saved();
    let volume = |number| find(&env.target(), &["full.", number]);
    let stray = volume(".vol1.")
        .display()
        .to_string()
        .replace(".vol1.", ".vol3.");
    fs::copy(volume(".vol1."), &stray).unwrap();
    let told = "ends with volume 1, and there are volumes up to 3";
    go(&env, "restore file://target out --name x")
        .ok()
        .says(told);
    Listing::of(&env.path("out")).assert_is(&Listing::of(&env.source()), "restored");
    go(&env, "verify --compare-data file://target source --name x")
        .ok()
        .says(told);

    // A manifest without its end is another matter: there is no telling what it named.
    for manifest in [
        find(&env.target(), &["full.", ".manifest"]),
        find(&cache, &["full.", ".manifest"]),
    ] {
        let text = fs::read_to_string(&manifest).unwrap();
        truncate(&manifest, text.find("Filelist").unwrap());
    }
    go(&env, "restore file://target out-2 --name x")
        .code(1)
        .says(told);
    go(&env, "verify file://target source --name x")
        .code(1)
        .says(told);
}

#[test]
fn damaged_signatures_have_a_hint_that_helps() {
    let (env, cache) = saved();
    let stored = find(&cache, &["full-signatures.", ".sigtar"]);
    truncate(&stored, fs::metadata(&stored).unwrap().len() as usize / 2);
    let line = "inc source file://target --name x --current-time 1700172800";
    let refused = go(&env, line).code(1);
    let name = stored.file_name().unwrap().to_str().unwrap();
    refused
        .says(name)
        .says("hint: if the archive dir has that file, remove it there")
        .never_says("--ignore-errors");
    // The hint, followed.
    fs::remove_file(&stored).unwrap();
    go(&env, line).ok();
}

#[test]
fn every_verbosity_shows_what_is_as_loud_and_louder() {
    let (env, _) = saved();
    let lines = |verbosity: &str| {
        let line = format!("st file://target --name x --verbosity {verbosity}");
        go(&env, &line).ok().stdout.lines().count()
    };
    let counts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|level: u8| lines(&level.to_string()));
    let grows = |from: usize| counts[from] < counts[from + 1];
    let steps: Vec<usize> = (0..9).filter(|&level| grows(level)).collect();
    assert_eq!(steps, [2, 4, 7], "{counts:?}");
    assert!(counts.is_sorted());
    for (names, level) in [
        (["e", "Error"], 0),
        (["w", "WARNING"], 2),
        (["n", "notice"], 3),
        (["I", "info"], 5),
        (["d", "dEbug"], 9),
    ] {
        for name in names {
            assert_eq!(lines(name), counts[level], "{name}");
        }
    }
    for wrong in ["10", "-1", "x", "1.5"] {
        let line = format!("st file://target --name x --verbosity={wrong}");
        let mut command = env.bare(&as_duplicity(&env));
        let outcome = run(command.args(line.split_whitespace()));
        outcome.code(23).says("is no verbosity");
    }
}
