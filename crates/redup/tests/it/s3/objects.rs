//! What the server holds is what the manifest says, in parts and classes as asked.

use std::collections::BTreeMap;
use std::fs;

use redup_testkit::damage::find;
use redup_testkit::env::TestEnv;
use redup_testkit::faulty::Request;
use redup_testkit::fixtures::TIMES;
use redup_testkit::listing::Listing;
use redup_testkit::recorder::Recorder;
use redup_testkit::s3s::S3sServer;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees::{self, Node, Tree};

use super::server_and_env;
use super::servers::env;
use crate::redup;

#[test]
fn volumes_of_many_parts_are_what_the_manifest_says() {
    let (server, mut env) = server_and_env();
    env.options = ["--volsize", "26", "--s3-use-ia"].map(str::to_owned).into();
    let mut tree = Tree::new();
    tree.put("noise", Node::file(trees::noise(1, 40 << 20)));
    tree.write(&env.source());
    env.backup(&redup(), "full", TIMES[0]).ok();

    let hashes = hashes_of_manifest(&env);
    assert_eq!(hashes.len(), 2, "26 of 40 MiB, and the rest");
    let objects = objects(&server);
    for (number, hash) in &hashes {
        let object = &objects[&format!(".vol{number}.")];
        assert_eq!(&object.sha1, hash, "volume {number}");
        assert_eq!(object.class, "STANDARD_IA", "volume {number}");
        // By default a part has 8 MiB. The tag of an upload in parts ends in their number.
        let parts = object.len.div_ceil(8 << 20);
        assert!(
            parts > 1 && object.tag.ends_with(&format!("-{parts}\"")),
            "{}",
            object.tag
        );
    }
    assert!(objects[".vol1."].len > 25 << 20);
    let expected = Listing::of(&env.source());
    env.name = "fresh".to_owned();
    env.restored(&redup(), None)
        .assert_is(&expected, "from parts");
}

#[test]
fn a_size_of_parts_that_s3_does_not_take_is_raised_and_told_once() {
    let server = S3sServer::start();
    let mut env = env(&server);
    let recorder = Recorder::before(&server);
    env.set("AWS_ENDPOINT_URL_S3", recorder.endpoint_url());
    env.options = ["--volsize", "8", "--s3-multipart-chunk-size", "1"]
        .map(str::to_owned)
        .into();
    trees::filler(20).write(&env.source());
    let told = env.backup(&redup(), "full", TIMES[0]).ok().stdout;
    let expected = "parts of 1 MiB are asked for, and have 5 MiB: the least that S3 takes";
    assert_eq!(told.matches(expected).count(), 1, "{told}");
    let whole = |request: &Request| request.operation() == "UploadPart" && request.len == 5 << 20;
    assert!(recorder.seen().iter().any(whole));
}

/// An object of the server as boto3 sees it.
struct Object {
    len: u64,
    sha1: String,
    class: String,
    tag: String,
}

/// The volumes at the server, by `.volN.`.
fn objects(server: &SeaweedServer) -> BTreeMap<String, Object> {
    let told = server.boto3(
        "import hashlib\n\
         for it in s3.list_objects_v2(Bucket='backups')['Contents']:\n \
         got = s3.get_object(Bucket='backups', Key=it['Key'])\n \
         sha1 = hashlib.sha1(got['Body'].read()).hexdigest()\n \
         if '.vol' in it['Key']: print(it['Key'].split('.')[2], it['Size'], sha1, got.get('StorageClass'), got['ETag'])",
    );
    let object = |line: &str| {
        let [name, len, sha1, class, tag] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let object = Object {
            len: len.parse().unwrap(),
            sha1: sha1.to_owned(),
            class: class.to_owned(),
            tag: tag.to_owned(),
        };
        (format!(".{name}."), object)
    };
    told.lines().map(object).collect()
}

/// The hash of every volume, in the words of the manifest in the archive dir.
fn hashes_of_manifest(env: &TestEnv) -> BTreeMap<u32, String> {
    let text = fs::read_to_string(find(&env.archive(), &["full.", ".manifest"])).unwrap();
    let mut hashes = BTreeMap::new();
    let mut number = 0;
    for line in text.lines().map(str::trim) {
        if let Some(volume) = line.strip_prefix("Volume ") {
            number = volume.trim_end_matches(':').parse().unwrap();
        } else if let Some(hash) = line.strip_prefix("Hash SHA1 ") {
            hashes.insert(number, hash.to_owned());
        }
    }
    hashes
}
