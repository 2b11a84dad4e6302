//! One connection from handshake to end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::opening::{Begun, Opening};
use super::{BoxError, ServerOptions};

/// What one connection needs to run.
pub(super) struct Connection<S> {
    pub(super) builder: Arc<auto::Builder<TokioExecutor>>,
    pub(super) service: S,
    pub(super) options: ServerOptions,
    /// No new calls from here on.
    pub(super) shutdown: CancellationToken,
    /// The drain is over.
    pub(super) cut: CancellationToken,
}

impl<S, B> Connection<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    pub(super) async fn run(self, stream: TcpStream, addr: SocketAddr, tls: Option<TlsAcceptor>) {
        // A socket that is gone already shows itself at the first read.
        let _ = stream.set_nodelay(true);
        let patience = Instant::now() + self.options.handshake_timeout.get();
        let Some(tls) = tls else {
            return self.drive(stream, addr, patience).await;
        };
        let handshake = timeout_at(patience, tls.accept(stream));
        let accepted = tokio::select! {
            () = self.shutdown.cancelled() => return,
            accepted = handshake => accepted,
        };
        match accepted {
            Ok(Ok(stream)) => self.drive(stream, addr, patience).await,
            Ok(Err(error)) => tracing::debug!(peer = %addr, error = %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(peer = %addr, "TLS handshake timed out"),
        }
    }

    /// Serves a connection on which HTTP must begin within `patience`.
    async fn drive<I>(self, stream: I, addr: SocketAddr, patience: Instant)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let begun = Begun::default();
        let io = TokioIo::new(Opening::new(stream, begun.clone()));
        let (service, requested) = (TowerToHyperService::new(self.service), begun.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            requested.set();
            service.call(request)
        });
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let started = Instant::now();
        let age = jittered(self.options.connection_age.get());
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = sleep_until(started + age) => None,
            () = self.shutdown.cancelled() => None,
            () = silence(&begun, patience) => None,
        };
        // What has arrived meanwhile still counts.
        let ended = ended.or_else(|| connection.as_mut().now_or_never());
        let ended = match ended {
            Some(ended) => ended,
            None if begun.is_set() => {
                connection.as_mut().graceful_shutdown();
                // At shutdown the drain sets the limit, for an aged connection the grace does.
                let grace = Instant::now() + self.options.connection_grace.get();
                let cut = async {
                    tokio::select! {
                        () = sleep_until(grace), if !self.shutdown.is_cancelled() => {}
                        () = self.cut.cancelled() => {}
                    }
                };
                tokio::select! {
                    ended = connection => ended,
                    () = cut => Ok(()),
                }
            }
            None => {
                tracing::debug!(peer = %addr, "connection brought no request");
                Ok(())
            }
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %addr, error = %error, "connection ended");
        }
    }
}

/// Ends if HTTP has not begun by then.
async fn silence(begun: &Begun, patience: Instant) {
    sleep_until(patience).await;
    // What has arrived by then is read first.
    yield_now().await;
    if begun.is_set() {
        std::future::pending::<()>().await;
    }
}

/// `length` give or take a tenth, so that connections opened together do not end together.
fn jittered(length: Duration) -> Duration {
    length.mul_f64(rand::random_range(0.9..1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_spread_by_a_tenth() {
        for _ in 0..1000 {
            let age = jittered(Duration::from_secs(300));
            assert!(age >= Duration::from_secs(270) && age <= Duration::from_secs(330));
        }
    }
}
