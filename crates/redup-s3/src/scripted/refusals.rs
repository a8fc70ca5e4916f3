//! Servers that refuse what an upload carries: checksums, or something else that looks like it.

use std::sync::Arc;

use redup_storage::{ErrorKind, ObjectKind, Storage};
use tokio::sync::Notify;

use super::uploads::{
    PART, created_with, data, on_another_server, small_parts, two_parts, willing,
};
use crate::testing::{Answer, Script, Seen, noting, options};
use crate::{Encryption, Notice, S3Options, checksum};

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

/// What is lost of them is no more than what the server does not know: damage on the way is found out.
#[tokio::test]
async fn a_server_that_refuses_checksums_of_the_whole_alone_is_sent_those_of_the_parts() {
    for (status, code) in [(400, "InvalidArgument"), (501, "NotImplemented")] {
        let script = Script::new(move |seen| match seen.header("x-amz-checksum-type") {
            Some(_) => Answer::error(status, code, "x-amz-checksum-type"),
            None => willing(seen),
        });
        let (noted, notices) = noting(on_another_server());
        let store = script.connect(noted).await.unwrap();
        // Whether or not it has taken those of single objects.
        store.put("m", data(9), ObjectKind::Manifest).await.unwrap();
        for _ in 0..2 {
            let upload = two_parts(&store).await.unwrap();
            upload.complete(2, PART as u64 + 9).await.unwrap();
        }
        let begun = script.seen().into_iter();
        let begun = begun.filter(|seen| seen.verb() == "POST uploads");
        let named: Vec<_> = begun
            .map(|seen| {
                assert_eq!(seen.header("x-amz-checksum-algorithm"), Some("CRC32"));
                seen.header("x-amz-checksum-type").is_some()
            })
            .collect();
        assert_eq!(named, [true, false, false], "it is asked once");
        for part in script.seen() {
            if part.verb() == "PUT uploadId" {
                let crc32 = checksum::crc32(&part.body);
                assert_eq!(part.header("x-amz-checksum-crc32"), Some(crc32.as_str()));
            }
        }
        let complete = script.seen().pop().unwrap();
        assert_eq!(complete.header("x-amz-checksum-crc32"), None);
        let body = String::from_utf8_lossy(&complete.body);
        assert_eq!(body.matches("<ChecksumCRC32>").count(), 2, "{body}");
        let notices = notices.lock().unwrap();
        let [notice] = &notices[..] else {
            panic!("{notices:?}")
        };
        let told = notice.to_string();
        assert!(told.contains(code) && notice.is_routine(), "{told}");
        assert!(told.contains("checksums of whole objects"), "{told}");
    }
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
        let writes = ["HEAD", "PUT", "PUT"];
        let begun = ["POST uploads"; 3];
        let expected = [&writes[..], &begun].concat();
        assert_eq!(script.verbs(), expected, "each once more with less");
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
    sent_again(|| Answer::error(404, "NoSuchUpload", "gone")).await;
}

#[tokio::test]
async fn a_part_that_arrived_at_an_upload_that_was_given_up_is_sent_again() {
    sent_again(Answer::ok).await;
}

/// The first part is refused, and the second one gets this answer once the upload has been given up.
async fn sent_again(late: impl Fn() -> Answer + Send + 'static) {
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
        "PUT uploadId" => Answer::When(Arc::clone(&given_up), late().into()),
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

fn is_unsigned(seen: &Seen) -> bool {
    seen.header("x-amz-content-sha256") == Some("UNSIGNED-PAYLOAD")
}

/// A bucket's policy may ask for it, and a server know nothing else.
#[tokio::test]
async fn bodies_are_signed_where_unsigned_ones_are_refused_and_the_user_told_once() {
    let elsewhere = S3Options {
        endpoint_url: Some("https://s3.example".into()),
        ..options("bkt")
    };
    for (options, status, code) in [
        (options("bkt"), 403, "AccessDenied"),
        (elsewhere.clone(), 403, "AccessDenied"),
        (elsewhere.clone(), 400, "XAmzContentSHA256Mismatch"),
        (elsewhere, 501, "NotImplemented"),
    ] {
        check_that_bodies_are_signed(options, status, code).await;
    }
}

async fn check_that_bodies_are_signed(options: S3Options, status: u16, code: &'static str) {
    let script = Script::new(move |seen| match is_unsigned(seen) {
        true => Answer::error(status, code, "not like this"),
        false => willing(seen),
    });
    let (noted, notices) = noting(small_parts(options));
    let store = script.connect(noted).await.unwrap();
    let upload = two_parts(&store).await.unwrap();
    upload.complete(2, PART as u64 + 9).await.unwrap();
    store.put("m", data(9), ObjectKind::Manifest).await.unwrap();
    let unsigned = script
        .seen()
        .iter()
        .filter(|seen| is_unsigned(seen))
        .count();
    assert_eq!(unsigned, 1);
    let without = |seen: &Seen| seen.method == "PUT" && !has_checksum(seen);
    assert!(!script.seen().iter().any(without), "{code}");
    assert!(!script.verbs().contains(&"DELETE uploadId".to_owned()));
    let notices = notices.lock().unwrap();
    let told: Vec<_> = notices
        .iter()
        .filter(|notice| matches!(notice, Notice::BodiesSigned { .. }))
        .map(ToString::to_string)
        .collect();
    let [told] = &told[..] else {
        panic!("{notices:?}")
    };
    assert!(told.contains(code), "{told}");
}

#[tokio::test]
async fn over_tls_a_server_that_refuses_checksums_is_found_out_as_well() {
    let script = Script::new(|seen| match seen.method.as_str() {
        "PUT" if has_checksum(seen) => Answer::error(400, "InvalidRequest", "no checksums"),
        _ => willing(seen),
    });
    let (noted, notices) = noting(small_parts(S3Options {
        endpoint_url: Some("https://s3.example".into()),
        ..options("bkt")
    }));
    let store = script.connect(noted).await.unwrap();
    let upload = two_parts(&store).await.unwrap();
    upload.complete(2, PART as u64 + 9).await.unwrap();
    store.put("m", data(9), ObjectKind::Manifest).await.unwrap();
    let refused = script.seen().into_iter();
    let refused = refused.filter(|seen| seen.method == "PUT" && has_checksum(seen));
    assert_eq!(
        refused.map(|seen| is_unsigned(&seen)).collect::<Vec<_>>(),
        [true, false]
    );
    let notices = notices.lock().unwrap();
    assert!(
        matches!(&notices[..], [Notice::ChecksumsRefused { .. }]),
        "{notices:?}"
    );
}

#[tokio::test]
async fn who_may_not_write_is_told_so_after_one_more_try() {
    let script = Script::new(|seen| match seen.method.as_str() {
        "PUT" => Answer::error(403, "AccessDenied", "no"),
        _ => willing(seen),
    });
    let (noted, notices) = noting(options("bkt"));
    let store = script.connect(noted).await.unwrap();
    let put = store.put("m", data(9), ObjectKind::Manifest).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(script.verbs(), ["HEAD", "PUT", "PUT"]);
    let signing = |notice: &Notice| matches!(notice, Notice::BodiesSigned { .. });
    assert!(!notices.lock().unwrap().iter().any(signing));
}
