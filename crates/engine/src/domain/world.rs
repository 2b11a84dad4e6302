//! What a decision sees.

use std::collections::HashMap;

use super::{AggregateId, Key};

/// The locked states that a decision sees.
pub struct World<'a, S> {
    pub(crate) states: &'a HashMap<AggregateId, Slot<S>>,
    pub(crate) keys: &'a HashMap<Key, Option<AggregateId>>,
    pub(crate) counters: &'a HashMap<String, i64>,
    pub(crate) named: &'a [AggregateId],
}

/// One locked aggregate.
#[derive(Clone)]
pub(crate) struct Slot<S> {
    pub(crate) version: i64,
    pub(crate) state: Option<S>,
}

impl<'a, S> World<'a, S> {
    /// The state of an aggregate of the footprint, or of the holder of one of its keys. `None` where it does not exist yet.
    pub fn state(&self, id: &AggregateId) -> Option<&'a S> {
        self.states.get(id).and_then(|slot| slot.state.as_ref())
    }

    /// Version of an aggregate; 0 where it does not exist yet.
    pub fn version(&self, id: &AggregateId) -> i64 {
        self.states.get(id).map_or(0, |slot| slot.version)
    }

    /// Whether the aggregate was locked for this batch; what was not cannot be decided upon.
    pub fn holds(&self, id: &AggregateId) -> bool {
        self.states.contains_key(id)
    }

    /// The aggregates that the command's own footprint named: where it was read, what the read found.
    pub fn named(&self) -> &'a [AggregateId] {
        self.named
    }

    /// Every aggregate that exists and was locked for this batch, in no order: what earlier commands of the batch made of it included.
    pub fn locked(&self) -> impl Iterator<Item = (&'a AggregateId, &'a S)> {
        self.states.iter().filter_map(|(id, slot)| Some((id, slot.state.as_ref()?)))
    }

    /// Who holds a key of the footprint; `None` when it is free.
    pub fn key_holder(&self, key: &Key) -> Option<&'a AggregateId> {
        self.keys.get(key).and_then(Option::as_ref)
    }

    /// Whether a key belongs to the batch; what does not cannot be decided upon.
    pub fn covers(&self, key: &Key) -> bool {
        self.keys.contains_key(key)
    }

    /// Value of a counter of the footprint, before this command.
    pub fn counter(&self, name: &str) -> i64 {
        self.counters.get(name).copied().unwrap_or_default()
    }
}
