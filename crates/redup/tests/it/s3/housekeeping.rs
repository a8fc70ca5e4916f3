//! Deleting at an S3 server: chains, and uploads that were begun and never ended.

use redup_testkit::fixtures::TIMES;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::{BUCKET, server_and_env};
use crate::redup;

#[test]
fn old_chains_and_unfinished_uploads_go() {
    let (server, env) = server_and_env();
    trees::filler(3).write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    env.backup(&redup(), "full", TIMES[1]).ok();
    let args = ["1", "--force", &env.url];
    env.run(&redup(), "remove-all-but-n-full", args).ok();
    let status = env.status(&redup());
    assert_eq!((status.sets.len(), status.other_chains), (1, 0));

    server.boto3(&format!(
        "for key in ['path/to/duplicity-full.20200101T000000Z.vol1.difftar.gpg', 'path/to/foreign', 'elsewhere']:\n \
         s3.create_multipart_upload(Bucket='{BUCKET}', Key=key)"
    ));
    let unfinished = || {
        let told = server.boto3(&format!(
            "for it in s3.list_multipart_uploads(Bucket='{BUCKET}').get('Uploads', []): print(it['Key'])"
        ));
        told.lines().count()
    };
    assert_eq!(unfinished(), 3);
    env.run(&redup(), "cleanup", [&env.url]).ok().says(
        "unfinished upload of duplicity-full.20200101T000000Z.vol1.difftar.gpg, \
             begun less than a minute ago",
    );
    assert_eq!(unfinished(), 3);
    env.run(&redup(), "cleanup", ["--force", &env.url]).ok();
    assert_eq!(unfinished(), 2, "what is not ours stays");
    env.run(&redup(), "cleanup", ["--force", &env.url])
        .ok()
        .says("No extraneous files found");
}
