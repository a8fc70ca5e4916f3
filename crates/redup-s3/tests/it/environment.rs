//! What the environment and the network's surroundings decide.
//!
//! A process's environment cannot be changed safely while it runs, so each of these tests runs its
//! own program once more, in an environment of its own, to do the part that reads it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use redup_s3::{S3Options, S3Storage};
use redup_storage::{Error, ObjectKind, Storage, StorageExt as _};
use redup_testkit::seaweed::{SeaweedServer, Tls};
use redup_testkit::server::S3Server;

use crate::surroundings::{Notices, options, runtime, url};

pub(crate) const CHILD: &str = "REDUP_TEST_CHILD";

/// Runs `test` again with these variables alone, and `child` there; returns what that printed.
#[track_caller]
#[expect(clippy::print_stdout, reason = "the child's way to tell its parent")]
pub(crate) fn in_environment(
    test: &str,
    variables: &[(&str, String)],
    child: impl FnOnce() -> String,
) -> Option<String> {
    if env::var_os(CHILD).is_some() {
        println!("<<{}>>", child());
        return None;
    }
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_clear()
        .env("HOME", home.path())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text
        .split_once("<<")
        .and_then(|(_, rest)| rest.split_once(">>"));
    let errors = String::from_utf8_lossy(&output.stderr);
    Some(
        told.unwrap_or_else(|| panic!("{text}\n{errors}"))
            .0
            .to_owned(),
    )
}

/// Connects with nothing but defaults, and stores an object.
pub(crate) fn store_with_defaults() -> String {
    let notices = Notices::default();
    let options = notices.listen(S3Options::new(url("s3://backups/p")));
    let result: Result<String, Error> = runtime().block_on(async {
        let store = S3Storage::connect(options).await?;
        store
            .put("x", Bytes::from_static(b"content"), ObjectKind::Volume)
            .await?;
        Ok(format!(
            "amazon={} notices={:?}",
            store.is_on_amazon(),
            notices.all()
        ))
    });
    result.unwrap_or_else(|error| format!("{:?}: {error}", error.kind()))
}

#[test]
fn keys_region_and_server_come_from_the_environment_dual_stack_or_not() {
    let name = "environment::keys_region_and_server_come_from_the_environment_dual_stack_or_not";
    let (server, variables) = server_and_environment();
    let told = in_environment(name, &variables, store_with_defaults);
    let Some((told, server)) = told.zip(server) else {
        return;
    };
    assert_eq!(told, "amazon=false notices=[]");
    let checksum = "o = s3.head_object(Bucket='backups', Key='p/x', ChecksumMode='ENABLED')\n\
                    print(o.get('ChecksumCRC32'))";
    assert_eq!(
        server.boto3(checksum).trim(),
        "/sUwqQ==",
        "the server has checked it"
    );
}

#[test]
fn checksums_are_left_out_when_the_environment_says_so() {
    let name = "environment::checksums_are_left_out_when_the_environment_says_so";
    let (server, mut variables) = server_and_environment();
    variables.push(("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required".into()));
    let told = in_environment(name, &variables, store_with_defaults);
    let Some((told, server)) = told.zip(server) else {
        return;
    };
    assert_eq!(told, "amazon=false notices=[]");
    let checksum = "o = s3.head_object(Bucket='backups', Key='p/x', ChecksumMode='ENABLED')\n\
                    print(o.get('ChecksumCRC32'))";
    assert_eq!(server.boto3(checksum).trim(), "None");
}

/// A server, unless this is the child, and an environment that leads there and wants dual-stack.
fn server_and_environment() -> (Option<SeaweedServer>, Vec<(&'static str, String)>) {
    if env::var_os(CHILD).is_some() {
        return (None, Vec::new());
    }
    let server = SeaweedServer::start();
    server.create_bucket("backups");
    let mut variables = server.environment();
    variables.push(("AWS_USE_DUALSTACK_ENDPOINT", "true".into()));
    (Some(server), variables)
}

#[test]
fn missing_credentials_are_named_as_such() {
    let name = "environment::missing_credentials_are_named_as_such";
    let variables = [
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9".into()),
    ];
    let told = in_environment(name, &variables, store_with_defaults);
    let expected = "Credentials: cannot open s3://backups/p: no usable credentials";
    assert!(told.is_none_or(|told| told == expected));
}

fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/tls")
        .join(name)
}

#[test]
fn a_private_authority_is_trusted_when_named_and_not_otherwise() {
    let authority = tls_file("ca.pem");
    let server = SeaweedServer::start_tls(Tls {
        certificate: tls_file("server.pem"),
        key: tls_file("server.key"),
        authority: authority.clone(),
    });
    server.create_bucket("backups");
    runtime().block_on(async {
        let trusting = S3Options {
            ca_file: Some(authority),
            ..options(&server, "s3://backups/p")
        };
        let store = S3Storage::connect(trusting).await.unwrap();
        store
            .put("x", Bytes::from_static(b"content"), ObjectKind::Volume)
            .await
            .unwrap();
        assert_eq!(store.get("x", 0..7).await.unwrap(), &b"content"[..]);

        let plain = S3Options {
            attempts: 1,
            ..options(&server, "s3://backups/p")
        };
        let error = S3Storage::connect(plain).await.unwrap_err();
        assert!(
            error.to_string().ends_with("no trusted connection"),
            "{error}"
        );
        assert!(
            error
                .hint()
                .unwrap()
                .contains("--ssl-cacert-file or AWS_CA_BUNDLE")
        );
    });
}
