//! `find`, `diff` and `cat` as a person or a script uses them.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use expect_test::{Expect, expect};
use redup_testkit::damage;
use redup_testkit::env::{Program, TestEnv};
use redup_testkit::run::run;
use redup_testkit::trees::noise;

use crate::cli::support::{as_duplicity, dated, go, place, typed};
use crate::cli::terminal::Terminal;
use crate::{duplicity, programs, redup};

const BACKUP: &str =
    "source file://target --no-print-statistics --allow-source-mismatch --current-time";

/// Four backups in two chains: of a file that changes, one that goes and comes again, one that comes, and one that
/// stays. A file written on a day has the time of that day.
fn history() -> TestEnv {
    let mut env = place();
    env.set("PASSPHRASE", "secret");
    for (day, kind, writes, removes) in [
        (0, "full", &["a", "sub/b", "stays"][..], &["link"][..]),
        (1, "incr", &["a"], &["sub/b"]),
        (2, "full", &["sub/new"], &[]),
        (3, "incr", &["sub/b"], &[]),
    ] {
        let time = 1_700_000_000 + day * 86_400;
        let source = env.source();
        for name in removes {
            fs::remove_file(source.join(name)).unwrap();
        }
        for name in writes {
            fs::write(source.join(name), format!("{name} of day {day}\n")).unwrap();
            dated(&env, name, time - 3600);
        }
        for folder in ["sub", "."] {
            dated(&env, folder, 1_600_000_000);
        }
        go(&env, &format!("{kind} {BACKUP} {time}")).ok();
    }
    env
}

fn check(env: &TestEnv, line: &str, code: i32, expected: Expect) {
    let outcome = go(env, &format!("{line} file://target")).code(code);
    expected.assert_eq(&outcome.stdout);
}

#[test]
fn a_search_tells_when_a_path_came_changed_and_went() {
    let env = history();
    check(
        &env,
        "find b",
        0,
        expect![[r#"
        sub/b
          2023-11-14T22:13:20+00:00  added    file   <=512 bytes  2023-11-14 21:13:20
          2023-11-15T22:13:20+00:00  deleted
          2023-11-17T22:13:20+00:00  added    file   <=512 bytes  2023-11-17 21:13:20
    "#]],
    );
    check(
        &env,
        "find a",
        0,
        expect![[r#"
        a
          2023-11-14T22:13:20+00:00  added    file   <=512 bytes  2023-11-14 21:13:20
          2023-11-15T22:13:20+00:00  changed  file   <=512 bytes  2023-11-15 21:13:20  (content, mtime)
    "#]],
    );
    check(
        &env,
        "find stays",
        0,
        expect![[r#"
        stays
          2023-11-14T22:13:20+00:00  added    file   <=512 bytes  2023-11-14 21:13:20
    "#]],
    );
    check(
        &env,
        "find sub/n*",
        0,
        expect![[r#"
        sub/new
          2023-11-16T22:13:20+00:00  added    file   <=512 bytes  2023-11-16 21:13:20
    "#]],
    );
}

#[test]
fn the_newest_chain_or_a_point_in_time_is_searched_alone_when_asked() {
    let env = history();
    check(
        &env,
        "find b --newest-chain",
        0,
        expect![[r#"
        sub/b
          2023-11-17T22:13:20+00:00  added    file   <=512 bytes  2023-11-17 21:13:20
    "#]],
    );
    check(
        &env,
        "find a -t 1700100000",
        0,
        expect![[r#"
        a
          2023-11-15T22:13:20+00:00  changed  file   <=512 bytes  2023-11-15 21:13:20  (content, mtime)
    "#]],
    );
    check(&env, "find b -t 1700100000", 1, expect![[""]]);
    go(&env, "find b -t 1D --newest-chain file://target").code(23);
}

#[test]
fn patterns_are_read_as_the_filters_say() {
    let env = history();
    check(
        &env,
        "find STAY? --filter-ignorecase",
        0,
        expect![[r#"
        stays
          2023-11-14T22:13:20+00:00  added    file   <=512 bytes  2023-11-14 21:13:20
    "#]],
    );
    check(
        &env,
        "find --filter-regexp ^s.*s$",
        0,
        expect![[r#"
        stays
          2023-11-14T22:13:20+00:00  added    file   <=512 bytes  2023-11-14 21:13:20
    "#]],
    );
    check(&env, "find --filter-literal stay?", 1, expect![[""]]);
    go(&env, "find a//b file://target")
        .code(15)
        .says("consecutive slashes");
}

#[test]
fn a_comparison_tells_what_is_different_and_how() {
    let env = history();
    check(
        &env,
        "diff 1700000000 1700086400",
        1,
        expect![[r#"
        M a  content, mtime 2023-11-14 21:13:20 -> 2023-11-15 21:13:20
        - sub/b
    "#]],
    );
    check(
        &env,
        "diff 1700259200 1700000000",
        1,
        expect![[r#"
        M a  content, mtime 2023-11-15 21:13:20 -> 2023-11-14 21:13:20
        M sub/b  content, mtime 2023-11-17 21:13:20 -> 2023-11-14 21:13:20
        - sub/new
    "#]],
    );
    check(
        &env,
        "diff 2023-11-17 now",
        1,
        expect![[r#"
        + sub/b
    "#]],
    );
    check(&env, "diff 1700259200 now", 0, expect![[""]]);
    go(&env, "diff yesterday now file://target")
        .code(23)
        .says("Bad time string");
}

#[test]
fn each_aspect_of_a_change_is_told() {
    let env = place();
    let source = env.source();
    for name in ["mode", "mtime", "type", "content"] {
        fs::write(source.join(name), "").unwrap();
        dated(&env, name, 1_600_000_000);
    }
    dated(&env, ".", 1_600_000_000);
    go(&env, &format!("full {BACKUP} 1700000000")).ok();
    fs::set_permissions(source.join("mode"), fs::Permissions::from_mode(0o4711)).unwrap();
    dated(&env, "mtime", 1_600_000_001);
    fs::write(source.join("content"), "x").unwrap();
    dated(&env, "content", 1_600_000_001);
    fs::remove_file(source.join("type")).unwrap();
    fs::remove_file(source.join("link")).unwrap();
    for (name, target) in [("type", "a"), ("link", "b\x1b")] {
        std::os::unix::fs::symlink(target, source.join(name)).unwrap();
    }
    dated(&env, ".", 1_600_000_000);
    go(&env, &format!("incr {BACKUP} 1700086400")).ok();
    check(
        &env,
        "diff 1700000000 now",
        1,
        expect![[r#"
        M content  content, mtime 2020-09-13 12:26:40 -> 2020-09-13 12:26:41
        M link  target a -> b\x1b
        M mode  mode 644 -> 4711
        M mtime  mtime 2020-09-13 12:26:40 -> 2020-09-13 12:26:41
        M type  type file -> link
    "#]],
    );
}

#[test]
fn one_is_an_answer_and_failures_are_another_status() {
    let mut env = history();
    check(&env, "find nothing", 1, expect![[""]]);
    let says = |env: &TestEnv, line: &str, code| {
        let outcome = go(env, &format!("{line} file://target")).code(code);
        assert_eq!(outcome.stdout, "");
        outcome.stderr
    };
    assert!(says(&env, "find nothing", 1).contains("Nothing in 4 backup set(s) fits 'nothing'."));
    fs::remove_dir_all(env.path("home/.cache")).unwrap();
    env.set("PASSPHRASE", "wrong");
    for line in ["find b", "diff 1700000000 now", "cat a"] {
        assert!(
            says(&env, line, 31).contains("hint: check PASSPHRASE"),
            "{line}"
        );
    }
    env.set("PASSPHRASE", "secret");
    let sigtar = damage::find(&env.target(), &["new-signatures", "20231115"]);
    fs::remove_file(sigtar).unwrap();
    let outcome = go(&env, "find b file://target").code(2);
    assert!(
        outcome.stdout.starts_with("sub/b\n  2023-11-14"),
        "{outcome}"
    );
    assert!(
        outcome
            .stderr
            .contains("not all backup sets could be searched"),
        "{outcome}"
    );
    let outcome = go(&env, "find --json b file://target").code(2);
    assert!(
        outcome
            .stdout
            .contains(r#""backups_not_searched":1,"complete":false"#),
        "{outcome}"
    );
    assert!(says(&env, "diff 1700000000 1700086400", 2).contains("has no signatures"));
}

#[test]
fn names_that_would_drive_a_terminal_are_escaped() {
    let env = place();
    fs::write(env.source().join("bad\x1b[31m"), "").unwrap();
    go(&env, &format!("full {BACKUP} 1700000000")).ok();
    fs::remove_file(env.source().join("bad\x1b[31m")).unwrap();
    go(&env, &format!("incr {BACKUP} 1700086400")).ok();
    for line in ["find bad*", "diff 1700000000 now"] {
        let outcome = go(&env, &format!("{line} file://target"));
        assert!(outcome.stdout.contains("bad\\x1b[31m\n"), "{outcome}");
    }
}

#[test]
fn notices_do_not_mix_with_a_result() {
    let env = history();
    fs::remove_dir_all(env.path("home/.cache")).unwrap();
    let outcome = go(&env, "cat a -v9 file://target").ok();
    assert_eq!(outcome.stdout, "a of day 1\n");
    assert!(outcome.stderr.contains("Copying "), "{outcome}");
    let quiet = go(&env, "cat a file://target").ok();
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_file_is_read_as_of_a_time_and_what_is_none_says_so() {
    let env = history();
    check(
        &env,
        "cat a -t 1700000000",
        0,
        expect![[r#"
        a of day 0
    "#]],
    );
    check(&env, "cat /sub/../a", 23, expect![[""]]);
    check(
        &env,
        "cat ./sub//b",
        0,
        expect![[r#"
        sub/b of day 3
    "#]],
    );
    let error = |line: &str, code| {
        let outcome = go(&env, &format!("{line} file://target")).code(code);
        assert_eq!(outcome.stdout, "");
        outcome.stderr
    };
    expect![[r#"
        error: sub/b is not in the backup
        hint: 'redup find b URL' shows where and when there was one of that name; paths begin at the root of the backup
    "#]].assert_eq(&error("cat sub/b -t 1700086400", 19));
    expect![[r#"
        error: sub is a folder, not a file
        hint: 'redup restore --path-to-restore sub URL FOLDER' restores it
    "#]]
    .assert_eq(&error("cat sub", 1));
    expect![[r#"
        error: . is a folder, not a file
        hint: 'redup restore --path-to-restore . URL FOLDER' restores it
    "#]]
    .assert_eq(&error("cat /", 1));
}

#[test]
fn nothing_of_a_damaged_volume_is_printed() {
    let env = history();
    let volume = damage::find(&env.target(), &["duplicity-full.20231116", "vol1"]);
    damage::flip_bit(&volume, 200);
    let outcome = go(&env, "cat stays file://target")
        .code(21)
        .says("is damaged")
        .says("hint: an older version may lie in other volumes");
    assert_eq!(outcome.stdout, "");
    go(&env, "cat stays -t 1700000000 file://target")
        .ok()
        .says("stays of day 0");
}

/// A backup of a file of some megabytes that has changed, and what it holds.
fn large(program: &Program) -> (TestEnv, Vec<u8>) {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", "secret");
    env.options = ["--volsize", "1"].map(String::from).to_vec();
    fs::create_dir(env.source()).unwrap();
    let mut content = noise(7, 3 << 20);
    fs::write(env.source().join("large"), &content).unwrap();
    dated(&env, "large", 1_600_000_000);
    env.backup(program, "full", 1_700_000_000).ok();
    content.splice(1 << 20..1 << 20, *b"inserted");
    fs::write(env.source().join("large"), &content).unwrap();
    dated(&env, "large", 1_600_000_001);
    env.backup(program, "incr", 1_700_086_400).ok();
    (env, content)
}

#[test]
fn a_large_file_of_any_program_comes_out_as_it_went_in() {
    for program in programs() {
        let (env, content) = large(&program);
        let mut cat = env.command(&redup(), "cat", ["large", &env.url]);
        let output = cat.output().unwrap();
        assert!(output.status.success(), "{}", program.name());
        assert!(output.stdout == content, "{}", program.name());
    }
}

#[test]
fn nobody_who_reads_is_no_error() {
    let (env, content) = large(&duplicity());
    let mut cat = env.command(&redup(), "cat", ["large", &env.url]);
    let mut child = cat
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 1000];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    assert_eq!(start, content[..1000]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(13), "{:?}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let env = history();
    for line in [
        "cat a",
        "find a",
        "diff 1700000000 now",
        "ls --json",
        "ls",
        "st --json",
        "st",
        "probe --json",
        "probe",
    ] {
        let mut command = typed(&env, &format!("{line} file://target"));
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = command
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(30), "{line}: {said}");
        assert!(
            said.contains("error: cannot write to standard output\ncaused by: [Errno 28]"),
            "{line}: {said}"
        );
    }
}

#[test]
fn a_terminal_gets_no_binary_file() {
    let env = place();
    fs::write(env.source().join("binary"), "\x7fELF\0").unwrap();
    let mixed = "a line\n".repeat(100_000) + "\x7fELF\0";
    fs::write(env.source().join("mixed"), mixed).unwrap();
    go(&env, &format!("full {BACKUP} 1700000000")).ok();
    let (seen, code) = Terminal::new().run(&env, "cat binary file://target", &[]);
    expect![[r#"
        error: binary is no text, and standard output is a terminal
        hint: redirect it: > FILE
    "#]]
    .assert_eq(&seen);
    assert_eq!(code, 1);
    let (seen, code) = Terminal::new().run(&env, "cat a file://target", &[]);
    assert_eq!((seen.as_str(), code), ("first\n", 0));
    let (seen, code) = Terminal::new().run(&env, "cat mixed file://target", &[]);
    assert!(
        seen.starts_with("a line\n") && !seen.contains('\0'),
        "{seen}"
    );
    expect![[r#"
        error: from here on, mixed is no text, and standard output is a terminal
        hint: redirect it: > FILE
    "#]]
    .assert_eq(&seen[seen.find("error:").unwrap()..]);
    let cut = seen[..seen.find("error:").unwrap()].trim_start_matches("a line\n");
    assert!(cut.is_empty() || cut.ends_with('\n'), "{cut}");
    assert_eq!(code, 1);
    assert_eq!(
        go(&env, "cat binary file://target").ok().stdout,
        "\x7fELF\0"
    );
}

#[test]
fn a_chain_may_have_more_sets_than_files_may_be_open() {
    let env = place();
    let backup = "source file://target --no-encryption --no-print-statistics --current-time";
    for day in 0..30 {
        fs::write(env.source().join("a"), day.to_string()).unwrap();
        dated(&env, "a", 1_600_000_000 + day);
        let time = 1_700_000_000 + day * 86_400;
        go(&env, &format!("{backup} {time}")).ok();
    }
    let limited = |line: &str| {
        let inner = typed(&env, line);
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -S -n 28; exec \"$@\"", "sh"]);
        limited
            .arg(inner.get_program())
            .args(inner.get_args())
            .env_clear();
        limited.envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        run(limited.current_dir(env.path("")))
    };
    let outcome = limited("find --no-encryption a file://target").ok();
    assert_eq!(outcome.stdout.lines().count(), 31, "{outcome}");
    limited("list-current-files --no-encryption file://target").ok();
    limited("restore --no-encryption file://target out").ok();
    limited("cat --no-encryption a file://target").ok();
    limited("diff --no-encryption 1700000000 now file://target").code(1);
    limited("incremental source file://target --no-encryption").ok();
}

#[test]
fn called_as_duplicity_these_are_no_commands() {
    let env = history();
    for line in ["find b", "cat a", "diff 1700000000 now"] {
        let mut command = env.bare(&as_duplicity(&env));
        command.args(line.split(' ')).arg("file://target");
        run(&mut command).code(23).says("CommandLineError");
    }
}
