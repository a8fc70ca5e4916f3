//! Statistics as JSON: of a run (`--jsonstat`), and of stored sets with the files they changed.

use redup_engine::{BackupReport, SetChanges};
use redup_format::filename::Span;
use redup_format::manifest::quote;
use redup_format::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::changes::word;
use super::difference::path_bytes;
use super::{Level, Message};

/// What the report of a run does not know.
#[derive(Debug, Clone)]
pub(crate) struct RunFacts {
    /// Seconds since the epoch.
    pub(crate) start: f64,
    /// The target, its password masked.
    pub(crate) target: String,
    /// The source, as it was typed.
    pub(crate) source: String,
    /// Volumes that may be on their way at a time, as it was asked for; else 0.
    pub(crate) concurrency: u32,
}

/// The keys, and their order, are duplicity's.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RunStatistics {
    filename: Option<()>,
    start_time: f64,
    end_time: f64,
    elapsed_time: f64,
    errors: u64,
    total_destination_size_change: u64,
    source_files: u64,
    source_file_size: u64,
    new_files: u64,
    new_file_size: u64,
    deleted_files: u64,
    changed_files: u64,
    changed_file_size: u64,
    changed_delta_size: u64,
    delta_entries: u64,
    raw_delta_size: u64,
    #[serde(rename = "StartTime_str")]
    start_time_str: String,
    #[serde(rename = "EndTime_str")]
    end_time_str: String,
    #[serde(rename = "backup_meta")]
    meta: RunMeta,
}

#[derive(Serialize)]
struct RunMeta {
    action: &'static str,
    skipped_inc: bool,
    time_full_bkp: i64,
    time_full_bkp_str: String,
    no_of_inc: usize,
    concurrency: u32,
    target: String,
    source: String,
    local_json_stat: Vec<String>,
}

/// The statistics of a run that ended at `end`, seconds since the epoch.
pub(crate) fn run_statistics(report: &BackupReport, facts: &RunFacts, end: f64) -> Vec<u8> {
    let figures = &report.statistics;
    let full = report
        .built_on
        .first()
        .map_or(report.span, |(span, _)| *span);
    let mut local: Vec<_> = report
        .built_on
        .iter()
        .map(|(_, name)| name.clone().unwrap_or_else(|| "N/A".to_owned()))
        .collect();
    if local.is_empty() {
        local.push("N/A".to_owned());
    }
    pretty(&RunStatistics {
        filename: None,
        start_time: facts.start,
        end_time: end,
        elapsed_time: (end - facts.start).max(0.0),
        errors: figures.errors,
        total_destination_size_change: figures.total_destination_size_change,
        source_files: figures.source_files,
        source_file_size: figures.source_file_size,
        new_files: figures.new_files,
        new_file_size: figures.new_file_size,
        deleted_files: figures.deleted_files,
        changed_files: figures.changed_files,
        changed_file_size: figures.changed_file_size,
        changed_delta_size: 0,
        delta_entries: figures.delta_entries,
        raw_delta_size: figures.raw_delta_size,
        start_time_str: moment(facts.start),
        end_time_str: moment(end),
        meta: RunMeta {
            action: if report.span.is_full() { "full" } else { "inc" },
            skipped_inc: report.skipped,
            time_full_bkp: full.end().secs(),
            time_full_bkp_str: full.end().to_string(),
            no_of_inc: report.built_on.len().saturating_sub(1),
            concurrency: facts.concurrency,
            target: facts.target.clone(),
            source: facts.source.clone(),
            local_json_stat: local,
        },
    })
}

/// Statistics and changed files of stored sets.
pub(crate) fn stored_statistics<'a>(sets: impl Iterator<Item = &'a SetChanges>) -> Message {
    let mut all = Map::new();
    for set in sets {
        let key = match set.span {
            Span::Full(time) => format!("full-{time}"),
            Span::Inc { end, .. } => format!("inc-{end}"),
        };
        // What is no JSON is somebody else's, and as good as none.
        let stored = set.jsonstat.as_deref().unwrap_or(b"{}");
        let stored = serde_json::from_slice(stored).unwrap_or_else(|_| Value::Object(Map::new()));
        // Paths as in the manifest, like duplicity's.
        let files = set.files.iter().map(|change| {
            let path = String::from_utf8_lossy(&quote(path_bytes(&change.index))).into_owned();
            (path, Value::from(word(change.kind)))
        });
        let files: Map<_, _> = files.collect();
        let entry = [("json_stat", stored), ("files_changed", files.into())];
        let entry: Map<_, _> = entry
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        all.insert(key, entry.into());
    }
    let text = String::from_utf8_lossy(&pretty(&all)).into_owned();
    Message::new(Level(8), text).code(3).forced()
}

fn moment(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "the conversion saturates")]
    let whole = seconds.floor() as i64;
    Timestamp::from_secs(whole).to_string()
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, form);
    // Strings and numbers into memory: nothing that could fail.
    drop(value.serialize(&mut serializer));
    bytes
}
