//! Which files backup sets changed: `collection-status` with `--file-changed` and
//! `--show-changes-in-set`.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use redup_engine::SetChanges;
use redup_format::index::PathIndex;
use redup_format::manifest::{ChangeKind, quote};

use super::difference::{path_bytes, path_text};
use super::format::pretty_time;
use super::{Level, Message, escape};

const RULE: &str = "-------------------------";

/// The sets that have a file in their list of changes.
pub(crate) fn file_history(sets: &[SetChanges], file: &PathIndex, zone: &TimeZone) -> Message {
    let mut rows = String::new();
    let mut count = 0;
    for set in sets {
        for change in set.files.iter().filter(|change| change.index == *file) {
            count += 1;
            let kind = if set.span.is_full() {
                "Full"
            } else {
                "Incremental"
            };
            let time = pretty_time(set.span.end().secs(), zone);
            let change = match change.kind {
                ChangeKind::New => "New",
                ChangeKind::Changed => "Changed",
                ChangeKind::Deleted => "Deleted",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(rows, "{kind:>20}   {time:>30}  {change:>20}");
        }
    }
    let heading = format!(
        "{:>20}   {:>30}  {:>20}",
        "Type of backup set:", "Time:", "Type of file change:"
    );
    message(format!(
        "{RULE}\nFile: {}\nTotal number of backup: {count}\n{heading}\n{rows}{RULE}",
        path_text(file)
    ))
}

/// The files that one set changed.
pub(crate) fn set_changes(set: &SetChanges, zone: &TimeZone) -> Message {
    let names: Vec<String> = set
        .files
        .iter()
        .map(|change| escape(&quote(path_bytes(&change.index))))
        .collect();
    let heading = "File:";
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .chain([heading.len()])
        .max()
        .unwrap_or_default();
    let mut rows = String::new();
    for (name, change) in names.iter().zip(&set.files) {
        let _ = writeln!(rows, "{name:<width$}  {:>20}", word(change.kind));
    }
    message(format!(
        "{RULE}\n Backup set time: {}\nTotal number of changes: {}\n{heading:<width$}  {:>20}\n{rows}{RULE}",
        pretty_time(set.span.end().secs(), zone),
        set.files.len(),
        "Type of file change:",
    ))
}

/// The word for a change, as manifests have it.
pub(crate) fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::New => "new",
        ChangeKind::Changed => "changed",
        ChangeKind::Deleted => "deleted",
    }
}

fn message(text: String) -> Message {
    Message::new(Level(8), text).code(3).forced()
}
