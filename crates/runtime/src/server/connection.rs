//! One connection from handshake to end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Service;

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
        let Some(tls) = tls else {
            return self.drive(TokioIo::new(stream), addr).await;
        };
        let handshake = timeout(self.options.handshake_timeout.get(), tls.accept(stream));
        let accepted = tokio::select! {
            () = self.shutdown.cancelled() => return,
            accepted = handshake => accepted,
        };
        match accepted {
            Ok(Ok(stream)) => self.drive(TokioIo::new(stream), addr).await,
            Ok(Err(error)) => tracing::debug!(peer = %addr, error = %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(peer = %addr, "TLS handshake timed out"),
        }
    }

    async fn drive<I>(self, io: I, addr: SocketAddr)
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let service = TowerToHyperService::new(self.service);
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let started = Instant::now();
        let age = jittered(self.options.connection_age.get());
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = sleep_until(started + age) => None,
            () = self.shutdown.cancelled() => None,
        };
        let ended = if let Some(ended) = ended {
            ended
        } else {
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
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %addr, error = %error, "connection ended");
        }
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
