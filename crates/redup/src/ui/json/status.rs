//! `collection-status`.

use redup_engine::{SetChanges, StatusReport};
use redup_format::collections::{BackupChain, BackupSet, SetState};
use redup_format::manifest::{ChangeKind, FileChange};
use serde::Serialize;

use super::state::Path;
use crate::ui::format::utc_time;

/// The sets and chains of a target, as one object on a line.
pub(crate) fn status(report: &StatusReport, target: &str, archive_dir: &std::path::Path) -> String {
    let collection = &report.collection;
    let primary = collection.matched().map(|matched| matched.chain.start());
    let sets = |sets: &[BackupSet]| sets.iter().map(|set| Set::new(set, report)).collect();
    let chain = |chain: &BackupChain| Chain {
        start_time: utc_time(chain.start().secs()),
        start_time_seconds: chain.start().secs(),
        end_time: utc_time(chain.end().secs()),
        end_time_seconds: chain.end().secs(),
        primary: primary == Some(chain.start()),
        sets: sets(chain.sets()),
    };
    super::line(&Status {
        schema: "redup.status.v1",
        target,
        archive_dir: archive_dir.to_string_lossy().into_owned(),
        chains: collection.chains().iter().map(chain).collect(),
        orphaned_sets: sets(collection.orphaned_sets()),
        incomplete_sets: sets(collection.incomplete_sets()),
        orphaned_signatures: collection
            .orphaned_signatures()
            .map(|file| file.name.as_str())
            .collect(),
    })
}

#[derive(Serialize)]
struct Status<'a> {
    schema: &'static str,
    target: &'a str,
    archive_dir: String,
    chains: Vec<Chain>,
    orphaned_sets: Vec<Set>,
    incomplete_sets: Vec<Set>,
    orphaned_signatures: Vec<&'a str>,
}

#[derive(Serialize)]
struct Chain {
    start_time: Option<String>,
    start_time_seconds: i64,
    end_time: Option<String>,
    end_time_seconds: i64,
    primary: bool,
    sets: Vec<Set>,
}

#[derive(Serialize)]
struct Set {
    r#type: &'static str,
    time: Option<String>,
    time_seconds: i64,
    since: Option<String>,
    since_seconds: Option<i64>,
    volumes: Option<usize>,
    bytes: Option<u64>,
    encrypted: Option<bool>,
    signatures: bool,
    interrupted: bool,
}

impl Set {
    fn new(set: &BackupSet, report: &StatusReport) -> Self {
        // Without a listing of the store neither its volumes nor its own names are known.
        let bytes = report.bytes(set);
        let since = (!set.span.is_full()).then(|| set.span.start().secs());
        Self {
            r#type: set_type(set.span.is_full()),
            time: utc_time(set.span.end().secs()),
            time_seconds: set.span.end().secs(),
            since: since.and_then(utc_time),
            since_seconds: since,
            volumes: bytes.map(|_| set.volumes.len()),
            bytes,
            encrypted: bytes.map(|_| set.is_encrypted()),
            signatures: set.signature().is_some(),
            interrupted: set.state() == SetState::Interrupted,
        }
    }
}

fn set_type(full: bool) -> &'static str {
    if full { "full" } else { "incremental" }
}

/// A file that a set changed, as its manifest has it.
#[derive(Serialize)]
pub(crate) struct FileChanged<'a> {
    time: Option<String>,
    time_seconds: i64,
    r#type: &'static str,
    #[serde(flatten)]
    path: Path<'a>,
    change: &'static str,
}

impl<'a> FileChanged<'a> {
    pub(crate) fn new(set: &SetChanges, file: &'a FileChange) -> Self {
        Self {
            time: utc_time(set.span.end().secs()),
            time_seconds: set.span.end().secs(),
            r#type: set_type(set.span.is_full()),
            path: Path::of(&file.index),
            change: match file.kind {
                ChangeKind::New => "added",
                ChangeKind::Changed => "changed",
                ChangeKind::Deleted => "deleted",
            },
        }
    }
}

/// How such a list ends.
#[derive(Serialize)]
pub(crate) struct ChangesEnd {
    pub(crate) changes: u64,
}

/// Nothing more than every result says of itself.
#[derive(Serialize)]
pub(crate) struct Nothing {}
