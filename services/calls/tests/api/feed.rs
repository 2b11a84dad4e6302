//! The feed of calls as other services and everybody else receive it.

use futures_util::StreamExt as _;
use shouwen_access::Caller;
use shouwen_proto::{
    calls::v1::RegisterCallRequest,
    events::v1::{
        CallsEvent, Event, WatchRequest, calls_event, event::Body, event_feed_client::EventFeedClient,
        watch_response::Item,
    },
    r#type::v1::{Private, private::Form},
};
use shouwen_serving::private;

use crate::{
    harness::{CASE, PHONE, Running, at, by, call_from, employee, request_id, stranger, system, telephony},
    steps::Step,
};

/// Waits for the first event of a type on this service's ledger that `reader` receives.
pub(crate) async fn await_event(running: &Running, reader: Caller, kind: &str) -> Event {
    let request = WatchRequest { service: "calls".into(), after: None };
    let mut client = EventFeedClient::new(running.service.routes());
    let mut items = client.watch(by(reader, request)).await.unwrap().into_inner();
    while let Some(item) = items.next().await {
        if let Some(Item::Event(event)) = item.unwrap().item
            && event.r#type == kind
        {
            return event;
        }
    }
    panic!("the feed ended without {kind}");
}

fn body(event: &Event) -> calls_event::Event {
    match &event.body {
        Some(Body::Calls(CallsEvent { event: Some(event) })) => event.clone(),
        other => panic!("{other:?}"),
    }
}

fn is_clear(private: Option<&Private>) -> bool {
    private.is_some_and(|private| matches!(private.form, Some(Form::Clear(_))))
}

#[tokio::test]
async fn k14_missed_calls_of_one_number_or_of_one_client_share_a_key_within_the_branch() {
    let running = Running::start().await;
    let key = async |id: &str, request: RegisterCallRequest, who: Caller| {
        let name = running.register(who.clone(), request).await.unwrap().into_inner().name;
        assert_eq!(name, format!("calls/{id}"));
        Step::Miss.take(&running, &name, who, &request_id()).await.unwrap();
        let key: Vec<u8> = match missed(&running, &name).await {
            calls_event::Event::CallMissed(missed) => missed.caller_key,
            other => panic!("{other:?}"),
        };
        key
    };
    let first = key("c1", call_from("c1"), telephony()).await;
    let spelt = RegisterCallRequest { caller: "+86 138 1234 5678".into(), ..call_from("c2") };
    assert_eq!(key("c2", spelt, telephony()).await, first);
    let other = RegisterCallRequest { caller: "13912345678".into(), ..call_from("c3") };
    assert_ne!(key("c3", other, telephony()).await, first);
    let elsewhere = RegisterCallRequest { parent: "branches/b2".into(), ..call_from("c4") };
    assert_ne!(key("c4", elsewhere, stranger()).await, first);
    let withheld = RegisterCallRequest { caller: String::new(), ..call_from("c5") };
    assert!(key("c5", withheld, telephony()).await.is_empty());
    assert_eq!(first.len(), 32);
    // A client who is known has several numbers, and shares the one with others.
    let of = |id: &str, client: &str, caller: &str| RegisterCallRequest {
        client: client.into(),
        caller: caller.into(),
        ..call_from(id)
    };
    let client = key("c6", of("c6", "80011073", PHONE), telephony()).await;
    assert_eq!(client.len(), 32);
    assert_ne!(client, first);
    assert_eq!(key("c7", of("c7", "80011073", "13912345678"), telephony()).await, client);
    assert_eq!(key("c8", of("c8", "80011073", ""), telephony()).await, client);
    assert_ne!(key("c9", of("c9", "80011074", PHONE), telephony()).await, client);
    let elsewhere = RegisterCallRequest { parent: "branches/b2".into(), ..of("c10", "80011073", PHONE) };
    assert_ne!(key("c10", elsewhere, stranger()).await, client);
}

#[tokio::test]
async fn k14_a_missed_call_tells_its_number_whoever_is_known_to_call_from_it() {
    let running = Running::start().await;
    let number = async |id: &str, client: &str, caller: &str| {
        let request = RegisterCallRequest { client: client.into(), caller: caller.into(), ..call_from(id) };
        let name = running.register(telephony(), request).await.unwrap().into_inner().name;
        Step::Miss.take(&running, &name, telephony(), &request_id()).await.unwrap();
        let calls_event::Event::CallMissed(missed) = missed(&running, &name).await else { panic!() };
        // Only where nobody is known the number is the caller.
        assert_eq!(missed.caller_key == missed.number_key, client.is_empty());
        missed.number_key
    };
    let unknown = number("c1", "", PHONE).await;
    assert_eq!(unknown.len(), 32);
    assert_eq!(number("c2", "80011073", PHONE).await, unknown);
    assert_eq!(number("c3", "80011074", PHONE).await, unknown);
    assert_ne!(number("c4", "80011073", "13912345678").await, unknown);
    assert!(number("c5", "80011073", "").await.is_empty());
    assert!(number("c6", "", "").await.is_empty());
}

/// The event by which a contact was missed, as a service of the suite receives it.
async fn missed(running: &Running, name: &str) -> calls_event::Event {
    let request = WatchRequest { service: "calls".into(), after: None };
    let mut client = EventFeedClient::new(running.service.routes());
    let mut items = client.watch(by(system(), request)).await.unwrap().into_inner();
    while let Some(item) = items.next().await {
        if let Some(Item::Event(event)) = item.unwrap().item
            && event.aggregate == name
            && event.r#type == "call_missed"
        {
            return body(&event);
        }
    }
    panic!("the feed ended");
}

#[tokio::test]
async fn l10_services_of_the_suite_read_in_clear_and_nobody_else() {
    let running = Running::start().await;
    let name = Step::Promise.prepare(&running, "c1").await;
    for step in [Step::Record, Step::Promise] {
        step.take(&running, &name, step.actor(), &request_id()).await.unwrap();
    }
    let calls_event::Event::CallbackPromised(promised) =
        body(&await_event(&running, system(), "callback_promised").await)
    else {
        panic!()
    };
    assert_eq!(private::clear(promised.phone.as_ref()), "+8613812345678");
    assert_eq!(promised.phone_masked, "138****5678");
    let calls_event::Event::CallRecorded(recorded) =
        body(&await_event(&running, system(), "call_recorded").await)
    else {
        panic!()
    };
    let fields =
        [&recorded.client_name, &recorded.phone, &recorded.summary, &recorded.handling, &recorded.assessment];
    assert!(fields.iter().all(|field| is_clear(field.as_ref())));

    let calls_event::Event::CallRecorded(recorded) =
        body(&await_event(&running, telephony(), "call_recorded").await)
    else {
        panic!()
    };
    let fields =
        [&recorded.client_name, &recorded.phone, &recorded.summary, &recorded.handling, &recorded.assessment];
    assert!(fields.iter().all(|field| field.is_none()));
    assert_eq!(recorded.gender, "female");
}

#[tokio::test]
async fn o5_a_number_that_was_taken_down_is_told_where_the_callers_was_withheld() {
    let running = Running::start_at(at("20:15:00")).await;
    let withheld = RegisterCallRequest { caller: String::new(), ..call_from("c1") };
    let name = running.register(telephony(), withheld).await.unwrap().into_inner().name;
    for step in [Step::Answer, Step::Record, Step::End] {
        step.take(&running, &name, step.actor(), &request_id()).await.unwrap();
    }
    let calls_event::Event::CallEnded(ended) = body(&await_event(&running, system(), "call_ended").await)
    else {
        panic!()
    };
    assert!(ended.outside_working_hours);
    assert_eq!(private::clear(ended.phone.as_ref()), "+8613812345678");
}

#[tokio::test]
async fn an_event_names_its_case_branch_and_actor() {
    let running = Running::start().await;
    let name = Step::End.prepare(&running, "c1").await;
    Step::End.take(&running, &name, Step::End.actor(), &request_id()).await.unwrap();
    let registered = await_event(&running, employee("li"), "call_registered").await;
    assert_eq!((registered.actor.as_str(), registered.case.as_str()), ("serviceAccounts/telephony", ""));
    assert_eq!(registered.branch, "branches/b1");
    let ended = await_event(&running, employee("li"), "call_ended").await;
    assert_eq!(
        (ended.aggregate.as_str(), ended.case.as_str(), ended.branch.as_str()),
        ("calls/c1", CASE, "branches/b1")
    );
    assert_eq!((ended.on_behalf.as_str(), ended.capacity.as_str()), ("employees/zhang", "handler"));
}
