//! `redup audit`: what a server tells of volumes, held against the manifests.

use redup_testkit::env::{TestEnv, url_of};
use redup_testkit::faulty::Request;
use redup_testkit::fixtures::TIMES;
use redup_testkit::recorder::Recorder;
use redup_testkit::run::Outcome;
use redup_testkit::s3s::S3sServer;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::BUCKET;
use super::servers::env;
use crate::{duplicity, redup};

const UNTOLD: &str = "that are there no hash is told; 'redup verify' reads them.";

fn audit(env: &TestEnv) -> Outcome {
    env.run(&redup(), "audit", [&env.url])
}

/// A full backup of two volumes in two parts each, and an increment of one small volume.
fn chain(server: &dyn S3Server) -> TestEnv {
    let mut env = env(server);
    env.options = ["--volsize", "7", "--s3-multipart-chunk-size", "5"]
        .map(str::to_owned)
        .into();
    trees::filler(14).write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    std::fs::write(env.source().join("new"), "new").unwrap();
    env.backup(&redup(), "inc", TIMES[1]).ok();
    env
}

/// The key of a volume of the full backup.
fn volume(number: u32) -> String {
    format!("path/to/duplicity-full.20240101T000000Z.vol{number}.difftar.gpg")
}

#[test]
fn volumes_in_parts_and_whole_ones_are_held_against_the_manifests_and_none_is_read() {
    let server = SeaweedServer::start();
    let mut env = chain(&server);
    let recorder = Recorder::before(&server);
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    for name in ["test", "fresh"] {
        env.name = name.to_owned();
        audit(&env)
            .ok()
            .says("of 2 set(s) are what was stored, 0 are not.")
            .never_says(UNTOLD);
    }
    let is_volume = |request: &&Request| request.target.contains(".vol");
    let seen = recorder.seen();
    let asked: Vec<_> = seen.iter().filter(is_volume).collect();
    assert!(asked.len() >= 6, "{asked:?}");
    assert!(
        asked
            .iter()
            .all(|request| request.operation() == "HeadObject")
    );
}

#[test]
fn what_is_missing_was_cut_replaced_or_mixed_up_is_told() {
    let server = SeaweedServer::start();
    let mut env = chain(&server);
    let key = volume(1);
    let keep = format!("it = s3.get_object(Bucket={BUCKET:?}, Key={key:?})['Body'].read()\n");
    let damage = [
        (
            "put(it[:-1])",
            "is not what was stored: the store has CRC-32 ",
        ),
        (
            "put(it[:99] + bytes([it[99] ^ 1]) + it[100:])",
            "is not what was stored: the store has CRC-32 ",
        ),
        (
            "copy(small)",
            "is not what was stored: the store has SHA-1 ",
        ),
        (
            "s3.delete_object(Bucket=bucket, Key=key)",
            "volume 1 of the set ",
        ),
    ];
    for (action, told) in damage {
        server.boto3(&format!(
            "{keep}bucket, key = {BUCKET:?}, {key:?}\n\
             keys = [o['Key'] for o in s3.list_objects_v2(Bucket=bucket)['Contents']]\n\
             small = [k for k in keys if '-inc.' in k and '.vol1.' in k][0]\n\
             put = lambda data: s3.put_object(Bucket=bucket, Key=key, Body=data)\n\
             copy = lambda other: s3.copy_object(Bucket=bucket, Key=key, CopySource=bucket + '/' + other)\n\
             open({:?}, 'wb').write(it)\n{action}",
            env.path("kept")
        ));
        let outcome = audit(&env).code(1).says("1 are not.");
        let all = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(all.contains(told), "{action}: {all}");
        server.boto3(&format!(
            "s3.put_object(Bucket={BUCKET:?}, Key={key:?}, Body=open({:?}, 'rb'))",
            env.path("kept")
        ));
    }
    // Whoever stored it: what the server has is what the manifest says.
    audit(&env).ok().says("0 are not.").never_says(UNTOLD);

    // A set that lost its manifest is in no chain, and nothing is known of it.
    server.boto3(&format!(
        "for it in s3.list_objects_v2(Bucket={BUCKET:?})['Contents']:\n \
         if '-inc.' in it['Key'] and 'manifest' in it['Key']: s3.delete_object(Bucket={BUCKET:?}, Key=it['Key'])"
    ));
    env.name = "fresh".to_owned();
    audit(&env)
        .ok()
        .says("of 1 set(s) are what was stored, 0 are not.")
        .says("1 set(s) have no manifest, and were passed over");
}

#[test]
fn volumes_of_which_no_hash_is_told_are_counted_and_left_to_verify() {
    // It keeps no checksums of whole objects.
    let server = S3sServer::start();
    let env = chain(&server);
    audit(&env).ok().says("0 are not.").says(UNTOLD);
    server.boto3(&format!(
        "s3.delete_object(Bucket={BUCKET:?}, Key={:?})",
        volume(2)
    ));
    audit(&env).code(1).says("1 are not.").says(UNTOLD);

    // A folder tells nothing but what is there.
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", "x");
    env.url = url_of(&env.target());
    trees::filler(1).write(&env.source());
    audit(&env).code(30).says("No backup chains found");
    env.backup(&duplicity(), "full", TIMES[0]).ok();
    audit(&env)
        .ok()
        .says("Audit complete: 0 volume(s) of 1 set(s) are what was stored, 0 are not.")
        .says(UNTOLD);
}
