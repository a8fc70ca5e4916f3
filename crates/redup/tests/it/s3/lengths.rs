//! What is asked of a server about an object that was uploaded.

use redup_testkit::faulty::{Fault, FaultyProxy};
use redup_testkit::fixtures::TIMES;
use redup_testkit::listing::Listing;
use redup_testkit::log::stanzas;
use redup_testkit::recorder::Recorder;
use redup_testkit::run::run;
use redup_testkit::s3s::S3sServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::servers::env;
use crate::redup;

#[test]
fn a_checksum_that_was_taken_spares_the_question_for_the_length() {
    let server = S3sServer::start();
    let mut env = env(&server);
    trees::filler(13).write(&env.source());
    env.options = ["--volsize", "7", "--s3-multipart-chunk-size", "5"]
        .map(str::to_owned)
        .into();
    let recorder = Recorder::before(&server);
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    env.backup(&redup(), "full", TIMES[0]).ok();
    let objects =
        recorder.seen_of("PutObject").len() + recorder.seen_of("CompleteMultipartUpload").len();
    assert!(objects > 3, "{objects}");
    assert!(recorder.seen_of("HeadObject").is_empty());

    // Where none can be sent, it is asked once for each object.
    let recorder = Recorder::before(&server);
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    env.set("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required");
    env.url.push_str("/without");
    env.name = "without".into();
    env.backup(&redup(), "full", TIMES[0]).ok();
    assert_eq!(recorder.seen_of("HeadObject").len(), objects);
}

#[test]
fn a_volume_of_another_length_at_the_store_is_status_44_and_sent_again() {
    let server = S3sServer::start();
    let mut env = env(&server);
    trees::filler(3).write(&env.source());
    env.set("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required");
    let endpoint = server.endpoint_url();
    // Of the second volume, half is there: nobody but the answer to HEAD knows.
    let proxy = FaultyProxy::start(server.address(), |request| {
        let second = request.operation() == "HeadObject" && request.target.contains(".vol2.");
        second.then_some(Fault::LengthHalved)
    });
    env.options = ["--volsize", "1", "--num-retries", "2"]
        .map(str::to_owned)
        .into();
    env.set("AWS_ENDPOINT_URL_S3", proxy.endpoint_url());
    let log = env.path("log");
    let mut command = env.backup_command(&redup(), "full", TIMES[0]);
    run(command.arg("--log-file").arg(&log)).code(44);
    let log = std::fs::read_to_string(&log).unwrap();
    let told = stanzas(&log);
    let error = told.iter().find(|it| it.keyword == "ERROR").unwrap();
    assert_eq!(error.code, 44);
    let [name, sent, found] = error.words.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{log}");
    };
    assert!(
        name.starts_with("'duplicity-full.") && name.contains(".vol2."),
        "{name}"
    );
    let (sent, found): (u64, u64) = (sent.parse().unwrap(), found.parse().unwrap());
    assert_eq!(found, sent / 2);
    assert_eq!(proxy.log().len(), 3, "asked once more than is tried");

    // The caller starts over: what is there stays, and the rest follows.
    env.set("AWS_ENDPOINT_URL_S3", endpoint);
    env.backup(&redup(), "full", TIMES[1])
        .ok()
        .says("Restarting after volume 1");
    env.restored(&redup(), None)
        .assert_is(&Listing::of(&env.source()), "all of it");
}
