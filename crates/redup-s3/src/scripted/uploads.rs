//! What uploads send, and how they get over servers that forget.

use bytes::Bytes;
use redup_storage::{ErrorKind, ObjectKind, Storage, Upload};
use sha1::{Digest as _, Sha1};

use crate::checksum;
use crate::testing::{Answer, Script, Seen, options};
use crate::{ClassPolicy, Encryption, S3Options, S3Storage};

pub(super) const PART: usize = 5 << 20;

pub(super) fn small_parts(options: S3Options) -> S3Options {
    S3Options {
        part_size: Some(PART as u64),
        ..options
    }
}

pub(super) fn on_another_server() -> S3Options {
    let endpoint_url = Some("http://s3.example".into());
    small_parts(S3Options {
        endpoint_url,
        ..options("bkt")
    })
}

/// A server that takes everything.
pub(super) fn willing(seen: &Seen) -> Answer {
    match seen.verb().as_str() {
        "POST uploads" => Answer::created("id1"),
        "POST uploadId" => Answer::completed(),
        _ => Answer::ok(),
    }
}

/// The server keeps this type of checksum for the upload, if any.
pub(super) fn created_with(kept: &'static str) -> Answer {
    let Answer::Status(status, _, body) = Answer::created("id1") else {
        unreachable!()
    };
    let headers: &[_] = match kept {
        "" => &[],
        kept => vec![("x-amz-checksum-type", kept)].leak(),
    };
    Answer::Status(status, headers, body)
}

pub(super) fn data(len: usize) -> Bytes {
    Bytes::from(vec![7; len])
}

/// Uploads two parts, the second short.
pub(super) async fn two_parts(store: &S3Storage) -> redup_storage::Result<Box<dyn Upload>> {
    let upload = store.begin_upload("vol1", ObjectKind::Volume).await?;
    upload.put_part(0, data(PART)).await?;
    upload.put_part(1, data(9)).await?;
    Ok(upload)
}

#[tokio::test]
async fn checksums_are_named_on_create_on_each_part_and_on_complete() {
    let script = Script::new(willing);
    let store = script.connect(small_parts(options("bkt"))).await.unwrap();
    two_parts(&store)
        .await
        .unwrap()
        .complete(2, PART as u64 + 9)
        .await
        .unwrap();

    let expected = [
        "HEAD",
        "POST uploads",
        "PUT uploadId",
        "PUT uploadId",
        "POST uploadId",
    ];
    assert_eq!(script.verbs(), expected);
    let [_, create, first, second, complete] = &script.seen()[..] else {
        panic!()
    };
    assert_eq!(create.header("x-amz-checksum-algorithm"), Some("CRC32"));
    assert_eq!(create.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    let whole = checksum::crc32(&data(PART + 9));
    assert_eq!(
        complete.header("x-amz-checksum-crc32"),
        Some(whole.as_str())
    );
    for part in [first, second] {
        assert_eq!(part.header("x-amz-sdk-checksum-algorithm"), Some("CRC32"));
        let crc = checksum::crc32(&part.body);
        assert_eq!(part.header("x-amz-checksum-crc32"), Some(crc.as_str()));
        let body = String::from_utf8_lossy(&complete.body);
        assert!(
            body.contains(&format!("<ChecksumCRC32>{crc}</ChecksumCRC32>")),
            "{body}"
        );
        assert_eq!(part.header("content-encoding"), None, "a plain body");
    }
    assert_eq!((first.body.len(), second.body.len()), (PART, 9));
}

/// What the signatures of an object in one piece and of two parts say of their bodies.
async fn signed_of_bodies(options: S3Options) -> Vec<String> {
    let script = Script::new(willing);
    let store = script.connect(small_parts(options)).await.unwrap();
    store.put("m", data(9), ObjectKind::Manifest).await.unwrap();
    two_parts(&store).await.unwrap();
    let bodies = script
        .seen()
        .into_iter()
        .filter(|seen| seen.method == "PUT");
    bodies
        .map(|seen| {
            assert!(seen.header("authorization").is_some_and(|signed| {
                signed.contains("x-amz-content-sha256")
                    && signed.contains("x-amz-checksum-crc32")
                        == seen.header("x-amz-checksum-crc32").is_some()
            }));
            let said = seen.header("x-amz-content-sha256").unwrap();
            let sha256 = crate::facts::hex(&sha2::Sha256::digest(&seen.body));
            if said == sha256 { "sha256" } else { said }.to_owned()
        })
        .collect()
}

#[tokio::test]
async fn bodies_are_signed_unless_tls_and_a_signed_checksum_protect_them() {
    let unsigned = ["UNSIGNED-PAYLOAD"; 3];
    assert_eq!(signed_of_bodies(options("bkt")).await, unsigned);
    let at = |url: &str| S3Options {
        endpoint_url: Some(url.into()),
        ..options("bkt")
    };
    let elsewhere = at("https://s3.example");
    assert_eq!(signed_of_bodies(elsewhere).await, unsigned);
    let plain = at("http://s3.example");
    assert_eq!(signed_of_bodies(plain).await, ["sha256"; 3]);
    let unencrypted = S3Options {
        unencrypted: true,
        ..options("bkt")
    };
    assert_eq!(signed_of_bodies(unencrypted).await, ["sha256"; 3]);
}

#[tokio::test]
async fn an_object_of_one_part_is_a_single_request_of_its_true_size() {
    let script = Script::new(willing);
    let store = script.connect(small_parts(options("bkt"))).await.unwrap();
    let upload = store
        .begin_upload("vol1", ObjectKind::Volume)
        .await
        .unwrap();
    upload.put_part(0, data(99)).await.unwrap();
    upload.complete(1, 99).await.unwrap();
    upload.complete(1, 99).await.unwrap();
    assert_eq!(script.verbs(), ["HEAD", "PUT"]);
    let put = script.seen().pop().unwrap();
    assert!(put.uri.contains("/p/vol1"), "{}", put.uri);
    let sha1 = crate::facts::hex(&Sha1::digest(data(99)));
    assert_eq!(put.header("x-amz-meta-redup-sha1"), Some(sha1.as_str()));
    assert_eq!(
        put.header("x-amz-storage-class"),
        None,
        "too small for infrequent access"
    );
}

#[tokio::test]
async fn class_encryption_and_grant_go_on_create_and_put_and_not_on_parts() {
    let script = Script::new(willing);
    let encrypted = S3Options {
        classes: ClassPolicy {
            class: Some("GLACIER_IR".into()),
            metadata_class: None,
        },
        encryption: Encryption::Kms {
            key_id: "key1".into(),
        },
        grant_full_control: Some("id=1".into()),
        ..small_parts(options("bkt"))
    };
    let store = script.connect(encrypted).await.unwrap();
    two_parts(&store).await.unwrap();
    store
        .put("vol2", data(9), ObjectKind::Volume)
        .await
        .unwrap();
    let [_, create, part, _, put] = &script.seen()[..] else {
        panic!("{:?}", script.verbs())
    };
    for request in [create, put] {
        assert_eq!(request.header("x-amz-storage-class"), Some("GLACIER_IR"));
        assert_eq!(
            request.header("x-amz-server-side-encryption"),
            Some("aws:kms")
        );
        let key = request.header("x-amz-server-side-encryption-aws-kms-key-id");
        assert_eq!(key, Some("key1"));
        assert_eq!(request.header("x-amz-grant-full-control"), Some("id=1"));
        assert_eq!(request.header("content-type"), Some("binary/octet-stream"));
    }
    assert_eq!(part.header("x-amz-storage-class"), None);
    assert_eq!(part.header("x-amz-server-side-encryption"), None);

    let managed = S3Options {
        encryption: Encryption::S3Managed,
        ..options("bkt")
    };
    let store = script.connect(managed).await.unwrap();
    store.put("m", data(9), ObjectKind::Manifest).await.unwrap();
    let put = script.seen().pop().unwrap();
    assert_eq!(put.header("x-amz-server-side-encryption"), Some("AES256"));
}

#[tokio::test]
async fn a_completion_whose_answer_was_lost_is_found_by_length_and_checksum() {
    let whole: &str = checksum::crc32(&data(PART + 9)).leak();
    let (len, checksum) = ("content-length", "x-amz-checksum-crc32");
    let answers: [(&[_], bool); 4] = [
        (&[(len, "5242889")], true),
        (&[(len, "5242889"), (checksum, whole)], true),
        // An older object of this name.
        (&[(len, "5242889"), (checksum, "y/Q5Jg==")], false),
        (&[(len, "7")], false),
    ];
    for (headers, found) in answers {
        let headers: &'static [_] = headers.to_vec().leak();
        let script = Script::new(move |seen| match seen.verb().as_str() {
            "POST uploadId" => Answer::error(404, "NoSuchUpload", "gone"),
            "HEAD" => Answer::Status(200, headers, String::new()),
            _ => willing(seen),
        });
        let store = script.connect(small_parts(options("bkt"))).await.unwrap();
        let upload = two_parts(&store).await.unwrap();
        let result = upload.complete(2, PART as u64 + 9).await;
        assert_eq!(result.is_ok(), found, "{headers:?}: {result:?}");
    }
}

#[tokio::test]
async fn a_server_that_finds_the_whole_altered_is_believed() {
    let script = Script::new(|seen| match seen.verb().as_str() {
        "POST uploads" => created_with("FULL_OBJECT"),
        "POST uploadId" => Answer::error(400, "BadDigest", "not what was sent"),
        _ => willing(seen),
    });
    let store = script.connect(small_parts(on_another_server())).await;
    let upload = two_parts(&store.unwrap()).await.unwrap();
    let error = upload.complete(2, PART as u64 + 9).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let completions = script.verbs();
    let completions = completions.iter().filter(|verb| *verb == "POST uploadId");
    assert_eq!(completions.count(), 1);
}

#[tokio::test]
async fn a_success_with_an_error_inside_is_a_failure() {
    let inside = "<Error><Code>InternalError</Code><Message>sorry</Message></Error>";
    let script = Script::new(move |seen| match seen.verb().as_str() {
        "POST uploadId" => Answer::Status(200, &[], inside.into()),
        _ => willing(seen),
    });
    let store = script.connect(small_parts(options("bkt"))).await.unwrap();
    let error = two_parts(&store)
        .await
        .unwrap()
        .complete(2, PART as u64 + 9)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
}

#[tokio::test]
async fn what_does_not_add_up_never_reaches_the_server() {
    let script = Script::new(willing);
    let store = script.connect(small_parts(options("bkt"))).await.unwrap();
    let upload = two_parts(&store).await.unwrap();
    let before = script.seen().len();
    assert_eq!(
        upload.complete(3, 1).await.unwrap_err().kind(),
        ErrorKind::Mismatch
    );
    assert_eq!(
        upload.complete(2, 1).await.unwrap_err().kind(),
        ErrorKind::Mismatch
    );
    let last = upload.put_part(10_000, data(9)).await.unwrap_err();
    assert!(last.hint().unwrap().contains("--s3-multipart-chunk-size"));
    assert_eq!(script.seen().len(), before);
}
