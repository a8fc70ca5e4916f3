//! A tour for a newcomer: the whole main job on this repository, every command printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Result, setup, sh, workspace};

const PASSPHRASE: &str = "only for this tour";

/// Builds redup and walks through full, incremental, restore of both points and verify.
///
/// # Errors
/// When a step fails, or what was restored differs from what was saved.
pub(crate) fn run() -> Result {
    setup::for_building()?;
    println!("==> building redup");
    let root = workspace::root();
    sh::run(sh::cargo(&root).args(["build", "--release", "--package", "redup"]))?;
    let target = workspace::metadata()?.target;
    let tour = Tour::begin(target.join("release/redup"), &target.join("quickstart"))?;
    tour.walk()?;
    tour.farewell();
    Ok(())
}

/// The folders of the tour.
struct Tour {
    redup: PathBuf,
    base: PathBuf,
}

impl Tour {
    fn begin(redup: PathBuf, base: &Path) -> Result<Self> {
        if base.exists() {
            fs::remove_dir_all(base)?;
        }
        fs::create_dir_all(base)?;
        Ok(Self {
            redup,
            base: base.to_path_buf(),
        })
    }

    fn walk(&self) -> Result {
        println!("\n==> a tree to back up: a copy of this repository's files");
        copy_tracked(&self.base.join("tree"))?;
        println!("$ cd {}", self.base.display());
        if let Some(folder) = self.redup.parent() {
            println!("$ export PATH={}:\"$PATH\"", folder.display());
        }
        println!("$ export PASSPHRASE='{PASSPHRASE}'");

        println!("\n==> a full backup, encrypted with the passphrase, to a local folder");
        self.redup(&["full"], &["tree", &self.url()])?;
        sh::run(self.command("cp").args(["--archive", "tree", "before"]))?;

        println!("\n==> some changes, and an incremental backup of them");
        // Sets are told apart by the second they began in.
        std::thread::sleep(Duration::from_millis(1100));
        change(&self.base.join("tree"))?;
        self.redup(&["incremental"], &["tree", &self.url()])?;

        println!("\n==> what is there now");
        self.redup(&["collection-status"], &[&self.url()])?;

        println!("\n==> the newest state comes back");
        self.redup(&["restore"], &[&self.url(), "restored-now"])?;
        self.compare("tree", "restored-now")?;

        println!("\n==> and so does the one before the change");
        let first = self.first_set()?;
        self.redup(
            &["restore", "--time", &first],
            &[&self.url(), "restored-before"],
        )?;
        self.compare("before", "restored-before")?;

        println!("\n==> the archive checks out against the tree, file by file");
        self.redup(&["verify", "--compare-data"], &[&self.url(), "tree"])
    }

    fn farewell(&self) {
        println!("\n==> both points in time came back as they were");
        println!(
            "Everything is still in {}: look around, or try it there.",
            self.base.display()
        );
        println!("For a folder of your own, with a passphrase of your own:");
        println!("$ export PASSPHRASE='…'");
        println!("$ redup full /folder/to/save file:///mnt/disk/backups");
        println!("$ redup incremental /folder/to/save file:///mnt/disk/backups");
        println!("$ redup restore file:///mnt/disk/backups /folder/restored");
    }

    fn redup(&self, action: &[&str], rest: &[&str]) -> Result {
        let (verb, options) = action.split_at(1);
        let mut command = self.command(&self.redup);
        command
            .args(verb)
            .args(["--archive-dir", "archive-dir"])
            .args(options)
            .args(rest);
        sh::run(command.env("PASSPHRASE", PASSPHRASE))
    }

    fn compare(&self, left: &str, right: &str) -> Result {
        sh::run(
            self.command("diff")
                .args(["--recursive", "--no-dereference", left, right]),
        )
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.base);
        command
    }

    fn url(&self) -> String {
        format!("file://{}", self.base.join("target").display())
    }

    /// The time of the full set, from the name of its first volume.
    fn first_set(&self) -> Result<String> {
        for item in fs::read_dir(self.base.join("target"))? {
            let name = item?.file_name().to_string_lossy().into_owned();
            if let Some(rest) = name.strip_prefix("duplicity-full.") {
                return Ok(rest.split('.').next().unwrap_or_default().to_owned());
            }
        }
        Err("the target holds no full backup".into())
    }
}

fn copy_tracked(to: &Path) -> Result {
    let root = workspace::root();
    let files = workspace::tracked_files()?;
    for file in &files {
        let target = to.join(file);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(root.join(file), target)?;
    }
    println!("{} files", files.len());
    Ok(())
}

/// What a day does to a tree: something changes, something comes, something goes.
fn change(tree: &Path) -> Result {
    let readme = tree.join("README.md");
    let text = fs::read_to_string(&readme)?;
    fs::write(&readme, format!("A line more at the top.\n{text}"))?;
    fs::write(tree.join("new.txt"), "A new file.\n")?;
    fs::rename(tree.join("CHANGELOG.md"), tree.join("docs/CHANGELOG.md"))?;
    fs::remove_file(tree.join("LICENSE-MIT"))?;
    println!("README.md changed, new.txt came, CHANGELOG.md moved, LICENSE-MIT went");
    Ok(())
}
