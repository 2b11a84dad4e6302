//! The rules of calls through the API.

use chrono::TimeDelta;
use shouwen_access::Caller;
use shouwen_proto::{
    access::v1::Capacity,
    calls::v1::{
        AnswerCallRequest, Call, EndCallRequest, PromiseCallbackRequest, RecordCallRequest,
        RegisterCallRequest, call::State,
    },
    events::v1::{CallOutcome, Direction, Party},
    r#type::v1::Channel,
};
use tonic::Code;

use crate::{
    harness::{
        Answer, CASE, Running, at, by, call_from, employee, handler, metadata, on_case, proto_time, reason,
        request_id,
    },
    steps::{Step, sheet},
};

async fn end(running: &Running, name: &str, ended_by: Party, outcome: CallOutcome) -> Answer<Call> {
    let (ended_by, outcome) = (ended_by.into(), outcome.into());
    let request = EndCallRequest { name: name.into(), ended_by, outcome, request_id: request_id() };
    running.client().end_call(by(Step::End.actor(), request)).await
}

async fn promise(running: &Running, request: PromiseCallbackRequest) -> Answer<Call> {
    running.client().promise_callback(by(Step::Promise.actor(), request)).await
}

fn promising(name: &str, time: &str) -> PromiseCallbackRequest {
    PromiseCallbackRequest {
        name: name.into(),
        agreed_time: Some(proto_time(time)),
        request_id: request_id(),
        ..PromiseCallbackRequest::default()
    }
}

#[tokio::test]
async fn k2_how_long_clients_wait_is_shown_in_numbers() {
    let running = Running::start().await;
    let shown = |late: bool| {
        let text = running.metrics.render().unwrap();
        let value = |figure: &str| {
            let series = format!("shouwen_calls_time_to_answer_seconds_{figure}{{");
            let late = format!("shouwen_late=\"{late}\"");
            let mut lines = text.lines().filter(|line| line.starts_with(&series) && line.contains(&late));
            lines.next().and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        };
        (value("count"), value("sum"))
    };
    assert_eq!(shown(false), (None, None));
    for (id, seconds) in [("c1", 4), ("c2", 15), ("c3", 31)] {
        let name = running.ring(id).await.name;
        running.advance(TimeDelta::seconds(seconds)).await;
        let request = request_id();
        // The same call again, and another one of the same employee: the client waited once.
        for request in [&request, &request, &request_id()] {
            Step::Answer.take(&running, &name, Step::Answer.actor(), request).await.unwrap();
        }
    }
    assert_eq!((shown(false), shown(true)), ((Some(2.0), Some(19.0)), (Some(1.0), Some(31.0))));
}

#[tokio::test]
async fn k2_an_answer_after_three_rings_is_late() {
    let running = Running::start().await;
    for (id, seconds, late) in [("c1", 15, false), ("c2", 16, true)] {
        let name = running.ring(id).await.name;
        running.advance(TimeDelta::seconds(seconds)).await;
        let call = Step::Answer.take(&running, &name, Step::Answer.actor(), &request_id()).await.unwrap();
        assert_eq!(call.into_inner().late, late, "{seconds} s");
    }
}

#[tokio::test]
async fn k6_a_promise_becomes_a_callback_under_the_contacts_case() {
    let running = Running::start().await;
    let name = Step::Promise.prepare(&running, "c1").await;
    let request = promising(&name, "14:00:00");
    let first = promise(&running, request.clone()).await.unwrap().into_inner();
    assert!(first.callbacks[0].starts_with("cases/k1/callbacks/"), "{:?}", first.callbacks);
    assert_eq!(promise(&running, request).await.unwrap().into_inner(), first, "the same callback again");
    let second = promise(&running, promising(&name, "15:00:00")).await.unwrap().into_inner();
    assert_eq!(second.callbacks.len(), 2);
}

#[tokio::test]
async fn k6_b2_a_promise_needs_a_time_to_come_within_the_windows_and_a_number() {
    let running = Running::start().await;
    let name = Step::Promise.prepare(&running, "c1").await;
    assert_eq!(reason(promise(&running, promising(&name, "09:59:59")).await), "AGREED_TIME_PAST");
    let refused = promise(&running, promising(&name, "12:30:00")).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        metadata(&refused, "next_open"),
        at("13:30:00").to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    );
    let asked = PromiseCallbackRequest { client_asked: true, ..promising(&name, "12:30:00") };
    promise(&running, asked).await.unwrap();
    let timeless = PromiseCallbackRequest { agreed_time: None, ..promising(&name, "14:00:00") };
    assert_eq!(reason(promise(&running, timeless).await), "FIELD_INVALID");
    let wrong = PromiseCallbackRequest { phone: "12".into(), ..promising(&name, "14:00:00") };
    assert_eq!(reason(promise(&running, wrong).await), "PHONE_INVALID");

    let withheld = RegisterCallRequest { caller: String::new(), ..call_from("c2") };
    let name = running.register(employee("zhang"), withheld).await.unwrap().into_inner().name;
    Step::Answer.take(&running, &name, Step::Answer.actor(), &request_id()).await.unwrap();
    assert_eq!(reason(promise(&running, promising(&name, "14:00:00")).await), "PHONE_REQUIRED");
    let given = PromiseCallbackRequest { phone: "010-8888 0000".into(), ..promising(&name, "14:00:00") };
    promise(&running, given).await.unwrap();
}

#[tokio::test]
async fn k7_an_employee_ending_the_call_is_a_violation_save_for_special_calls() {
    let running = Running::start().await;
    let cases = [
        (Party::Employee, CallOutcome::AnsweredClear, true),
        (Party::Client, CallOutcome::AnsweredClear, false),
        (Party::System, CallOutcome::AnswerOwed, false),
        (Party::Employee, CallOutcome::Silent, false),
        (Party::Employee, CallOutcome::Abuse, false),
    ];
    for (index, (ended_by, outcome, violation)) in cases.into_iter().enumerate() {
        let name = Step::End.prepare(&running, &format!("c{index}")).await;
        let call = end(&running, &name, ended_by, outcome).await.unwrap().into_inner();
        assert_eq!((call.violation, call.ended_by(), call.outcome()), (violation, ended_by, outcome));
        assert_eq!(call.end_time, Some(proto_time("10:00:00")));
    }
}

#[tokio::test]
async fn k7_who_ended_and_how_must_be_said_and_a_promise_kept_to_its_word() {
    let running = Running::start().await;
    let name = Step::End.prepare(&running, "c1").await;
    let unsaid = end(&running, &name, Party::Unspecified, CallOutcome::AnswerOwed).await.unwrap_err();
    assert_eq!(metadata(&unsaid, "field"), "ended_by");
    let unsaid = end(&running, &name, Party::Client, CallOutcome::Unspecified).await.unwrap_err();
    assert_eq!(metadata(&unsaid, "field"), "outcome");
    let refused = end(&running, &name, Party::Client, CallOutcome::CallbackPromised).await;
    assert_eq!(refused.as_ref().unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(reason(refused), "PROMISE_MISSING");
    promise(&running, promising(&name, "14:00:00")).await.unwrap();
    let call = end(&running, &name, Party::Client, CallOutcome::CallbackPromised).await.unwrap().into_inner();
    assert_eq!(call.state(), State::Ended);
}

#[tokio::test]
async fn k8_k9_what_a_record_needs_and_may_say() {
    let running = Running::start().await;
    let name = Step::Record.prepare(&running, "c1").await;
    let wrong = [
        ("client_name", RecordCallRequest { client_name: " ".into(), ..sheet(&name) }),
        ("gender", RecordCallRequest { gender: String::new(), ..sheet(&name) }),
        ("phone", RecordCallRequest { phone: String::new(), ..sheet(&name) }),
        ("summary", RecordCallRequest { summary: "\n".into(), ..sheet(&name) }),
        ("handling", RecordCallRequest { handling: String::new(), ..sheet(&name) }),
        ("computer_familiarity", RecordCallRequest { computer_familiarity: 6, ..sheet(&name) }),
        ("trading_familiarity", RecordCallRequest { trading_familiarity: -1, ..sheet(&name) }),
        ("securities_familiarity", RecordCallRequest { securities_familiarity: 6, ..sheet(&name) }),
        ("identity_checks", RecordCallRequest { identity_checks: vec!["caller_id".into()], ..sheet(&name) }),
        ("inquiry_type", RecordCallRequest { inquiry_type: "类".repeat(41), ..sheet(&name) }),
    ];
    for (field, request) in wrong {
        let refused = running.client().record_call(by(Step::Record.actor(), request)).await.unwrap_err();
        assert_eq!((refused.code(), metadata(&refused, "field")), (Code::InvalidArgument, field.to_owned()));
    }
    let basic = RecordCallRequest {
        inquiry_type: String::new(),
        computer_familiarity: 0,
        trading_familiarity: 0,
        securities_familiarity: 0,
        assessment: String::new(),
        identity_checks: Vec::new(),
        ..sheet(&name)
    };
    running.client().record_call(by(Step::Record.actor(), basic)).await.unwrap();
    let call = Step::Confirm.take(&running, &name, Step::Confirm.actor(), &request_id()).await.unwrap();
    assert!(call.into_inner().record.unwrap().complete, "K9's additions are for inquiries only");
}

#[tokio::test]
async fn k10_a_new_filling_is_unconfirmed_again_also_after_the_contact() {
    let running = Running::start().await;
    let name = Step::Confirm.prepare(&running, "c1").await;
    let complete = async |step: Step| {
        let call = step.take(&running, &name, step.actor(), &request_id()).await.unwrap().into_inner();
        call.record.unwrap().complete
    };
    assert!(complete(Step::Confirm).await);
    end(&running, &name, Party::Client, CallOutcome::AnsweredClear).await.unwrap();
    assert!(!complete(Step::Record).await);
    assert!(complete(Step::Confirm).await);
}

#[tokio::test]
async fn k20_a_paper_record_keeps_its_true_time() {
    let running = Running::start().await;
    let paper = RegisterCallRequest {
        channel: Channel::Counter.into(),
        occur_time: Some(proto_time("08:50:00")),
        caller: String::new(),
        line: String::new(),
        ..call_from("paper-17")
    };
    let call = running.register(employee("zhang"), paper.clone()).await.unwrap().into_inner();
    assert!(call.entered_later && !call.outside_working_hours);
    assert_eq!(call.occur_time, Some(proto_time("08:50:00")));
    let answer = |channel: Channel| AnswerCallRequest {
        name: call.name.clone(),
        channel: channel.into(),
        client: "80011073".into(),
        request_id: request_id(),
        ..AnswerCallRequest::default()
    };
    let phone = by(handler("zhang", CASE), answer(Channel::Phone));
    assert_eq!(metadata(&running.client().answer_call(phone).await.unwrap_err(), "field"), "channel");
    let counter = by(handler("zhang", CASE), answer(Channel::Counter));
    let call = running.client().answer_call(counter).await.unwrap().into_inner();
    assert_eq!((call.late, call.client.as_str()), (false, "80011073"));
    assert_eq!(call.answer_time, Some(proto_time("08:50:00")));
    let future = RegisterCallRequest { occur_time: Some(proto_time("10:00:01")), ..call_from("c2") };
    let refused = running.register(employee("zhang"), future).await.unwrap_err();
    assert_eq!(metadata(&refused, "field"), "occur_time");
}

#[tokio::test]
async fn k21_a_contact_after_hours_is_marked() {
    let running = Running::start_at(at("20:15:00")).await;
    assert!(running.ring("c1").await.outside_working_hours);
}

#[tokio::test]
async fn k21_what_a_registration_may_say() {
    let running = Running::start().await;
    let wrong = [
        ("parent", RegisterCallRequest { parent: "b1".into(), ..call_from("c1") }),
        ("call_id", RegisterCallRequest { call_id: "a/b".into(), ..call_from("c1") }),
        ("call_id", RegisterCallRequest { call_id: "x".repeat(65), ..call_from("c1") }),
        ("channel", RegisterCallRequest { channel: 0, ..call_from("c1") }),
        ("channel", RegisterCallRequest { channel: 99, ..call_from("c1") }),
        ("direction", RegisterCallRequest { direction: 9, ..call_from("c1") }),
        ("line", RegisterCallRequest { line: "l1".into(), ..call_from("c1") }),
        ("client", RegisterCallRequest { client: "张三".into(), ..call_from("c1") }),
        ("external_id", RegisterCallRequest { external_id: "x y".into(), ..call_from("c1") }),
        ("callback", RegisterCallRequest { callback: "cases/k1/callbacks/p1".into(), ..call_from("c1") }),
    ];
    for (field, request) in wrong {
        let refused = running.register(employee("zhang"), request).await.unwrap_err();
        assert_eq!((refused.code(), metadata(&refused, "field")), (Code::InvalidArgument, field.to_owned()));
    }
    let outbound = RegisterCallRequest {
        direction: Direction::Outbound.into(),
        callback: "cases/k1/callbacks/p1".into(),
        external_id: "pbx:4711@b1".into(),
        client: "80011073".into(),
        ..call_from("c1")
    };
    let call = running.register(employee("zhang"), outbound).await.unwrap().into_inner();
    assert_eq!(call.direction(), Direction::Outbound);
    assert_eq!((call.callback.as_str(), call.external_id.as_str()), ("cases/k1/callbacks/p1", "pbx:4711@b1"));
    let inbound = running.ring("c2").await;
    assert_eq!(inbound.direction(), Direction::Inbound);
    let refused = Step::Miss.take(&running, &call.name, Step::Miss.actor(), &request_id()).await;
    assert_eq!(reason(refused), "NOT_AN_INBOUND_CALL");
}

#[tokio::test]
async fn o6_whoever_assists_may_record_and_end() {
    let running = Running::start().await;
    let name = Step::End.prepare(&running, "c1").await;
    let assisting = || -> Caller { on_case("li", CASE, 1, Capacity::Assisting) };
    let call = Step::Record.take(&running, &name, assisting(), &request_id()).await.unwrap().into_inner();
    assert_eq!(call.record.unwrap().employee, "employees/li");
    let call = Step::End.take(&running, &name, assisting(), &request_id()).await.unwrap().into_inner();
    assert_eq!(call.employee, "employees/zhang", "who answered stays who answered");
}
