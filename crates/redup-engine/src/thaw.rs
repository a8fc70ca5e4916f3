//! Objects in an archive class: known before anything is read, and thawed when that was asked for.
//!
//! A listing says which objects may be archived, and one look at each of them whether it still is. Thawing
//! takes minutes to days. It goes on at the store when the run that waits is ended; the next run finds it
//! under way, or over.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use redup_storage::{Access, ObjectInfo};

use crate::archive::Archive;
use crate::transfer::Transfer;
use crate::{Error, Event, Result};

/// The shortest and the longest time between two looks at what is being thawed.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Objects looked at between two waits, as long as none of them is ready. All are asked for at once and
/// take about as long, so the first few speak for the rest, and looking at thousands costs money.
const LOOKED_AT: usize = 8;

/// Sees to it that these objects can be read, which may take as long as thawing them does.
///
/// # Errors
/// [`Error::Archived`] when some cannot be read yet and nobody asked for them to be thawed.
pub(crate) fn make_readable<'n>(
    archive: &Archive<'_>,
    names: impl Iterator<Item = &'n str>,
) -> Result<()> {
    let suspects = names.filter(|name| archive.may_be_archived(name));
    let suspects: Vec<String> = suspects.map(ToOwned::to_owned).collect();
    if suspects.is_empty() {
        return Ok(());
    }
    let transfer = archive.transfer();
    let mut frozen = transfer.look_up_all(suspects)?;
    frozen.retain(|object| object.access != Access::Immediate);
    if frozen.is_empty() {
        return Ok(());
    }
    if !archive.target().thaw {
        return Err(archived(&frozen, transfer.location()));
    }
    let requested = request(transfer, &frozen)?;
    archive.monitor().event(Event::ThawRequested {
        objects: requested,
        under_way: frozen.len() - requested,
        bytes: frozen.iter().map(|object| object.len).sum(),
        classes: &classes(&frozen),
    });
    wait(archive, frozen)
}

/// Requests what is not yet requested, and says how many that were.
fn request(transfer: &Transfer, objects: &[ObjectInfo]) -> Result<usize> {
    let archived = objects
        .iter()
        .filter(|object| matches!(object.access, Access::Archived { .. }));
    let archived: Vec<_> = archived.cloned().collect();
    let count = archived.len();
    transfer.thaw_all(archived)?;
    Ok(count)
}

fn wait(archive: &Archive<'_>, frozen: Vec<ObjectInfo>) -> Result<()> {
    let start = Instant::now();
    let of = frozen.len();
    let mut waiting: Vec<String> = frozen.into_iter().map(|object| object.name).collect();
    waiting.sort_unstable_by(|a, b| b.cmp(a));
    loop {
        let first = waiting.split_off(waiting.len().saturating_sub(LOOKED_AT));
        let looked_at = first.len();
        let mut still = archive.transfer().look_up_all(first)?;
        still.retain(|object| object.access != Access::Immediate);
        // One whose thawed copy has expired meanwhile is asked for again.
        request(archive.transfer(), &still)?;
        let some_ready = still.len() < looked_at;
        waiting.extend(still.into_iter().map(|object| object.name));
        let ready = of - waiting.len();
        archive.monitor().event(Event::Thawing { ready, of });
        if waiting.is_empty() {
            return Ok(());
        }
        if !some_ready {
            pause(
                archive,
                (start.elapsed() / 20).clamp(INTERVAL.0, INTERVAL.1),
            )?;
        }
    }
}

/// Lets time pass, unless the run is to end.
fn pause(archive: &Archive<'_>, time: Duration) -> Result<()> {
    let begun = Instant::now();
    while let Some(left) = time.checked_sub(begun.elapsed()) {
        archive.target().go_on()?;
        thread::sleep(left.min(Duration::from_millis(100)));
    }
    archive.target().go_on()
}

fn archived(objects: &[ObjectInfo], location: String) -> Error {
    Error::Archived {
        objects: objects.len(),
        bytes: objects.iter().map(|object| object.len).sum(),
        classes: classes(objects),
        location,
    }
}

/// The archives that hold them, in words.
fn classes(objects: &[ObjectInfo]) -> String {
    let class = |object: &ObjectInfo| match &object.access {
        Access::Immediate => None,
        Access::Archived { class } | Access::Thawing { class } => Some(class.clone()),
    };
    let classes: BTreeSet<String> = objects.iter().filter_map(class).collect();
    classes.into_iter().collect::<Vec<_>>().join(" and ")
}
