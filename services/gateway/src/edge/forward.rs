//! One call on its way to its backend: the signed context instead of the caller's token, the rest as it came.

use bytes::Bytes;
use chrono::TimeDelta;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use shouwen_access::context::HEADER;
use shouwen_access::contract::Method;
use shouwen_access::status::reason_of;
use shouwen_access::{Caller, Failure, Language, Reach};
use shouwen_proto::access::v1::CallContext;
use shouwen_runtime::channel::{ChannelError, ResponseBody};
use shouwen_runtime::clock::MachineClock;
use shouwen_runtime::telemetry;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::ServiceExt as _;

use super::backends::{Remote, Route, Way};
use super::body::{Answer, lost};
use super::cases::Standing;
use super::identify::Identity;
use super::{deadline, refusal};

/// Metadata of the suite itself; nothing under this name passes the edge from outside.
const OWN_METADATA: &str = "x-shouwen-";

/// Headers that end here: the token, and what belongs to the connection.
const STRIPPED: [HeaderName; 6] =
    [AUTHORIZATION, HOST, CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING, deadline::HEADER];

/// How many headers the edge adds to every call: context and deadline.
const ADDED: usize = 2;

/// What the reasons begin with for which a backend does not believe a context; all are UNAUTHENTICATED.
const ABOUT_THE_CONTEXT: &str = "CONTEXT_";

/// What stays the same however often a call is sent.
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    pub(super) route: &'a Route,
    /// Nobody, for public methods.
    pub(super) identity: Option<&'a Identity>,
    /// As the caller sent them.
    pub(super) headers: &'a HeaderMap,
    /// Of the request message; `None` for streams.
    pub(super) digest: Option<[u8; 32]>,
    pub(super) language: Language,
    pub(super) deadline: Option<Instant>,
    pub(super) clock: &'a MachineClock,
    pub(super) context_lifetime: TimeDelta,
}

impl Call<'_> {
    /// Sends a buffered request; fails if no answer begins. Refusals of the backend are answers.
    pub(super) async fn send(
        &self,
        standing: &Standing,
        framed: &Bytes,
    ) -> Result<Response<Answer>, Failure> {
        match &self.route.way {
            Way::Local(routes) => self.serve(routes, standing, Body::new(Full::new(framed.clone()))).await,
            Way::Remote(remote) => {
                let head = || self.head_to(remote, standing);
                self.answered(remote.channel.send_message(head, framed).await)
            }
        }
    }

    /// The same with a stream.
    pub(super) async fn send_body(
        &self,
        standing: &Standing,
        body: Body,
    ) -> Result<Response<Answer>, Failure> {
        match &self.route.way {
            Way::Local(routes) => self.serve(routes, standing, body).await,
            Way::Remote(remote) => {
                let request = self.head_to(remote, standing).map(|()| body);
                self.answered(remote.channel.send(request).await)
            }
        }
    }

    /// Has the call served in this process.
    async fn serve(
        &self,
        routes: &Routes,
        standing: &Standing,
        body: Body,
    ) -> Result<Response<Answer>, Failure> {
        let mut request = self.head().map(|()| body);
        if let Some(identity) = self.identity {
            let context = self.context(identity, standing);
            request.extensions_mut().insert(Caller::of_context(context).map_err(|error| {
                tracing::error!(error = %error, "a context of our own cannot be read");
                Failure::internal()
            })?);
        }
        // Boxed, so that calls to other processes, which are many, do not move it about.
        let Ok(response) = Box::pin(self.language.scope(routes.clone().oneshot(request))).await;
        Ok(noted(response).map(Answer::Local))
    }

    fn answered(
        &self,
        answered: Result<Response<ResponseBody>, ChannelError>,
    ) -> Result<Response<Answer>, Failure> {
        let response = answered.map_err(|error| {
            tracing::debug!(service = %self.route.service, error = %error, "no answer from a backend");
            lost(&self.route.service, self.method.access.mutation && error.may_have_arrived())
        })?;
        self.check(response).map(|response| response.map(Answer::Remote))
    }

    /// What goes before the body: the caller's headers and the time that is left.
    fn head(&self) -> Request<()> {
        let mut head = Request::new(());
        *head.method_mut() = http::Method::POST;
        *head.uri_mut() = self.method.uri.clone();
        *head.headers_mut() = passed_on(self.headers);
        if let Some(deadline) = self.deadline {
            head.headers_mut().insert(deadline::HEADER, deadline::remaining(deadline));
        }
        telemetry::inject(&tracing::Span::current(), head.headers_mut());
        head
    }

    /// The same with the signed context.
    fn head_to(&self, remote: &Remote, standing: &Standing) -> Request<()> {
        let mut head = self.head();
        if let Some(identity) = self.identity {
            let context = remote.signer.sign(self.context(identity, standing));
            head.headers_mut().insert(HeaderName::from_static(HEADER), context);
        }
        head
    }

    /// A gRPC server always answers 200; what does not is something in between. A backend that does not believe the gateway's contexts is one that
    /// cannot be used: its keys or its clock do not fit, for which no caller's token is to blame. It refuses before it looks at the call.
    fn check<B>(&self, response: Response<B>) -> Result<Response<B>, Failure> {
        let service = &self.route.service;
        if response.status() != StatusCode::OK && !response.headers().contains_key(Status::GRPC_STATUS) {
            tracing::warn!(%service, status = %response.status(), "a backend does not answer as gRPC");
            return Err(lost(service, self.method.access.mutation));
        }
        let response = noted(response);
        if let Some(Refused { code: Code::Unauthenticated, reason }) = response.extensions().get()
            && reason.starts_with(ABOUT_THE_CONTEXT)
        {
            tracing::error!(%service, reason, "a backend does not believe the gateway's call contexts");
            return Err(refusal::backend_unavailable(service));
        }
        Ok(response)
    }

    fn context(&self, identity: &Identity, standing: &Standing) -> CallContext {
        let acting = identity.acting.as_ref();
        let mut context = CallContext {
            method: self.method.path.clone(),
            body_digest: self.digest.map(Vec::from).unwrap_or_default(),
            principal: identity.principal.to_string(),
            employee: acting.map(|employee| employee.name.clone()).unwrap_or_default(),
            branch: acting.map(|employee| employee.branch.clone()).unwrap_or_default(),
            roles: identity.roles.to_numbers(),
            branches: identity.reach.branches().unwrap_or_default(),
            all_branches: identity.reach == Reach::All,
            capacity: standing.capacity.into(),
            expires_at: (self.clock.now() + self.context_lifetime).timestamp_micros(),
            language: self.language.tag().to_owned(),
            ..CallContext::default()
        };
        if let Some(view) = &standing.view {
            context.case.clone_from(&view.case);
            context.named_case.clone_from(&view.named);
            context.epoch = view.epoch;
            context.read_at = view.read_at.timestamp_micros();
            context.joined = standing.joined;
        }
        context
    }
}

/// The headers that a backend gets to see, but for the context and the deadline.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let ends_here = |name: &HeaderName| STRIPPED.contains(name) || name.as_str().starts_with(OWN_METADATA);
    let passing = || headers.iter().filter(|(name, _)| !ends_here(name));
    let mut passed = HeaderMap::with_capacity(passing().count() + ADDED);
    for (name, value) in passing() {
        passed.append(name.clone(), value.clone());
    }
    passed
}

/// The headers of a call that the edge makes by itself.
pub(super) fn own_headers() -> HeaderMap {
    HeaderMap::from_iter([
        (CONTENT_TYPE, HeaderValue::from_static("application/grpc")),
        (TE, HeaderValue::from_static("trailers")),
    ])
}

/// Why a backend refused.
#[derive(Clone)]
pub(super) struct Refused {
    pub(super) code: Code,
    pub(super) reason: String,
}

/// Keeps a refusal with its answer, so that nobody decodes it again. A refusal is the whole answer: it stands in the head.
fn noted<B>(mut response: Response<B>) -> Response<B> {
    let refusal = Status::from_header_map(response.headers()).filter(|status| status.code() != Code::Ok);
    if let Some(status) = refusal {
        let reason = reason_of(&status).unwrap_or_default();
        response.extensions_mut().insert(Refused { code: status.code(), reason });
    }
    response
}

/// Why a backend refused, if it did.
pub(super) fn refused(response: &Response<Answer>) -> Option<Refused> {
    response.extensions().get().cloned()
}

/// Whether a backend refused for this reason.
pub(super) fn refused_as(response: &Response<Answer>, reason: &str) -> bool {
    response.extensions().get::<Refused>().is_some_and(|refused| refused.reason == reason)
}
