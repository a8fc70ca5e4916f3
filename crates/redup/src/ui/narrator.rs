//! Tells what the engine does, in the words and codes that duplicity has for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use redup_engine::{Event, Monitor};
use redup_format::entry::FileType;
use redup_format::filename::Span;
use redup_format::index::PathIndex;

use super::difference::{difference, path_bytes, path_text, type_word};
use super::status::{quiet_status, warnings};
use super::{Level, Message, Ui, escape, escape_lines, quote_word, removal};

/// A [`Monitor`] that speaks through a [`Ui`].
#[derive(Debug)]
pub(crate) struct Narrator {
    ui: Arc<Ui>,
    archive_dir: PathBuf,
    /// Report the bytes of the source as they are read, for somebody who waits for a total.
    dry_run: bool,
    /// Errors were asked to be passed over: each is marked as such, for whoever searches the output.
    ignore_errors: bool,
    json: bool,
    source_bytes: AtomicU64,
    /// Whether it was said why deleting fails.
    hinted: AtomicBool,
    /// How many objects had left their archive when last told.
    thawed: AtomicUsize,
}

impl Narrator {
    /// For one run.
    pub(crate) fn new(ui: Arc<Ui>, archive_dir: PathBuf) -> Self {
        Self {
            ui,
            archive_dir,
            dry_run: false,
            ignore_errors: false,
            json: false,
            source_bytes: AtomicU64::new(0),
            hinted: AtomicBool::new(false),
            thawed: AtomicUsize::new(0),
        }
    }

    /// For a run that stores nothing: the bytes of the source are counted out loud.
    pub(crate) fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// For a run that passes over errors.
    pub(crate) fn ignore_errors(mut self, ignore_errors: bool) -> Self {
        self.ignore_errors = ignore_errors;
        self
    }

    /// For a run whose result is JSON.
    pub(crate) fn json(mut self, json: bool) -> Self {
        self.json = json;
        self
    }

    fn coded(&self, level: Level, code: u16, extra: String, text: String) {
        self.ui
            .say(&Message::new(level, text).code(code).extra(extra));
    }

    fn info(&self, code: u16, extra: String, text: String) {
        if self.ui.shows(Level::INFO) {
            self.coded(Level::INFO, code, extra, text);
        }
    }

    /// What duplicity says in every run. It is not worth a word where a result was asked for.
    fn aside(&self, text: impl Into<String>) {
        match self.ui.is_result_only() {
            true => self.ui.info(text),
            false => self.ui.notice(text),
        }
    }

    fn changed(&self, code: u16, letter: char, index: &PathIndex) {
        self.info(
            code,
            quote_word(path_bytes(index)),
            format!("{letter} {}", path_text(index)),
        );
    }

    fn source_bytes(&self, bytes: u64) {
        self.source_bytes.store(bytes, Ordering::Relaxed);
        if self.dry_run {
            self.info(2, bytes.to_string(), String::new());
        }
    }

    fn volume_stored(&self, number: u32) {
        let bytes = self.source_bytes.load(Ordering::Relaxed);
        self.info(13, String::new(), String::new());
        self.info(2, bytes.to_string(), format!("Processed volume {number}"));
    }

    /// Loud when something has changed, else for those who watch.
    fn thawing(&self, ready: usize, of: usize) {
        let text = format!("{ready} of {of} object(s) can be read");
        match self.thawed.swap(ready, Ordering::Relaxed) == ready {
            true => self.ui.info(text),
            false => self.ui.notice(text),
        }
    }

    fn writing(&self, name: &str) {
        if name.contains(".difftar") {
            self.info(11, String::new(), String::new());
        }
        self.ui.info(format!("Writing {}", escape(name.as_bytes())));
    }

    fn restoring(&self, index: &PathIndex, file_type: &FileType) {
        if !index.is_root() {
            let word = type_word(file_type);
            let extra = format!("{} {word}", quote_word(path_bytes(index)));
            self.info(
                7,
                extra,
                format!("Writing {} of type {word}", path_text(index)),
            );
        }
    }

    fn volumes_needed(&self, names: &[&str]) {
        let lines = names
            .iter()
            .map(|name| format!("\n\t{}", escape(name.as_bytes())));
        let lines: String = lines.collect();
        self.ui
            .notice(format!("Required volumes to restore:{lines}"));
    }

    fn sync_planned(&self, fetch: &[&str], delete: &[&str]) {
        let tell = |heading: &str, names: &[&str]| {
            if !names.is_empty() {
                let lines: Vec<_> = names.iter().map(|name| escape(name.as_bytes())).collect();
                self.ui.notice(format!("{heading}\n{}", lines.join("\n")));
            }
        };
        tell("Sync would copy the following from remote to local:", fetch);
        tell(
            "Sync would remove the following spurious local files:",
            delete,
        );
    }

    fn resuming(&self, span: Span, volume: u32, after: &PathIndex, block: Option<u32>) {
        let kind = if span.is_full() { "full" } else { "inc" };
        self.ui.notice(format!(
            "Last {kind} backup left a partial set, restarting."
        ));
        let block = block
            .map(|block| format!(", block {block}"))
            .unwrap_or_default();
        self.ui.notice(format!(
            "Restarting after volume {volume}, file {}{block}",
            path_text(after)
        ));
    }
}

impl Monitor for Narrator {
    fn event(&self, event: Event<'_>) {
        let ui = &self.ui;
        match event {
            Event::Status(collection) => {
                warnings(collection)
                    .iter()
                    .for_each(|warning| ui.say(warning));
                if ui.shows(Level(8)) {
                    ui.say(&quiet_status(collection, &self.archive_dir, ui.zone()));
                }
            }
            Event::LastFull(time) => {
                let time = time.map_or_else(|| "none".to_owned(), |time| ui.time(time.secs()));
                self.aside(format!("Last full backup date: {time}"));
            }
            Event::BeforeOldest(start) => {
                let time = ui.time(start.secs());
                let text = format!(
                    "No signature chain for the requested time. Using oldest available chain, \
                     starting at time {time}."
                );
                self.coded(Level::WARNING, 11, start.to_string(), text);
            }
            // Those who ask for one say so themselves.
            Event::PointInTime(_) => {}
            Event::InSync => {
                self.aside("Local and Remote metadata are synchronized, no sync needed.");
            }
            Event::SyncPlanned { fetch, delete } => self.sync_planned(fetch, delete),
            Event::SyncStarted => ui.notice("Synchronizing remote metadata to local cache..."),
            Event::SyncFetch { name } => {
                ui.notice(format!(
                    "Copying {} to local cache.",
                    escape(name.as_bytes())
                ));
            }
            Event::SyncDelete { name } => {
                let path = self.archive_dir.join(name);
                let path = crate::args::lossy(path.as_os_str());
                ui.notice(format!(
                    "Deleting local {path} (not authoritative at backend)."
                ));
            }
            Event::SwitchedToFull => ui.warning("No signatures found, switching to full backup."),
            Event::TooManyIncrements => {
                ui.notice("Latest chain has too many incrementals, forcing full backup");
            }
            Event::FullIsTooOld => ui.notice("Last full backup is too old, forcing full backup"),
            Event::Resuming {
                span,
                volume,
                after,
                block,
            } => self.resuming(span, volume, after, block),
            Event::RestartFromScratch { reason, .. } => {
                ui.notice(format!(
                    "RESTART: the interrupted backup cannot be resumed ({}).",
                    escape_lines(reason)
                ));
                ui.notice("         Starting backup from beginning.");
            }
            Event::Added(index) => self.changed(4, 'A', index),
            Event::Changed(index) => self.changed(5, 'M', index),
            Event::Deleted(index) => self.changed(6, 'D', index),
            Event::SocketSkipped(path) => {
                let shown = crate::args::lossy(path.as_os_str());
                self.info(15, quoted_path(path), format!("Skipping socket {shown}"));
            }
            Event::Unreadable { path, error } => {
                let shown = crate::args::lossy(path.as_os_str());
                let text = format!(
                    "Error accessing possibly locked file {shown}: {}",
                    escape_lines(&crate::exit::text(error))
                );
                self.coded(Level::WARNING, 10, quoted_path(path), text);
            }
            Event::ChangedWhileRead(path) => {
                let shown = crate::args::lossy(path.as_os_str());
                ui.warning(format!(
                    "File {shown} changed while it was read; what was read is stored."
                ));
            }
            Event::SourceBytes(bytes) => self.source_bytes(bytes),
            Event::Writing { name } => self.writing(name),
            Event::ThawRequested {
                objects,
                under_way,
                bytes,
                classes,
            } => {
                let mb = bytes.div_ceil(1_000_000);
                ui.notice(format!(
                    "Waiting for {} object(s), {mb} MB, to be thawed from {classes}: {objects} asked for now, \
                     {under_way} before. This may take from minutes to days; a run that is ended and started \
                     again goes on waiting.",
                    objects + under_way
                ));
            }
            Event::Thawing { ready, of } => self.thawing(ready, of),
            Event::VolumeStored { number } => self.volume_stored(number),
            Event::VolumeRead { number, of } => {
                self.info(
                    2,
                    format!("{number} {of}"),
                    format!("Processed volume {number} of {of}"),
                );
            }
            Event::VolumeSkipped { error } => {
                let text = format!(
                    "IGNORED_ERROR: WARNING: ignoring error as requested: {}",
                    chain(error)
                );
                ui.warning(text);
            }
            Event::VolumesNeeded { names } => self.volumes_needed(names),
            Event::Restoring { index, file_type } => self.restoring(index, file_type),
            Event::RestoreFailed { index, error } => {
                let mark = if self.ignore_errors {
                    "IGNORED_ERROR: "
                } else {
                    ""
                };
                let text = format!(
                    "{mark}Error '{}' processing {}",
                    chain(error),
                    path_text(index)
                );
                self.coded(Level::WARNING, 12, quote_word(path_bytes(index)), text);
            }
            Event::Difference {
                index,
                difference: found,
            } => {
                let text = format!("Difference found: {}", difference(index, found, ui.zone()));
                let message = Message::new(Level::NOTICE, text);
                match self.json {
                    // It stands in the result.
                    true => drop(ui.log(&message)),
                    false => ui.say(&message),
                }
            }
            Event::RemovalPlanned { removal, deletes } => {
                let messages = removal::planned(removal, deletes, ui.zone());
                messages.iter().for_each(|message| ui.say(message));
            }
            Event::Removing {
                chain,
                signatures,
                keeps_full,
            } => ui.notice(removal::removing(chain, signatures, keeps_full, ui.zone())),
            Event::CleanupPlanned {
                names,
                unfinished,
                resumable,
                deletes,
            } => {
                let messages = removal::cleanup(names, unfinished, resumable, deletes);
                messages.iter().for_each(|message| ui.say(message));
            }
            Event::Deleting { name } => {
                ui.info(format!("Deleting {}", escape(name.as_bytes())));
            }
            Event::DeleteFailed { name, error } => {
                let name = escape(name.as_bytes());
                ui.warning(format!("Cannot delete {name}: {}", chain(error)));
                // What keeps one from going keeps the others.
                let hint = crate::exit::hint_below(error);
                if let Some(hint) = hint.filter(|_| !self.hinted.swap(true, Ordering::Relaxed)) {
                    ui.warning(escape_lines(&format!("hint: {hint}")));
                }
            }
            Event::Warning(text) => ui.warning(escape_lines(text)),
            Event::Info(text) => ui.info(escape_lines(text)),
            // For whoever shows how far it is.
            Event::Comparing
            | Event::SourceBegins { .. }
            | Event::SourcePath { .. }
            | Event::SourceEnds
            | Event::Reading { .. } => {}
            // What an engine newer than this knows to tell.
            other => ui.info(escape_lines(&format!("{other:?}"))),
        }
    }
}

fn quoted_path(path: &std::path::Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    quote_word(path.as_os_str().as_bytes())
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &redup_engine::Error) -> String {
    let failure = crate::exit::Failure::from_error(crate::exit::Code::GENERIC, error);
    let parts: Vec<_> = std::iter::once(&failure.message)
        .chain(&failure.causes)
        .collect();
    escape_lines(
        &parts
            .into_iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(": "),
    )
}
