//! Each option about S3 has its effect at the server: in what that holds, or in the requests that it
//! gets.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use redup_testkit::env::TestEnv;
use redup_testkit::faulty::{Fault, Request};
use redup_testkit::fixtures::TIMES;
use redup_testkit::forward::ForwardProxy;
use redup_testkit::recorder::Recorder;
use redup_testkit::run::{Outcome, run};
use redup_testkit::s3s::S3sServer;
use redup_testkit::seaweed::{SeaweedServer, Tls};
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::servers::env;
use super::{BUCKET, server_and_env};
use crate::redup;

#[test]
fn an_endpoint_by_option_goes_before_the_environments() {
    let server = S3sServer::start();
    let mut env = env(&server);
    let recorder = Recorder::before(&server);
    env.options = vec!["--s3-endpoint-url".into(), recorder.endpoint_url()];
    env.run(&redup(), "collection-status", [&env.url]).ok();
    let seen = recorder.seen();
    assert_eq!(seen[0].operation(), "HeadBucket");
    assert_eq!(seen[0].target, "/backups/", "the bucket is in the path");
}

#[test]
fn the_region_is_the_one_signed_for() {
    for (options, scope) in [
        (
            &["--s3-region-name", "eu-west-3"][..],
            "/eu-west-3/s3/aws4_request",
        ),
        (&[], "/us-east-1/s3/aws4_request"),
    ] {
        let seen = requests(options);
        for request in &seen {
            let signature = request.header("authorization").unwrap();
            assert!(signature.contains(scope), "{signature}");
        }
    }
}

#[test]
fn what_is_asked_for_an_object_is_on_each_and_not_on_its_parts() {
    const SSE: &str = "x-amz-server-side-encryption";
    const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
    const GRANT: &str = "x-amz-grant-full-control";
    let kms = [
        "--s3-use-server-side-kms-encryption",
        "--s3-kms-key-id",
        "arn:key/1",
    ];
    for (options, expected) in [
        (&[][..], [None, None, None]),
        (
            &["--s3-use-server-side-encryption"],
            [Some("AES256"), None, None],
        ),
        (&kms, [Some("aws:kms"), Some("arn:key/1"), None]),
        (&["--s3-kms-grant", "id=abc"], [None, None, Some("id=abc")]),
    ] {
        let seen = requests(options);
        let mut objects = 0;
        for request in &seen {
            let found = [SSE, KEY, GRANT].map(|name| request.header(name));
            match request.operation() {
                "PutObject" | "CreateMultipartUpload" => {
                    objects += 1;
                    assert_eq!(found, expected, "{request:?}");
                }
                // A server refuses it there.
                _ => assert_eq!(found, [None; 3], "{request:?}"),
            }
        }
        assert!(objects >= 3, "{seen:?}");
    }
}

#[test]
fn parts_have_the_size_asked_for() {
    let seen = requests(&["--s3-multipart-chunk-size", "6"]);
    let parts: Vec<usize> = lens(&seen, "UploadPart");
    let whole = 6 << 20;
    assert!(
        parts.iter().filter(|&&len| len == whole).count() >= 1,
        "{parts:?}"
    );
    assert!(parts.iter().all(|&len| len <= whole), "{parts:?}");
    // What fits into one part is sent with one request.
    let objects = lens(&seen, "PutObject");
    assert!(objects.iter().all(|&len| len < whole), "{objects:?}");
}

#[test]
fn as_many_parts_as_asked_for_are_on_their_way_at_once() {
    for procs in [2, 5] {
        let server = S3sServer::start();
        let mut env = env(&server);
        // Whoever sends a part waits for its answer for ever.
        let recorder = Recorder::with_faults(&server, |request| {
            (request.operation() == "UploadPart").then_some(Fault::Stalled)
        });
        env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
        env.options = ["--volsize", "60", "--s3-multipart-chunk-size", "5"]
            .map(str::to_owned)
            .into();
        env.options
            .push(format!("--s3-multipart-max-procs={procs}"));
        trees::filler(50).write(&env.source());
        let run = env.start_backup(&redup(), "full", TIMES[0]);
        let parts = || recorder.seen_of("UploadPart").len();
        let (stopped, outcome) = run.kill_when(stays_at(procs, parts));
        assert!(stopped, "{outcome}");
        assert_eq!(parts(), procs);
    }
}

#[test]
fn as_many_volumes_as_asked_for_are_on_their_way_beside_the_next() {
    for (options, volumes) in [
        (&["--concurrency=0"][..], 1),
        (&["--asynchronous-upload"], 2),
        (&["--concurrency=3", "--asynchronous-upload"], 4),
        (&[], 6),
    ] {
        let server = S3sServer::start();
        let mut env = env(&server);
        // No volume is ever acknowledged.
        let recorder = Recorder::with_faults(&server, |request| {
            (request.operation() == "CompleteMultipartUpload").then_some(Fault::Stalled)
        });
        env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
        env.options = ["--volsize", "6", "--s3-multipart-chunk-size", "5"]
            .map(str::to_owned)
            .into();
        env.options
            .extend(options.iter().map(|&option| option.into()));
        trees::filler(50).write(&env.source());
        let run = env.start_backup(&redup(), "full", TIMES[0]);
        let begun = || recorder.seen_of("CreateMultipartUpload").len();
        let (stopped, outcome) = run.kill_when(stays_at(volumes, begun));
        assert!(stopped, "{outcome}");
        assert_eq!(begun(), volumes, "{options:?}");
    }
}

/// Whether a count has been this, or more, for long enough for one more to come if it could.
fn stays_at(wanted: usize, count: impl Fn() -> usize) -> impl FnMut() -> bool {
    let mut since = None;
    move || {
        let reached = count() >= wanted;
        let since = reached.then(|| *since.get_or_insert_with(Instant::now));
        since.is_some_and(|since| since.elapsed() > Duration::from_millis(700))
    }
}

#[test]
fn a_volume_is_fetched_once_where_memory_allows() {
    let server = S3sServer::start();
    let mut env = env(&server);
    let recorder = Recorder::before(&server);
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    env.options = vec!["--volsize=100".into()];
    trees::filler(80).write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    let of_volumes = |request: &&Request| request.target.contains("difftar");
    let seen = recorder.seen();
    let puts = seen.iter().filter(|request| request.method == "PUT");
    let stored: usize = puts.filter(of_volumes).map(|it| it.len).sum();
    let mut fetched = |limit: &str| -> usize {
        let before = recorder.seen().len();
        env.options = vec![format!("--memory-limit={limit}")];
        env.restored(&redup(), None);
        let seen = recorder.seen().split_off(before);
        let ranges = seen.iter().filter(of_volumes);
        ranges.filter_map(|it| range_len(it.header("range")?)).sum()
    };
    assert_eq!(fetched("512"), stored);
    let again = fetched("128");
    assert!(again > stored * 3 / 2, "{again} of {stored}");
}

#[test]
fn parts_too_long_for_the_memory_allowed_are_told() {
    let server = S3sServer::start();
    let mut env = env(&server);
    trees::filler(1).write(&env.source());
    let mut said = |chunk: &str, time| {
        env.options = ["--memory-limit=128", "--s3-multipart-chunk-size", chunk]
            .map(str::to_owned)
            .into();
        env.backup(&redup(), "full", time).ok()
    };
    said("100", TIMES[0]).says(
        "uploads in parts of 100 MB take 300 MB of memory, and --memory-limit leaves 48 MB for them",
    );
    said("15", TIMES[1]).never_says("of memory");
}

/// The length that a header like `bytes=0-99` asks for.
fn range_len(range: &str) -> Option<usize> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    Some(last.parse::<usize>().ok()? + 1 - first.parse::<usize>().ok()?)
}

#[test]
fn a_part_is_given_up_after_the_time_asked_for() {
    // By its size it would be given more than two minutes.
    let limit = Duration::from_secs(60);
    let stalled = survives_one_stall("UploadPart", &["--s3-multipart-max-timeout", "2"], limit);
    assert!(stalled.len > 1_500_000, "{stalled:?}");
}

#[test]
fn an_answer_is_waited_for_as_long_as_asked_for() {
    // Without the option it would be half a minute.
    let limit = Duration::from_secs(25);
    survives_one_stall("HeadBucket", &["--timeout", "1"], limit);
}

#[test]
fn an_operation_is_tried_as_often_and_as_soon_as_asked() {
    let server = S3sServer::start();
    let mut env = env(&server);
    trees::filler(1).write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    // An answer that breaks off is nothing that the client below tries again.
    let recorder = Recorder::with_faults(&server, |request| {
        (request.operation() == "GetObject").then_some(Fault::AnswerCut)
    });
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    env.name = "fresh".into();
    let tries = |options: &[&str]| {
        let before = recorder.seen_of("GetObject").len();
        let status = env.run(&redup(), "ls", [options, &[&env.url]].concat());
        assert!(!status.status.success(), "{status}");
        recorder.seen_of("GetObject").len() - before
    };
    let started = Instant::now();
    let once = tries(&["--num-retries=1"]);
    assert_eq!(
        tries(&["--num-retries=9", "--backend-retry-delay=0"]),
        9 * once
    );
    // Without the delay it would wait for 1 + 2 + 4 + … seconds, two minutes and more in all.
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn progress_is_told_as_often_as_asked() {
    // A part without an answer makes it last for seconds.
    let lines = |rate: &str| {
        let patience = ["--s3-multipart-max-timeout", "3"];
        let options = [&patience[..], &["--progress", "--progress-rate", rate]].concat();
        let (outcome, _) = stalled_once("UploadPart", &options);
        outcome.stdout.matches("% ").count()
    };
    // Its end is always told.
    assert_eq!(lines("1000"), 1);
    assert!(lines("1") >= 3);
}

/// A backup succeeds although one request gets no answer, and is over before `limit`. Returns that request.
#[track_caller]
fn survives_one_stall(operation: &'static str, options: &[&str], limit: Duration) -> Request {
    let started = Instant::now();
    let (_, request) = stalled_once(operation, options);
    assert!(started.elapsed() < limit, "{:?}", started.elapsed());
    request
}

/// A backup, one of whose requests gets no answer.
#[track_caller]
fn stalled_once(operation: &'static str, options: &[&str]) -> (Outcome, Request) {
    let server = S3sServer::start();
    let mut env = env(&server);
    let mut stalls = 1;
    let recorder = Recorder::with_faults(&server, move |request| {
        let stalled = stalls > 0 && request.operation() == operation;
        stalls -= i32::from(stalled);
        stalled.then_some(Fault::Stalled)
    });
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    env.options = ["--volsize", "7", "--s3-multipart-chunk-size", "5"]
        .iter()
        .chain(options)
        .map(|&word| word.to_owned())
        .collect();
    trees::filler(7).write(&env.source());
    let outcome = env.backup(&redup(), "full", TIMES[0]).ok();
    env.verify(&redup(), None).ok();
    (outcome, recorder.seen_of(operation).swap_remove(0))
}

#[test]
fn classes_are_those_asked_for() {
    let (server, mut env) = server_and_env();
    trees::filler(1).write(&env.source());
    let cases = [
        ("--s3-use-rrs", "REDUCED_REDUNDANCY", "REDUCED_REDUNDANCY"),
        ("--s3-use-ia", "STANDARD_IA", "STANDARD"),
        ("--s3-use-onezone-ia", "ONEZONE_IA", "STANDARD"),
        ("--s3-use-glacier", "GLACIER", "STANDARD"),
        ("--s3-use-glacier-ir", "GLACIER_IR", "STANDARD"),
        ("--s3-use-deep-archive", "DEEP_ARCHIVE", "STANDARD"),
        (
            "--s3-storage-class=INTELLIGENT_TIERING",
            "INTELLIGENT_TIERING",
            "INTELLIGENT_TIERING",
        ),
        (
            "--s3-storage-class-metadata=ONEZONE_IA",
            "STANDARD",
            "ONEZONE_IA",
        ),
        ("--no-encryption", "STANDARD", "STANDARD"),
    ];
    for (number, (option, _, _)) in cases.iter().enumerate() {
        env.name = format!("case{number}");
        env.url = format!("boto3+s3://{BUCKET}/path/{number}");
        env.options = vec![(*option).to_owned()];
        env.backup(&redup(), "full", TIMES[0]).ok();
    }
    let told = server.boto3(&format!(
        "for it in s3.list_objects_v2(Bucket='{BUCKET}')['Contents']:\n \
         head = s3.head_object(Bucket='{BUCKET}', Key=it['Key'])\n \
         print(it['Key'], head.get('StorageClass', 'STANDARD'))"
    ));
    assert_eq!(told.lines().count(), 3 * cases.len(), "{told}");
    for (number, (option, volume, metadata)) in cases.iter().enumerate() {
        let folder = format!("path/{number}/");
        for line in told.lines().filter(|line| line.starts_with(&folder)) {
            let class = if line.contains(".vol") {
                volume
            } else {
                metadata
            };
            assert!(line.ends_with(&format!(" {class}")), "{option}: {line}");
        }
    }
}

#[test]
fn amazon_is_asked_dual_stack_unless_told_otherwise() {
    for (options, variable, expected) in [
        (
            &[][..],
            None,
            "CONNECT backups.s3.dualstack.eu-west-3.amazonaws.com:443",
        ),
        (
            &["--s3-no-dualstack"],
            None,
            "CONNECT backups.s3.eu-west-3.amazonaws.com:443",
        ),
        (
            &[],
            Some("false"),
            "CONNECT backups.s3.eu-west-3.amazonaws.com:443",
        ),
    ] {
        let (mut env, proxy) = behind_proxy("HTTPS_PROXY");
        if let Some(value) = variable {
            env.set("AWS_USE_DUALSTACK_ENDPOINT", value);
        }
        env.options
            .extend(options.iter().map(|&word| word.to_owned()));
        env.run(&redup(), "collection-status", [&env.url]).code(50);
        assert_eq!(proxy.asked(), [expected]);
    }
}

#[test]
fn a_connection_is_unencrypted_when_asked_for() {
    // Amazon's server for the region, over plain HTTP.
    let (mut env, proxy) = behind_proxy("HTTP_PROXY");
    env.options.push("--s3-unencrypted-connection".into());
    let status = env.run(&redup(), "collection-status", [&env.url]);
    assert!(!status.status.success());
    let asked = proxy.asked();
    let server = "http://backups.s3.dualstack.eu-west-3.amazonaws.com";
    assert!(asked.iter().all(|line| line.ends_with(server)), "{asked:?}");
    assert!(!asked.is_empty());

    // A server in the URL; it would be HTTPS without the option.
    let server = S3sServer::start();
    let mut env = self::env(&server);
    env.unset("AWS_ENDPOINT_URL_S3");
    env.url = format!("s3://{}/{BUCKET}/path", server.address());
    env.options = vec!["--num-retries=1".into()];
    env.run(&redup(), "collection-status", [&env.url])
        .code(50)
        .says("hint: the server seems to speak plain HTTP")
        .says("--s3-unencrypted-connection");
    env.options.push("--s3-unencrypted-connection".into());
    env.run(&redup(), "collection-status", [&env.url]).ok();
}

#[test]
fn an_authority_is_trusted_by_option_variable_or_profile() {
    let server = SeaweedServer::start_tls(tls());
    let mut env = env(&server);
    let authority = tls().authority.display().to_string();
    let config = env.path("config").display().to_string();
    fs::write(&config, format!("[default]\nca_bundle = {authority}\n")).unwrap();
    env.unset("AWS_CA_BUNDLE").options = vec!["--num-retries=1".into()];
    let status = |env: &TestEnv| env.run(&redup(), "collection-status", [&env.url]);
    status(&env).code(50).says("no trusted connection");

    env.options.push(format!("--ssl-cacert-file={authority}"));
    status(&env).ok();
    env.options.truncate(1);
    env.set("AWS_CA_BUNDLE", &authority);
    status(&env).ok();
    env.unset("AWS_CA_BUNDLE").set("AWS_CONFIG_FILE", &config);
    status(&env).ok();
    run(env.bare(&redup()).args(["probe", &env.url])).ok();
    // The option goes before both.
    env.options.push("--ssl-cacert-file=/no/such/file".into());
    status(&env).code(50).says("/no/such/file");
}

#[test]
fn options_without_effect_say_so_and_change_no_request() {
    let plain = requests(&[]);
    let old = [
        "--s3-use-multiprocessing",
        "--s3-use-new-style",
        "--s3-european-buckets",
    ];
    let with = requests(&old);
    let shape = |seen: &[Request]| {
        let mut shape: Vec<_> = seen
            .iter()
            .map(|it| (it.operation(), it.target.contains("uploads")))
            .collect();
        shape.sort_unstable();
        shape
    };
    assert_eq!(shape(&with), shape(&plain));
}

/// What a full backup with these options asks of a server, volumes in two parts.
#[track_caller]
fn requests(options: &[&str]) -> Vec<Request> {
    let server = S3sServer::start();
    let mut env = env(&server);
    let recorder = Recorder::before(&server);
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    env.options = ["--volsize", "8", "--s3-multipart-chunk-size", "5"]
        .iter()
        .chain(options)
        .map(|&word| word.to_owned())
        .collect();
    trees::filler(9).write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    recorder.seen()
}

fn lens(seen: &[Request], operation: &str) -> Vec<usize> {
    let of = seen
        .iter()
        .filter(|request| request.operation() == operation);
    of.map(|request| request.len).collect()
}

/// A machine whose only way out is a proxy, which lets nothing through.
pub(super) fn behind_proxy(variable: &str) -> (TestEnv, ForwardProxy) {
    let proxy = ForwardProxy::towards(None);
    let mut env = TestEnv::new();
    env.set("AWS_ACCESS_KEY_ID", "id");
    env.set("AWS_SECRET_ACCESS_KEY", "secret");
    env.set(variable, proxy.url());
    env.url = format!("s3://{BUCKET}/path");
    env.options = ["--s3-region-name", "eu-west-3", "--num-retries", "1"]
        .map(str::to_owned)
        .into();
    (env, proxy)
}

/// A certificate for 127.0.0.1, and an authority that no system knows.
pub(super) fn tls() -> Tls {
    let file = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../redup-s3/tests/it/tls")
            .join(name)
    };
    Tls {
        certificate: file("server.pem"),
        key: file("server.key"),
        authority: file("ca.pem"),
    }
}
