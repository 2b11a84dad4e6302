//! The clients service as tests play it: it demands signed contexts, and answers what the test scripted.

use std::{
    convert::Infallible,
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use http::Response;
use shouwen_access::{
    Caller, Contract, RequireContext,
    context::{ContextKey, ContextSigner, ContextVerifier},
    layer::MAX_MESSAGE_BYTES,
};
use shouwen_gateway::Directory;
use shouwen_proto::{
    DESCRIPTORS,
    clients::v1::{Client, ResolveClientRequest, ResolveClientResponse},
};
use shouwen_runtime::{
    channel::{ChannelOptions, connect},
    clock::MachineClock,
    config::Period,
    cores::Cores,
    server::{ServerOptions, serve},
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Request, Status,
    body::Body,
    server::{Grpc, NamedService},
};
use tonic_prost::ProstCodec;
use tower::{Layer as _, Service, service_fn};

/// What the service does next.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Finds these clients.
    Finds(&'static [&'static str]),
    Refuses(Status),
    /// Never answers.
    Hangs,
}

/// The clients service.
#[derive(Clone)]
pub(crate) struct Clients(Arc<Stage>);

struct Stage {
    script: Mutex<Script>,
    seen: Mutex<Vec<(Caller, ResolveClientRequest)>>,
}

/// A clients service, how ownership asks it, and what ends it.
pub(crate) async fn listening(script: Script) -> (Clients, Directory, DropGuard) {
    let clients = Clients(Arc::new(Stage { script: Mutex::new(script), seen: Mutex::default() }));
    let contract = Arc::new(Contract::load(DESCRIPTORS).unwrap());
    let verifier = ContextVerifier::new("clients", [("gateway".to_owned(), key())]).unwrap();
    let layer = RequireContext::new(contract, verifier, MachineClock::system(), MAX_MESSAGE_BYTES);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let shutdown = CancellationToken::new();
    tokio::spawn(serve(
        Cores::default(),
        listener,
        None,
        layer.layer(clients.clone()),
        ServerOptions::default(),
        shutdown.clone(),
    ));
    (clients, asking(&address), shutdown.drop_guard())
}

/// Where nobody answers.
pub(crate) fn nowhere() -> Directory {
    asking("127.0.0.1:1")
}

fn asking(address: &str) -> Directory {
    let options = ChannelOptions { connect_timeout: Period::millis(200), ..ChannelOptions::default() };
    let channel = connect(&[address], &options).unwrap();
    Directory::new(channel, ContextSigner::new("gateway", "clients", key()), MachineClock::system())
}

fn key() -> ContextKey {
    ContextKey::new("gateway-clients-1", &[9; 32]).unwrap()
}

impl Clients {
    pub(crate) fn play(&self, script: Script) {
        *self.0.script.lock().unwrap() = script;
    }

    /// Who asked what, in order.
    pub(crate) fn seen(&self) -> Vec<(Caller, ResolveClientRequest)> {
        self.0.seen.lock().unwrap().clone()
    }

    async fn resolve(
        self,
        request: Request<ResolveClientRequest>,
    ) -> Result<tonic::Response<ResolveClientResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        self.0.seen.lock().unwrap().push((caller, request.into_inner()));
        let script = self.0.script.lock().unwrap().clone();
        match script {
            Script::Finds(ids) => {
                let client = |id: &&str| Client { name: format!("clients/{id}"), ..Client::default() };
                let clients = ids.iter().map(client).collect();
                Ok(tonic::Response::new(ResolveClientResponse { clients }))
            }
            Script::Refuses(status) => Err(status),
            Script::Hangs => pending().await,
        }
    }
}

impl NamedService for Clients {
    const NAME: &'static str = "shouwen.clients.v1.ClientService";
}

impl Service<http::Request<Body>> for Clients {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        assert_eq!(request.uri().path(), "/shouwen.clients.v1.ClientService/ResolveClient");
        let clients = self.clone();
        Box::pin(async move {
            let resolve = service_fn(move |request| clients.clone().resolve(request));
            Ok(Grpc::new(ProstCodec::default()).unary(resolve, request).await)
        })
    }
}
