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

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use shouwen_access::context::body_digest;
use shouwen_access::contract::{CaseCondition, Method};
use shouwen_access::token::{KeySource, KeySourceInvalid, KeysUnavailable, TokenVerifier};
use shouwen_access::{Contract, Failure, Language};
use shouwen_runtime::clock::MachineClock;
use shouwen_runtime::health::Readiness;
use shouwen_runtime::telemetry;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::service::Routes;
use tower::{BoxError, Service, ServiceExt as _};
use tracing::Instrument as _;

pub use backends::BackendConfigError;
pub use config::{BackendConfig, EdgeConfig, EdgeLimits, TokenConfig};
pub use owners::Owners;

use backends::{Backends, Route};
use body::{Answer, Bounded, Bounds, End, Inbound};
use cases::{Judge, Standing, Verdict};
use deadline::within;
use fields::Fields;
use forward::Call;
use frames::{Framed, Opening};
use identify::Identity;
use limits::{Limits, Place};

/// What requests are taken in; anything else is no gRPC.
const GRPC: &[u8] = b"application/grpc";
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

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
        let EdgeParts { contract, descriptors, owners, services, readiness, clock } = parts;
        let keys = KeySource::parse(&config.tokens.keys, config.tokens.keys_ca.as_deref())?;
        let tokens = TokenVerifier::open(keys, config.tokens.settings(), clock.clone()).await?;
        let backends = Backends::new(&contract, services, &config.backends, &config.channel)?;
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

    async fn serve<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        if !request.headers().get(CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(GRPC)) {
            return status_only(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        if Contract::is_infrastructure(request.uri().path()) {
            let Ok(response) = self.0.local.clone().oneshot(request).await;
            return response;
        }
        let language = Language::of_headers(request.headers());
        match self.answer(request, language).await {
            Ok(response) => response,
            Err(failure) => {
                tracing::debug!(reason = failure.reason(), "refused");
                let mut response: Response<Body> = failure.to_status(language).into_http();
                response.headers_mut().insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity"));
                response
            }
        }
    }

    async fn answer<B>(&self, request: Request<B>, language: Language) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let method = self.0.contract.method(path).filter(|method| !method.access.internal);
        let method = method.ok_or_else(|| Failure::method_unknown(path))?;
        let span = tracing::info_span!("edge", rpc.method = method.path);
        telemetry::continue_trace(&span, &parts.headers);
        if parts.headers.get(GRPC_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Err(refusal::compression_unsupported());
        }
        let asked = deadline::asked(&parts.headers);
        let patience = self.0.config.limits.request_timeout.get();
        let soon = Instant::now() + asked.map_or(patience, |asked| asked.min(patience));
        if method.is_unary() {
            let mutation = method.access.mutation;
            let unary = self.unary(method, parts.headers, body, language, soon);
            within(soon, mutation, unary.instrument(span)).await
        } else {
            let latest = asked.map(|asked| Instant::now() + asked);
            self.stream(method, parts.headers, body, language, soon, latest).instrument(span).await
        }
    }

    async fn unary<B>(
        &self,
        method: &Method,
        headers: HeaderMap,
        body: B,
        language: Language,
        deadline: Instant,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let caller = self.admit(method, &headers).await?;
        let place = self.0.limits.call().await?;
        let framed = Framed::read(body, self.0.config.limits.max_message_bytes).await?;
        let message = framed.message();
        let fields = Fields::read(method, &message)?;
        let headers = forward::passed_on(headers);
        let identity = caller.as_ref().map(|caller| &caller.identity);
        let call = Call {
            digest: Some(body_digest(&message)),
            deadline: Some(deadline),
            ..self.call(method, self.0.backends.route(method, fields.service)?, identity, &headers, language)
        };
        let answered = match identity {
            Some(identity) => self.conditionally(&call, identity, &fields, &framed).await?,
            None => call.send(&Standing::NONE, &framed.bytes).await?,
        };
        let end = End { at: deadline, failure: refusal::deadline_exceeded };
        Ok(self.bounded(answered, &call, Some(end), None, place))
    }

    /// Forwards a unary call under the conditions of its method.
    async fn conditionally(
        &self,
        call: &Call<'_>,
        identity: &Identity,
        fields: &Fields<'_>,
        framed: &Framed,
    ) -> Result<Response<Answer>, Failure> {
        let access = &call.method.access;
        if let Some(field) = &access.branch {
            cases::check_branch(field, fields.branch, &identity.reach)?;
        }
        if let Some(touch) = &access.first_touch {
            self.first_touch(call, identity, fields, &touch.contact, framed).await
        } else if let Some(condition) = &access.case {
            self.on_case(call, condition, fields.case, identity, framed).await
        } else {
            call.send(&Standing::NONE, &framed.bytes).await
        }
    }

    /// Forwards a unary call of who is what the case rule demands. Who is not gets at most the result of an earlier call.
    async fn on_case(
        &self,
        call: &Call<'_>,
        condition: &CaseCondition,
        name: &str,
        identity: &Identity,
        framed: &Framed,
    ) -> Result<Response<Answer>, Failure> {
        let judge = &self.0.judge;
        let mut verdict = judge.judge(condition, name, identity, false).await?;
        if let Verdict::Admitted(standing) = &verdict {
            let response = call.send(standing, &framed.bytes).await?;
            if !forward::refused_as(&response, "STALE_EPOCH") {
                return Ok(response);
            }
            verdict = judge.judge(condition, name, identity, true).await?;
        }
        match verdict {
            Verdict::Admitted(standing) => call.send(&standing, &framed.bytes).await,
            Verdict::Refused(refusal, view) if call.method.access.mutation => {
                let response = call.send(&Standing::replay(*view), &framed.bytes).await?;
                if forward::refused_as(&response, "NOT_A_REPLAY") { Err(refusal) } else { Ok(response) }
            }
            Verdict::Refused(refusal, _) => Err(refusal),
        }
    }

    async fn stream<B>(
        &self,
        method: &Method,
        headers: HeaderMap,
        body: B,
        language: Language,
        soon: Instant,
        latest: Option<Instant>,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let opened = within(soon, false, self.open(method, headers, body)).await?;
        let Opened { caller, headers, route, standing, body, breach, place } = opened;
        let identity = caller.as_ref().map(|caller| &caller.identity);
        let call = Call { deadline: latest, ..self.call(method, route, identity, &headers, language) };
        let ends = [
            latest.map(|at| End { at, failure: refusal::deadline_exceeded }),
            caller.as_ref().map(|caller| self.token_end(caller.token_expires_at)),
        ];
        let end = ends.into_iter().flatten().min_by_key(|end| end.at);
        let mut breach = Some(breach);
        let over = async {
            match end {
                Some(end) => {
                    sleep_until(end.at).await;
                    (end.failure)(false)
                }
                None => std::future::pending().await,
            }
        };
        let answered = tokio::select! {
            biased;
            failure = told(&mut breach) => return Err(failure),
            answered = call.send_body(&standing, body) => answered,
            failure = over => return Err(failure),
        };
        // The caller's stream is wrong more often than the backend is away.
        let answered = match (answered, breach.as_mut().map(oneshot::Receiver::try_recv)) {
            (Err(_), Some(Ok(failure))) => return Err(failure),
            (answered, _) => answered?,
        };
        Ok(self.bounded(answered, &call, end, breach, place))
    }

    /// Everything that comes before the backend of a stream. The conditions hold for the first message.
    async fn open<B>(&self, method: &Method, headers: HeaderMap, mut body: B) -> Result<Opened<'_>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let caller = self.admit(method, &headers).await?;
        let place = self.0.limits.stream()?;
        let max_message_bytes = self.0.config.limits.max_message_bytes;
        let access = &method.access;
        let conditions = access.case.is_some() || access.branch.is_some();
        let named = matches!(method.backend, shouwen_access::contract::Backend::Named(_));
        let opening = if !method.client_streaming {
            let framed = Framed::read(&mut body, max_message_bytes).await?;
            Opening { message: framed.message(), bytes: framed.bytes }
        } else if conditions || named {
            Opening::read(&mut body, max_message_bytes).await?
        } else {
            Opening { bytes: Bytes::new(), message: Bytes::new() }
        };
        let fields = Fields::read(method, &opening.message)?;
        let route = self.0.backends.route(method, fields.service)?;
        let mut standing = Standing::NONE;
        if let Some(Caller { identity, .. }) = &caller {
            if let Some(field) = &access.branch {
                cases::check_branch(field, fields.branch, &identity.reach)?;
            }
            if let Some(condition) = &access.case {
                standing = match self.0.judge.judge(condition, fields.case, identity, false).await? {
                    Verdict::Admitted(standing) => standing,
                    Verdict::Refused(refusal, _) => return Err(refusal),
                };
            }
        }
        let (inbound, breach) = Inbound::new(opening.bytes, body, max_message_bytes);
        let headers = forward::passed_on(headers);
        Ok(Opened { caller, headers, route, standing, body: Body::new(inbound), breach, place })
    }

    /// Who calls, and whether the method is open to them at all. Nobody, for public methods.
    async fn admit(&self, method: &Method, headers: &HeaderMap) -> Result<Option<Caller>, Failure> {
        if method.access.public {
            return Ok(None);
        }
        let token = self.0.tokens.verify_headers(headers).await?;
        self.0.limits.count(&token.principal)?;
        let roster = self.0.owners.roster();
        let identity = Identity::of_request(token.principal, headers, &roster)?;
        method.admit(identity.roles)?;
        Ok(Some(Caller { identity, token_expires_at: token.expires_at }))
    }

    fn call<'a>(
        &'a self,
        method: &'a Method,
        route: &'a Route,
        identity: Option<&'a Identity>,
        headers: &'a HeaderMap,
        language: Language,
    ) -> Call<'a> {
        Call {
            method,
            route,
            identity,
            headers,
            digest: None,
            language,
            deadline: None,
            clock: &self.0.clock,
            context_lifetime: self.0.context_lifetime,
        }
    }

    fn token_end(&self, expires_at: DateTime<Utc>) -> End {
        let left = (expires_at - self.0.clock.now()).to_std().unwrap_or_default();
        // No connection lasts a day; the bound keeps within what a timer can count.
        let at = Instant::now() + left.min(std::time::Duration::from_secs(24 * 60 * 60));
        End { at, failure: |_| refusal::token_expired() }
    }

    fn bounded(
        &self,
        answered: Response<Answer>,
        call: &Call<'_>,
        end: Option<End>,
        breach: Option<oneshot::Receiver<Failure>>,
        place: Place,
    ) -> Response<Body> {
        let bounds = Bounds {
            max_message_bytes: self.0.config.limits.max_message_bytes,
            end,
            breach,
            mutation: call.method.access.mutation,
            service: Arc::clone(&call.route.service),
            language: call.language,
        };
        answered.map(|answer| Body::new(Bounded::new(answer, bounds, place)))
    }
}

/// Who calls, and until when.
struct Caller {
    identity: Identity,
    token_expires_at: DateTime<Utc>,
}

/// A stream that may go on to its backend.
struct Opened<'a> {
    caller: Option<Caller>,
    headers: HeaderMap,
    route: &'a Route,
    standing: Standing,
    body: Body,
    breach: oneshot::Receiver<Failure>,
    place: Place,
}

/// What is wrong with the caller's stream; pending as long as nothing is.
async fn told(breach: &mut Option<oneshot::Receiver<Failure>>) -> Failure {
    if let Some(receiver) = breach {
        match receiver.await {
            Ok(failure) => return failure,
            // The stream ended well.
            Err(_) => *breach = None,
        }
    }
    std::future::pending().await
}

fn status_only(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl<O> Clone for Edge<O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<O> std::fmt::Debug for Edge<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
