//! What `diff` found, for people.

use jiff::tz::TimeZone;
use redup_engine::{Aspect, DiffReport, PathChange, PathState};
use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;

use super::difference::path_text;
use super::escape;
use super::format::short_time;

/// `+ new`, `- gone`, or `M changed` and behind two blanks what differs; folders end in a slash.
pub(crate) fn path_change(index: &PathIndex, change: &PathChange, zone: &TimeZone) -> String {
    let path = |state: &PathState| {
        let slash = if state.attributes.file_type.is_directory() {
            "/"
        } else {
            ""
        };
        format!("{}{slash}", path_text(index))
    };
    match change {
        PathChange::Added(state) => format!("+ {}\n", path(state)),
        PathChange::Removed(state) => format!("- {}\n", path(state)),
        PathChange::Changed { old, new, what } => {
            let what = what.iter().map(|aspect| {
                let word = aspect_word(*aspect);
                match values(*aspect, &old.attributes, &new.attributes, zone) {
                    Some((old, new)) => format!("{word} {old} -> {new}"),
                    None => word.to_owned(),
                }
            });
            let what: Vec<_> = what.collect();
            format!("M {}  {}\n", path(new), what.join(", "))
        }
    }
}

/// How many there were.
pub(crate) fn comparison(report: &DiffReport) -> String {
    let DiffReport {
        added,
        removed,
        changed,
    } = report;
    format!("{added} added, {removed} removed, {changed} changed.")
}

/// The word for what differs.
pub(crate) fn aspect_word(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::Type => "type",
        Aspect::Content => "content",
        Aspect::ContentUnknown => "perhaps content",
        Aspect::LinkTarget => "target",
        Aspect::Device => "device",
        Aspect::Mode => "mode",
        Aspect::Owner => "owner",
        Aspect::Mtime => "mtime",
        _ => "something else",
    }
}

/// The word for a type.
pub(crate) fn kind_word(file_type: &FileType) -> &'static str {
    match file_type {
        FileType::Regular => "file",
        FileType::Directory => "folder",
        FileType::Symlink { .. } => "link",
        FileType::Fifo => "pipe",
        FileType::CharDevice { .. } | FileType::BlockDevice { .. } => "device",
    }
}

fn values(
    aspect: Aspect,
    old: &Attributes,
    new: &Attributes,
    zone: &TimeZone,
) -> Option<(String, String)> {
    let value = |it: &Attributes| {
        Some(match (aspect, &it.file_type) {
            (Aspect::Type, file_type) => kind_word(file_type).to_owned(),
            (Aspect::LinkTarget, FileType::Symlink { target }) => escape(target),
            (
                Aspect::Device,
                FileType::CharDevice { major, minor } | FileType::BlockDevice { major, minor },
            ) => {
                format!("{major}:{minor}")
            }
            (Aspect::Mode, _) => format!("{:o}", it.mode & Attributes::MODE_MASK),
            (Aspect::Owner, _) => {
                format!("{}:{}", name(&it.uname, it.uid), name(&it.gname, it.gid))
            }
            (Aspect::Mtime, _) => short_time(it.mtime, zone),
            _ => return None,
        })
    };
    Some((value(old)?, value(new)?))
}

fn name(name: &[u8], number: u64) -> String {
    match name {
        [] => number.to_string(),
        name => escape(name),
    }
}
