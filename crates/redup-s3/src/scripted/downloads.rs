//! Listings and ranges, and servers that answer something else than was asked for.

use bytes::Bytes;
use redup_storage::{ErrorKind, Storage, StorageExt as _};

use crate::testing::{Answer, Script, Seen, options, url};
use crate::{S3Options, checksum};

fn object(key: &&str) -> String {
    format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>")
}

fn page(keys: &[&str], token: Option<&str>) -> Answer {
    let more = token.map_or(String::new(), |token| {
        format!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
        )
    });
    let objects: String = keys.iter().map(object).collect();
    Answer::Status(
        200,
        &[],
        format!("<ListBucketResult>{more}{objects}</ListBucketResult>"),
    )
}

fn listing(mut react: impl FnMut(&Seen) -> Answer + Send + 'static) -> Script {
    Script::new(move |seen| match seen.verb().as_str() {
        "GET list-type" => react(seen),
        _ => Answer::ok(),
    })
}

async fn names(script: &Script) -> Vec<String> {
    let store = script.connect(options("bkt")).await.unwrap();
    store
        .list()
        .await
        .unwrap()
        .into_iter()
        .map(|object| object.name)
        .collect()
}

#[tokio::test]
async fn pages_are_followed_to_the_last() {
    let script = listing(|seen| match seen.uri.contains("continuation-token=two") {
        true => page(&["p/c"], None),
        false => page(&["p/b", "p/a"], Some("two")),
    });
    assert_eq!(names(&script).await, ["b", "a", "c"]);
    assert!(
        script.seen()[1].uri.contains("prefix=p%2F"),
        "{}",
        script.seen()[1].uri
    );
}

/// The keys behind the marker, two a page, as a server has them that knows the first form alone.
fn first_form(seen: &Seen) -> Answer {
    const KEYS: [&str; 5] = ["p/a", "p/b", "p/c", "p/d", "p/e"];
    let marker = seen
        .uri
        .split('&')
        .find_map(|it| it.strip_prefix("marker="));
    let marker = marker.unwrap_or_default().replace("%2F", "/");
    let left: Vec<_> = KEYS.into_iter().filter(|key| **key > *marker).collect();
    let truncated = left.len() > 2;
    let objects: String = left.iter().take(2).map(object).collect();
    let body = format!(
        "<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{objects}</ListBucketResult>"
    );
    Answer::Status(200, &[], body)
}

#[tokio::test]
async fn a_server_that_knows_the_first_form_of_listing_alone_is_listed_whole() {
    let ignoring = Script::new(|seen| match seen.method.as_str() {
        "GET" => first_form(seen),
        _ => Answer::ok(),
    });
    assert_eq!(names(&ignoring).await, ["a", "b", "c", "d", "e"]);
    assert_eq!(
        ignoring.verbs(),
        ["HEAD", "GET list-type", "GET", "GET"],
        "no page twice"
    );
    let refusing = Script::new(|seen| match seen.verb().as_str() {
        "GET" => first_form(seen),
        "GET list-type" => Answer::error(501, "NotImplemented", "list-type"),
        _ => Answer::ok(),
    });
    assert_eq!(names(&refusing).await, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn a_token_that_leads_in_circles_is_not_followed() {
    let script = Script::new(|seen| match seen.verb().as_str() {
        "GET list-type" => page(&["p/a", "p/b"], Some("same")),
        "GET" => first_form(seen),
        _ => Answer::ok(),
    });
    assert_eq!(names(&script).await, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn tokens_that_lead_in_wide_circles_are_not_followed() {
    let mut count = 0;
    let script = Script::new(move |seen| match seen.verb().as_str() {
        "GET list-type" => {
            count += 1;
            let token = format!("token{count}");
            match count % 3 {
                1 => page(&["p/a", "p/b"], Some(&token)),
                2 => page(&[], Some(&token)),
                _ => page(&["p/c"], Some(&token)),
            }
        }
        "GET" => first_form(seen),
        _ => Answer::ok(),
    });
    assert_eq!(names(&script).await, ["a", "b", "c", "d", "e"]);
    assert!(script.seen().len() < 10);
}

#[tokio::test]
async fn pages_without_keys_and_pages_out_of_order_are_followed() {
    let mut count = 0;
    let script = listing(move |_| {
        count += 1;
        match count {
            1 => page(&["p/d"], Some("b")),
            2 => page(&[], Some("c")),
            3 => page(&[], Some("d")),
            4 => page(&["p/a", "p/c"], Some("e")),
            _ => page(&["p/b"], None),
        }
    });
    assert_eq!(names(&script).await, ["d", "a", "c", "b"]);
}

#[tokio::test]
async fn a_listing_that_does_not_end_is_an_error_and_not_a_short_listing() {
    let script = Script::new(|seen| match seen.method.as_str() {
        "GET" => {
            let truncated = "<IsTruncated>true</IsTruncated>";
            let objects = object(&"p/a");
            let body = format!("<ListBucketResult>{truncated}{objects}</ListBucketResult>");
            Answer::Status(200, &[], body)
        }
        _ => Answer::ok(),
    });
    let store = script.connect(options("bkt")).await.unwrap();
    let error = store.list().await.unwrap_err();
    assert!(
        error.to_string().ends_with("the listing does not end"),
        "{error}"
    );
}

#[tokio::test]
async fn keys_that_xml_cannot_hold_are_asked_for_in_another_spelling() {
    let script = listing(|seen| match seen.uri.contains("encoding-type=url") {
        false => page(&["a b/c", "a b/\u{1}"], None),
        true => {
            let objects: String = ["a+b%2Fc", "a+b%2F%01", "a%20b/d"]
                .iter()
                .map(object)
                .collect();
            let encoding = "<EncodingType>url</EncodingType>";
            let body = format!("<ListBucketResult>{encoding}{objects}</ListBucketResult>");
            Answer::Status(200, &[], body)
        }
    });
    let store = script
        .connect(S3Options {
            url: url("s3://bkt/a b"),
            ..options("bkt")
        })
        .await
        .unwrap();
    let names: Vec<_> = store.list().await.unwrap();
    let names: Vec<_> = names.iter().map(|object| &*object.name).collect();
    assert_eq!(names, ["c", "d"]);
}

#[tokio::test]
async fn markers_and_keys_of_other_folders_are_left_out() {
    let script = listing(|_| {
        page(
            &["p/", "p/a/b", "q/c", "p/d", "p/..", "p/.redup-tmp-1"],
            None,
        )
    });
    assert_eq!(names(&script).await, ["d"]);
}

/// What reading bytes 2 to 6 of an object comes to.
async fn reading(
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> Result<String, ErrorKind> {
    let script = Script::new(move |seen| match seen.method.as_str() {
        "GET" => Answer::Status(status, headers, body.into()),
        _ => Answer::ok(),
    });
    let store = script.connect(options("bkt")).await.unwrap();
    let data = store.get("x", 2..6).await.map_err(|error| error.kind())?;
    assert_eq!(script.seen()[1].header("range"), Some("bytes=2-5"));
    Ok(String::from_utf8_lossy(&data).into_owned())
}

#[tokio::test]
async fn a_range_is_exactly_what_was_asked_for_or_an_error() {
    const RIGHT: &[(&str, &str)] = &[("content-range", "bytes 2-5/10")];
    assert_eq!(reading(206, RIGHT, "cdef").await, Ok("cdef".into()));
    assert_eq!(reading(206, RIGHT, "cde").await, Err(ErrorKind::Corrupt));
    assert_eq!(reading(206, RIGHT, "cdefg").await, Err(ErrorKind::Corrupt));
    const OTHER: &[(&str, &str)] = &[("content-range", "bytes 0-3/10")];
    assert_eq!(reading(206, OTHER, "abcd").await, Err(ErrorKind::Corrupt));
    const NONSENSE: &[(&str, &str)] = &[("content-range", "lines 1-2")];
    assert_eq!(
        reading(206, NONSENSE, "abcd").await,
        Err(ErrorKind::Corrupt)
    );
}

/// Amazon tells none with a range; others tell that of the whole object, of which a range is a part.
#[tokio::test]
async fn a_checksum_of_the_whole_object_does_not_spoil_a_range_of_it() {
    let whole: &'static str = checksum::crc32(b"abcdefghij").leak();
    let script = Script::new(move |seen| match seen.method.as_str() {
        "GET" => Answer::Status(
            206,
            vec![
                ("content-range", "bytes 2-5/10"),
                ("x-amz-checksum-crc32", whole),
                ("etag", "\"0123\""),
            ]
            .leak(),
            "cdef".into(),
        ),
        _ => Answer::ok(),
    });
    let elsewhere = S3Options {
        endpoint_url: Some("http://s3.example".into()),
        ..options("bkt")
    };
    let store = script.connect(elsewhere).await.unwrap();
    assert_eq!(store.get("x", 2..6).await.unwrap(), &b"cdef"[..]);
}

/// Some refuse the question, and others answer it about something else.
#[tokio::test]
async fn a_range_is_not_asked_for_with_checksums() {
    const RANGE: &[(&str, &str)] = &[("content-range", "bytes 2-5/10")];
    let script = Script::new(|seen| match seen.method.as_str() {
        "GET" => Answer::Status(206, RANGE, "cdef".into()),
        _ => Answer::ok(),
    });
    let store = script.connect(options("bkt")).await.unwrap();
    store.get("x", 2..6).await.unwrap();
    assert_eq!(script.seen()[1].header("x-amz-checksum-mode"), None);
}

/// The pieces in which a range is handed on that arrives in these.
async fn handed_on(arriving: Vec<Bytes>) -> (Vec<Bytes>, redup_storage::Result<()>) {
    const LEN: u64 = 2 << 20;
    let script = Script::new(move |seen| match seen.method.as_str() {
        "GET" => Answer::Pieces(
            206,
            &[("content-range", "bytes 0-2097151/4194304")],
            arriving.clone(),
        ),
        _ => Answer::ok(),
    });
    let store = script.connect(options("bkt")).await.unwrap();
    let mut reading = store.read("x", 0..LEN).await.unwrap();
    let mut pieces = Vec::new();
    loop {
        match reading.next().await {
            Ok(Some(piece)) => pieces.push(piece),
            Ok(None) => return (pieces, Ok(())),
            Err(error) => return (pieces, Err(error)),
        }
    }
}

/// Lengths in KiB, with bytes that tell where they belong.
fn arriving(kibibytes: &[usize]) -> Vec<Bytes> {
    let mut at = 0..;
    let piece = |&len: &usize| {
        at.by_ref()
            .take(len << 10)
            .map(|at: usize| (at % 251) as u8)
            .collect()
    };
    kibibytes.iter().map(piece).collect()
}

#[tokio::test]
async fn full_blocks_are_handed_on_as_they_are_and_shorter_ones_are_gathered() {
    let arriving = arriving(&[16, 408, 16, 16, 408, 600, 100, 100, 100, 100, 100, 84]);
    let (pieces, end) = handed_on(arriving.clone()).await;
    end.unwrap();
    assert_eq!(pieces.concat(), arriving.concat());
    let lengths: Vec<_> = pieces.iter().map(|piece| piece.len() >> 10).collect();
    assert_eq!(lengths, [16, 408, 32, 408, 600, 512, 72]);
    let same = |piece: &&Bytes| arriving.iter().any(|it| it.as_ptr() == piece.as_ptr());
    let uncopied = pieces.iter().filter(same).map(|piece| piece.len() >> 10);
    assert_eq!(uncopied.collect::<Vec<_>>(), [408, 408, 600]);
}

#[tokio::test]
async fn what_came_before_a_body_ends_early_is_handed_on_before_the_error() {
    for (lengths, expected) in [
        (&[100, 100][..], &[200][..]),
        (&[408, 16, 408], &[408, 16, 408]),
        (&[], &[]),
    ] {
        let arriving = arriving(lengths);
        let (pieces, end) = handed_on(arriving.clone()).await;
        assert_eq!(end.unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(pieces.concat(), arriving.concat());
        let lengths: Vec<_> = pieces.iter().map(|piece| piece.len() >> 10).collect();
        assert_eq!(lengths, expected);
    }
}

#[tokio::test]
async fn an_object_that_is_too_short_is_told_apart_from_a_short_answer() {
    const SHORT: &[(&str, &str)] = &[("content-range", "bytes 2-3/4")];
    assert_eq!(reading(206, SHORT, "cd").await, Err(ErrorKind::Mismatch));
    assert_eq!(reading(416, &[], "").await, Err(ErrorKind::Mismatch));
}

#[tokio::test]
async fn a_server_that_ignores_ranges_is_not_misread() {
    const WHOLE: &[(&str, &str)] = &[("content-length", "10")];
    assert_eq!(
        reading(200, WHOLE, "abcdefghij").await,
        Err(ErrorKind::Unsupported)
    );
}

#[tokio::test]
async fn head_does_without_checksums_where_they_are_refused() {
    for status in [400, 403, 405, 501] {
        let script = Script::new(move |seen| match seen.header("x-amz-checksum-mode") {
            Some(_) => Answer::Status(status, &[], String::new()),
            None => Answer::Status(200, &[("content-length", "7")], String::new()),
        });
        let store = script.connect(options("bkt")).await.unwrap();
        assert_eq!(store.head("x").await.unwrap().len, 7, "{status}");
    }
}

#[tokio::test]
async fn a_refusal_to_head_that_gives_no_reason_is_asked_about_by_listing() {
    let answering = |listing: fn() -> Answer| {
        Script::new(move |seen| match seen.verb().as_str() {
            "HEAD" if seen.uri.ends_with("/p/x") => Answer::Status(400, &[], String::new()),
            "GET list-type" => listing(),
            _ => Answer::ok(),
        })
    };
    let head = async |listing| {
        let script = answering(listing);
        let store = script.connect(options("bkt")).await.unwrap();
        store.head("x").await.map_err(|error| error.kind())
    };
    let expired = || Answer::error(400, "ExpiredToken", "The provided token has expired.");
    assert_eq!(head(expired).await, Err(ErrorKind::Credentials));
    assert_eq!(head(|| page(&["p/x"], None)).await.unwrap().len, 1);
    let missing = head(|| page(&["p/xy"], None)).await;
    assert_eq!(missing, Err(ErrorKind::NotFound));
}
