//! What a user reads when the server refuses or is not there, and that nothing is lost by it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use redup_testkit::env::TestEnv;
use redup_testkit::fixtures::{self, TIMES};
use redup_testkit::listing::{Listing, same_files};
use redup_testkit::run::Outcome;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::server_and_env;
use crate::redup;

/// A store that cannot be used.
const STORE: i32 = 50;
/// A store that lets us read only.
const PERMISSION: i32 = 51;

#[test]
fn each_refusal_has_its_message_hint_and_status_and_leaves_the_archive_dir_alone() {
    let (server, mut env) = server_and_env();
    env.options = ["--num-retries", "1"].map(str::to_owned).into();
    trees::filler(2).write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    let expected = Listing::of(&env.source());
    fs::write(env.source().join("more"), "to save").unwrap();
    let kept = copy_of_archive(&env);
    let url = env.url.clone();

    env.url = "boto3+s3://no-such-bucket/path".to_owned();
    refused(
        &env,
        &kept,
        STORE,
        &[
            r#""no-such-bucket" does not exist"#,
            "hint: check the bucket's name",
        ],
    );
    env.url = url;

    env.set("AWS_SECRET_ACCESS_KEY", "not the secret");
    let outcomes = refused(
        &env,
        &kept,
        STORE,
        &["SignatureDoesNotMatch", "hint: check AWS_SECRET_ACCESS_KEY"],
    );
    for outcome in outcomes {
        outcome
            .never_says("not the secret")
            .never_says(fixtures::PASSPHRASE);
    }
    env.set("AWS_ACCESS_KEY_ID", "nobody");
    refused(
        &env,
        &kept,
        STORE,
        &[
            "InvalidAccessKeyId",
            "hint: the server does not know the access key",
        ],
    );
    env.unset("AWS_ACCESS_KEY_ID")
        .unset("AWS_SECRET_ACCESS_KEY");
    refused(
        &env,
        &kept,
        STORE,
        &[
            "credentials",
            "hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ],
    );

    env.set("AWS_ACCESS_KEY_ID", SeaweedServer::READ_ONLY_KEY);
    env.set("AWS_SECRET_ACCESS_KEY", SeaweedServer::READ_ONLY_SECRET);
    let outcome = env.backup(&redup(), "inc", TIMES[1]).code(PERMISSION);
    outcome
        .says("AccessDenied")
        .says("hint: s3:PutObject is needed on backups/path/to/");
    env.restored(&redup(), Some(TIMES[0]))
        .assert_is(&expected, "a reader restores");

    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let closed = format!("http://127.0.0.1:{port}");
    for (name, value) in server.environment() {
        env.set(name, value);
    }
    env.options
        .extend(["--s3-endpoint-url".to_owned(), closed.clone()]);
    let kept = copy_of_archive(&env);
    refused(
        &env,
        &kept,
        STORE,
        &[
            &closed,
            "connection refused",
            "hint: check that the server is running",
        ],
    );

    // All of it over, the next run does what the failed ones could not.
    env.options.truncate(2);
    env.backup(&redup(), "inc", TIMES[2]).ok();
    env.restored(&redup(), None)
        .assert_is(&Listing::of(&env.source()), "after all trouble");
}

/// Neither a backup nor a restore nor a status gets through, and the archive dir stays as it is.
#[track_caller]
fn refused(env: &TestEnv, kept: &Path, code: i32, words: &[&str]) -> [Outcome; 3] {
    let outcomes = [
        env.backup(&redup(), "inc", TIMES[1]),
        env.restore(&redup(), None).1,
        env.run(&redup(), "collection-status", [&env.url]),
    ];
    for outcome in &outcomes {
        let outcome = outcome
            .clone()
            .code(code)
            .never_says("panicked")
            .says("error: ");
        words
            .iter()
            .fold(outcome, |outcome, text| outcome.says(text));
        assert!(
            same_files(&env.archive(), kept),
            "the archive dir was changed\n{outcomes:?}"
        );
    }
    outcomes
}

fn copy_of_archive(env: &TestEnv) -> PathBuf {
    let copy = env.fresh("kept");
    fixtures::copy_files(&env.archive(), &copy);
    copy
}
