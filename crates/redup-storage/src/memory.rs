//! A store in memory, for tests of everything above the trait.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use crate::parts::check_part;
use crate::store::{Arrived, check_range};
use crate::{
    Error, ErrorKind, ObjectInfo, ObjectKind, Op, PartLedger, Pieces, Result, Storage, Tuning,
    Unfinished, Upload, check_name,
};

/// A store in memory. Clones share their content.
#[derive(Debug, Clone)]
pub struct MemoryStorage {
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
    tuning: Tuning,
}

#[derive(Debug, Clone)]
struct Object {
    data: Bytes,
    kind: ObjectKind,
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStorage {
    /// An empty store with parts of 64 KiB and 4 requests at once.
    pub fn new() -> Self {
        Self::with_tuning(Tuning {
            part_size: 64 << 10,
            range_size: 64 << 10,
            uploads: 4,
            downloads: 4,
            rereads_are_cheap: true,
        })
    }

    /// An empty store that gives this advice, and takes parts of that size.
    pub fn with_tuning(tuning: Tuning) -> Self {
        Self {
            objects: Arc::default(),
            tuning,
        }
    }

    /// All names, sorted.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// An object's content.
    pub fn data(&self, name: &str) -> Option<Bytes> {
        self.lock().get(name).map(|object| object.data.clone())
    }

    /// What kind an object was stored as.
    pub fn kind(&self, name: &str) -> Option<ObjectKind> {
        self.lock().get(name).map(|object| object.kind)
    }

    /// Puts an object in place, or damages one, without going through the trait.
    pub fn insert(&self, name: impl Into<String>, data: impl Into<Bytes>) {
        let object = Object {
            data: data.into(),
            kind: ObjectKind::Other,
        };
        self.lock().insert(name.into(), object);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn object(&self, op: Op, name: &str) -> Result<Bytes> {
        check_name(op, &self.location(), name)?;
        self.data(name)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, op, object_path(name)))
    }
}

fn object_path(name: &str) -> String {
    format!("memory:{name}")
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Storage for MemoryStorage {
    fn location(&self) -> String {
        "memory:".into()
    }

    fn tuning(&self) -> Tuning {
        self.tuning
    }

    fn proves_uploads(&self) -> bool {
        false
    }

    async fn list(&self) -> Result<Vec<ObjectInfo>> {
        let info =
            |(name, object): (&String, &Object)| ObjectInfo::new(name, object.data.len() as u64);
        Ok(self.lock().iter().map(info).collect())
    }

    async fn head(&self, name: &str) -> Result<ObjectInfo> {
        let data = self.object(Op::Head, name)?;
        Ok(ObjectInfo::new(name, data.len() as u64))
    }

    async fn thaw(&self, _object: &ObjectInfo) -> Result<()> {
        Ok(())
    }

    async fn read(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Pieces>> {
        let data = self.object(Op::Get, name)?;
        check_range(&object_path(name), &range, data.len() as u64)?;
        let data = data.slice(range.start as usize..range.end as usize);
        // Short, so that who reads meets several.
        Ok(Arrived::in_pieces(data, 10_000))
    }

    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()> {
        check_name(Op::Put, &self.location(), name)?;
        self.lock().insert(name.into(), Object { data, kind });
        Ok(())
    }

    async fn begin_upload(&self, name: &str, kind: ObjectKind) -> Result<Box<dyn Upload>> {
        check_name(Op::BeginUpload, &self.location(), name)?;
        Ok(Box::new(MemoryUpload {
            storage: self.clone(),
            name: name.into(),
            kind,
            state: Mutex::new(State::Open(BTreeMap::new())),
        }))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        check_name(Op::Delete, &self.location(), name)?;
        self.lock().remove(name);
        Ok(())
    }

    async fn list_unfinished(&self) -> Result<Vec<Unfinished>> {
        Ok(Vec::new())
    }

    async fn discard_unfinished(&self, _unfinished: &Unfinished) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryUpload {
    storage: MemoryStorage,
    name: String,
    kind: ObjectKind,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open(BTreeMap<u32, Bytes>),
    Completed,
    Aborted,
}

impl MemoryUpload {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, op: Op, detail: impl Into<String>) -> Error {
        Error::new(ErrorKind::Mismatch, op, object_path(&self.name)).with_detail(detail)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Upload for MemoryUpload {
    fn part_size(&self) -> u64 {
        self.storage.tuning.part_size
    }

    async fn put_part(&self, number: u32, data: Bytes) -> Result<()> {
        check_part(self.part_size(), number, data.len() as u64)
            .map_err(|fault| self.error(Op::PutPart, fault))?;
        match &mut *self.state() {
            State::Open(parts) => {
                parts.insert(number, data);
                Ok(())
            }
            State::Completed | State::Aborted => Err(self.error(Op::PutPart, "the upload is over")),
        }
    }

    async fn complete(&self, parts: u32, len: u64) -> Result<()> {
        let mut state = self.state();
        let arrived = match &*state {
            State::Open(arrived) => arrived,
            State::Completed => return Ok(()),
            State::Aborted => return Err(self.error(Op::Complete, "the upload was aborted")),
        };
        let mut ledger = PartLedger::new();
        for (&number, data) in arrived {
            ledger.record(number, data.len() as u64);
        }
        ledger
            .check(self.part_size(), parts, len)
            .map_err(|fault| self.error(Op::Complete, fault))?;
        let data: BytesMut = arrived
            .values()
            .flat_map(|part| part.iter().copied())
            .collect();
        let object = Object {
            data: data.freeze(),
            kind: self.kind,
        };
        self.storage.lock().insert(self.name.clone(), object);
        *state = State::Completed;
        Ok(())
    }

    async fn abort(&self) -> Result<()> {
        let mut state = self.state();
        if let State::Open(_) = &*state {
            *state = State::Aborted;
        }
        Ok(())
    }
}
