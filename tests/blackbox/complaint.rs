//! One complaint through all services, in real time: a client calls, complains about who answered, is answered, called back, and in the end satisfied.

use shouwen_proto::{
    callbacks::v1::{GetCallbackRequest, ListDueCallbacksRequest},
    clients::v1::{AnswerVerificationRequest, GetFullClientRequest, StartVerificationRequest},
    complaints::v1::{Complaint, ReviewComplaintRequest, complaint},
    events::v1::{ApprovalLevel, CloseKind, ComplaintEnd, IdentityFactor, ReplyKind, Severity},
    ownership::v1::{
        Case, ConfirmSatisfactionRequest, GetTimelineRequest, IdentifyClientRequest, ResolveCaseRequest, case,
    },
    r#type::v1::{CallbackKind, ClientClass, MeasuresFound, Satisfaction},
};
use shouwen_testkit::until;
use tonic::Code;

use crate::harness::{
    Client, PATIENCE, Shared, Suite, complaints,
    files::{self, phone},
    id, refused, requests,
    steps::{answered, case, case_becomes, leased},
};

const CLIENT: &str = "C-complains";
const SERIAL: u32 = 40_001;

#[tokio::test]
async fn c9_a_complaint_goes_through_all_services_until_the_client_is_satisfied() {
    let suite = Shared::suite().await;
    let (li, lead) = (suite.employee("li"), suite.employee("lead"));
    let name = identified(&suite, "complaint-1").await;

    // The client complains about who answered: from now on the lead answers for the case (O12), and the first responder stays a fact (O1).
    let filed = complaints::filed(&li, complaints::file(&name, &["li"])).await;
    assert_eq!(filed.state(), complaint::State::Filed);
    assert_eq!((&*filed.receiving_unit, &*filed.phone), ("branches/east", "138****5678"));
    assert_eq!(filed.number, "", "C15: the number is given at acceptance");
    let moved =
        case_becomes(&lead, &name, "the lead answers for the case", |case| case.handler != "employees/li")
            .await;
    assert_eq!((&*moved.accountable, &*moved.handler), ("employees/lead", "employees/lead"));
    assert_eq!(moved.first_responder, "employees/li");
    assert_eq!(
        (&moved.recused[..], &moved.open_complaints[..]),
        (&["employees/li".to_owned()][..], &[filed.name.clone()][..])
    );
    // While the gateway remembers that the case was theirs, complaints itself refuses them.
    let refusal = until("the gateway refuses who does not handle the case any more", PATIENCE, async || {
        let reply = complaints::reply(&filed.name, ReplyKind::First);
        let refusal = refused(li.complaints().record_reply(reply).await);
        (refusal.kind() != (Code::PermissionDenied, "RECUSED")).then_some(refusal)
    })
    .await;
    assert_eq!(refusal.kind(), (Code::PermissionDenied, "NOT_RESPONSIBLE"));
    assert_eq!(refusal.metadata["handler"], "employees/lead");

    let accept = complaints::accept(&filed.name, Severity::Serious);
    let accepted =
        suite.employee("officer").complaints().accept_complaint(accept).await.unwrap().into_inner();
    assert_eq!(accepted.state(), complaint::State::Handling);
    assert_eq!((accepted.round, &*accepted.accepted_by), (1, "employees/officer"));
    assert!(
        accepted.number.starts_with("east-") && accepted.number.len() == "east-2609-0001".len(),
        "{}",
        accepted.number
    );

    // First round: approved, told, carried out, and still the client is not satisfied.
    handled(&suite, &name, &filed.name).await;
    let callback = verified(&suite, &filed.name, 1, Satisfaction::Dissatisfied).await;
    let reopened =
        complaints::becomes(&lead, &filed.name, "the complaint is taken up again", |it| it.round == 2).await;
    assert_eq!(reopened.state(), complaint::State::Handling);
    assert_eq!((reopened.verifications.len(), reopened.verifications[0].satisfied), (1, false));
    assert_eq!(
        (&*reopened.verifications[0].callback, &*reopened.verifications[0].employee),
        (&*callback, "employees/wang")
    );
    assert_eq!(reopened.number, accepted.number);
    let again =
        case_becomes(&lead, &name, "the case is taken up again", |case| case.state() == case::State::Open)
            .await;
    assert_eq!((again.reopen_count, &*again.accountable), (1, "employees/lead"));

    // The case does not end before its complaint.
    let resolve = resolve(&name);
    lead.cases().resolve_case(resolve).await.unwrap();
    let satisfied = ConfirmSatisfactionRequest {
        name: name.clone(),
        satisfied: true,
        request_id: id(),
        ..Default::default()
    };
    let refusal = refused(lead.cases().confirm_satisfaction(satisfied).await);
    assert_eq!(refusal.kind(), (Code::FailedPrecondition, "COMPLAINT_OPEN"));
    assert_eq!(refusal.metadata["complaint"], filed.name);

    // Second round: satisfied, and everything ends by itself.
    handled(&suite, &name, &filed.name).await;
    verified(&suite, &filed.name, 2, Satisfaction::Satisfied).await;
    let closed = complaints::becomes(&lead, &filed.name, "the complaint is closed", |it| {
        it.state() == complaint::State::Closed
    })
    .await;
    assert_eq!(closed.end(), ComplaintEnd::Satisfied);
    assert_eq!(closed.verifications.iter().map(|it| it.satisfied).collect::<Vec<_>>(), [false, true]);
    let ended =
        case_becomes(&lead, &name, "the case is closed", |case| case.state() == case::State::Closed).await;
    assert_eq!(ended.close_kind(), CloseKind::Satisfied);
    assert!(ended.open_complaints.is_empty(), "{ended:?}");
    told_by_the_timeline(&lead, &ended).await;
}

/// The client calls, proves who they are, and is known from then on; returns the case.
async fn identified(suite: &Suite, call: &str) -> String {
    let mut input = files::input(CLIENT, "east", SERIAL);
    // L2, L12: A+ with a turnover of 3.2, VIP by its assets.
    input.assets_fen = 600_000_000;
    let file = files::save(&suite.account("crm-east"), input).await;
    assert_eq!(
        (file.client_class(), file.vip, &*file.service_manager),
        (ClientClass::APlus, true, "employees/lead")
    );

    let li = suite.employee("li");
    let name = answered(suite, call, "li").await;
    let identify = IdentifyClientRequest {
        contact: format!("contacts/{call}"),
        phone: phone(SERIAL),
        request_id: id(),
        ..Default::default()
    };
    assert_eq!(li.cases().identify_client(identify).await.unwrap().into_inner().client, CLIENT);
    let bound =
        case_becomes(&li, &name, "the case knows the client's file", |case| !case.client_file.is_empty())
            .await;
    assert_eq!(bound.client_file, format!("clients/{CLIENT}"));

    // K11: nothing is disclosed before two factors have matched.
    let client = format!("clients/{CLIENT}");
    let full =
        || GetFullClientRequest {
            name: client.clone(), purpose: "核对资料".to_owned(), request_id: id()
        };
    let refusal = refused(li.clients().get_full_client(full()).await);
    assert_eq!(refusal.kind(), (Code::FailedPrecondition, "IDENTITY_NOT_VERIFIED"));
    let start = StartVerificationRequest { name: client.clone(), request_id: id() };
    let verification = li.clients().start_verification(start).await.unwrap().into_inner();
    for (factor, passed) in [(IdentityFactor::ReservedPhone, false), (IdentityFactor::Holdings, true)] {
        let answer = AnswerVerificationRequest {
            name: client.clone(),
            verification: verification.verification.clone(),
            factor: factor.into(),
            value: files::answer(SERIAL, factor),
            request_id: id(),
        };
        assert_eq!(li.clients().answer_verification(answer).await.unwrap().into_inner().passed, passed);
    }
    let shown = li.clients().get_full_client(full()).await.unwrap().into_inner();
    assert_eq!((&*shown.phone, &*shown.display_name), (&*format!("+86{}", phone(SERIAL)), "令狐冲"));
    li.calls().record_call(requests::record(call)).await.unwrap();
    name
}

/// The lead proposes, two others approve on two levels, the client is told, the measure carried out, the case answered.
async fn handled(suite: &Suite, case: &str, name: &str) {
    let lead = suite.employee("lead");
    let propose = complaints::propose(name, &["wang"]);
    let proposed = lead.complaints().propose_handling(propose).await.unwrap().into_inner();
    let levels = &proposed.proposal.as_ref().unwrap().open_levels;
    assert_eq!(levels, &[i32::from(ApprovalLevel::BranchHead), i32::from(ApprovalLevel::Hq)]);
    let outcome = complaints::reply(name, ReplyKind::Outcome);
    let refusal = refused(lead.complaints().record_reply(outcome.clone()).await);
    assert_eq!(refusal.kind(), (Code::FailedPrecondition, "NOT_APPROVED"));

    let by = async |who: &str, of: &Complaint| {
        let approve = complaints::approve(of);
        suite.employee(who).complaints().approve_proposal(approve).await.unwrap().into_inner()
    };
    let once = by("hq", &proposed).await;
    assert_eq!(once.state(), complaint::State::Proposed);
    let twice = by("hq-two", &once).await;
    assert_eq!(twice.state(), complaint::State::Approved);

    let refusal = refused(lead.complaints().complete_handling(complaints::handled(name)).await);
    assert_eq!(refusal.kind(), (Code::FailedPrecondition, "REPLY_MISSING"));
    lead.complaints().record_reply(outcome).await.unwrap();
    let refusal = refused(lead.complaints().complete_handling(complaints::handled(name)).await);
    assert_eq!(refusal.kind(), (Code::FailedPrecondition, "MEASURES_OPEN"));
    lead.complaints().record_measure(complaints::measure(name, 1)).await.unwrap();
    // Answered, unless that was said before.
    if self::case(&lead, case).await.state() == case::State::Open {
        lead.cases().resolve_case(resolve(case)).await.unwrap();
    }
    let done = lead.complaints().complete_handling(complaints::handled(name)).await.unwrap().into_inner();
    assert_eq!(done.state(), complaint::State::Handled);
}

fn resolve(case: &str) -> ResolveCaseRequest {
    ResolveCaseRequest {
        name: case.to_owned(),
        answer: "已致歉并纠正".to_owned(),
        etag: String::new(),
        request_id: id(),
    }
}

/// The receiving unit calls back: not who was complained about (B7), but a colleague. Returns the callback's name.
async fn verified(suite: &Suite, name: &str, round: i32, overall: Satisfaction) -> String {
    let wang = suite.employee("wang");
    let callback = complaints::verification("east", name, round);
    let (number, _) = leased(&wang, &callback).await;
    assert_eq!(number, format!("+86{}", requests::CALLER));
    let get = GetCallbackRequest { name: callback.clone() };
    let shown = wang.callbacks().get_callback(get).await.unwrap().into_inner();
    assert_eq!(shown.kind(), CallbackKind::Verification);
    assert_eq!((&*shown.complaint, &*shown.recused), (name, &["employees/li".to_owned()][..]));
    let due =
        ListDueCallbacksRequest { parent: "branches/east".to_owned(), page_size: 200, ..Default::default() };
    let due = wang.callbacks().list_due_callbacks(due).await.unwrap().into_inner().callbacks;
    assert!(due.iter().any(|listed| listed.name == callback), "{due:?}");

    let refusal = refused(suite.employee("li").callbacks().lease_callback(requests::lease(&callback)).await);
    assert_eq!(refusal.kind(), (Code::PermissionDenied, "RECUSED"));
    assert_eq!(refusal.metadata["complaint"], name);
    let unsaid = requests::complete(&callback, overall);
    let refusal = refused(wang.callbacks().complete_callback(unsaid).await);
    assert_eq!(refusal.kind(), (Code::InvalidArgument, "MEASURES_REQUIRED"));
    let complete = requests::verify(&callback, overall, MeasuresFound::CarriedOut);
    wang.callbacks().complete_callback(complete).await.unwrap();
    callback
}

/// The case's timeline holds what every service did about it, in the order of time.
async fn told_by_the_timeline(lead: &Client, ended: &Case) {
    let request = GetTimelineRequest { name: ended.name.clone(), page_size: 500, page_token: String::new() };
    let timeline = lead.cases().get_timeline(request).await.unwrap().into_inner();
    let told: Vec<(&str, &str)> =
        timeline.entries.iter().map(|entry| (&*entry.service, &*entry.r#type)).collect();
    for (expected, times) in [
        (("ownership", "case_opened"), 1),
        (("calls", "call_answered"), 1),
        (("ownership", "client_identified"), 1),
        (("complaints", "complaint_filed"), 1),
        (("ownership", "complaint_opened"), 1),
        (("ownership", "accountability_moved"), 1),
        (("complaints", "complaint_accepted"), 1),
        (("complaints", "handling_proposed"), 2),
        (("complaints", "proposal_approved"), 4),
        (("complaints", "handling_completed"), 2),
        (("callbacks", "callback_scheduled"), 2),
        (("callbacks", "callback_completed"), 2),
        (("complaints", "complaint_reopened"), 1),
        (("ownership", "case_reopened"), 1),
        (("complaints", "complaint_closed"), 1),
        (("ownership", "complaint_settled"), 1),
        (("ownership", "case_closed"), 1),
    ] {
        let found = told.iter().filter(|it| **it == expected).count();
        assert_eq!(found, times, "{expected:?} in {told:?}");
    }
    assert!(timeline.entries.is_sorted_by_key(|entry| entry.time.map(|time| (time.seconds, time.nanos))));
}

#[tokio::test]
async fn c16_a_complaint_without_grounds_is_declined_with_its_explanation_and_leaves_the_case_open() {
    use shouwen_proto::complaints::v1::DeclineComplaintRequest;

    let suite = Shared::suite().await;
    let name = answered(&suite, "complaint-2", "li").await;
    let filed = complaints::filed(&suite.employee("li"), complaints::file(&name, &[])).await;
    let (li, officer) = (suite.employee("li"), suite.employee("officer"));
    case_becomes(&li, &name, "the case knows its complaint", |case| !case.open_complaints.is_empty()).await;
    let decline = DeclineComplaintRequest {
        name: filed.name.clone(),
        explanation: "该规则由交易所统一规定".to_owned(),
        etag: filed.etag,
        request_id: id(),
    };
    let declined = officer.complaints().decline_complaint(decline).await.unwrap().into_inner();
    assert_eq!(declined.state(), complaint::State::Declined);
    assert!(declined.number.starts_with("east-"), "{}", declined.number);
    let review = ReviewComplaintRequest { name: filed.name, purpose: "复核".to_owned(), request_id: id() };
    let record = officer.complaints().review_complaint(review).await.unwrap().into_inner();
    assert_eq!(record.decline_explanation, "该规则由交易所统一规定");
    let settled =
        case_becomes(&li, &name, "the case has no open complaint", |case| case.open_complaints.is_empty())
            .await;
    assert_eq!(settled.state(), case::State::Open);
}
