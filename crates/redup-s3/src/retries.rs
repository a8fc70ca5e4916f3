//! Which failed requests the SDK repeats, how often, and after what time.

use std::time::Duration;

use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction, RetryConfig};

use crate::error::{Trouble, trouble};

/// This many attempts, with waits that double from 0.1 s, drawn at random below that. The first ones
/// are short since most failures are over at once; a server that is overloaded gets fewer requests at
/// once by [`Pace`](crate::pace::Pace), and the time that it names.
pub(crate) fn retries(attempts: u32) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(attempts.max(1))
        .with_initial_backoff(Duration::from_millis(100))
        .with_max_backoff(Duration::from_secs(20))
}

/// Repeats a request that was sent elsewhere for now (307) without being told to which region, as
/// Amazon does until a new bucket is known everywhere. The place it names is the same bucket, whose
/// name service will be right before long; a signature for another host it would not take.
#[derive(Debug)]
pub(crate) struct Redirects;

impl ClassifyRetry for Redirects {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let sent_elsewhere = context.response().is_some_and(|answer| {
            let region = answer.headers().get("x-amz-bucket-region");
            answer.status().as_u16() == 307 && region.is_none()
        });
        match sent_elsewhere {
            true => RetryAction::transient_error(),
            false => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Redirects"
    }
}

/// Repeats no request to a server that is not trusted: it will not be by asking again.
#[derive(Debug)]
pub(crate) struct Distrust;

impl ClassifyRetry for Distrust {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let failed = context.output_or_error().and_then(Result::err);
        let error = failed.and_then(|error| error.as_connector_error());
        match error.map(|error| trouble(error)) {
            Some(Trouble::Tls) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Distrust"
    }
}
