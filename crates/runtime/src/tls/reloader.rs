//! A server's TLS configuration that follows its files.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::files::{ServerTls, TlsError};

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(5);

/// The current TLS configuration of a listener. Files are compared by content every five seconds and on SIGHUP; new
/// connections use what was last good, and files that do not fit together are logged once and not used. Clones share
/// the configuration; watching ends with the last of them.
#[derive(Clone)]
pub struct TlsReloader {
    shared: Arc<Shared>,
    _watching: Arc<DropGuard>,
}

struct Shared {
    files: ServerTls,
    current: ArcSwap<ServerConfig>,
    /// Number of configurations used so far, the first being 1.
    generation: watch::Sender<u64>,
}

impl TlsReloader {
    /// Reads the files, which must be good, and begins to watch them on the current tokio runtime.
    pub fn start(files: ServerTls) -> Result<Self, TlsError> {
        Self::with_interval(files, INTERVAL)
    }

    /// As [`start`](Self::start), looking at the files this often.
    pub fn with_interval(files: ServerTls, interval: Duration) -> Result<Self, TlsError> {
        let contents = files.contents()?;
        let current = ArcSwap::from_pointee(files.load()?);
        let shared = Arc::new(Shared { files, current, generation: watch::Sender::new(1) });
        let stop = CancellationToken::new();
        tokio::spawn(watch_files(Arc::clone(&shared), contents, interval, stop.clone()));
        Ok(Self { shared, _watching: Arc::new(stop.drop_guard()) })
    }

    /// An acceptor with the configuration as it is now.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.shared.current.load_full())
    }

    /// Follows the number of configurations used so far; the first is 1.
    pub fn generation(&self) -> watch::Receiver<u64> {
        self.shared.generation.subscribe()
    }
}

async fn watch_files(
    shared: Arc<Shared>,
    mut seen: Vec<Vec<u8>>,
    interval: Duration,
    stop: CancellationToken,
) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        tracing::error!("SIGHUP cannot be listened for; TLS files are not watched");
        return;
    };
    let mut ticks = tokio::time::interval(interval);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
            _ = hangup.recv() => {}
        }
        shared.check(&mut seen);
    }
}

impl Shared {
    /// Takes over changed files if they are good.
    fn check(&self, seen: &mut Vec<Vec<u8>>) {
        // A file that is missing for a moment is being replaced.
        let Ok(contents) = self.files.contents() else { return };
        if contents == *seen {
            return;
        }
        *seen = contents;
        match self.files.load() {
            Ok(config) => {
                self.current.store(Arc::new(config));
                self.generation.send_modify(|generation| *generation += 1);
                tracing::info!(certificate = %self.files.certificate.display(), "TLS files were reloaded");
            }
            Err(error) => {
                tracing::error!(error = %error, "changed TLS files are not usable; the former ones stay in use");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use shouwen_testkit::TestCa;

    use super::*;

    #[test]
    fn files_that_do_not_fit_together_are_not_used_and_good_ones_are() {
        let ca = TestCa::new();
        let first = ca.server("server", &["localhost"]);
        let files = ServerTls { certificate: first.certificate, key: first.key.clone(), client_ca: None };
        let mut seen = files.contents().unwrap();
        let current = ArcSwap::from_pointee(files.load().unwrap());
        let shared = Shared { files, current, generation: watch::Sender::new(1) };

        let foreign = fs::read(ca.server("other", &["localhost"]).key).unwrap();
        for bad in [foreign, b"nonsense".to_vec(), Vec::new()] {
            fs::write(&first.key, bad).unwrap();
            shared.check(&mut seen);
            assert_eq!(*shared.generation.borrow(), 1);
        }
        fs::remove_file(&first.key).unwrap();
        shared.check(&mut seen);
        assert_eq!(*shared.generation.borrow(), 1);

        ca.server("server", &["localhost"]);
        shared.check(&mut seen);
        assert_eq!(*shared.generation.borrow(), 2);
    }
}
