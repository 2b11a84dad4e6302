//! The way of one call through the edge: who calls, what the method demands, where it goes, and what its answer is held to.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use shouwen_access::context::body_digest;
use shouwen_access::contract::{Backend, CaseCondition, Method};
use shouwen_access::{Contract, Failure, Language};
use shouwen_runtime::telemetry;
use tokio::time::{Instant, sleep_until};
use tonic::body::Body;
use tower::{BoxError, ServiceExt as _};
use tracing::Instrument as _;

use super::backends::Route;
use super::body::{Answer, Bounded, Bounds, End, Inbound, Leash};
use super::cases::{Standing, Verdict, check_branch};
use super::deadline::within;
use super::fields::Fields;
use super::forward::{Call, refused_as};
use super::frames::{Framed, Opening};
use super::identify::Identity;
use super::limits::Place;
use super::{Edge, Owners, deadline, refusal};

/// No connection lasts longer, so no stream does.
const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
const GRPC: &[u8] = b"application/grpc";
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

impl<O: Owners> Edge<O> {
    /// Answers one request, whatever it is.
    pub(super) async fn serve<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        if !request.headers().get(CONTENT_TYPE).is_some_and(is_grpc) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return response;
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
            // Pinned where it is made: it is large, and every wrapper would move it.
            let unary = pin!(self.unary(method, &parts.headers, body, language, soon).instrument(span));
            within(soon, mutation, unary).await
        } else {
            let latest = asked.map(|asked| Instant::now() + asked);
            // Boxed, so that the unary calls, which are many, do not move about what only streams need.
            Box::pin(self.stream(method, parts.headers, body, language, soon, latest)).instrument(span).await
        }
    }

    async fn unary<B>(
        &self,
        method: &Method,
        headers: &HeaderMap,
        body: B,
        language: Language,
        deadline: Instant,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let caller = self.admit(method, headers).await?;
        let identity = caller.as_ref().map(|caller| &caller.identity);
        let place = self.0.limits.call(identity.map(|identity| &identity.principal)).await?;
        let framed = Framed::read(body, self.0.config.limits.max_message_bytes).await?;
        let message = framed.message();
        let fields = Fields::read(method, &message)?;
        let call = Call {
            digest: Some(body_digest(&message)),
            deadline: Some(deadline),
            ..self.call(method, self.0.backends.route(method, fields.service)?, identity, headers, language)
        };
        let answered = match identity {
            Some(identity) => self.conditionally(&call, identity, &fields, &framed).await?,
            None => call.send(&Standing::NONE, &framed.bytes).await?,
        };
        let end = End { at: deadline, failure: refusal::deadline_exceeded };
        Ok(self.bounded(answered, &call, end, None, place))
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
            check_branch(field, fields.branch, &identity.reach)?;
        }
        if let Some(touch) = &access.first_touch {
            Box::pin(self.first_touch(call, identity, fields, &touch.contact, framed)).await
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
            if !refused_as(&response, "STALE_EPOCH") {
                return Ok(response);
            }
            verdict = judge.judge(condition, name, identity, true).await?;
        }
        match verdict {
            Verdict::Admitted(standing) => call.send(&standing, &framed.bytes).await,
            Verdict::Refused(refusal, view) if call.method.access.mutation => {
                let response = call.send(&Standing::replay(view), &framed.bytes).await?;
                if refused_as(&response, "NOT_A_REPLAY") { Err(*refusal) } else { Ok(response) }
            }
            Verdict::Refused(refusal, _) => Err(*refusal),
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
        let Opened { caller, headers, route, standing, body, mut leash, place } = opened;
        let identity = caller.as_ref().map(|caller| &caller.identity);
        let call = Call { deadline: latest, ..self.call(method, route, identity, &headers, language) };
        let ends = [
            latest.map(|at| End { at, failure: refusal::deadline_exceeded }),
            caller.as_ref().map(|caller| self.token_end(caller.token_expires_at)),
        ];
        let end = ends.into_iter().flatten().min_by_key(|end| end.at);
        let end =
            end.unwrap_or_else(|| End { at: Instant::now() + A_DAY, failure: refusal::deadline_exceeded });
        let over = async {
            sleep_until(end.at).await;
            (end.failure)(false)
        };
        let answered = tokio::select! {
            biased;
            failure = leash.breach() => return Err(failure),
            answered = call.send_body(&standing, body) => answered,
            failure = over => return Err(failure),
        };
        Ok(self.bounded(answered?, &call, end, Some(leash), place))
    }

    /// Everything that comes before the backend of a stream. The conditions hold for the first message.
    async fn open<B>(&self, method: &Method, headers: HeaderMap, mut body: B) -> Result<Opened<'_>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let caller = self.admit(method, &headers).await?;
        let place = self.0.limits.stream(caller.as_ref().map(|caller| &caller.identity.principal))?;
        let max_message_bytes = self.0.config.limits.max_message_bytes;
        let access = &method.access;
        let conditions = access.case.is_some() || access.branch.is_some();
        let named = matches!(method.backend, Backend::Named(_));
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
                check_branch(field, fields.branch, &identity.reach)?;
            }
            if let Some(condition) = &access.case {
                standing = match self.0.judge.judge(condition, fields.case, identity, false).await? {
                    Verdict::Admitted(standing) => standing,
                    Verdict::Refused(refusal, _) => return Err(*refusal),
                };
            }
        }
        let (inbound, leash) = Inbound::new(opening.bytes, body, max_message_bytes);
        Ok(Opened { caller, headers, route, standing, body: Body::new(inbound), leash, place })
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

    /// What all sendings of a call share; without digest and deadline.
    pub(super) fn call<'a>(
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
        let at = Instant::now() + left.min(A_DAY);
        End { at, failure: |_| refusal::token_expired() }
    }

    fn bounded(
        &self,
        answered: Response<Answer>,
        call: &Call<'_>,
        end: End,
        leash: Option<Leash>,
        place: Place,
    ) -> Response<Body> {
        let bounds = Bounds {
            max_message_bytes: self.0.config.limits.max_message_bytes,
            end,
            mutation: call.method.access.mutation,
            service: Arc::clone(&call.route.service),
            language: call.language,
        };
        answered.map(|answer| Body::new(Bounded::new(answer, leash, bounds, place)))
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
    leash: Leash,
    place: Place,
}

/// Protobuf in gRPC's own framing; neither gRPC-Web nor another encoding of messages.
fn is_grpc(content_type: &HeaderValue) -> bool {
    let Some(rest) = content_type.as_bytes().strip_prefix(GRPC) else { return false };
    matches!(rest, b"" | b"+proto") || rest.starts_with(b";")
}
