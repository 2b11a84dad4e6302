//! A collector of traces that keeps the bytes it is sent: what services export over OTLP goes nowhere else.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use tonic::{
    Request, Response, Status,
    body::Body,
    server::{Grpc, NamedService},
    transport::{Server, server::TcpIncoming},
};
use tower::{Service, service_fn};

use super::raw::Raw;

/// Collects until the test ends.
pub(crate) struct Collector {
    address: SocketAddr,
    traces: Traces,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let incoming = TcpIncoming::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let (address, traces) = (incoming.local_addr().unwrap(), Traces::default());
        tokio::spawn(Server::builder().add_service(traces.clone()).serve_with_incoming(incoming));
        Self { address, traces }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that was exported so far.
    pub(crate) fn received(&self) -> Vec<u8> {
        self.traces.0.lock().unwrap().clone()
    }
}

/// `TraceService` of OTLP, which has one method.
#[derive(Clone, Default)]
struct Traces(Arc<Mutex<Vec<u8>>>);

impl NamedService for Traces {
    const NAME: &'static str = "opentelemetry.proto.collector.trace.v1.TraceService";
}

impl Service<http::Request<Body>> for Traces {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let kept = Arc::clone(&self.0);
        Box::pin(async move {
            let keep = service_fn(move |request: Request<Bytes>| {
                kept.lock().unwrap().extend_from_slice(request.get_ref());
                // An empty answer says that everything was taken.
                std::future::ready(Ok::<_, Status>(Response::new(Bytes::new())))
            });
            Ok(Grpc::new(Raw).unary(keep, request).await)
        })
    }
}
