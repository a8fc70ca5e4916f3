//! What a local folder promises beyond the trait.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use bytes::Bytes;
use redup_storage::{ErrorKind, FileStorage, ObjectKind, Storage, StorageExt as _};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn data() -> Bytes {
    Bytes::from_static(b"content")
}

#[tokio::test]
async fn reading_does_not_create_the_folder() {
    let parent = tempfile::tempdir().unwrap();
    let store = FileStorage::new(parent.path().join("a/b"));
    assert!(store.list().await.unwrap().is_empty());
    assert!(store.list_unfinished().await.unwrap().is_empty());
    store.delete("x").await.unwrap();
    assert_eq!(
        store.head("x").await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert!(names(parent.path()).is_empty());
    store.put("x", data(), ObjectKind::Other).await.unwrap();
    assert_eq!(names(&parent.path().join("a/b")), ["x"]);
}

#[tokio::test]
async fn folders_temporary_files_and_dead_links_are_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("below")).unwrap();
    fs::write(folder.path().join("below/inner"), "x").unwrap();
    fs::write(folder.path().join(".redup-tmp-7"), "x").unwrap();
    fs::write(folder.path().join("here"), "x").unwrap();
    symlink("nowhere", folder.path().join("dead")).unwrap();
    symlink("here", folder.path().join("link")).unwrap();
    let store = FileStorage::new(folder.path());
    let mut listed: Vec<_> = store
        .list()
        .await
        .unwrap()
        .into_iter()
        .map(|o| o.name)
        .collect();
    listed.sort();
    assert_eq!(listed, ["here", "link"]);
    assert_eq!(
        store.head("below").await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(
        store.get("below", 0..0).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn an_upload_in_progress_has_a_name_that_duplicity_ignores() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStorage::new(folder.path());
    let upload = store
        .begin_upload("duplicity-full.vol1", ObjectKind::Volume)
        .await
        .unwrap();
    upload.put_part(0, data()).await.unwrap();
    let [name] = &names(folder.path())[..] else {
        panic!("one file")
    };
    assert!(name.starts_with(".redup-tmp-"), "{name}");
    upload.complete(1, 7).await.unwrap();
    assert_eq!(names(folder.path()), ["duplicity-full.vol1"]);
}

#[tokio::test]
async fn a_dropped_or_aborted_upload_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStorage::new(folder.path());
    let dropped = store.begin_upload("x", ObjectKind::Volume).await.unwrap();
    dropped.put_part(0, data()).await.unwrap();
    drop(dropped);
    assert!(names(folder.path()).is_empty());
    let aborted = store.begin_upload("x", ObjectKind::Volume).await.unwrap();
    aborted.abort().await.unwrap();
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn what_a_killed_run_left_is_swept_and_what_a_living_one_writes_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let living = FileStorage::new(folder.path());
    let upload = living.begin_upload("x", ObjectKind::Volume).await.unwrap();
    fs::write(folder.path().join(".redup-tmp-left"), "garbage").unwrap();
    assert_eq!(living.list_unfinished().await.unwrap().len(), 1);

    let next = FileStorage::new(folder.path());
    next.put("y", data(), ObjectKind::Other).await.unwrap();
    assert_eq!(names(folder.path()).len(), 2, "{:?}", names(folder.path()));
    upload.put_part(0, data()).await.unwrap();
    upload.complete(1, 7).await.unwrap();
    assert_eq!(names(folder.path()), ["x", "y"]);
}

#[tokio::test]
async fn discarding_touches_temporary_files_only() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "x").unwrap();
    let store = FileStorage::new(folder.path());
    for id in ["precious", "../x", ".redup-tmp-/../precious"] {
        let forged = redup_storage::Unfinished {
            name: None,
            age: <_>::default(),
            id: id.into(),
        };
        assert!(store.discard_unfinished(&forged).await.is_err(), "{id}");
    }
    assert_eq!(names(folder.path()), ["precious"]);
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_is_an_error_that_names_it() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("file");
    fs::write(&path, "x").unwrap();
    let store = FileStorage::new(&path);
    let error = store.put("x", data(), ObjectKind::Other).await.unwrap_err();
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    assert!(store.list().await.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"x");
}

#[tokio::test]
async fn a_folder_without_permission_is_told_apart() {
    if rustix::process::geteuid().is_root() {
        // Permissions do not bind root; the kind's mapping has its own unit test.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let store = FileStorage::new(folder.path());
    let error = store.put("x", data(), ObjectKind::Other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_full_device_is_told_apart() {
    // Every write to a file under this name fails with ENOSPC, without filling anything.
    let folder = tempfile::tempdir().unwrap();
    symlink("/dev/full", folder.path().join("full")).unwrap();
    let error = fs::write(folder.path().join("full"), "x").unwrap_err();
    let error = redup_storage::Error::from_io(redup_storage::Op::Put, "full", error);
    assert_eq!(error.kind(), ErrorKind::NoSpace);
    assert_eq!(
        error.to_string(),
        "cannot write full: no space left at the target"
    );
}
