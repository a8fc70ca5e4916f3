//! Where the file of profiles is, and what is told when it cannot be understood.
//! `UPDATE_EXPECT=1` writes the texts in `tests/screens/` anew; who changes one looks at it.

use std::fs;
use std::path::Path;

use expect_test::expect_file;
use redup_testkit::damage::names;
use redup_testkit::env::TestEnv;

use super::{HOME, chmod, config, with_profile, write};
use crate::cli::support::{go, place, text};

/// All that is told in a test, to be read as a whole.
#[derive(Default)]
struct Told(String);

impl Told {
    /// What is told of a profile `home` that is right but for these lines. Nothing is done, and neither is the
    /// list given.
    #[track_caller]
    fn of_lines(&mut self, lines: &str) {
        let env = place();
        write(&env, &format!("{HOME}{lines}\n"));
        for line in lines.lines() {
            self.0.push_str(&format!("  {line}\n"));
        }
        self.run(&env, "run home");
        assert!(names(&env.target()).is_empty());
        go(&env, "run").code(23);
    }

    /// What is told of this file, in which there may be other profiles.
    #[track_caller]
    fn of_file(&mut self, file: &str) {
        let env = place();
        write(&env, file);
        for line in file.lines() {
            self.0.push_str(&format!("  {line}\n"));
        }
        self.run(&env, "run home");
    }

    /// What is told of a command line that is refused.
    #[track_caller]
    fn run(&mut self, env: &TestEnv, line: &str) {
        let outcome = go(env, line);
        let code = outcome.status.code().unwrap();
        let told = text(env, &outcome).replace("/test/home/.config/redup/redup.toml", "FILE");
        assert!(code != 0, "{outcome}");
        assert!(!told.contains("geheim"), "{told}");
        let told = format!("$ redup {line}\n{told}[status {code}]\n\n");
        self.0.push_str(&told);
    }

    fn is(&self, name: &str) {
        let file = format!("tests/screens/{name}.txt");
        expect_file![Path::new(env!("CARGO_MANIFEST_DIR")).join(file)].assert_eq(&self.0);
    }
}

#[test]
fn what_cannot_be_understood_is_told_with_its_line_before_anything_is_done() {
    let mut told = Told::default();
    for lines in [
        // Keys that are none.
        "volsise = 50",
        "nonsense = 50",
        "[profiles.home.hooks]\nbefor = [\"true\"]",
        "[profile.other]",
        "inherit = \"homes\"\n[profiles.home2]",
        "inherit = \"two\"\n[profiles.two]\ninherit = \"home\"",
        "[defaults]\ninherit = \"home\"",
        "[profiles.\"a/b\"]",
        // Values of another kind.
        "volsize = \"50\"",
        "volsize = 0",
        "full-if-older-than = 30",
        "dry-run = \"yes\"",
        "encrypt-key = [\"A\", 5]",
        "name = [\"a\", \"b\"]",
        "rename = [\"a\", \"b\", \"c\"]",
        "metadata-sync-mode = \"some\"",
        "verbosity = \"loud\"",
        "passphrase-command = \"pass show\"",
        "environment = \"A=b\"",
        "[profiles.home.environment]\nA = 5",
        "[profiles.home.hooks]\nafter = 5",
        "[profiles.home.hooks]\ncommands = [\"restroe\"]",
        // What belongs elsewhere.
        "exclude = [\"/a\"]",
        "exclude-device-files = true",
        "force = true",
        "help = true",
        "config = \"/x\"",
        "use-gpgsm = true",
        "[profiles.home.environment]\nHOME = \"/x\"",
        "select = \"--exclude=/x\"",
        "select = [\"--volsize=5\"]",
        "select = [\"/home/me/x\"]",
        "select = [\"--excldue=/x\"]",
        // Steps.
        "steps = [\"backup\", \"bakcup\"]",
        "steps = [\"verify -v5\"]",
        "steps = [\"verify -r 'my files'\"]",
        "steps = [\"verify --help\"]",
        "steps = [\"verify --bogus\"]",
        "steps = [\"\"]",
        "steps = []",
        // No TOML.
        "PASSPHRASE = geheim",
        "volsize = 5\nvolsize = 6",
        "[profiles.home",
    ] {
        told.of_lines(lines);
    }
    told.is("profile-mistakes");
}

#[test]
fn what_a_command_needs_and_a_profile_has_not_is_told() {
    let mut told = Told::default();
    told.of_file("");
    told.of_file("[profiles.hoem]");
    told.of_file("[profiles.work]\n[profiles.photos]");
    told.of_file("[profiles.home]");
    told.of_file("[profiles.home]\nsource = \"source\"");
    told.of_file("[profiles.home]\ntarget = \"file://target\"");
    told.of_file("[profiles.home]\ntarget = \"/target\"");
    told.of_file("[profiles.home]\nsource = \"/no/such\"\ntarget = \"file:///no/such\"");
    told.of_file("[profiles]\nhome = 5");
    let env = with_profile("steps = [\"backup /other\", \"cleanup\"]\n");
    for line in [
        "run home",
        "run home restore",
        "run home restore file:///t out",
        "run home backup source",
        "run home restroe out",
        "run home cleanup --bogus",
        "run --config nowhere home",
    ] {
        told.run(&env, line);
    }
    told.is("profile-lacks");
}

#[test]
fn a_secret_is_not_taken_from_where_everybody_may_read_it() {
    let env = with_profile("");
    let mut told = Told::default();
    let variable = "[profiles.home.environment]\nAWS_SECRET_ACCESS_KEY = \"geheim\"\n";
    write(&env, &format!("{HOME}{variable}"));
    go(&env, "run").ok();
    chmod(&config(&env), 0o644);
    told.run(&env, "run home");
    // What holds none may be read by all.
    write(&env, &format!("{HOME}passphrase-file = \"ROOT/secret\"\n"));
    chmod(&config(&env), 0o644);
    let secret = |text: &str, mode| {
        fs::write(env.path("secret"), text).unwrap();
        chmod(&env.path("secret"), mode);
    };
    secret("geheim\n", 0o644);
    told.run(&env, "run home");
    secret("\ngeheim", 0o640);
    told.run(&env, "run home");
    fs::remove_file(env.path("secret")).unwrap();
    told.run(&env, "run home");
    for command in [
        "[\"sh\", \"-c\", \"echo geheim; exit 3\"]",
        "[\"no-such-program\", \"geheim\"]",
    ] {
        write(&env, &format!("{HOME}passphrase-command = {command}\n"));
        told.run(&env, "run home");
    }
    chmod(&config(&env), 0o666);
    told.run(&env, "run home");
    assert!(names(&env.target()).is_empty());
    told.is("profile-secrets");
}

#[test]
fn the_list_says_from_where_to_where_and_what_is_done() {
    let env = with_profile(
        "[profiles.photos]\nsource = \"~/photos\"\ntarget = \"s3://bucket/photos\"\n\
         steps = [\"backup\", \"prune --force\"]\nkeep-last = 3\n[profiles.base]\nvolsize = 50\n",
    );
    let list = text(&env, &go(&env, "run").ok());
    assert_eq!(
        list,
        "Profiles in /test/home/.config/redup/redup.toml:\n\
         \x20 home    /test/source -> file:///test/target\n\
         \x20 photos  ~/photos -> s3://bucket/photos\n\
         \x20         backup, prune --force\n\
         \x20 base    without source and target\n"
    );
    write(&env, "");
    let list = text(&env, &go(&env, "run").ok());
    assert_eq!(
        list,
        "There are no profiles in /test/home/.config/redup/redup.toml.\n"
    );
}

#[test]
fn the_file_is_the_one_that_is_named_else_the_users() {
    let mut env = with_profile("");
    let other = env.path("other/redup.toml");
    fs::create_dir(env.path("other")).unwrap();
    fs::rename(config(&env), &other).unwrap();
    // The system's may be there.
    go(&env, "run home").code(23).says("there is no");
    env.set("OTHER", env.path("other"));
    for named in [
        "--config other",
        "--config-dir other",
        "--config=other/redup.toml",
        "--conf $OTHER",
    ] {
        go(&env, &format!("run {named}")).ok().says("  home  ");
        go(&env, &format!("{named} run home --dry-run -v5"))
            .ok()
            .never_says("has no effect");
    }
    // For other commands it is nothing.
    go(&env, "st file://target --config other -v5")
        .ok()
        .says("Option --config has no effect: it is for redup run.");
    env.set("XDG_CONFIG_HOME", env.path("xdg"));
    fs::create_dir_all(env.path("xdg/redup")).unwrap();
    fs::rename(&other, env.path("xdg/redup/redup.toml")).unwrap();
    go(&env, "run").ok().says("xdg/redup/redup.toml");
}

#[test]
fn messages_go_where_the_profile_says() {
    let env = with_profile("log-file = \"ROOT/log\"\nlog-timestamp = true\n");
    go(&env, "run home").ok().says(" NOTICE ");
    let log = fs::read_to_string(env.path("log")).unwrap();
    assert!(log.contains("NOTICE"), "{log}");
    // Also what is told of a mistake, where that is known.
    go(&env, "run hoem --log-file typed").code(23);
    let log = fs::read_to_string(env.path("typed")).unwrap();
    assert!(log.contains("there is no profile"), "{log}");
}

#[test]
fn help_is_on_running_profiles_or_on_the_command_that_is_named() {
    let env = with_profile("");
    let on_run = go(&env, "run --help").ok().stdout;
    assert!(on_run.starts_with("usage: redup run"), "{on_run}");
    for same in [
        "run home --help",
        "help run",
        "--help run",
        "run home -h",
        "run home nonsense --help",
    ] {
        assert_eq!(go(&env, same).ok().stdout, on_run, "{same}");
    }
    let on_restore = go(&env, "restore --help").ok().stdout;
    assert_eq!(go(&env, "run home restore --help").ok().stdout, on_restore);
    go(&env, "--help").ok().says("  run PROFILE");
}
