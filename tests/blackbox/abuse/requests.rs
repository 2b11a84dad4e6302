//! Requests that cannot be taken as they are: ids, etags, names, pages.

use std::time::Duration;

use shouwen_proto::{
    callbacks::v1::GetCallbackRequest,
    calls::v1::{GetCallRequest, ListCallsRequest},
    ownership::v1::{
        AcceptOfferRequest, BeginOverrideRequest, ClaimRequest, EndOverrideRequest, GetCaseRequest,
        GetEmployeeRequest, IdentifyClientRequest, ListCasesRequest, ListEmployeesRequest,
    },
    policy::v1::GetPolicyRequest,
    r#type::v1::Channel,
};
use shouwen_testkit::until;
use tonic::Code;

use super::{answered, meets};
use crate::harness::{
    Shared, Suite, id, refused,
    requests::{answer, offer, record, register},
};

#[tokio::test]
async fn a_repeated_request_returns_the_former_result_and_a_reused_id_is_refused() {
    let suite = Shared::suite().await;
    let telephony = suite.account("telephony");
    let request = register("repeat-1");
    let first = telephony.calls().register_call(request.clone()).await.unwrap().into_inner();
    let again = telephony.calls().register_call(request.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    let mut other = request.clone();
    other.line = String::new();
    let refusal = refused(telephony.calls().register_call(other).await);
    meets("reused by another message", &refusal, Code::InvalidArgument, "REQUEST_ID_REUSED");
    // The same id of somebody else is another request.
    let refusal = refused(suite.employee("li").calls().register_call(request).await);
    meets("another principal", &refusal, Code::AlreadyExists, "CALL_EXISTS");

    let li = suite.employee("li");
    let answering = answer("repeat-1");
    let first = li.calls().answer_call(answering.clone()).await.unwrap().into_inner();
    let again = li.calls().answer_call(answering.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    let mut reused = answering;
    reused.topic = "fees".to_owned();
    let refusal = refused(li.calls().answer_call(reused).await);
    meets("a first touch with another topic", &refusal, Code::InvalidArgument, "REQUEST_ID_REUSED");

    for (what, request_id, reason) in
        [("no id", "", "REQUEST_ID_REQUIRED"), ("no uuid", "seventeen", "FIELD_INVALID")]
    {
        let mut request = register("repeat-2");
        request.request_id = request_id.to_owned();
        let refusal = refused(telephony.calls().register_call(request).await);
        meets(what, &refusal, Code::InvalidArgument, reason);
        assert_eq!(refusal.metadata["field"], "request_id");
        assert_eq!(refusal.details.bad_request().unwrap().field_violations[0].field, "request_id");
    }
}

#[tokio::test]
async fn a_repetition_is_answered_after_the_responsibility_has_moved_on() {
    let suite = Shared::suite().await;
    let case = answered(&suite, "replay-1").await;
    let (li, wang) = (suite.employee("li"), suite.employee("wang"));
    // The override of a lead ends, and with it the right to record.
    let lead = suite.employee("lead");
    let begin = BeginOverrideRequest {
        name: case.clone(),
        reason: "承办人临时外出".to_owned(),
        etag: String::new(),
        request_id: id(),
    };
    lead.cases().begin_override(begin).await.unwrap();
    let request = record("replay-1");
    let recorded = lead.calls().record_call(request.clone()).await.unwrap().into_inner();
    let end = EndOverrideRequest { name: case.clone(), request_id: id() };
    lead.cases().end_override(end).await.unwrap();
    li.calls().record_call(record("replay-1")).await.unwrap();
    // A fresh request may still rest on what the gateway read up to 2 s before.
    let refusal = until("the override has ended everywhere", Duration::from_secs(3), async || {
        let answer = lead.calls().record_call(record("replay-1")).await;
        answer.is_err().then(|| refused(answer))
    })
    .await;
    meets("a fresh request", &refusal, Code::PermissionDenied, "NOT_RESPONSIBLE");
    assert_eq!(lead.calls().record_call(request).await.unwrap().into_inner(), recorded);
    let refusal = refused(wang.calls().record_call(record("replay-1")).await);
    meets("somebody else", &refusal, Code::PermissionDenied, "NOT_RESPONSIBLE");
}

#[tokio::test]
async fn a_stale_etag_is_refused_and_names_what_has_changed() {
    let suite = Shared::suite().await;
    let case = answered(&suite, "etag-1").await;
    let li = suite.employee("li");
    let read = GetCaseRequest { name: case.clone() };
    let stale = li.cases().get_case(read).await.unwrap().into_inner().etag;
    let identify = IdentifyClientRequest {
        contact: "contacts/etag-1".to_owned(),
        client: "C-1".to_owned(),
        request_id: id(),
        ..IdentifyClientRequest::default()
    };
    li.cases().identify_client(identify).await.unwrap();
    let mut request = offer(&case, "wang");
    request.etag = stale;
    let refusal = refused(li.cases().offer_transfer(request).await);
    meets("case", &refusal, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(refusal.details.resource_info().unwrap().resource_name, case);

    let call = GetCallRequest { name: "calls/etag-1".to_owned() };
    let stale = li.calls().get_call(call).await.unwrap().into_inner().etag;
    let mut request = record("etag-1");
    request.etag.clone_from(&stale);
    li.calls().record_call(request).await.unwrap();
    let mut request = record("etag-1");
    request.etag = stale;
    let refusal = refused(li.calls().record_call(request).await);
    meets("call", &refusal, Code::Aborted, "ETAG_MISMATCH");
    let mut request = record("etag-1");
    request.etag = "yesterday".to_owned();
    let refusal = refused(li.calls().record_call(request).await);
    meets("no etag at all", &refusal, Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(refusal.metadata["field"], "etag");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_by_its_type() {
    let suite = Shared::suite().await;
    let case = answered(&suite, "unknown-1").await;
    let (li, hq) = (suite.employee("li"), suite.employee("hq"));
    let nowhere = "cases/0198f0aa-0000-7000-8000-000000000000";
    let name = |name: &str| name.to_owned();
    let get_case = GetCaseRequest { name: name(nowhere) };
    let get_call = GetCallRequest { name: name("calls/nothing") };
    let of_case = GetCallbackRequest { name: format!("{case}/callbacks/nothing") };
    let of_branch = GetCallbackRequest { name: name("branches/east/callbacks/nothing") };
    let of_no_case = GetCallbackRequest { name: format!("{nowhere}/callbacks/nothing") };
    let get_employee = GetEmployeeRequest { name: name("employees/nobody") };
    let get_policy = GetPolicyRequest { name: name("policies/0198f0aa-0000-7000-8000-000000000000") };
    let identify = IdentifyClientRequest {
        contact: name("contacts/unanswered"),
        client: name("C-1"),
        request_id: id(),
        ..IdentifyClientRequest::default()
    };
    let refusals = [
        ("case", refused(li.cases().get_case(get_case).await), "CASE_NOT_FOUND"),
        ("call", refused(li.calls().get_call(get_call).await), "CALL_NOT_FOUND"),
        ("answer", refused(li.calls().answer_call(answer("nothing")).await), "CALL_NOT_FOUND"),
        ("record", refused(li.calls().record_call(record("unanswered")).await), "CONTACT_NOT_FOUND"),
        ("callback of a case", refused(li.callbacks().get_callback(of_case).await), "CALLBACK_NOT_FOUND"),
        ("callback of a branch", refused(li.callbacks().get_callback(of_branch).await), "CALLBACK_NOT_FOUND"),
        ("callback of no case", refused(li.callbacks().get_callback(of_no_case).await), "CASE_NOT_FOUND"),
        ("employee", refused(li.roster().get_employee(get_employee).await), "EMPLOYEE_NOT_FOUND"),
        ("policy", refused(hq.policies().get_policy(get_policy).await), "POLICY_NOT_FOUND"),
        ("contact", refused(li.cases().identify_client(identify).await), "CONTACT_NOT_FOUND"),
    ];
    for (what, refusal, reason) in &refusals {
        meets(what, refusal, Code::NotFound, reason);
        assert!(refusal.details.resource_info().is_some(), "{what}");
    }
    // The contact that nobody registered is not taken by the answer that failed.
    suite.account("telephony").calls().register_call(register("nothing")).await.unwrap();
    li.calls().answer_call(answer("nothing")).await.unwrap();
}

#[tokio::test]
async fn a_field_that_cannot_be_used_is_named_with_what_it_should_be() {
    let suite = Shared::suite().await;
    let case = answered(&suite, "field-1").await;
    let (li, telephony) = (suite.employee("li"), suite.account("telephony"));
    let mut channel = register("field-2");
    channel.channel = Channel::Unspecified.into();
    let mut call_id = register("field 2");
    call_id.call_id = "field 2".to_owned();
    let mut phone = register("field-2");
    phone.caller = "12".to_owned();
    let mut gender = record("field-1");
    gender.gender = "m".to_owned();
    let mut summary = record("field-1");
    summary.summary = "  ".to_owned();
    let mut reason = offer(&case, "wang");
    reason.reason = String::new();
    let claim = ClaimRequest {
        contact: "contacts/".to_owned(),
        channel: Channel::Counter.into(),
        request_id: id(),
        ..ClaimRequest::default()
    };
    let size = ListCasesRequest { parent: "branches/east".to_owned(), page_size: -1, ..Default::default() };
    let refusals = [
        ("channel", refused(telephony.calls().register_call(channel).await), "FIELD_INVALID"),
        ("call_id", refused(telephony.calls().register_call(call_id).await), "FIELD_INVALID"),
        ("caller", refused(telephony.calls().register_call(phone).await), "PHONE_INVALID"),
        ("gender", refused(li.calls().record_call(gender).await), "FIELD_INVALID"),
        ("summary", refused(li.calls().record_call(summary).await), "FIELD_INVALID"),
        ("reason", refused(li.cases().offer_transfer(reason).await), "FIELD_INVALID"),
        ("contact", refused(li.cases().claim(claim).await), "FIELD_INVALID"),
        ("page_size", refused(li.cases().list_cases(size).await), "FIELD_INVALID"),
    ];
    for (field, refusal, reason) in &refusals {
        meets(field, refusal, Code::InvalidArgument, reason);
        assert_eq!(refusal.metadata["field"], *field);
        let violation = &refusal.details.bad_request().unwrap().field_violations[0];
        assert_eq!(violation.field, *field);
        assert!(!violation.description.is_empty());
    }
    for (to, what) in
        [("nobody", "unknown"), ("li", "oneself"), ("gone", "inactive"), ("auditor", "no server")]
    {
        let refusal = refused(li.cases().offer_transfer(offer(&case, to)).await);
        meets(what, &refusal, Code::InvalidArgument, "RECEIVER_INVALID");
    }
    let accept = AcceptOfferRequest { name: case, offer: "none".to_owned(), request_id: id() };
    let refusal = refused(li.cases().accept_offer(accept).await);
    meets("no offer", &refusal, Code::FailedPrecondition, "NO_SUCH_OFFER");
}

#[tokio::test]
async fn a_page_token_serves_its_own_caller_and_query_only() {
    let suite = Suite::start().await;
    for call in ["page-1", "page-2", "page-3"] {
        answered(&suite, call).await;
    }
    let li = suite.employee("li");
    let cases = |token: &str| ListCasesRequest {
        parent: "branches/east".to_owned(),
        page_size: 2,
        page_token: token.to_owned(),
        ..Default::default()
    };
    let first = li.cases().list_cases(cases("")).await.unwrap().into_inner();
    let token = first.next_page_token;
    assert_eq!(first.cases.len(), 2);
    let last = li.cases().list_cases(cases(&token)).await.unwrap().into_inner();
    assert_eq!((last.cases.len(), &*last.next_page_token), (1, ""));

    let calls =
        ListCallsRequest { parent: "branches/east".to_owned(), page_size: 2, page_token: token.clone() };
    let employees =
        ListEmployeesRequest { parent: "branches/east".to_owned(), page_size: 2, page_token: token.clone() };
    let mut filtered = cases(&token);
    filtered.filter = "state = OPEN".to_owned();
    let mut flipped = token.clone().into_bytes();
    flipped[3] = if flipped[3] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    let refusals = [
        ("garbage", refused(li.cases().list_cases(cases("abc")).await)),
        ("forged", refused(li.cases().list_cases(cases(&flipped)).await)),
        ("another caller's", refused(suite.employee("wang").cases().list_cases(cases(&token)).await)),
        ("another filter's", refused(li.cases().list_cases(filtered).await)),
        ("another method's", refused(li.roster().list_employees(employees).await)),
        ("another service's", refused(li.calls().list_calls(calls).await)),
    ];
    for (what, refusal) in &refusals {
        meets(what, refusal, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    let mut bad = cases("");
    bad.filter = "colour = red".to_owned();
    let refusal = refused(li.cases().list_cases(bad).await);
    meets("filter", &refusal, Code::InvalidArgument, "FILTER_INVALID");
}
