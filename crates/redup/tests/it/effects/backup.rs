use std::fs;
use std::os::unix::fs::symlink;

use redup_testkit::damage::names;

use super::{bytes_of, plain, stored, text_of};
use crate::cli::support::go;

#[test]
fn a_full_backup_is_made_when_the_last_is_older() {
    let env = plain();
    let backup = "backup --no-encryption source file://target";
    go(&env, &format!("{backup} --current-time 1600000000")).ok();
    for (age, number) in [("200Y", 1), ("30D", 2)] {
        let line = format!("{backup} --full-if-older-than {age} -v5 --allow-source-mismatch");
        go(&env, &line).ok();
        let fulls = names(&env.target());
        let fulls = fulls
            .iter()
            .filter(|name| name.contains("duplicity-full.") && name.contains("manifest"));
        assert_eq!(fulls.count(), number, "{age}");
        // Two backups within a second wait for each other.
    }
}

#[test]
fn volumes_have_the_size_asked_for() {
    let env = plain();
    fs::write(env.source().join("big"), vec![1; 3 << 20]).unwrap();
    let volumes = |options: &str| {
        let all = stored(&env, &format!("--no-compression {options}"));
        all.iter().filter(|name| name.contains(".vol")).count()
    };
    assert_eq!(
        (volumes(""), volumes("--volsize 1"), volumes("--volsize=2")),
        (1, 4, 2)
    );
}

#[test]
fn signature_blocks_are_as_large_as_allowed() {
    let env = plain();
    fs::write(env.source().join("big"), vec![1; 8 << 20]).unwrap();
    let signatures = |options: &str| {
        stored(&env, &format!("--no-compression {options}"));
        bytes_of(&env, "full-signatures").len()
    };
    let (free, limited) = (signatures(""), signatures("--max-blocksize 512"));
    // 16384 blocks of 512 bytes, each with a signature of 12.
    assert!(limited > 190_000 && free < 100_000, "{free} {limited}");
    assert_eq!(signatures("--max-blocksize 0"), free);
}

#[test]
fn what_a_link_points_to_is_stored_when_asked() {
    let env = plain();
    symlink("nowhere", env.source().join("dangling")).unwrap();
    let listed = |options: &str| {
        stored(&env, options);
        let log = env.fresh("log");
        go(
            &env,
            &format!("ls file://target --log-file {}", log.display()),
        )
        .ok();
        let log = text_of(&log);
        ["'link' sym", "'link' reg", "'dangling' sym"].map(|entry| log.contains(entry))
    };
    assert_eq!(listed(""), [true, false, true]);
    assert_eq!(listed("--copy-links"), [false, true, false]);
}

#[test]
fn the_manifest_lists_changed_files_unless_told_otherwise() {
    let env = plain();
    let lists = |options: &str| {
        stored(&env, options);
        String::from_utf8(bytes_of(&env, "manifest"))
            .unwrap()
            .contains("Filelist")
    };
    assert!(lists("") && !lists("--no-files-changed"));
    assert!(lists("--no-files-changed --files-changed"));
}

#[test]
fn stored_names_begin_as_asked() {
    let env = plain();
    let begin = |options: &str, lead: [&str; 4]| {
        let all = stored(
            &env,
            &format!("--jsonstat --current-time 1700000000 {options}"),
        );
        let [manifest, archive, signature, jsonstat] = lead;
        for name in [
            format!("{manifest}duplicity-full.20231114T221320Z.manifest"),
            format!("{archive}duplicity-full.20231114T221320Z.vol1.difftar.gz"),
            format!("{signature}duplicity-full-signatures.20231114T221320Z.sigtar.gz"),
            format!("{jsonstat}duplicity-full.20231114T221320Z.jsonstat.gz"),
        ] {
            assert!(
                all.contains(&name),
                "{options}: {name} is not among {all:?}"
            );
        }
        // Who does not know the prefix sees nothing.
        drop(fs::remove_dir_all(env.path("home/.cache")));
        let status = go(&env, &format!("st file://target {options}")).ok();
        status.says("Number of contained backup sets: 1");
    };
    begin("", ["", "", "", ""]);
    begin("--file-prefix all-", ["all-"; 4]);
    begin("--file-prefix-manifest m-", ["m-", "", "", ""]);
    begin("--file-prefix-archive a-", ["", "a-", "", ""]);
    begin("--file-prefix-signature s-", ["", "", "s-", ""]);
    begin("--file-prefix-jsonstat j-", ["", "", "", "j-"]);
}

#[test]
fn times_may_have_another_separator() {
    let env = plain();
    let list = "ls file://target -t 2024-01-25T07_00_00Z";
    stored(&env, "");
    go(&env, list).code(23).says("Bad time string");
    go(&env, &format!("{list} --time-separator _")).ok();
}
