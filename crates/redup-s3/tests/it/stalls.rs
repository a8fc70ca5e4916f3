//! Lines that stand still are told from lines that are slow.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redup_s3::{S3Options, S3Storage};
use redup_storage::{ErrorKind, ObjectKind, Result, Storage, StorageExt as _};
use redup_testkit::faulty::Fault;
use redup_testkit::recorder::Recorder;
use redup_testkit::s3s::S3sServer;
use redup_testkit::server::S3Server;
use redup_testkit::slow::SlowLine;

use crate::surroundings::{options, runtime};

const LARGE: usize = 40 << 20;

fn server() -> S3sServer {
    let server = S3sServer::start();
    server.create_bucket("backups");
    server
}

fn data(len: usize) -> Bytes {
    (0..len).map(|place| (place * 31 / 7) as u8).collect()
}

#[test]
fn a_line_slower_than_expected_will_do_as_long_as_bytes_move() {
    let server = server();
    let line = SlowLine::to(server.address(), 3_000_000);
    let patient = S3Options {
        endpoint_url: Some(line.endpoint_url()),
        attempts: 1,
        // At the speed expected, 6 MiB would be given little more than a second; they take two.
        timeout: Duration::from_secs(1),
        slowest: 60_000_000,
        ..options(&server, "s3://backups/p")
    };
    let object = data(6 << 20);
    let len = object.len() as u64;
    let got: Result<Bytes> = runtime().block_on(async {
        let store = S3Storage::connect(patient).await?;
        store.put("x", object.clone(), ObjectKind::Volume).await?;
        store.get("x", 0..len).await
    });
    assert!(got.unwrap() == object);
}

#[test]
fn an_upload_that_stands_still_in_its_middle_is_soon_given_up() {
    let (error, took) = put_into(Fault::RequestStalled);
    assert_eq!(error, ErrorKind::Timeout);
    // At the slowest speed expected, its size would make it 42 seconds.
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn an_upload_that_gets_no_answer_is_soon_given_up() {
    let (error, took) = put_into(Fault::Stalled);
    assert_eq!(error, ErrorKind::Timeout);
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// What becomes of a large object whose every request meets this fault, tried once.
fn put_into(fault: Fault) -> (ErrorKind, Duration) {
    let server = server();
    let recorder = Arc::new(Recorder::with_faults(&server, move |request| {
        (request.method == "PUT").then_some(fault)
    }));
    let options = S3Options {
        endpoint_url: Some(recorder.endpoint_url()),
        attempts: 1,
        timeout: Duration::from_secs(1),
        slowest: 1_000_000,
        ..options(&server, "s3://backups/p")
    };
    runtime().block_on(async {
        let store = S3Storage::connect(options).await.unwrap();
        let started = Instant::now();
        let put = store.put("x", data(LARGE), ObjectKind::Volume).await;
        (put.unwrap_err().kind(), started.elapsed())
    })
}
