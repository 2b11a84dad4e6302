//! Contacts in every phase, for the tests of the rules.

use chrono::{DateTime, Utc};
use shouwen_access::{BranchName, Reach, context::caller::CaseInView};
use shouwen_engine::{AggregateId, Recorded};
use shouwen_policy::PolicyBook;
use shouwen_proto::{
    events::v1::{CallOutcome, Direction, Party, calls_event::Event},
    r#type::v1::Channel,
};
use shouwen_vault::{Sealed, Subject};

use super::{
    State, answer,
    call::{CallState, Familiarity, Number},
    command::{Acting, AnswerContact, Confirm, End, FillIn, MakePromise, Miss, Register},
    ending, evolve, promise, record, register,
    rejection::Rejection,
};

pub(super) const NAME: &str = "calls/c1";
pub(super) const BRANCH: &str = "branches/b1";
pub(super) const CASE: &str = "cases/k1";
pub(super) const EMPLOYEE: &str = "employees/zhang";

/// Shanghai time of Monday, 22 September 2025, a working day, as `HH:MM:SS`.
pub(super) fn at(time: &str) -> DateTime<Utc> {
    on("2025-09-22", time)
}

pub(super) fn on(day: &str, time: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(&format!("{day}T{time}+08:00")).unwrap().to_utc()
}

pub(super) fn book() -> PolicyBook {
    PolicyBook::standard()
}

pub(super) fn reach() -> Reach {
    Reach::Branches([BranchName::parse(BRANCH).unwrap()].into())
}

pub(super) fn sealed(field: &str) -> Sealed {
    Sealed {
        subject: Subject::contact("c1"),
        aggregate: NAME.into(),
        field: field.into(),
        ciphertext: vec![1, 2, 3],
    }
}

pub(super) fn number(field: &str) -> Number {
    Number { sealed: sealed(field), masked: "138****5678".into() }
}

/// `zhang`, on the contact's own case.
pub(super) fn acting() -> Acting {
    acting_on(CASE, CASE)
}

pub(super) fn acting_on(named: &str, survivor: &str) -> Acting {
    let case = CaseInView { name: survivor.into(), named: named.into(), epoch: 1, read_at: 0 };
    Acting { employee: EMPLOYEE.into(), case: Some(case), responsible: false }
}

/// An inbound call with a known number, now.
pub(super) fn ring() -> Register {
    Register {
        call: AggregateId(NAME.into()),
        branch: BRANCH.into(),
        line: "lines/l1".into(),
        channel: Channel::Phone,
        direction: Direction::Inbound,
        caller: Some(number("caller")),
        caller_key: vec![7; 32],
        number_key: vec![7; 32],
        client: String::new(),
        occur_time: None,
        external_id: String::new(),
        callback: String::new(),
        reach: reach(),
    }
}

pub(super) fn answering() -> AnswerContact {
    AnswerContact {
        call: AggregateId(NAME.into()),
        by: acting(),
        channel: Channel::Phone,
        client: String::new(),
        reach: reach(),
        request_id: "r1".into(),
    }
}

pub(super) fn sheet() -> FillIn {
    FillIn {
        call: AggregateId(NAME.into()),
        by: acting(),
        etag: None,
        client_name: sealed("client_name"),
        gender: "female".into(),
        phone: sealed("phone"),
        summary: sealed("summary"),
        handling: sealed("handling"),
        inquiry_type: "account".into(),
        familiarity: Familiarity { computer: 1, trading: 3, securities: 5 },
        assessment: None,
        identity_checks: vec!["holdings".into()],
    }
}

pub(super) fn promising(agreed_time: DateTime<Utc>) -> MakePromise {
    MakePromise {
        call: AggregateId(NAME.into()),
        by: acting(),
        callback_id: "p1".into(),
        agreed_time,
        client_asked: false,
        phone: None,
        subject: None,
    }
}

pub(super) fn ending(ended_by: Party, outcome: CallOutcome) -> End {
    End { call: AggregateId(NAME.into()), by: acting(), ended_by, outcome, assisting: false }
}

/// A contact after its events, each at its time.
pub(super) fn fold(state: Option<CallState>, events: &[Event], time: DateTime<Utc>) -> CallState {
    let id = AggregateId(NAME.into());
    let mut state = state.map(|call| State::Call(Box::new(call)));
    for event in events {
        let recorded =
            Recorded { event, aggregate: &id, version: 1, time, principal: EMPLOYEE, on_behalf: EMPLOYEE };
        state = Some(evolve::evolve(state, &recorded));
    }
    match state {
        Some(State::Call(call)) => *call,
        other => panic!("no contact: {other:?}"),
    }
}

/// Registered at a time.
pub(super) fn registered(ring: &Register, time: DateTime<Utc>) -> CallState {
    fold(None, &register::decide(false, ring, time, &book()).unwrap(), time)
}

/// Answered by `zhang` five seconds after it began to ring.
pub(super) fn answered(ring: &Register, time: DateTime<Utc>) -> CallState {
    let call = registered(ring, time);
    let time = time + chrono::TimeDelta::seconds(5);
    let command = AnswerContact { channel: ring.channel, ..answering() };
    let events = answer::answer(&call, &command, time, &book()).unwrap();
    fold(Some(call), &events, time)
}

pub(super) fn ended(call: CallState, command: &End, time: DateTime<Utc>) -> CallState {
    let events = ending::end(&call, command).unwrap();
    fold(Some(call), &events, time)
}

pub(super) fn missed(call: CallState, time: DateTime<Utc>) -> CallState {
    let command = Miss { call: AggregateId(NAME.into()), reach: reach() };
    let events = answer::miss(&call, &command).unwrap();
    fold(Some(call), &events, time)
}

/// Every step that an employee takes on an answered contact, with what it decides.
pub(super) fn steps(call: &CallState, by: &Acting, now: DateTime<Utc>) -> Vec<Result<Vec<Event>, Rejection>> {
    let confirm = Confirm { call: AggregateId(NAME.into()), by: by.clone() };
    vec![
        record::fill_in(call, &FillIn { by: by.clone(), ..sheet() }, 1),
        record::confirm(call, &confirm),
        promise::promise(call, &MakePromise { by: by.clone(), ..promising(now) }, now, &book()),
        ending::end(call, &End { by: by.clone(), ..ending(Party::Client, CallOutcome::AnsweredClear) }),
    ]
}
