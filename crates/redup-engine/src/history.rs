//! Which files the sets of the newest chain changed.

use std::io::Read;

use redup_format::manifest::Reader as ManifestReader;

use crate::archive::{Archive, volume_error};
use crate::{Error, Monitor, Result, SetChanges, Target};

/// The changes of each set of the newest chain, the oldest set first. Nothing is written: a manifest
/// that the archive dir lacks is read at the store.
///
/// # Errors
/// [`Error::NoChains`] when there is none; the errors of the store, the keys and manifests.
pub fn changes(target: &Target, monitor: &dyn Monitor) -> Result<Vec<SetChanges>> {
    let archive = Archive::open(target, monitor)?;
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
        changes.push(SetChanges {
            span: set.span,
            files: manifest.files_changed,
        });
    }
    Ok(changes)
}
