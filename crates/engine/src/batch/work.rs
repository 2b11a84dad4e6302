//! The states of a batch while its commands are decided one after the other, and what of them is written.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde_json::value::RawValue;
use sqlx::PgConnection;

use super::{BatchError, Verdict, locks::LockedKeys};
use crate::{
    domain::{
        AggregateId, Deadline, DecideContext, Domain, Footprint, Key, Recorded, Refusal, Saved, Slot, World,
    },
    ledger::{Head, LedgerRow},
    options::Options,
    store::{Counter, Due, FIRST, Held, NewHead, StoredState, Version, Writes},
    submission::Submission,
};

/// The states of a batch while its commands are decided one after the other.
pub(super) struct Work<D: Domain> {
    states: HashMap<AggregateId, Slot<D::State>>,
    inserted: HashSet<Key>,
    holders: HashMap<Key, Option<AggregateId>>,
    counters: HashMap<String, i64>,
    rows: Vec<LedgerRow>,
    events: Vec<(AggregateId, D::Event)>,
    /// Those of them that [`Domain::OBSERVED`] names.
    observed: Vec<D::Event>,
    /// Version and state of each changed aggregate before the batch.
    before: HashMap<AggregateId, Slot<D::State>>,
    /// Time of the batch's events: business time, but never before the head's.
    time: DateTime<Utc>,
}

impl<D: Domain> Work<D> {
    pub(super) fn new(
        states: HashMap<AggregateId, Slot<D::State>>,
        keys: LockedKeys,
        counters: HashMap<String, i64>,
        head: &Head,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            states,
            inserted: keys.inserted,
            holders: keys.holders,
            counters,
            rows: Vec::new(),
            events: Vec::new(),
            observed: Vec::new(),
            before: HashMap::new(),
            time: micros(head.time.map_or(now, |time| time.max(now))),
        }
    }

    /// Whether an event of [`Domain::OBSERVED`] was decided.
    pub(super) fn wrote_observed(&self) -> bool {
        !self.observed.is_empty()
    }

    pub(super) fn into_events(self) -> Vec<(AggregateId, D::Event)> {
        self.events
    }

    /// Decides one command on what the former ones left.
    pub(super) fn decide(
        &mut self,
        domain: &D,
        member: &Submission<D::Command>,
        footprint: &Footprint,
        now: DateTime<Utc>,
    ) -> Result<Verdict<D>, BatchError> {
        if let Some((aggregate, step, due)) = &member.deadline
            && !self.holds_deadline(domain, aggregate, step, *due)
        {
            return Ok(self.accepted(aggregate.clone()));
        }
        let context = DecideContext { now, at: member.at.unwrap_or(now), actor: &member.actor };
        let world = World {
            states: &self.states,
            keys: &self.holders,
            counters: &self.counters,
            named: &footprint.aggregates,
        };
        let decision = match domain.decide_after(&world, &member.command, &context, &self.observed) {
            Ok(decision) => decision,
            Err(Refusal::Moved) => return Err(BatchError::Moved),
            Err(Refusal::Rejected(rejection)) => return Ok(Verdict::Rejected(rejection)),
        };
        let mut undo = Undo { rows: self.rows.len(), slots: Vec::new(), holders: Vec::new() };
        for (id, event) in &decision.events {
            if !self.apply(domain, member, id, event, &mut undo) {
                tracing::error!(service = D::SERVICE, aggregate = %id, "an event changes what its command did not lock");
                self.restore(undo);
                return Ok(Verdict::Internal);
            }
        }
        if let Some((name, _)) = decision.counters.iter().find(|(name, _)| !self.counters.contains_key(name))
        {
            tracing::error!(service = D::SERVICE, counter = %name, "a counter changes that its command did not lock");
            self.restore(undo);
            return Ok(Verdict::Internal);
        }
        self.counters.extend(decision.counters);
        let names = self.rows[undo.rows..].iter().map(|row| row.r#type.as_str());
        let observed = names.zip(&decision.events).filter(|(name, _)| D::OBSERVED.contains(name));
        self.observed.extend(observed.map(|(_, (_, event))| event.clone()));
        self.events.extend(decision.events);
        Ok(self.accepted(decision.primary))
    }

    /// Takes back what the events of one command changed.
    fn restore(&mut self, undo: Undo<D::State>) {
        for (key, holder) in undo.holders.into_iter().rev() {
            match holder {
                Before::Known(holder) => self.holders.insert(key, holder),
                Before::Unknown => self.holders.remove(&key),
            };
        }
        for (id, slot, first) in undo.slots.into_iter().rev() {
            if first {
                self.before.remove(&id);
            }
            self.states.insert(id, slot);
        }
        self.rows.truncate(undo.rows);
    }

    fn holds_deadline(&self, domain: &D, aggregate: &AggregateId, step: &str, due: DateTime<Utc>) -> bool {
        self.states.get(aggregate).and_then(|slot| slot.state.as_ref()).is_some_and(|state| {
            domain
                .deadlines(state)
                .iter()
                .any(|deadline| deadline.step == step && micros(deadline.due) == micros(due))
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
    fn apply(
        &mut self,
        domain: &D,
        member: &Submission<D::Command>,
        id: &AggregateId,
        event: &D::Event,
        undo: &mut Undo<D::State>,
    ) -> bool {
        let Some(slot) = self.states.get_mut(id) else { return false };
        undo.slots.push((id.clone(), slot.clone(), !self.before.contains_key(id)));
        self.before.entry(id.clone()).or_insert_with(|| slot.clone());
        let keys_before = slot.state.as_ref().map(|state| domain.keys(state)).unwrap_or_default();
        slot.version += 1;
        let recorded = Recorded {
            event,
            aggregate: id,
            version: slot.version,
            time: self.time,
            principal: &member.actor.principal,
            on_behalf: &member.actor.on_behalf,
        };
        let state = domain.evolve(slot.state.take(), &recorded);
        let version = slot.version;
        let keys_after = domain.keys(&state);
        let (case, branch) = domain.place(id, &state);
        slot.state = Some(state);
        for key in keys_before.difference(&keys_after) {
            let before = self.holders.insert(key.clone(), None).map_or(Before::Unknown, Before::Known);
            undo.holders.push((key.clone(), before));
        }
        for key in keys_after.difference(&keys_before) {
            let Some(holder @ None) = self.holders.get_mut(key) else { return false };
            *holder = Some(id.clone());
            undo.holders.push((key.clone(), Before::Known(None)));
        }
        let (name, payload) = D::encode(event);
        self.rows.push(LedgerRow {
            position: 0,
            r#type: name.to_owned(),
            aggregate: id.0.clone(),
            version,
            payload,
            actor: member.actor.principal.clone(),
            on_behalf: member.actor.on_behalf.clone(),
            capacity: member.actor.capacity.clone(),
            case_name: if case.is_empty() { member.case.clone() } else { case },
            branch: if branch.is_empty() { member.branch.clone() } else { branch },
            request_id: member.request.as_ref().map(|key| key.id.clone()).unwrap_or_default(),
            cause: member.cause.clone(),
            time: self.time,
            hash: Vec::new(),
        });
        true
    }

    /// The changed aggregates, by name.
    pub(super) fn changed(&self, domain: &D) -> sqlx::Result<Changed<D::State>> {
        let mut changed = Changed {
            rows: Vec::with_capacity(self.before.len()),
            kept: Vec::new(),
            deadlines: Vec::new(),
            moved: Vec::new(),
        };
        for (id, before) in &self.before {
            let slot = &self.states[id];
            let Some(state) = slot.state.clone() else { continue };
            let old: BTreeSet<Deadline> = before
                .state
                .as_ref()
                .map(|state| domain.deadlines(state).into_iter().collect())
                .unwrap_or_default();
            let new: BTreeSet<Deadline> = domain.deadlines(&state).into_iter().collect();
            if old != new {
                if !old.is_empty() {
                    changed.moved.push(id.0.clone());
                }
                changed.deadlines.push((id.clone(), new.into_iter().collect()));
            }
            changed.rows.push(Saved { id: id.clone(), before: before.version, after: slot.version, state });
        }
        changed.rows.sort_by(|a, b| a.id.cmp(&b.id));
        let kept = changed.rows.iter().map(|row| D::kept(&row.state)).collect::<Result<_, _>>();
        changed.kept = kept.map_err(|error| sqlx::Error::Encode(error.into()))?;
        Ok(changed)
    }

    /// Adds keys, counters, versions, deadlines and ledger rows to what is written.
    pub(super) fn writes<'a>(
        &'a self,
        domain: &D,
        head: &Head,
        fresh: &'a [AggregateId],
        changed: &'a Changed<D::State>,
        writes: &mut Writes<'a>,
    ) {
        self.keys(domain, writes);
        writes.counters = self.counters.iter().map(|(name, value)| Counter { name, value: *value }).collect();
        writes.unused = fresh.iter().filter(|id| !self.before.contains_key(id)).collect();
        for (row, state) in changed.rows.iter().zip(&changed.kept) {
            let version = |before| Version { id: &row.id, before, after: row.after };
            let says = if row.before == 0 { FIRST } else { row.before };
            if says != row.after {
                writes.versions.push(version(says));
            }
            let states = if row.before == 0 { &mut writes.fresh } else { &mut writes.changed };
            states
                .entry(row.id.collection())
                .or_default()
                .push(StoredState { version: version(row.before), state });
        }
        writes.states = (!changed.rows.is_empty()).then_some(changed.rows.len());
        writes.moved = changed.moved.iter().map(String::as_str).collect();
        let due = changed.deadlines.iter().flat_map(|(id, all)| all.iter().map(move |one| (id, one)));
        writes.deadlines = due.map(|(aggregate, deadline)| Due { aggregate, deadline }).collect();
        writes.rows = &self.rows;
        writes.head = self.rows.last().filter(|last| last.position > head.position).map(|last| NewHead {
            position: last.position,
            hash: &last.hash,
            time: last.time,
        });
    }

    /// Keys that a member has taken or released.
    fn keys<'a>(&'a self, domain: &D, writes: &mut Writes<'a>) {
        for key in &self.inserted {
            match self.holders.get(key) {
                Some(Some(holder)) => writes.held.push(Held { key, holder }),
                _ => writes.free.push(key),
            }
        }
        for (id, before) in &self.before {
            let keys = before.state.as_ref().map(|state| domain.keys(state)).unwrap_or_default();
            for key in keys {
                let Some((known, holder)) = self.holders.get_key_value(&key) else { continue };
                match holder {
                    None => writes.free.push(known),
                    Some(holder) if holder != id => writes.held.push(Held { key: known, holder }),
                    Some(_) => {}
                }
            }
        }
        writes.held.sort();
        writes.held.dedup();
        writes.free.sort();
        writes.free.dedup();
    }

    /// Gives the events their positions and hashes. Answers the new head.
    pub(super) async fn number(
        &mut self,
        options: &Options,
        connection: &mut PgConnection,
        head: &Head,
    ) -> Result<i64, BatchError> {
        let mut position = head.position;
        let mut hash = head.hash.clone();
        for row in &mut self.rows {
            position = if options.mutants.positions_from_sequence {
                sqlx::query_scalar::<_, i64>("select nextval('mutant_position')")
                    .fetch_one(&mut *connection)
                    .await?
            } else {
                position + 1
            };
            row.position = position;
            row.hash = row.chained(&hash);
            hash.clone_from(&row.hash);
        }
        Ok(position)
    }
}

/// Changed aggregates.
pub(super) struct Changed<S> {
    pub(super) rows: Vec<Saved<S>>,
    /// Their states as they are kept, in the same order.
    kept: Vec<Box<RawValue>>,
    /// Those whose former deadlines go.
    moved: Vec<String>,
    /// Those whose deadlines changed, with all that they have now.
    deadlines: Vec<(AggregateId, Vec<Deadline>)>,
}

/// What the events of one command changed, as it was before, in order.
struct Undo<S> {
    /// Aggregate, what it was, and whether no earlier command of the batch had changed it.
    slots: Vec<(AggregateId, Slot<S>, bool)>,
    holders: Vec<(Key, Before)>,
    /// Ledger rows before.
    rows: usize,
}

/// A key among the holders before an event.
enum Before {
    /// In no footprint of the batch.
    Unknown,
    Known(Option<AggregateId>),
}

/// Postgres keeps microseconds; so does everything that is compared with it.
fn micros(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}
