//! Ending a set: signatures, then manifest, and the local copies under their final names.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use redup_format::filename::{Kind, Naming, Span, Suffix};
use redup_format::manifest::{filelist_header, header_bytes};
use redup_storage::ObjectKind;
use redup_volume::{Encoding, VolumeWriter};

use super::log::FILE_LIST_NAME;
use crate::archive::{LOCAL_LEVEL, volume_error};
use crate::archive_dir::ArchiveDir;
use crate::checkpoint::{self, StoredVolume};
use crate::transfer::Transfer;
use crate::{Error, Event, Monitor, Result};

/// Who and what the manifest says was backed up.
#[derive(Debug)]
pub(super) struct Origin<'a> {
    pub(super) hostname: &'a str,
    pub(super) local_dir: &'a [u8],
}

/// Where a set ends up.
pub(super) struct Finisher<'a> {
    pub(super) dir: &'a ArchiveDir,
    pub(super) transfer: &'a Transfer,
    pub(super) monitor: &'a dyn Monitor,
    pub(super) naming: &'a Naming,
    pub(super) span: Span,
    pub(super) encoding: &'a Encoding,
}

impl Finisher<'_> {
    /// Stores signatures and manifest of a set whose volumes are all stored. The set exists at the
    /// store once this has put its manifest; every step before leaves a set that can be resumed.
    pub(super) fn run(
        &self,
        origin: &Origin<'_>,
        volumes: &[StoredVolume],
        listed_files: Option<u64>,
    ) -> Result<()> {
        let partial_signatures = self.naming.partial_name(self.span, Kind::Signature);
        self.store_signatures(&partial_signatures)?;
        self.keep_signatures(&partial_signatures)?;

        let partial_manifest = self.naming.partial_name(self.span, Kind::Manifest);
        self.write_manifest(&partial_manifest, origin, volumes, listed_files)?;
        self.store_manifest(&partial_manifest)?;
        self.dir.rename(
            &partial_manifest,
            &self.naming.local_name(self.span, Kind::Manifest),
        )?;

        self.dir.remove(checkpoint::NAME)?;
        self.dir.remove(FILE_LIST_NAME)?;
        self.dir.sync()
    }

    /// Stores a set's statistics, and keeps them. The set is complete with or without them.
    pub(super) fn store_statistics(&self, statistics: &[u8]) -> Result<()> {
        let suffix = self.encoding.suffix();
        let name = self.naming.name(self.span, Kind::JsonStat, suffix);
        self.store(&name, ObjectKind::Other, self.encoding, statistics)?;
        let local = self.naming.local_name(self.span, Kind::JsonStat);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::new(LOCAL_LEVEL));
        let packed = gzip.write_all(statistics).and_then(|()| gzip.finish());
        let packed = packed.map_err(|e| Error::io("write", self.dir.path(&local), e))?;
        self.dir.write(&local, &packed)
    }

    fn store_signatures(&self, partial: &str) -> Result<()> {
        let name = self
            .naming
            .name(self.span, Kind::Signature, self.encoding.suffix());
        self.store(
            &name,
            ObjectKind::Signature,
            self.encoding,
            self.open(partial)?,
        )
    }

    /// The local copy is gzip whatever the store's is.
    fn keep_signatures(&self, partial: &str) -> Result<()> {
        let name = self.naming.local_name(self.span, Kind::Signature);
        let mut staged = self.dir.stage(&name)?;
        let mut gzip = GzEncoder::new(BufWriter::new(&mut staged), Compression::new(LOCAL_LEVEL));
        io::copy(&mut self.open(partial)?, &mut gzip)
            .and_then(|_| gzip.finish())
            .and_then(|mut buffered| buffered.flush())
            .map_err(|e| Error::io("write", self.dir.path(&name), e))?;
        staged.commit()?;
        self.dir.remove(partial)
    }

    /// Writes the complete manifest over the partial one: a crash leaves either.
    fn write_manifest(
        &self,
        partial: &str,
        origin: &Origin<'_>,
        volumes: &[StoredVolume],
        listed_files: Option<u64>,
    ) -> Result<()> {
        let mut staged = self.dir.stage(partial)?;
        let mut out = BufWriter::new(&mut staged);
        let write = |out: &mut dyn Write| -> io::Result<()> {
            out.write_all(&header_bytes(
                Some(origin.hostname.as_bytes()),
                Some(origin.local_dir),
            ))?;
            for volume in volumes {
                out.write_all(&volume.info.to_bytes())?;
            }
            if let Some(count) = listed_files {
                out.write_all(&filelist_header(
                    usize::try_from(count).unwrap_or(usize::MAX),
                ))?;
                io::copy(&mut File::open(self.dir.path(FILE_LIST_NAME))?, out)?;
            }
            out.flush()
        };
        write(&mut out).map_err(|e| Error::io("write", self.dir.path(partial), e))?;
        drop(out);
        staged.commit()
    }

    /// The remote manifest is encrypted or plain, never gzip.
    fn store_manifest(&self, partial: &str) -> Result<()> {
        let encoding = match self.encoding {
            Encoding::OpenPgp(_) => self.encoding.clone(),
            Encoding::Plain | Encoding::Gzip { .. } => Encoding::Plain,
        };
        let suffix = if encoding.suffix().is_encrypted() {
            Suffix::Gpg
        } else {
            Suffix::Plain
        };
        let name = self.naming.name(self.span, Kind::Manifest, suffix);
        self.store(&name, ObjectKind::Manifest, &encoding, self.open(partial)?)
    }

    fn store(
        &self,
        name: &str,
        kind: ObjectKind,
        encoding: &Encoding,
        mut from: impl Read,
    ) -> Result<()> {
        self.monitor.event(Event::Writing { name });
        let encode_error = |source| Error::Volume {
            name: name.to_owned(),
            source,
        };
        let object = self.transfer.create(name, kind);
        let mut writer = VolumeWriter::new(encoding, object).map_err(encode_error)?;
        io::copy(&mut from, &mut writer).map_err(|e| volume_error(name, e))?;
        let (_, object) = writer.finish().map_err(encode_error)?;
        object.finish()?.complete()?;
        Ok(())
    }

    fn open(&self, name: &str) -> Result<File> {
        self.dir
            .open_file(name)?
            .ok_or_else(|| Error::io("open", self.dir.path(name), io::ErrorKind::NotFound.into()))
    }
}
