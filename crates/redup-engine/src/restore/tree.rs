//! Writing a restored tree: everything is opened beneath the target, without following links.
//!
//! A file is written under a temporary name beside its place, gets its attributes and is renamed:
//! under its own name it is whole or not there. A directory's attributes are set when the walk
//! leaves it, so that its times survive and a read-only one can be filled.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;
use rustix::fs::{
    AtFlags, FileType as RawType, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, chmodat, chownat,
    fchmod, fchown, futimens, mkdirat, mknodat, open, openat, renameat, statat, symlinkat,
    unlinkat, utimensat,
};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use crate::owner::OwnerMap;
use crate::{Error, Result};

const TEMPORARY_PREFIX: &str = ".redup-restore-";

/// Writes entries, given in path order, beneath one target.
#[derive(Debug)]
pub(super) struct TreeWriter {
    target: PathBuf,
    owners: Option<OwnerMap>,
    replace: bool,
    base: Option<Arc<OwnedFd>>,
    /// Name of the target in `base` when the backup's root is not a directory.
    single: Option<Vec<u8>>,
    levels: Vec<Level>,
    root_attributes: Option<Attributes>,
    temporary_names: u64,
}

/// A directory on the way to the current path.
#[derive(Debug)]
struct Level {
    name: Vec<u8>,
    dir: Arc<OwnedFd>,
    attributes: Option<Attributes>,
}

impl TreeWriter {
    /// A writer for `target`. `owners` is `None` to leave ownership alone; `replace` lets entries
    /// take the place of what is already there.
    pub(super) fn new(target: &Path, owners: Option<OwnerMap>, replace: bool) -> Self {
        Self {
            target: target.to_owned(),
            owners,
            replace,
            base: None,
            single: None,
            levels: Vec::new(),
            root_attributes: None,
            temporary_names: 0,
        }
    }

    /// Makes a directory, or takes the one that is there. Its attributes follow on leaving it.
    pub(super) fn directory(
        &mut self,
        index: &PathIndex,
        attributes: Attributes,
    ) -> Result<Vec<Error>> {
        if index.is_root() {
            self.open_base(true)?;
            self.root_attributes = Some(attributes);
            return Ok(Vec::new());
        }
        let (left, parent, name) = self.enter_parent(index)?;
        let made = match mkdirat(&parent, name.as_slice(), Mode::RWXU) {
            Err(Errno::EXIST) if self.replace && !is_directory(&parent, &name) => {
                unlinkat(&parent, name.as_slice(), AtFlags::empty())
                    .and_then(|()| mkdirat(&parent, name.as_slice(), Mode::RWXU))
            }
            Err(Errno::EXIST) => Ok(()),
            other => other,
        };
        made.map_err(|e| self.error("create folder", index, e))?;
        let dir =
            open_directory(&parent, &name).map_err(|e| self.error("open folder", index, e))?;
        self.levels.push(Level {
            name,
            dir: Arc::new(dir),
            attributes: Some(attributes),
        });
        Ok(left)
    }

    /// A temporary file beside the place of `index`, readable and writable.
    pub(super) fn create(&mut self, index: &PathIndex) -> Result<(Vec<Error>, TemporaryFile)> {
        let (left, parent, _) = self.enter_parent(index)?;
        let name = self.temporary_name();
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&parent, name.as_str(), flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| self.error("create", index, e))?;
        Ok((
            left,
            TemporaryFile {
                dir: parent,
                name: Some(name),
                file: File::from(fd),
            },
        ))
    }

    /// Gives a finished file its attributes and its name.
    pub(super) fn commit(
        &mut self,
        index: &PathIndex,
        mut file: TemporaryFile,
        attributes: &Attributes,
    ) -> Result<Vec<Error>> {
        let mut failures = Vec::new();
        if let Some((uid, gid)) = self.owner(attributes)
            && let Err(e) = fchown(&file.file, uid, gid)
        {
            failures.extend(self.owner_error(index, e));
        }
        if let Err(e) = fchmod(&file.file, mode(attributes)) {
            failures.push(self.error("set permissions of", index, e));
        }
        if let Err(e) = futimens(&file.file, &times(attributes)) {
            failures.push(self.error("set times of", index, e));
        }
        let Some(name) = file.name.take() else {
            return Err(Error::Internal("restore"));
        };
        self.place(index, &file.dir, &name)?;
        Ok(failures)
    }

    /// Makes a link, fifo or device.
    pub(super) fn special(
        &mut self,
        index: &PathIndex,
        attributes: &Attributes,
    ) -> Result<Vec<Error>> {
        let (mut failures, parent, _) = self.enter_parent(index)?;
        let name = self.temporary_name();
        let node = |kind, device| {
            mknodat(
                &parent,
                name.as_str(),
                kind,
                Mode::RUSR | Mode::WUSR,
                device,
            )
        };
        let made = match &attributes.file_type {
            FileType::Symlink { target } => symlinkat(target.as_slice(), &parent, name.as_str()),
            FileType::Fifo => node(RawType::Fifo, 0),
            FileType::CharDevice { major, minor } => node(
                RawType::CharacterDevice,
                rustix::fs::makedev(*major, *minor),
            ),
            FileType::BlockDevice { major, minor } => {
                node(RawType::BlockDevice, rustix::fs::makedev(*major, *minor))
            }
            FileType::Regular | FileType::Directory => Err(Errno::INVAL),
        };
        made.map_err(|e| self.error("create", index, e))?;
        failures.extend(self.apply_by_name(index, &parent, name.as_bytes(), attributes));
        self.place(index, &parent, &name)?;
        Ok(failures)
    }

    /// Leaves every open directory and sets its attributes.
    pub(super) fn finish(mut self) -> Result<Vec<Error>> {
        let mut failures = self.leave_to(0);
        if let (Some(base), Some(attributes)) = (self.base.clone(), self.root_attributes.take()) {
            failures.extend(self.apply_to_directory(&PathIndex::root(), &base, &attributes));
        }
        Ok(failures)
    }

    /// Renames a temporary name to the place of `index`.
    fn place(&mut self, index: &PathIndex, dir: &Arc<OwnedFd>, temporary: &str) -> Result<()> {
        let name = match index.components().next_back() {
            Some(name) => name.to_vec(),
            None => self.single.clone().unwrap_or_default(),
        };
        if (self.replace || index.is_root()) && is_directory(dir, &name) {
            // Only an empty folder gives way; a full one is the user's to decide.
            let _ = unlinkat(dir, name.as_slice(), AtFlags::REMOVEDIR);
        }
        if let Err(e) = renameat(dir, temporary, dir, name.as_slice()) {
            let _ = unlinkat(dir, temporary, AtFlags::empty());
            return Err(self.error("create", index, e));
        }
        Ok(())
    }

    /// The open parent of `index` and its own name; leaves directories that are done.
    fn enter_parent(&mut self, index: &PathIndex) -> Result<(Vec<Error>, Arc<OwnedFd>, Vec<u8>)> {
        if index.is_root() {
            self.open_base(false)?;
            let base = self.base.clone().ok_or(Error::Internal("restore"))?;
            return Ok((Vec::new(), base, self.single.clone().unwrap_or_default()));
        }
        self.open_base(true)?;
        let mut components: Vec<&[u8]> = index.components().collect();
        let name = components.pop().unwrap_or_default().to_vec();
        let common = self
            .levels
            .iter()
            .zip(&components)
            .take_while(|(level, component)| level.name == **component)
            .count();
        let left = self.leave_to(common);
        for component in &components[common..] {
            let parent = self.current();
            match mkdirat(&parent, *component, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(self.error("create folder above", index, e)),
            }
            let dir = open_directory(&parent, component)
                .map_err(|e| self.error("open folder above", index, e))?;
            let name = component.to_vec();
            self.levels.push(Level {
                name,
                dir: Arc::new(dir),
                attributes: None,
            });
        }
        Ok((left, self.current(), name))
    }

    fn current(&self) -> Arc<OwnedFd> {
        match (self.levels.last(), &self.base) {
            (Some(level), _) => Arc::clone(&level.dir),
            (None, Some(base)) => Arc::clone(base),
            (None, None) => unreachable!("the base is opened before any level"),
        }
    }

    /// Opens the target as a folder, or for a root that is no folder, the folder it lies in.
    fn open_base(&mut self, directory: bool) -> Result<()> {
        if self.base.is_some() {
            // With a root that is no folder the base is the one around the target: nothing but the
            // target itself may be written there.
            return match directory && self.single.is_some() {
                true => Err(Error::BelowNonFolder(self.target.clone())),
                false => Ok(()),
            };
        }
        let folder = if directory {
            self.target.clone()
        } else {
            let name = self
                .target
                .file_name()
                .unwrap_or_else(|| OsStr::new("restored"));
            self.single = Some(name.as_bytes().to_vec());
            match self.target.parent() {
                Some(parent) if parent != Path::new("") => parent.to_owned(),
                _ => PathBuf::from("."),
            }
        };
        fs::create_dir_all(&folder).map_err(|e| Error::io("create folder", &folder, e))?;
        // The user's own path may go through links; what lies beneath may not.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = open(&folder, flags, Mode::empty())
            .map_err(|e| Error::io("open folder", &folder, e.into()))?;
        self.base = Some(Arc::new(fd));
        Ok(())
    }

    fn leave_to(&mut self, depth: usize) -> Vec<Error> {
        let mut failures = Vec::new();
        while self.levels.len() > depth {
            let index = self.index_of_levels();
            let Some(level) = self.levels.pop() else {
                break;
            };
            if let Some(attributes) = level.attributes {
                failures.extend(self.apply_to_directory(&index, &level.dir, &attributes));
            }
        }
        failures
    }

    fn index_of_levels(&self) -> PathIndex {
        let names: Vec<&[u8]> = self.levels.iter().map(|l| l.name.as_slice()).collect();
        PathIndex::from_bytes(&names.join(&b'/')).unwrap_or_else(|_| PathIndex::root())
    }

    fn apply_to_directory(
        &self,
        index: &PathIndex,
        dir: &OwnedFd,
        attributes: &Attributes,
    ) -> Vec<Error> {
        let mut failures = Vec::new();
        if let Some((uid, gid)) = self.owner(attributes)
            && let Err(e) = fchown(dir, uid, gid)
        {
            failures.extend(self.owner_error(index, e));
        }
        if let Err(e) = fchmod(dir, mode(attributes)) {
            failures.push(self.error("set permissions of", index, e));
        }
        if let Err(e) = futimens(dir, &times(attributes)) {
            failures.push(self.error("set times of", index, e));
        }
        failures
    }

    fn apply_by_name(
        &self,
        index: &PathIndex,
        dir: &OwnedFd,
        name: &[u8],
        attributes: &Attributes,
    ) -> Vec<Error> {
        let mut failures = Vec::new();
        if let Some((uid, gid)) = self.owner(attributes)
            && let Err(e) = chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)
        {
            failures.extend(self.owner_error(index, e));
        }
        if matches!(attributes.file_type, FileType::Symlink { .. }) {
            return failures;
        }
        if let Err(e) = chmodat(dir, name, mode(attributes), AtFlags::empty()) {
            failures.push(self.error("set permissions of", index, e));
        }
        if let Err(e) = utimensat(dir, name, &times(attributes), AtFlags::SYMLINK_NOFOLLOW) {
            failures.push(self.error("set times of", index, e));
        }
        failures
    }

    fn owner(&self, attributes: &Attributes) -> Option<(Option<Uid>, Option<Gid>)> {
        let (uid, gid) = self.owners.as_ref()?.resolve(attributes);
        let uid = u32::try_from(uid)
            .ok()
            .filter(|id| *id != u32::MAX)
            .map(Uid::from_raw);
        let gid = u32::try_from(gid)
            .ok()
            .filter(|id| *id != u32::MAX)
            .map(Gid::from_raw);
        Some((uid, gid))
    }

    /// Without privileges foreign owners cannot be restored, by anybody: that is not a failure of
    /// the path. With them it is.
    fn owner_error(&self, index: &PathIndex, errno: Errno) -> Option<Error> {
        let privileged = rustix::process::geteuid().is_root();
        (privileged || errno != Errno::PERM).then(|| self.error("set owner of", index, errno))
    }

    fn temporary_name(&mut self) -> String {
        self.temporary_names += 1;
        format!(
            "{TEMPORARY_PREFIX}{}-{}",
            std::process::id(),
            self.temporary_names
        )
    }

    fn error(&self, action: &'static str, index: &PathIndex, errno: Errno) -> Error {
        let path = self.target.join(OsStr::from_bytes(index.as_bytes()));
        Error::io(action, path, errno.into())
    }
}

/// A file that has no place yet; dropped without commit it is removed.
#[derive(Debug)]
pub(super) struct TemporaryFile {
    dir: Arc<OwnedFd>,
    name: Option<String>,
    pub(super) file: File,
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(name) = self.name.take() {
            let _ = unlinkat(self.dir.as_fd(), name.as_str(), AtFlags::empty());
        }
    }
}

fn open_directory(parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

fn is_directory(parent: &OwnedFd, name: &[u8]) -> bool {
    statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| RawType::from_raw_mode(stat.st_mode) == RawType::Directory)
}

fn mode(attributes: &Attributes) -> Mode {
    Mode::from_raw_mode(attributes.mode & 0o7777)
}

/// Access time is set to now, as duplicity does: it is not in the archive.
fn times(attributes: &Attributes) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        },
        last_modification: Timespec {
            tv_sec: attributes.mtime,
            tv_nsec: 0,
        },
    }
}

/// Fails once and early where every path would fail: nothing can be made in the folder that takes
/// the restored one.
pub(super) fn check_writable(target: &Path) -> Result<()> {
    let parent = target.parent().filter(|p| !p.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    if target.symlink_metadata().is_ok() || !parent.is_dir() {
        return Ok(());
    }
    let wanted = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
    rustix::fs::access(parent, wanted).map_err(|e| Error::io("restore into", parent, e.into()))
}

/// Whether restoring into `target` would mix with something that is there.
pub(super) fn is_occupied(target: &Path) -> Result<bool> {
    match fs::symlink_metadata(target) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io("read", target, e)),
        Ok(_) if target.is_dir() => {
            let mut entries = fs::read_dir(target).map_err(|e| Error::io("list", target, e))?;
            Ok(entries.next().is_some())
        }
        Ok(_) => Ok(true),
    }
}
