//! What duplicity selected with the same options from the same trees: `fixtures/selection-cases.jsonl`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use redup_format::index::PathIndex;
use redup_select::{
    Action, Condition, Facts, Kind, Links, Listed, Mode, RuleError, Rules, Separator, Verdict,
    Walk, WalkOptions, canonical_source,
};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, makedev, mknodat, utimensat};
use serde_json::Value;
use tempfile::TempDir;

/// Cases about what the command line makes of its words, before there are conditions.
const OF_THE_COMMAND_LINE: [&str; 10] = [
    "b81", // an ambiguous prefix of an option
    "f19", // a list that is not there
    "f21", "f22", "f23", "f24", // options of 0.8.22 that 3.2.1 lacks
    "o06", // a time that is none
    "R09", "R10", "R11", // options that a restore refuses
];

/// When `now` is, for the one case that asks: between the old files and those of the future.
const NOW: i64 = 1_800_000_000;

#[test]
fn backups_select_what_duplicity_selects() {
    let cases = Cases::read();
    let mut checked = 0;
    for case in cases.of_kind("case") {
        let tree = &cases.trees[case["tree"].as_str().unwrap()];
        let found = if case.get("needs").is_some() {
            judged(case, tree, rules_for_source(case, Path::new("")))
        } else {
            walked(case, tree)
        };
        check(case, found.as_deref(), "selected");
        checked += 1;
    }
    assert_eq!(checked, 218 - 7);
}

#[test]
fn restores_select_what_duplicity_selects() {
    let cases = Cases::read();
    let mut checked = 0;
    for case in cases.of_kind("restore-case") {
        let tree = &cases.trees[case["tree"].as_str().unwrap()];
        let rules = conditions(case, Path::new(""))
            .and_then(|(conditions, _)| Rules::for_archive(&conditions));
        let found = judged(case, tree, rules).and_then(|mut paths| {
            paths.remove(0);
            if paths.is_empty() { Err(20) } else { Ok(paths) }
        });
        check(case, found.as_deref(), "restored");
        checked += 1;
    }
    assert_eq!(checked, 15 - 3);
}

#[track_caller]
fn check(case: &Value, found: Result<&[String], &i64>, field: &str) {
    let expected: Vec<_> = match case["id"].as_str().unwrap() {
        // Different spellings of a path are one path.
        "ff7" => [".", "dir1", "foo"].map(str::to_owned).to_vec(),
        _ => strings(&case[field]),
    };
    match (found, case["exit"].as_i64().unwrap()) {
        (Ok(found), 0) => assert_eq!(found, expected, "{case}"),
        (Ok(found), code) => panic!("selected {found:?} instead of error {code}: {case}"),
        (Err(&error), code) => assert_eq!(error, code, "{case}"),
    }
}

/// What a walk through the real tree selects, or the number of the error.
fn walked(case: &Value, tree: &Value) -> Result<Vec<String>, i64> {
    let dir = TempDir::new().unwrap();
    let missing = make(tree, dir.path());
    for (name, text) in case["files"].as_object().into_iter().flatten() {
        fs::write(dir.path().join(name), text.as_str().unwrap()).unwrap();
    }
    let rules = rules_for_source(case, dir.path()).map_err(|error| code(&error))?;
    let (_, only) = conditions(case, dir.path()).map_err(|error| code(&error))?;
    let rules = match only {
        Some(listed) => rules.limited_to(listed),
        None => rules,
    };
    let options = WalkOptions {
        links: if strings(&case["args"])
            .iter()
            .any(|arg| arg == "--copy-links")
        {
            Links::Follow
        } else {
            Links::Keep
        },
        ..WalkOptions::default()
    };
    let walk = Walk::new(&dir.path().join(source(case, dir.path())), rules, options).unwrap();
    let mut selected: Vec<_> = walk.map(|e| e.unwrap().index.to_string_exact()).collect();
    // What this host would not let us make counts as found where it should be.
    let expected = strings(&case["selected"]);
    for path in expected.iter().filter(|path| missing.contains(*path)) {
        let at = expected.iter().position(|other| other == path).unwrap();
        selected.insert(at, path.clone());
    }
    // The lists beside the tree are not part of the case.
    if case["source"] == "." {
        selected.retain(|path| path == "." || path.starts_with("tree"));
    }
    Ok(selected)
}

/// What the rules say of a tree that is only described, or the number of the error.
fn judged(case: &Value, tree: &Value, rules: Result<Rules, RuleError>) -> Result<Vec<String>, i64> {
    let rules = rules.map_err(|error| code(&error))?;
    let mut entries: BTreeMap<PathIndex, &Value> = BTreeMap::new();
    for entry in tree["entries"].as_array().unwrap() {
        let path = entry["path"].as_str().unwrap();
        entries.insert(PathIndex::from_bytes(path.as_bytes()).unwrap(), entry);
    }
    let mut excluded: Vec<PathIndex> = Vec::new();
    let mut selected = BTreeSet::from([PathIndex::root()]);
    for (index, entry) in &entries {
        if excluded.iter().any(|above| index.starts_with(above)) {
            continue;
        }
        let kind = match entry["type"].as_str().unwrap() {
            "dir" => Kind::Directory,
            "file" => Kind::Regular,
            _ => panic!("{case}"),
        };
        let facts = Facts {
            kind,
            mtime: NOW,
            other_filesystem: index.as_bytes().starts_with(b"mnt"),
            has_entry: &|_| false,
        };
        match rules.judge(index, &facts) {
            Verdict::Exclude => excluded.push(index.clone()),
            Verdict::Scan => {}
            Verdict::Include => {
                let above = std::iter::successors(Some(index.clone()), PathIndex::parent);
                selected.extend(above);
            }
        }
    }
    Ok(selected.iter().map(PathIndex::to_string_exact).collect())
}

fn rules_for_source(case: &Value, dir: &Path) -> Result<Rules, RuleError> {
    let (conditions, _) = conditions(case, dir)?;
    let source = canonical_source(source(case, dir).as_bytes());
    Rules::new(&source, &conditions)
}

/// The options of a case as the command line would hand them on.
fn conditions(case: &Value, dir: &Path) -> Result<(Vec<Condition>, Option<Listed>), RuleError> {
    let args = strings(&case["args"]);
    let separator = if args.iter().any(|arg| arg == "--null-separator") {
        Separator::Nul
    } else {
        Separator::Newline
    };
    let read = |name: &str| match (name, case["files"][name].as_str()) {
        ("/dev/stdin", _) => case["stdin"].as_str().unwrap().as_bytes().to_vec(),
        (_, text) => text.unwrap().as_bytes().to_vec(),
    };
    let mut conditions = Vec::new();
    let mut only = None;
    let mut words = args.iter().flat_map(|arg| match arg.split_once('=') {
        Some((option, value)) if arg.starts_with("--") => vec![option, value],
        _ => vec![&arg[..]],
    });
    while let Some(option) = words.next() {
        let action = if option.starts_with("--include") {
            Action::Include
        } else {
            Action::Exclude
        };
        let mut value = || {
            words
                .next()
                .unwrap()
                .replace("{cwd}", dir.to_str().unwrap())
        };
        conditions.push(match option {
            "--include" | "--exclude" => Condition::Pattern {
                action,
                pattern: value().into_bytes(),
            },
            "--include-filelist" | "--exclude-filelist" | "--exclude-fil" => Condition::List {
                action,
                list: read(&value()),
                separator,
            },
            "--include-regexp" | "--exclude-regexp" => Condition::Regexp {
                action,
                pattern: value(),
            },
            "--exclude-if-present" => Condition::ExcludeIfPresent(value().into_bytes()),
            "--exclude-device-files" => Condition::ExcludeDeviceFiles,
            "--exclude-other-filesystems" => Condition::ExcludeOtherFilesystems,
            "--exclude-older-than" => Condition::ExcludeOlderThan(match &value()[..] {
                "now" => NOW,
                "2010-01-01" => 1_262_304_000,
                seconds => seconds.parse().unwrap(),
            }),
            "--filter-globbing" => Condition::Mode(Mode::Glob),
            "--filter-literal" => Condition::Mode(Mode::Literal),
            "--filter-regexp" => Condition::Mode(Mode::Regexp),
            "--filter-ignorecase" => Condition::IgnoreCase(true),
            "--filter-strictcase" => Condition::IgnoreCase(false),
            "--files-from" => {
                only = Some(Listed::parse(&read(&value()), separator)?);
                continue;
            }
            "--null-separator" | "--copy-links" => continue,
            other => panic!("{other}: {case}"),
        });
    }
    Ok((conditions, only))
}

/// The number by which scripts know an error; 30 is duplicity's for what it does not foresee.
fn code(error: &RuleError) -> i64 {
    match error {
        RuleError::OutsideSource { .. } => 14,
        RuleError::ConsecutiveSlashes { .. } => 15,
        RuleError::OnlyIncludes { .. } => 16,
        RuleError::EmptyPattern => 23,
        RuleError::BadRange { .. } | RuleError::BadRegexp { .. } => 30,
        RuleError::FilterWithoutEffect => 70,
        RuleError::FilterLast => 71,
        RuleError::AbsolutePath { .. } => 72,
        RuleError::NothingListed => 73,
        other => panic!("{other}"),
    }
}

fn source(case: &Value, dir: &Path) -> String {
    let source = case["source"].as_str().unwrap();
    source.replace("{cwd}", dir.to_str().unwrap())
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
            "fifo" => make_node(&path, rustix::fs::FileType::Fifo, 0).unwrap(),
            "chardev" => {
                let number = |field: &str| u32::try_from(entry[field].as_u64().unwrap()).unwrap();
                let device = makedev(number("major"), number("minor"));
                if make_node(&path, rustix::fs::FileType::CharacterDevice, device).is_err() {
                    missing.insert(name.to_owned());
                }
            }
            other => panic!("{other}"),
        }
    }
    for entry in entries {
        if let Some(mtime) = entry["mtime"].as_i64() {
            set_mtime(&root.join(entry["path"].as_str().unwrap()), mtime);
        }
    }
    missing
}

fn make_node(
    path: &PathBuf,
    file_type: rustix::fs::FileType,
    device: u64,
) -> rustix::io::Result<()> {
    mknodat(CWD, path, file_type, rustix::fs::Mode::RWXU, device)
}

fn set_mtime(path: &Path, tv_sec: i64) {
    let time = Timespec { tv_sec, tv_nsec: 0 };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
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
        self.cases.iter().filter(move |case| {
            let id = case["id"].as_str().unwrap_or_default();
            case["kind"] == kind && !OF_THE_COMMAND_LINE.contains(&id)
        })
    }
}

trait Exact {
    /// The path as it is, not for a terminal.
    fn to_string_exact(&self) -> String;
}

impl Exact for PathIndex {
    fn to_string_exact(&self) -> String {
        if self.is_root() {
            return ".".to_owned();
        }
        String::from_utf8(self.as_bytes().to_vec()).unwrap()
    }
}

fn strings(value: &Value) -> Vec<String> {
    let values = value.as_array().into_iter().flatten();
    values
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}
