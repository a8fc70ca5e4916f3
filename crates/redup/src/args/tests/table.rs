use std::collections::BTreeSet;
use std::ffi::OsString;

use expect_test::expect;

use crate::args::command::{self, COMMANDS, Shape};
use crate::args::spec::{Origin, ValueKind};
use crate::args::table::GROUPS;
use crate::args::{Topic, help};

#[test]
fn every_name_is_there_once() {
    let mut seen = BTreeSet::new();
    for spec in GROUPS.iter().flat_map(|group| group.options) {
        for name in spec.names {
            assert!(seen.insert(name.text), "{} is there twice", name.text);
            assert!(
                name.text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            );
        }
        assert!(!spec.help.is_empty() && !spec.names.is_empty());
    }
    // What both versions together have.
    assert!(seen.len() > 140, "{}", seen.len());
}

#[test]
fn every_short_letter_is_there_once() {
    let mut letters: Vec<_> = GROUPS
        .iter()
        .flat_map(|group| group.options)
        .filter_map(|spec| spec.short)
        .collect();
    letters.sort_unstable();
    assert_eq!(letters, ['V', 'h', 'r', 't', 'v']);
}

#[test]
fn names_of_one_option_take_the_same_kind_of_value() {
    for spec in GROUPS.iter().flat_map(|group| group.options) {
        let flag = matches!(spec.value, ValueKind::Flag(_));
        assert_eq!(flag, spec.metavar.is_empty(), "{}", spec.main_name());
    }
}

#[test]
fn every_command_is_found_by_each_of_its_names() {
    for spec in COMMANDS {
        for name in [&[spec.name], spec.short_names].concat() {
            let behind = spec.shapes.iter().map(|shape| match shape {
                Shape::TargetUrl | Shape::SourceUrl => "file:///t",
                _ => "1",
            });
            let words: Vec<OsString> = std::iter::once(name)
                .chain(behind)
                .map(Into::into)
                .collect();
            let found = command::find(&words, &|_| false).unwrap();
            assert_eq!(found.command, spec.command, "{name}");
        }
    }
}

#[test]
fn options_of_our_own_are_few_and_named() {
    let ours: Vec<_> = GROUPS
        .iter()
        .flat_map(|group| group.options)
        .flat_map(|spec| spec.names)
        .filter(|name| name.origin == Origin::Redup)
        .map(|name| name.text)
        .collect();
    assert_eq!(
        ours,
        [
            "json",
            "compress-level",
            "secret-key-file",
            "s3-no-dualstack",
            "s3-storage-class",
            "s3-storage-class-metadata",
            "s3-restore-tier",
            "s3-restore-days"
        ]
    );
}

#[test]
fn help_stays_within_80_columns() {
    for topic in [Topic::All, Topic::Command("restore"), Topic::Urls] {
        for line in help(topic, "duplicity").lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn help_is_this_text() {
    expect![[r#"
        usage: redup backup [options] source_path target_url
               redup full [options] source_path target_url
               redup incremental [options] source_path target_url
               redup restore [options] source_url target_path
               redup verify [options] source_url target_path
               redup collection-status [options] target_url
               redup list-current-files [options] target_url
               redup cleanup [options] target_url
               redup remove-older-than [options] remove_time target_url
               redup remove-all-but-n-full [options] count target_url
               redup remove-all-inc-of-but-n-full [options] count target_url
               redup probe [options] target_url

        Commands
          backup, bu                  Back up: an increment when there is a chain to
                                      build on, else a full backup.
          full, fb                    Make a full backup, the start of a new chain.
          incremental, incr, inc, ib  Make an increment; an error when there is nothing
                                      to build on.
          restore, rb                 Restore everything, or one path of it, as it was
                                      at some time.
          verify, vb                  Read and check the volumes, and with
                                      --compare-data compare them with a folder.
          collection-status, st       Print the chains and sets of a backup.
          list-current-files, ls      Print the files of a backup as they were at some
                                      time.
          cleanup, cl                 Delete files that belong to no complete set.
          remove-older-than, ro       Delete the chains that ended before a time.
          remove-all-but-n-full, ra   Delete all but the newest N chains.
          remove-all-inc-of-but-n-full, ri
                                      Delete the increments of all but the newest N
                                      chains.
          probe                       Try a target out, and say what works, how fast,
                                      and what to change.

        Without a command, a path and a URL mean backup, a URL and a path mean restore.
        Options may stand anywhere; long ones may be shortened.

        General options
          --archive-dir FILE          Root of the archive dirs, where manifests and
                                      signatures are cached (default:
                                      ~/.cache/duplicity).
          --name TEXT                 Name of the archive dir (default: MD5 of the
                                      target URL as given).
          --tempdir FILE              Folder for temporary files (default: TMPDIR, TEMP,
                                      TMP, else the system's).
          --force                     Go on where the command would stop: restore into a
                                      folder that is not empty, really delete.
          --dry-run                   Say what would be done, and change nothing.
          -v, --verbosity LEVEL       0 to 9, or error, warning, notice (default), info,
                                      debug.
          --log-fd FD                 Write messages for programs to this file
                                      descriptor.
          --log-file FILE             Append messages for programs to this file.
          --log-timestamp             Begin each line with time and level.
          --num-retries N             How often each operation on the store is tried
                                      (default 5).
          --backend-retry-delay N     Seconds between two attempts (default 30).
          --timeout N                 Network timeout in seconds (default 30).
          --ignore-errors             Go on after errors that leave the result
                                      incomplete; each is reported.
          --print-statistics          Print statistics after a backup (default).
          --no-print-statistics       Print no statistics.
          --allow-source-mismatch     Add to a backup that was made on another host or
                                      of another folder.
          --concurrency N             Accepted, without effect: volumes are always
                                      uploaded while the next one is made.
          --asynchronous-upload       Accepted, without effect: volumes are always
                                      uploaded while the next one is made.
          --config-dir FILE           Accepted, without effect: redup keeps no settings
                                      there.
          --copy-blocksize KIB        Accepted, without effect: redup chooses its own
                                      buffers.
          --progress                  Tell every few seconds how far a backup is; the
                                      source is looked through once more for that.
          --progress-rate N           Seconds between progress lines (default 3).
          --json                      Print the result of probe as JSON.
          --jsonstat                  Print and store statistics as JSON; with
                                      --show-changes-in-set, print those stored.
          --metadata-sync-mode full|partial
                                      Bring the manifests and signatures of all chains
                                      to the archive dir, or of the one that is needed
                                      (default).
          --check-remote              Compare the archive dir with the store (default).
          --no-check-remote           Trust the archive dir: fetch no metadata, and list
                                      the store only for volumes.
          -h, --help                  Print this text.
          -V, --version               Print the version.

        Backup options
          --full-if-older-than TIME   Make a full backup when the last full one is older
                                      than this.
          --full-if-n-inc N           Make a full backup when the chain has this many
                                      increments.
          --skip-if-no-change         Store no increment when nothing has changed.
          --volsize MB                Size of a volume (default 200).
          --max-blocksize BYTES       Largest signature block; 0 is no limit (default).
          --copy-links                Store what symbolic links point to in place of the
                                      links.
          --files-changed             Keep the list of changed files in the manifest
                                      (default).
          --no-files-changed          Keep no such list.
          --file-prefix TEXT          Put this before every stored name.
          --file-prefix-manifest TEXT
                                      … of a manifest.
          --file-prefix-archive TEXT  … of a volume.
          --file-prefix-signature TEXT
                                      … of a signature file.
          --file-prefix-jsonstat TEXT
                                      … of a statistics file.
          --time-separator CHAR       Separator in the times of very old names.

        Encryption options
          --encryption                Encrypt (default).
          --no-encryption             Do not encrypt.
          --compression               Compress (default).
          --no-compression            Do not compress.
          --compress-level LEVEL      0, fastest, to 9, smallest (default 6).
          --encrypt-key KEY           Encrypt to this key; repeatable.
          --hidden-encrypt-key KEY    The same, without naming the key in the files.
          --sign-key KEY              Sign with this key; on restore, accept nothing
                                      that it has not signed.
          --encrypt-sign-key KEY      Both of these.
          --secret-key-file FILE      An exported key, secret or public, to use beside
                                      GnuPG's keyring; repeatable.
          --gpg-options OPTIONS       Options for gpg, of which redup understands those
                                      that choose keys and algorithms.
          --gpg-binary FILE           Accepted, without effect: OpenPGP is built in.
          --use-agent                 Leave passphrases to gpg-agent.
          --encrypt-secret-keyring FILE
                                      Secret keyring for decryption.

        Restore, verify and status options
          -t, --restore-time, --time TIME
                                      The point in time (default: the newest).
          -r, --path-to-restore, --file-to-restore PATH
                                      Restore or verify this file or folder only,
                                      relative to the root of the backup.
          --rename FROM TO            Restore FROM under the name TO, both relative to
                                      what is restored; repeatable.
          --restore-ownership         Restore owner and group (default).
          --no-restore-ownership, --do-not-restore-ownership
                                      Leave owner and group as they come.
          --numeric-owner             Use the numbers of owners, not their names.
          --compare-data              verify: compare with the files of the folder;
                                      without it the volumes are checked only.
          --file-changed FILE         collection-status: the history of one file.
          --show-changes-in-set N     collection-status: the files of the n-th newest
                                      set; 0 is the newest.

        Selection options (in order; the first that matches decides)
          --include PATTERN           Include what matches this shell pattern.
          --exclude PATTERN           Exclude what matches this shell pattern.
          --include-regexp REGEXP     Include what matches.
          --exclude-regexp REGEXP     Exclude what matches.
          --include-filelist, --include-globbing-filelist FILE
                                      Include the patterns of this file, one a line.
          --exclude-filelist, --exclude-globbing-filelist FILE
                                      Exclude the patterns of this file, one a line.
          --exclude-if-present NAME   Exclude folders that hold this file.
          --exclude-older-than TIME   Exclude files changed before this time.
          --exclude-other-filesystems
                                      Stay on one file system.
          --exclude-device-files      Exclude device files.
          --files-from FILE           Back up what this file lists, one path a line,
                                      relative to the source.
          --filter-globbing           Patterns that follow are shell patterns (default).
          --filter-literal            Patterns that follow are plain paths.
          --filter-regexp             Patterns that follow are regular expressions.
          --filter-ignorecase         Patterns that follow ignore case.
          --filter-strictcase         Patterns that follow mind case (default).
          --null-separator            File lists end their lines with NUL.

        S3 options
          --s3-endpoint-url URL       Endpoint of the S3 service.
          --s3-region-name REGION     Region.
          --s3-no-dualstack           Use Amazon's endpoints for IPv4 only (default:
                                      those for both IPv6 and IPv4).
          --ssl-cacert-file FILE      Trust the certificates in this PEM file, too
                                      (default: AWS_CA_BUNDLE).
          --s3-unencrypted-connection
                                      Do not use TLS.
          --s3-use-rrs                Store as REDUCED_REDUNDANCY.
          --s3-use-ia                 Store as STANDARD_IA.
          --s3-use-onezone-ia         Store as ONEZONE_IA.
          --s3-use-glacier            Store volumes as GLACIER.
          --s3-use-glacier-ir         Store volumes as GLACIER_IR.
          --s3-use-deep-archive       Store volumes as DEEP_ARCHIVE.
          --s3-storage-class CLASS    Store as this class.
          --s3-storage-class-metadata CLASS
                                      Store manifests and signatures as this class.
          --s3-restore-tier Bulk|Standard|Expedited
                                      Thaw what is needed and lies in an archive class,
                                      this fast, and wait for it.
          --s3-restore-days N         Days for which thawed objects stay readable
                                      (default 7).
          --s3-use-server-side-encryption
                                      Let the service encrypt with AES256.
          --s3-use-server-side-kms-encryption
                                      Let the service encrypt with a KMS key.
          --s3-kms-key-id ID          The KMS key.
          --s3-kms-grant GRANT        Who gets full control.
          --s3-multipart-chunk-size MB
                                      Part size of an upload (default 8).
          --s3-multipart-max-procs N  Parts that are sent at a time (default 8).

        Targets
          file:///absolute/folder     a local folder
          file://relative/folder      the same, from the working folder
          s3://bucket[/prefix]        S3, also written boto3+s3:// and s3+http://
    "#]]
    .assert_eq(&help(Topic::All, "redup"));
}
