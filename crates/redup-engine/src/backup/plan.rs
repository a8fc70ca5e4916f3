//! Deciding what a run makes: go on with an interrupted set, a full, or an increment.

use std::path::Path;

use redup_format::collections::{BackupSet, SetState};
use redup_format::filename::{Kind, Span};
use redup_format::manifest::Manifest;
use redup_format::time::Timestamp;

use super::resume::{Resumed, Resumer};
use super::{discard, leftovers, new_span};
use crate::archive::Archive;
use crate::{BackupKind, BackupOptions, Error, Event, Result};

/// What is made.
pub(super) struct Plan {
    pub(super) span: Span,
    /// The sets whose signatures the source is compared with; empty for a full.
    pub(super) basis: Vec<BackupSet>,
    pub(super) resumed: Option<Resumed>,
    /// The last volume behind those that are kept that could not be deleted: the set must come as far.
    pub(super) must_reach: Option<u32>,
}

impl Plan {
    /// Decides, brings the archive dir up to date for it, and makes the checks that go with it.
    pub(super) fn make(
        archive: &mut Archive<'_>,
        source: &Path,
        options: &BackupOptions,
    ) -> Result<Self> {
        if !options.dry_run {
            if let Some(plan) = Self::resume(archive, source, options)? {
                return Ok(plan);
            }
            sweep_signatures(archive)?;
        }
        let reason = wants_full(archive, options)?;
        if let Some(reason) = reason {
            tell_before_full(archive, options)?;
            if let Some(event) = reason {
                archive.monitor().event(event);
            }
            prove_passphrase(archive)?;
            let newest = archive.collection().chains().iter().map(|c| c.end()).max();
            return Ok(Self {
                span: new_span(free_time(archive, options), newest, true),
                basis: Vec::new(),
                resumed: None,
                must_reach: None,
            });
        }
        if options.dry_run {
            archive.announce_sync();
            archive.tell_last_full();
        } else {
            archive.sync(None)?;
        }
        let nothing = || Error::NothingToBuildOn(archive.transfer().location());
        let matched = archive.collection().matched().ok_or_else(nothing)?;
        if let Some(dropped) = matched.dropped {
            let text = format!(
                "the set left out is {}: an increment cannot build on it",
                dropped.span
            );
            archive.monitor().event(Event::Info(&text));
        }
        let basis = matched.sets.to_vec();
        check_basis(archive, &basis, options)?;
        Ok(Self {
            span: new_span(free_time(archive, options), Some(matched.end()), false),
            basis,
            resumed: None,
            must_reach: None,
        })
    }

    fn resume(
        archive: &mut Archive<'_>,
        source: &Path,
        options: &BackupOptions,
    ) -> Result<Option<Self>> {
        let Some(set) = archive.collection().partial_set().cloned() else {
            return Ok(None);
        };
        check_mode(&set, archive, options)?;
        leftovers::discard_uploads(archive, set.span);
        if !set.span.is_full() {
            archive.sync(Some(set.span.start()))?;
        }
        let set = archive.collection().partial_set().cloned().unwrap_or(set);
        let basis: Vec<BackupSet> = match set.span {
            Span::Full(_) => Vec::new(),
            Span::Inc { .. } => {
                let chain = archive
                    .collection()
                    .chains()
                    .iter()
                    .find(|c| c.last().span == set.span);
                chain
                    .map(|c| c.sets()[..c.sets().len() - 1].to_vec())
                    .unwrap_or_default()
            }
        };
        let resumer = Resumer {
            archive,
            set: &set,
            source,
            options,
            basis: &basis,
        };
        match resumer.run()? {
            Some(resumed) => {
                let kept = resumed.kept.len();
                let mut must_reach = None;
                for (number, file) in set.volumes.iter().rev() {
                    if *number as usize > kept && !leftovers::delete(archive, &file.name)? {
                        must_reach = must_reach.max(Some(*number));
                    }
                }
                Ok(Some(Self {
                    span: set.span,
                    basis,
                    resumed: Some(resumed),
                    must_reach,
                }))
            }
            None => {
                discard(archive, &set, "none of its volumes can be built on")?;
                Ok(None)
            }
        }
    }
}

/// The run's time, or the next one at which nothing is left of a set that was given up.
fn free_time(archive: &Archive<'_>, options: &BackupOptions) -> Timestamp {
    let mut now = options.now;
    let left = archive.collection().incomplete_sets();
    while left.iter().any(|set| set.span.end() == now) {
        now = Timestamp::from_secs(now.secs() + 1);
    }
    now
}

/// Removes checkpoints of signatures without one of a manifest: a run that died between writing the
/// two leaves that, and nothing can be resumed from it.
fn sweep_signatures(archive: &Archive<'_>) -> Result<()> {
    for name in archive.dir().names()? {
        let parsed = archive.target().naming.parse(&name);
        let Some(part) = parsed.filter(|p| p.partial && p.kind == Kind::Signature) else {
            continue;
        };
        let manifest = archive
            .target()
            .naming
            .partial_name(part.span, Kind::Manifest);
        if archive.dir().open_file(&manifest)?.is_none() {
            archive.dir().remove(&name)?;
        }
    }
    Ok(())
}

/// Whether a full is made, and what is to be told of it where none was asked for.
fn wants_full(
    archive: &Archive<'_>,
    options: &BackupOptions,
) -> Result<Option<Option<Event<'static>>>> {
    let collection = archive.collection();
    if options.kind == BackupKind::Full {
        return Ok(Some(None));
    }
    // Asked before there must be something to build on: a full that was never made is older than
    // any, so that a script that always says `incremental` starts its own first chain.
    let newest_full = collection.chains().iter().map(|c| c.start()).max();
    if newest_full < options.full_if_before {
        return Ok(Some(Some(Event::FullIsTooOld)));
    }
    let incs = collection.newest_chain().map_or(0, |c| c.incs().len());
    if options
        .full_after_incs
        .is_some_and(|most| newest_full.is_some() && incs as u64 >= u64::from(most))
    {
        return Ok(Some(Some(Event::TooManyIncrements)));
    }
    match options.kind {
        BackupKind::Incremental if collection.matched().is_none() => {
            archive.tell_in_sync();
            archive.tell_last_full();
            Err(Error::NothingToBuildOn(archive.transfer().location()))
        }
        BackupKind::Auto if collection.matched().is_none() => Ok(Some(Some(Event::SwitchedToFull))),
        _ => Ok(None),
    }
}

/// A full needs no metadata of older sets: they are brought over only where all of them were asked for.
fn tell_before_full(archive: &mut Archive<'_>, options: &BackupOptions) -> Result<()> {
    if options.kind != BackupKind::Full {
        if archive.syncs_all() && !options.dry_run {
            return archive.sync(None);
        }
        archive.tell_in_sync();
    }
    archive.tell_last_full();
    Ok(())
}

/// A full needs nothing of the older sets. But if they are encrypted with a passphrase, a mistyped
/// one would make a backup that nobody can open: the newest remote manifest shows whether it fits.
fn prove_passphrase(archive: &Archive<'_>) -> Result<()> {
    let newest = archive.collection().newest_chain().map(|c| c.last());
    let manifest = newest
        .filter(|set| set.local.manifest.is_none())
        .and_then(|s| s.remote_manifest.as_ref());
    match manifest {
        Some(file) if file.suffix.is_encrypted() && archive.keys().is_symmetric() => {
            archive.read_manifest(file).map(drop)
        }
        _ => Ok(()),
    }
}

/// An interrupted set goes on in the mode it began in, and with a passphrase that opens it.
fn check_mode(set: &BackupSet, archive: &Archive<'_>, options: &BackupOptions) -> Result<()> {
    let Some(first) = set.volumes.get(&1) else {
        return Ok(());
    };
    let naming = &archive.target().naming;
    let expected = naming.name(set.span, Kind::Volume(1), options.mode.suffix());
    if first.suffix != options.mode.suffix() {
        return Err(Error::EncryptionChanged {
            found: first.name.clone(),
            expected,
        });
    }
    if first.suffix.is_encrypted() && archive.keys().is_symmetric() {
        // Opening the message checks the passphrase; its content does not matter here.
        archive.open_file(first).map(drop)?;
    }
    Ok(())
}

/// What an increment must agree with: nothing lost from the chain, this host, this source.
fn check_basis(archive: &Archive<'_>, basis: &[BackupSet], options: &BackupOptions) -> Result<()> {
    let mut newest = None;
    for set in basis {
        let manifest = archive.manifest(set)?;
        let missing = set.missing_volumes(&manifest);
        if let Some(number) = missing.first().filter(|_| archive.is_listed()) {
            let location = archive.transfer().location();
            return Err(Error::MissingVolume {
                span: set.span,
                number: *number,
                location,
            });
        }
        newest = Some((set, manifest));
    }
    let Some((set, manifest)) = newest else {
        return Ok(());
    };
    let compared = set.state() == SetState::Complete && set.local.manifest.is_some();
    if compared && !archive.is_trusted() {
        check_remote(archive, set, &manifest)?;
    }
    if options.allow_source_mismatch {
        return Ok(());
    }
    check_source(&manifest, options)
}

/// The remote manifest is compared where it can be read without a secret key.
fn check_remote(archive: &Archive<'_>, set: &BackupSet, local: &Manifest) -> Result<()> {
    let Some(file) = &set.remote_manifest else {
        return Ok(());
    };
    if file.suffix.is_encrypted() && !archive.keys().is_symmetric() {
        return Ok(());
    }
    match archive.read_manifest(file)?.difference(local) {
        None => Ok(()),
        Some(_) => Err(Error::ManifestMismatch(set.span.end())),
    }
}

fn check_source(manifest: &Manifest, options: &BackupOptions) -> Result<()> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if let Some(host) = &manifest.hostname {
        let names = options.hostname_aliases.iter().chain([&options.hostname]);
        if !names
            .into_iter()
            .any(|name| name.as_bytes() == host.as_slice())
        {
            return Err(Error::HostMismatch {
                current: options.hostname.clone(),
                previous: text(host),
            });
        }
    }
    match &manifest.local_dir {
        Some(dir) if *dir != options.local_dir => Err(Error::SourceMismatch {
            current: text(&options.local_dir),
            previous: text(dir),
        }),
        _ => Ok(()),
    }
}
