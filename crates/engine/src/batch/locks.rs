//! What a batch locks after its requests and fences: keys, aggregates with the holders of lost keys, counters; and the states it then loads.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::PgConnection;

use super::BatchError;
use crate::{
    domain::{AggregateId, Domain, Footprint, Key, Slot},
    options::Options,
    store,
};

/// The keys of a batch.
pub(super) struct LockedKeys {
    /// Keys that this batch inserted, free for its members.
    pub(super) inserted: HashSet<Key>,
    /// Holder of every key; `None` where free.
    pub(super) holders: HashMap<Key, Option<AggregateId>>,
}

pub(super) async fn lock_keys(
    tx: &mut PgConnection,
    footprints: &[Footprint],
) -> Result<LockedKeys, BatchError> {
    let keys: BTreeSet<&Key> = footprints.iter().flat_map(|footprint| &footprint.keys).collect();
    let mut locked = LockedKeys { inserted: HashSet::new(), holders: HashMap::new() };
    if keys.is_empty() {
        return Ok(locked);
    }
    let keys: Vec<&Key> = keys.into_iter().collect();
    let free: HashSet<(String, String)> = store::insert_keys(tx, &keys).await?.into_iter().collect();
    let lost: Vec<&Key> =
        keys.iter().copied().filter(|key| !free.contains(&(key.kind.to_owned(), key.key.clone()))).collect();
    let holders = holders_of(tx, &lost).await?;
    for key in keys {
        if lost.contains(&key) {
            let holder = holders.get(key).ok_or(BatchError::Moved)?;
            locked.holders.insert(key.clone(), Some(holder.clone()));
        } else {
            locked.inserted.insert(key.clone());
            locked.holders.insert(key.clone(), None);
        }
    }
    Ok(locked)
}

async fn holders_of(tx: &mut PgConnection, keys: &[&Key]) -> Result<HashMap<Key, AggregateId>, BatchError> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = store::key_holders(tx, keys).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(kind, name, holder)| {
            let key = keys.iter().find(|key| key.kind == kind && key.key == name)?;
            Some(((*key).clone(), AggregateId(holder)))
        })
        .collect())
}

/// Locks the aggregates, the holders of lost keys among them, and answers their versions and which rows are new.
pub(super) async fn lock_aggregates(
    options: &Options,
    tx: &mut PgConnection,
    footprints: &[Footprint],
    keys: &mut LockedKeys,
) -> Result<(HashMap<AggregateId, i64>, Vec<String>), BatchError> {
    let named: BTreeSet<&AggregateId> =
        footprints.iter().flat_map(|footprint| &footprint.aggregates).collect();
    let named: Vec<String> = named.into_iter().map(|id| id.0.clone()).collect();
    let lost: Vec<(&Key, &AggregateId)> =
        keys.holders.iter().filter_map(|(key, holder)| holder.as_ref().map(|holder| (key, holder))).collect();
    let mut ids: BTreeSet<String> = named.iter().cloned().collect();
    ids.extend(lost.iter().map(|(_, holder)| holder.0.clone()));
    if ids.is_empty() {
        return Ok((HashMap::new(), Vec::new()));
    }
    let fresh = store::ensure_aggregates(tx, &named).await?;
    let ids: Vec<String> = ids.into_iter().collect();
    let locked = if options.mutants.locks_off {
        store::read_aggregates(tx, &ids).await?
    } else {
        store::lock_aggregates(tx, &ids).await?
    };
    if locked.len() != ids.len() {
        return Err(BatchError::Moved);
    }
    if !lost.is_empty() {
        let names: Vec<&Key> = lost.iter().map(|(key, _)| *key).collect();
        let again = holders_of(tx, &names).await?;
        if lost.iter().any(|(key, holder)| again.get(*key) != Some(*holder)) {
            return Err(BatchError::Moved);
        }
    }
    Ok((locked.into_iter().map(|(id, version)| (AggregateId(id), version)).collect(), fresh))
}

pub(super) async fn lock_counters(
    tx: &mut PgConnection,
    footprints: &[Footprint],
) -> Result<HashMap<String, i64>, BatchError> {
    let names: BTreeSet<&String> = footprints.iter().flat_map(|footprint| &footprint.counters).collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let names: Vec<String> = names.into_iter().cloned().collect();
    Ok(store::lock_counters(tx, &names).await?.into_iter().collect())
}

pub(super) async fn load<D: Domain>(
    domain: &D,
    tx: &mut PgConnection,
    versions: HashMap<AggregateId, i64>,
) -> Result<HashMap<AggregateId, Slot<D::State>>, BatchError> {
    let mut existing: Vec<AggregateId> =
        versions.iter().filter(|(_, version)| **version > 0).map(|(id, _)| id.clone()).collect();
    existing.sort();
    let loaded = if existing.is_empty() { Vec::new() } else { domain.load(tx, &existing).await? };
    if loaded.len() != existing.len() {
        return Err(BatchError::Moved);
    }
    let mut states: HashMap<AggregateId, Slot<D::State>> =
        versions.into_iter().map(|(id, version)| (id, Slot { version, state: None })).collect();
    for (id, version, state) in loaded {
        states.insert(id, Slot { version, state: Some(state) });
    }
    Ok(states)
}
