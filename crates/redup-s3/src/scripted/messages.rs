//! What a user reads when Amazon, or the way to it, refuses. Tests against a real server and a
//! closed port are in `tests/it`.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use aws_sdk_s3::error::ConnectorError;
use bytes::Bytes;
use expect_test::{Expect, expect};
use redup_storage::{Error, ErrorKind, ObjectKind, Storage, StorageExt as _};

use crate::testing::{Answer, Script, options};
use crate::{Encryption, S3Options};

fn told(error: &Error) -> String {
    let mut text = format!("{:?}: {error}", error.kind());
    if let Some(cause) = error.source() {
        text += &format!("\ncaused by: {cause}");
    }
    if let Some(hint) = error.hint() {
        text += &format!("\nhint: {hint}");
    }
    text
}

/// The error of connecting, when every request gets this answer.
async fn connecting(options: S3Options, answer: impl Fn() -> Answer + Send + 'static) -> Error {
    Script::new(move |_| answer())
        .connect(options)
        .await
        .unwrap_err()
}

/// The error of storing a volume, when that gets this answer.
async fn storing(options: S3Options, answer: impl Fn() -> Answer + Send + 'static) -> Error {
    let script = Script::new(move |seen| match seen.method.as_str() {
        "PUT" => answer(),
        _ => Answer::ok(),
    });
    let store = script.connect(options).await.unwrap();
    let data = Bytes::from_static(b"data");
    store
        .put("vol1", data, ObjectKind::Volume)
        .await
        .unwrap_err()
}

#[track_caller]
fn check(error: &Error, expected: Expect) {
    expected.assert_eq(&told(error));
}

fn refusing(code: &'static str, message: &'static str) -> impl Fn() -> Answer {
    move || Answer::error(403, code, message)
}

#[tokio::test]
async fn credentials() {
    let of = |code, message| connecting(options("bkt"), refusing(code, message));
    check(
        &of("InvalidAccessKeyId", "The AWS Access Key Id does not exist").await,
        expect![[r#"
            Credentials: cannot open s3://bkt/p: InvalidAccessKeyId: The AWS Access Key Id does not exist (status 403, request id REQ1)
            hint: the server does not know the access key: check AWS_ACCESS_KEY_ID or the profile"#]],
    );
    check(
        &of("SignatureDoesNotMatch", "Check your key").await,
        expect![[r#"
            Credentials: cannot open s3://bkt/p: SignatureDoesNotMatch: Check your key (status 403, request id REQ1)
            hint: check AWS_SECRET_ACCESS_KEY or the profile"#]],
    );
    check(
        &of("ExpiredToken", "The provided token has expired.").await,
        expect![[r#"
            Credentials: cannot open s3://bkt/p: ExpiredToken: The provided token has expired. (status 403, request id REQ1)
            hint: the temporary credentials have expired or do not fit: renew AWS_SESSION_TOKEN and its keys"#]],
    );
    check(
        &of("AccessDenied", "Access Denied").await,
        expect![[r#"
        PermissionDenied: cannot open s3://bkt/p: AccessDenied: Access Denied (status 403, request id REQ1)
        hint: s3:ListBucket is needed on the bucket bkt"#]],
    );
}

#[tokio::test]
async fn a_clock_that_is_wrong() {
    let skewed = refusing("RequestTimeTooSkewed", "The difference is too large");
    check(
        &storing(options("bkt"), skewed).await,
        expect![[r#"
        Credentials: cannot write s3://bkt/p/vol1: RequestTimeTooSkewed: The difference is too large (status 403, request id REQ1)
        hint: this machine's clock and the server's are more than 15 minutes apart: `date -u` shows this one's; set it, or let a time service do so"#]],
    );
}

#[tokio::test]
async fn permissions() {
    let denied = || refusing("AccessDenied", "Access Denied");
    check(
        &storing(options("bkt"), denied()).await,
        expect![[r#"
        PermissionDenied: cannot write s3://bkt/p/vol1: AccessDenied: Access Denied (status 403, request id REQ1)
        hint: s3:PutObject is needed on bkt/p/*"#]],
    );
    let kms = Encryption::Kms {
        key_id: "key1".into(),
    };
    let kms = S3Options {
        encryption: kms,
        ..options("bkt")
    };
    check(
        &storing(kms, denied()).await,
        expect![[r#"
        PermissionDenied: cannot write s3://bkt/p/vol1: AccessDenied: Access Denied (status 403, request id REQ1)
        hint: s3:PutObject is needed on bkt/p/*, and kms:GenerateDataKey and kms:Decrypt on the key"#]],
    );
}

#[tokio::test]
async fn what_else_a_server_may_not_have() {
    let managed = S3Options {
        encryption: Encryption::S3Managed,
        endpoint_url: Some("http://s3.example".into()),
        ..options("bkt")
    };
    let unable = || Answer::error(400, "InvalidRequest", "");
    check(
        &storing(managed, unable).await,
        expect![[r#"
            Other: cannot write s3://bkt/p/vol1: InvalidRequest (status 400, request id REQ1)
            hint: the server may not be set up to encrypt: leave out --s3-use-server-side-encryption, or ask its operator"#]],
    );
    let granted = S3Options {
        grant_full_control: Some("id=1".into()),
        ..options("bkt")
    };
    let no_grants = || Answer::error(400, "AccessControlListNotSupported", "No ACLs");
    check(
        &storing(granted.clone(), no_grants).await,
        expect![[r#"
            Other: cannot write s3://bkt/p/vol1: AccessControlListNotSupported: No ACLs (status 400, request id REQ1)
            hint: the bucket takes no grants: leave out --s3-kms-grant, which is one"#]],
    );
    let nobody = || Answer::error(404, "NoSuchUser", "Nobody of that name");
    check(
        &storing(granted, nobody).await,
        expect![[r#"
            NotFound: cannot write s3://bkt/p/vol1: NoSuchUser: Nobody of that name (status 404, request id REQ1)"#]],
    );
}

#[tokio::test]
async fn storage_classes() {
    let class = || Answer::error(400, "InvalidStorageClass", "The storage class is not valid");
    check(
        &storing(options("bkt"), class).await,
        expect![[r#"
        Unsupported: cannot write s3://bkt/p/vol1: InvalidStorageClass: The storage class is not valid (status 400, request id REQ1)
        hint: the server does not have the storage class STANDARD_IA: name one that it has, such as --s3-storage-class STANDARD"#]],
    );
    let script = Script::new(|seen| match seen.method.as_str() {
        "GET" => Answer::error(403, "InvalidObjectState", "The operation is not valid"),
        _ => Answer::ok(),
    });
    let store = script.connect(options("bkt")).await.unwrap();
    check(
        &store.get("vol1", 0..4).await.unwrap_err(),
        expect![[r#"
        Unsupported: cannot read s3://bkt/p/vol1: InvalidObjectState: The operation is not valid (status 403, request id REQ1)
        hint: the object is in an archive storage class: --s3-restore-tier Standard gets it out of there"#]],
    );
}

#[tokio::test]
async fn buckets() {
    let missing = || Answer::Status(404, &[], String::new());
    check(
        &connecting(options("bkt"), missing).await,
        expect![[r#"
        NotFound: cannot open s3://bkt/p: S3 bucket "bkt" does not exist
        hint: check the bucket's name and the server; buckets are never created"#]],
    );
    let gone = || Answer::error(404, "NoSuchBucket", "The bucket does not exist");
    check(
        &storing(options("bkt"), gone).await,
        expect![[r#"
        NotFound: cannot write s3://bkt/p/vol1: S3 bucket "bkt" does not exist
        hint: check the bucket's name and the server; buckets are never created"#]],
    );
}

#[tokio::test]
async fn no_route() {
    let broken = || Answer::Broken(ConnectorError::io(io::Error::from_raw_os_error(101).into()));
    check(
        &connecting(options("bkt"), broken).await,
        expect![[r#"
        Unreachable: cannot open s3://bkt/p: Amazon S3 in us-east-1: no route to the server
        caused by: Network is unreachable (os error 101)
        hint: check this machine's network and the server's address"#]],
    );
    let single = S3Options {
        dual_stack: Some(false),
        ..options("bkt")
    };
    check(
        &connecting(single, broken).await,
        expect![[r#"
        Unreachable: cannot open s3://bkt/p: Amazon S3 in us-east-1: no route to the server
        caused by: Network is unreachable (os error 101)
        hint: a host without IPv4 needs the dual-stack endpoint: leave out --s3-endpoint-url and --s3-no-dualstack, or use https://s3.dualstack.us-east-1.amazonaws.com"#]],
    );
    let by_url = Some("https://s3.us-east-1.amazonaws.com".into());
    let by_url = S3Options {
        endpoint_url: by_url,
        ..options("bkt")
    };
    check(
        &connecting(by_url, broken).await,
        expect![[r#"
        Unreachable: cannot open s3://bkt/p: https://s3.us-east-1.amazonaws.com: no route to the server
        caused by: Network is unreachable (os error 101)
        hint: a host without IPv4 needs the dual-stack endpoint: leave out --s3-endpoint-url and --s3-no-dualstack, or use https://s3.dualstack.us-east-1.amazonaws.com"#]],
    );
}

#[tokio::test]
async fn a_url_that_is_none() {
    for url in ["s3.example:99999", "not a url", "ftp://s3.example"] {
        let options = S3Options {
            endpoint_url: Some(url.into()),
            ..options("bkt")
        };
        let error = connecting(options, Answer::ok).await;
        // It was tried with a scheme, too.
        let text = told(&error)
            .replace(&format!("https://{url}"), url)
            .replace(url, "URL");
        expect![[r#"
            Other: cannot open s3://bkt/p: URL is not the URL of a server
            caused by: Custom endpoint `URL` was not a valid URI
            hint: a server's URL is like https://host or http://host:9000: check --s3-endpoint-url, and AWS_ENDPOINT_URL"#]]
        .assert_eq(&text);
    }
}

#[tokio::test]
async fn silence() {
    let impatient = S3Options {
        timeout: Duration::from_millis(50),
        ..options("bkt")
    };
    check(
        &connecting(impatient, || Answer::Silence).await,
        expect![[r#"
            Timeout: cannot open s3://bkt/p: no answer in time
            hint: check that the server answers others; --timeout sets how long to wait"#]],
    );
}

#[tokio::test]
async fn throttling_carries_the_time_to_wait() {
    let slow = || {
        let body = "<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>";
        Answer::Status(503, &[("retry-after", "7")], body.into())
    };
    let error = storing(options("bkt"), slow).await;
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn nonsense_and_control_characters_from_a_server_stay_harmless() {
    let rude = || Answer::error(400, "Bad\u{85}Code", "two\nlines and \u{9b}31m colour");
    let text = told(&storing(options("bkt"), rude).await);
    assert!(
        !text.lines().next().unwrap().contains(char::is_control),
        "{text:?}"
    );
    let html = || Answer::Status(502, &[], "<html>Bad gateway</html>".into());
    assert_eq!(
        storing(options("bkt"), html).await.kind(),
        ErrorKind::Unreachable
    );
}

#[tokio::test]
async fn no_secret_is_in_any_error() {
    for code in [
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AccessDenied",
    ] {
        let error = storing(options("bkt"), refusing(code, "no")).await;
        let text = format!("{} {error:?}", told(&error));
        assert!(
            !text.contains("topsecret") && !text.contains("Signature="),
            "{text}"
        );
    }
}
