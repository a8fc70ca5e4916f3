use std::fs;
use std::io::{Seek, Write};
use std::process::Stdio;

use redup_testkit::env::TestEnv;
use redup_testkit::run::run;

use super::plain;
use crate::cli::support::{go, typed};
use crate::{duplicity, redup};

/// What of the source a backup with these options takes, without the root: `a`, `link`, `sub`, `sub/b` and
/// what a test adds.
#[track_caller]
fn taken(env: &TestEnv, options: &str) -> Vec<String> {
    taken_of(env, options, "source")
}

#[track_caller]
fn taken_of(env: &TestEnv, options: &str, source: &str) -> Vec<String> {
    let line = format!("full --dry-run -v5 --no-encryption {options} {source} file://target");
    added(&go(env, &line).ok().stdout)
}

fn added(told: &str) -> Vec<String> {
    let lines = told.lines().filter_map(|line| line.strip_prefix("A "));
    lines
        .filter(|name| *name != ".")
        .map(str::to_owned)
        .collect()
}

#[test]
fn patterns_include_and_exclude() {
    let env = plain();
    assert_eq!(taken(&env, ""), ["a", "link", "sub", "sub/b"]);
    assert_eq!(taken(&env, "--exclude source/sub"), ["a", "link"]);
    let kept = "--include source/sub --exclude source/**";
    assert_eq!(taken(&env, kept), ["sub", "sub/b"]);
}

#[test]
fn regular_expressions_include_and_exclude() {
    let env = plain();
    assert_eq!(taken(&env, "--exclude-regexp (li|su)."), ["a"]);
    let kept = "--include-regexp k$ --exclude-regexp .";
    assert_eq!(taken(&env, kept), ["link"]);
}

#[test]
fn lists_include_and_exclude_by_each_of_their_names() {
    let env = plain();
    fs::write(env.path("list"), "# a comment\nsource/a\nsource/sub\n").unwrap();
    for option in ["--exclude-filelist", "--exclude-globbing-filelist"] {
        assert_eq!(taken(&env, &format!("{option} list")), ["link"], "{option}");
    }
    for option in ["--include-filelist", "--include-globbing-filelist"] {
        let line = format!("{option} list --exclude **");
        assert_eq!(taken(&env, &line), ["a", "sub", "sub/b"], "{option}");
    }
}

#[test]
fn each_list_is_announced_as_duplicity_announces_it() {
    let env = plain();
    fs::write(env.path("list"), "- source/a\n").unwrap();
    let words = "full --dry-run --no-encryption --no-print-statistics --exclude-filelist list --filter-literal \
                 --include-filelist ./list --files-from list --exclude source/x source file://target";
    let [ours, theirs] = [redup(), duplicity()].map(|program| {
        let told = run(env.bare(&program).args(words.split_whitespace())).ok();
        let lines = told
            .stdout
            .lines()
            .filter(|line| line.starts_with("Reading "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    });
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 3, "{ours:?}");
    let mut input = typed(
        &env,
        "full --dry-run --no-encryption --exclude-filelist-stdin source file://target",
    );
    let told = input.stdin(Stdio::null()).output().unwrap().stdout;
    assert!(told.starts_with(b"Reading globbing filelist standard input\n"));
}

#[test]
fn lists_come_from_standard_input() {
    let env = plain();
    for (options, expected) in [
        ("--exclude-filelist-stdin", &["link", "sub", "sub/b"][..]),
        ("--include-filelist-stdin --exclude **", &["a"]),
    ] {
        let mut input = tempfile::tempfile().unwrap();
        input.write_all(b"source/a\n").unwrap();
        input.rewind().unwrap();
        let line = format!("full --dry-run -v5 --no-encryption {options} source file://target");
        let told = typed(&env, &line).stdin(input).output().unwrap().stdout;
        assert_eq!(
            added(&String::from_utf8(told).unwrap()),
            expected,
            "{options}"
        );
    }
}

#[test]
fn lists_end_their_lines_with_nul_when_asked() {
    let env = plain();
    fs::write(env.path("list"), "source/a\0source/sub\0").unwrap();
    assert_eq!(
        taken(&env, "--null-separator --exclude-filelist list"),
        ["link"]
    );
    fs::write(env.path("list"), "a\0link\0").unwrap();
    assert_eq!(
        taken(&env, "--files-from list --null-separator"),
        ["a", "link"]
    );
}

#[test]
fn a_folder_with_a_mark_is_left_out() {
    let env = plain();
    fs::write(env.source().join("sub/.nobackup"), "").unwrap();
    assert_eq!(taken(&env, "--exclude-if-present .nobackup"), ["a", "link"]);
    assert_eq!(taken(&env, "--exclude-if-present .other").len(), 5);
}

#[test]
fn files_older_than_a_time_are_left_out() {
    let env = plain();
    let old = fs::File::options()
        .write(true)
        .open(env.source().join("a"))
        .unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(
        taken(&env, "--exclude-older-than 1D"),
        ["link", "sub", "sub/b"]
    );
}

#[test]
fn other_file_systems_are_left_out() {
    let env = plain();
    let of = |options: &str| {
        let options = format!("{options} --include /proc/version --exclude **");
        taken_of(&env, &options, "/")
    };
    assert_eq!(of(""), ["proc", "proc/version"]);
    assert!(of("--exclude-other-filesystems").is_empty());
}

#[test]
fn device_files_are_left_out() {
    let env = plain();
    let of = |options: &str| {
        let options = format!("{options} --include /dev/null --exclude **");
        taken_of(&env, &options, "/dev")
    };
    assert_eq!(of(""), ["null"]);
    assert!(of("--exclude-device-files").is_empty());
}

#[test]
fn a_list_says_what_is_backed_up() {
    let env = plain();
    fs::write(env.path("list"), "sub/b\nnot there\n").unwrap();
    assert_eq!(taken(&env, "--files-from list"), ["sub", "sub/b"]);
}

#[test]
fn patterns_are_read_as_the_filter_before_them_says() {
    let env = plain();
    fs::write(env.source().join("A*"), "").unwrap();
    fs::write(env.source().join("Ab"), "").unwrap();
    let stars = |options: &str| {
        let all = taken(&env, &format!("{options} --exclude source/A*"));
        all.into_iter()
            .filter(|name| name.starts_with('A') || name == "a")
            .collect::<Vec<_>>()
    };
    assert_eq!(stars(""), ["a"]);
    assert_eq!(stars("--filter-literal"), ["Ab", "a"]);
    assert_eq!(stars("--filter-literal --filter-globbing"), ["a"]);
    // No or more letters A behind the slash: that is anything.
    assert!(stars("--filter-regexp").is_empty());
    assert!(stars("--filter-ignorecase").is_empty());
    assert_eq!(stars("--filter-ignorecase --filter-strictcase"), ["a"]);
}
