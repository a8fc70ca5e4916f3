//! Backup: scan, cut and commit run side by side, joined by bounded queues.

mod commit;
mod cut;
mod filelist;
mod finish;
mod leftovers;
mod log;
mod measure;
mod outstanding;
mod plan;
mod resume;
mod scan;
mod store_file;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{bounded, unbounded};
use redup_difftar::diffdir::{Change, DiffDir};
use redup_format::collections::BackupSet;
use redup_format::filename::Span;
use redup_format::index::PathIndex;
use redup_format::manifest::{Position, header_bytes};
use redup_format::time::Timestamp;
use redup_select::{Walk, WalkOptions};
use redup_volume::Encoding;

use crate::archive::{Archive, LocalSignatures, signature_error};
use crate::options::VolumeMode;
use crate::owner::OwnerMap;
use crate::{
    BackupOptions, BackupReport, Error, Event, JsonStat, Monitor, Result, Statistics, Target,
};
use commit::Committer;
use cut::{Continued, Cutter, VolumePlan};
use finish::{Finisher, Origin};
use log::SetLog;
pub use measure::measure;
use outstanding::Outstanding;
use plan::Plan;
use resume::{SIGNATURE_LIMIT, Start};
use scan::{Item, Output, Scanner, Unwalkable};

/// Members in flight between scanning and cutting; each is at most a piece and its headers.
const MEMBERS_IN_FLIGHT: usize = 256;

/// Volumes on their way to the store while the next one is cut, unless told otherwise. What they hold in
/// memory is bounded by the transfer's budget, not by this.
const VOLUMES_IN_FLIGHT: u32 = 5;

/// Backs `source` up: resumes an interrupted set if there is one, else makes the kind asked for.
///
/// The source is read once. Volumes are stored in order, then signatures, then the manifest: the set
/// exists from then on. A run that dies before leaves a set that the next run goes on with.
///
/// Files that cannot be read are left out, told to the monitor and counted in
/// [`Statistics::errors`]; their earlier versions stay in the chain.
///
/// # Errors
/// [`Error::NothingToBuildOn`] for an increment without a chain, [`Error::HostMismatch`] and
/// [`Error::SourceMismatch`] unless allowed, and the failures of store, keys and archive dir.
pub fn backup(
    target: &Target,
    source: &Path,
    options: &BackupOptions,
    monitor: &dyn Monitor,
) -> Result<BackupReport> {
    if source.symlink_metadata().is_err() {
        return Err(Error::SourceMissing(source.to_owned()));
    }
    // A part that cannot be read is left out and told; without its root there is nothing to back up.
    if source.is_dir() {
        std::fs::read_dir(source).map_err(|e| Error::io("open", source, e))?;
    }
    let mut archive = Archive::open_metadata(target, monitor)?;
    loop {
        let plan = Plan::make(&mut archive, source, options)?;
        let run = Run {
            archive: &archive,
            source,
            options,
            monitor,
        };
        if options.dry_run {
            return run.dry(&plan);
        }
        if options.skip_if_unchanged && run.is_unchanged(&plan)? {
            let report = run.dry(&plan)?;
            return Ok(BackupReport {
                skipped: true,
                ..report
            });
        }
        if let Some(report) = run.store(plan)? {
            return Ok(report);
        }
        archive.refresh()?;
        let given_up = archive.collection().partial_set().cloned();
        let given_up = given_up.ok_or(Error::Internal("a set that was given up"))?;
        let reason = "it has more volumes than it needs now, and they cannot be deleted";
        discard(&mut archive, &given_up, reason)?;
    }
}

struct Run<'a> {
    archive: &'a Archive<'a>,
    source: &'a Path,
    options: &'a BackupOptions,
    monitor: &'a dyn Monitor,
}

/// The comparison of source and signatures.
struct Changes<'a> {
    all: Box<dyn Iterator<Item = Result<scan::SourceChange, redup_difftar::Error>> + 'a>,
    /// When the newest of the sets was made.
    since: Option<Timestamp>,
}

impl Run<'_> {
    fn dry(&self, plan: &Plan) -> Result<BackupReport> {
        let changes = self.changes(&plan.basis)?;
        let mut scanner = self.scanner(None, Start::default(), changes.since);
        self.begin(changes.since);
        scanner.run(changes.all)?;
        self.monitor.event(Event::SourceBytes(scanner.source_bytes));
        self.monitor.event(Event::SourceEnds);
        Ok(BackupReport {
            span: plan.span,
            statistics: scanner.statistics,
            resumed: false,
            skipped: false,
            volumes: 0,
            built_on: built_on(&plan.basis),
        })
    }

    /// Whether an increment would hold nothing.
    fn is_unchanged(&self, plan: &Plan) -> Result<bool> {
        if plan.span.is_full() || plan.resumed.is_some() {
            return Ok(false);
        }
        self.monitor.event(Event::Comparing);
        for change in self.changes(&plan.basis)?.all {
            self.archive.target().go_on()?;
            match change.map_err(signature_error)? {
                Change::Unchanged { .. } | Change::Unreadable { .. } => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Makes the set. `None`: it ends before a volume that the interrupted run stored and nobody could delete, so that
    /// it must not become complete.
    fn store(&self, plan: Plan) -> Result<Option<BackupReport>> {
        let Plan {
            span,
            basis,
            resumed,
            must_reach,
        } = plan;
        let encoding = self.encoding()?;
        let naming = &self.archive.target().naming;
        let origin = Origin {
            hostname: &self.options.hostname,
            local_dir: &self.options.local_dir,
        };
        let header = header_bytes(Some(origin.hostname.as_bytes()), Some(origin.local_dir));
        let is_resumed = resumed.is_some();
        let (kept, start, continued, log) = match resumed {
            Some(r) => (r.kept, r.start, r.continued, r.log),
            None => {
                let log = SetLog::create(self.archive.dir(), naming, span)?;
                (Vec::new(), Start::default(), None, log)
            }
        };
        let log = Arc::new(Mutex::new(log));
        let committer = Committer::new(
            self.archive.dir(),
            self.monitor,
            naming,
            span,
            header,
            Arc::clone(&log),
            kept,
        )?;
        let volumes = VolumePlan {
            span,
            naming: naming.clone(),
            encoding: encoding.clone(),
            volsize: self.options.volsize,
        };
        let changes = self.changes(&basis)?;
        self.begin(changes.since);
        let (mut statistics, volumes, stored) = self.pipeline(
            volumes,
            committer,
            start,
            continued,
            changes,
            Arc::clone(&log),
        )?;
        statistics.total_destination_size_change = stored;
        let reached = u32::try_from(volumes.len()).unwrap_or(u32::MAX);
        if Some(reached) < must_reach {
            return Ok(None);
        }

        let log = Arc::into_inner(log).ok_or(Error::Internal("the signature writer"))?;
        let listed = log
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .finish()?;
        let finisher = Finisher {
            dir: self.archive.dir(),
            transfer: self.archive.transfer(),
            monitor: self.monitor,
            naming,
            span,
            encoding: &encoding,
        };
        finisher.run(
            &origin,
            &volumes,
            self.options.files_changed.then_some(listed),
        )?;
        let report = BackupReport {
            span,
            statistics,
            resumed: is_resumed,
            skipped: false,
            volumes: reached,
            built_on: built_on(&basis),
        };
        if let Some(JsonStat(make)) = &self.options.jsonstat {
            finisher.store_statistics(&make(&report))?;
        }
        Ok(Some(report))
    }

    /// Runs the three stages to their end. The error that stopped it all is the one reported: a stage
    /// whose neighbour is gone only says so.
    fn pipeline(
        &self,
        volumes: VolumePlan,
        committer: Committer<'_>,
        start: Start,
        continued: Option<Continued>,
        changes: Changes<'_>,
        log: Arc<Mutex<SetLog>>,
    ) -> Result<(Statistics, Vec<crate::checkpoint::StoredVolume>, u64)> {
        let (members, cut_members) = bounded(MEMBERS_IN_FLIGHT);
        let most = self.options.concurrency.unwrap_or(VOLUMES_IN_FLIGHT);
        let (outstanding, stored) = Outstanding::at_most(most);
        // What lies in it is counted above.
        let (finished, committed) = unbounded();
        let first = committer.next_number();
        let empty = (first == 1).then(|| Position {
            index: PathIndex::root(),
            block: None,
        });
        let transfer = self.archive.transfer().clone();
        thread::scope(|scope| {
            let commit = scope.spawn(move || committer.run(&committed, &stored));
            let cut = scope.spawn(move || {
                let mut cutter =
                    Cutter::new(volumes, transfer, finished, outstanding, first, continued);
                for member in cut_members {
                    cutter.push(&member)?;
                }
                cutter.finish(empty)
            });
            let output = Output { log, members };
            let mut scanner = self.scanner(Some(output), start, changes.since);
            let scanned = scanner.run(changes.all);
            let statistics = scanner.statistics;
            drop(scanner);
            self.monitor.event(Event::SourceEnds);
            let cut = cut
                .join()
                .unwrap_or(Err(Error::Internal("the volume writer")));
            let commit = commit
                .join()
                .unwrap_or(Err(Error::Internal("the commit stage")));
            match (commit, cut, scanned) {
                (Ok((volumes, stored)), Ok(()), Ok(())) => Ok((statistics, volumes, stored)),
                (commit, cut, scan) => {
                    let mut errors = [commit.err(), cut.err(), scan.err()].into_iter().flatten();
                    let first = errors.next().unwrap_or(Error::Internal("the backup"));
                    Err(errors.fold(first, |kept, next| match kept {
                        Error::Internal(_) => next,
                        kept => kept,
                    }))
                }
            }
        })
    }

    fn begin(&self, since: Option<Timestamp>) {
        let transfer = self.archive.transfer();
        let (made, stored) = transfer.traffic();
        self.monitor.event(Event::SourceBegins {
            since,
            made,
            stored,
            gathered: transfer.gathered(),
        });
    }

    fn scanner(
        &self,
        output: Option<Output>,
        start: Start,
        since: Option<Timestamp>,
    ) -> Scanner<'_> {
        Scanner {
            output,
            since,
            target: self.archive.target(),
            monitor: self.monitor,
            max_blocksize: self.options.max_blocksize,
            start,
            statistics: Statistics::default(),
            source_bytes: 0,
        }
    }

    fn changes(&self, basis: &[BackupSet]) -> Result<Changes<'_>> {
        let (socket, sockets) = unbounded();
        // A listener that is gone has nothing to be told.
        let on_socket = move |path: &Path| drop(socket.send(path.to_owned()));
        let options = WalkOptions {
            links: self.options.links(),
            on_socket: Some(Box::new(on_socket)),
        };
        let walk =
            Walk::new(self.source, self.options.rules.clone(), options).map_err(Error::Walk)?;
        let monitor = self.monitor;
        let walk = walk.inspect(move |_| {
            for path in sockets.try_iter() {
                monitor.event(Event::SocketSkipped(&path));
            }
        });
        let source = walk.map(|entry| entry.map(Item).map_err(Unwalkable));
        let signatures: Option<LocalSignatures> = match basis {
            [] => None,
            sets => Some(self.archive.signatures(sets)?),
        };
        let owners = OwnerMap::new(self.options.numeric_owner);
        let ids = move |attributes: &_| owners.resolve(attributes);
        let changes =
            DiffDir::new(source, signatures, ids, SIGNATURE_LIMIT).map_err(signature_error)?;
        Ok(Changes {
            all: Box::new(changes),
            since: basis.last().map(|set| set.span.end()),
        })
    }

    fn encoding(&self) -> Result<Encoding> {
        Ok(match self.options.mode {
            VolumeMode::Plain => Encoding::Plain,
            VolumeMode::Gzip { level } => Encoding::Gzip { level },
            VolumeMode::Encrypted => Encoding::OpenPgp(self.archive.keys().encryptor()?),
        })
    }
}

fn built_on(basis: &[BackupSet]) -> Vec<(Span, Option<String>)> {
    let name = |set: &BackupSet| set.local.jsonstat.as_ref().map(|file| file.name.clone());
    basis.iter().map(|set| (set.span, name(set))).collect()
}

impl VolumeMode {
    /// What this mode's files end in.
    fn suffix(self) -> redup_format::filename::Suffix {
        use redup_format::filename::Suffix;
        match self {
            Self::Plain => Suffix::Plain,
            Self::Gzip { .. } => Suffix::Gzip,
            Self::Encrypted => Suffix::Gpg,
        }
    }
}

/// Tells that a set is made anew, and removes what there is of it.
fn discard(archive: &mut Archive<'_>, set: &BackupSet, reason: &str) -> Result<()> {
    archive.monitor().event(Event::RestartFromScratch {
        span: set.span,
        reason,
    });
    for name in set.remote_names() {
        leftovers::delete(archive, name)?;
    }
    for name in set.local_names() {
        archive.dir().remove(name)?;
    }
    archive.dir().remove(crate::checkpoint::NAME)?;
    archive.refresh()
}

/// The span of a new set: times are whole seconds and identity, so a new one is later than all.
fn new_span(now: Timestamp, newest: Option<Timestamp>, full: bool) -> Span {
    let end = match newest {
        Some(newest) if now <= newest => Timestamp::from_secs(newest.secs() + 1),
        _ => now,
    };
    match newest {
        Some(start) if !full => Span::Inc { start, end },
        _ => Span::Full(end),
    }
}
