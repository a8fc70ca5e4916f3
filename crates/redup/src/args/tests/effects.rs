//! The register of effects: every name of every option, with the test that runs the program with it from
//! outside and shows what it does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::args::table::GROUPS;

/// Tests, by module of `tests/it`, and the options that each shows. Who adds an option adds its line.
const SHOWN: &[(&str, &[&str])] = &[
    (
        "cli/bar::whoever_does_not_want_it_gets_no_bar",
        &["--no-progress"],
    ),
    ("cli/commands::a_dry_run_stores_nothing", &["--dry-run"]),
    (
        "cli/commands::a_key_file_serves_where_there_is_no_gnupg",
        &["--secret-key-file"],
    ),
    (
        "cli/commands::the_archive_dir_is_where_duplicity_has_it",
        &["--archive-dir"],
    ),
    (
        "cli/commands::the_name_it_is_called_by_decides_what_version_it_says",
        &["--version"],
    ),
    (
        "cli/commands::verify_words_each_difference_and_returns_1",
        &["--compare-data"],
    ),
    (
        "cli/log::lines_carry_the_time_when_asked",
        &["--log-timestamp"],
    ),
    (
        "cli/log::stanzas_go_to_an_inherited_descriptor",
        &["--log-fd"],
    ),
    (
        "cli/refusals::another_source_or_passphrase_is_noticed",
        &["--allow-source-mismatch"],
    ),
    (
        "cli/refusals::restore_does_not_touch_a_folder_with_something_in_it",
        &["--force"],
    ),
    (
        "damage::what_other_volumes_hold_is_restored_when_errors_are_ignored",
        &["--ignore-errors"],
    ),
    (
        "effects/backup::a_full_backup_is_made_when_the_last_is_older",
        &["--full-if-older-than"],
    ),
    (
        "effects/backup::signature_blocks_are_as_large_as_allowed",
        &["--max-blocksize"],
    ),
    (
        "effects/backup::stored_names_begin_as_asked",
        &[
            "--file-prefix",
            "--file-prefix-archive",
            "--file-prefix-jsonstat",
            "--file-prefix-manifest",
            "--file-prefix-signature",
        ],
    ),
    (
        "effects/backup::the_manifest_lists_changed_files_unless_told_otherwise",
        &["--files-changed", "--no-files-changed"],
    ),
    (
        "effects/backup::times_may_have_another_separator",
        &["--time-separator"],
    ),
    (
        "effects/backup::volumes_have_the_size_asked_for",
        &["--volsize"],
    ),
    (
        "effects/backup::what_a_link_points_to_is_stored_when_asked",
        &["--copy-links"],
    ),
    (
        "effects/encryption::an_exported_secret_keyring_decrypts",
        &["--encrypt-secret-keyring"],
    ),
    (
        "effects/encryption::compression_is_on_until_it_is_switched_off_and_has_a_level",
        &["--compress-level", "--compression", "--no-compression"],
    ),
    (
        "effects/encryption::encryption_is_on_until_it_is_switched_off",
        &["--encryption", "--no-encryption"],
    ),
    (
        "effects/encryption::options_for_gpg_are_followed",
        &["--gpg-options"],
    ),
    (
        "effects/encryption::volumes_are_encrypted_to_the_keys_named_or_hidden",
        &["--encrypt-key", "--hidden-encrypt-key"],
    ),
    (
        "effects/encryption::volumes_are_signed_and_must_be_when_asked",
        &["--encrypt-sign-key", "--sign-key"],
    ),
    (
        "effects/encryption::with_the_agent_no_passphrase_is_taken_from_the_environment",
        &["--use-agent"],
    ),
    (
        "effects/general::a_trusted_archive_dir_is_checked_again_when_asked",
        &["--check-remote", "--no-check-remote"],
    ),
    (
        "effects/general::as_much_is_said_as_asked_for",
        &["--verbosity", "-v"],
    ),
    ("effects/general::gio_is_the_prefix_of_the_url", &["--gio"]),
    (
        "effects/general::help_is_asked_for_by_either_name",
        &["--help", "-h", "-V"],
    ),
    (
        "effects/general::messages_for_programs_go_to_a_file_when_asked",
        &["--log-file"],
    ),
    (
        "effects/general::statistics_are_printed_unless_not_wanted",
        &["--no-print-statistics", "--print-statistics"],
    ),
    (
        "effects/general::temporary_files_are_made_where_asked",
        &["--tempdir"],
    ),
    (
        "effects/general::the_archive_dir_has_the_name_asked_for",
        &["--name"],
    ),
    (
        "effects/general::the_time_of_a_backup_is_the_one_given",
        &["--current-time"],
    ),
    (
        "effects/general::what_has_no_effect_says_so_once_at_info_level",
        NO_EFFECT,
    ),
    (
        "effects/general::what_would_do_harm_is_refused_with_the_reason",
        &["--fail-on-volume", "--skip-volume", "--use-gpgsm"],
    ),
    (
        "effects/restore::a_time_is_asked_for_by_each_of_its_names",
        &["--restore-time", "--time", "-t"],
    ),
    (
        "effects/restore::one_path_is_restored_by_each_name_of_the_option",
        &["--file-to-restore", "--path-to-restore", "-r"],
    ),
    (
        "effects/restore::owners_are_restored_by_name_by_number_or_not_at_all",
        &[
            "--do-not-restore-ownership",
            "--no-restore-ownership",
            "--numeric-owner",
            "--restore-ownership",
        ],
    ),
    (
        "effects/selection::a_folder_with_a_mark_is_left_out",
        &["--exclude-if-present"],
    ),
    (
        "effects/selection::a_list_says_what_is_backed_up",
        &["--files-from"],
    ),
    (
        "effects/selection::device_files_are_left_out",
        &["--exclude-device-files"],
    ),
    (
        "effects/selection::files_older_than_a_time_are_left_out",
        &["--exclude-older-than"],
    ),
    (
        "effects/selection::lists_come_from_standard_input",
        &["--exclude-filelist-stdin", "--include-filelist-stdin"],
    ),
    (
        "effects/selection::lists_end_their_lines_with_nul_when_asked",
        &["--null-separator"],
    ),
    (
        "effects/selection::lists_include_and_exclude_by_each_of_their_names",
        &[
            "--exclude-filelist",
            "--exclude-globbing-filelist",
            "--include-filelist",
            "--include-globbing-filelist",
        ],
    ),
    (
        "effects/selection::other_file_systems_are_left_out",
        &["--exclude-other-filesystems"],
    ),
    (
        "effects/selection::patterns_are_read_as_the_filter_before_them_says",
        &[
            "--filter-globbing",
            "--filter-ignorecase",
            "--filter-literal",
            "--filter-regexp",
            "--filter-strictcase",
        ],
    ),
    (
        "effects/selection::patterns_include_and_exclude",
        &["--exclude", "--include"],
    ),
    (
        "effects/selection::regular_expressions_include_and_exclude",
        &["--exclude-regexp", "--include-regexp"],
    ),
    (
        "housekeeping::prune_keeps_whole_chains_by_the_calendar",
        &[
            "--keep-daily",
            "--keep-last",
            "--keep-monthly",
            "--keep-weekly",
            "--keep-yearly",
        ],
    ),
    (
        "options::a_chain_ends_when_it_has_so_many_increments",
        &["--full-if-n-inc"],
    ),
    (
        "options::an_increment_without_changes_is_skipped_when_asked",
        &["--skip-if-no-change"],
    ),
    (
        "options::metadata_of_all_chains_is_brought_over_when_asked",
        &["--metadata-sync-mode"],
    ),
    (
        "options::names_of_old_versions_are_not_written",
        &["--old-filenames", "--short-filenames"],
    ),
    ("options::progress_is_told_up_to_its_end", &["--progress"]),
    ("options::restored_paths_get_other_names", &["--rename"]),
    (
        "options::statistics_are_printed_and_stored_as_json",
        &["--jsonstat"],
    ),
    (
        "options::the_changes_of_sets_and_files_are_told",
        &["--file-changed", "--show-changes-in-set"],
    ),
    (
        "profiles/file::the_file_is_the_one_that_is_named_else_the_users",
        &["--config", "--config-dir"],
    ),
    (
        "reading::the_newest_chain_or_a_point_in_time_is_searched_alone_when_asked",
        &["--newest-chain"],
    ),
    (
        "s3/options::a_volume_is_fetched_once_where_memory_allows",
        &["--memory-limit"],
    ),
    (
        "s3/options::a_connection_is_unencrypted_when_asked_for",
        &["--s3-unencrypted-connection"],
    ),
    (
        "s3/options::a_part_is_given_up_after_the_time_asked_for",
        &["--s3-multipart-max-timeout"],
    ),
    (
        "s3/options::amazon_is_asked_dual_stack_unless_told_otherwise",
        &["--s3-no-dualstack"],
    ),
    (
        "s3/options::an_answer_is_waited_for_as_long_as_asked_for",
        &["--timeout"],
    ),
    (
        "s3/options::an_authority_is_trusted_by_option_variable_or_profile",
        &["--ssl-cacert-file"],
    ),
    (
        "s3/options::an_endpoint_by_option_goes_before_the_environments",
        &["--s3-endpoint-url"],
    ),
    (
        "s3/options::an_operation_is_tried_as_often_and_as_soon_as_asked",
        &["--backend-retry-delay", "--num-retries"],
    ),
    (
        "s3/options::as_many_volumes_as_asked_for_are_on_their_way_beside_the_next",
        &["--asynchronous-upload", "--concurrency"],
    ),
    (
        "s3/options::as_many_parts_as_asked_for_are_on_their_way_at_once",
        &["--s3-multipart-max-procs"],
    ),
    (
        "s3/options::classes_are_those_asked_for",
        &[
            "--s3-storage-class",
            "--s3-storage-class-metadata",
            "--s3-use-deep-archive",
            "--s3-use-glacier",
            "--s3-use-glacier-ir",
            "--s3-use-ia",
            "--s3-use-onezone-ia",
            "--s3-use-rrs",
        ],
    ),
    (
        "s3/options::options_without_effect_say_so_and_change_no_request",
        &[
            "--s3-european-buckets",
            "--s3-use-multiprocessing",
            "--s3-use-new-style",
        ],
    ),
    (
        "s3/options::parts_have_the_size_asked_for",
        &["--s3-multipart-chunk-size"],
    ),
    (
        "s3/options::progress_is_told_as_often_as_asked",
        &["--progress-rate"],
    ),
    (
        "s3/options::the_region_is_the_one_signed_for",
        &["--s3-region-name"],
    ),
    (
        "s3/options::what_is_asked_for_an_object_is_on_each_and_not_on_its_parts",
        &[
            "--s3-kms-grant",
            "--s3-kms-key-id",
            "--s3-use-server-side-encryption",
            "--s3-use-server-side-kms-encryption",
        ],
    ),
    (
        "s3/probe::a_server_that_works_is_told_in_every_respect_and_left_as_it_was",
        &["--json"],
    ),
    (
        "s3/thaw::archived_volumes_are_told_then_thawed_and_waited_for",
        &["--s3-restore-days", "--s3-restore-tier"],
    ),
];

/// Options that do nothing: the effect is the notice that says so.
const NO_EFFECT: &[&str] = &[
    "--azure-blob-tier",
    "--azure-max-block-size",
    "--azure-max-connections",
    "--azure-max-single-put-size",
    "--b2-hide-files",
    "--cf-backend",
    "--copy-blocksize",
    "--ftp-passive",
    "--ftp-regular",
    "--gpg-binary",
    "--idr-fakeroot",
    "--imap-full-address",
    "--imap-mailbox",
    "--mf-purge",
    "--mp-segment-size",
    "--par2-options",
    "--par2-redundancy",
    "--par2-volumes",
    "--pydevd",
    "--rsync-options",
    "--scp-command",
    "--sftp-command",
    "--ssh-askpass",
    "--ssh-options",
    "--ssl-cacert-path",
    "--ssl-no-check-certificate",
    "--swift-storage-policy",
    "--webdav-headers",
];

#[test]
fn every_option_has_a_test_of_its_effect() {
    let mut there = BTreeSet::new();
    for spec in GROUPS.iter().flat_map(|group| group.options) {
        there.extend(spec.names.iter().map(|name| format!("--{}", name.text)));
        there.extend(spec.short.map(|letter| format!("-{letter}")));
    }
    let shown = SHOWN.iter().flat_map(|(_, options)| *options);
    let shown: BTreeSet<_> = shown.map(|&option| option.to_owned()).collect();
    let without: Vec<_> = there.difference(&shown).collect();
    assert!(
        without.is_empty(),
        "no test shows what these do: {without:?}"
    );
    let gone: Vec<_> = shown.difference(&there).collect();
    assert!(gone.is_empty(), "no such options: {gone:?}");
}

#[test]
fn a_test_of_an_effect_uses_the_option() {
    let mut sources = BTreeMap::new();
    for (test, options) in SHOWN {
        let (module, name) = test.split_once("::").unwrap();
        let source = sources.entry(module).or_insert_with(|| {
            let path = format!("tests/it/{module}.rs");
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
        });
        let code = code_of(source, name).unwrap_or_else(|| panic!("there is no test {test}"));
        for option in *options {
            assert!(mentions(&code, option), "{test} does not use {option}");
        }
    }
}

#[test]
fn a_test_is_what_it_says_without_its_comments() {
    let source = "#[test]\nfn one() {\n    // --a\n    two(A);\n}\n\n#[test]\nfn three() {}\n\nconst A: &[&str] = &[\n    \"--b=1\",\n];\n";
    let code = code_of(source, "one").unwrap();
    assert!(mentions(&code, "--b") && !mentions(&code, "--a") && !mentions(&code, "-b"));
    assert!(!mentions(&code, "--b=") || mentions(&code, "--b"));
    assert!(code_of(source, "two").is_none(), "it is no test");
    assert!(!mentions("--volsize-not", "--volsize"));
}

/// The lines of a test, comments left out, with those of the lists (constants) that it names.
fn code_of(source: &str, test: &str) -> Option<String> {
    let mut code = item(source, &format!("#[test]\nfn {test}() {{"))?;
    let names = code.split(|letter: char| !(letter.is_ascii_uppercase() || letter == '_'));
    let names: BTreeSet<_> = names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    for name in names {
        code.extend(item(source, &format!("const {name}:")));
    }
    Some(code)
}

/// What begins with `start`, up to the line that closes it.
fn item(source: &str, start: &str) -> Option<String> {
    let from = &source[source.find(start)?..];
    let end = ["\n}\n", "\n];\n"]
        .iter()
        .filter_map(|end| from.find(end))
        .min();
    let lines = from[..end.unwrap_or(from.len())].lines();
    let code = lines.filter(|line| !line.trim_start().starts_with("//"));
    Some(code.flat_map(|line| [line, "\n"]).collect())
}

/// Whether an option stands there as a word of its own.
fn mentions(code: &str, option: &str) -> bool {
    let of_a_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    code.match_indices(option).any(|(at, _)| {
        let (before, behind) = (&code[..at], &code[at + option.len()..]);
        // `-v5` is an option and its value.
        let ends = option.len() == 2 || !behind.starts_with(of_a_name);
        ends && !before.ends_with(of_a_name)
    })
}
