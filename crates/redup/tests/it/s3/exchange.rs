//! redup and duplicity continue and read each other's chains on the same server.

use redup_testkit::env::{Program, TestEnv};
use redup_testkit::fixtures::TIMES;
use redup_testkit::listing::Listing;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::server_and_env;
use crate::{duplicity, redup};

#[test]
fn duplicity_continues_and_restores_what_redup_stored() {
    exchange([redup(), duplicity(), redup()]);
}

#[test]
fn redup_continues_and_restores_what_duplicity_stored() {
    exchange([duplicity(), redup(), duplicity()]);
}

/// A full and two increments, each made by another program; both restore every state.
fn exchange(makers: [Program; 3]) {
    let (server, mut env) = server_and_env();
    env.options = [
        "--volsize",
        "6",
        "--s3-endpoint-url",
        &server.endpoint_url(),
        "--s3-region-name",
        "us-east-1",
        "--s3-use-ia",
    ]
    .map(str::to_owned)
    .into();
    // More than the 5 MiB that the smallest part may have, so that volumes are in parts.
    let (first, second) = (trees::filler(7), trees::filler_edited(7));
    first.write(&env.source());
    let mut states = vec![back_up(&mut env, &makers[0], "full", TIMES[0])];
    second.write_over(&first, &env.source());
    states.push(back_up(&mut env, &makers[1], "inc", TIMES[1]));
    first.write_over(&second, &env.source());
    states.push(back_up(&mut env, &makers[2], "inc", TIMES[2]));

    for reader in [redup(), duplicity()] {
        env.name = format!("reader-{}", reader.name());
        let status = env.status(&reader);
        assert!(status.complete && status.sets.len() == 3, "{status:?}");
        for (time, expected) in TIMES.into_iter().zip(&states) {
            let what = format!("{time} by {}", reader.name());
            env.restored(&reader, Some(time)).assert_is(expected, what);
        }
    }
}

/// Each maker has an archive dir of its own, and fills it from the server.
fn back_up(env: &mut TestEnv, maker: &Program, action: &str, time: i64) -> Listing {
    env.name = format!("{action}-{time}");
    env.backup(maker, action, time).ok();
    Listing::of(&env.source())
}
