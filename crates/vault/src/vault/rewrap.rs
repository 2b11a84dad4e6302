//! Rotation: data keys under older key-encryption keys are wrapped anew by the current one, batch by batch. The
//! data keys themselves and everything sealed under them stay as they are.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Vault;
use crate::envelope;
use crate::error::VaultError;
use crate::sealed::Subject;
use crate::store;

/// How often a service looks for keys under older key-encryption keys: a process that still has the former key ring goes on making some.
pub const REWRAP_INTERVAL: Duration = Duration::from_secs(3600);

/// Keys that are wrapped anew in one transaction: few enough that nobody waits for them.
const PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(499);
/// Between two pages, so that a million keys leave room for callers.
const PAUSE: Duration = Duration::from_millis(20);
/// After a failure, unless the next look is sooner.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// What one batch of re-wrapping did and what is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewrapProgress {
    /// How many keys this batch wrapped anew.
    pub rewrapped: u64,
    /// How many keys of this batch do not open under their key-encryption key: an alarm. They are left as they are.
    pub damaged: u64,
    /// Ids of older key-encryption keys that still wrap some key, sorted. Empty: every older key may leave the ring.
    /// An id here that the ring lacks must be added, or its subjects cannot be opened.
    pub older_in_use: Vec<String>,
}

impl RewrapProgress {
    /// Whether every key is wrapped by the current key-encryption key.
    pub fn finished(&self) -> bool {
        self.older_in_use.is_empty()
    }

    /// Whether another batch now would find something to do; if neither this nor [`finished`](Self::finished),
    /// what is left is damaged, under a key that the ring lacks, or in another process's hands at the moment.
    pub fn worth_repeating(&self) -> bool {
        self.rewrapped > 0 && !self.finished()
    }
}

impl Vault {
    /// Wraps up to `batch_size` keys anew that are not under the current key-encryption key. Safe while others seal,
    /// erase or re-wrap: rows that somebody has locked are passed over. Call it from a background task until
    /// [`RewrapProgress::finished`], pausing unless [`RewrapProgress::worth_repeating`].
    pub async fn rewrap(&self, batch_size: NonZeroU32) -> Result<RewrapProgress, VaultError> {
        let keyring = &self.inner.keyring;
        let current = keyring.current_id();
        let older: Vec<&str> = keyring.ids().filter(|&id| id != current).collect();
        let mut transaction = self.inner.pool.begin().await?;
        let rows = store::lock_wrapped_by(&mut transaction, &older, i64::from(batch_size.get())).await?;

        let (mut subjects, mut old, mut new) = (Vec::new(), Vec::new(), Vec::new());
        for row in &rows {
            let (Some(wrapped), Some(kek_id)) = (&row.wrapped, &row.kek_id) else { continue };
            let subject = Subject::new(row.subject.as_str());
            let (Some(old_kek), Some(kek)) = (keyring.key(kek_id), keyring.key(current)) else { continue };
            let Some(key) = envelope::unwrap(old_kek, self.inner.service, &subject, wrapped) else {
                continue;
            };
            subjects.push(row.subject.as_str());
            old.push(wrapped.as_slice());
            new.push(envelope::wrap(&self.inner.rng, kek, self.inner.service, &subject, &key)?);
        }
        let rewrapped = store::replace_wrapped(&mut transaction, &subjects, &old, &new, current).await?;
        transaction.commit().await?;

        let in_use = store::kek_ids_in_use(&self.inner.pool).await?;
        Ok(RewrapProgress {
            rewrapped,
            damaged: (rows.len() - subjects.len()) as u64,
            older_in_use: in_use.into_iter().filter(|id| id != current).collect(),
        })
    }

    /// Brings all keys under the current key-encryption key, page by page, and looks again every `interval`
    /// ([`REWRAP_INTERVAL`]), until `stop`. To be run by every replica of a service: they share the work. What is left
    /// at last, and why, is in the log: once it says that older keys wrap nothing any more, they may leave the ring.
    pub async fn keep_wrapped(&self, interval: Duration, stop: CancellationToken) {
        loop {
            let look = async {
                let next = if self.rewrap_all().await { interval } else { interval.min(AFTER_FAILURE) };
                tokio::time::sleep(next).await;
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = look => {}
            }
        }
    }

    /// Wraps anew whatever can be. False after a failure.
    async fn rewrap_all(&self) -> bool {
        let service = self.inner.service;
        let mut rewrapped = 0;
        loop {
            let progress = match self.rewrap(PAGE).await {
                Ok(progress) => progress,
                Err(error) => {
                    tracing::warn!(service, %error, "data keys could not be wrapped anew");
                    return false;
                }
            };
            rewrapped += progress.rewrapped;
            if progress.worth_repeating() {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            if progress.damaged > 0 {
                tracing::error!(
                    service,
                    keys = progress.damaged,
                    "data keys do not open under the key that wrapped them"
                );
            }
            if !progress.finished() {
                let older = progress.older_in_use.join(", ");
                tracing::warn!(
                    service,
                    rewrapped,
                    older,
                    "older keys still wrap data keys; leave them in the key ring"
                );
            } else if rewrapped > 0 {
                tracing::info!(
                    service,
                    rewrapped,
                    "older keys wrap nothing any more and may leave the key ring"
                );
            }
            return true;
        }
    }
}
