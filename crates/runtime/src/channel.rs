//! The way to a backend: HTTP/2 connections to every address behind its name, each request sent over the next of
//! them. Built on h2 instead of `tonic::transport::Channel`, whose balancer keeps handing requests to an address
//! that cannot be reached; here only live connections are offered requests, and a request that a closing connection
//! did not take goes to the next one. It repeats nothing that may have arrived.

mod connection;
mod exchange;
mod links;
mod target;

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

pub use exchange::ResponseBody;
use exchange::{Content, Failed};
use links::{Link, Links};
pub use target::InvalidTarget;
use target::Target;

use crate::config::Period;
use crate::cores::{self, Cores};
use crate::tls::{ClientTls, ClientTlsReloader, TlsError, client_config};

/// What is spoken over TLS (ALPN).
const PROTOCOLS: &[&str] = &["h2"];

/// How often a request that no connection took is offered to another one.
const OFFERS: usize = 4;

/// How to reach a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelOptions {
    /// Time for one connection to come up, and time that a request waits for the first one.
    pub connect_timeout: Period,
    /// How often names are resolved again; also at once when a connection is lost.
    pub resolve_interval: Period,
    /// Addresses used per name; further ones are left out.
    pub max_addresses: usize,
    /// Connections per address. More than one where the other side allows few calls at once on each.
    pub connections: usize,
    /// Time between pings, also on an idle connection.
    pub keepalive: Period,
    /// Time for the answer to a ping, after which the connection is given up.
    pub keepalive_timeout: Period,
    /// HTTP/2 flow control: bytes in flight per call.
    pub stream_window: u32,
    /// HTTP/2 flow control: bytes in flight per connection.
    pub connection_window: u32,
    /// Set for TLS; needed if a target says `https`. New connections use the files as they are then.
    pub tls: Option<ClientTls>,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Period::secs(2),
            resolve_interval: Period::secs(5),
            max_addresses: 64,
            connections: 1,
            keepalive: Period::secs(20),
            keepalive_timeout: Period::secs(10),
            stream_window: 1024 * 1024,
            connection_window: 4 * 1024 * 1024,
            tls: None,
        }
    }
}

/// Why there is no channel: the configuration is wrong. An unreachable backend is not an error here.
#[derive(Debug, thiserror::Error)]
pub enum ChannelConfigError {
    /// No target was given.
    #[error("no address of the backend is configured")]
    NoTarget,
    /// A target is not an address.
    #[error(transparent)]
    Target(#[from] InvalidTarget),
    /// The TLS files cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A balanced channel, for generated clients and for raw requests. Clones share the connections, which belong to the
/// tokio runtime that [`connect`] was called on and end with the last clone. Each thread of [`Cores`] has its own.
#[derive(Clone)]
pub struct Channel {
    /// By number of the thread; first those of the common scheduler.
    links: Arc<[Arc<Links>]>,
    connect_timeout: Period,
    _keep: Arc<DropGuard>,
}

/// Opens a channel to all addresses of all targets; each is `host:port`, `http://host:port` or `https://host:port`,
/// or several of them with commas between. Connections come up in the background.
pub fn connect<T: AsRef<str>>(
    targets: &[T],
    options: &ChannelOptions,
) -> Result<Channel, ChannelConfigError> {
    connect_on(&Cores::default(), targets, options)
}

/// As [`connect`], with further connections for each thread that serves callers.
pub fn connect_on<T: AsRef<str>>(
    cores: &Cores,
    targets: &[T],
    options: &ChannelOptions,
) -> Result<Channel, ChannelConfigError> {
    let (targets, tls) = parse(targets, options)?;
    let tls = tls.map(|tls| ClientTlsReloader::start(tls, PROTOCOLS)).transpose()?;
    let stop = CancellationToken::new();
    let here = Handle::current();
    let links = std::iter::once(&here).chain(cores.handles()).map(|scheduler| {
        let links = Arc::new(Links::default());
        for target in &targets {
            let dialer = connection::Dialer::new(target, options, tls.clone());
            let (target, options) = (target.clone(), options.clone());
            scheduler.spawn(target::follow(target, dialer, options, Arc::clone(&links), stop.clone()));
        }
        links
    });
    Ok(Channel {
        links: links.collect(),
        connect_timeout: options.connect_timeout,
        _keep: Arc::new(stop.drop_guard()),
    })
}

/// Whether [`connect`] would take these targets and options: addresses and TLS files are read, nothing is connected to.
pub fn check<T: AsRef<str>>(targets: &[T], options: &ChannelOptions) -> Result<(), ChannelConfigError> {
    let (_, tls) = parse(targets, options)?;
    if let Some(tls) = tls {
        client_config(&tls, PROTOCOLS)?;
    }
    Ok(())
}

/// The targets, and the files of TLS where it is spoken.
fn parse<T: AsRef<str>>(
    targets: &[T],
    options: &ChannelOptions,
) -> Result<(Vec<Target>, Option<ClientTls>), ChannelConfigError> {
    let texts = targets.iter().flat_map(|text| text.as_ref().split(',')).map(str::trim);
    let targets = texts.filter(|text| !text.is_empty()).map(Target::parse).collect::<Result<Vec<_>, _>>()?;
    if targets.is_empty() {
        return Err(ChannelConfigError::NoTarget);
    }
    let by_target = || targets.iter().any(|target| target.tls).then(ClientTls::default);
    let tls = options.tls.clone().or_else(by_target);
    Ok((targets, tls))
}

impl Channel {
    /// Those of the thread that asks. A thread of other [`Cores`] than the channel's has the common ones.
    fn links(&self) -> &Links {
        self.links.get(cores::current()).unwrap_or(&self.links[0])
    }

    /// Live connections right now.
    pub fn connected(&self) -> usize {
        self.links().count()
    }

    /// Waits until `count` connections are live.
    pub async fn wait_connected(&self, count: usize) {
        self.links().wait(count).await;
    }

    /// Sends a request: path and headers as they are, scheme and authority of the address it goes to.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<ResponseBody>, ChannelError> {
        let (head, body) = request.into_parts();
        let mut head = Request::from_parts(head, ());
        let content = Content::of(body).map_err(|status| ChannelError { status, may_have_arrived: false })?;
        let mut content = match content.whole() {
            Ok(message) => return self.send_message(|| head.clone(), &message).await,
            Err(content) => content,
        };
        for _ in 0..OFFERS {
            let link = self.link().await?;
            (head, content) = match link.send_stream(head, content).await {
                Ok(response) => return Ok(response),
                Err(Failed::Unsent(unsent)) => unsent,
                Err(Failed::Broken(error)) => return Err(ChannelError::broken(error)),
            };
            self.links().remove(link.id());
        }
        Err(ChannelError::closed())
    }

    /// The same with a message that is there as a whole. `head` makes what goes before it, anew for each connection that it is offered to.
    pub async fn send_message(
        &self,
        head: impl Fn() -> Request<()>,
        message: &Bytes,
    ) -> Result<Response<ResponseBody>, ChannelError> {
        for _ in 0..OFFERS {
            let link = self.link().await?;
            match link.send(head(), message.clone()).await {
                Ok(response) => return Ok(response),
                Err(Failed::Unsent(())) => self.links().remove(link.id()),
                Err(Failed::Broken(error)) => return Err(ChannelError::broken(error)),
            }
        }
        Err(ChannelError::closed())
    }

    async fn link(&self) -> Result<Arc<Link>, ChannelError> {
        let links = self.links();
        if let Some(link) = links.next() {
            return Ok(link);
        }
        let waited = tokio::time::timeout(self.connect_timeout.get(), links.wait(1)).await;
        match (waited, links.next()) {
            (Ok(()), Some(link)) => Ok(link),
            _ => Err(ChannelError::unreachable(&links.last_failure())),
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("connected", &self.connected()).finish_non_exhaustive()
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<ResponseBody>;
    type Error = ChannelError;
    type Future = BoxFuture<'static, Result<Response<ResponseBody>, ChannelError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), ChannelError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let channel = self.clone();
        Box::pin(async move { channel.send(request).await })
    }
}

/// A request that got no answer.
#[derive(Debug)]
pub struct ChannelError {
    status: Status,
    may_have_arrived: bool,
}

impl ChannelError {
    fn unreachable(message: &str) -> Self {
        Self { status: Status::unavailable(message), may_have_arrived: false }
    }

    fn closed() -> Self {
        Self::unreachable("connections closed before they took the request")
    }

    fn broken(error: h2::Error) -> Self {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let mut status = Status::from_error(Box::new(error));
        if status.code() == Code::Unknown {
            status = Status::unavailable("the connection to the backend was lost");
        }
        Self { status, may_have_arrived: !refused }
    }

    /// Whether the backend may have seen the request; `false` makes another attempt safe for any request.
    pub fn may_have_arrived(&self) -> bool {
        self.may_have_arrived
    }

    /// As a gRPC status, `UNAVAILABLE` unless the other side reset the call for a reason of its own.
    pub fn into_status(self) -> Status {
        self.status
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.status.message())
    }
}

impl std::error::Error for ChannelError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // tonic's generated clients find the status here.
        Some(&self.status)
    }
}
