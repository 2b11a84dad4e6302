//! The life of a contact through all services, in real time: what employees do, and what appears by itself because the services follow each other.

use std::time::Duration;

use chrono::TimeDelta;
use shouwen_proto::{
    callbacks::v1::{GetCallbackRequest, ListDueCallbacksRequest, callback},
    calls::v1::{ConfirmRecordRequest, MissCallRequest, call},
    events::v1::{CallOutcome, CloseKind, WatchRequest, event::Body, watch_response::Item},
    ownership::v1::{
        AcceptOfferRequest, BeginOverrideRequest, EndOverrideRequest, GetReceiptRequest, GetTimelineRequest,
        IdentifyClientRequest, ResolveCaseRequest, case,
    },
    r#type::v1::{CallbackKind, Private, Satisfaction},
};
use shouwen_runtime::clock::now;
use shouwen_testkit::until;
use tonic::Code;

use crate::harness::{
    PATIENCE, Shared, Suite, id, refused,
    requests::{self, CALLER},
    steps::{answered, case, case_becomes, leased},
};

/// How soon a promised callback is due: long enough for the promise to reach the callbacks service before.
const SOON: TimeDelta = TimeDelta::milliseconds(1500);

/// Promises a callback in that call and ends it; returns the callback's name.
async fn promised(suite: &Suite, call: &str, by: &str) -> String {
    let client = suite.employee(by);
    let promise = requests::promise(call, now() + SOON);
    let promised = client.calls().promise_callback(promise).await.unwrap().into_inner();
    assert_eq!(promised.callbacks.len(), 1);
    client.calls().end_call(requests::end(call, CallOutcome::CallbackPromised)).await.unwrap();
    promised.callbacks[0].clone()
}

#[tokio::test]
async fn b5_a_satisfied_callback_closes_the_case_and_the_timeline_tells_the_whole_story() {
    let suite = Shared::suite().await;
    let (li, wang) = (suite.employee("li"), suite.employee("wang"));
    let name = answered(&suite, "flow-1", "li").await;

    // O1: the answerer is first responder, accountable person and handler.
    let opened = case(&li, &name).await;
    for who in [&opened.first_responder, &opened.accountable, &opened.handler] {
        assert_eq!(who, "employees/li");
    }
    assert_eq!(opened.state(), case::State::Open);

    let identify = IdentifyClientRequest {
        contact: "contacts/flow-1".to_owned(),
        client: "C-1001".to_owned(),
        topic: String::new(),
        request_id: id(),
        ..IdentifyClientRequest::default()
    };
    assert_eq!(li.cases().identify_client(identify).await.unwrap().into_inner().client, "C-1001");

    // K8-K10: recorded, repeated back, complete; personal data is masked (L10).
    let recorded = li.calls().record_call(requests::record("flow-1")).await.unwrap().into_inner();
    let sheet = recorded.record.unwrap();
    assert!(!sheet.confirmed && !sheet.complete);
    assert_eq!(sheet.phone, "138****5678");
    assert!(!sheet.client_name.contains("三丰"), "{}", sheet.client_name);
    let confirm = ConfirmRecordRequest { name: "calls/flow-1".to_owned(), request_id: id() };
    let sheet = li.calls().confirm_record(confirm).await.unwrap().into_inner().record.unwrap();
    assert!(sheet.confirmed && sheet.complete);

    // K6: the callback appears by itself, and shows on the case.
    let callback = promised(&suite, "flow-1", "li").await;
    assert!(callback.starts_with(&format!("{name}/callbacks/")));
    let noted =
        case_becomes(&li, &name, "the promise shows on the case", |case| !case.promises.is_empty()).await;
    assert_eq!((noted.promises[0].callback.as_str(), noted.promises[0].settled), (&*callback, false));

    // B7, O7: another colleague may not call, and learns who does.
    let refusal = refused(wang.callbacks().lease_callback(requests::lease(&callback)).await);
    assert_eq!(refusal.kind(), (Code::PermissionDenied, "NOT_RESPONSIBLE"));
    assert_eq!(refusal.metadata["handler"], "employees/li");

    // B2: the leaseholder sees the number in full; everybody else masked.
    assert_eq!(leased(&li, &callback).await, (format!("+86{CALLER}"), "到账情况".to_owned()));
    let shown = li.callbacks().get_callback(GetCallbackRequest { name: callback.clone() }).await.unwrap();
    assert_eq!(shown.into_inner().phone, "138****5678");
    let complete = requests::complete(&callback, Satisfaction::Satisfied);
    let completed = li.callbacks().complete_callback(complete).await.unwrap().into_inner();
    assert_eq!(completed.state(), callback::State::Completed);

    let closed =
        case_becomes(&li, &name, "the case is closed", |case| case.state() == case::State::Closed).await;
    assert_eq!(closed.close_kind(), CloseKind::Satisfied);
    assert!(closed.promises[0].settled);

    let request = GetTimelineRequest { name: name.clone(), page_size: 0, page_token: String::new() };
    let timeline = li.cases().get_timeline(request).await.unwrap().into_inner();
    let told: Vec<(&str, &str)> =
        timeline.entries.iter().map(|entry| (&*entry.service, &*entry.r#type)).collect();
    for expected in [
        ("ownership", "case_opened"),
        ("calls", "call_answered"),
        ("ownership", "client_identified"),
        ("calls", "call_recorded"),
        ("calls", "record_confirmed"),
        ("calls", "callback_promised"),
        ("callbacks", "callback_scheduled"),
        ("callbacks", "callback_leased"),
        ("callbacks", "callback_completed"),
        ("ownership", "case_closed"),
    ] {
        assert!(told.contains(&expected), "{expected:?} is not in {told:?}");
    }
    assert!(timeline.entries.is_sorted_by_key(|entry| entry.time.map(|time| (time.seconds, time.nanos))));
    let mut services: Vec<_> = timeline.as_of.iter().map(|feed| &*feed.service).collect();
    services.sort_unstable();
    assert_eq!(services, ["callbacks", "calls", "clients", "complaints", "ownership"]);
}

#[tokio::test]
async fn b5_a_dissatisfied_callback_takes_an_answered_case_up_again() {
    let suite = Shared::suite().await;
    let li = suite.employee("li");
    let name = answered(&suite, "flow-2", "li").await;
    let callback = promised(&suite, "flow-2", "li").await;
    leased(&li, &callback).await;
    // Answered meanwhile: the client's word is awaited.
    let resolve = ResolveCaseRequest {
        name: name.clone(),
        answer: "下一工作日到账".to_owned(),
        etag: String::new(),
        request_id: id(),
    };
    let resolved = li.cases().resolve_case(resolve).await.unwrap().into_inner();
    assert_eq!(resolved.state(), case::State::AwaitingSatisfaction);
    let complete = requests::complete(&callback, Satisfaction::Dissatisfied);
    li.callbacks().complete_callback(complete).await.unwrap();
    let reopened =
        case_becomes(&li, &name, "the case is taken up again", |case| case.state() == case::State::Open)
            .await;
    assert_eq!(reopened.reopen_count, 1);
    // O8: the same accountable person, the original clock beside the new one.
    assert_eq!(reopened.accountable, "employees/li");
    assert_eq!(reopened.clocks.len(), 2);
}

#[tokio::test]
async fn k14_calls_nobody_answered_become_one_callback_open_to_the_branch() {
    let suite = Suite::start().await;
    let telephony = suite.account("telephony");
    for call in ["missed-1", "missed-2"] {
        telephony.calls().register_call(requests::register(call)).await.unwrap();
        let miss = MissCallRequest { name: format!("calls/{call}"), request_id: id() };
        let missed = telephony.calls().miss_call(miss).await.unwrap().into_inner();
        assert_eq!(missed.state(), call::State::Missed);
    }
    let wang = suite.employee("wang");
    let request = ListDueCallbacksRequest { parent: "branches/east".to_owned(), ..Default::default() };
    let due = until("both missed calls are one callback", PATIENCE, async || {
        let due = wang.callbacks().list_due_callbacks(request.clone()).await.unwrap().into_inner().callbacks;
        due.iter().any(|callback| callback.calls.len() == 2).then_some(due)
    })
    .await;
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].kind(), CallbackKind::MissedCall);
    assert!(due[0].name.starts_with("branches/east/callbacks/"), "{}", due[0].name);
    assert_eq!(due[0].phone, "138****5678");
    // Another branch has nothing to do with it.
    let get = GetCallbackRequest { name: due[0].name.clone() };
    let refusal = refused(suite.employee("chen").callbacks().get_callback(get).await);
    assert_eq!(refusal.kind(), (Code::PermissionDenied, "BRANCH_OUT_OF_REACH"));
}

#[tokio::test]
async fn o3_o7_a_hand_over_moves_the_work_and_an_override_lets_a_lead_act() {
    let suite = Shared::suite().await;
    let (li, wang, lead) = (suite.employee("li"), suite.employee("wang"), suite.employee("lead"));
    let name = answered(&suite, "flow-3", "li").await;

    let offered = li.cases().offer_transfer(requests::offer(&name, "wang")).await.unwrap().into_inner();
    // O4: the giver stays responsible until acceptance.
    assert_eq!(offered.handler, "employees/li");
    let offer = offered.offer.unwrap().offer;
    let accept = AcceptOfferRequest { name: name.clone(), offer, request_id: id() };
    let accepted = wang.cases().accept_offer(accept).await.unwrap().into_inner();
    assert_eq!((&*accepted.handler, &*accepted.accountable), ("employees/wang", "employees/li"));
    assert!(accepted.epoch > offered.epoch);
    // Both may act in calls: the handler, and who stays accountable.
    for client in [&wang, &li] {
        client.calls().record_call(requests::record("flow-3")).await.unwrap();
    }

    // O7: a lead acts only under an override with a reason.
    let refusal = refused(lead.calls().record_call(requests::record("flow-3")).await);
    assert_eq!(refusal.kind(), (Code::PermissionDenied, "NOT_RESPONSIBLE"));
    let begin = BeginOverrideRequest {
        name: name.clone(),
        reason: "承办人临时外出".to_owned(),
        etag: String::new(),
        request_id: id(),
    };
    let overridden = lead.cases().begin_override(begin).await.unwrap().into_inner();
    assert_eq!(overridden.r#override.unwrap().employee, "employees/lead");
    lead.calls().record_call(requests::record("flow-3")).await.unwrap();
    let end = EndOverrideRequest { name: name.clone(), request_id: id() };
    lead.cases().end_override(end).await.unwrap();
    // A write may still rest on what the gateway read up to 2 s before.
    until("the override has ended everywhere", Duration::from_secs(3), async || {
        let answer = lead.calls().record_call(requests::record("flow-3")).await;
        answer
            .is_err()
            .then(|| assert_eq!(refused(answer).kind(), (Code::PermissionDenied, "NOT_RESPONSIBLE")))
    })
    .await;

    let timeline = GetTimelineRequest { name: name.clone(), page_size: 0, page_token: String::new() };
    until("the lead's record stands in the timeline as an override", PATIENCE, async || {
        let entries = li.cases().get_timeline(timeline.clone()).await.unwrap().into_inner().entries;
        entries.into_iter().find(|entry| entry.r#type == "call_recorded" && entry.capacity == "override")
    })
    .await;
}

#[tokio::test]
async fn o6_a_colleague_who_answers_about_an_open_case_assists_and_does_not_decide() {
    let suite = Shared::suite().await;
    let (li, wang) = (suite.employee("li"), suite.employee("wang"));
    let mut answer = requests::answer("first");
    answer.client = "C-2002".to_owned();
    suite.account("telephony").calls().register_call(requests::register("first")).await.unwrap();
    let name = li.calls().answer_call(answer).await.unwrap().into_inner().case;

    suite.account("telephony").calls().register_call(requests::register("second")).await.unwrap();
    let second = wang.calls().answer_call(requests::answer("second")).await.unwrap().into_inner();
    assert_ne!(second.case, name);
    let identify = IdentifyClientRequest {
        contact: "contacts/second".to_owned(),
        client: "C-2002".to_owned(),
        topic: String::new(),
        request_id: id(),
        ..IdentifyClientRequest::default()
    };
    let joined = wang.cases().identify_client(identify).await.unwrap().into_inner();
    assert_eq!(joined.name, name);
    assert_eq!(joined.first_responder, "employees/li");
    let merged = case(&wang, &second.case).await;
    assert_eq!((merged.state(), &*merged.merged_into), (case::State::Merged, &*name));

    // Records, under the name that the contact's case had, but does not decide.
    wang.calls().record_call(requests::record("second")).await.unwrap();
    let refusal = refused(wang.cases().offer_transfer(requests::offer(&name, "zhang")).await);
    assert_eq!(refusal.kind(), (Code::PermissionDenied, "NOT_RESPONSIBLE"));
    wang.calls().end_call(requests::end("second", CallOutcome::AnsweredClear)).await.unwrap();
    li.calls().end_call(requests::end("first", CallOutcome::AnsweredClear)).await.unwrap();
    case_becomes(&li, &name, "the responsible person's clear answer closes it", |case| {
        case.state() == case::State::Closed
    })
    .await;
}

#[tokio::test]
async fn o11_the_receipt_names_who_is_responsible_in_the_callers_language() {
    let suite = Shared::suite().await;
    let name = answered(&suite, "flow-4", "li").await;
    for (language, part) in [("zh-CN", "首问责任人"), ("en", "Responsible:")] {
        let client = suite.employee("li").with("accept-language", language);
        let request = GetReceiptRequest { name: name.clone() };
        let receipt = client.cases().get_receipt(request).await.unwrap().into_inner();
        assert_eq!(receipt.first_responder, "员工li");
        assert_eq!(receipt.complaints_phone, "010-66668888");
        assert!(receipt.answer_due_time.is_some());
        assert!(receipt.text.contains(part), "{language}: {}", receipt.text);
    }
}

#[tokio::test]
async fn o8_a_contact_without_a_concern_leaves_no_case() {
    let suite = Shared::suite().await;
    let li = suite.employee("li");
    let name = answered(&suite, "wrong-number", "li").await;
    li.calls().end_call(requests::end("wrong-number", CallOutcome::WrongNumber)).await.unwrap();
    case_becomes(&li, &name, "the case is void", |case| case.state() == case::State::Void).await;
}

#[tokio::test]
async fn l10_a_feed_shows_a_lead_their_own_branch_and_nothing_private() {
    let suite = Suite::start().await;
    answered(&suite, "feed-east", "li").await;
    suite.employee("li").calls().record_call(requests::record("feed-east")).await.unwrap();
    let mut west = requests::register("feed-west");
    west.parent = "branches/west".to_owned();
    west.line = String::new();
    suite.account("telephony").calls().register_call(west).await.unwrap();
    let mut last = requests::register("feed-last");
    last.caller = "010-12345678".to_owned();
    suite.account("telephony").calls().register_call(last).await.unwrap();

    let watch = WatchRequest { service: "calls".to_owned(), after: None };
    let mut feed = suite.employee("lead").feed().watch(watch.clone()).await.unwrap().into_inner();
    let mut seen = Vec::new();
    while let Some(item) = feed.message().await.unwrap() {
        let Some(Item::Event(event)) = item.item else { continue };
        assert_eq!(event.branch, "branches/east");
        if let Some(Body::Calls(body)) = &event.body {
            assert!(empty(body), "{body:?}");
        }
        seen.push(event.aggregate.clone());
        if event.aggregate == "calls/feed-last" {
            break;
        }
    }
    assert_eq!(seen, ["calls/feed-east", "calls/feed-east", "calls/feed-east", "calls/feed-last"]);

    // Resumes from a cursor; a cursor beyond the head is refused.
    let mut resumed = watch.clone();
    let mut cursor = shouwen_proto::events::v1::Cursor { incarnation: String::new(), position: 3 };
    resumed.after = Some(cursor.clone());
    let mut feed = suite.employee("auditor").feed().watch(resumed).await.unwrap().into_inner();
    let Some(Item::Event(event)) = feed.message().await.unwrap().unwrap().item else { panic!("an event") };
    assert_eq!((event.cursor.unwrap().position, &*event.aggregate), (4, "calls/feed-west"));
    cursor.position = 1_000;
    let beyond = WatchRequest { service: "calls".to_owned(), after: Some(cursor) };
    let refusal = refused(suite.employee("auditor").feed().watch(beyond).await);
    assert_eq!(refusal.kind(), (Code::OutOfRange, "CURSOR_BEYOND_HEAD"));
    // Staff do not read feeds.
    let refusal = refused(suite.employee("li").feed().watch(watch).await);
    assert_eq!(refusal.kind(), (Code::PermissionDenied, "ROLE_REQUIRED"));
}

/// Whether an event of calls carries nothing that only services may read.
fn empty(event: &shouwen_proto::events::v1::CallsEvent) -> bool {
    use shouwen_proto::events::v1::calls_event::Event;
    let nothing = |field: &Option<Private>| field.as_ref().is_none_or(|private| private.form.is_none());
    match event.event.as_ref().unwrap() {
        Event::CallRegistered(registered) => nothing(&registered.caller),
        Event::CallRecorded(recorded) => [
            &recorded.client_name,
            &recorded.phone,
            &recorded.summary,
            &recorded.handling,
            &recorded.assessment,
        ]
        .into_iter()
        .all(nothing),
        _ => true,
    }
}
