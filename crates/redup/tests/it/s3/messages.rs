//! What a user reads when something is wrong with the bucket, the keys, the permissions, the network or
//! the server: each text whole, as the program prints it, in a file of `messages/`.
//!
//! `UPDATE_EXPECT=1` writes the files anew.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use expect_test::expect_file;
use redup_testkit::env::TestEnv;
use redup_testkit::faulty::{Fault, Request};
use redup_testkit::fixtures::TIMES;
use redup_testkit::forward::ForwardProxy;
use redup_testkit::recorder::Recorder;
use redup_testkit::run::{Outcome, run};
use redup_testkit::s3s::S3sServer;
use redup_testkit::seaweed::{SeaweedServer, Tls};
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::{BUCKET, options};
use crate::redup;

/// A store that cannot be used.
const STORE: i32 = 50;
/// A store that does not let us do that.
const PERMISSION: i32 = 51;
/// Something is not as it should be.
const LEFT: i32 = 1;
/// A command line that cannot be right.
const COMMAND_LINE: i32 = 23;

#[test]
fn of_a_wrong_bucket_or_key_or_permission() {
    let server = SeaweedServer::start();
    let mut env = env_of(&server);
    let endpoint = server.endpoint_url();
    let url = std::mem::replace(&mut env.url, "s3://backupz/path".into());
    check("wrong-bucket", &status(&env), STORE, &endpoint);
    env.url = url;

    env.set("AWS_SECRET_ACCESS_KEY", "not the secret");
    check("wrong-secret", &status(&env), STORE, &endpoint);
    env.set("AWS_ACCESS_KEY_ID", "AKIDNOBODY");
    check("wrong-key-id", &status(&env), STORE, &endpoint);
    env.unset("AWS_ACCESS_KEY_ID")
        .unset("AWS_SECRET_ACCESS_KEY");
    check("no-credentials", &status(&env), STORE, &endpoint);

    env.set("AWS_ACCESS_KEY_ID", SeaweedServer::READ_ONLY_KEY);
    env.set("AWS_SECRET_ACCESS_KEY", SeaweedServer::READ_ONLY_SECRET);
    check("denied-put", &full(&env), PERMISSION, &endpoint);

    for (name, value) in server.environment() {
        env.set(name, value);
    }
    env.options
        .push("--s3-use-server-side-kms-encryption".into());
    check("kms-key-missing", &full(&env), COMMAND_LINE, &endpoint);
}

/// What the real server answers is replaced, for refusals that it has no setting for.
#[test]
fn of_refusals() {
    let put = |request: &Request| request.operation() == "PutObject";
    let list = |request: &Request| matches!(request.operation(), "HeadBucket" | "ListObjectsV2");
    let get = |request: &Request| request.operation() == "GetObject";
    let delete = |request: &Request| request.operation() == "DeleteObject";

    let server = S3sServer::start();
    let mut refused = Refused {
        env: env_of(&server),
        server: &server,
    };
    full(&refused.env).ok();
    refused.env.backup(&redup(), "full", TIMES[2]).ok();
    refused.check(
        "denied-list",
        PERMISSION,
        list,
        (403, "AccessDenied"),
        status,
    );
    refused.check(
        "wrong-region",
        STORE,
        list,
        (400, "AuthorizationHeaderMalformed"),
        status,
    );
    refused.check(
        "bucket-elsewhere",
        STORE,
        list,
        (301, "PermanentRedirect"),
        status,
    );
    refused.check(
        "clock-skew",
        STORE,
        list,
        (403, "RequestTimeTooSkewed"),
        status,
    );
    refused.check("expired-token", STORE, list, (400, "ExpiredToken"), status);
    refused.check("invalid-token", STORE, list, (403, "InvalidToken"), status);
    refused.check("throttled", STORE, list, (503, "SlowDown"), status);
    refused.check(
        "denied-get",
        PERMISSION,
        get,
        (403, "AccessDenied"),
        restore,
    );
    refused.check("archived", STORE, get, (403, "InvalidObjectState"), restore);
    // A run that could not delete goes on to the others, and its status says that some are left.
    refused.check("denied-delete", LEFT, delete, (403, "AccessDenied"), remove);

    refused.env.url = format!("s3://{BUCKET}/kms");
    let kms = [
        "--s3-use-server-side-kms-encryption",
        "--s3-kms-key-id=alias/backups",
    ];
    refused.env.options.extend(kms.map(str::to_owned));
    refused.check(
        "denied-put-with-kms",
        PERMISSION,
        put,
        (403, "AccessDenied"),
        full,
    );
    refused.check("kms-not-set-up", STORE, put, (501, "NotImplemented"), full);
    refused.check(
        "kms-key-unknown",
        STORE,
        put,
        (400, "KMS.NotFoundException"),
        full,
    );
}

/// An upload that a killed run left open, and nobody may give up.
#[test]
fn of_open_uploads_that_must_stay() {
    let server = SeaweedServer::start();
    let mut env = env_of(&server);
    full(&env).ok();
    let key = "path/duplicity-full.20240101T000000Z.vol1.difftar.gpg";
    server.boto3(&format!(
        "s3.create_multipart_upload(Bucket={BUCKET:?}, Key={key:?})"
    ));
    let proxy = Recorder::with_faults(&server, |request| {
        let abort = request.operation() == "AbortMultipartUpload";
        abort.then_some(Fault::Refused(403, "AccessDenied"))
    });
    env.set("AWS_ENDPOINT_URL_S3", proxy.endpoint_url());
    let outcome = env.run(&redup(), "cleanup", ["--force", &*env.url]);
    check("denied-abort", &outcome, LEFT, &proxy.endpoint_url());
}

#[test]
fn of_a_server_that_does_not_answer() {
    let server = S3sServer::start();
    let mut env = env_of(&server);
    let proxy = Recorder::with_faults(&server, |_| Some(Fault::Stalled));
    env.set("AWS_ENDPOINT_URL_S3", proxy.endpoint_url());
    env.options.push("--timeout=1".into());
    check("silent", &status(&env), STORE, &proxy.endpoint_url());
}

#[test]
fn of_a_class_that_the_server_does_not_have() {
    let server = S3sServer::start();
    let mut env = env_of(&server);
    env.options.push("--s3-use-ia".into());
    check("class-refused", &full(&env), STORE, &server.endpoint_url());
}

#[test]
fn of_a_server_that_is_not_there() {
    let mut env = elsewhere();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    env.set("AWS_ENDPOINT_URL_S3", &closed);
    check("connection-refused", &status(&env), STORE, &closed);

    let unknown = "https://s3.no-such-host.invalid";
    env.set("AWS_ENDPOINT_URL_S3", unknown);
    check("unknown-host", &status(&env), STORE, unknown);

    let proxy = ForwardProxy::towards(None);
    env.unset("AWS_ENDPOINT_URL_S3");
    env.set("HTTPS_PROXY", proxy.url());
    check("proxy-refuses", &status(&env), STORE, &proxy.url());
}

#[test]
fn of_credentials_that_cannot_be_had() {
    const SERVER: &str = "http://192.0.2.1:9000";
    let session = "[default]\nsso_session = work\nsso_account_id = 1\nsso_role_name = role\n\
                   [sso-session work]\nsso_region = us-east-1\nsso_start_url = https://start.invalid/\n";
    let program = "[default]\ncredential_process = echo nothing\n";
    for (name, config, profile) in [
        ("no-login", session, "default"),
        ("process-fails", program, "default"),
        ("profile-broken", "[default\n", "default"),
        (
            "profile-incomplete",
            "[default]\naws_access_key_id = x\n",
            "default",
        ),
        (
            "profile-missing",
            "[profile other]\nregion = us-east-1\n",
            "work",
        ),
    ] {
        let mut env = elsewhere();
        let file = env.path("config");
        std::fs::write(&file, config).unwrap();
        env.unset("AWS_ACCESS_KEY_ID")
            .unset("AWS_SECRET_ACCESS_KEY");
        env.set("AWS_CONFIG_FILE", file.display().to_string());
        env.set("AWS_PROFILE", profile);
        env.set("AWS_ENDPOINT_URL", SERVER);
        env.set("AWS_REGION", "us-east-1");
        env.set("AWS_EC2_METADATA_DISABLED", "true");
        check(name, &status(&env), STORE, SERVER);
    }
}

/// A network namespace of its own has no network at all.
#[test]
fn of_a_machine_without_a_network() {
    let alone = |command: &Command| {
        let mut outer = Command::new("unshare");
        outer
            .args(["--map-root-user", "--net"])
            .arg(command.get_program());
        outer.args(command.get_args()).env_clear();
        outer.envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        outer
    };
    if !alone(&Command::new("true"))
        .status()
        .is_ok_and(|status| status.success())
    {
        return;
    }
    let mut env = elsewhere();
    let status = |env: &TestEnv| {
        run(&mut alone(&env.command(
            &redup(),
            "collection-status",
            [&env.url],
        )))
    };
    let server = "http://192.0.2.1:9000";
    env.set("AWS_ENDPOINT_URL_S3", server);
    check("no-route", &status(&env), STORE, server);
    let amazon = "https://192.0.2.1.s3.us-east-1.amazonaws.com";
    env.unset("AWS_ENDPOINT_URL_S3");
    check("no-name-service", &status(&env), STORE, amazon);
}

#[test]
fn of_connections_that_cannot_be_trusted() {
    let server = SeaweedServer::start_tls(options::tls());
    let mut env = env_of(&server);
    env.unset("AWS_CA_BUNDLE");
    check(
        "unknown-issuer",
        &status(&env),
        STORE,
        &server.endpoint_url(),
    );
    // What becomes of such a connection is a matter of moments.
    let plain = server.endpoint_url().replace("https", "http");
    env.options.push(format!("--s3-endpoint-url={plain}"));
    let outcome = status(&env).code(STORE);
    outcome.says("hint: if the server speaks HTTPS, use https://");

    let plain = S3sServer::start();
    let mut env = env_of(&plain);
    let tls = plain.endpoint_url().replace("http", "https");
    env.set("AWS_ENDPOINT_URL_S3", &tls);
    check("https-to-http", &status(&env), STORE, &tls);
}

#[test]
fn of_a_certificate_for_another_name() {
    check_certificate("wrong-host-name", "other-name.pem");
}

#[test]
fn of_an_expired_certificate() {
    check_certificate("expired-certificate", "server.pem");
}

#[track_caller]
fn check_certificate(name: &str, certificate: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/s3/messages/tls");
    let server = SeaweedServer::start_tls(Tls {
        certificate: folder.join(certificate),
        key: folder.join("server.key"),
        authority: folder.join("ca.pem"),
    });
    let mut env = elsewhere();
    for (name, value) in server.environment() {
        env.set(name, value);
    }
    check(name, &status(&env), STORE, &server.endpoint_url());
}

/// A bucket with backups, of a server that is about to refuse something.
struct Refused<'a> {
    env: TestEnv,
    server: &'a S3sServer,
}

impl Refused<'_> {
    /// Does something while some requests get this status and code.
    #[track_caller]
    fn check(
        &mut self,
        name: &str,
        code: i32,
        operation: fn(&Request) -> bool,
        (status, answer): (u16, &'static str),
        act: fn(&TestEnv) -> Outcome,
    ) {
        let refuse =
            move |request: &Request| operation(request).then_some(Fault::Refused(status, answer));
        let proxy = Recorder::with_faults(self.server, refuse);
        self.env.set("AWS_ENDPOINT_URL_S3", proxy.endpoint_url());
        check(name, &act(&self.env), code, &proxy.endpoint_url());
    }
}

fn status(env: &TestEnv) -> Outcome {
    env.run(&redup(), "collection-status", [&env.url])
}

fn full(env: &TestEnv) -> Outcome {
    env.backup(&redup(), "full", TIMES[1])
}

fn restore(env: &TestEnv) -> Outcome {
    env.restore(&redup(), None).1
}

fn remove(env: &TestEnv) -> Outcome {
    env.run(
        &redup(),
        "remove-all-but-n-full",
        ["1", "--force", &*env.url],
    )
}

/// A source, and a server that is told of; its bucket may be there.
fn env_of(server: &dyn S3Server) -> TestEnv {
    let mut env = elsewhere();
    let there = server.boto3("print([it['Name'] for it in s3.list_buckets()['Buckets']])");
    if !there.contains(BUCKET) {
        server.create_bucket(BUCKET);
    }
    for (name, value) in server.environment() {
        env.set(name, value);
    }
    env
}

/// A source, and no server yet.
fn elsewhere() -> TestEnv {
    let mut env = TestEnv::new();
    trees::filler(1).write(&env.source());
    env.set("PASSPHRASE", "secret");
    env.set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    env.set("AWS_SECRET_ACCESS_KEY", "secret of the key");
    env.url = format!("s3://{BUCKET}/path");
    env.options = vec!["--num-retries=1".into()];
    env
}

/// Holds what the program printed against `messages/NAME.txt`, without what differs from run to run.
#[track_caller]
fn check(name: &str, outcome: &Outcome, code: i32, endpoint: &str) {
    let outcome = outcome.clone().code(code).never_says("panicked");
    let outcome = outcome
        .never_says("not the secret")
        .never_says("secret of the key");
    let (scheme, address) = endpoint.split_once("://").unwrap();
    let of_trouble = |line: &&str| line.starts_with("Cannot") || line.starts_with("hint:");
    let told = outcome.stdout.lines().filter(of_trouble);
    let told: String = told.map(|line| format!("{line}\n")).collect();
    let text = (told + &outcome.stderr)
        .replace(endpoint, &format!("{scheme}://SERVER"))
        .replace(address, "SERVER");
    let text: String = text
        .lines()
        .map(|line| without_time(&without_ids(line)) + "\n")
        .collect();
    expect_file![format!("messages/{name}.txt")].assert_eq(&text);
}

/// How long ago it was is more every time.
fn without_time(line: &str) -> String {
    let number = |word: &str| {
        let number = word.trim_matches(['(', ')', ',']).parse::<u64>();
        number.is_ok_and(|number| number > 100_000_000)
    };
    let words = line
        .split(' ')
        .map(|word| if number(word) { "N" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// A request's id is new each time.
fn without_ids(line: &str) -> String {
    match line.split_once("request id ") {
        Some((before, rest)) => {
            let after = rest.split_once(')').map_or("", |(_, after)| after);
            format!("{before}request id ID){after}")
        }
        None => line.to_owned(),
    }
}
