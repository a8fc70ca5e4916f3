//! What a profile of the shared configuration files says that the SDK leaves to its user, and boto3
//! does not: the certificates to trust, and how buckets are named.

use std::path::PathBuf;

use aws_config::profile;
use aws_types::os_shim_internal::{Env, Fs};

use crate::options::{Addressing, S3Options};

/// The settings of a profile that are for us to follow.
#[derive(Debug, Default, PartialEq, Eq)]
struct Profile {
    /// `ca_bundle`: a file of PEM certificates.
    ca_bundle: Option<PathBuf>,
    /// `addressing_style` below `s3`: `path` or `virtual`; `auto` is none.
    addressing: Option<Addressing>,
}

/// The same options, with the profile's settings where they leave them open.
pub(crate) async fn follow(options: S3Options) -> S3Options {
    let profile = Profile::load(options.profile.as_deref()).await;
    S3Options {
        ca_file: options.ca_file.or(profile.ca_bundle),
        addressing: options.addressing.or(profile.addressing),
        ..options
    }
}

impl Profile {
    /// Those of the profile called `name`, else of the one that `AWS_PROFILE` names. Files that cannot
    /// be read have none: whoever looks for credentials in them says so.
    async fn load(name: Option<&str>) -> Self {
        Self::load_from(&Fs::real(), &Env::real(), name).await
    }

    async fn load_from(files: &Fs, environment: &Env, name: Option<&str>) -> Self {
        let name = name.map(|name| name.to_owned().into());
        let loaded = profile::load(files, environment, &Default::default(), name).await;
        let Ok(profile) = loaded else {
            return Self::default();
        };
        let s3 = profile.get("s3").unwrap_or_default();
        Self {
            ca_bundle: profile.get("ca_bundle").map(Into::into),
            addressing: match below(s3, "addressing_style") {
                Some("path") => Some(Addressing::Path),
                Some("virtual") => Some(Addressing::VirtualHost),
                _ => None,
            },
        }
    }
}

/// A setting of a group of settings, one a line.
fn below<'a>(group: &'a str, name: &str) -> Option<&'a str> {
    group.lines().find_map(|line| {
        let (found, value) = line.split_once('=')?;
        (found.trim() == name).then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
        [default]\n\
        ca_bundle = /etc/own.pem\n\
        s3 =\n    max_concurrent_requests = 3\n    addressing_style = virtual\n\
        [profile other]\n\
        s3 =\n    addressing_style=path\n\
        [profile automatic]\n\
        s3 =\n    addressing_style = auto\n";

    async fn of(name: Option<&str>) -> Profile {
        let files = Fs::from_slice(&[("/config", CONFIG)]);
        let environment = Env::from_slice(&[("AWS_CONFIG_FILE", "/config"), ("HOME", "/h")]);
        Profile::load_from(&files, &environment, name).await
    }

    #[tokio::test]
    async fn certificates_and_addressing_are_those_of_the_profile_in_use() {
        let default = Profile {
            ca_bundle: Some("/etc/own.pem".into()),
            addressing: Some(Addressing::VirtualHost),
        };
        assert_eq!(of(None).await, default);
        let other = Profile {
            ca_bundle: None,
            addressing: Some(Addressing::Path),
        };
        assert_eq!(of(Some("other")).await, other);
        assert_eq!(of(Some("automatic")).await, Profile::default());
        assert_eq!(of(Some("missing")).await, Profile::default());
    }
}
