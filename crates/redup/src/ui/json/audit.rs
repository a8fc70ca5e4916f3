//! `audit`.

use redup_engine::{AuditReport, WrongVolume};
use serde::Serialize;

use crate::ui::chain;
use crate::ui::format::utc_time;

/// A volume that is not what was stored.
#[derive(Serialize)]
pub(crate) struct Wrong {
    set_time: Option<String>,
    set_time_seconds: i64,
    volume: u32,
    error: String,
}

impl Wrong {
    pub(crate) fn new(wrong: &WrongVolume) -> Self {
        let time = wrong.span.end().secs();
        Self {
            set_time: utc_time(time),
            set_time_seconds: time,
            volume: wrong.number,
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
    unknown_sets: u64,
}

impl AuditEnd {
    pub(crate) fn new(report: &AuditReport) -> Self {
        Self {
            sets: report.sets,
            confirmed: report.confirmed,
            untold: report.untold,
            wrong: report.wrong,
            unknown_sets: report.unknown_sets,
        }
    }
}
