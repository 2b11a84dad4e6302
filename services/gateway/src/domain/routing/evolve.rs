//! What events make of a routing.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_proto::events::v1::{ReservationEnd, RoutingReason, ownership_event::Event};
use shouwen_serving::timestamps::from_proto;

use super::{
    candidates::Considered,
    state::{Past, PastTransfer, Phase, RoutingState, Transfer},
};

/// A routing after one of its events.
pub(in crate::domain) fn after(
    before: Option<RoutingState>,
    event: &Event,
    at: DateTime<Utc>,
) -> Option<RoutingState> {
    if let Event::RoutingBegun(begun) = event {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        return Some(RoutingState {
            branch: begun.branch.clone(),
            line: begun.line.clone(),
            channel: begun.channel,
            client: given(&begun.client),
            topic: begun.topic.clone(),
            skills: begun.skills.clone(),
            vip: begun.vip,
            case: given(&begun.case),
            service_manager: given(&begun.service_manager),
            begun: at,
            phase: Phase::Queued { check: at },
            considered: Vec::new(),
            past: Vec::new(),
            queued: None,
            waited: None,
            policy: String::new(),
            transfer: None,
            transfers: Vec::new(),
            on_call: None,
            over: None,
        });
    }
    let mut routing = before?;
    match event {
        Event::ReservationMade(made) => {
            let since = time(made.reserve_time.as_ref(), at);
            routing.waited = routing.queued.map(|queued| (since - queued).num_seconds()).or(routing.waited);
            routing.queued = None;
            routing.considered = made.considered.iter().map(Considered::from).collect();
            routing.policy.clone_from(&made.policy_version);
            routing.phase = Phase::Reserved {
                employee: made.employee.clone(),
                rank: made.rank,
                since,
                expires: time(made.expire_time.as_ref(), at),
            };
        }
        Event::ReservationEnded(ended) => {
            if let Phase::Reserved { employee, since, .. } | Phase::Answered { employee, at: since, .. } =
                &routing.phase
            {
                routing.past.push(Past {
                    employee: employee.clone(),
                    since: *since,
                    at: time(ended.end_time.as_ref(), at),
                    end: ended.end,
                });
            }
            routing.phase = Phase::Queued { check: at };
        }
        Event::RoutingQueued(queued) => {
            routing.queued.get_or_insert(at);
            routing.considered = queued.considered.iter().map(Considered::from).collect();
            routing.policy.clone_from(&queued.policy_version);
            routing.phase = Phase::Queued { check: time(queued.check_time.as_ref(), at) };
        }
        Event::RoutingAfterHours(after) => {
            routing.queued = None;
            routing.considered = after.considered.iter().map(Considered::from).collect();
            routing.policy.clone_from(&after.policy_version);
            routing.phase = Phase::AfterHours {
                next_working: time(after.next_working_time.as_ref(), at),
                due: time(after.due_time.as_ref(), at),
                resumes: after.resumes,
            };
        }
        Event::RoutingAnswered(answered) => {
            routing.phase = Phase::Answered {
                employee: answered.employee.clone(),
                for_colleague: answered.for_colleague,
                at,
                gone: false,
            };
        }
        Event::ClientLeft(_) => {
            if let Phase::Answered { gone, .. } = &mut routing.phase {
                *gone = true;
            }
        }
        Event::RoutingEnded(ended) => {
            routing.phase = if ended.reason == i32::from(RoutingReason::CallbackAsked) {
                Phase::Callback { at }
            } else {
                Phase::Abandoned { at }
            };
        }
        Event::TransferAnnounced(announced) => {
            routing.case = Some(announced.case.clone());
            routing.policy.clone_from(&announced.policy_version);
            routing.over = None;
            routing.transfer = Some(Transfer {
                from: announced.from.clone(),
                to: announced.to.clone(),
                since: time(announced.announce_time.as_ref(), at),
                expires: time(announced.expire_time.as_ref(), at),
            });
        }
        Event::TransferAccepted(accepted) => {
            routing.on_call = Some(accepted.to.clone());
            transferred(&mut routing, at, None);
        }
        Event::TransferReturned(returned) => {
            transferred(&mut routing, time(returned.end_time.as_ref(), at), Some(returned.end));
        }
        Event::CallOver(_) => {
            transferred(&mut routing, at, Some(ReservationEnd::CallOver.into()));
            routing.on_call = None;
            routing.over = Some(at);
        }
        _ => {}
    }
    Some(routing)
}

/// What rang is over.
fn transferred(routing: &mut RoutingState, at: DateTime<Utc>, end: Option<i32>) {
    let over = routing.transfer.take();
    let past = |over: Transfer| PastTransfer { from: over.from, to: over.to, since: over.since, at, end };
    routing.transfers.extend(over.map(past));
}

fn time(value: Option<&Timestamp>, otherwise: DateTime<Utc>) -> DateTime<Utc> {
    value.and_then(from_proto).unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use shouwen_proto::events::v1::{ClientLeft, RoutingAnswered, RoutingBegun, RoutingQueued};

    use super::*;

    #[test]
    fn k14_a_client_who_left_one_answer_has_not_left_the_next() {
        let answered = || Event::RoutingAnswered(RoutingAnswered::default());
        let mut events = vec![Event::RoutingBegun(RoutingBegun::default()), answered()];
        let gone = |events: &[Event]| {
            let routing =
                events.iter().fold(None, |before, event| after(before, event, DateTime::UNIX_EPOCH));
            routing.is_some_and(|routing| matches!(routing.phase, Phase::Answered { gone: true, .. }))
        };
        assert!(!gone(&events));
        events.push(Event::ClientLeft(ClientLeft {}));
        assert!(gone(&events));
        events.extend([Event::RoutingQueued(RoutingQueued::default()), answered()]);
        assert!(!gone(&events));
    }
}
