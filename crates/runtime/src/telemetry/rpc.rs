//! Duration of every RPC by method and status, after OpenTelemetry's RPC conventions: `rpc.server.call.duration` in
//! seconds, from the request's head to the end of the answer, streams included.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use opentelemetry::metrics::{Histogram, Meter};
use opentelemetry::{KeyValue, Value};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tonic::{Code, Status};
use tower::{Layer, Service};

/// Bucket bounds in seconds: the conventions' own, and finer ones below them.
const BOUNDS: [f64; 17] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// What stands for a method that the server does not have, so that strangers cannot make up time series.
const OTHER_METHOD: &str = "_OTHER";

/// A tower layer that measures the RPCs of a server.
#[derive(Clone, Debug)]
pub struct RpcMetrics {
    duration: Histogram<f64>,
    /// Those that have a label of their own.
    methods: Arc<HashSet<Arc<str>>>,
}

impl RpcMetrics {
    /// The layer, with its histogram made by `meter`, for a server that has the methods at these gRPC paths.
    pub fn new<'a>(meter: &Meter, paths: impl IntoIterator<Item = &'a str>) -> Self {
        let duration = meter
            .f64_histogram("rpc.server.call.duration")
            .with_unit("s")
            .with_description("Duration of incoming RPCs")
            .with_boundaries(BOUNDS.to_vec())
            .build();
        let methods = paths.into_iter().map(|path| Arc::from(method(path))).collect();
        Self { duration, methods: Arc::new(methods) }
    }
}

/// `shouwen.calls.v1.CallService/EndCall` at `/shouwen.calls.v1.CallService/EndCall`.
fn method(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

impl<S> Layer<S> for RpcMetrics {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, metrics: self.clone() }
    }
}

/// A service whose RPCs are measured.
#[derive(Clone, Debug)]
pub struct Measured<S> {
    inner: S,
    metrics: RpcMetrics,
}

impl<S, A, B> Service<Request<A>> for Measured<S>
where
    S: Service<Request<A>, Response = Response<B>>,
{
    type Response = Response<MeasuredBody<B>>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let measurement = Measurement {
            duration: self.metrics.duration.clone(),
            method: self.metrics.methods.get(method(request.uri().path())).cloned(),
            began: Instant::now(),
            code: None,
        };
        MeasuredFuture { inner: self.inner.call(request), measurement: Some(measurement) }
    }
}

/// One RPC under way. It is recorded when this is dropped; without a code by then, the client has gone.
struct Measurement {
    duration: Histogram<f64>,
    /// `None` if the server does not have it.
    method: Option<Arc<str>>,
    began: Instant,
    code: Option<Code>,
}

impl Measurement {
    /// Takes the status from headers or trailers, if they have it.
    fn read(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get(Status::GRPC_STATUS) {
            self.code = Some(Code::from_bytes(status.as_bytes()));
        }
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        let code = self.code.unwrap_or(Code::Cancelled);
        let method = self.method.take().map_or(Value::from(OTHER_METHOD), Value::from);
        let attributes = [
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", method),
            KeyValue::new("rpc.response.status_code", name(code)),
            KeyValue::new("error.type", name(code)),
        ];
        let shown = if is_server_error(code) { &attributes[..] } else { &attributes[..3] };
        self.duration.record(self.began.elapsed().as_secs_f64(), shown);
    }
}

pin_project! {
    /// The answer to come.
    pub struct MeasuredFuture<F> {
        #[pin]
        inner: F,
        measurement: Option<Measurement>,
    }
}

impl<F, B, E> Future for MeasuredFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<MeasuredBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.inner.poll(context));
        let mut measurement = this.measurement.take();
        Poll::Ready(match answer {
            Err(error) => {
                if let Some(measurement) = &mut measurement {
                    measurement.code = Some(Code::Unknown);
                }
                Err(error)
            }
            Ok(response) => {
                if let Some(measurement) = &mut measurement {
                    if response.status() != StatusCode::OK {
                        measurement.code = Some(Code::Unknown);
                    }
                    measurement.read(response.headers());
                }
                Ok(response.map(|inner| MeasuredBody { inner, measurement }))
            }
        })
    }
}

pin_project! {
    /// An answer's body that is measured to its end.
    pub struct MeasuredBody<B> {
        #[pin]
        inner: B,
        measurement: Option<Measurement>,
    }
}

impl<B: Body> Body for MeasuredBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        if let Some(measurement) = this.measurement {
            match &frame {
                Some(Ok(frame)) => {
                    if let Some(trailers) = frame.trailers_ref() {
                        measurement.read(trailers);
                    }
                }
                Some(Err(_)) | None => {
                    measurement.code.get_or_insert(Code::Unknown);
                }
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn is_server_error(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The code's name as gRPC writes it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http::HeaderValue;
    use http_body_util::{BodyExt, Empty, Full};
    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::telemetry::Metrics;

    fn trailers(status: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(Status::GRPC_STATUS, HeaderValue::from_static(status))])
    }

    /// Answers with one message and then the status.
    async fn call(metrics: &Metrics, path: &str, status: &'static str, read: bool) {
        let service = service_fn(move |_: Request<Empty<Bytes>>| async move {
            let body =
                Full::new(Bytes::from_static(b"x")).with_trailers(async move { Some(Ok(trailers(status))) });
            Ok::<_, Infallible>(Response::new(body))
        });
        let methods = ["/shouwen.a.v1.A/Get", "/shouwen.a.v1.A/Watch"];
        let service = RpcMetrics::new(&metrics.meter("test"), methods).layer(service);
        let request = Request::builder().uri(path).body(Empty::new()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        if read {
            response.into_body().collect().await.unwrap();
        }
    }

    fn count_line(metrics: &Metrics, parts: &[&str]) -> String {
        let text = metrics.render().unwrap();
        let found = text.lines().find(|line| {
            line.starts_with("rpc_server_call_duration_seconds_count")
                && parts.iter().all(|part| line.contains(part))
        });
        found.unwrap_or_else(|| panic!("no line with {parts:?} in\n{text}")).to_owned()
    }

    #[tokio::test]
    async fn calls_are_counted_by_method_and_status_from_their_trailers() {
        let metrics = Metrics::new("test").unwrap();
        call(&metrics, "/shouwen.a.v1.A/Get", "0", true).await;
        call(&metrics, "/shouwen.a.v1.A/Get", "0", true).await;
        call(&metrics, "/shouwen.a.v1.A/Get", "14", true).await;
        let ok = [
            "rpc_method=\"shouwen.a.v1.A/Get\"",
            "rpc_response_status_code=\"OK\"",
            "rpc_system_name=\"grpc\"",
        ];
        assert!(count_line(&metrics, &ok).ends_with(" 2"));
        assert!(count_line(&metrics, &["error_type=\"UNAVAILABLE\""]).ends_with(" 1"));
    }

    #[tokio::test]
    async fn a_call_whose_client_goes_away_is_cancelled() {
        let metrics = Metrics::new("test").unwrap();
        call(&metrics, "/shouwen.a.v1.A/Watch", "0", false).await;
        count_line(&metrics, &["A/Watch", "\"CANCELLED\""]);
    }

    #[tokio::test]
    async fn a_method_that_the_server_does_not_have_gets_no_label_however_its_call_ends() {
        let metrics = Metrics::new("test").unwrap();
        for path in ["/shouwen.a.v1.A/Made-up", "//shouwen.a.v1.A/Get", "/shouwen.a.v1.A/Get/Made-up", "/"] {
            call(&metrics, path, "0", true).await;
            call(&metrics, path, "12", true).await;
            call(&metrics, path, "0", false).await;
        }
        call(&metrics, "/shouwen.a.v1.A/Get", "12", true).await;
        for code in ["OK", "UNIMPLEMENTED", "CANCELLED"] {
            let line = count_line(&metrics, &["rpc_method=\"_OTHER\"", &format!("\"{code}\"")]);
            assert!(line.ends_with(" 4"), "{line}");
        }
        count_line(&metrics, &["rpc_method=\"shouwen.a.v1.A/Get\"", "\"UNIMPLEMENTED\""]);
        assert!(!metrics.render().unwrap().contains("Made-up"));
    }
}
