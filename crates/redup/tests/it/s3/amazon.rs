//! What holds on Amazon alone, at a server that all of Amazon's names lead to.

use redup_testkit::env::TestEnv;
use redup_testkit::fixtures::{PASSPHRASE, TIMES};
use redup_testkit::forward::ForwardProxy;
use redup_testkit::run::Outcome;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;
use redup_testkit::trees::{self, Node, Tree};

use crate::redup;

/// A name with dots is in the path, where the server finds it whatever it is called itself.
const BUCKET: &str = "all.backups";

const TOLD: &str = "objects of 128 KiB and more are stored as STANDARD_IA";

/// From here on Infrequent Access costs no more than STANDARD.
const LARGE: u64 = 128 << 10;

#[test]
fn infrequent_access_is_the_rule_for_what_is_large_and_is_told_once() {
    let amazon = Amazon::start();
    let mut env = amazon.env();
    let prefixes = [
        "--file-prefix=all-",
        "--file-prefix-manifest=archive-",
        "--file-prefix-archive=manifest-",
        "--file-prefix-signature=vol1-",
    ];
    for prefixes in [&[][..], &prefixes] {
        env.name = format!("with-{}", prefixes.len());
        let told = amazon.back_up(&mut env, &[prefixes, &["-v5"]].concat());
        assert_eq!(told.stdout.matches(TOLD).count(), 1, "{told}");
        let objects = amazon.objects();
        let large = |object: &&Object| object.len >= LARGE;
        assert!(objects.iter().any(|object| !large(&object)), "{objects:?}");
        // A volume and signatures.
        assert!(objects.iter().filter(large).count() >= 2, "{objects:?}");
        for object in &objects {
            let rule = if object.len >= LARGE {
                "STANDARD_IA"
            } else {
                "STANDARD"
            };
            assert_eq!(object.class, rule, "{object:?}");
        }
    }
    amazon.back_up(&mut env, &[]).never_says(TOLD);

    // A URL of Amazon's is as good as none.
    let url = "--s3-endpoint-url=http://s3.dualstack.us-east-1.amazonaws.com";
    let told = amazon.back_up(&mut env, &[url, "-v5"]);
    told.says(TOLD);
    let objects = amazon.objects();
    assert!(objects.iter().any(|object| object.class == "STANDARD_IA"));
}

#[test]
fn another_class_is_chosen_for_volumes_of_any_size_and_for_what_is_beside_them() {
    let amazon = Amazon::start();
    let mut env = amazon.env();
    // The class of volumes, of large and of small objects beside them.
    let cases: [(&[&str], [&str; 3]); 9] = [
        (&["--s3-storage-class=STANDARD"], ["STANDARD"; 3]),
        (
            &["--s3-storage-class=INTELLIGENT_TIERING"],
            ["INTELLIGENT_TIERING"; 3],
        ),
        (&["--s3-use-rrs"], ["REDUCED_REDUNDANCY"; 3]),
        (&["--s3-use-ia"], ["STANDARD_IA", "STANDARD_IA", "STANDARD"]),
        (
            &["--s3-use-onezone-ia"],
            ["ONEZONE_IA", "ONEZONE_IA", "STANDARD"],
        ),
        (
            &["--s3-use-glacier"],
            ["GLACIER", "STANDARD_IA", "STANDARD"],
        ),
        (
            &["--s3-use-glacier-ir"],
            ["GLACIER_IR", "STANDARD_IA", "STANDARD"],
        ),
        (
            &["--s3-use-deep-archive"],
            ["DEEP_ARCHIVE", "STANDARD_IA", "STANDARD"],
        ),
        (
            &[
                "--s3-storage-class=GLACIER",
                "--s3-storage-class-metadata=ONEZONE_IA",
            ],
            ["GLACIER", "ONEZONE_IA", "ONEZONE_IA"],
        ),
    ];
    for (number, (options, [volumes, large, small])) in cases.into_iter().enumerate() {
        env.name = format!("case{number}");
        amazon
            .back_up(&mut env, &[options, &["-v5"]].concat())
            .never_says(TOLD);
        for object in amazon.objects() {
            let class = match (object.key.contains(".difftar"), object.len >= LARGE) {
                (true, _) => volumes,
                (false, true) => large,
                (false, false) => small,
            };
            assert_eq!(object.class, class, "{options:?}: {object:?}");
        }
    }
}

/// A server behind a proxy, which Amazon's names lead to.
struct Amazon {
    server: SeaweedServer,
    proxy: ForwardProxy,
}

/// An object as the server tells it.
#[derive(Debug)]
struct Object {
    key: String,
    len: u64,
    class: String,
}

impl Amazon {
    fn start() -> Self {
        let server = SeaweedServer::start();
        server.create_bucket(BUCKET);
        let proxy = ForwardProxy::towards(Some(server.address()));
        Self { server, proxy }
    }

    /// A source whose signatures are large, and a small file beside.
    fn env(&self) -> TestEnv {
        let mut env = TestEnv::new();
        for (name, value) in self.server.environment() {
            env.set(name, value);
        }
        env.unset("AWS_ENDPOINT_URL_S3");
        env.set("HTTP_PROXY", self.proxy.url());
        env.set("PASSPHRASE", PASSPHRASE);
        env.url = format!("boto3+s3://{BUCKET}/path");
        let mut tree = Tree::new();
        for number in 0..8 {
            let noise = trees::noise(number, 1 << 20);
            tree.put(format!("noise{number}"), Node::file(noise));
        }
        tree.write(&env.source());
        env
    }

    /// Makes a full backup into an empty bucket.
    #[track_caller]
    fn back_up(&self, env: &mut TestEnv, options: &[&str]) -> Outcome {
        self.server.boto3(&format!(
            "for it in s3.list_objects_v2(Bucket='{BUCKET}').get('Contents', []):\n \
             s3.delete_object(Bucket='{BUCKET}', Key=it['Key'])"
        ));
        std::fs::remove_dir_all(env.archive()).ok();
        // Small blocks have large signatures.
        env.options = [
            "--s3-unencrypted-connection",
            "--max-blocksize=512",
            "--volsize=5",
        ]
        .map(str::to_owned)
        .into();
        env.options
            .extend(options.iter().map(|&word| word.to_owned()));
        env.backup(&redup(), "full", TIMES[0]).ok()
    }

    fn objects(&self) -> Vec<Object> {
        let told = self.server.boto3(&format!(
            "for it in s3.list_objects_v2(Bucket='{BUCKET}')['Contents']:\n \
             head = s3.head_object(Bucket='{BUCKET}', Key=it['Key'])\n \
             print(it['Key'], it['Size'], head.get('StorageClass', 'STANDARD'))"
        ));
        let object = |line: &str| {
            let [key, len, class] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            Object {
                key: key.to_owned(),
                len: len.parse().unwrap(),
                class: class.to_owned(),
            }
        };
        told.lines().map(object).collect()
    }
}
