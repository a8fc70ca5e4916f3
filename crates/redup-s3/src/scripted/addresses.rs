//! Which server is asked, and how the bucket is named.

use crate::testing::{Answer, Script, options, url};
use crate::{Addressing, S3Options};

/// Where the first request goes.
async fn address(options: S3Options) -> String {
    let script = Script::new(|_| Answer::ok());
    script.connect(options).await.unwrap();
    let uri = script.seen()[0].uri.clone();
    uri.trim_end_matches('/').to_owned()
}

fn region(region: &str) -> S3Options {
    S3Options {
        region: Some(region.into()),
        ..options("bkt")
    }
}

fn endpoint(url: &str) -> S3Options {
    S3Options {
        endpoint_url: Some(url.into()),
        ..options("bkt")
    }
}

#[tokio::test]
async fn amazon_is_asked_over_its_dual_stack_names_in_every_partition() {
    for (name, expected) in [
        (
            "us-east-1",
            "https://bkt.s3.dualstack.us-east-1.amazonaws.com",
        ),
        (
            "eu-central-1",
            "https://bkt.s3.dualstack.eu-central-1.amazonaws.com",
        ),
        (
            "aws-global",
            "https://bkt.s3.dualstack.us-east-1.amazonaws.com",
        ),
        (
            "cn-north-1",
            "https://bkt.s3.dualstack.cn-north-1.amazonaws.com.cn",
        ),
        (
            "us-gov-west-1",
            "https://bkt.s3.dualstack.us-gov-west-1.amazonaws.com",
        ),
        (
            "eusc-de-east-1",
            "https://bkt.s3.dualstack.eusc-de-east-1.amazonaws.eu",
        ),
    ] {
        assert_eq!(address(region(name)).await, expected);
    }
}

#[tokio::test]
async fn dual_stack_can_be_turned_off() {
    let single = S3Options {
        dual_stack: Some(false),
        ..region("us-east-1")
    };
    assert_eq!(
        address(single).await,
        "https://bkt.s3.us-east-1.amazonaws.com"
    );
}

#[tokio::test]
async fn bucket_names_that_make_no_host_name_go_into_the_path() {
    let dotted = address(options("my.dotted.bucket")).await;
    assert_eq!(
        dotted,
        "https://s3.dualstack.us-east-1.amazonaws.com/my.dotted.bucket"
    );
    let upper = address(options("UPPER")).await;
    assert_eq!(upper, "https://s3.dualstack.us-east-1.amazonaws.com/UPPER");
    let asked = S3Options {
        addressing: Some(Addressing::Path),
        ..options("bkt")
    };
    assert_eq!(
        address(asked).await,
        "https://s3.dualstack.us-east-1.amazonaws.com/bkt"
    );
}

#[tokio::test]
async fn a_server_given_by_url_is_used_as_given_with_the_bucket_in_the_path() {
    for (given, expected) in [
        ("http://s3.example:9000", "http://s3.example:9000/bkt"),
        ("https://127.0.0.1:9000", "https://127.0.0.1:9000/bkt"),
        ("http://[::1]:9000", "http://[::1]:9000/bkt"),
        ("s3.example", "https://s3.example/bkt"),
        (
            "https://s3.dualstack.us-east-1.amazonaws.com",
            "https://s3.dualstack.us-east-1.amazonaws.com/bkt",
        ),
    ] {
        assert_eq!(address(endpoint(given)).await, expected);
        let with_dual_stack = S3Options {
            dual_stack: Some(true),
            ..endpoint(given)
        };
        assert_eq!(address(with_dual_stack).await, expected, "the URL wins");
    }
    let virtual_host = S3Options {
        addressing: Some(Addressing::VirtualHost),
        ..endpoint("http://s3.example:9000")
    };
    assert_eq!(address(virtual_host).await, "http://bkt.s3.example:9000");
}

#[tokio::test]
async fn unencrypted_keeps_amazons_dual_stack_name() {
    let plain = S3Options {
        unencrypted: true,
        ..options("bkt")
    };
    assert_eq!(
        address(plain).await,
        "http://bkt.s3.dualstack.us-east-1.amazonaws.com"
    );
    let own = S3Options {
        unencrypted: true,
        ..endpoint("s3.example:9000")
    };
    assert_eq!(address(own).await, "http://s3.example:9000/bkt");
}

#[tokio::test]
async fn every_form_of_url_reaches_the_bucket_it_means() {
    let target = |text| S3Options {
        url: url(text),
        ..options("bkt")
    };
    let amazon = "https://bkt.s3.dualstack.us-east-1.amazonaws.com";
    for (text, expected) in [
        ("s3://bkt/p", amazon),
        ("s3:///bkt/p", amazon),
        ("boto3+s3://bkt/p", amazon),
        ("s3+http://bkt/p", amazon),
        (
            "s3://s3.amazonaws.com/bkt/p",
            "https://s3.amazonaws.com/bkt",
        ),
        ("s3://host:9000/bkt/p", "https://host:9000/bkt"),
        ("gs://bkt/p", "https://storage.googleapis.com/bkt"),
    ] {
        assert_eq!(address(target(text)).await, expected, "{text}");
    }
}
