//! URLs of the S3 family, which three generations of duplicity read in three ways.

use std::fmt;

use super::percent_decoded;

/// A URL of the S3 family: `s3`, `boto3+s3`, `boto+s3`, `s3+http` (which never meant plain HTTP) and `gs`.
///
/// It is read as bucket and prefix, as duplicity 3 does. For `s3://` and `boto+s3://` the first
/// part is a host instead when it has a port or is a name of Amazon's S3; when it has a dot and
/// something follows, only a look at the store can tell, and [`alternative`](Self::alternative)
/// holds the second reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Url {
    shown: String,
    scheme: String,
    location: S3Location,
    alternative: Option<S3Location>,
}

/// A folder in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The server, as `host` or `host:port`, when the URL names one. It is used with path-style
    /// addresses and over TLS unless the user says otherwise.
    pub host: Option<String>,
    /// The bucket. Not checked against any store's rules for names.
    pub bucket: String,
    /// What every key begins with: empty, or ending in `/`.
    pub prefix: String,
}

impl S3Url {
    /// What to try first.
    pub fn location(&self) -> &S3Location {
        &self.location
    }

    /// What the URL means in case the bucket of [`location`](Self::location) does not exist:
    /// old scripts name a server there (`s3://minio.example/bucket/prefix`).
    pub fn alternative(&self) -> Option<&S3Location> {
        self.alternative.as_ref()
    }

    /// The scheme in lower case, such as `boto3+s3`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Reads what follows `scheme:`, without query and fragment.
    pub(super) fn parse(scheme: &str, rest: &[u8], shown: String) -> Result<Self, &'static str> {
        let rest = rest.strip_prefix(b"//").ok_or("S3 URLs begin with s3://")?;
        let path = String::from_utf8(percent_decoded(rest))
            .map_err(|_| "a bucket and its keys are UTF-8")?;
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let first = parts.next().ok_or("S3 requires a bucket name")?;
        if first.contains('@') {
            return Err(
                "an S3 URL cannot carry keys; give them as AWS_ACCESS_KEY_ID and \
                        AWS_SECRET_ACCESS_KEY",
            );
        }
        let rest: Vec<&str> = parts.collect();
        // `s3:///bucket` leaves no room for a host.
        let may_be_host = matches!(scheme, "s3" | "boto+s3") && !path.starts_with('/');
        let as_bucket = S3Location::new(None, first, &rest);
        let as_host = match rest.split_first() {
            Some((bucket, rest)) if may_be_host => Some(S3Location::new(Some(first), bucket, rest)),
            _ => None,
        };
        let (location, alternative) = if may_be_host && is_certainly_host(first) {
            (as_host.ok_or("S3 requires a bucket name")?, None)
        } else if scheme == "gs" {
            (
                S3Location {
                    host: Some(GOOGLE_HOST.into()),
                    ..as_bucket
                },
                None,
            )
        } else {
            (as_bucket, as_host.filter(|_| first.contains('.')))
        };
        Ok(Self {
            shown,
            scheme: scheme.into(),
            location,
            alternative,
        })
    }
}

/// Google's server for programs that speak S3.
const GOOGLE_HOST: &str = "storage.googleapis.com";

impl S3Location {
    fn new(host: Option<&str>, bucket: &str, folders: &[&str]) -> Self {
        let prefix = folders.iter().flat_map(|folder| [folder, "/"]).collect();
        Self {
            host: host.map(Into::into),
            bucket: bucket.into(),
            prefix,
        }
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl fmt::Display for S3Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// A port, or one of Amazon's own names: no bucket is called that.
fn is_certainly_host(first: &str) -> bool {
    first.contains(':') || is_amazon_host(first)
}

/// `s3.amazonaws.com`, `s3.REGION…`, `s3-REGION…`, `s3.dualstack.REGION…`, also in China.
fn is_amazon_host(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(".cn").unwrap_or(&host);
    let Some(name) = host.strip_suffix(".amazonaws.com") else {
        return false;
    };
    if name == "s3" {
        return true;
    }
    let region = name
        .strip_prefix("s3.")
        .or_else(|| name.strip_prefix("s3-"));
    region.is_some_and(|region| {
        let region = region.strip_prefix("dualstack.").unwrap_or(region);
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !region.is_empty() && region.chars().all(allowed)
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::TargetUrl;

    /// `host | bucket | prefix`, and the alternative behind ` or `.
    fn reading(url: &str) -> String {
        let s3 = match TargetUrl::parse(url) {
            Ok(TargetUrl::S3(s3)) => s3,
            Ok(other) => return format!("{other:?}"),
            Err(error) => return error.to_string(),
        };
        let show = |at: &super::S3Location| {
            format!(
                "{} | {} | {}",
                at.host.as_deref().unwrap_or("-"),
                at.bucket,
                at.prefix
            )
        };
        let alternative = s3.alternative().map(|at| format!(" or {}", show(at)));
        show(s3.location()) + &alternative.unwrap_or_default()
    }

    #[track_caller]
    fn check(url: &str, expected: Expect) {
        expected.assert_eq(&reading(url));
    }

    #[test]
    fn bucket_and_prefix_are_folded() {
        check("s3://bucket", expect!["- | bucket | "]);
        check("s3://bucket/", expect!["- | bucket | "]);
        check("s3:///bucket/p", expect!["- | bucket | p/"]);
        check("s3:////bucket//a///b/", expect!["- | bucket | a/b/"]);
        check(
            "boto3+s3://bucket/path/to/backups",
            expect!["- | bucket | path/to/backups/"],
        );
        check("boto3+s3:///bucket/p", expect!["- | bucket | p/"]);
        check("s3+http://bucket/p", expect!["- | bucket | p/"]);
        check("S3://bucket/a%20b+c/é", expect!["- | bucket | a b+c/é/"]);
        check("s3://bucket/a?versionId=1", expect!["- | bucket | a/"]);
    }

    #[test]
    fn hosts_are_recognised_by_port_and_by_amazons_names() {
        check("s3://host:9000/b/p/q", expect!["host:9000 | b | p/q/"]);
        check("boto+s3://localhost:1/b", expect!["localhost:1 | b | "]);
        check("s3://[::1]:9000/b/p", expect!["[::1]:9000 | b | p/"]);
        check(
            "s3://s3.amazonaws.com/b/p",
            expect!["s3.amazonaws.com | b | p/"],
        );
        check(
            "s3://s3.eu-west-1.amazonaws.com/b",
            expect!["s3.eu-west-1.amazonaws.com | b | "],
        );
        check(
            "s3://s3-us-west-2.amazonaws.com/b",
            expect!["s3-us-west-2.amazonaws.com | b | "],
        );
        check(
            "s3://s3.dualstack.us-east-1.amazonaws.com/b",
            expect!["s3.dualstack.us-east-1.amazonaws.com | b | "],
        );
        check(
            "s3://s3.cn-north-1.amazonaws.com.cn/b",
            expect!["s3.cn-north-1.amazonaws.com.cn | b | "],
        );
        check(
            "gs://bucket/p",
            expect!["storage.googleapis.com | bucket | p/"],
        );
    }

    #[test]
    fn a_dotted_first_part_has_two_readings_when_something_follows() {
        check(
            "s3://minio.example/bucket/p",
            expect!["- | minio.example | bucket/p/ or minio.example | bucket | p/"],
        );
        check("s3://my.dotted.bucket", expect!["- | my.dotted.bucket | "]);
        check(
            "s3:///my.dotted.bucket/p",
            expect!["- | my.dotted.bucket | p/"],
        );
        check(
            "boto3+s3://minio.example/b/p",
            expect!["- | minio.example | b/p/"],
        );
        check(
            "s3+http://minio.example/b/p",
            expect!["- | minio.example | b/p/"],
        );
    }

    #[test]
    fn what_names_no_bucket_is_refused() {
        check("s3://", expect!["S3 requires a bucket name: s3://"]);
        check("s3:///", expect!["S3 requires a bucket name: s3:///"]);
        check(
            "s3://host:9000",
            expect!["S3 requires a bucket name: s3://host:9000"],
        );
        check("s3:bucket", expect!["S3 URLs begin with s3://: s3:bucket"]);
        check(
            "s3://b/%ff",
            expect!["a bucket and its keys are UTF-8: s3://b/%ff"],
        );
    }

    #[test]
    fn keys_in_the_url_are_refused_and_not_shown() {
        let text = reading("s3://AKIA:topsecret@bucket/p");
        assert!(
            text.contains("AWS_ACCESS_KEY_ID") && !text.contains("topsecret"),
            "{text}"
        );
    }
}
