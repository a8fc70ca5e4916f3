//! From options to a bucket that answers.
//!
//! The bucket is asked for before anything else (`HeadBucket`), so that a wrong name, wrong keys or
//! a server that is not there show at once. Amazon's answer also says where the bucket is; a
//! request to the wrong region is repeated once at the right one, which the SDK does not do.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, ConfigBag, IdentityCache, Intercept, Region, RequestChecksumCalculation,
    RuntimeComponents, SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
    interceptors::BeforeTransmitInterceptorContextMut,
};
use aws_sdk_s3::error::BoxError;
use redup_storage::{Buffers, ErrorKind, ObjectKind, Op, Result, S3Location};

use crate::checksum::may_be_about_checksums;
use crate::endpoint::Endpoint;
use crate::error::{Failure, Place};
use crate::gauge::{Gauge, LONGEST_WAIT};
use crate::habit::Habit;
use crate::options::{Notice, S3Options};
use crate::profile;
use crate::renewal::Renewal;
use crate::retries::{Distrust, Redirects, retries};
use crate::setup::{Setup, load, with_ipv6_metadata};
use crate::storage::{Bucket, S3Storage};
use crate::{http, stall};

/// Pieces of downloads whose memory is kept.
const BUFFERS: usize = 128;

/// How often the first request is tried: a server that is not there should be found out in
/// seconds, and a network that is just coming up is given that much.
const FIRST_ATTEMPTS: u32 = 7;

impl S3Storage {
    /// Opens a bucket: settles server, region and credentials, and asks whether it is there.
    ///
    /// Fails with [`NotFound`](ErrorKind::NotFound) when the bucket does not exist; it is never
    /// created. The first part of an `s3://` URL that could be a bucket or a server is tried as a
    /// bucket first.
    pub async fn connect(options: S3Options) -> Result<Self> {
        let options = profile::follow(options).await;
        let http = http::client(options.ca_file.as_deref())?;
        let http = stall::watching(http, &options);
        Self::connect_over(options, http).await
    }

    /// The same over a given HTTP client.
    pub(crate) async fn connect_over(options: S3Options, http: SharedHttpClient) -> Result<Self> {
        let url = options.url.clone();
        let setup = load(&options, &http, url.location()).await;
        let server_named =
            options.endpoint_url.is_some() || setup.configured.endpoint_url.is_some();
        let error = match open(&options, url.location(), setup).await {
            Ok(storage) => return Ok(storage),
            Err(error) => error,
        };
        let refused = matches!(
            error.kind(),
            ErrorKind::NotFound
                | ErrorKind::PermissionDenied
                | ErrorKind::Credentials
                | ErrorKind::Unsupported
        );
        // Where the server is known, the URL's first part is none.
        let Some(alternative) = url.alternative().filter(|_| refused && !server_named) else {
            return Err(error);
        };
        let setup = load(&options, &http, alternative).await;
        match open(&options, alternative, setup).await {
            Ok(storage) => Ok(storage),
            // Nobody there: so it was no server, and the first answer is the one that matters.
            Err(other) if other.kind().is_transient() => Err(error),
            Err(other) if error.kind() == ErrorKind::NotFound => Err(other),
            // Either may be what was meant.
            Err(other) => {
                let host = alternative.host.as_deref().unwrap_or_default();
                let also = format!("as a server, {host} was asked as well: {other}");
                Err(match error.hint().map(ToOwned::to_owned) {
                    Some(hint) => error.with_hint(format!("{hint}; {also}")),
                    None => error.with_hint(also),
                })
            }
        }
    }
}

async fn open(options: &S3Options, location: &S3Location, setup: Setup) -> Result<S3Storage> {
    let Setup {
        config,
        configured,
        region,
    } = setup;
    let endpoint = Endpoint::settle(options, location.host.as_deref(), &configured);
    let bucket = bucket(options, location, &config, &endpoint, &region);
    let mut bucket = match bucket.look().await? {
        Look::There => bucket,
        Look::Elsewhere(actual) => {
            options.notify(&Notice::RegionFollowed {
                bucket: location.bucket.clone(),
                from: region,
                to: actual.clone(),
            });
            let endpoint = endpoint.in_another_region(options, &configured);
            let moved = self::bucket(options, location, &config, &endpoint, &actual);
            match moved.look().await? {
                Look::There => moved,
                Look::Elsewhere(third) => {
                    let message = format!("the server sends us from {actual} to {third}");
                    let failure = Failure::answered(301, "", &message);
                    return Err(failure.into_error(Op::Connect, "", &moved.place));
                }
            }
        }
    };
    bucket.follow_backslashes().await?;
    if let Some(host) = &location.host {
        let bucket = location.bucket.clone();
        options.notify(&Notice::HostInUrl {
            host: host.clone(),
            bucket,
        });
    }
    if bucket.place.on_amazon && options.classes.is_default() {
        options.notify(&Notice::InfrequentAccess);
    }
    Ok(S3Storage::new(bucket))
}

pub(crate) fn bucket(
    options: &S3Options,
    location: &S3Location,
    config: &SdkConfig,
    endpoint: &Endpoint,
    region: &str,
) -> Bucket {
    let when_required = RequestChecksumCalculation::WhenRequired;
    let checksums = config.request_checksum_calculation() != Some(when_required);
    let gauge = Gauge::new(options.connections);
    let class = options
        .classes
        .choose(ObjectKind::Volume, None, endpoint.on_amazon);
    let client = client(options, config, endpoint, region, &gauge);
    Bucket {
        client,
        place: Place {
            bucket: location.bucket.clone(),
            prefix: location.prefix.clone(),
            endpoint: endpoint.url.clone(),
            region: region.to_owned(),
            on_amazon: endpoint.on_amazon,
            dual_stack: endpoint.is_dual_stack(),
            encryption: options.encryption.clone(),
            class: class.map(|class| class.as_str().to_owned()),
        },
        options: options.clone(),
        part_size: options.settled_part_size(),
        gauge,
        buffers: Buffers::new(BUFFERS),
        checksums: Habit::new(
            checksums,
            (!endpoint.on_amazon).then_some(may_be_about_checksums),
        ),
        unsigned_bodies: Habit::new(
            endpoint.is_encrypted(),
            Some(match endpoint.on_amazon {
                true => is_denied,
                false => |failure| is_denied(failure) || may_be_about_checksums(failure),
            }),
        ),
        told_part_size: AtomicBool::new(false),
        no_whole_checksums: AtomicBool::new(false),
    }
}

/// What a bucket's policy does with bodies that are not signed, among others.
fn is_denied(failure: &Failure) -> bool {
    failure.kind() == ErrorKind::PermissionDenied
}

/// The SDK's client with our settings.
pub(crate) fn client(
    options: &S3Options,
    config: &SdkConfig,
    endpoint: &Endpoint,
    region: &str,
    gauge: &Gauge,
) -> Client {
    let stalls = StalledStreamProtectionConfig::enabled()
        // It counts a body handed to the socket's buffer as stalled, and cuts slow uplinks off.
        .upload_enabled(false)
        .grace_period(Duration::from_secs(30))
        .build();
    let mut builder = Builder::from(config)
        .region(Region::new(region.to_owned()))
        .use_dual_stack(endpoint.dual_stack)
        .force_path_style(endpoint.path_style)
        // No wait is longer than this, those that the server asks for included.
        .retry_config(retries(options.attempts).with_max_backoff(LONGEST_WAIT))
        .retry_classifier(Redirects)
        .retry_classifier(Distrust)
        .retry_classifier(gauge.clone())
        // The SDK's own bucket of tokens is shared by the process and can be emptied by one bad
        // minute with many parts in flight, after which nothing would be retried any more.
        .retry_partition(
            RetryPartition::custom("redup-s3")
                .token_bucket(TokenBucket::unlimited())
                .build(),
        )
        .stalled_stream_protection(stalls)
        .timeout_config(timeouts(options, options.timeout));
    builder.set_endpoint_url(endpoint.url.clone());
    if let (None, Some(chain), Some(http)) = (
        &options.keys,
        config.credentials_provider(),
        config.http_client(),
    ) {
        let renewal = Renewal::new(chain, options, config);
        let chain = SharedCredentialsProvider::new(renewal.clone());
        let chain = match endpoint.on_amazon {
            true => with_ipv6_metadata(chain, &http),
            false => chain,
        };
        builder = builder
            .credentials_provider(chain)
            // It keeps them itself.
            .identity_cache(IdentityCache::no_cache())
            .interceptor(renewal.clone())
            .retry_classifier(renewal);
    }
    if endpoint.plain_http {
        builder = builder.interceptor(PlainHttp);
    }
    Client::from_conf(builder.build())
}

/// Timeouts of a request that may take `whole`, from its first byte to the head of its answer; or as
/// long as its bytes move.
pub(crate) fn timeouts(options: &S3Options, whole: impl Into<Option<Duration>>) -> TimeoutConfig {
    let timeouts = TimeoutConfig::builder()
        // Covers name service, TCP and TLS, for both families. One value for all requests: the
        // SDK keeps one pool of connections for each.
        .connect_timeout(options.timeout.min(Duration::from_secs(10)));
    match whole.into() {
        Some(whole) => timeouts.operation_attempt_timeout(whole).build(),
        None => timeouts.disable_operation_attempt_timeout().build(),
    }
}

/// Sends requests over plain HTTP to the server that the SDK chose.
#[derive(Debug)]
struct PlainHttp;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for PlainHttp {
    fn name(&self) -> &'static str {
        "PlainHttp"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let request = context.request_mut();
        if let Some(rest) = request.uri().strip_prefix("https://") {
            let plain = format!("http://{rest}");
            request.set_uri(plain)?;
        }
        Ok(())
    }
}

/// Where a bucket is, as far as a server says.
enum Look {
    There,
    Elsewhere(String),
}

impl Bucket {
    /// Asks for the bucket.
    async fn look(&self) -> Result<Look> {
        let answer = self.client.head_bucket().bucket(&self.place.bucket);
        let answer = answer
            .customize()
            .config_override(self.first_request())
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Look::There);
        };
        let failure = Failure::of(&error);
        if let Some(region) = self.elsewhere(&failure) {
            return Ok(Look::Elsewhere(region));
        }
        match failure.status {
            // An answer to HEAD has no text that would say why, and permission to list below a
            // prefix may exist without permission to ask for the bucket: listing tells.
            Some(400 | 401 | 403 | 405 | 501) => self.look_by_listing().await,
            _ => Err(failure.into_error(Op::Connect, "", &self.place)),
        }
    }

    async fn look_by_listing(&self) -> Result<Look> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.place.bucket)
            .max_keys(1);
        let answer = request
            .set_prefix(Some(self.place.prefix.clone()).filter(|prefix| !prefix.is_empty()))
            .customize()
            .config_override(self.first_request())
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Look::There);
        };
        let failure = Failure::of(&error);
        match self.elsewhere(&failure) {
            Some(region) => Ok(Look::Elsewhere(region)),
            None => Err(failure.into_error(Op::Connect, "", &self.place)),
        }
    }

    fn elsewhere(&self, failure: &Failure) -> Option<String> {
        let redirects = matches!(failure.status, Some(301 | 307 | 400 | 403));
        let region = failure.bucket_region.as_deref().filter(|_| redirects)?;
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let usable = !region.is_empty() && region.len() <= 64 && region.chars().all(valid);
        (usable && region != self.place.region).then(|| region.to_owned())
    }

    fn first_request(&self) -> Builder {
        Builder::new()
            .retry_config(retries(self.options.attempts.min(FIRST_ATTEMPTS)))
            .timeout_config(timeouts(&self.options, self.options.timeout))
    }
}
