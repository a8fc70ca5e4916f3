//! redup and both duplicity versions work on the same archives, in any alternation.
//!
//! Every chain is a full and two increments, each made by a program named in its test. Then all
//! three programs read it: the sets of the status, the files of the list, every state by restore,
//! the newest by `verify --compare-data`. The chains below hold every ordered pair of programs,
//! one continuing the other, in every mode, with the archive dir kept and with an empty one for
//! every single command.

use std::fs;

use redup_testkit::env::{Program, TestEnv};
use redup_testkit::fixtures::{PASSPHRASE, TIMES};
use redup_testkit::gpghome::{ECC_KEY, ENCRYPT_KEY, SIGN_KEY};
use redup_testkit::listing::Listing;
use redup_testkit::log::Status;
use redup_testkit::tools::Version;
use redup_testkit::trees::{self, Tree};

use crate::redup;

/// How an archive is written.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Plain,
    Gzip,
    Symmetric,
    PublicKey,
    SignAndEncrypt,
}

/// Who makes the full and the two increments: `r`edup, `8` for 0.8.22, `3` for 3.2.1.
const CHAINS: [&str; 7] = ["r83", "8r3", "83r", "r38", "3r8", "38r", "rrr"];

#[test]
fn plain_archives_with_the_archive_dir_kept() {
    all_chains(Mode::Plain, false);
}

#[test]
fn plain_archives_with_an_empty_archive_dir_each_time() {
    all_chains(Mode::Plain, true);
}

#[test]
fn gzip_archives_with_the_archive_dir_kept() {
    all_chains(Mode::Gzip, false);
}

#[test]
fn gzip_archives_with_an_empty_archive_dir_each_time() {
    all_chains(Mode::Gzip, true);
}

#[test]
fn symmetric_archives_with_the_archive_dir_kept() {
    all_chains(Mode::Symmetric, false);
}

#[test]
fn symmetric_archives_with_an_empty_archive_dir_each_time() {
    all_chains(Mode::Symmetric, true);
}

#[test]
fn public_key_archives_with_the_archive_dir_kept() {
    all_chains(Mode::PublicKey, false);
}

#[test]
fn public_key_archives_with_an_empty_archive_dir_each_time() {
    all_chains(Mode::PublicKey, true);
}

#[test]
fn signed_archives_with_the_archive_dir_kept() {
    all_chains(Mode::SignAndEncrypt, false);
}

#[test]
fn signed_archives_with_an_empty_archive_dir_each_time() {
    all_chains(Mode::SignAndEncrypt, true);
}

#[test]
fn duplicity_reads_what_redup_encrypts_to_hidden_and_to_several_keys() {
    let cases: [&[&str]; 3] = [
        &["--encrypt-key", ECC_KEY],
        &["--hidden-encrypt-key", ENCRYPT_KEY],
        &["--encrypt-key", ENCRYPT_KEY, "--encrypt-key", ECC_KEY],
    ];
    for options in cases {
        let mut env = TestEnv::with_keys();
        env.set("PASSPHRASE", "");
        env.options = options.iter().map(|&word| word.to_owned()).collect();
        trees::awkward().write(&env.source());
        env.backup(&redup(), "full", TIMES[0]).ok();
        let expected = Listing::of(&env.source());
        for program in crate::programs() {
            env.name = format!("reader-{}", program.name());
            let what = format!("{options:?} read by {}", program.name());
            env.restored(&program, None).assert_is(&expected, what);
        }
    }
}

fn all_chains(mode: Mode, fresh: bool) {
    for makers in CHAINS {
        Chain::write(mode, makers, fresh).read_by_all();
    }
}

/// An archive of three states, and what it holds.
struct Chain {
    env: TestEnv,
    what: String,
    states: Vec<Listing>,
    fresh: bool,
}

impl Chain {
    fn write(mode: Mode, makers: &str, fresh: bool) -> Self {
        let mut chain = Self {
            env: mode.env(),
            what: format!("{mode:?} {makers}"),
            states: Vec::new(),
            fresh,
        };
        let trees = states();
        let source = chain.env.source();
        trees[0].write(&source);
        for (state, maker) in makers.chars().enumerate() {
            if state > 0 {
                trees[state].write_over(&trees[state - 1], &source);
            }
            chain.renew_archive_dir(&format!("maker-{state}"));
            let action = if state == 0 { "full" } else { "inc" };
            chain.env.backup(&program(maker), action, TIMES[state]).ok();
            chain.states.push(Listing::of(&source));
        }
        chain
    }

    fn read_by_all(mut self) {
        let mut statuses: Vec<Status> = Vec::new();
        for program in crate::programs() {
            self.renew_archive_dir(&format!("reader-{}", program.name()));
            let what = format!("{} read by {}", self.what, program.name());
            statuses.push(self.env.status(&program));
            self.check_lists(&program, &what);
            for (state, expected) in self.states.iter().enumerate() {
                let restored = self.env.restored(&program, Some(TIMES[state]));
                restored.assert_is(expected, format!("{what}, state {state}"));
            }
            self.env.verify(&program, None).ok();
        }
        assert!(
            statuses.iter().all(|it| it == &statuses[0]),
            "{}: {statuses:?}",
            self.what
        );
        assert_eq!(
            statuses[0].sets.len(),
            TIMES.len(),
            "{}: {statuses:?}",
            self.what
        );
    }

    fn check_lists(&self, program: &Program, what: &str) {
        for (state, expected) in self.states.iter().enumerate() {
            let listed = self.env.listed(program, Some(TIMES[state]));
            let what = format!("{what}, list of state {state}");
            match program {
                Program::Redup(_) => expected.assert_listed(&listed, what),
                Program::Duplicity(_) => expected.clone().utf8_only().assert_listed(&listed, what),
            }
        }
    }

    fn renew_archive_dir(&mut self, name: &str) {
        if self.fresh {
            // An archive dir that is gone for good: nothing of it can be leant on.
            drop(fs::remove_dir_all(self.env.archive()));
            self.env.name = name.to_owned();
        }
    }
}

impl Mode {
    fn env(self) -> TestEnv {
        let (mut env, options): (_, &[&str]) = match self {
            Self::Plain => (TestEnv::new(), &["--no-encryption", "--no-compression"]),
            Self::Gzip => (TestEnv::new(), &["--no-encryption"]),
            Self::Symmetric => (TestEnv::new(), &[]),
            Self::PublicKey => (TestEnv::with_keys(), &["--encrypt-key", ENCRYPT_KEY]),
            Self::SignAndEncrypt => (
                TestEnv::with_keys(),
                &["--encrypt-key", ENCRYPT_KEY, "--sign-key", SIGN_KEY],
            ),
        };
        match self {
            Self::Plain | Self::Gzip => {}
            Self::Symmetric => drop(env.set("PASSPHRASE", PASSPHRASE)),
            Self::PublicKey => drop(env.set("PASSPHRASE", "")),
            Self::SignAndEncrypt => {
                env.set("PASSPHRASE", "").set("SIGN_PASSPHRASE", "");
            }
        }
        // Small volumes, so that files and deltas run from one into the next.
        env.options = vec!["--volsize".to_owned(), "1".to_owned()];
        env.options
            .extend(options.iter().map(|&word| word.to_owned()));
        env
    }
}

/// What there is to save at each of the three times.
fn states() -> [Tree; 3] {
    let (first, second) = (trees::awkward(), trees::edited());
    // Back to the first state but for some: what went comes again, what came goes.
    let mut third = first.clone();
    let late = trees::BASE_MTIME + 2000;
    third
        .put(
            "sizes/200000",
            trees::Node::file(trees::noise(77, 150_000)).mtime(late),
        )
        .put(
            "at last",
            trees::Node::file("new in the third state").mtime(late),
        )
        .remove("order");
    third.node_mut("").mtime = late;
    [first, second, third]
}

fn program(letter: char) -> Program {
    match letter {
        '8' => Program::Duplicity(Version::V0_8_22),
        '3' => Program::Duplicity(Version::V3_2_1),
        _ => redup(),
    }
}
