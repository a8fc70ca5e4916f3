//! The walk through a source tree.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::iter::FusedIterator;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use redup_format::index::PathIndex;
use rustix::fs::{AtFlags, Stat};

use crate::dir::{self, Names};
use crate::entry::{Kind, Links, Place, SourceEntry, full_path};
use crate::error::{Access, WalkError};
use crate::owner::Owners;
use crate::rules::{Facts, Rules, Verdict};
use crate::source::canonical_source;

/// Folders a walk keeps open. A tree may be deeper than a process may open files; folders further up are closed and
/// found again on the way back.
const MOST_OPEN: usize = 64;

/// Walks a source in path order: depth first, the entries of a folder sorted as unsigned bytes, a folder before what
/// it holds.
///
/// Holds one listing a level in memory, and at most 64 folders open besides those of the entries handed out. A path
/// that vanishes while the walk comes by is left out; one that cannot be read is an error in its
/// place, behind which the walk goes on.
pub struct Walk {
    root: Arc<Path>,
    rules: Rules,
    options: WalkOptions,
    owners: Owners,
    /// The device of the root.
    dev: u64,
    levels: Vec<Level>,
    /// A folder handed out that is to be listed next.
    entering: Option<Folder>,
    /// What was found and not handed out yet.
    ready: VecDeque<Result<SourceEntry, WalkError>>,
}

/// What a walk does besides.
#[derive(Default)]
pub struct WalkOptions {
    /// What becomes of symbolic links.
    pub links: Links,
    /// Told of each socket that would be part of the backup if sockets could be.
    pub on_socket: Option<OnSocket>,
}

/// Is told of a path.
pub type OnSocket = Box<dyn FnMut(&Path) + Send>;

/// A folder the walk is in.
struct Level {
    folder: Folder,
    /// `None` once the walk is far below.
    open: Option<Arc<OwnedFd>>,
    names: Names,
}

struct Folder {
    index: PathIndex,
    dev: u64,
    ino: u64,
    /// The folder's entry, if it is part of the backup only once something in it is.
    held: Option<SourceEntry>,
}

impl Walk {
    /// Starts at `root`, which is always part of the backup whatever the rules say.
    ///
    /// Links are kept even there, unless they are to be followed: a root that is a link to a folder is the whole
    /// backup. Slashes at the end of `root` mean nothing. A root that is a socket gives an empty walk.
    pub fn new(root: &Path, rules: Rules, options: WalkOptions) -> Result<Self, WalkError> {
        let root = canonical_source(root.as_os_str().as_bytes());
        let mut walk = Self {
            root: Arc::from(Path::new(OsStr::from_bytes(&root))),
            rules,
            options,
            owners: Owners::default(),
            dev: 0,
            levels: Vec::new(),
            entering: None,
            ready: VecDeque::new(),
        };
        walk.look_at_root()
            .map_err(|source| walk.error(&PathIndex::root(), Access::Examine, source))?;
        Ok(walk)
    }

    fn look_at_root(&mut self) -> io::Result<()> {
        let index = PathIndex::root();
        let place = Place {
            root: &self.root,
            index: &index,
            folder: None,
            links: self.options.links,
        };
        let stat = place.stat()?;
        self.dev = stat.st_dev;
        match SourceEntry::new(place, &stat, &mut self.owners)? {
            Some(entry) => self.accept(entry, Kind::of(&stat)),
            None => self.tell_of_socket(&index),
        }
        Ok(())
    }

    /// Lists a folder that was handed out or is being held.
    fn enter(&mut self, folder: Folder) {
        let (open, names, result) = match self.open_below(&folder) {
            Ok(open) => {
                let (names, result) = match self.rules.only() {
                    Some(listed) => (Names::from_sorted(&listed.names(&folder.index)), Ok(())),
                    None => Names::list(&open),
                };
                (Some(Arc::new(open)), names, result)
            }
            Err(error) => (None, Names::default(), Err(error)),
        };
        if let Err(error) = result
            && error.kind() != io::ErrorKind::NotFound
        {
            let error = self.error(&folder.index, Access::List, error);
            self.ready.push_back(Err(error));
        }
        self.levels.push(Level {
            folder,
            open,
            names,
        });
        if let Some(far) = self.levels.len().checked_sub(MOST_OPEN + 1) {
            self.levels[far].open = None;
        }
    }

    fn open_below(&mut self, folder: &Folder) -> io::Result<OwnedFd> {
        let links = self.options.links;
        let Some(name) = folder.index.name() else {
            return dir::open_root(&self.root, links);
        };
        let mut above = self.levels.iter().map(|level| &level.folder);
        if links == Links::Follow && above.any(|above| above.is_same(folder)) {
            return Err(io::Error::other("a link leads back to a folder above it"));
        }
        dir::open(self.current_folder()?, name, links)
    }

    /// Takes the next name of the current folder.
    fn advance(&mut self) -> Option<()> {
        let level = self.levels.last_mut()?;
        let Some(name) = level.names.next() else {
            self.levels.pop();
            return Some(());
        };
        let index = level.folder.index.join(name);
        let found = index
            .map_err(io::Error::other)
            .and_then(|index| Ok((index, self.current_folder()?)));
        match found {
            Ok((index, dir)) => self.visit(&index, &dir),
            Err(error) => self.abandon(error),
        }
        Some(())
    }

    fn visit(&mut self, index: &PathIndex, dir: &Arc<OwnedFd>) {
        let root = Arc::clone(&self.root);
        let place = Place {
            root: &root,
            index,
            folder: Some(dir),
            links: self.options.links,
        };
        let stat = match place.stat() {
            Ok(stat) => stat,
            Err(error) => return self.refuse(index, error),
        };
        let verdict = self.judge(place, &stat);
        if verdict == Verdict::Exclude {
            return;
        }
        match SourceEntry::new(place, &stat, &mut self.owners) {
            Ok(Some(entry)) if verdict == Verdict::Scan => self.hold(entry),
            Ok(Some(entry)) => {
                self.release();
                self.accept(entry, Kind::of(&stat));
            }
            Ok(None) if verdict == Verdict::Scan => {}
            Ok(None) => self.tell_of_socket(index),
            Err(error) => self.refuse(index, error),
        }
    }

    fn judge(&self, place: Place<'_>, stat: &Stat) -> Verdict {
        let has_entry = |name: &[u8]| {
            let Some((dir, folder)) = place.folder.zip(place.index.name()) else {
                return false;
            };
            let path = [folder, b"/", name].concat();
            rustix::fs::statat(dir, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
        };
        let facts = Facts {
            kind: Kind::of(stat),
            mtime: stat.st_mtime,
            other_filesystem: stat.st_dev != self.dev,
            has_entry: &has_entry,
        };
        self.rules.judge(place.index, &facts)
    }

    /// Hands out an entry, and goes into it if it is a folder.
    fn accept(&mut self, entry: SourceEntry, kind: Kind) {
        if kind == Kind::Directory {
            self.entering = Some(Folder::of(&entry));
        }
        self.ready.push_back(Ok(entry));
    }

    /// Goes into a folder without handing it out. Anything else is dropped: there is nothing in it to look for.
    fn hold(&mut self, entry: SourceEntry) {
        if entry.attributes.file_type.is_directory() {
            let folder = Folder::of(&entry);
            self.entering = Some(Folder {
                held: Some(entry),
                ..folder
            });
        }
    }

    /// Hands out the folders that were held until something in them was selected.
    fn release(&mut self) {
        let held = self.levels.iter_mut().filter_map(|l| l.folder.held.take());
        self.ready.extend(held.map(Ok));
    }

    /// A path that cannot be looked at, unless it is gone or nobody asked for it.
    fn refuse(&mut self, index: &PathIndex, error: io::Error) {
        let unknown = Facts {
            kind: Kind::Other,
            mtime: i64::MAX,
            other_filesystem: false,
            has_entry: &|_| false,
        };
        let excluded = self.rules.judge(index, &unknown) == Verdict::Exclude;
        if !excluded && !self.options.links.is_gone(&error) {
            let error = self.error(index, Access::Examine, error);
            self.ready.push_back(Err(error));
        }
    }

    /// Leaves a folder that cannot be read any further, or is gone.
    fn abandon(&mut self, error: io::Error) {
        if let Some(level) = self.levels.pop()
            && error.kind() != io::ErrorKind::NotFound
        {
            let error = self.error(&level.folder.index, Access::List, error);
            self.ready.push_back(Err(error));
        }
    }

    fn tell_of_socket(&mut self, index: &PathIndex) {
        if let Some(on_socket) = &mut self.options.on_socket {
            on_socket(&full_path(&self.root, index));
        }
    }

    /// The folder of the deepest level, opened again if it was closed on the way down.
    fn current_folder(&mut self) -> io::Result<Arc<OwnedFd>> {
        let depth = self.levels.len();
        let first = self.levels.iter().rposition(|level| level.open.is_some());
        let mut above = first.and_then(|at| self.levels[at].open.clone());
        for at in first.map_or(0, |at| at + 1)..depth {
            let folder = &self.levels[at].folder;
            let open = match (&above, folder.index.name()) {
                (Some(above), Some(name)) => dir::open(above, name, self.options.links)?,
                _ => dir::open_root(&self.root, self.options.links)?,
            };
            let stat = rustix::fs::fstat(&open)?;
            if (stat.st_dev, stat.st_ino) != (folder.dev, folder.ino) {
                return Err(io::Error::other("the folder was replaced meanwhile"));
            }
            let open = Arc::new(open);
            if at + MOST_OPEN >= depth {
                self.levels[at].open = Some(Arc::clone(&open));
            }
            above = Some(open);
        }
        above.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn error(&self, index: &PathIndex, access: Access, source: io::Error) -> WalkError {
        WalkError {
            index: index.clone(),
            path: full_path(&self.root, index),
            access,
            source,
        }
    }
}

impl Folder {
    fn of(entry: &SourceEntry) -> Self {
        Self {
            index: entry.index.clone(),
            dev: entry.dev,
            ino: entry.ino,
            held: None,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }
}

impl Iterator for Walk {
    type Item = Result<SourceEntry, WalkError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(item);
            }
            if let Some(folder) = self.entering.take() {
                self.enter(folder);
            } else {
                self.advance()?;
            }
        }
    }
}

impl FusedIterator for Walk {}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.levels.last().map(|level| &level.folder.index);
        f.debug_struct("Walk")
            .field("root", &self.root)
            .field("at", &at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WalkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalkOptions")
            .field("links", &self.links)
            .field("on_socket", &self.on_socket.is_some())
            .finish()
    }
}
