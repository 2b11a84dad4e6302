//! The accept loop of every listener: a bounded number of connections, TLS, a bounded age per connection so that load
//! spreads over new replicas, and a drain that lets running calls end. What is served is the caller's tower service.

mod connection;
mod opening;
mod options;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

pub use options::ServerOptions;

use crate::cores::Cores;
use crate::tls::TlsReloader;

/// Pause after an accept that failed, typically for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves connections of `listener`, each on one of the threads, until `shutdown`, then drains: running calls may end within
/// [`ServerOptions::drain`]. Returns when the last connection is gone. Fails only if the listener is unusable.
pub async fn serve<S, B>(
    cores: Cores,
    listener: TcpListener,
    tls: Option<TlsReloader>,
    service: S,
    options: ServerOptions,
    shutdown: CancellationToken,
) -> io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let local = listener.local_addr()?;
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(options.max_connections));
    let builder = Arc::new(builder(&options));
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, addr, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = connection::Connection {
            builder: Arc::clone(&builder),
            service: service.clone(),
            options: options.clone(),
            shutdown: shutdown.clone(),
            cut: cut.clone(),
        };
        let tls = tls.as_ref().map(TlsReloader::acceptor);
        let run = async move |stream| {
            connection.run(stream, addr, tls).await;
            drop(place);
        };
        match cores.next() {
            None => {
                connections.spawn(run(stream));
            }
            Some(core) => {
                let stream = stream.into_std();
                let moved = async move {
                    match stream.and_then(TcpStream::from_std) {
                        Ok(stream) => run(stream).await,
                        Err(error) => tracing::warn!(error = %error, "a connection could not be taken on"),
                    }
                };
                connections.spawn_on(moved, core);
            }
        }
    }
    drop(listener);
    connections.close();
    tracing::debug!(listener = %local, connections = connections.len(), "draining");
    if tokio::time::timeout(options.drain.get(), connections.wait()).await.is_err() {
        tracing::warn!(listener = %local, connections = connections.len(), "connections are cut after the drain");
        cut.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// Waits for a free place before it accepts: further clients wait in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, addr) = listener.accept().await?;
    Ok((stream, addr, place))
}

fn builder(options: &ServerOptions) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    if !options.http1 {
        builder = builder.http2_only();
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(options.max_concurrent_streams)
        .max_header_list_size(options.max_header_list)
        .keep_alive_interval(options.keepalive.get())
        .keep_alive_timeout(options.keepalive_timeout.get())
        .initial_stream_window_size(options.stream_window)
        .initial_connection_window_size(options.connection_window)
        .auto_date_header(false);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.handshake_timeout.get())
        .max_buf_size(usize::try_from(options.max_header_list).unwrap_or(usize::MAX).max(8192));
    builder
}
