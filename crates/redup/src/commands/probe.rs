//! `probe`: tries a target out and says what works.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redup_s3::{FamilyReach, Reach, S3Options, S3Storage};
use redup_storage::probe::{Check, Outcome, Probe, Report};
use redup_storage::{Error, FileStorage, Interruptible, Storage};

use super::{Session, TIME_TO_GIVE_UP, printed};
use crate::args::Opt;
use crate::config::{self, Store};
use crate::exit::{Code, Failure};
use crate::ui::{ProbeResult, Row, Rows, size};

/// How often a request is tried: an answer in seconds is wanted, not perseverance.
const ATTEMPTS: u32 = 3;

/// Parts of the upload: two of them are a few MiB, and the smallest that the protocol has.
const PART_SIZE: u64 = 5 << 20;

pub(super) fn run(session: &Session) -> Result<Code, Failure> {
    let target = &session.places.url;
    let (store, notes) = noted(session)?;
    let mut rows = Rows::default();
    let mut result = ProbeResult::new(config::shown(target));
    match store {
        Store::File(folder) => probe_folder(session, &folder, &mut rows, &mut result),
        Store::S3(options) => probe_s3(session, *options, &mut rows, &mut result),
    }
    result.notes = std::mem::take(&mut notes.lock().unwrap_or_else(PoisonError::into_inner));
    let code = rows.worst();
    result.rows = rows;
    match session.flag(Opt::Json) {
        true => printed(&session.ui, &result.json())?,
        false => printed(&session.ui, &result.table())?,
    }
    Ok(code)
}

type Notes = Arc<Mutex<Vec<String>>>;

/// The store, which tells its notices to a list.
fn noted(session: &Session) -> Result<(Store, Notes), Failure> {
    let Session {
        args,
        environment,
        ui,
        places,
        ..
    } = session;
    let mut store = config::store(&places.url, args, environment, ui)?;
    let notes = Notes::default();
    if let Store::S3(options) = &mut store {
        let list = Arc::clone(&notes);
        options.notify = Some(Arc::new(move |notice| {
            list.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(notice.to_string());
        }));
        options.attempts = ATTEMPTS;
        options.part_size = Some(PART_SIZE);
        options.expected_object_size = None;
    }
    Ok((store, notes))
}

fn probe_folder(session: &Session, folder: &Path, rows: &mut Rows, result: &mut ProbeResult) {
    let storage = FileStorage::new(folder);
    let made = missing_folders(folder);
    rows.push(match storage.free_space() {
        Ok(free) => {
            result.free_bytes = Some(free);
            let made = if made.is_empty() {
                ""
            } else {
                "; a backup makes the folder"
            };
            Row::works("folder", None).detail(format!("{} free{made}", size(free)))
        }
        Err(error) => {
            let error = Error::from_io(
                redup_storage::Op::Connect,
                folder.display().to_string(),
                error,
            );
            Row::failed("folder", None, error.into())
        }
    });
    probe_store(session, Arc::new(storage), Probe::new, rows, result);
    // What was not there is not there afterwards. One that has got something in it stays.
    for folder in made {
        std::fs::remove_dir(folder).ok();
    }
}

/// The folder and those above it that do not exist, from below.
fn missing_folders(folder: &Path) -> Vec<PathBuf> {
    let missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    folder
        .ancestors()
        .take_while(missing)
        .map(Path::to_owned)
        .collect()
}

fn probe_s3(session: &Session, options: S3Options, rows: &mut Rows, result: &mut ProbeResult) {
    let runtime = session.runtime.handle();
    let start = Instant::now();
    match runtime.block_on(redup_s3::reach(&options)) {
        Ok(reach) => {
            let open = tell_reach(&reach, rows);
            result.endpoint = Some(reach.url);
            if !open {
                return rows.push(Row::skipped("sign in", "no way to the server"));
            }
        }
        Err(error) => {
            return rows.push(Row::failed("name", Some(start.elapsed()), error.into()));
        }
    }
    let start = Instant::now();
    match runtime.block_on(S3Storage::connect(options)) {
        Ok(storage) => {
            result.region = Some(storage.region().to_owned());
            result.asked_class = storage.volume_class().map(str::to_owned);
            let region = storage.region();
            let found = format!("bucket found, region {region}");
            rows.push(Row::works("sign in", Some(start.elapsed())).detail(found));
            let probe = |storage| Probe::new(storage).expecting_own_uploads();
            probe_store(session, Arc::new(storage), probe, rows, result);
        }
        Err(error) => rows.push(Row::failed("sign in", Some(start.elapsed()), error.into())),
    }
}

/// Tells the ways to the server, and whether there is one.
fn tell_reach(reach: &Reach, rows: &mut Rows) -> bool {
    let Reach {
        host,
        port,
        resolved_in,
        ..
    } = reach;
    let place = format!("{host} port {port}");
    if reach.through_proxy {
        rows.push(Row::works("name", None).detail(format!("{place}, through a proxy")));
        return true;
    }
    rows.push(Row::works("name", Some(*resolved_in)).detail(place));
    let answers = |family: &FamilyReach| family.answered_in.is_some();
    let open = reach.families.iter().any(answers);
    for family in &reach.families {
        rows.push(family_row(family, open));
    }
    open
}

fn family_row(family: &FamilyReach, other_works: bool) -> Row {
    let check = if family.ipv6 { "IPv6" } else { "IPv4" };
    let Some(first) = family.addresses.first() else {
        return Row::skipped(check, "the server has no such address");
    };
    match (&family.error, family.answered_in) {
        (None, Some(answered)) => {
            let connected = family.connected_in.unwrap_or_default();
            let more = match family.addresses.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let times = Row::time(connected);
            Row::works(check, Some(answered)).detail(format!("{first}{more}, connected in {times}"))
        }
        (Some(error), _) => {
            let failure = Failure::from_error(Code::STORE, error);
            let failure = error.hint().into_iter().fold(failure, Failure::hint);
            let row = Row::failed(check, None, failure);
            if other_works { row.not_needed() } else { row }
        }
        (None, None) => Row::skipped(check, "not tried"),
    }
}

/// Tries the store itself, once it is open.
fn probe_store(
    session: &Session,
    storage: Arc<dyn Storage>,
    probe: fn(Arc<dyn Storage>) -> Probe,
    rows: &mut Rows,
    result: &mut ProbeResult,
) {
    let direct = Arc::clone(&storage);
    let storage = Interruptible::new(storage);
    let probe = probe(Arc::new(storage.clone()));
    let (last, runtime) = (probe.by(direct), session.runtime.handle().clone());
    session.ending.set(move || {
        let tidy_up = async {
            storage.interrupt().await;
            drop(last.remove().await);
        };
        drop(runtime.block_on(async { tokio::time::timeout(TIME_TO_GIVE_UP, tidy_up).await }));
    });
    let report = session.runtime.block_on(probe.run());
    tell_report(report, rows, result);
}

fn tell_report(report: Report, rows: &mut Rows, result: &mut ProbeResult) {
    let took = |check| {
        let step = report.steps.iter().find(|step| step.check == check);
        step.map(|step| step.took)
    };
    let rate = |check| {
        let (len, _) = report.large?;
        Some(per_second(len, took(check)?))
    };
    result.round_trip = report.round_trip;
    result.upload_rate = rate(Check::Upload);
    result.download_rate = rate(Check::Download);
    result.class = report.stored.as_ref().map(|stored| {
        let class = stored.class.as_deref();
        class.unwrap_or("STANDARD").to_owned()
    });
    result.tells_crc32 = report.large.map(|_| report.tells_crc32);
    result.tells_sha1 = report.round_trip.map(|_| report.tells_sha1);
    let (objects, round_trip, large) = (report.objects, report.round_trip, report.large);
    for step in report.steps {
        let (name, detail) = match step.check {
            Check::List => ("list", objects.map(|count| format!("{count} object(s)"))),
            Check::Write => ("write", None),
            Check::Read => (
                "read",
                round_trip.map(|time| format!("what was written; round trip {}", Row::time(time))),
            ),
            Check::Upload => (
                "upload",
                large.map(|(len, parts)| {
                    let rate = size(per_second(len, step.took));
                    format!("{} in {parts} part(s), {rate}/s", size(len))
                }),
            ),
            Check::Download => (
                "download",
                large.map(|(len, _)| {
                    format!("{}, {}/s", size(len), size(per_second(len, step.took)))
                }),
            ),
            Check::Unfinished => ("clean up", Some("open uploads can be listed".to_owned())),
            Check::Delete => ("delete", None),
        };
        let row = match step.outcome {
            Outcome::Works => {
                let row = Row::works(name, Some(step.took));
                detail.into_iter().fold(row, Row::detail)
            }
            Outcome::Failed(error) => Row::failed(name, Some(step.took), error.into()),
            Outcome::Skipped(why) => Row::skipped(name, why),
        };
        rows.push(match step.check {
            // Removals and clean-ups alone do that.
            Check::Unfinished | Check::Delete => row.not_needed(),
            _ => row,
        });
    }
}

fn per_second(bytes: u64, took: Duration) -> u64 {
    let micros = took.as_micros().max(1);
    u64::try_from(u128::from(bytes) * 1_000_000 / micros).unwrap_or(u64::MAX)
}
