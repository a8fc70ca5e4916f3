//! What an interrupted run left at the store and nobody needs: uploads that it left open, which cost money and
//! nobody sees, and volumes.

use redup_format::filename::Span;
use redup_storage::{ErrorKind, Unfinished};

use crate::archive::Archive;
use crate::{Error, Event, Result};

/// Deletes an object of the interrupted set; whether it is gone. Whoever may not delete can back up all the same:
/// what stays of a set without a manifest is in nobody's way, and a volume that stays of one that is resumed is replaced by
/// the one of its name, or else that set is given up, because no manifest may leave out a volume of its set.
pub(super) fn delete(archive: &Archive<'_>, name: &str) -> Result<bool> {
    match archive.transfer().delete(name) {
        Err(Error::Storage(error)) if error.kind() == ErrorKind::PermissionDenied => {
            let text = format!("left over from the interrupted run: {error}");
            archive.monitor().event(Event::Warning(&text));
            Ok(false)
        }
        outcome => outcome.map(|()| true),
    }
}

/// Frees what uploads of the interrupted set `span` occupy. To be called before this run begins any,
/// so that all there are belong to a run that is over. Not being able to is no reason to stop: the
/// backup is none the worse for it.
pub(super) fn discard_uploads(archive: &Archive<'_>, span: Span) {
    if let Err(error) = try_discard_uploads(archive, span) {
        let told = with_hint(&error);
        let text = format!("uploads of the interrupted run may still take up space: {told}");
        archive.monitor().event(Event::Warning(&text));
    }
}

/// An error of the store with what can be done about it.
fn with_hint(error: &Error) -> String {
    match error {
        Error::Storage(error) => match error.hint() {
            Some(hint) => format!("{error} ({hint})"),
            None => error.to_string(),
        },
        other => other.to_string(),
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
