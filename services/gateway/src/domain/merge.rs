//! Joining what belongs together: a contact to the client's open case, a newer case to the one that is reopened.

use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::{
    CaseAbsorbed, CaseMerged, OfferWithdrawn, OverrideEnded, ownership_event::Event,
};

use super::{
    Snapshot, State,
    case::{self, CaseState, Phase, open_key},
    rejection::Rejection,
};

/// The case behind a name: the survivor where it was merged. `Moved` where the survivor was not locked.
pub(super) fn survivor<'a>(
    world: &World<'a, State>,
    named: &AggregateId,
) -> Result<(AggregateId, &'a CaseState), Refusal<Rejection>> {
    let mut id = named.clone();
    loop {
        let state = case::find(world, &id)?;
        let Phase::Merged { into } = &state.phase else { return Ok((id, state)) };
        id = AggregateId(into.clone());
        if !world.holds(&id) {
            return Err(Refusal::Moved);
        }
    }
}

/// The events by which `loser` becomes a redirect to `winner`. Pending offers are withdrawn, an override ends, the epoch rises; who answered there
/// assists here.
pub(super) fn merge(
    (loser_id, loser): (&AggregateId, &CaseState),
    (winner_id, winner): (&AggregateId, &CaseState),
) -> Vec<(AggregateId, Event)> {
    let mut events = Vec::new();
    let mut epoch = loser.epoch;
    if let Some(offer) = &loser.offer {
        events.push((loser_id.clone(), Event::OfferWithdrawn(OfferWithdrawn { offer: offer.id.clone() })));
    }
    if let Some(running) = &loser.overriding {
        epoch += 1;
        let ended = OverrideEnded { employee: running.employee.clone(), epoch, expired: false };
        events.push((loser_id.clone(), Event::OverrideEnded(ended)));
    }
    events.push((
        loser_id.clone(),
        Event::CaseMerged(CaseMerged { into: winner_id.0.clone(), epoch: epoch + 1 }),
    ));
    let assists = !winner.may_decide(&loser.handler) && !winner.assistants.contains(&loser.handler);
    events.push((
        winner_id.clone(),
        Event::CaseAbsorbed(CaseAbsorbed {
            case: loser_id.0.clone(),
            assistant: if assists { loser.handler.clone() } else { String::new() },
        }),
    ));
    events
}

/// Reopens a closed case. If the client has opened a newer one on the topic meanwhile, that one is merged into it.
pub(super) fn reopen(
    world: &World<'_, State>,
    id: &AggregateId,
    state: &CaseState,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
    reason: &str,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let mut events = Vec::new();
    if let Some(key) = open_key(state.client.as_deref(), &state.topic) {
        if !world.covers(&key) {
            return Err(Refusal::Moved);
        }
        if let Some(newer_id) = world.key_holder(&key).filter(|holder| *holder != id) {
            let newer = case::find(world, newer_id)?;
            let merged = merge((newer_id, newer), (id, state));
            events.extend(merged);
        }
    }
    events.push((id.clone(), case::reopened(state, snapshot, context.at, reason)));
    Ok(Decision { events, counters: Vec::new(), primary: id.clone() })
}
