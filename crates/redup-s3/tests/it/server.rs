//! Objects as a real server keeps them, looked at with another client.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use redup_s3::{ClassPolicy, S3Options, S3Storage};
use redup_storage::{ObjectKind, Retry, RetryPolicy, Storage, conformance};
use redup_testkit::s3s::S3sServer;
use redup_testkit::seaweed::SeaweedServer;
use redup_testkit::server::S3Server;

use crate::surroundings::{Notices, options, runtime, with_store};

fn pattern(len: usize) -> Bytes {
    (0..len).map(|place| (place * 31 / 7) as u8).collect()
}

/// What a script prints as JSON.
fn ask(server: &SeaweedServer, script: &str) -> serde_json::Value {
    serde_json::from_str(&server.boto3(script)).unwrap()
}

#[test]
fn the_store_conforms_on_both_servers_below_a_prefix_and_at_the_top_of_a_bucket() {
    conforms_on(&SeaweedServer::start());
    conforms_on(&S3sServer::start());
}

#[track_caller]
fn conforms_on(server: &dyn S3Server) {
    server.create_bucket("backups");
    server.create_bucket("whole");
    runtime().block_on(async {
        let store = async |target| {
            let notices = Notices::default();
            let options = notices.listen(options(server, target));
            (S3Storage::connect(options).await.unwrap(), notices)
        };
        let (below, notices) = store("s3://backups/deep/prefix").await;
        let outcome = conformance::run(Arc::new(below.clone())).await;
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(notices.all(), [], "the server takes all that we send");
        let retrying = Retry::new(Arc::new(below), RetryPolicy::default());
        retrying
            .put("beside", pattern(3), ObjectKind::Other)
            .await
            .unwrap();

        let (top, _) = store("s3://whole").await;
        let outcome = conformance::run(Arc::new(top)).await;
        assert!(outcome.is_ok(), "{outcome:?}");

        let listed = retrying.list().await.unwrap();
        assert_eq!(listed.len(), 1, "{listed:?}");
    });
}

#[test]
fn listings_have_every_page_and_nothing_from_other_folders() {
    with_store("s3://backups/mine", |server, store| async move {
        server.boto3(
            "from concurrent.futures import ThreadPoolExecutor\n\
             put = lambda key: s3.put_object(Bucket='backups', Key=key, Body=b'x')\n\
             keys = [f'mine/file{n:04}' for n in range(1001)]\n\
             keys += ['mine/below/file', 'mine', 'minefield/file', 'other/file']\n\
             list(ThreadPoolExecutor(8).map(put, keys))",
        );
        let listed = store.list().await.unwrap();
        assert!(listed.iter().all(|object| object.len == 1));
        let names: BTreeSet<_> = listed.into_iter().map(|object| object.name).collect();
        let expected: BTreeSet<_> = (0..1001).map(|n| format!("file{n:04}")).collect();
        assert_eq!(names, expected);
    });
}

#[test]
fn objects_arrive_with_content_class_and_type() {
    with_store("s3://backups/p", |server, _| async move {
        let notices = Notices::default();
        let classes = ClassPolicy {
            class: Some("STANDARD_IA".into()),
            metadata_class: None,
        };
        let options = S3Options {
            classes,
            ..options(&*server, "s3://backups/p")
        };
        let store = S3Storage::connect(notices.listen(options)).await.unwrap();

        let large = pattern((12 << 20) + 345);
        let upload = store
            .begin_upload("volume", ObjectKind::Volume)
            .await
            .unwrap();
        let parts: Vec<_> = large.chunks(5 << 20).map(Bytes::copy_from_slice).collect();
        for (number, part) in parts.iter().enumerate().rev() {
            upload.put_part(number as u32, part.clone()).await.unwrap();
        }
        upload.complete(3, large.len() as u64).await.unwrap();
        let single = store
            .begin_upload("small-volume", ObjectKind::Volume)
            .await
            .unwrap();
        single.put_part(0, pattern(10)).await.unwrap();
        single.complete(1, 10).await.unwrap();
        store
            .put("manifest", pattern(200), ObjectKind::Manifest)
            .await
            .unwrap();
        store
            .put("signature", pattern(200_000), ObjectKind::Signature)
            .await
            .unwrap();

        let seen = ask(
            &server,
            "import hashlib\n\
             def look(name):\n  \
               o = s3.get_object(Bucket='backups', Key='p/' + name)\n  \
               sha = hashlib.sha256(o['Body'].read()).hexdigest()\n  \
               return [o.get('StorageClass', '-'), o['ContentLength'], o['ContentType'], sha]\n\
             names = ['volume', 'small-volume', 'manifest', 'signature']\n\
             print(json.dumps([look(name)[:3] for name in names]))",
        );
        let octets = "binary/octet-stream";
        let expected = serde_json::json!([
            ["STANDARD_IA", large.len(), octets],
            ["STANDARD_IA", 10, octets],
            ["-", 200, octets],
            ["STANDARD_IA", 200_000, octets],
        ]);
        assert_eq!(seen, expected);
        assert_eq!(notices.all(), [], "nothing was guessed or given up");

        let script = "d = s3.get_object(Bucket='backups', Key='p/volume')['Body'].read()\n\
                      ok = d == bytes((n * 31 // 7) & 255 for n in range(len(d)))\n\
                      print(json.dumps(ok))";
        assert_eq!(ask(&server, script), serde_json::json!(true));
    });
}

#[test]
fn no_class_is_named_to_other_servers_unless_asked() {
    with_store("s3://backups/p", |server, store| async move {
        store
            .put("volume", pattern(200_000), ObjectKind::Volume)
            .await
            .unwrap();
        let script = "o = s3.head_object(Bucket='backups', Key='p/volume')\n\
                      print(json.dumps(o.get('StorageClass')))";
        assert_eq!(ask(&server, script), serde_json::Value::Null);
    });
}

#[test]
fn unfinished_uploads_are_found_and_freed() {
    with_store("s3://backups/p", |server, store| async move {
        server.boto3("s3.create_multipart_upload(Bucket='backups', Key='elsewhere/x')");
        server.boto3("s3.create_multipart_upload(Bucket='backups', Key='p/below/x')");
        let upload = store
            .begin_upload("volume", ObjectKind::Volume)
            .await
            .unwrap();
        upload.put_part(0, pattern(5 << 20)).await.unwrap();
        drop(upload);
        let found = store.list_unfinished().await.unwrap();
        let [unfinished] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(unfinished.name.as_deref(), Some("volume"));
        assert!(unfinished.age.as_secs() < 600);
        store.discard_unfinished(unfinished).await.unwrap();
        store.discard_unfinished(unfinished).await.unwrap();
        assert_eq!(store.list_unfinished().await.unwrap(), []);

        let aborted = store
            .begin_upload("volume", ObjectKind::Volume)
            .await
            .unwrap();
        aborted.put_part(0, pattern(5 << 20)).await.unwrap();
        aborted.abort().await.unwrap();
        assert_eq!(store.list_unfinished().await.unwrap(), []);
    });
}

#[test]
fn a_host_in_the_url_is_used_as_the_server() {
    let server = SeaweedServer::start();
    server.create_bucket("backups");
    let host = server.endpoint_url().replace("http://", "");
    let notices = Notices::default();
    let options = S3Options {
        endpoint_url: None,
        unencrypted: true,
        ..options(&server, &format!("s3://{host}/backups/p"))
    };
    runtime().block_on(async {
        let store = S3Storage::connect(notices.listen(options)).await.unwrap();
        assert_eq!(store.location(), "s3://backups/p");
        assert!(!store.is_on_amazon());
        assert_eq!(notices.all().len(), 1, "{:?}", notices.all());
    });
}
