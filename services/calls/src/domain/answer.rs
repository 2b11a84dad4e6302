//! Answering a contact or missing it (O1, K2, K14), and taking an answer back that ownership voided.

use chrono::{DateTime, Utc};
use shouwen_policy::PolicyBook;
use shouwen_proto::{
    events::v1::{CallAnswered, CallMissed, CallVoided, Direction, calls_event::Event},
    r#type::v1::Channel,
};
use shouwen_serving::{private, timestamps::to_proto};

use super::{
    call::{Answer, CallState, Phase},
    command::{Acting, AnswerContact, Miss, Void},
    rejection::Rejection,
};

/// Answers a contact for the case that ownership opened or found for it. Who answered already may answer again: nothing changes. Whoever is responsible
/// for a case answers its client at whichever branch the client asks (O6), where the contact was registered as this client's.
pub(super) fn answer(
    call: &CallState,
    command: &AnswerContact,
    now: DateTime<Utc>,
    policies: &PolicyBook,
) -> Result<Vec<Event>, Rejection> {
    let theirs = command.by.responsible && !call.client.is_empty() && command.client == call.client;
    if !command.reach.covers(&call.branch) && !theirs {
        return Err(Rejection::BranchOutOfReach(call.branch.clone()));
    }
    let case = command.by.case.as_ref().ok_or_else(|| Rejection::CaseMismatch(call.name.clone()))?;
    match &call.phase {
        Phase::Ringing => {}
        Phase::Answered { answer } | Phase::Ended { answer, .. }
            if answer.employee == command.by.employee
                && [&case.named, &case.name].contains(&&answer.case) =>
        {
            return Ok(Vec::new());
        }
        Phase::Answered { .. } | Phase::Missed { .. } | Phase::Ended { .. } => {
            return Err(call.illegal("AnswerCall"));
        }
    }
    if command.channel != call.channel {
        return Err(Rejection::ChannelDiffers(call.name.clone()));
    }
    let answered = CallAnswered {
        employee: command.by.employee.clone(),
        case: case.named.clone(),
        // What is entered from paper was answered when it happened (K20).
        answer_time: Some(to_proto(if call.entered_later { call.occur_time } else { now })),
        late: is_late(call, now, policies),
        client: command.client.clone(),
        request_id: command.request_id.clone(),
    };
    Ok(vec![Event::CallAnswered(answered)])
}

/// K2: an inbound call that rang longer than the policy under which it began allows.
fn is_late(call: &CallState, now: DateTime<Utc>, policies: &PolicyBook) -> bool {
    if call.channel != Channel::Phone || call.direction != Direction::Inbound || call.entered_later {
        return false;
    }
    let policy = policies
        .resolve_calls(&call.policy_version)
        .unwrap_or_else(|_| policies.calls(Some(&call.branch), call.registered_at));
    now - call.registered_at > policy.value.answer_within()
}

/// Nobody answered an inbound call (K14).
pub(super) fn miss(call: &CallState, command: &Miss) -> Result<Vec<Event>, Rejection> {
    if !command.reach.covers(&call.branch) {
        return Err(Rejection::BranchOutOfReach(call.branch.clone()));
    }
    if call.channel != Channel::Phone || call.direction != Direction::Inbound {
        return Err(Rejection::NotAnInboundCall(call.name.clone()));
    }
    if !matches!(call.phase, Phase::Ringing) {
        return Err(call.illegal("MissCall"));
    }
    Ok(vec![missed(call)])
}

/// Nobody could be found for it, or the client would not wait. What does not ring any more, or is no call, stays as it is.
pub(super) fn unanswered(call: Option<&CallState>) -> Vec<Event> {
    let rings = |call: &&CallState| {
        call.channel == Channel::Phone
            && call.direction == Direction::Inbound
            && matches!(call.phase, Phase::Ringing)
    };
    call.filter(rings).map(missed).into_iter().collect()
}

fn missed(call: &CallState) -> Event {
    Event::CallMissed(CallMissed {
        caller_key: call.caller_key.clone(),
        number_key: call.number_key.clone(),
        caller: call.caller.clone().map(|caller| private::message(caller.sealed)),
        caller_masked: call.caller.as_ref().map(|caller| caller.masked.clone()).unwrap_or_default(),
        branch: call.branch.clone(),
        client: call.client.clone(),
        occur_time: Some(to_proto(call.occur_time)),
    })
}

/// Ownership voided a first touch. Usually the contact was never answered by it; if it was, however late, it rings again. The answer of another touch
/// stands.
pub(super) fn void(call: Option<&CallState>, command: &Void) -> Vec<Event> {
    match call.map(|call| &call.phase) {
        Some(Phase::Answered { answer }) if answer.request_id == command.request_id => {
            vec![Event::CallVoided(CallVoided { reason: command.reason.clone() })]
        }
        _ => Vec::new(),
    }
}

/// Who answered, after making sure that ownership was asked about this contact's case. `action` is the RPC.
pub(super) fn of_case<'a>(
    call: &'a CallState,
    by: &Acting,
    action: &'static str,
) -> Result<&'a Answer, Rejection> {
    let answer = call.answer().ok_or_else(|| call.illegal(action))?;
    match &by.case {
        Some(case) if case.named == answer.case || case.name == answer.case => Ok(answer),
        _ => Err(Rejection::CaseMismatch(call.name.clone())),
    }
}
