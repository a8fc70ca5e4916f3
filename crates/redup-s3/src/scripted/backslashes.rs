//! Backslashes in targets and names, at servers that keep them and at one that does not.

use redup_storage::{ErrorKind, ObjectKind, Storage};

use crate::testing::{Answer, Script, Seen, noting, options, url};
use crate::{Notice, S3Options};

fn target() -> S3Options {
    S3Options {
        url: url(r"s3://bkt/a\b"),
        endpoint_url: Some("http://s3.example".into()),
        ..options("bkt")
    }
}

fn page(key: &str) -> Answer {
    let entry = format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>");
    Answer::Status(
        200,
        &[],
        format!("<ListBucketResult>{entry}</ListBucketResult>"),
    )
}

fn nothing() -> Answer {
    Answer::Status(200, &[], "<ListBucketResult/>".into())
}

fn is_folded(seen: &Seen) -> bool {
    seen.uri.contains("prefix=a%2Fb%2F")
}

/// Asks to see the target's objects, and tells below which prefix that was, and what the user was told.
async fn looked(react: impl FnMut(&Seen) -> Answer + Send + 'static) -> (String, Vec<Notice>) {
    let script = Script::new(react);
    let (options, notices) = noting(target());
    let store = script.connect(options).await.unwrap();
    let notices = notices.lock().unwrap().clone();
    (store.bucket().place.prefix.clone(), notices)
}

#[tokio::test]
async fn a_server_that_folds_them_is_asked_below_what_it_made_of_them_and_the_user_told() {
    let (prefix, notices) = looked(|seen| match &*seen.method {
        "GET" if is_folded(seen) => page("a/b/x"),
        "GET" => nothing(),
        _ => Answer::ok(),
    })
    .await;
    assert_eq!(prefix, "a/b/");
    let told = notices.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = "the server takes a backslash for a slash: using s3://bkt/a/b";
    assert_eq!(told, [expected]);
}

#[tokio::test]
async fn a_server_that_keeps_them_is_asked_as_it_was_named() {
    let kept = looked(|seen| match &*seen.method {
        "GET" => page(r"a\b/x"),
        _ => Answer::ok(),
    });
    assert_eq!(kept.await, (r"a\b/".to_owned(), vec![]));
    let empty = looked(|seen| match &*seen.method {
        "GET" => nothing(),
        _ => Answer::ok(),
    });
    assert_eq!(empty.await, (r"a\b/".to_owned(), vec![]));
    let neighbour = looked(|seen| match &*seen.method {
        "GET" if is_folded(seen) => page("a/b/x"),
        "GET" => nothing(),
        _ if seen.uri.contains("%5C") => Answer::Status(404, &[], String::new()),
        _ => Answer::ok(),
    });
    assert_eq!(neighbour.await, (r"a\b/".to_owned(), vec![]));
}

#[tokio::test]
async fn only_targets_with_one_are_looked_at_and_amazon_is_not() {
    let script = Script::new(|_| Answer::ok());
    let amazon = S3Options {
        url: url(r"s3://bkt/a\b"),
        ..options("bkt")
    };
    script.connect(amazon).await.unwrap();
    let plain = S3Options {
        url: url("s3://bkt/a/b"),
        ..target()
    };
    script.connect(plain).await.unwrap();
    assert_eq!(script.verbs(), ["HEAD", "HEAD"]);
}

#[tokio::test]
async fn a_name_with_one_is_not_stored_where_it_may_land_in_a_folder() {
    let script = Script::new(|_| Answer::ok());
    let plain = S3Options {
        url: url("s3://bkt/p"),
        ..target()
    };
    let store = script.connect(plain).await.unwrap();
    let put = store.put(r"a\m", "m".into(), ObjectKind::Manifest).await;
    let begun = store.begin_upload(r"a\v", ObjectKind::Volume).await;
    for error in [put.unwrap_err(), begun.map(drop).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.hint().unwrap().contains("--file-prefix"), "{error}");
    }
    assert_eq!(script.verbs(), ["HEAD"], "nothing was sent");
    let amazon = script.connect(options("bkt")).await.unwrap();
    let put = amazon.put(r"a\m", "m".into(), ObjectKind::Manifest).await;
    put.unwrap();
}
