//! `redup probe`: the table, what it says of targets that do not work, and what it leaves behind.

use std::fs;
use std::net::TcpListener;

use expect_test::{Expect, expect};
use redup_testkit::env::{Program, TestEnv, url_of};
use redup_testkit::run::{Outcome, run};
use redup_testkit::s3s::S3sServer;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;

use super::{BUCKET, server_and_env, servers};
use crate::redup;

fn probe(env: &TestEnv, words: &[&str]) -> Outcome {
    let mut command = env.bare(&redup());
    command.arg("probe").args(words);
    run(&mut command)
}

/// The output with every number replaced, but for those of names.
#[track_caller]
fn check(outcome: &Outcome, expected: Expect) {
    let mut text = String::new();
    for line in outcome.stdout.lines() {
        let words = line.split_whitespace().map(|word| {
            let figures = word.trim_start_matches('<').trim_end_matches(',');
            match figures.parse::<f64>() {
                Ok(_) => word.replace(figures, "N").replace('<', ""),
                Err(_) => match word {
                    "KB" | "MB" | "GB" => "B".to_owned(),
                    "KB," | "MB," | "GB," => "B,".to_owned(),
                    "KB/s" | "MB/s" | "GB/s" => "B/s".to_owned(),
                    other => other.to_owned(),
                },
            }
        });
        text.push_str(&words.collect::<Vec<_>>().join(" "));
        text.push('\n');
    }
    expected.assert_eq(&text);
}

#[test]
fn a_server_that_works_is_told_in_every_respect_and_left_as_it_was() {
    let (server, mut env) = server_and_env();
    let url = env.url.clone();
    let works = probe(&env, &[&url, "--s3-use-ia"]).ok();
    check(
        &works,
        expect![[r#"
            boto3+s3://backups/path/to

            name ok N ms 127.0.0.1 port N
            IPv4 ok N ms 127.0.0.1, connected in N ms
            IPv6 - the server has no such address
            sign in ok N ms bucket found, region us-east-1
            list ok N ms N object(s)
            write ok N ms
            read ok N ms what was written; round trip N ms
            upload ok N ms N B in N part(s), N B/s
            download ok N ms N B, N B/s
            clean up ok N ms open uploads can be listed
            delete ok N ms
            class volumes are stored as STANDARD_IA
            checksums the server tells CRC-32 and SHA-1 of what it has

            A backup to this target works, and so does its restore.
        "#]],
    );
    let told = probe(&env, &["--json", &url]).ok().stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["schema"], "redup.probe.v1");
    assert_eq!(told["usable"], true);
    assert_eq!(told["volume_storage_class"], "STANDARD");
    assert!(told["upload_bytes_per_second"].as_u64() > Some(0));
    assert_eq!(told["checks"].as_array().unwrap().len(), 11);

    let missing = probe(&env, &["s3://nobody-has-this/path"]).code(50);
    missing
        .says("S3 bucket \"nobody-has-this\" does not exist")
        .says("hint: check the bucket's name");

    env.set("AWS_ACCESS_KEY_ID", SeaweedServer::READ_ONLY_KEY);
    env.set("AWS_SECRET_ACCESS_KEY", SeaweedServer::READ_ONLY_SECRET);
    let reader = probe(&env, &[&url]).code(51);
    reader
        .says("write     FAILED")
        .says("upload    FAILED")
        .says("hint: s3:PutObject is needed on backups/path/to/")
        .says("This target cannot be used as it is");
    env.set("AWS_SECRET_ACCESS_KEY", "wrong");
    let stranger = probe(&env, &[&url]).code(50);
    stranger
        .says("sign in   FAILED")
        .says("hint: check AWS_SECRET_ACCESS_KEY");

    let left = format!("print(s3.list_objects_v2(Bucket='{BUCKET}')['KeyCount'])");
    assert_eq!(server.boto3(&left).trim(), "0", "nothing is left behind");
    let open = format!("print(s3.list_multipart_uploads(Bucket='{BUCKET}').get('Uploads', []))");
    assert_eq!(server.boto3(&open).trim(), "[]");
}

#[test]
fn a_class_that_small_volumes_cannot_have_is_found_out() {
    let server = S3sServer::start();
    let env = servers::env(&server);
    probe(&env, &[&env.url])
        .ok()
        .says("clean up  -                  the server does not list open uploads: ");
    probe(&env, &[&env.url, "--s3-use-ia"])
        .code(50)
        .says("write     FAILED")
        .says("hint: the server does not have the storage class STANDARD_IA");
    let left = format!("print(s3.list_objects_v2(Bucket='{BUCKET}')['KeyCount'])");
    assert_eq!(server.boto3(&left).trim(), "0", "nothing is left behind");
}

#[test]
fn a_server_that_is_not_there_is_told_by_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let outcome = probe(
        &TestEnv::new(),
        &["s3://backups", "--s3-endpoint-url", &closed],
    )
    .code(50);
    outcome
        .says("IPv4      FAILED")
        .says("caused by: [Errno 111] Connection refused")
        .says("hint: check that the server is running, and the port")
        .says("sign in   -                  no way to the server");
}

#[test]
fn a_folder_is_probed_and_left_as_it_was() {
    let env = TestEnv::new();
    let folder = env.path("not/yet");
    let outcome = probe(&env, &[&url_of(&folder)]).ok();
    outcome
        .says(" free; a backup makes the folder")
        .says("download  ok");
    assert!(!env.path("not").exists());

    fs::write(env.path("file"), "x").unwrap();
    let outcome = probe(&env, &[&url_of(&env.path("file"))]);
    assert!(!outcome.status.success());
    outcome.says("FAILED");
    assert_eq!(fs::read(env.path("file")).unwrap(), b"x");
}

#[test]
fn called_as_duplicity_probe_is_a_folder_like_any_other() {
    let env = TestEnv::new();
    let linked = env.path("duplicity");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_redup"), &linked).unwrap();
    let mut command = env.bare(&Program::redup(linked));
    command.args(["probe", &url_of(&env.path("target"))]);
    run(&mut command)
        .code(23)
        .says("Argument source_path 'probe' does not exist");
}
