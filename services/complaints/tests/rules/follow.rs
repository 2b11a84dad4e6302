//! What the feeds of callbacks and ownership lead to: the client's word (C9-C11), fences, and what is parked.

use chrono::{DateTime, Utc};
use shouwen_complaints::Mutants;
use shouwen_proto::{
    access::v1::CallContext,
    complaints::v1::{Complaint, complaint::State},
    events::v1::{
        AccountabilityMoved, CallbackCancelled, CallbackCompleted, CallbackExhausted,
        CallbackResultSuperseded, ComplaintEnd, ComplaintLimit, ReplyKind, callbacks_event, complaints_event,
        ownership_event,
    },
    r#type::v1::{MeasuresFound, Satisfaction},
};

use crate::{
    bench::at,
    calls::{limit, proto},
    people::{handler, lead, refused},
    service::Bed,
};

const NOW: &str = "2025-09-22T10:00";

/// What callbacks tells of a talk in which everything is well.
fn talk(complaint: &str, round: i32) -> CallbackCompleted {
    CallbackCompleted {
        employee: "employees/li".into(),
        case: "cases/1".into(),
        solved: true,
        attitude: Satisfaction::Satisfied.into(),
        overall: Satisfaction::Neutral.into(),
        complaint: complaint.into(),
        round,
        measures: MeasuresFound::CarriedOut.into(),
        ..CallbackCompleted::default()
    }
}

/// The callback of the first round.
const CALLBACK: &str = "callbacks/c-1";

impl Bed {
    async fn said(&self, talk: CallbackCompleted) {
        self.said_at(self.now().await, talk).await;
    }

    async fn said_at(&self, time: DateTime<Utc>, talk: CallbackCompleted) {
        self.callback_event_at(CALLBACK, time, callbacks_event::Event::CallbackCompleted(talk));
        self.caught_up().await;
    }

    async fn superseded(&self, talk: CallbackCompleted) {
        let superseded = CallbackResultSuperseded { reason: "wrong box ticked".into(), result: Some(talk) };
        let event = callbacks_event::Event::CallbackResultSuperseded(superseded);
        self.callback_event_at(CALLBACK, self.now().await, event);
        self.caught_up().await;
    }

    /// A complaint of `cases/1` whose handling is complete.
    async fn handled(&self) -> String {
        let name = self.accepted("1").await;
        self.handle("cases/1", &name).await;
        name
    }

    async fn shown(&self, name: &str) -> Complaint {
        self.get(&lead("cases/1"), name).await.unwrap()
    }
}

#[tokio::test]
async fn c9_a_satisfied_client_closes_the_complaint() {
    let mut bed = Bed::at(NOW).await;
    let name = bed.handled().await;
    bed.said(talk(&name, 1)).await;
    let closed = bed.shown(&name).await;
    assert_eq!((closed.state(), closed.end()), (State::Closed, ComplaintEnd::Satisfied));
    let verification = &closed.verifications[0];
    assert_eq!((verification.satisfied, verification.round, verification.superseded), (true, 1, false));
    assert_eq!(verification.callback, "branches/b1/callbacks/c-1");
    assert_eq!(
        (verification.employee.as_str(), verification.measures()),
        ("employees/li", MeasuresFound::CarriedOut)
    );
    let (row, event) = bed.next_of("complaint_closed").await;
    let complaints_event::Event::ComplaintClosed(event) = event else { panic!("{event:?}") };
    assert_eq!((event.end(), event.case.as_str()), (ComplaintEnd::Satisfied, "cases/1"));
    assert_eq!((row.cause.as_str(), row.actor.as_str()), ("callbacks:1", "services/complaints"));
}

#[tokio::test]
async fn c10_anything_else_sends_it_back_with_the_reason_and_new_limits() {
    for (talk, reason) in [
        (CallbackCompleted { solved: false, ..talk("", 1) }, "dissatisfied"),
        (CallbackCompleted { overall: Satisfaction::Dissatisfied.into(), ..talk("", 1) }, "dissatisfied"),
        (CallbackCompleted { measures: MeasuresFound::NotCarriedOut.into(), ..talk("", 1) }, "measures"),
        (CallbackCompleted { measures: MeasuresFound::WithoutEffect.into(), ..talk("", 1) }, "measures"),
    ] {
        let mut bed = Bed::at(NOW).await;
        let name = bed.handled().await;
        bed.said(CallbackCompleted { complaint: name.clone(), ..talk }).await;
        let (_, event) = bed.next_of("complaint_reopened").await;
        let complaints_event::Event::ComplaintReopened(event) = event else { panic!("{event:?}") };
        assert_eq!((event.reason.as_str(), event.case.as_str(), event.limits.len()), (reason, "cases/1", 5));
        let reopened = bed.shown(&name).await;
        assert_eq!((reopened.state(), reopened.round, reopened.proposal), (State::Handling, 2, None));
    }
}

#[tokio::test]
async fn c10_the_second_round_is_handled_and_verified_like_the_first() {
    let bed = Bed::at(NOW).await;
    let name = bed.handled().await;
    bed.said(CallbackCompleted { solved: false, ..talk(&name, 1) }).await;
    let again = bed.handle("cases/1", &name).await;
    assert_eq!((again.state(), again.round), (State::Handled, 2));
    bed.said(talk(&name, 2)).await;
    let closed = bed.shown(&name).await;
    assert_eq!(
        (closed.state(), closed.end(), closed.verifications.len()),
        (State::Closed, ComplaintEnd::Satisfied, 2)
    );
    assert!(
        closed.verifications.iter().all(|it| !it.superseded),
        "another callback's result supersedes nothing"
    );
}

#[tokio::test]
async fn c10_limits_of_the_new_round_begin_with_the_clients_word_however_late_it_is_heard() {
    let bed = Bed::at(NOW).await;
    let name = bed.handled().await;
    bed.advance("2025-09-24T09:00").await;
    let talk = CallbackCompleted { solved: false, ..talk(&name, 1) };
    bed.said_at(at("2025-09-22T16:00"), talk).await;
    let reopened = bed.shown(&name).await;
    assert_eq!(limit(&reopened, ComplaintLimit::Proposal).due_time, proto("2025-09-24T17:00"));
}

#[tokio::test]
async fn c11_a_wrong_result_is_superseded_never_edited_and_what_was_closed_goes_on() {
    let mut bed = Bed::at(NOW).await;
    let name = bed.handled().await;
    bed.said(talk(&name, 1)).await;
    bed.superseded(CallbackCompleted { overall: Satisfaction::Dissatisfied.into(), ..talk(&name, 1) }).await;
    let (_, event) = bed.next_of("complaint_reopened").await;
    let complaints_event::Event::ComplaintReopened(event) = event else { panic!("{event:?}") };
    assert_eq!(event.reason, "superseded");
    let reopened = bed.shown(&name).await;
    assert_eq!((reopened.state(), reopened.round), (State::Handling, 2));
    let results: Vec<(bool, bool)> =
        reopened.verifications.iter().map(|it| (it.satisfied, it.superseded)).collect();
    assert_eq!(results, [(true, true), (false, false)], "both stay visible");
    // And the other way: on record, a lead may close.
    bed.superseded(talk(&name, 1)).await;
    let noted = bed.shown(&name).await;
    assert_eq!((noted.state(), noted.round, noted.verifications.len()), (State::Handling, 2, 3));
    bed.close(&lead("cases/1"), &name, ComplaintEnd::Explained).await.unwrap();
}

#[tokio::test]
async fn c11_a_result_of_a_former_round_is_on_record_and_changes_nothing_else() {
    let bed = Bed::at(NOW).await;
    let name = bed.handled().await;
    bed.reopen(&lead("cases/1"), &name, "the client wrote").await.unwrap();
    bed.said(talk(&name, 1)).await;
    let shown = bed.shown(&name).await;
    assert_eq!((shown.state(), shown.round, shown.verifications.len()), (State::Handling, 2, 1));
}

#[tokio::test]
async fn c9_a_callback_that_was_given_up_or_is_no_verification_settles_nothing() {
    let bed = Bed::at(NOW).await;
    let name = bed.handled().await;
    let cancelled = CallbackCancelled { reason: "moved away".into(), complaint: name.clone(), round: 1 };
    let now = bed.now().await;
    bed.callback_event_at(CALLBACK, now, callbacks_event::Event::CallbackCancelled(cancelled));
    bed.said(talk("", 0)).await;
    assert_eq!(bed.shown(&name).await.state(), State::Handled, "a lead decides");
    assert_eq!((bed.count("verification_recorded").await, bed.parked().await), (0, 0));
}

#[tokio::test]
async fn b6_used_up_attempts_are_noted_once_and_only_of_a_verification() {
    let mut bed = Bed::at(NOW).await;
    let name = bed.handled().await;
    let now = bed.now().await;
    // Some other callbacks are named like a verification.
    for other in ["callbacks/call-7", "callbacks/call-7-1", "callbacks/promise"] {
        let event = callbacks_event::Event::CallbackExhausted(CallbackExhausted {});
        bed.callback_event_at(other, now, event);
    }
    bed.caught_up().await;
    assert_eq!((bed.count("verification_exhausted").await, bed.parked().await), (0, 0));
    let before = bed.shown(&name).await;
    bed.exhausted(&name, 1).await;
    bed.exhausted(&name, 1).await;
    assert_eq!(bed.shown(&name).await, before, "a lead decides, by the etag that was read");
    assert_eq!((bed.count("verification_exhausted").await, bed.parked().await), (1, 0));
    let (row, event) = bed.next_of("verification_exhausted").await;
    let complaints_event::Event::VerificationExhausted(event) = event else { panic!("{event:?}") };
    let id = name.rsplit('/').next().unwrap();
    assert_eq!((event.round, event.callback), (1, format!("branches/b1/callbacks/{id}-1")));
    assert_eq!((row.cause.as_str(), row.case_name.as_str()), ("callbacks:4", "cases/1"));
}

#[tokio::test]
async fn c9_a_result_that_fits_no_complaint_is_parked() {
    let bed = Bed::at(NOW).await;
    let name = bed.handled().await;
    let now = bed.now().await;
    for (callback, talk) in [
        ("callbacks/1", talk("cases/1/complaints/none", 1)),
        ("callbacks/2", talk("complaints/c", 1)),
        ("callbacks/3", talk(&name, 2)),
        ("callbacks/4", talk(&name, -1)),
    ] {
        bed.callback_event_at(callback, now, callbacks_event::Event::CallbackCompleted(talk));
    }
    bed.said(talk(&name, 1)).await;
    assert_eq!(bed.parked().await, 4);
    assert_eq!(bed.shown(&name).await.state(), State::Closed, "others go on");
}

#[tokio::test]
async fn c10_the_mutant_closes_what_a_dissatisfied_client_said() {
    let mutants = Mutants { dissatisfied_does_not_reopen: true, ..Mutants::default() };
    let bed = Bed::broken(NOW, mutants).await;
    let name = bed.handled().await;
    bed.said(CallbackCompleted { solved: false, ..talk(&name, 1) }).await;
    assert_eq!(bed.shown(&name).await.end(), ComplaintEnd::Satisfied);
}

#[tokio::test]
async fn c9_two_replicas_follow_the_same_word_once() {
    let bed = Bed::at(NOW).await;
    let _another = bed.another().await;
    let name = bed.handled().await;
    bed.said(talk(&name, 1)).await;
    assert_eq!(bed.count("verification_recorded").await, 1);
    assert_eq!(bed.count("complaint_closed").await, 1);
}

#[tokio::test]
async fn o12_a_moved_accountability_ends_the_former_persons_writes() {
    let bed = Bed::at(NOW).await;
    let name = bed.accepted("1").await;
    let moved = AccountabilityMoved {
        from: "employees/zhang".into(),
        accountable: "employees/lead".into(),
        handler: "employees/lead".into(),
        reason: "recused".into(),
        complaint: name.clone(),
        epoch: 4,
    };
    bed.ownership_event("cases/1", ownership_event::Event::AccountabilityMoved(moved)).await;
    bed.caught_up().await;
    let former = CallContext { epoch: 3, ..handler("zhang", "cases/1") };
    assert_eq!(refused(bed.reply(&former, &name, ReplyKind::First).await), "STALE_EPOCH");
    let next = CallContext { epoch: 4, ..handler("lead", "cases/1") };
    bed.reply(&next, &name, ReplyKind::First).await.unwrap();
}
