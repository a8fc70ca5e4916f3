//! A proxy before a server that keeps what it was asked: so a test sees what the server does not tell.

use std::sync::{Arc, Mutex, PoisonError};

use crate::faulty::{Fault, FaultyProxy, Request};
use crate::server::S3Server;

/// The proxy.
pub struct Recorder {
    proxy: FaultyProxy,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Recorder {
    /// One that passes everything on as it is.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn before(server: &dyn S3Server) -> Self {
        Self::with_faults(server, |_| None)
    }

    /// One before a network that fails as `schedule` says.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn with_faults(
        server: &dyn S3Server,
        mut schedule: impl FnMut(&Request) -> Option<Fault> + Send + 'static,
    ) -> Self {
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let log = Arc::clone(&seen);
        let proxy = FaultyProxy::start(server.address(), move |request| {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(request.clone());
            schedule(request)
        });
        Self { proxy, seen }
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        self.proxy.endpoint_url()
    }

    /// All requests so far, in the order in which they came.
    #[must_use]
    pub fn seen(&self) -> Vec<Request> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    /// Those of one [`operation`](Request::operation).
    #[must_use]
    pub fn seen_of(&self, operation: &str) -> Vec<Request> {
        let mut seen = self.seen();
        seen.retain(|request| request.operation() == operation);
        seen
    }
}
