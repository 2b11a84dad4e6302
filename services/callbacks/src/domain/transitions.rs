//! Decisions on one callback: lease, attempt, another round, the end; `results` decides on the talk. Before each, what was due by then happens
//! (`settled`).

use chrono::{DateTime, Utc};
use shouwen_policy::{CallbacksPolicy, PolicyBook};
use shouwen_proto::events::v1::{
    AttemptOutcome, AttemptRecorded, CallbackCancelled, CallbackExhausted, CallbackLeased,
    CallbackLimitMoved, CallbackPostponed, CallbackReleased, callbacks_event::Event,
};

use super::{
    attempts,
    callback::{Callback, Stage},
    codec,
    command::{Command, Tried},
    limits,
    rejection::Rejection,
    results,
    settled::settled,
};

/// Decides a command on the callback that it is about. `talks` are those about its case so far. `at` is when the command's cause happened, at most `now`.
pub fn decide(
    callback: &Callback,
    command: &Command,
    talks: i64,
    now: DateTime<Utc>,
    at: DateTime<Utc>,
    book: &PolicyBook,
) -> Result<Vec<Event>, Rejection> {
    not_recused(callback, command)?;
    let (mut events, callback) = settled(callback, at, book);
    let callback = &callback;
    events.extend(match command {
        Command::Lease { employee, .. } => lease(callback, employee, now, &policy(callback, book)?)?,
        Command::Release { employee, .. } => release(callback, employee)?,
        Command::RecordAttempt { employee, tried, .. } => {
            attempt(callback, employee, *tried, now, &policy(callback, book)?)?
        }
        Command::Complete { employee, talk, suggestions, answers, .. } => {
            results::complete(callback, employee, talk, [suggestions.as_ref(), answers.as_ref()], talks)?
        }
        Command::Supersede { employee, talk, reason, .. } => {
            results::supersede(callback, employee, talk, reason, talks)?
        }
        Command::Postpone { not_before, reason, .. } => {
            postpone(callback, *not_before, reason, now, &policy(callback, book)?)?
        }
        Command::Cancel { reason, .. } => give_up(callback, reason)?,
        Command::Recompute { .. } => recompute(callback, now, book)?,
        Command::Due { .. }
        | Command::AdoptPolicy(_)
        | Command::Schedule(_)
        | Command::CancelCase { .. }
        | Command::EndVerification { .. } => Vec::new(),
    });
    Ok(events)
}

/// The open callback is cancelled with what was due before.
pub fn cancelled(callback: &Callback, reason: &str, at: DateTime<Utc>, book: &PolicyBook) -> Vec<Event> {
    let (mut events, after) = settled(callback, at, book);
    events.extend(cancel(&after, reason).unwrap_or_default());
    events
}

/// B7, O12: whom a complaint is about takes no part in its verification.
fn not_recused(callback: &Callback, command: &Command) -> Result<(), Rejection> {
    match (callback.kind.verification(), command.employee()) {
        (Some(verified), Some(employee)) if verified.recused.iter().any(|recused| recused == employee) => {
            Err(Rejection::Recused(verified.complaint.to_string()))
        }
        _ => Ok(()),
    }
}

fn lease(
    callback: &Callback,
    employee: &str,
    now: DateTime<Utc>,
    policy: &CallbacksPolicy,
) -> Result<Vec<Event>, Rejection> {
    match &callback.stage {
        Stage::Waiting => {}
        Stage::Leased { employee: holder, .. } if holder == employee => {}
        Stage::Leased { employee, until } => {
            return Err(Rejection::LeasedByAnother { employee: employee.clone(), until: *until });
        }
        Stage::LeadDecides => return Err(Rejection::LeadDecides),
        Stage::Completed(_) | Stage::Cancelled { .. } => return Err(illegal(callback, "LeaseCallback")),
    }
    // B6
    if now < callback.not_before {
        return Err(Rejection::TooEarly(callback.not_before));
    }
    // B2
    if !is_asked_for(callback, now, policy) && !policy.calling_windows.contains(now) {
        return Err(Rejection::OutsideWindows(policy.calling_windows.next_open(now)));
    }
    let expire_time = now.checked_add_signed(policy.lease_length()).unwrap_or(now);
    Ok(vec![Event::CallbackLeased(CallbackLeased {
        employee: employee.to_owned(),
        expire_time: codec::timestamp(expire_time),
    })])
}

/// The client asked to be called now: at the agreed time and for as long as a promise of it is kept.
fn is_asked_for(callback: &Callback, now: DateTime<Utc>, policy: &CallbacksPolicy) -> bool {
    let agreed = callback.not_before;
    callback.client_asked && now <= agreed.checked_add_signed(policy.promise_grace()).unwrap_or(agreed)
}

fn release(callback: &Callback, employee: &str) -> Result<Vec<Event>, Rejection> {
    held(callback, employee, "ReleaseCallback")?;
    Ok(vec![Event::CallbackReleased(CallbackReleased { reason: "released".to_owned() })])
}

fn attempt(
    callback: &Callback,
    employee: &str,
    tried: Tried,
    now: DateTime<Utc>,
    policy: &CallbacksPolicy,
) -> Result<Vec<Event>, Rejection> {
    held(callback, employee, "RecordAttempt")?;
    let recorded = |outcome: AttemptOutcome, next: Option<DateTime<Utc>>| AttemptRecorded {
        employee: employee.to_owned(),
        outcome: outcome.into(),
        not_before: next.and_then(codec::timestamp),
        client_asked: false,
        due: None,
    };
    match tried {
        Tried::Inconvenient { agreed, client_asked } => {
            if agreed <= now {
                return Err(Rejection::AgreedTimePast);
            }
            if !client_asked && !policy.calling_windows.contains(agreed) {
                return Err(Rejection::AgreedOutsideWindows(policy.calling_windows.next_open(agreed)));
            }
            // K6: what is agreed anew is promised as the first time was.
            let due = codec::timestamp(limits::promised(agreed, client_asked, policy).due);
            let attempt = recorded(AttemptOutcome::Inconvenient, Some(agreed));
            Ok(vec![Event::AttemptRecorded(AttemptRecorded { client_asked, due, ..attempt })])
        }
        Tried::Unreached(met) => {
            let next = attempts::next(&callback.round, now, policy);
            let mut events = vec![Event::AttemptRecorded(recorded(codec::outcome(met), next))];
            if next.is_none() {
                events.push(Event::CallbackExhausted(CallbackExhausted {}));
            }
            Ok(events)
        }
    }
}

fn postpone(
    callback: &Callback,
    not_before: DateTime<Utc>,
    reason: &str,
    now: DateTime<Utc>,
    policy: &CallbacksPolicy,
) -> Result<Vec<Event>, Rejection> {
    if !matches!(callback.stage, Stage::Waiting | Stage::LeadDecides) {
        return Err(illegal(callback, "PostponeCallback"));
    }
    if not_before <= now {
        return Err(Rejection::NotBeforePast);
    }
    Ok(vec![Event::CallbackPostponed(CallbackPostponed {
        not_before: codec::timestamp(not_before),
        reason: reason.to_owned(),
        client_asked: false,
        due: codec::timestamp(limits::promised(not_before, false, policy).due),
    })])
}

/// B6. A complaint that waits for its verification would wait for ever without it: only what becomes of the complaint ends it (C9).
fn give_up(callback: &Callback, reason: &str) -> Result<Vec<Event>, Rejection> {
    match callback.kind.verification() {
        Some(verified) if callback.is_open() => {
            Err(Rejection::VerificationNotCancellable(verified.complaint.to_string()))
        }
        _ => cancel(callback, reason),
    }
}

fn cancel(callback: &Callback, reason: &str) -> Result<Vec<Event>, Rejection> {
    if !callback.is_open() {
        return Err(illegal(callback, "CancelCallback"));
    }
    let (complaint, round) = callback.complaint();
    Ok(vec![Event::CallbackCancelled(CallbackCancelled { reason: reason.to_owned(), complaint, round })])
}

/// S3: the limit by the calendar in force, from the policies under which the clock began.
fn recompute(callback: &Callback, now: DateTime<Utc>, book: &PolicyBook) -> Result<Vec<Event>, Rejection> {
    let calendar = book.calendar(now);
    if !callback.limit_runs()
        || callback.calendar_version.is_empty()
        || callback.calendar_version == calendar.version()
    {
        return Ok(Vec::new());
    }
    let Callback { kind, branch, began, .. } = callback;
    let policy = policy(callback, book)?;
    let Some(limits) = limits::by_calendar(kind, branch, *began, &policy, &calendar, book) else {
        return Ok(Vec::new());
    };
    Ok(vec![Event::CallbackLimitMoved(CallbackLimitMoved {
        due: codec::timestamp(limits.due),
        provisional: limits.provisional,
        calendar_version: limits.calendar_version,
    })])
}

/// B8: only the holder of the lease goes on.
pub(super) fn held(callback: &Callback, employee: &str, action: &'static str) -> Result<(), Rejection> {
    match &callback.stage {
        Stage::Leased { employee: holder, .. } if holder == employee => Ok(()),
        Stage::Completed(_) | Stage::Cancelled { .. } => Err(illegal(callback, action)),
        Stage::Leased { .. } | Stage::Waiting | Stage::LeadDecides => Err(Rejection::NotLeased),
    }
}

fn illegal(callback: &Callback, action: &'static str) -> Rejection {
    Rejection::IllegalTransition { name: callback.name.to_string(), state: callback.stage_name(), action }
}

/// P1: a callback keeps the policy under which it began.
pub(super) fn policy(callback: &Callback, book: &PolicyBook) -> Result<CallbacksPolicy, Rejection> {
    book.resolve_callbacks(&callback.policy_version)
        .map(|effective| effective.value.clone())
        .map_err(|unknown| Rejection::PolicyUnknown(unknown.to_string()))
}
