//! What happens to the distinctive client: a file, calls, an identity verified, a complaint with everything that can be written about it, callbacks to
//! the end. Returned is what was answered masked.

use std::fmt::Debug;

use chrono::TimeDelta;
use futures_util::stream;
use shouwen_proto::{
    callbacks::v1::{GetCallbackRequest, ListDueCallbacksRequest},
    calls::v1::{ConfirmRecordRequest, GetCallRequest, ListCallsRequest, MissCallRequest},
    clients::v1::{
        AnswerVerificationRequest, ClientInput, GetClientRequest, GetFullClientRequest, ImportClientsRequest,
        ListClientsRequest, ResolveClientRequest, StartVerificationRequest,
    },
    complaints::v1::{
        DeclineComplaintRequest, GetComplaintRecordRequest, ListComplaintsRequest, ProposeHandlingRequest,
        RecordCommunicationRequest, RecordMeasureRequest, RecordReplyRequest, ReturnProposalRequest,
        ReviewComplaintRequest, complaint,
    },
    events::v1::{IdentityFactor, ReplyKind, Severity},
    ownership::v1::{
        DeclineOfferRequest, GetReceiptRequest, GetTimelineRequest, IdentifyClientRequest, ListCasesRequest,
        ResolveCaseRequest,
    },
    routing::v1::WatchDeskRequest,
    r#type::v1::{MeasuresFound, Satisfaction},
};
use shouwen_runtime::clock::now;

use super::bird::{
    ADDRESS, CALLER, EMAIL, HOLDING, NAME, PHONE, PURCHASE, WRONG_CODE, WRONG_PHONE, account,
    identity_number, text, wrong_identity_number,
};
use crate::harness::{
    Suite, complaints, files, id, requests,
    steps::{case_becomes, leased},
};

const CLIENT: &str = "canary";
const BRANCH: &str = "branches/east";

/// Answers that everybody may see who may call.
#[derive(Default)]
struct Shown(Vec<u8>);

impl Shown {
    fn note<T: Debug>(&mut self, answer: &T) {
        self.0.extend(format!("{answer:?}\n").into_bytes());
    }
}

/// The whole life.
pub(super) async fn lived(suite: &Suite) -> Vec<u8> {
    let mut shown = Shown::default();
    entered(suite, &mut shown).await;
    let case = called(suite, &mut shown).await;
    verified(suite).await;
    promised(suite, &case, &mut shown).await;
    complained(suite, &case, &mut shown).await;
    let other = missed_and_declined(suite, &mut shown).await;
    for case in [&case, &other] {
        looked_at(suite, case, &mut shown).await;
    }
    shown.0
}

/// The client as the CRM delivers it.
pub(super) fn input() -> ClientInput {
    let mut input = files::input(CLIENT, "east", 1);
    input.display_name = NAME.into();
    input.phone = PHONE.into();
    input.identity_number = identity_number();
    input.email = EMAIL.into();
    input.address = ADDRESS.into();
    input.capital_accounts[0].account = account();
    input.holdings = vec![HOLDING.to_owned()];
    input.last_purchase = PURCHASE.into();
    input
}

async fn entered(suite: &Suite, shown: &mut Shown) {
    let crm = suite.account("crm-east");
    let lines = [ImportClientsRequest { request_id: id(), line: 1, client: Some(input()) }];
    let operation = crm.clients().import_clients(stream::iter(lines)).await.unwrap().into_inner();
    assert!(operation.done, "{operation:?}");
    shown.note(&operation);
    // Changed once, with evidence (L9).
    let mut moved = input();
    moved.address = format!("{ADDRESS}二楼");
    moved.contact_evidence = "recording-17".into();
    shown.note(&files::save(&crm, moved).await);
    let by = [
        ResolveClientRequest { phone: PHONE.to_owned(), ..Default::default() },
        ResolveClientRequest { identity_number: identity_number(), ..Default::default() },
        ResolveClientRequest { capital_account: account(), ..Default::default() },
    ];
    let li = suite.employee("li");
    for request in by {
        let found = li.clients().resolve_client(request).await.unwrap().into_inner();
        assert_eq!(found.clients.len(), 1);
        shown.note(&found);
    }
}

/// A call from elsewhere, answered, identified, recorded, offered to a colleague who declines.
async fn called(suite: &Suite, shown: &mut Shown) -> String {
    let (li, wang) = (suite.employee("li"), suite.employee("wang"));
    let mut register = requests::register("canary-1");
    register.caller = CALLER.into();
    shown.note(&suite.account("telephony").calls().register_call(register).await.unwrap().into_inner());
    let call = li.calls().answer_call(requests::answer("canary-1")).await.unwrap().into_inner();
    let identify = IdentifyClientRequest {
        contact: "contacts/canary-1".to_owned(),
        phone: PHONE.to_owned(),
        request_id: id(),
        ..Default::default()
    };
    assert_eq!(li.cases().identify_client(identify).await.unwrap().into_inner().client, CLIENT);
    let mut record = requests::record("canary-1");
    record.client_name = NAME.into();
    record.phone = PHONE.into();
    record.summary = text("摘要");
    record.handling = text("处理");
    record.assessment = text("评价");
    shown.note(&li.calls().record_call(record).await.unwrap().into_inner());
    let confirm = ConfirmRecordRequest { name: "calls/canary-1".to_owned(), request_id: id() };
    shown.note(&li.calls().confirm_record(confirm).await.unwrap().into_inner());

    let mut offer = requests::offer(&call.case, "wang");
    offer.explanation = text("移交说明");
    let offered = li.cases().offer_transfer(offer).await.unwrap().into_inner();
    let decline = DeclineOfferRequest {
        name: call.case.clone(),
        offer: offered.offer.as_ref().unwrap().offer.clone(),
        reason: "正忙".to_owned(),
        request_id: id(),
    };
    shown.note(&offered);
    shown.note(&wang.cases().decline_offer(decline).await.unwrap().into_inner());
    call.case
}

/// Two wrong answers, then right ones, then the whole file (K11).
async fn verified(suite: &Suite) {
    let li = suite.employee("li");
    let name = format!("clients/{CLIENT}");
    let start = async || {
        let start = StartVerificationRequest { name: name.clone(), request_id: id() };
        li.clients().start_verification(start).await.unwrap().into_inner().verification
    };
    let answer = async |verification: &str, factor: IdentityFactor, value: &str| {
        let answer = AnswerVerificationRequest {
            name: name.clone(),
            verification: verification.to_owned(),
            factor: factor.into(),
            value: value.to_owned(),
            request_id: id(),
        };
        li.clients().answer_verification(answer).await.unwrap().into_inner()
    };
    let first = start().await;
    assert!(!answer(&first, IdentityFactor::ReservedPhone, WRONG_PHONE).await.failed.is_empty());
    answer(&first, IdentityFactor::LastPurchase, WRONG_CODE).await;
    let second = start().await;
    answer(&second, IdentityFactor::Holdings, HOLDING).await;
    assert!(answer(&second, IdentityFactor::IdentityNumber, &identity_number()).await.passed);
    // The failures are forgotten with it; now a number of somebody else.
    let third = start().await;
    answer(&third, IdentityFactor::IdentityNumber, &wrong_identity_number()).await;
    let fourth = start().await;
    answer(&fourth, IdentityFactor::LastPurchase, PURCHASE).await;
    assert!(answer(&fourth, IdentityFactor::ReservedPhone, PHONE).await.passed);

    let full = GetFullClientRequest { name, purpose: "核对资料".to_owned(), request_id: id() };
    let full = li.clients().get_full_client(full).await.unwrap().into_inner();
    assert_eq!((&*full.display_name, &*full.identity_number), (NAME, &*identity_number()));
    assert!(full.address.starts_with(ADDRESS) && full.email == EMAIL && full.last_purchase == PURCHASE);
}

/// A callback at another number, made and completed unsatisfied.
async fn promised(suite: &Suite, case: &str, shown: &mut Shown) {
    let li = suite.employee("li");
    let mut promise = requests::promise("canary-1", now() + TimeDelta::milliseconds(1500));
    promise.phone = PHONE.into();
    promise.subject = text("回访事由");
    let promised = li.calls().promise_callback(promise).await.unwrap().into_inner();
    let (phone, subject) = leased(&li, &promised.callbacks[0]).await;
    assert_eq!((&*phone, subject), ("+8613987650421", text("回访事由")));
    let mut complete = requests::complete(&promised.callbacks[0], Satisfaction::Dissatisfied);
    complete.suggestions = text("建议");
    complete.answers = text("答复");
    shown.note(&li.callbacks().complete_callback(complete).await.unwrap().into_inner());
    shown.note(&promised);
    case_becomes(&li, case, "the promise is settled", |case| case.promises.iter().all(|it| it.settled)).await;
}

/// A complaint from its filing to the client's satisfaction.
async fn complained(suite: &Suite, case: &str, shown: &mut Shown) {
    let (li, hq) = (suite.employee("li"), suite.employee("hq"));
    let mut file = complaints::file(case, &["zhang"]);
    file.client_name = NAME.into();
    file.phone = PHONE.into();
    file.subject = text("投诉主题");
    file.course = text("经过");
    file.place = text("地点");
    file.first_proposal = text("初步意见");
    file.persons_involved = text("涉及人员");
    let filed = complaints::filed(&li, file).await;
    let name = filed.name.clone();
    let accept = complaints::accept(&name, Severity::Minor);
    let accepted =
        suite.employee("officer").complaints().accept_complaint(accept).await.unwrap().into_inner();
    let communication = RecordCommunicationRequest {
        name: name.clone(),
        unit: "结算部".to_owned(),
        person: text("对方"),
        content: text("沟通内容"),
        communicate_time: None,
        request_id: id(),
    };
    shown.note(&li.complaints().record_communication(communication).await.unwrap().into_inner());
    let reply = async |kind: ReplyKind| {
        let reply = RecordReplyRequest { text: text("回复"), ..complaints::reply(&name, kind) };
        li.complaints().record_reply(reply).await.unwrap().into_inner()
    };
    shown.note(&reply(ReplyKind::First).await);
    let propose = || {
        let mut propose = ProposeHandlingRequest {
            proposal: text("处理意见"),
            ..complaints::propose(&name, &["wang"])
        };
        propose.measures[0].text = text("整改措施");
        propose
    };
    let proposed = li.complaints().propose_handling(propose()).await.unwrap().into_inner();
    let back = ReturnProposalRequest {
        name: name.clone(),
        remarks: text("退回意见"),
        etag: proposed.etag.clone(),
        request_id: id(),
    };
    shown.note(&hq.complaints().return_proposal(back).await.unwrap().into_inner());
    let proposed = li.complaints().propose_handling(propose()).await.unwrap().into_inner();
    shown.note(&hq.complaints().approve_proposal(complaints::approve(&proposed)).await.unwrap().into_inner());
    shown.note(&reply(ReplyKind::Outcome).await);
    let not_done =
        RecordMeasureRequest { done: false, note: text("未落实原因"), ..complaints::measure(&name, 1) };
    shown.note(&li.complaints().record_measure(not_done).await.unwrap().into_inner());
    li.complaints().record_measure(complaints::measure(&name, 1)).await.unwrap();
    shown.note(&li.complaints().complete_handling(complaints::handled(&name)).await.unwrap().into_inner());
    for seen in [&filed, &accepted, &proposed] {
        shown.note(seen);
    }

    // Shown in full to those who work on it.
    let record =
        GetComplaintRecordRequest { name: name.clone(), purpose: "处理".to_owned(), request_id: id() };
    let record = li.complaints().get_complaint_record(record).await.unwrap().into_inner();
    assert_eq!((&*record.client_name, &*record.course), (NAME, &*text("经过")));
    assert_eq!(
        (&record.remarks[..], &*record.communications[0].content),
        (&[text("退回意见")][..], &*text("沟通内容"))
    );
    let review =
        ReviewComplaintRequest { name: name.clone(), purpose: "审核".to_owned(), request_id: id() };
    let review = hq.complaints().review_complaint(review).await.unwrap().into_inner();
    assert_eq!((review.proposal, &review.measures[..]), (text("处理意见"), &[text("整改措施")][..]));

    let (wang, callback) = (suite.employee("wang"), complaints::verification("east", &name, 1));
    assert_eq!(leased(&wang, &callback).await, ("+8613987650421".to_owned(), text("投诉主题")));
    let mut verify = requests::verify(&callback, Satisfaction::Satisfied, MeasuresFound::CarriedOut);
    verify.suggestions = text("客户建议");
    verify.answers = text("客户答复");
    shown.note(&wang.callbacks().complete_callback(verify).await.unwrap().into_inner());
    let get = GetCallbackRequest { name: callback };
    shown.note(&wang.callbacks().get_callback(get).await.unwrap().into_inner());
    let closed = complaints::becomes(&li, &name, "closed", |it| it.state() == complaint::State::Closed).await;
    shown.note(&closed);
}

/// A call that nobody answers; another one whose complaint is declined, and whose concern is answered.
async fn missed_and_declined(suite: &Suite, shown: &mut Shown) -> String {
    let (li, telephony) = (suite.employee("li"), suite.account("telephony"));
    for call in ["canary-2", "canary-3"] {
        let mut register = requests::register(call);
        register.caller = CALLER.into();
        telephony.calls().register_call(register).await.unwrap();
    }
    let miss = MissCallRequest { name: "calls/canary-2".to_owned(), request_id: id() };
    shown.note(&telephony.calls().miss_call(miss).await.unwrap().into_inner());
    let case = li.calls().answer_call(requests::answer("canary-3")).await.unwrap().into_inner().case;
    let filed = complaints::filed(&li, complaints::file(&case, &[])).await;
    let decline = DeclineComplaintRequest {
        name: filed.name.clone(),
        explanation: text("不予受理说明"),
        etag: filed.etag,
        request_id: id(),
    };
    shown
        .note(&suite.employee("officer").complaints().decline_complaint(decline).await.unwrap().into_inner());
    let resolve = ResolveCaseRequest {
        name: case.clone(),
        answer: text("答案"),
        etag: String::new(),
        request_id: id(),
    };
    shown.note(&li.cases().resolve_case(resolve).await.unwrap().into_inner());
    case
}

/// Everything that lists and reads show.
async fn looked_at(suite: &Suite, case: &str, shown: &mut Shown) {
    let (li, hq) = (suite.employee("li"), suite.employee("hq"));
    let parent = || BRANCH.to_owned();
    let timeline = GetTimelineRequest { name: case.to_owned(), page_size: 500, page_token: String::new() };
    shown.note(&li.cases().get_timeline(timeline).await.unwrap().into_inner());
    let receipt = GetReceiptRequest { name: case.to_owned() };
    shown.note(&li.cases().get_receipt(receipt).await.unwrap().into_inner());
    let cases = ListCasesRequest { parent: parent(), ..Default::default() };
    shown.note(&li.cases().list_cases(cases).await.unwrap().into_inner());
    for who in ["li", "hq"] {
        let mut desk =
            suite.employee(who).desks().watch_desk(WatchDeskRequest::default()).await.unwrap().into_inner();
        shown.note(&desk.message().await.unwrap().unwrap());
    }
    let calls = ListCallsRequest { parent: parent(), ..Default::default() };
    shown.note(&li.calls().list_calls(calls).await.unwrap().into_inner());
    let call = GetCallRequest { name: "calls/canary-1".to_owned() };
    shown.note(&li.calls().get_call(call).await.unwrap().into_inner());
    let due = ListDueCallbacksRequest { parent: parent(), ..Default::default() };
    shown.note(&li.callbacks().list_due_callbacks(due).await.unwrap().into_inner());
    let clients = ListClientsRequest { parent: parent(), ..Default::default() };
    shown.note(&li.clients().list_clients(clients).await.unwrap().into_inner());
    let client = GetClientRequest { name: format!("clients/{CLIENT}") };
    shown.note(&li.clients().get_client(client).await.unwrap().into_inner());
    let complaints = ListComplaintsRequest { parent: parent(), ..Default::default() };
    shown.note(&hq.complaints().list_complaints(complaints).await.unwrap().into_inner());
}
