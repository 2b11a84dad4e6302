//! Finding, making and unwrapping the data keys that one call needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Vault;
use crate::envelope::{self, SecretKey};
use crate::error::VaultError;
use crate::sealed::Subject;
use crate::store::{self, KeyRow};

/// The keys of one call, each there or not for its own reason.
pub(super) struct Keys(BTreeMap<Subject, KeyState>);

enum KeyState {
    Open(Arc<SecretKey>),
    Erased,
    UnknownKek(String),
    Damaged(String),
}

impl Keys {
    pub(super) fn open(&self, subject: &Subject) -> Result<&SecretKey, VaultError> {
        let subject = || subject.clone();
        match self.0.get(&subject()) {
            Some(KeyState::Open(key)) => Ok(key),
            Some(KeyState::Erased) => Err(VaultError::Erased { subject: subject() }),
            Some(KeyState::UnknownKek(kek_id)) => {
                Err(VaultError::UnknownKek { subject: subject(), kek_id: kek_id.clone() })
            }
            Some(KeyState::Damaged(kek_id)) => {
                Err(VaultError::DamagedKey { subject: subject(), kek_id: kek_id.clone() })
            }
            None => Err(VaultError::NoKey { subject: subject() }),
        }
    }

    fn missing<'a>(&self, subjects: &BTreeSet<&'a Subject>) -> BTreeSet<&'a Subject> {
        subjects.iter().copied().filter(|subject| !self.0.contains_key(*subject)).collect()
    }
}

impl Vault {
    /// The keys that exist: from memory, the others by one query.
    pub(super) async fn keys_to_open(&self, subjects: BTreeSet<&Subject>) -> Result<Keys, VaultError> {
        let mut keys = Keys(BTreeMap::new());
        for &subject in &subjects {
            if let Some(key) = self.inner.cache.get(subject) {
                keys.0.insert(subject.clone(), KeyState::Open(key));
            }
        }
        self.load_into(&mut keys, &subjects).await?;
        Ok(keys)
    }

    /// The keys of all subjects; those that had none get one. Of two vaults that make one at the same time, both
    /// read back and use the one that was stored.
    pub(super) async fn keys_to_seal(&self, subjects: BTreeSet<&Subject>) -> Result<Keys, VaultError> {
        let mut keys = self.keys_to_open(subjects.clone()).await?;
        let new = keys.missing(&subjects);
        if !new.is_empty() {
            self.make(&new).await?;
            self.load_into(&mut keys, &new).await?;
        }
        Ok(keys)
    }

    /// Rows for all subjects, whatever state their keys are in, read from the table itself.
    pub(super) async fn keys_to_link(&self, subjects: BTreeSet<&Subject>) -> Result<(), VaultError> {
        self.make(&subjects).await
    }

    async fn make(&self, subjects: &BTreeSet<&Subject>) -> Result<(), VaultError> {
        let keyring = &self.inner.keyring;
        let kek_id = keyring.current_id();
        let mut names = Vec::with_capacity(subjects.len());
        let mut wrapped = Vec::with_capacity(subjects.len());
        for &subject in subjects {
            let Some(kek) = keyring.key(kek_id) else {
                return Err(VaultError::UnknownKek { subject: subject.clone(), kek_id: kek_id.to_owned() });
            };
            let key = SecretKey::random(&self.inner.rng)?;
            names.push(subject.as_str());
            wrapped.push(envelope::wrap(&self.inner.rng, kek, self.inner.service, subject, &key)?);
        }
        store::insert_new(&self.inner.pool, &names, &wrapped, kek_id).await?;
        Ok(())
    }

    async fn load_into(&self, keys: &mut Keys, subjects: &BTreeSet<&Subject>) -> Result<(), VaultError> {
        let missing: Vec<&str> = keys.missing(subjects).into_iter().map(Subject::as_str).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for row in store::load(&self.inner.pool, &missing).await? {
            let subject = Subject::new(row.subject.as_str());
            let state = self.unwrap_row(&subject, &row);
            if let KeyState::Open(key) = &state {
                self.inner.cache.insert(subject.clone(), Arc::clone(key));
            }
            keys.0.insert(subject, state);
        }
        Ok(())
    }

    fn unwrap_row(&self, subject: &Subject, row: &KeyRow) -> KeyState {
        let (Some(wrapped), Some(kek_id)) = (&row.wrapped, &row.kek_id) else {
            return KeyState::Erased;
        };
        let Some(kek) = self.inner.keyring.key(kek_id) else {
            return KeyState::UnknownKek(kek_id.clone());
        };
        match envelope::unwrap(kek, self.inner.service, subject, wrapped) {
            Some(key) => KeyState::Open(Arc::new(key)),
            None => KeyState::Damaged(kek_id.clone()),
        }
    }
}
