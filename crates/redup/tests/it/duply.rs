//! duply, unmodified, with redup in its path as `duplicity`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use redup_testkit::damage::{self, names};
use redup_testkit::env::TestEnv;
use redup_testkit::listing::Listing;
use redup_testkit::run::{Outcome, run};
use redup_testkit::tools;

use crate::duplicity;

/// A profile called `notes`, as `duply notes create` and an editor leave it.
struct Profile {
    env: TestEnv,
}

impl Profile {
    fn create() -> Self {
        let env = TestEnv::new();
        fs::create_dir(env.path("bin")).unwrap();
        symlink(env!("CARGO_BIN_EXE_redup"), env.path("bin/duplicity")).unwrap();
        fs::create_dir_all(env.source().join("cache")).unwrap();
        fs::create_dir_all(env.source().join("left out")).unwrap();
        fs::write(env.source().join("file"), "first").unwrap();
        fs::write(env.source().join("cache/big"), "not worth it").unwrap();
        fs::write(env.source().join("cache/.nobackup"), "").unwrap();
        fs::write(env.source().join("left out/x"), "x").unwrap();
        let profile = Self { env };
        profile.duply(&["create"]).ok();
        let home = profile.env.path("home/.duply/notes");
        let [source, target, temp] = [
            profile.env.source(),
            profile.env.target(),
            profile.env.temp(),
        ]
        .map(|path| path.display().to_string());
        // What the manual says to edit.
        let conf = format!(
            "GPG_PW='secret'\n\
             TARGET='file://{target}'\n\
             SOURCE='{source}'\n\
             TEMP_DIR='{temp}'\n\
             MAX_AGE=1M\n\
             MAX_FULL_BACKUPS=1\n\
             MAX_FULLS_WITH_INCRS=1\n\
             VERBOSITY=5\n\
             MAX_FULLBKP_AGE=1Y\n\
             DUPL_PARAMS=\"$DUPL_PARAMS --full-if-older-than $MAX_FULLBKP_AGE \"\n\
             VOLSIZE=50\n\
             DUPL_PARAMS=\"$DUPL_PARAMS --volsize $VOLSIZE --exclude-if-present .nobackup \"\n"
        );
        fs::write(home.join("conf"), conf).unwrap();
        fs::write(home.join("exclude"), format!("- {source}/left out\n")).unwrap();
        for script in ["pre", "post"] {
            let path = home.join(script);
            let log = profile.env.path("scripts");
            fs::write(
                &path,
                format!("#!/bin/sh\necho {script} >> '{}'\n", log.display()),
            )
            .unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        }
        profile
    }

    #[track_caller]
    fn duply(&self, words: &[&str]) -> Outcome {
        let mut command = Command::new(tools::duply());
        command.arg("notes").args(words);
        command.env_clear();
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.env.path("bin").display()));
        command.env("HOME", self.env.path("home"));
        command.env("GNUPGHOME", self.env.gpg().path());
        command.env("TZ", "UTC").env("LANG", "C.UTF-8");
        command.current_dir(self.env.path(""));
        run(&mut command)
    }

    /// Everything that is backed up.
    fn expected(&self) -> Listing {
        Listing::of(&self.env.source())
            .without(b"cache")
            .without(b"cache/big")
            .without(b"cache/.nobackup")
            .without(b"left out")
            .without(b"left out/x")
    }
}

#[test]
fn duply_finds_a_duplicity_that_it_trusts() {
    let profile = Profile::create();
    profile
        .duply(&["status"])
        .ok()
        .says("Using installed duplicity version 3.2.1")
        .says("Found 0 secondary backup chain(s).");
}

#[test]
fn duply_backs_up_looks_and_restores() {
    let profile = Profile::create();
    let env = &profile.env;
    profile.duply(&["backup"]).ok().says("Backup Statistics");
    let scripts = fs::read_to_string(env.path("scripts")).unwrap();
    assert_eq!(scripts, "pre\npost\n");
    let first = profile.expected();

    fs::write(env.source().join("file"), "second").unwrap();
    profile
        .duply(&["verify", "--compare-data"])
        .code(1)
        .says("Difference found: ");
    profile.duply(&["pre_bkp_post"]).ok();
    let second = profile.expected();

    profile
        .duply(&["status"])
        .ok()
        .says("Number of contained backup sets: 2")
        .says("No orphaned or incomplete backup sets found.");
    let list = profile.duply(&["list"]).ok().says(" file\n");
    list.never_says("left out").never_says(" cache");
    profile.duply(&["verify"]).ok().says("Verify complete:");
    profile.duply(&["bkp"]).ok();

    let restore = |words: &[&str]| {
        let folder = env.fresh("restored");
        let shown = folder.display().to_string();
        let words: Vec<_> = words
            .iter()
            .map(|word| if *word == "TO" { &shown[..] } else { word })
            .collect();
        profile.duply(&words).ok();
        folder
    };
    let folder = restore(&["restore", "TO"]);
    Listing::of(&folder).assert_is(&second, "restore");
    let fetched = restore(&["fetch", "file", "TO"]);
    assert_eq!(fs::read(fetched).unwrap(), b"second");

    // Real duplicity reads it too.
    let mut theirs = TestEnv::new();
    theirs.set("PASSPHRASE", "secret");
    theirs.url = env.url.clone();
    theirs
        .restored(&duplicity(), None)
        .assert_is(&second, "by duplicity");
    let sets = theirs.status(&duplicity()).sets;
    assert_eq!(sets.len(), 3);
    let time = sets[0].split(' ').nth(1).unwrap().to_owned();
    let folder = restore(&["restore", "TO", &time]);
    Listing::of(&folder).assert_is(&first, "the first state");
}

#[test]
fn duply_verifies_one_path() {
    let profile = Profile::create();
    let env = &profile.env;
    // Patterns have to lead to what is verified, with duplicity as well.
    fs::write(env.path("home/.duply/notes/exclude"), "- **left out\n").unwrap();
    profile.duply(&["bkp"]).ok();
    let local = env.path("elsewhere");
    fs::copy(env.source().join("file"), &local).unwrap();
    let mtime = fs::metadata(env.source().join("file"))
        .unwrap()
        .modified()
        .unwrap();
    fs::File::open(&local).unwrap().set_modified(mtime).unwrap();
    let shown = local.display().to_string();
    let verify = || profile.duply(&["verifyPath", "file", &shown, "--compare-data"]);
    verify()
        .ok()
        .says("Verify complete: 1 file(s) compared, 0 difference(s) found.");
    fs::write(&local, "other").unwrap();
    verify().code(1).says("Difference found: ");
}

#[test]
fn duply_purges_and_cleans_up() {
    let profile = Profile::create();
    let env = &profile.env;
    for command in ["full", "incr", "full", "incr"] {
        profile.duply(&[command]).ok();
        // Names of sets are whole seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
    let all = names(&env.target()).len();
    profile
        .duply(&["purgeIncr"])
        .ok()
        .says("Found old backup chain(s) at the following time:");
    profile.duply(&["purgeFull"]).ok();
    profile.duply(&["purge", "1s"]).ok();
    assert_eq!(names(&env.target()).len(), all);
    profile.duply(&["purgeIncr", "--force"]).ok();
    assert_eq!(names(&env.target()).len(), all - 3);
    profile.duply(&["purgeFull", "--force"]).ok();
    assert_eq!(names(&env.target()).len(), all - 6);
    profile.duply(&["purge", "1s", "--force"]).ok();
    assert_eq!(names(&env.target()).len(), all - 6, "the last chain stays");

    // An increment that lost its manifest.
    let manifest = damage::find(&env.target(), &["duplicity-inc.", ".manifest"]);
    fs::remove_file(manifest).unwrap();
    profile
        .duply(&["cleanup"])
        .ok()
        .says("Found the following file(s) to delete:");
    profile.duply(&["cleanup", "--force"]).ok();
    assert_eq!(names(&env.target()).len(), 3);
    profile
        .duply(&["status"])
        .ok()
        .says("No orphaned or incomplete backup sets found.");
}
