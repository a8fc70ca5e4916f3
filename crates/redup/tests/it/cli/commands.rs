//! The main job, as a person types it.

use std::fs;

use expect_test::{Expect, expect};
use redup_testkit::env::TestEnv;
use redup_testkit::run::{Outcome, run};

use super::support::{as_duplicity, go, place, text};

#[track_caller]
fn check(env: &TestEnv, outcome: &Outcome, expected: Expect) {
    expected.assert_eq(&text(env, outcome));
}

#[test]
fn a_backup_is_made_continued_looked_at_and_restored() {
    let env = place();
    let full = go(&env, "source file://target --current-time 1700000000").ok();
    check(
        &env,
        &full,
        expect![[r#"
            Local and Remote metadata are synchronized, no sync needed.
            Last full backup date: none
            No signatures found, switching to full backup.
            --------------[ Backup Statistics ]--------------
            StartTime …
            EndTime …
            ElapsedTime …
            SourceFiles 5
            SourceFileSize …
            NewFiles 5
            NewFileSize …
            DeletedFiles 0
            ChangedFiles 0
            ChangedFileSize …
            ChangedDeltaSize 0 (0 bytes)
            DeltaEntries 5
            RawDeltaSize 13 (13 bytes)
            TotalDestinationSizeChange …
            Errors 0
            -------------------------------------------------

        "#]],
    );

    // A change within the second of the last one is invisible: the format has whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    fs::write(env.source().join("a"), "changed\n").unwrap();
    fs::remove_file(env.source().join("link")).unwrap();
    let inc = go(
        &env,
        "incr -v5 --no-print-statistics --current-time 1700086400 source file://target",
    )
    .ok();
    check(
        &env,
        &inc,
        expect![[r#"
            Using archive dir: /test/home/.cache/duplicity/2334326747ca7273e1b6291b0ce4d508
            Using backup name: 2334326747ca7273e1b6291b0ce4d508
            redup 0.1.0 (compatible with duplicity 3.2.1)
            Local and Remote metadata are synchronized, no sync needed.
            Last full backup date: Tue Nov 14 22:13:20 2023
            A .
            M a
            D link
            Writing duplicity-inc.20231114T221320Z.to.20231115T221320Z.vol1.difftar.gpg
            Processed volume 1
            Writing duplicity-new-signatures.20231114T221320Z.to.20231115T221320Z.sigtar.gpg
            Writing duplicity-inc.20231114T221320Z.to.20231115T221320Z.manifest.gpg
        "#]],
    );

    let status = go(&env, "collection-status file://target").ok();
    check(
        &env,
        &status,
        expect![[r#"
        Last full backup date: Tue Nov 14 22:13:20 2023
        Collection Status
        -----------------
        Connecting with backend: BackendWrapper
        Archive dir: /test/home/.cache/duplicity/2334326747ca7273e1b6291b0ce4d508

        Found 0 secondary backup chain(s).

        Found primary backup chain with matching signature chain:
        -------------------------
        Chain start time: Tue Nov 14 22:13:20 2023
        Chain end time: Wed Nov 15 22:13:20 2023
        Number of contained backup sets: 2
        Total number of contained volumes: 2
         Type of backup set:                            Time:      Num volumes:
                        Full         Tue Nov 14 22:13:20 2023                 1
                 Incremental         Wed Nov 15 22:13:20 2023                 1
        -------------------------
        No orphaned or incomplete backup sets found.
    "#]],
    );

    let list = go(&env, "ls file://target -v2").ok();
    let names: Vec<_> = list.stdout.lines().map(|line| &line[25..]).collect();
    assert_eq!(names, [".", "a", "sub", "sub/b"]);

    let verify = go(&env, "verify --compare-data file://target source").ok();
    verify.says("Verify complete: 4 file(s) compared, 0 difference(s) found.");
    go(&env, "file://target out").ok();
    assert_eq!(fs::read(env.path("out/a")).unwrap(), b"changed\n");
    assert!(!env.path("out/link").exists());
    go(
        &env,
        "restore -t 1700000000 --file-to-restore a file://target old",
    )
    .ok();
    assert_eq!(fs::read(env.path("old")).unwrap(), b"first\n");
}

#[test]
fn verify_words_each_difference_and_returns_1() {
    let env = place();
    go(&env, "full source file://target").ok();
    fs::write(env.source().join("new"), "").unwrap();
    fs::remove_file(env.source().join("sub/b")).unwrap();
    let verify = go(&env, "verify --compare-data file://target source").code(1);
    let differences: Vec<_> = verify
        .stdout
        .lines()
        .filter(|line| line.contains("sub/b") || line.contains("new"))
        .collect();
    assert_eq!(
        differences,
        [
            "Difference found: New file new",
            "Difference found: File sub/b is missing"
        ]
    );
    go(&env, "verify file://target source").ok();
}

#[test]
fn selection_decides_what_is_stored() {
    let env = place();
    fs::write(env.path("list"), "+ source/a\n- source/**\n").unwrap();
    for options in [
        "--include source/a --exclude source/**",
        "--exclude-filelist list",
    ] {
        let name = if options.contains("list") {
            "list"
        } else {
            "plain"
        };
        go(&env, &format!("full source file://target-{name} {options}")).ok();
        let list = go(&env, &format!("ls file://target-{name} -v2")).ok();
        let names: Vec<_> = list.stdout.lines().map(|line| &line[25..]).collect();
        assert_eq!(names, [".", "a"]);
    }
}

#[test]
fn a_dry_run_stores_nothing() {
    let env = place();
    go(&env, "source file://target --dry-run")
        .ok()
        .says("NewFiles 5");
    assert!(!env.target().exists() || fs::read_dir(env.target()).unwrap().next().is_none());
    go(&env, "source file://target").ok();
    let restore = go(&env, "restore --dry-run file://target out").ok();
    assert!(
        restore
            .stdout
            .contains("Required volumes to restore:\n\tduplicity-full."),
        "{restore}"
    );
    assert!(!env.path("out").exists());
}

#[test]
fn a_key_file_serves_where_there_is_no_gnupg() {
    let env = place();
    let keys = redup_testkit::fixtures::root().join("keys");
    let (public, secret) = (keys.join("encrypt.pub.asc"), keys.join("encrypt.sec.asc"));
    let backup = format!(
        "full source file://target --encrypt-key 5C4965C176EA43DC2BE6D58BE6EFE75388B13D8F --secret-key-file {}",
        public.display()
    );
    go(&env, &backup).ok();
    let failed = go(&env, "restore file://target out").code(31);
    failed
        .says("No secret key")
        .says("hint: give the secret key with --secret-key-file");
    go(
        &env,
        &format!(
            "restore file://target out --secret-key-file {}",
            secret.display()
        ),
    )
    .ok();
    assert_eq!(fs::read(env.path("out/sub/b")).unwrap(), b"second\n");
}

#[test]
fn names_from_an_archive_cannot_play_tricks_on_a_terminal() {
    let env = place();
    fs::write(env.source().join("evil\x1b[31m\nname"), "").unwrap();
    go(&env, "full -v5 source file://target")
        .ok()
        .says("A evil\\x1b[31m\\nname");
    let list = go(&env, "ls file://target").ok();
    assert!(!list.stdout.contains('\x1b'), "{list}");
}

#[test]
fn the_name_it_is_called_by_decides_what_version_it_says() {
    let env = place();
    assert_eq!(
        go(&env, "--version").ok().stdout,
        "redup 0.1.0 (compatible with duplicity 3.2.1)\n"
    );
    let outcome = run(env.bare(&as_duplicity(&env)).arg("--version")).ok();
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        ("duplicity 3.2.1\n", "")
    );
}

#[test]
fn the_archive_dir_is_where_duplicity_has_it() {
    let env = place();
    go(&env, "full source file://target --archive-dir $HOME/dirs").ok();
    // md5 of `file://target`
    let dir = env.path("home/dirs/2334326747ca7273e1b6291b0ce4d508");
    let found: Vec<_> = fs::read_dir(env.path("home/dirs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(found, [dir]);
}

#[test]
fn a_link_called_duplicity_is_installed_and_nothing_else_replaced() {
    let env = place();
    go(&env, "install-compat bin")
        .ok()
        .says("bin/duplicity now leads to ");
    go(&env, "install-compat bin").ok().says("is there already");
    let linked = redup_testkit::env::Program::redup(env.path("bin/duplicity"));
    let outcome = run(env.bare(&linked).arg("--version"));
    assert_eq!(outcome.ok().stdout, "duplicity 3.2.1\n");
    fs::create_dir(env.path("other")).unwrap();
    fs::write(env.path("other/duplicity"), "theirs").unwrap();
    go(&env, "install-compat other")
        .code(23)
        .says("exists and is not redup");
    assert_eq!(fs::read(env.path("other/duplicity")).unwrap(), b"theirs");
    go(&env, "install-compat").code(23).says("usage:");
    go(&env, "reference man").ok().says(".TH REDUP 1");
    go(&env, "reference none").code(23).says("usage:");
}
