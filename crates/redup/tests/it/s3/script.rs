//! The script that redup is made for, run for days in a bucket that others use too.

use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use redup_testkit::env::{Program, TestEnv};
use redup_testkit::gpghome::ENCRYPT_KEY;
use redup_testkit::listing::Listing;
use redup_testkit::run::run;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees;

use super::server_and_env_with;

const DAY: i64 = 86_400;
const URL: &str = "boto3+s3://backups/path/to/backups";
/// One page of a listing has 1,000.
const OTHER_OBJECTS: usize = 1005;

#[test]
fn the_script_keeps_its_chains_beside_a_thousand_objects_of_others() {
    let (server, env) = server_and_env_with(TestEnv::with_keys());
    put_objects_of_others(&server);
    let script = Script::new(&server, env);

    let (first, second) = (trees::awkward(), trees::edited());
    first.write(&script.env.source());
    let start = now() - 10 * DAY;
    script.back_up(start, "30D");
    let before = Listing::of(&script.env.source());
    second.write_over(&first, &script.env.source());
    script.back_up(start + DAY, "30D");
    let after = Listing::of(&script.env.source());
    let status = script.status();
    assert!(status.complete && status.sets.len() == 2, "{status:?}");

    // The age counts back from the time that the run is said to have, as with 3.2.1; 0.8.22 takes the present.
    script.back_up(start + 6 * DAY, "5D");
    let status = script.status();
    assert!(status.sets.len() == 1, "{status:?}");
    assert_eq!(
        (
            status.other_chains,
            status.orphaned_sets,
            status.incomplete_sets
        ),
        (1, 0, 0)
    );

    script.restores(Some(start), &before);
    script.restores(Some(start + DAY), &after);
    script.restores(None, &after);
    assert_eq!(
        others(&server),
        OTHER_OBJECTS,
        "nothing of others is touched"
    );
}

/// The script's own command line, called through the name `duplicity`.
struct Script {
    env: TestEnv,
    program: Program,
    options: Vec<String>,
}

impl Script {
    fn new(server: &SeaweedServer, mut env: TestEnv) -> Self {
        // The script names the endpoint and the region by options alone.
        env.unset("AWS_ENDPOINT_URL_S3").unset("AWS_REGION");
        env.set("PASSPHRASE", "");
        let link = env.path("duplicity");
        symlink(env!("CARGO_BIN_EXE_redup"), &link).unwrap();
        let archives = format!("--archive-dir={}", env.path("archives").display());
        let endpoint = server.endpoint_url();
        let options = [
            "--encrypt-key",
            ENCRYPT_KEY,
            "--asynchronous-upload",
            "-v",
            "4",
            &archives,
            "--s3-use-ia",
            "--s3-use-multiprocessing",
            "--s3-use-new-style",
            "--s3-region-name",
            "us-east-1",
            "--s3-endpoint-url",
            &endpoint,
        ];
        Self {
            options: options.map(str::to_owned).into(),
            program: Program::redup(link),
            env,
        }
    }

    fn command(&self) -> Command {
        let mut command = self.env.bare(&self.program);
        command.args(&self.options);
        command
    }

    fn back_up(&self, time: i64, age: &str) {
        let mut command = self.command();
        command.args(["--current-time", &time.to_string()]);
        command.args(["incr", "--full-if-older-than", age]);
        run(command.arg(self.env.source()).arg(URL)).ok();
    }

    fn status(&self) -> redup_testkit::log::Status {
        let log = self.env.fresh("log");
        let mut command = self.command();
        command.args(["collection-status", URL, "--log-file"]);
        run(command.arg(&log)).ok();
        redup_testkit::log::status(&std::fs::read_to_string(log).unwrap())
    }

    #[track_caller]
    fn restores(&self, time: Option<i64>, expected: &Listing) {
        let folder = self.env.fresh("restored");
        let mut command = self.command();
        command.arg("restore");
        if let Some(time) = time {
            command.args(["--time", &time.to_string()]);
        }
        run(command.arg(URL).arg(&folder)).ok();
        Listing::of(&folder).assert_is(expected, format!("at {time:?}"));
    }
}

/// In the folder of the backups, sorted before them: what is ours starts on the second page.
fn put_objects_of_others(server: &SeaweedServer) {
    server.boto3(&format!(
        "from concurrent.futures import ThreadPoolExecutor as pool\n\
         put = lambda n: s3.put_object(Bucket='backups', Key='path/to/backups/a-%04d' % n, Body=b'x')\n\
         list(pool(8).map(put, range({OTHER_OBJECTS})))"
    ));
}

fn others(server: &SeaweedServer) -> usize {
    let told = server.boto3(
        "pages = s3.get_paginator('list_objects_v2').paginate(Bucket='backups', Prefix='path/to/backups/a-')\n\
         print(sum(len(page.get('Contents', [])) for page in pages))",
    );
    told.trim().parse().unwrap()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
