//! The bar: where it is drawn, where not, and that nothing is left of it.
//!
//! What takes long here is a file without end, which the test cuts off when it has seen enough.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

use redup_testkit::env::{Program, TestEnv};

use super::support::{as_duplicity, go, place, redup};
use super::terminal::{Session, Terminal, screen};

/// A source with a file that takes minutes to read, at a terminal that can redraw.
fn endless() -> TestEnv {
    let mut env = place();
    env.set("TERM", "xterm");
    let file = File::create(endless_file(&env)).unwrap();
    file.set_len(1 << 40).unwrap();
    env
}

fn endless_file(env: &TestEnv) -> std::path::PathBuf {
    env.source().join("endless")
}

/// Ends what is endless: the reader finds its end where it is.
fn cut_off(env: &TestEnv) {
    File::options()
        .write(true)
        .open(endless_file(env))
        .unwrap()
        .set_len(0)
        .unwrap();
}

const FULL: &str =
    "full --no-encryption --compress-level 1 --no-print-statistics source file://target";

#[track_caller]
fn backs_up(terminal: Terminal, env: &TestEnv) -> Session {
    let mut session = terminal.start(&redup(), env, FULL);
    session.waits_until(|seen| seen.contains("Backing up") && seen.contains("MB/s"));
    session
}

/// The last line of a screen, and the column of the cursor if it is there.
fn last_line(written: &str, columns: u16) -> (String, Option<u16>) {
    let (text, (row, column)) = screen(written, columns);
    let last = text.lines().last().unwrap_or_default().to_owned();
    let there = usize::from(row) + 1 == text.lines().count();
    (last, there.then_some(column))
}

/// What was written until the bar was whole: a piece may end anywhere.
fn whole(seen: &str) -> &str {
    &seen[..seen.rfind("\u{1b}[K").unwrap() + 3]
}

#[test]
fn a_bar_is_drawn_at_a_terminal_and_gone_at_the_end() {
    let env = endless();
    let session = backs_up(Terminal::of_width(80), &env);
    let seen = session.seen();
    let (line, cursor) = last_line(whole(&seen), 80);
    assert!(
        line.starts_with("Backing up") && line.contains('['),
        "{line}"
    );
    assert_eq!(cursor, Some(line.len() as u16));
    cut_off(&env);
    let (written, status) = session.ends_raw();
    assert_eq!(status, 0, "{written}");
    // The warning came while the bar was there, and stands in a line of its own.
    let (text, (_, column)) = screen(&written, 80);
    assert_eq!(
        text,
        "Last full backup date: none\n\
         File source/endless changed while it was read; what was read is stored."
    );
    assert_eq!(column, 0);
}

#[test]
fn a_window_of_20_columns_has_a_bar_of_one_line() {
    let env = endless();
    let mut session = Terminal::of_width(20).start(&redup(), &env, FULL);
    session.waits_until(|seen| seen.contains("Backing up  ") && seen.ends_with("\u{1b}[K"));
    let (line, cursor) = last_line(&session.seen(), 20);
    assert!(
        line.starts_with("Backing up  ") && line.ends_with('%'),
        "{line}"
    );
    assert!(cursor.is_some_and(|column| column < 20), "{cursor:?}");
    session.types("\u{3}");
    let (written, _) = session.ends_raw();
    let (text, _) = screen(&written, 20);
    assert!(!text.contains("Backing"), "{text}");
}

#[test]
fn a_window_that_shrinks_gets_a_shorter_bar() {
    let env = endless();
    let mut session = backs_up(Terminal::of_width(120), &env);
    session.resizes(40);
    let fits = |seen: &str| {
        let drawn = seen.strip_suffix("\u{1b}[K")?;
        let (_, line) = drawn.rsplit_once('\r')?;
        Some(line.contains("Backing up") && line.len() < 40)
    };
    session.waits_until(|seen| fits(seen) == Some(true));
    session.types("\u{3}");
    session.ends();
}

#[test]
fn an_interrupt_leaves_nothing_of_the_bar() {
    let env = endless();
    let mut session = backs_up(Terminal::of_width(80), &env);
    session.types("\u{3}");
    let (written, status) = session.ends_raw();
    assert_eq!(status, 4, "{written}");
    let (text, (_, column)) = screen(&written, 80);
    assert_eq!(text, "Last full backup date: none");
    assert_eq!(column, 0);
}

#[test]
fn names_are_escaped_and_cut_to_fit() {
    let env = endless();
    let name = "日本".repeat(30) + "\u{1b}[31m\n日本";
    fs::rename(endless_file(&env), env.source().join(name)).unwrap();
    let mut session = Terminal::of_width(120).start(&redup(), &env, FULL);
    session.waits_until(|seen| seen.contains("日本\u{1b}[K"));
    let (line, cursor) = last_line(whole(&session.seen()), 120);
    assert!(
        line.contains("  ...") && line.ends_with(r"\x1b[31m\n日本"),
        "{line}"
    );
    assert!(cursor.is_some_and(|column| column < 120), "{cursor:?}");
    session.types("\u{3}");
    session.ends();
}

#[test]
fn a_prompt_stands_alone() {
    let mut env = endless();
    cut_off(&env);
    env.unset("PASSPHRASE");
    let line = "full --no-print-statistics source file://target";
    let mut session = Terminal::of_width(80).start(&redup(), &env, line);
    session.answers("secret\n");
    session.answers("secret\n");
    let (written, status) = session.ends_raw();
    assert_eq!(status, 0, "{written}");
    let mut session = Terminal::of_width(80).start(&redup(), &env, "restore file://target out");
    session.answers("wrong\n");
    let (written, status) = session.ends_raw();
    assert_eq!(status, 31, "{written}");
    let (text, _) = screen(&written, 80);
    assert!(
        text.contains("\nGnuPG passphrase for decryption: \u{2026}\nerror: "),
        "{text}"
    );
}

/// Waits until a run has read so much of the endless file that a bar would have been there for long.
#[track_caller]
fn has_read(env: &TestEnv, bytes: u64, mut has_ended: impl FnMut() -> bool) {
    let file = endless_file(env);
    let is_it = |link: &fs::DirEntry| fs::read_link(link.path()).is_ok_and(|to| to == file);
    let position = |link: fs::DirEntry| {
        let path = link
            .path()
            .display()
            .to_string()
            .replace("/fd/", "/fdinfo/");
        let info = fs::read_to_string(path).ok()?;
        let position = info.lines().find_map(|line| line.strip_prefix("pos:"))?;
        position.trim().parse::<u64>().ok()
    };
    loop {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let open = processes.filter_map(|process| fs::read_dir(process.path().join("fd")).ok());
        let positions = open.flatten().flatten().filter(is_it).filter_map(position);
        if positions.max() > Some(bytes) {
            return;
        }
        assert!(!has_ended(), "it ended before");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn whoever_does_not_want_it_gets_no_bar() {
    type Case = (Program, &'static str, &'static str);
    let env = endless();
    let cases: [Case; 3] = [
        (redup(), "xterm", "--no-progress"),
        (redup(), "dumb", ""),
        (as_duplicity(&env), "xterm", "--progress"),
    ];
    for (program, term, options) in cases {
        let mut env = endless();
        env.set("TERM", term);
        // That one is redup's own.
        let line = match options {
            "--progress" => FULL.replace("--compress-level 1 ", ""),
            _ => FULL.to_owned(),
        };
        let line = format!("{line} {options}");
        let mut session = Terminal::of_width(80).start(&program, &env, &line);
        has_read(&env, 1 << 27, || session.has_ended());
        cut_off(&env);
        let (written, status) = session.ends_raw();
        assert_eq!(status, 0, "{written}");
        let drawn = written.contains("Backing") || written.contains("\u{1b}[K");
        assert!(!drawn, "{options}: {written}");
        if options == "--progress" {
            assert!(written.contains("100% ETA 0sec"), "{written}");
        }
    }
}

#[test]
fn a_pipe_gets_no_bar_and_lines_when_asked() {
    for options in ["", "--progress"] {
        let env = endless();
        let mut command = env.bare(&redup());
        command.args(format!("{FULL} {options}").split_whitespace());
        command
            .current_dir(env.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        has_read(&env, 1 << 27, || child.try_wait().unwrap().is_some());
        cut_off(&env);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text}");
        assert_eq!(
            text.contains("100% ETA 0sec"),
            !options.is_empty(),
            "{text}"
        );
    }
}

#[test]
fn restore_and_verify_have_lines_when_asked_as_redup() {
    let mut env = place();
    env.set("TERM", "xterm");
    go(&env, FULL).ok();
    for line in [
        "restore --no-encryption file://target out --progress",
        "verify --no-encryption file://target source --progress",
    ] {
        let text = go(&env, line).ok().stdout;
        assert!(text.contains("100% ETA 0sec"), "{text}");
    }
    let line = "verify --json --no-encryption file://target source --progress";
    let outcome = go(&env, line).ok();
    assert!(outcome.stderr.contains("100% ETA 0sec"), "{outcome}");
    assert!(!outcome.stdout.contains("ETA"), "{outcome}");
    go(
        &env,
        "restore --dry-run --no-encryption file://target out2 --progress",
    )
    .ok()
    .never_says("ETA");
    let mut command = env.bare(&as_duplicity(&env));
    command.args("restore --no-encryption file://target out3 --progress".split(' '));
    redup_testkit::run::run(command.current_dir(env.path("")))
        .ok()
        .never_says("ETA");
}
