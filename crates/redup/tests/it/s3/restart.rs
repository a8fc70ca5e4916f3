//! A run killed in the middle of its uploads is gone on with, by redup or by duplicity.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use redup_testkit::damage::names;
use redup_testkit::env::{Program, TestEnv};
use redup_testkit::faulty::Fault;
use redup_testkit::fixtures::TIMES;
use redup_testkit::listing::Listing;
use redup_testkit::recorder::Recorder;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees;
use rustix::process::{Pid, Signal, kill_process};

use super::server_and_env;
use crate::{duplicity, redup};

#[test]
fn redup_uploads_again_only_what_the_server_lacks() {
    resumed_by(&redup());
}

#[test]
fn duplicity_goes_on_with_a_run_of_redup() {
    resumed_by(&duplicity());
}

#[test]
fn uploads_that_a_killed_run_left_open_are_freed_by_the_next_and_others_are_not() {
    let (server, env) = interrupted();
    let first = stored(&server).into_keys().next().unwrap();
    let last = first.replace(".vol1.", ".vol99.");
    let others = [
        "path/duplicity-full.20240101T000000Z.vol1.difftar.gpg",
        "path/to/duplicity-full.20010101T000000Z.vol1.difftar.gpg",
        "path/to/somebody-elses",
    ];
    for key in others.iter().copied().chain([&*last]) {
        server.boto3(&format!(
            "s3.create_multipart_upload(Bucket='backups', Key={key:?})"
        ));
    }
    let open = open_uploads(&server);
    assert!(
        open.contains(&last) && open.len() > others.len(),
        "{open:?}"
    );
    env.backup(&redup(), "full", TIMES[1])
        .ok()
        .never_says("may still take up space");
    assert_eq!(open_uploads(&server), others);
}

#[test]
fn uploads_that_may_not_be_given_up_are_told_and_in_nobodys_way() {
    let (server, mut env) = interrupted();
    let first = stored(&server).into_keys().next().unwrap();
    let last = first.replace(".vol1.", ".vol99.");
    server.boto3(&format!(
        "s3.create_multipart_upload(Bucket='backups', Key={last:?})"
    ));
    let denied = Recorder::with_faults(&server, |request| {
        let abort = request.operation() == "AbortMultipartUpload";
        abort.then_some(Fault::Refused(403, "AccessDenied"))
    });
    env.set("AWS_ENDPOINT_URL_S3", denied.endpoint_url());
    env.backup(&redup(), "full", TIMES[1])
        .ok()
        .says("uploads of the interrupted run may still take up space: ")
        .says("(s3:AbortMultipartUpload is needed on backups/path/to/*)");
    assert!(open_uploads(&server).contains(&last));
}

#[test]
fn a_signal_leaves_no_upload_open() {
    let (server, env) = one_large_volume();
    for signal in [Signal::INT, Signal::TERM] {
        let run = env.start_backup(&redup(), "full", TIMES[0]);
        let id = Pid::from_raw(run.id().cast_signed()).unwrap();
        let mut sent = false;
        // Held still while the server is asked, which takes longer than an upload.
        let (_, outcome) = run.kill_when(|| {
            if !sent && kill_process(id, Signal::STOP).is_ok() {
                sent = !open_uploads(&server).is_empty();
                if sent {
                    kill_process(id, signal).unwrap();
                }
                kill_process(id, Signal::CONT).unwrap();
                sleep(Duration::from_millis(20));
            }
            false
        });
        assert!(sent, "it was over too early\n{outcome}");
        assert_eq!(open_uploads(&server), [""; 0], "{signal:?}\n{outcome}");
        assert!(stored(&server).is_empty(), "it went on\n{outcome}");
    }
}

fn resumed_by(program: &Program) {
    let (server, env) = interrupted();
    let before = stored(&server);
    env.backup(program, "full", TIMES[1]).ok();
    let after = stored(&server);
    let again = before
        .iter()
        .filter(|(name, time)| after.get(*name) != Some(*time));
    // The last one noted may have been on its way when the run died.
    let again: Vec<_> = again.collect();
    assert!(
        again.len() <= 1 && before.len() >= 3,
        "uploaded again: {again:?} of {before:?}"
    );
    let expected = Listing::of(&env.source());
    for reader in [redup(), duplicity()] {
        let what = format!("resumed by {}, read by {}", program.name(), reader.name());
        env.restored(&reader, None).assert_is(&expected, what);
    }
    let left = names(&env.archive());
    assert!(!left.iter().any(|name| name.contains(".part")), "{left:?}");
}

/// What was begun and not ended, in the order of the names.
fn open_uploads(server: &SeaweedServer) -> Vec<String> {
    let told = server.boto3(
        "for it in s3.list_multipart_uploads(Bucket='backups').get('Uploads', []): print(it['Key'])",
    );
    let mut names: Vec<String> = told.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// A full backup killed when three of its volumes are noted in the archive dir.
fn interrupted() -> (SeaweedServer, TestEnv) {
    let (server, mut env) = server_and_env();
    env.options = [
        "--volsize",
        "6",
        "--s3-multipart-chunk-size",
        "5",
        "--num-retries",
        "2",
    ]
    .map(str::to_owned)
    .into();
    trees::filler(60).write(&env.source());
    let run = env.start_backup(&redup(), "full", TIMES[0]);
    let (killed, outcome) = run.kill_when(|| noted(&env) >= 3);
    assert!(killed, "it was over too early\n{outcome}");
    (server, env)
}

/// A source that makes one volume of many parts.
fn one_large_volume() -> (SeaweedServer, TestEnv) {
    let (server, mut env) = server_and_env();
    env.options = ["--volsize", "200", "--s3-multipart-chunk-size", "5"]
        .map(str::to_owned)
        .into();
    trees::filler(50).write(&env.source());
    (server, env)
}

/// How many volumes the unfinished manifest has.
pub(super) fn noted(env: &TestEnv) -> usize {
    let files = std::fs::read_dir(env.archive())
        .into_iter()
        .flatten()
        .flatten();
    let manifest = files
        .map(|file| file.path())
        .find(|path| path.to_string_lossy().ends_with(".manifest.part"));
    let text = manifest.and_then(|path| std::fs::read_to_string(path).ok());
    text.map_or(0, |text| text.matches("\nVolume ").count())
}

/// The volumes at the server, each with the moment it came there.
fn stored(server: &SeaweedServer) -> BTreeMap<String, String> {
    let told = server.boto3(
        "for it in s3.list_objects_v2(Bucket='backups').get('Contents', []):\n \
         if '.vol' in it['Key']: print(it['Key'], it['LastModified'].isoformat())",
    );
    let pair = |line: &str| {
        line.split_once(' ')
            .map(|(name, time)| (name.to_owned(), time.to_owned()))
    };
    told.lines().filter_map(pair).collect()
}
