//! What a user reads when a real server, or none, refuses.

use std::error::Error as _;

use bytes::Bytes;
use expect_test::{Expect, expect};
use redup_s3::{S3Options, S3Storage};
use redup_storage::{Error, ObjectKind, Storage, StorageExt as _};
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;

use crate::surroundings::{keys, options, runtime, url};

/// Kind, message, cause and hint, without what differs from run to run.
fn told(error: &Error, server: &str) -> String {
    let mut text = format!("{:?}: {error}", error.kind());
    if let Some(cause) = error.source() {
        text += &format!("\ncaused by: {cause}");
    }
    if let Some(hint) = error.hint() {
        text += &format!("\nhint: {hint}");
    }
    let text = text.replace(server, "http://SERVER");
    match text.split_once("request id ") {
        Some((before, rest)) => {
            let after = rest.split_once(')').map_or("", |(_, after)| after);
            format!("{before}request id ID){after}")
        }
        None => text,
    }
}

async fn failing(options: S3Options) -> Error {
    S3Storage::connect(options).await.unwrap_err()
}

#[test]
fn messages_of_a_real_server_say_what_to_do() {
    let server = SeaweedServer::start();
    server.create_bucket("backups");
    let endpoint = server.endpoint_url();
    let check = |error: &Error, expected: Expect| expected.assert_eq(&told(error, &endpoint));
    let target = |text| options(&server, text);
    runtime().block_on(async {
        check(
            &failing(target("s3://missing/p")).await,
            expect![[r#"
                NotFound: cannot open s3://missing/p: S3 bucket "missing" does not exist
                hint: check the bucket's name and the server; buckets are never created"#]],
        );
        let wrong_id = S3Options {
            keys: Some(keys("nobody", "x")),
            ..target("s3://backups/p")
        };
        check(&failing(wrong_id).await, expect![[r#"
            Credentials: cannot open s3://backups/p: InvalidAccessKeyId: The access key ID you provided does not exist in our records. (status 403, request id ID)
            hint: the server does not know the access key: check AWS_ACCESS_KEY_ID or the profile"#]]);
        let wrong_secret = keys(SeaweedServer::ACCESS_KEY, "notthesecret");
        let wrong_secret = S3Options {
            keys: Some(wrong_secret),
            ..target("s3://backups/p")
        };
        check(&failing(wrong_secret).await, expect![[r#"
            Credentials: cannot open s3://backups/p: SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your key and signing method. (status 403, request id ID)
            hint: check AWS_SECRET_ACCESS_KEY or the profile, and --s3-region-name"#]]);

        let reader = keys(
            SeaweedServer::READ_ONLY_KEY,
            SeaweedServer::READ_ONLY_SECRET,
        );
        let reader = S3Options {
            keys: Some(reader),
            ..target("s3://backups/p")
        };
        let reader = S3Storage::connect(reader).await.unwrap();
        let denied = reader
            .put("x", Bytes::from_static(b"x"), ObjectKind::Volume)
            .await;
        check(&denied.unwrap_err(), expect![[r#"
            PermissionDenied: cannot write s3://backups/p/x: AccessDenied: Access Denied. (status 403, request id ID)
            hint: s3:PutObject is needed on backups/p/*"#]]);
        let store = S3Storage::connect(target("s3://backups/p")).await.unwrap();
        check(&store.get("x", 0..1).await.unwrap_err(), expect!["NotFound: cannot read s3://backups/p/x: does not exist"]);
        check(&store.head("x").await.unwrap_err(), expect!["NotFound: cannot look up s3://backups/p/x: does not exist"]);
    });
}

#[test]
fn messages_of_the_network_say_what_to_do() {
    // A port that was free a moment ago refuses.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let closed = format!("http://127.0.0.1:{port}");
    let check = |error: &Error, expected: Expect| expected.assert_eq(&told(error, &closed));
    let at = |endpoint: String| S3Options {
        endpoint_url: Some(endpoint),
        region: Some("us-east-1".into()),
        keys: Some(keys("id", "secret")),
        attempts: 1,
        ..S3Options::new(url("s3://backups/p"))
    };
    runtime().block_on(async {
        check(
            &failing(at(closed.clone())).await,
            expect![[r#"
                Unreachable: cannot open s3://backups/p: http://SERVER: connection refused
                caused by: tcp connect error: Connection refused (os error 111)
                hint: check that the server is running, and the port"#]],
        );
        let unknown = at("https://no-such-host.invalid".into());
        check(
            &failing(unknown).await,
            expect![[r#"
            Unreachable: cannot open s3://backups/p: https://no-such-host.invalid: no such host
            caused by: dns error: failed to lookup address information: Name or service not known
            hint: check the host name in --s3-endpoint-url or AWS_ENDPOINT_URL, and name service"#]],
        );
    });
}

#[test]
fn https_to_a_plain_http_server_is_explained() {
    let server = SeaweedServer::start();
    let endpoint = server.endpoint_url().replace("http://", "https://");
    let options = S3Options {
        endpoint_url: Some(endpoint.clone()),
        attempts: 1,
        ..options(&server, "s3://backups/p")
    };
    let error = runtime().block_on(failing(options));
    expect![[r#"
        Other: cannot open s3://backups/p: http://SERVER: no trusted connection
        caused by: TLS handshake failed: received corrupt message of type InvalidContentType
        hint: the server seems to speak plain HTTP: use http:// in --s3-endpoint-url, or --s3-unencrypted-connection where the server is in the target's URL"#]]
    .assert_eq(&told(&error, &endpoint));
}
