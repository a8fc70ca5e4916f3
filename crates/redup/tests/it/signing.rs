//! `--sign-key` on reading commands: what it accepts, held beside what duplicity accepts.

use std::fs;
use std::path::Path;

use redup_testkit::damage::names;
use redup_testkit::env::{Program, TestEnv};
use redup_testkit::gpghome::{ENCRYPT_KEY, SIGN_KEY};
use redup_testkit::run::{Outcome, run};

use crate::cli::support::redup;
use crate::programs;

/// Fixture keys, and a source.
fn keyed() -> TestEnv {
    let mut env = TestEnv::with_keys();
    env.set("PASSPHRASE", "").set("SIGN_PASSPHRASE", "");
    fs::create_dir_all(env.source()).unwrap();
    fs::write(env.source().join("a"), "first\n").unwrap();
    env
}

/// Types a line at a program, in the root of `env`.
#[track_caller]
fn go(env: &TestEnv, program: &Program, line: &str) -> Outcome {
    let mut command = env.bare(program);
    command.args(line.split_whitespace());
    run(&mut command)
}

/// Runs a command on `target` with an archive dir that nobody has used.
#[track_caller]
fn afresh(env: &TestEnv, program: &Program, line: &str) -> Outcome {
    drop(fs::remove_dir_all(env.path("fresh")));
    drop(fs::remove_dir_all(env.path("out")));
    go(env, program, &format!("{line} --archive-dir fresh"))
}

/// A backup in a target of that name.
#[track_caller]
fn stored(env: &TestEnv, program: &Program, target: &str, options: &str) {
    let url = format!("file://{}", env.path(target).display());
    let line = format!("full source {url} --archive-dir first-{target} {options}");
    go(env, program, &line).ok();
}

/// Encrypts the objects whose names have `part` in them anew, to the same key and without a signature.
fn strip(env: &TestEnv, target: &str, part: &str) {
    let folder = env.path(target);
    let chosen = names(&folder).into_iter();
    for name in chosen.filter(|name| name.contains(part)) {
        let path = folder.join(name);
        let plain = env
            .gpg()
            .gpg_with_input(&["--decrypt"], &fs::read(&path).unwrap());
        let args = [
            "--trust-model=always",
            "--recipient",
            ENCRYPT_KEY,
            "--encrypt",
        ];
        fs::write(&path, env.gpg().gpg_with_input(&args, &plain)).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in names(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

#[test]
fn nothing_is_restored_that_the_key_has_not_signed() {
    let env = keyed();
    for maker in programs() {
        let target = format!("by-{}", maker.name());
        let keys = format!("--encrypt-key {ENCRYPT_KEY} --sign-key {SIGN_KEY}");
        stored(&env, &maker, &target, &keys);
        let reads = |target: &str, what: &str| {
            let url = format!("file://{}", env.path(target).display());
            let line = what.replace("URL", &url);
            afresh(&env, &redup(), &format!("{line} --sign-key {SIGN_KEY}"))
        };
        let all = [
            "restore URL out",
            "verify --compare-data URL source",
            "cat a URL",
            "list-current-files URL",
            "find a URL",
        ];
        for what in all {
            reads(&target, what).ok();
        }
        for (part, refusing) in [("manifest", &all[..3]), ("signatures", &all[3..])] {
            let stripped = format!("{target}-{part}");
            copy(&env.path(&target), &env.path(&stripped));
            strip(&env, &stripped, part);
            for what in refusing {
                reads(&stripped, what)
                    .code(22)
                    .says("is not signed by")
                    .says(part);
                assert!(!env.path("out/a").exists());
            }
        }
        // Who made the backup has its manifest, and trusts that.
        let unsigned = format!("{target}-unsigned");
        stored(
            &env,
            &maker,
            &unsigned,
            &format!("--encrypt-key {ENCRYPT_KEY}"),
        );
        let url = format!("file://{}", env.path(&unsigned).display());
        let restore = format!("restore {url} out --archive-dir first-{unsigned}");
        go(&env, &redup(), &format!("{restore} --sign-key {SIGN_KEY}"))
            .code(22)
            .says("is not signed by")
            .says("vol1");
        assert!(!env.path("out/a").exists());
    }
}

#[test]
fn what_is_not_encrypted_is_read_with_a_signing_key_only_when_that_is_said() {
    let env = keyed();
    stored(
        &env,
        &redup(),
        "target",
        &format!("--no-encryption --sign-key {SIGN_KEY}"),
    );
    let url = format!("file://{}", env.path("target").display());
    let restore = format!("restore {url} out --sign-key {SIGN_KEY}");
    afresh(&env, &redup(), &restore)
        .code(22)
        .says("is not encrypted, and so not signed by")
        .says("hint: if this backup was made without encryption, say so with --no-encryption");
    assert!(!env.path("out/a").exists());
    afresh(&env, &redup(), &format!("{restore} --no-encryption")).ok();
    assert_eq!(fs::read(env.path("out/a")).unwrap(), b"first\n");
}

#[test]
fn duplicity_asks_for_signatures_on_encrypted_volumes_alone() {
    let env = keyed();
    for program in programs().into_iter().filter(|it| *it != redup()) {
        let target = |what: &str| format!("{what}-{}", program.name());
        let restore = |target: &str| {
            let url = format!("file://{}", env.path(target).display());
            afresh(
                &env,
                &program,
                &format!("restore {url} out --sign-key {SIGN_KEY}"),
            )
        };
        stored(&env, &program, &target("plain"), "--no-encryption");
        restore(&target("plain")).ok();
        let signed = target("signed");
        let keys = format!("--encrypt-key {ENCRYPT_KEY} --sign-key {SIGN_KEY}");
        stored(&env, &program, &signed, &keys);
        strip(&env, &signed, "manifest");
        strip(&env, &signed, "signatures");
        restore(&signed).ok();
        let unsigned = target("unsigned");
        stored(
            &env,
            &program,
            &unsigned,
            &format!("--encrypt-key {ENCRYPT_KEY}"),
        );
        restore(&unsigned).code(22);
    }
}
