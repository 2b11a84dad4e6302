//! The vault: seals and opens texts, keeps the subjects' data keys, links, re-wraps and erases them. It decides
//! nothing about who may open what, and holds no transaction of its caller: keys are made in transactions of their
//! own, before the caller's, so a key without a sealed text is possible and harmless.

mod keys;
mod rewrap;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use ring::rand::SystemRandom;
use sqlx::PgPool;

use crate::blind_index::BlindIndex;
use crate::envelope::{self, SecretKey};
use crate::error::VaultError;
use crate::keyring::Keyring;
use crate::sealed::{Place, Sealed, Subject};
use crate::store;

pub use rewrap::{REWRAP_INTERVAL, RewrapProgress};

/// How long an unwrapped key may stay in memory. Erasure by one process is obeyed by all others within this time.
pub const KEY_LIFETIME: Duration = Duration::from_secs(60);

/// Seals and opens the texts of one service under the keys of its schema. Cheap to clone; clones share one cache.
#[derive(Clone, Debug)]
pub struct Vault {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    keyring: Keyring,
    service: &'static str,
    rng: SystemRandom,
    /// Unwrapped keys; wiped when the last user lets go of them.
    cache: Cache<Subject, Arc<SecretKey>>,
}

/// A text to be sealed.
#[derive(Clone, Copy)]
pub struct Plain<'a> {
    /// Whose text it is.
    pub subject: &'a Subject,
    /// Where it will be kept.
    pub place: Place<'a>,
    /// The text itself.
    pub text: &'a str,
}

impl Vault {
    /// A vault over the `data_key` table that `pool` finds by its search path. `service` becomes part of what each
    /// value is bound to, so it must never change. At most `cache_capacity` unwrapped keys are kept in memory, each
    /// for at most [`KEY_LIFETIME`].
    pub fn new(pool: PgPool, keyring: Keyring, service: &'static str, cache_capacity: u64) -> Self {
        let cache = Cache::builder().max_capacity(cache_capacity).time_to_live(KEY_LIFETIME).build();
        Self { inner: Arc::new(Inner { pool, keyring, service, rng: SystemRandom::new(), cache }) }
    }

    /// Seals one text, making the subject's key if it has none. Fails with [`VaultError::Erased`] for an erased
    /// subject.
    pub async fn seal(&self, subject: &Subject, place: Place<'_>, text: &str) -> Result<Sealed, VaultError> {
        let keys = self.keys_to_seal(BTreeSet::from([subject])).await?;
        self.seal_with(keys.open(subject)?, Plain { subject, place, text })
    }

    /// Seals texts in the order given, of one subject or of several; all or nothing. At most three queries, however
    /// many there are.
    pub async fn seal_many(&self, texts: &[Plain<'_>]) -> Result<Vec<Sealed>, VaultError> {
        let keys = self.keys_to_seal(texts.iter().map(|plain| plain.subject).collect()).await?;
        texts.iter().map(|plain| self.seal_with(keys.open(plain.subject)?, *plain)).collect()
    }

    /// Opens one text.
    pub async fn unseal(&self, sealed: &Sealed) -> Result<String, VaultError> {
        let keys = self.keys_to_open(BTreeSet::from([&sealed.subject])).await?;
        self.open_with(keys.open(&sealed.subject)?, sealed)
    }

    /// Opens texts in the order given, each with its own outcome, so that one erased subject does not hide a whole
    /// list. One query for all subjects whose keys are not in memory. The outer error is the database's only.
    pub async fn unseal_many<'a>(
        &self,
        texts: impl IntoIterator<Item = &'a Sealed>,
    ) -> Result<Vec<Result<String, VaultError>>, VaultError> {
        let texts: Vec<&Sealed> = texts.into_iter().collect();
        let keys = self.keys_to_open(texts.iter().map(|sealed| &sealed.subject).collect()).await?;
        Ok(texts.into_iter().map(|sealed| self.open_with(keys.open(&sealed.subject)?, sealed)).collect())
    }

    /// Records that the contact was identified as the client. Nothing is encrypted anew: the contact's texts stay
    /// under the contact's key, and erasing the client erases both. A later, other identification replaces the
    /// link. Either may be new to this vault. Fails with [`VaultError::Erased`] if the *client* is erased, and
    /// changes nothing then.
    pub async fn link(&self, contact: &Subject, client: &Subject) -> Result<(), VaultError> {
        if contact == client {
            return Ok(());
        }
        self.keys_to_link(BTreeSet::from([contact, client])).await?;
        let mut transaction = self.inner.pool.begin().await?;
        match store::lock_against_erasure(&mut transaction, client.as_str()).await? {
            Some(true) => {}
            Some(false) => return Err(VaultError::Erased { subject: client.clone() }),
            None => return Err(VaultError::NoKey { subject: client.clone() }),
        }
        if !store::link(&mut transaction, contact.as_str(), client.as_str()).await? {
            return Err(VaultError::NoKey { subject: contact.clone() });
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Destroys the key of the subject and of all contacts linked to it, for good; gives the subjects that
    /// this call made tombstones (none if it was done before). Nothing of them can be opened or sealed any more: by this
    /// process at once, except calls already under way; by others within [`KEY_LIFETIME`]. A tombstone stays, also
    /// for a subject that had no key. Backups of the database hold the wrapped key until they expire.
    pub async fn erase(&self, subject: &Subject) -> Result<Vec<Subject>, VaultError> {
        let mut transaction = self.inner.pool.begin().await?;
        let mut erased = Vec::new();
        if store::entomb(&mut transaction, subject.as_str()).await? {
            erased.push(subject.clone());
        }
        // A link made while the statement waited for one of its rows is only seen by the next statement.
        loop {
            let more = store::entomb_linked(&mut transaction, subject.as_str()).await?;
            if more.is_empty() {
                break;
            }
            erased.extend(more.into_iter().map(Subject::new));
        }
        transaction.commit().await?;
        for gone in &erased {
            self.inner.cache.invalidate(gone);
        }
        Ok(erased)
    }

    /// Blind indexes under this vault's key ring.
    pub fn blind_index(&self) -> BlindIndex {
        self.inner.keyring.blind_index()
    }

    fn seal_with(&self, key: &SecretKey, plain: Plain<'_>) -> Result<Sealed, VaultError> {
        let Plain { subject, place, text } = plain;
        let ciphertext = envelope::seal(&self.inner.rng, key, self.inner.service, subject, place, text)?;
        Ok(Sealed {
            subject: subject.clone(),
            aggregate: place.aggregate.to_owned(),
            field: place.field.to_owned(),
            ciphertext,
        })
    }

    fn open_with(&self, key: &SecretKey, sealed: &Sealed) -> Result<String, VaultError> {
        envelope::open(key, self.inner.service, &sealed.subject, sealed.place(), &sealed.ciphertext)
            .ok_or_else(|| VaultError::Tampered {
                aggregate: sealed.aggregate.clone(),
                field: sealed.field.clone(),
            })
    }
}
