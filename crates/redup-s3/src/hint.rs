//! What the user can type or check after a failure.

use redup_storage::{ErrorKind, Op};

use crate::error::{Failure, Place, Trouble};
use crate::options::Encryption;

/// A hint for the failure, where there is something to do about it.
pub(crate) fn hint(failure: &Failure, op: Op, place: &Place) -> Option<String> {
    match failure.trouble() {
        Trouble::None => hint_on_answer(failure, op, place),
        trouble => hint_on_trouble(trouble, failure, place),
    }
}

fn hint_on_answer(failure: &Failure, op: Op, place: &Place) -> Option<String> {
    let Place { bucket, .. } = place;
    let hint = match failure.code.as_deref().unwrap_or_default() {
        "InvalidAccessKeyId" | "NotSignedUp" => {
            "the server does not know the access key: check AWS_ACCESS_KEY_ID or the profile".into()
        }
        "SignatureDoesNotMatch" => match place.on_amazon {
            true => "check AWS_SECRET_ACCESS_KEY or the profile".into(),
            false => "check AWS_SECRET_ACCESS_KEY or the profile, and --s3-region-name".into(),
        },
        "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken" => {
            "the temporary credentials have expired or do not fit: renew AWS_SESSION_TOKEN and its keys"
                .into()
        }
        "AuthorizationHeaderMalformed" => match &failure.bucket_region {
            Some(region) => format!("the server expects --s3-region-name {region}"),
            None => format!(
                "the server expects another region than {}: name it with --s3-region-name",
                place.region
            ),
        },
        "RequestTimeTooSkewed" => {
            "this machine's clock and the server's are more than 15 minutes apart: `date -u` shows \
             this one's; set it, or let a time service do so"
                .into()
        }
        "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException" => {
            elsewhere_hint(place)
        }
        "KMS.NotFoundException" | "KMS.DisabledException" | "KMSNotConfigured" => KMS.into(),
        "AccessControlListNotSupported" => {
            "the bucket takes no grants: leave out --s3-kms-grant, which is one".into()
        }
        "NotImplemented" | "InternalError" if encrypts(op, place) => encryption_hint(place),
        "InvalidRequest" | "InvalidArgument" if encrypts(op, place) && place.class.is_none() => {
            encryption_hint(place)
        }
        "InvalidBucketName" => format!(
            "{bucket:?} is taken as the bucket; if it is a server, name it with --s3-endpoint-url"
        ),
        "InvalidObjectState" => {
            "the object is in an archive storage class: --s3-restore-tier Standard gets it out of there"
                .into()
        }
        "GlacierExpeditedRetrievalNotAvailable" | "InvalidArgument" if op == Op::Thaw => {
            "not every class has every tier: try --s3-restore-tier Standard".into()
        }
        "InvalidStorageClass" => class_hint(place),
        "InvalidArgument" | "NotImplemented" if place.class.is_some() && op.is_upload() => {
            class_hint(place)
        }
        _ if failure.means_missing_bucket(op) => {
            "check the bucket's name and the server; buckets are never created".into()
        }
        _ if failure.kind() == ErrorKind::PermissionDenied => permission_hint(op, place),
        _ if failure.status == Some(301) => elsewhere_hint(place),
        _ if failure.kind() == ErrorKind::Throttled => {
            "the server is busy: try later, or with fewer requests at once \
             (--s3-multipart-max-procs)"
                .into()
        }
        _ if matches!(failure.status, Some(500..=599)) => {
            "the trouble is at the server: try later, and tell its operator the request id".into()
        }
        _ => return None,
    };
    Some(hint)
}

fn elsewhere_hint(place: &Place) -> String {
    format!(
        "the bucket is in another region than {}: name it with --s3-region-name",
        place.region
    )
}

const KMS: &str = "check --s3-kms-key-id, and that the server has a key management service; \
                   --s3-use-server-side-encryption needs none";

/// Whether this stores something that the server is asked to encrypt.
fn encrypts(op: Op, place: &Place) -> bool {
    op.is_upload() && place.encryption != Encryption::BucketDefault
}

fn encryption_hint(place: &Place) -> String {
    match place.with_kms() {
        true => KMS.into(),
        false => "the server may not be set up to encrypt: leave out \
                  --s3-use-server-side-encryption, or ask its operator"
            .into(),
    }
}

fn class_hint(place: &Place) -> String {
    let class = place.class.as_deref().unwrap_or("asked for");
    format!(
        "the server does not have the storage class {class}: name one that it has, such as \
         --s3-storage-class STANDARD"
    )
}

fn permission_hint(op: Op, place: &Place) -> String {
    let Place { bucket, prefix, .. } = place;
    let permission = match op {
        Op::Connect | Op::List => return format!("s3:ListBucket is needed on the bucket {bucket}"),
        Op::ListUnfinished => {
            return format!("s3:ListBucketMultipartUploads is needed on the bucket {bucket}");
        }
        Op::Head | Op::Get => "s3:GetObject",
        Op::Thaw => "s3:RestoreObject",
        Op::Delete => "s3:DeleteObject",
        Op::Abort | Op::DiscardUnfinished => "s3:AbortMultipartUpload",
        _ => "s3:PutObject",
    };
    let kms = match (place.with_kms(), op.is_upload()) {
        (true, true) => ", and kms:GenerateDataKey and kms:Decrypt on the key",
        (true, false) if permission == "s3:GetObject" => ", and kms:Decrypt on the key",
        _ => "",
    };
    format!("{permission} is needed on {bucket}/{prefix}*{kms}")
}

fn hint_on_trouble(trouble: Trouble, failure: &Failure, place: &Place) -> Option<String> {
    let hint = match trouble {
        Trouble::NoCredentials => credentials_hint(failure).into(),
        Trouble::Address => {
            "a server's URL is like https://host or http://host:9000: check --s3-endpoint-url, and \
             AWS_ENDPOINT_URL"
                .into()
        }
        Trouble::NoRoute if place.on_amazon && !place.dual_stack => format!(
            "a host without IPv4 needs the dual-stack endpoint: leave out --s3-endpoint-url and \
             --s3-no-dualstack, or use https://s3.dualstack.{}.amazonaws.com",
            place.region
        ),
        Trouble::NoRoute => "check this machine's network and the server's address".into(),
        Trouble::UnknownHost if cause_has(failure, "Temporary failure") => {
            "name service does not answer: check this machine's network and /etc/resolv.conf".into()
        }
        Trouble::UnknownHost => match place.endpoint {
            Some(_) => {
                "check the host name in --s3-endpoint-url or AWS_ENDPOINT_URL, and name service".into()
            }
            None => "check --s3-region-name, and name service".into(),
        },
        Trouble::Refused => "check that the server is running, and the port".into(),
        Trouble::Tls if cause_has(failure, "certificate expired") => {
            "the server's certificate has expired, if this machine's clock is right (`date -u`): its \
             operator has to renew it"
                .into()
        }
        Trouble::Tls if cause_has(failure, "not valid yet") => {
            "the server's certificate is of the future: check this machine's clock (`date -u`)".into()
        }
        Trouble::Tls if cause_has(failure, "not valid for name") => {
            "the server's certificate is for another name: use that one in --s3-endpoint-url".into()
        }
        Trouble::Tls if cause_has(failure, "InvalidContentType") => {
            "the server seems to speak plain HTTP: use http:// in --s3-endpoint-url, or \
             --s3-unencrypted-connection where the server is in the target's URL"
                .into()
        }
        Trouble::Tls => {
            "if the server's certificate is of an authority of your own, name its certificate \
             with --ssl-cacert-file or AWS_CA_BUNDLE"
                .into()
        }
        Trouble::Connection if cause_has(failure, "tunnel") => {
            "the proxy that HTTPS_PROXY names does not lead there: check it, or name the server's \
             host in NO_PROXY"
                .into()
        }
        Trouble::Garbled if failure.status == Some(400) && speaks_plainly(place) => {
            "if the server speaks HTTPS, use https:// in --s3-endpoint-url".into()
        }
        Trouble::Timeout => {
            "check that the server answers others; --timeout sets how long to wait".into()
        }
        _ => return None,
    };
    Some(hint)
}

/// What to do about the place where credentials were looked for, or about there being none.
fn credentials_hint(failure: &Failure) -> &'static str {
    let hints = [
        (
            "SSO token",
            "log in again with `aws sso login`, for the profile in use",
        ),
        (
            "external process",
            "run the profile's credential_process by hand: it has to print credentials as JSON",
        ),
        (
            "ProfileFile provider",
            "check the profile in ~/.aws/config and ~/.aws/credentials",
        ),
        (
            "could not find source profile",
            "check AWS_PROFILE, and the profiles in ~/.aws/config and ~/.aws/credentials",
        ),
        (
            "status from HTTP credential provider",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI or AWS_CONTAINER_CREDENTIALS_RELATIVE_URI names a \
             service that gives none: check the role of this container or pod",
        ),
        (
            "auth token could not be used",
            "the file of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, or AWS_CONTAINER_AUTHORIZATION_TOKEN, \
             has to be the token and nothing else, not even the end of a line",
        ),
        (
            "not refer to an allowed IP address",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI has to be https://, or the address of this host or of \
             the services of ECS and EKS",
        ),
    ];
    let hint = hints.iter().find(|(words, _)| cause_has(failure, words));
    hint.map_or(
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with AWS_PROFILE",
        |(_, hint)| hint,
    )
}

fn speaks_plainly(place: &Place) -> bool {
    let url = place.endpoint.as_deref().unwrap_or_default();
    url.starts_with("http://")
}

/// Whether the causes have these words, where there is nothing better to tell them by.
fn cause_has(failure: &Failure, words: &str) -> bool {
    failure
        .cause_text()
        .is_some_and(|text| text.contains(words))
}
