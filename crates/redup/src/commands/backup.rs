//! `backup`, `full`, `incremental`.

use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use redup_engine::{BackupKind, BackupOptions, JsonStat};
use redup_format::time::Timestamp;
use redup_select::canonical_source;

use super::{Done, Session, progress};
use crate::args::{Args, Command, Opt};
use crate::config::{self, Host};
use crate::exit::{Code, Failure};
use crate::ui::{Level, Message, RunFacts, Ui, run_statistics, statistics};

pub(super) fn run(session: &Session) -> Result<Done, Failure> {
    let mut options = options(session)?;
    let target = session.target()?;
    let facts = RunFacts {
        start: seconds(),
        target: redup_storage::masked(&session.places.url),
        source: crate::args::lossy(session.local().as_os_str()),
        concurrency: options.concurrency.unwrap_or_default(),
    };
    let json = session.flag(Opt::JsonStat);
    if json {
        options.jsonstat = Some(print_and_keep(session, &facts));
    }
    let report = progress::backup(session, &target, &options)?;
    let (start, end) = (facts.start, seconds());
    if json && (report.skipped || options.dry_run) {
        say_json(session.ui.as_ref(), &run_statistics(&report, &facts, end));
    }
    if report.skipped {
        session
            .ui
            .notice("Skipped volume upload, as effectivly nothing has changed");
    }
    if session.args.options.switch(Opt::PrintStatistics, true) {
        let block = statistics(&report.statistics, start, end, session.ui.zone());
        session.ui.say(&Message::new(Level::NOTICE, block).forced());
    }
    let unread = report.statistics.errors;
    if unread > 0 {
        // Each was told; the status says that not everything is in this backup.
        session.ui.error(format!(
            "{unread} path(s) could not be read and are not in this backup"
        ));
    }
    Ok(Done {
        code: if unread > 0 {
            Code::GENERIC
        } else {
            Code::SUCCESS
        },
        backup: Some(report),
    })
}

/// Statistics as JSON are printed when they are stored.
fn print_and_keep(session: &Session, facts: &RunFacts) -> JsonStat {
    let (ui, facts) = (Arc::clone(&session.ui), facts.clone());
    JsonStat(Arc::new(move |report| {
        let json = run_statistics(report, &facts, seconds());
        say_json(&ui, &json);
        json
    }))
}

fn say_json(ui: &Ui, json: &[u8]) {
    let text = String::from_utf8_lossy(json);
    ui.say(&Message::new(Level::NOTICE, text).forced());
}

fn options(session: &Session) -> Result<BackupOptions, Failure> {
    let args = &session.args;
    let host = Host::read();
    let now = args
        .options
        .number(Opt::CurrentTime)
        .unwrap_or(session.clock.now);
    // An age: it counts back from the time that the backup gets.
    let full_if_before = config::time(args, Opt::FullIfOlderThan, &session.clock)?
        .map(|time| time.saturating_add(now.saturating_sub(session.clock.now)));
    Ok(BackupOptions {
        kind: match args.command {
            Command::Full => BackupKind::Full,
            Command::Incremental => BackupKind::Incremental,
            _ => BackupKind::Auto,
        },
        now: Timestamp::from_secs(now),
        full_if_before: full_if_before.map(Timestamp::from_secs),
        full_after_incs: args
            .options
            .number(Opt::FullIfNInc)
            .map(|count| u32::try_from(count.max(0)).unwrap_or(u32::MAX)),
        skip_if_unchanged: session.flag(Opt::SkipIfNoChange),
        volsize: config::volsize(args),
        concurrency: concurrency(args),
        mode: session.encryption.volume_mode(),
        max_blocksize: max_blocksize(args.options.number(Opt::MaxBlocksize)),
        allow_source_mismatch: session.flag(Opt::AllowSourceMismatch),
        hostname: host.name,
        hostname_aliases: host.aliases,
        local_dir: canonical_source(session.local().as_os_str().as_bytes()),
        rules: session.rules()?,
        copy_links: session.flag(Opt::CopyLinks),
        numeric_owner: session.flag(Opt::NumericOwner),
        files_changed: args.options.switch(Opt::FilesChanged, true),
        jsonstat: None,
        dry_run: session.flag(Opt::DryRun),
    })
}

/// What `--concurrency` says, else `--asynchronous-upload`.
fn concurrency(args: &Args) -> Option<u32> {
    let number = args.options.number(Opt::Concurrency);
    let asked = number.map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    asked.or(args.options.flag(Opt::AsynchronousUpload).then_some(1))
}

/// A multiple of 512, at least 512; nothing and 0 are no limit.
fn max_blocksize(given: Option<i64>) -> Option<u32> {
    let given = given.filter(|size| *size != 0)?.unsigned_abs();
    let rounded = given.div_ceil(512).saturating_mul(512);
    Some(u32::try_from(rounded).unwrap_or(u32::MAX / 512 * 512))
}

fn seconds() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Parsed, parse};

    #[test]
    fn the_older_option_counts_where_the_newer_is_not_given() {
        let asked = |line: &str| match parse(line.split(' ').map(Into::into), &|_| false) {
            Ok(Parsed::Run(args)) => concurrency(&args),
            other => panic!("{other:?}"),
        };
        assert_eq!(asked("a file:///t"), None);
        assert_eq!(asked("a file:///t --asynchronous-upload"), Some(1));
        let both = "a file:///t --concurrency 0 --asynchronous-upload";
        assert_eq!(asked(both), Some(0));
        assert_eq!(asked("a file:///t --concurrency 4"), Some(4));
    }

    #[test]
    fn block_sizes_are_multiples_of_512() {
        assert_eq!(max_blocksize(None), None);
        assert_eq!(max_blocksize(Some(0)), None);
        assert_eq!(max_blocksize(Some(1)), Some(512));
        assert_eq!(max_blocksize(Some(-2048)), Some(2048));
        assert_eq!(max_blocksize(Some(2049)), Some(2560));
        assert_eq!(max_blocksize(Some(i64::MIN)), Some(u32::MAX / 512 * 512));
    }
}
