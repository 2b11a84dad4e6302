//! What follows by itself: expired offers and overrides, missed limits, ended contacts, callbacks' results. Never refused for the state it finds: what
//! does not apply any more changes nothing.

use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::{
    CallOutcome, CaseVoided, CloseKind, LimitMissed, LimitMoved, OfferExpired, OverrideEnded, PromiseNoted,
    PromiseSettled, ownership_event::Event,
};
use shouwen_serving::timestamps::to_proto;

use super::{
    Snapshot, State,
    case::{self, CaseState, Phase},
    command::FollowUp,
    merge,
    rejection::Rejection,
};

pub fn decide(
    world: &World<'_, State>,
    command: &FollowUp,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    match command {
        FollowUp::ExpireOffer(id) => {
            let state = case::find(world, id)?;
            let expired = state
                .offer
                .as_ref()
                .map(|offer| Event::OfferExpired(OfferExpired { offer: offer.id.clone() }));
            Ok(Decision::on(id.clone(), expired))
        }
        FollowUp::ExpireOverride(id) => {
            let state = case::find(world, id)?;
            let ended = state.overriding.as_ref().map(|running| {
                Event::OverrideEnded(OverrideEnded {
                    employee: running.employee.clone(),
                    epoch: state.epoch + 1,
                    expired: true,
                })
            });
            Ok(Decision::on(id.clone(), ended))
        }
        FollowUp::MissLimit(id) => {
            let state = case::find(world, id)?;
            let missed = state
                .running_clock()
                .filter(|clock| !clock.missed)
                .map(|clock| Event::LimitMissed(LimitMissed { due: Some(to_proto(clock.due)) }));
            Ok(Decision::on(id.clone(), missed))
        }
        FollowUp::Recompute(id) => Ok(Decision::on(id.clone(), recomputed(case::find(world, id)?, snapshot))),
        FollowUp::CallEnded { contact, by, outcome } => call_ended(world, contact, by, *outcome),
        FollowUp::Promised { case, callback, kind, due } => {
            let Some((id, state)) = live_or_known(world, case)? else {
                return Ok(Decision::nothing(case.clone()));
            };
            let known = state.promises.iter().any(|promise| promise.callback == *callback);
            let noted = (!known).then(|| {
                Event::PromiseNoted(PromiseNoted {
                    callback: callback.clone(),
                    kind: (*kind).into(),
                    due: Some(to_proto(*due)),
                })
            });
            Ok(Decision::on(id, noted))
        }
        FollowUp::CallbackCancelled { case, callback } => {
            let Some((id, state)) = live_or_known(world, case)? else {
                return Ok(Decision::nothing(case.clone()));
            };
            Ok(Decision::on(id, settled(state, callback)))
        }
        FollowUp::CallbackCompleted { case, callback, satisfied } => {
            let Some((id, state)) = live_or_known(world, case)? else {
                return Ok(Decision::nothing(case.clone()));
            };
            completed(world, &id, state, callback, *satisfied, context, snapshot)
        }
    }
}

/// The case or its survivor; `None` where it is not known here.
fn live_or_known<'a>(
    world: &World<'a, State>,
    case: &AggregateId,
) -> Result<Option<(AggregateId, &'a CaseState)>, Refusal<Rejection>> {
    match merge::survivor(world, case) {
        Ok(found) => Ok(Some(found)),
        Err(Refusal::Rejected(Rejection::CaseNotFound(_))) => Ok(None),
        Err(other) => Err(other),
    }
}

fn recomputed(state: &CaseState, snapshot: &Snapshot) -> Option<Event> {
    let running = state.running_clock()?;
    // Which calendar holds is a matter of the clock's beginning; new data may hold for it, too.
    let fresh = case::clock(snapshot, &state.policy, running.started);
    (fresh.calendar != running.calendar || fresh.due != running.due).then(|| {
        Event::LimitMoved(LimitMoved {
            due: Some(to_proto(fresh.due)),
            provisional: fresh.provisional,
            calendar_version: fresh.calendar,
        })
    })
}

fn call_ended(
    world: &World<'_, State>,
    contact: &AggregateId,
    by: &str,
    outcome: CallOutcome,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let Some(State::Contact(known)) = world.state(contact) else {
        return Ok(Decision::nothing(contact.clone()));
    };
    let named = AggregateId(known.case.clone());
    if !world.holds(&named) {
        return Err(Refusal::Moved);
    }
    let (id, state) = merge::survivor(world, &named)?;
    let events = match outcome {
        // K19, O8: an answer given at once and confirmed clear is satisfaction; who only assists decides nothing (O6).
        CallOutcome::AnsweredClear if state.is_live() && state.may_decide(by) => {
            case::closing(state, CloseKind::Satisfied, "answered at once and confirmed clear")
        }
        // K12: a contact without a concern leaves no case.
        CallOutcome::WrongNumber | CallOutcome::Silent | CallOutcome::Private
            if state.is_live() && state.client.is_none() && state.contact == contact.0 =>
        {
            let reason = outcome.as_str_name().trim_start_matches("CALL_OUTCOME_").to_ascii_lowercase();
            vec![Event::CaseVoided(CaseVoided { reason, epoch: state.epoch + 1 })]
        }
        _ => Vec::new(),
    };
    Ok(Decision::on(id, events))
}

fn settled(state: &CaseState, callback: &str) -> Option<Event> {
    state
        .promises
        .iter()
        .any(|promise| promise.callback == callback && !promise.settled)
        .then(|| Event::PromiseSettled(PromiseSettled { callback: callback.to_owned() }))
}

/// B5: a satisfied result closes the case, an unsolved or dissatisfied one takes it up again.
fn completed(
    world: &World<'_, State>,
    id: &AggregateId,
    state: &CaseState,
    callback: &str,
    satisfied: bool,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let settled = settled(state, callback);
    if satisfied {
        let mut events: Vec<Event> = settled.into_iter().collect();
        if state.is_live() {
            events.extend(case::closing(state, CloseKind::Satisfied, "satisfied at the callback"));
        }
        return Ok(Decision::on(id.clone(), events));
    }
    let reason = "dissatisfied or unsolved at the callback";
    let mut decision = match state.phase {
        Phase::AwaitingSatisfaction => {
            Decision::on(id.clone(), [case::reopened(state, snapshot, context.at, reason)])
        }
        Phase::Closed { .. } => merge::reopen(world, id, state, context, snapshot, reason)?,
        _ => Decision::nothing(id.clone()),
    };
    decision.events.splice(0..0, settled.map(|event| (id.clone(), event)));
    Ok(decision)
}
