//! The commands: their names, their short names, and what stands behind them on the command line.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::ArgsError;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Backup,
    Full,
    Incremental,
    Restore,
    Verify,
    CollectionStatus,
    ListCurrentFiles,
    Cleanup,
    RemoveOlderThan,
    RemoveAllButNFull,
    RemoveAllIncOfButNFull,
    Find,
    Diff,
    Cat,
    Audit,
    Probe,
    Prune,
}

/// What a positional is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The folder to back up: must exist.
    SourcePath,
    /// Where a backup goes to, or what is looked at.
    TargetUrl,
    /// Where a backup comes from.
    SourceUrl,
    /// Where restored files go, or what is verified.
    TargetPath,
    /// A time string.
    Time,
    /// A number above 0.
    Count,
    /// A pattern of paths inside a backup.
    Pattern,
    /// The time that is compared.
    OldTime,
    /// The time it is compared with.
    NewTime,
    /// A path inside a backup.
    InnerPath,
}

impl Shape {
    /// What help and messages call it.
    pub(super) fn role(self) -> &'static str {
        match self {
            Self::SourcePath => "source_path",
            Self::TargetUrl => "target_url",
            Self::SourceUrl => "source_url",
            Self::TargetPath => "target_path",
            Self::Time => "remove_time",
            Self::Count => "count",
            Self::Pattern => "pattern",
            Self::OldTime => "old_time",
            Self::NewTime => "new_time",
            Self::InnerPath => "path",
        }
    }
}

/// One command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CommandSpec {
    pub(crate) command: Command,
    pub(crate) name: &'static str,
    pub(crate) short_names: &'static [&'static str],
    /// Whether duplicity 0.8 has it, and so its prefixes.
    in_0_8: bool,
    pub(crate) shapes: &'static [Shape],
    pub(crate) help: &'static str,
}

const BACKUP_SHAPES: &[Shape] = &[Shape::SourcePath, Shape::TargetUrl];
const RESTORE_SHAPES: &[Shape] = &[Shape::SourceUrl, Shape::TargetPath];

/// All commands, in the order of the help text.
#[rustfmt::skip]
pub(crate) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { command: Command::Backup, name: "backup", short_names: &["bu"], in_0_8: false,
        shapes: BACKUP_SHAPES,
        help: "Back up: an increment when there is a chain to build on, else a full backup." },
    CommandSpec { command: Command::Full, name: "full", short_names: &["fb"], in_0_8: true,
        shapes: BACKUP_SHAPES,
        help: "Make a full backup, the start of a new chain." },
    CommandSpec { command: Command::Incremental, name: "incremental", short_names: &["incr", "inc", "ib"], in_0_8: true,
        shapes: BACKUP_SHAPES,
        help: "Make an increment; an error when there is nothing to build on." },
    CommandSpec { command: Command::Restore, name: "restore", short_names: &["rb"], in_0_8: true,
        shapes: RESTORE_SHAPES,
        help: "Restore everything, or one path of it, as it was at some time." },
    CommandSpec { command: Command::Verify, name: "verify", short_names: &["vb"], in_0_8: true,
        shapes: RESTORE_SHAPES,
        help: "Read and check the volumes, and with --compare-data compare them with a folder." },
    CommandSpec { command: Command::CollectionStatus, name: "collection-status", short_names: &["st"], in_0_8: true,
        shapes: &[Shape::TargetUrl],
        help: "Print the chains and sets of a backup." },
    CommandSpec { command: Command::ListCurrentFiles, name: "list-current-files", short_names: &["ls"], in_0_8: true,
        shapes: &[Shape::TargetUrl],
        help: "Print the files of a backup as they were at some time." },
    CommandSpec { command: Command::Cleanup, name: "cleanup", short_names: &["cl"], in_0_8: true,
        shapes: &[Shape::TargetUrl],
        help: "Delete files that belong to no complete set." },
    CommandSpec { command: Command::RemoveOlderThan, name: "remove-older-than", short_names: &["ro"], in_0_8: true,
        shapes: &[Shape::Time, Shape::TargetUrl],
        help: "Delete the chains that ended before a time." },
    CommandSpec { command: Command::RemoveAllButNFull, name: "remove-all-but-n-full", short_names: &["ra"], in_0_8: true,
        shapes: &[Shape::Count, Shape::TargetUrl],
        help: "Delete all but the newest N chains." },
    CommandSpec { command: Command::RemoveAllIncOfButNFull, name: "remove-all-inc-of-but-n-full", short_names: &["ri"],
        in_0_8: true, shapes: &[Shape::Count, Shape::TargetUrl],
        help: "Delete the increments of all but the newest N chains." },
];

/// Commands of redup's own: called as duplicity, their names are folders' like any other.
#[rustfmt::skip]
pub(crate) const OWN: &[CommandSpec] = &[
    CommandSpec { command: Command::Find, name: "find", short_names: &[], in_0_8: false,
        shapes: &[Shape::Pattern, Shape::TargetUrl],
        help: "Search all backups for paths, and say when each of them came, changed and went." },
    CommandSpec { command: Command::Diff, name: "diff", short_names: &[], in_0_8: false,
        shapes: &[Shape::OldTime, Shape::NewTime, Shape::TargetUrl],
        help: "Say what is different between two points in time." },
    CommandSpec { command: Command::Cat, name: "cat", short_names: &[], in_0_8: false,
        shapes: &[Shape::InnerPath, Shape::TargetUrl],
        help: "Write the content of one file, as it was at some time, to standard output." },
    CommandSpec { command: Command::Audit, name: "audit", short_names: &[], in_0_8: false,
        shapes: &[Shape::TargetUrl],
        help: "Ask the store about every volume, and hold what it tells against the manifests; none is read." },
    CommandSpec { command: Command::Probe, name: "probe", short_names: &[], in_0_8: false,
        shapes: &[Shape::TargetUrl],
        help: "Try a target out, and say what works, how fast, and what to change." },
    CommandSpec { command: Command::Prune, name: "prune", short_names: &[], in_0_8: false,
        shapes: &[Shape::TargetUrl],
        help: "Delete the chains that hold no backup which a --keep option keeps." },
];

/// Finds a command of redup's own: its row, and what was made of the words behind it.
pub(super) fn find_own(
    words: &[OsString],
) -> Option<(&'static CommandSpec, Result<Action, ArgsError>)> {
    let (first, rest) = words.split_first()?;
    let spec = OWN.iter().find(|spec| first == spec.name)?;
    let action = explicit(spec, rest).map_err(|error| error.of_own(spec));
    Some((spec, action))
}

/// The names of the commands to which `--json` makes a difference.
pub(crate) fn names_with_json() -> String {
    let specs = COMMANDS.iter().chain(OWN);
    let names = specs
        .filter(|spec| spec.command.has_json())
        .map(|spec| match spec.command {
            Command::Restore => "restore --dry-run",
            _ => spec.name,
        });
    names.collect::<Vec<_>>().join(", ")
}

/// duplicity 0.8's command that copies between stores; no version since has it.
const REPLICATE: &str = "replicate";

impl Command {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        let mut all = COMMANDS.iter().chain(OWN);
        all.find(|spec| spec.command == self)
            .map_or("", |spec| spec.name)
    }

    /// Whether it makes a backup.
    pub(crate) fn is_backup(self) -> bool {
        matches!(self, Self::Backup | Self::Full | Self::Incremental)
    }

    /// Whether `--json` makes a difference to it.
    pub(crate) fn has_json(self) -> bool {
        !matches!(
            self,
            Self::Backup | Self::Full | Self::Incremental | Self::Cat
        )
    }
}

/// The command of a command line, with its positionals checked for number and shape.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Action {
    pub(crate) command: Command,
    /// What stands behind the command, in the order of its shapes.
    pub(crate) positionals: Vec<OsString>,
    /// Whether the command was told by the order of its arguments alone.
    pub(crate) implied: bool,
}

/// Finds the command in the words that are left when the options are taken away.
///
/// `exists` says whether a local file of that name is there, which keeps a folder called `co` from
/// being read as `collection-status`.
pub(crate) fn find(
    words: &[OsString],
    exists: &dyn Fn(&Path) -> bool,
) -> Result<Action, ArgsError> {
    let Some(first) = words.first() else {
        return Err(ArgsError::NoAction);
    };
    if let Some(spec) = exact(first) {
        return explicit(spec, &words[1..]);
    }
    let prefixed = match by_prefix(first) {
        Prefix::One(spec) if fits(spec, &words[1..]) && !exists(Path::new(first)) => Some(spec),
        _ => None,
    };
    if let Some(spec) = prefixed {
        return explicit(spec, &words[1..]);
    }
    if let Some(action) = implied(words) {
        return Ok(action);
    }
    match by_prefix(first) {
        Prefix::Replicate => Err(ArgsError::Replicate),
        Prefix::One(spec) => explicit(spec, &words[1..]),
        Prefix::Many(names) => Err(ArgsError::AmbiguousCommand {
            word: super::lossy(first),
            names,
        }),
        Prefix::None if words.len() == 2 => Err(ArgsError::CannotImply {
            words: words.iter().map(|word| super::lossy(word)).collect(),
        }),
        Prefix::None => Err(ArgsError::NoAction),
    }
}

/// Whether a positional is a URL: a scheme, `://`, and no second line.
pub(crate) fn is_url(word: &OsStr) -> bool {
    let bytes = word.as_bytes();
    let scheme = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"_+".contains(byte))
        .count();
    scheme > 0
        && bytes[scheme..].starts_with(b"://")
        && !bytes.strip_suffix(b"\n").unwrap_or(bytes).contains(&b'\n')
}

fn exact(word: &OsStr) -> Option<&'static CommandSpec> {
    COMMANDS
        .iter()
        .find(|spec| word == spec.name || spec.short_names.iter().any(|name| word == *name))
}

enum Prefix {
    None,
    One(&'static CommandSpec),
    Many(Vec<&'static str>),
    Replicate,
}

fn by_prefix(word: &OsStr) -> Prefix {
    let Some(word) = word.to_str().filter(|word| !word.is_empty()) else {
        return Prefix::None;
    };
    let mut found: Vec<_> = COMMANDS
        .iter()
        .filter(|spec| spec.in_0_8 && spec.name.starts_with(word))
        .collect();
    let replicate = REPLICATE.starts_with(word);
    match (found.len(), replicate) {
        (0, false) => Prefix::None,
        (0, true) => Prefix::Replicate,
        (1, false) => found.pop().map_or(Prefix::None, Prefix::One),
        _ => Prefix::Many(
            found
                .iter()
                .map(|spec| spec.name)
                .chain(replicate.then_some(REPLICATE))
                .collect(),
        ),
    }
}

fn implied(words: &[OsString]) -> Option<Action> {
    let [first, second] = words else {
        return None;
    };
    let command = match (is_url(first), is_url(second)) {
        (false, true) => Command::Backup,
        (true, false) => Command::Restore,
        _ => return None,
    };
    Some(Action {
        command,
        positionals: words.to_vec(),
        implied: true,
    })
}

fn fits(spec: &CommandSpec, positionals: &[OsString]) -> bool {
    positionals.len() == spec.shapes.len()
        && spec
            .shapes
            .iter()
            .zip(positionals)
            .all(|(shape, word)| match shape {
                Shape::TargetUrl | Shape::SourceUrl => is_url(word),
                Shape::SourcePath | Shape::TargetPath => !is_url(word),
                // What the commands with these take has no prefixes.
                Shape::Time
                | Shape::Count
                | Shape::Pattern
                | Shape::OldTime
                | Shape::NewTime
                | Shape::InnerPath => true,
            })
}

fn explicit(spec: &CommandSpec, positionals: &[OsString]) -> Result<Action, ArgsError> {
    if positionals.len() != spec.shapes.len() {
        return Err(ArgsError::WrongCount {
            command: spec.name,
            expected: spec.shapes.len(),
            words: positionals.iter().map(|word| super::lossy(word)).collect(),
        });
    }
    for (shape, word) in spec.shapes.iter().zip(positionals) {
        check_shape(*shape, word)?;
    }
    Ok(Action {
        command: spec.command,
        positionals: positionals.to_vec(),
        implied: false,
    })
}

pub(super) fn check_shape(shape: Shape, word: &OsStr) -> Result<(), ArgsError> {
    let got = || super::lossy(word);
    match shape {
        Shape::SourcePath if is_url(word) => Err(ArgsError::NotAPath {
            role: "Source",
            got: got(),
        }),
        Shape::TargetPath if is_url(word) => Err(ArgsError::NotAPath {
            role: "Target",
            got: got(),
        }),
        Shape::SourceUrl if !is_url(word) => Err(ArgsError::NotAUrl {
            role: "Source",
            got: got(),
        }),
        Shape::TargetUrl if !is_url(word) => Err(ArgsError::NotAUrl {
            role: "Target",
            got: got(),
        }),
        Shape::Pattern | Shape::InnerPath if word.is_empty() => Err(ArgsError::EmptyWord(shape)),
        Shape::Count => match word.to_str().map(|word| word.trim().parse::<u32>()) {
            Some(Ok(1..)) => Ok(()),
            _ => Err(ArgsError::BadCount(got())),
        },
        _ => Ok(()),
    }
}
