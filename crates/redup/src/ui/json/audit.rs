//! `audit`.

use redup_engine::AuditReport;
use serde::Serialize;

use crate::ui::chain;
use crate::ui::format::utc_time;

/// A volume that is not what was stored, or a manifest that does not tell.
#[derive(Serialize)]
pub(crate) struct Wrong {
    set_time: Option<String>,
    set_time_seconds: i64,
    volume: Option<u32>,
    error: String,
}

impl Wrong {
    pub(crate) fn new(wrong: &redup_engine::Wrong) -> Self {
        let time = wrong.span.end().secs();
        Self {
            set_time: utc_time(time),
            set_time_seconds: time,
            volume: wrong.volume,
            error: chain(&wrong.error),
        }
    }
}

/// How an audit ends.
#[derive(Serialize)]
pub(crate) struct AuditEnd {
    sets: u64,
    confirmed: u64,
    untold: u64,
    wrong: u64,
    wrong_manifests: u64,
    unknown_sets: u64,
    sets_without_signatures: u64,
}

impl AuditEnd {
    pub(crate) fn new(report: &AuditReport) -> Self {
        Self {
            sets: report.sets,
            confirmed: report.confirmed,
            untold: report.untold,
            wrong: report.wrong,
            wrong_manifests: report.wrong_manifests,
            unknown_sets: report.unknown_sets,
            sets_without_signatures: report.sets_without_signatures,
        }
    }
}
