//! What went wrong, told apart by what the caller and the user can do about it.

use std::error::Error as StdError;
use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use redup_storage::{Error, ErrorKind, Op};

use crate::gauge::retry_after;
use crate::hint::hint;
use crate::options::Encryption;
use crate::trouble::{Cause, one_line};
pub(crate) use crate::trouble::{Trouble, trouble};

/// A failed request, reduced to what matters.
#[derive(Debug, Default)]
pub(crate) struct Failure {
    /// The HTTP status, if there was an answer.
    pub(crate) status: Option<u16>,
    /// The protocol's code, such as `NoSuchKey`; answers to HEAD have none.
    pub(crate) code: Option<String>,
    /// What the server says about it.
    pub(crate) message: Option<String>,
    /// What the server's operator can find the request by.
    pub(crate) request_id: Option<String>,
    /// Where the bucket is, which Amazon adds to every answer, and others to one that refuses the region.
    pub(crate) bucket_region: Option<String>,
    retry_after: Option<Duration>,
    trouble: Trouble,
    cause: Option<Cause>,
}

/// Where a request went: what messages and hints are made of.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// The server's URL, where it is not the SDK's choice.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
    pub(crate) on_amazon: bool,
    pub(crate) dual_stack: bool,
    /// What the server is asked to encrypt with.
    pub(crate) encryption: Encryption,
    /// The storage class of volumes, where one is named.
    pub(crate) class: Option<String>,
}

impl Place {
    /// Whether a key of a key management service is asked for.
    pub(crate) fn with_kms(&self) -> bool {
        matches!(self.encryption, Encryption::Kms { .. })
    }

    /// The target in words, without a slash at its end.
    pub(crate) fn location(&self) -> String {
        let prefix = self.prefix.trim_end_matches('/');
        match prefix.is_empty() {
            true => format!("s3://{}", self.bucket),
            false => format!("s3://{}/{prefix}", self.bucket),
        }
    }

    /// An object in words; the target itself for the empty name.
    pub(crate) fn object(&self, name: &str) -> String {
        match name.is_empty() {
            true => self.location(),
            false => format!("{}/{name}", self.location()),
        }
    }
}

impl Failure {
    /// An answer of this status, code and message.
    pub(crate) fn answered(status: u16, code: &str, message: &str) -> Self {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Self {
            status: Some(status),
            code: text(code),
            message: text(message),
            ..Self::default()
        }
    }

    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let mut failure = Self::default();
        if let Some(answer) = error.raw_response() {
            let header = |name| answer.headers().get(name).map(ToOwned::to_owned);
            failure.status = Some(answer.status().as_u16());
            failure.request_id = header("x-amz-request-id");
            failure.bucket_region = header("x-amz-bucket-region");
            failure.retry_after = header("retry-after").as_deref().and_then(retry_after);
        }
        let success = failure.status.is_some_and(|status| status < 300);
        match error {
            // What the server sent in place of an answer cannot be read.
            SdkError::ServiceError(service) if success && service.err().code().is_none() => {
                failure.trouble = Trouble::Garbled;
                failure.cause = Some(Cause::of(error));
            }
            SdkError::ServiceError(service) => {
                let told = |text: &str| Some(one_line(text)).filter(|text| !text.is_empty());
                failure.code = service.err().code().and_then(told);
                failure.message = service.err().message().and_then(told);
                if failure.code.as_deref() == Some("AuthorizationHeaderMalformed") {
                    let body = service.raw().body().bytes().unwrap_or_default();
                    let region = expected_region(&String::from_utf8_lossy(body));
                    failure.bucket_region = failure.bucket_region.or(region);
                }
            }
            SdkError::ResponseError(_) => {
                failure.trouble = Trouble::Garbled;
                failure.cause = Some(Cause::of(error));
            }
            SdkError::TimeoutError(_) => failure.trouble = Trouble::Timeout,
            SdkError::ConstructionFailure(_) => {
                failure.trouble = Trouble::Request;
                failure.cause = Some(Cause::of(error));
            }
            _ => {
                let timeout = matches!(error, SdkError::DispatchFailure(it) if it.is_timeout());
                failure.trouble = if timeout {
                    Trouble::Timeout
                } else {
                    trouble(error)
                };
                failure.cause = Some(Cause::of(error));
            }
        }
        failure
    }

    /// The sort of failure, for whoever decides what to do.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self.trouble {
            Trouble::None => kind_of_answer(self.status, self.code.as_deref()),
            Trouble::NoCredentials => ErrorKind::Credentials,
            Trouble::Timeout => ErrorKind::Timeout,
            Trouble::Tls | Trouble::Address | Trouble::Request => ErrorKind::Other,
            Trouble::Garbled => match self.status {
                Some(status) if status >= 300 => kind_of_answer(Some(status), None),
                _ => ErrorKind::Corrupt,
            },
            Trouble::UnknownHost | Trouble::NoRoute | Trouble::Refused | Trouble::Connection => {
                ErrorKind::Unreachable
            }
        }
    }

    /// What kept the request from an answer.
    pub(crate) fn trouble(&self) -> Trouble {
        self.trouble
    }

    /// The causes in one line, where no answer came.
    pub(crate) fn cause_text(&self) -> Option<&str> {
        self.cause.as_ref().map(Cause::text)
    }

    /// The answer in one line: code, message, status, request id.
    pub(crate) fn answer(&self) -> String {
        let mut text = match (&self.code, &self.message) {
            (Some(code), Some(message)) if code != message => format!("{code}: {message}"),
            (Some(text), _) | (None, Some(text)) => text.clone(),
            (None, None) => String::new(),
        };
        if let Some(status) = self.status {
            let request = self
                .request_id
                .as_ref()
                .map(|id| format!(", request id {id}"));
            let status = format!("status {status}{}", request.unwrap_or_default());
            text = if text.is_empty() {
                status
            } else {
                format!("{text} ({status})")
            };
        }
        text
    }

    /// The failure as the store's error.
    pub(crate) fn into_error(self, op: Op, name: &str, place: &Place) -> Error {
        let kind = self.kind();
        let detail = match self.trouble {
            Trouble::None if self.means_missing_bucket(op) => {
                format!("S3 bucket \"{}\" does not exist", place.bucket)
            }
            Trouble::None if self.code.as_deref() == Some("NoSuchUpload") => {
                "the upload was given up at the server".into()
            }
            Trouble::None if kind == ErrorKind::NotFound && !op.is_upload() => {
                "does not exist".into()
            }
            Trouble::None | Trouble::Garbled => self.answer(),
            Trouble::NoCredentials => "no usable credentials".into(),
            Trouble::Timeout => "no answer in time".into(),
            Trouble::UnknownHost => format!("{}: no such host", server(place)),
            Trouble::NoRoute => format!("{}: no route to the server", server(place)),
            Trouble::Refused => format!("{}: connection refused", server(place)),
            Trouble::Tls => format!("{}: no trusted connection", server(place)),
            Trouble::Connection => format!("{}: connection failed", server(place)),
            Trouble::Address => format!("{} is not the URL of a server", server(place)),
            Trouble::Request => "the request cannot be made".into(),
        };
        let mut error = Error::new(kind, op, place.object(name)).with_detail(detail);
        if let Some(hint) = hint(&self, op, place) {
            error = error.with_hint(hint);
        }
        if let Some(wait) = self.retry_after {
            error = error.with_retry_after(wait);
        }
        match self.cause {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }

    /// Whether the object, or the upload, is not there; a missing bucket is something else.
    pub(crate) fn means_missing_object(&self) -> bool {
        self.kind() == ErrorKind::NotFound && self.code.as_deref() != Some("NoSuchBucket")
    }

    /// Whether the server does not have what was asked for among its requests.
    pub(crate) fn means_unknown_request(&self) -> bool {
        match (self.status, self.code.as_deref()) {
            (Some(405 | 501), _) => true,
            (Some(400), Some(code)) => {
                ["InvalidArgument", "InvalidRequest", "NotImplemented"].contains(&code)
            }
            _ => false,
        }
    }

    /// A 404 means the bucket when it says so, or when nothing but the bucket was asked for.
    pub(crate) fn means_missing_bucket(&self, op: Op) -> bool {
        match self.code.as_deref() {
            Some("NoSuchBucket") => true,
            _ => self.status == Some(404) && matches!(op, Op::Connect | Op::List),
        }
    }
}

/// The region that an answer says it wants: as a field of its own, or in words such as `the region
/// 'us-east-1' is wrong; expecting 'garage'`.
fn expected_region(answer: &str) -> Option<String> {
    let between = |before, after| {
        let (_, rest) = answer.split_once(before)?;
        let (region, _) = rest.split_once(after)?;
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (!region.is_empty() && region.chars().all(valid)).then(|| region.to_owned())
    };
    between("<Region>", "</Region>").or_else(|| between("expecting '", "'"))
}

fn server(place: &Place) -> String {
    match &place.endpoint {
        Some(url) => redup_storage::masked(url),
        None => format!("Amazon S3 in {}", place.region),
    }
}

fn kind_of_answer(status: Option<u16>, code: Option<&str>) -> ErrorKind {
    match (code, status) {
        (Some(code), _) if kind_of_code(code).is_some() => {
            kind_of_code(code).unwrap_or(ErrorKind::Other)
        }
        (_, Some(404)) => ErrorKind::NotFound,
        (_, Some(401)) => ErrorKind::Credentials,
        (_, Some(403)) => ErrorKind::PermissionDenied,
        (_, Some(408)) => ErrorKind::Timeout,
        (_, Some(416)) => ErrorKind::Mismatch,
        (_, Some(429 | 503)) => ErrorKind::Throttled,
        (_, Some(501)) => ErrorKind::Unsupported,
        (_, Some(507)) => ErrorKind::NoSpace,
        (_, Some(500..=599)) => ErrorKind::Unreachable,
        _ => ErrorKind::Other,
    }
}

fn kind_of_code(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "NoSuchBucket" | "NoSuchKey" | "NotFound" | "NoSuchUpload" => ErrorKind::NotFound,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => ErrorKind::PermissionDenied,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "ExpiredToken"
        | "TokenRefreshRequired"
        | "AuthorizationHeaderMalformed"
        | "RequestTimeTooSkewed"
        | "InvalidSecurity"
        | "NotSignedUp" => ErrorKind::Credentials,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequests"
        | "ServiceUnavailable"
        | "Busy" => ErrorKind::Throttled,
        "RequestTimeout" => ErrorKind::Timeout,
        "InternalError" | "OperationAborted" => ErrorKind::Unreachable,
        // The SDK writes what XML there is, so it was well-formed when it left.
        "BadDigest"
        | "IncompleteBody"
        | "MalformedXML"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch" => ErrorKind::Corrupt,
        "InvalidRange" | "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" => {
            ErrorKind::Mismatch
        }
        "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" | "EntityTooLarge" => {
            ErrorKind::NoSpace
        }
        "InvalidStorageClass"
        | "NotImplemented"
        | "InvalidBucketName"
        | "InvalidObjectState"
        | "MethodNotAllowed"
        | "PermanentRedirect"
        | "TemporaryRedirect" => ErrorKind::Unsupported,
        _ => return None,
    })
}
