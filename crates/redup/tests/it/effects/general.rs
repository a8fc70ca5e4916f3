use std::fs;

use redup_testkit::damage::names;
use redup_testkit::env::TestEnv;

use super::{plain, stored, text_of};
use crate::cli::support::{go, place};

/// Each with a value where it takes one.
const WITHOUT_EFFECT: &[&str] = &[
    "--copy-blocksize=64",
    "--gpg-binary=/no/such/gpg",
    "--pydevd",
    "--s3-use-multiprocessing",
    "--s3-use-new-style",
    "--s3-european-buckets",
    "--ftp-passive",
    "--ftp-regular",
    "--ssh-askpass",
    "--ssh-options=-oX=y",
    "--scp-command=scp",
    "--sftp-command=sftp",
    "--rsync-options=-z",
    "--ssl-cacert-path=/etc",
    "--ssl-no-check-certificate",
    "--webdav-headers=a,b",
    "--par2-redundancy=10",
    "--par2-volumes=1",
    "--par2-options=-q",
    "--imap-full-address",
    "--imap-mailbox=INBOX",
    "--swift-storage-policy=p",
    "--mp-segment-size=5",
    "--azure-blob-tier=Hot",
    "--azure-max-single-put-size=1",
    "--azure-max-block-size=1",
    "--azure-max-connections=1",
    "--b2-hide-files",
    "--cf-backend=pyrax",
    "--idr-fakeroot=/x",
    "--mf-purge",
];

#[test]
fn what_has_no_effect_says_so_once_at_info_level() {
    let env = plain();
    let twice = [WITHOUT_EFFECT, WITHOUT_EFFECT].concat().join(" ");
    let line = format!("full --no-encryption --dry-run source file://target {twice}");
    let told = go(&env, &format!("{line} -v5")).ok().stdout;
    for option in WITHOUT_EFFECT {
        let name = option.split('=').next().unwrap();
        let notice = format!("Option {name} has no effect: ");
        assert_eq!(told.matches(&notice).count(), 1, "{name}\n{told}");
    }
    go(&env, &line).ok().never_says("has no effect");
}

#[test]
fn what_would_do_harm_is_refused_with_the_reason() {
    for (option, reason) in [
        ("--use-gpgsm", "redup has OpenPGP keys only"),
        ("--skip-volume 1", "lacks a volume"),
        ("--fail-on-volume 1", "makes a backup fail"),
    ] {
        let env = plain();
        go(
            &env,
            &format!("full --no-encryption source file://target {option}"),
        )
        .code(23)
        .says(reason);
        assert!(names(&env.target()).is_empty(), "{option}");
    }
}

#[test]
fn the_archive_dir_has_the_name_asked_for() {
    let env = plain();
    stored(&env, "");
    let hashed = env.path("home/.cache/duplicity/2334326747ca7273e1b6291b0ce4d508");
    assert!(hashed.is_dir());
    stored(&env, "--name of-mine");
    let found = names(&env.path("home/.cache/duplicity/of-mine"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(!hashed.exists());
}

#[test]
fn as_much_is_said_as_asked_for() {
    let env = plain();
    stored(&env, "");
    let said = |options: &str| {
        let line = format!(
            "full --no-encryption --no-print-statistics --dry-run source file://target {options}"
        );
        go(&env, &line).ok().stdout
    };
    for loud in ["--verbosity info", "-v5", "--verbosity=i"] {
        assert!(said(loud).contains("\nA sub/b\n"), "{loud}");
    }
    let notice = said("");
    assert!(!notice.contains("A sub/b") && notice.contains("Last full backup date"));
    assert_eq!(said("-v notice"), said("--verbosity 4"));
    assert!(!said("-v2").contains("Last full backup date"));
}

#[test]
fn help_is_asked_for_by_either_name() {
    let env = plain();
    let long = go(&env, "--help").ok().stdout;
    assert!(long.starts_with("usage: redup COMMAND"), "{long}");
    assert_eq!(go(&env, "-h").ok().stdout, long);
    assert_eq!(go(&env, "help").ok().stdout, long);
    let one = go(&env, "verify --help").ok().stdout;
    assert!(one.starts_with("usage: redup verify"), "{one}");
    for same in ["help verify", "--help-verify", "vb -h", "--help-vb"] {
        assert_eq!(go(&env, same).ok().stdout, one, "{same}");
    }
    go(&env, "help nosuch")
        .code(23)
        .says("there is no help on 'nosuch'");
    // A folder of that name is backed up all the same.
    fs::create_dir(env.path("help")).unwrap();
    go(&env, "help file://target --no-encryption")
        .ok()
        .says("SourceFiles 1");
    assert_eq!(
        go(&env, "-V").ok().stdout,
        go(&env, "--version").ok().stdout
    );
}

#[test]
fn statistics_are_printed_unless_not_wanted() {
    let env = plain();
    let block = "[ Backup Statistics ]";
    let run = |options: &str| {
        go(
            &env,
            &format!("full --no-encryption --dry-run source file://target {options}"),
        )
        .ok()
    };
    run("").says(block);
    run("--no-print-statistics").never_says(block);
    run("--no-print-statistics --print-statistics").says(block);
}

#[test]
fn a_trusted_archive_dir_is_checked_again_when_asked() {
    let env = plain();
    stored(&env, "");
    drop(fs::remove_dir_all(env.target()));
    let chains = "Number of contained backup sets: 1";
    let status = "st file://target --no-check-remote";
    go(&env, status).ok().says(chains);
    go(&env, &format!("{status} --check-remote"))
        .ok()
        .never_says(chains);
}

#[test]
fn temporary_files_are_made_where_asked() {
    // What is compared with a delta of a large file does not stay in memory.
    let env = plain();
    let mut big = vec![7; 12 << 20];
    fs::write(env.source().join("a"), &big).unwrap();
    go(
        &env,
        "full --no-encryption --current-time 1700000000 source file://target",
    )
    .ok();
    big[0] = 8;
    fs::write(env.source().join("a"), &big).unwrap();
    // A change within the second of the last one would be invisible.
    let changed = fs::File::options()
        .write(true)
        .open(env.source().join("a"))
        .unwrap();
    changed.set_modified(std::time::UNIX_EPOCH).unwrap();
    go(
        &env,
        "inc --no-encryption --current-time 1700086400 source file://target",
    )
    .ok();
    let verify = "verify --no-encryption --compare-data file://target source";
    go(&env, verify).ok();
    let elsewhere = go(&env, &format!("{verify} --tempdir no/such/folder"));
    assert!(!elsewhere.status.success(), "{elsewhere}");
    elsewhere.says("no/such/folder");
    fs::create_dir(env.path("scratch")).unwrap();
    go(&env, &format!("{verify} --tempdir scratch")).ok();
    assert!(names(&env.path("scratch")).is_empty());
}

#[test]
fn gio_is_the_prefix_of_the_url() {
    let env = plain();
    go(&env, "full --no-encryption --gio source file://target").ok();
    assert_eq!(names(&env.target()).len(), 3);
    let line = "full --no-encryption source smb://host/share";
    go(&env, line).code(23).never_says("gio+smb");
    go(&env, &format!("{line} --gio")).code(23).says("gio+smb");
}

#[test]
fn messages_for_programs_go_to_a_file_when_asked() {
    let env = plain();
    let run = |options: &str| go(&env, &format!("st file://target {options}")).ok();
    run("");
    assert!(!env.path("log").exists());
    run("--log-file log");
    let once = text_of(&env.path("log"));
    assert!(
        once.contains("\nINFO 3 \n") || once.starts_with("INFO 3 "),
        "{once}"
    );
    run("--log-file log");
    assert_eq!(
        text_of(&env.path("log")),
        once.repeat(2),
        "it is appended to"
    );
}

#[test]
fn the_time_of_a_backup_is_the_one_given() {
    let env: TestEnv = place();
    go(&env, "full source file://target --current-time 1700000000").ok();
    let all = names(&env.target());
    assert!(
        all.iter().all(|name| name.contains("20231114T221320Z")),
        "{all:?}"
    );
}
