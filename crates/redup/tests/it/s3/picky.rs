//! Servers that know nothing of checksums, each with other words for it.

use redup_testkit::faulty::{Fault, Request};
use redup_testkit::fixtures::TIMES;
use redup_testkit::listing::Listing;
use redup_testkit::recorder::Recorder;
use redup_testkit::s3s::S3sServer;
use redup_testkit::trees;

use super::servers::env;
use crate::redup;

const TOLD: &str = "the server refuses checksums on uploads";
const TOLD_OF_WHOLE: &str = "the server refuses checksums of whole objects";

/// Whether a request is one that the server refuses.
type Refuses = fn(&Request) -> bool;

fn names_checksum(request: &Request) -> bool {
    let mut names = request.headers.iter().map(|(name, _)| name);
    names.any(|name| name.to_ascii_lowercase().contains("-checksum-"))
}

/// Any that asks for those of what is sent.
fn mode(request: &Request) -> bool {
    request.header("x-amz-checksum-mode").is_some()
}

/// Any upload with one.
fn any(request: &Request) -> bool {
    matches!(&*request.method, "PUT" | "POST") && names_checksum(request)
}

/// One that names the algorithm as programs of Amazon's do.
fn algorithm(request: &Request) -> bool {
    request.header("x-amz-sdk-checksum-algorithm").is_some()
}

/// Those of whole objects, when an upload is begun.
fn kind(request: &Request) -> bool {
    request.header("x-amz-checksum-type").is_some()
}

/// Those of parts.
fn of_part(request: &Request) -> bool {
    request.operation() == "UploadPart" && names_checksum(request)
}

#[test]
fn a_server_without_checksums_is_found_out_and_told_once() {
    let server = S3sServer::start();
    let mut env = env(&server);
    trees::filler(13).write(&env.source());
    let expected = Listing::of(&env.source());
    let url = env.url.clone();
    let ways: [(&str, u16, &str, Refuses); 8] = [
        ("a", 400, "InvalidArgument", any),
        ("b", 400, "InvalidRequest", any),
        ("c", 400, "XAmzContentSHA256Mismatch", any),
        ("d", 403, "SignatureDoesNotMatch", any),
        ("e", 501, "NotImplemented", any),
        ("f", 400, "InvalidArgument", algorithm),
        ("g", 501, "NotImplemented", kind),
        ("h", 400, "InvalidRequest", of_part),
    ];
    for (name, status, code, refuses) in ways {
        let recorder = Recorder::with_faults(&server, move |request| {
            refuses(request).then_some(Fault::Refused(status, code))
        });
        env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
        (env.name, env.url) = (name.into(), format!("{url}/{name}"));
        env.options = ["--volsize", "7", "--s3-multipart-chunk-size", "5", "-v5"]
            .map(str::to_owned)
            .into();
        let told = env.backup(&redup(), "full", TIMES[0]).ok().stdout;
        let (said, unsaid) = match name {
            "g" => (TOLD_OF_WHOLE, TOLD),
            _ => (TOLD, TOLD_OF_WHOLE),
        };
        assert_eq!(told.matches(said).count(), 1, "{name}: {told}");
        assert!(!told.contains(unsaid), "{name}: {told}");
        assert!(told.contains(code), "{name}: {told}");

        // It is what is to be expected of the server, and nothing that a run has to be watched for.
        env.options.pop();
        let quiet = env.backup(&redup(), "full", TIMES[1]).ok();
        quiet.never_says(TOLD).never_says(TOLD_OF_WHOLE);
        env.restored(&redup(), None).assert_is(&expected, name);
    }

    // Told beforehand, it is not tried.
    let recorder = Recorder::before(&server);
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    env.set("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required");
    env.options.push("-v5".into());
    env.backup(&redup(), "full", TIMES[2]).ok().never_says(TOLD);
    assert!(!recorder.seen().iter().any(any));
}

#[test]
fn a_server_that_does_not_tell_checksums_is_restored_from_all_the_same() {
    let server = S3sServer::start();
    let mut env = env(&server);
    trees::filler(13).write(&env.source());
    let expected = Listing::of(&env.source());
    env.options = ["--volsize", "7", "--s3-multipart-chunk-size", "5"]
        .map(str::to_owned)
        .into();
    env.backup(&redup(), "full", TIMES[0]).ok();
    for (status, code) in [(400, "InvalidArgument"), (501, "NotImplemented")] {
        let recorder = Recorder::with_faults(&server, move |request| {
            mode(request).then_some(Fault::Refused(status, code))
        });
        env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
        env.name = format!("fresh-{status}");
        env.restored(&redup(), None).assert_is(&expected, code);
        let asked = |request: &Request| request.operation() == "GetObject" && mode(request);
        assert!(!recorder.seen().iter().any(asked), "{code}");
    }
}
