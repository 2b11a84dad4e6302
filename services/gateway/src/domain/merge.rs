//! Joining what belongs together: a name to the case that it leads to, a newer case to the one that is reopened.

use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::ownership_event::Event;

use super::{
    Snapshot, State,
    case::{self, Phase, open_key},
    draft::Draft,
    rejection::Rejection,
};

/// The case behind a name: the survivor where it was merged. `Moved` where it was not locked.
pub(super) fn survivor(
    world: &World<'_, State>,
    named: &AggregateId,
) -> Result<AggregateId, Refusal<Rejection>> {
    let mut id = named.clone();
    while let Phase::Merged { into } = &case::find(world, &id)?.phase {
        id = AggregateId(into.clone());
        if !world.holds(&id) {
            return Err(Refusal::Moved);
        }
    }
    Ok(id)
}

/// The case to which a contact leads. `Moved` where it was not locked: the contact was claimed or joined meanwhile.
pub(super) fn case_of(world: &World<'_, State>, named: &str) -> Result<AggregateId, Refusal<Rejection>> {
    let named = AggregateId(named.to_owned());
    if world.holds(&named) { survivor(world, &named) } else { Err(Refusal::Moved) }
}

/// Reopens a closed case. If the client has opened a newer one on the topic meanwhile, that one is merged into it.
pub(super) fn reopen(
    world: &World<'_, State>,
    mut case: Draft<'_>,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
    reason: &str,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let mut events = Vec::new();
    let mut limit = None;
    if let Some(key) = open_key(case.client.as_deref(), &case.topic) {
        if !world.covers(&key) {
            return Err(Refusal::Moved);
        }
        if let Some(newer) = world.key_holder(&key) {
            let mut newer = Draft::of(world, newer, context, snapshot)?;
            limit = case.absorb(&mut newer);
            // First the newer one lets go of the key, then this one takes it.
            events.extend(newer.events());
        }
    }
    case.reopen(context, snapshot, reason);
    case.keep(limit);
    let primary = case.id.clone();
    events.extend(case.events());
    Ok(Decision { events, counters: Vec::new(), primary })
}
