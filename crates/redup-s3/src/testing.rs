//! A scripted server for tests: no socket, every request on record.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use aws_sdk_s3::config::http::{HttpRequest, HttpResponse};
use aws_sdk_s3::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_sdk_s3::error::ConnectorError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use bytes::Bytes;
use http_body::{Body, Frame};
use redup_storage::{S3Url, TargetUrl};
use tokio::sync::Notify;

use crate::{Keys, Notice, S3Options, S3Storage};

/// The S3 part of a URL.
pub(crate) fn url(text: &str) -> S3Url {
    match TargetUrl::parse(text).unwrap() {
        TargetUrl::S3(url) => url,
        other => panic!("{other}"),
    }
}

/// Options for a bucket, with keys and a region, so that nothing outside the test is asked.
pub(crate) fn options(bucket: &str) -> S3Options {
    S3Options {
        keys: Some(Keys {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "topsecret".into(),
            session_token: None,
        }),
        region: Some("us-east-1".into()),
        attempts: 1,
        ..S3Options::new(url(&format!("s3://{bucket}/p")))
    }
}

/// The same options, and what the user is told.
pub(crate) fn noting(options: S3Options) -> (S3Options, Arc<Mutex<Vec<Notice>>>) {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&notices);
    let notify = move |notice: &Notice| log.lock().unwrap().push(notice.clone());
    (
        S3Options {
            notify: Some(Arc::new(notify)),
            ..options
        },
        notices,
    )
}

/// A request as the server sees it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self
            .headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// `METHOD query-key`: what tells the S3 operations apart.
    pub(crate) fn verb(&self) -> String {
        let query = self.uri.split_once('?').map_or("", |(_, query)| query);
        let keys = ["uploads", "uploadId", "list-type"];
        let key = keys
            .into_iter()
            .find(|key| query.contains(key))
            .unwrap_or_default();
        format!("{} {key}", self.method).trim_end().to_owned()
    }
}

/// What the server answers.
pub(crate) enum Answer {
    Status(u16, &'static [(&'static str, &'static str)], String),
    /// A body that arrives in these pieces.
    Pieces(u16, &'static [(&'static str, &'static str)], Vec<Bytes>),
    Broken(ConnectorError),
    Silence,
    /// As soon as it is told to.
    When(Arc<Notify>, Box<Self>),
}

impl Answer {
    pub(crate) fn ok() -> Self {
        Self::Status(200, &[("etag", "\"etag\"")], String::new())
    }

    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        Self::Status(status, &[("x-amz-request-id", "REQ1")], body)
    }

    pub(crate) fn created(id: &str) -> Self {
        let body = format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        );
        Self::Status(200, &[], body)
    }

    pub(crate) fn completed() -> Self {
        let body = "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>";
        Self::Status(200, &[], body.into())
    }

    fn response(self) -> HttpConnectorFuture {
        match self {
            Self::Status(status, headers, body) => answer(status, headers, SdkBody::from(body)),
            Self::Pieces(status, headers, pieces) => {
                let body = SdkBody::from_body_1_x(InPieces(pieces.into()));
                answer(status, headers, body)
            }
            Self::Broken(error) => HttpConnectorFuture::ready(Err(error)),
            Self::Silence => HttpConnectorFuture::new(std::future::pending()),
            Self::When(told, answer) => HttpConnectorFuture::new(async move {
                told.notified().await;
                answer.response().await
            }),
        }
    }
}

fn answer(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: SdkBody,
) -> HttpConnectorFuture {
    let mut response = HttpResponse::new(status.try_into().unwrap(), body);
    for (name, value) in headers {
        response.headers_mut().insert(*name, *value);
    }
    HttpConnectorFuture::ready(Ok(response))
}

struct InPieces(VecDeque<Bytes>);

impl Body for InPieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

type Reaction = Box<dyn FnMut(&Seen) -> Answer + Send>;

/// The server: answers as its script says.
#[derive(Clone)]
pub(crate) struct Script {
    react: Arc<Mutex<Reaction>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Script {
    pub(crate) fn new(react: impl FnMut(&Seen) -> Answer + Send + 'static) -> Self {
        Self {
            react: Arc::new(Mutex::new(Box::new(react))),
            seen: Arc::default(),
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn verbs(&self) -> Vec<String> {
        self.seen().iter().map(Seen::verb).collect()
    }

    pub(crate) fn http(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// A store that talks to this script.
    pub(crate) async fn connect(&self, options: S3Options) -> redup_storage::Result<S3Storage> {
        S3Storage::connect_over(options, self.http()).await
    }
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let header = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let seen = Seen {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            headers: request.headers().iter().map(header).collect(),
            body: request.body().bytes().unwrap_or_default().to_vec(),
        };
        let answer = (self.react.lock().unwrap())(&seen);
        self.seen.lock().unwrap().push(seen);
        answer.response()
    }
}

impl HttpClient for Script {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
