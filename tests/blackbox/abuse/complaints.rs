//! Complaints and those who would rather handle them themselves: recused people, proposers who approve, results that somebody would like to be others.

use shouwen_proto::{
    callbacks::v1::{GetCallbackRequest, SupersedeResultRequest},
    complaints::v1::{
        CloseComplaintRequest, Complaint, DeclineComplaintRequest, GetComplaintRecordRequest,
        ReturnProposalRequest, ReviewComplaintRequest, complaint,
    },
    events::v1::{ComplaintEnd, ReplyKind, Severity},
    ownership::v1::{AcceptOfferRequest, BeginOverrideRequest},
    r#type::v1::{MeasuresFound, Satisfaction},
};
use tonic::Code;

use super::{answered, meets};
use crate::harness::{
    Shared, Suite, complaints, id, refused, requests,
    steps::{case_becomes, leased, once_not},
};

/// A complaint about these people on a fresh case of `li`, waiting for the officer; returns the case and the complaint.
async fn filed(suite: &Suite, call: &str, about: &[&str]) -> (String, Complaint) {
    let case = answered(suite, call).await;
    let filed = complaints::filed(&suite.employee("li"), complaints::file(&case, about)).await;
    (case, filed)
}

async fn accepted(suite: &Suite, call: &str, about: &[&str]) -> (String, Complaint) {
    let (case, filed) = filed(suite, call, about).await;
    let accept = complaints::accept(&filed.name, Severity::Minor);
    let accepted = suite.employee("officer").complaints().accept_complaint(accept).await.unwrap();
    (case, accepted.into_inner())
}

/// A complaint that `li` has handled, approved by the lead.
async fn handled(suite: &Suite, call: &str) -> Complaint {
    let (_, accepted) = accepted(suite, call, &[]).await;
    let (li, name) = (suite.employee("li"), accepted.name);
    let propose = complaints::propose(&name, &["wang"]);
    let proposed = li.complaints().propose_handling(propose).await.unwrap().into_inner();
    suite.employee("lead").complaints().approve_proposal(complaints::approve(&proposed)).await.unwrap();
    li.complaints().record_reply(complaints::reply(&name, ReplyKind::Outcome)).await.unwrap();
    li.complaints().record_measure(complaints::measure(&name, 1)).await.unwrap();
    li.complaints().complete_handling(complaints::handled(&name)).await.unwrap().into_inner()
}

#[tokio::test]
async fn o12_nobody_handles_a_complaint_about_themselves() {
    let suite = Shared::suite().await;
    // About everybody of the branch who could decide something.
    let (case, filed) = filed(&suite, "recused-1", &["li", "officer", "lead"]).await;
    let hq = suite.employee("hq");
    let moved =
        case_becomes(&hq, &case, "headquarters answer for it", |case| case.handler == "employees/hq").await;
    assert_eq!((&*moved.accountable, &*moved.first_responder), ("employees/hq", "employees/li"));

    let name = || filed.name.clone();
    let (officer, lead, li) = (suite.employee("officer"), suite.employee("lead"), suite.employee("li"));
    let accept = complaints::accept(&filed.name, Severity::Minor);
    let decline = DeclineComplaintRequest {
        name: name(),
        explanation: "没有依据".to_owned(),
        etag: String::new(),
        request_id: id(),
    };
    let review = ReviewComplaintRequest { name: name(), purpose: "看看".to_owned(), request_id: id() };
    let refusals = [
        ("accepting", refused(officer.complaints().accept_complaint(accept.clone()).await)),
        (
            "accepting as lead",
            refused(
                lead.complaints().accept_complaint(complaints::accept(&filed.name, Severity::Minor)).await,
            ),
        ),
        ("declining", refused(officer.complaints().decline_complaint(decline).await)),
        ("reading the record", refused(lead.complaints().review_complaint(review).await)),
    ];
    for (what, refusal) in &refusals {
        meets(what, refusal, Code::PermissionDenied, "RECUSED");
        assert_eq!(refusal.metadata["complaint"], filed.name, "{what}");
    }
    // Neither by an override nor by an offer do they come back.
    let begin = BeginOverrideRequest {
        name: case.clone(),
        reason: "我来处理".to_owned(),
        request_id: id(),
        ..Default::default()
    };
    assert_eq!(refused(lead.cases().begin_override(begin).await).code, Code::PermissionDenied);
    let refusal = refused(hq.cases().offer_transfer(requests::offer(&case, "li")).await);
    meets("an offer", &refusal, Code::InvalidArgument, "RECEIVER_INVALID");
    let record = GetComplaintRecordRequest { name: name(), purpose: "看看".to_owned(), request_id: id() };
    let refusal = refused(li.complaints().get_complaint_record(record).await);
    meets("the former handler", &refusal, Code::PermissionDenied, "NOT_RESPONSIBLE");

    let accepted = hq.complaints().accept_complaint(complaints::accept(&filed.name, Severity::Minor)).await;
    assert_eq!(accepted.unwrap().into_inner().state(), complaint::State::Handling);
    let proposed =
        hq.complaints().propose_handling(complaints::propose(&filed.name, &["wang"])).await.unwrap();
    let refusal = refused(lead.complaints().approve_proposal(complaints::approve(proposed.get_ref())).await);
    meets("approving", &refusal, Code::PermissionDenied, "RECUSED");
}

#[tokio::test]
async fn o12_an_offer_to_who_is_complained_about_falls() {
    let suite = Shared::suite().await;
    let case = answered(&suite, "recused-2").await;
    let li = suite.employee("li");
    let offered = li.cases().offer_transfer(requests::offer(&case, "wang")).await.unwrap().into_inner();
    let offer = offered.offer.unwrap().offer;
    complaints::filed(&li, complaints::file(&case, &["wang"])).await;
    let left = case_becomes(&li, &case, "the offer falls", |case| !case.recused.is_empty()).await;
    assert_eq!((&left.offer, &*left.handler), (&None, "employees/li"));
    let accept = AcceptOfferRequest { name: case, offer, request_id: id() };
    refused(suite.employee("wang").cases().accept_offer(accept).await);
}

#[tokio::test]
async fn o12_a_complaint_names_nobody_who_is_not_in_the_roster() {
    let suite = Shared::suite().await;
    // Who has left may still be complained about.
    let (case, accepted) = accepted(&suite, "named-1", &["gone"]).await;
    let li = suite.employee("li");
    let file = complaints::file(&case, &["zhang", "zhnag"]);
    let refusal = refused(li.complaints().file_complaint(file).await);
    meets("a mistyped name", &refusal, Code::InvalidArgument, "EMPLOYEE_UNKNOWN");
    let named = (&*refusal.metadata["field"], &*refusal.metadata["employee"]);
    assert_eq!(named, ("complained_about[1]", "employees/zhnag"));
    let propose = complaints::propose(&accepted.name, &["wnag"]);
    let refusal = refused(li.complaints().propose_handling(propose).await);
    meets("a measure of nobody", &refusal, Code::InvalidArgument, "EMPLOYEE_UNKNOWN");
    assert_eq!(refusal.metadata["field"], "measures[0].responsible");
}

#[tokio::test]
async fn p3_who_proposes_does_not_approve_and_nobody_approves_twice() {
    let suite = Shared::suite().await;
    let (_, accepted) = accepted(&suite, "second-1", &["li"]).await;
    let (lead, hq) = (suite.employee("lead"), suite.employee("hq"));
    // The lead answers for it now, and proposes what a lead could approve.
    let propose = complaints::propose(&accepted.name, &["wang"]);
    let proposed =
        once_not("NOT_RESPONSIBLE", async || lead.complaints().propose_handling(propose.clone()).await).await;
    let send_back = ReturnProposalRequest {
        name: accepted.name.clone(),
        remarks: "再核实".to_owned(),
        etag: String::new(),
        request_id: id(),
    };
    let refusals = [
        ("approving", refused(lead.complaints().approve_proposal(complaints::approve(&proposed)).await)),
        ("returning", refused(lead.complaints().return_proposal(send_back).await)),
    ];
    for (what, refusal) in &refusals {
        meets(what, refusal, Code::PermissionDenied, "SECOND_PERSON_REQUIRED");
    }
    let mut blind = complaints::approve(&proposed);
    blind.etag = String::new();
    let refusal = refused(hq.complaints().approve_proposal(blind).await);
    meets("without having read it", &refusal, Code::InvalidArgument, "FIELD_INVALID");
    let refusal = refused(hq.complaints().approve_proposal(complaints::approve(&accepted)).await);
    meets("another proposal", &refusal, Code::Aborted, "ETAG_MISMATCH");
    let approved =
        hq.complaints().approve_proposal(complaints::approve(&proposed)).await.unwrap().into_inner();
    assert_eq!(approved.state(), complaint::State::Approved);

    // Of a grave one three levels approve, and none of them is the same person.
    let (_, filed) = filed(&suite, "second-2", &[]).await;
    let accept = complaints::accept(&filed.name, Severity::Grave);
    suite.employee("officer").complaints().accept_complaint(accept).await.unwrap();
    let proposed = suite
        .employee("li")
        .complaints()
        .propose_handling(complaints::propose(&filed.name, &["wang"]))
        .await
        .unwrap()
        .into_inner();
    let once = hq.complaints().approve_proposal(complaints::approve(&proposed)).await.unwrap().into_inner();
    let refusal = refused(hq.complaints().approve_proposal(complaints::approve(&once)).await);
    meets("approving twice", &refusal, Code::PermissionDenied, "SECOND_PERSON_REQUIRED");
    let refusal = refused(lead.complaints().approve_proposal(complaints::approve(&once)).await);
    meets("a lead for headquarters", &refusal, Code::PermissionDenied, "LEVEL_TOO_HIGH");
    let leader = suite.employee("leader");
    let twice = leader.complaints().approve_proposal(complaints::approve(&once)).await.unwrap().into_inner();
    assert_eq!(twice.state(), complaint::State::Proposed);
}

#[tokio::test]
async fn c11_a_verification_is_superseded_by_a_second_person_and_never_edited() {
    let suite = Shared::suite().await;
    let handled = handled(&suite, "verified-1").await;
    let lead = suite.employee("lead");
    let callback = complaints::verification("east", &handled.name, 1);
    leased(&lead, &callback).await;
    let complete = requests::verify(&callback, Satisfaction::Satisfied, MeasuresFound::CarriedOut);
    lead.callbacks().complete_callback(complete).await.unwrap();
    complaints::becomes(&lead, &handled.name, "closed", |it| it.state() == complaint::State::Closed).await;

    // Completing it again is no way to edit it.
    let again = requests::verify(&callback, Satisfaction::Dissatisfied, MeasuresFound::CarriedOut);
    assert_eq!(refused(lead.callbacks().complete_callback(again).await).code, Code::FailedPrecondition);
    let supersede = || SupersedeResultRequest {
        name: callback.clone(),
        reason: "录音与记录不符".to_owned(),
        solved: false,
        attitude: Satisfaction::Neutral.into(),
        overall: Satisfaction::Dissatisfied.into(),
        score: 2,
        charged: false,
        measures: MeasuresFound::WithoutEffect.into(),
        request_id: id(),
    };
    let refusal = refused(lead.callbacks().supersede_result(supersede()).await);
    meets("by who recorded it", &refusal, Code::PermissionDenied, "SECOND_PERSON_REQUIRED");
    let refusal = refused(suite.employee("wang").callbacks().supersede_result(supersede()).await);
    meets("by staff", &refusal, Code::PermissionDenied, "ROLE_REQUIRED");
    suite.employee("hq").callbacks().supersede_result(supersede()).await.unwrap();

    // Both stay visible, here and on the complaint, which is taken up again.
    let get = GetCallbackRequest { name: callback };
    let shown = lead.callbacks().get_callback(get).await.unwrap().into_inner();
    let former = &shown.superseded_results[..];
    assert_eq!(
        (former.len(), &*former[0].employee, &*former[0].superseded_reason),
        (1, "employees/lead", "录音与记录不符")
    );
    assert_eq!(former[0].overall(), Satisfaction::Satisfied);
    let standing = shown.result.unwrap();
    assert_eq!((standing.overall(), &*standing.employee), (Satisfaction::Dissatisfied, "employees/hq"));
    let reopened = complaints::becomes(&lead, &handled.name, "taken up again", |it| it.round == 2).await;
    assert_eq!(reopened.state(), complaint::State::Handling);
    let told: Vec<_> = reopened.verifications.iter().map(|it| (it.satisfied, it.superseded)).collect();
    assert_eq!(told, [(true, true), (false, false)]);
}

#[tokio::test]
async fn o8_a_client_whom_nobody_has_tried_to_reach_is_not_unreachable() {
    let suite = Shared::suite().await;
    let handled = handled(&suite, "untried-1").await;
    let close = CloseComplaintRequest {
        name: handled.name.clone(),
        end: ComplaintEnd::Unreachable.into(),
        reason: "联系不上".to_owned(),
        etag: handled.etag,
        request_id: id(),
    };
    let refusal = refused(suite.employee("lead").complaints().close_complaint(close).await);
    meets("untried", &refusal, Code::FailedPrecondition, "ATTEMPTS_OPEN");
    assert_eq!(refusal.metadata["callback"], complaints::verification("east", &handled.name, 1));
}

#[tokio::test]
async fn a_complaint_is_reached_only_under_its_own_case_and_by_its_branch() {
    let suite = Shared::suite().await;
    let (_, filed) = filed(&suite, "reach-complaint", &[]).await;
    let other = answered(&suite, "reach-other").await;
    let id_of = filed.name.rsplit('/').next().unwrap().to_owned();
    let li = suite.employee("li");
    let elsewhere = format!("{other}/complaints/{id_of}");
    let get = |name: &str| shouwen_proto::complaints::v1::GetComplaintRequest { name: name.to_owned() };
    let refusal = refused(li.complaints().get_complaint(get(&elsewhere)).await);
    assert!(["COMPLAINT_NOT_FOUND", "CASE_MISMATCH"].contains(&&*refusal.reason), "{refusal:?}");
    let nothing = format!("{other}/complaints/0198f0aa-0000-7000-8000-000000000000");
    let refusal = refused(li.complaints().get_complaint(get(&nothing)).await);
    meets("no complaint", &refusal, Code::NotFound, "COMPLAINT_NOT_FOUND");
    let refusal = refused(suite.employee("chen").complaints().get_complaint(get(&filed.name)).await);
    meets("another branch", &refusal, Code::PermissionDenied, "BRANCH_OUT_OF_REACH");
    // The unit that received it is the caller's, unless headquarters file it for another.
    let mut foreign = complaints::file(&other, &[]);
    foreign.receiving_unit = "branches/west".to_owned();
    let refusal = refused(li.complaints().file_complaint(foreign).await);
    meets("another unit", &refusal, Code::PermissionDenied, "BRANCH_OUT_OF_REACH");
}
