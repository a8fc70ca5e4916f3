//! One path of the source.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redup_format::entry::{Attributes, FileType};
use redup_format::index::PathIndex;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::dir;
use crate::owner::Owners;
use crate::source::canonical_source;

/// A path of the source as it was when the walk came by.
///
/// A regular file keeps the folder it is in open, so that [`open`](Self::open) finds it whatever happens to the
/// folders above: hold as many of them as file descriptors can be spared.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SourceEntry {
    /// Where it is in the backup.
    pub index: PathIndex,
    /// What the archive stores of it.
    pub attributes: Attributes,
    /// Its size in bytes; what a file holds when it is read may be more or less.
    pub len: u64,
    /// The part of its mtime below a second, in nanoseconds. `attributes` has the seconds.
    pub mtime_nsec: u32,
    /// When its inode last changed, in seconds since the epoch.
    pub ctime: i64,
    /// The part of `ctime` below a second, in nanoseconds.
    pub ctime_nsec: u32,
    /// The device it is on.
    pub dev: u64,
    /// Its inode.
    pub ino: u64,
    links: Links,
    root: Arc<Path>,
    /// The folder a regular file is in; `None` for the root, which is found by its path.
    folder: Option<Arc<OwnedFd>>,
}

impl SourceEntry {
    /// Looks at one path beneath the source `root`, following no link.
    ///
    /// `None` if there is nothing at that path, or nothing that can be backed up.
    pub fn of(root: &Path, index: &PathIndex) -> io::Result<Option<Self>> {
        Self::find(root, index, Links::Keep)
    }

    /// Looks at one path beneath the source `root` as a walk with this option would.
    ///
    /// `None` as for [`of`](Self::of).
    pub fn find(root: &Path, index: &PathIndex, links: Links) -> io::Result<Option<Self>> {
        Self::look_up(root, index, links).or_else(|error| {
            if error.kind() == io::ErrorKind::NotFound || is_no_way(&error) {
                Ok(None)
            } else {
                Err(error)
            }
        })
    }

    /// Opens a regular file for reading.
    ///
    /// Fails, and never blocks, if something else has taken the file's place: a fifo, a device, a link. A regular
    /// file that took its place is opened.
    pub fn open(&self) -> io::Result<File> {
        if !self.attributes.file_type.is_regular() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let flags = flags | self.links.open_flags();
        let (folder, name) = self.place().at();
        let file = rustix::fs::openat(folder, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        if Kind::of(&stat) != Kind::Regular {
            return Err(io::Error::other("no longer a regular file"));
        }
        Ok(File::from(file))
    }

    /// The path on this host, for messages.
    pub fn path(&self) -> PathBuf {
        full_path(&self.root, &self.index)
    }

    /// Completes what a walk or a look-up found out. `None` for what cannot be backed up.
    pub(crate) fn new(
        place: Place<'_>,
        stat: &Stat,
        owners: &mut Owners,
    ) -> io::Result<Option<Self>> {
        let Some(file_type) = file_type(&place, stat)? else {
            return Ok(None);
        };
        let folder = place.folder.filter(|_| file_type.is_regular());
        Ok(Some(Self {
            attributes: Attributes {
                file_type,
                mode: stat.st_mode & Attributes::MODE_MASK,
                uid: stat.st_uid.into(),
                gid: stat.st_gid.into(),
                uname: owners.user(stat.st_uid),
                gname: owners.group(stat.st_gid),
                mtime: stat.st_mtime.max(0),
            },
            len: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_nsec: nanoseconds(stat.st_mtime_nsec),
            ctime: stat.st_ctime,
            ctime_nsec: nanoseconds(stat.st_ctime_nsec),
            dev: stat.st_dev,
            ino: stat.st_ino,
            index: place.index.clone(),
            links: place.links,
            root: Arc::clone(place.root),
            folder: folder.cloned(),
        }))
    }

    fn place(&self) -> Place<'_> {
        Place {
            root: &self.root,
            index: &self.index,
            folder: self.folder.as_ref(),
            links: self.links,
        }
    }

    fn look_up(root: &Path, index: &PathIndex, links: Links) -> io::Result<Option<Self>> {
        let root = canonical_source(root.as_os_str().as_bytes());
        let root = Path::new(OsStr::from_bytes(&root));
        let mut folder = None;
        if let Some(parent) = index.parent() {
            let mut dir = dir::open_root(root, links)?;
            for name in parent.components() {
                dir = dir::open(&dir, name, links)?;
            }
            folder = Some(Arc::new(dir));
        }
        let place = Place {
            root: &Arc::from(root),
            index,
            folder: folder.as_ref(),
            links,
        };
        let stat = place.stat()?;
        Self::new(place, &stat, &mut Owners::default())
    }
}

/// Where an entry is: an index beneath a root, to be found by its name in an open folder.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) root: &'a Arc<Path>,
    pub(crate) index: &'a PathIndex,
    /// `None` for the root itself.
    pub(crate) folder: Option<&'a Arc<OwnedFd>>,
    pub(crate) links: Links,
}

impl<'a> Place<'a> {
    pub(crate) fn stat(&self) -> io::Result<Stat> {
        let (folder, name) = self.at();
        let flags = match self.links {
            Links::Keep => AtFlags::SYMLINK_NOFOLLOW,
            Links::Follow => AtFlags::empty(),
        };
        Ok(rustix::fs::statat(folder, name, flags)?)
    }

    fn read_link(&self) -> io::Result<Vec<u8>> {
        let (folder, name) = self.at();
        Ok(rustix::fs::readlinkat(folder, name, Vec::new())?.into_bytes())
    }

    fn at(&self) -> (BorrowedFd<'a>, &'a [u8]) {
        match self.folder {
            Some(folder) => (folder.as_fd(), self.index.name().unwrap_or_default()),
            None => (CWD, self.root.as_os_str().as_bytes()),
        }
    }
}

/// What becomes of symbolic links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Links {
    /// They are in the backup as links.
    #[default]
    Keep,
    /// What they lead to is in the backup in their place (`--copy-links`); those that lead nowhere are left out. A
    /// link to a folder above it is a folder that cannot be listed.
    Follow,
}

impl Links {
    pub(crate) fn open_flags(self) -> OFlags {
        match self {
            Self::Keep => OFlags::NOFOLLOW,
            Self::Follow => OFlags::empty(),
        }
    }

    /// Whether a failure to look at a path means that there is nothing, rather than something unreadable.
    pub(crate) fn is_gone(self, error: &io::Error) -> bool {
        error.kind() == io::ErrorKind::NotFound || self == Self::Follow && is_no_way(error)
    }
}

/// Whether the error says that a path leads through what is no folder, or through too many links.
fn is_no_way(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOTDIR | Errno::LOOP)
    )
}

/// What kind of thing a path is, as far as rules and the walk ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    Regular,
    /// A folder, not a link to one.
    Directory,
    /// A character or block device.
    Device,
    /// A socket, which cannot be backed up.
    Socket,
    /// A link, a fifo, or what could not be found out.
    Other,
}

impl Kind {
    pub(crate) fn of(stat: &Stat) -> Self {
        match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            rustix::fs::FileType::RegularFile => Self::Regular,
            rustix::fs::FileType::Directory => Self::Directory,
            rustix::fs::FileType::CharacterDevice | rustix::fs::FileType::BlockDevice => {
                Self::Device
            }
            rustix::fs::FileType::Socket => Self::Socket,
            _ => Self::Other,
        }
    }
}

pub(crate) fn full_path(root: &Path, index: &PathIndex) -> PathBuf {
    if index.is_root() {
        return root.to_owned();
    }
    root.join(OsStr::from_bytes(index.as_bytes()))
}

fn file_type(place: &Place<'_>, stat: &Stat) -> io::Result<Option<FileType>> {
    let major = rustix::fs::major(stat.st_rdev);
    let minor = rustix::fs::minor(stat.st_rdev);
    Ok(Some(
        match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
            rustix::fs::FileType::RegularFile => FileType::Regular,
            rustix::fs::FileType::Directory => FileType::Directory,
            rustix::fs::FileType::Symlink => FileType::Symlink {
                target: place.read_link()?,
            },
            rustix::fs::FileType::Fifo => FileType::Fifo,
            rustix::fs::FileType::CharacterDevice => FileType::CharDevice { major, minor },
            rustix::fs::FileType::BlockDevice => FileType::BlockDevice { major, minor },
            rustix::fs::FileType::Socket | rustix::fs::FileType::Unknown => return Ok(None),
        },
    ))
}

/// Below a second by definition, whatever type and value the system hands out.
fn nanoseconds(raw: impl TryInto<u32>) -> u32 {
    raw.try_into().unwrap_or(0)
}
