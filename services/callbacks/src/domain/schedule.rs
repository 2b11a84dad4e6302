//! Decisions that concern no existing callback alone: making one, joining a missed call to one, giving up all of a case or the one of a
//! complaint.

use chrono::{DateTime, Utc};
use shouwen_engine::{AggregateId, DecideContext, Decision, Refusal, World};
use shouwen_policy::PolicyBook;
use shouwen_proto::{
    events::v1::{CallbackCoalesced, CallbackScheduled, callbacks_event::Event},
    r#type::v1::CallbackKind,
};

use super::{
    Callback, Parent, State, Tally,
    callback::{Kind, missed_caller, verification_of},
    codec,
    command::{Cause, MissedCall, Owed, Schedule},
    limits::{self, Limits},
    rejection::Rejection,
    transitions,
};

type Decided = Result<Decision<Event>, Refusal<Rejection>>;

/// Makes a callback, or joins a missed call to the open one of its caller (K14). Making it twice changes nothing; under a void case none is made.
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
    if let Cause::MissedCall(missed) = &schedule.cause
        && let Some(open) = joined_by(world, schedule, missed)?
    {
        return coalesce(world, open, schedule, missed, context.at, book);
    }
    let mut counters = Vec::new();
    if let Parent::Case(case) = schedule.name.parent() {
        let Some(another) = Tally::locked(world, case).with_another(case) else {
            return Ok(Decision::nothing(id));
        };
        counters.push(another);
    }
    let mut events = Vec::new();
    if let Cause::Verification(wanted) = &schedule.cause
        && let Some(open) = open_verification(world, &wanted.complaint.aggregate())?
    {
        if open.kind.verification().is_some_and(|earlier| earlier.round >= wanted.round) {
            return Ok(Decision::nothing(id));
        }
        // The complaint was handled anew meanwhile: one verification of it at a time.
        events = cancelled(open, LATER_ROUND, context, book);
    }
    let mut scheduled = scheduled(schedule, context.at, book)?;
    // Of two clients who share a number both are called; the first stands for whoever else calls from there.
    for key in [&mut scheduled.caller_key, &mut scheduled.number_key] {
        if !is_free(world, &schedule.branch, key) {
            key.clear();
        }
    }
    events.push((id.clone(), Event::CallbackScheduled(scheduled)));
    Ok(Decision { events, counters, primary: id })
}

/// The open callback that a missed call joins (K14): its client's, from whatever number it came; otherwise the one that is made to its number, unless both
/// are known to be of different clients: where nobody knows who called, whoever it was hears from that one.
fn joined_by<'a>(
    world: &World<'a, State>,
    schedule: &Schedule,
    missed: &MissedCall,
) -> Result<Option<&'a Callback>, Refusal<Rejection>> {
    for key in [&missed.caller_key, &missed.number_key] {
        let Some(holder) = world.key_holder(&missed_caller(&schedule.branch, &hex::encode(key))) else {
            continue;
        };
        let callback = world.state(holder).and_then(State::callback).ok_or(Refusal::Moved)?;
        let differ = callback.client != schedule.client;
        let strangers = differ && !callback.client.is_empty() && !schedule.client.is_empty();
        // A release that knows of no numbers, at work while this one is rolled out, ends a callback and leaves the number's key with it.
        if callback.is_open() && !strangers {
            return Ok(Some(callback));
        }
    }
    Ok(None)
}

/// Whether no open callback stands for a client or a number yet.
fn is_free(world: &World<'_, State>, branch: &str, key: &[u8]) -> bool {
    world.key_holder(&missed_caller(branch, &hex::encode(key))).is_none()
}

/// What a verification says that a later round of the same complaint replaces.
const LATER_ROUND: &str = "a later round of the complaint is verified";

/// The verification of a complaint that is open, if any.
fn open_verification<'a>(
    world: &World<'a, State>,
    complaint: &str,
) -> Result<Option<&'a Callback>, Refusal<Rejection>> {
    let Some(holder) = world.key_holder(&verification_of(complaint)) else { return Ok(None) };
    world.state(holder).and_then(State::callback).map(Some).ok_or(Refusal::Moved)
}

/// Cancels the open verification of a complaint that was settled otherwise.
pub fn end_verification(
    world: &World<'_, State>,
    complaint: &str,
    reason: &str,
    context: &DecideContext<'_>,
    book: &PolicyBook,
) -> Decided {
    let Some(open) = open_verification(world, complaint)? else {
        return Ok(Decision::nothing(AggregateId(complaint.to_owned())));
    };
    let events = cancelled(open, reason, context, book);
    Ok(Decision { events, counters: Vec::new(), primary: open.name.aggregate() })
}

fn cancelled(
    callback: &Callback,
    reason: &str,
    context: &DecideContext<'_>,
    book: &PolicyBook,
) -> Vec<(AggregateId, Event)> {
    let id = callback.name.aggregate();
    let events = transitions::cancelled(callback, reason, context.at, book);
    events.into_iter().map(|event| (id.clone(), event)).collect()
}

fn coalesce(
    world: &World<'_, State>,
    open: &Callback,
    schedule: &Schedule,
    missed: &MissedCall,
    at: DateTime<Utc>,
    book: &PolicyBook,
) -> Decided {
    let id = open.name.aggregate();
    if open.calls.contains(&missed.call) {
        return Ok(Decision::nothing(id));
    }
    let mut joined = coalesced(open, &missed.call, at, book)?;
    if open.phone.is_none() {
        joined.phone.clone_from(&schedule.phone);
        joined.phone_masked.clone_from(&schedule.phone_masked);
        if is_free(world, &schedule.branch, &missed.number_key) {
            joined.number_key.clone_from(&missed.number_key);
        }
    }
    if open.client.is_empty() {
        joined.client.clone_from(&schedule.client);
    }
    // It met the callback by its number: from now on that is met under the client too.
    if !schedule.client.is_empty() && is_free(world, &schedule.branch, &missed.caller_key) {
        joined.caller_key.clone_from(&missed.caller_key);
        joined.number_key.clone_from(&missed.number_key);
    }
    Ok(Decision::on(id, [Event::CallbackCoalesced(joined)]))
}

/// What joins a call that was missed at a time. A client who was tried before it calls in vain again, and is owed another attempt (K14).
pub fn coalesced(
    open: &Callback,
    call: &str,
    at: DateTime<Utc>,
    book: &PolicyBook,
) -> Result<CallbackCoalesced, Rejection> {
    let joined = CallbackCoalesced { call: call.to_owned(), ..CallbackCoalesced::default() };
    // Where the follower is late, an attempt may have come behind the call.
    let tried_since = open.attempts.last().is_some_and(|attempt| attempt.time > at);
    if open.is_untried() || tried_since {
        return Ok(joined);
    }
    let policy = transitions::policy(open, book)?;
    let limits = limits::by_calendar(&Kind::MissedCall, &open.branch, at, &policy, &book.calendar(at), book)
        .ok_or(WITHOUT_CALENDAR)?;
    Ok(CallbackCoalesced {
        not_before: codec::timestamp(limits.not_before),
        due: codec::timestamp(limits.due),
        provisional: limits.provisional,
        calendar_version: limits.calendar_version,
        ..joined
    })
}

const WITHOUT_CALENDAR: Rejection = Rejection::Internal("this kind has no limit by the calendar");

/// What makes the callback. Its clock starts with the cause at `began`, not with the cause's arrival.
pub fn scheduled(
    schedule: &Schedule,
    began: DateTime<Utc>,
    book: &PolicyBook,
) -> Result<CallbackScheduled, Rejection> {
    let policy = book.callbacks(Some(&schedule.branch), began);
    let by_calendar = |kind: &Kind| {
        let calendar = book.calendar(began);
        limits::by_calendar(kind, &schedule.branch, began, &policy.value, &calendar, book)
            .ok_or(WITHOUT_CALENDAR)
    };
    let (kind, limits, client_asked) = match &schedule.cause {
        Cause::Promise { agreed, client_asked } => {
            let limits = limits::promised(*agreed, *client_asked, &policy.value);
            (Kind::Promised, limits, *client_asked)
        }
        Cause::MissedCall(_) => (Kind::MissedCall, by_calendar(&Kind::MissedCall)?, false),
        Cause::AfterHours => (Kind::AfterHours, by_calendar(&Kind::AfterHours)?, false),
        Cause::Verification(wanted) => {
            let limits = limits::verification(began, &policy.value);
            (Kind::Verification(wanted.clone()), limits, false)
        }
    };
    let missed = match &schedule.cause {
        Cause::MissedCall(missed) => Some(missed),
        Cause::Promise { .. } | Cause::AfterHours | Cause::Verification(_) => None,
    };
    let verification = kind.verification();
    let Limits { not_before, due, provisional, calendar_version } = limits;
    Ok(CallbackScheduled {
        callback: schedule.name.to_string(),
        kind: CallbackKind::from(&kind).into(),
        case: verification.map_or(schedule.name.case(), |wanted| wanted.complaint.case()).to_owned(),
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
        caller_key: missed.map(|missed| missed.caller_key.clone()).unwrap_or_default(),
        number_key: missed.map(|missed| missed.number_key.clone()).unwrap_or_default(),
        client_asked,
        complaint: verification.map(|wanted| wanted.complaint.to_string()).unwrap_or_default(),
        round: verification.map_or(0, |wanted| wanted.round),
        recused: verification.map(|wanted| wanted.recused.clone()).unwrap_or_default(),
    })
}

/// Voids a case and cancels what is owed under it. Starts again where a callback was added since it was found out what is owed.
pub fn cancel_case(
    world: &World<'_, State>,
    case: &str,
    owed: &Owed,
    reason: &str,
    context: &DecideContext<'_>,
    book: &PolicyBook,
) -> Decided {
    let tally = Tally::locked(world, case);
    if tally != Tally::Void && tally != owed.tally {
        return Err(Refusal::Moved);
    }
    let mut events = Vec::new();
    for id in &owed.callbacks {
        let Some(callback) = world.state(id).and_then(State::callback) else { continue };
        if callback.is_open() && callback.name.case() == case {
            events.extend(cancelled(callback, reason, context, book));
        }
    }
    Ok(Decision { events, counters: vec![Tally::voided(case)], primary: AggregateId(case.to_owned()) })
}
