//! Measurements that belong in docs, not in tests.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Result, setup, sh, workspace};

const POLL: Duration = Duration::from_millis(10);

/// Peak memory and temporary files of backup and restore: of one big file, and of many small ones.
/// Prints the table of `docs/performance.md`.
///
/// # Errors
/// When a number is none, the disk is full, or a run fails.
pub(crate) fn memory(words: &[&str]) -> Result {
    let (gigabytes, files) = match words {
        [] => (4.0, 200_000),
        [gigabytes, files] => (gigabytes.parse::<f64>()?, files.parse::<u64>()?),
        _ => return Err("usage: cargo xtask bench memory [GIGABYTES FILES]".into()),
    };
    setup::for_building()?;
    sh::run(sh::cargo(&workspace::root()).args(["build", "--release", "--package", "redup"]))?;
    let target = workspace::metadata()?.target;
    let bench = Bench {
        redup: target.join("release/redup"),
        base: target.join("bench-memory"),
    };

    println!("==> a file of {gigabytes} GB");
    let big = bench.measure("one file", |source| big_file(source, gigabytes))?;
    println!("==> a tree of {files} files");
    let many = bench.measure("many files", |source| many_files(source, files))?;

    println!("\n| tree | run | wall clock | peak resident memory | most in the temporary folder |");
    println!("|---|---|---|---|---|");
    for (name, run, cost) in big.iter().chain(&many) {
        println!(
            "| {name} | {run} | {:.1} s | {:.0} MB | {} bytes |",
            cost.wall.as_secs_f64(),
            cost.peak_kib as f64 / 1024.0,
            cost.temporary,
        );
    }
    Ok(())
}

/// The S3 store beside other clients: installs those and runs the benchmark `s3` of `redup`.
///
/// # Errors
/// When something cannot be installed, or a client fails.
pub(crate) fn s3(words: &[&str]) -> Result {
    setup::for_comparing()?;
    let mut cargo = sh::cargo(&workspace::root());
    cargo.args(["bench", "--package", "redup", "--bench", "s3", "--"]);
    sh::run(cargo.args(words))
}

/// What one run cost.
struct Cost {
    wall: Duration,
    peak_kib: u64,
    temporary: u64,
}

type Row = (&'static str, &'static str, Cost);

struct Bench {
    redup: PathBuf,
    base: PathBuf,
}

impl Bench {
    /// Backs up what `make` makes, restores it, compares, and cleans up.
    fn measure(&self, name: &'static str, make: impl Fn(&Path) -> Result) -> Result<Vec<Row>> {
        self.clear()?;
        let path = |part: &str| self.base.join(part);
        fs::create_dir_all(path("tmp"))?;
        fs::create_dir_all(path("source"))?;
        make(&path("source"))?;
        let url = format!("file://{}", path("target").display());
        let mut rows = Vec::new();

        rows.push((
            name,
            "full",
            self.run("full", &[path("source"), url.clone().into()])?,
        ));
        touch_all(&path("source"))?;
        thread::sleep(Duration::from_millis(1100));
        let words = [path("source"), url.clone().into()];
        rows.push((
            name,
            "incremental, all touched",
            self.run("incremental", &words)?,
        ));
        let words = [url.into(), path("restored")];
        rows.push((name, "restore", self.run("restore", &words)?));

        let mut diff = Command::new("diff");
        diff.args(["--recursive", "--brief"])
            .args([path("source"), path("restored")]);
        sh::run(&mut diff)?;
        self.clear()?;
        Ok(rows)
    }

    fn run(&self, action: &str, words: &[PathBuf]) -> Result<Cost> {
        let temporary_folder = self.base.join("tmp");
        let mut command = Command::new(&self.redup);
        command
            .arg(action)
            .arg("--archive-dir")
            .arg(self.base.join("archive"))
            .args(words);
        command
            .env("PASSPHRASE", "bench")
            .env("TMPDIR", &temporary_folder);
        println!("$ {}", sh::line(&command));
        let started = Instant::now();
        let mut child = command.stdout(Stdio::null()).spawn()?;
        let (mut peak_kib, mut temporary) = (0, 0);
        let status = loop {
            peak_kib = peak_kib.max(high_water_kib(child.id()));
            temporary = temporary.max(size_of(&temporary_folder));
            if let Some(status) = child.try_wait()? {
                break status;
            }
            thread::sleep(POLL);
        };
        if !status.success() {
            return Err(format!("`{}` failed: {status}", sh::line(&command)).into());
        }
        Ok(Cost {
            wall: started.elapsed(),
            peak_kib,
            temporary,
        })
    }

    fn clear(&self) -> Result {
        if self.base.exists() {
            fs::remove_dir_all(&self.base)?;
        }
        Ok(())
    }
}

/// The most memory a process ever had resident, as the kernel keeps it.
fn high_water_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}

fn size_of(folder: &Path) -> u64 {
    let Ok(items) = fs::read_dir(folder) else {
        return 0;
    };
    let size = |item: fs::DirEntry| match item.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&item.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    items.flatten().map(size).sum()
}

/// One file, half of which compresses.
fn big_file(source: &Path, gigabytes: f64) -> Result {
    let mut file = BufWriter::with_capacity(1 << 20, fs::File::create(source.join("big"))?);
    let mut state = 1_u64;
    let mut left = (gigabytes * 1e9) as u64;
    while left > 0 {
        let word = next(&mut state);
        // Runs of 64 KiB, by turns noise and a repeated word.
        let bytes = if (left >> 16) & 1 == 0 {
            word.to_le_bytes()
        } else {
            *b"the same"
        };
        let take = left.min(8);
        file.write_all(bytes.get(..take as usize).unwrap_or_default())?;
        left -= take;
    }
    Ok(file.flush()?)
}

/// Small files of up to 1 KiB, 200 to a folder.
fn many_files(source: &Path, files: u64) -> Result {
    let mut state = 2_u64;
    for number in 0..files {
        let folder = source.join(format!("d{:05}", number / 200));
        if number % 200 == 0 {
            fs::create_dir(&folder)?;
        }
        let words = next(&mut state) % 128;
        let content: Vec<u8> = (0..words)
            .flat_map(|_| next(&mut state).to_le_bytes())
            .collect();
        fs::write(folder.join(format!("file-{number:07}")), content)?;
    }
    Ok(())
}

/// Gives every file a new mtime, so that an increment reads and compares all of them.
fn touch_all(folder: &Path) -> Result {
    for item in fs::read_dir(folder)? {
        let item = item?;
        if item.file_type()?.is_dir() {
            touch_all(&item.path())?;
        } else {
            let time = std::time::SystemTime::now() + Duration::from_secs(5);
            fs::File::options()
                .append(true)
                .open(item.path())?
                .set_modified(time)?;
        }
    }
    Ok(())
}

/// A number that looks random, the same in every run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}
