//! Callbacks that appear by themselves, and what ends or fences them: the feeds of calls and ownership.

use shouwen_policy::{Document, document_to_struct};
use shouwen_proto::{
    callbacks::v1::{
        CancelCallbackRequest, LeaseCallbackRequest, LeaseCallbackResponse, RecordAttemptRequest,
        callback::State,
    },
    events::v1::{
        AttemptOutcome, CallEnded, CallMissed, CallOutcome, CallbackPromised, CaseVoided, OfferAccepted,
        PolicyApproved, callbacks_event, calls_event, ownership_event,
    },
    operator::v1::{GetStatusRequest, operator_service_client::OperatorServiceClient},
    r#type::v1::{CallbackKind, private::Form},
};
use shouwen_serving::timestamps;

use crate::service::{BRANCH, Bed, at, clear, colleague, handler, promised, refused, request_id, request_of};

fn missed(caller: u8) -> calls_event::Event {
    calls_event::Event::CallMissed(CallMissed {
        caller_key: vec![caller; 4],
        number_key: vec![caller; 4],
        caller: Some(clear("13912345678")),
        caller_masked: "139****5678".into(),
        branch: BRANCH.into(),
        client: String::new(),
        occur_time: None,
    })
}

/// A call in vain from one of nine numbers, by a client or, without one, by nobody who is known.
fn missed_from(number: u8, client: Option<u8>) -> CallMissed {
    let number_key = vec![number; 4];
    CallMissed {
        caller_key: client.map_or_else(|| number_key.clone(), |client| vec![100 + client; 4]),
        number_key,
        caller: Some(clear(&format!("1391234567{number}"))),
        caller_masked: format!("139****567{number}"),
        branch: BRANCH.into(),
        client: client.map(|client| format!("clients/{client}")).unwrap_or_default(),
        occur_time: None,
    }
}

/// Calls in vain, `calls/m1` the first. Answers what became of each.
async fn missed_in_turn(bed: &mut Bed, calls: &[CallMissed]) -> Vec<String> {
    for (call, missed) in calls.iter().enumerate() {
        let event = calls_event::Event::CallMissed(missed.clone());
        bed.call_event(&format!("calls/m{}", call + 1), event).await;
    }
    bed.next_types(calls.len()).await
}

fn ended(outcome: CallOutcome, after_hours: bool) -> calls_event::Event {
    calls_event::Event::CallEnded(CallEnded {
        outcome: outcome.into(),
        case: "cases/1".into(),
        employee: "employees/zhang".into(),
        outside_working_hours: after_hours,
        phone: Some(clear("13812345678")),
        phone_masked: "138****5678".into(),
        branch: BRANCH.into(),
        ..CallEnded::default()
    })
}

fn approved(
    policy: &str,
    kind: &str,
    scope: &str,
    document: &serde_json::Value,
    from: &str,
) -> ownership_event::Event {
    let document: Document = document.as_object().unwrap().clone().into_iter().collect();
    ownership_event::Event::PolicyApproved(PolicyApproved {
        policy: policy.into(),
        kind: kind.into(),
        scope: scope.into(),
        revision: 1,
        document: Some(document_to_struct(&document).unwrap()),
        effective_time: Some(timestamps::to_proto(at(from))),
        proposer: "employees/hq1".into(),
        approver: "employees/hq2".into(),
    })
}

#[tokio::test]
async fn b1_a_promise_becomes_a_callback_under_the_case() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let callback = bed.get(&handler("zhang", "cases/1", 1), &name).await.unwrap();
    assert_eq!(callback.kind(), CallbackKind::Promised);
    assert_eq!(callback.state(), State::Waiting);
    assert_eq!(callback.due_time, Some(timestamps::to_proto(at("2026-05-06T15:15"))));
    assert_eq!((callback.client.as_str(), callback.phone.as_str()), ("clients/7", "138****5678"));
}

#[tokio::test]
async fn k14_missed_calls_of_one_caller_are_one_callback_while_it_is_open() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    bed.call_event("calls/m1", missed(1)).await;
    bed.call_event("calls/m2", missed(1)).await;
    bed.call_event("calls/m3", missed(2)).await;
    assert_eq!(bed.next_types(3).await, ["callback_scheduled", "callback_coalesced", "callback_scheduled"]);
    let name = "branches/b1/callbacks/m1";
    let callback = bed.get(&colleague("li"), name).await.unwrap();
    assert_eq!(callback.calls, ["calls/m1", "calls/m2"]);
    assert_eq!(callback.due_time, Some(timestamps::to_proto(at("2026-05-06T10:30"))));
    // Once it is done, the next missed call is a callback of its own.
    let cancel = CancelCallbackRequest {
        name: name.into(),
        reason: "called by itself".into(),
        request_id: request_id(),
    };
    bed.client().cancel_callback(request_of(&colleague("lead"), cancel)).await.unwrap();
    bed.call_event("calls/m4", missed(1)).await;
    assert_eq!(bed.next_types(2).await, ["callback_cancelled", "callback_scheduled"]);
    assert_eq!(bed.get(&colleague("li"), "branches/b1/callbacks/m4").await.unwrap().calls, ["calls/m4"]);
}

#[tokio::test]
async fn k14_a_client_whose_number_was_withheld_at_first_is_called_at_the_one_that_is_shown_later() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let calls_event::Event::CallMissed(shown) = missed(1) else { panic!() };
    let withheld =
        CallMissed { caller: None, caller_masked: String::new(), number_key: Vec::new(), ..shown.clone() };
    bed.call_event("calls/m1", calls_event::Event::CallMissed(withheld)).await;
    bed.call_event("calls/m2", calls_event::Event::CallMissed(shown)).await;
    let other = CallMissed { caller: Some(clear("13712345678")), ..CallMissed::default() };
    let other = CallMissed { branch: BRANCH.into(), caller_key: vec![1; 4], ..other };
    bed.call_event("calls/m3", calls_event::Event::CallMissed(other)).await;
    assert_eq!(bed.next_types(3).await, ["callback_scheduled", "callback_coalesced", "callback_coalesced"]);
    let leased = bed.lease(&colleague("li"), "branches/b1/callbacks/m1").await.unwrap();
    assert_eq!(leased.phone, "13912345678");
    assert_eq!(leased.callback.unwrap().phone, "139****5678");
}

#[tokio::test]
async fn k14_a_number_that_called_in_vain_is_one_callback_before_and_after_its_client_is_known() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let calls = [
        missed_from(1, None),
        missed_from(1, Some(7)),
        missed_from(2, Some(7)),
        missed_from(1, None),
        // The first one calls another number: whoever this is, client 7 or not, would hear nothing there.
        missed_from(2, None),
        missed_from(3, Some(8)),
        missed_from(3, None),
    ];
    let became = missed_in_turn(&mut bed, &calls).await;
    let (made, joined) = ("callback_scheduled", "callback_coalesced");
    assert_eq!(became, [made, joined, joined, joined, made, made, joined]);
    for (id, client, phone, stands_for) in [
        ("m1", "clients/7", "139****5671", &["calls/m1", "calls/m2", "calls/m3", "calls/m4"][..]),
        ("m5", "", "139****5672", &["calls/m5"]),
        ("m6", "clients/8", "139****5673", &["calls/m6", "calls/m7"]),
    ] {
        let shown = bed.get(&colleague("li"), &format!("{BRANCH}/callbacks/{id}")).await.unwrap();
        assert_eq!((shown.client.as_str(), shown.phone.as_str()), (client, phone), "{id}");
        assert_eq!(shown.calls, stands_for, "{id}");
        assert_eq!(shown.due_time, Some(timestamps::to_proto(at("2026-05-06T10:30"))), "{id}");
    }
}

#[tokio::test]
async fn k14_two_clients_who_share_a_number_are_two_callbacks() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let calls = [
        missed_from(1, Some(7)),
        missed_from(1, Some(8)),
        missed_from(1, Some(8)),
        // Nobody who is known hears from the first one.
        missed_from(1, None),
        missed_from(1, Some(7)),
    ];
    let became = missed_in_turn(&mut bed, &calls).await;
    let (made, joined) = ("callback_scheduled", "callback_coalesced");
    assert_eq!(became, [made, made, joined, joined, joined]);
    for (id, client, stands_for) in [
        ("m1", "clients/7", &["calls/m1", "calls/m4", "calls/m5"][..]),
        ("m2", "clients/8", &["calls/m2", "calls/m3"]),
    ] {
        let shown = bed.get(&colleague("li"), &format!("{BRANCH}/callbacks/{id}")).await.unwrap();
        assert_eq!(shown.client, client, "{id}");
        assert_eq!(shown.calls, stands_for, "{id}");
    }
}

#[tokio::test]
async fn k14_a_callback_for_a_number_that_an_earlier_release_made_is_joined_like_one_of_this() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let earlier = CallMissed { number_key: Vec::new(), ..missed_from(1, None) };
    let calls = [earlier, missed_from(1, Some(7)), missed_from(2, Some(7)), missed_from(1, None)];
    let became = missed_in_turn(&mut bed, &calls).await;
    let joined = "callback_coalesced";
    assert_eq!(became, ["callback_scheduled", joined, joined, joined]);
    let shown = bed.get(&colleague("li"), "branches/b1/callbacks/m1").await.unwrap();
    assert_eq!((shown.client.as_str(), shown.calls.len()), ("clients/7", 4));
}

#[tokio::test]
async fn k14_a_callback_that_an_earlier_release_ended_takes_in_no_later_call() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    assert_eq!(missed_in_turn(&mut bed, &[missed_from(1, Some(7))]).await, ["callback_scheduled"]);
    // It knows of no numbers: what it saves names none, and so it gives back the client's key alone.
    sqlx::query("update callback set state = state - 'number_key'").execute(&bed.pool).await.unwrap();
    let cancel = CancelCallbackRequest {
        name: "branches/b1/callbacks/m1".into(),
        reason: "called by itself".into(),
        request_id: request_id(),
    };
    bed.client().cancel_callback(request_of(&colleague("lead"), cancel)).await.unwrap();
    for (call, client) in [("calls/m8", None), ("calls/m9", Some(7))] {
        bed.call_event(call, calls_event::Event::CallMissed(missed_from(1, client))).await;
    }
    assert_eq!(bed.next_types(3).await, ["callback_cancelled", "callback_scheduled", "callback_scheduled"]);
    for id in ["m8", "m9"] {
        let shown = bed.get(&colleague("li"), &format!("{BRANCH}/callbacks/{id}")).await.unwrap();
        assert_eq!(shown.calls, [format!("calls/{id}")]);
    }
}

#[tokio::test]
async fn k14_a_missed_call_after_an_attempt_sets_another_limit() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let (li, name) = (colleague("li"), "branches/b1/callbacks/m1");
    bed.call_event("calls/m1", missed(1)).await;
    assert_eq!(bed.next().await.0.r#type, "callback_scheduled");
    bed.lease(&li, name).await.unwrap();
    let attempt = RecordAttemptRequest {
        name: name.into(),
        outcome: AttemptOutcome::NoAnswer.into(),
        request_id: request_id(),
        ..RecordAttemptRequest::default()
    };
    bed.client().record_attempt(request_of(&li, attempt)).await.unwrap();
    assert_eq!(bed.next_types(2).await, ["callback_leased", "attempt_recorded"]);
    for (call, time) in [("calls/m2", "2026-05-06T10:40"), ("calls/m3", "2026-05-06T10:50")] {
        bed.advance(time).await;
        bed.call_event(call, missed(1)).await;
        assert_eq!(bed.next().await.0.r#type, "callback_coalesced");
        let callback = bed.get(&li, name).await.unwrap();
        assert_eq!(callback.due_time, Some(timestamps::to_proto(at("2026-05-06T11:10"))), "{call}");
    }
    bed.advance("2026-05-06T11:10").await;
    assert_eq!(bed.next_types(2).await, ["callback_limit_missed", "callback_escalated"]);
    assert!(bed.get(&li, name).await.unwrap().missed);
}

#[tokio::test]
async fn k14_the_clock_starts_with_the_call_however_late_the_follower_is() {
    let mut bed = Bed::at("2026-05-06T16:00").await;
    bed.call_event_at("calls/m1", "2026-05-06T10:00", missed(1));
    assert_eq!(bed.next().await.0.r#type, "callback_scheduled");
    // The limit has passed already: that is a fact, and it is recorded.
    bed.first.service.engine.sweep_once().await.unwrap();
    assert_eq!(bed.next().await.0.r#type, "callback_limit_missed");
    let callback = bed.get(&colleague("li"), "branches/b1/callbacks/m1").await.unwrap();
    assert!(callback.missed);
    assert_eq!(callback.due_time, Some(timestamps::to_proto(at("2026-05-06T10:30"))));
}

#[tokio::test]
async fn o5_an_after_hours_contact_that_is_owed_an_answer_is_called_back() {
    let mut bed = Bed::at("2026-04-30T20:30").await;
    // No answer is owed, or the contact was within working hours, or a callback was promised: nothing.
    bed.call_event("calls/a", ended(CallOutcome::AnsweredClear, true)).await;
    bed.call_event("calls/b", ended(CallOutcome::AnswerOwed, false)).await;
    bed.call_event("calls/c", ended(CallOutcome::CallbackPromised, true)).await;
    bed.call_event("calls/d", ended(CallOutcome::WrongNumber, true)).await;
    bed.call_event("calls/e", ended(CallOutcome::AnswerOwed, true)).await;
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackScheduled(scheduled) = event else { panic!("{event:?}") };
    assert_eq!((row.position, scheduled.callback.as_str()), (1, "cases/1/callbacks/e"));
    assert_eq!((row.case_name.as_str(), row.branch.as_str()), ("cases/1", BRANCH));
    assert_eq!(scheduled.kind(), CallbackKind::AfterHours);
    assert_eq!(scheduled.not_before, Some(timestamps::to_proto(at("2026-05-06T08:30"))));
    assert_eq!(scheduled.due, Some(timestamps::to_proto(at("2026-05-06T17:00"))));
    assert_eq!(row.cause, "calls:5");
    // A line that could not be understood still owes an answer (K12).
    bed.call_event("calls/f", ended(CallOutcome::Inaudible, true)).await;
    assert_eq!(bed.next().await.0.aggregate, "callbacks/f");
}

#[tokio::test]
async fn l10_what_comes_in_clear_is_sealed_before_it_is_kept() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let event = calls_event::Event::CallbackPromised(promised("cases/1", "c1", "2026-05-06T15:00"));
    bed.call_event("calls/7", event).await;
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackScheduled(scheduled) = event else { panic!("{event:?}") };
    let Some(Form::Sealed(sealed)) = scheduled.phone.unwrap().form else { panic!("in clear") };
    assert_eq!((sealed.subject.as_str(), sealed.aggregate.as_str()), ("contacts/7", "callbacks/c1"));
    let state: String =
        sqlx::query_scalar("select state::text from callback").fetch_one(&bed.pool).await.unwrap();
    for text in [state.as_bytes(), row.payload.as_slice()] {
        let text = String::from_utf8_lossy(text);
        assert!(!text.contains("13812345678") && !text.contains("redemption"));
    }
}

#[tokio::test]
async fn a_void_case_owes_nothing_and_what_arrives_late_schedules_nothing() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    bed.promise("cases/1", "c2", "2026-05-06T16:00").await;
    let other = bed.promise("cases/2", "c3", "2026-05-06T16:00").await;
    let voided = CaseVoided { reason: "wrong number".into(), epoch: 2 };
    bed.ownership_event("cases/1", ownership_event::Event::CaseVoided(voided)).await;
    assert_eq!(bed.next_types(2).await, ["callback_cancelled", "callback_cancelled"]);
    assert_eq!(bed.get(&handler("zhang", "cases/2", 1), &other).await.unwrap().state(), State::Waiting);
    bed.call_event(
        "calls/9",
        calls_event::Event::CallbackPromised(promised("cases/1", "c4", "2026-05-06T17:00")),
    )
    .await;
    bed.call_event(
        "calls/9",
        calls_event::Event::CallbackPromised(promised("cases/2", "c5", "2026-05-06T17:00")),
    )
    .await;
    assert_eq!(bed.next().await.0.aggregate, "callbacks/c5");
}

#[tokio::test]
async fn an_epoch_on_ownerships_feed_ends_the_former_handlers_writes() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let accepted =
        OfferAccepted { offer: "cases/1/offers/o".into(), handler: "employees/li".into(), epoch: 5 };
    bed.ownership_event("cases/1", ownership_event::Event::OfferAccepted(accepted)).await;
    // Whatever comes behind it on the feed shows that it was taken in.
    let policy = approved(
        "policies/p",
        "callbacks",
        "firm",
        &serde_json::json!({"lease_minutes": 20}),
        "2026-05-07T00:00",
    );
    bed.ownership_event("policies/p", policy).await;
    assert_eq!(bed.next().await.0.r#type, "policy_adopted");
    assert_eq!(refused(bed.lease(&handler("zhang", "cases/1", 4), &name).await), "STALE_EPOCH");
    bed.lease(&handler("li", "cases/1", 5), &name).await.unwrap();
}

#[tokio::test]
async fn p1_a_branchs_policy_holds_for_what_begins_under_it() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let mut another = bed.another().await;
    let before = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let document = serde_json::json!({"lease_minutes": 40, "promise_grace_minutes": 60});
    let policy = approved("policies/p", "callbacks", BRANCH, &document, "2026-05-06T12:00");
    bed.ownership_event("policies/p", policy.clone()).await;
    bed.ownership_event("policies/p", policy).await;
    assert_eq!(bed.next().await.0.r#type, "policy_adopted");
    bed.advance("2026-05-06T14:00").await;
    let after = bed.promise("cases/2", "c2", "2026-05-06T15:00").await;
    bed.advance("2026-05-06T15:00").await;
    let until = |leased: LeaseCallbackResponse| leased.callback.unwrap().lease_expire_time;
    let under_standard = bed.lease(&handler("zhang", "cases/1", 1), &before).await.unwrap();
    let under_branch = bed.lease(&handler("zhang", "cases/2", 1), &after).await.unwrap();
    assert_eq!(until(under_standard), Some(timestamps::to_proto(at("2026-05-06T15:15"))));
    assert_eq!(
        under_branch.callback.as_ref().unwrap().due_time,
        Some(timestamps::to_proto(at("2026-05-06T16:00")))
    );
    assert_eq!(until(under_branch), Some(timestamps::to_proto(at("2026-05-06T15:40"))));
    // Whichever replica took the policy in, both decide by it.
    bed.advance("2026-05-06T15:10").await;
    let renew = LeaseCallbackRequest { name: after, request_id: request_id() };
    let request = request_of(&handler("zhang", "cases/2", 1), renew);
    let renewed = another.client.lease_callback(request).await.unwrap().into_inner();
    assert_eq!(until(renewed), Some(timestamps::to_proto(at("2026-05-06T15:50"))));
}

#[tokio::test]
async fn p1_a_policy_that_is_not_valid_is_parked_not_adopted() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let policy =
        approved("policies/p", "callbacks", "firm", &serde_json::json!({"attempts": 0}), "2026-05-06T12:00");
    bed.ownership_event("policies/p", policy).await;
    let good =
        approved("policies/q", "callbacks", "firm", &serde_json::json!({"attempts": 4}), "2026-05-06T12:00");
    bed.ownership_event("policies/q", good).await;
    assert_eq!(bed.next().await.0.aggregate, "policies/q");
    let request = GetStatusRequest { service: "callbacks".into(), idle_after: Vec::new() };
    let mut operator = OperatorServiceClient::new(bed.first.service.routes());
    let status = operator.get_status(request_of(&colleague("admin"), request)).await.unwrap().into_inner();
    assert_eq!((status.parked, status.simulated), (1, true));
    assert_eq!(status.calendar_version, "cn-2026.1");
}

#[tokio::test]
async fn s3_open_limits_are_recomputed_when_the_calendar_changes() {
    let mut bed = Bed::at("2026-12-30T20:30").await;
    bed.call_event("calls/e", ended(CallOutcome::AnswerOwed, true)).await;
    bed.call_event(
        "calls/p",
        calls_event::Event::CallbackPromised(CallbackPromised {
            case: "cases/2".into(),
            ..promised("cases/2", "p", "2027-01-04T10:00")
        }),
    )
    .await;
    assert_eq!(bed.next_types(2).await, ["callback_scheduled", "callback_scheduled"]);
    bed.advance("2026-12-31T18:00").await;
    assert_eq!(
        bed.next_types(3).await,
        ["callback_limit_missed", "callback_escalated", "callback_escalated"]
    );
    // On New Year's Eve after hours: the next working day lies in a year without data.
    bed.call_event("calls/f", ended(CallOutcome::AnswerOwed, true)).await;
    let (_, event) = bed.next().await;
    let callbacks_event::Event::CallbackScheduled(scheduled) = event else { panic!("{event:?}") };
    assert!(scheduled.provisional);
    assert_eq!(scheduled.due, Some(timestamps::to_proto(at("2027-01-01T17:00"))));
    let data = "version = \"cn-2027.1\"\n[[year]]\nyear = 2027\nholidays = [\"2027-01-01\"]\nmake_up = []\nexchange_also_closed = []\n";
    let policy =
        approved("policies/cal", "calendar", "firm", &serde_json::json!({"toml": data}), "2026-12-31T18:30");
    bed.ownership_event("policies/cal", policy).await;
    assert_eq!(bed.next().await.0.r#type, "policy_adopted");
    bed.advance("2026-12-31T19:00").await;
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackLimitMoved(moved) = event else { panic!("{event:?}") };
    assert_eq!((row.aggregate.as_str(), moved.provisional), ("callbacks/f", false));
    assert_eq!(moved.due, Some(timestamps::to_proto(at("2027-01-04T17:00"))));
    assert_eq!(moved.calendar_version, "cn-2026.1+cn-2027.1");
    // Once; and promises depend on no calendar.
    bed.first.service.engine.sweep_once().await.unwrap();
    assert_eq!(bed.ledger().await.iter().filter(|name| *name == "callback_limit_moved").count(), 1);
}
