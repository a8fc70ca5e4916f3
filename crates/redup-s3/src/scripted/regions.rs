//! Buckets that are elsewhere, and what else the first request finds out.

use expect_test::expect;
use redup_storage::{ErrorKind, ObjectKind, Storage};

use crate::testing::{Answer, Script, Seen, noting, options, url};
use crate::{Notice, S3Options};

const IN_FRANKFURT: &[(&str, &str)] = &[("x-amz-bucket-region", "eu-central-1")];

/// A bucket in Frankfurt, which answers from there alone.
fn frankfurt(status: u16) -> impl FnMut(&Seen) -> Answer {
    move |seen| {
        let signed_for = seen.header("authorization").unwrap_or_default();
        match seen.uri.contains("eu-central-1") && signed_for.contains("/eu-central-1/s3/") {
            true => Answer::ok(),
            false => Answer::Status(status, IN_FRANKFURT, String::new()),
        }
    }
}

#[tokio::test]
async fn the_bucket_is_followed_to_its_region_once_and_the_user_told() {
    for status in [301, 307, 400, 403] {
        let script = Script::new(frankfurt(status));
        let (options, notices) = noting(options("bkt"));
        let store = script.connect(options).await.unwrap();
        assert_eq!(store.region(), "eu-central-1");
        assert_eq!(script.verbs(), ["HEAD", "HEAD"], "{status}");
        let told = notices.lock().unwrap()[0].to_string();
        expect!["bucket bkt is in region eu-central-1, not us-east-1: using eu-central-1"]
            .assert_eq(&told);
    }
}

#[tokio::test]
async fn a_regional_url_of_amazon_gives_way_to_the_buckets_region() {
    let script = Script::new(frankfurt(301));
    let endpoint_url = Some("https://s3.dualstack.us-east-1.amazonaws.com".into());
    let store = script
        .connect(S3Options {
            endpoint_url,
            ..options("bkt")
        })
        .await
        .unwrap();
    assert_eq!(store.region(), "eu-central-1");
    let last = script.seen().pop().unwrap().uri;
    assert!(
        last.starts_with("https://bkt.s3.dualstack.eu-central-1.amazonaws.com"),
        "{last}"
    );
}

#[tokio::test]
async fn a_server_that_names_its_region_when_asked_for_another_is_asked_for_that() {
    let by_element = "<Region>garage</Region>";
    let by_words = "<Message>the region is wrong; expecting 'garage'</Message>";
    for naming in [by_element, by_words] {
        let body = format!("<Error><Code>AuthorizationHeaderMalformed</Code>{naming}</Error>");
        let script = Script::new(move |seen| {
            let signed_for = seen.header("authorization").unwrap_or_default();
            match (signed_for.contains("/garage/s3/"), &*seen.method) {
                (true, _) => Answer::ok(),
                // An answer to HEAD has no body.
                (false, "HEAD") => Answer::Status(400, &[], String::new()),
                (false, _) => Answer::Status(400, &[], body.clone()),
            }
        });
        let (options, notices) = noting(S3Options {
            endpoint_url: Some("http://garage.example:3900".into()),
            ..options("bkt")
        });
        let store = script.connect(options).await.unwrap();
        assert_eq!(store.region(), "garage");
        assert_eq!(script.verbs(), ["HEAD", "GET list-type", "HEAD"]);
        let last = script.seen().pop().unwrap().uri;
        assert!(last.starts_with("http://garage.example:3900/bkt"), "{last}");
        assert_eq!(notices.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_sends_us_in_circles_is_not_followed() {
    let mut turn = 0;
    let script = Script::new(move |_| {
        turn += 1;
        let region = if turn % 2 == 1 {
            IN_FRANKFURT
        } else {
            &[("x-amz-bucket-region", "us-east-1")]
        };
        Answer::Status(301, region, String::new())
    });
    let error = script.connect(options("bkt")).await.unwrap_err();
    assert_eq!(script.seen().len(), 2);
    assert!(
        error.to_string().contains("from eu-central-1 to us-east-1"),
        "{error}"
    );
}

#[tokio::test]
async fn a_region_that_is_no_name_is_not_followed() {
    let script = Script::new(|_| {
        Answer::Status(
            301,
            &[("x-amz-bucket-region", "evil.example/x")],
            String::new(),
        )
    });
    script.connect(options("bkt")).await.unwrap_err();
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn permission_to_list_below_the_prefix_is_enough() {
    let script = Script::new(|seen| match seen.method.as_str() {
        "HEAD" => Answer::Status(403, &[], String::new()),
        _ if seen.uri.contains("prefix=p%2F") => {
            Answer::Status(200, &[], "<ListBucketResult/>".into())
        }
        _ => Answer::error(403, "AccessDenied", "Access Denied"),
    });
    script.connect(options("bkt")).await.unwrap();
    assert_eq!(script.verbs(), ["HEAD", "GET list-type"]);
}

#[tokio::test]
async fn a_dotted_first_part_is_a_bucket_when_it_exists_and_else_a_server() {
    let target = S3Options {
        url: url("s3://minio.example/bkt/p"),
        ..options("x")
    };
    let amazon = |seen: &Seen| seen.uri.contains("amazonaws.com/minio.example");
    let script = Script::new(|_| Answer::ok());
    let store = script.connect(target.clone()).await.unwrap();
    assert_eq!(store.bucket().place.location(), "s3://minio.example/bkt/p");

    let script = Script::new(move |seen| match amazon(seen) {
        true => Answer::Status(404, &[], String::new()),
        false => Answer::ok(),
    });
    let (target, notices) = noting(target);
    let store = script.connect(target.clone()).await.unwrap();
    assert_eq!(store.bucket().place.location(), "s3://bkt/p");
    let last = script.seen().pop().unwrap().uri;
    assert!(last.starts_with("https://minio.example/bkt"), "{last}");
    let host = Notice::HostInUrl {
        host: "minio.example".into(),
        bucket: "bkt".into(),
    };
    assert_eq!(*notices.lock().unwrap(), [host]);

    let script = Script::new(move |seen| match amazon(seen) {
        true => Answer::Status(404, &[], String::new()),
        false => Answer::Status(503, &[], String::new()),
    });
    let error = script.connect(target).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::NotFound,
        "the first reading's answer counts: {error}"
    );
}

#[tokio::test]
async fn a_dotted_bucket_that_is_closed_is_not_taken_for_a_web_site() {
    let target = S3Options {
        url: url("s3://backups.example/nightly"),
        ..options("x")
    };
    let script = Script::new(|seen| match seen.uri.contains("amazonaws.com") {
        true => Answer::error(403, "AccessDenied", "Access Denied"),
        false => Answer::Status(404, &[], "no such page".into()),
    });
    let error = script.connect(target).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("s3:ListBucket"), "{hint}");
    assert!(
        hint.contains("as a server, backups.example was asked as well"),
        "{hint}"
    );
}

#[tokio::test]
async fn infrequent_access_is_announced_on_amazon_alone() {
    let script = Script::new(|_| Answer::ok());
    let (on_amazon, notices) = noting(options("bkt"));
    script.connect(on_amazon).await.unwrap();
    assert_eq!(*notices.lock().unwrap(), [Notice::InfrequentAccess]);
    let elsewhere = S3Options {
        endpoint_url: Some("http://s3.example".into()),
        ..options("bkt")
    };
    let (elsewhere, notices) = noting(elsewhere);
    script.connect(elsewhere).await.unwrap();
    assert_eq!(*notices.lock().unwrap(), []);
}

#[tokio::test]
async fn a_request_sent_elsewhere_for_now_is_repeated() {
    let mut redirects = 1;
    let script = Script::new(move |seen| match seen.method.as_str() {
        "PUT" if redirects > 0 => {
            redirects -= 1;
            Answer::error(307, "TemporaryRedirect", "Please re-send this request")
        }
        _ => Answer::ok(),
    });
    let patient = S3Options {
        attempts: 2,
        ..options("bkt")
    };
    let store = script.connect(patient).await.unwrap();
    store.put("x", "x".into(), ObjectKind::Other).await.unwrap();
    assert_eq!(script.verbs(), ["HEAD", "PUT", "PUT"]);
}
