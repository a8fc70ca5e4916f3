//! How long is waited before a request is made again. Time is the test's own.

use std::time::Duration;

use redup_storage::{ObjectKind, Storage};
use tokio::time::Instant;

use crate::S3Options;
use crate::testing::{Answer, Script, options};

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
