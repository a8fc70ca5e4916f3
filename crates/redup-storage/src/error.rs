//! What a store answers when it cannot do what it was asked.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

/// A cause of any type, kept below our own errors.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// The result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

/// The sort of a failure: what a caller decides by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The object, or the bucket or folder that should hold it, does not exist.
    NotFound,
    /// The store knows us and does not let us.
    PermissionDenied,
    /// The target is full, or a quota is.
    NoSpace,
    /// No connection, a broken one, or a server that cannot serve at the moment.
    Unreachable,
    /// The store asks for fewer requests.
    Throttled,
    /// Keys are missing, wrong or expired.
    Credentials,
    /// No answer in time.
    Timeout,
    /// What arrived is not what was sent or promised: a short body, a failed checksum.
    Corrupt,
    /// The request does not fit what is stored: a range behind the end of an object, parts that
    /// do not add up to the stated length.
    Mismatch,
    /// The store has acknowledged an upload, and what it has of it is of another length.
    WrongLength {
        /// Bytes that were sent.
        sent: u64,
        /// Bytes that the store has; `None` where it does not have the object.
        found: Option<u64>,
    },
    /// The store cannot do this, or refuses what it was asked for.
    Unsupported,
    /// Anything else.
    Other,
}

impl ErrorKind {
    /// Whether the same request may well succeed a moment later.
    pub fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Throttled | Self::Timeout | Self::Corrupt
        )
    }

    fn words(self) -> &'static str {
        match self {
            Self::NotFound => "does not exist",
            Self::PermissionDenied => "permission denied",
            Self::NoSpace => "no space left at the target",
            Self::Unreachable => "the store cannot be reached",
            Self::Throttled => "the store asks to slow down",
            Self::Credentials => "the store does not accept the credentials",
            Self::Timeout => "no answer in time",
            Self::Corrupt => "data damaged or cut short on the way",
            Self::Mismatch => "not what was expected",
            Self::WrongLength { .. } => "the store has another length than was sent",
            Self::Unsupported => "not supported by the store",
            Self::Other => "failed",
        }
    }
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// Opening the store.
    Connect,
    /// [`Storage::list`](crate::Storage::list)
    List,
    /// [`Storage::head`](crate::Storage::head)
    Head,
    /// [`Storage::thaw`](crate::Storage::thaw)
    Thaw,
    /// [`Storage::read`](crate::Storage::read)
    Get,
    /// [`Storage::put`](crate::Storage::put)
    Put,
    /// [`Storage::begin_upload`](crate::Storage::begin_upload)
    BeginUpload,
    /// [`Upload::put_part`](crate::Upload::put_part)
    PutPart,
    /// [`Upload::complete`](crate::Upload::complete)
    Complete,
    /// [`Upload::abort`](crate::Upload::abort)
    Abort,
    /// [`Storage::delete`](crate::Storage::delete)
    Delete,
    /// [`Storage::list_unfinished`](crate::Storage::list_unfinished)
    ListUnfinished,
    /// [`Storage::discard_unfinished`](crate::Storage::discard_unfinished)
    DiscardUnfinished,
}

impl Op {
    /// The operation as one word: the method's name.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::List => "list",
            Self::Head => "head",
            Self::Thaw => "thaw",
            Self::Get => "get",
            Self::Put => "put",
            Self::BeginUpload => "begin_upload",
            Self::PutPart => "put_part",
            Self::Complete => "complete",
            Self::Abort => "abort",
            Self::Delete => "delete",
            Self::ListUnfinished => "list_unfinished",
            Self::DiscardUnfinished => "discard_unfinished",
        }
    }

    /// Whether data is stored by it.
    pub fn is_upload(self) -> bool {
        matches!(
            self,
            Self::Put | Self::BeginUpload | Self::PutPart | Self::Complete
        )
    }

    fn phrase(self) -> &'static str {
        match self {
            Self::Connect => "open",
            Self::List => "list",
            Self::Head => "look up",
            Self::Thaw => "thaw",
            Self::Get => "read",
            Self::Put => "write",
            Self::BeginUpload => "begin the upload of",
            Self::PutPart => "upload a part of",
            Self::Complete => "complete the upload of",
            Self::Abort => "abort the upload of",
            Self::Delete => "delete",
            Self::ListUnfinished => "list unfinished uploads of",
            Self::DiscardUnfinished => "discard an unfinished upload of",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())
    }
}

/// A store operation that failed.
///
/// `Display` names the operation, the object and the failure in one lower-case line, with the
/// number of tries where there were several; the cause is kept as
/// [`source`](StdError::source). No secret is ever part of it.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    op: Op,
    object: String,
    detail: Option<String>,
    hint: Option<String>,
    retry_after: Option<Duration>,
    tries: Option<(u32, Duration)>,
    source: Option<BoxError>,
}

impl Error {
    /// A failure of `op` on `object`, which is a name for messages: location and object name.
    pub fn new(kind: ErrorKind, op: Op, object: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            op,
            object: object.into(),
            detail: None,
            hint: None,
            retry_after: None,
            tries: None,
            source: None,
        }))
    }

    /// A failure that the operating system reported; the kind follows from its code.
    pub fn from_io(op: Op, object: impl Into<String>, error: io::Error) -> Self {
        Self::new(kind_of_io(&error), op, object).with_source(error)
    }

    /// Says what failed in place of the kind's general words.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds something that the user can type or check.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Notes how long the store asked us to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Notes how often and for how long the operation was tried.
    #[must_use]
    pub fn with_tries(mut self, tries: u32, elapsed: Duration) -> Self {
        self.0.tries = Some((tries, elapsed));
        self
    }

    /// The sort of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was being done.
    pub fn op(&self) -> Op {
        self.0.op
    }

    /// What it was done to: location and object name.
    pub fn object(&self) -> &str {
        &self.0.object
    }

    /// Something that the user can type or check.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// How long the store asked us to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How often the operation was tried, when it was tried under a retry policy.
    pub fn tries(&self) -> Option<u32> {
        self.0.tries.map(|(tries, _)| tries)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            kind,
            op,
            object,
            detail,
            tries,
            ..
        } = &*self.0;
        let detail = detail.as_deref().unwrap_or_else(|| kind.words());
        write!(f, "cannot {} {object}: {detail}", op.phrase())?;
        match tries {
            Some((tries, elapsed)) if *tries > 1 => {
                write!(f, " ({tries} tries in {:.1} s)", elapsed.as_secs_f64())
            }
            _ => Ok(()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

fn kind_of_io(error: &io::Error) -> ErrorKind {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::NotFound => ErrorKind::NotFound,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => ErrorKind::PermissionDenied,
        Io::StorageFull | Io::QuotaExceeded => ErrorKind::NoSpace,
        Io::TimedOut => ErrorKind::Timeout,
        Io::UnexpectedEof => ErrorKind::Corrupt,
        Io::Unsupported => ErrorKind::Unsupported,
        Io::ConnectionRefused
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::NotConnected
        | Io::BrokenPipe
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::NetworkDown
        | Io::StaleNetworkFileHandle => ErrorKind::Unreachable,
        _ => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(error: &Error, expected: Expect) {
        expected.assert_eq(&error.to_string());
    }

    #[test]
    fn an_error_names_operation_object_and_failure() {
        check(
            &Error::new(ErrorKind::NotFound, Op::Get, "file:///b/x"),
            expect!["cannot read file:///b/x: does not exist"],
        );
        check(
            &Error::new(ErrorKind::Other, Op::Put, "s3://b/x").with_detail("InternalError"),
            expect!["cannot write s3://b/x: InternalError"],
        );
    }

    #[test]
    fn several_tries_are_told_and_a_single_one_is_not() {
        let error = || Error::new(ErrorKind::Timeout, Op::List, "s3://b");
        check(
            &error().with_tries(5, Duration::from_millis(12_340)),
            expect!["cannot list s3://b: no answer in time (5 tries in 12.3 s)"],
        );
        check(
            &error().with_tries(1, Duration::from_secs(9)),
            expect!["cannot list s3://b: no answer in time"],
        );
    }

    #[test]
    fn system_errors_become_kinds() {
        let kind = |code| Error::from_io(Op::Put, "x", io::Error::from_raw_os_error(code)).kind();
        assert_eq!(kind(2), ErrorKind::NotFound);
        assert_eq!(kind(13), ErrorKind::PermissionDenied);
        assert_eq!(kind(1), ErrorKind::PermissionDenied);
        assert_eq!(kind(30), ErrorKind::PermissionDenied);
        assert_eq!(kind(28), ErrorKind::NoSpace);
        assert_eq!(kind(122), ErrorKind::NoSpace);
        assert_eq!(kind(5), ErrorKind::Other);
    }

    #[test]
    fn the_cause_is_the_source_and_not_part_of_the_text() {
        let error = Error::from_io(Op::Put, "x", io::Error::other("deep cause"));
        assert!(!error.to_string().contains("deep cause"));
        assert_eq!(error.source().unwrap().to_string(), "deep cause");
    }
}
