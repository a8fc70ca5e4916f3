//! A target, an archive dir and a source that a test works on.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use redup_engine::{
    BackupKind, BackupOptions, BackupReport, Error, Event, KeyProvider, ListOptions, MetadataSync,
    Monitor, RestoreOptions, RestoreReport, Result, Target, VerifyOptions, VerifyReport,
    VolumeMode,
};
use redup_format::filename::Naming;
use redup_format::index::PathIndex;
use redup_format::time::Timestamp;
use redup_openpgp::{Compression, Decryptor, DecryptorOptions, Encryptor, Secret};
use redup_select::Rules;
use redup_storage::{Confirm, MemoryStorage, Storage};
use redup_testkit::listing::Listing;
use redup_testkit::trees::Tree;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The time of the first backup; each further one is a day later.
pub(crate) const START: i64 = 1_704_067_200;
pub(crate) const DAY: i64 = 86_400;

#[derive(Debug)]
struct Passphrase(&'static str);

impl KeyProvider for Passphrase {
    fn decryptor(&self) -> Result<Arc<Decryptor>> {
        let passphrase = Some(Secret::from(self.0));
        Ok(Arc::new(Decryptor::new(DecryptorOptions {
            passphrase,
            ..DecryptorOptions::default()
        })))
    }

    fn encryptor(&self) -> Result<Arc<Encryptor>> {
        let made = Encryptor::symmetric(Secret::from(self.0), Compression::Zip(1));
        made.map(Arc::new).map_err(|source| Error::OpenPgp {
            object: "test".into(),
            source,
        })
    }

    fn is_symmetric(&self) -> bool {
        true
    }
}

/// Keeps what the monitor heard, in short.
#[derive(Debug, Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<String>>);

impl Monitor for Heard {
    fn event(&self, event: Event<'_>) {
        let line = match event {
            Event::Resuming { volume, .. } => format!("resumed after {volume}"),
            Event::RestartFromScratch { .. } => "started over".into(),
            Event::RestoreFailed { index, error } => format!("failed {index}: {error}"),
            Event::Difference { index, difference } => format!("{index} differs: {difference:?}"),
            Event::Unreadable { path, .. } => format!("unreadable {}", path.display()),
            Event::Warning(text) => format!("warning {text}"),
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

impl Heard {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) struct World {
    pub(crate) memory: Arc<MemoryStorage>,
    pub(crate) mode: VolumeMode,
    pub(crate) volsize: u64,
    pub(crate) root: TempDir,
    runtime: Runtime,
    restores: Mutex<u32>,
}

impl World {
    pub(crate) fn new(mode: VolumeMode) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_time()
            .worker_threads(2)
            .build()
            .unwrap();
        Self {
            memory: Arc::new(MemoryStorage::new()),
            mode,
            volsize: 300 << 10,
            root: tempfile::tempdir().unwrap(),
            runtime,
            restores: Mutex::new(0),
        }
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.root.path().join("source")
    }

    pub(crate) fn archive_dir(&self) -> PathBuf {
        self.root.path().join("archive")
    }

    /// Makes the source be `now`.
    pub(crate) fn put(&self, now: &Tree, before: Option<&Tree>) {
        match before {
            None => now.write(&self.source()),
            Some(before) => now.write_over(before, &self.source()),
        }
    }

    pub(crate) fn target(&self, storage: Arc<dyn Storage>, passphrase: &'static str) -> Target {
        Target {
            // As the program has it, without waiting for what memory has at once.
            storage: Arc::new(Confirm::new(storage, 1)),
            runtime: self.runtime.handle().clone(),
            archive_dir: self.archive_dir(),
            naming: Naming::default(),
            keys: Arc::new(Passphrase(passphrase)),
            transfer_memory: 8 << 20,
            thaw: false,
            sync: MetadataSync::default(),
            stop: Arc::default(),
        }
    }

    pub(crate) fn plain_target(&self) -> Target {
        self.target(Arc::clone(&self.memory) as Arc<dyn Storage>, "secret")
    }

    pub(crate) fn backup_options(&self, kind: BackupKind, day: i64) -> BackupOptions {
        BackupOptions {
            kind,
            now: Timestamp::from_secs(START + day * DAY),
            full_if_before: None,
            full_after_incs: None,
            skip_if_unchanged: false,
            volsize: self.volsize,
            concurrency: None,
            mode: self.mode,
            max_blocksize: None,
            allow_source_mismatch: false,
            hostname: "here".into(),
            hostname_aliases: Vec::new(),
            local_dir: b"source".to_vec(),
            rules: Rules::all(),
            numeric_owner: false,
            copy_links: false,
            files_changed: true,
            jsonstat: None,
            dry_run: false,
        }
    }

    pub(crate) fn backup(
        &self,
        kind: BackupKind,
        day: i64,
        monitor: &dyn Monitor,
    ) -> Result<BackupReport> {
        self.backup_to(&self.plain_target(), kind, day, monitor)
    }

    pub(crate) fn backup_to(
        &self,
        target: &Target,
        kind: BackupKind,
        day: i64,
        monitor: &dyn Monitor,
    ) -> Result<BackupReport> {
        redup_engine::backup(
            target,
            &self.source(),
            &self.backup_options(kind, day),
            monitor,
        )
    }

    pub(crate) fn restore_to(
        &self,
        to: &Path,
        day: Option<i64>,
        monitor: &dyn Monitor,
    ) -> Result<RestoreReport> {
        self.restore_from(&self.plain_target(), to, day, monitor)
    }

    pub(crate) fn restore_from(
        &self,
        target: &Target,
        to: &Path,
        day: Option<i64>,
        monitor: &dyn Monitor,
    ) -> Result<RestoreReport> {
        redup_engine::restore(target, to, &Self::restore_options(day), monitor)
    }

    /// Restores the newest state, and passes over volumes that are damaged.
    pub(crate) fn restore_ignoring(
        &self,
        to: &Path,
        monitor: &dyn Monitor,
    ) -> Result<RestoreReport> {
        let options = RestoreOptions {
            ignore_errors: true,
            ..Self::restore_options(None)
        };
        redup_engine::restore(&self.plain_target(), to, &options, monitor)
    }

    fn restore_options(day: Option<i64>) -> RestoreOptions {
        RestoreOptions {
            time: day.map(|day| Timestamp::from_secs(START + day * DAY)),
            path: PathIndex::root(),
            selection: None,
            renames: Vec::new(),
            force: false,
            ownership: true,
            numeric_owner: false,
            ignore_errors: false,
            dry_run: false,
        }
    }

    /// Restores a day and gives its listing.
    #[track_caller]
    pub(crate) fn restored(&self, day: Option<i64>) -> Listing {
        let mut count = self.restores.lock().unwrap();
        *count += 1;
        let to = self.root.path().join(format!("restored{count}"));
        let heard = Heard::default();
        let report = self.restore_to(&to, day, &heard).unwrap();
        assert_eq!((report.failed, heard.lines()), (0, Vec::new()));
        Listing::of(&to)
    }

    pub(crate) fn verify(&self, compare_data: bool, monitor: &dyn Monitor) -> Result<VerifyReport> {
        let options = VerifyOptions {
            time: None,
            path: PathIndex::root(),
            compare_data,
            rules: Rules::all(),
            copy_links: false,
            numeric_owner: false,
            ignore_errors: false,
            tempdir: self.root.path().to_owned(),
        };
        redup_engine::verify(&self.plain_target(), &self.source(), &options, monitor)
    }

    pub(crate) fn listed(&self, day: i64) -> Vec<Vec<u8>> {
        let mut paths = Vec::new();
        let options = ListOptions {
            time: Some(Timestamp::from_secs(START + day * DAY)),
        };
        redup_engine::list(
            &self.plain_target(),
            &options,
            &redup_engine::Silent,
            |index, _| {
                paths.push(index.as_bytes().to_vec());
                ControlFlow::Continue(())
            },
        )
        .unwrap();
        paths
    }

    /// Takes everything away from the store whose name has `part` in it.
    pub(crate) fn lose(&self, part: &str) {
        let names = self.memory.names();
        for name in names.iter().filter(|name| name.contains(part)) {
            self.runtime.block_on(self.memory.delete(name)).unwrap();
        }
    }

    /// What a restore of the source as it is now has to give.
    pub(crate) fn expected(&self) -> Listing {
        Listing::of(&self.source()).without_sockets().as_stored()
    }
}
