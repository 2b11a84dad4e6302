//! What a batch locks, as its members and their footprints want it, and what it then finds.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use super::{BatchError, FeedStep, Setting, Verdict};
use crate::{
    domain::{AggregateId, Domain, Footprint, Key, Loaded, Slot},
    states,
    store::{self, Cursor, Feed, Kept, Locked, LockedRows, Wanted, WantedRequest},
    submission::{RequestKey, Submission},
};

/// The keys of a batch.
pub(super) struct LockedKeys {
    /// Keys that this batch inserted, free for its members.
    pub(super) inserted: HashSet<Key>,
    /// Holder of every key; `None` where free.
    pub(super) holders: HashMap<Key, Option<AggregateId>>,
}

/// Locks what a batch wants. Answers what was found, and the feed's aggregates that have parked events.
pub(super) async fn take<D: Domain, P>(
    setting: &Setting<'_, D>,
    connection: &mut PgConnection,
    members: &[&Submission<D::Command>],
    footprints: &[Footprint],
    feed: Option<&FeedStep<'_, P>>,
) -> Result<(LockedRows, HashSet<String>), BatchError> {
    let mutants = setting.options.mutants;
    let requests = members.iter().zip(footprints).filter_map(|(member, footprint)| {
        let key = member.request.as_ref()?;
        Some(WantedRequest { key, makes: footprint.makes.as_ref() })
    });
    let fences = members.iter().filter_map(|member| member.fence.as_ref()).map(|fence| &*fence.case);
    let aggregates = footprints.iter().flat_map(|footprint| &footprint.aggregates);
    let counters = footprints.iter().flat_map(|footprint| &footprint.counters);
    let wanted = Wanted {
        feed: feed.map(|step| Feed {
            name: step.feed,
            from: step.moves.map(|moves| moves.from),
            sources: &step.aggregates,
        }),
        requests: requests.filter(|_| !mutants.dedupe_off).collect(),
        fences: fences.filter(|_| !mutants.fence_off).collect(),
        keys: footprints.iter().flat_map(|footprint| &footprint.keys).collect(),
        aggregates: aggregates.map(|id| &*id.0).collect(),
        counters: counters.map(String::as_str).collect(),
    };
    let Locked { cursor, parked, rows } = store::begin(connection, &wanted).await?;
    if let (Some(moves), Some(Cursor { incarnation, position })) = (feed.and_then(|step| step.moves), cursor)
        && (position != moves.from || (!incarnation.is_empty() && incarnation != moves.incarnation))
    {
        return Err(BatchError::CursorMoved);
    }
    Ok((rows.ok_or(BatchError::Moved)?, parked))
}

/// The verdicts on repeated requests.
pub(super) fn repeats<D: Domain>(
    locked: &LockedRows,
    members: &[&Submission<D::Command>],
    verdicts: &mut [Option<Verdict<D>>],
) {
    if locked.former.is_empty() {
        return;
    }
    for (member, verdict) in members.iter().zip(verdicts) {
        let row = |key: &RequestKey| locked.former.iter().find(|row| row.is_of(key));
        let Some((key, row)) = member.request.as_ref().and_then(|key| Some((key, row(key)?))) else {
            continue;
        };
        *verdict = Some(if row.fingerprint == key.fingerprint {
            Verdict::Replay { aggregate: row.aggregate.clone(), version: row.version }
        } else {
            Verdict::RequestReused
        });
    }
}

/// The verdicts on commands that rest on an older epoch, or on a read of ownership that has grown too old.
pub(super) fn stale<D: Domain>(
    setting: &Setting<'_, D>,
    locked: &LockedRows,
    members: &[&Submission<D::Command>],
    verdicts: &mut [Option<Verdict<D>>],
) {
    // Read under the locks: while one was waited for, a read may have grown too old.
    let now = setting.machine.now();
    for (member, verdict) in members.iter().zip(verdicts) {
        let (Some(fence), None) = (&member.fence, &verdict) else { continue };
        let Some(epoch) = locked.fences.get(&fence.case) else { continue };
        let age = (now - fence.read_at).to_std().unwrap_or_default();
        if fence.epoch < *epoch || age > setting.options.context_age {
            *verdict = Some(Verdict::Stale);
        }
    }
}

/// Who holds the keys of a batch.
pub(super) fn keys(locked: &LockedRows, footprints: &[Footprint]) -> LockedKeys {
    let holders: HashMap<(&str, &str), &AggregateId> =
        locked.held.iter().map(|held| ((&*held.kind, &*held.key), &held.holder)).collect();
    let mut keys = LockedKeys { inserted: HashSet::new(), holders: HashMap::new() };
    for key in footprints.iter().flat_map(|footprint| &footprint.keys) {
        let holder = holders.get(&(key.kind, &*key.key));
        if holder.is_none() {
            keys.inserted.insert(key.clone());
        }
        keys.holders.insert(key.clone(), holder.map(|holder| (*holder).clone()));
    }
    keys
}

/// The states of a batch: what is kept of the aggregates that were there before, and nothing yet of the fresh ones.
pub(super) async fn states<D: Domain>(
    domain: &D,
    connection: &mut PgConnection,
    kept: Vec<Kept>,
    fresh: &[AggregateId],
) -> Result<HashMap<AggregateId, Slot<D::State>>, BatchError> {
    let mut loaded = states::restore::<D>(kept)?;
    if !loaded.is_empty() {
        domain.complete(connection, &mut loaded).await?;
    }
    let fresh = fresh.iter().map(|id| (id.clone(), Slot { version: 0, state: None }));
    let loaded =
        loaded.into_iter().map(|Loaded { id, version, state }| (id, Slot { version, state: Some(state) }));
    Ok(fresh.chain(loaded).collect())
}
