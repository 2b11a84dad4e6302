//! Dialling one address, and keeping it dialled.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client;
use h2::{Ping, PingPong};
use http::uri::{Authority, Scheme};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::ChannelOptions;
use super::links::{Link, Links};
use super::target::Target;
use crate::server::BoxError;
use crate::tls::ClientTlsReloader;

/// Pauses between attempts to reach an address: doubled from the first to the longest, each shortened by chance.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Calls at once until the other side has said how many it takes.
const STREAMS_AT_FIRST: usize = 100;
/// Bytes of all headers of an answer.
const MAX_HEADER_LIST: u32 = 16 * 1024;
/// A connection that lived this long is dialled again without a pause.
const LONG_LIFE: Duration = Duration::from_secs(5);

/// Opens connections to the addresses of one target.
#[derive(Clone)]
pub(super) struct Dialer {
    scheme: Scheme,
    authority: Authority,
    tls: Option<(ClientTlsReloader, String)>,
    http2: client::Builder,
    keepalive: Duration,
    keepalive_timeout: Duration,
    connect_timeout: Duration,
}

impl Dialer {
    /// With `tls`, connections are encrypted whatever the target's scheme says.
    pub(super) fn new(target: &Target, options: &ChannelOptions, tls: Option<ClientTlsReloader>) -> Self {
        let mut http2 = client::Builder::new();
        http2
            .enable_push(false)
            .initial_max_send_streams(STREAMS_AT_FIRST)
            .max_header_list_size(MAX_HEADER_LIST)
            .initial_window_size(options.stream_window)
            .initial_connection_window_size(options.connection_window);
        let name = options.tls.as_ref().and_then(|tls| tls.server_name.clone());
        let name = name.unwrap_or_else(|| target.host.clone());
        Self {
            scheme: if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP },
            authority: target.authority.clone(),
            tls: tls.map(|files| (files, name)),
            http2,
            keepalive: options.keepalive.get(),
            keepalive_timeout: options.keepalive_timeout.get(),
            connect_timeout: options.connect_timeout.get(),
        }
    }

    async fn dial(&self, address: SocketAddr) -> Result<Dialled, BoxError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.handshake(stream).await,
            Some((files, name)) => {
                let name = ServerName::try_from(name.clone())?;
                self.handshake(files.connector().connect(name, stream).await?).await
            }
        }
    }

    async fn handshake<I>(&self, io: I) -> Result<Dialled, BoxError>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, mut connection) = self.http2.handshake::<_, Bytes>(io).await?;
        let mut pings = connection.ping_pong();
        // The kernel completes connections for a process that is leaving and will take on none of them: only an answer shows that somebody did.
        if let Some(pings) = &mut pings {
            tokio::select! {
                closed = &mut connection => {
                    closed?;
                    return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
                }
                answered = pings.ping(Ping::opaque()) => {
                    answered?;
                }
            }
        }
        let spent = CancellationToken::new();
        let link = Link::new(self.scheme.clone(), self.authority.clone(), sender, spent.clone());
        let (keepalive, patience) = (self.keepalive, self.keepalive_timeout);
        let ended = spent.clone().drop_guard();
        tokio::spawn(async move {
            tokio::select! {
                closed = connection => tracing::debug!(?closed, "a connection to a backend closed"),
                () = silence(pings, keepalive, patience) => tracing::debug!("a backend answers no pings"),
            }
            drop(ended);
        });
        Ok(Dialled { link: Arc::new(link), spent })
    }
}

/// Pings, and ends when one is not answered.
async fn silence(pings: Option<PingPong>, interval: Duration, patience: Duration) {
    let Some(mut pings) = pings else { return std::future::pending().await };
    loop {
        sleep(interval).await;
        if !matches!(timeout(patience, pings.ping(Ping::opaque())).await, Ok(Ok(_))) {
            return;
        }
    }
}

struct Dialled {
    link: Arc<Link>,
    /// Cancelled when the connection takes no more requests; those on their way still finish.
    spent: CancellationToken,
}

/// Keeps one connection to `address` among the channel's links until `stop`.
pub(super) async fn keep(dialer: Dialer, address: SocketAddr, links: Arc<Links>, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    loop {
        let dialled = tokio::select! {
            () = stop.cancelled() => return,
            dialled = timeout(dialer.connect_timeout, dialer.dial(address)) => dialled,
        };
        let began = Instant::now();
        match dialled.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into())) {
            Ok(Dialled { link, spent }) => {
                tracing::debug!(backend = %dialer.authority, %address, "connected");
                links.add(&link);
                let stopped = tokio::select! {
                    () = stop.cancelled() => true,
                    () = spent.cancelled() => false,
                };
                links.remove(link.id());
                if stopped {
                    return;
                }
                tracing::debug!(backend = %dialer.authority, %address, "connection ended");
                links.failed(format!("{}: the connection ended", dialer.authority));
            }
            Err(error) => {
                tracing::debug!(backend = %dialer.authority, %address, error = %error, "cannot connect");
                links.failed(format!("{}: {error}", dialer.authority));
            }
        }
        links.report_loss();
        if began.elapsed() > LONG_LIFE {
            pause = FIRST_PAUSE;
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
