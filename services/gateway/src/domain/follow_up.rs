//! What follows by itself: deadlines, ended contacts, callbacks' results, new calendars. Never refused for the state it finds: what does not apply any
//! more changes nothing.

use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::{
    CallOutcome, CloseKind, LimitMoved, PromiseNoted, PromiseSettled, ownership_event::Event,
};
use shouwen_serving::timestamps::to_proto;

use super::{
    Snapshot, State,
    case::{self, CaseState, Phase},
    command::FollowUp,
    contact, deadlines,
    draft::Draft,
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
        FollowUp::Due { case, step } => {
            Ok(Decision::on(case.clone(), deadlines::event(case::find(world, case)?, *step)))
        }
        FollowUp::Recompute(id) => {
            Ok(Decision::on(id.clone(), recomputed(case::find(world, id)?, context, snapshot)))
        }
        FollowUp::CallEnded { contact, by, outcome } => {
            call_ended(world, (contact, *outcome), by, context, snapshot)
        }
        FollowUp::Promised { case, callback, kind, due } => {
            let Some(mut case) = known(world, case, context, snapshot)? else {
                return Ok(Decision::nothing(case.clone()));
            };
            if !case.promises.iter().any(|promise| promise.callback == *callback) {
                case.then(Event::PromiseNoted(PromiseNoted {
                    callback: callback.clone(),
                    kind: (*kind).into(),
                    due: Some(to_proto(*due)),
                }));
            }
            Ok(case.decided())
        }
        FollowUp::CallbackCancelled { case, callback } => {
            let Some(mut case) = known(world, case, context, snapshot)? else {
                return Ok(Decision::nothing(case.clone()));
            };
            settle(&mut case, callback);
            Ok(case.decided())
        }
        FollowUp::CallbackCompleted { case, callback, satisfied } => {
            let Some(mut case) = known(world, case, context, snapshot)? else {
                return Ok(Decision::nothing(case.clone()));
            };
            settle(&mut case, callback);
            completed(world, case, *satisfied, context, snapshot)
        }
    }
}

/// The case or its survivor; `None` where it is not known here.
fn known<'a>(
    world: &World<'a, State>,
    case: &AggregateId,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Option<Draft<'a>>, Refusal<Rejection>> {
    match merge::survivor(world, case) {
        Ok(survivor) => Draft::of(world, &survivor, context, snapshot).map(Some),
        Err(Refusal::Rejected(Rejection::CaseNotFound(_))) => Ok(None),
        Err(other) => Err(other),
    }
}

/// S3: the running clock by the calendar in force now; what the data say about its days holds for it, too, however long ago it started.
fn recomputed(state: &CaseState, context: &DecideContext<'_>, snapshot: &Snapshot) -> Option<Event> {
    let running = state.running_clock()?;
    let fresh = case::clock(snapshot, &state.policy, running.started, context.now);
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
    (contact, outcome): (&AggregateId, CallOutcome),
    by: &str,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let Some(known) = contact::find(world, contact) else {
        return Ok(Decision::nothing(contact.clone()));
    };
    let mut case = Draft::of(world, &merge::case_of(world, &known.case)?, context, snapshot)?;
    match outcome {
        // K19, O8: an answer given at once and confirmed clear is satisfaction; who only assists decides nothing (O6).
        CallOutcome::AnsweredClear if case.is_live() && case.may_decide(by) => {
            case.close(CloseKind::Satisfied, "answered at once and confirmed clear");
        }
        // K12: a contact without a concern leaves no case.
        CallOutcome::WrongNumber | CallOutcome::Silent | CallOutcome::Private
            if case.is_live() && case.client.is_none() && case.contact == contact.0 =>
        {
            let name = outcome.as_str_name();
            case.void(&name.strip_prefix("CALL_OUTCOME_").unwrap_or(name).to_ascii_lowercase());
        }
        _ => {}
    }
    Ok(case.decided())
}

fn settle(case: &mut Draft<'_>, callback: &str) {
    if case.promises.iter().any(|promise| promise.callback == callback && !promise.settled) {
        case.then(Event::PromiseSettled(PromiseSettled { callback: callback.to_owned() }));
    }
}

/// B5: a satisfied result closes the case, an unsolved or dissatisfied one takes it up again.
fn completed(
    world: &World<'_, State>,
    mut case: Draft<'_>,
    satisfied: bool,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    const DISSATISFIED: &str = "dissatisfied or unsolved at the callback";
    match case.phase {
        Phase::Open | Phase::AwaitingSatisfaction if satisfied => {
            case.close(CloseKind::Satisfied, "satisfied at the callback");
        }
        Phase::AwaitingSatisfaction => case.reopen(context, snapshot, DISSATISFIED),
        Phase::Closed { .. } if !satisfied => {
            return merge::reopen(world, case, context, snapshot, DISSATISFIED);
        }
        _ => {}
    }
    Ok(case.decided())
}
