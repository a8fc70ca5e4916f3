//! Uploads that an interrupted run left open at the store, where they cost money and nobody sees them.

use redup_format::filename::Span;
use redup_storage::Unfinished;

use crate::archive::Archive;
use crate::{Event, Result};

/// Frees what uploads of the interrupted set `span` occupy. To be called before this run begins any,
/// so that all there are belong to a run that is over. Not being able to is no reason to stop: the
/// backup is none the worse for it.
pub(super) fn discard_uploads(archive: &Archive<'_>, span: Span) {
    if let Err(error) = try_discard_uploads(archive, span) {
        let text = format!("uploads of the interrupted run may still take up space: {error}");
        archive.monitor().event(Event::Warning(&text));
    }
}

fn try_discard_uploads(archive: &Archive<'_>, span: Span) -> Result<()> {
    let naming = &archive.target().naming;
    let is_of_set = |upload: &&Unfinished| {
        let parsed = upload.name.as_deref().and_then(|name| naming.parse(name));
        parsed.is_some_and(|name| name.span == span)
    };
    let found = archive.transfer().list_unfinished()?;
    for upload in found.iter().filter(is_of_set) {
        archive.transfer().discard_unfinished(upload)?;
        let name = upload.name.as_deref().unwrap_or_default();
        let text = format!("discarded an unfinished upload of {name}");
        archive.monitor().event(Event::Info(&text));
    }
    Ok(())
}
