//! One batch: one transaction that locks, decides and writes for many commands.
//!
//! The order of locks is always the same (cursor, requests, fences, keys, aggregates, counters, head), each a statement of its own with sorted
//! keys; state and time are read after the locks. What goes wrong before COMMIT has no effect; an unanswered COMMIT is reported as such.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use sqlx::{Connection as _, PgConnection};

use crate::{
    domain::{AggregateId, Deadline, DecideContext, Domain, Footprint, Key, Recorded, Refusal, Saved, Slot, World},
    ledger::LedgerRow,
    options::{Options, Step},
    store,
    submission::{RequestKey, Submission},
};

/// What a batch found for one command.
#[derive(Debug)]
pub(crate) enum Verdict<D: Domain> {
    Accepted { primary: AggregateId, version: i64, state: Option<D::State> },
    /// The result of an earlier call: rebuild the aggregate at this version.
    Replay { aggregate: AggregateId, version: i64 },
    Rejected(D::Rejection),
    RequestReused,
    Stale,
    /// Decided differently by another batch meanwhile, too often.
    Internal,
}

/// Why a batch as a whole had no effect.
#[derive(Debug)]
pub(crate) enum BatchError {
    /// Start again.
    Moved,
    /// The follower's cursor stands elsewhere: another replica was faster.
    CursorMoved,
    /// A statement failed before COMMIT.
    Failed(sqlx::Error),
    /// COMMIT was sent and not answered.
    CommitUnknown(sqlx::Error),
    /// A probe ended the process's life here.
    Died(Step),
}

impl From<sqlx::Error> for BatchError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error)
    }
}

/// What a follower adds to its batch.
pub(crate) struct FeedStep<'a, P> {
    pub(crate) feed: &'a str,
    pub(crate) incarnation: &'a str,
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Source aggregate of each command, by index: later events of a parked one wait.
    pub(crate) sources: Vec<String>,
    pub(crate) parked_before: HashSet<String>,
    /// Writes projections and parked events, inside the transaction.
    pub(crate) effect: P,
}

/// A feed batch's own writes.
pub(crate) trait FeedEffect<D: Domain>: Send {
    fn write(
        &mut self,
        connection: &mut PgConnection,
        verdicts: &[Option<Verdict<D>>],
        now: DateTime<Utc>,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

/// The effect of batches that do not come from a feed.
pub(crate) struct NoEffect;

impl<D: Domain> FeedEffect<D> for NoEffect {
    async fn write(&mut self, _: &mut PgConnection, _: &[Option<Verdict<D>>], _: DateTime<Utc>) -> sqlx::Result<()> {
        Ok(())
    }
}

/// What a committed batch leaves.
pub(crate) struct Committed<D: Domain> {
    pub(crate) verdicts: Vec<Verdict<D>>,
    pub(crate) head: i64,
    pub(crate) events: Vec<(AggregateId, D::Event)>,
}

/// Runs one batch.
pub(crate) async fn run<D: Domain, P: FeedEffect<D>>(
    domain: &D,
    options: &Options,
    connection: &mut PgConnection,
    members: &[&Submission<D::Command>],
    mut feed: Option<FeedStep<'_, P>>,
    machine_now: DateTime<Utc>,
) -> Result<Committed<D>, BatchError> {
    let probe = |step| if options.probe.dies(step) { Err(BatchError::Died(step)) } else { Ok(()) };
    let mut tx = connection.begin().await?;
    probe(Step::Begun)?;

    if let Some(step) = &feed {
        let (incarnation, position) = store::lock_cursor(&mut tx, step.feed).await?;
        if position != step.from || (!incarnation.is_empty() && incarnation != step.incarnation) {
            return Err(BatchError::CursorMoved);
        }
    }
    let mut verdicts: Vec<Option<Verdict<D>>> = members.iter().map(|_| None).collect();

    claim_requests(options, &mut tx, members, &mut verdicts).await?;
    probe(Step::Requests)?;
    check_fences(options, &mut tx, members, &mut verdicts, machine_now).await?;
    probe(Step::Fences)?;

    let open: Vec<usize> = (0..members.len()).filter(|index| verdicts[*index].is_none()).collect();
    let commands: Vec<&D::Command> = open.iter().map(|index| &members[*index].command).collect();
    let footprints = domain.footprints(&mut tx, &commands).await?;

    let mut keys = lock_keys(&mut tx, &footprints).await?;
    probe(Step::Keys)?;
    let (versions, fresh) = lock_aggregates(options, &mut tx, &footprints, &mut keys).await?;
    probe(Step::Aggregates)?;
    let counters = lock_counters(&mut tx, &footprints).await?;
    let head = if options.mutants.positions_from_sequence {
        crate::ledger::head(&mut *tx).await?
    } else {
        store::lock_head(&mut tx).await?
    };
    probe(Step::Head)?;

    let now = store::business_time(&mut *tx).await?;
    let mut work = Work {
        states: load(domain, &mut tx, versions).await?,
        inserted: keys.inserted,
        holders: keys.holders,
        counters,
        rows: Vec::new(),
        events: Vec::new(),
        before: HashMap::new(),
        head_time: head.time.map_or(now, |time| time.max(now)),
    };
    probe(Step::Loaded)?;

    let mut parked: HashSet<String> = HashSet::new();
    if let Some(step) = &mut feed {
        parked = std::mem::take(&mut step.parked_before);
    }
    for index in open {
        if feed.as_ref().is_some_and(|step| parked.contains(&step.sources[index])) {
            continue;
        }
        let verdict = work.decide(domain, members[index], now)?;
        if let (Some(step), Verdict::Rejected(_)) = (&feed, &verdict) {
            parked.insert(step.sources[index].clone());
        }
        verdicts[index] = Some(verdict);
    }
    probe(Step::Decided)?;

    settle_requests(options, &mut tx, members, &verdicts).await?;
    let kept = verdicts.iter().any(|verdict| matches!(verdict, Some(Verdict::Accepted { .. })));
    if !kept && feed.is_none() && !options.mutants.keep_rejected {
        // Nothing to keep: rolling back also takes out whatever the locks inserted.
        tx.rollback().await?;
        return Ok(Committed { verdicts: finish(verdicts), head: head.position, events: Vec::new() });
    }
    work.write(domain, options, &mut tx, &fresh).await?;
    probe(Step::Written)?;
    let position = work.append(options, &mut tx, &head).await?;
    probe(Step::Appended)?;
    let mut outside = None;
    if let Some(step) = &mut feed {
        step.effect.write(&mut tx, &verdicts, now).await?;
        if options.mutants.cursor_outside {
            outside = Some((step.feed.to_owned(), step.incarnation.to_owned(), step.to));
        } else {
            store::move_cursor(&mut *tx, step.feed, step.incarnation, step.to).await?;
        }
    }
    probe(Step::BeforeCommit)?;
    tx.commit().await.map_err(BatchError::CommitUnknown)?;
    probe(Step::Committed)?;
    if let Some((feed, incarnation, to)) = outside {
        store::move_cursor(&mut *connection, &feed, &incarnation, to).await?;
    }
    Ok(Committed { verdicts: finish(verdicts), head: position, events: work.events })
}

fn finish<D: Domain>(verdicts: Vec<Option<Verdict<D>>>) -> Vec<Verdict<D>> {
    verdicts.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Internal)).collect()
}

/// Inserts request rows; repeats get their verdict at once.
async fn claim_requests<D: Domain>(
    options: &Options,
    tx: &mut PgConnection,
    members: &[&Submission<D::Command>],
    verdicts: &mut [Option<Verdict<D>>],
) -> Result<(), BatchError> {
    if options.mutants.dedupe_off {
        return Ok(());
    }
    let keys: Vec<&RequestKey> = members.iter().filter_map(|member| member.request.as_ref()).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let fresh: HashSet<(String, String, String)> = store::insert_requests(tx, &keys).await?.into_iter().collect();
    if fresh.len() == keys.len() {
        return Ok(());
    }
    let repeated: Vec<&RequestKey> = keys
        .into_iter()
        .filter(|key| !fresh.contains(&(key.principal.clone(), key.method.clone(), key.id.clone())))
        .collect();
    let former = store::former_requests(tx, &repeated).await?;
    for (index, member) in members.iter().enumerate() {
        let Some(key) = member.request.as_ref().filter(|key| repeated.contains(key)) else { continue };
        let row = former
            .iter()
            .find(|row| row.principal == key.principal && row.method == key.method && row.id == key.id)
            .ok_or(BatchError::Moved)?;
        verdicts[index] = Some(if row.fingerprint == key.fingerprint {
            Verdict::Replay { aggregate: AggregateId(row.aggregate.clone()), version: row.version }
        } else {
            Verdict::RequestReused
        });
    }
    Ok(())
}

/// Share-locks the fences; commands on older epochs or reads get their verdict.
async fn check_fences<D: Domain>(
    options: &Options,
    tx: &mut PgConnection,
    members: &[&Submission<D::Command>],
    verdicts: &mut [Option<Verdict<D>>],
    machine_now: DateTime<Utc>,
) -> Result<(), BatchError> {
    let cases: BTreeSet<String> =
        members.iter().filter_map(|member| member.fence.as_ref().map(|fence| fence.case.clone())).collect();
    if cases.is_empty() || options.mutants.fence_off {
        return Ok(());
    }
    let cases: Vec<String> = cases.into_iter().collect();
    let known: HashMap<String, i64> = store::share_fences(tx, &cases).await?.into_iter().collect();
    for (index, member) in members.iter().enumerate() {
        let (Some(fence), None) = (&member.fence, &verdicts[index]) else { continue };
        // A missing row locks nothing: raising comes first, so it must be there.
        let epoch = *known.get(&fence.case).ok_or(BatchError::Moved)?;
        let age = (machine_now - fence.read_at).to_std().unwrap_or_default();
        if fence.epoch < epoch || age > options.context_age {
            verdicts[index] = Some(Verdict::Stale);
        }
    }
    Ok(())
}

struct LockedKeys {
    /// Keys that this batch inserted, free for its members.
    inserted: HashSet<Key>,
    /// Holder of every key; `None` where free.
    holders: HashMap<Key, Option<AggregateId>>,
}

async fn lock_keys(tx: &mut PgConnection, footprints: &[Footprint]) -> Result<LockedKeys, BatchError> {
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
async fn lock_aggregates(
    options: &Options,
    tx: &mut PgConnection,
    footprints: &[Footprint],
    keys: &mut LockedKeys,
) -> Result<(HashMap<AggregateId, i64>, Vec<String>), BatchError> {
    let named: BTreeSet<&AggregateId> = footprints.iter().flat_map(|footprint| &footprint.aggregates).collect();
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

async fn lock_counters(
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

async fn load<D: Domain>(
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

/// Takes out the rows of rejected commands and completes those of accepted ones.
async fn settle_requests<D: Domain>(
    options: &Options,
    tx: &mut PgConnection,
    members: &[&Submission<D::Command>],
    verdicts: &[Option<Verdict<D>>],
) -> Result<(), BatchError> {
    let mut rejected: Vec<&RequestKey> = Vec::new();
    let mut accepted: Vec<(&RequestKey, AggregateId, i64)> = Vec::new();
    for (member, verdict) in members.iter().zip(verdicts) {
        let Some(key) = &member.request else { continue };
        match verdict {
            Some(Verdict::Accepted { primary, version, .. }) => accepted.push((key, primary.clone(), *version)),
            Some(Verdict::Replay { .. } | Verdict::RequestReused) => {}
            _ => rejected.push(key),
        }
    }
    if !rejected.is_empty() && !options.mutants.keep_rejected {
        store::delete_requests(tx, &rejected).await?;
    }
    if !accepted.is_empty() && !options.mutants.dedupe_off {
        store::complete_requests(tx, &accepted).await?;
    }
    Ok(())
}

/// The states of a batch while its commands are decided one after the other.
struct Work<D: Domain> {
    states: HashMap<AggregateId, Slot<D::State>>,
    inserted: HashSet<Key>,
    holders: HashMap<Key, Option<AggregateId>>,
    counters: HashMap<String, i64>,
    rows: Vec<LedgerRow>,
    events: Vec<(AggregateId, D::Event)>,
    /// Version and state of each changed aggregate before the batch.
    before: HashMap<AggregateId, Slot<D::State>>,
    head_time: DateTime<Utc>,
}

impl<D: Domain> Work<D> {
    fn decide(
        &mut self,
        domain: &D,
        member: &Submission<D::Command>,
        now: DateTime<Utc>,
    ) -> Result<Verdict<D>, BatchError> {
        if let Some((aggregate, step, due)) = &member.deadline
            && !self.holds_deadline(domain, aggregate, step, *due)
        {
            return Ok(self.accepted(aggregate.clone()));
        }
        let context = DecideContext { now, at: member.at.unwrap_or(now), actor: &member.actor };
        let world = World { states: &self.states, keys: &self.holders, counters: &self.counters };
        let decision = match domain.decide(&world, &member.command, &context) {
            Ok(decision) => decision,
            Err(Refusal::Moved) => return Err(BatchError::Moved),
            Err(Refusal::Rejected(rejection)) => return Ok(Verdict::Rejected(rejection)),
        };
        for (id, event) in &decision.events {
            if !self.apply(domain, member, id, event) {
                tracing::error!(service = D::SERVICE, aggregate = %id, "an event changes what its command did not lock");
                return Ok(Verdict::Internal);
            }
        }
        for (name, value) in decision.counters {
            self.counters.insert(name, value);
        }
        self.events.extend(decision.events);
        Ok(self.accepted(decision.primary))
    }

    fn holds_deadline(&self, domain: &D, aggregate: &AggregateId, step: &str, due: DateTime<Utc>) -> bool {
        self.states.get(aggregate).and_then(|slot| slot.state.as_ref()).is_some_and(|state| {
            domain.deadlines(state).iter().any(|deadline| deadline.step == step && micros(deadline.due) == micros(due))
        })
    }

    fn accepted(&self, primary: AggregateId) -> Verdict<D> {
        let slot = self.states.get(&primary);
        Verdict::Accepted {
            version: slot.map_or(0, |slot| slot.version),
            state: slot.and_then(|slot| slot.state.clone()),
            primary,
        }
    }

    /// Applies one event to the states and keys. False where it touches what was not locked.
    fn apply(&mut self, domain: &D, member: &Submission<D::Command>, id: &AggregateId, event: &D::Event) -> bool {
        let Some(slot) = self.states.get_mut(id) else { return false };
        self.before.entry(id.clone()).or_insert_with(|| slot.clone());
        let keys_before = slot.state.as_ref().map(|state| domain.keys(state)).unwrap_or_default();
        slot.version += 1;
        let recorded = Recorded {
            event,
            aggregate: id,
            version: slot.version,
            time: micros(self.head_time),
            principal: &member.actor.principal,
            on_behalf: &member.actor.on_behalf,
        };
        let state = domain.evolve(slot.state.take(), &recorded);
        let keys_after = domain.keys(&state);
        slot.state = Some(state);
        for key in keys_before.difference(&keys_after) {
            self.holders.insert(key.clone(), None);
        }
        for key in keys_after.difference(&keys_before) {
            match self.holders.get_mut(key) {
                Some(holder @ None) => *holder = Some(id.clone()),
                _ => return false,
            }
        }
        let (name, payload) = D::encode(event);
        self.rows.push(LedgerRow {
            position: 0,
            r#type: name.to_owned(),
            aggregate: id.0.clone(),
            version: slot.version,
            payload,
            actor: member.actor.principal.clone(),
            on_behalf: member.actor.on_behalf.clone(),
            capacity: member.actor.capacity.clone(),
            case_name: member.case.clone(),
            branch: member.branch.clone(),
            request_id: member.request.as_ref().map(|key| key.id.clone()).unwrap_or_default(),
            cause: member.cause.clone(),
            time: micros(self.head_time),
            hash: Vec::new(),
        });
        true
    }

    /// Writes keys, counters, aggregates and deadlines.
    async fn write(
        &self,
        domain: &D,
        options: &Options,
        tx: &mut PgConnection,
        fresh: &[String],
    ) -> Result<(), BatchError> {
        self.write_keys(domain, tx).await?;
        if !self.counters.is_empty() {
            let mut counters: Vec<(String, i64)> = self.counters.clone().into_iter().collect();
            counters.sort();
            store::set_counters(tx, &counters).await?;
        }
        let unused: Vec<String> =
            fresh.iter().filter(|id| !self.before.contains_key(&AggregateId((*id).clone()))).cloned().collect();
        if !unused.is_empty() {
            store::forget_aggregates(tx, &unused).await?;
        }
        if self.before.is_empty() {
            return Ok(());
        }
        let mut changed: Vec<Saved<D::State>> = Vec::with_capacity(self.before.len());
        let mut moved_deadlines: BTreeMap<String, Vec<Deadline>> = BTreeMap::new();
        for (id, before) in &self.before {
            let slot = &self.states[id];
            let Some(state) = slot.state.clone() else { continue };
            let old: BTreeSet<Deadline> =
                before.state.as_ref().map(|state| domain.deadlines(state).into_iter().collect()).unwrap_or_default();
            let new: BTreeSet<Deadline> = domain.deadlines(&state).into_iter().collect();
            if old != new {
                moved_deadlines.insert(id.0.clone(), new.into_iter().collect());
            }
            changed.push(Saved { id: id.clone(), before: before.version, after: slot.version, state });
        }
        changed.sort_by(|a, b| a.id.cmp(&b.id));
        let versions: Vec<(&AggregateId, i64, i64)> =
            changed.iter().map(|row| (&row.id, row.before, row.after)).collect();
        let guarded = !options.mutants.locks_off;
        let advanced = store::advance_aggregates(tx, &versions, guarded).await?;
        let saved = domain.save(tx, &changed).await?;
        if guarded && (advanced != changed.len() as u64 || saved != changed.len() as u64) {
            return Err(BatchError::Moved);
        }
        if !moved_deadlines.is_empty() {
            let aggregates: Vec<String> = moved_deadlines.keys().cloned().collect();
            let deadlines: Vec<(AggregateId, Deadline)> = moved_deadlines
                .into_iter()
                .flat_map(|(id, deadlines)| {
                    deadlines.into_iter().map(move |deadline| (AggregateId(id.clone()), deadline))
                })
                .collect();
            store::replace_deadlines(tx, &aggregates, &deadlines).await?;
        }
        Ok(())
    }

    async fn write_keys(&self, domain: &D, tx: &mut PgConnection) -> Result<(), BatchError> {
        let mut held: Vec<(&Key, &AggregateId)> = Vec::new();
        let mut released: Vec<&Key> = Vec::new();
        for key in &self.inserted {
            match self.holders.get(key) {
                Some(Some(holder)) => held.push((key, holder)),
                _ => released.push(key),
            }
        }
        for (id, before) in &self.before {
            let keys = before.state.as_ref().map(|state| domain.keys(state)).unwrap_or_default();
            for key in keys {
                let Some((known, holder)) = self.holders.get_key_value(&key) else { continue };
                match holder {
                    None => released.push(known),
                    Some(holder) if holder != id => held.push((known, holder)),
                    Some(_) => {}
                }
            }
        }
        held.sort();
        held.dedup();
        released.sort();
        released.dedup();
        if !held.is_empty() {
            store::hold_keys(tx, &held).await?;
        }
        if !released.is_empty() {
            store::release_keys(tx, &released).await?;
        }
        Ok(())
    }

    /// Gives the events their positions and hashes, appends them and moves the head. Answers the new head.
    async fn append(
        &mut self,
        options: &Options,
        tx: &mut PgConnection,
        head: &crate::ledger::Head,
    ) -> Result<i64, BatchError> {
        if self.rows.is_empty() {
            return Ok(head.position);
        }
        let mut position = head.position;
        let mut hash = head.hash.clone();
        for row in &mut self.rows {
            position = if options.mutants.positions_from_sequence {
                sqlx::query_scalar::<_, i64>("select nextval('mutant_position')").fetch_one(&mut *tx).await?
            } else {
                position + 1
            };
            row.position = position;
            row.hash = row.chained(&hash);
            hash.clone_from(&row.hash);
        }
        store::append(tx, &self.rows).await?;
        store::set_head(tx, position, &hash, micros(self.head_time)).await?;
        Ok(position)
    }
}

/// Postgres keeps microseconds; so does everything that is compared with it.
fn micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}
