//! The trait that every store fulfils.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Error, ErrorKind, Op, Result};

/// One object of a store, as a listing or [`Storage::head`] describes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectInfo {
    /// The name within the target folder: no prefix, no `/`.
    pub name: String,
    /// Length in bytes.
    pub len: u64,
    /// SHA-1 of the content, where the store has it written beside the object. Only
    /// [`Storage::head`] says it, and only of what was stored with one request.
    pub sha1: Option<[u8; 20]>,
    /// CRC-32 of the whole content as the store computed it. Only [`Storage::head`] says it.
    pub crc32: Option<u32>,
    /// The storage class, where the store has such and this is not the usual one.
    pub class: Option<String>,
    /// Whether it can be read at once.
    pub access: Access,
}

impl ObjectInfo {
    /// An object that can be read, of which nothing else is known.
    pub fn new(name: impl Into<String>, len: u64) -> Self {
        Self {
            name: name.into(),
            len,
            sha1: None,
            crc32: None,
            class: None,
            access: Access::Immediate,
        }
    }
}

/// Whether an object can be read at once.
///
/// Listings know less than [`Storage::head`]: what a listing calls [`Immediate`](Self::Immediate) is that,
/// what it calls otherwise may have become readable meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Yes.
    Immediate,
    /// No: it lies in an archive, and [`Storage::thaw`] gets it out of there.
    Archived {
        /// The archive's name, as the store has it.
        class: String,
    },
    /// Not yet: it is on its way out of an archive.
    Thawing {
        /// The archive's name, as the store has it.
        class: String,
    },
}

/// What an object is for. Stores with storage classes choose by it; others ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// A difftar volume: large, read only on restore.
    Volume,
    /// A sigtar: read again when an archive dir is lost.
    Signature,
    /// A manifest: small, read on every synchronisation.
    Manifest,
    /// Anything else, such as a statistics file.
    Other,
}

/// How a store likes to be used. It is advice: ignoring it costs time, never correctness. It may change
/// while the store is used, as that finds out what suits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// The size of upload parts, in bytes.
    pub part_size: u64,
    /// The length of a range that is worth a request of its own, in bytes.
    pub range_size: u64,
    /// How many requests that store bytes make sense at once, over all objects together.
    pub uploads: usize,
    /// The same of requests that read.
    pub downloads: usize,
    /// Whether reading the same bytes again is about as cheap as keeping them
    /// (true for local folders, false where each request costs a round trip or money).
    pub rereads_are_cheap: bool,
}

/// An upload that was begun and neither completed nor aborted, perhaps by a run that was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The name it was begun for, where the store remembers it.
    pub name: Option<String>,
    /// How long ago it was begun, as far as the store's clock can be trusted.
    pub age: Duration,
    /// The store's own handle on it.
    pub id: String,
}

/// A flat folder of objects.
///
/// Every method can be called at the same time from many tasks, and every method may be
/// repeated after an error: all are idempotent, which is what [`Retry`](crate::Retry) rests on
/// (a repeated [`begin_upload`](Self::begin_upload) may leave an unfinished upload behind).
///
/// Names are checked with [`check_name`](crate::check_name) by every store, and
/// never leave the target folder. Errors name the object and carry a [kind](crate::ErrorKind).
#[async_trait]
pub trait Storage: Send + Sync + fmt::Debug {
    /// The store in words for messages, such as `s3://bucket/prefix`. Never holds a secret.
    fn location(&self) -> String;

    /// How this store likes to be used.
    fn tuning(&self) -> Tuning;

    /// Whether an upload that was acknowledged is proven to be there whole, as by a checksum that the store has
    /// compared with what arrived. Where it is not, [`Confirm`](crate::Confirm) asks for the length. It may change
    /// while the store is used, as that finds out what the store can do.
    fn proves_uploads(&self) -> bool;

    /// All objects of the folder, in no particular order; what lies in folders below is left out.
    ///
    /// A folder that does not exist yet is empty. Objects whose names are not UTF-8 or would not
    /// pass [`check_name`](crate::check_name) are left out: nothing of ours has such a name.
    async fn list(&self) -> Result<Vec<ObjectInfo>>;

    /// What is known of one object.
    async fn head(&self, name: &str) -> Result<ObjectInfo>;

    /// Asks for an object that is [`Archived`](Access::Archived) to become readable, which may take
    /// days: this returns at once, and [`head`](Self::head) tells when it is. Asking again is no error.
    /// Stores without archives do nothing.
    async fn thaw(&self, object: &ObjectInfo) -> Result<()>;

    /// The bytes of `range`, to be taken as they arrive.
    ///
    /// A range that ends behind the object's end is [`Mismatch`](crate::ErrorKind::Mismatch).
    /// The content is not checked otherwise; the caller compares hashes.
    async fn read(&self, name: &str, range: Range<u64>) -> Result<Box<dyn Pieces>>;

    /// Stores an object in one go, replacing one of the same name.
    ///
    /// It becomes visible whole or not at all, whatever happens on the way, and once this
    /// returns it is durable as far as the store can promise that.
    async fn put(&self, name: &str, data: Bytes, kind: ObjectKind) -> Result<()>;

    /// Begins an upload in parts, for an object whose length is not known yet.
    ///
    /// Nothing is visible before [`Upload::complete`]. An upload that is dropped without
    /// completing or aborting may leave an [`Unfinished`] one behind.
    async fn begin_upload(&self, name: &str, kind: ObjectKind) -> Result<Box<dyn Upload>>;

    /// Removes an object. A missing object is not an error.
    async fn delete(&self, name: &str) -> Result<()>;

    /// Uploads left behind below this target, this run's own ones included where the store
    /// cannot tell them apart. Stores that leave none, or cannot list them, return none.
    async fn list_unfinished(&self) -> Result<Vec<Unfinished>>;

    /// Frees what an unfinished upload occupies. One that is gone already is not an error.
    async fn discard_unfinished(&self, unfinished: &Unfinished) -> Result<()>;
}

/// The bytes of a range on their way, made by [`Storage::read`].
///
/// Exactly the bytes of the range in their order, or an error: never fewer, never more. Whoever takes
/// them takes them to the end, and at once: a server may break off what is not read for long.
#[async_trait]
pub trait Pieces: Send + fmt::Debug {
    /// The next bytes, at least one, or `None` after the last. There is nothing behind an error.
    async fn next(&mut self) -> Result<Option<Bytes>>;
}

/// Bytes that are there already.
#[derive(Debug)]
pub struct Arrived {
    data: Bytes,
    piece: usize,
}

impl Arrived {
    /// `data` in one piece.
    pub fn whole(data: Bytes) -> Box<dyn Pieces> {
        let piece = data.len();
        Self::in_pieces(data, piece)
    }

    /// `data` in pieces of this length, the last of which may be shorter.
    pub(crate) fn in_pieces(data: Bytes, piece: usize) -> Box<dyn Pieces> {
        Box::new(Self { data, piece })
    }
}

#[async_trait]
impl Pieces for Arrived {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let len = self.data.len().min(self.piece);
        Ok((len > 0).then(|| self.data.split_to(len)))
    }
}

/// What is made of a store's own methods.
#[async_trait]
pub trait StorageExt: Storage {
    /// Exactly the bytes of `range`, when all have arrived: for what is small.
    async fn get(&self, name: &str, range: Range<u64>) -> Result<Bytes> {
        let mut pieces = self.read(name, range).await?;
        let Some(first) = pieces.next().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = pieces.next().await? else {
            return Ok(first);
        };
        let mut all = [first, second].concat();
        while let Some(piece) = pieces.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.into())
    }
}

impl<T: Storage + ?Sized> StorageExt for T {}

/// One upload in progress, made by [`Storage::begin_upload`].
///
/// Parts are numbered from 0 without gaps and may be sent in any order and at the same time.
#[async_trait]
pub trait Upload: Send + Sync + fmt::Debug {
    /// The length of every part but the last, in bytes. Fixed for the life of the upload.
    fn part_size(&self) -> u64;

    /// Sends one part. Sending a part again replaces it.
    ///
    /// The last part may be shorter, and is empty only when it is the only one.
    async fn put_part(&self, number: u32, data: Bytes) -> Result<()>;

    /// Makes the object visible, replacing one of the same name.
    ///
    /// `parts` and `len` state what must have arrived: when they disagree with it, this fails
    /// and nothing becomes visible. May be repeated, also after it has succeeded, so that a lost
    /// answer is found out.
    async fn complete(&self, parts: u32, len: u64) -> Result<()>;

    /// Gives the upload up and frees what it occupied. May be repeated; does nothing after a
    /// successful [`complete`](Self::complete). No part may be in flight.
    async fn abort(&self) -> Result<()>;
}

/// Refuses a range that an object of `len` bytes does not have.
pub(crate) fn check_range(object: &str, range: &Range<u64>, len: u64) -> Result<()> {
    if range.start <= range.end && range.end <= len {
        return Ok(());
    }
    let Range { start, end } = range;
    let detail = format!("bytes {start} to {end} were wanted, it has {len}");
    Err(Error::new(ErrorKind::Mismatch, Op::Get, object).with_detail(detail))
}
