//! The results of `--json` have exactly the fields that docs/json.md lists.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use redup_testkit::damage;
use redup_testkit::env::TestEnv;
use redup_testkit::run::Outcome;
use serde_json::Value;

use crate::cli::support::{dated, go, place, wordy};

/// The tables of docs/json.md: under each heading, fields with their meaning. Headings of the third level carry those
/// of the second in front.
struct Documented {
    tables: BTreeMap<String, Vec<(String, String)>>,
    /// Schemas and records that were checked.
    checked: RefCell<BTreeSet<(String, String)>>,
}

impl Documented {
    fn load() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
        let text = fs::read_to_string(file).unwrap();
        let mut tables = BTreeMap::new();
        let (mut schema, mut heading) = (String::new(), String::new());
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("## ") {
                name.clone_into(&mut schema);
                heading = schema.to_lowercase();
            } else if let Some(name) = line.strip_prefix("### ") {
                heading = format!("{schema} {name}");
            } else if let Some(row) = line.strip_prefix("| ") {
                let (names, meaning) = row.split_once(" | ").unwrap();
                if names == "field" || schema.is_empty() {
                    continue;
                }
                let rows: &mut Vec<_> = tables.entry(heading.clone()).or_default();
                for name in names.split(", ") {
                    rows.push((name.to_owned(), meaning.to_owned()));
                }
            }
        }
        Self {
            tables,
            checked: RefCell::default(),
        }
    }

    /// Asserts that every record of the schemas that were checked has come.
    #[track_caller]
    fn all_came(&self) {
        let checked = self.checked.borrow();
        let mut records = 0;
        for heading in self.tables.keys() {
            let Some((schema, table)) = heading.split_once(' ') else {
                continue;
            };
            let is_checked = checked.iter().any(|(known, _)| known == schema);
            if is_checked && self.fields(schema, table).contains("record") {
                records += 1;
                let came = checked.contains(&(schema.to_owned(), table.to_owned()));
                assert!(came, "{heading} never came");
            }
        }
        assert!(records > 10, "{records}");
    }

    /// The fields of a table, with those of the tables that its rows refer to.
    fn fields(&self, schema: &str, table: &str) -> BTreeSet<String> {
        let own = format!("{schema} {table}");
        let rows = self.tables.get(own.trim_end());
        let rows = rows.or_else(|| self.tables.get(table));
        let rows = rows.unwrap_or_else(|| panic!("docs/json.md has no table {own}"));
        let mut fields = BTreeSet::new();
        for (name, meaning) in rows {
            if let Some(other) = reference(name) {
                fields.extend(self.fields(schema, other));
                continue;
            }
            let name = name.trim_matches('`');
            let inside = meaning
                .split_once('[')
                .filter(|(before, _)| before.ends_with("a ") || before.ends_with("list of "));
            match inside {
                Some((before, _)) => {
                    let list = if before.ends_with("list of ") {
                        "[]"
                    } else {
                        ""
                    };
                    let other = reference(&meaning[before.len()..]).unwrap();
                    let other = self.fields(schema, other);
                    fields.extend(other.iter().map(|field| format!("{name}{list}.{field}")));
                }
                None => drop(fields.insert(name.to_owned())),
            }
        }
        fields
    }

    /// Whether `lines` are what is documented of `schema`: each record with all of its fields and no other.
    #[track_caller]
    fn check(&self, schema: &str, lines: &[Value]) {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for line in lines {
            let record = line["record"].as_str().unwrap_or_default().to_owned();
            let mut fields = BTreeSet::new();
            flatten(line, "", &mut fields);
            found.entry(record).or_default().extend(fields);
        }
        assert_eq!(lines[0]["schema"], schema);
        for (record, mut fields) in found {
            // What is an object in one line and null in another is the former.
            let of_objects: Vec<_> = fields
                .iter()
                .flat_map(|field| {
                    field
                        .match_indices(['.', '['])
                        .map(|(at, _)| field[..at].to_owned())
                })
                .collect();
            fields.retain(|field| !of_objects.contains(field));
            let documented = self.fields(schema, &record);
            let pair = (schema.to_owned(), record.clone());
            self.checked.borrow_mut().insert(pair);
            assert_eq!(fields, documented, "{schema} {record}");
            // All of them in every line.
            for line in lines
                .iter()
                .filter(|line| line["record"].as_str().unwrap_or_default() == record)
            {
                let there: BTreeSet<_> = line
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(String::as_str)
                    .collect();
                let top: BTreeSet<_> = documented
                    .iter()
                    .map(|field| field.split(['.', '[']).next().unwrap())
                    .collect();
                assert_eq!(there, top, "{schema} {record}");
            }
        }
    }
}

/// `[state](#state)` refers to the table of that name.
fn reference(text: &str) -> Option<&str> {
    let (name, rest) = text.strip_prefix('[')?.split_once("](#")?;
    rest.contains(')').then_some(name)
}

fn flatten(value: &Value, name: &str, fields: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let dot = if name.is_empty() { "" } else { "." };
                flatten(value, &format!("{name}{dot}{key}"), fields);
            }
        }
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for value in list {
                flatten(value, &format!("{name}[]"), fields);
            }
        }
        _ => drop(fields.insert(name.to_owned())),
    }
}

/// The lines of standard output.
#[track_caller]
fn lines(outcome: &Outcome) -> Vec<Value> {
    let lines = outcome.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Two chains of two sets and one, of a tree with all that has a field of its own.
fn history() -> TestEnv {
    let mut env = place();
    env.options = ["--no-print-statistics", "--allow-source-mismatch"]
        .map(String::from)
        .to_vec();
    let backup = |env: &TestEnv, time| {
        let options = "--no-print-statistics --allow-source-mismatch --current-time";
        go(env, &format!("source file://target {options} {time}")).ok();
    };
    backup(&env, 1_700_000_000);
    fs::write(env.source().join("a"), "changed\n").unwrap();
    dated(&env, "a", 1_600_000_000);
    fs::remove_file(env.source().join("sub/b")).unwrap();
    backup(&env, 1_700_086_400);
    fs::write(env.source().join("new"), "").unwrap();
    go(
        &env,
        "full source file://target --no-print-statistics --current-time 1700172800",
    )
    .ok();
    env
}

#[test]
fn results_have_the_fields_that_are_documented_and_no_others() {
    let documented = Documented::load();
    let env = history();
    let check = |schema, line: &str, code| {
        let outcome = go(&env, line).code(code);
        documented.check(schema, &lines(&outcome));
    };
    let strays = [
        "duplicity-inc.20200101T000000Z.to.20200102T000000Z.manifest.gpg",
        "duplicity-full.20200101T000000Z.vol1.difftar.gpg",
        "duplicity-full-signatures.20190101T000000Z.sigtar.gpg",
    ];
    for name in strays {
        fs::write(env.target().join(name), "").unwrap();
    }
    check(
        "redup.status.v1",
        "collection-status --json file://target",
        0,
    );
    let changes = "collection-status --json file://target";
    check(
        "redup.changes.v1",
        &format!("{changes} --file-changed new"),
        0,
    );
    check(
        "redup.changes.v1",
        &format!("{changes} --show-changes-in-set 0"),
        0,
    );
    fs::write(env.source().join("a"), "other\n").unwrap();
    fs::write(env.source().join("only"), "").unwrap();
    check(
        "redup.verify.v1",
        "verify --json --compare-data file://target source",
        1,
    );
    let volume = damage::find(&env.target(), &["duplicity-full.20231116", "vol1"]);
    let whole = fs::read(&volume).unwrap();
    damage::flip_bit(&volume, 200);
    check(
        "redup.verify.v1",
        "verify --json --ignore-errors file://target source",
        1,
    );
    check("redup.audit.v1", "audit --json file://target", 1);
    for stray in strays {
        fs::remove_file(env.target().join(stray)).unwrap();
    }
    fs::remove_file(&volume).unwrap();
    check("redup.audit.v1", "audit --json file://target", 1);
    fs::write(&volume, whole).unwrap();
    check("redup.audit.v1", "audit --json file://target", 0);
    check(
        "redup.list.v1",
        "list-current-files --json file://target",
        0,
    );
    check("redup.find.v1", "find --json * file://target", 0);
    check(
        "redup.diff.v1",
        "diff --json 1700000000 now file://target",
        1,
    );
    documented.all_came();
}

#[test]
fn every_schema_that_is_documented_is_checked() {
    let file = include_str!("json.rs");
    for heading in Documented::load().tables.keys() {
        let schema = heading.split(' ').next().unwrap();
        assert!(
            !schema.starts_with("redup.") || file.contains(&format!("\"{schema}\"")),
            "{schema}"
        );
    }
}

#[test]
fn standard_output_is_json_alone_whatever_is_said() {
    let env = history();
    fs::remove_dir_all(env.path("home/.cache")).unwrap();
    let outcome = go(
        &env,
        "ls --json -v9 --ignore-errors --config-dir x file://target",
    )
    .ok();
    let last = lines(&outcome).pop().unwrap();
    assert_eq!(
        (&last["record"], &last["complete"]),
        (&"end".into(), &true.into())
    );
    assert!(outcome.stderr.contains("Copying "), "{}", outcome.stderr);
}

#[test]
fn what_fails_leaves_nothing_that_looks_whole() {
    let mut env = history();
    fs::remove_dir_all(env.path("home/.cache")).unwrap();
    env.set("PASSPHRASE", "wrong");
    for line in ["ls --json", "find --json *", "diff --json 1700000000 now"] {
        let outcome = go(&env, &format!("{line} file://target")).code(31);
        assert_eq!(outcome.stdout, "", "{line}");
        assert!(outcome.stderr.contains("\nerror: "), "{}", outcome.stderr);
    }
}

#[test]
fn what_fails_in_the_middle_has_no_end() {
    let env = place();
    wordy(&env);
    go(&env, "full source file://target --no-encryption").ok();
    let archives = fs::read_dir(env.path("home/.cache/duplicity")).unwrap();
    let archive = archives.last().unwrap().unwrap().path();
    let signatures = damage::find(&archive, &["sigtar"]);
    let file = fs::File::options().write(true).open(signatures).unwrap();
    file.set_len(file.metadata().unwrap().len() * 3 / 4)
        .unwrap();
    for line in ["ls --json", "find --json *"] {
        let outcome = go(&env, &format!("{line} --no-encryption file://target"));
        assert!(!outcome.status.success(), "{outcome}");
        let lines = lines(&outcome);
        assert_eq!(lines[0]["record"], "begin");
        assert!(lines.len() > 100 && lines.iter().all(|line| line["record"] != "end"));
    }
    // Where there is no end to miss, what was found counts.
    for line in ["ls", "find *"] {
        let outcome = go(&env, &format!("{line} --no-encryption file://target"));
        assert!(!outcome.status.success(), "{outcome}");
        assert!(outcome.stdout.lines().count() > 1000, "{line}");
    }
}

#[test]
fn commands_without_a_result_refuse_it_and_name_those_that_have_one() {
    let env = place();
    for line in [
        "full source file://target",
        "cat a file://target",
        "restore file://target out",
    ] {
        go(&env, &format!("{line} --json"))
            .code(23)
            .says("--json is for restore --dry-run, verify, collection-status, list-current-files, cleanup, ")
            .says(", find, diff, ");
    }
}

#[test]
fn what_would_be_restored_is_told_without_being_restored() {
    let env = history();
    let line = "restore --dry-run --json -t 1700000000 file://target out";
    let plan = lines(&go(&env, line).ok());
    Documented::load().check("redup.restore-plan.v1", &plan);
    assert_eq!(plan[0]["time_seconds"], 1_700_000_000);
    let volumes = plan[0]["volumes"].as_array().unwrap();
    let name = volumes[0].as_str().unwrap();
    assert!(
        name.starts_with("duplicity-full.20231114T221320Z.vol1."),
        "{name}"
    );
    assert_eq!(volumes.len(), 1);
    assert!(!env.path("out").exists());
}

#[test]
fn what_would_go_is_told_and_then_gone() {
    let env = history();
    let documented = Documented::load();
    let removal = |options: &str| {
        let line = format!("remove-all-but-n-full 1 --json file://target {options}");
        let told = lines(&go(&env, &line).ok());
        documented.check("redup.removal.v1", &told);
        let old = told[0]["chains"][0].clone();
        assert_eq!(old["start_time_seconds"], 1_700_000_000);
        assert_eq!(
            (&told[0]["only_increments"], &told[0]["failed"]),
            (&false.into(), &0.into())
        );
        (
            told[0]["deletes"].as_bool().unwrap(),
            told[0]["deleted"].as_u64().unwrap(),
        )
    };
    let before = damage::names(&env.target());
    assert_eq!(removal(""), (false, 0));
    assert_eq!(removal("--force --dry-run"), (false, 0));
    assert_eq!(damage::names(&env.target()), before);
    let (deletes, deleted) = removal("--force");
    assert!(deletes && deleted >= 6, "{deleted}");
    assert!(damage::names(&env.target()).len() < before.len());
    // Nothing more is to be had.
    for line in [
        "remove-all-but-n-full 1",
        "remove-older-than now",
        "prune --keep-last 1",
    ] {
        let told = lines(&go(&env, &format!("{line} --json file://target")).ok());
        assert_eq!(
            told[0]["chains"].as_array().map(Vec::len),
            Some(0),
            "{line}"
        );
    }
}

#[test]
fn leftovers_are_told_and_then_gone() {
    let env = history();
    let documented = Documented::load();
    let cleanup = |options: &str| {
        let told = lines(&go(&env, &format!("cleanup --json file://target {options}")).ok());
        documented.check("redup.cleanup.v1", &told);
        told.into_iter().next().unwrap()
    };
    assert_eq!(cleanup("")["files"], Value::Array(Vec::new()));
    let manifest = damage::find(&env.target(), &["inc.", ".manifest"]);
    fs::remove_file(manifest).unwrap();
    let told = cleanup("");
    let files = told["files"].as_array().unwrap();
    assert!(!files.is_empty(), "{told}");
    assert_eq!(
        (&told["deletes"], &told["deleted"]),
        (&false.into(), &0.into())
    );
    let told = cleanup("--force");
    assert_eq!(told["deletes"], true);
    assert!(
        told["deleted"].as_u64().unwrap() as usize >= files.len(),
        "{told}"
    );
    assert_eq!(cleanup("")["files"], Value::Array(Vec::new()));
}

#[test]
fn the_status_tells_sets_and_their_size() {
    let env = history();
    let status = lines(&go(&env, "st --json file://target").ok()).remove(0);
    let chains = status["chains"].as_array().unwrap();
    assert_eq!(chains.len(), 2);
    assert_eq!(
        (&chains[0]["primary"], &chains[1]["primary"]),
        (&false.into(), &true.into())
    );
    let set = &chains[0]["sets"][1];
    assert_eq!(set["type"], "incremental");
    assert_eq!(set["since"], "2023-11-14T22:13:20Z");
    assert_eq!(
        (&set["volumes"], &set["encrypted"]),
        (&1.into(), &true.into())
    );
    let files = fs::read_dir(env.target()).unwrap().map(Result::unwrap);
    let of_set = files.filter(|file| {
        file.file_name()
            .to_string_lossy()
            .contains(".to.20231115T221320Z.")
    });
    let bytes: u64 = of_set.map(|file| file.metadata().unwrap().len()).sum();
    assert_eq!(set["bytes"], bytes);
    let trusted = lines(&go(&env, "st --json --no-check-remote file://target").ok()).remove(0);
    let set = &trusted["chains"][0]["sets"][0];
    assert!(set["bytes"].is_null() && set["volumes"].is_null() && set["encrypted"].is_null());
    go(
        &env,
        "st --json --jsonstat --show-changes-in-set 0 file://target",
    )
    .code(23);
}

#[test]
fn names_times_and_types_are_told_without_loss() {
    use std::os::unix::ffi::OsStrExt;
    let env = place();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9\n");
    fs::write(env.source().join(name), "x".repeat(2000)).unwrap();
    go(
        &env,
        "full source file://target --no-print-statistics --current-time 1700000000",
    )
    .ok();
    let lines = lines(&go(&env, "ls --json file://target").ok());
    assert_eq!(lines[0]["time"], "2023-11-14T22:13:20Z");
    assert_eq!(lines[0]["time_seconds"], 1_700_000_000);
    let of = |path: &str| lines.iter().find(|line| line["path"] == path).unwrap();
    assert_eq!(of(".")["type"], "directory");
    assert_eq!(of("link")["link_target"], "a");
    assert_eq!(of("a")["size_at_most"], 512);
    let odd = lines
        .iter()
        .find(|line| line["record"] == "path" && line["path"].is_null());
    let odd = odd.unwrap();
    assert_eq!(odd["path_hex"], "636166e90a");
    assert_eq!(
        (&odd["size_at_least"], &odd["size_at_most"]),
        (&1537.into(), &2048.into())
    );
    assert_eq!(lines.last().unwrap()["paths"], lines.len() - 2);
}
