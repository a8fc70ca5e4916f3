//! Passphrases typed at a terminal of the test's own.

use redup_testkit::env::TestEnv;

use super::support::{go, place};
use super::terminal::Terminal;

fn place_without_passphrase() -> TestEnv {
    let mut env = place();
    env.unset("PASSPHRASE");
    env
}

#[test]
fn a_backup_asks_twice_and_again_when_the_answers_differ() {
    let env = place_without_passphrase();
    let line = "full source file://target --no-print-statistics";
    let (seen, code) = Terminal::new().run(
        &env,
        line,
        &["one\n", "two\n", "\n", "\n", "good\n", "good\n"],
    );
    assert_eq!(code, 0, "{seen}");
    assert!(
        seen.contains("Retype passphrase for decryption to confirm: "),
        "{seen}"
    );
    assert!(
        seen.contains("First and second passphrases do not match!  Please try again."),
        "{seen}"
    );
    assert!(
        seen.contains("Cannot use empty passphrase with symmetric encryption!  Please try again."),
        "{seen}"
    );
    assert!(!seen.contains("good"), "a passphrase was shown:\n{seen}");
    let mut env = env;
    env.set("PASSPHRASE", "good");
    go(&env, "restore file://target out").ok();
}

#[test]
fn a_restore_asks_once() {
    let mut env = place();
    go(&env, "full source file://target").ok();
    env.unset("PASSPHRASE");
    let (seen, code) = Terminal::new().run(&env, "restore file://target out", &["secret\n"]);
    assert_eq!(code, 0, "{seen}");
    assert!(env.path("out/a").exists());
}

#[test]
fn an_interrupt_at_the_prompt_restores_the_terminal() {
    let mut env = place();
    go(&env, "full source file://target").ok();
    env.unset("PASSPHRASE");
    // What the interrupt key sends; `run` checks that the echo is back.
    let (seen, code) = Terminal::new().run(&env, "restore file://target out", &["\u{3}"]);
    assert_eq!(code, 4, "{seen}");
}
