//! `remove-…`, `prune`, `cleanup`, and what a restore would read.

use redup_engine::RemoveReport;
use redup_format::collections::BackupChain;
use redup_format::retention::Removal;
use redup_format::time::Timestamp;
use redup_storage::Unfinished;
use serde::Serialize;

use super::PointInTime;
use crate::ui::format::utc_time;

/// Chains that go, or would.
#[derive(Debug, Default, Serialize)]
pub(crate) struct RemovalPlan {
    chains: Vec<Chain>,
    only_increments: bool,
}

#[derive(Debug, Serialize)]
struct Chain {
    start_time: Option<String>,
    start_time_seconds: i64,
    end_time: Option<String>,
    end_time_seconds: i64,
    sets: usize,
}

impl RemovalPlan {
    pub(crate) fn new(removal: &Removal<'_>) -> Self {
        let chain = |chain: &&BackupChain| Chain {
            start_time: utc_time(chain.start().secs()),
            start_time_seconds: chain.start().secs(),
            end_time: utc_time(chain.end().secs()),
            end_time_seconds: chain.end().secs(),
            sets: chain.sets().len(),
        };
        Self {
            chains: removal.chains.iter().map(chain).collect(),
            only_increments: removal.keeps_fulls,
        }
    }
}

/// Leftovers that go, or would.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CleanupPlan {
    files: Vec<String>,
    uploads: Vec<String>,
    interrupted_time: Option<String>,
    interrupted_time_seconds: Option<i64>,
}

impl CleanupPlan {
    pub(crate) fn new(
        names: &[&str],
        unfinished: &[Unfinished],
        interrupted: Option<Timestamp>,
    ) -> Self {
        let upload = |upload: &Unfinished| upload.name.clone().unwrap_or_else(|| upload.id.clone());
        Self {
            files: names.iter().map(|&name| name.to_owned()).collect(),
            uploads: unfinished.iter().map(upload).collect(),
            interrupted_time: interrupted.and_then(|time| utc_time(time.secs())),
            interrupted_time_seconds: interrupted.map(Timestamp::secs),
        }
    }
}

/// A deletion or its preview, as one object on a line.
pub(crate) fn deletion(
    schema: &'static str,
    target: &str,
    deletes: bool,
    plan: &impl Serialize,
    report: &RemoveReport,
) -> String {
    super::line(&Deletion {
        schema,
        target,
        deletes,
        plan,
        deleted: report.deleted,
        failed: report.failed,
    })
}

#[derive(Serialize)]
struct Deletion<'a, T> {
    schema: &'static str,
    target: &'a str,
    deletes: bool,
    #[serde(flatten)]
    plan: &'a T,
    deleted: u64,
    failed: u64,
}

/// What a restore would read, as one object on a line.
pub(crate) fn restore_plan(target: &str, time: Option<Timestamp>, volumes: &[String]) -> String {
    super::line(&RestorePlan {
        schema: "redup.restore-plan.v1",
        target,
        time: PointInTime::new(time),
        volumes,
    })
}

#[derive(Serialize)]
struct RestorePlan<'a> {
    schema: &'static str,
    target: &'a str,
    #[serde(flatten)]
    time: PointInTime,
    volumes: &'a [String],
}
