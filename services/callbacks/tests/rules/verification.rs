//! Whether a handled complaint is settled for the client: who calls, until when, what is recorded, and what ends it otherwise (B1, B7, C9).

use shouwen_policy::{Document, document_to_struct};
use shouwen_proto::{
    access::v1::CallContext,
    callbacks::v1::{
        CancelCallbackRequest, CompleteCallbackRequest, PostponeCallbackRequest, RecordAttemptRequest,
        callback::State,
    },
    events::v1::{
        AttemptOutcome, CallbackScheduled, ComplaintClosed, ComplaintReopened, HandlingCompleted,
        PolicyApproved, callbacks_event, complaints_event, ownership_event,
    },
    operator::v1::{GetStatusRequest, operator_service_client::OperatorServiceClient},
    r#type::v1::{CallbackKind, MeasuresFound, private::Form},
};
use shouwen_serving::timestamps;

use crate::{
    api::completed,
    bench::Bench,
    service::{BRANCH, Bed, at, clear, colleague, detail, refused, request_id, request_of},
};

const COMPLAINT: &str = "cases/1/complaints/k1";
/// The callback of the first round.
pub(crate) const NAME: &str = "branches/b1/callbacks/k1-1";

pub(crate) fn handled(round: i32) -> complaints_event::Event {
    complaints_event::Event::HandlingCompleted(HandlingCompleted {
        case: "cases/1".into(),
        round,
        employee: "employees/zhang".into(),
        receiving_unit: BRANCH.into(),
        client: "clients/7".into(),
        phone: Some(clear("13812345678")),
        phone_masked: "138****5678".into(),
        subject: Some(clear("commission charged twice")),
        recused: vec!["employees/wang".into()],
        without_verification: false,
        text_subject: "clients/7".into(),
    })
}

fn reopened() -> complaints_event::Event {
    complaints_event::Event::ComplaintReopened(ComplaintReopened {
        reason: "a lead found more".into(),
        case: "cases/1".into(),
        ..ComplaintReopened::default()
    })
}

pub(crate) fn closed() -> complaints_event::Event {
    complaints_event::Event::ComplaintClosed(ComplaintClosed {
        case: "cases/1".into(),
        ..ComplaintClosed::default()
    })
}

async fn scheduled(bed: &mut Bed) -> CallbackScheduled {
    match bed.next().await.1 {
        callbacks_event::Event::CallbackScheduled(scheduled) => scheduled,
        other => panic!("{other:?}"),
    }
}

/// A verification that may be called about, at 15:00.
pub(crate) async fn verifying() -> Bed {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    bed.complaint_event("complaints/k1", handled(1)).await;
    assert_eq!(scheduled(&mut bed).await.callback, NAME);
    bed
}

#[tokio::test]
async fn b1_the_unit_that_received_a_handled_complaint_verifies_it_within_a_day() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    bed.complaint_event("complaints/k1", handled(1)).await;
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackScheduled(scheduled) = event else { panic!("{event:?}") };
    assert_eq!((row.aggregate.as_str(), row.cause.as_str()), ("callbacks/k1-1", "complaints:1"));
    assert_eq!((row.case_name.as_str(), row.branch.as_str()), ("cases/1", BRANCH));
    assert_eq!((scheduled.kind(), scheduled.callback.as_str()), (CallbackKind::Verification, NAME));
    assert_eq!((scheduled.case.as_str(), scheduled.branch.as_str()), ("cases/1", BRANCH));
    assert_eq!((scheduled.complaint.as_str(), scheduled.round), (COMPLAINT, 1));
    assert_eq!(scheduled.recused, ["employees/wang"]);
    assert_eq!(scheduled.not_before, Some(timestamps::to_proto(at("2026-05-06T15:00"))));
    assert_eq!(scheduled.due, Some(timestamps::to_proto(at("2026-05-07T15:00"))));
    assert_eq!((scheduled.calendar_version.as_str(), scheduled.provisional), ("", false));
    // L10: sealed anew, under the client's key.
    let Some(Form::Sealed(sealed)) = scheduled.phone.unwrap().form else { panic!("in clear") };
    assert_eq!((sealed.subject.as_str(), sealed.aggregate.as_str()), ("clients/7", "callbacks/k1-1"));
    assert!(!String::from_utf8_lossy(&row.payload).contains("commission"));
    let shown = bed.get(&colleague("li"), NAME).await.unwrap();
    assert_eq!((shown.complaint.as_str(), shown.phone.as_str()), (COMPLAINT, "138****5678"));
    assert_eq!(
        (shown.kind(), shown.recused),
        (CallbackKind::Verification, vec!["employees/wang".to_owned()])
    );
    let leased = bed.lease(&colleague("li"), NAME).await.unwrap();
    assert_eq!((leased.phone.as_str(), leased.subject.as_str()), ("13812345678", "commission charged twice"));
}

#[test]
fn b1_b2_the_limit_of_a_verification_counts_clock_hours_and_ends_within_the_windows() {
    let due = |handled: &str| Bench::verification(handled).callback.due;
    // A Friday before a working Saturday, a Saturday: no calendar counts.
    assert_eq!(due("2026-05-08T10:00"), at("2026-05-09T10:00"));
    assert_eq!(due("2026-05-09T10:00"), at("2026-05-10T10:00"));
    assert_eq!(due("2026-05-06T12:00"), at("2026-05-07T20:00"), "12:00 is between the windows");
    assert_eq!(due("2026-05-06T22:00"), at("2026-05-08T11:30"), "22:00 is after them");
    let bench = Bench::verification("2026-05-06T22:00");
    assert_eq!(
        (bench.callback.not_before, bench.callback.began),
        (at("2026-05-06T22:00"), at("2026-05-06T22:00"))
    );
}

#[tokio::test]
async fn b1_the_clock_of_a_verification_starts_with_the_handling_however_late_the_follower_is() {
    let mut bed = Bed::at("2026-05-08T16:00").await;
    bed.complaint_event_at("complaints/k1", "2026-05-06T15:00", handled(1));
    assert_eq!(scheduled(&mut bed).await.due, Some(timestamps::to_proto(at("2026-05-07T15:00"))));
    assert_eq!(bed.first.service.engine.sweep_once().await.unwrap(), 1);
    assert_eq!(bed.next().await.0.r#type, "callback_limit_missed");
}

#[tokio::test]
async fn b1_what_needs_no_verification_or_is_told_twice_makes_none() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let complaints_event::Event::HandlingCompleted(opinion) = handled(1) else { panic!() };
    let opinion = HandlingCompleted { without_verification: true, ..opinion };
    bed.complaint_event("complaints/o1", complaints_event::Event::HandlingCompleted(opinion)).await;
    bed.complaint_event("complaints/k1", handled(1)).await;
    bed.complaint_event("complaints/k1", handled(1)).await;
    bed.complaint_event("complaints/k2", handled(1)).await;
    assert_eq!(scheduled(&mut bed).await.callback, NAME);
    assert_eq!(scheduled(&mut bed).await.callback, "branches/b1/callbacks/k2-1");
}

#[tokio::test]
async fn b1_the_receiving_units_policy_sets_the_hours() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let document = serde_json::json!({"verification_hours": 4});
    let document: Document = document.as_object().unwrap().clone().into_iter().collect();
    let policy = ownership_event::Event::PolicyApproved(PolicyApproved {
        policy: "policies/p".into(),
        kind: "callbacks".into(),
        scope: BRANCH.into(),
        revision: 1,
        document: Some(document_to_struct(&document).unwrap()),
        effective_time: Some(timestamps::to_proto(at("2026-05-06T12:00"))),
        proposer: "employees/hq1".into(),
        approver: "employees/hq2".into(),
    });
    bed.ownership_event("policies/p", policy).await;
    assert_eq!(bed.next().await.0.r#type, "policy_adopted");
    bed.complaint_event("complaints/k1", handled(1)).await;
    assert_eq!(scheduled(&mut bed).await.due, Some(timestamps::to_proto(at("2026-05-07T10:00"))));
    bed.advance("2026-05-06T14:00").await;
    bed.complaint_event("complaints/k2", handled(1)).await;
    assert_eq!(scheduled(&mut bed).await.due, Some(timestamps::to_proto(at("2026-05-06T18:00"))));
}

#[tokio::test]
async fn b1_a_handling_that_names_no_unit_is_parked_and_the_others_go_on() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let complaints_event::Event::HandlingCompleted(nowhere) = handled(1) else { panic!() };
    let nowhere = HandlingCompleted { receiving_unit: String::new(), ..nowhere };
    bed.complaint_event("complaints/k0", complaints_event::Event::HandlingCompleted(nowhere)).await;
    bed.complaint_event("complaints/k1", handled(1)).await;
    assert_eq!(scheduled(&mut bed).await.callback, NAME);
    let request = GetStatusRequest { service: "callbacks".into(), idle_after: Vec::new() };
    let mut operator = OperatorServiceClient::new(bed.first.service.routes());
    let status = operator.get_status(request_of(&colleague("admin"), request)).await.unwrap().into_inner();
    assert_eq!(status.parked, 1);
}

#[tokio::test]
async fn c9_nobody_calls_about_a_complaint_that_was_settled_otherwise() {
    for (settled, reason) in
        [(reopened(), "the complaint is handled anew"), (closed(), "the complaint has ended")]
    {
        let mut bed = Bed::at("2026-05-06T15:00").await;
        // One batch or two: the end finds the verification that the same batch made.
        bed.complaint_event("complaints/k1", handled(1)).await;
        bed.complaint_event("complaints/k2", handled(1)).await;
        bed.complaint_event("complaints/k1", settled).await;
        assert_eq!(bed.next_types(2).await, ["callback_scheduled", "callback_scheduled"]);
        let (row, event) = bed.next().await;
        let callbacks_event::Event::CallbackCancelled(cancelled) = event else { panic!("{event:?}") };
        assert_eq!((row.aggregate.as_str(), row.cause.as_str()), ("callbacks/k1-1", "complaints:3"));
        assert_eq!((cancelled.complaint.as_str(), cancelled.round), (COMPLAINT, 1));
        assert_eq!(cancelled.reason, reason);
        assert_eq!(bed.get(&colleague("li"), NAME).await.unwrap().state(), State::Cancelled);
        assert_eq!(refused(bed.lease(&colleague("li"), NAME).await), "ILLEGAL_TRANSITION");
        // Of the others one is still owed, and the next round is verified again.
        bed.complaint_event("complaints/k1", handled(2)).await;
        assert_eq!(scheduled(&mut bed).await.callback, "branches/b1/callbacks/k1-2");
        let other = bed.get(&colleague("li"), "branches/b1/callbacks/k2-1").await.unwrap();
        assert_eq!(other.state(), State::Waiting);
    }
}

#[tokio::test]
async fn c9_what_the_verification_itself_led_to_cancels_nothing() {
    let mut bed = verifying().await;
    bed.lease(&colleague("li"), NAME).await.unwrap();
    let done = CompleteCallbackRequest { measures: MeasuresFound::CarriedOut.into(), ..completed(NAME) };
    bed.client().complete_callback(request_of(&colleague("li"), done)).await.unwrap();
    assert_eq!(bed.next_types(2).await, ["callback_leased", "callback_completed"]);
    bed.complaint_event("complaints/k1", reopened()).await;
    bed.complaint_event("complaints/k1", handled(2)).await;
    assert_eq!(scheduled(&mut bed).await.round, 2);
    assert_eq!(bed.get(&colleague("li"), NAME).await.unwrap().state(), State::Completed);
}

#[tokio::test]
async fn c9_one_verification_of_a_complaint_is_open_at_a_time() {
    let mut bed = verifying().await;
    bed.complaint_event("complaints/k1", handled(2)).await;
    assert_eq!(bed.next_types(2).await, ["callback_cancelled", "callback_scheduled"]);
    // An earlier round that an operator retries late makes none beside it.
    bed.complaint_event("complaints/k1", handled(1)).await;
    bed.complaint_event("complaints/k2", handled(1)).await;
    assert_eq!(scheduled(&mut bed).await.callback, "branches/b1/callbacks/k2-1");
}

#[tokio::test]
async fn l10_the_texts_of_a_verification_are_sealed_under_the_subject_they_had_in_complaints() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let complaints_event::Event::HandlingCompleted(unknown) = handled(1) else { panic!() };
    let unknown = HandlingCompleted { client: String::new(), text_subject: "contacts/c1".into(), ..unknown };
    bed.complaint_event("complaints/k1", complaints_event::Event::HandlingCompleted(unknown)).await;
    let Some(Form::Sealed(sealed)) = scheduled(&mut bed).await.phone.unwrap().form else {
        panic!("in clear")
    };
    assert_eq!(sealed.subject, "contacts/c1");
    assert_eq!(bed.lease(&colleague("li"), NAME).await.unwrap().phone, "13812345678");
}

#[tokio::test]
async fn b7_whom_the_complaint_is_about_takes_no_part_in_its_verification() {
    let mut bed = verifying().await;
    let wang = colleague("wang");
    let status = bed.lease(&wang, NAME).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    assert_eq!(detail(&status, "complaint"), COMPLAINT);
    assert_eq!(refused(Err::<(), _>(status)), "RECUSED");
    let attempt = RecordAttemptRequest {
        name: NAME.into(),
        outcome: AttemptOutcome::NoAnswer.into(),
        request_id: request_id(),
        ..RecordAttemptRequest::default()
    };
    assert_eq!(refused(bed.client().record_attempt(request_of(&wang, attempt)).await), "RECUSED");
    let done = CompleteCallbackRequest { measures: MeasuresFound::CarriedOut.into(), ..completed(NAME) };
    assert_eq!(refused(bed.client().complete_callback(request_of(&wang, done)).await), "RECUSED");
    // O12: not as a lead either.
    let cancel =
        CancelCallbackRequest { name: NAME.into(), reason: "no need".into(), request_id: request_id() };
    assert_eq!(refused(bed.client().cancel_callback(request_of(&wang, cancel)).await), "RECUSED");
    let postpone = PostponeCallbackRequest {
        name: NAME.into(),
        not_before: Some(timestamps::to_proto(at("2027-05-06T15:00"))),
        reason: "next year".into(),
        request_id: request_id(),
    };
    assert_eq!(refused(bed.client().postpone_callback(request_of(&wang, postpone)).await), "RECUSED");
    // Everybody else of the unit may, nobody of another one.
    let elsewhere =
        CallContext { branch: "branches/b2".into(), branches: vec!["branches/b2".into()], ..colleague("wu") };
    assert_eq!(refused(bed.lease(&elsewhere, NAME).await), "BRANCH_OUT_OF_REACH");
    bed.lease(&colleague("li"), NAME).await.unwrap();
    assert_eq!(bed.next_types(1).await, ["callback_leased"]);
    assert_eq!(bed.ledger().await.len(), 2, "refusals leave no trace");
}

#[tokio::test]
async fn c9_a_lead_who_would_give_a_verification_up_is_sent_to_its_complaint() {
    let bed = verifying().await;
    let li = colleague("li");
    let cancel =
        CancelCallbackRequest { name: NAME.into(), reason: "abroad".into(), request_id: request_id() };
    let status = bed.client().cancel_callback(request_of(&li, cancel)).await.unwrap_err();
    assert_eq!(
        (status.code(), detail(&status, "complaint")),
        (tonic::Code::FailedPrecondition, COMPLAINT.into())
    );
    assert_eq!(refused(Err::<(), _>(status)), "VERIFICATION_NOT_CANCELLABLE");
    assert_eq!(bed.get(&li, NAME).await.unwrap().state(), State::Waiting);
}

#[tokio::test]
async fn c9_a_verification_says_what_became_of_the_measures_and_nothing_else_does() {
    let mut bed = verifying().await;
    let li = colleague("li");
    bed.lease(&li, NAME).await.unwrap();
    let complete = async |who: &CallContext, request: CompleteCallbackRequest| {
        bed.client().complete_callback(request_of(who, request)).await.map(tonic::Response::into_inner)
    };
    let status = complete(&li, completed(NAME)).await.unwrap_err();
    assert_eq!((status.code(), detail(&status, "field")), (tonic::Code::InvalidArgument, "measures".into()));
    assert_eq!(refused(Err::<(), _>(status)), "MEASURES_REQUIRED");
    let unknown = CompleteCallbackRequest { measures: 17, ..completed(NAME) };
    assert_eq!(refused(complete(&li, unknown).await), "FIELD_INVALID");
    let request =
        CompleteCallbackRequest { measures: MeasuresFound::NotCarriedOut.into(), ..completed(NAME) };
    let done = complete(&li, request.clone()).await.unwrap();
    let result = done.result.clone().unwrap();
    assert_eq!((result.measures(), result.employee.as_str()), (MeasuresFound::NotCarriedOut, "employees/li"));
    assert_eq!(complete(&li, request).await.unwrap(), done, "repeating answers the same");
    bed.next_types(1).await;
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackCompleted(event) = event else { panic!("{event:?}") };
    assert_eq!((event.complaint.as_str(), event.round, event.case.as_str()), (COMPLAINT, 1, "cases/1"));
    assert_eq!((event.measures(), row.case_name.as_str()), (MeasuresFound::NotCarriedOut, "cases/1"));

    let promise = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let zhang = crate::service::handler("zhang", "cases/1", 1);
    bed.lease(&zhang, &promise).await.unwrap();
    let asked = CompleteCallbackRequest { measures: MeasuresFound::CarriedOut.into(), ..completed(&promise) };
    assert_eq!(refused(bed.client().complete_callback(request_of(&zhang, asked)).await), "FIELD_INVALID");
}
