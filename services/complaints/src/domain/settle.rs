//! What time alone does: limits pass, and what was missed goes one level higher (O10).
//!
//! It happens before any command, so the outcome does not depend on whether the sweeper or a caller came first. After an outage the steps happen in
//! order, each with its true time.

use chrono::{DateTime, Utc};
use shouwen_policy::PolicyBook;
use shouwen_proto::events::v1::{
    ComplaintEscalated, ComplaintLimitMissed, EscalationStep, complaints_event::Event,
};

use super::{
    codec,
    complaint::Complaint,
    evolve,
    limits::{Limit, Step},
    terms,
};

/// What has become due by a time, in order, and the complaint after it.
pub fn settled(complaint: &Complaint, until: DateTime<Utc>, book: &PolicyBook) -> (Vec<Event>, Complaint) {
    let mut after = complaint.clone();
    let mut events = Vec::new();
    while let Some((due, limit)) = next(&after).filter(|(due, _)| *due <= until) {
        let happened = if limit.missed {
            limit.steps.first().map(|step| vec![escalated(limit, *step)]).unwrap_or_default()
        } else {
            missed(&after, limit, book)
        };
        for event in &happened {
            evolve::apply(&mut after, event, due);
        }
        events.extend(happened);
    }
    (events, after)
}

/// The limit at which something happens next, and when.
fn next(complaint: &Complaint) -> Option<(DateTime<Utc>, &Limit)> {
    let owed = complaint.limits.iter().filter(|limit| limit.is_owed());
    owed.filter_map(|limit| {
        let due = if limit.missed { limit.steps.first()?.due } else { limit.due };
        Some((due, limit))
    })
    .min_by_key(|(due, limit)| (*due, limit.kind))
}

/// The limit has passed; handler and accountable person are told at once.
fn missed(complaint: &Complaint, limit: &Limit, book: &PolicyBook) -> Vec<Event> {
    let policy = book.escalation(Some(&complaint.receiving_unit), limit.due);
    let mut steps = Vec::new();
    let mut reached = None;
    while let Some(rung) = policy.value.next(limit.due, reached) {
        steps.push(Step { level: rung.level, due: rung.due });
        reached = Some(rung.level);
    }
    let missed = ComplaintLimitMissed {
        limit: limit.kind.number(),
        due: codec::timestamp(limit.due),
        steps: steps
            .iter()
            .map(|step| EscalationStep {
                level: terms::escalation(step.level).into(),
                due: codec::timestamp(step.due),
            })
            .collect(),
        escalation_policy_version: policy.version.to_string(),
    };
    let told = steps.first().filter(|step| step.due <= limit.due).map(|step| escalated(limit, *step));
    [Event::ComplaintLimitMissed(missed)].into_iter().chain(told).collect()
}

fn escalated(limit: &Limit, step: Step) -> Event {
    Event::ComplaintEscalated(ComplaintEscalated {
        limit: limit.kind.number(),
        due: codec::timestamp(limit.due),
        level: terms::escalation(step.level).into(),
        step_due: codec::timestamp(step.due),
    })
}
