//! What stands before every handler of a backend: no call gets past it without a verified context, and the handler finds the
//! [`Caller`] in the request's extensions. Health and reflection of gRPC itself pass.
//!
//! It does not look at cases, epochs or branches: those are fenced and judged where the state is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use shouwen_runtime::clock::MachineClock;
use tonic::Code;
use tower::{BoxError, Layer, Service};

use crate::context::caller::Caller;
use crate::context::{ContextVerifier, RequestBody};
use crate::contract::{Contract, Method};
use crate::language::Language;
use crate::status::Failure;

/// Default bound of a unary request, 4 MiB.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// A gRPC frame: one byte of compression, four of length.
const FRAME: usize = 5;

/// The layer. A request that already carries a [`Caller`] comes from the gateway in the same process and is believed: extensions
/// cannot come off the wire.
#[derive(Clone, Debug)]
pub struct RequireContext(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    contract: Arc<Contract>,
    verifier: ContextVerifier,
    clock: MachineClock,
    max_message_bytes: usize,
}

impl RequireContext {
    /// A layer for the audience of `verifier`; unary requests are bounded by `max_message_bytes`, see [`MAX_MESSAGE_BYTES`].
    pub fn new(
        contract: Arc<Contract>,
        verifier: ContextVerifier,
        clock: MachineClock,
        max_message_bytes: usize,
    ) -> Self {
        Self(Arc::new(Shared { contract, verifier, clock, max_message_bytes }))
    }
}

impl<S> Layer<S> for RequireContext {
    type Service = RequireContextService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireContextService { inner, shared: Arc::clone(&self.0) }
    }
}

/// A service behind [`RequireContext`].
#[derive(Clone, Debug)]
pub struct RequireContextService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B, R> Service<Request<B>> for RequireContextService<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The ready one is called, the clone stays for the next request.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let asked = Language::of_headers(request.headers());
            match shared.admit(request).await {
                Ok(request) => {
                    let language =
                        request.extensions().get::<Caller>().map_or(asked, |caller| caller.language);
                    language.scope(inner.call(request)).await
                }
                Err(failure) => Ok(failure.to_status(asked).into_http()),
            }
        })
    }
}

impl Shared {
    async fn admit<B>(&self, request: Request<B>) -> Result<Request<tonic::body::Body>, Failure>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        if request.extensions().get::<Caller>().is_some() || Contract::is_infrastructure(request.uri().path())
        {
            return Ok(request.map(tonic::body::Body::new));
        }
        let path = request.uri().path();
        let method = self.contract.method(path).ok_or_else(|| Failure::method_unknown(path))?;
        if method.access.public {
            return Ok(request.map(tonic::body::Body::new));
        }
        let caller = self.verifier.verify(request.headers(), path, self.clock.unix_micros())?;
        method.admit(caller.roles)?;
        self.check_body(method, caller, request).await
    }

    async fn check_body<B>(
        &self,
        method: &Method,
        caller: Caller,
        request: Request<B>,
    ) -> Result<Request<tonic::body::Body>, Failure>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        let body = if method.is_unary() {
            let framed = collect(body, self.max_message_bytes).await?;
            ContextVerifier::verify_body(&caller, RequestBody::Unary(message(&framed)?))?;
            tonic::body::Body::new(Full::new(framed))
        } else {
            ContextVerifier::verify_body(&caller, RequestBody::Stream)?;
            tonic::body::Body::new(body)
        };
        parts.extensions.insert(caller);
        Ok(Request::from_parts(parts, body))
    }
}

async fn collect<B>(body: B, max_message_bytes: usize) -> Result<Bytes, Failure>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    match Limited::new(body, max_message_bytes.saturating_add(FRAME)).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::message_too_large(max_message_bytes)),
        Err(_) => Err(Failure::new(
            Code::Cancelled,
            "REQUEST_INTERRUPTED",
            "The request ended before it was complete; nothing was done.",
            "请求在传输完成前中断，未作任何更改。",
        )),
    }
}

/// The one message of a framed unary request.
fn message(framed: &[u8]) -> Result<&[u8], Failure> {
    let (mut frame, message) = framed.split_at_checked(FRAME).ok_or_else(Failure::message_malformed)?;
    let compressed = frame.get_u8();
    let length = frame.get_u32();
    match (compressed, usize::try_from(length)) {
        (0, Ok(length)) if length == message.len() => Ok(message),
        (1, _) => Err(Failure::new(
            Code::Unimplemented,
            "COMPRESSION_UNSUPPORTED",
            "Requests are taken uncompressed only; switch compression off in the client.",
            "不支持压缩的请求，请在客户端关闭压缩。",
        )),
        _ => Err(Failure::message_malformed()),
    }
}
