//! From options to a bucket that answers: configuration, credentials, region.
//!
//! The bucket is asked for before anything else (`HeadBucket`), so that a wrong name, wrong keys or
//! a server that is not there show at once. Amazon's answer also says where the bucket is; a
//! request to the wrong region is repeated once at the right one, which the SDK does not do.

use std::time::Duration;

use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::imds;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, ConfigBag, Credentials, IdentityCache, Intercept, ProvideCredentials, Region,
    RequestChecksumCalculation, RuntimeComponents, SharedCredentialsProvider, SharedHttpClient,
    StalledStreamProtectionConfig, interceptors::BeforeTransmitInterceptorContextMut,
};
use aws_sdk_s3::error::BoxError;
use aws_types::service_config::ServiceConfigKey;
use redup_storage::{Buffers, ErrorKind, ObjectKind, Op, Result, S3Location};

use crate::checksum::Checksums;
use crate::endpoint::{Configured, Endpoint};
use crate::error::{Failure, Place};
use crate::gauge::{Gauge, LONGEST_WAIT};
use crate::options::{Keys, Notice, S3Options};
use crate::profile;
use crate::renewal::Renewal;
use crate::retries::{Distrust, Redirects, retries};
use crate::storage::{Bucket, S3Storage};
use crate::{http, stall};

/// Ranges on their way at once, and those that are being read.
const BUFFERS: usize = 20;

/// boto3's choice, and so duplicity's, when no region is configured.
const DEFAULT_REGION: &str = "us-east-1";

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
        let error = match open(&options, &http, url.location()).await {
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
        let Some(alternative) = url.alternative().filter(|_| refused) else {
            return Err(error);
        };
        if options.endpoint_url.is_some() {
            return Err(error);
        }
        match open(&options, &http, alternative).await {
            Ok(storage) => Ok(storage),
            // Nobody there: so it was no server, and the first answer is the one that matters.
            Err(other) if other.kind().is_transient() => Err(error),
            Err(other) => Err(other),
        }
    }
}

async fn open(
    options: &S3Options,
    http: &SharedHttpClient,
    location: &S3Location,
) -> Result<S3Storage> {
    let Setup {
        config,
        configured,
        region,
    } = load(options, http, location).await;
    let endpoint = Endpoint::settle(options, location.host.as_deref(), &configured);
    let bucket = bucket(options, location, &config, &endpoint, &region);
    let bucket = match bucket.look().await? {
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

/// What the options, the environment and the configuration files come to.
pub(crate) struct Setup {
    pub(crate) config: SdkConfig,
    pub(crate) configured: Configured,
    pub(crate) region: String,
}

pub(crate) async fn load(
    options: &S3Options,
    http: &SharedHttpClient,
    location: &S3Location,
) -> Setup {
    let region = region(options, http, location).await;
    let loader = || loader(options, http, &region);
    let config = loader().load().await;
    let configured = Configured {
        endpoint_url: endpoint_url(&config, "S3"),
        dual_stack: config.use_dual_stack(),
    };
    // STS and SSO have dual-stack names of their own and take the setting from the loader alone;
    // with an endpoint URL in force they would refuse it, as S3 does.
    let dual_stack = options.dual_stack.or(configured.dual_stack).unwrap_or(true);
    let named = ["STS", "SSO", "SSO OIDC"].map(|service| endpoint_url(&config, service));
    let config = match dual_stack && named.iter().all(Option::is_none) {
        true => loader().use_dual_stack(true).load().await,
        false => config,
    };
    Setup {
        config,
        configured,
        region: region.to_string(),
    }
}

fn loader(options: &S3Options, http: &SharedHttpClient, region: &Region) -> ConfigLoader {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .region(region.clone());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    match &options.keys {
        Some(keys) => loader.credentials_provider(credentials(keys)),
        None => loader,
    }
}

/// The places where credentials may be, each to be looked at anew.
pub(crate) async fn credentials_chain(
    options: &S3Options,
    config: &SdkConfig,
) -> Option<SharedCredentialsProvider> {
    let (http, region) = (config.http_client()?, config.region()?.clone());
    let mut loader = loader(options, &http, &region);
    if config.use_dual_stack() == Some(true) {
        loader = loader.use_dual_stack(true);
    }
    loader.load().await.credentials_provider()
}

fn credentials(keys: &Keys) -> Credentials {
    let Keys {
        access_key_id,
        secret_access_key,
        session_token,
    } = keys.clone();
    Credentials::new(
        access_key_id,
        secret_access_key,
        session_token,
        None,
        "redup",
    )
}

/// The URL configured for a service of Amazon's, or for all.
fn endpoint_url(config: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let service = config
        .service_config()
        .and_then(|service| service.load_config(key));
    service.or_else(|| config.endpoint_url().map(Into::into))
}

async fn region(options: &S3Options, http: &SharedHttpClient, location: &S3Location) -> Region {
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &options.profile {
        profile = profile.profile_name(name);
    }
    let mut chain = RegionProviderChain::first_try(options.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build());
    // Asking a host for its own region makes sense on EC2 alone, and waits elsewhere.
    let server_named = options.endpoint_url.is_some() || location.host.is_some();
    if !server_named && options.keys.is_none() && !environment_has_keys().await {
        let client = imds_client(http).build();
        chain = chain.or_else(
            imds::region::ImdsRegionProvider::builder()
                .imds_client(client)
                .build(),
        );
    }
    chain
        .region()
        .await
        .unwrap_or_else(|| Region::new(DEFAULT_REGION))
}

async fn environment_has_keys() -> bool {
    EnvironmentVariableCredentialsProvider::new()
        .provide_credentials()
        .await
        .is_ok()
}

/// One quick question to the host's metadata service, not the SDK's four slow ones.
fn imds_client(http: &SharedHttpClient) -> imds::client::Builder {
    let config = ProviderConfig::without_region().with_http_client(http.clone());
    imds::Client::builder()
        .configure(&config)
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(1))
        .max_attempts(1)
}

/// The SDK's own chain, and after it the metadata service's IPv6 address, which the SDK asks only
/// when configured to: a host without IPv4 has no other.
fn with_ipv6_metadata(
    chain: SharedCredentialsProvider,
    http: &SharedHttpClient,
) -> SharedCredentialsProvider {
    let client = imds_client(http)
        .endpoint_mode(imds::client::EndpointMode::IpV6)
        .build();
    let ipv6 = imds::credentials::ImdsCredentialsProvider::builder()
        .imds_client(client)
        .build();
    let chain = CredentialsProviderChain::first_try("Default", chain).or_else("Ec2OverIpv6", ipv6);
    SharedCredentialsProvider::new(chain)
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
        checksums: Checksums::new(checksums, !endpoint.on_amazon),
    }
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
