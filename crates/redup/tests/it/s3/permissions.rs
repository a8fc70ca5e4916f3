//! How little a program must be permitted to do its work.

use redup_testkit::env::TestEnv;
use redup_testkit::faulty::Fault;
use redup_testkit::fixtures::TIMES;
use redup_testkit::listing::Listing;
use redup_testkit::recorder::Recorder;
use redup_testkit::s3s::S3sServer;
use redup_testkit::trees;

use super::restart::noted;
use super::servers::env;
use crate::redup;

/// What `s3:ListBucket` permits.
const LIST: [&str; 2] = ["HeadBucket", "ListObjectsV2"];
/// What `s3:GetObject` permits.
const GET: [&str; 2] = ["HeadObject", "GetObject"];
/// What `s3:PutObject` permits.
const PUT: [&str; 4] = [
    "PutObject",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload",
];
/// A store that does not let us do that.
const PERMISSION: i32 = 51;

/// A way to the server for somebody with these permissions.
fn permitted(server: &S3sServer, env: &mut TestEnv, permissions: &[&[&'static str]]) -> Recorder {
    let permitted = permissions.concat();
    let recorder = Recorder::with_faults(server, move |request| {
        let denied = !permitted.contains(&request.operation());
        denied.then_some(Fault::Refused(403, "AccessDenied"))
    });
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    recorder
}

/// A full backup by whoever may list, get and put, killed when two of its volumes are noted.
fn interrupted(server: &S3sServer) -> (TestEnv, Recorder) {
    let mut env = env(server);
    let way = permitted(server, &mut env, &[&LIST, &GET, &PUT]);
    env.options = ["--volsize", "6", "--s3-multipart-chunk-size", "5"]
        .map(str::to_owned)
        .into();
    trees::filler(30).write(&env.source());
    let run = env.start_backup(&redup(), "full", TIMES[0]);
    let (killed, outcome) = run.kill_when(|| noted(&env) >= 2);
    assert!(killed, "it was over too early\n{outcome}");
    (env, way)
}

#[test]
fn backups_are_made_and_gone_on_with_by_whoever_may_list_get_and_put() {
    let server = S3sServer::start();
    let (mut env, _way) = interrupted(&server);
    // Whatever the killed run left: what can be deleted is, and the rest is in nobody's way.
    env.backup(&redup(), "full", TIMES[0] + 60).ok();
    let before = Listing::of(&env.source());
    trees::filler_edited(30).write_over(&trees::filler(30), &env.source());
    env.backup(&redup(), "inc", TIMES[1])
        .ok()
        .never_says("AccessDenied");
    let after = Listing::of(&env.source());
    env.verify(&redup(), None).ok();
    env.name = "fresh".into();
    env.restored(&redup(), None)
        .assert_is(&after, "the increment");
    env.restored(&redup(), Some(TIMES[0] + 120))
        .assert_is(&before, "the full that was gone on with");
}

#[test]
fn a_set_made_anew_does_without_deleting_the_old_one() {
    let server = S3sServer::start();
    let (mut env, _way) = interrupted(&server);
    // Nothing of the source is as it was: none of the volumes can be built on.
    std::fs::remove_dir_all(env.source()).unwrap();
    trees::awkward().write(&env.source());
    env.backup(&redup(), "full", TIMES[1])
        .ok()
        .says("left over from the interrupted run: cannot delete s3://backups/path/to/duplicity-");
    env.name = "fresh".into();
    env.restored(&redup(), None)
        .assert_is(&Listing::of(&env.source()), "the new set");
}

#[test]
fn whoever_may_list_and_get_restores_and_whoever_may_list_below_the_prefix() {
    let server = S3sServer::start();
    let mut env = env(&server);
    trees::filler(8).write(&env.source());
    let expected = Listing::of(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    for list in [&LIST[..], &LIST[1..]] {
        let way = permitted(&server, &mut env, &[list, &GET]);
        env.name = format!("fresh-{}", list.len());
        assert!(env.status(&redup()).complete);
        env.run(&redup(), "list-current-files", [&env.url]).ok();
        env.verify(&redup(), None).ok();
        env.restored(&redup(), None)
            .assert_is(&expected, "by a reader");
        assert!(!way.seen().is_empty());
        let refused = env.backup(&redup(), "inc", TIMES[1]).code(PERMISSION);
        refused.says("hint: s3:PutObject is needed on backups/path/to/*");
    }
}

#[test]
fn what_a_clean_up_may_not_do_is_named() {
    let server = S3sServer::start();
    let mut env = env(&server);
    trees::filler(1).write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    env.backup(&redup(), "full", TIMES[1]).ok();
    let _way = permitted(&server, &mut env, &[&LIST, &GET, &PUT]);
    // Open uploads cannot be listed, which is no reason to fail; nor is there anything to delete.
    env.run(&redup(), "cleanup", ["--force", &*env.url])
        .ok()
        .says("No extraneous files found");
    let args = ["1", "--force", &*env.url];
    env.run(&redup(), "remove-all-but-n-full", args)
        .code(1)
        .says("hint: s3:DeleteObject is needed on backups/path/to/*");
    env.run(&redup(), "probe", [&env.url])
        .ok()
        .says("clean up  fails")
        .says("hint: s3:ListBucketMultipartUploads is needed on the bucket backups")
        .says("delete    fails")
        .says("A backup to this target works, and so does its restore.");
}
