//! How long is waited before a request is made again. Time is the test's own.

use std::sync::Arc;
use std::time::Duration;

use redup_storage::{ObjectKind, Storage};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::uploads::{PART, data, small_parts, willing};
use crate::testing::{Answer, Script, options};
use crate::{S3Options, S3Storage, stall};

/// How long an upload takes that is refused once, with these headers.
async fn refused_once(status: u16, headers: &'static [(&'static str, &'static str)]) -> Duration {
    let mut refusals = 1;
    let script = Script::new(move |seen| match seen.method.as_str() {
        "PUT" if refusals > 0 => {
            refusals -= 1;
            Answer::Status(status, headers, String::new())
        }
        _ => Answer::ok(),
    });
    let patient = S3Options {
        attempts: 2,
        ..options("bkt")
    };
    let store = script.connect(patient).await.unwrap();
    let start = Instant::now();
    store.put("x", "x".into(), ObjectKind::Other).await.unwrap();
    assert_eq!(script.verbs(), ["HEAD", "PUT", "PUT"]);
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_names_a_time_is_asked_again_then() {
    for status in [429, 503] {
        let took = refused_once(status, &[("retry-after", "7")]).await;
        assert_eq!(took.as_secs(), 7, "{status}: {took:?}");
        // More than a minute is not waited for at a time.
        let took = refused_once(status, &[("retry-after", "86400")]).await;
        assert_eq!(took.as_secs(), 60, "{status}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn any_other_is_asked_again_soon() {
    for status in [500, 503] {
        let took = refused_once(status, &[]).await;
        assert!(took <= Duration::from_millis(110), "{status}: {took:?}");
    }
}

/// Of many parts there is much to say, and the server may copy them all before it answers.
#[tokio::test]
async fn taking_many_parts_together_may_take_longer_than_sending_their_names() {
    let done = Arc::new(Notify::new());
    let told = Arc::clone(&done);
    // As long as those of 700 parts together.
    let etag: &'static str = "e".repeat(12_000).leak();
    let headers: &'static [_] = vec![("etag", etag)].leak();
    let script = Script::new(move |seen| match seen.verb().as_str() {
        "POST uploadId" => Answer::When(Arc::clone(&told), Answer::completed().into()),
        "PUT uploadId" => Answer::Status(200, headers, String::new()),
        _ => willing(seen),
    });
    let options = S3Options {
        timeout: Duration::from_secs(1),
        // Two seconds more for a part.
        slowest: PART as u64 / 2,
        attempts: 3,
        ..small_parts(options("bkt"))
    };
    let http = stall::watching(script.http(), &options);
    let store = S3Storage::connect_over(options, http).await.unwrap();
    let upload = store
        .begin_upload("vol1", ObjectKind::Volume)
        .await
        .unwrap();
    for number in 0..8 {
        upload.put_part(number, data(PART)).await.unwrap();
    }
    let answering = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        done.notify_one();
    };
    let (completed, ()) = tokio::join!(upload.complete(8, 8 * PART as u64), answering);
    completed.unwrap();
    let requests = script.seen();
    let completions = requests.iter().filter(|it| it.verb() == "POST uploadId");
    let lengths: Vec<_> = completions.map(|it| it.body.len()).collect();
    assert!(
        matches!(lengths[..], [len] if len > 64 << 10),
        "{lengths:?}"
    );
}
