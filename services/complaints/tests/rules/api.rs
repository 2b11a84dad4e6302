//! Filing, accepting, declining, showing: what callers meet, what repeating does, and who is refused for what (C1-C3, C16, L10, L12).

use prost_types::Timestamp;
use shouwen_access::status::reason_of;
use shouwen_proto::{
    access::v1::{CallContext, Capacity},
    complaints::v1::{
        AcceptComplaintRequest, FileComplaintRequest, GetComplaintRecordRequest, ReviewComplaintRequest,
        complaint::State,
    },
    events::v1::{
        ClientIdentified, ComplaintEnd, ComplaintKind, ComplaintLimit, ReplyKind, Severity, WatchRequest,
        complaints_event, event::Body, event_feed_client::EventFeedClient, ownership_event,
        watch_response::Item,
    },
    r#type::v1::{Channel, Private, private::Form},
};
use tonic::Code;

use crate::{
    calls::{form, limit, proto},
    people::{BRANCH, detail, handler, hq, lead, leader, officer, refused, request_id, request_of, system},
    service::Bed,
};

const NOW: &str = "2025-09-22T10:00";

fn sealed(private: Option<Private>) -> shouwen_proto::r#type::v1::Sealed {
    match private.and_then(|private| private.form) {
        Some(Form::Sealed(sealed)) => sealed,
        other => panic!("not sealed: {}", other.is_some()),
    }
}

#[tokio::test]
async fn c1_c2_every_kind_on_every_channel_is_one_record_form() {
    let bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    let zhang = handler("zhang", "cases/1");
    let kinds =
        [ComplaintKind::Complaint, ComplaintKind::Opinion, ComplaintKind::Suggestion, ComplaintKind::Inquiry];
    let channels = [
        Channel::Phone,
        Channel::Counter,
        Channel::Email,
        Channel::Web,
        Channel::Letter,
        Channel::OpinionBook,
    ];
    for (kind, channel) in kinds.into_iter().flat_map(|kind| channels.map(|channel| (kind, channel))) {
        let form = FileComplaintRequest { kind: kind.into(), channel: channel.into(), ..form("cases/1") };
        let filed = bed.file(&zhang, form).await.unwrap();
        assert_eq!((filed.kind(), filed.channel(), filed.state()), (kind, channel, State::Filed));
        assert_eq!((filed.receiving_unit.as_str(), filed.number.as_str()), (BRANCH, ""));
        bed.accept("cases/1", &filed.name).await.unwrap();
    }
}

#[tokio::test]
async fn c2_another_unit_within_reach_may_have_received_it() {
    let bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    let at_hq = FileComplaintRequest { receiving_unit: "branches/b2".into(), ..form("cases/1") };
    let zhang = handler("zhang", "cases/1");
    assert_eq!(refused(bed.file(&zhang, at_hq.clone()).await), "BRANCH_OUT_OF_REACH");
    assert_eq!(detail(bed.file(&zhang, at_hq.clone()).await, "field"), "receiving_unit");
    let caller = CallContext { capacity: Capacity::Override.into(), ..hq("cases/1") };
    assert_eq!(bed.file(&caller, at_hq).await.unwrap().receiving_unit, "branches/b2");
    let own = bed.file(&caller, form("cases/1")).await.unwrap();
    assert_eq!(own.receiving_unit, "branches/hq", "the caller's own branch by default");
}

#[tokio::test]
async fn c2_only_the_unit_that_received_a_complaint_takes_it_in_and_ends_it() {
    let bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    let assisting = CallContext {
        branch: "branches/b2".into(),
        branches: vec!["branches/b2".into()],
        capacity: Capacity::Assisting.into(),
        ..handler("he", "cases/1")
    };
    let name = bed.file(&assisting, form("cases/1")).await.unwrap().name;
    let of_b2 = |who: CallContext| CallContext { branches: vec!["branches/b2".into()], ..who };
    let (officer, lead) = (officer("cases/1"), lead("cases/1"));
    for refusal in [
        bed.accept_as(&officer, &name, Severity::Minor).await,
        bed.decline(&officer, &name, "without grounds").await,
        bed.close(&lead, &name, ComplaintEnd::Explained).await,
        bed.reopen(&lead, &name, "again").await,
    ] {
        assert_eq!(refused(refusal), "BRANCH_OUT_OF_REACH");
    }
    assert_eq!(bed.get(&officer, &name).await.unwrap().state(), State::Filed, "the case's branch sees it");
    bed.decline(&of_b2(officer), &name, "without grounds").await.unwrap();
    assert_eq!(bed.reopen(&of_b2(lead), &name, "again").await.unwrap().state(), State::Filed);
}

#[tokio::test]
async fn c3_the_record_is_complete_sealed_and_masked() {
    let mut bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "").await;
    let paper = FileComplaintRequest {
        occur_time: proto("2025-09-20T15:00"),
        receive_time: proto("2025-09-21T09:00"),
        channel: Channel::Letter.into(),
        ..form("cases/1")
    };
    let filed = bed.file(&handler("zhang", "cases/1"), paper).await.unwrap();
    assert_eq!((filed.client_name.as_str(), filed.phone.as_str()), ("王**", "138****5678"));
    assert_eq!((filed.receive_time, filed.create_time), (proto("2025-09-21T09:00"), proto(NOW)));
    assert_eq!(limit(&filed, ComplaintLimit::Acceptance).due_time, proto("2025-09-22T17:00"));
    let (row, event) = bed.next().await;
    let complaints_event::Event::ComplaintFiled(event) = event else { panic!("{event:?}") };
    assert_eq!((row.case_name.as_str(), row.branch.as_str()), ("cases/1", BRANCH));
    let phone = sealed(event.phone);
    assert_eq!((phone.subject.as_str(), phone.field.as_str()), ("contacts/of-1", "phone"));
    assert_eq!(event.filed_by, "employees/zhang");
    let state: String =
        sqlx::query_scalar("select state::text from complaint").fetch_one(&bed.pool).await.unwrap();
    let payload = String::from_utf8_lossy(&row.payload);
    for canary in ["王小明", "13812345678", "1234", "not placed", "nobody answered", "brother", "counter 3"]
    {
        assert!(!state.contains(canary) && !payload.contains(canary), "{canary}");
    }
}

#[tokio::test]
async fn c3_texts_are_sealed_under_the_client_once_the_client_is_known() {
    let mut bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "").await;
    let identified = ClientIdentified { client: "C-7".into(), topic: "orders".into() };
    bed.ownership_event("cases/1", ownership_event::Event::ClientIdentified(identified)).await;
    bed.caught_up().await;
    let filed = bed.file(&handler("zhang", "cases/1"), form("cases/1")).await.unwrap();
    assert_eq!(filed.client, "C-7");
    let (_, event) = bed.next().await;
    let complaints_event::Event::ComplaintFiled(event) = event else { panic!("{event:?}") };
    assert_eq!(sealed(event.course).subject, "clients/C-7");
}

#[tokio::test]
async fn c3_a_field_that_cannot_be_used_is_named() {
    let bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    let zhang = handler("zhang", "cases/1");
    let good = || form("cases/1");
    let later = || proto("2025-09-22T10:00:01");
    let broken = Some(Timestamp { seconds: i64::MAX, nanos: 0 });
    for (field, form) in [
        ("kind", FileComplaintRequest { kind: 0, ..good() }),
        ("channel", FileComplaintRequest { channel: 77, ..good() }),
        ("category", FileComplaintRequest { category: "Trading".into(), ..good() }),
        ("category", FileComplaintRequest { category: "x".repeat(41), ..good() }),
        ("client_name", FileComplaintRequest { client_name: " ".into(), ..good() }),
        ("subject", FileComplaintRequest { subject: String::new(), ..good() }),
        ("course", FileComplaintRequest { course: "长".repeat(8001), ..good() }),
        ("place", FileComplaintRequest { place: "x".repeat(201), ..good() }),
        (
            "complained_about[1]",
            FileComplaintRequest { complained_about: vec!["employees/li".into(), "li".into()], ..good() },
        ),
        (
            "complained_about",
            FileComplaintRequest {
                complained_about: (0..21).map(|number| format!("employees/e{number}")).collect(),
                ..good()
            },
        ),
        ("receiving_unit", FileComplaintRequest { receiving_unit: "b1".into(), ..good() }),
        ("occur_time", FileComplaintRequest { occur_time: later(), ..good() }),
        ("occur_time", FileComplaintRequest { occur_time: broken, ..good() }),
        ("receive_time", FileComplaintRequest { receive_time: later(), ..good() }),
        ("request_id", FileComplaintRequest { request_id: "7".into(), ..good() }),
    ] {
        let answer = bed.file(&zhang, form).await;
        let status = answer.unwrap_err();
        assert_eq!(reason_of(&status).as_deref(), Some("FIELD_INVALID"), "{field}");
        assert_eq!(detail(Err::<(), _>(status), "field"), field);
    }
    let bad_phone = FileComplaintRequest { phone: "13812".into(), ..good() };
    let status = bed.file(&zhang, bad_phone).await.unwrap_err();
    assert_eq!(reason_of(&status).as_deref(), Some("PHONE_INVALID"));
    assert!(!status.message().contains("13812"), "the number is never repeated");
    assert_eq!(bed.ledger().await.len(), 0);
}

#[tokio::test]
async fn c3_filing_is_repeated_safely_and_only_within_the_case_in_view() {
    let bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    let zhang = handler("zhang", "cases/1");
    let request = form("cases/1");
    let first = bed.file(&zhang, request.clone()).await.unwrap();
    assert_eq!(bed.file(&zhang, request.clone()).await.unwrap(), first);
    let replay = CallContext { capacity: Capacity::Replay.into(), epoch: 0, ..zhang.clone() };
    assert_eq!(bed.file(&replay, request.clone()).await.unwrap(), first);
    assert_eq!(refused(bed.file(&replay, form("cases/1")).await), "NOT_A_REPLAY");
    let other = FileComplaintRequest { category: "other".into(), ..request };
    assert_eq!(refused(bed.file(&zhang, other).await), "REQUEST_ID_REUSED");
    assert_eq!(refused(bed.file(&zhang, form("cases/2")).await), "CASE_MISMATCH");
    assert_eq!(bed.count("complaint_filed").await, 1);
    // A merged case: the complaint hangs under the survivor; what was filed before keeps its name.
    bed.open_case("cases/9", "7").await;
    let merged =
        CallContext { case: "cases/9".into(), named_case: "cases/1".into(), ..handler("zhang", "cases/1") };
    let under_survivor = bed.file(&merged, form("cases/1")).await.unwrap();
    assert!(under_survivor.name.starts_with("cases/9/complaints/"));
    assert_eq!(bed.get(&merged, &first.name).await.unwrap().name, first.name);
    assert_eq!(refused(bed.get(&handler("zhang", "cases/2"), &first.name).await), "CASE_MISMATCH");
}

#[tokio::test]
async fn c3_a_case_that_ownership_has_not_told_of_yet_is_waited_for_shortly() {
    let bed = Bed::at(NOW).await;
    let zhang = handler("zhang", "cases/1");
    let (filed, ()) = tokio::join!(bed.file(&zhang, form("cases/1")), bed.open_case("cases/1", "7"));
    assert_eq!(filed.unwrap().client, "7");
    let status = bed.file(&handler("zhang", "cases/2"), form("cases/2")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).as_deref()),
        (Code::Unavailable, Some("CASE_NOT_KNOWN_YET"))
    );
    assert!(status.message().contains("`cases/2`"), "{}", status.message());
    assert_eq!(detail(Err::<(), _>(status), "case"), "cases/2");
}

#[tokio::test]
async fn c2_acceptance_records_who_and_begins_the_limits_once() {
    let bed = Bed::at("2025-10-01T10:00").await;
    let name = bed.filed("1").await;
    let request = AcceptComplaintRequest {
        name: name.clone(),
        severity: Severity::Serious.into(),
        complex: true,
        etag: String::new(),
        request_id: request_id(),
    };
    let accept = async |request: AcceptComplaintRequest| {
        let request = request_of(&officer("cases/1"), request);
        bed.client().accept_complaint(request).await.map(tonic::Response::into_inner)
    };
    let stale = AcceptComplaintRequest { etag: "\"7\"".into(), request_id: request_id(), ..request.clone() };
    let status = accept(stale).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::Aborted, Some("ETAG_MISMATCH")));
    let unclear = AcceptComplaintRequest { severity: 0, request_id: request_id(), ..request.clone() };
    assert_eq!(refused(accept(unclear).await), "FIELD_INVALID");
    let unknown = AcceptComplaintRequest {
        name: "cases/1/complaints/none".into(),
        request_id: request_id(),
        ..request.clone()
    };
    assert_eq!(refused(accept(unknown).await), "COMPLAINT_NOT_FOUND");
    let no_name = AcceptComplaintRequest { name: "complaints/c".into(), ..request.clone() };
    assert_eq!(refused(accept(no_name).await), "FIELD_INVALID");

    let accepted = accept(request.clone()).await.unwrap();
    assert_eq!(
        (accepted.state(), accepted.severity(), accepted.complex),
        (State::Handling, Severity::Serious, true)
    );
    assert_eq!(
        (accepted.accepted_by.as_str(), accepted.accept_time),
        ("employees/officer", proto("2025-10-01T10:00"))
    );
    assert_eq!(accepted.number, "b1-2510-0001");
    // Accepted on a holiday: the 9th is the first day.
    for (kind, due) in [
        (ComplaintLimit::FirstReply, "2025-10-09T17:00"),
        (ComplaintLimit::DefiniteAnswer, "2025-10-02T10:00"),
        (ComplaintLimit::Proposal, "2025-10-11T17:00"),
        (ComplaintLimit::Outcome, "2025-10-13T17:00"),
        (ComplaintLimit::Settlement, "2025-10-14T17:00"),
    ] {
        assert_eq!(limit(&accepted, kind).due_time, proto(due), "{kind:?}");
    }
    assert_eq!(accept(request.clone()).await.unwrap(), accepted, "a repetition");
    let again = AcceptComplaintRequest { request_id: request_id(), ..request };
    let status = accept(again).await;
    assert_eq!(detail(status, "state"), "HANDLING");
    assert_eq!(bed.count("complaint_accepted").await, 1);
}

#[tokio::test]
async fn c6_c7_accepted_at_23_59_59_and_on_a_make_up_saturday_the_day_still_counts() {
    for (accepted_at, proposal, outcome) in [
        ("2025-09-22T23:59:59", "2025-09-24T17:00", "2025-09-25T17:00"),
        ("2025-10-11T09:00:00", "2025-10-14T17:00", "2025-10-15T17:00"),
    ] {
        let bed = Bed::at(accepted_at).await;
        let name = bed.accepted("1").await;
        let complaint = bed.get(&officer("cases/1"), &name).await.unwrap();
        assert_eq!(limit(&complaint, ComplaintLimit::Proposal).due_time, proto(proposal));
        assert_eq!(limit(&complaint, ComplaintLimit::Outcome).due_time, proto(outcome));
    }
}

#[tokio::test]
async fn l12_a_client_who_is_vip_or_core_at_acceptance_has_shorter_limits() {
    let bed = Bed::at(NOW).await;
    bed.mark("vip", true, false).await;
    bed.mark("core", false, true).await;
    bed.mark("former", true, true).await;
    bed.mark("former", false, false).await;
    for (client, vip, due) in [
        ("vip", true, "2025-09-23T17:00"),
        ("core", true, "2025-09-23T17:00"),
        ("former", false, "2025-09-24T17:00"),
        ("unknown", false, "2025-09-24T17:00"),
    ] {
        let case = format!("cases/{client}");
        bed.open_case(&case, client).await;
        let filed = bed.file(&handler("zhang", &case), form(&case)).await.unwrap();
        let accepted = bed.accept(&case, &filed.name).await.unwrap();
        assert_eq!(
            (accepted.vip, limit(&accepted, ComplaintLimit::Proposal).due_time),
            (vip, proto(due)),
            "{client}"
        );
    }
    // Identified after filing: the case knows who it is.
    bed.open_case("cases/late", "").await;
    let filed = bed.file(&handler("zhang", "cases/late"), form("cases/late")).await.unwrap();
    let identified = ClientIdentified { client: "vip".into(), topic: String::new() };
    bed.ownership_event("cases/late", ownership_event::Event::ClientIdentified(identified)).await;
    bed.caught_up().await;
    assert!(bed.accept("cases/late", &filed.name).await.unwrap().vip);
}

#[tokio::test]
async fn c16_declining_needs_the_explanation_that_the_client_was_given() {
    let mut bed = Bed::at(NOW).await;
    let name = bed.filed("1").await;
    let officer = officer("cases/1");
    assert_eq!(refused(bed.decline(&officer, &name, " ").await), "FIELD_INVALID");
    let declined = bed.decline(&officer, &name, "the order was cancelled by yourself").await.unwrap();
    assert_eq!((declined.state(), declined.number.as_str()), (State::Declined, "b1-2509-0001"));
    assert_eq!(refused(bed.decline(&officer, &name, "again").await), "ILLEGAL_TRANSITION");
    assert_eq!(refused(bed.accept("cases/1", &name).await), "ILLEGAL_TRANSITION");
    let (row, event) = bed.next_of("complaint_declined").await;
    let complaints_event::Event::ComplaintDeclined(event) = event else { panic!("{event:?}") };
    assert_eq!((event.case.as_str(), event.declined_by.as_str()), ("cases/1", "employees/officer"));
    assert!(!String::from_utf8_lossy(&row.payload).contains("cancelled"));
    let record = bed.review(&officer, &name).await.unwrap();
    assert_eq!(record.decline_explanation, "the order was cancelled by yourself");
    // It may be taken up again and keeps its number.
    let reopened = bed.reopen(&lead("cases/1"), &name, "new evidence").await.unwrap();
    assert_eq!((reopened.state(), reopened.round), (State::Filed, 2));
    assert_eq!(bed.accept("cases/1", &name).await.unwrap().number, "b1-2509-0001");
    let second = bed.accepted("2").await;
    let second = bed.get(&crate::people::officer("cases/2"), &second).await.unwrap();
    assert_eq!(second.number, "b1-2509-0002");
}

#[tokio::test]
async fn l10_a_record_is_shown_in_full_with_an_entry_on_the_ledger_and_repeated_without_another() {
    let mut bed = Bed::at(NOW).await;
    let name = bed.accepted("1").await;
    let zhang = handler("zhang", "cases/1");
    bed.communicate(&zhang, &name, None).await.unwrap();
    bed.reply(&zhang, &name, ReplyKind::First).await.unwrap();
    let proposed = bed.propose(&zhang, crate::calls::proposal(&name)).await.unwrap();
    let request = GetComplaintRecordRequest {
        name: name.clone(),
        purpose: "to answer the client".into(),
        request_id: request_id(),
    };
    let record = bed.record(&zhang, request.clone()).await.unwrap();
    assert_eq!((record.client_name.as_str(), record.phone.as_str()), ("王小明", "+8613812345678"));
    assert_eq!((record.subject.as_str(), record.place.as_str()), ("order was not placed", "counter 3"));
    assert_eq!(record.course, "called twice, nobody answered");
    assert_eq!(
        (record.first_proposal.as_str(), record.persons_involved.as_str()),
        ("check the log", "his brother")
    );
    assert_eq!(
        (record.communications[0].person.as_str(), record.communications[0].content.as_str()),
        ("Li Lei", "asked for the log")
    );
    assert_eq!(record.replies, ["we are looking into it"]);
    assert_eq!(record.proposal, "apologise and mend");
    assert_eq!(record.measures, ["train the desk", "repair the line"]);
    assert_eq!(
        record.complaint.as_ref().unwrap().etag,
        proposed.etag,
        "a reader does not make an etag stale"
    );
    assert_eq!(bed.record(&zhang, request.clone()).await.unwrap(), record);
    assert_eq!(bed.count("complaint_record_shown").await, 1);
    let (row, event) = bed.next_of("complaint_record_shown").await;
    let complaints_event::Event::ComplaintRecordShown(shown) = event else { panic!("{event:?}") };
    assert_eq!(
        (shown.employee.as_str(), shown.purpose.as_str()),
        ("employees/zhang", "to answer the client")
    );
    assert_eq!(row.case_name, "cases/1");
    let no_purpose =
        GetComplaintRecordRequest { purpose: String::new(), request_id: request_id(), ..request };
    assert_eq!(refused(bed.record(&zhang, no_purpose).await), "FIELD_INVALID");
    // Who oversees: officer, lead, HQ, company leader; each showing is on record.
    for who in [officer("cases/1"), lead("cases/1"), hq("cases/1"), leader("cases/1")] {
        assert_eq!(bed.review(&who, &name).await.unwrap().subject, "order was not placed");
    }
    assert_eq!(bed.count("complaint_record_shown").await, 5);
    bed.send_back(&lead("cases/1"), &name).await.unwrap();
    assert_eq!(bed.review(&hq("cases/1"), &name).await.unwrap().remarks, ["measures are too weak"]);
}

#[tokio::test]
async fn l10_a_showing_is_not_repeated_for_who_is_not_responsible_any_more() {
    let bed = Bed::at(NOW).await;
    let name = bed.accepted("1").await;
    let formerly =
        |who: &CallContext| CallContext { capacity: Capacity::Replay.into(), epoch: 0, ..who.clone() };
    let (zhang, lead) = (handler("zhang", "cases/1"), lead("cases/1"));
    let purpose = "to answer the client";
    let request =
        GetComplaintRecordRequest { name: name.clone(), purpose: purpose.into(), request_id: request_id() };
    bed.record(&zhang, request.clone()).await.unwrap();
    // What the gateway answers as it refuses a new call.
    let status = bed.record(&formerly(&zhang), request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).as_deref()),
        (Code::FailedPrecondition, Some("NOT_A_REPLAY"))
    );
    let review = ReviewComplaintRequest { name, purpose: purpose.into(), request_id: request_id() };
    bed.client().review_complaint(request_of(&lead, review.clone())).await.unwrap();
    let again = bed.client().review_complaint(request_of(&formerly(&lead), review)).await;
    assert_eq!(refused(again), "NOT_A_REPLAY");
}

#[tokio::test]
async fn l10_the_feed_shows_private_texts_to_services_of_the_suite_only() {
    let bed = Bed::at(NOW).await;
    bed.filed("1").await;
    for (who, phone) in [(system(), "+8613812345678"), (lead("cases/1"), "")] {
        let mut feed = EventFeedClient::new(bed.first.service.routes());
        let request = WatchRequest { service: "complaints".into(), after: None };
        let mut events = feed.watch(request_of(&who, request)).await.unwrap().into_inner();
        let Some(Item::Event(event)) = events.message().await.unwrap().unwrap().item else { panic!() };
        let Some(Body::Complaints(body)) = event.body else { panic!() };
        let Some(complaints_event::Event::ComplaintFiled(filed)) = body.event else { panic!() };
        let shown = filed.phone.map(|phone| phone.form.unwrap());
        assert_eq!(shown, Some(Form::Clear(phone.to_owned())).filter(|_| !phone.is_empty()));
        assert_eq!(filed.phone_masked, "138****5678");
    }
}

#[tokio::test]
async fn only_an_employee_acts_on_a_complaint() {
    let bed = Bed::at(NOW).await;
    let name = bed.filed("1").await;
    let account = CallContext {
        principal: "serviceAccounts/crm".into(),
        employee: String::new(),
        ..officer("cases/1")
    };
    assert_eq!(refused(bed.accept_as(&account, &name, Severity::Minor).await), "EMPLOYEE_REQUIRED");
    assert_eq!(refused(bed.file(&account, form("cases/1")).await), "EMPLOYEE_REQUIRED");
}

#[tokio::test]
async fn a_former_handler_is_refused_by_the_epoch() {
    let bed = Bed::at(NOW).await;
    let name = bed.accepted("1").await;
    let now = CallContext { epoch: 5, ..handler("li", "cases/1") };
    bed.reply(&now, &name, ReplyKind::First).await.unwrap();
    let former = handler("zhang", "cases/1");
    assert_eq!(refused(bed.reply(&former, &name, ReplyKind::Definite).await), "STALE_EPOCH");
}
