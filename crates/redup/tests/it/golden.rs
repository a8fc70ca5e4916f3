//! `find`, `diff` and `cat` on golden archives of duplicity: what they say is what was in the trees.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use redup_testkit::changes::{Change, changes};
use redup_testkit::damage;
use redup_testkit::env::TestEnv;
use redup_testkit::fixtures::{Case, TIMES, cases};
use redup_testkit::listing::{Kind, Listing};
use serde_json::Value;

use crate::redup;

#[test]
fn golden_archives_are_searched_and_compared_from_their_signatures_alone() {
    for case in cases().iter().filter(|case| !case.is_partial()) {
        let mut env = TestEnv::with_fixture(case);
        for name in damage::names(&env.target()) {
            if name.contains("difftar") {
                fs::write(env.target().join(name), "").unwrap();
            }
        }
        check_case(&env, case);
        // The same from the target.
        env.name = "fresh".to_owned();
        check_case(&env, case);
    }
}

fn check_case(env: &TestEnv, case: &Case) {
    let states: Vec<_> = (0..case.states())
        .map(|state| case.expected(state))
        .collect();
    let mut expected = BTreeMap::new();
    let mut before = Listing::default();
    for (state, listing) in states.iter().enumerate() {
        for (path, change) in changes(&before, listing) {
            let versions: &mut Vec<_> = expected.entry(path).or_default();
            versions.push((TIMES[state], change));
        }
        before = listing.clone();
    }
    expected.remove(&b""[..]);
    let found = find(env, "*");
    assert_eq!(found, expected, "find in {}", case.title());

    let last = states.len() - 1;
    for (old, new) in [(0, last), (last, 0), (last, last)] {
        let expected = changes(&states[old], &states[new]);
        let found = diff(env, TIMES[old], TIMES[new]);
        assert_eq!(found, expected, "{} from {old} to {new}", case.title());
    }
}

/// The records about paths, by path.
fn records(env: &TestEnv, action: &str, words: &[&str], code: i32) -> BTreeMap<Vec<u8>, Value> {
    let words = [&["--json"], words, &[&env.url]].concat();
    let outcome = env.run(&redup(), action, words).code(code);
    let lines: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.last().unwrap()["complete"], true);
    let records = lines.into_iter().filter(|line| line["record"] == "path");
    records.map(|line| (path_of(&line), line)).collect()
}

fn path_of(line: &Value) -> Vec<u8> {
    match (line["path"].as_str(), line["path_hex"].as_str()) {
        (Some("."), None) => Vec::new(),
        (Some(path), None) => path.as_bytes().to_vec(),
        (None, Some(hex)) => (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect(),
        both => panic!("{both:?}"),
    }
}

fn change_of(line: &Value, event: &str) -> Change {
    match line[event].as_str().unwrap() {
        "added" => Change::Added,
        "removed" | "deleted" => Change::Removed,
        _ => {
            let what = line["what"].as_array().unwrap().iter();
            Change::Changed(what.map(|word| known(word.as_str().unwrap())).collect())
        }
    }
}

fn known(word: &str) -> &'static str {
    let words = [
        "type",
        "content",
        "link_target",
        "device",
        "mode",
        "owner",
        "mtime",
    ];
    words
        .into_iter()
        .find(|it| *it == word)
        .unwrap_or_else(|| panic!("{word}"))
}

fn find(env: &TestEnv, pattern: &str) -> BTreeMap<Vec<u8>, Vec<(i64, Change)>> {
    let records = records(env, "find", &[pattern], 0).into_iter();
    let versions = |line: &Value| {
        let versions = line["versions"].as_array().unwrap().iter();
        let versions =
            versions.map(|it| (it["time_seconds"].as_i64().unwrap(), change_of(it, "event")));
        versions.collect()
    };
    records
        .map(|(path, line)| (path, versions(&line)))
        .collect()
}

fn diff(env: &TestEnv, old: i64, new: i64) -> BTreeMap<Vec<u8>, Change> {
    let code = i32::from(old != new);
    let records = records(env, "diff", &[&old.to_string(), &new.to_string()], code).into_iter();
    records
        .map(|(path, line)| (path, change_of(&line, "change")))
        .collect()
}

#[test]
fn the_content_of_files_of_golden_archives_is_what_was_saved() {
    for case in cases().iter().filter(|case| !case.is_partial()) {
        let env = TestEnv::with_fixture(case);
        for state in [0, case.states() - 1] {
            let listing = case.expected(state);
            let is_file = |kind: &Kind| matches!(kind, Kind::File { .. });
            let mut files: Vec<_> = listing.iter().filter(|(_, it)| is_file(&it.kind)).collect();
            // The largest, of several volumes and with differences on top, and some others.
            files.sort_by_key(|(_, entry)| match entry.kind {
                Kind::File { len, .. } => std::cmp::Reverse(len),
                _ => std::cmp::Reverse(0),
            });
            for (path, entry) in files.into_iter().take(4) {
                let file = env.path("content");
                let mut cat = env.command(&redup(), "cat", ["--time", &TIMES[state].to_string()]);
                cat.arg(os(&path.to_bytes())).arg(&env.url);
                cat.stdout(fs::File::create(&file).unwrap());
                let output = cat.stderr(std::process::Stdio::piped()).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success(), "{} {path}: {said}", case.title());
                let found = Listing::of(&file);
                let found = &found.get(b"").unwrap().kind;
                assert_eq!(*found, entry.kind, "{} {path}", case.title());
            }
        }
    }
}

fn os(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}
