//! What uploads send, and how they get over servers that refuse or forget.

use std::sync::Arc;

use bytes::Bytes;
use redup_storage::{ErrorKind, ObjectKind, Storage, Upload};
use sha1::{Digest as _, Sha1};
use tokio::sync::Notify;

use crate::checksum;
use crate::testing::{Answer, Script, Seen, noting, options};
use crate::{ClassPolicy, Encryption, S3Options, S3Storage};

const PART: usize = 5 << 20;

fn small_parts(options: S3Options) -> S3Options {
    S3Options {
        part_size: Some(PART as u64),
        ..options
    }
}

fn on_another_server() -> S3Options {
    let endpoint_url = Some("http://s3.example".into());
    small_parts(S3Options {
        endpoint_url,
        ..options("bkt")
    })
}

/// A server that takes everything.
fn willing(seen: &Seen) -> Answer {
    match seen.verb().as_str() {
        "POST uploads" => Answer::created("id1"),
        "POST uploadId" => Answer::completed(),
        _ => Answer::ok(),
    }
}

/// The server keeps this type of checksum for the upload, if any.
fn created_with(kept: &'static str) -> Answer {
    let Answer::Status(status, _, body) = Answer::created("id1") else {
        unreachable!()
    };
    let headers: &[_] = match kept {
        "" => &[],
        kept => vec![("x-amz-checksum-type", kept)].leak(),
    };
    Answer::Status(status, headers, body)
}

fn data(len: usize) -> Bytes {
    Bytes::from(vec![7; len])
}

/// Uploads two parts, the second short.
async fn two_parts(store: &S3Storage) -> redup_storage::Result<Box<dyn Upload>> {
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

fn has_checksum(seen: &Seen) -> bool {
    let named = |(name, _): &(String, String)| name.contains("checksum");
    seen.headers.iter().any(named)
}

#[tokio::test]
async fn a_server_that_refuses_checksums_is_asked_without_and_the_user_told_once() {
    let refuse = |seen: &Seen| match seen.method.as_str() {
        "PUT" | "POST" if has_checksum(seen) => Answer::error(
            400,
            "InvalidArgument",
            "Unsupported header 'x-amz-sdk-checksum-algorithm'",
        ),
        _ => willing(seen),
    };
    let script = Script::new(refuse);
    let (noted, notices) = noting(on_another_server());
    let store = script.connect(noted).await.unwrap();
    store.put("m", data(9), ObjectKind::Manifest).await.unwrap();
    two_parts(&store)
        .await
        .unwrap()
        .complete(2, PART as u64 + 9)
        .await
        .unwrap();
    assert_eq!(
        script
            .seen()
            .iter()
            .filter(|seen| has_checksum(seen))
            .count(),
        1
    );
    let notices = notices.lock().unwrap();
    let [notice] = &notices[..] else {
        panic!("{notices:?}")
    };
    let told = notice.to_string();
    assert!(
        told.contains("AWS_REQUEST_CHECKSUM_CALCULATION=when_required"),
        "{told}"
    );
}

/// The server has no key service, or whatever else was asked for: that is told, and nothing of checksums.
#[tokio::test]
async fn a_refusal_of_something_else_is_not_taken_for_one_of_checksums() {
    for (status, code) in [(501, "NotImplemented"), (400, "InvalidRequest")] {
        let script = Script::new(move |seen| match seen.method.as_str() {
            "PUT" | "POST" if seen.header("x-amz-server-side-encryption").is_some() => {
                Answer::error(status, code, "No key management service")
            }
            _ => willing(seen),
        });
        let (noted, notices) = noting(S3Options {
            encryption: Encryption::Kms {
                key_id: "key1".into(),
            },
            ..on_another_server()
        });
        let store = script.connect(noted).await.unwrap();
        let put = store.put("m", data(9), ObjectKind::Manifest).await;
        let upload = two_parts(&store).await.map(drop);
        for error in [put.unwrap_err(), upload.unwrap_err()] {
            assert!(error.to_string().contains(code), "{error}");
            assert!(error.hint().unwrap().contains("--s3-kms-key-id"), "{error}");
        }
        let writes = ["HEAD", "PUT", "PUT", "POST uploads", "POST uploads"];
        assert_eq!(script.verbs(), writes, "each once more without checksums");
        assert_eq!(*notices.lock().unwrap(), []);
    }
}

#[tokio::test]
async fn a_server_that_keeps_checksums_of_parts_is_told_no_other_in_the_end() {
    for kept in ["COMPOSITE", ""] {
        let script = Script::new(move |seen| match seen.verb().as_str() {
            "POST uploads" => created_with(kept),
            "POST uploadId" if seen.header("x-amz-checksum-crc32").is_some() => {
                Answer::error(400, "BadDigest", "not what was calculated")
            }
            _ => willing(seen),
        });
        let store = script.connect(on_another_server()).await.unwrap();
        let upload = two_parts(&store).await.unwrap();
        upload.complete(2, PART as u64 + 9).await.unwrap();
        let complete = script.seen().pop().unwrap();
        assert_eq!(complete.header("x-amz-checksum-type"), None);
        let body = String::from_utf8_lossy(&complete.body);
        assert_eq!(body.matches("<ChecksumCRC32>").count(), 2, "{body}");
    }
}

#[tokio::test]
async fn parts_that_are_refused_for_their_checksum_restart_the_upload() {
    let mut created = 0;
    let script = Script::new(move |seen| match seen.verb().as_str() {
        "POST uploads" => {
            created += 1;
            Answer::created(if created == 1 { "id1" } else { "id2" })
        }
        "PUT uploadId" if has_checksum(seen) => Answer::error(400, "XAmzContentSHA256Mismatch", ""),
        "PUT uploadId" if seen.uri.contains("id1") => Answer::error(404, "NoSuchUpload", "gone"),
        _ => willing(seen),
    });
    let store = script.connect(on_another_server()).await.unwrap();
    let upload = store
        .begin_upload("vol1", ObjectKind::Volume)
        .await
        .unwrap();
    let (first, second) = tokio::join!(
        upload.put_part(0, data(PART)),
        upload.put_part(1, data(PART))
    );
    first.unwrap();
    second.unwrap();
    upload.complete(2, 2 * PART as u64).await.unwrap();
    let aborted = script
        .seen()
        .into_iter()
        .find(|seen| seen.method == "DELETE")
        .unwrap();
    assert!(aborted.uri.contains("id1"), "{}", aborted.uri);
    let complete = script.seen().pop().unwrap();
    assert!(complete.uri.contains("id2"));
    assert!(!String::from_utf8_lossy(&complete.body).contains("Checksum"));
}

#[tokio::test]
async fn a_part_on_its_way_when_the_upload_is_begun_anew_is_sent_again() {
    let given_up = Arc::new(Notify::new());
    let mut created = 0;
    let script = Script::new(move |seen| match seen.verb().as_str() {
        "POST uploads" => {
            created += 1;
            Answer::created(if created == 1 { "id1" } else { "id2" })
        }
        "PUT uploadId" if !seen.uri.contains("id1") => Answer::ok(),
        "PUT uploadId" if seen.uri.contains("partNumber=1") => {
            Answer::error(400, "InvalidRequest", "no checksums")
        }
        "PUT uploadId" => {
            let gone = Answer::error(404, "NoSuchUpload", "gone");
            Answer::When(Arc::clone(&given_up), gone.into())
        }
        "DELETE uploadId" => {
            given_up.notify_one();
            Answer::ok()
        }
        _ => willing(seen),
    });
    let store = script.connect(on_another_server()).await.unwrap();
    let upload = store.begin_upload("vol1", ObjectKind::Volume).await;
    let upload = upload.unwrap();
    let (second, first) = tokio::join!(upload.put_part(1, data(9)), upload.put_part(0, data(PART)));
    first.unwrap();
    second.unwrap();
    upload.complete(2, PART as u64 + 9).await.unwrap();
    let sent = |id: &str| {
        let of = |seen: &&Seen| seen.verb() == "PUT uploadId" && seen.uri.contains(id);
        script.seen().iter().filter(of).count()
    };
    assert_eq!((sent("id1"), sent("id2")), (2, 2));
}

#[tokio::test]
async fn amazon_is_never_asked_without_checksums() {
    let script = Script::new(|seen| match seen.method.as_str() {
        "PUT" => Answer::error(403, "SignatureDoesNotMatch", "no"),
        _ => willing(seen),
    });
    let store = script.connect(options("bkt")).await.unwrap();
    let error = store
        .put("m", data(9), ObjectKind::Manifest)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert_eq!(script.verbs(), ["HEAD", "PUT"]);
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
