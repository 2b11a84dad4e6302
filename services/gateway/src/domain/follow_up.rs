//! What follows by itself: deadlines, ended contacts, callbacks' results, complaints, new calendars. Never refused for the state it finds: what does not apply any
//! more changes nothing.

use chrono::{DateTime, Utc};
use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_proto::events::v1::{
    CallOutcome, CloseKind, LimitMoved, PromiseMoved, PromiseNoted, PromiseSettled, ownership_event::Event,
};
use shouwen_serving::timestamps::to_proto;

use super::{
    Snapshot, State,
    case::{self, CaseState, Phase, Promise},
    command::FollowUp,
    complaints, contact, deadlines,
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
            Ok(Decision::on(case.clone(), deadlines::events(case::find(world, case)?, *step, snapshot)))
        }
        FollowUp::Attend(case) => {
            let events = Draft::of(world, case, context, snapshot)?.attended().collect();
            Ok(Decision { events, counters: Vec::new(), primary: case.clone() })
        }
        FollowUp::Recompute(id) => {
            Ok(Decision::on(id.clone(), recomputed(case::find(world, id)?, context, snapshot)))
        }
        FollowUp::CallEnded { contact, by, outcome } => {
            call_ended(world, (contact, *outcome), by, context, snapshot)
        }
        FollowUp::Promised { case, .. }
        | FollowUp::PromiseMoved { case, .. }
        | FollowUp::PromiseOver { case, .. }
        | FollowUp::CallbackCompleted { case, .. }
        | FollowUp::ComplaintOpened { case, .. }
        | FollowUp::ComplaintReopened { case, .. }
        | FollowUp::ComplaintEnded { case, .. } => match known(world, case, context, snapshot)? {
            Some(draft) => told(world, case, draft, command, context, snapshot),
            None => Ok(Decision::nothing(case.clone())),
        },
    }
}

/// What another service told about a case. `named` is the case as that service names it, `case` the one that this leads to.
fn told(
    world: &World<'_, State>,
    named: &AggregateId,
    mut case: Draft<'_>,
    command: &FollowUp,
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    match command {
        FollowUp::Promised { callback, kind, due, .. } => {
            if !case.promises.iter().any(|promise| promise.callback == *callback) {
                case.then(Event::PromiseNoted(PromiseNoted {
                    callback: callback.clone(),
                    kind: (*kind).into(),
                    due: Some(to_proto(*due)),
                }));
            }
        }
        FollowUp::PromiseMoved { callback, due, .. } => {
            if let Some(promise) = promise(&case, callback).filter(|promise| promise.due != *due) {
                let moved = PromiseMoved { callback: promise.callback.clone(), due: Some(to_proto(*due)) };
                case.then(Event::PromiseMoved(moved));
            }
        }
        FollowUp::PromiseOver { callback, .. } => settle(&mut case, callback),
        FollowUp::CallbackCompleted { callback, satisfied, said, .. } => {
            settle(&mut case, callback);
            return completed(world, case, (*satisfied, said.unwrap_or(context.at)), context, snapshot);
        }
        FollowUp::ComplaintOpened { complaint, about, unit, .. } => {
            return complaints::opened(world, named, case, (complaint, about, unit), context, snapshot);
        }
        FollowUp::ComplaintReopened { complaint, reason, .. } => {
            return complaints::reopened(world, named, case, (complaint, reason), context, snapshot);
        }
        FollowUp::ComplaintEnded { complaint, end, reason, .. } => {
            return Ok(complaints::ended(case, complaint, *end, reason));
        }
        FollowUp::Due { .. } | FollowUp::Attend(_) | FollowUp::Recompute(_) | FollowUp::CallEnded { .. } => {}
    }
    Ok(case.decided())
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

/// S3: the running clock, unless it is missed already, by the calendar in force now; what the data say about its days holds for it, too, however long ago it started.
fn recomputed(state: &CaseState, context: &DecideContext<'_>, snapshot: &Snapshot) -> Option<Event> {
    let running = state.running_clock().filter(|clock| !clock.missed)?;
    let fresh = case::clock(snapshot, &state.policy, running.started, context.now);
    (fresh.calendar != running.calendar || fresh.due != running.due).then(|| {
        Event::LimitMoved(LimitMoved {
            due: Some(to_proto(fresh.due)),
            provisional: fresh.provisional,
            calendar_version: fresh.calendar,
            answer_from: None,
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
        // What was complained about ends with the complaint, and what the client said since stands.
        CallOutcome::AnsweredClear
            if case.is_live()
                && case.may_decide(by)
                && !case.has_open_complaint()
                && !case.is_overtaken(true, context.at) =>
        {
            case.close(CloseKind::Satisfied, "answered at once and confirmed clear");
        }
        // K12: a contact without a concern leaves no case, unless a message was taken (K13). Who only assists decides nothing.
        CallOutcome::WrongNumber | CallOutcome::Silent | CallOutcome::Private
            if case.is_live()
                && case.may_decide(by)
                && case.message.is_none()
                && case.client.is_none()
                && case.contact == contact.0
                && case.complaints.is_empty() =>
        {
            let name = outcome.as_str_name();
            case.void(&name.strip_prefix("CALL_OUTCOME_").unwrap_or(name).to_ascii_lowercase());
        }
        _ => {}
    }
    Ok(case.decided())
}

/// The promise that is still to be kept by the callback with this id: named below the case or, for a verification, below the unit that makes it.
fn promise<'a>(case: &'a CaseState, callback: &str) -> Option<&'a Promise> {
    let is_it = |promise: &&Promise| {
        !promise.settled && promise.callback.rsplit_once('/').is_some_and(|(_, id)| id == callback)
    };
    case.promises.iter().find(is_it)
}

fn settle(case: &mut Draft<'_>, callback: &str) {
    if let Some(promise) = promise(case, callback) {
        let settled = PromiseSettled { callback: promise.callback.clone() };
        case.then(Event::PromiseSettled(settled));
    }
}

/// B5: a satisfied result closes the case, an unsolved or dissatisfied one takes it up again; neither does so against what the client has said since.
fn completed(
    world: &World<'_, State>,
    mut case: Draft<'_>,
    (satisfied, said): (bool, DateTime<Utc>),
    context: &DecideContext<'_>,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    const DISSATISFIED: &str = "dissatisfied or unsolved at the callback";
    if case.is_overtaken(satisfied, said) {
        return Ok(case.decided());
    }
    case.said_at(said);
    match case.phase {
        // What was complained about ends with the complaint.
        Phase::Open | Phase::AwaitingSatisfaction if satisfied && case.has_open_complaint() => {}
        Phase::Open | Phase::AwaitingSatisfaction if satisfied => {
            case.close(CloseKind::Satisfied, "satisfied at the callback");
        }
        Phase::AwaitingSatisfaction => case.reopen(context, snapshot, DISSATISFIED),
        Phase::Closed { .. } if !satisfied => {
            return merge::reopen(world, case, context, snapshot, DISSATISFIED);
        }
        Phase::Open | Phase::Closed { .. } => case.hear(),
        Phase::Merged { .. } | Phase::Void { .. } => {}
    }
    Ok(case.decided())
}
