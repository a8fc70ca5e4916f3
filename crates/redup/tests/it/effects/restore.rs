use std::fs;
use std::process::Command;

use redup_testkit::env::TestEnv;
use redup_testkit::run::{Outcome, run};

use super::{plain, stored};
use crate::cli::support::{go, typed};

#[test]
fn a_time_is_asked_for_by_each_of_its_names() {
    let env = plain();
    let backup = "--no-encryption --allow-source-mismatch source file://target --current-time";
    go(&env, &format!("full {backup} 1700000000")).ok();
    fs::write(env.source().join("new"), "").unwrap();
    go(&env, &format!("inc {backup} 1700086400")).ok();
    for time in ["--restore-time", "--time", "-t"] {
        let list = |at: &str| go(&env, &format!("ls file://target {time} {at}")).ok();
        list("1700000000").never_says(" new\n");
        list("1700086400").says(" new\n");
    }
}

#[test]
fn one_path_is_restored_by_each_name_of_the_option() {
    let env = plain();
    stored(&env, "");
    for option in ["--path-to-restore", "--file-to-restore", "-r"] {
        let out = env.fresh("out");
        go(
            &env,
            &format!(
                "restore --no-encryption {option} sub/b file://target {}",
                out.display()
            ),
        )
        .ok();
        assert_eq!(fs::read(out).unwrap(), b"second\n", "{option}");
    }
}

/// A command line in a namespace where root is called `name`, and `backupper` is user 12 otherwise. Nobody
/// but root exists there: no file can be given to another.
fn among(env: &TestEnv, name: &str, line: &str) -> Outcome {
    const SCRIPT: &str = "mount --bind passwd /etc/passwd && exec \"$@\"";
    let others = format!("{name}:x:0:0::/:/bin/sh\nbackupper:x:12:0::/:/bin/sh\n");
    fs::write(env.path("passwd"), others).unwrap();
    let inner = typed(env, line);
    let mut outer = Command::new("unshare");
    outer.args(["--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh"]);
    outer
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear();
    outer.envs(
        inner
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    run(outer.current_dir(env.path("")))
}

/// Whether this system lets anybody have such a namespace, as most do and some containers do not.
fn has_namespaces() -> bool {
    let mut probe = Command::new("unshare");
    let probe = probe.args([
        "--map-root-user",
        "--mount",
        "mount",
        "-t",
        "tmpfs",
        "probe",
        "/mnt",
    ]);
    run(probe).status.success()
}

#[test]
fn owners_are_restored_by_name_by_number_or_not_at_all() {
    if !has_namespaces() {
        return;
    }
    let env = plain();
    // root is called backupper where the backup is made, and backupper is another where it is restored.
    among(
        &env,
        "backupper",
        "full --no-encryption source file://target",
    )
    .ok();
    let restore = |options: &str| {
        drop(fs::remove_dir_all(env.path("out")));
        among(
            &env,
            "root",
            &format!("restore --no-encryption file://target out {options}"),
        )
    };
    restore("").code(1).says("set owner of");
    restore("--numeric-owner").ok();
    restore("--no-restore-ownership").ok();
    restore("--do-not-restore-ownership").ok();
    restore("--no-restore-ownership --restore-ownership")
        .code(1)
        .says("set owner of");
}
