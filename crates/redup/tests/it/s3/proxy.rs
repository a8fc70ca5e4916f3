//! Backups from behind a proxy that the environment names.

use std::fs;

use redup_testkit::env::TestEnv;
use redup_testkit::fixtures::{PASSPHRASE, TIMES};
use redup_testkit::forward::ForwardProxy;
use redup_testkit::listing::Listing;
use redup_testkit::s3s::S3sServer;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::BUCKET;
use super::options::{behind_proxy, tls};
use crate::redup;

/// Only a proxy knows the way there.
const FAR: &str = "http://storage.invalid:9000";

#[test]
fn a_chain_is_made_and_restored_through_an_http_proxy() {
    let server = S3sServer::start();
    let mut env = env(&server);
    let proxy = ForwardProxy::towards(Some(server.address()));
    env.set("AWS_ENDPOINT_URL_S3", FAR);
    env.set("HTTP_PROXY", proxy.url());
    makes_and_restores(&env);
    let asked = proxy.asked();
    assert!(!asked.is_empty());
    assert!(asked.iter().all(|line| line.ends_with(FAR)), "{asked:?}");
}

#[test]
fn a_chain_is_made_and_restored_through_a_tunnel() {
    let server = SeaweedServer::start_tls(tls());
    let mut env = env(&server);
    let proxy = ForwardProxy::towards(Some(server.address()));
    env.set("HTTPS_PROXY", proxy.url());
    makes_and_restores(&env);
    assert_eq!(proxy.asked(), [format!("CONNECT {}", server.address())]);
}

#[test]
fn a_host_that_needs_no_proxy_is_asked_without() {
    let server = S3sServer::start();
    let mut env = env(&server);
    let proxy = ForwardProxy::towards(None);
    env.set("HTTP_PROXY", proxy.url());
    env.options = vec!["--num-retries=1".into()];
    env.run(&redup(), "collection-status", [&env.url]).code(51);
    assert!(!proxy.asked().is_empty());

    let proxy = ForwardProxy::towards(None);
    env.set("HTTP_PROXY", proxy.url());
    env.set("NO_PROXY", "example.org,127.0.0.1");
    makes_and_restores(&env);
    assert_eq!(proxy.asked(), [""; 0]);
}

/// `s3://minio.example/bucket` names a server in old scripts. With another one named, it is a bucket.
#[test]
fn nobody_else_is_asked_for_a_bucket_that_the_server_in_force_does_not_have() {
    let server = S3sServer::start();
    let mut env = env(&server);
    let proxy = ForwardProxy::towards(None);
    env.set("HTTPS_PROXY", proxy.url());
    env.set("NO_PROXY", "127.0.0.1");
    env.url = "s3://minio.example/backups/path".into();
    env.run(&redup(), "collection-status", [&env.url])
        .code(50)
        .says("S3 bucket \"minio.example\" does not exist");
    assert_eq!(proxy.asked(), [""; 0]);
}

/// Amazon's services that give credentials have dual-stack names, too: a machine without IPv4 reaches no others.
#[test]
fn credentials_are_asked_for_at_dual_stack_names() {
    const ROLE: &str = "role_arn = arn:aws:iam::123456789012:role/backup";
    const LOGIN: &str = "sso_session = work\nsso_account_id = 123456789012\nsso_role_name = backup\n\
                         [sso-session work]\nsso_region = eu-west-3\n\
                         sso_start_url = https://start.example/\n";
    let with_keys = format!(
        "{ROLE}\nsource_profile = keys\n[profile keys]\n\
                             aws_access_key_id = id\naws_secret_access_key = secret\n"
    );
    let with_identity = format!("{ROLE}\nweb_identity_token_file = /proc/version\n");
    let sts = ["sts.eu-west-3.api.aws", "sts.eu-west-3.amazonaws.com"];
    let sso = [
        "portal.sso.eu-west-3.api.aws",
        "portal.sso.eu-west-3.amazonaws.com",
    ];
    for (profile, names) in [(&*with_keys, sts), (&with_identity, sts), (LOGIN, sso)] {
        for (option, name) in [(None, names[0]), (Some("--s3-no-dualstack"), names[1])] {
            let (mut env, proxy) = behind_proxy("HTTPS_PROXY");
            env.unset("AWS_ACCESS_KEY_ID")
                .unset("AWS_SECRET_ACCESS_KEY");
            env.set("AWS_EC2_METADATA_DISABLED", "true");
            env.options.extend(option.map(str::to_owned));
            // What a login keeps of the session "work", by the SHA-1 of that name.
            let kept =
                env.path("home/.aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json");
            fs::create_dir_all(kept.parent().unwrap()).unwrap();
            fs::write(
                kept,
                r#"{"accessToken": "x", "expiresAt": "2099-01-01T00:00:00Z"}"#,
            )
            .unwrap();
            let config = env.path("config");
            fs::write(&config, format!("[default]\n{profile}")).unwrap();
            env.set("AWS_CONFIG_FILE", &config);
            env.run(&redup(), "collection-status", [&env.url]).code(50);
            let asked = proxy.asked();
            let connect = format!("CONNECT {name}:443");
            assert!(
                asked.iter().all(|line| *line == connect),
                "{profile}: {asked:?}"
            );
            assert!(!asked.is_empty(), "{profile}");
        }
    }
}

/// Environment and target for a server with an empty bucket.
fn env(server: &dyn S3Server) -> TestEnv {
    server.create_bucket(BUCKET);
    let mut env = TestEnv::new();
    for (name, value) in server.environment() {
        env.set(name, value);
    }
    env.set("PASSPHRASE", PASSPHRASE);
    env.url = format!("boto3+s3://{BUCKET}/path");
    env
}

#[track_caller]
fn makes_and_restores(env: &TestEnv) {
    let (first, second) = (trees::filler(6), trees::filler_edited(6));
    first.write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();
    second.write_over(&first, &env.source());
    env.backup(&redup(), "inc", TIMES[1]).ok();
    env.restored(&redup(), None)
        .assert_is(&Listing::of(&env.source()), "through a proxy");
}
