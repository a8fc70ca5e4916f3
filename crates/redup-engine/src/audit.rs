//! Audit: every volume looked up at the store, and none read.
//!
//! A store may tell a hash of what it has: the SHA-1 that an object was stored with, or a checksum that it made
//! itself when the object arrived. The manifest has both of each volume, so that one question a volume shows what is
//! missing, was cut or replaced, also of volumes in an archive class. Damage that a store does not know of is for
//! [`verify()`](crate::verify()) to find.

use std::collections::HashMap;

use redup_format::collections::{BackupSet, SetState};
use redup_format::filename::Span;
use redup_format::index::PathIndex;
use redup_format::manifest::{Manifest, VolumeInfo};
use redup_storage::{ErrorKind, ObjectInfo, Op};

use crate::archive::Archive;
use crate::chain::beyond_manifest;
use crate::checkpoint::hex;
use crate::{Error, Event, Monitor, Result, Target};

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
    /// Manifests that could not be read, were lost, or end before their set does; each was told.
    pub wrong_manifests: u64,
    /// Sets without a manifest, of which nothing can be said.
    pub unknown_sets: u64,
    /// Sets of chains whose signatures the store does not have; the monitor heard of each.
    pub sets_without_signatures: u64,
}

/// A volume that is not what the manifest says, or a manifest that says nothing, or not all.
#[derive(Debug)]
pub struct Wrong {
    /// The set that it belongs to.
    pub span: Span,
    /// The volume's number in the set; `None` when it is the manifest.
    pub volume: Option<u32>,
    /// What is wrong with it.
    pub error: Error,
}

/// Asks the store about each volume of all sets, and gives what is wrong to `each`. A manifest that cannot be read is
/// given, too, and those of other sets are gone on with.
///
/// # Errors
/// [`Error::NoChains`] when there is nothing to audit; the errors of the store, the keys and the archive dir. Keys that
/// open no manifest at all are one of them.
pub fn audit(
    target: &Target,
    monitor: &dyn Monitor,
    each: impl FnMut(Wrong),
) -> Result<AuditReport> {
    let archive = Archive::open(target, monitor)?;
    let collection = archive.collection();
    let mut run = Run {
        archive: &archive,
        each,
        report: AuditReport::default(),
        closed: Vec::new(),
    };
    for set in collection.chains().iter().flat_map(|chain| chain.sets()) {
        run.signatures(set);
        run.set(set)?;
    }
    let rest = collection.orphaned_sets().iter();
    for set in rest.chain(collection.incomplete_sets()) {
        run.set(set)?;
    }
    run.end()
}

struct Run<'a, F> {
    archive: &'a Archive<'a>,
    each: F,
    report: AuditReport,
    /// What the keys did not open while they have opened nothing yet. It may be the sets, or it is the keys.
    closed: Vec<(Span, Error)>,
}

impl<F: FnMut(Wrong)> Run<'_, F> {
    fn end(mut self) -> Result<AuditReport> {
        match self.closed.pop() {
            Some((_, error)) => Err(error),
            None if self.report.sets + self.report.wrong_manifests == 0 => {
                Err(Error::NoChains(self.archive.transfer().location()))
            }
            None => Ok(self.report),
        }
    }

    /// Tells signatures that the store lacks, as its listing has it.
    fn signatures(&mut self, set: &BackupSet) {
        if set.state() == SetState::Complete && set.remote_signature.is_none() {
            self.report.sets_without_signatures += 1;
            let text = format!(
                "{} at {}: it can be restored, but no increment can build on it",
                Error::NoSignatures(set.span),
                self.archive.transfer().location()
            );
            self.archive.monitor().event(Event::Warning(&text));
        }
    }

    fn set(&mut self, set: &BackupSet) -> Result<()> {
        let manifest = match self.archive.manifest(set) {
            Ok(manifest) => manifest,
            // Its upload may never have ended. Where the archive dir has the manifest, it has.
            Err(Error::NoManifest(_)) if set.local.manifest.is_none() => {
                self.report.unknown_sets += 1;
                return Ok(());
            }
            Err(error) if self.report.sets == 0 && is_closed(&error) => {
                self.closed.push((set.span, error));
                return Ok(());
            }
            Err(error) if is_about_one_set(&error) => {
                self.wrong(set.span, None, error);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.report.sets += 1;
        for (span, error) in std::mem::take(&mut self.closed) {
            self.wrong(span, None, error);
        }
        if let Some(error) = beyond_manifest(set, &manifest, &PathIndex::root()) {
            self.wrong(set.span, None, error);
        }
        self.volumes(set, &manifest)
    }

    fn volumes(&mut self, set: &BackupSet, manifest: &Manifest) -> Result<()> {
        let archive = self.archive;
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
                    Ok(true) => self.report.confirmed += 1,
                    Ok(false) => self.report.untold += 1,
                    Err(error) => self.wrong(set.span, Some(info.number), error),
                }
            }
        }
        Ok(())
    }

    fn wrong(&mut self, span: Span, volume: Option<u32>, error: Error) {
        match volume {
            Some(_) => self.report.wrong += 1,
            None => self.report.wrong_manifests += 1,
        }
        (self.each)(Wrong {
            span,
            volume,
            error,
        });
    }
}

/// Whether other keys might read this manifest: of a single set, or of all.
fn is_closed(error: &Error) -> bool {
    use redup_openpgp::Error as Message;
    match error {
        Error::WrongSigner { .. } | Error::NotSigned { .. } => true,
        Error::Volume {
            source: redup_volume::Error::OpenPgp(source),
            ..
        } => matches!(
            source,
            Message::WrongPassphrase | Message::PassphraseMissing | Message::NoSecretKey { .. }
        ),
        _ => false,
    }
}

/// Whether another manifest may well be fine. A store that denies or is not reached, a disk, and a key that is at hand
/// and cannot be used are not about this one.
fn is_about_one_set(error: &Error) -> bool {
    use redup_openpgp::Error as Message;
    use redup_volume::Error as Volume;
    match error {
        Error::NoManifest(_) => true,
        // Lost since it was listed, damaged at the store, or in an archive class.
        Error::Storage(error) => {
            let kinds = [
                ErrorKind::NotFound,
                ErrorKind::Corrupt,
                ErrorKind::Unsupported,
            ];
            error.op() == Op::Get && kinds.contains(&error.kind())
        }
        Error::Volume {
            source: Volume::Gpgsm | Volume::OpenPgp(Message::BadSignature { .. }),
            ..
        } => true,
        error => is_closed(error) || error.may_be_transfer(),
    }
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
