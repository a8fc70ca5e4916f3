//! Volumes in an archive class: told before anything is touched, thawed when asked, and waited for.

use redup_testkit::env::TestEnv;
use redup_testkit::fixtures::{PASSPHRASE, TIMES};
use redup_testkit::listing::Listing;
use redup_testkit::moto::MotoServer;
use redup_testkit::run::Outcome;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::BUCKET;
use crate::redup;

const STORE: i32 = 50;

#[test]
fn archived_volumes_are_told_then_thawed_and_waited_for() {
    let (server, mut env) = glacier();
    let expected = Listing::of(&env.source());
    let class = "[o] = [o for o in s3.list_objects_v2(Bucket='backups')['Contents'] if 'vol1.' in o['Key']]\n\
                 print(o['StorageClass'])";
    assert_eq!(server.boto3(class).trim(), "GLACIER");

    // Nothing of the restore's target is touched, and nothing is asked of the archive.
    let (target, outcome) = env.restore(&redup(), None);
    let refused = |outcome: Outcome| {
        outcome
            .code(STORE)
            .says(" object(s) of s3://backups/path/to, ")
            .says(" are in GLACIER and cannot be read before they are thawed")
            .says("hint: --s3-restore-tier Standard")
    };
    refused(outcome);
    assert!(!target.exists());
    // What HEAD tells needs no thawing.
    let audit = env.run(&redup(), "audit", [&env.url]).ok();
    audit
        .says("of 1 set(s) are what was stored, 0 are not.")
        .never_says("no hash is told");
    refused(env.verify(&redup(), None));
    let restores = "print([s3.head_object(Bucket='backups', Key=o['Key']).get('Restore')\n \
                    for o in s3.list_objects_v2(Bucket='backups')['Contents'] if 'difftar' in o['Key']])";
    assert!(!server.boto3(restores).contains("ongoing"));

    // One volume's thaw is under way already, as after a run that was ended while it waited.
    server.thaw_after_looks(2);
    server.boto3(
        "[o] = [o for o in s3.list_objects_v2(Bucket='backups')['Contents'] if 'vol1.' in o['Key']]\n\
         s3.restore_object(Bucket='backups', Key=o['Key'], RestoreRequest={'Days': 1})",
    );
    env.options
        .extend(["--s3-restore-tier", "Bulk", "--s3-restore-days", "3"].map(str::to_owned));
    let (target, outcome) = env.restore(&redup(), None);
    outcome
        .ok()
        .says(" to be thawed from GLACIER: ")
        .says(" asked for now, 1 before.")
        .says(" object(s) can be read");
    Listing::of(&target).assert_is(&expected, "thawed");
    env.verify(&redup(), None).ok().never_says("to be thawed");
}

/// A server with a backup of several volumes, all of them in GLACIER.
fn glacier() -> (MotoServer, TestEnv) {
    let server = MotoServer::start();
    server.create_bucket(BUCKET);
    let mut env = TestEnv::new();
    for (name, value) in server.environment() {
        env.set(name, value);
    }
    env.set("PASSPHRASE", PASSPHRASE);
    env.url = format!("boto3+s3://{BUCKET}/path/to");
    env.options = ["--volsize", "1"].map(str::to_owned).into();
    trees::filler(3).write(&env.source());
    env.options.push("--s3-use-glacier".to_owned());
    env.backup(&redup(), "full", TIMES[0]).ok();
    env.options.pop();
    (server, env)
}
