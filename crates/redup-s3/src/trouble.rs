//! What kept a request from an answer, told by its causes.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use aws_credential_types::provider::error::CredentialsError;

/// What kept the request from an answer, or the answer from being understood.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing: the server answered.
    #[default]
    None,
    NoCredentials,
    Timeout,
    /// No such host name.
    UnknownHost,
    /// No route for any address of the host.
    NoRoute,
    Refused,
    /// The certificate is not trusted, or there is no TLS at the other end.
    Tls,
    /// The connection broke, or something else about it.
    Connection,
    /// An answer that makes no sense.
    Garbled,
    /// The server's URL is none.
    Address,
    /// The request could not even be made.
    Request,
}

/// What a request that got no answer ran into, found among its causes.
pub(crate) fn trouble(error: &(dyn StdError + 'static)) -> Trouble {
    const ENETUNREACH: i32 = 101;
    const EHOSTUNREACH: i32 = 113;
    for cause in causes(error) {
        if cause.is::<CredentialsError>() {
            return Trouble::NoCredentials;
        }
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            match (error.raw_os_error(), error.kind()) {
                (Some(ENETUNREACH | EHOSTUNREACH), _) => return Trouble::NoRoute,
                (_, io::ErrorKind::ConnectionRefused) => return Trouble::Refused,
                (_, io::ErrorKind::TimedOut) => return Trouble::Timeout,
                _ => {}
            }
        }
        // These crates' types are not ours to name; their words are stable enough to choose a hint.
        let text = cause.to_string();
        if text.contains("dns error") || text.contains("failed to lookup address") {
            return Trouble::UnknownHost;
        }
        if text.contains("was not a valid URI") {
            return Trouble::Address;
        }
        if text.contains("certificate") || text.contains("corrupt message") {
            return Trouble::Tls;
        }
    }
    Trouble::Connection
}

/// The error and all its causes, outermost first.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// The causes of an SDK error in one line, without what repeats or says nothing.
#[derive(Debug)]
pub(crate) struct Cause(String);

impl Cause {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        const EMPTY: [&str; 8] = [
            "other",
            "not set up",
            "dispatch failure",
            "service error",
            "response error",
            "io error",
            "client error (Connect)",
            "failed to perform DNS lookup",
        ];
        let mut texts: Vec<String> = Vec::new();
        for text in causes(error).map(|cause| one_line(&plain(&cause.to_string()))) {
            let repeats = texts.last().is_some_and(|last| last.contains(&text));
            if !repeats && !text.is_empty() && !EMPTY.contains(&text.as_str()) {
                texts.push(text);
            }
        }
        Self(texts.join(": "))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}

/// The words of the SDK's credentials chain without what each of its lines repeats.
fn plain(text: &str) -> String {
    const DISABLED: &str = "the credential provider was not enabled";
    text.replace(&format!("{DISABLED}: "), "")
        .replace(DISABLED, "not set up")
        .replace("Attempted:\n  ", "Tried: ")
        .replace("\n  ", "; ")
        .replace("other: ", "")
}

/// Text from a server, fit for a log: one line, no control characters, of bounded length.
pub(crate) fn one_line(text: &str) -> String {
    const LONGEST: usize = 500;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(LONGEST).map(clean).collect()
}
