//! What the caller can ask for, and what it is told.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redup_storage::S3Url;

use crate::ClassPolicy;

/// Everything that decides how a bucket is reached and used.
///
/// What is left at its default comes from the environment and the shared configuration files the
/// way Amazon's SDKs read them (`AWS_*`, `~/.aws/*`): credentials, region, endpoint URL,
/// dual-stack, checksum settings.
#[derive(Clone)]
pub struct S3Options {
    /// The target.
    pub url: S3Url,
    /// The server, such as `https://minio.example:9000`, in place of Amazon's for the region.
    /// Without a scheme it is taken as HTTPS, or HTTP when [`unencrypted`](Self::unencrypted).
    pub endpoint_url: Option<String>,
    /// The region. Default: the environment's, the profile's, the host's own on EC2, `us-east-1`;
    /// the bucket's own region is found out and followed in any case.
    pub region: Option<String>,
    /// The profile of the shared configuration files.
    pub profile: Option<String>,
    /// Keys to use in place of the environment's.
    pub keys: Option<Keys>,
    /// Whether to use Amazon's dual-stack endpoints. Default: what the environment or profile
    /// says, else yes. Without effect when an endpoint URL is in force.
    pub dual_stack: Option<bool>,
    /// Plain HTTP, unless an endpoint URL states its scheme.
    pub unencrypted: bool,
    /// How the bucket is named. Default: as the profile says, else in the path when an endpoint URL is in force, else in
    /// the host name.
    pub addressing: Option<Addressing>,
    /// A file of PEM certificates to trust besides the system's. Default: the profile's `ca_bundle`;
    /// `AWS_CA_BUNDLE` is for the caller to read, since the SDK does not.
    pub ca_file: Option<PathBuf>,
    /// Storage classes.
    pub classes: ClassPolicy,
    /// How archived objects are thawed when that is asked for.
    pub thaw: Thaw,
    /// Encryption by the server.
    pub encryption: Encryption,
    /// Who is granted full control of each object, as the header `x-amz-grant-full-control` has it.
    pub grant_full_control: Option<String>,
    /// The size of upload parts in bytes; at least 5 MiB, at most 5 GiB. Default: 8 MiB, more
    /// when [`expected_object_size`](Self::expected_object_size) needs it.
    pub part_size: Option<u64>,
    /// The largest object to be expected: an upload has at most 10,000 parts.
    pub expected_object_size: Option<u64>,
    /// How many requests that move data at once, each way. Default: 8 up and 16 down to begin with, 2 where
    /// the server is near, and what is found to be best from there; throughput grows almost linearly up to
    /// 8, and beyond 16 servers begin to refuse.
    pub connections: Option<usize>,
    /// How often a request is tried, within the SDK; the time between doubles from 0.1 s.
    pub attempts: u32,
    /// How long to wait for a connection, and for an answer that needs no data to be moved.
    pub timeout: Duration,
    /// How long a request that moves data may take at most, whatever its size. Default: as long as
    /// bytes move.
    pub part_timeout: Option<Duration>,
    /// What is expected of a line at least, in bytes a second for one connection: sets how long a pause
    /// is not taken for a stall. A slower line will do as long as it moves.
    pub slowest: u64,
    /// Is told what was decided on the way.
    pub notify: Option<NoticeSink>,
}

impl S3Options {
    /// The defaults for a target.
    pub fn new(url: S3Url) -> Self {
        Self {
            url,
            endpoint_url: None,
            region: None,
            profile: None,
            keys: None,
            dual_stack: None,
            unencrypted: false,
            addressing: None,
            ca_file: None,
            classes: ClassPolicy::default(),
            thaw: Thaw::default(),
            encryption: Encryption::default(),
            grant_full_control: None,
            part_size: None,
            expected_object_size: None,
            connections: None,
            attempts: 10,
            timeout: Duration::from_secs(30),
            part_timeout: None,
            slowest: 20_000,
            notify: None,
        }
    }

    /// The size of upload parts, within the protocol's bounds and large enough for 10,000 parts
    /// to hold the largest object expected.
    pub(crate) fn settled_part_size(&self) -> u64 {
        // As fast as 16 MiB with 8 connections (both within 5 % of each other), at half the memory:
        // parts in flight take about twice their size times the connections.
        let wanted = self.part_size.unwrap_or(8 * MIB);
        // A tenth more than expected, since a volume's size is only known when it is cut.
        let expected = self.expected_object_size.unwrap_or(0);
        let needed = (expected / MAX_PARTS + expected / (10 * MAX_PARTS)).next_multiple_of(MIB);
        wanted.max(needed).clamp(LEAST_PART, MOST_PART)
    }

    /// What to say of a size of parts that cannot be had.
    pub(crate) fn part_size_notice(&self) -> Option<Notice> {
        let asked = self.part_size?;
        let used = self.settled_part_size();
        (asked != used).then_some(Notice::PartSizeChanged { asked, used })
    }

    /// How long a request that moves `bytes` may take.
    pub(crate) fn time_for(&self, bytes: u64) -> Duration {
        let moving = Duration::from_secs(bytes / self.slowest.max(1));
        let time = self.timeout.saturating_add(moving);
        match self.part_timeout.filter(|_| bytes > 0) {
            Some(longest) => time.min(longest),
            None => time,
        }
    }

    pub(crate) fn notify(&self, notice: &Notice) {
        if let Some(notify) = &self.notify {
            notify(notice);
        }
    }
}

/// Sizes are told in these.
const MIB: u64 = 1 << 20;

/// The bounds of the protocol for parts.
const LEAST_PART: u64 = 5 * MIB;
const MOST_PART: u64 = 5 << 30;

/// The most parts of one upload.
pub(crate) const MAX_PARTS: u64 = 10_000;

impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("url", &self.url)
            .field("endpoint_url", &self.endpoint_url)
            .field("region", &self.region)
            .field("classes", &self.classes)
            .finish_non_exhaustive()
    }
}

/// An access key and its secret. `Debug` shows the key's name alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The name of the key, which is no secret.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// What temporary keys come with.
    pub session_token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// How a request names its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// `https://server/bucket/key`
    Path,
    /// `https://bucket.server/key`
    VirtualHost,
}

/// How objects leave an archive class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thaw {
    /// How fast, which is a matter of price.
    pub tier: ThawTier,
    /// For how many days the readable copy stays, and is paid for.
    pub days: u32,
}

impl Default for Thaw {
    fn default() -> Self {
        Self {
            tier: ThawTier::Standard,
            days: 7,
        }
    }
}

/// The speeds that Amazon offers. GLACIER takes 5 to 12 hours, 3 to 5 hours, 1 to 5 minutes; DEEP_ARCHIVE
/// 48 hours and 12 hours, and has no expedited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThawTier {
    /// The cheapest.
    Bulk,
    /// The usual one.
    #[default]
    Standard,
    /// The dearest, for objects of less than 250 MB.
    Expedited,
}

/// Encryption at rest, done by the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Encryption {
    /// What the bucket says; Amazon encrypts by default.
    #[default]
    BucketDefault,
    /// With keys that S3 manages (`AES256`).
    S3Managed,
    /// With a key of the key management service.
    Kms {
        /// The key's id or ARN.
        key_id: String,
    },
}

/// Receives [`Notice`]s.
pub type NoticeSink = Arc<dyn Fn(&Notice) + Send + Sync>;

/// Something that was decided or found out, and that a user may want to know.
/// `Display` is a sentence fragment for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The bucket is in another region than asked for; that one is used.
    RegionFollowed {
        /// The bucket.
        bucket: String,
        /// What was tried first.
        from: String,
        /// Where the bucket is.
        to: String,
    },
    /// The URL's first part was read as a server.
    HostInUrl {
        /// The server.
        host: String,
        /// The bucket.
        bucket: String,
    },
    /// Parts have another size than asked for.
    PartSizeChanged {
        /// The size asked for, in bytes.
        asked: u64,
        /// The size in use.
        used: u64,
    },
    /// The server takes a backslash for a slash: what it has is below another prefix than asked for.
    BackslashesFolded {
        /// The target in use.
        target: String,
    },
    /// The server refuses checksums on uploads; they are left out from here on.
    ChecksumsRefused {
        /// What it answered.
        answer: String,
    },
    /// The server refuses to keep checksums of whole objects; those of their parts are sent alone.
    WholeChecksumsRefused {
        /// What it answered.
        answer: String,
    },
    /// The server refuses bodies that are not part of the signature; they are from here on.
    BodiesSigned {
        /// What it answered.
        answer: String,
    },
    /// Objects go to Infrequent Access, since nothing else was asked for.
    InfrequentAccess,
}

impl Notice {
    /// Whether it is nothing but what is to be expected of this server, every time.
    pub fn is_routine(&self) -> bool {
        match self {
            Self::RegionFollowed { .. }
            | Self::HostInUrl { .. }
            | Self::PartSizeChanged { .. }
            | Self::BackslashesFolded { .. } => false,
            Self::ChecksumsRefused { .. }
            | Self::WholeChecksumsRefused { .. }
            | Self::BodiesSigned { .. }
            | Self::InfrequentAccess => true,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegionFollowed { bucket, from, to } => {
                write!(
                    f,
                    "bucket {bucket} is in region {to}, not {from}: using {to}"
                )
            }
            Self::HostInUrl { host, bucket } => write!(
                f,
                "{host} is taken as the S3 server and {bucket} as the bucket; \
                 --s3-endpoint-url says so without guessing"
            ),
            Self::PartSizeChanged { asked, used } => {
                let why = match *used {
                    LEAST_PART => "the least that S3 takes",
                    MOST_PART => "the most that S3 takes",
                    _ => "since a volume has at most 10,000",
                };
                let mib = |bytes: &u64| bytes.div_ceil(MIB);
                let (asked, used) = (mib(asked), mib(used));
                write!(
                    f,
                    "parts of {asked} MiB are asked for, and have {used} MiB: {why}"
                )
            }
            Self::BackslashesFolded { target } => write!(
                f,
                "the server takes a backslash for a slash: using {target}"
            ),
            Self::ChecksumsRefused { answer } => write!(
                f,
                "the server refuses checksums on uploads ({answer}): going on without them; \
                 AWS_REQUEST_CHECKSUM_CALCULATION=when_required does so from the start"
            ),
            Self::WholeChecksumsRefused { answer } => write!(
                f,
                "the server refuses checksums of whole objects ({answer}): going on with those of \
                 their parts"
            ),
            Self::BodiesSigned { answer } => write!(
                f,
                "the server refuses uploads whose bodies are not signed ({answer}): signing them"
            ),
            Self::InfrequentAccess => write!(
                f,
                "objects of 128 KiB and more are stored as STANDARD_IA; \
                 --s3-storage-class chooses another class"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::options;

    #[test]
    fn part_sizes_stay_within_the_protocols_bounds() {
        let size = |part_size, expected| {
            let options = S3Options {
                part_size,
                expected_object_size: expected,
                ..options("b")
            };
            options.settled_part_size()
        };
        assert_eq!(size(None, None), 8 << 20);
        assert_eq!(size(Some(1), None), 5 << 20);
        assert_eq!(size(Some(u64::MAX), None), 5 << 30);
        assert_eq!(size(None, Some(200 << 20)), 8 << 20);
        for expected in [100 << 30, 1 << 40, 48 << 40] {
            let size = size(None, Some(expected));
            assert!(
                size * MAX_PARTS >= expected && size.is_multiple_of(1 << 20),
                "{expected}"
            );
        }
    }

    #[test]
    fn a_part_size_that_cannot_be_had_is_told() {
        let told = |part_size, expected| {
            let options = S3Options {
                part_size,
                expected_object_size: expected,
                ..options("b")
            };
            options.part_size_notice().map(|notice| notice.to_string())
        };
        assert_eq!(told(None, Some(1 << 40)), None);
        assert_eq!(told(Some(5 << 20), Some(200 << 20)), None);
        let least = "parts of 1 MiB are asked for, and have 5 MiB: the least that S3 takes";
        assert_eq!(told(Some(1 << 20), None).as_deref(), Some(least));
        let most = "parts of 6144 MiB are asked for, and have 5120 MiB: the most that S3 takes";
        assert_eq!(told(Some(6 << 30), None).as_deref(), Some(most));
        let many =
            "parts of 8 MiB are asked for, and have 116 MiB: since a volume has at most 10,000";
        assert_eq!(told(Some(8 << 20), Some(1 << 40)).as_deref(), Some(many));
    }

    #[test]
    fn a_request_may_take_the_timeout_and_what_its_bytes_need() {
        let options = |seconds| S3Options {
            timeout: Duration::from_secs(seconds),
            ..options("b")
        };
        assert_eq!(options(5).time_for(0), Duration::from_secs(5));
        assert_eq!(options(5).time_for(8 << 20), Duration::from_secs(424));
        assert_eq!(options(u64::MAX).time_for(8 << 20), Duration::MAX);
        let bounded = S3Options {
            part_timeout: Some(Duration::from_secs(60)),
            ..options(5)
        };
        assert_eq!(bounded.time_for(8 << 20), Duration::from_secs(60));
        assert_eq!(bounded.time_for(0), Duration::from_secs(5));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let keys = Keys {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "topsecret".into(),
            session_token: Some("alsosecret".into()),
        };
        let options = S3Options {
            keys: Some(keys.clone()),
            ..options("b")
        };
        let text = format!("{keys:?} {options:?}");
        assert!(
            text.contains("AKIDEXAMPLE") && !text.contains("secret\""),
            "{text}"
        );
        assert!(
            !text.contains("topsecret") && !text.contains("alsosecret"),
            "{text}"
        );
    }
}
