//! From what was typed, and the environment, to ready objects.

mod expand;
mod gpg_options;
mod host;
mod keys;
mod memory;
mod rules;
mod store;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use redup_format::filename::Naming;
use redup_format::index::{IndexError, PathIndex};

use crate::args::{Args, Command, Occurrence, Opt, Value};
use crate::env::Environment;
use crate::exit::{Failure, command_line};
use crate::times::{self, Clock};

pub(crate) use expand::{expand, expand_home};
pub(crate) use gpg_options::{CompressAlgo, GpgOptions};
pub(crate) use host::Host;
pub(crate) use keys::{Encryption, Keys};
pub(crate) use memory::transfer_memory;
pub(crate) use rules::{ArchiveRules, announced_lists, archive_rules, mode, rules};
pub(crate) use store::{Store, open, shown, store, volsize};

/// Where a backup is, and where its archive dir is.
#[derive(Debug)]
pub(crate) struct Places {
    /// The URL as given: its text names the archive dir.
    pub(crate) url: OsString,
    /// The local source or restore target; commands that only look at the backup have none.
    pub(crate) local: Option<PathBuf>,
    /// The archive dir of this backup.
    pub(crate) archive_dir: PathBuf,
}

impl Places {
    /// Finds them for the command in `args`.
    ///
    /// # Errors
    /// When a source does not exist, or nothing tells where archive dirs are.
    pub(crate) fn of(args: &Args, environment: &Environment) -> Result<Self, Failure> {
        let (url, local) = match (args.command, &args.positionals[..]) {
            (Command::Restore | Command::Verify, [url, local]) => (url, Some(local)),
            (command, [local, url]) if command.is_backup() => (url, Some(local)),
            (_, [.., url]) => (url, None),
            (_, []) => return Err(command_line("no target URL was given")),
        };
        let local = local.map(|word| positional(word, environment));
        let source = local.as_deref().filter(|_| args.command.is_backup());
        if let Some(missing) = source.filter(|source| source.symlink_metadata().is_err()) {
            let shown = crate::args::lossy(missing.as_os_str());
            let message = format!("Argument source_path '{shown}' does not exist.");
            return Err(command_line(message));
        }
        let archive_dir = archive_root(args, environment)?.join(backup_name(args, url));
        Ok(Self {
            url: url.clone(),
            local,
            archive_dir,
        })
    }
}

/// A point in time that an option names; `None` when it is not given.
///
/// # Errors
/// When the text is no time.
pub(crate) fn time(args: &Args, option: Opt, clock: &Clock) -> Result<Option<i64>, Failure> {
    let Some(text) = args.options.text(option) else {
        return Ok(None);
    };
    times::parse(text, clock)
        .map(Some)
        .map_err(|error| command_line(error.to_string()))
}

/// Checks every time on the command line, also of options that the command makes no use of.
///
/// # Errors
/// When a text is no time.
pub(crate) fn check_times(args: &Args, clock: &Clock) -> Result<(), Failure> {
    let times = args
        .options
        .iter()
        .filter(|occurrence| occurrence.spec.is_time());
    for text in times.filter_map(Occurrence::text) {
        times::parse(text, clock).map_err(|error| command_line(error.to_string()))?;
    }
    Ok(())
}

/// A file that an option names, expanded; the last one counts.
pub(crate) fn file(args: &Args, option: Opt, environment: &Environment) -> Option<PathBuf> {
    args.options
        .os(option)
        .map(|word| expand(word, environment).into())
}

/// The path inside the backup that `--path-to-restore` names; the root without it. Slashes around it
/// and `.` components are of no account.
///
/// # Errors
/// When it leads out of the backup.
pub(crate) fn path_inside(args: &Args, environment: &Environment) -> Result<PathIndex, Failure> {
    let path = inner_file(args, Opt::PathToRestore, environment)?;
    Ok(path.unwrap_or_else(PathIndex::root))
}

/// The path inside the backup that an option names.
///
/// # Errors
/// When it leads out of the backup.
pub(crate) fn inner_file(
    args: &Args,
    option: Opt,
    environment: &Environment,
) -> Result<Option<PathIndex>, Failure> {
    let Some(path) = file(args, option, environment) else {
        return Ok(None);
    };
    let inner = inner_path(path.as_os_str()).map_err(|error| {
        let name = args
            .options
            .iter()
            .rfind(|occurrence| occurrence.spec.id == option)
            .map_or("", |occurrence| occurrence.spec.main_name());
        let shown = crate::args::lossy(path.as_os_str());
        command_line(format!("--{name} {shown}: {error}"))
    })?;
    Ok(Some(inner))
}

/// The path inside the backup that a word behind the command names.
///
/// # Errors
/// When it leads out of the backup.
pub(crate) fn path_word(word: &OsStr) -> Result<PathIndex, Failure> {
    inner_path(word).map_err(|error| command_line(format!("{}: {error}", crate::args::lossy(word))))
}

/// The pairs of `--rename`.
///
/// # Errors
/// When one leads out of the backup.
pub(crate) fn renames(args: &Args) -> Result<Vec<(PathIndex, PathIndex)>, Failure> {
    let path = |word: &OsStr| {
        inner_path(word).map_err(|error| {
            command_line(format!("--rename {}: {error}", crate::args::lossy(word)))
        })
    };
    let pairs = args
        .options
        .all(Opt::Rename)
        .filter_map(|value| match value {
            Value::Pair(from, to) => Some((from, to)),
            _ => None,
        });
    pairs
        .map(|(from, to)| Ok((path(from)?, path(to)?)))
        .collect()
}

fn inner_path(path: &OsStr) -> Result<PathIndex, IndexError> {
    let bytes = path.as_bytes();
    let names = bytes
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".");
    let joined = names.collect::<Vec<_>>().join(&b'/');
    if joined.is_empty() {
        return Ok(PathIndex::root());
    }
    PathIndex::from_bytes(&joined)
}

/// The folder for temporary files.
pub(crate) fn temp_dir(args: &Args, environment: &Environment) -> PathBuf {
    let named = file(args, Opt::Tempdir, environment).or_else(|| environment.temp_dir());
    named.unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// Checks the prefixes of stored names, which are part of names and never folders.
///
/// # Errors
/// When a name that begins so could not be stored.
pub(crate) fn check_prefixes(args: &Args) -> Result<(), Failure> {
    let prefixes = [
        Opt::FilePrefix,
        Opt::FilePrefixArchive,
        Opt::FilePrefixManifest,
        Opt::FilePrefixSignature,
        Opt::FilePrefixJsonstat,
    ];
    let given = args
        .options
        .iter()
        .filter(|it| prefixes.contains(&it.spec.id));
    for occurrence in given {
        let prefix = occurrence.text().unwrap_or_default();
        if prefix.contains('/') || prefix.chars().any(char::is_control) {
            return Err(command_line(format!(
                "option --{}: '{}' cannot begin a file's name: it has a slash or a control character",
                occurrence.name,
                crate::ui::escape(prefix.as_bytes())
            )));
        }
    }
    Ok(())
}

/// The prefixes of stored names.
pub(crate) fn naming(args: &Args) -> Naming {
    let text = |option| args.options.text(option).unwrap_or_default().to_owned();
    Naming {
        prefix: text(Opt::FilePrefix),
        archive: text(Opt::FilePrefixArchive),
        manifest: text(Opt::FilePrefixManifest),
        signature: text(Opt::FilePrefixSignature),
        jsonstat: text(Opt::FilePrefixJsonstat),
    }
}

/// A word as it is when something of that name exists, else expanded.
fn positional(word: &OsStr, environment: &Environment) -> PathBuf {
    let path = Path::new(word);
    if std::fs::symlink_metadata(path).is_ok() {
        path.to_owned()
    } else {
        expand(word, environment).into()
    }
}

fn archive_root(args: &Args, environment: &Environment) -> Result<PathBuf, Failure> {
    file(args, Opt::ArchiveDir, environment)
        .or_else(|| {
            environment
                .cache_home()
                .map(|cache| cache.join("duplicity"))
        })
        .ok_or_else(|| {
            command_line(
                "neither HOME nor XDG_CACHE_HOME says where the archive dir is; give --archive-dir",
            )
        })
}

/// The name given, or the MD5 of the URL's text.
fn backup_name(args: &Args, url: &OsStr) -> OsString {
    match args.options.os(Opt::Name).filter(|name| !name.is_empty()) {
        Some(name) => name.to_owned(),
        None => md5_hex(url.as_bytes()).into(),
    }
}

fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Parsed, parse};

    fn args(line: &str) -> Args {
        match parse(line.split(' ').map(OsString::from), &|_| false) {
            Ok(Parsed::Run(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    fn home() -> Environment {
        Environment::from([("HOME", "/home/me"), ("W", "/var")])
    }

    #[test]
    fn the_name_of_a_backup_is_the_md5_of_its_url() {
        assert_eq!(
            md5_hex(b"file:///backup"),
            "3fe07cc0f71075f95f411fb55ec60120"
        );
        assert_eq!(
            md5_hex(b"file:///backup/"),
            "9d4cc80aafc8487e4ec91ba3ce62b89d"
        );
        assert_eq!(
            md5_hex(b"s3://bucket/prefix"),
            "3ef9ee6ed1ce01bda9a75ec7782b216b"
        );
    }

    #[test]
    fn the_archive_dir_is_in_the_cache_unless_told_otherwise() {
        let dir = |line: &str| Places::of(&args(line), &home()).unwrap().archive_dir;
        let name = "3fe07cc0f71075f95f411fb55ec60120";
        assert_eq!(
            dir("st file:///backup"),
            Path::new("/home/me/.cache/duplicity").join(name)
        );
        assert_eq!(
            dir("st file:///backup --name x"),
            Path::new("/home/me/.cache/duplicity/x")
        );
        assert_eq!(
            dir("st file:///backup --archive-dir ~/a --name x"),
            Path::new("/home/me/a/x")
        );
        assert_eq!(
            dir("st file:///backup --archive-dir=$W/a"),
            Path::new("/var/a").join(name)
        );
        assert!(Places::of(&args("st file:///backup"), &Environment::default()).is_err());
    }

    #[test]
    fn a_source_must_exist_and_a_restore_target_need_not() {
        let error = Places::of(&args("full /nonexistent/x file:///t"), &home()).unwrap_err();
        assert_eq!(
            error.message,
            "Argument source_path '/nonexistent/x' does not exist."
        );
        let places = Places::of(&args("restore file:///t ~/out"), &home()).unwrap();
        assert_eq!(places.local.as_deref(), Some(Path::new("/home/me/out")));
        assert_eq!(places.url, "file:///t");
    }

    #[test]
    fn the_path_inside_a_backup_loses_its_slashes() {
        let path = |line: &str| path_inside(&args(line), &home());
        let restore = "restore file:///t out";
        assert_eq!(
            path(&format!("{restore} -r /a//./b/")).unwrap().as_bytes(),
            b"a/b"
        );
        assert!(path(&format!("{restore} -r /")).unwrap().is_root());
        assert!(path(restore).unwrap().is_root());
        assert!(path(&format!("{restore} -r a/../b")).is_err());
    }

    #[test]
    fn times_are_checked_here() {
        let clock = Clock {
            now: 1_700_000_000,
            standard_offset: 0,
            separator: ':',
        };
        assert_eq!(
            time(&args("st file:///t -t 1D"), Opt::RestoreTime, &clock).unwrap(),
            Some(1_699_913_600)
        );
        assert_eq!(
            time(&args("st file:///t"), Opt::RestoreTime, &clock).unwrap(),
            None
        );
        let error = time(&args("st file:///t -t x"), Opt::RestoreTime, &clock).unwrap_err();
        assert!(error.message.starts_with("Bad time string \"'x'\""));
    }
}
