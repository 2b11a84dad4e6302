//! What a missed limit of a case climbs (O10): handler and accountable person at the limit itself, then the lead, HQ and the company leader, each after
//! the delay of the policy that held when the limit passed.

use chrono::{DateTime, Utc};
use shouwen_policy::{EscalationPolicy, Level};
use shouwen_proto::{
    events::v1::{LimitEscalated, LimitMissed, ownership_event::Event},
    r#type::v1::EscalationLevel,
};
use shouwen_serving::timestamps::to_proto;

use super::{Snapshot, case::Clock};

/// The limit has passed: it is missed, and who works on the case is told at once.
pub(super) fn missed(clock: &Clock, branch: &str, snapshot: &Snapshot) -> Vec<Event> {
    let policy = snapshot.policies.escalation(Some(branch), clock.due);
    let missed = LimitMissed { due: Some(to_proto(clock.due)), policy_version: policy.version.to_string() };
    let told = step(clock.due, None, &policy.value);
    std::iter::once(Event::LimitMissed(missed)).chain(told).collect()
}

/// The next level is told; nothing at the top.
pub(super) fn climbed(clock: &Clock, branch: &str, snapshot: &Snapshot) -> Option<Event> {
    let policy = snapshot
        .policies
        .resolve_escalation(&clock.escalation_policy)
        .unwrap_or_else(|_| snapshot.policies.escalation(Some(branch), clock.due));
    step(clock.due, level(clock.escalation), &policy.value)
}

fn step(limit: DateTime<Utc>, reached: Option<Level>, policy: &EscalationPolicy) -> Option<Event> {
    let rung = policy.next(limit, reached)?;
    Some(Event::LimitEscalated(LimitEscalated {
        due: Some(to_proto(limit)),
        level: number(rung.level).into(),
        next_due: policy.next(limit, Some(rung.level)).map(|next| to_proto(next.due)),
    }))
}

fn level(number: i32) -> Option<Level> {
    match EscalationLevel::try_from(number).unwrap_or_default() {
        EscalationLevel::Unspecified => None,
        EscalationLevel::Responsible => Some(Level::Responsible),
        EscalationLevel::Lead => Some(Level::Lead),
        EscalationLevel::Hq => Some(Level::Hq),
        EscalationLevel::CompanyLeader => Some(Level::CompanyLeader),
    }
}

fn number(level: Level) -> EscalationLevel {
    match level {
        Level::Responsible => EscalationLevel::Responsible,
        Level::Lead => EscalationLevel::Lead,
        Level::Hq => EscalationLevel::Hq,
        Level::CompanyLeader => EscalationLevel::CompanyLeader,
    }
}
