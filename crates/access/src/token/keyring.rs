//! The keys in force: read at start, replaced when the source has others, kept when the source is away or broken.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use shouwen_runtime::clock::MachineClock;
use tokio::sync::Mutex;

use super::jwks::{KeySet, KeySetInvalid, digest_of};
use super::source::{FetchError, KeySource, Stamp};

/// How often a file is looked at.
const FILE_INTERVAL: Duration = Duration::from_secs(1);

/// The keys could not be read, or are none.
#[derive(Debug, thiserror::Error)]
#[error("the token keys at {origin} cannot be used: {cause}")]
pub struct KeysUnavailable {
    /// Path or URL.
    pub origin: String,
    /// What is wrong.
    pub cause: KeysCause,
}

/// What is wrong with keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysCause {
    /// They did not come.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What came is no key set.
    #[error(transparent)]
    Invalid(#[from] KeySetInvalid),
}

#[derive(Debug)]
pub(super) struct Keyring {
    source: KeySource,
    current: ArcSwap<KeySet>,
    /// One attempt at a time.
    last: Arc<Mutex<Attempt>>,
    min_interval: TimeDelta,
    clock: MachineClock,
}

#[derive(Debug)]
struct Attempt {
    at: DateTime<Utc>,
    /// What the file looked like then.
    stamp: Option<Stamp>,
}

impl Keyring {
    pub(super) async fn open(
        source: KeySource,
        min_interval: Duration,
        clock: MachineClock,
    ) -> Result<Self, KeysUnavailable> {
        let stamp = source.stamp().await;
        let current = match source.fetch().await {
            Ok(document) => KeySet::parse(&document, 1).map_err(KeysCause::from),
            Err(error) => Err(error.into()),
        };
        let current = current.map_err(|cause| KeysUnavailable { origin: source.to_string(), cause })?;
        let min_interval = TimeDelta::from_std(min_interval).unwrap_or(TimeDelta::MAX);
        let last = Arc::new(Mutex::new(Attempt { at: clock.now(), stamp }));
        Ok(Self { source, current: ArcSwap::from_pointee(current), last, min_interval, clock })
    }

    pub(super) fn current(&self) -> Arc<KeySet> {
        self.current.load_full()
    }

    /// Fetches the keys; says whether they changed.
    pub(super) async fn refresh(&self) -> Result<bool, KeysUnavailable> {
        self.attempt(&mut *self.last.lock().await).await
    }

    /// A token named a key that is not in the set of `generation`: fetches, unless that was done just before. Says whether there is
    /// another set now.
    pub(super) async fn refresh_for_unknown_key(self: &Arc<Self>, generation: u64) -> bool {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if self.current.load().generation != generation {
            return true;
        }
        if self.clock.now() - last.at < self.min_interval {
            return false;
        }
        let keyring = Arc::clone(self);
        // A task of its own, because the attempt counts for everybody: it must not end with a caller that gives up.
        let attempt = tokio::spawn(async move { keyring.attempt_or_log(&mut last).await });
        attempt.await.unwrap_or(false)
    }

    /// Never ends.
    pub(super) async fn keep_fresh(&self, interval: Duration) -> Infallible {
        let every = if self.source.is_file() { FILE_INTERVAL } else { interval.max(FILE_INTERVAL) };
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // The first tick is at once, and the keys are fresh.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            self.look().await;
        }
    }

    /// One look at the source: a URL is fetched, a file only if it is another than before.
    pub(super) async fn look(&self) {
        let mut last = self.last.lock().await;
        if !self.source.is_file() || self.source.stamp().await != last.stamp {
            self.attempt_or_log(&mut last).await;
        }
    }

    async fn attempt_or_log(&self, last: &mut Attempt) -> bool {
        self.attempt(last).await.unwrap_or_else(|error| {
            tracing::warn!(origin = error.origin, cause = %error.cause, "token keys not refreshed, the former ones stay");
            false
        })
    }

    async fn attempt(&self, last: &mut Attempt) -> Result<bool, KeysUnavailable> {
        // Before reading: a file that changes meanwhile is read again at the next look.
        *last = Attempt { at: self.clock.now(), stamp: self.source.stamp().await };
        let unavailable = |cause| KeysUnavailable { origin: self.source.to_string(), cause };
        let document = self.source.fetch().await.map_err(|error| unavailable(error.into()))?;
        let former = self.current.load();
        if digest_of(&document) == former.digest {
            return Ok(false);
        }
        let keys =
            KeySet::parse(&document, former.generation + 1).map_err(|error| unavailable(error.into()))?;
        tracing::info!(origin = %self.source, generation = keys.generation, "token keys replaced");
        self.current.store(Arc::new(keys));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::token::Issuer;

    #[tokio::test]
    async fn a_file_is_read_again_only_when_it_is_another_than_before() {
        let dir = tempfile::tempdir().unwrap();
        let (key, jwks) = (dir.path().join("key.pem"), dir.path().join("jwks.json"));
        let issuer = Issuer::open_or_create(&key, &jwks).unwrap();
        let source = KeySource::file(&jwks);
        let keyring = Keyring::open(source, Duration::ZERO, MachineClock::system()).await.unwrap();

        keyring.look().await;
        assert_eq!(keyring.current().generation, 1);

        // The same keys in another spelling: another file, another set.
        fs::write(&jwks, format!("{}\n", issuer.jwks())).unwrap();
        keyring.look().await;
        assert_eq!(keyring.current().generation, 2);

        fs::write(&jwks, "half a f").unwrap();
        keyring.look().await;
        fs::remove_file(&jwks).unwrap();
        keyring.look().await;
        assert_eq!(keyring.current().generation, 2);

        fs::write(&jwks, issuer.jwks()).unwrap();
        keyring.look().await;
        assert_eq!(keyring.current().generation, 3);
    }
}
