//! Credentials that end while they are used.
//!
//! The SDK keeps what it has found until the time that it was told, and reads configuration files
//! once. Where the server says that the credentials have expired, all places are looked at again, as a
//! process or a service may have newer ones, or somebody may have written them into a profile; the
//! request is repeated with those.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, future};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
    InterceptorContext,
};
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::config::{
    ConfigBag, Credentials, Intercept, ProvideCredentials, RuntimeComponents,
    SharedCredentialsProvider,
};
use aws_sdk_s3::error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};

use crate::options::S3Options;
use crate::setup::credentials_chain;

/// Credentials are not used in their last seconds, which a request may need to arrive.
const MARGIN: Duration = Duration::from_secs(10);

/// How long to look for credentials: a program may ask its user's hardware, or a service.
const PATIENCE: Duration = Duration::from_secs(60);

/// Credentials that are looked for again when the server says that they have expired. Clones share
/// what was found.
#[derive(Debug, Clone)]
pub(crate) struct Renewal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: S3Options,
    config: SdkConfig,
    state: Mutex<State>,
    /// Held while credentials are looked for, so that one request does it for all.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    chain: Option<SharedCredentialsProvider>,
    current: Option<Credentials>,
    /// What the server makes of the current ones.
    verdict: Verdict,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    #[default]
    Fine,
    /// Others are to be looked for.
    Expired,
    /// Others were looked for, and there are none.
    Final,
}

impl Renewal {
    /// Credentials as `options` and `config` lead to them, first those of `chain`.
    pub(crate) fn new(
        chain: SharedCredentialsProvider,
        options: &S3Options,
        config: &SdkConfig,
    ) -> Self {
        let state = State {
            chain: Some(chain),
            ..State::default()
        };
        Self {
            shared: Arc::new(Shared {
                options: options.clone(),
                config: config.clone(),
                state: Mutex::new(state),
                looking: tokio::sync::Mutex::default(),
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    async fn credentials(&self) -> provider::Result {
        let _one_at_a_time = self.shared.looking.lock().await;
        let (chain, current) = {
            let mut state = self.state();
            match (&state.current, state.verdict) {
                (Some(current), Verdict::Fine | Verdict::Final) if lasts(current) => {
                    return Ok(current.clone());
                }
                _ => {}
            }
            // Whoever has the old chain has read the files already.
            let fine = state.verdict == Verdict::Fine;
            let chain = state.chain.take_if(|_| fine);
            (chain, state.current.clone())
        };
        let chain = match chain {
            Some(chain) => Some(chain),
            None => credentials_chain(&self.shared.options, &self.shared.config).await,
        };
        let chain = chain.ok_or_else(|| CredentialsError::not_loaded("none are configured"))?;
        let found = tokio::time::timeout(PATIENCE, chain.provide_credentials()).await;
        let found = found.map_err(|_| CredentialsError::provider_timed_out(PATIENCE))??;
        let mut state = self.state();
        let same = current.is_some_and(|current| is_same(&current, &found));
        state.verdict = match (state.verdict, same) {
            (Verdict::Expired, true) => Verdict::Final,
            _ => Verdict::Fine,
        };
        state.chain = Some(chain);
        state.current = Some(found.clone());
        Ok(found)
    }

    /// The server says that the credentials with this token have expired. Other requests may have
    /// found that out before, and others be in use by now.
    fn expired(&self, token: &str) {
        let mut state = self.state();
        let current = state.current.as_ref().map(token_of);
        if current == Some(token) && state.verdict == Verdict::Fine {
            state.verdict = Verdict::Expired;
        }
    }
}

fn lasts(credentials: &Credentials) -> bool {
    let end = credentials.expiry();
    end.is_none_or(|end| end > SystemTime::now() + MARGIN)
}

fn token_of(credentials: &Credentials) -> &str {
    credentials.session_token().unwrap_or_default()
}

fn is_same(one: &Credentials, other: &Credentials) -> bool {
    one.access_key_id() == other.access_key_id() && token_of(one) == token_of(other)
}

/// Whether the server refused a request for the age of its credentials.
fn says_expired(answer: Option<&HttpResponse>) -> bool {
    const CODES: [&str; 2] = ["<Code>ExpiredToken<", "<Code>TokenRefreshRequired<"];
    let Some(answer) = answer.filter(|answer| answer.status().is_client_error()) else {
        return false;
    };
    let text = String::from_utf8_lossy(answer.body().bytes().unwrap_or_default());
    CODES.iter().any(|code| text.contains(code))
}

impl ProvideCredentials for Renewal {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// The token that a request went with.
#[derive(Debug)]
struct Used(String);

impl Storable for Used {
    type Storer = StoreReplace<Self>;
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Renewal {
    fn name(&self) -> &'static str {
        "Renewal"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let token = context.request().headers().get("x-amz-security-token");
        let used = Used(token.unwrap_or_default().to_owned());
        config.interceptor_state().store_put(used);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Used(token)) = config.load::<Used>()
            && says_expired(Some(context.response()))
        {
            self.expired(token);
        }
        Ok(())
    }
}

impl ClassifyRetry for Renewal {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let others = self.state().verdict != Verdict::Final;
        match others && says_expired(context.response()) {
            true => RetryAction::transient_error(),
            false => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "Renewal"
    }
}
