//! `verify`.

use redup_engine::{Difference, VerifyReport};
use redup_format::entry::Attributes;
use redup_format::index::PathIndex;
use serde::Serialize;

use super::state::{Path, type_name};
use crate::ui::format::utc_time;

/// A path at which source and backup differ.
#[derive(Serialize)]
pub(crate) struct Differs<'a> {
    #[serde(flatten)]
    path: Path<'a>,
    what: &'static str,
    source: Option<String>,
    backup: Option<String>,
}

impl<'a> Differs<'a> {
    pub(crate) fn new(index: &'a PathIndex, difference: &Difference) -> Self {
        let (what, values) = match difference {
            Difference::New => ("only_in_source", None),
            Difference::Missing => ("missing", None),
            Difference::Type(source, backup) => ("type", Some([source, backup].map(kind))),
            Difference::Permissions(source, backup) => {
                ("permissions", Some([source, backup].map(permissions)))
            }
            Difference::Mtime(source, backup) => {
                let time = |time: &i64| utc_time(*time).unwrap_or_else(|| time.to_string());
                ("mtime", Some([source, backup].map(time)))
            }
            Difference::Data => ("content", None),
            Difference::LinkTarget(source, backup) => {
                let text = |target: &Vec<u8>| String::from_utf8_lossy(target).into_owned();
                ("link_target", Some([source, backup].map(text)))
            }
            Difference::Device(source, backup) => {
                let numbers = |(major, minor): &(u32, u32)| format!("{major}:{minor}");
                ("device", Some([source, backup].map(numbers)))
            }
            _ => ("other", None),
        };
        let (source, backup) = values.map(|[source, backup]| (source, backup)).unzip();
        Self {
            path: Path::of(index),
            what,
            source,
            backup,
        }
    }
}

/// A path that could not be rebuilt, or with no path a volume that could not be read.
#[derive(Serialize)]
pub(crate) struct Failed<'a> {
    #[serde(flatten)]
    path: Path<'a>,
    error: String,
}

impl<'a> Failed<'a> {
    pub(crate) fn new(index: Option<&'a PathIndex>, error: String) -> Self {
        Self {
            path: index.map_or_else(Path::none, Path::of),
            error,
        }
    }
}

/// How a verify ends.
#[derive(Serialize)]
pub(crate) struct VerifyEnd {
    compared: u64,
    differences: u64,
    failed: u64,
    skipped_volumes: u32,
}

impl VerifyEnd {
    pub(crate) fn new(report: &VerifyReport) -> Self {
        Self {
            compared: report.compared,
            differences: report.differences,
            failed: report.failed,
            skipped_volumes: report.skipped_volumes,
        }
    }
}

fn kind(attributes: &Attributes) -> String {
    type_name(&attributes.file_type).to_owned()
}

/// `0:0 0644`: owner, group, mode.
fn permissions(attributes: &Attributes) -> String {
    let mode = attributes.mode & Attributes::MODE_MASK;
    format!("{}:{} {mode:04o}", attributes.uid, attributes.gid)
}
