//! Sets that duplicity began: what is stored is read from the volumes themselves.

use std::io::{self, Read};

use redup_difftar::Warnings;
use redup_difftar::diffdir::unchanged;
use redup_difftar::difftar::{Content, DifftarReader};
use redup_format::entry::Attributes;
use redup_format::filename::Suffix;
use redup_format::index::PathIndex;
use redup_format::manifest::ChangeKind;
use redup_rsync::{SignatureBuilder, block_len};
use sha1::{Digest, Sha1};

use super::{Resumed, Resumer};
use crate::backup::log::{Entry, SetLog};
use crate::checkpoint::{StoredPieces, StoredVolume};
use crate::count::Work;
use crate::owner::OwnerMap;
use crate::thaw::make_readable;
use crate::volumes::PlannedVolume;
use crate::{Error, Result};

impl Resumer<'_> {
    /// Volumes of duplicity's partial manifest, but for the last one at the store, which may be
    /// incomplete.
    pub(super) fn foreign_volumes(&self) -> Result<Vec<StoredVolume>> {
        let manifest = self.archive.manifest(self.set)?;
        let usable = self.set.contiguous_volumes().saturating_sub(1);
        let known = manifest
            .volumes
            .keys()
            .zip(1..)
            .take_while(|(found, due)| *found == due)
            .count();
        if (known as u64) < u64::from(usable) {
            return Ok(Vec::new());
        }
        let volumes = manifest.volumes.into_values().take(usable as usize);
        Ok(volumes
            .map(|info| StoredVolume {
                len: self
                    .archive
                    .volume_object(self.set, info.number)
                    .map_or(0, |(_, len, _)| len),
                info,
                pieces: None,
                signatures: (0, [0; 20]),
            })
            .collect())
    }

    /// Rebuilds the log from the volumes.
    pub(super) fn resume_foreign(&self, kept: &[StoredVolume]) -> Result<Option<Resumed>> {
        let Some(last) = kept.last() else {
            return Ok(None);
        };
        let opener = crate::chain::opener(self.archive, kept.len(), false);
        let volumes = kept.iter().map(|v| {
            let object = self.archive.volume_object(self.set, v.info.number);
            let suffix = object.as_ref().map_or(Suffix::Plain, |o| o.2);
            PlannedVolume {
                span: self.set.span,
                number: v.info.number,
                object: object.map(|(name, len, _)| (name, len)),
                suffix,
                sha1: v.info.sha1,
                work: Work::default(),
            }
        });
        let volumes: Vec<_> = volumes.collect();
        let objects = volumes.iter().filter_map(|v| v.object.as_ref());
        make_readable(self.archive, objects.map(|(name, _)| name.as_str()))?;
        let cursor = opener.cursor(volumes);
        let mut reader = DifftarReader::new(cursor, Warnings::new(|_| {}));
        let mut log = self.new_log()?;
        let mut pieces = None;
        loop {
            let (index, content) = match reader.advance().map_err(crate::chain::chain_error) {
                Ok(Some(entry)) => (entry.index.clone(), entry.content.clone()),
                Ok(None) => break,
                Err(error) if is_missing_key(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            let position = &last.info.end;
            if position.block.is_some() && index == position.index {
                let diff = matches!(content, Content::Diff(_));
                let mut hash = Sha1::new();
                copy(&mut reader, |bytes| hash.update(bytes))?;
                pieces = Some(StoredPieces {
                    diff,
                    sha1: hash.finalize().into(),
                });
            } else {
                self.recover(&mut log, &mut reader, &index, &content)?;
            }
        }
        if let Some(pieces) = &pieces
            && self.pieces_now(&last.info.end, pieces.diff)?.as_ref() != Some(pieces)
        {
            return Ok(None);
        }
        self.resumed(kept, pieces, log)
    }

    /// Adds one path of a kept volume to the log.
    fn recover(
        &self,
        log: &mut SetLog,
        payload: impl Read,
        index: &PathIndex,
        content: &Content,
    ) -> Result<()> {
        match content {
            Content::Deleted => log.add(index, Entry::Deleted, None),
            Content::Snapshot(attributes) if !attributes.file_type.is_regular() => {
                log.add(index, Entry::Other(attributes), None)
            }
            Content::Snapshot(attributes) => {
                let len = self.find(index).map_or(0, |e| e.len);
                let signature = self.sign(payload, len)?;
                log.add(
                    index,
                    Entry::File(attributes, &signature),
                    Some(ChangeKind::New),
                )
            }
            Content::Diff(attributes) => match self.sign_unchanged(index, attributes)? {
                Some(signature) => log.add(
                    index,
                    Entry::File(attributes, &signature),
                    Some(ChangeKind::Changed),
                ),
                // Unknown: the next increment stores it whole.
                None => log.add(index, Entry::Deleted, None),
            },
        }
    }

    /// The signature of a file that has not been touched since the set's time.
    fn sign_unchanged(&self, index: &PathIndex, stored: &Attributes) -> Result<Option<Vec<u8>>> {
        let entry = self.find(index);
        let owners = OwnerMap::new(self.options.numeric_owner);
        let untouched = entry.filter(|e| {
            e.ctime < self.set.span.end().secs()
                && unchanged(&e.attributes, stored, |a| owners.resolve(a))
        });
        match untouched.and_then(|e| Some((e.len, e.open().ok()?))) {
            Some((len, file)) => self.sign(file, len).map(Some),
            None => Ok(None),
        }
    }

    fn sign(&self, payload: impl Read, len: u64) -> Result<Vec<u8>> {
        let mut builder = SignatureBuilder::new(block_len(len, self.options.max_blocksize));
        copy(payload, |bytes| builder.update(bytes))?;
        Ok(builder.finish().into_bytes())
    }
}

fn copy(mut from: impl Read, mut to: impl FnMut(&[u8])) -> Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to(&buffer[..count]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(crate::restore::payload_error(&PathIndex::root(), e)),
        }
    }
}

/// Whether volumes cannot be read here at all: backups to public keys need no secret key.
fn is_missing_key(error: &Error) -> bool {
    let source = match error {
        Error::OpenPgp { source, .. } => source,
        Error::Volume {
            source: redup_volume::Error::OpenPgp(source),
            ..
        } => source,
        _ => return false,
    };
    matches!(source, redup_openpgp::Error::NoSecretKey { .. })
}
