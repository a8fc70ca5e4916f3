//! How much there is to back up, from names and inodes alone.

use std::path::Path;

use redup_format::time::Timestamp;
use redup_select::{SourceEntry, Walk, WalkOptions};

use crate::{BackupOptions, SourceSize};

/// Walks what a backup of `source` with these options goes through, and hands each path's size to `each` until it
/// gives `false`. `since` is what [`crate::Event::SourceBegins`] told.
///
/// Looks at each path and opens folders alone; holds one listing a level in memory. What cannot be looked at is
/// left out: the backup itself tells it.
pub fn measure(
    source: &Path,
    options: &BackupOptions,
    since: Option<Timestamp>,
    mut each: impl FnMut(SourceSize) -> bool,
) {
    let walk_options = WalkOptions {
        links: options.links(),
        ..WalkOptions::default()
    };
    let Ok(walk) = Walk::new(source, options.rules.clone(), walk_options) else {
        return;
    };
    for entry in walk.flatten() {
        if !each(weigh(&entry, since)) {
            return;
        }
    }
}

/// The size of one path, and whether it looks changed.
pub(super) fn weigh(entry: &SourceEntry, since: Option<Timestamp>) -> SourceSize {
    let regular = entry.attributes.file_type.is_regular();
    SourceSize {
        len: if regular { entry.len } else { 0 },
        expected: since.is_none_or(|since| entry.ctime >= since.secs()),
    }
}
