//! Where credentials come from, each place played by a server on loopback; and what becomes of a run
//! whose credentials expire.

use std::error::Error as _;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use bytes::Bytes;
use redup_s3::{S3Options, S3Storage};
use redup_storage::{Error, ObjectKind, Storage, StorageExt as _};
use redup_testkit::faulty::{EXPIRED, Fault, Request};
use redup_testkit::recorder::Recorder;
use redup_testkit::s3s::S3sServer;
use redup_testkit::server::{ACCESS_KEY, S3Server, SECRET_KEY};
use redup_testkit::stub::{Answer, Stub};
use sha1::{Digest, Sha1};
use tempfile::TempDir;

use crate::environment::{CHILD, in_environment, store_with_defaults};
use crate::surroundings::{runtime, url};

const DONE: &str = "amazon=false notices=[]";

fn ok(body: impl Into<String>) -> Answer {
    (200, "ETag: \"etag\"\r\n", body.into())
}

/// Credentials as most services write them.
fn keys(token: &str) -> String {
    format!(
        r#"{{"Code": "Success", "Version": 1, "AccessKeyId": "{ACCESS_KEY}", "SecretAccessKey": "{SECRET_KEY}",
            "Token": "{token}", "SessionToken": "{token}", "Expiration": "2099-01-01T00:00:00Z"}}"#
    )
}

fn v4(react: impl Fn(&Request, &str) -> Answer + Send + Sync + 'static) -> Stub {
    Stub::start(Ipv4Addr::LOCALHOST, 0, react)
}

/// A host's own service: a session first, then the role's name, then its keys.
fn metadata(request: &Request, _: &str) -> Answer {
    const SESSION: (&str, &str) = ("x-aws-ec2-metadata-token", "session");
    let role = "/latest/meta-data/iam/security-credentials/";
    if request.method == "PUT" && request.target == "/latest/api/token" {
        let lasts = "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
        return (200, lasts, SESSION.1.into());
    }
    match request.target.strip_prefix(role) {
        _ if request.header(SESSION.0) != Some(SESSION.1) => (401, "", String::new()),
        Some("") => ok("the-role"),
        Some("the-role") => ok(keys("of-metadata")),
        _ => (404, "", String::new()),
    }
}

/// An object is stored with the token that this environment leads to.
#[track_caller]
fn leads_to(test: &str, token: &str, variables: Vec<(&'static str, String)>) {
    let server = v4(|_, _| ok(""));
    let mut all = vec![
        ("AWS_ENDPOINT_URL_S3", server.url()),
        ("AWS_REGION", "us-east-1".into()),
        ("PATH", "/usr/bin:/bin".into()),
    ];
    all.extend(variables);
    let told = in_environment(&format!("credentials::{test}"), &all, store_with_defaults);
    let Some(told) = told else { return };
    assert_eq!(told, DONE);
    let seen = server.seen();
    assert!(!seen.is_empty());
    for request in seen {
        let signature = request.header("authorization").unwrap();
        assert!(
            signature.contains(&format!("Credential={ACCESS_KEY}/")),
            "{signature}"
        );
        assert_eq!(request.header("x-amz-security-token"), Some(token));
    }
}

/// A folder with one file, unless this is the child.
fn folder_with(file: &str, content: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn a_process_gives_credentials() {
    let (folder, output) = folder_with("output", &keys("of-process"));
    let config = folder.path().join("config");
    let process = format!("[default]\ncredential_process = cat {}\n", output.display());
    fs::write(&config, process).unwrap();
    let config = config.display().to_string();
    leads_to(
        "a_process_gives_credentials",
        "of-process",
        vec![("AWS_CONFIG_FILE", config)],
    );
}

#[test]
fn a_web_identity_is_exchanged_for_credentials() {
    let (_folder, token) = folder_with("token", "the-identity");
    let sts = v4(|_, body| {
        assert!(body.contains("WebIdentityToken=the-identity"), "{body}");
        ok(format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>{ACCESS_KEY}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>\
             <SessionToken>of-identity</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        ))
    });
    leads_to(
        "a_web_identity_is_exchanged_for_credentials",
        "of-identity",
        vec![
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.display().to_string()),
            (
                "AWS_ROLE_ARN",
                "arn:aws:iam::123456789012:role/the-role".into(),
            ),
            ("AWS_ENDPOINT_URL_STS", sts.url()),
        ],
    );
}

#[test]
fn a_container_is_given_credentials() {
    let service = v4(|request, _| match request.header("authorization") {
        Some("pass") => ok(keys("of-container")),
        _ => (401, "", String::new()),
    });
    leads_to(
        "a_container_is_given_credentials",
        "of-container",
        vec![
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                service.url() + "/keys",
            ),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pass".into()),
        ],
    );
}

const POD: &str = "the-pods-token";

/// What leads a pod on EKS to its credentials, with a file that holds its token.
fn pod(service: String, token: &str) -> (TempDir, Vec<(&'static str, String)>) {
    let (folder, file) = folder_with("token", token);
    let variables = vec![
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", service),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            file.display().to_string(),
        ),
    ];
    (folder, variables)
}

#[test]
fn a_pod_is_given_credentials_over_ipv6_for_the_token_in_its_file() {
    let service = Stub::start(Ipv6Addr::LOCALHOST, 0, |request, _| {
        match (&*request.target, request.header("authorization")) {
            ("/v1/credentials", Some(POD)) => ok(keys("of-pod")),
            _ => (401, "", String::new()),
        }
    });
    let (_folder, variables) = pod(service.url() + "/v1/credentials", POD);
    leads_to(
        "a_pod_is_given_credentials_over_ipv6_for_the_token_in_its_file",
        "of-pod",
        variables,
    );
}

#[test]
fn what_keeps_a_pod_from_its_credentials_is_told_without_the_token() {
    let refusing = Stub::start(Ipv6Addr::LOCALHOST, 0, |_, _| {
        let answer = r#"{"code": "AccessDenied", "message": "no role"}"#;
        (403, "", answer.to_owned())
    });
    let foreign = "http://192.0.2.1/v1/credentials";
    for (service, token, words, hint) in [
        (
            refusing.url(),
            POD.to_owned(),
            "StatusCode(403)",
            "check the role of this container or pod",
        ),
        (
            refusing.url(),
            format!("{POD}\n"),
            "the auth token could not be used",
            "not even the end of a line",
        ),
        (
            foreign.to_owned(),
            POD.to_owned(),
            foreign,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI has to be https://",
        ),
    ] {
        let (_folder, mut variables) = pod(service, &token);
        variables.push(("AWS_REGION", "us-east-1".into()));
        variables.push(("AWS_ENDPOINT_URL", "http://127.0.0.1:9".into()));
        let name = "credentials::what_keeps_a_pod_from_its_credentials_is_told_without_the_token";
        let Some(told) = in_environment(name, &variables, refused) else {
            return;
        };
        let (cause, advice) = told.split_once("hint: ").unwrap();
        let expected = "Credentials: cannot open s3://backups/p: no usable credentials\n";
        assert!(cause.starts_with(expected), "{told}");
        assert!(cause.contains(words) && advice.contains(hint), "{told}");
        assert!(!told.contains(POD), "{told}");
    }
}

/// All that is told of a target that cannot be opened.
fn refused() -> String {
    let options = S3Options::new(url("s3://backups/p"));
    let error = runtime().block_on(S3Storage::connect(options)).unwrap_err();
    let mut told = format!("{:?}: {error}\n", error.kind());
    let mut cause = error.source();
    while let Some(error) = cause {
        told += &format!("caused by: {error}\n");
        cause = error.source();
    }
    told + "hint: " + error.hint().unwrap_or_default()
}

#[test]
fn a_hosts_metadata_service_gives_credentials() {
    let service = v4(metadata);
    leads_to(
        "a_hosts_metadata_service_gives_credentials",
        "of-metadata",
        vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url())],
    );
}

#[test]
fn a_hosts_metadata_service_gives_credentials_over_ipv6() {
    let service = Stub::start(Ipv6Addr::LOCALHOST, 0, metadata);
    leads_to(
        "a_hosts_metadata_service_gives_credentials_over_ipv6",
        "of-metadata",
        vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url())],
    );
}

#[test]
fn a_login_that_was_kept_gives_credentials() {
    let name: String = Sha1::digest("work")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let login = r#"{"accessToken": "the-login", "expiresAt": "2099-01-01T00:00:00Z",
                    "region": "us-east-1", "startUrl": "https://start.example/"}"#;
    let (home, _) = folder_with(&format!(".aws/sso/cache/{name}.json"), login);
    let config = "[default]\nsso_session = work\nsso_account_id = 123456789012\n\
                  sso_role_name = the-role\n[sso-session work]\nsso_region = us-east-1\n\
                  sso_start_url = https://start.example/\n";
    fs::write(home.path().join(".aws/config"), config).unwrap();
    let portal = v4(|request, _| {
        assert!(
            request.target.starts_with("/federation/credentials?"),
            "{request:?}"
        );
        assert_eq!(request.header("x-amz-sso_bearer_token"), Some("the-login"));
        ok(format!(
            r#"{{"roleCredentials": {{"accessKeyId": "{ACCESS_KEY}", "secretAccessKey": "{SECRET_KEY}",
                "sessionToken": "of-login", "expiration": 4070908800000}}}}"#
        ))
    });
    leads_to(
        "a_login_that_was_kept_gives_credentials",
        "of-login",
        vec![
            ("HOME", home.path().display().to_string()),
            ("AWS_ENDPOINT_URL_SSO", portal.url()),
        ],
    );
}

/// Objects, one of them of two parts, and each read back.
fn much_work() -> String {
    let part = Bytes::from(vec![7; 5 << 20]);
    let result: Result<(), Error> = runtime().block_on(async {
        let options = S3Options {
            part_size: Some(5 << 20),
            ..S3Options::new(url("s3://backups/p"))
        };
        let store = S3Storage::connect(options).await?;
        for name in ["one", "two", "three"] {
            store.put(name, part.slice(..9), ObjectKind::Other).await?;
        }
        let upload = store.begin_upload("large", ObjectKind::Volume).await?;
        let parts = [
            upload.put_part(0, part.clone()),
            upload.put_part(1, part.clone()),
        ];
        for sent in parts {
            sent.await?;
        }
        upload.complete(2, 10 << 20).await?;
        assert_eq!(store.head("large").await?.len, 10 << 20);
        assert_eq!(store.get("three", 0..9).await?, part.slice(..9));
        Ok(())
    });
    match result {
        Ok(()) => "done".into(),
        Err(error) => format!(
            "{:?}: {error}; {}",
            error.kind(),
            error.hint().unwrap_or_default()
        ),
    }
}

/// Runs much work with credentials that expire after some requests; when they do, `renew` is called.
/// Returns what the child told and the requests' tokens.
#[track_caller]
fn outlives(
    test: &str,
    variables: Vec<(&'static str, String)>,
    renew: impl Fn() + Send + 'static,
) -> Option<(String, Vec<String>)> {
    let test = format!("credentials::{test}");
    if std::env::var_os(CHILD).is_some() {
        in_environment(&test, &[], much_work);
        return None;
    }
    let server = S3sServer::start();
    server.create_bucket("backups");
    let mut served = 0;
    let token = |request: &Request| {
        let token = request.header("x-amz-security-token");
        token.unwrap_or_default().to_owned()
    };
    let recorder = Recorder::with_faults(&server, move |request| {
        served += i32::from(token(request) == "first");
        let expired = token(request) == "first" && served > 5;
        if expired {
            renew();
        }
        expired.then_some(Fault::Refused(400, EXPIRED))
    });
    let mut all = vec![
        ("AWS_ENDPOINT_URL_S3", recorder.endpoint_url()),
        ("AWS_REGION", "us-east-1".into()),
        ("PATH", "/usr/bin:/bin".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
    ];
    all.extend(variables);
    let told = in_environment(&test, &all, much_work)?;
    Some((told, recorder.seen().iter().map(token).collect()))
}

#[test]
fn a_process_is_asked_again_when_its_credentials_expire_in_mid_run() {
    let (folder, output) = folder_with("output", &keys("first"));
    let config = folder.path().join("config");
    let process = format!("[default]\ncredential_process = cat {}\n", output.display());
    fs::write(&config, process).unwrap();
    let outcome = outlives(
        "a_process_is_asked_again_when_its_credentials_expire_in_mid_run",
        vec![("AWS_CONFIG_FILE", config.display().to_string())],
        move || fs::write(&output, keys("second")).unwrap(),
    );
    went_on(outcome);
}

#[test]
fn a_profile_that_was_rewritten_is_read_again() {
    let profile = |token: &str| {
        format!(
            "[default]\naws_access_key_id = {ACCESS_KEY}\n\
             aws_secret_access_key = {SECRET_KEY}\naws_session_token = {token}\n"
        )
    };
    let (_folder, file) = folder_with("credentials", &profile("first"));
    let outcome = outlives(
        "a_profile_that_was_rewritten_is_read_again",
        vec![("AWS_SHARED_CREDENTIALS_FILE", file.display().to_string())],
        move || fs::write(&file, profile("second")).unwrap(),
    );
    went_on(outcome);
}

/// All work was done, the last of it with the second token.
#[track_caller]
fn went_on(outcome: Option<(String, Vec<String>)>) {
    let Some((told, tokens)) = outcome else {
        return;
    };
    assert_eq!(told, "done", "{tokens:?}");
    let change = tokens.iter().position(|token| token == "second").unwrap();
    assert!(
        tokens[..change].iter().all(|token| token == "first"),
        "{tokens:?}"
    );
    assert!(
        tokens[change..].iter().all(|token| token == "second"),
        "{tokens:?}"
    );
}

#[test]
fn credentials_that_stay_expired_are_told_at_once() {
    let outcome = outlives(
        "credentials_that_stay_expired_are_told_at_once",
        vec![
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY.into()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.into()),
            ("AWS_SESSION_TOKEN", "first".into()),
        ],
        || {},
    );
    let Some((told, tokens)) = outcome else {
        return;
    };
    assert!(told.starts_with("Credentials: "), "{told}");
    assert!(told.contains("ExpiredToken"), "{told}");
    assert!(told.contains("renew AWS_SESSION_TOKEN"), "{told}");
    // Five are served; the sixth is made once more, in case there are others.
    assert_eq!(tokens.len(), 7, "{tokens:?}");
}
