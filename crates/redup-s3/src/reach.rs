//! The way to the server, each IP family for itself: name, connection, TLS, an answer.
//!
//! Nothing is signed and no credentials are looked for: any answer shows that the way is open.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use redup_storage::{Error, ErrorKind, Op, Result};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::connect;
use crate::endpoint::Endpoint;
use crate::error::Failure;
use crate::http;
use crate::options::S3Options;
use crate::profile;
use crate::retries::retries;
use crate::setup::{self, Setup};

/// How long a connection may take. A network that needs longer is of no use.
const PATIENCE: Duration = Duration::from_secs(5);

/// Addresses of one family that are tried, one after the other.
const MOST_ADDRESSES: usize = 3;

/// How a server is reached.
#[derive(Debug)]
pub struct Reach {
    /// Where requests for the bucket go.
    pub url: String,
    /// The server's name, or its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the environment names a proxy: then only that knows addresses.
    pub through_proxy: bool,
    /// How long name service took.
    pub resolved_in: Duration,
    /// IPv4, then IPv6, unless there is a proxy.
    pub families: Vec<FamilyReach>,
}

/// How a server is reached over one IP family.
#[derive(Debug)]
pub struct FamilyReach {
    /// Whether this is about IPv6.
    pub ipv6: bool,
    /// The server's addresses, none if it has none of this family.
    pub addresses: Vec<IpAddr>,
    /// The time to a connection.
    pub connected_in: Option<Duration>,
    /// The time to the first answer over a new connection, TLS included.
    pub answered_in: Option<Duration>,
    /// Why not.
    pub error: Option<Error>,
}

/// Finds out how the server of a target is reached.
///
/// # Errors
/// When its name cannot be found out or resolved.
pub async fn reach(options: &S3Options) -> Result<Reach> {
    let options = &profile::follow(options.clone()).await;
    let location = options.url.location();
    let http = http::client(options.ca_file.as_deref())?;
    let setup = setup::load(options, &http, location).await;
    let endpoint = Endpoint::settle(options, location.host.as_deref(), &setup.configured);
    let unknown = |error| {
        Error::new(
            ErrorKind::Other,
            Op::Connect,
            format!("s3://{}", location.bucket),
        )
        .with_detail("the server's address cannot be made out")
        .with_source(error)
    };
    let url = request_url(&location.bucket, &setup, &endpoint)
        .await
        .map_err(unknown)?;
    let (host, port) = authority(&url).ok_or_else(|| unknown(url.clone().into()))?;
    let mut found = Reach {
        url: redup_storage::masked(&url),
        host,
        port,
        through_proxy: http::has_proxy(&url),
        resolved_in: Duration::ZERO,
        families: Vec::new(),
    };
    if found.through_proxy {
        return Ok(found);
    }
    let start = Instant::now();
    let addresses: Vec<IpAddr> = match timeout(
        options.timeout,
        tokio::net::lookup_host((found.host.as_str(), port)),
    )
    .await
    {
        Ok(Ok(addresses)) => addresses.map(|address| address.ip()).collect(),
        Ok(Err(error)) => return Err(no_such_host(&found.host, &endpoint, Some(error))),
        Err(_) => return Err(no_such_host(&found.host, &endpoint, None)),
    };
    found.resolved_in = start.elapsed();
    let of = |ipv6| -> Vec<IpAddr> {
        let mut of: Vec<_> = addresses
            .iter()
            .filter(|address| address.is_ipv6() == ipv6)
            .copied()
            .collect();
        of.dedup();
        of
    };
    let ways = (of(false), of(true));
    let (v4, v6) = tokio::join!(
        family(options, &setup, &endpoint, port, false, ways.0),
        family(options, &setup, &endpoint, port, true, ways.1),
    );
    found.families = vec![v4, v6];
    Ok(found)
}

async fn family(
    options: &S3Options,
    setup: &Setup,
    endpoint: &Endpoint,
    port: u16,
    ipv6: bool,
    addresses: Vec<IpAddr>,
) -> FamilyReach {
    let mut found = FamilyReach {
        ipv6,
        addresses,
        connected_in: None,
        answered_in: None,
        error: None,
    };
    for address in found.addresses.iter().take(MOST_ADDRESSES) {
        let address = SocketAddr::new(*address, port);
        let start = Instant::now();
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                found.connected_in = Some(start.elapsed());
                found.error = None;
                break;
            }
            Ok(Err(error)) => found.error = Some(no_connection(address, error)),
            Err(_) => {
                let error = Error::new(ErrorKind::Timeout, Op::Connect, address.to_string());
                found.error = Some(error.with_hint(
                    "the network drops these packets: check routes and firewalls for this family",
                ));
            }
        }
    }
    if found.connected_in.is_some() {
        match answer(options, setup, endpoint, found.addresses.clone()).await {
            Ok(time) => found.answered_in = Some(time),
            Err(error) => found.error = Some(error),
        }
    }
    found
}

/// The time to any answer from one of these addresses.
async fn answer(
    options: &S3Options,
    setup: &Setup,
    endpoint: &Endpoint,
    addresses: Vec<IpAddr>,
) -> Result<Duration> {
    let location = options.url.location();
    let http = http::client_of(options.ca_file.as_deref(), addresses)?;
    let mut config = setup.config.to_builder();
    config.set_credentials_provider(None);
    let config = config.http_client(http).build();
    let bucket = connect::bucket(options, location, &config, endpoint, &setup.region);
    let settings = bucket.client.config().to_builder();
    let settings = settings
        .allow_no_auth()
        .retry_config(retries(1))
        .timeout_config(connect::timeouts(options, PATIENCE * 2));
    let client = Client::from_conf(settings.build());
    let start = Instant::now();
    let answer = client.head_bucket().bucket(&location.bucket).send().await;
    match answer.map_err(|error| Failure::of(&error)) {
        Err(failure) if failure.status.is_none() => {
            Err(failure.into_error(Op::Connect, "", &bucket.place))
        }
        _ => Ok(start.elapsed()),
    }
}

/// The URL that requests for a bucket begin with, as the SDK makes it.
async fn request_url(
    bucket: &str,
    setup: &Setup,
    endpoint: &Endpoint,
) -> std::result::Result<String, redup_storage::BoxError> {
    let params = Params::builder()
        .bucket(bucket)
        .region(&setup.region)
        .use_dual_stack(endpoint.dual_stack)
        .force_path_style(endpoint.path_style)
        .set_endpoint(endpoint.url.clone())
        .build()?;
    let resolver = DefaultResolver::new();
    let url = ResolveEndpoint::resolve_endpoint(&resolver, &params)
        .await?
        .url()
        .to_owned();
    Ok(match (endpoint.plain_http, url.strip_prefix("https://")) {
        (true, Some(rest)) => format!("http://{rest}"),
        _ => url,
    })
}

/// Host and port of a URL.
fn authority(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split(['/', '?', '#']).next()?;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let usual = if scheme.eq_ignore_ascii_case("http") {
        80
    } else {
        443
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let port = port.map_or(Some(usual), |port| port.parse().ok())?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

fn no_connection(address: SocketAddr, error: std::io::Error) -> Error {
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    let hint = match error.kind() {
        ConnectionRefused => "check that the server is running, and the port",
        NetworkUnreachable | HostUnreachable if address.is_ipv6() => {
            "this machine has no way to IPv6 addresses: `ip -6 route` shows its routes"
        }
        NetworkUnreachable | HostUnreachable => {
            "this machine has no way to IPv4 addresses: `ip route` shows its routes"
        }
        _ => "check this machine's network and the server's address",
    };
    Error::from_io(Op::Connect, address.to_string(), error).with_hint(hint)
}

fn no_such_host(host: &str, endpoint: &Endpoint, error: Option<std::io::Error>) -> Error {
    let detail = match error {
        Some(_) => "no such host",
        None => "name service does not answer",
    };
    let what = match endpoint.url {
        Some(_) => "check the host name in --s3-endpoint-url or AWS_ENDPOINT_URL, and name service",
        None => "check --s3-region-name, the bucket's name, and name service",
    };
    let failure = Error::new(ErrorKind::Unreachable, Op::Connect, host)
        .with_detail(detail)
        .with_hint(what);
    match error {
        Some(error) => failure.with_source(error),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_of_urls() {
        let of = |url| authority(url).map(|(host, port)| format!("{host} {port}"));
        for (url, expected) in [
            ("https://s3.example", Some("s3.example 443")),
            ("http://s3.example/bucket", Some("s3.example 80")),
            ("http://user@s3.example:9000/b:1", Some("s3.example 9000")),
            ("https://[::1]:8333/b", Some("::1 8333")),
            ("https://[2001:db8::1]", Some("2001:db8::1 443")),
            ("https://", None),
            ("s3.example", None),
            ("http://a:b", None),
        ] {
            assert_eq!(of(url).as_deref(), expected, "{url}");
        }
    }
}
