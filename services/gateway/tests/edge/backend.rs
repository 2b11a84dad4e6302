//! A backend that echoes, tells the test what it saw, and does what the test scripted.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, Response};
use shouwen_access::context::{ContextKey, ContextVerifier};
use shouwen_access::layer::MAX_MESSAGE_BYTES;
use shouwen_access::{Caller, RequireContext};
use shouwen_runtime::clock::MachineClock;
use shouwen_runtime::cores::Cores;
use shouwen_runtime::server::{ServerOptions, serve};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, NamedService};
use tonic::{Request, Status, Streaming};
use tower::{Layer as _, Service, service_fn};

use crate::codec::Raw;
use crate::contract::contract;

/// The key of the pair gateway and echo.
pub(crate) const KEY: [u8; 32] = [7; 32];
pub(crate) const KEY_ID: &str = "gateway-echo-1";

/// Bytes of a message of which a caller who does not read gets only a part.
pub(crate) const MORE_THAN_A_WINDOW: usize = 2 * 1024 * 1024;

/// What one call of a backend looked like.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) backend: &'static str,
    pub(crate) caller: Option<Caller>,
    pub(crate) headers: HeaderMap,
    /// The first message.
    pub(crate) message: Bytes,
}

/// What a backend does next instead of echoing.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answers with this status.
    Refuse(Status),
    /// Never answers; `ended` is cancelled when the call is dropped.
    Hang,
    /// Answers with a message of this many bytes.
    Say(usize),
}

/// What backends and tests share.
#[derive(Clone)]
pub(crate) struct Stage {
    seen: mpsc::UnboundedSender<Seen>,
    script: Arc<Mutex<VecDeque<Act>>>,
    ended: CancellationToken,
}

/// The test's side of the stage.
pub(crate) struct Audience {
    pub(crate) seen: mpsc::UnboundedReceiver<Seen>,
    pub(crate) script: Arc<Mutex<VecDeque<Act>>>,
    /// Cancelled when a hanging call is dropped.
    pub(crate) ended: CancellationToken,
}

pub(crate) fn stage() -> (Stage, Audience) {
    let (sender, seen) = mpsc::unbounded_channel();
    let (script, ended) = (Arc::default(), CancellationToken::new());
    let stage = Stage { seen: sender, script: Arc::clone(&script), ended: ended.clone() };
    (stage, Audience { seen, script, ended })
}

/// Serves the methods of the tests' contract.
#[derive(Clone)]
pub(crate) struct Echo {
    name: &'static str,
    stage: Stage,
}

impl NamedService for Echo {
    const NAME: &'static str = "shouwen.inside.v1.Inside";
}

type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

impl Echo {
    pub(crate) fn new(name: &'static str, stage: &Stage) -> Self {
        Self { name, stage: stage.clone() }
    }

    /// Listens on loopback and demands contexts for the audience `echo`.
    pub(crate) async fn listen(self, clock: MachineClock) -> (SocketAddr, DropGuard) {
        let key = ContextKey::new(KEY_ID, &KEY).unwrap();
        let verifier = ContextVerifier::new("echo", [("gateway".to_owned(), key)]).unwrap();
        let layer = RequireContext::new(contract(), verifier, clock, MAX_MESSAGE_BYTES);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let options = ServerOptions { max_concurrent_streams: 1000, ..ServerOptions::default() };
        tokio::spawn(serve(Cores::default(), listener, None, layer.layer(self), options, shutdown.clone()));
        (address, shutdown.drop_guard())
    }

    fn see(&self, metadata: &MetadataMap, caller: Option<Caller>, message: Bytes) -> Option<Act> {
        let headers = metadata.clone().into_headers();
        // A test may have seen enough.
        let _ = self.stage.seen.send(Seen { backend: self.name, caller, headers, message });
        self.stage.script.lock().unwrap().pop_front()
    }

    async fn act(&self, act: Option<Act>, echo: Bytes) -> Result<Bytes, Status> {
        match act {
            None => Ok(echo),
            Some(Act::Refuse(status)) => Err(status),
            Some(Act::Say(length)) => Ok(vec![b'x'; length].into()),
            Some(Act::Hang) => {
                let _ended = self.stage.ended.clone().drop_guard();
                std::future::pending().await
            }
        }
    }

    async fn unary(self, request: Request<Bytes>) -> Result<tonic::Response<Bytes>, Status> {
        let caller = Caller::from_request(&request).ok().cloned();
        let act = self.see(request.metadata(), caller, request.get_ref().clone());
        let echo = self.act(act, request.into_inner()).await?;
        let mut response = tonic::Response::new(echo);
        response.metadata_mut().insert("x-echo", "head".parse().unwrap());
        Ok(response)
    }

    fn watch(self, request: Request<Bytes>) -> tonic::Response<Messages> {
        let caller = Caller::from_request(&request).ok().cloned();
        let (metadata, _, echo) = request.into_parts();
        let act = self.see(&metadata, caller, echo.clone());
        let thrice = stream::iter([Ok(echo.clone()), Ok(echo.clone()), Ok(echo)]);
        let last = stream::once(async move { self.act(act, Bytes::from_static(b"last")).await });
        tonic::Response::new(Box::pin(thrice.chain(last)))
    }

    async fn upload(self, request: Request<Streaming<Bytes>>) -> Result<tonic::Response<Bytes>, Status> {
        let caller = Caller::from_request(&request).ok().cloned();
        let metadata = request.metadata().clone();
        let mut messages = request.into_inner();
        let mut all = Vec::new();
        while let Some(message) = messages.message().await? {
            all.push(message);
        }
        let act = self.see(&metadata, caller, all.first().cloned().unwrap_or_default());
        self.act(act, all.concat().into()).await.map(tonic::Response::new)
    }

    fn chat(self, request: Request<Streaming<Bytes>>) -> tonic::Response<Messages> {
        let caller = Caller::from_request(&request).ok().cloned();
        self.see(request.metadata(), caller, Bytes::new());
        let ended = self.stage.ended.clone().drop_guard();
        let messages = request.into_inner().map(move |message| {
            let _held = &ended;
            message
        });
        tonic::Response::new(Box::pin(messages))
    }
}

impl Service<http::Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(Raw);
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "Watch" => {
                    grpc.server_streaming(service_fn(move |it| ready(Ok(echo.clone().watch(it)))), request)
                        .await
                }
                "Upload" => {
                    grpc.client_streaming(service_fn(move |it| echo.clone().upload(it)), request).await
                }
                "Chat" => {
                    grpc.streaming(service_fn(move |it| ready(Ok(echo.clone().chat(it)))), request).await
                }
                _ => grpc.unary(service_fn(move |it| echo.clone().unary(it)), request).await,
            })
        })
    }
}
