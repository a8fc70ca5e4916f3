//! Verify: every volume read and checked, and on request the rebuilt tree beside the source.

use std::cmp::Ordering as Order;
use std::fs::File;
use std::io::Read;
use std::iter::Peekable;
use std::path::Path;
use std::sync::atomic::Ordering;

use redup_difftar::difftar::VolumeSource;
use redup_difftar::patchdir::{PatchDir, Plan, StepKind, Target as Wanted};
use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;
use redup_rsync::ReadAt;
use redup_select::{Links, SourceEntry, Walk, WalkOptions};

use crate::archive::Archive;
use crate::chain::{Chain, Oddities, chain_error};
use crate::owner::OwnerMap;
use crate::restore::{payload_error, read_payload, rebuild};
use crate::scratch::Scratch;
use crate::thaw::make_readable;
use crate::{Difference, Error, Event, Monitor, Result, Target, VerifyOptions, VerifyReport};

/// Bytes compared at a time.
const BUFFER: usize = 1 << 16;

/// Reads the state at a time and checks every volume; with `compare_data` each path is rebuilt and
/// compared with `source`: existence, type, permissions, owner, whole seconds of mtime, content.
///
/// A file with differences on top needs random access to its older version: such versions are held
/// in memory, and in unlinked files of `tempdir` when they are large.
///
/// # Errors
/// [`Error::VerifyMissing`] when `source` does not exist; the errors of reading an archive.
pub fn verify(
    target: &Target,
    source: &Path,
    options: &VerifyOptions,
    monitor: &dyn Monitor,
) -> Result<VerifyReport> {
    if source.symlink_metadata().is_err() {
        return Err(Error::VerifyMissing(source.to_owned()));
    }
    let mut archive = Archive::open(target, monitor)?;
    archive.sync_manifests(options.time)?;
    let chain = Chain::plan(&archive, options.time, &options.path)?;
    make_readable(&archive, chain.volume_names())?;
    let opener = chain.opener(&archive, options.ignore_errors);
    let oddities = Oddities::default();
    let mut sets = chain.merge(&opener, &options.path, &oddities);
    let mut run = Run {
        owners: OwnerMap::new(options.numeric_owner),
        options,
        monitor,
        report: VerifyReport::default(),
    };
    for error in &chain.short_manifests {
        run.fail(&PathIndex::root(), error);
    }
    let walk = Walk::new(
        source,
        options.rules.clone(),
        walk_options(options.copy_links),
    );
    let walk = walk.map_err(Error::Walk)?.peekable();
    if options.compare_data {
        run.compare_all(&mut sets, walk, &oddities)?;
    } else {
        run.read_all(&mut sets, walk, &oddities)?;
    }
    run.report.skipped_volumes = opener.skipped.load(Ordering::Relaxed);
    Ok(run.report)
}

struct Run<'a> {
    owners: OwnerMap,
    options: &'a VerifyOptions,
    monitor: &'a dyn Monitor,
    report: VerifyReport,
}

impl Run<'_> {
    /// Without comparing: everything is read once, nothing rebuilt. What only the source has is counted.
    fn read_all<V: VolumeSource>(
        &mut self,
        sets: &mut PatchDir<V>,
        mut walk: Peekable<Walk>,
        oddities: &Oddities,
    ) -> Result<()> {
        loop {
            let next = self.next(sets)?;
            self.tell(oddities);
            let Some(mut plan) = next else { break };
            if matches!(plan.target, Wanted::Absent) {
                continue;
            }
            let index = plan.index.clone();
            self.only_in_source(&mut walk, Some(&index));
            walk.next_if(|e| e.as_ref().is_ok_and(|e| e.index == index));
            self.report.compared += 1;
            if matches!(plan.target, Wanted::Unrecoverable(_)) {
                self.fail(&index, &Error::Unrecoverable(index.to_string()));
                continue;
            }
            for step in plan.steps() {
                if let Err(error) =
                    crate::chain::discard(step).map_err(|e| payload_error(&index, e))
                {
                    self.fail_or_end(&index, error)?;
                }
            }
        }
        self.only_in_source(&mut walk, None);
        Ok(())
    }

    /// Walks archive and source side by side.
    fn compare_all<V: VolumeSource>(
        &mut self,
        sets: &mut PatchDir<V>,
        mut walk: Peekable<Walk>,
        oddities: &Oddities,
    ) -> Result<()> {
        loop {
            let next = self.next(sets)?;
            self.tell(oddities);
            let Some(mut plan) = next else { break };
            if matches!(plan.target, Wanted::Absent) {
                continue;
            }
            let index = plan.index.clone();
            self.only_in_source(&mut walk, Some(&index));
            self.report.compared += 1;
            let entry = walk
                .next_if(|e| e.as_ref().is_ok_and(|e| e.index == index))
                .and_then(Result::ok);
            match entry {
                None => self.differ(&index, &Difference::Missing),
                Some(entry) => match self.compare(&index, &entry, &mut plan) {
                    Ok(None) => {}
                    Ok(Some(difference)) => self.differ(&index, &difference),
                    Err(error) => self.fail_or_end(&index, error)?,
                },
            }
        }
        self.only_in_source(&mut walk, None);
        Ok(())
    }

    fn only_in_source(&mut self, walk: &mut Peekable<Walk>, before: Option<&PathIndex>) {
        let is_before = |index: &PathIndex| before.is_none_or(|b| index.cmp(b) == Order::Less);
        while let Some(item) = walk.next_if(|item| match item {
            Ok(entry) => is_before(&entry.index),
            Err(error) => is_before(&error.index),
        }) {
            match item {
                Ok(entry) => {
                    self.report.compared += 1;
                    if self.options.compare_data {
                        self.differ(&entry.index, &Difference::New);
                    }
                }
                Err(_) if !self.options.compare_data => {}
                Err(error) => {
                    self.report.failed += 1;
                    self.monitor.event(Event::Unreadable {
                        path: &error.path,
                        error: &error.source,
                    });
                }
            }
        }
    }

    fn compare<V: VolumeSource>(
        &self,
        index: &PathIndex,
        entry: &SourceEntry,
        plan: &mut Plan<'_, V>,
    ) -> Result<Option<Difference>> {
        let stored = match &plan.target {
            Wanted::Node(attributes) | Wanted::File(attributes) => attributes.clone(),
            Wanted::Absent | Wanted::Unrecoverable(_) => {
                return Err(Error::Unrecoverable(index.to_string()));
            }
        };
        if let Some(difference) = self.compare_attributes(&entry.attributes, &stored) {
            return Ok(Some(difference));
        }
        if !matches!(plan.target, Wanted::File(_)) {
            return Ok(None);
        }
        let file = entry
            .open()
            .map_err(|e| Error::io("open", entry.path(), e))?;
        let same = self.same_content(index, file, plan)?;
        Ok((!same).then_some(Difference::Data))
    }

    fn compare_attributes(&self, source: &Attributes, stored: &Attributes) -> Option<Difference> {
        match (&source.file_type, &stored.file_type) {
            (FileType::Symlink { target: now }, FileType::Symlink { target: then }) => {
                let without_slash = |t: &[u8]| t.strip_suffix(b"/").unwrap_or(t).to_vec();
                return (without_slash(now) != without_slash(then))
                    .then(|| Difference::LinkTarget(now.clone(), then.clone()));
            }
            (a, b) if std::mem::discriminant(a) != std::mem::discriminant(b) => {
                return Some(Difference::Type(source.clone(), stored.clone()));
            }
            _ => {}
        }
        let mode = |a: &Attributes| a.mode & Attributes::MODE_MASK;
        if mode(source) != mode(stored) || (source.uid, source.gid) != self.owners.resolve(stored) {
            return Some(Difference::Permissions(source.clone(), stored.clone()));
        }
        match (device(source), device(stored)) {
            (Some(now), Some(then)) => (now != then).then_some(Difference::Device(now, then)),
            _ => (source.mtime != stored.mtime)
                .then_some(Difference::Mtime(source.mtime, stored.mtime)),
        }
    }

    fn same_content<V: VolumeSource>(
        &self,
        index: &PathIndex,
        file: File,
        plan: &mut Plan<'_, V>,
    ) -> Result<bool> {
        let mut steps = plan.steps();
        if steps.len() == 1 {
            let Some(mut step) = steps.next() else {
                return Ok(false);
            };
            if step.kind == StepKind::Base {
                return same_bytes(index, file, |buffer| read_payload(index, &mut step, buffer));
            }
        }
        let scratch = || Ok(Scratch::new(&self.options.tempdir));
        let rebuilt = rebuild(index, steps, scratch()?, scratch)?;
        let mut at = 0;
        same_bytes(index, file, |buffer| {
            let count = rebuilt
                .read_at(at, buffer)
                .map_err(|e| Error::io("read", &self.options.tempdir, e))?;
            at += count as u64;
            Ok(count)
        })
    }

    fn next<'p, V: VolumeSource>(
        &mut self,
        sets: &'p mut PatchDir<V>,
    ) -> Result<Option<Plan<'p, V>>> {
        sets.next_plan().map_err(chain_error)
    }

    fn differ(&mut self, index: &PathIndex, difference: &Difference) {
        self.report.differences += 1;
        self.monitor.event(Event::Difference { index, difference });
    }

    fn tell(&mut self, oddities: &Oddities) {
        while let Some((index, error)) = oddities.take() {
            self.fail(&index, &error);
        }
    }

    fn fail(&mut self, index: &PathIndex, error: &Error) {
        self.report.failed += 1;
        self.monitor.event(Event::RestoreFailed { index, error });
    }

    fn fail_or_end(&mut self, index: &PathIndex, error: Error) -> Result<()> {
        match error {
            Error::Unrecoverable(_)
            | Error::Delta { .. }
            | Error::PathPayload { .. }
            | Error::Io { .. } => {
                self.fail(index, &error);
                Ok(())
            }
            error => Err(error),
        }
    }
}

/// How the source is walked.
fn walk_options(copy_links: bool) -> WalkOptions {
    let links = if copy_links {
        Links::Follow
    } else {
        Links::Keep
    };
    WalkOptions {
        links,
        ..WalkOptions::default()
    }
}

fn device(attributes: &Attributes) -> Option<(u32, u32)> {
    match attributes.file_type {
        FileType::CharDevice { major, minor } | FileType::BlockDevice { major, minor } => {
            Some((major, minor))
        }
        _ => None,
    }
}

/// Whether a file has exactly the bytes that `stored` gives. Stops at the first difference.
fn same_bytes(
    index: &PathIndex,
    mut file: File,
    mut stored: impl FnMut(&mut [u8]) -> Result<usize>,
) -> Result<bool> {
    let (mut ours, mut theirs) = (vec![0; BUFFER], vec![0; BUFFER]);
    loop {
        let count = stored(&mut ours)?;
        let theirs = &mut theirs[..count.max(1)];
        let found =
            read_full(&mut file, theirs).map_err(|e| Error::io("read", index.to_string(), e))?;
        if count == 0 {
            return Ok(found == 0);
        }
        if theirs[..found] != ours[..count] {
            return Ok(false);
        }
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
