//! The commands, one file each.

mod audit;
mod backup;
mod cat;
mod cleanup;
mod diff;
mod find;
mod limits;
mod list;
mod plan;
mod points;
mod probe;
mod progress;
mod remove;
mod restore;
mod status;
mod verify;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redup_engine::{BackupReport, MetadataSync, Target, transfer};
use redup_format::time::Timestamp;
use redup_select::Rules;
use redup_storage::{Interruptible, Storage};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::args::{Args, Command, Opt, names_with_json};
use crate::config::{self, Encryption, Keys, Places};
use crate::env::Environment;
use crate::exit::{Code, Failure, command_line};
use crate::passphrase::Typed;
use crate::program::Program;
use crate::signals::Ending;
use crate::times::Clock;
use crate::ui::{Narrator, Output, Ui, standard_offset};
use points::Points;

/// Threads that move bytes between the network and the engine: enough for some GB/s of TLS, and each takes
/// memory of its own.
const MOST_WORKERS: usize = 4;

/// How long a signal waits for uploads to be given up at the store. What is left there, the next run gives up.
const TIME_TO_GIVE_UP: Duration = Duration::from_secs(2);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Code,
    /// Of a backup.
    pub(crate) backup: Option<BackupReport>,
}

impl From<Code> for Done {
    fn from(code: Code) -> Self {
        Self { code, backup: None }
    }
}

/// Does what `args` say, unless or until `ending` comes: what is being uploaded is then given up. Passphrases that are in
/// `typed` are not asked for again.
///
/// # Errors
/// With what ended the run.
pub(crate) fn run(
    program: Program,
    args: Args,
    environment: Environment,
    ui: &Arc<Ui>,
    ending: Ending,
    typed: &Typed,
) -> Result<Done, Failure> {
    if gives_a_result(&args) {
        ui.keep_stdout();
    }
    for remark in &args.remarks {
        ui.info(remark);
    }
    if args.options.flag(Opt::IgnoreErrors) {
        ui.warning("Running in 'ignore errors' mode due to --ignore-errors.\nPlease reconsider if this was not intended");
    }
    refuse_old_names(&args)?;
    remove::refuse_elsewhere(&args)?;
    json_or_nothing(&args)?;
    let session = Session::new(program, args, environment, ui, ending, typed.clone())?;
    let code = match session.args.command {
        Command::Backup | Command::Full | Command::Incremental => return backup::run(&session),
        Command::Restore => restore::run(&session),
        Command::Verify => verify::run(&session),
        Command::CollectionStatus => status::run(&session),
        Command::ListCurrentFiles => list::run(&session),
        Command::Find => find::run(&session),
        Command::Diff => diff::run(&session),
        Command::Cat => cat::run(&session),
        Command::Audit => audit::run(&session),
        Command::Cleanup => cleanup::run(&session),
        Command::Probe => probe::run(&session),
        Command::RemoveOlderThan
        | Command::RemoveAllButNFull
        | Command::RemoveAllIncOfButNFull
        | Command::Prune => remove::run(&session),
    };
    code.map(Done::from)
}

/// Whether standard output is for what was asked for alone, so that a program can read it.
pub(crate) fn gives_a_result(args: &Args) -> bool {
    let always = matches!(args.command, Command::Find | Command::Diff | Command::Cat);
    always || args.options.flag(Opt::Json)
}

/// Refuses `--json` to a command that has none.
fn json_or_nothing(args: &Args) -> Result<(), Failure> {
    let options = &args.options;
    // What a restore does is in its folder.
    let does = args.command == Command::Restore && !options.flag(Opt::DryRun);
    match options.flag(Opt::Json) && (does || !args.command.has_json()) {
        true => Err(command_line(format!("--json is for {}", names_with_json()))),
        false => Ok(()),
    }
}

/// Names of old versions are read without being asked for; a backup that was told to write them would
/// write others.
fn refuse_old_names(args: &Args) -> Result<(), Failure> {
    let old = [
        (Opt::ShortFilenames, "--short-filenames"),
        (Opt::OldFilenames, "--old-filenames"),
    ];
    match old.iter().find(|(option, _)| args.options.flag(*option)) {
        Some((_, name)) if args.command.is_backup() => Err(Failure::new(
            Code::DEPRECATED,
            format!("{name}: names of old versions are read, and no longer written"),
        )),
        _ => Ok(()),
    }
}

/// What every command has at hand.
struct Session {
    program: Program,
    args: Args,
    environment: Environment,
    ui: Arc<Ui>,
    clock: Clock,
    places: Places,
    encryption: Encryption,
    runtime: Runtime,
    ending: Ending,
    typed: Typed,
}

impl Drop for Session {
    /// The runtime lives as long as it is used.
    fn drop(&mut self) {
        self.ending.clear();
    }
}

impl Session {
    fn new(
        program: Program,
        args: Args,
        environment: Environment,
        ui: &Arc<Ui>,
        ending: Ending,
        typed: Typed,
    ) -> Result<Self, Failure> {
        let now = whole_seconds(SystemTime::now());
        let separator = args
            .options
            .text(Opt::TimeSeparator)
            .and_then(|text| text.chars().next());
        let clock = Clock {
            now,
            standard_offset: standard_offset(ui.zone(), now),
            separator: separator.unwrap_or(':'),
        };
        config::check_times(&args, &clock)?;
        config::check_prefixes(&args)?;
        let places = Places::of(&args, &environment)?;
        let encryption = Encryption::of(&args, &environment)?;
        for remark in &encryption.remarks {
            ui.info(remark);
        }
        announce(&places, ui);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores.min(MOST_WORKERS))
            .enable_all()
            .build()
            .map_err(|error| Failure::from_error(Code::EXCEPTION, &error).extra("OSError"))?;
        Ok(Self {
            program,
            args,
            environment,
            ui: Arc::clone(ui),
            clock,
            places,
            encryption,
            runtime,
            ending,
            typed,
        })
    }

    /// Opens the store and gathers what the engine needs to work on it.
    fn target(&self) -> Result<Target, Failure> {
        limits::allow_many_files();
        let keys = Keys::new(
            self.encryption.clone(),
            &self.environment,
            &self.ui,
            self.typed.clone(),
        );
        keys.check()?;
        let Self {
            args,
            environment,
            ui,
            runtime,
            ..
        } = self;
        let (interrupt, interrupted) = oneshot::channel::<()>();
        self.ending.set(move || drop(interrupt));
        let storage = runtime.block_on(async {
            tokio::select! {
                storage = config::open(&self.places.url, args, environment, ui) => storage,
                _ = interrupted => Err(Failure::silent(Code::GENERIC)),
            }
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let part_size = storage.tuning().part_size;
        let transfer_memory = config::transfer_memory(args, part_size);
        let least = transfer::least_memory(part_size);
        if args.command.is_backup() && least > transfer_memory {
            let [part, least, left] = [part_size, least, transfer_memory].map(|bytes| bytes >> 20);
            ui.warning(format!(
                "uploads in parts of {part} MB take {least} MB of memory, and --memory-limit leaves {left} MB for them"
            ));
        }
        Ok(Target {
            storage: self.interruptible(storage, Arc::clone(&stop)),
            runtime: runtime.handle().clone(),
            archive_dir: self.places.archive_dir.clone(),
            naming: config::naming(args),
            keys: Arc::new(keys),
            transfer_memory,
            thaw: args.options.text(Opt::S3RestoreTier).is_some(),
            sync: self.sync(),
            stop,
        })
    }

    fn sync(&self) -> MetadataSync {
        let options = &self.args.options;
        match options.text(Opt::MetadataSyncMode) {
            _ if !options.switch(Opt::CheckRemote, true) => MetadataSync::Trusted,
            Some("full") => MetadataSync::All,
            _ => MetadataSync::Needed,
        }
    }

    /// The store, which a signal interrupts, and what else has to `stop`.
    fn interruptible(&self, storage: Arc<dyn Storage>, stop: Arc<AtomicBool>) -> Arc<dyn Storage> {
        let storage = Interruptible::new(storage);
        let (last, runtime) = (storage.clone(), self.runtime.handle().clone());
        self.ending.set(move || {
            stop.store(true, Ordering::Relaxed);
            runtime.block_on(async {
                drop(tokio::time::timeout(TIME_TO_GIVE_UP, last.interrupt()).await);
            });
        });
        Arc::new(storage)
    }

    /// Tells what the engine does.
    fn narrator(&self) -> Narrator {
        Narrator::new(Arc::clone(&self.ui), self.places.archive_dir.clone())
            .dry_run(self.flag(Opt::DryRun))
            .ignore_errors(self.flag(Opt::IgnoreErrors))
            .json(self.flag(Opt::Json))
    }

    /// The local source or target; every command that asks has one.
    fn local(&self) -> &Path {
        self.places.local.as_deref().unwrap_or(Path::new("."))
    }

    /// What stands behind the command, counted from 0; the command line was checked to have it.
    fn word(&self, position: usize) -> &OsStr {
        let word = self.args.positionals.get(position);
        word.map_or(OsStr::new(""), OsString::as_os_str)
    }

    /// The target's URL, without a password.
    fn shown_target(&self) -> String {
        config::shown(&self.places.url)
    }

    /// The rules for what is read of the local folder.
    fn rules(&self) -> Result<Rules, Failure> {
        self.announce_lists();
        config::rules(&self.args, self.local(), &self.environment, &self.clock)
    }

    fn announce_lists(&self) {
        for line in config::announced_lists(&self.args, &self.environment) {
            self.ui.notice(line);
        }
    }

    fn flag(&self, option: Opt) -> bool {
        self.args.options.flag(option)
    }

    /// `--time`, where 0 counts as not given.
    fn restore_time(&self) -> Result<Option<Timestamp>, Failure> {
        let time = config::time(&self.args, Opt::RestoreTime, &self.clock)?;
        Ok(time.filter(|time| *time != 0).map(Timestamp::from_secs))
    }
}

/// Of a command that answers with status 1.
fn troubled(failure: Failure) -> Failure {
    match failure.code {
        Code::GENERIC => Failure {
            code: Code::TROUBLE,
            ..failure
        },
        _ => failure,
    }
}

/// Writes a result that is small.
fn printed(ui: &Ui, text: &str) -> Result<(), Failure> {
    let mut output = Output::new(ui);
    // The end tells whether it could be written.
    let _ = output.lines(text);
    written(output.finish())
}

/// What becomes of a result that could not be written: where nobody reads it any more, the run ends without a word.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot write to standard output")]
    struct CannotWrite(#[source] io::Error);
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::silent(Code::PIPE)),
        result => result.map_err(|error| {
            Failure::from_error(Code::EXCEPTION, &CannotWrite(error)).extra("OSError")
        }),
    }
}

/// Says where this run works: the lines that a report of a problem should begin with.
fn announce(places: &Places, ui: &Ui) {
    let dir = &places.archive_dir;
    let name = dir.file_name().unwrap_or_default();
    ui.info(format!(
        "Using archive dir: {}",
        crate::args::lossy(dir.as_os_str())
    ));
    ui.info(format!("Using backup name: {}", crate::args::lossy(name)));
    ui.info(Program::Redup.version().trim_end());
}

fn whole_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
