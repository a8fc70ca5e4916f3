//! What is refused: the words, the exit status, and that nothing was harmed.

use std::fs;

use expect_test::{Expect, expect};

use redup_testkit::run::run;

use super::support::{as_duplicity, go, place, text};

#[track_caller]
fn check(line: &str, expected: Expect) {
    let env = place();
    let outcome = go(&env, line);
    let code = outcome.status.code().unwrap();
    expected.assert_eq(&format!("{}[{code}]\n", text(&env, &outcome)));
    let stored: Vec<_> = fs::read_dir(env.target()).into_iter().flatten().collect();
    assert!(stored.is_empty(), "{line} stored {stored:?}");
}

#[test]
fn mistakes_in_the_command_line_are_status_23() {
    check(
        "",
        expect![[r#"
            CommandLineError: Missing or invalid explicit or implicit action.
            Enter 'redup --help' for help screen.
            [23]
        "#]],
    );
    check(
        "full source file://target --bogus",
        expect![[r#"
            CommandLineError: unknown option: --bogus
            Enter 'redup --help' for help screen.
            [23]
        "#]],
    );
    check(
        "full missing file://target",
        expect![[r#"
            CommandLineError: Argument source_path 'missing' does not exist.
            Enter 'redup --help' for help screen.
            [23]
        "#]],
    );
    check(
        "restore source file://target",
        expect![[r#"
            CommandLineError: Source should be url, not directory.  Got 'source' instead.
            Enter 'redup --help' for help screen.
            [23]
        "#]],
    );
    check(
        "full source file://target -t tomorrow",
        expect![[r#"
            CommandLineError: Bad time string "'tomorrow'"

            A time is "now", seconds since the epoch, an interval back from now such as 3D or 1W2D12h
            (s, m, h, D, W, M of 30 days, Y of 365 days), a date such as 2024-04-23 or 4/23/2024
            (the month before the day), or a date and time such as 2024-04-23T04:22:01+02:00.
            Enter 'redup --help' for help screen.
            [23]
        "#]],
    );
    check(
        "full source file://target --gpg-options --armor",
        expect![[r#"
            CommandLineError: --gpg-options: '--armor' is not understood; redup does not run gpg, and knows only its options about keys, compression and prompts
            Enter 'redup --help' for help screen.
            [23]
        "#]],
    );
    check(
        "full source file://target --exclude-filelist missing",
        expect![[r#"
            Reading globbing filelist missing
            CommandLineError: Error opening file missing
            caused by: [Errno 2] No such file or directory
            Enter 'redup --help' for help screen.
            [23]
        "#]],
    );
}

#[test]
fn an_ambiguous_option_is_status_2() {
    check(
        "full source file://target --no",
        expect![[r#"
            error: ambiguous option: --no could match --no-check-remote, --no-compression, --no-encryption, --no-files-changed, --no-print-statistics, --no-restore-ownership
            [2]
        "#]],
    );
}

#[test]
fn unusable_urls_say_why() {
    check(
        "full source nosuch://target",
        expect![[r#"
        error: unknown scheme nosuch:// in nosuch://target
        [23]
    "#]],
    );
    check(
        "full source sftp://me:secret@host/dir",
        expect![[r#"
        error: the scheme sftp:// is not supported by redup, only file:// and s3:// are: sftp://me:*****@host/dir
        [23]
    "#]],
    );
    check(
        "full source s3://",
        expect![[r#"
        error: S3 requires a bucket name: s3://
        [23]
    "#]],
    );
}

#[test]
fn patterns_that_make_no_sense_have_their_own_status() {
    check(
        "full source file://target --exclude /elsewhere",
        expect![[r#"
        error: pattern "/elsewhere" cannot match anything in "source"
        hint: patterns begin with the source as it was given
        [14]
    "#]],
    );
    check(
        "full source file://target --exclude source//a",
        expect![[r#"
            error: pattern "source//a" has consecutive slashes
            [15]
        "#]],
    );
    check(
        "full source file://target --include source/a",
        expect![[r#"
            error: the last selection option, "source/a", only includes: without an exclusion behind it, it has no effect
            hint: --exclude '**' as the last one excludes the rest
            [16]
        "#]],
    );
}

#[test]
fn an_empty_target_is_no_backup() {
    check(
        "restore file://target out",
        expect![[r#"
            Local and Remote metadata are synchronized, no sync needed.
            Last full backup date: none
            error: No backup chains found at target
            hint: check the URL and the --file-prefix options; collection-status shows what is there
            [30]
        "#]],
    );
    check(
        "ls file://target",
        expect![[r#"
            Local and Remote metadata are synchronized, no sync needed.
            Last full backup date: none
            error: No signature chains found at target
            hint: check the URL and the --file-prefix options; collection-status shows what is there
            [30]
        "#]],
    );
    check(
        "incremental source file://target",
        expect![[r#"
            Local and Remote metadata are synchronized, no sync needed.
            Last full backup date: none
            error: no signatures to build an increment on at target
            hint: make a full backup first, or leave out the command to get one
            [17]
        "#]],
    );
    check(
        "verify file://target missing",
        expect![[r#"
        error: folder to verify missing does not exist
        [12]
    "#]],
    );
}

#[test]
fn keys_that_are_not_there_are_status_31() {
    check(
        "full source file://target --encrypt-key DEADBEEF",
        expect![[r#"
        Last full backup date: none
        error: OpenPGP failed on the keys to encrypt to
        caused by: no public key found for "DEADBEEF"
        hint: gpg --list-keys shows the keys at hand; --secret-key-file adds an exported one
        [31]
    "#]],
    );
    check(
        "full source file://target --sign-key DEADBEEF",
        expect![[r#"
            Last full backup date: none
            error: OpenPGP failed on the signing key
            caused by: no public key found for "DEADBEEF"
            hint: gpg --list-keys shows the keys at hand; --secret-key-file adds an exported one
            [31]
        "#]],
    );
}

#[test]
fn restore_does_not_touch_a_folder_with_something_in_it() {
    let env = place();
    go(&env, "full source file://target").ok();
    fs::create_dir(env.path("out")).unwrap();
    fs::write(env.path("out/mine"), "mine").unwrap();
    go(&env, "restore file://target out")
        .code(11)
        .says("--force");
    assert!(!env.path("out/a").exists());
    go(&env, "restore --force file://target out").ok();
    assert_eq!(fs::read(env.path("out/mine")).unwrap(), b"mine");
    assert_eq!(fs::read(env.path("out/a")).unwrap(), b"first\n");
}

#[test]
fn a_path_that_is_not_in_the_backup_is_status_19() {
    let env = place();
    go(&env, "full source file://target").ok();
    go(&env, "restore -r nosuch file://target out")
        .code(19)
        .says("nosuch is not in the backup");
    go(&env, "restore -r ../a file://target out").code(23);
    assert!(!env.path("out").exists());
}

#[test]
fn another_source_or_passphrase_is_noticed() {
    let mut env = place();
    go(&env, "full source file://target").ok();
    fs::create_dir(env.path("other")).unwrap();
    go(&env, "incr other file://target")
        .code(42)
        .says("--allow-source-mismatch");
    go(&env, "incr --allow-source-mismatch other file://target").ok();
    env.set("PASSPHRASE", "wrong");
    go(&env, "restore file://target out")
        .code(31)
        .says("Bad session key")
        .says("hint: check PASSPHRASE");
    go(&env, "incr --allow-source-mismatch other file://target").code(31);
}

#[test]
fn an_unusable_log_stream_is_status_30() {
    let env = place();
    go(&env, "st file://target --log-fd 77")
        .code(30)
        .says("cannot write to log file descriptor 77");
    go(&env, "st file://target --log-file missing/log")
        .code(30)
        .says("[Errno 2]");
}

#[test]
fn mistakes_in_commands_of_redups_own_are_told_with_their_usage() {
    check(
        "find a",
        expect![[r#"
            CommandLineError: 'find' takes pattern, target_url behind it, and got 'a'
            usage: redup find [options] pattern target_url
            Enter 'redup --help' for help screen.
            [23]
        "#]],
    );
    check(
        "cat file://target a",
        expect![[r#"
            CommandLineError: Target should be url, not directory.  Got 'a' instead.
            usage: redup cat [options] path target_url
            Enter 'redup --help' for help screen.
            [23]
        "#]],
    );
    check(
        "restore file://target out --newest-chain",
        expect![[r#"
            CommandLineError: --newest-chain is for find only
            Enter 'redup --help' for help screen.
            [23]
        "#]],
    );
}

#[test]
fn redup_knows_what_was_meant_and_duplicity_keeps_its_words() {
    for (line, meant) in [
        ("fnd x file://target", "find"),
        ("rn home", "run"),
        ("prune --keep-dialy 3 file://target", "--keep-daily"),
        ("ls --jsn file://target", "--json"),
    ] {
        let env = place();
        go(&env, line)
            .code(23)
            .says(&format!("hint: did you mean {meant}?"));
        let mut command = env.bare(&as_duplicity(&env));
        run(command.args(line.split(' ')))
            .code(23)
            .never_says("hint:");
    }
}
