//! Every case of `fixtures/selection-cases.jsonl`, typed at the program: what duplicity selected with the
//! same words from the same tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use redup_testkit::env::TestEnv;
use redup_testkit::listing::Listing;
use redup_testkit::log;
use redup_testkit::surroundings::SmallDisk;
use redup_testkit::trees::Key;
use serde_json::Value;

use crate::redup;

mod oracle;

/// Options that 3.2.1 removed and 0.8.22 has: what 0.8.22 did is what we do.
const OF_0_8: [&str; 4] = ["f21", "f22", "f23", "f24"];

/// Options of a backup that are carried along to a restore: 0.8.22 warned and restored everything.
const CARRIED_ALONG: [&str; 3] = ["R04", "R10", "R11"];

#[test]
fn backups_select_what_duplicity_selected() {
    let cases = Cases::read();
    let mut checked = 0;
    for case in cases.of_kind("case") {
        if let Some(found) = selected(case, cases.tree(case)) {
            check(
                case,
                found.as_deref().map_err(|code| *code),
                &expected(case),
            );
        }
        checked += 1;
    }
    assert_eq!(checked, 218);
}

#[test]
fn restores_select_what_duplicity_selected() {
    let cases = Cases::read();
    let mut env = TestEnv::new();
    env.options = vec!["--no-encryption".to_owned()];
    let tree = cases.of_kind("restore-case").next().unwrap();
    make(cases.tree(tree), &env.path("."));
    let args = [env.path("tree"), env.url.clone().into()];
    env.run(&redup(), "full", args).ok();
    let mut checked = 0;
    for case in cases.of_kind("restore-case") {
        let found = restored(case, &env);
        check(
            case,
            found.as_deref().map_err(|code| *code),
            &expected(case),
        );
        checked += 1;
    }
    assert_eq!(checked, 15);
}

/// What a verify is told to leave out is missing to it, as with duplicity.
#[test]
fn a_verify_compares_what_is_selected() {
    let mut env = TestEnv::new();
    env.options = vec!["--no-encryption".to_owned()];
    fs::create_dir_all(env.source().join("sub")).unwrap();
    fs::write(env.source().join("sub/file"), "x").unwrap();
    let source = env.source().display().to_string();
    env.run(&redup(), "full", [&source, &env.url]).ok();
    let exclude = format!("{source}/sub/file");
    for program in crate::programs() {
        let args = ["--compare-data", "--exclude", &exclude, &env.url, &source];
        env.run(&program, "verify", args)
            .code(1)
            .says("Difference found: File sub/file is missing");
    }
}

/// What was selected, or the exit status; `None` where the system does not let us ask.
fn selected(case: &Value, tree: &Value) -> Option<Result<Vec<String>, i32>> {
    let env = TestEnv::new();
    let cwd = env.path("cwd");
    fs::create_dir(&cwd).unwrap();
    let missing = make(tree, &cwd);
    for (name, text) in case["files"].as_object().into_iter().flatten() {
        fs::write(cwd.join(name), text.as_str().unwrap()).unwrap();
    }
    let here = |word: &str| word.replace("{cwd}", cwd.to_str().unwrap());
    let log = env.path("log");
    let mut command = env.bare(&redup());
    command
        .args(["full", "--dry-run", "--no-encryption", "-v5"])
        .arg("--log-file")
        .arg(&log)
        .args(strings(&case["args"]).iter().map(|word| here(word)))
        .arg(here(case["source"].as_str().unwrap()))
        .arg(&env.url)
        .current_dir(&cwd);
    let code = match (case["stdin"].as_str(), case.get("needs")) {
        (Some(text), _) => {
            let mut input = tempfile::tempfile().unwrap();
            input.write_all(text.as_bytes()).unwrap();
            input.rewind().unwrap();
            let status = command
                .stdin(input)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            status.unwrap().code()
        }
        (None, Some(_)) => SmallDisk::over(&cwd.join("tree/mnt"), 1024)?
            .run(command)
            .status
            .code(),
        (None, None) => redup_testkit::run::run(&mut command).status.code(),
    };
    match code.unwrap() {
        0 => {}
        code => return Some(Err(code)),
    }
    let found = log::paths(&fs::read_to_string(log).unwrap(), 4);
    let mut found: Vec<_> = found.iter().map(text).collect();
    // What this host would not let us make counts as found where it should be.
    let expected = expected(case);
    for path in expected.iter().filter(|path| missing.contains(*path)) {
        let at = expected.iter().position(|other| other == path).unwrap();
        found.insert(at, path.clone());
    }
    // Where the small disk keeps what is below it.
    found.retain(|path| !path.starts_with("mnt.kept"));
    // The lists beside the tree are not part of the case.
    if case["source"] == "." {
        found.retain(|path| path == "." || path.starts_with("tree"));
    }
    Some(Ok(found))
}

/// What came out of the archive, or the exit status.
fn restored(case: &Value, env: &TestEnv) -> Result<Vec<String>, i32> {
    for (name, text) in case["files"].as_object().into_iter().flatten() {
        fs::write(env.path(name), text.as_str().unwrap()).unwrap();
    }
    let folder = env.fresh("restored");
    let mut command = env.command(&redup(), "restore", strings(&case["args"]));
    command.arg(&env.url).arg(&folder);
    let outcome = redup_testkit::run::run(&mut command);
    match outcome.status.code().unwrap() {
        0 if CARRIED_ALONG.contains(&case["id"].as_str().unwrap()) => {
            outcome
                .says("Selection options --exclude/--include currently work only when backing up");
        }
        0 => drop(outcome.never_says("Selection options")),
        code => {
            assert!(!folder.exists(), "{case}");
            return Err(code);
        }
    }
    let listing = Listing::of(&folder);
    let paths = listing.iter().map(|(path, _)| path);
    Ok(paths.filter(|path| !path.is_root()).map(text).collect())
}

#[track_caller]
fn check(case: &Value, found: Result<&[String], i32>, expected: &[String]) {
    let id = case["id"].as_str().unwrap();
    let code = match case["exit"].as_i64().unwrap() {
        _ if OF_0_8.contains(&id) || CARRIED_ALONG.contains(&id) => 0,
        // An exception of duplicity's; to us a pattern that cannot be read.
        30 => 15,
        code => code,
    };
    match found {
        Ok(found) if code == 0 => assert_eq!(found, expected, "{case}"),
        Ok(found) => panic!("selected {found:?} instead of error {code}: {case}"),
        Err(found) => assert_eq!(i64::from(found), code, "{case}"),
    }
}

/// The paths that a case selects.
fn expected(case: &Value) -> Vec<String> {
    let id = case["id"].as_str().unwrap();
    match id {
        // Different spellings of a path are one path.
        "ff7" => [".", "dir1", "foo"].map(str::to_owned).to_vec(),
        id if OF_0_8.contains(&id) => strings(&case["v0822_selected"]),
        id if CARRIED_ALONG.contains(&id) => {
            let mut all = strings(&Cases::read().tree(case)["entries"]);
            all.sort_by_key(|path| Key::from_bytes(path.as_bytes()));
            all
        }
        _ if case["kind"] == "restore-case" => strings(&case["restored"]),
        _ => strings(&case["selected"]),
    }
}

/// Makes a tree; returns what this host does not allow.
fn make(tree: &Value, dir: &Path) -> BTreeSet<String> {
    let root = dir.join(tree["root"].as_str().unwrap());
    fs::create_dir(&root).unwrap();
    let entries = tree["entries"].as_array().unwrap();
    let mut missing = BTreeSet::new();
    for entry in entries {
        let name = entry["path"].as_str().unwrap();
        let path = root.join(name);
        match entry["type"].as_str().unwrap() {
            "file" => fs::write(&path, b"").unwrap(),
            "dir" => fs::create_dir(&path).unwrap(),
            "symlink" => symlink(entry["target"].as_str().unwrap(), &path).unwrap(),
            "socket" => drop(UnixListener::bind(&path).unwrap()),
            "fifo" => assert!(make_node(Command::new("mkfifo").arg(&path))),
            "chardev" => {
                let number = |field: &str| entry[field].to_string();
                let mut mknod = Command::new("mknod");
                mknod
                    .arg(&path)
                    .args(["c", &number("major"), &number("minor")]);
                if !make_node(&mut mknod) {
                    missing.insert(name.to_owned());
                }
            }
            other => panic!("{other}"),
        }
    }
    for entry in entries {
        if let Some(mtime) = entry["mtime"].as_u64() {
            let file = File::open(root.join(entry["path"].as_str().unwrap())).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(mtime))
                .unwrap();
        }
    }
    missing
}

fn make_node(command: &mut Command) -> bool {
    command.stderr(Stdio::null()).status().unwrap().success()
}

struct Cases {
    cases: Vec<Value>,
    trees: BTreeMap<String, Value>,
}

impl Cases {
    fn read() -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/selection-cases.jsonl");
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let (trees, cases) = lines.partition::<Vec<Value>, _>(|line| line["kind"] == "tree");
        let named = |tree: Value| (tree["tree"].as_str().unwrap().to_owned(), tree);
        Self {
            cases,
            trees: trees.into_iter().map(named).collect(),
        }
    }

    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.cases.iter().filter(move |case| case["kind"] == kind)
    }

    fn tree(&self, case: &Value) -> &Value {
        &self.trees[case["tree"].as_str().unwrap()]
    }
}

fn text(path: &Key) -> String {
    match path.is_root() {
        true => ".".to_owned(),
        false => String::from_utf8(path.to_bytes()).unwrap(),
    }
}

/// Strings, or the paths of entries.
fn strings(value: &Value) -> Vec<String> {
    let values = value.as_array().into_iter().flatten();
    let text = |value: &Value| {
        value
            .as_str()
            .or(value["path"].as_str())
            .unwrap()
            .to_owned()
    };
    values.map(text).collect()
}
