//! A machine without IPv4, as redup's first user has it; and machines with one family broken.
//!
//! These tests need namespaces of their own: `cargo xtask ipv6` runs them there, other runs leave them out.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use redup_testkit::env::{Program, TestEnv};
use redup_testkit::gpghome::ENCRYPT_KEY;
use redup_testkit::listing::Listing;
use redup_testkit::network::{self, Family, Machine};
use redup_testkit::run::{Outcome, run};
use redup_testkit::seaweed::{SeaweedServer, Tls};
use redup_testkit::server::S3Server;
use redup_testkit::stub::Stub;
use redup_testkit::trees;
use tempfile::TempDir;

use super::BUCKET;

const DUAL_STACK: &str = "s3.dualstack.us-east-1.amazonaws.com";
/// The names that have no IPv6 address, Amazon's older ones.
const IPV4_ONLY: [&str; 2] = ["s3.us-east-1.amazonaws.com", "s3.amazonaws.com"];

/// The script's options for S3 in its new form, and the target.
const NEW: (&[&str], &str) = (
    &[
        "--s3-use-ia",
        "--s3-use-multiprocessing",
        "--s3-use-new-style",
        "--s3-region-name",
        "us-east-1",
        "--s3-endpoint-url",
        "https://s3.dualstack.us-east-1.amazonaws.com",
    ],
    "boto3+s3://backups/path/to/backups",
);
/// The same in its old form, which names no server.
const OLD: (&[&str], &str) = (
    &["--s3-use-ia", "--s3-use-multiprocessing"],
    "s3+http://backups/path/to/older",
);

#[test]
fn the_script_works_in_both_forms_without_ipv4() {
    let world = world();
    let machine = Machine::with(&[Family::V6]);
    for form in [NEW, OLD] {
        Script::new(&world, &machine, form).does_its_work();
    }
    // What the names are for: there is no way to Amazon's older ones.
    let older = ["--s3-endpoint-url", "https://s3.us-east-1.amazonaws.com"];
    let script = Script::new(&world, &machine, (&older, NEW.1));
    let outcome = script.status().code(50);
    outcome
        .says("no route to the server")
        .says("https://s3.dualstack.us-east-1.amazonaws.com");
}

#[test]
fn no_ipv4_address_is_tried_without_ipv4() {
    let world = world();
    let machine = Machine::with(&[Family::V6]);
    for form in [NEW, OLD] {
        let script = Script::new(&world, &machine, form);
        let (outcome, tried_v4) = script.traced();
        outcome.ok();
        assert_eq!(tried_v4, [""; 0]);
    }
    // Not even where IPv6 does not answer.
    machine.lose(Family::V6);
    let (outcome, tried_v4) = Script::new(&world, &machine, NEW).traced();
    outcome.code(50);
    assert_eq!(tried_v4, [""; 0]);
}

#[test]
fn credentials_come_from_the_metadata_service_over_ipv6() {
    const SERVICE: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let world = world();
    let machine = Machine::with(&[Family::V6]);
    network::be_also(SERVICE.into());
    let service = Stub::start(SERVICE, 80, |request, _| {
        let role = "/latest/meta-data/iam/security-credentials/";
        match request.target.strip_prefix(role) {
            _ if request.method == "PUT" => {
                let lasts = "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n";
                (200, lasts, "session".to_owned())
            }
            Some("") => (200, "", "role".to_owned()),
            Some("role") => (200, "", keys("token")),
            _ => (404, "", String::new()),
        }
    });
    let mut script = Script::new(&world, &machine, NEW);
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_EC2_METADATA_DISABLED",
    ] {
        script.env.unset(name);
    }
    // The server knows no keys that come with a token, and says so: they have reached it.
    script.status().code(50).says("InvalidAccessKeyId");
    let asked: Vec<String> = service.seen().into_iter().map(|it| it.target).collect();
    assert!(asked.iter().any(|it| it.ends_with("/role")), "{asked:?}");
}

#[test]
fn credentials_of_a_pod_come_over_ipv6() {
    const SERVICE: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);
    come_from(
        SERVICE.into(),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://[fd00:ec2::23]/v1/credentials",
        ),
    );
}

#[test]
fn credentials_of_a_task_come_from_its_own_address() {
    const SERVICE: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
    let relative = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v1/credentials");
    come_from(SERVICE.into(), relative);
}

/// The service of a container gives credentials for the token in a file, and nothing is told of either.
#[track_caller]
fn come_from(service: IpAddr, (variable, uri): (&str, &str)) {
    const PASS: &str = "the-containers-pass";
    const SESSION: &str = "the-containers-session";
    let world = world();
    let family = Family::ALL[usize::from(service.is_ipv6())];
    let machine = Machine::with(&[family]);
    network::be_also(service);
    let service = Stub::start(service, 80, |request, _| {
        match (&*request.target, request.header("authorization")) {
            ("/v1/credentials", Some(PASS)) => (200, "", keys(SESSION)),
            _ => (401, "", String::new()),
        }
    });
    let options = [NEW.0, &["-v9"]].concat();
    let mut script = Script::new(&world, &machine, (&options, NEW.1));
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        script.env.unset(name);
    }
    let file = script.env.path("pass");
    fs::write(&file, PASS).unwrap();
    script.env.set(variable, uri);
    script
        .env
        .set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &file);
    // The server knows no keys that come with a token, and says so: they have reached it.
    script
        .status()
        .code(50)
        .says("InvalidAccessKeyId")
        .never_says(PASS)
        .never_says(SESSION)
        .never_says(SeaweedServer::SECRET_KEY);
    assert!(!service.seen().is_empty());
}

/// What a service that gives out credentials answers.
fn keys(token: &str) -> String {
    format!(
        r#"{{"Code": "Success", "AccessKeyId": "{}", "SecretAccessKey": "{}", "Token": "{token}",
            "Expiration": "2099-01-01T00:00:00Z"}}"#,
        SeaweedServer::ACCESS_KEY,
        SeaweedServer::SECRET_KEY
    )
}

#[test]
fn the_script_works_in_both_forms_without_ipv6() {
    let world = world();
    let machine = Machine::with(&[Family::V4]);
    for form in [NEW, OLD] {
        Script::new(&world, &machine, form).does_its_work();
    }
}

#[test]
fn a_family_that_loses_every_packet_costs_less_than_a_second() {
    const ROUNDS: usize = 5;
    let world = world();
    let machine = Machine::with(&Family::ALL);
    for form in [NEW, OLD] {
        let script = Script::new(&world, &machine, form);
        trees::filler(1).write(&script.env.source());
        script.back_up();
        // By turns, so that whatever else the machine does hits all of them.
        let mut quickest = [Duration::MAX; 3];
        for _ in 0..ROUNDS {
            for (lost, quickest) in [None, Some(Family::V4), Some(Family::V6)]
                .into_iter()
                .zip(&mut quickest)
            {
                machine.lose_nothing();
                lost.into_iter().for_each(|family| machine.lose(family));
                let started = Instant::now();
                script.status().ok();
                *quickest = (*quickest).min(started.elapsed());
            }
        }
        let [both, without_v4, without_v6] = quickest;
        println!(
            "{}: status takes {both:.2?}; IPv4 lost: {without_v4:.2?}; IPv6 lost: {without_v6:.2?}",
            form.1
        );
        for took in [without_v4, without_v6] {
            assert!(took < both + Duration::from_secs(1), "{quickest:?}");
        }
    }
}

#[test]
fn probe_tells_each_family_for_itself() {
    let world = world();
    let machine = Machine::with(&Family::ALL);
    let mut script = Script::new(&world, &machine, NEW);
    script.program = Program::redup(env!("CARGO_BIN_EXE_redup"));
    let both = script.probe().ok();
    both.says("IPv4      ok").says("IPv6      ok");
    machine.lose(Family::V4);
    let one = script.probe().ok();
    one.says("IPv4      fails")
        .says("no answer in time")
        .says("hint: the network drops these packets")
        .says("IPv6      ok")
        .says("A backup to this target works");
}

#[test]
fn the_script_works_with_either_family_broken() {
    let world = world();
    let machine = Machine::with(&Family::ALL);
    for family in Family::ALL {
        machine.lose_nothing();
        machine.lose(family);
        for form in [NEW, OLD] {
            Script::new(&world, &machine, form).does_its_work();
        }
    }
}

/// The script's command line on one machine, called through the name `duplicity`.
struct Script<'a> {
    machine: &'a Machine,
    env: TestEnv,
    program: Program,
    archives: String,
    options: &'a [&'a str],
    url: String,
}

impl<'a> Script<'a> {
    fn new(world: &World, machine: &'a Machine, (options, url): (&'a [&str], &str)) -> Self {
        let mut env = TestEnv::with_keys();
        env.set("PASSPHRASE", "");
        env.set("AWS_ACCESS_KEY_ID", SeaweedServer::ACCESS_KEY);
        env.set("AWS_SECRET_ACCESS_KEY", SeaweedServer::SECRET_KEY);
        env.set("AWS_CA_BUNDLE", world.authority.as_os_str());
        let link = env.path("duplicity");
        symlink(env!("CARGO_BIN_EXE_redup"), &link).unwrap();
        let target = env.path("").file_name().unwrap().to_owned();
        Self {
            machine,
            program: Program::redup(link),
            archives: format!("--archive-dir={}", env.path("archives").display()),
            options,
            // A folder of its own for each script.
            url: format!("{url}/{}", target.display()),
            env,
        }
    }

    /// A full backup, an increment, and restores of both.
    #[track_caller]
    fn does_its_work(&self) {
        let (first, second) = (trees::awkward(), trees::edited());
        first.write(&self.env.source());
        let before = Listing::of(&self.env.source());
        self.back_up();
        // Sets are named by the second they begin in.
        std::thread::sleep(Duration::from_millis(1100));
        let between = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        std::thread::sleep(Duration::from_millis(1100));
        second.write_over(&first, &self.env.source());
        let after = Listing::of(&self.env.source());
        self.back_up();
        self.restores(&["--time", &between.to_string()], &before);
        self.restores(&[], &after);
        self.status().ok().says("Incremental");
    }

    #[track_caller]
    fn back_up(&self) {
        let mut command = self.env.bare(&self.program);
        command.args(["--encrypt-key", ENCRYPT_KEY, "--asynchronous-upload"]);
        command.args(["-v", "4", &self.archives]).args(self.options);
        command.args(["incr", "--full-if-older-than", "30D"]);
        self.run(command.arg(self.env.source()).arg(&self.url)).ok();
    }

    #[track_caller]
    fn restores(&self, time: &[&str], expected: &Listing) {
        let folder = self.env.fresh("restored");
        let mut command = self.env.bare(&self.program);
        command.args(["restore", &self.archives]).args(self.options);
        command.args(time).arg(&self.url).arg(&folder);
        self.run(&mut command).ok();
        Listing::of(&folder).assert_is(expected, &self.url);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[track_caller]
    fn status(&self) -> Outcome {
        let mut command = self.env.bare(&self.program);
        command.args(["collection-status", &self.archives]);
        self.run(command.args(self.options).arg(&self.url))
    }

    /// A status, and the IPv4 addresses that it tried. Name service asks the system for routes, too,
    /// with sockets of UDP that send nothing.
    #[track_caller]
    fn traced(&self) -> (Outcome, Vec<String>) {
        let log = self.env.path("connections");
        let inner = self.env.bare(&self.program);
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-yy", "-e", "trace=connect", "-o"]);
        command.arg(&log).arg(inner.get_program());
        command.args(["collection-status", "--timeout=1", "--num-retries=1"]);
        command
            .arg(&self.archives)
            .args(self.options)
            .arg(&self.url);
        for (name, value) in inner.get_envs() {
            value.into_iter().for_each(|value| {
                command.env(name, value);
            });
        }
        let outcome = self.run(&mut command);
        let log = fs::read_to_string(&log).unwrap();
        let (v6, v4): (Vec<&str>, Vec<&str>) = log
            .lines()
            .filter(|line| line.contains("TCP"))
            .partition(|line| line.contains("AF_INET6"));
        assert!(!v6.is_empty(), "{log}");
        (outcome, v4.into_iter().map(ToOwned::to_owned).collect())
    }

    #[track_caller]
    fn probe(&self) -> Outcome {
        let mut command = self.env.bare(&self.program);
        self.run(command.arg("probe").args(self.options).arg(&self.url))
    }

    #[track_caller]
    fn run(&self, command: &mut Command) -> Outcome {
        run(&mut self.machine.command(command))
    }
}

/// Everything outside of the machine: a server that has Amazon's names.
struct World {
    _server: SeaweedServer,
    _folder: TempDir,
    authority: std::path::PathBuf,
}

/// The world, made once; it has one machine at a time.
fn world() -> MutexGuard<'static, World> {
    static WORLD: OnceLock<Mutex<World>> = OnceLock::new();
    let world = WORLD.get_or_init(|| Mutex::new(World::new()));
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn new() -> Self {
        network::claim();
        let tls = tls();
        let names = [&IPV4_ONLY[..], &[DUAL_STACK]].concat();
        let server = SeaweedServer::start_tls_named(tls.clone(), &names);
        server.create_bucket(BUCKET);

        let mut hosts: Vec<(IpAddr, String)> = Vec::new();
        for name in names {
            for name in [name.to_owned(), format!("{BUCKET}.{name}")] {
                if name.ends_with(DUAL_STACK) {
                    hosts.push((Family::V6.server(), name.clone()));
                }
                hosts.push((Family::V4.server(), name));
            }
        }
        let hosts: Vec<(IpAddr, &str)> = hosts
            .iter()
            .map(|(address, name)| (*address, name.as_str()))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        network::resolve_only(&hosts, folder.path());
        network::serve(443, server.address());
        Self {
            _server: server,
            _folder: folder,
            authority: tls.authority,
        }
    }
}

fn tls() -> Tls {
    let file = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/it/s3/ipv6/tls")
            .join(name)
    };
    Tls {
        certificate: file("server.pem"),
        key: file("server.key"),
        authority: file("ca.pem"),
    }
}
