//! The HTTP client: TLS roots, proxies from the environment, pooled connections.
//!
//! Each new connection tries both IP families, the other one 300 ms after the first (hyper's
//! happy eyeballs), so a family that is broken costs that much a connection and no more. A family
//! that this machine has no way to is not tried at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use hyper_util::client::proxy::matcher::Matcher;
use redup_storage::{Error, ErrorKind, Op, Result};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A client that trusts the system's certificates and those of `ca_file`.
pub(crate) fn client(ca_file: Option<&Path>) -> Result<SharedHttpClient> {
    client_over(ca_file, None)
}

/// The same, which takes every host to have these addresses and no others.
pub(crate) fn client_of(
    ca_file: Option<&Path>,
    addresses: Vec<IpAddr>,
) -> Result<SharedHttpClient> {
    client_over(ca_file, Some(Known(addresses.into())))
}

/// Whether the environment names a proxy for requests to `url`: the rules are those of the client.
pub(crate) fn has_proxy(url: &str) -> bool {
    let url = url.parse::<http::Uri>();
    url.is_ok_and(|url| Matcher::from_env().intercept(&url).is_some())
}

/// Addresses that are known without asking.
#[derive(Debug, Clone)]
struct Known(Arc<[IpAddr]>);

impl ResolveDns for Known {
    fn resolve_dns<'a>(&'a self, _name: &'a str) -> DnsFuture<'a> {
        DnsFuture::ready(Ok(self.0.to_vec()))
    }
}

/// Name service, without the addresses that this machine has no route to.
#[derive(Debug, Clone)]
struct Reachable;

impl ResolveDns for Reachable {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await;
            let found = found.map_err(ResolveDnsError::new)?;
            Ok(reachable(found.map(|address| address.ip()).collect()))
        })
    }
}

/// The addresses there is a route to; all of them where there is none, whose failure tells why.
fn reachable(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let reachable: Vec<_> = addresses
        .iter()
        .copied()
        .filter(|address| has_route(*address))
        .collect();
    match reachable.is_empty() {
        true => addresses,
        false => reachable,
    }
}

/// Whether the system knows a way there. Nothing is sent.
fn has_route(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0)).is_ok_and(|socket| socket.connect((address, 443)).is_ok())
}

fn client_over(ca_file: Option<&Path>, known: Option<Known>) -> Result<SharedHttpClient> {
    let tls = tls_context(ca_file)?;
    // A client that is given a TLS context ignores the proxy variables unless told.
    let proxy = ProxyConfig::from_env();
    Ok(
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(tls.clone())
                .proxy_config(proxy.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            match &known {
                Some(known) => connector.build_with_resolver(known.clone()),
                None => connector.build_with_resolver(Reachable),
            }
        }),
    )
}

fn tls_context(ca_file: Option<&Path>) -> Result<TlsContext> {
    let Some(path) = ca_file else {
        return Ok(TlsContext::default());
    };
    let name = path.display().to_string();
    let pem = std::fs::read(path).map_err(|error| Error::from_io(Op::Connect, &name, error))?;
    // The client panics on a file that is not what it expects.
    check_certificates(&pem)
        .map_err(|fault| Error::new(ErrorKind::Other, Op::Connect, &name).with_detail(fault))?;
    let trust = TrustStore::default().with_pem_certificate(pem);
    TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| Error::new(ErrorKind::Other, Op::Connect, name).with_source(error))
}

/// Whether every certificate of a PEM file can be used, and there is one.
fn check_certificates(pem: &[u8]) -> std::result::Result<(), &'static str> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| "not a file of PEM certificates")?;
        roots
            .add(certificate)
            .map_err(|_| "a certificate in the file cannot be used")?;
    }
    match roots.is_empty() {
        true => Err("no PEM certificate in the file"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_empty_certificate_file_is_named() {
        let error = client(Some(Path::new("/nonexistent/ca.pem"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("/nonexistent/ca.pem"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        for (content, expected) in [
            ("nothing here", "no PEM certificate in the file"),
            (
                "-----BEGIN CERTIFICATE-----\n!!\n",
                "not a file of PEM certificates",
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "a certificate in the file cannot be used",
            ),
        ] {
            std::fs::write(&file, content).unwrap();
            let error = client(Some(&file)).unwrap_err().to_string();
            assert!(error.ends_with(expected), "{error}");
        }
    }

    #[test]
    fn the_systems_certificates_alone_will_do() {
        client(None).unwrap();
    }
}
