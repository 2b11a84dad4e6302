//! The edge: the one door to the suite. It authenticates, asks the contract what a method demands, checks roles, branches and
//! responsibility, signs what it found out, and passes the raw bytes on: all four kinds of RPC, trailers, deadlines and cancellation.
//!
//! It knows no single method and decodes no request; what it needs to know of one it reads off the wire by the contract's options. It
//! decides nothing that a domain decides, and it repeats nothing but a call whose ownership was stale and a first touch that was won.

mod backends;
mod body;
mod cases;
mod config;
mod deadline;
mod fields;
mod first_touch;
mod forward;
mod frames;
mod identify;
mod limits;
mod local;
mod owners;
mod refusal;
mod serve;
mod shares;

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use chrono::TimeDelta;
use http::{Request, Response};
use shouwen_access::Contract;
use shouwen_access::token::{KeySource, KeySourceInvalid, KeysUnavailable, TokenVerifier};
use shouwen_runtime::clock::MachineClock;
use shouwen_runtime::cores::Cores;
use shouwen_runtime::health::Readiness;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tower::{BoxError, Service};

pub use backends::BackendConfigError;
pub use config::{BackendConfig, EdgeConfig, EdgeLimits, TokenConfig};
pub use owners::Owners;
pub(crate) use refusal::backend_unavailable;

use backends::Backends;
use cases::Judge;
use limits::Limits;

/// The edge as a tower service over HTTP/2 requests. Clones are the same edge.
pub struct Edge<O>(Arc<Inner<O>>);

struct Inner<O> {
    config: EdgeConfig,
    contract: Arc<Contract>,
    owners: Arc<O>,
    judge: Judge<O>,
    tokens: TokenVerifier,
    limits: Limits,
    backends: Backends,
    local: Routes,
    clock: MachineClock,
    context_lifetime: TimeDelta,
}

/// What an edge is made of, beside its configuration.
pub struct EdgeParts<'a, O> {
    /// The contract, with the descriptors it was loaded from, which reflection shows.
    pub contract: Arc<Contract>,
    /// An encoded `FileDescriptorSet`.
    pub descriptors: &'a [u8],
    /// Ownership: roster, cases, first touches.
    pub owners: Arc<O>,
    /// Services of this process with their names, e.g. `ownership`. They find the `Caller` in the request's extensions.
    pub services: Vec<(String, Routes)>,
    /// Told by the health service.
    pub readiness: &'a Readiness,
    /// The machine's clock.
    pub clock: MachineClock,
    /// The threads on which it is served; each has its own connections to the backends.
    pub cores: Cores,
}

/// Why there is no edge.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The setting is no source of keys.
    #[error(transparent)]
    KeySource(#[from] KeySourceInvalid),
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
    /// A backend is configured wrongly.
    #[error(transparent)]
    Backend(#[from] BackendConfigError),
    /// The descriptors are none.
    #[error("the descriptors cannot be shown by reflection")]
    Reflection(#[from] tonic_reflection::server::Error),
}

impl<O: Owners> Edge<O> {
    /// Reads the token keys and begins to connect to the backends, in the current tokio runtime.
    pub async fn new(config: EdgeConfig, parts: EdgeParts<'_, O>) -> Result<Self, EdgeError> {
        let EdgeParts { contract, descriptors, owners, services, readiness, clock, cores } = parts;
        let keys = KeySource::parse(&config.tokens.keys, config.tokens.keys_ca.as_deref())?;
        let tokens = TokenVerifier::open(keys, config.tokens.settings(), clock.clone()).await?;
        let backends = Backends::new(&contract, services, &config.backends, &config.channel, &cores)?;
        let local = local::routes(&contract, descriptors, readiness).await?;
        let limits = Limits::new(&config.limits);
        let context_lifetime =
            TimeDelta::from_std(config.context_lifetime.get()).unwrap_or(TimeDelta::seconds(5));
        Ok(Self(Arc::new(Inner {
            contract,
            judge: Judge::new(Arc::clone(&owners), clock.clone(), config.ownership_age.get()),
            owners,
            tokens,
            limits,
            backends,
            local,
            clock,
            context_lifetime,
            config,
        })))
    }

    /// The edge's work in the background until `shutdown`: fresh token keys, unfinished first touches, forgetting quiet callers.
    pub async fn run(self, shutdown: CancellationToken) {
        let sweeping = async {
            let mut ticks = interval(self.0.config.touch_interval.get());
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                self.sweep_touches().await;
                self.0.limits.forget_quiet();
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.0.tokens.clone().keep_keys_fresh() => {}
            () = sweeping => {}
        }
    }
}

impl<O> Clone for Edge<O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<O> fmt::Debug for Edge<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl<O, B> Service<Request<B>> for Edge<O>
where
    O: Owners,
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let edge = self.clone();
        Box::pin(async move { Ok(edge.serve(request).await) })
    }
}
