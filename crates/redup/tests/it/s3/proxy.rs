//! Backups from behind a proxy that the environment names.

use redup_testkit::env::TestEnv;
use redup_testkit::fixtures::{PASSPHRASE, TIMES};
use redup_testkit::forward::ForwardProxy;
use redup_testkit::listing::Listing;
use redup_testkit::s3s::S3sServer;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::BUCKET;
use super::options::tls;
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
