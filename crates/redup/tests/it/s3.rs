//! Backups on a real S3 server, looked at with boto3 and read back by duplicity.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Instant;

use redup_testkit::env::{Program, TestEnv, url_of};
use redup_testkit::fixtures::{PASSPHRASE, TIMES};
use redup_testkit::gpghome::ENCRYPT_KEY;
use redup_testkit::listing::Listing;
use redup_testkit::run::run;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use crate::{duplicity, redup};

mod amazon;
mod audit;
mod bar;
mod exchange;
mod faults;
mod housekeeping;
mod ipv6;
mod lengths;
mod messages;
mod objects;
mod options;
mod permissions;
mod picky;
mod probe;
mod proxy;
mod restart;
mod script;
mod servers;
mod thaw;
mod trouble;

const BUCKET: &str = "backups";
/// More than one page of a listing has.
const OTHER_OBJECTS: usize = 1100;

#[test]
fn a_chain_on_s3_is_whole_in_the_eyes_of_others() {
    let (server, mut env) = server_and_env();
    // Objects of somebody else, sorted before ours: what is ours is on the second page.
    server.boto3(&format!(
        "from concurrent.futures import ThreadPoolExecutor as pool\n\
         put = lambda n: s3.put_object(Bucket='{BUCKET}', Key='path/to/a-%04d' % n, Body=b'x')\n\
         list(pool(8).map(put, range({OTHER_OBJECTS})))"
    ));
    // Volumes of 12 MB in parts of 5 MB.
    env.options = [
        "--volsize",
        "12",
        "--s3-multipart-chunk-size",
        "5",
        "--s3-use-ia",
    ]
    .map(str::to_owned)
    .into();
    let (first, second) = (trees::filler(16), trees::filler_edited(16));
    first.write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    let before = Listing::of(&env.source());
    second.write_over(&first, &env.source());
    env.backup(&redup(), "inc", TIMES[1]).ok();
    let after = Listing::of(&env.source());

    check_objects(&server);
    for name in ["test", "fresh"] {
        env.name = name.to_owned();
        assert_eq!(env.status(&redup()).sets.len(), 2);
        env.restored(&redup(), Some(TIMES[0]))
            .assert_is(&before, "the full, from S3");
        env.restored(&redup(), None)
            .assert_is(&after, "the increment, from S3");
    }
    env.verify(&redup(), None).ok();

    // What the server holds, taken from there by boto3, is an archive for anybody.
    download(&server, &env.target());
    env.url = url_of(&env.target());
    env.options.clear();
    for program in crate::programs() {
        env.name = format!("reader-{}", program.name());
        env.restored(&program, Some(TIMES[0]))
            .assert_is(&before, program.name());
        env.restored(&program, None)
            .assert_is(&after, program.name());
    }
}

#[test]
fn an_upload_killed_at_any_moment_is_resumed() {
    let (server, mut env) = server_and_env();
    env.options = ["--volsize", "6", "--s3-multipart-chunk-size", "5"]
        .map(str::to_owned)
        .into();
    trees::filler(20).write(&env.source());
    let expected = Listing::of(&env.source());
    let started = Instant::now();
    env.backup(&redup(), "full", TIMES[0]).ok();
    let took = started.elapsed();
    for moment in 1..=5_u32 {
        server.boto3(&format!(
            "for page in s3.get_paginator('list_objects_v2').paginate(Bucket='{BUCKET}'):\n \
             for it in page.get('Contents', []): s3.delete_object(Bucket='{BUCKET}', Key=it['Key'])"
        ));
        fs::remove_dir_all(env.archive()).unwrap();
        let run = env.start_backup(&redup(), "full", TIMES[0]);
        run.kill_after(took.mul_f64(f64::from(moment) / 6.0));
        env.backup(&redup(), "full", TIMES[0] + 60).ok();
        env.restored(&redup(), None)
            .assert_is(&expected, format!("killed at {moment}/6"));
    }
    download(&server, &env.target());
    env.url = url_of(&env.target());
    env.options.clear();
    env.name = "reader".to_owned();
    env.restored(&duplicity(), None)
        .assert_is(&expected, "by duplicity");
}

#[test]
fn the_script_of_an_ipv6_only_server_works_as_typed() {
    let server = SeaweedServer::start();
    server.create_bucket(BUCKET);
    let mut env = TestEnv::with_keys();
    for (name, value) in server.environment() {
        env.set(name, value);
    }
    env.set("PASSPHRASE", "");
    trees::awkward().write(&env.source());
    let linked = env.path("duplicity");
    symlink(env!("CARGO_BIN_EXE_redup"), &linked).unwrap();
    let linked = Program::redup(linked);
    let archives = format!("--archive-dir={}", env.path("archives").display());
    let endpoint = server.endpoint_url();
    let (source, restored) = (env.source(), env.path("restored"));

    let newer: &[&str] = &[
        "--s3-use-ia",
        "--s3-use-multiprocessing",
        "--s3-use-new-style",
        "--s3-region-name",
        "us-east-1",
        "--s3-endpoint-url",
        &endpoint,
    ];
    let older: &[&str] = &["--s3-use-ia", "--s3-use-multiprocessing"];
    let forms = [
        (newer, "boto3+s3://backups/path/newer"),
        (older, "s3+http://backups/path/older"),
    ];
    for (options, url) in forms {
        let mut script = env.bare(&linked);
        script.args([
            "--encrypt-key",
            ENCRYPT_KEY,
            "--asynchronous-upload",
            "-v",
            "4",
            &archives,
        ]);
        script
            .args(options)
            .args(["incr", "--full-if-older-than", "30D"])
            .arg(&source)
            .arg(url);
        run(&mut script).ok();
        let mut restore = env.bare(&linked);
        restore
            .args(["restore", &archives])
            .args(options)
            .arg(url)
            .arg(&restored);
        run(&mut restore).ok();
        Listing::of(&restored).assert_is(&Listing::of(&source), url);
        fs::remove_dir_all(&restored).unwrap();
    }
}

fn server_and_env() -> (SeaweedServer, TestEnv) {
    server_and_env_with(TestEnv::new())
}

fn server_and_env_with(mut env: TestEnv) -> (SeaweedServer, TestEnv) {
    let server = SeaweedServer::start();
    server.create_bucket(BUCKET);
    for (name, value) in server.environment() {
        env.set(name, value);
    }
    env.set("PASSPHRASE", PASSPHRASE);
    env.url = format!("boto3+s3://{BUCKET}/path/to");
    (server, env)
}

/// Class and parts of every object, as the server tells them.
fn check_objects(server: &SeaweedServer) {
    let told = server.boto3(&format!(
        "for page in s3.get_paginator('list_objects_v2').paginate(Bucket='{BUCKET}', Prefix='path/to/dup'):\n \
         for it in page['Contents']:\n  \
          head = s3.head_object(Bucket='{BUCKET}', Key=it['Key'])\n  \
          print(it['Key'], it['Size'], head.get('StorageClass', 'STANDARD'), head['ETag'])"
    ));
    let volumes: Vec<&str> = told
        .lines()
        .filter(|line| line.contains(".difftar"))
        .collect();
    assert!(volumes.len() >= 4, "{told}");
    assert!(
        volumes.iter().all(|line| line.contains(" STANDARD_IA ")),
        "{told}"
    );
    // A multipart upload's tag ends in the number of its parts.
    assert!(volumes.iter().any(|line| line.contains("-3\"")), "{told}");
    let uploads = server.boto3(&format!(
        "print(len(s3.list_multipart_uploads(Bucket='{BUCKET}').get('Uploads', [])))"
    ));
    assert_eq!(uploads.trim(), "0", "unfinished uploads cost money");
}

fn download(server: &dyn S3Server, folder: &Path) {
    server.boto3(&format!(
        "import os\n\
         for page in s3.get_paginator('list_objects_v2').paginate(Bucket='{BUCKET}', Prefix='path/to/dup'):\n \
         for it in page['Contents']:\n  \
          s3.download_file('{BUCKET}', it['Key'], os.path.join({:?}, it['Key'].split('/')[-1]))",
        folder.display().to_string()
    ));
}
