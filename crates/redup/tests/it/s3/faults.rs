//! Runs of the program through a network that fails by seeded schedules: one that ends well has done
//! its work, and one that does not has broken nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use redup_testkit::env::TestEnv;
use redup_testkit::faulty::{Chance, FaultyProxy};
use redup_testkit::fixtures::{PASSPHRASE, TIMES};
use redup_testkit::listing::Listing;
use redup_testkit::run::Outcome;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::BUCKET;
use crate::redup;

const SCHEDULES: u64 = 10;
const AT_ONCE: usize = 4;

/// A run made again and again gets through in the end: a schedule has fewer faults than this.
const MOST_RUNS: u32 = 30;

#[test]
fn whatever_the_network_does_a_chain_that_was_made_is_whole() {
    let server = SeaweedServer::start();
    server.create_bucket(BUCKET);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= SCHEDULES {
                        return;
                    }
                    Chain::new(&server, seed).make_and_restore();
                }
            });
        }
    });
}

struct Chain<'a> {
    env: TestEnv,
    server: &'a SeaweedServer,
    seed: u64,
}

impl<'a> Chain<'a> {
    fn new(server: &'a SeaweedServer, seed: u64) -> Self {
        let mut env = TestEnv::new();
        for (name, value) in server.environment() {
            env.set(name, value);
        }
        env.set("PASSPHRASE", PASSPHRASE);
        env.url = format!("boto3+s3://{BUCKET}/seed{seed}");
        env.options = ["--volsize", "1", "--timeout", "1", "--num-retries", "3"]
            .map(str::to_owned)
            .into();
        env.options
            .extend(["--backend-retry-delay", "1"].map(str::to_owned));
        Self { env, server, seed }
    }

    fn make_and_restore(mut self) {
        let (first, second) = (trees::filler(2), trees::filler_edited(2));
        first.write(&self.env.source());
        let before = Listing::of(&self.env.source());
        self.persist(0, |env| env.backup(&redup(), "full", TIMES[0]));
        second.write_over(&first, &self.env.source());
        let after = Listing::of(&self.env.source());
        self.persist(1, |env| env.backup(&redup(), "inc", TIMES[1]));
        // With an archive dir that has everything, and with one that has nothing.
        for (stage, name) in [(2, "test"), (3, "fresh")] {
            self.env.name = name.to_owned();
            for (time, expected) in [(TIMES[0], &before), (TIMES[1], &after)] {
                let mut folder = None;
                self.persist(stage, |env| {
                    let (restored, outcome) = env.restore(&redup(), Some(time));
                    folder = Some(restored);
                    outcome
                });
                let what = format!("seed {}, {name} at {time}", self.seed);
                Listing::of(&folder.unwrap()).assert_is(expected, what);
            }
        }
    }

    /// Runs it through a failing network until it succeeds.
    fn persist(&mut self, stage: u64, mut run: impl FnMut(&TestEnv) -> Outcome) {
        let mut chance = Chance::new(self.seed * 10 + stage, 6, 4);
        chance.alters_answers = true;
        // A volume of 1 MiB is given most of a minute.
        chance.longest_stalled = 50_000;
        let proxy =
            FaultyProxy::start(self.server.address(), move |request| chance.decide(request));
        self.env.set("AWS_ENDPOINT_URL_S3", proxy.endpoint_url());
        let mut outcomes = Vec::new();
        for _ in 0..MOST_RUNS {
            let outcome = run(&self.env).never_says("panicked");
            if outcome.status.success() {
                return;
            }
            outcomes.push(outcome);
        }
        panic!("seed {}: {outcomes:?}\n{:?}", self.seed, proxy.log());
    }
}
