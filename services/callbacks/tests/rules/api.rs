//! `CallbackService` as callers meet it: what is shown, what repeating does, and who is refused for what.

use prost_types::Timestamp;
use shouwen_access::status::reason_of;
use shouwen_proto::{
    access::v1::{CallContext, Capacity, Role},
    callbacks::v1::{
        Callback, CancelCallbackRequest, CompleteCallbackRequest, LeaseCallbackRequest,
        LeaseCallbackResponse, ListDueCallbacksRequest, PostponeCallbackRequest, RecordAttemptRequest,
        callback::State,
    },
    events::v1::{
        AttemptOutcome, CallMissed, WatchRequest, callbacks_event, calls_event, event::Body,
        event_feed_client::EventFeedClient, watch_response::Item,
    },
    r#type::v1::{Satisfaction, private::Form},
};
use shouwen_serving::timestamps;
use tonic::{Code, Status};

use crate::service::{BRANCH, Bed, at, clear, colleague, detail, handler, refused, request_id, request_of};

pub(crate) fn completed(name: &str) -> CompleteCallbackRequest {
    CompleteCallbackRequest {
        name: name.into(),
        solved: true,
        attitude: Satisfaction::Satisfied.into(),
        overall: Satisfaction::Dissatisfied.into(),
        score: 3,
        suggestions: "call earlier".into(),
        charged: false,
        answers: "yes, no, yes".into(),
        request_id: request_id(),
        measures: 0,
    }
}

fn attempt(name: &str, outcome: AttemptOutcome, agreed: Option<&str>) -> RecordAttemptRequest {
    RecordAttemptRequest {
        name: name.into(),
        outcome: outcome.into(),
        agreed_time: agreed.map(|agreed| timestamps::to_proto(at(agreed))),
        client_asked: false,
        request_id: request_id(),
    }
}

async fn record(bed: &Bed, who: &CallContext, request: RecordAttemptRequest) -> Result<Callback, Status> {
    bed.client().record_attempt(request_of(who, request)).await.map(tonic::Response::into_inner)
}

fn proto(text: &str) -> Timestamp {
    timestamps::to_proto(at(text))
}

#[tokio::test]
async fn b2_a_lease_shows_the_number_in_full_and_everything_else_masked() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let zhang = handler("zhang", "cases/1", 1);
    let leased = bed.lease(&zhang, &name).await.unwrap();
    assert_eq!((leased.phone.as_str(), leased.subject.as_str()), ("13812345678", "fund redemption"));
    let shown = leased.callback.unwrap();
    assert_eq!((shown.phone.as_str(), shown.state()), ("138****5678", State::Leased));
    assert_eq!(bed.get(&zhang, &name).await.unwrap(), shown);
    // L10: the lease on the ledger is the record of the showing.
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackLeased(lease) = event else { panic!("{event:?}") };
    assert_eq!((lease.employee.as_str(), row.on_behalf.as_str()), ("employees/zhang", "employees/zhang"));
    assert_eq!(
        (row.capacity.as_str(), row.case_name.as_str(), row.branch.as_str()),
        ("handler", "cases/1", BRANCH)
    );
}

#[tokio::test]
async fn l10_a_repeated_lease_shows_the_number_only_while_the_lease_lasts() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let zhang = handler("zhang", "cases/1", 1);
    let request = LeaseCallbackRequest { name: name.clone(), request_id: request_id() };
    // When the responsibility has moved on, the gateway forwards with capacity `replay`.
    let replay = CallContext { capacity: Capacity::Replay.into(), epoch: 0, ..zhang.clone() };
    let lease = async |who: &CallContext| {
        bed.client().lease_callback(request_of(who, request.clone())).await.unwrap().into_inner()
    };
    let first = lease(&zhang).await;
    assert_eq!((first.phone.as_str(), first.subject.as_str()), ("13812345678", "fund redemption"));
    bed.advance("2026-05-06T15:10").await;
    assert_eq!((lease(&zhang).await, lease(&replay).await), (first.clone(), first.clone()));
    // As it was then, though the lease has ended; the number is not for a call any more.
    let hidden = LeaseCallbackResponse { phone: String::new(), subject: String::new(), ..first };
    bed.advance("2026-05-06T15:30").await;
    assert_eq!((lease(&zhang).await, lease(&replay).await), (hidden.clone(), hidden.clone()));
    bed.lease(&handler("li", "cases/1", 1), &name).await.unwrap();
    assert_eq!(lease(&zhang).await, hidden, "leased to somebody else");
    let fresh = LeaseCallbackRequest { name: name.clone(), request_id: request_id() };
    assert_eq!(refused(bed.client().lease_callback(request_of(&replay, fresh)).await), "NOT_A_REPLAY");
    // Both leases, the end of one and the missed limit, of which somebody was told, lie in between.
    bed.next_types(5).await;
    let other = bed.promise("cases/1", "c2", "2026-05-06T16:00").await;
    let reused = LeaseCallbackRequest { name: other, ..request };
    assert_eq!(refused(bed.client().lease_callback(request_of(&zhang, reused)).await), "REQUEST_ID_REUSED");
    for (id, reason) in [("", "REQUEST_ID_REQUIRED"), ("7", "FIELD_INVALID")] {
        let request = LeaseCallbackRequest { name: name.clone(), request_id: id.into() };
        assert_eq!(refused(bed.client().lease_callback(request_of(&zhang, request)).await), reason);
    }
}

#[tokio::test]
async fn a_former_handler_is_refused_by_the_epoch() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    bed.lease(&handler("li", "cases/1", 2), &name).await.unwrap();
    let status = bed.lease(&handler("zhang", "cases/1", 1), &name).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).unwrap().as_str()), (Code::Aborted, "STALE_EPOCH"));
}

#[tokio::test]
async fn b7_a_callback_is_reached_only_through_its_own_case_or_branch() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let elsewhere = handler("zhang", "cases/2", 1);
    let status = bed.lease(&elsewhere, &name).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::PermissionDenied, "CASE_MISMATCH")
    );
    assert_eq!(refused(bed.get(&colleague("zhang"), &name).await), "CASE_MISMATCH");
    // A merged case: the callback keeps its name, the context names the survivor and what was asked for.
    let survivor = CallContext {
        case: "cases/9".into(),
        named_case: "cases/1".into(),
        ..handler("zhang", "cases/1", 4)
    };
    bed.lease(&survivor, &name).await.unwrap();

    let missed = calls_event::Event::CallMissed(CallMissed {
        caller_key: vec![1],
        caller: Some(clear("13912345678")),
        branch: BRANCH.into(),
        ..CallMissed::default()
    });
    bed.call_event("calls/m1", missed).await;
    bed.next_types(2).await;
    let below = "branches/b1/callbacks/m1";
    let other =
        CallContext { branches: vec!["branches/b2".into()], branch: "branches/b2".into(), ..colleague("wu") };
    let status = bed.lease(&other, below).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::PermissionDenied, "BRANCH_OUT_OF_REACH")
    );
    let account = CallContext {
        principal: "serviceAccounts/crm".into(),
        employee: String::new(),
        roles: vec![Role::ServiceAccount.into()],
        ..colleague("crm")
    };
    assert_eq!(refused(bed.lease(&account, below).await), "EMPLOYEE_REQUIRED");
    assert_eq!(bed.lease(&colleague("li"), below).await.unwrap().phone, "13912345678");
}

#[tokio::test]
async fn what_does_not_exist_or_is_no_name_is_told_apart() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let zhang = handler("zhang", "cases/1", 1);
    assert_eq!(refused(bed.lease(&zhang, "cases/1/callbacks/none").await), "CALLBACK_NOT_FOUND");
    // The id exists, under another name.
    assert_eq!(refused(bed.get(&colleague("zhang"), "branches/b1/callbacks/c1").await), "CALLBACK_NOT_FOUND");
    assert_eq!(refused(bed.lease(&zhang, "callbacks/c1").await), "FIELD_INVALID");
}

#[tokio::test]
async fn b2_b6_a_lease_too_early_or_outside_the_windows_says_when() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T11:20").await;
    let zhang = handler("zhang", "cases/1", 1);
    let early = bed.lease(&zhang, &name).await.unwrap_err();
    assert_eq!((early.code(), reason_of(&early).unwrap().as_str()), (Code::FailedPrecondition, "TOO_EARLY"));
    assert_eq!(detail(&early, "not_before"), "2026-05-06T11:20:00+08:00");
    bed.advance("2026-05-06T11:30").await;
    let outside = bed.lease(&zhang, &name).await.unwrap_err();
    assert_eq!(reason_of(&outside).unwrap(), "OUTSIDE_CALLING_WINDOWS");
    assert_eq!(detail(&outside, "next_open"), "2026-05-06T13:30:00+08:00");
}

#[tokio::test]
async fn b3_b6_attempts_are_recorded_with_their_next_time() {
    let mut bed = Bed::at("2026-05-06T09:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T09:00").await;
    let zhang = handler("zhang", "cases/1", 1);
    let no_answer = || attempt(&name, AttemptOutcome::NoAnswer, None);
    assert_eq!(refused(record(&bed, &zhang, no_answer()).await), "NOT_LEASED");
    for outcome in [AttemptOutcome::Unspecified, AttemptOutcome::Reached] {
        assert_eq!(refused(record(&bed, &zhang, attempt(&name, outcome, None)).await), "FIELD_INVALID");
    }
    bed.lease(&zhang, &name).await.unwrap();
    let inconvenient = |agreed| attempt(&name, AttemptOutcome::Inconvenient, agreed);
    assert_eq!(refused(record(&bed, &zhang, inconvenient(None)).await), "AGREED_TIME_REQUIRED");
    let past = record(&bed, &zhang, inconvenient(Some("2026-05-06T08:00"))).await.unwrap_err();
    assert_eq!(
        (past.code(), reason_of(&past).unwrap().as_str()),
        (Code::InvalidArgument, "AGREED_TIME_PAST")
    );
    let outside = record(&bed, &zhang, inconvenient(Some("2026-05-06T12:00"))).await.unwrap_err();
    assert_eq!(
        (outside.code(), reason_of(&outside).unwrap().as_str()),
        (Code::InvalidArgument, "OUTSIDE_CALLING_WINDOWS")
    );
    let agreed = record(&bed, &zhang, inconvenient(Some("2026-05-06T10:00"))).await.unwrap();
    assert_eq!((agreed.state(), agreed.not_before), (State::Waiting, Some(proto("2026-05-06T10:00"))));
    for (time, next) in [
        ("2026-05-06T10:00", "2026-05-06T13:30"),
        ("2026-05-06T13:30", "2026-05-07T09:00"),
        ("2026-05-07T09:00", "2026-05-07T09:00"),
    ] {
        bed.advance(time).await;
        bed.lease(&zhang, &name).await.unwrap();
        let recorded = record(&bed, &zhang, no_answer()).await.unwrap();
        assert_eq!(recorded.not_before, Some(proto(next)), "{time}");
    }
    let exhausted = bed.get(&zhang, &name).await.unwrap();
    assert_eq!(
        (exhausted.state(), exhausted.attempts.len(), exhausted.missed),
        (State::LeadDecides, 4, false)
    );
    assert_eq!(refused(bed.lease(&zhang, &name).await), "LEAD_DECIDES");
    let postpone = |not_before: &str, reason: &str| PostponeCallbackRequest {
        name: name.clone(),
        not_before: Some(proto(not_before)),
        reason: reason.into(),
        request_id: request_id(),
    };
    for bad in [postpone("2026-05-07T08:00", "later"), postpone("2026-05-11T09:00", " ")] {
        assert_eq!(refused(bed.client().postpone_callback(request_of(&zhang, bad)).await), "FIELD_INVALID");
    }
    let later = request_of(&zhang, postpone("2026-05-11T09:00", "abroad until then"));
    let postponed = bed.client().postpone_callback(later).await.unwrap().into_inner();
    assert_eq!((postponed.state(), postponed.not_before), (State::Waiting, Some(proto("2026-05-11T09:00"))));
    let cancel = |reason: &str| CancelCallbackRequest {
        name: name.clone(),
        reason: reason.into(),
        request_id: request_id(),
    };
    let cancelled =
        bed.client().cancel_callback(request_of(&zhang, cancel("moved away"))).await.unwrap().into_inner();
    assert_eq!((cancelled.state(), cancelled.cancel_reason.as_str()), (State::Cancelled, "moved away"));
    assert_eq!(
        refused(bed.client().cancel_callback(request_of(&zhang, cancel("again"))).await),
        "ILLEGAL_TRANSITION"
    );
    assert_eq!(refused(record(&bed, &zhang, no_answer()).await), "ILLEGAL_TRANSITION");
}

#[tokio::test]
async fn b4_b5_the_complete_result_is_an_event_that_names_the_case() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let zhang = handler("zhang", "cases/1", 1);
    let complete = async |who: &CallContext, request: CompleteCallbackRequest| {
        bed.client().complete_callback(request_of(who, request)).await.map(tonic::Response::into_inner)
    };
    assert_eq!(refused(complete(&zhang, completed(&name)).await), "NOT_LEASED");
    bed.lease(&zhang, &name).await.unwrap();
    assert_eq!(refused(complete(&handler("li", "cases/1", 1), completed(&name)).await), "NOT_LEASED");
    for bad in [
        CompleteCallbackRequest { score: 11, ..completed(&name) },
        CompleteCallbackRequest { attitude: 0, ..completed(&name) },
        CompleteCallbackRequest { overall: 9, ..completed(&name) },
        CompleteCallbackRequest { answers: "x".repeat(8001), ..completed(&name) },
    ] {
        assert_eq!(refused(complete(&zhang, bad).await), "FIELD_INVALID");
    }
    let request = completed(&name);
    let done = complete(&zhang, request.clone()).await.unwrap();
    let result = done.result.clone().unwrap();
    assert_eq!((done.state(), result.solved, result.score), (State::Completed, true, 3));
    assert_eq!(result.overall(), Satisfaction::Dissatisfied);
    assert_eq!(complete(&zhang, request).await.unwrap(), done, "repeating answers the same");
    assert_eq!(refused(bed.lease(&zhang, &name).await), "ILLEGAL_TRANSITION");
    assert_eq!(bed.next_types(1).await, ["callback_leased"]);
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackCompleted(completed) = event else { panic!("{event:?}") };
    assert_eq!((completed.case.as_str(), completed.employee.as_str()), ("cases/1", "employees/zhang"));
    assert_eq!((completed.solved, completed.overall()), (true, Satisfaction::Dissatisfied));
    assert!(!String::from_utf8_lossy(&row.payload).contains("yes, no, yes"));
    let Some(Form::Sealed(sealed)) = completed.answers.unwrap().form else { panic!("in clear") };
    assert_eq!(sealed.subject, "contacts/call-c1");
    assert_eq!(bed.ledger().await.len(), 3, "scheduled, leased, completed");
}

#[tokio::test]
async fn l10_the_feed_shows_private_texts_to_services_of_the_suite_only() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let system = CallContext {
        principal: "services/gateway".into(),
        employee: String::new(),
        branch: String::new(),
        roles: vec![Role::System.into()],
        all_branches: true,
        branches: Vec::new(),
        capacity: Capacity::System.into(),
        ..colleague("gateway")
    };
    for (who, phone) in [(system, "13812345678"), (colleague("lead"), "")] {
        let mut feed = EventFeedClient::new(bed.first.service.routes());
        let request = WatchRequest { service: "callbacks".into(), after: None };
        let mut events = feed.watch(request_of(&who, request)).await.unwrap().into_inner();
        let Some(Item::Event(event)) = events.message().await.unwrap().unwrap().item else { panic!() };
        let Some(Body::Callbacks(body)) = event.body else { panic!() };
        let Some(callbacks_event::Event::CallbackScheduled(scheduled)) = body.event else { panic!() };
        let shown = scheduled.phone.map(|phone| phone.form.unwrap());
        assert_eq!(shown, Some(Form::Clear(phone.to_owned())).filter(|_| !phone.is_empty()));
        assert_eq!(scheduled.phone_masked, "138****5678");
    }
}

#[tokio::test]
async fn b1_what_is_due_is_listed_soonest_first_in_pages() {
    let mut bed = Bed::at("2026-05-06T09:00").await;
    for (number, agreed) in ["16:00", "15:00", "14:00", "15:00", "17:00"].iter().enumerate() {
        bed.promise(&format!("cases/{number}"), &format!("c{number}"), &format!("2026-05-06T{agreed}")).await;
    }
    let li = colleague("li");
    let list = async |who: &CallContext, parent: &str, size: i32, token: &str| {
        let request =
            ListDueCallbacksRequest { parent: parent.into(), page_size: size, page_token: token.into() };
        bed.client().list_due_callbacks(request_of(who, request)).await.map(tonic::Response::into_inner)
    };
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let page = list(&li, BRANCH, 2, &token).await.unwrap();
        assert!(
            page.callbacks.len() <= 2
                && page.callbacks.iter().all(|callback| callback.phone == "138****5678")
        );
        names.extend(page.callbacks.into_iter().map(|callback| callback.name));
        if page.next_page_token.is_empty() {
            break;
        }
        token = page.next_page_token;
    }
    let expected = [2, 1, 3, 0, 4].map(|number| format!("cases/{number}/callbacks/c{number}"));
    assert_eq!(names, expected);
    assert_eq!(list(&li, BRANCH, 0, "").await.unwrap().callbacks.len(), 5);
    // A token is its caller's and its query's.
    assert_eq!(refused(list(&colleague("wu"), BRANCH, 2, &token).await), "PAGE_TOKEN_INVALID");
    assert_eq!(refused(list(&li, BRANCH, 2, "bogus").await), "PAGE_TOKEN_INVALID");
    assert_eq!(refused(list(&li, "branches/b2", 2, "").await), "BRANCH_OUT_OF_REACH");
    assert_eq!(refused(list(&li, "b1", 2, "").await), "FIELD_INVALID");
    assert_eq!(refused(list(&li, BRANCH, -1, "").await), "FIELD_INVALID");
    // What is done is not listed.
    let cancel =
        CancelCallbackRequest { name: names[0].clone(), reason: "done".into(), request_id: request_id() };
    bed.client().cancel_callback(request_of(&handler("lead", "cases/2", 1), cancel)).await.unwrap();
    assert_eq!(list(&li, BRANCH, 0, "").await.unwrap().callbacks.len(), 4);
}
