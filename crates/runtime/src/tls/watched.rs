//! What is made from files, and made anew when they change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::files::{TlsError, contents};

/// How often the files are looked at.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

type Load<T> = Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>;

/// A configuration as it was last good. Its files are compared by content at intervals and on SIGHUP; those that do
/// not fit together are logged once and not used. Watching ends when this is dropped.
pub(super) struct Watched<T> {
    shared: Arc<Shared<T>>,
    _watching: DropGuard,
}

struct Shared<T> {
    paths: Vec<PathBuf>,
    load: Load<T>,
    current: ArcSwap<T>,
    /// Number of configurations used so far, the first being 1.
    generation: watch::Sender<u64>,
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads the files, which must be good, and begins to watch them on the current tokio runtime.
    pub(super) fn start(
        paths: Vec<PathBuf>,
        load: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
        interval: Duration,
    ) -> Result<Self, TlsError> {
        let seen = contents(&paths)?;
        let shared = Arc::new(Shared::load(paths, load)?);
        let stop = CancellationToken::new();
        if !seen.is_empty() {
            tokio::spawn(follow(Arc::clone(&shared), seen, interval, stop.clone()));
        }
        Ok(Self { shared, _watching: stop.drop_guard() })
    }

    pub(super) fn current(&self) -> Arc<T> {
        self.shared.current.load_full()
    }

    pub(super) fn generation(&self) -> watch::Receiver<u64> {
        self.shared.generation.subscribe()
    }
}

async fn follow<T>(
    shared: Arc<Shared<T>>,
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

impl<T> Shared<T> {
    fn load(
        paths: Vec<PathBuf>,
        load: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(load()?);
        Ok(Self { paths, load: Box::new(load), current, generation: watch::Sender::new(1) })
    }

    /// Takes over changed files if they are good.
    fn check(&self, seen: &mut Vec<Vec<u8>>) {
        // A file that is missing for a moment is being replaced.
        let Ok(contents) = contents(&self.paths) else { return };
        if contents == *seen {
            return;
        }
        *seen = contents;
        match (self.load)() {
            Ok(config) => {
                self.current.store(Arc::new(config));
                self.generation.send_modify(|generation| *generation += 1);
                tracing::info!(files = ?self.paths, "TLS files were reloaded");
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
    use std::path::Path;

    use shouwen_testkit::TestCa;

    use super::*;
    use crate::tls::{ClientTls, ServerTls};

    /// Puts what is no good in the place of `key`, takes the file away, and has it renewed.
    fn only_good_files_are_used<T>(shared: &Shared<T>, key: &Path, foreign: &Path, renew: impl FnOnce()) {
        let mut seen = contents(&shared.paths).unwrap();
        for bad in [fs::read(foreign).unwrap(), b"nonsense".to_vec(), Vec::new()] {
            fs::write(key, bad).unwrap();
            shared.check(&mut seen);
            assert_eq!(*shared.generation.borrow(), 1);
        }
        fs::remove_file(key).unwrap();
        shared.check(&mut seen);
        assert_eq!(*shared.generation.borrow(), 1);

        renew();
        shared.check(&mut seen);
        assert_eq!(*shared.generation.borrow(), 2);
    }

    #[test]
    fn a_listeners_files_that_do_not_fit_together_are_not_used_and_good_ones_are() {
        let ca = TestCa::new();
        let (first, foreign) = (ca.server("server", &["localhost"]), ca.server("other", &["localhost"]));
        let files = ServerTls {
            certificate: first.certificate,
            key: first.key.clone(),
            client_ca: Some(ca.ca_file()),
        };
        let shared = Shared::load(files.paths(), move || files.load()).unwrap();
        only_good_files_are_used(&shared, &first.key, &foreign.key, || {
            ca.server("server", &["localhost"]);
        });
    }

    #[test]
    fn a_channels_files_that_do_not_fit_together_are_not_used_and_good_ones_are() {
        let ca = TestCa::new();
        let (first, foreign) = (ca.client("client", "gateway"), ca.client("other", "gateway"));
        let files = ClientTls {
            ca: Some(ca.ca_file()),
            certificate: Some(first.certificate),
            key: Some(first.key.clone()),
            server_name: None,
        };
        let shared = Shared::load(files.paths(), move || files.load(&["h2"])).unwrap();
        only_good_files_are_used(&shared, &first.key, &foreign.key, || {
            ca.client("client", "gateway");
        });
    }
}
