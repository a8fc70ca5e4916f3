//! What `find` found, for people.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use redup_engine::{Found, PathEvent, PathState};

use super::compared::{aspect_word, kind_word};
use super::difference::path_text;
use super::escape;
use super::format::{iso_time, short_time, size};
use redup_format::entry::FileType;

/// A path, and below it a line for each of its versions.
pub(crate) fn found(found: &Found, zone: &TimeZone) -> String {
    let mut text = format!("{}\n", path_text(&found.index));
    for version in &found.versions {
        let time = iso_time(version.time.secs(), zone);
        let line = match &version.event {
            PathEvent::Added(state) => format!("added    {}", described(state, zone)),
            PathEvent::Changed(state, what) => {
                let what: Vec<_> = what.iter().map(|aspect| aspect_word(*aspect)).collect();
                format!("changed  {}  ({})", described(state, zone), what.join(", "))
            }
            PathEvent::Deleted => "deleted".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {time}  {line}");
    }
    text
}

/// `file    1.50 KB  2023-11-14 22:13:20`: the type, how long at most, the mtime.
fn described(state: &PathState, zone: &TimeZone) -> String {
    let attributes = &state.attributes;
    let len = state.size.as_ref().map_or_else(String::new, |len| {
        let at_most = if len.start() == len.end() { "" } else { "<=" };
        format!("{at_most}{}", size(*len.end()))
    });
    let kind = kind_word(&attributes.file_type);
    let mtime = short_time(attributes.mtime, zone);
    let target = match &attributes.file_type {
        FileType::Symlink { target } => format!(" -> {}", escape(target)),
        _ => String::new(),
    };
    format!("{kind:<6} {len:>11}  {mtime}{target}")
}
