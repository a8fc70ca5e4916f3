//! What a target URL means.
//!
//! The syntax is duplicity's: `scheme://…` with a percent-decoded path; a query or a fragment is
//! dropped, as duplicity does (both versions: `file:///a?b` is the folder `/a`).

mod s3;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

pub use s3::{S3Location, S3Url};

/// Where a backup goes, as the user's URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetUrl {
    /// A local folder.
    File(FileUrl),
    /// A bucket, or a folder in one.
    S3(S3Url),
}

/// A local folder: `file:///absolute` or `file://relative`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUrl {
    path: PathBuf,
}

impl FileUrl {
    /// The folder; a relative one counts from the working folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A URL that names no store that redup can use. URLs in the text have their password masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// There is no `scheme:` at the front.
    #[error("not a URL: {url}")]
    NoScheme {
        /// What was given.
        url: String,
    },
    /// The scheme is one of duplicity's that redup does not have.
    #[error("the scheme {scheme}:// is not supported by redup, only file:// and s3:// are: {url}")]
    Unsupported {
        /// The scheme in lower case.
        scheme: String,
        /// What was given.
        url: String,
    },
    /// Nobody knows the scheme.
    #[error("unknown scheme {scheme}:// in {url}")]
    UnknownScheme {
        /// The scheme in lower case.
        scheme: String,
        /// What was given.
        url: String,
    },
    /// The scheme is known, the rest is no use.
    #[error("{reason}: {url}")]
    Invalid {
        /// What is wrong.
        reason: &'static str,
        /// What was given.
        url: String,
    },
}

/// duplicity's other schemes, so that they are not called unknown.
const OTHER_SCHEMES: &[&str] = &[
    "ad",
    "azure",
    "b2",
    "box",
    "cf+http",
    "cf+hubic",
    "dpbx",
    "fish",
    "ftp",
    "ftpes",
    "ftps",
    "gdata+gdocs",
    "gdocs",
    "gdrive",
    "hsi",
    "http",
    "https",
    "idrived",
    "imap",
    "imaps",
    "jottacloud",
    "mega",
    "megav2",
    "megav3",
    "mf",
    "multi",
    "onedrive",
    "par2",
    "pca",
    "pydrive",
    "pydrive+gdocs",
    "rclone",
    "rsync",
    "scp",
    "sftp",
    "slate",
    "ssh",
    "swift",
    "sx",
    "tahoe",
    "webdav",
    "webdavs",
    "xorriso",
];

/// Prefixes that choose a program or a wrapper for the scheme behind them.
const SCHEME_PREFIXES: &[&str] = &[
    "gio+",
    "lftp+",
    "ncftp+",
    "par2+",
    "paramiko+",
    "pexpect+",
    "multi+",
];

impl TargetUrl {
    /// Reads a URL. Opens nothing and asks nobody.
    ///
    /// Takes an `OsStr` too, since the path of a `file://` URL may be any bytes.
    pub fn parse(url: impl AsRef<OsStr>) -> Result<Self, UrlError> {
        let url = url.as_ref();
        let no_scheme = || UrlError::NoScheme { url: masked(url) };
        let (scheme, rest) = split_scheme(url.as_bytes()).ok_or_else(no_scheme)?;
        let rest = without_query(rest);
        match scheme.as_str() {
            "file" => Self::file(url, rest),
            "s3" | "boto3+s3" | "boto+s3" | "s3+http" | "gs" => {
                let invalid = |reason| UrlError::Invalid {
                    reason,
                    url: masked(url),
                };
                S3Url::parse(&scheme, rest, masked(url))
                    .map(Self::S3)
                    .map_err(invalid)
            }
            _ if is_known(&scheme) => Err(UrlError::Unsupported {
                scheme,
                url: masked(url),
            }),
            _ => Err(UrlError::UnknownScheme {
                scheme,
                url: masked(url),
            }),
        }
    }

    fn file(url: &OsStr, rest: &[u8]) -> Result<Self, UrlError> {
        let invalid = |reason| UrlError::Invalid {
            reason,
            url: masked(url),
        };
        let path = match rest.strip_prefix(b"//") {
            Some(path) => path,
            // duplicity 0.8 takes this form.
            None if rest.starts_with(b"/") => rest,
            None => return Err(invalid("file URLs begin with file://")),
        };
        let path = percent_decoded(path);
        if path.is_empty() {
            return Err(invalid("the URL names no folder"));
        }
        if path.contains(&0) {
            return Err(invalid("a folder's name cannot contain a zero byte"));
        }
        Ok(Self::File(FileUrl {
            path: OsString::from_vec(path).into(),
        }))
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "file://{}", file.path.display()),
            Self::S3(s3) => write!(f, "{s3}"),
        }
    }
}

/// A URL for messages: the password masked as duplicity does it, control characters escaped.
pub fn masked(url: impl AsRef<OsStr>) -> String {
    let url = url.as_ref().to_string_lossy();
    let shown = match password_range(&url) {
        Some(password) => format!("{}*****{}", &url[..password.start], &url[password.end..]),
        None => url.into_owned(),
    };
    shown
        .chars()
        .flat_map(|c| match c.is_control() {
            true => c.escape_default().collect::<Vec<_>>(),
            false => vec![c],
        })
        .collect()
}

/// Where the password is: between the first `:` and the last `@` of the part before the path.
fn password_range(url: &str) -> Option<std::ops::Range<usize>> {
    let host_start = url.find("//")? + 2;
    let host_end = url[host_start..]
        .find('/')
        .map_or(url.len(), |end| host_start + end);
    let host = &url[host_start..host_end];
    let at = host_start + host.rfind('@')?;
    let colon = host_start + url[host_start..at].find(':')?;
    Some(colon + 1..at)
}

/// The scheme in lower case, and what follows its colon.
fn split_scheme(url: &[u8]) -> Option<(String, &[u8])> {
    let colon = url.iter().position(|&byte| byte == b':')?;
    let (scheme, rest) = (&url[..colon], &url[colon + 1..]);
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let well_formed = scheme.first()?.is_ascii_alphabetic() && scheme.iter().all(allowed);
    let scheme = std::str::from_utf8(scheme).ok().filter(|_| well_formed)?;
    Some((scheme.to_ascii_lowercase(), rest))
}

fn without_query(rest: &[u8]) -> &[u8] {
    let end = rest.iter().position(|byte| b"?#".contains(byte));
    &rest[..end.unwrap_or(rest.len())]
}

fn is_known(scheme: &str) -> bool {
    OTHER_SCHEMES.contains(&scheme)
        || SCHEME_PREFIXES
            .iter()
            .any(|prefix| scheme.starts_with(prefix))
}

/// Replaces each `%XX` by its byte; anything that only looks like one stays.
pub fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn folder(url: &str) -> PathBuf {
        match TargetUrl::parse(url).unwrap() {
            TargetUrl::File(file) => file.path,
            TargetUrl::S3(s3) => panic!("{s3}"),
        }
    }

    #[track_caller]
    fn error(url: &str) -> String {
        TargetUrl::parse(url).unwrap_err().to_string()
    }

    #[test]
    fn file_urls_are_absolute_or_relative_folders() {
        assert_eq!(folder("file:///abs/dir"), Path::new("/abs/dir"));
        assert_eq!(folder("file://rel/dir"), Path::new("rel/dir"));
        assert_eq!(folder("file:/abs"), Path::new("/abs"));
        assert_eq!(folder("FILE:///a//b/../c"), Path::new("/a//b/../c"));
    }

    #[test]
    fn paths_are_percent_decoded_to_any_bytes() {
        assert_eq!(folder("file:///a%20b c"), Path::new("/a b c"));
        assert_eq!(folder("file:///a%"), Path::new("/a%"));
        assert_eq!(folder("file:///100%zz%2"), Path::new("/100%zz%2"));
        assert_eq!(folder("file:///%ff%2F").as_os_str().as_bytes(), b"/\xff/");
        let raw = OsStr::from_bytes(b"file:///\xfe");
        let TargetUrl::File(file) = TargetUrl::parse(raw).unwrap() else {
            panic!()
        };
        assert_eq!(file.path().as_os_str().as_bytes(), b"/\xfe");
    }

    #[test]
    fn query_and_fragment_are_dropped_as_duplicity_does() {
        assert_eq!(folder("file:///t?x=1"), Path::new("/t"));
        assert_eq!(folder("file:///t#frag"), Path::new("/t"));
        assert_eq!(folder("file:///t%23%3f"), Path::new("/t#?"));
    }

    #[test]
    fn what_names_no_folder_is_refused() {
        assert_eq!(error("file:dir"), "file URLs begin with file://: file:dir");
        assert_eq!(error("file://"), "the URL names no folder: file://");
        assert_eq!(
            error("file:///a%00b"),
            "a folder's name cannot contain a zero byte: file:///a%00b"
        );
        assert_eq!(error("/plain/path"), "not a URL: /plain/path");
        assert_eq!(error(""), "not a URL: ");
        assert_eq!(error("1x://y"), "not a URL: 1x://y");
    }

    #[test]
    fn other_schemes_are_named_and_passwords_masked() {
        assert_eq!(
            error("sftp://user:secret@host//path"),
            "the scheme sftp:// is not supported by redup, only file:// and s3:// are: \
             sftp://user:*****@host//path"
        );
        for url in [
            "par2+file:///x",
            "gio+smb://x/y",
            "lftp+sftp://h/p",
            "ssh://h/p",
            "b2://i:k@b",
        ] {
            assert!(
                matches!(TargetUrl::parse(url), Err(UrlError::Unsupported { .. })),
                "{url}"
            );
        }
        assert_eq!(
            error("nosuch://x"),
            "unknown scheme nosuch:// in nosuch://x"
        );
    }

    #[test]
    fn passwords_are_masked_wherever_they_end() {
        assert_eq!(masked("ftp://u:p@h/x"), "ftp://u:*****@h/x");
        assert_eq!(masked("ftp://u:p@ss:w@h/x"), "ftp://u:*****@h/x");
        assert_eq!(masked("ftp://u@h/x:y@z"), "ftp://u@h/x:y@z");
        assert_eq!(masked("ftp://h:21/x"), "ftp://h:21/x");
        assert_eq!(masked("b2://id:key@bucket"), "b2://id:*****@bucket");
        assert_eq!(masked("file:///a\x1b[31m"), "file:///a\\u{1b}[31m");
    }
}
