use expect_test::{Expect, expect};

use super::*;

fn check(line: &str, expected: Expect) {
    match read(line) {
        Err(error) => expected.assert_eq(&format!("{}: {error}", error.exit_code())),
        Ok(parsed) => panic!("{line}: {parsed:?}"),
    }
}

#[test]
fn an_unknown_option_is_named() {
    check(
        "--bogus src file:///t",
        expect!["23: unknown option: --bogus"],
    );
    check(
        "full src file:///t --bogus=1",
        expect!["23: unknown option: --bogus"],
    );
    check("full src file:///t -x", expect!["23: unknown option: -x"]);
    check(
        "--extra-clean src file:///t",
        expect!["23: unknown option: --extra-clean"],
    );
    check(
        "--ssh-backend paramiko src file:///t",
        expect!["23: unknown option: --ssh-backend"],
    );
    check(
        "--ü\u{1b}[31m src file:///t",
        expect![[r#"23: unknown option: --ü\x1b[31m"#]],
    );
}

#[test]
fn an_option_that_only_duplicity_has_is_refused_with_the_reason() {
    check(
        "src file:///t --use-gpgsm",
        expect![
            "23: option --use-gpgsm of duplicity is not available: redup has OpenPGP keys only; keep duplicity for a backup with S/MIME, or begin a chain with --encrypt-key"
        ],
    );
    check(
        "src file:///t --skip-volume 2",
        expect![
            "23: option --skip-volume of duplicity is not available: it makes a backup that lacks a volume, for duplicity's own tests"
        ],
    );
    check(
        "src file:///t --fail-on-volume 2",
        expect![
            "23: option --fail-on-volume of duplicity is not available: it makes a backup fail, for duplicity's own tests"
        ],
    );
}

#[test]
fn the_command_that_no_later_duplicity_has_is_named_as_such() {
    check(
        "replicate file:///a file:///b",
        expect![
            "23: 'replicate' is a command of duplicity 0.8 that no later version has; copy the files of the target instead"
        ],
    );
}

#[test]
fn an_ambiguous_option_lists_what_it_could_be() {
    check(
        "--no src file:///t",
        expect![
            "2: ambiguous option: --no could match --no-check-remote, --no-compression, --no-encryption, --no-files-changed, --no-print-statistics, --no-restore-ownership"
        ],
    );
    check(
        "--s3-use src file:///t",
        expect![
            "2: ambiguous option: --s3-use could match --s3-use-deep-archive, --s3-use-glacier, --s3-use-glacier-ir, --s3-use-ia, --s3-use-multiprocessing, --s3-use-new-style, --s3-use-onezone-ia, --s3-use-rrs, --s3-use-server-side-encryption, --s3-use-server-side-kms-encryption"
        ],
    );
    check(
        "--enc src file:///t",
        expect![
            "2: ambiguous option: --enc could match --encrypt-key, --encrypt-secret-keyring, --encrypt-sign-key, --encryption"
        ],
    );
}

#[test]
fn a_missing_or_wrong_value_names_the_option() {
    check(
        "src file:///t --name",
        expect!["23: argument --name: expected one argument"],
    );
    check(
        "--name --no-encryption src file:///t",
        expect!["23: argument --name: expected one argument"],
    );
    check(
        "--name --no-enc src file:///t",
        expect!["23: argument --name: expected one argument"],
    );
    check(
        "--archive-dir -v9 src file:///t",
        expect!["23: argument --archive-dir: expected one argument"],
    );
    check(
        "--name -- src file:///t",
        expect!["23: argument --name: expected one argument"],
    );
    check(
        "file:///t out --rename a",
        expect!["23: argument --rename: expected 2 arguments"],
    );
    check(
        "src file:///t --force=yes",
        expect!["23: option --force takes no value"],
    );
    check(
        "src file:///t --volsize x",
        expect!["23: option --volsize: 'x' is not a whole number"],
    );
    check(
        "src file:///t --volsize 0",
        expect!["23: option --volsize: 0 is too small, the least is 1"],
    );
    check(
        "src file:///t --volsize 99999999999999",
        expect!["23: option --volsize: 99999999999999 is too large"],
    );
    check(
        "src file:///t --volsize 99999999999999999999",
        expect!["23: option --volsize: 99999999999999999999 is too large"],
    );
    check(
        "src file:///t --encrypt-key ''",
        expect!["23: Option --encrypt-key cannot be empty."],
    );
    check(
        "src file:///t --include ''",
        expect!["23: Option --include cannot be empty."],
    );
    check(
        "src file:///t -v 11",
        expect![
            "23: option -v: '11' is no verbosity; it is a digit from 0 to 9, or one of e, error, w, warning, n, notice, i, info, d, debug"
        ],
    );
    check(
        "src file:///t -v loud",
        expect![
            "23: option -v: 'loud' is no verbosity; it is a digit from 0 to 9, or one of e, error, w, warning, n, notice, i, info, d, debug"
        ],
    );
    check(
        "src file:///t --metadata-sync-mode some",
        expect!["23: option --metadata-sync-mode: 'some' is none of full, partial"],
    );
    check(
        "src file:///t --time-separator xx",
        expect!["23: option --time-separator: 'xx' is not a single character"],
    );
    check(
        "src file:///t --log-fd 0",
        expect!["23: option --log-fd: 0 is too small, the least is 1"],
    );
}

#[test]
fn a_line_without_a_command_says_what_is_missing() {
    check(
        "",
        expect!["23: Missing or invalid explicit or implicit action."],
    );
    check(
        "src",
        expect!["23: Missing or invalid explicit or implicit action."],
    );
    check(
        "src src",
        expect![[r#"
        23: Invalid 'src' action and cannot be implied from the given arguments: src src
        Valid actions are: backup, full, incremental, restore, verify, collection-status, list-current-files, cleanup, remove-older-than, remove-all-but-n-full, remove-all-inc-of-but-n-full"#]],
    );
    check(
        "file:///a file:///b",
        expect![[r#"
        23: Invalid 'file:///a' action and cannot be implied from the given arguments: file:///a file:///b
        Valid actions are: backup, full, incremental, restore, verify, collection-status, list-current-files, cleanup, remove-older-than, remove-all-but-n-full, remove-all-inc-of-but-n-full"#]],
    );
    check(
        "a b c",
        expect!["23: Missing or invalid explicit or implicit action."],
    );
    check(
        "re c c",
        expect![
            "23: command 're' not unique, could be restore, remove-older-than, remove-all-but-n-full, remove-all-inc-of-but-n-full, replicate"
        ],
    );
}

#[test]
fn a_command_is_never_changed_by_the_order_of_path_and_url() {
    check(
        "restore src file:///t",
        expect!["23: Source should be url, not directory.  Got 'src' instead."],
    );
    check(
        "full file:///t src",
        expect!["23: Source should be pathname, not url.  Got 'file:///t' instead."],
    );
    check(
        "verify src file:///t",
        expect!["23: Source should be url, not directory.  Got 'src' instead."],
    );
    check(
        "incremental file:///t src",
        expect!["23: Source should be pathname, not url.  Got 'file:///t' instead."],
    );
    check(
        "full src src",
        expect!["23: Target should be url, not directory.  Got 'src' instead."],
    );
    check(
        "full file:///x file:///y",
        expect!["23: Source should be pathname, not url.  Got 'file:///x' instead."],
    );
    check(
        "st /tmp",
        expect!["23: Target should be url, not directory.  Got '/tmp' instead."],
    );
    check(
        "full src bogus:/t",
        expect!["23: Target should be url, not directory.  Got 'bogus:/t' instead."],
    );
}

#[test]
fn a_wrong_number_of_words_is_counted() {
    check(
        "full",
        expect![[r#"
        23: Wrong number of positional args for 'full', got 0
        Expected 2 positionals from []."#]],
    );
    check(
        "full src",
        expect![[r#"
        23: Wrong number of positional args for 'full', got 1
        Expected 2 positionals from ['src']."#]],
    );
    check(
        "verify file:///t src a",
        expect![[r#"
        23: Wrong number of positional args for 'verify', got 3
        Expected 2 positionals from ['file:///t', 'src', 'a']."#]],
    );
    check(
        "ls",
        expect![[r#"
        23: Wrong number of positional args for 'list-current-files', got 0
        Expected 1 positionals from []."#]],
    );
    check(
        "remove-all-but-n-full 0 file:///t",
        expect!["23: count must be a whole number above 0, not '0'"],
    );
    check(
        "remove-all-but-n-full -1 file:///t",
        expect!["23: count must be a whole number above 0, not '-1'"],
    );
    check("--help-re", expect!["23: unknown option: --help-re"]);
    check("--help-", expect!["23: unknown option: --help-"]);
    check(
        "remove-all-but-n-full x file:///t",
        expect!["23: count must be a whole number above 0, not 'x'"],
    );
}

#[test]
fn a_value_that_is_not_utf_8_is_refused_where_text_is_needed() {
    use std::os::unix::ffi::OsStringExt;
    let line = ["--encrypt-key".into(), OsString::from_vec(vec![b'a', 0xff])];
    let error = parse(line, &|_| false).unwrap_err();
    assert_eq!(error, ArgsError::NotText("--encrypt-key".into()));
}
