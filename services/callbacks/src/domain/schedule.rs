//! Decisions that concern no existing callback alone: making one, joining a missed call to one, giving up all of a case, adopting a policy.

use chrono::{DateTime, Utc};
use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_policy::{PolicyBook, PolicyVersion};
use shouwen_proto::{
    events::v1::{CallbackCoalesced, CallbackScheduled, PolicyAdopted, callbacks_event::Event},
    r#type::v1::CallbackKind,
};

use super::{
    State,
    callback::{Kind, missed_caller},
    codec,
    command::{Cause, Schedule},
    limits::{self, Limits, Rules},
    rejection::Rejection,
    transitions,
};

type Decided = Result<Decision<Event>, Refusal<Rejection>>;

/// Makes a callback, or joins a missed call to the open one of its caller (K14). Making it twice changes nothing.
pub fn schedule(
    world: &World<'_, State>,
    schedule: &Schedule,
    context: &DecideContext<'_>,
    book: &PolicyBook,
) -> Decided {
    let id = schedule.name.aggregate();
    if world.state(&id).is_some() {
        return Ok(Decision::nothing(id));
    }
    if let Cause::MissedCall { call, caller_key } = &schedule.cause {
        let key = missed_caller(&schedule.branch, &hex::encode(caller_key));
        if let Some(holder) = world.key_holder(&key) {
            return coalesce(world, holder, call);
        }
    }
    Ok(Decision::on(id, [scheduled(schedule, context.at, book)?]))
}

fn coalesce(world: &World<'_, State>, holder: &AggregateId, call: &str) -> Decided {
    let open = world.state(holder).and_then(State::callback).ok_or(Refusal::Moved)?;
    if open.calls.iter().any(|known| known == call) {
        return Ok(Decision::nothing(holder.clone()));
    }
    let joined = Event::CallbackCoalesced(CallbackCoalesced { call: call.to_owned() });
    Ok(Decision::on(holder.clone(), [joined]))
}

/// The event that makes the callback. Its clock starts with the cause at `began`, not with the cause's arrival.
pub fn scheduled(schedule: &Schedule, began: DateTime<Utc>, book: &PolicyBook) -> Result<Event, Rejection> {
    let branch = Some(schedule.branch.as_str());
    let policy = book.callbacks(branch, began);
    let by_calendar = |kind| {
        let rules = Rules {
            callbacks: &policy.value,
            calls: &book.calls(branch, began).value,
            hours: &book.hours(branch, began).value,
            calendar: &book.calendar(began),
        };
        limits::by_calendar(kind, began, rules)
            .ok_or(Rejection::Internal("a promise has no limit by the calendar"))
    };
    let (kind, limits, caller_key, client_asked) = match &schedule.cause {
        Cause::Promise { agreed, client_asked } => {
            let limits = limits::promised(*agreed, *client_asked, &policy.value);
            (Kind::Promised, limits, Vec::new(), *client_asked)
        }
        Cause::MissedCall { caller_key, .. } => {
            (Kind::MissedCall, by_calendar(Kind::MissedCall)?, caller_key.clone(), false)
        }
        Cause::AfterHours => (Kind::AfterHours, by_calendar(Kind::AfterHours)?, Vec::new(), false),
    };
    let Limits { not_before, due, provisional, calendar_version } = limits;
    Ok(Event::CallbackScheduled(CallbackScheduled {
        callback: schedule.name.to_string(),
        kind: CallbackKind::from(kind).into(),
        case: schedule.name.case().to_owned(),
        branch: schedule.branch.clone(),
        client: schedule.client.clone(),
        phone: schedule.phone.clone(),
        phone_masked: schedule.phone_masked.clone(),
        subject: schedule.subject.clone(),
        not_before: codec::timestamp(not_before),
        due: codec::timestamp(due),
        provisional,
        calendar_version,
        policy_version: policy.version.to_string(),
        caller_key,
        client_asked,
        ..CallbackScheduled::default()
    }))
}

/// Cancels those of the callbacks that are still open.
pub fn cancel_case(
    world: &World<'_, State>,
    case: &str,
    callbacks: &[AggregateId],
    reason: &str,
    context: &DecideContext<'_>,
) -> Decided {
    let mut events = Vec::new();
    for id in callbacks {
        let Some(callback) = world.state(id).and_then(State::callback) else { continue };
        if callback.is_open() && callback.name.case() == case {
            let cancelled = transitions::cancelled(callback, reason, context.at);
            events.extend(cancelled.into_iter().map(|event| (id.clone(), event)));
        }
    }
    let primary = callbacks.first().cloned().unwrap_or_else(|| AggregateId(case.to_owned()));
    Ok(Decision { events, counters: Vec::new(), primary })
}

/// Adopts a policy version that ownership approved (P1). Adopting it twice changes nothing.
pub fn adopt(world: &World<'_, State>, adopted: &PolicyAdopted, book: &PolicyBook) -> Decided {
    let id = AggregateId(adopted.policy.clone());
    if world.state(&id).is_some() {
        return Ok(Decision::nothing(id));
    }
    let version =
        PolicyVersion::try_from(adopted).map_err(|error| Rejection::PolicyInvalid(error.to_string()))?;
    book.with(version).map_err(|invalid| Rejection::PolicyInvalid(invalid.to_string()))?;
    Ok(Decision::on(id, [Event::PolicyAdopted(adopted.clone())]))
}
