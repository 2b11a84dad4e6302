//! The transitions of a contact as one table, so that each shows the same behaviour where it is repeated, stale, forbidden, unknown or illegal.

use shouwen_access::Caller;
use shouwen_proto::{
    access::v1::Capacity,
    calls::v1::{
        AnswerCallRequest, Call, ConfirmRecordRequest, EndCallRequest, MissCallRequest,
        PromiseCallbackRequest, RecordCallRequest, call::State,
    },
    events::v1::{CallOutcome, Party},
    r#type::v1::Channel,
};

use crate::harness::{Answer, CASE, PHONE, Running, by, handler, on_case, proto_time, request_id, telephony};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Answer,
    Miss,
    Record,
    Confirm,
    Promise,
    End,
}

impl Step {
    pub(crate) const ALL: [Step; 6] =
        [Step::Answer, Step::Miss, Step::Record, Step::Confirm, Step::Promise, Step::End];

    /// Those that rest on a case.
    pub(crate) const ON_CASE: [Step; 5] =
        [Step::Answer, Step::Record, Step::Confirm, Step::Promise, Step::End];

    /// Who takes this step properly.
    pub(crate) fn actor(self) -> Caller {
        match self {
            Step::Miss => telephony(),
            _ => handler("zhang", CASE),
        }
    }

    /// The same employee with another epoch of the case.
    pub(crate) fn actor_at(epoch: i64) -> Caller {
        on_case("zhang", CASE, epoch, Capacity::Handler)
    }

    /// A contact on which this step is possible.
    pub(crate) async fn prepare(self, running: &Running, id: &str) -> String {
        let name = running.ring(id).await.name;
        let before: &[Step] = match self {
            Step::Answer | Step::Miss => &[],
            Step::Record | Step::Promise | Step::End => &[Step::Answer],
            Step::Confirm => &[Step::Answer, Step::Record],
        };
        for step in before {
            step.take(running, &name, step.actor(), &request_id()).await.unwrap();
        }
        name
    }

    /// Takes the step with a usual request.
    pub(crate) async fn take(
        self,
        running: &Running,
        name: &str,
        who: Caller,
        request_id: &str,
    ) -> Answer<Call> {
        let mut client = running.client();
        let (name, request_id) = (name.to_owned(), request_id.to_owned());
        match self {
            Step::Answer => {
                let channel = Channel::Phone.into();
                let request = AnswerCallRequest { name, channel, request_id, ..Default::default() };
                client.answer_call(by(who, request)).await
            }
            Step::Miss => client.miss_call(by(who, MissCallRequest { name, request_id })).await,
            Step::Record => {
                client.record_call(by(who, RecordCallRequest { request_id, ..sheet(&name) })).await
            }
            Step::Confirm => client.confirm_record(by(who, ConfirmRecordRequest { name, request_id })).await,
            Step::Promise => {
                let agreed_time = Some(proto_time("14:00:00"));
                let request = PromiseCallbackRequest { name, agreed_time, request_id, ..Default::default() };
                client.promise_callback(by(who, request)).await
            }
            Step::End => {
                let (ended_by, outcome) = (Party::Client.into(), CallOutcome::AnswerOwed.into());
                client.end_call(by(who, EndCallRequest { name, ended_by, outcome, request_id })).await
            }
        }
    }

    /// Whether the contact shows that the step was taken.
    pub(crate) fn shows(self, call: &Call) -> bool {
        let record = call.record.as_ref();
        match self {
            Step::Answer => call.state() == State::Answered && call.case == CASE,
            Step::Miss => call.state() == State::Missed && call.end_time.is_some(),
            Step::Record => {
                record.is_some_and(|record| !record.complete && record.employee == "employees/zhang")
            }
            Step::Confirm => record.is_some_and(|record| record.confirmed && record.complete),
            Step::Promise => call.callbacks.len() == 1,
            Step::End => call.state() == State::Ended && call.outcome() == CallOutcome::AnswerOwed,
        }
    }
}

/// A whole record sheet.
pub(crate) fn sheet(name: &str) -> RecordCallRequest {
    RecordCallRequest {
        name: name.into(),
        client_name: "张小红".into(),
        gender: "female".into(),
        phone: PHONE.into(),
        summary: "客户询问开户流程".into(),
        handling: "已告知所需资料".into(),
        inquiry_type: "账户".into(),
        computer_familiarity: 2,
        trading_familiarity: 3,
        securities_familiarity: 4,
        assessment: "较为谨慎".into(),
        identity_checks: vec!["holdings".into(), "reserved_phone".into(), "holdings".into()],
        etag: String::new(),
        request_id: request_id(),
    }
}
