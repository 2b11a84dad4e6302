//! The way of a complaint through the service: contacts, replies, proposal, approval, measures, the end of handling (C4-C10).

use shouwen_access::status::reason_of;
use shouwen_proto::{
    access::v1::CallContext,
    complaints::v1::{ApproveProposalRequest, ProposeHandlingRequest, ProposedMeasure, complaint::State},
    events::v1::{
        ApprovalLevel, ComplaintEnd, ComplaintKind, ComplaintLimit, Finding, ReplyKind, Severity,
        WatchRequest, complaints_event, event::Body, event_feed_client::EventFeedClient,
        watch_response::Item,
    },
    r#type::v1::private::Form,
};
use tonic::Code;

use crate::{
    calls::{form, limit, proposal, proto},
    people::{detail, handler, hq, lead, leader, officer, refused, request_id, request_of, system},
    service::Bed,
};

const NOW: &str = "2025-09-22T10:00";

#[tokio::test]
async fn c4_every_contact_with_another_unit_is_on_record_with_time_unit_and_person() {
    let bed = Bed::at(NOW).await;
    let name = bed.filed("1").await;
    let zhang = handler("zhang", "cases/1");
    // At once, also before anybody accepted it.
    let told = bed.communicate(&zhang, &name, proto("2025-09-22T09:30")).await.unwrap();
    assert_eq!(
        (told.communications[0].unit.as_str(), told.communications[0].time),
        ("IT department", proto("2025-09-22T09:30"))
    );
    let later = bed.communicate(&zhang, &name, proto("2025-09-22T10:01")).await;
    assert_eq!(detail(later, "field"), "communicate_time");
    let now = bed.communicate(&zhang, &name, None).await.unwrap();
    assert_eq!((now.communications.len(), now.communications[1].time), (2, proto(NOW)));
    bed.decline(&officer("cases/1"), &name, "no grounds").await.unwrap();
    assert_eq!(refused(bed.communicate(&zhang, &name, None).await), "ILLEGAL_TRANSITION");
}

#[tokio::test]
async fn c5_c7_replies_meet_the_limits_and_the_outcome_waits_for_approval() {
    let bed = Bed::at(NOW).await;
    let name = bed.filed("1").await;
    let zhang = handler("zhang", "cases/1");
    assert_eq!(refused(bed.reply(&zhang, &name, ReplyKind::First).await), "ILLEGAL_TRANSITION");
    bed.accept("cases/1", &name).await.unwrap();
    assert_eq!(refused(bed.reply(&zhang, &name, ReplyKind::Unspecified).await), "FIELD_INVALID");
    let outcome = bed.reply(&zhang, &name, ReplyKind::Outcome).await.unwrap_err();
    assert_eq!(
        (outcome.code(), reason_of(&outcome).as_deref()),
        (Code::FailedPrecondition, Some("NOT_APPROVED"))
    );
    bed.advance("2025-09-22T11:00").await;
    let replied = bed.reply(&zhang, &name, ReplyKind::Definite).await.unwrap();
    for kind in [ComplaintLimit::FirstReply, ComplaintLimit::DefiniteAnswer] {
        assert_eq!(limit(&replied, kind).met_time, proto("2025-09-22T11:00"), "{kind:?}");
    }
    assert_eq!(limit(&replied, ComplaintLimit::Outcome).met_time, None);
    assert_eq!(
        (replied.replies[0].kind(), replied.replies[0].employee.as_str()),
        (ReplyKind::Definite, "employees/zhang")
    );
}

#[tokio::test]
async fn c6_c8_a_grave_complaint_passes_three_levels() {
    let bed = Bed::at(NOW).await;
    let name = bed.filed("1").await;
    bed.accept_as(&officer("cases/1"), &name, Severity::Grave).await.unwrap();
    let zhang = handler("zhang", "cases/1");
    let upheld =
        ProposeHandlingRequest { finding: Finding::Upheld.into(), malicious: true, ..proposal(&name) };
    let no_measures =
        ProposeHandlingRequest { measures: Vec::new(), request_id: request_id(), ..upheld.clone() };
    let refusal = bed.propose(&zhang, no_measures).await.unwrap_err();
    assert_eq!(
        (refusal.code(), reason_of(&refusal).as_deref()),
        (Code::InvalidArgument, Some("MEASURES_REQUIRED"))
    );
    let nobody = ProposedMeasure { responsible: "wu".into(), text: "x".into() };
    let bad = ProposeHandlingRequest { measures: vec![nobody], request_id: request_id(), ..upheld.clone() };
    assert_eq!(detail(bed.propose(&zhang, bad).await, "field"), "measures[0].responsible");
    let stale = ProposeHandlingRequest { etag: "\"1\"".into(), request_id: request_id(), ..upheld.clone() };
    assert_eq!(refused(bed.propose(&zhang, stale).await), "ETAG_MISMATCH");
    let proposed = bed.propose(&zhang, upheld.clone()).await.unwrap();
    assert_eq!(bed.propose(&zhang, upheld).await.unwrap(), proposed, "a repetition");
    assert_eq!(proposed.state(), State::Proposed);
    assert_eq!(limit(&proposed, ComplaintLimit::Proposal).met_time, proto(NOW));
    let shown = proposed.proposal.clone().unwrap();
    assert_eq!((shown.finding(), shown.malicious, shown.measures.len()), (Finding::Upheld, true, 2));
    assert_eq!(shown.open_levels, [1, 2, 3]);
    let again = ProposeHandlingRequest { request_id: request_id(), ..proposal(&name) };
    assert_eq!(refused(bed.propose(&zhang, again).await), "ILLEGAL_TRANSITION");

    let mut etag = proposed.etag;
    for (who, level, open) in [
        (lead("cases/1"), ApprovalLevel::BranchHead, 2),
        (hq("cases/1"), ApprovalLevel::Hq, 1),
        (leader("cases/1"), ApprovalLevel::CompanyLeader, 0),
    ] {
        let approved = bed.approve(&who, &name, &etag).await.unwrap();
        let shown = approved.proposal.unwrap();
        let last = shown.approvals.last().unwrap();
        assert_eq!((last.level(), last.approver.as_str()), (level, who.employee.as_str()));
        assert_eq!(shown.open_levels.len(), open);
        assert_eq!(approved.state == i32::from(State::Approved), open == 0);
        etag = approved.etag;
    }
}

#[tokio::test]
async fn c6_an_approval_names_the_proposal_that_was_read() {
    let bed = Bed::at(NOW).await;
    let name = bed.accepted("1").await;
    let zhang = handler("zhang", "cases/1");
    let first = bed.propose(&zhang, proposal(&name)).await.unwrap();
    let blind = bed.approve(&lead("cases/1"), &name, "").await.unwrap_err();
    assert!(blind.message().contains("with which the proposal was read"), "{}", blind.message());
    assert_eq!(detail(Err::<(), _>(blind), "field"), "etag");
    let returned = bed.send_back(&lead("cases/1"), &name).await.unwrap();
    assert_eq!((returned.state(), returned.proposal), (State::Handling, None));
    assert_eq!(refused(bed.send_back(&lead("cases/1"), &name).await), "ILLEGAL_TRANSITION");
    let second = bed.propose(&zhang, proposal(&name)).await.unwrap();
    assert_eq!(refused(bed.approve(&lead("cases/1"), &name, &first.etag).await), "ETAG_MISMATCH");
    let request = ApproveProposalRequest { name: name.clone(), etag: second.etag, request_id: request_id() };
    let approve = async || {
        bed.client()
            .approve_proposal(request_of(&lead("cases/1"), request.clone()))
            .await
            .map(tonic::Response::into_inner)
    };
    let approved = approve().await.unwrap();
    assert_eq!(approved.state(), State::Approved);
    assert_eq!(approve().await.unwrap(), approved, "a repetition");
}

#[tokio::test]
async fn p3_the_proposer_does_not_approve_and_a_level_too_high_is_named() {
    let bed = Bed::at(NOW).await;
    let name = bed.filed("1").await;
    bed.accept_as(&officer("cases/1"), &name, Severity::Serious).await.unwrap();
    let (lead, hq) = (lead("cases/1"), hq("cases/1"));
    let proposed = bed.propose(&lead, proposal(&name)).await.unwrap();
    for refusal in [bed.approve(&lead, &name, &proposed.etag).await, bed.send_back(&lead, &name).await] {
        let status = refusal.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status).as_deref()),
            (Code::PermissionDenied, Some("SECOND_PERSON_REQUIRED"))
        );
    }
    let approved = bed.approve(&hq, &name, &proposed.etag).await.unwrap();
    assert_eq!(refused(bed.approve(&hq, &name, &approved.etag).await), "SECOND_PERSON_REQUIRED");
    let colleague = CallContext {
        employee: "employees/lead2".into(),
        principal: "employees/lead2".into(),
        ..lead.clone()
    };
    let beyond = bed.approve(&colleague, &name, &approved.etag).await;
    assert_eq!(detail(beyond, "level"), "HQ");
    // A lead of another branch has no say in what this unit received.
    let name = bed.accepted("2").await;
    let proposed = bed.propose(&handler("zhang", "cases/2"), proposal(&name)).await.unwrap();
    let elsewhere = CallContext {
        branch: "branches/b2".into(),
        branches: vec!["branches/b2".into()],
        ..crate::people::lead("cases/2")
    };
    assert_eq!(refused(bed.approve(&elsewhere, &name, &proposed.etag).await), "LEVEL_TOO_HIGH");
}

#[tokio::test]
async fn c9_measures_are_recorded_and_the_end_of_handling_asks_for_a_callback() {
    let mut bed = Bed::at(NOW).await;
    let name = bed.accepted("1").await;
    let zhang = handler("zhang", "cases/1");
    assert_eq!(refused(bed.measure(&zhang, &name, 1, true).await), "NOT_APPROVED");
    assert_eq!(refused(bed.complete(&zhang, &name).await), "NOT_APPROVED");
    let proposed = bed.propose(&zhang, proposal(&name)).await.unwrap();
    bed.approve(&lead("cases/1"), &name, &proposed.etag).await.unwrap();
    assert_eq!(detail(bed.complete(&zhang, &name).await, "kind"), "OUTCOME");
    bed.reply(&zhang, &name, ReplyKind::Outcome).await.unwrap();
    assert_eq!(detail(bed.complete(&zhang, &name).await, "measures"), "1, 2");
    assert_eq!(detail(bed.measure(&zhang, &name, 3, true).await, "measure"), "3");
    let silent = shouwen_proto::complaints::v1::RecordMeasureRequest {
        name: name.clone(),
        measure: 1,
        done: false,
        note: String::new(),
        request_id: request_id(),
    };
    let answer = bed.client().record_measure(request_of(&zhang, silent)).await;
    assert_eq!(detail(answer, "field"), "note");
    let not_done = bed.measure(&zhang, &name, 1, false).await.unwrap().proposal.unwrap();
    assert_eq!((not_done.measures[0].done, not_done.measures[0].not_done), (false, true));
    for measure in [1, 2] {
        bed.measure(&zhang, &name, measure, true).await.unwrap();
    }
    let handled = bed.complete(&zhang, &name).await.unwrap();
    assert_eq!((handled.state(), handled.handle_time), (State::Handled, proto(NOW)));
    assert_eq!(refused(bed.complete(&zhang, &name).await), "ILLEGAL_TRANSITION");

    let (row, event) = bed.next_of("handling_completed").await;
    let complaints_event::Event::HandlingCompleted(completed) = event else { panic!("{event:?}") };
    assert_eq!((completed.case.as_str(), completed.round, completed.client.as_str()), ("cases/1", 1, "7"));
    assert!(!completed.without_verification);
    assert!(!String::from_utf8_lossy(&row.payload).contains("not placed"));
    // Callbacks gets number and subject in clear over its channel.
    let mut feed = EventFeedClient::new(bed.first.service.routes());
    let incarnation = shouwen_engine::ledger::head(&bed.pool).await.unwrap().incarnation.to_string();
    let after = shouwen_proto::events::v1::Cursor { incarnation, position: row.position - 1 };
    let request = WatchRequest { service: "complaints".into(), after: Some(after) };
    let mut events = feed.watch(request_of(&system(), request)).await.unwrap().into_inner();
    let Some(Item::Event(event)) = events.message().await.unwrap().unwrap().item else { panic!() };
    let Some(Body::Complaints(body)) = event.body else { panic!() };
    let Some(complaints_event::Event::HandlingCompleted(completed)) = body.event else { panic!() };
    let clear = |text: &str| Some(Form::Clear(text.into()));
    assert_eq!(completed.phone.unwrap().form, clear("+8613812345678"));
    assert_eq!(completed.subject.unwrap().form, clear("order was not placed"));
    assert_eq!(completed.phone_masked, "138****5678");
}

#[tokio::test]
async fn c9_an_opinion_is_answered_and_needs_no_proposal() {
    let mut bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    let zhang = handler("zhang", "cases/1");
    let opinion = shouwen_proto::complaints::v1::FileComplaintRequest {
        kind: ComplaintKind::Opinion.into(),
        ..form("cases/1")
    };
    let name = bed.file(&zhang, opinion).await.unwrap().name;
    bed.accept("cases/1", &name).await.unwrap();
    assert_eq!(refused(bed.propose(&zhang, proposal(&name)).await), "NO_PROPOSAL_NEEDED");
    assert_eq!(detail(bed.complete(&zhang, &name).await, "kind"), "DEFINITE");
    bed.reply(&zhang, &name, ReplyKind::Definite).await.unwrap();
    let closed = bed.complete(&zhang, &name).await.unwrap();
    assert_eq!((closed.state(), closed.end()), (State::Closed, ComplaintEnd::Answered));
    let (_, event) = bed.next_of("complaint_closed").await;
    let complaints_event::Event::ComplaintClosed(event) = event else { panic!("{event:?}") };
    assert_eq!((event.end(), event.case.as_str()), (ComplaintEnd::Answered, "cases/1"));
}

#[tokio::test]
async fn c10_what_was_approved_and_cannot_be_carried_out_is_handled_anew() {
    let bed = Bed::at(NOW).await;
    let name = bed.accepted("1").await;
    let (zhang, lead) = (handler("zhang", "cases/1"), lead("cases/1"));
    let proposed = bed.propose(&zhang, proposal(&name)).await.unwrap();
    bed.approve(&lead, &name, &proposed.etag).await.unwrap();
    assert_eq!(detail(bed.reopen(&lead, &name, "why not").await, "state"), "APPROVED");
    bed.measure(&zhang, &name, 2, false).await.unwrap();
    let reopened = bed.reopen(&lead, &name, "the line cannot be repaired").await.unwrap();
    assert_eq!((reopened.state(), reopened.round, reopened.proposal), (State::Handling, 2, None));
    let again = bed.handle("cases/1", &name).await;
    assert_eq!((again.state(), again.round), (State::Handled, 2));
}

#[tokio::test]
async fn c10_a_lead_closes_or_takes_up_again() {
    let bed = Bed::at(NOW).await;
    let name = bed.accepted("1").await;
    let lead = lead("cases/1");
    assert_eq!(refused(bed.close(&lead, &name, ComplaintEnd::Explained).await), "ILLEGAL_TRANSITION");
    assert_eq!(refused(bed.reopen(&lead, &name, "why not").await), "ILLEGAL_TRANSITION");
    bed.handle("cases/1", &name).await;
    for end in [ComplaintEnd::Satisfied, ComplaintEnd::Answered, ComplaintEnd::Unspecified] {
        assert_eq!(refused(bed.close(&lead, &name, end).await), "FIELD_INVALID", "{end:?}");
    }
    let untried = bed.close(&lead, &name, ComplaintEnd::Unreachable).await.unwrap_err();
    assert_eq!(
        (untried.code(), reason_of(&untried).as_deref()),
        (Code::FailedPrecondition, Some("ATTEMPTS_OPEN"))
    );
    let callback = format!("branches/b1/callbacks/{}-1", name.rsplit('/').next().unwrap());
    assert!(untried.message().contains(&callback), "{}", untried.message());
    assert_eq!(detail(Err::<(), _>(untried), "callback"), callback);
    bed.exhausted(&name, 1).await;
    let closed = bed.close(&lead, &name, ComplaintEnd::Unreachable).await.unwrap();
    assert_eq!(
        (closed.state(), closed.end(), closed.close_time),
        (State::Closed, ComplaintEnd::Unreachable, proto(NOW))
    );
    assert!(closed.proposal.is_some(), "the handling stays visible");
    assert_eq!(refused(bed.close(&lead, &name, ComplaintEnd::Explained).await), "ILLEGAL_TRANSITION");
    assert_eq!(refused(bed.reopen(&lead, &name, "").await), "FIELD_INVALID");
    let reopened = bed.reopen(&lead, &name, "the client wrote again").await.unwrap();
    assert_eq!((reopened.state(), reopened.round, reopened.end), (State::Handling, 2, 0));
    assert_eq!(reopened.limits[0].round, 2, "the present round's limits come first");
    assert_eq!(reopened.limits.len(), 11);
    let again = bed.handle("cases/1", &name).await;
    assert_eq!((again.state(), again.round), (State::Handled, 2));
}
