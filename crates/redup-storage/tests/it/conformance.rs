//! Every store and every wrapper passes the conformance suite.

use std::sync::Arc;

use redup_storage::{
    Confirm, Fault, FileStorage, Interruptible, MemoryStorage, Record, Retry, RetryPolicy, Storage,
    conformance,
};

#[track_caller]
fn passes(storage: impl Storage + 'static) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    if let Err(violation) = runtime.block_on(conformance::run(Arc::new(storage))) {
        panic!("{violation} {:?}", violation.source);
    }
}

fn file() -> (tempfile::TempDir, FileStorage) {
    let folder = tempfile::tempdir().unwrap();
    let storage = FileStorage::new(folder.path().join("new/target"));
    (folder, storage)
}

#[test]
fn memory_conforms() {
    passes(MemoryStorage::new());
}

#[test]
fn file_conforms() {
    let (_folder, storage) = file();
    passes(storage);
}

#[test]
fn retry_conforms() {
    passes(Retry::new(
        Arc::new(MemoryStorage::new()),
        RetryPolicy::default(),
    ));
}

#[test]
fn interruptible_conforms() {
    let (_folder, storage) = file();
    passes(Interruptible::new(Arc::new(storage)));
}

#[test]
fn confirm_conforms() {
    let (_folder, storage) = file();
    passes(Confirm::new(Arc::new(storage), 1));
}

#[test]
fn record_conforms() {
    passes(Record::new(Arc::new(MemoryStorage::new())));
}

#[test]
fn fault_without_rules_conforms() {
    passes(Fault::new(Arc::new(MemoryStorage::new()), []));
}

#[test]
fn a_stack_of_wrappers_conforms() {
    let (_folder, storage) = file();
    let stack = Fault::new(Arc::new(Record::new(Arc::new(storage))), []);
    passes(Retry::new(Arc::new(stack), RetryPolicy::default()));
}
