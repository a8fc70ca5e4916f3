//! The HTTP client: TLS roots, proxies from the environment, pooled connections.
//!
//! Each new connection tries both IP families, the other one 300 ms after the first (hyper's
//! happy eyeballs), so a family that is broken costs that much a connection and no more.

use std::path::Path;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use redup_storage::{Error, ErrorKind, Op, Result};

/// A client that trusts the system's certificates and those of `ca_file`.
pub(crate) fn client(ca_file: Option<&Path>) -> Result<SharedHttpClient> {
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
            connector.build()
        }),
    )
}

fn tls_context(ca_file: Option<&Path>) -> Result<TlsContext> {
    let Some(path) = ca_file else {
        return Ok(TlsContext::default());
    };
    let name = path.display().to_string();
    let pem = std::fs::read(path).map_err(|error| Error::from_io(Op::Connect, &name, error))?;
    // The TLS library panics on a file without a certificate.
    if !holds_certificate(&pem) {
        return Err(Error::new(ErrorKind::Other, Op::Connect, name)
            .with_detail("no PEM certificate in the file"));
    }
    let trust = TrustStore::default().with_pem_certificate(pem);
    TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| Error::new(ErrorKind::Other, Op::Connect, name).with_source(error))
}

fn holds_certificate(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("-----BEGIN CERTIFICATE-----") && text.contains("-----END CERTIFICATE-----")
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
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "nothing here").unwrap();
        let error = client(Some(&empty)).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("empty.pem: no PEM certificate in the file"),
            "{error}"
        );
    }

    #[test]
    fn the_systems_certificates_alone_will_do() {
        client(None).unwrap();
    }
}
