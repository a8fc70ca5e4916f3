//! What the options, the environment and the configuration files come to: region, credentials, and the
//! server that they name.

use std::time::Duration;

use aws_config::environment::credentials::EnvironmentVariableCredentialsProvider;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::imds;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_sdk_s3::config::{
    Credentials, ProvideCredentials, Region, SharedCredentialsProvider, SharedHttpClient,
};
use aws_types::service_config::ServiceConfigKey;
use redup_storage::S3Location;

use crate::endpoint::Configured;
use crate::options::{Keys, S3Options};

/// boto3's choice, and so duplicity's, when no region is configured.
const DEFAULT_REGION: &str = "us-east-1";

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
pub(crate) fn with_ipv6_metadata(
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
