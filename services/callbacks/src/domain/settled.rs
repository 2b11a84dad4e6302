//! What becomes due by time alone: a limit is missed and goes up, a lease is lost. Any command decides on the state after it, so the outcome does
//! not depend on whether the sweeper or a caller came first.

use chrono::{DateTime, Utc};
use shouwen_policy::PolicyBook;
use shouwen_proto::events::v1::{
    CallbackEscalated, CallbackLimitMissed, CallbackReleased, EscalationStep, callbacks_event::Event,
};

use super::{
    callback::{Callback, Stage},
    codec, escalation, evolve,
};

/// What has become due by a time, in order, and the callback after it.
pub fn settled(callback: &Callback, until: DateTime<Utc>, book: &PolicyBook) -> (Vec<Event>, Callback) {
    let mut after = callback.clone();
    let mut events = Vec::new();
    while let Some((time, event)) = next(&after, book).filter(|(time, _)| *time <= until) {
        evolve::apply(&mut after, &event, time);
        events.push(event);
    }
    (events, after)
}

/// What happens next by time alone. At one instant the limit comes first, then who is told of it, then the lease's end.
fn next(callback: &Callback, book: &PolicyBook) -> Option<(DateTime<Utc>, Event)> {
    let steps = [missed(callback, book), escalated(callback), lost(callback)];
    steps.into_iter().flatten().min_by_key(|(time, _)| *time)
}

/// B1. The policy that holds for the branch at the limit decides how it goes up (O10).
fn missed(callback: &Callback, book: &PolicyBook) -> Option<(DateTime<Utc>, Event)> {
    let limit = callback.limit_runs().then_some(callback.due)?;
    let policy = book.escalation(Some(&callback.branch), limit);
    let steps = escalation::ladder(limit, &policy.value).into_iter().map(|step| EscalationStep {
        level: codec::level_message(Some(step.level)).into(),
        due: codec::timestamp(step.due),
    });
    let missed = CallbackLimitMissed {
        due: codec::timestamp(limit),
        steps: steps.collect(),
        escalation_policy_version: policy.version.to_string(),
    };
    Some((limit, Event::CallbackLimitMissed(missed)))
}

/// O10
fn escalated(callback: &Callback) -> Option<(DateTime<Utc>, Event)> {
    let step = callback.steps_ahead().first()?;
    let escalated = CallbackEscalated {
        due: codec::timestamp(callback.due),
        level: codec::level_message(Some(step.level)).into(),
        step_due: codec::timestamp(step.due),
    };
    Some((step.due, Event::CallbackEscalated(escalated)))
}

/// B8
fn lost(callback: &Callback) -> Option<(DateTime<Utc>, Event)> {
    let Stage::Leased { until, .. } = &callback.stage else { return None };
    Some((*until, Event::CallbackReleased(CallbackReleased { reason: "expired".to_owned() })))
}
