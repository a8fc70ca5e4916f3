//! One test for each way in which networks and servers fail, at each request that it can hit: the
//! store gets over it by itself, and what is at the server is what was meant.

use std::cell::OnceCell;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use redup_s3::{Notice, S3Options, S3Storage};
use redup_storage::{ObjectKind, Result, Retry, RetryPolicy, Storage, StorageExt as _};
use redup_testkit::faulty::{Fault, Request};
use redup_testkit::recorder::Recorder;
use redup_testkit::s3s::S3sServer;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;

use crate::surroundings::{Notices, options, runtime};

/// The smallest part that servers take.
const PART: usize = 5 << 20;

/// All that a backup asks of a store.
const ALL: [&str; 9] = [
    "HeadBucket",
    "PutObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
    "HeadObject",
    "ListObjectsV2",
    "GetObject",
    "DeleteObject",
];

/// Those that change something.
const WRITES: [&str; 5] = [
    "PutObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
    "DeleteObject",
];

#[test]
fn a_server_error_is_asked_again() {
    each_is_survived(&ALL, Fault::Refused(500, "InternalError"));
}

#[test]
fn a_server_that_is_away_is_asked_again() {
    each_is_survived(&ALL, Fault::Refused(503, "ServiceUnavailable"));
}

#[test]
fn a_server_that_is_overloaded_is_asked_again() {
    each_is_survived(&ALL, Fault::Refused(503, "SlowDown"));
}

#[test]
fn a_server_error_after_the_deed_is_asked_again() {
    each_is_survived(&ALL, Fault::DoneButRefused(500, "InternalError"));
}

#[test]
fn a_connection_reset_in_the_middle_of_a_request_is_made_again() {
    each_is_survived(&ALL, Fault::RequestCut);
}

#[test]
fn a_connection_reset_before_the_answer_is_made_again() {
    each_is_survived(&ALL, Fault::AnswerLost);
}

#[test]
fn an_error_inside_of_a_success_is_asked_again() {
    let fault = Fault::DoneButErrorInBody("InternalError");
    each_is_survived(&["CompleteMultipartUpload"], fault);
}

#[test]
fn a_body_that_ends_early_is_asked_for_again() {
    each_is_survived(&["ListObjectsV2", "GetObject"], Fault::AnswerCut);
}

#[test]
fn a_server_that_says_nothing_is_asked_again() {
    let started = Instant::now();
    each_is_survived(&["HeadBucket", "UploadPart", "GetObject"], Fault::Stalled);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn a_body_that_stalls_is_asked_for_again() {
    each_is_survived(&["GetObject"], Fault::AnswerStalled);
}

#[test]
fn a_body_that_breaks_off_is_gone_on_with_where_it_ended() {
    for fault in [Fault::AnswerCut, Fault::AnswerStalled] {
        let run = Run::on(Servers::default().quick(), "half", once("GetObject", fault));
        let ranges = run.seen.iter().filter(|it| it.operation() == "GetObject");
        let ranges: Vec<_> = ranges.filter_map(|it| it.header("range")).collect();
        let (half, quarter) = (PART / 2, PART / 4);
        let expected = [
            format!("bytes=0-{}", half - 1),
            format!("bytes={quarter}-{}", half - 1),
        ];
        assert_eq!(ranges[..2], expected, "{fault:?}");
    }
}

#[test]
fn what_was_altered_on_its_way_to_the_server_is_sent_again() {
    each_is_survived(&["PutObject", "UploadPart"], Fault::RequestAltered);
}

#[test]
fn a_request_that_arrives_twice_does_no_harm() {
    let servers = Servers::default();
    for operation in WRITES {
        let schedule = once(operation, Fault::Doubled);
        let run = Run::on(servers.of(operation, Fault::Doubled), operation, schedule);
        assert_eq!(run.faults, 1, "{operation}");
    }
}

#[test]
fn a_request_sent_elsewhere_for_now_is_made_again() {
    each_is_survived(&WRITES, Fault::Redirected);
}

#[test]
fn a_bucket_in_another_region_is_followed_there_for_the_whole_run() {
    const REGION: &str = "eu-central-1";
    let signed_there = |request: &Request| {
        let signature = request.header("authorization").unwrap_or_default();
        signature.contains(&format!("/{REGION}/s3/"))
    };
    let run = Run::on(Servers::default().quick(), "moved", move |request| {
        (!signed_there(request)).then_some(Fault::Elsewhere(REGION))
    });
    assert_eq!(run.faults, 1, "the first answer is enough");
    assert!(run.seen[1..].iter().all(signed_there), "{:?}", run.seen);
    let told =
        |notice: &Notice| matches!(notice, Notice::RegionFollowed { to, .. } if to == REGION);
    assert!(run.notices.iter().any(told), "{:?}", run.notices);
}

/// A fault for the first request of this kind, and no other.
fn once(
    operation: &'static str,
    fault: Fault,
) -> impl FnMut(&Request) -> Option<Fault> + Send + 'static {
    let mut left = 1;
    move |request| {
        let hit = left > 0 && request.operation() == operation;
        left -= i32::from(hit);
        hit.then_some(fault)
    }
}

#[track_caller]
fn each_is_survived(operations: &[&'static str], fault: Fault) {
    let servers = Servers::default();
    for &operation in operations {
        let run = Run::on(
            servers.of(operation, fault),
            operation,
            once(operation, fault),
        );
        assert_eq!(run.faults, 1, "{operation}");
        let without = match operation {
            "PutObject" | "UploadPart" | "GetObject" => 2,
            _ => 1,
        };
        let asked = run.seen.iter().filter(|it| it.operation() == operation);
        assert!(asked.count() > without, "{operation}: {:?}", run.seen);
    }
}

/// Servers for a test, each started when it is needed.
#[derive(Default)]
struct Servers {
    quick: OnceCell<S3sServer>,
    thorough: OnceCell<SeaweedServer>,
}

impl Servers {
    /// s3s-fs, but where it does not do as Amazon: taking parts together a second time, it says that
    /// permission is missing, not that the upload is gone.
    fn of(&self, operation: &str, fault: Fault) -> &dyn S3Server {
        let never_done = matches!(
            fault,
            Fault::Refused(..) | Fault::RequestCut | Fault::Redirected
        );
        match operation {
            "CompleteMultipartUpload" if !never_done => self.thorough.get_or_init(|| {
                let server = SeaweedServer::start();
                server.create_bucket("backups");
                server
            }),
            _ => self.quick(),
        }
    }

    fn quick(&self) -> &dyn S3Server {
        self.quick.get_or_init(|| {
            let server = S3sServer::start();
            server.create_bucket("backups");
            server
        })
    }
}

/// What a backup asks of a store, done once through a network with these faults.
struct Run {
    faults: usize,
    seen: Vec<Request>,
    notices: Vec<Notice>,
}

impl Run {
    #[track_caller]
    fn on(
        server: &dyn S3Server,
        folder: &str,
        mut schedule: impl FnMut(&Request) -> Option<Fault> + Send + 'static,
    ) -> Self {
        let target = format!("s3://backups/{folder}");
        let faults = Arc::new(Mutex::new(0));
        let count = Arc::clone(&faults);
        let recorder = Recorder::with_faults(server, move |request| {
            let fault = schedule(request);
            *count.lock().unwrap() += usize::from(fault.is_some());
            fault
        });
        let notices = Notices::default();
        let faulty = notices.listen(S3Options {
            endpoint_url: Some(recorder.endpoint_url()),
            timeout: Duration::from_secs(1),
            slowest: 3_000_000,
            attempts: 4,
            ..options(server, &target)
        });
        runtime().block_on(async {
            work(faulty).await.unwrap();
            let direct = S3Storage::connect(options(server, &target)).await.unwrap();
            let mut found = direct.list().await.unwrap();
            found.sort_by(|one, other| one.name.cmp(&other.name));
            let names: Vec<_> = found.iter().map(|object| &*object.name).collect();
            assert_eq!(names, ["manifest", "volume"]);
            for (object, data) in found.iter().zip([manifest(), volume()]) {
                let got = direct.get(&object.name, 0..object.len).await.unwrap();
                assert!(got == data, "{} is not what was sent", object.name);
            }
        });
        let faults = *faults.lock().unwrap();
        Self {
            faults,
            seen: recorder.seen(),
            notices: notices.all(),
        }
    }
}

fn manifest() -> Bytes {
    Bytes::from_static(b"Hostname there")
}

fn volume() -> Bytes {
    (0..PART + 1000)
        .map(|place| (place * 31 / 7) as u8)
        .collect()
}

async fn work(options: S3Options) -> Result<()> {
    let store = S3Storage::connect(options).await?;
    let policy = RetryPolicy {
        first_wait: Duration::from_millis(50),
        ..RetryPolicy::default()
    };
    let store = Retry::new(Arc::new(store), policy);
    let volume = volume();
    let upload = store.begin_upload("volume", ObjectKind::Volume).await?;
    for (number, part) in (0..).zip(volume.chunks(PART)) {
        upload
            .put_part(number, Bytes::copy_from_slice(part))
            .await?;
    }
    upload.complete(2, volume.len() as u64).await?;
    store.put("manifest", manifest(), ObjectKind::Other).await?;
    store.put("other", manifest(), ObjectKind::Other).await?;
    store.delete("other").await?;
    let half = PART as u64 / 2;
    let len = store.head("volume").await?.len;
    for range in [0..half, half..len] {
        let (start, end) = (range.start as usize, range.end as usize);
        let got = store.get("volume", range).await?;
        assert!(
            got == volume[start..end],
            "{start} to {end} are not what was sent"
        );
    }
    assert_eq!(store.list().await?.len(), 2);
    Ok(())
}
