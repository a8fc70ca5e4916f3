//! A chain from its full backup to its removal, on two real servers of different makers.

use std::fs;

use redup_testkit::env::{TestEnv, url_of};
use redup_testkit::fixtures::{PASSPHRASE, TIMES};
use redup_testkit::listing::Listing;
use redup_testkit::s3s::S3sServer;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::{BUCKET, download};
use crate::{duplicity, redup};

#[test]
fn a_chain_lives_and_ends_on_seaweedfs() {
    a_chain_lives_and_ends_on(&SeaweedServer::start());
}

#[test]
fn a_chain_lives_and_ends_on_s3s() {
    a_chain_lives_and_ends_on(&S3sServer::start());
}

#[track_caller]
fn a_chain_lives_and_ends_on(server: &dyn S3Server) {
    let mut env = env(server);
    // Volumes of two parts.
    env.options = ["--volsize", "7", "--s3-multipart-chunk-size", "5"]
        .map(str::to_owned)
        .into();
    let (first, second) = (trees::filler(8), trees::filler_edited(8));
    first.write(&env.source());
    let before = Listing::of(&env.source());
    env.backup(&redup(), "full", TIMES[0])
        .ok()
        .never_says("WARNING");
    second.write_over(&first, &env.source());
    let after = Listing::of(&env.source());
    env.backup(&redup(), "inc", TIMES[1]).ok();
    env.backup(&redup(), "full", TIMES[2]).ok();

    env.verify(&redup(), None).ok();
    env.name = "fresh".to_owned();
    let status = env.status(&redup());
    assert!(status.complete && status.other_chains == 1, "{status:?}");
    for (time, expected) in [(TIMES[0], &before), (TIMES[1], &after), (TIMES[2], &after)] {
        env.restored(&redup(), Some(time))
            .assert_is(expected, format!("as of {time}"));
    }

    // What the server holds is an archive for anybody.
    download(server, &env.target());
    let url = env.url.clone();
    env.url = url_of(&env.target());
    env.name = "reader".to_owned();
    env.restored(&duplicity(), Some(TIMES[1]))
        .assert_is(&after, "by duplicity");
    env.url = url;

    env.name = "fresh".to_owned();
    env.run(
        &redup(),
        "remove-all-but-n-full",
        ["1", "--force", &*env.url],
    )
    .ok();
    let left = keys(server);
    let old = |key: &&String| key.contains(".20240101T") || key.contains(".20240102T");
    assert!(
        !left.is_empty() && !left.iter().any(|key| old(&key)),
        "{left:?}"
    );
    env.restored(&redup(), None)
        .assert_is(&after, "what is left");

    // A set that lost its manifest is debris, and goes.
    server.boto3(&format!(
        "for it in s3.list_objects_v2(Bucket='{BUCKET}')['Contents']:\n \
         if it['Key'].endswith('.manifest.gpg'): s3.delete_object(Bucket='{BUCKET}', Key=it['Key'])"
    ));
    fs::remove_dir_all(env.archive()).unwrap();
    env.run(&redup(), "cleanup", ["--force", &*env.url]).ok();
    assert_eq!(keys(server), Vec::<String>::new());
}

/// SeaweedFS stores what is put below `a\b` below `a/b`, and lists nothing below `a\b`.
#[test]
fn a_target_with_a_backslash_is_found_again_where_the_server_keeps_it_and_where_not() {
    let (folding, keeping) = (SeaweedServer::start(), S3sServer::start());
    let servers: [(&dyn S3Server, bool); 2] = [(&folding, true), (&keeping, false)];
    for (server, folds) in servers {
        let mut env = env(server);
        env.url = format!(r"s3://{BUCKET}/of\host/x");
        let tree = trees::filler(1);
        tree.write(&env.source());
        let expected = Listing::of(&env.source());
        env.backup(&redup(), "full", TIMES[0]).ok();
        let told = "the server takes a backslash for a slash: using s3://backups/of/host/x";
        let again = env.backup(&redup(), "inc", TIMES[1]).ok();
        match folds {
            true => again.says(told),
            false => again.never_says("backslash"),
        };
        env.name = "fresh".to_owned();
        assert_eq!(env.status(&redup()).sets.len(), 2);
        env.restored(&redup(), None)
            .assert_is(&expected, format!("{folds}"));

        env.options = vec![r"--file-prefix=my\".to_owned()];
        env.backup(&redup(), "full", TIMES[2])
            .code(50)
            .says("hint: choose a --file-prefix without a backslash");
    }
}

/// The server lists no multipart uploads, and takes no backup of ours in a class that it lacks: it
/// gives the reason and what to do, and nothing is stored as anything else.
#[test]
fn a_class_that_the_server_does_not_have_is_refused_with_a_hint() {
    let server = S3sServer::start();
    let mut env = env(&server);
    trees::filler(1).write(&env.source());
    for class in ["--s3-use-ia", "--s3-storage-class=STANDARD_IA"] {
        env.options = vec![class.to_owned(), "--num-retries=1".to_owned()];
        env.backup(&redup(), "full", TIMES[0])
            .code(50)
            .says("InvalidStorageClass")
            .says("hint: the server does not have the storage class STANDARD_IA")
            .says("--s3-storage-class STANDARD");
        assert_eq!(keys(&server), Vec::<String>::new(), "{class}");
    }
    // The hint, followed.
    env.options = vec!["--s3-storage-class=STANDARD".to_owned()];
    env.backup(&redup(), "full", TIMES[0]).ok();
    env.verify(&redup(), None).ok();
}

pub(super) fn env(server: &dyn S3Server) -> TestEnv {
    server.create_bucket(BUCKET);
    let mut env = TestEnv::new();
    for (name, value) in server.environment() {
        env.set(name, value);
    }
    env.set("PASSPHRASE", PASSPHRASE);
    env.url = format!("s3://{BUCKET}/path/to");
    env
}

/// All that the bucket holds.
fn keys(server: &dyn S3Server) -> Vec<String> {
    let told = server.boto3(&format!(
        "for it in s3.list_objects_v2(Bucket='{BUCKET}').get('Contents', []): print(it['Key'])"
    ));
    told.lines().map(str::to_owned).collect()
}
