//! Random trees through random changes: every point in time comes back.

use proptest::prelude::*;
use redup_testkit::env::TestEnv;
use redup_testkit::fixtures::PASSPHRASE;
use redup_testkit::listing::Listing;
use redup_testkit::trees::{self, Tree};

use crate::{duplicity, redup};

const START: i64 = 1_704_067_200;
const DAY: i64 = 86_400;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_state_of_a_random_history_restores_as_it_was(states in trees::history(16, 4)) {
        let env = encrypted();
        let expected = back_up(&env, &states);
        for (step, expected) in expected.iter().enumerate() {
            let restored = env.restored(&redup(), Some(time(step)));
            restored.assert_is(expected, format!("state {step}"));
        }
        env.verify(&redup(), None).ok();
    }
}

proptest! {
    // duplicity takes its time: fewer cases, and only the newest state, which needs all sets.
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn duplicity_restores_a_random_history_of_redup(states in trees::history(16, 4)) {
        let env = encrypted();
        let expected = back_up(&env, &states);
        let restored = env.restored(&duplicity(), None);
        restored.assert_is(&expected[expected.len() - 1], "newest state by duplicity");
    }
}

fn encrypted() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    env.options = vec!["--volsize".to_owned(), "1".to_owned()];
    env
}

/// Backs up state after state, and returns what the source looked like at each.
fn back_up(env: &TestEnv, states: &[Tree]) -> Vec<Listing> {
    let mut before = None;
    let listings = states.iter().enumerate().map(|(step, tree)| {
        match before.replace(tree) {
            None => tree.write(&env.source()),
            Some(before) => tree.write_over(before, &env.source()),
        }
        env.backup(&redup(), if step == 0 { "full" } else { "inc" }, time(step))
            .ok();
        Listing::of(&env.source())
    });
    listings.collect()
}

fn time(step: usize) -> i64 {
    START + DAY * step as i64
}
