//! The state after an event. Total: what cannot have happened changes nothing.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_engine::Recorded;
use shouwen_policy::PolicyVersion;
use shouwen_proto::{
    events::v1::{
        AttemptOutcome, AttemptRecorded, CallbackCoalesced, CallbackCompleted, CallbackLimitMissed,
        CallbackScheduled, callbacks_event::Event,
    },
    r#type::v1::CallbackKind,
};
use shouwen_serving::private;

use super::{
    State,
    callback::{Attempt, Callback, Kind, Met, Stage, Verification},
    codec,
    escalation::{Escalation, Step},
    limits::Limits,
    talk::{Results, Talk, TalkResult},
};

/// The state of an aggregate after an event on it.
pub fn evolve(state: Option<State>, recorded: &Recorded<'_, Event>) -> State {
    match (state, recorded.event) {
        (_, Event::PolicyAdopted(adopted)) => {
            State::Policy(PolicyVersion::try_from(adopted).ok().map(Box::new))
        }
        (None, Event::CallbackScheduled(scheduled)) => match begun(scheduled, recorded.time) {
            Some(callback) => State::Callback(Box::new(callback)),
            None => State::Policy(None),
        },
        (Some(State::Callback(mut callback)), event) => {
            apply(&mut callback, event, recorded.time);
            State::Callback(callback)
        }
        (Some(policy), _) => policy,
        (None, _) => State::Policy(None),
    }
}

/// The callback that an event schedules.
pub fn begun(scheduled: &CallbackScheduled, time: DateTime<Utc>) -> Option<Callback> {
    let name: super::CallbackName = scheduled.callback.parse().ok()?;
    let kind = kind(scheduled)?;
    let not_before = codec::time(scheduled.not_before.as_ref())?;
    Some(Callback {
        branch: scheduled.branch.clone(),
        client: scheduled.client.clone(),
        phone: private::sealed(scheduled.phone.as_ref()),
        phone_masked: scheduled.phone_masked.clone(),
        subject: private::sealed(scheduled.subject.as_ref()),
        not_before,
        due: codec::time(scheduled.due.as_ref())?,
        // A late follower's record is later than the cause, but no working hours begin between the cause and `not_before`.
        began: time.min(not_before),
        first_attempt: None,
        renewed: false,
        missed: false,
        escalation: Escalation::default(),
        attempts: Vec::new(),
        round: Vec::new(),
        policy_version: scheduled.policy_version.clone(),
        calendar_version: scheduled.calendar_version.clone(),
        provisional: scheduled.provisional,
        client_asked: scheduled.client_asked,
        caller_key: hex::encode(&scheduled.caller_key),
        number_key: hex::encode(&scheduled.number_key),
        // K14: the callback of a missed call has the call's id.
        calls: if kind == Kind::MissedCall { vec![format!("calls/{}", name.id())] } else { Vec::new() },
        stage: Stage::Waiting,
        kind,
        name,
    })
}

/// Nothing schedules an unspecified kind; a promise is what depends on no calendar.
fn kind(scheduled: &CallbackScheduled) -> Option<Kind> {
    Some(match scheduled.kind() {
        CallbackKind::MissedCall => Kind::MissedCall,
        CallbackKind::AfterHours => Kind::AfterHours,
        CallbackKind::Promised | CallbackKind::Unspecified => Kind::Promised,
        CallbackKind::Verification => Kind::Verification(Verification {
            complaint: scheduled.complaint.parse().ok()?,
            round: scheduled.round,
            recused: scheduled.recused.clone(),
        }),
    })
}

/// Applies an event to a callback.
pub fn apply(callback: &mut Callback, event: &Event, time: DateTime<Utc>) {
    match event {
        Event::CallbackCoalesced(coalesced) => joined(callback, coalesced),
        Event::CallbackLeased(leased) => {
            let until = codec::time(leased.expire_time.as_ref()).unwrap_or(time);
            callback.stage = Stage::Leased { employee: leased.employee.clone(), until };
        }
        Event::CallbackReleased(_) => callback.stage = Stage::Waiting,
        Event::CallbackPostponed(postponed) => {
            set_time(callback, postponed.not_before.as_ref(), postponed.due.as_ref());
            callback.client_asked = postponed.client_asked;
            callback.round.clear();
            callback.stage = Stage::Waiting;
        }
        Event::AttemptRecorded(attempt) => attempted(callback, attempt, time),
        Event::CallbackExhausted(_) => callback.stage = Stage::LeadDecides,
        Event::CallbackCompleted(completed) => reached(callback, completed, time),
        Event::CallbackCancelled(cancelled) => {
            callback.stage = Stage::Cancelled { reason: cancelled.reason.clone() }
        }
        Event::CallbackResultSuperseded(superseded) => {
            if let (Stage::Completed(results), Some(result)) = (&mut callback.stage, &superseded.result) {
                results.supersede(superseded.reason.clone(), talked(result));
            }
        }
        Event::CallbackLimitMissed(missed) => {
            callback.missed = true;
            callback.escalation = escalation(missed);
        }
        Event::CallbackEscalated(escalated) => {
            if let Some(level) = codec::level(escalated.level()) {
                callback.escalation.tell(level);
            }
        }
        Event::CallbackLimitMoved(moved) => {
            callback.due = codec::time(moved.due.as_ref()).unwrap_or(callback.due);
            callback.provisional = moved.provisional;
            callback.calendar_version.clone_from(&moved.calendar_version);
            // A limit that moved before the earliest time sets the callback free.
            if callback.first_attempt.is_none() && callback.due < callback.not_before {
                callback.not_before = callback.began;
            }
        }
        Event::PolicyAdopted(_) | Event::CallbackScheduled(_) => {}
    }
}

/// K14. With a limit of its own it is the attempts' next round.
fn joined(callback: &mut Callback, coalesced: &CallbackCoalesced) {
    callback.calls.push(coalesced.call.clone());
    if callback.phone.is_none() {
        callback.phone = private::sealed(coalesced.phone.as_ref());
        callback.phone_masked.clone_from(&coalesced.phone_masked);
    }
    if !coalesced.client.is_empty() {
        callback.client.clone_from(&coalesced.client);
    }
    if !coalesced.caller_key.is_empty() {
        callback.caller_key = hex::encode(&coalesced.caller_key);
    }
    if !coalesced.number_key.is_empty() {
        callback.number_key = hex::encode(&coalesced.number_key);
    }
    let times = (codec::time(coalesced.not_before.as_ref()), codec::time(coalesced.due.as_ref()));
    let (Some(not_before), Some(due)) = times else { return };
    let calendar_version = coalesced.calendar_version.clone();
    callback.renew(Limits { not_before, due, provisional: coalesced.provisional, calendar_version });
    callback.began = not_before;
    callback.client_asked = false;
    callback.round.clear();
    if callback.stage == Stage::LeadDecides {
        callback.stage = Stage::Waiting;
    }
}

fn attempted(callback: &mut Callback, attempt: &AttemptRecorded, time: DateTime<Utc>) {
    let outcome = AttemptOutcome::try_from(attempt.outcome).unwrap_or_default();
    let met = codec::met(outcome).unwrap_or(Met::NoAnswer);
    callback.first_attempt.get_or_insert(time);
    callback.renewed = false;
    callback.attempts.push(Attempt { employee: attempt.employee.clone(), time, met });
    // B6: a client who was reached and named another time uses no attempt up.
    if met != Met::Inconvenient {
        callback.round.push(time);
    }
    set_time(callback, attempt.not_before.as_ref(), attempt.due.as_ref());
    callback.client_asked = attempt.client_asked;
    callback.stage = Stage::Waiting;
}

/// When the next attempt is made. With a limit it is a time that was agreed or set (K6).
fn set_time(callback: &mut Callback, not_before: Option<&Timestamp>, due: Option<&Timestamp>) {
    callback.not_before = codec::time(not_before).unwrap_or(callback.not_before);
    if let Some(due) = codec::time(due) {
        callback.renew(Limits::by_clock(callback.not_before, due));
    }
}

fn reached(callback: &mut Callback, completed: &CallbackCompleted, time: DateTime<Utc>) {
    callback.first_attempt.get_or_insert(time);
    callback.renewed = false;
    callback.attempts.push(Attempt { employee: completed.employee.clone(), time, met: Met::Reached });
    callback.stage = Stage::Completed(Results::first(talked(completed), completed.number));
}

fn talked(result: &CallbackCompleted) -> TalkResult {
    let talk = Talk {
        solved: result.solved,
        attitude: codec::satisfaction(result.attitude()),
        overall: codec::satisfaction(result.overall()),
        score: result.score,
        charged: result.charged,
        measures: codec::measures(result.measures()),
    };
    TalkResult { talk, employee: result.employee.clone() }
}

fn escalation(missed: &CallbackLimitMissed) -> Escalation {
    let ahead = missed.steps.iter().filter_map(|step| {
        Some(Step { level: codec::level(step.level())?, due: codec::time(step.due.as_ref())? })
    });
    Escalation { policy: missed.escalation_policy_version.clone(), reached: None, ahead: ahead.collect() }
}
