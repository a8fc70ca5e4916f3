//! Which server is asked, how the bucket is named, and over which IP families.

use crate::options::{Addressing, S3Options};

/// What the environment and the shared configuration files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Configured {
    /// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or a profile's.
    pub(crate) endpoint_url: Option<String>,
    /// `AWS_USE_DUALSTACK_ENDPOINT` or a profile's.
    pub(crate) dual_stack: Option<bool>,
}

/// How requests are addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The server in force, if it is not the SDK's choice for the region.
    pub(crate) url: Option<String>,
    /// Whether the SDK is to choose dual-stack names. Never together with a URL: the SDK refuses.
    pub(crate) dual_stack: bool,
    /// Whether the bucket is named in the path.
    pub(crate) path_style: bool,
    /// Whether to change the SDK's choice to plain HTTP.
    pub(crate) plain_http: bool,
    /// Whether Amazon is at the other end.
    pub(crate) on_amazon: bool,
}

impl Endpoint {
    /// Settles it: the option's URL, else the host of the target's URL, else what is configured,
    /// else Amazon's own for the region.
    pub(crate) fn settle(options: &S3Options, host: Option<&str>, configured: &Configured) -> Self {
        let url = options
            .endpoint_url
            .as_deref()
            .or(host)
            .or(configured.endpoint_url.as_deref());
        let url = url.map(|url| with_scheme(url, options.unencrypted));
        let dual_stack = options.dual_stack.or(configured.dual_stack).unwrap_or(true);
        let path_style = match options.addressing {
            Some(addressing) => addressing == Addressing::Path,
            None => url.is_some(),
        };
        Self {
            dual_stack: dual_stack && url.is_none(),
            path_style,
            plain_http: options.unencrypted && url.is_none(),
            on_amazon: url.as_deref().is_none_or(is_amazon),
            url,
        }
    }

    /// Whether the server's name has addresses of both families, as far as its name says.
    pub(crate) fn is_dual_stack(&self) -> bool {
        self.dual_stack
            || self
                .url
                .as_deref()
                .is_some_and(|url| url.contains(".dualstack."))
    }

    /// Whether requests go over TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        match &self.url {
            Some(url) => is_encrypted(url),
            None => !self.plain_http,
        }
    }

    /// The same for a bucket that turned out to be in another region: Amazon's regional hosts
    /// serve their own region only, so a URL that names one gives way to the SDK's choice.
    pub(crate) fn in_another_region(&self, options: &S3Options, configured: &Configured) -> Self {
        match &self.url {
            Some(url) if self.on_amazon => Self {
                url: None,
                dual_stack: options.dual_stack.or(configured.dual_stack).unwrap_or(true),
                path_style: options.addressing == Some(Addressing::Path),
                plain_http: !is_encrypted(url),
                on_amazon: true,
            },
            _ => self.clone(),
        }
    }
}

fn with_scheme(url: &str, unencrypted: bool) -> String {
    match url.contains("://") {
        true => url.to_owned(),
        false if unencrypted => format!("http://{url}"),
        false => format!("https://{url}"),
    }
}

fn is_encrypted(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

/// Whether a URL's host is one of Amazon's.
fn is_amazon(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches('.');
    let host = host.to_ascii_lowercase();
    [
        ".amazonaws.com",
        ".amazonaws.com.cn",
        ".amazonaws.eu",
        ".api.aws",
    ]
    .iter()
    .any(|domain| host.ends_with(domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::options;

    fn configured(endpoint_url: Option<&str>, dual_stack: Option<bool>) -> Configured {
        Configured {
            endpoint_url: endpoint_url.map(Into::into),
            dual_stack,
        }
    }

    #[test]
    fn dual_stack_is_the_default_and_can_be_turned_off_at_each_place() {
        let dual = |option, config| {
            let options = S3Options {
                dual_stack: option,
                ..options("b")
            };
            Endpoint::settle(&options, None, &configured(None, config)).dual_stack
        };
        assert!(dual(None, None));
        assert!(!dual(None, Some(false)));
        assert!(!dual(Some(false), Some(true)));
        assert!(dual(Some(true), Some(false)));
    }

    #[test]
    fn an_endpoint_url_from_anywhere_turns_dual_stack_off_and_path_style_on() {
        let by_option = S3Options {
            endpoint_url: Some("https://s3.example".into()),
            ..options("b")
        };
        for endpoint in [
            Endpoint::settle(&by_option, None, &configured(None, Some(true))),
            Endpoint::settle(
                &options("b"),
                Some("s3.example"),
                &configured(None, Some(true)),
            ),
            Endpoint::settle(
                &options("b"),
                None,
                &configured(Some("https://s3.example"), Some(true)),
            ),
        ] {
            assert_eq!(endpoint.url.as_deref(), Some("https://s3.example"));
            assert!(!endpoint.dual_stack && endpoint.path_style && !endpoint.on_amazon);
        }
    }

    #[test]
    fn the_option_goes_before_the_url_and_the_url_before_the_configuration() {
        let by_option = S3Options {
            endpoint_url: Some("http://option".into()),
            ..options("b")
        };
        let configured = configured(Some("http://configured"), None);
        let url =
            |options: &S3Options, host| Endpoint::settle(options, host, &configured).url.unwrap();
        assert_eq!(url(&by_option, Some("host:1")), "http://option");
        assert_eq!(url(&options("b"), Some("host:1")), "https://host:1");
        assert_eq!(url(&options("b"), None), "http://configured");
    }

    #[test]
    fn unencrypted_fills_in_a_scheme_and_never_overrides_one() {
        let settle = |url: Option<&str>, host| {
            let options = S3Options {
                unencrypted: true,
                endpoint_url: url.map(Into::into),
                ..options("b")
            };
            let endpoint = Endpoint::settle(&options, host, &Configured::default());
            (endpoint.url, endpoint.plain_http)
        };
        assert_eq!(
            settle(Some("https://a"), None),
            (Some("https://a".into()), false)
        );
        assert_eq!(
            settle(Some("a:9000"), None),
            (Some("http://a:9000".into()), false)
        );
        assert_eq!(
            settle(None, Some("a:9000")),
            (Some("http://a:9000".into()), false)
        );
        assert_eq!(settle(None, None), (None, true));
    }

    #[test]
    fn what_goes_over_tls_is_told_from_what_does_not() {
        let encrypted = |url: Option<&str>, unencrypted| {
            let options = S3Options {
                unencrypted,
                endpoint_url: url.map(Into::into),
                ..options("b")
            };
            Endpoint::settle(&options, None, &Configured::default()).is_encrypted()
        };
        for url in [None, Some("https://a"), Some("HTTPS://a"), Some("a:9000")] {
            assert!(encrypted(url, false), "{url:?}");
        }
        for url in [Some("http://a"), Some("HTTP://a")] {
            assert!(!encrypted(url, false), "{url:?}");
        }
        assert!(!encrypted(None, true) && !encrypted(Some("a:9000"), true));
        assert!(encrypted(Some("https://a"), true));
    }

    #[test]
    fn amazons_hosts_are_told_from_others() {
        for url in [
            "https://s3.dualstack.us-east-1.amazonaws.com",
            "https://S3.AMAZONAWS.COM:443/",
            "http://s3.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(is_amazon(url), "{url}");
        }
        for url in [
            "https://amazonaws.com.example",
            "https://example/s3.amazonaws.com",
            "https://s3.amazonaws.com@evil.example/",
            "https://notamazonaws.com",
        ] {
            assert!(!is_amazon(url), "{url}");
        }
    }

    #[test]
    fn a_regional_url_gives_way_when_the_bucket_is_elsewhere_and_other_servers_stay() {
        let configured = Configured::default();
        let amazon = S3Options {
            endpoint_url: Some("https://s3.dualstack.us-east-1.amazonaws.com".into()),
            ..options("b")
        };
        let first = Endpoint::settle(&amazon, None, &configured);
        assert!(first.on_amazon && first.path_style && !first.dual_stack);
        let moved = first.in_another_region(&amazon, &configured);
        assert!(moved.url.is_none() && moved.dual_stack && !moved.path_style);

        let other = S3Options {
            endpoint_url: Some("https://garage.example".into()),
            ..options("b")
        };
        let first = Endpoint::settle(&other, None, &configured);
        assert_eq!(first.in_another_region(&other, &configured), first);
    }
}
