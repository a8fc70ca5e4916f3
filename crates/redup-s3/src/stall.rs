//! Uploads that stand still.
//!
//! How long a part may take says little: a slow line needs long, and a dead one would be waited for
//! as long. What counts is whether bytes move. A body is handed to the connection in small pieces;
//! when none is taken for a while, the request is given up and made again.
//!
//! The system takes bytes before they are sent, and new ones only when a good part of those is gone, so
//! pauses are normal, and longer the slower the line is: several times the longest pause that
//! ended well is waited for. Once the last piece is taken, the answer gets as long as
//! the body took, and what the system may still hold.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_sdk_s3::error::{BoxError, ConnectorError};
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::options::S3Options;

/// Bodies up to this are not watched: one limit for the whole request will do.
pub(crate) const SMALL: u64 = 64 << 10;

/// What is handed to the connection at once.
const PIECE: usize = 64 << 10;

/// What the system may take at once, and be silent about until it is sent.
const PAUSE_BYTES: u64 = 1 << 20;

/// What the system may hold when it has taken the last piece.
const HELD_BYTES: u64 = 4 << 20;

/// How much longer than the longest pause so far another one may be.
const PATIENCE: u32 = 4;

/// No pause is waited for longer than this.
const LONGEST: Duration = Duration::from_secs(600);

/// The same client, which gives up uploads that stand still.
pub(crate) fn watching(client: SharedHttpClient, options: &S3Options) -> SharedHttpClient {
    SharedHttpClient::new(Watching {
        inner: client,
        limits: Arc::new(Limits {
            timeout: options.timeout,
            slowest: options.slowest.max(1),
            longest_pause: Mutex::default(),
        }),
    })
}

#[derive(Debug)]
struct Limits {
    timeout: Duration,
    slowest: u64,
    /// The longest that ended well, on any connection.
    longest_pause: Mutex<Duration>,
}

impl Limits {
    fn longest_pause(&self) -> MutexGuard<'_, Duration> {
        let pause = self.longest_pause.lock();
        pause.unwrap_or_else(PoisonError::into_inner)
    }

    /// The time without a new piece that is not taken for a stall.
    fn pause(&self) -> Duration {
        let moving = Duration::from_secs_f64(PAUSE_BYTES as f64 / self.slowest as f64);
        let seen = self.longest_pause().saturating_mul(PATIENCE).min(LONGEST);
        seen.max(self.timeout.saturating_add(moving))
    }

    /// The time from the last piece of a body to the answer.
    fn answer(&self, len: u64, took: Duration) -> Duration {
        let held = Duration::from_secs_f64(len.min(HELD_BYTES) as f64 / self.slowest as f64);
        self.timeout.saturating_add(held).saturating_add(took)
    }
}

/// How far a body is.
#[derive(Debug)]
struct Progress {
    begun: Instant,
    last: Instant,
    moved: u64,
    whole: bool,
}

#[derive(Debug)]
struct Watch {
    limits: Arc<Limits>,
    progress: Mutex<Progress>,
}

impl Watch {
    fn new(limits: Arc<Limits>) -> Self {
        let now = Instant::now();
        Self {
            limits,
            progress: Mutex::new(Progress {
                begun: now,
                last: now,
                moved: 0,
                whole: false,
            }),
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        let progress = self.progress.lock();
        progress.unwrap_or_else(PoisonError::into_inner)
    }

    fn took(&self, bytes: usize, whole: bool) {
        let now = Instant::now();
        let mut progress = self.progress();
        if progress.moved > 0 {
            let mut longest = self.limits.longest_pause();
            *longest = (*longest).max(now - progress.last);
        } else {
            // Before it, the connection was made.
            progress.begun = now;
        }
        progress.last = now;
        progress.moved += bytes as u64;
        progress.whole = whole;
    }

    /// When this is a stall, if nothing happens until then.
    fn deadline(&self) -> Instant {
        let progress = self.progress();
        let limit = match progress.whole {
            true => self
                .limits
                .answer(progress.moved, progress.last - progress.begun),
            false => self.limits.pause(),
        };
        progress.last + limit
    }

    /// Ends when nothing has moved for too long.
    async fn stall(&self) -> Stalled {
        loop {
            let deadline = self.deadline();
            if deadline <= Instant::now() {
                let Progress { moved, whole, .. } = *self.progress();
                return Stalled { moved, whole };
            }
            tokio::time::sleep_until(deadline.into()).await;
        }
    }
}

/// Why a request was given up.
#[derive(Debug)]
struct Stalled {
    moved: u64,
    whole: bool,
}

impl std::fmt::Display for Stalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.whole {
            true => f.write_str("no answer to what was sent"),
            false => write!(f, "the connection takes nothing after {} bytes", self.moved),
        }
    }
}

impl std::error::Error for Stalled {}

/// A body in pieces, each of which is noted when it is taken.
struct Watched {
    inner: SdkBody,
    current: Bytes,
    left: u64,
    watch: Arc<Watch>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        while self.current.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.current = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let len = self.current.len().min(PIECE);
        let piece = self.current.split_to(len);
        self.left = self.left.saturating_sub(len as u64);
        self.watch.took(len, self.left == 0);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[derive(Debug, Clone)]
struct Watching<T> {
    inner: T,
    limits: Arc<Limits>,
}

impl HttpClient for Watching<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Watching {
            inner: self.inner.http_connector(settings, components),
            limits: Arc::clone(&self.limits),
        })
    }
}

impl HttpConnector for Watching<SharedHttpConnector> {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let len = request.body().content_length().filter(|&len| len > SMALL);
        // What else has a long body makes the server work before it answers, as taking parts together does.
        let Some(len) = len.filter(|_| request.method() == "PUT") else {
            return self.inner.call(request);
        };
        let watch = Arc::new(Watch::new(Arc::clone(&self.limits)));
        let body = Watched {
            inner: request.take_body(),
            current: Bytes::new(),
            left: len,
            watch: Arc::clone(&watch),
        };
        *request.body_mut() = SdkBody::from_body_1_x(body);
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            tokio::select! {
                answer = answer => answer,
                stalled = watch.stall() => Err(ConnectorError::timeout(stalled.into())),
            }
        })
    }
}
