use std::fs;
use std::process::Command;

use redup_testkit::damage::names;
use redup_testkit::env::TestEnv;
use redup_testkit::fixtures;
use redup_testkit::gpghome::{ECC_KEY, ENCRYPT_KEY, SIGN_KEY};
use redup_testkit::run::run;

use super::{bytes_of, plain, stored};
use crate::cli::support::{go, place};

/// A source and the fixtures' keys.
fn keyed() -> TestEnv {
    let env = TestEnv::with_keys();
    fs::create_dir_all(env.source()).unwrap();
    fs::write(env.source().join("a"), "first\n").unwrap();
    env
}

/// What gpg tells about the packets of the stored volume.
#[track_caller]
fn packets(env: &TestEnv) -> String {
    let volume = names(&env.target())
        .into_iter()
        .find(|name| name.contains(".vol1."));
    let mut gpg = Command::new("gpg");
    gpg.args(["--batch", "--list-packets"])
        .arg(env.target().join(volume.unwrap()));
    run(gpg.env("GNUPGHOME", env.gpg().path())).stdout
}

#[test]
fn encryption_is_on_until_it_is_switched_off() {
    let env = place();
    let suffixes = |options: &str| {
        drop(fs::remove_dir_all(env.target()));
        drop(fs::remove_dir_all(env.path("home/.cache")));
        go(&env, &format!("full source file://target {options}")).ok();
        let all = names(&env.target());
        all.iter().filter(|name| name.ends_with(".gpg")).count()
    };
    assert_eq!(suffixes(""), 3);
    assert_eq!(suffixes("--no-encryption"), 0);
    assert_eq!(suffixes("--no-encryption --encryption"), 3);
}

#[test]
fn compression_is_on_until_it_is_switched_off_and_has_a_level() {
    let env = plain();
    let text: String = (0..60_000).map(|number| format!("{number}\n")).collect();
    fs::write(env.source().join("text"), &text).unwrap();
    let size = |options: &str| {
        stored(&env, options);
        bytes_of(&env, ".vol1.").len()
    };
    let usual = size("");
    assert!(usual < text.len() && size("--no-compression") > text.len());
    assert_eq!(size("--no-compression --compression"), usual);
    assert!(size("--compress-level 1") > usual && size("--compress-level=9") <= usual);
}

#[test]
fn volumes_are_encrypted_to_the_keys_named_or_hidden() {
    let env = keyed();
    let to = |options: &str| {
        drop(fs::remove_dir_all(env.target()));
        go(&env, &format!("full source file://target {options}")).ok();
        packets(&env)
    };
    let symmetric = "--encrypt-key ";
    assert!(
        to(&format!("{symmetric}{ENCRYPT_KEY}")).contains("pubkey enc packet: version 3, algo 1")
    );
    let hidden = to(&format!("--hidden-encrypt-key {ENCRYPT_KEY}"));
    assert!(hidden.contains("keyid 0000000000000000"), "{hidden}");
    let both = to(&format!(
        "--encrypt-key {ENCRYPT_KEY} --hidden-encrypt-key {ECC_KEY}"
    ));
    assert_eq!(both.matches(":pubkey enc packet:").count(), 2, "{both}");
    assert_eq!(both.matches("keyid 0000000000000000").count(), 1, "{both}");
}

#[test]
fn volumes_are_signed_and_must_be_when_asked() {
    let mut env = keyed();
    env.set("PASSPHRASE", "");
    let backup = |options: &str| {
        drop(fs::remove_dir_all(env.target()));
        drop(fs::remove_dir_all(env.path("home/.cache")));
        go(
            &env,
            &format!("full source file://target --encrypt-key {ENCRYPT_KEY} {options}"),
        )
        .ok();
    };
    let restore = |options: &str| {
        drop(fs::remove_dir_all(env.path("out")));
        go(&env, &format!("restore file://target out {options}"))
    };
    backup("");
    restore("").ok();
    restore(&format!("--sign-key {SIGN_KEY}")).code(22);
    backup(&format!("--sign-key {SIGN_KEY}"));
    restore(&format!("--sign-key {SIGN_KEY}")).ok();
    restore(&format!("--sign-key {ECC_KEY}")).code(22);
    // The same key for both.
    drop(fs::remove_dir_all(env.target()));
    drop(fs::remove_dir_all(env.path("home/.cache")));
    go(
        &env,
        &format!("full source file://target --encrypt-sign-key {ECC_KEY}"),
    )
    .ok();
    restore(&format!("--sign-key {ECC_KEY}")).ok();
    assert_eq!(packets(&env).matches(":pubkey enc packet:").count(), 1);
}

#[test]
fn an_exported_secret_keyring_decrypts() {
    let env = keyed();
    go(
        &env,
        &format!("full source file://target --encrypt-key {ENCRYPT_KEY}"),
    )
    .ok();
    // Somebody else, who has nothing but the file.
    let mut other = TestEnv::new();
    other.url = format!("file://{}", env.target().display());
    let secret = fixtures::root().join("keys/encrypt.sec.asc");
    let restore = format!("restore {} out", other.url);
    other.set("PASSPHRASE", "");
    go(&other, &restore).code(31);
    go(
        &other,
        &format!("{restore} --encrypt-secret-keyring {}", secret.display()),
    )
    .ok();
    assert_eq!(fs::read(other.path("out/a")).unwrap(), b"first\n");
}

#[test]
fn options_for_gpg_are_followed() {
    let env = place();
    fs::write(env.source().join("zeros"), vec![0; 1 << 20]).unwrap();
    let size = |options: &str| {
        drop(fs::remove_dir_all(env.target()));
        drop(fs::remove_dir_all(env.path("home/.cache")));
        go(&env, &format!("full source file://target {options}")).ok();
        bytes_of(&env, ".vol1.").len()
    };
    assert!(size("") < 100_000);
    assert!(size("--gpg-options --compress-algo=none") > 1 << 20);
}

#[test]
fn with_the_agent_no_passphrase_is_taken_from_the_environment() {
    // The key has none, so that the agent asks nobody; of PASSPHRASE the agent knows nothing.
    let mut env = keyed();
    let line =
        format!("full source file://target --encrypt-key {ENCRYPT_KEY} --sign-key {SIGN_KEY}");
    go(&env, &line).code(30).says("no passphrase");
    go(&env, &format!("{line} --use-agent")).ok();
    env.set("PASSPHRASE", "");
    go(&env, "restore file://target out").ok();
}
