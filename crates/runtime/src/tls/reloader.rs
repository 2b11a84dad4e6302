//! TLS configurations that follow their files.

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::client::ClientTls;
use super::files::{ServerTls, TlsError};
use super::watched::{INTERVAL, Watched};

/// The current TLS configuration of a listener. Files are compared by content every five seconds and on SIGHUP; new
/// connections use what was last good, and files that do not fit together are logged once and not used. Clones share
/// the configuration; watching ends with the last of them.
#[derive(Clone)]
pub struct TlsReloader(Arc<Watched<ServerConfig>>);

impl TlsReloader {
    /// Reads the files, which must be good, and begins to watch them on the current tokio runtime.
    pub fn start(files: ServerTls) -> Result<Self, TlsError> {
        Self::with_interval(files, INTERVAL)
    }

    /// As [`start`](Self::start), looking at the files this often.
    pub fn with_interval(files: ServerTls, interval: Duration) -> Result<Self, TlsError> {
        let watched = Watched::start(files.paths(), move || files.load(), interval)?;
        Ok(Self(Arc::new(watched)))
    }

    /// An acceptor with the configuration as it is now.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.current())
    }

    /// Follows the number of configurations used so far; the first is 1.
    pub fn generation(&self) -> watch::Receiver<u64> {
        self.0.generation()
    }
}

/// The same for connections that we open.
#[derive(Clone)]
pub(crate) struct ClientTlsReloader(Arc<Watched<ClientConfig>>);

impl ClientTlsReloader {
    /// Reads the files, which must be good, for these protocols (ALPN, most wanted first), and begins to watch them on
    /// the current tokio runtime.
    pub(crate) fn start(files: ClientTls, protocols: &'static [&'static str]) -> Result<Self, TlsError> {
        let watched = Watched::start(files.paths(), move || files.load(protocols), INTERVAL)?;
        Ok(Self(Arc::new(watched)))
    }

    /// A connector with the configuration as it is now.
    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(self.0.current())
    }
}
