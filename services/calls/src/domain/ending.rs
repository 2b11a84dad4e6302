//! How a contact ends: by whom (K7), with what outcome (K12, K19), and what is still owed to the client afterwards (O5).

use shouwen_proto::{
    events::v1::{CallEnded, CallOutcome, Direction, Party, calls_event::Event},
    r#type::v1::Channel,
};
use shouwen_serving::private;
use shouwen_vault::Sealed;

use super::{
    answer::of_case,
    call::{CallState, Phase},
    command::End,
    rejection::Rejection,
};

/// Ends an answered contact.
pub(super) fn end(call: &CallState, end: &End) -> Result<Vec<Event>, Rejection> {
    let case = &of_case(call, &end.by, "EndCall")?.case;
    if !matches!(call.phase, Phase::Answered { .. }) {
        return Err(call.illegal("EndCall"));
    }
    if end.outcome == CallOutcome::CallbackPromised && call.promises.is_empty() {
        return Err(Rejection::PromiseMissing(call.name.clone()));
    }
    let (phone, phone_masked) =
        if owes_after_hours(call, end.outcome) { reach(call) } else { (None, String::new()) };
    let ended = CallEnded {
        ended_by: end.ended_by.into(),
        outcome: end.outcome.into(),
        violation: is_violation(call, end),
        case: case.clone(),
        employee: end.by.employee.clone(),
        assisting: end.assisting,
        outside_working_hours: call.outside_working_hours,
        phone: phone.cloned().map(private::message),
        phone_masked,
        client: call.client.clone(),
        branch: call.branch.clone(),
    };
    Ok(vec![Event::CallEnded(ended)])
}

/// Where the client is reached, and as it is shown: at the caller's number; where that was withheld, at the one that was taken down in the record, of which
/// no mask is kept (L10).
fn reach(call: &CallState) -> (Option<&Sealed>, String) {
    match &call.caller {
        Some(caller) => (Some(&caller.sealed), caller.masked.clone()),
        None => (call.record.as_ref().and_then(|record| record.phone.as_ref()), String::new()),
    }
}

/// K7: the client ends a call, not the employee, save for the special calls of K12.
fn is_violation(call: &CallState, end: &End) -> bool {
    end.ended_by == Party::Employee && call.channel == Channel::Phone && !is_special(end.outcome)
}

/// The special calls (特殊电话) of K12.
pub fn is_special(outcome: CallOutcome) -> bool {
    match outcome {
        CallOutcome::WrongNumber
        | CallOutcome::Silent
        | CallOutcome::Private
        | CallOutcome::Inaudible
        | CallOutcome::NoisyLine
        | CallOutcome::Dialect
        | CallOutcome::Harassment
        | CallOutcome::Abuse
        | CallOutcome::SystemFailure => true,
        CallOutcome::Unspecified
        | CallOutcome::AnsweredClear
        | CallOutcome::AnswerOwed
        | CallOutcome::CallbackPromised => false,
    }
}

/// O5: an inbound call after hours whose client is called on the next working day, unless a callback was promised anyway. Calls that were
/// given up for the caller's dialect or behaviour are not called back by themselves.
fn owes_after_hours(call: &CallState, outcome: CallOutcome) -> bool {
    let owed = matches!(
        outcome,
        CallOutcome::AnswerOwed
            | CallOutcome::Inaudible
            | CallOutcome::NoisyLine
            | CallOutcome::SystemFailure
    );
    owed && call.outside_working_hours
        && call.channel == Channel::Phone
        && call.direction == Direction::Inbound
        && call.promises.is_empty()
}
