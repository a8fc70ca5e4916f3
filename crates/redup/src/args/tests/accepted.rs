use super::*;
use crate::args::{Command, Topic};

#[track_caller]
fn check(line: &str, expected: &str) {
    assert_eq!(summary(&run(line)), expected, "{line}");
}

const TARGET: &str = "file:///t";

#[test]
fn the_script_this_is_built_for_means_what_it_says() {
    check(
        "--encrypt-key ABCDEF0123456789 --asynchronous-upload -v 4 --archive-dir=/path/to/archives \
         --s3-use-ia --s3-use-multiprocessing --s3-use-new-style --s3-region-name \"us-east-1\" \
         --s3-endpoint-url \"https://s3.dualstack.us-east-1.amazonaws.com\" \
         incr --full-if-older-than 30D /stuff/you/want/backed/up \"boto3+s3://bucket/path/to/backups\"",
        "Incremental /stuff/you/want/backed/up boto3+s3://bucket/path/to/backups | \
         EncryptKey=ABCDEF0123456789 AsynchronousUpload Verbosity=4 ArchiveDir=/path/to/archives \
         S3UseIa S3Deprecated S3Deprecated S3RegionName=us-east-1 \
         S3EndpointUrl=https://s3.dualstack.us-east-1.amazonaws.com FullIfOlderThan=30D",
    );
}

#[test]
fn the_older_form_of_that_script_does_too() {
    check(
        "--encrypt-key ABCDEF0123456789 --asynchronous-upload -v 4 --archive-dir=/path/to/archives \
         --s3-use-ia --s3-use-multiprocessing incr --full-if-older-than 30D /stuff/you/want/backed/up \
         \"s3+http://bucket/path\"",
        "Incremental /stuff/you/want/backed/up s3+http://bucket/path | EncryptKey=ABCDEF0123456789 \
         AsynchronousUpload Verbosity=4 ArchiveDir=/path/to/archives S3UseIa S3Deprecated FullIfOlderThan=30D",
    );
}

#[test]
fn commands_have_names_short_names_and_prefixes() {
    for word in ["full", "fb", "f", "fu", "ful"] {
        check(&format!("{word} src {TARGET}"), "Full src file:///t");
    }
    for word in ["incremental", "incr", "inc", "ib", "i", "in", "increm"] {
        check(&format!("{word} src {TARGET}"), "Incremental src file:///t");
    }
    for word in ["backup", "bu"] {
        check(&format!("{word} src {TARGET}"), "Backup src file:///t");
    }
    for word in ["restore", "rb", "res", "rest", "restor"] {
        check(&format!("{word} {TARGET} out"), "Restore file:///t out");
    }
    for word in ["verify", "vb", "v", "ver"] {
        check(&format!("{word} {TARGET} out"), "Verify file:///t out");
    }
    for word in ["collection-status", "st", "col", "collection"] {
        check(&format!("{word} {TARGET}"), "CollectionStatus file:///t");
    }
    for word in ["list-current-files", "ls", "l", "list-c"] {
        check(&format!("{word} {TARGET}"), "ListCurrentFiles file:///t");
    }
}

#[test]
fn a_path_and_a_url_tell_the_command() {
    check("src file:///t", "Backup src file:///t");
    check("file:///t src", "Restore file:///t src");
    check("/a/b s3://bucket/prefix", "Backup /a/b s3://bucket/prefix");
    check("boto3+s3://bucket out", "Restore boto3+s3://bucket out");
    check(
        "relative/dir s3+http://b/p",
        "Backup relative/dir s3+http://b/p",
    );
    let remark = "No valid action found. Will imply 'restore' because a url source was given and target is a path location.";
    assert_eq!(run("file:///t out").remarks, [remark]);
}

#[test]
fn a_folder_named_like_a_command_is_written_with_a_slash() {
    check("./inc file:///t", "Backup ./inc file:///t");
    check("inc/ file:///t", "Backup inc/ file:///t");
    // `co` is only a prefix of a command, and a folder of that name exists.
    check("co file:///t", "Backup co file:///t");
    // Where it does not fit as a prefix it is a folder all the same.
    check("re file:///t", "Backup re file:///t");
    check("f file:///t", "Backup f file:///t");
}

#[test]
fn options_stand_anywhere() {
    check(
        "--no-encryption full src file:///t",
        "Full src file:///t | !Encryption",
    );
    check(
        "full --no-encryption src file:///t",
        "Full src file:///t | !Encryption",
    );
    check(
        "full src --no-encryption file:///t",
        "Full src file:///t | !Encryption",
    );
    check(
        "src file:///t --no-encryption",
        "Backup src file:///t | !Encryption",
    );
    check(
        "--dry-run src --name x file:///t -v2",
        "Backup src file:///t | DryRun Name=x Verbosity=2",
    );
}

#[test]
fn values_are_attached_or_follow() {
    check(
        "src file:///t --volsize 50",
        "Backup src file:///t | Volsize=52428800",
    );
    check(
        "src file:///t --volsize=50",
        "Backup src file:///t | Volsize=52428800",
    );
    check(
        "file:///t out -t3D",
        "Restore file:///t out | RestoreTime=3D",
    );
    check(
        "file:///t out -t 3D",
        "Restore file:///t out | RestoreTime=3D",
    );
    check(
        "file:///t out -rsub/dir",
        "Restore file:///t out | PathToRestore=sub/dir",
    );
    check(
        "file:///t out -r sub/dir",
        "Restore file:///t out | PathToRestore=sub/dir",
    );
    check(
        "st -v9 file:///t",
        "CollectionStatus file:///t | Verbosity=9",
    );
    check(
        "st -v 9 file:///t",
        "CollectionStatus file:///t | Verbosity=9",
    );
    // As 3.x reads it.
    check(
        "st -v=9 file:///t",
        "CollectionStatus file:///t | Verbosity=9",
    );
    check(
        "file:///t out -r=",
        "Restore file:///t out | PathToRestore=",
    );
    check(
        "src file:///t --name=a=b",
        "Backup src file:///t | Name=a=b",
    );
    check("src file:///t --name=", "Backup src file:///t | Name=");
    check(
        "src file:///t --name=--force",
        "Backup src file:///t | Name=--force",
    );
    check(
        "src file:///t '--archive-dir=/a b'",
        "Backup src file:///t | ArchiveDir=/a b",
    );
}

#[test]
fn verbosity_is_a_digit_or_a_word() {
    for (word, level) in [
        ("e", 0),
        ("Error", 0),
        ("W", 2),
        ("notice", 3),
        ("info", 5),
        ("DEBUG", 9),
        ("0", 0),
        ("4", 4),
    ] {
        check(
            &format!("st {TARGET} -v {word}"),
            &format!("CollectionStatus file:///t | Verbosity={level}"),
        );
    }
    check(
        "st file:///t --verb=i",
        "CollectionStatus file:///t | Verbosity=5",
    );
}

#[test]
fn long_options_may_be_shortened() {
    check(
        "src file:///t --no-enc",
        "Backup src file:///t | !Encryption",
    );
    check(
        "src file:///t --no-comp --vol 5",
        "Backup src file:///t | !Compression Volsize=5242880",
    );
    check(
        "src file:///t --allow",
        "Backup src file:///t | AllowSourceMismatch",
    );
    check(
        "file:///t out --restore-t now",
        "Restore file:///t out | RestoreTime=now",
    );
    check(
        "file:///t out --path x",
        "Restore file:///t out | PathToRestore=x",
    );
    check(
        "file:///t out --file-to x",
        "Restore file:///t out | PathToRestore=x",
    );
    check(
        "src file:///t --asyn",
        "Backup src file:///t | AsynchronousUpload",
    );
    // `--enc` could be several in 3.x and 0.8; `--encrypt-k` is one.
    check(
        "src file:///t --encrypt-k A",
        "Backup src file:///t | EncryptKey=A",
    );
    // What redup added never makes a shortened option of duplicity ambiguous.
    check(
        "src file:///t --secret k.asc",
        "Backup src file:///t | SecretKeyFile=k.asc",
    );
}

#[test]
fn values_that_look_like_options_are_understood() {
    check(
        "src file:///t --gpg-options --homedir=/x",
        "Backup src file:///t | GpgOptions=--homedir=/x",
    );
    check(
        "src file:///t --gpg-options '--homedir /x'",
        "Backup src file:///t | GpgOptions=--homedir /x",
    );
    check(
        "src file:///t --ssh-options -oFoo=bar",
        "Backup src file:///t | Other=-oFoo=bar",
    );
    check(
        "src file:///t --name -odd",
        "Backup src file:///t | Name=-odd",
    );
    check(
        "src file:///t --exclude -x --include -",
        "Backup src file:///t | Exclude=-x Include=-",
    );
    check(
        "src file:///t --max-blocksize -5",
        "Backup src file:///t | MaxBlocksize=-5",
    );
}

#[test]
fn a_negative_number_is_no_option() {
    check("ro -5 file:///t", "RemoveOlderThan -5 file:///t");
    check("-5 file:///t", "Backup -5 file:///t");
}

#[test]
fn two_dashes_end_the_options() {
    check("full -- --src file:///t", "Full --src file:///t");
    check("-- src file:///t", "Backup src file:///t");
}

#[test]
fn both_names_of_what_was_renamed_mean_the_same() {
    for name in ["--path-to-restore", "--file-to-restore", "-r"] {
        check(
            &format!("{TARGET} out {name} a/b"),
            "Restore file:///t out | PathToRestore=a/b",
        );
    }
    for name in ["--no-restore-ownership", "--do-not-restore-ownership"] {
        check(
            &format!("{TARGET} out {name}"),
            "Restore file:///t out | !RestoreOwnership",
        );
    }
    for name in ["--time", "--restore-time", "-t"] {
        check(
            &format!("ls {TARGET} {name} 2024-01-01"),
            "ListCurrentFiles file:///t | RestoreTime=2024-01-01",
        );
    }
}

#[test]
fn the_last_of_a_repeated_option_counts() {
    let args =
        run("src file:///t --name a --no-encryption --name b --encryption --volsize 1 --volsize 2");
    assert_eq!(args.options.text(crate::args::Opt::Name), Some("b"));
    assert_eq!(
        args.options.number(crate::args::Opt::Volsize),
        Some(2 << 20)
    );
    assert!(args.options.switch(crate::args::Opt::Encryption, false));
    let keys = run("src file:///t --encrypt-key A --encrypt-key B");
    assert_eq!(
        keys.options
            .all_text(crate::args::Opt::EncryptKey)
            .collect::<Vec<_>>(),
        ["A", "B"]
    );
}

#[test]
fn words_for_gpg_are_joined_and_lose_their_outer_quotes() {
    let args =
        run("src file:///t --gpg-options \"'--homedir /x  --no-tty'\" --gpg-options '\"--batch\"'");
    let words = args.options.words(crate::args::Opt::GpgOptions);
    assert_eq!(words, ["--homedir", "/x", "--no-tty", "--batch"]);
}

#[test]
fn selection_keeps_its_order() {
    check(
        "src file:///t --include a --exclude b --include=c --exclude '**'",
        "Backup src file:///t | Include=a Exclude=b Include=c Exclude=**",
    );
}

#[test]
fn what_needs_nothing_done_says_so_once() {
    let args = run(
        "full src file:///t --s3-use-new-style --gpg-binary gpg2 --s3-use-new-style --ftp-passive",
    );
    assert_eq!(
        args.remarks,
        [
            "Option --s3-use-new-style has no effect: the address style follows the endpoint.",
            "Option --gpg-binary has no effect: OpenPGP is built in.",
            "Option --ftp-passive has no effect: it concerns a store that redup does not use.",
        ]
    );
}

#[test]
fn the_calls_of_duply_are_understood() {
    check(
        "--name duply_p --no-encryption --verbosity '4' --gpg-options '--pinentry-mode loopback' \
         --full-if-older-than 1M --volsize 50 / s3://b/p",
        "Backup / s3://b/p | Name=duply_p !Encryption Verbosity=4 GpgOptions=--pinentry-mode loopback \
         FullIfOlderThan=1M Volsize=52428800",
    );
    check(
        "verify --name p --encrypt-key K --sign-key K --verbosity 4 -t 3D --file-to-restore etc file:///t /out",
        "Verify file:///t /out | Name=p EncryptKey=K SignKey=K Verbosity=4 RestoreTime=3D PathToRestore=etc",
    );
    check(
        "list-current-files --archive-dir /a --name p -t now file:///t",
        "ListCurrentFiles file:///t | ArchiveDir=/a Name=p RestoreTime=now",
    );
    check(
        "--name p -t now file:///t /out",
        "Restore file:///t /out | Name=p RestoreTime=now",
    );
}

#[test]
fn the_calls_of_a_desktop_program_are_understood() {
    check(
        "full --include=/home/me --exclude=** --volsize=200 / file:///t --no-encryption --verbosity=9 \
         --timeout=120 --archive-dir=/c --tempdir=/tmp --log-fd=12",
        "Full / file:///t | Include=/home/me Exclude=** Volsize=209715200 !Encryption Verbosity=9 Timeout=120 \
         ArchiveDir=/c Tempdir=/tmp LogFd=12",
    );
    check(
        "restore --path-to-restore=a/b --time=20231120T170640Z --no-restore-ownership --force file:///t /",
        "Restore file:///t / | PathToRestore=a/b RestoreTime=20231120T170640Z !RestoreOwnership Force",
    );
}

#[test]
fn more_options_keep_their_values() {
    check(
        "src file:///t --hidden-encrypt-key A --encrypt-sign-key B --tempdir ~/t --num-retries 3 --numeric-owner",
        "Backup src file:///t | HiddenEncryptKey=A EncryptSignKey=B Tempdir=~/t NumRetries=3 NumericOwner",
    );
    check(
        "src file:///t --file-prefix a --file-prefix-manifest b --file-prefix-archive c --file-prefix-signature d",
        "Backup src file:///t | FilePrefix=a FilePrefixManifest=b FilePrefixArchive=c FilePrefixSignature=d",
    );
    check(
        "src s3://b --s3-use-glacier --s3-kms-key-id K --s3-multipart-chunk-size 8 --s3-multipart-max-timeout 5",
        "Backup src s3://b | S3UseGlacier S3KmsKeyId=K S3MultipartChunkSize=8388608 S3MultipartMaxTimeout=5",
    );
    check(
        "verify --compare-data --ignore-errors --current-time 1700000000 --log-file l file:///t d",
        "Verify file:///t d | CompareData IgnoreErrors CurrentTime=1700000000 LogFile=l",
    );
}

#[test]
fn help_and_version_win_over_what_follows() {
    for line in ["--version", "-V", "--version --bogus", "full --vers"] {
        assert!(matches!(read(line), Ok(Parsed::Version)), "{line}");
    }
    for line in ["--help", "-h", "-h --bogus", "-hV", "src file:///t --help"] {
        let parsed = read(line);
        assert!(
            matches!(parsed, Ok(Parsed::Help(Topic::Overview))),
            "{line}"
        );
    }
    for (line, about) in [
        ("--help-restore", Command::Restore),
        ("--help-inc", Command::Incremental),
        ("--help-rest", Command::Restore),
        ("--help-remove-o", Command::RemoveOlderThan),
        ("restore --help", Command::Restore),
        ("-v9 rb file:///t -h --bogus", Command::Restore),
        ("--help full", Command::Full),
    ] {
        match read(line) {
            Ok(Parsed::Help(topic)) => assert_eq!(topic, Topic::Command(about), "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
    assert!(matches!(read("--help-urls"), Ok(Parsed::Help(Topic::Urls))));
}

#[test]
fn log_options_are_found_even_on_a_line_with_mistakes() {
    let options =
        crate::args::log_options(&words("full --bogus --log-fd=7 x --verbosity 9 --volsize"));
    assert_eq!(options.number(crate::args::Opt::LogFd), Some(7));
    assert_eq!(options.number(crate::args::Opt::Verbosity), Some(9));
    let short =
        crate::args::log_options(&words("full -v5 --archive-dir x --log-timestamp --name y"));
    assert_eq!(short.number(crate::args::Opt::Verbosity), Some(5));
    assert!(short.flag(crate::args::Opt::LogTimestamp));
    let none = crate::args::log_options(&words("full -- --log-fd=7"));
    assert_eq!(none.number(crate::args::Opt::LogFd), None);
}
