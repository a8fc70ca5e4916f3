//! The records of results that are about paths: `list-current-files`, `find`, `diff`.

use redup_engine::{DiffReport, FindReport, Found, PathChange, PathEvent, PathState, PathVersion};
use redup_format::index::PathIndex;
use redup_format::time::Timestamp;
use serde::Serialize;

use super::state::{Path, State, aspects};
use crate::ui::format::utc_time;

/// The backup set that a result is about.
#[derive(Serialize)]
pub(crate) struct PointInTime {
    time: Option<String>,
    time_seconds: Option<i64>,
}

impl PointInTime {
    pub(crate) fn new(time: Option<Timestamp>) -> Self {
        Self {
            time: time.and_then(|time| utc_time(time.secs())),
            time_seconds: time.map(Timestamp::secs),
        }
    }
}

/// A path of a listing.
#[derive(Serialize)]
pub(crate) struct Listed<'a> {
    #[serde(flatten)]
    path: Path<'a>,
    #[serde(flatten)]
    state: State<'a>,
}

impl<'a> Listed<'a> {
    pub(crate) fn new(index: &'a PathIndex, state: &'a PathState) -> Self {
        Self {
            path: Path::of(index),
            state: State::of(state),
        }
    }
}

/// How a listing ends.
#[derive(Serialize)]
pub(crate) struct ListEnd {
    pub(crate) paths: u64,
}

/// What is searched for.
#[derive(Serialize)]
pub(crate) struct FindBegin<'a> {
    pub(crate) pattern: &'a str,
}

/// A path that was found.
#[derive(Serialize)]
pub(crate) struct PathFound<'a> {
    #[serde(flatten)]
    path: Path<'a>,
    versions: Vec<Version<'a>>,
}

#[derive(Serialize)]
struct Version<'a> {
    time: Option<String>,
    time_seconds: i64,
    event: &'static str,
    what: Vec<&'static str>,
    state: Option<State<'a>>,
}

impl<'a> PathFound<'a> {
    pub(crate) fn new(found: &'a Found) -> Self {
        Self {
            path: Path::of(&found.index),
            versions: found.versions.iter().map(Version::new).collect(),
        }
    }
}

impl<'a> Version<'a> {
    fn new(version: &'a PathVersion) -> Self {
        let (event, what, state) = match &version.event {
            PathEvent::Added(state) => ("added", Vec::new(), Some(state)),
            PathEvent::Changed(state, what) => ("changed", aspects(what), Some(state)),
            PathEvent::Deleted => ("deleted", Vec::new(), None),
        };
        Self {
            time: utc_time(version.time.secs()),
            time_seconds: version.time.secs(),
            event,
            what,
            state: state.map(State::of),
        }
    }
}

/// How a search ends.
#[derive(Serialize)]
pub(crate) struct FindEnd {
    found: u64,
    backups_searched: usize,
    backups_not_searched: usize,
}

impl FindEnd {
    pub(crate) fn new(report: &FindReport) -> Self {
        Self {
            found: report.found,
            backups_searched: report.sets,
            backups_not_searched: report.unsearched,
        }
    }
}

/// What is compared.
#[derive(Serialize)]
pub(crate) struct DiffBegin {
    old_time: Option<String>,
    old_time_seconds: Option<i64>,
    new_time: Option<String>,
    new_time_seconds: Option<i64>,
}

impl DiffBegin {
    pub(crate) fn new(old: Option<Timestamp>, new: Option<Timestamp>) -> Self {
        let (old, new) = (PointInTime::new(old), PointInTime::new(new));
        Self {
            old_time: old.time,
            old_time_seconds: old.time_seconds,
            new_time: new.time,
            new_time_seconds: new.time_seconds,
        }
    }
}

/// A path that differs.
#[derive(Serialize)]
pub(crate) struct Difference<'a> {
    #[serde(flatten)]
    path: Path<'a>,
    change: &'static str,
    what: Vec<&'static str>,
    old: Option<State<'a>>,
    new: Option<State<'a>>,
}

impl<'a> Difference<'a> {
    pub(crate) fn new(index: &'a PathIndex, change: &'a PathChange) -> Self {
        let (word, what, old, new) = match change {
            PathChange::Added(new) => ("added", Vec::new(), None, Some(new)),
            PathChange::Removed(old) => ("removed", Vec::new(), Some(old), None),
            PathChange::Changed { old, new, what } => {
                ("changed", aspects(what), Some(old), Some(new))
            }
        };
        Self {
            path: Path::of(index),
            change: word,
            what,
            old: old.map(State::of),
            new: new.map(State::of),
        }
    }
}

/// How a comparison ends.
#[derive(Serialize)]
pub(crate) struct DiffEnd {
    added: u64,
    removed: u64,
    changed: u64,
}

impl DiffEnd {
    pub(crate) fn new(report: &DiffReport) -> Self {
        Self {
            added: report.added,
            removed: report.removed,
            changed: report.changed,
        }
    }
}
