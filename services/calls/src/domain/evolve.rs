//! What events make of states. Total: every event that was ever decided can be folded again.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_engine::Recorded;
use shouwen_policy::PolicyVersion;
use shouwen_proto::events::v1::{CallRecorded, CallRegistered, calls_event::Event};
use shouwen_serving::{private, timestamps::from_proto};

use super::{
    State,
    call::{Answer, CallState, Ending, Familiarity, Number, Phase, Promise, RecordSheet},
};

/// The state after an event.
pub(super) fn evolve(state: Option<State>, recorded: &Recorded<'_, Event>) -> State {
    match (state, recorded.event) {
        (_, Event::CallRegistered(registered)) => {
            State::Call(Box::new(registered_call(registered, recorded)))
        }
        (Some(State::Call(mut call)), event) => {
            after(&mut call, event, recorded.time);
            State::Call(call)
        }
        (_, Event::PolicyAdopted(adopted)) => {
            State::Policy(PolicyVersion::try_from(adopted).ok().map(Box::new))
        }
        (Some(State::Policy(version)), _) => State::Policy(version),
        // Unreachable for what `decide` produces: the first event of a contact registers it.
        (None, _) => State::Policy(None),
    }
}

fn registered_call(registered: &CallRegistered, recorded: &Recorded<'_, Event>) -> CallState {
    let caller = private::sealed(registered.caller.as_ref());
    CallState {
        name: recorded.aggregate.0.clone(),
        branch: registered.branch.clone(),
        line: registered.line.clone(),
        channel: registered.channel(),
        direction: registered.direction(),
        occur_time: time(registered.occur_time.as_ref(), recorded.time),
        registered_at: recorded.time,
        entered_later: registered.entered_later,
        outside_working_hours: registered.outside_working_hours,
        caller: caller.map(|sealed| Number { sealed, masked: registered.caller_masked.clone() }),
        caller_key: registered.caller_key.clone(),
        number_key: registered.number_key.clone(),
        client: registered.client.clone(),
        external_id: registered.external_id.clone(),
        callback: registered.callback.clone(),
        policy_version: registered.policy_version.clone(),
        phase: Phase::Ringing,
        record: None,
        promises: Vec::new(),
    }
}

fn after(call: &mut CallState, event: &Event, at: DateTime<Utc>) {
    match event {
        Event::CallAnswered(answered) => {
            if !answered.client.is_empty() {
                call.client.clone_from(&answered.client);
            }
            call.phase = Phase::Answered {
                answer: Answer {
                    employee: answered.employee.clone(),
                    case: answered.case.clone(),
                    at: time(answered.answer_time.as_ref(), at),
                    late: answered.late,
                    request_id: answered.request_id.clone(),
                },
            };
        }
        Event::CallMissed(_) => call.phase = Phase::Missed { at },
        Event::CallRecorded(recorded) => call.record = Some(sheet(recorded)),
        Event::RecordConfirmed(_) => {
            if let Some(record) = &mut call.record {
                record.confirmed = true;
            }
        }
        Event::CallbackPromised(promised) => call.promises.push(Promise {
            callback: promised.callback.clone(),
            agreed_time: time(promised.agreed_time.as_ref(), at),
        }),
        Event::CallEnded(ended) => {
            if let Some(answer) = call.answer().cloned() {
                let ending =
                    Ending { at, by: ended.ended_by(), outcome: ended.outcome(), violation: ended.violation };
                call.phase = Phase::Ended { answer, ending };
            }
        }
        Event::CallVoided(_) => call.phase = Phase::Ringing,
        Event::CallRegistered(_) | Event::PolicyAdopted(_) => {}
    }
}

fn sheet(recorded: &CallRecorded) -> RecordSheet {
    RecordSheet {
        employee: recorded.employee.clone(),
        client_name: private::sealed(recorded.client_name.as_ref()),
        gender: recorded.gender.clone(),
        phone: private::sealed(recorded.phone.as_ref()),
        summary: private::sealed(recorded.summary.as_ref()),
        handling: private::sealed(recorded.handling.as_ref()),
        inquiry_type: recorded.inquiry_type.clone(),
        familiarity: Familiarity {
            computer: recorded.computer_familiarity,
            trading: recorded.trading_familiarity,
            securities: recorded.securities_familiarity,
        },
        assessment: private::sealed(recorded.assessment.as_ref()),
        identity_checks: recorded.identity_checks.clone(),
        confirmed: false,
    }
}

fn time(value: Option<&Timestamp>, otherwise: DateTime<Utc>) -> DateTime<Utc> {
    value.and_then(from_proto).unwrap_or(otherwise)
}
