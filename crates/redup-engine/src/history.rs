//! Which files the sets of the newest chain changed.

use std::io::Read;

use redup_format::collections::SetFile;
use redup_format::manifest::Reader as ManifestReader;

use crate::archive::{Archive, volume_error};
use crate::{Error, Monitor, Result, SetChanges, Target};

/// Statistics are a few KiB; what is behind this is none.
const MAX_STATISTICS: u64 = 16 << 20;

/// The changes of each set of the newest chain, the oldest set first, and with `statistics` what was
/// stored of them. Nothing is written: what the archive dir lacks is read at the store.
///
/// # Errors
/// [`Error::NoChains`] when there is none; the errors of the store, the keys and manifests.
pub fn changes(
    target: &Target,
    statistics: bool,
    monitor: &dyn Monitor,
) -> Result<Vec<SetChanges>> {
    let archive = Archive::open_metadata(target, monitor)?;
    archive.tell_last_full();
    let none = || Error::NoChains(archive.transfer().location());
    let chain = archive.collection().newest_chain().ok_or_else(none)?;
    let mut changes = Vec::new();
    for set in chain.sets() {
        let file = set.manifest().ok_or(Error::NoManifest(set.span))?;
        let bad = |source| Error::BadManifest {
            name: file.name.clone(),
            source,
        };
        let mut input = archive.open_file(file)?;
        let mut reader = ManifestReader::new();
        let mut buffer = vec![0; 1 << 16];
        let manifest = loop {
            match input.read(&mut buffer) {
                Ok(0) => break reader.finish().map_err(bad)?,
                Ok(count) => reader.push(&buffer[..count]).map_err(bad)?,
                Err(error) => return Err(volume_error(&file.name, error)),
            }
        };
        let stored = set.local.jsonstat.as_ref().or(set.remote_jsonstat.as_ref());
        let jsonstat = match stored.filter(|_| statistics) {
            Some(file) => Some(read_statistics(&archive, file)?),
            None => None,
        };
        changes.push(SetChanges {
            span: set.span,
            files: manifest.files_changed,
            jsonstat,
        });
    }
    Ok(changes)
}

fn read_statistics(archive: &Archive<'_>, file: &SetFile) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    archive
        .open_file(file)?
        .take(MAX_STATISTICS)
        .read_to_end(&mut bytes)
        .map_err(|error| volume_error(&file.name, error))?;
    Ok(bytes)
}
