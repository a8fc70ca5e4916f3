//! What transfers hold in memory, and how they end.

use std::io::Write;
use std::sync::{Arc, Mutex};

use redup_engine::transfer::Transfer;
use redup_storage::{Action, Fault, FaultRule, MemoryStorage, ObjectKind, Op, Tuning, When};

use crate::hooked::Hooked;

const MIB: u64 = 1 << 20;

/// A chain of many sets has as many signature files open at once.
#[test]
fn many_readers_hold_little_beyond_the_budget() {
    const READERS: usize = 50;
    const LEN: u64 = 4 * MIB;
    let memory = MemoryStorage::with_tuning(Tuning {
        part_size: MIB,
        range_size: MIB,
        uploads: 4,
        downloads: 4,
        rereads_are_cheap: false,
    });
    memory.insert("x", vec![7; LEN as usize]);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let store = Hooked::new(Arc::new(memory)).getting(move |_, range| {
        log.lock().unwrap().push(range.end - range.start);
        None
    });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let budget = 4 * MIB;
    let transfer = Transfer::new(Arc::new(store), runtime.handle().clone(), budget);

    let mut readers = [(); READERS].map(|()| transfer.read("x", LEN));
    let firsts = readers
        .each_mut()
        .map(|reader| reader.next_chunk().unwrap().unwrap().len() as u64);
    let on_their_way: u64 = asked.lock().unwrap().iter().sum();
    assert!(
        on_their_way <= budget + READERS as u64 * MIB / 4,
        "{on_their_way}"
    );

    // Those without room come to their end as well.
    for (mut reader, mut read) in readers.into_iter().zip(firsts) {
        while let Some(chunk) = reader.next_chunk().unwrap() {
            read += chunk.len() as u64;
        }
        assert_eq!(read, LEN);
    }
}

/// The store may be gone, which is why they are given up; what stays there is invisible.
#[test]
fn giving_uploads_up_does_not_wait_for_ever() {
    let hangs = FaultRule::new(Op::Abort, When::From(1), Action::Hang);
    let store = Arc::new(Fault::new(Arc::new(MemoryStorage::new()), [hangs]));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let transfer = Transfer::new(store, runtime.handle().clone(), 4 * MIB);
    let uploads: Vec<_> = (0..4)
        .map(|number| {
            let mut upload = transfer.create(&format!("x{number}"), ObjectKind::Volume);
            upload.write_all(&[7; 200_000]).unwrap();
            upload
        })
        .collect();
    drop(uploads);
}
