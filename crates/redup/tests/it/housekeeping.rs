//! Deleting old chains and debris: the same files go as with both duplicity versions, and nothing that
//! somebody could still want.

use std::fs;

use redup_testkit::damage::{self, names};
use redup_testkit::env::{Program, TestEnv};
use redup_testkit::fixtures::{self, PASSPHRASE};
use redup_testkit::listing::Listing;
use redup_testkit::run::Outcome;
use redup_testkit::surroundings::OrdinaryUser;
use redup_testkit::tools::Version;

use crate::{duplicity, redup};

/// 2024-01-01.
const START: i64 = 1_704_067_200;
const DAY: i64 = 86_400;

/// The seconds of a day of the chains below.
fn day(day: i64) -> i64 {
    START + (day - 1) * DAY
}

/// Three chains: days 1 to 3, 4 to 5, and 6 to 7.
fn three_chains() -> TestEnv {
    let mut env = TestEnv::new();
    env.options = vec!["--no-encryption".to_owned()];
    fs::create_dir(env.source()).unwrap();
    for (number, action) in [
        (1, "full"),
        (2, "inc"),
        (3, "inc"),
        (4, "full"),
        (5, "inc"),
        (6, "full"),
        (7, "inc"),
    ] {
        fs::write(env.source().join(format!("day{number}")), "new\n").unwrap();
        env.backup(&redup(), action, day(number)).ok();
    }
    env
}

fn housekeeping(env: &TestEnv, program: &Program, words: &[&str]) -> Outcome {
    let rest = words[1..].iter().copied().chain([env.url.as_str()]);
    env.run(program, words[0], rest)
}

/// What is left in the target and in the archive dir.
fn left(env: &TestEnv) -> [Vec<String>; 2] {
    [names(&env.target()), names(&env.archive())]
}

#[test]
fn the_same_chains_go_as_with_duplicity() {
    let env = three_chains();
    let (before, whole) = (env.snapshot(), left(&env));
    let times = [day(1), day(2), day(4), day(5), day(6), day(7), day(7) + 1];
    let times = times.map(|time| ("remove-older-than", time.to_string()));
    let counts = ["1", "2", "3", "4"];
    let all = counts.map(|count| ("remove-all-but-n-full", count.to_owned()));
    let incs = counts.map(|count| ("remove-all-inc-of-but-n-full", count.to_owned()));
    for (command, what) in times.iter().chain(&all).chain(&incs) {
        let mut results = Vec::new();
        for program in crate::programs() {
            for more in [&[][..], &["--force", "--dry-run"]] {
                let words = [&[*command, what][..], more].concat();
                housekeeping(&env, &program, &words).ok();
                assert_eq!(left(&env), whole, "{} {words:?}", program.name());
            }
            housekeeping(&env, &program, &[*command, what, "--force"]).ok();
            let mut left = left(&env);
            // 0.8.22 takes the signatures of the newest chain as well when that is older than the time.
            let is_bug = program == Program::Duplicity(Version::V0_8_22)
                && *command == "remove-older-than"
                && what.parse::<i64>().unwrap() > day(7);
            if is_bug {
                left = results.last().cloned().unwrap_or_default();
            }
            results.push(left);
            env.return_to(&before);
        }
        let [ours, v0_8, v3] = &results[..] else {
            panic!("three programs, {} results", results.len())
        };
        assert_eq!(ours, v0_8, "{command} {what}, beside 0.8.22");
        assert_eq!(ours, v3, "{command} {what}, beside 3.2.1");
    }
}

#[test]
fn what_a_removal_says_is_what_duplicity_says() {
    let env = three_chains();
    let before = env.snapshot();
    // Theirs repeats itself, tells of an option that the text below it tells of as well, and claims a backup.
    let noise = ["Need to use '", "Duplicity backup complete."];
    let said = |program: &Program, words: &[&str]| {
        let outcome = housekeeping(&env, program, words).ok();
        env.return_to(&before);
        let all = outcome.stdout + &outcome.stderr;
        let mut lines: Vec<String> = all.lines().map(str::to_owned).collect();
        lines.retain(|line| !noise.iter().any(|noise| line.starts_with(noise)));
        lines.dedup();
        lines
    };
    let late = (day(7) + 1).to_string();
    let inside = day(5).to_string();
    for words in [
        &["remove-older-than", "2024-01-01"][..],
        &["remove-older-than", &inside],
        &["remove-older-than", &inside, "--force"],
        &["remove-older-than", &late],
        &["remove-older-than", &late, "--force"],
        &["remove-all-but-n-full", "1", "--force"],
        &["remove-all-but-n-full", "1"],
        &["remove-all-inc-of-but-n-full", "1", "--force"],
        &["remove-all-inc-of-but-n-full", "9", "--force"],
    ] {
        assert_eq!(
            said(&redup(), words),
            said(&duplicity(), words),
            "{words:?}"
        );
    }
}

#[test]
fn prune_keeps_whole_chains_by_the_calendar() {
    let env = three_chains();
    let (before, whole) = (env.snapshot(), left(&env));
    let prune = |words: &str| {
        let words: Vec<_> = words.split_whitespace().collect();
        housekeeping(&env, &redup(), &[&["prune"], &words[..]].concat())
    };
    // Days 1 to 7 are one week, of which day 7 is the newest.
    for listed in ["--keep-weekly 4", "--keep-weekly 4 --force --dry-run"] {
        let told = prune(listed).ok().stdout;
        assert!(told.contains("Wed Jan  3"), "{told}");
        assert!(told.contains("Fri Jan  5"), "{told}");
        assert!(!told.contains("Sun Jan  7"), "{told}");
        assert_eq!(left(&env), whole, "{listed}");
    }
    for (words, chains, oldest) in [
        ("--keep-weekly 4", 1, 7),
        ("--keep-last 2", 1, 7),
        ("--keep-last 3", 2, 5),
        ("--keep-daily 4", 2, 5),
        ("--keep-daily 5", 3, 3),
        ("--keep-yearly 1 --keep-monthly 2 --keep-daily 3", 2, 5),
    ] {
        prune(&format!("{words} --force")).ok();
        let fulls = names(&env.target()).into_iter();
        let fulls = fulls.filter(|name| name.contains("-full.") && name.ends_with(".manifest"));
        assert_eq!(fulls.count(), chains, "{words}");
        // What is left serves, with duplicity as well.
        for program in [redup(), duplicity()] {
            let out = env.restored(&program, Some(day(oldest)));
            let file = |day: i64| out.get(format!("day{day}").as_bytes()).is_some();
            assert!(file(oldest) && !file(oldest + 1), "{words}");
        }
        env.return_to(&before);
    }
    let refused = prune("").code(23).stderr;
    assert!(refused.contains("say what to keep"), "{refused}");
    let refused = env.run(&redup(), "cleanup", ["--keep-daily", "7", &env.url]);
    assert!(
        refused
            .code(23)
            .stderr
            .contains("--keep-daily is for prune only")
    );
}

#[test]
fn what_is_kept_can_be_restored_by_all() {
    let mut env = three_chains();
    housekeeping(
        &env,
        &redup(),
        &["remove-all-inc-of-but-n-full", "1", "--force"],
    )
    .ok();
    housekeeping(
        &env,
        &redup(),
        &["remove-older-than", "2024-01-03", "--force"],
    )
    .ok();
    let expected = Listing::of(&env.source());
    for program in crate::programs() {
        env.name = format!("reader-{}", program.name());
        env.restored(&program, None)
            .assert_is(&expected, program.name());
        let second = env.restored(&program, Some(day(4)));
        assert_eq!(second.len(), 5, "the root and days 1 to 4");
        assert_eq!(env.status(&program).other_chains, 1);
    }
}

#[test]
fn debris_goes_and_chains_stay() {
    let env = three_chains();
    let (target, archive) = (env.target(), env.archive());
    // An increment that lost the one before it, and one without a manifest.
    for folder in [&target, &archive] {
        for name in names(folder) {
            let lost = name.contains("20240101T000000Z.to.20240102T000000Z")
                || name.ends_with("20240107T000000Z.manifest");
            if lost {
                fs::remove_file(folder.join(name)).unwrap();
            }
        }
    }
    let (before, whole) = (env.snapshot(), left(&env));
    let mut gone = Vec::new();
    for program in crate::programs() {
        housekeeping(&env, &program, &["cleanup"])
            .ok()
            .says("Found the following file")
            .says("inc.20240102T000000Z.to.20240103T000000Z.vol1")
            .says("Run duplicity again with the --force option to actually delete.");
        assert_eq!(left(&env)[0], whole[0], "{}", program.name());
        housekeeping(&env, &program, &["cleanup", "--force"]).ok();
        let remote = left(&env)[0].clone();
        let lost = whole[0].iter().filter(|name| !remote.contains(name));
        // Signatures of a set that goes are of no use; duplicity leaves them until its next cleanup.
        let lost: Vec<_> = lost
            .filter(|name| !name.contains("signatures.20240106"))
            .cloned()
            .collect();
        gone.push(lost);
        if program == redup() {
            housekeeping(&env, &program, &["cleanup"])
                .ok()
                .says("No extraneous files found, nothing deleted in cleanup.");
            env.restored(&program, None);
        }
        env.return_to(&before);
    }
    assert_eq!(gone[0].len(), 4, "{gone:?}");
    assert!(gone.iter().all(|it| it == &gone[0]), "{gone:?}");
}

#[test]
fn an_interrupted_set_can_go_on_until_a_cleanup_is_forced() {
    let partial = fixtures::cases()
        .into_iter()
        .filter(fixtures::Case::is_partial);
    for case in partial {
        let mut env = TestEnv::with_fixture(&case);
        env.options = case.options();
        let whole = left(&env);
        for words in [&["cleanup"][..], &["cleanup", "--force", "--dry-run"]] {
            housekeeping(&env, &redup(), words).ok();
            assert_eq!(left(&env), whole, "{} {words:?}", case.title());
        }
        housekeeping(&env, &redup(), &["cleanup"])
            .ok()
            .says("the next backup would go on with it");
        housekeeping(&env, &redup(), &["cleanup", "--force"])
            .ok()
            .says("Deleting these file(s) from backend:");
        let parts = |name: &&String| name.ends_with(".part") || name.contains("checkpoint");
        assert_eq!(left(&env)[1].iter().find(parts), None, "{}", case.title());
        housekeeping(&env, &redup(), &["cleanup"])
            .ok()
            .says("No extraneous files found");
        fixtures::make_tree(&case.tree(), 0, &env.source());
        env.backup(&redup(), "full", day(300))
            .ok()
            .never_says("RESTART")
            .never_says("restarting");
        let expected = Listing::of(&env.source());
        env.restored(&duplicity(), None)
            .assert_is(&expected, case.title());
    }
}

#[test]
fn a_removal_does_not_leave_only_what_cannot_be_restored() {
    let env = three_chains();
    let whole = left(&env);
    fs::remove_file(damage::find(&env.target(), &["full.20240106", "vol1"])).unwrap();
    let outcome = housekeeping(&env, &redup(), &["remove-all-but-n-full", "1", "--force"]);
    outcome
        .code(1)
        .says("volume 1 of the set full 20240106T000000Z is missing");
    assert_eq!(left(&env)[0].len(), whole[0].len() - 1);
    // The second chain is whole: the first may go.
    housekeeping(&env, &redup(), &["remove-all-but-n-full", "2", "--force"]).ok();
    env.restored(&redup(), Some(day(5)));
}

#[test]
fn files_that_cannot_be_deleted_make_the_status_1() {
    let env = three_chains();
    let user = OrdinaryUser::owning(&env);
    let mut locked = fs::metadata(env.target()).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut locked, 0o555);
    fs::set_permissions(env.target(), locked).unwrap();
    let whole = names(&env.target());
    let command = env.command(
        &redup(),
        "remove-older-than",
        ["now", "--force", "--num-retries", "1", &env.url],
    );
    user.run(command)
        .code(1)
        .says("Cannot delete duplicity-inc.20240104T000000Z.to.20240105T000000Z.manifest")
        .says("could not be deleted");
    assert_eq!(names(&env.target()), whole);
    // The local copy of a manifest goes after the original, not without it.
    assert!(names(&env.archive()).contains(&"duplicity-full.20240101T000000Z.manifest".to_owned()));
}

#[test]
fn no_passphrase_is_needed_to_delete() {
    let mut env = TestEnv::new();
    env.set("PASSPHRASE", PASSPHRASE);
    fs::create_dir(env.source()).unwrap();
    for number in [1, 2] {
        env.backup(&redup(), "full", day(number)).ok();
    }
    env.unset("PASSPHRASE");
    env.name = "fresh".to_owned();
    housekeeping(&env, &redup(), &["cleanup", "--force"]).ok();
    housekeeping(&env, &redup(), &["remove-all-but-n-full", "1", "--force"]).ok();
    assert_eq!(names(&env.target()).len(), 3);
}
