//! Programs in poor surroundings: without root's rights, or on a disk that is nearly full.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::env::TestEnv;
use crate::run::{self, Outcome};

/// The user that owns nothing, on every system.
const NOBODY: &str = "65534";

/// Somebody whom permissions bind. When the tests run as root this is `nobody`, who is made the
/// owner of the whole environment; otherwise whoever runs the tests.
#[derive(Debug)]
pub struct OrdinaryUser {
    home: Option<PathBuf>,
}

impl OrdinaryUser {
    /// Hands `env` over to that user; root may still read and write it.
    ///
    /// # Panics
    /// When owners cannot be changed although we are root.
    #[must_use]
    #[track_caller]
    pub fn owning(env: &TestEnv) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self { home: None };
        }
        let owner = format!("{NOBODY}:{NOBODY}");
        let mut chown = Command::new("chown");
        chown.args(["--recursive", "--no-dereference", &owner]);
        run::run(chown.arg(env.path("")).arg(env.gpg().path())).ok();
        Self {
            home: Some(env.path("")),
        }
    }

    /// Runs `command` as that user.
    ///
    /// # Panics
    /// When it cannot be run, or hangs.
    #[track_caller]
    pub fn run(&self, command: Command) -> Outcome {
        let Some(home) = &self.home else {
            let mut command = command;
            return run::run(&mut command);
        };
        // Where the program was built may be out of reach for others.
        let program = home.join("program");
        fs::copy(command.get_program(), &program)
            .unwrap_or_else(|error| panic!("cannot copy {:?}: {error}", command.get_program()));
        let mut words = self.words();
        words.push(program.into());
        run::run(&mut run::wrapped(&words, &command))
    }

    /// What stands before a command of a program that this user can reach.
    #[must_use]
    pub fn words(&self) -> Vec<OsString> {
        if self.home.is_none() {
            return Vec::new();
        }
        let mut words: Vec<OsString> = ["setpriv", "--clear-groups"].map(OsString::from).into();
        words.push(format!("--reuid={NOBODY}").into());
        words.push(format!("--regid={NOBODY}").into());
        words
    }
}

/// A disk of a few KiB in the place of a folder, for one command at a time. What the command left
/// on it is in the folder afterwards.
#[derive(Debug)]
pub struct SmallDisk {
    folder: PathBuf,
    kib: u32,
    unshare: Vec<OsString>,
}

impl SmallDisk {
    /// One over `folder`, with room for what is there and not much more: `kib` in all. `None`
    /// where the system lets nobody mount, as in some containers.
    #[must_use]
    pub fn over(folder: &Path, kib: u32) -> Option<Self> {
        let ways: [&[&str]; 2] = [
            &["unshare", "--mount"],
            &["unshare", "--map-root-user", "--mount"],
        ];
        let works = |way: &&&[&str]| {
            let mut probe = Command::new(way[0]);
            probe
                .args(&way[1..])
                .args(["mount", "-t", "tmpfs", "probe", "/mnt"]);
            let status = probe.stdout(Stdio::null()).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        let way = ways.iter().find(works)?;
        let unshare = way.iter().map(OsString::from).collect();
        Some(Self {
            folder: folder.to_path_buf(),
            kib,
            unshare,
        })
    }

    /// Runs `command` while the small disk lies over the folder.
    ///
    /// # Panics
    /// When it cannot be run, or hangs.
    #[track_caller]
    pub fn run(&self, command: Command) -> Outcome {
        // The mount is seen by this command alone and goes with it, hence the copy back.
        const SCRIPT: &str = "
            set -e
            folder=$1 size=$2 keep=$1.kept; shift 2
            rm -rf \"$keep\"; cp -a \"$folder\" \"$keep\"
            mount -t tmpfs -o size=${size}k small \"$folder\"
            cp -a \"$keep\"/. \"$folder\"/
            status=0; \"$@\" || status=$?
            rm -rf \"$keep\"; cp -a \"$folder\" \"$keep\"
            umount \"$folder\"
            find \"$folder\" -mindepth 1 -delete; cp -a \"$keep\"/. \"$folder\"/; rm -rf \"$keep\"
            exit $status";
        let mut words = self.unshare.clone();
        words.extend(["sh", "-c", SCRIPT, "sh"].map(OsString::from));
        words.push(self.folder.clone().into());
        words.push(self.kib.to_string().into());
        words.push(command.get_program().into());
        run::run(&mut run::wrapped(&words, &command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_user_cannot_read_what_permissions_forbid() {
        let env = TestEnv::new();
        fs::write(env.path("secret"), "x").unwrap();
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o000);
        fs::set_permissions(env.path("secret"), closed).unwrap();
        let user = OrdinaryUser::owning(&env);
        let mut cat = Command::new("/bin/cat");
        cat.arg(env.path("secret"));
        assert!(!user.run(cat).status.success());
    }

    #[test]
    fn a_small_disk_fills_up_and_keeps_what_fitted() {
        let env = TestEnv::new();
        fs::write(env.target().join("before"), "x").unwrap();
        let Some(disk) = SmallDisk::over(&env.target(), 64) else {
            return;
        };
        let mut sh = Command::new("/bin/sh");
        sh.env("PATH", "/usr/bin:/bin")
            .current_dir(env.target())
            .args([
                "-c",
                "cd . && echo y > \"$0/after\" && head -c 100000 /dev/zero > \"$0/big\"",
            ]);
        sh.arg(env.target());
        disk.run(sh).says("No space left");
        assert!(env.target().join("before").exists() && env.target().join("after").exists());
    }
}
