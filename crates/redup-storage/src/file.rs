//! A local folder as a store.

mod upload;

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Once;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;

use crate::name::TEMPORARY_PREFIX;
use crate::store::{Arrived, check_range};
use crate::{
    Error, ErrorKind, ObjectInfo, ObjectKind, Op, Pieces, Result, Storage, Tuning, Unfinished,
    Upload, check_name,
};
use upload::{FileUpload, Staged};

/// How long parts are. Large enough that a write costs more than its hand-over to a thread.
const PART_SIZE: u64 = 4 << 20;

/// A local folder as a store.
///
/// An object is written under a hidden name that no version of duplicity takes for one of its
/// own, synced, and renamed; the folder is synced after that. The folder is made, with parents, by
/// the first write. What a killed run left behind is removed by the next run's first write:
/// a living run's files are locked, so that theirs are not touched.
#[derive(Debug, Clone)]
pub struct FileStorage {
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    prepared: Once,
}

impl FileStorage {
    /// The store in `folder`, which need not exist yet. Touches nothing.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: Arc::new(Folder {
                path: folder.into(),
                prepared: Once::new(),
            }),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder.path
    }

    fn checked(&self, op: Op, name: &str) -> Result<PathBuf> {
        check_name(op, &self.location(), name)?;
        Ok(self.folder.path.join(name))
    }

    /// Runs `work` where it may block, and gives its error a name.
    async fn blocking<T: Send + 'static>(
        &self,
        op: Op,
        path: PathBuf,
        work: impl FnOnce(&Folder, &Path) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let folder = Arc::clone(&self.folder);
        let object = path.display().to_string();
        tokio::task::spawn_blocking(move || work(&folder, &path))
            .await
            .unwrap_or_else(|stopped| {
                Err(Error::new(ErrorKind::Other, op, object).with_source(stopped))
            })
    }
}

impl FileStorage {
    /// Bytes that can still be written, as the file system tells.
    ///
    /// # Errors
    /// What the system says of the folder, or of the nearest one above it that exists.
    pub fn free_space(&self) -> io::Result<u64> {
        let mut folder = self.folder.path.as_path();
        loop {
            match rustix::fs::statvfs(folder) {
                Ok(found) => return Ok(found.f_bavail.saturating_mul(found.f_frsize)),
                Err(rustix::io::Errno::NOENT) => match folder.parent() {
                    Some(parent) if !parent.as_os_str().is_empty() => folder = parent,
                    Some(_) => folder = Path::new("."),
                    None => return Err(rustix::io::Errno::NOENT.into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for FileStorage {
    fn location(&self) -> String {
        self.folder.path.display().to_string()
    }

    fn tuning(&self) -> Tuning {
        Tuning {
            part_size: PART_SIZE,
            range_size: 1 << 20,
            uploads: 4,
            downloads: 4,
            rereads_are_cheap: true,
        }
    }

    /// What a file system has taken is not always what it has: those of other machines, above all.
    fn proves_uploads(&self) -> bool {
        false
    }

    async fn list(&self) -> Result<Vec<ObjectInfo>> {
        let path = self.folder.path.clone();
        self.blocking(Op::List, path, |folder, path| {
            folder.list().map_err(|error| failed(Op::List, path, error))
        })
        .await
    }

    async fn head(&self, name: &str) -> Result<ObjectInfo> {
        let path = self.checked(Op::Head, name)?;
        let name = name.to_owned();
        self.blocking(Op::Head, path, move |_, path| {
            let len = object_len(path).map_err(|error| failed(Op::Head, path, error))?;
            Ok(ObjectInfo::new(name, len))
        })
        .await
    }

    async fn thaw(&self, _object: &ObjectInfo) -> Result<()> {
        Ok(())
    }

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Pieces>> {
        let path = self.checked(Op::Get, name)?;
        let read = self.blocking(Op::Get, path, |_, path| read_range(path, range));
        Ok(Arrived::whole(read.await?))
    }

    async fn put(&self, name: &str, data: Bytes, _kind: ObjectKind) -> Result<()> {
        let path = self.checked(Op::Put, name)?;
        self.blocking(Op::Put, path, move |folder, path| {
            let write = || {
                let staged = folder.stage()?;
                staged.write_at(&data, 0)?;
                staged.publish(path)
            };
            write().map_err(|error| failed(Op::Put, path, error))
        })
        .await
    }

    async fn begin_upload(&self, name: &str, _kind: ObjectKind) -> Result<Box<dyn Upload>> {
        let path = self.checked(Op::BeginUpload, name)?;
        self.blocking(Op::BeginUpload, path, |folder, path| {
            let staged = folder
                .stage()
                .map_err(|error| failed(Op::BeginUpload, path, error))?;
            Ok(Box::new(FileUpload::new(path, staged)) as Box<dyn Upload>)
        })
        .await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let path = self.checked(Op::Delete, name)?;
        self.blocking(Op::Delete, path, |_, path| {
            remove_if_there(path).map_err(|error| failed(Op::Delete, path, error))
        })
        .await
    }

    async fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        let path = self.folder.path.clone();
        self.blocking(Op::ListUnfinished, path, |folder, path| {
            folder
                .unfinished()
                .map_err(|error| failed(Op::ListUnfinished, path, error))
        })
        .await
    }

    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<()> {
        let id = &unfinished.id;
        if !id.starts_with(TEMPORARY_PREFIX) || id.contains('/') {
            let object = format!("{}: {id:?}", self.location());
            return Err(
                Error::new(ErrorKind::Unsupported, Op::DiscardUnfinished, object)
                    .with_detail("not an unfinished upload"),
            );
        }
        self.blocking(
            Op::DiscardUnfinished,
            self.folder.path.join(id),
            |_, path| {
                remove_if_there(path).map_err(|error| failed(Op::DiscardUnfinished, path, error))
            },
        )
        .await
    }
}

impl Folder {
    fn list(&self) -> io::Result<Vec<ObjectInfo>> {
        let mut objects = Vec::new();
        for entry in self.entries()? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if check_name(Op::List, "", &name).is_err() {
                continue;
            }
            // Follows links; what vanished meanwhile, or cannot be reached, is not an object.
            let Ok(meta) = fs::metadata(entry.path()) else {
                continue;
            };
            if meta.is_file() {
                objects.push(ObjectInfo::new(name, meta.len()));
            }
        }
        Ok(objects)
    }

    /// The temporary files that no living process holds.
    fn unfinished(&self) -> io::Result<Vec<Unfinished>> {
        let mut found = Vec::new();
        for entry in self.entries()? {
            let entry = entry?;
            let Ok(id) = entry.file_name().into_string() else {
                continue;
            };
            if id.starts_with(TEMPORARY_PREFIX)
                && let Some(age) = upload::abandoned_for(&entry.path())
            {
                found.push(Unfinished {
                    name: None,
                    age,
                    id,
                });
            }
        }
        Ok(found)
    }

    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>> + use<>> {
        match fs::read_dir(&self.path) {
            Ok(entries) => Ok(Some(entries).into_iter().flatten()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
            Err(error) => Err(error),
        }
    }

    /// A new hidden file to write an object to.
    fn stage(&self) -> io::Result<Staged> {
        fs::create_dir_all(&self.path)?;
        self.prepared.call_once(|| self.sweep());
        Staged::create(&self.path)
    }

    /// Removes what killed runs left behind, as far as that is possible.
    fn sweep(&self) {
        for unfinished in self.unfinished().unwrap_or_default() {
            fs::remove_file(self.path.join(unfinished.id)).ok();
        }
    }
}

fn object_len(path: &Path) -> io::Result<u64> {
    let meta = fs::metadata(path)?;
    match meta.is_file() {
        true => Ok(meta.len()),
        false => Err(io::Error::new(io::ErrorKind::NotFound, "not a file")),
    }
}

fn read_range(path: &Path, range: Range<u64>) -> Result<Bytes> {
    let io = |error| failed(Op::Get, path, error);
    let file = File::open(path).map_err(io)?;
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(Error::new(
            ErrorKind::NotFound,
            Op::Get,
            path.display().to_string(),
        ));
    }
    check_range(&path.display().to_string(), &range, meta.len())?;
    let len = usize::try_from(range.end - range.start)
        .map_err(|_| io(io::Error::from(io::ErrorKind::OutOfMemory)))?;
    let mut data = vec![0; len];
    file.read_exact_at(&mut data, range.start).map_err(io)?;
    Ok(data.into())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(op: Op, path: &Path, error: io::Error) -> Error {
    Error::from_io(op, path.display().to_string(), error)
}

fn age_of(modified: SystemTime) -> Duration {
    SystemTime::now()
        .duration_since(modified)
        .unwrap_or_default()
}
