//! Audit: every volume looked up at the store, and none read.
//!
//! A store may tell a hash of what it has: the SHA-1 that an object was stored with, or a checksum that it made
//! itself when the object arrived. The manifest has both of each volume, so that one question a volume shows what is
//! missing, was cut or replaced, also of volumes in an archive class. Damage that a store does not know of is for
//! [`verify()`](crate::verify()) to find.

use std::collections::HashMap;

use redup_format::collections::BackupSet;
use redup_format::filename::Span;
use redup_format::manifest::VolumeInfo;
use redup_storage::ObjectInfo;

use crate::archive::Archive;
use crate::checkpoint::hex;
use crate::{Error, Monitor, Result, Target};

/// Volumes asked about before the next manifest lines are turned into names.
const BATCH: usize = 1000;

/// What an audit has seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct AuditReport {
    /// Sets whose manifest was read.
    pub sets: u64,
    /// Volumes that are what the manifest says.
    pub confirmed: u64,
    /// Volumes that are there, and of which the store, or the manifest, tells no hash that could be compared.
    pub untold: u64,
    /// Volumes that are missing or something else; each was told.
    pub wrong: u64,
    /// Sets without a manifest, of which nothing can be said.
    pub unknown_sets: u64,
}

/// A volume that is not what the manifest says.
#[derive(Debug)]
pub struct WrongVolume {
    /// The set that it belongs to.
    pub span: Span,
    /// Its number in the set.
    pub number: u32,
    /// [`Error::MissingVolume`] or [`Error::NotAsStored`].
    pub error: Error,
}

/// Asks the store about each volume of all sets, and gives what is wrong to `each`.
///
/// # Errors
/// [`Error::NoChains`] when there is nothing to audit; the errors of the store, the keys and manifests.
pub fn audit(
    target: &Target,
    monitor: &dyn Monitor,
    mut each: impl FnMut(WrongVolume),
) -> Result<AuditReport> {
    let archive = Archive::open(target, monitor)?;
    let collection = archive.collection();
    let whole = collection.chains().iter().flat_map(|chain| chain.sets());
    let rest = collection.orphaned_sets().iter();
    let rest = rest.chain(collection.incomplete_sets());
    let mut report = AuditReport::default();
    for set in whole.chain(rest) {
        match set.manifest() {
            Some(_) => audit_set(&archive, set, &mut report, &mut each)?,
            None => report.unknown_sets += 1,
        }
    }
    match report.sets {
        0 => Err(Error::NoChains(archive.transfer().location())),
        _ => Ok(report),
    }
}

fn audit_set(
    archive: &Archive<'_>,
    set: &BackupSet,
    report: &mut AuditReport,
    each: &mut impl FnMut(WrongVolume),
) -> Result<()> {
    let manifest = archive.manifest(set)?;
    report.sets += 1;
    let volumes: Vec<_> = manifest.volumes.values().collect();
    for volumes in volumes.chunks(BATCH) {
        let name = |info: &VolumeInfo| Some(archive.volume_object(set, info.number)?.0);
        let names = volumes.iter().filter_map(|info| name(info)).collect();
        let found = archive.transfer().look_up_all(names)?;
        let found: HashMap<&str, &ObjectInfo> =
            found.iter().map(|object| (&*object.name, object)).collect();
        for info in volumes {
            let object = name(info).and_then(|name| found.get(&*name).copied());
            let outcome = match object {
                Some(object) => compare(info, object),
                None => Err(Error::MissingVolume {
                    span: set.span,
                    number: info.number,
                    location: archive.transfer().location(),
                }),
            };
            match outcome {
                Ok(true) => report.confirmed += 1,
                Ok(false) => report.untold += 1,
                Err(error) => {
                    report.wrong += 1;
                    each(WrongVolume {
                        span: set.span,
                        number: info.number,
                        error,
                    });
                }
            }
        }
    }
    Ok(())
}

/// Whether what the store tells confirms the manifest, which takes a hash that both have.
fn compare(info: &VolumeInfo, object: &ObjectInfo) -> Result<bool> {
    let bytes = |crc32: Option<u32>| crc32.map(|crc32| crc32.to_be_bytes().to_vec());
    let hashes = [
        (
            "SHA-1",
            info.sha1.map(Vec::from),
            object.sha1.map(Vec::from),
        ),
        ("CRC-32", bytes(info.crc32), bytes(object.crc32)),
    ];
    let mut confirmed = false;
    for (hash, expected, found) in hashes {
        let (Some(expected), Some(found)) = (expected, found) else {
            continue;
        };
        if expected != found {
            return Err(Error::NotAsStored {
                name: object.name.clone(),
                hash,
                expected: hex(&expected),
                found: hex(&found),
            });
        }
        confirmed = true;
    }
    Ok(confirmed)
}

#[cfg(test)]
mod tests {
    use redup_format::manifest::Position;

    use super::*;

    /// `c` for confirmed, `-` for not told, else the hash that differs.
    fn compared(manifest: (Option<u8>, Option<u32>), store: (Option<u8>, Option<u32>)) -> String {
        let sha1 = |byte: Option<u8>| byte.map(|byte| [byte; 20]);
        let info = VolumeInfo {
            number: 1,
            start: Position::default(),
            end: Position::default(),
            sha1: sha1(manifest.0),
            md5: None,
            crc32: manifest.1,
        };
        let object = ObjectInfo {
            sha1: sha1(store.0),
            crc32: store.1,
            ..ObjectInfo::new("x", 9)
        };
        match compare(&info, &object) {
            Ok(true) => "c".into(),
            Ok(false) => "-".into(),
            Err(Error::NotAsStored { hash, .. }) => hash.into(),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_hash_that_both_have_decides() {
        let both = (Some(1), Some(7));
        for (manifest, store, expected) in [
            (both, both, "c"),
            (both, (Some(1), None), "c"),
            (both, (None, Some(7)), "c"),
            (both, (None, None), "-"),
            // duplicity's manifests have the SHA-1 alone.
            ((Some(1), None), (None, Some(7)), "-"),
            ((Some(1), None), (Some(1), Some(8)), "c"),
            (both, (Some(2), Some(7)), "SHA-1"),
            // The metadata came along with an older copy, the content did not.
            (both, (Some(1), Some(8)), "CRC-32"),
        ] {
            assert_eq!(
                compared(manifest, store),
                expected,
                "{manifest:?} {store:?}"
            );
        }
    }
}
