//! One suite of checks that every store and every wrapper around a store passes.
//!
//! It is plain code that returns what it found, not a set of assertions, so that the same checks
//! serve unit tests, tests against a real server, and a user who wants to know whether a server
//! will do.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Error, ErrorKind, ObjectInfo, ObjectKind, Result, Storage, StorageExt as _};

/// A guarantee of [`Storage`] that a store does not keep.
#[derive(Debug, thiserror::Error)]
#[error("{check}: {fault}")]
pub struct Violation {
    /// Which check found it.
    pub check: &'static str,
    /// What was seen.
    pub fault: String,
    /// The store's error, when there was one where none should be.
    #[source]
    pub source: Option<Error>,
}

/// Runs every check on an empty store, and leaves it empty.
///
/// Needs memory for three parts of the store's size. The first violation ends the run.
pub async fn run(storage: Arc<dyn Storage>) -> std::result::Result<(), Violation> {
    let store = &*storage;
    named("a new store is empty", is_empty(store).await)?;
    named("small objects", small_objects(store).await)?;
    named("replaced objects", replaced(store).await)?;
    named("ranges", ranges(store).await)?;
    named("missing objects", missing(store).await)?;
    named("unusual names", unusual_names(store).await)?;
    named("refused names", refused_names(store).await)?;
    named("uploads in parts", uploads(store).await)?;
    named("an upload of one empty part", empty_upload(store).await)?;
    named(
        "uploads that do not add up",
        incomplete_uploads(store).await,
    )?;
    named("aborted uploads", aborted_uploads(store).await)?;
    named("everything was deleted", is_empty(store).await)
}

enum Fault {
    Store(Error),
    Seen(String),
}

type Outcome = std::result::Result<(), Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

fn named(check: &'static str, outcome: Outcome) -> std::result::Result<(), Violation> {
    outcome.map_err(|fault| match fault {
        Fault::Store(error) => Violation {
            check,
            fault: "unexpected error".into(),
            source: Some(error),
        },
        Fault::Seen(fault) => Violation {
            check,
            fault,
            source: None,
        },
    })
}

fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Outcome {
    match found == expected {
        true => Ok(()),
        false => Err(Fault::Seen(format!(
            "{what}: {found:?} instead of {expected:?}"
        ))),
    }
}

fn fails<T: fmt::Debug>(what: &str, result: Result<T>, kind: Option<ErrorKind>) -> Outcome {
    match result {
        Ok(answer) => Err(Fault::Seen(format!("{what} succeeded with {answer:?}"))),
        Err(error) if kind.is_some_and(|kind| kind != error.kind()) => Err(Fault::Seen(format!(
            "{what} failed as {:?}: {error}",
            error.kind()
        ))),
        Err(_) => Ok(()),
    }
}

/// Bytes that differ from place to place, so that misplaced parts show.
fn pattern(seed: u64, len: u64) -> Bytes {
    let byte = |place: u64| (place.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 11) as u8;
    (0..len).map(byte).collect()
}

async fn listing(store: &dyn Storage) -> Result<Vec<ObjectInfo>> {
    let mut objects = store.list().await?;
    objects.sort();
    Ok(objects)
}

/// The whole object, by its own statement of its length.
async fn whole(store: &dyn Storage, name: &str) -> Result<Bytes> {
    let len = store.head(name).await?.len;
    store.get(name, 0..len).await
}

async fn is_empty(store: &dyn Storage) -> Outcome {
    same("listing", listing(store).await?, vec![])
}

async fn small_objects(store: &dyn Storage) -> Outcome {
    let object = |name: &str, len| ObjectInfo::new(name, len);
    store
        .put("two", pattern(2, 2), ObjectKind::Manifest)
        .await?;
    store.put("empty", Bytes::new(), ObjectKind::Other).await?;
    store
        .put("many", pattern(1, 100_000), ObjectKind::Volume)
        .await?;
    let expected = vec![
        object("empty", 0),
        object("many", 100_000),
        object("two", 2),
    ];
    same("listing", listing(store).await?, expected)?;
    let head = store.head("many").await?;
    same("head", (head.name.as_str(), head.len), ("many", 100_000))?;
    same(
        "content",
        whole(store, "many").await? == pattern(1, 100_000),
        true,
    )?;
    same("content", whole(store, "two").await?, pattern(2, 2))?;
    same(
        "content of an empty object",
        whole(store, "empty").await?,
        Bytes::new(),
    )?;
    for name in ["two", "empty", "many"] {
        store.delete(name).await?;
    }
    Ok(())
}

async fn replaced(store: &dyn Storage) -> Outcome {
    store.put("x", pattern(1, 50), ObjectKind::Other).await?;
    store.put("x", pattern(2, 20), ObjectKind::Other).await?;
    same("content", whole(store, "x").await?, pattern(2, 20))?;
    let upload = store.begin_upload("x", ObjectKind::Volume).await?;
    upload.put_part(0, pattern(3, 10)).await?;
    same(
        "content before completion",
        whole(store, "x").await?,
        pattern(2, 20),
    )?;
    upload.complete(1, 10).await?;
    same(
        "content after completion",
        whole(store, "x").await?,
        pattern(3, 10),
    )?;
    Ok(store.delete("x").await?)
}

async fn ranges(store: &dyn Storage) -> Outcome {
    let data = pattern(7, 1000);
    store.put("x", data.clone(), ObjectKind::Volume).await?;
    for range in [0..1000, 0..1, 999..1000, 17..400, 0..0, 1000..1000] {
        let found = store.get("x", range.clone()).await?;
        let expected = data.slice(range.start as usize..range.end as usize);
        same(&format!("range {range:?}"), found, expected)?;
    }
    for range in [0..1001, 999..1001, 1000..1001, 5000..6000] {
        let what = format!("range {range:?} of 1000 bytes");
        fails(
            &what,
            store.get("x", range).await,
            Some(ErrorKind::Mismatch),
        )?;
    }
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "a caller's mistake must be an error"
    )]
    fails(
        "a reversed range",
        store.get("x", 5..4).await,
        Some(ErrorKind::Mismatch),
    )?;
    Ok(store.delete("x").await?)
}

async fn missing(store: &dyn Storage) -> Outcome {
    fails(
        "head",
        store.head("missing").await,
        Some(ErrorKind::NotFound),
    )?;
    fails(
        "get",
        store.get("missing", 0..1).await,
        Some(ErrorKind::NotFound),
    )?;
    fails(
        "an empty get",
        store.get("missing", 0..0).await,
        Some(ErrorKind::NotFound),
    )?;
    store.delete("missing").await?;
    store.put("x", pattern(1, 1), ObjectKind::Other).await?;
    store.delete("x").await?;
    store.delete("x").await?;
    fails(
        "head after delete",
        store.head("x").await,
        Some(ErrorKind::NotFound),
    )
}

async fn unusual_names(store: &dyn Storage) -> Outcome {
    let names = [
        " a b ",
        "#a?b&c=d",
        "%41%2f",
        "..a",
        ".hidden",
        "a+b",
        "~a~",
        "é€𝄞",
    ];
    let mut expected = Vec::new();
    for (seed, name) in names.into_iter().enumerate() {
        store
            .put(name, pattern(seed as u64, 10), ObjectKind::Other)
            .await?;
        expected.push(ObjectInfo::new(name, 10));
    }
    expected.sort();
    same("listing", listing(store).await?, expected)?;
    for (seed, name) in names.into_iter().enumerate() {
        same(name, whole(store, name).await?, pattern(seed as u64, 10))?;
        store.delete(name).await?;
    }
    Ok(())
}

async fn refused_names(store: &dyn Storage) -> Outcome {
    let refused = Some(ErrorKind::Unsupported);
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "../x",
        "/x",
        "a\0b",
        "a\nb",
        ".redup-tmp-0",
    ] {
        let data = pattern(0, 1);
        fails(
            name,
            store.put(name, data, ObjectKind::Other).await,
            refused,
        )?;
        fails(
            name,
            store.begin_upload(name, ObjectKind::Other).await,
            refused,
        )?;
        fails(name, store.head(name).await, refused)?;
        fails(name, store.get(name, 0..1).await, refused)?;
        fails(name, store.delete(name).await, refused)?;
    }
    is_empty(store).await
}

async fn uploads(store: &dyn Storage) -> Outcome {
    let upload = store.begin_upload("x", ObjectKind::Volume).await?;
    let size = upload.part_size();
    let len = 2 * size + 1234;
    let data = pattern(5, len);
    let part =
        |number: u64| data.slice((number * size) as usize..((number + 1) * size).min(len) as usize);
    upload.put_part(2, part(2)).await?;
    let (first, second) = tokio::join!(
        upload.put_part(0, pattern(9, size)),
        upload.put_part(1, part(1))
    );
    first?;
    second?;
    same("listing before completion", listing(store).await?, vec![])?;
    fails(
        "head before completion",
        store.head("x").await,
        Some(ErrorKind::NotFound),
    )?;
    upload.put_part(0, part(0)).await?;
    upload.complete(3, len).await?;
    upload.complete(3, len).await?;
    upload.abort().await?;
    same(
        "listing",
        listing(store).await?,
        vec![ObjectInfo::new("x", len)],
    )?;
    same("content", whole(store, "x").await? == data, true)?;
    let across = size - 10..size + 10;
    let expected = data.slice(across.start as usize..across.end as usize);
    same(
        "a range across parts",
        store.get("x", across).await?,
        expected,
    )?;
    Ok(store.delete("x").await?)
}

async fn empty_upload(store: &dyn Storage) -> Outcome {
    let upload = store.begin_upload("x", ObjectKind::Signature).await?;
    upload.put_part(0, Bytes::new()).await?;
    upload.complete(1, 0).await?;
    same("content", whole(store, "x").await?, Bytes::new())?;
    Ok(store.delete("x").await?)
}

async fn incomplete_uploads(store: &dyn Storage) -> Outcome {
    let mismatch = Some(ErrorKind::Mismatch);
    let upload = store.begin_upload("x", ObjectKind::Volume).await?;
    let size = upload.part_size();
    let too_long = pattern(1, size + 1);
    fails(
        "a part that is too long",
        upload.put_part(0, too_long).await,
        mismatch,
    )?;
    fails(
        "completion without parts",
        upload.complete(0, 0).await,
        mismatch,
    )?;
    upload.put_part(0, pattern(1, 10)).await?;
    fails(
        "a missing part",
        upload.complete(2, size + 10).await,
        mismatch,
    )?;
    fails("another length", upload.complete(1, 11).await, mismatch)?;
    upload.put_part(1, pattern(2, 10)).await?;
    fails(
        "a short part in the middle",
        upload.complete(2, 20).await,
        mismatch,
    )?;
    fails("a part too many", upload.complete(1, 10).await, mismatch)?;
    upload.abort().await?;
    is_empty(store).await
}

async fn aborted_uploads(store: &dyn Storage) -> Outcome {
    let upload = store.begin_upload("x", ObjectKind::Volume).await?;
    upload.put_part(0, pattern(1, 10)).await?;
    upload.abort().await?;
    upload.abort().await?;
    fails("completion after abort", upload.complete(1, 10).await, None)?;
    drop(upload);
    let dropped = store.begin_upload("y", ObjectKind::Volume).await?;
    dropped.put_part(0, pattern(1, 10)).await?;
    drop(dropped);
    is_empty(store).await?;
    for unfinished in store.list_unfinished().await? {
        store.discard_unfinished(&unfinished).await?;
        store.discard_unfinished(&unfinished).await?;
    }
    same("unfinished uploads", store.list_unfinished().await?, vec![])
}
