//! What is not possible in the state things are in, and what a former handler can no longer do.

use chrono::TimeDelta;
use shouwen_proto::{
    calls::v1::{ConfirmRecordRequest, MissCallRequest},
    events::v1::{CallOutcome, CloseKind},
    ownership::v1::{
        AcceptOfferRequest, CloseCaseRequest, ConfirmSatisfactionRequest, EndOverrideRequest,
        ReopenCaseRequest, ResolveCaseRequest,
    },
    policy::v1::{ApprovePolicyRequest, ProposePolicyRequest},
};
use shouwen_runtime::clock::now;
use tonic::Code;

use super::{answered, meets};
use crate::harness::{
    Shared, Suite,
    client::timestamp,
    id, refused,
    requests::{answer, end, offer, promise, record, register},
};

#[tokio::test]
async fn an_illegal_transition_of_a_call_says_from_which_state() {
    let suite = Suite::start().await;
    let case = answered(&suite, "state-1").await;
    let (li, wang, telephony) = (suite.employee("li"), suite.employee("wang"), suite.account("telephony"));
    let miss = || MissCallRequest { name: "calls/state-1".to_owned(), request_id: id() };
    let refusal = refused(telephony.calls().miss_call(miss()).await);
    meets("missing an answered call", &refusal, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    assert_eq!(refusal.metadata["action"], "MissCall");
    assert!(refusal.details.precondition_failure().is_some());

    let refusal = refused(telephony.calls().register_call(register("state-1")).await);
    meets("registering twice", &refusal, Code::AlreadyExists, "CALL_EXISTS");
    let refusal = refused(wang.calls().answer_call(answer("state-1")).await);
    meets("answering a colleague's", &refusal, Code::AlreadyExists, "CONTACT_CLAIMED");
    assert_eq!(refusal.metadata["employee"], "employees/li");
    assert_eq!(refusal.metadata["case"], case);

    let confirm = ConfirmRecordRequest { name: "calls/state-1".to_owned(), request_id: id() };
    let refusal = refused(li.calls().confirm_record(confirm).await);
    meets("confirming nothing", &refusal, Code::FailedPrecondition, "RECORD_MISSING");
    let refusal = refused(li.calls().end_call(end("state-1", CallOutcome::CallbackPromised)).await);
    meets("a promise nobody made", &refusal, Code::FailedPrecondition, "PROMISE_MISSING");
    let refusal = refused(li.calls().promise_callback(promise("state-1", now() - TimeDelta::hours(1))).await);
    meets("a promise for yesterday", &refusal, Code::InvalidArgument, "AGREED_TIME_PAST");
    let mut night = promise("state-1", now() + TimeDelta::days(2));
    // 03:00 in Shanghai.
    night.agreed_time.as_mut().unwrap().seconds -= night.agreed_time.unwrap().seconds.rem_euclid(86_400);
    night.agreed_time.as_mut().unwrap().seconds += 19 * 3600;
    night.client_asked = false;
    let refusal = refused(li.calls().promise_callback(night).await);
    meets("a promise for the night", &refusal, Code::InvalidArgument, "OUTSIDE_CALLING_WINDOWS");
    assert!(refusal.metadata.contains_key("next_open"));

    li.calls().end_call(end("state-1", CallOutcome::AnswerOwed)).await.unwrap();
    let refusal = refused(li.calls().end_call(end("state-1", CallOutcome::AnswerOwed)).await);
    meets("ending twice", &refusal, Code::FailedPrecondition, "ILLEGAL_TRANSITION");

    let mut counter = register("state-2");
    counter.channel = shouwen_proto::r#type::v1::Channel::Counter.into();
    telephony.calls().register_call(counter).await.unwrap();
    let miss = MissCallRequest { name: "calls/state-2".to_owned(), request_id: id() };
    let refusal = refused(telephony.calls().miss_call(miss).await);
    meets("missing a visit", &refusal, Code::FailedPrecondition, "NOT_AN_INBOUND_CALL");
}

#[tokio::test]
async fn an_illegal_transition_of_a_case_says_from_which_state() {
    let suite = Shared::suite().await;
    let case = answered(&suite, "state-3").await;
    let (li, wang, lead) = (suite.employee("li"), suite.employee("wang"), suite.employee("lead"));
    let name = || case.clone();
    let dissatisfied = ConfirmSatisfactionRequest {
        name: name(),
        satisfied: false,
        reason: "仍有疑问".to_owned(),
        etag: String::new(),
        request_id: id(),
    };
    let refusal = refused(li.cases().confirm_satisfaction(dissatisfied).await);
    meets("dissatisfied before an answer", &refusal, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    let reopen = ReopenCaseRequest { name: name(), reason: "不满意".to_owned(), request_id: id() };
    let refusal = refused(li.cases().reopen_case(reopen).await);
    meets("reopening an open case", &refusal, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    let refusal =
        refused(lead.cases().end_override(EndOverrideRequest { name: name(), request_id: id() }).await);
    meets("no override", &refusal, Code::FailedPrecondition, "NO_OVERRIDE");

    let offered = li.cases().offer_transfer(offer(&case, "wang")).await.unwrap().into_inner().offer.unwrap();
    let refusal = refused(li.cases().offer_transfer(offer(&case, "zhang")).await);
    meets("a second offer", &refusal, Code::FailedPrecondition, "OFFER_PENDING");
    let accept = || AcceptOfferRequest { name: name(), offer: offered.offer.clone(), request_id: id() };
    let refusal = refused(suite.employee("zhang").cases().accept_offer(accept()).await);
    meets("not the receiver", &refusal, Code::PermissionDenied, "NOT_THE_RECEIVER");
    wang.cases().accept_offer(accept()).await.unwrap();
    let refusal = refused(wang.cases().accept_offer(accept()).await);
    meets("accepting twice", &refusal, Code::FailedPrecondition, "NO_SUCH_OFFER");

    let close = |kind: CloseKind| CloseCaseRequest {
        name: name(),
        kind: kind.into(),
        reason: "多次联系不上".to_owned(),
        etag: String::new(),
        request_id: id(),
    };
    let refusal = refused(li.cases().close_case(close(CloseKind::Unreachable)).await);
    meets("no lead", &refusal, Code::PermissionDenied, "ROLE_REQUIRED");
    let refusal = refused(lead.cases().close_case(close(CloseKind::Satisfied)).await);
    meets("a lead cannot be satisfied for the client", &refusal, Code::InvalidArgument, "FIELD_INVALID");
    lead.cases().close_case(close(CloseKind::Unreachable)).await.unwrap();
    let resolve = ResolveCaseRequest {
        name: name(),
        answer: "已答复".to_owned(),
        etag: String::new(),
        request_id: id(),
    };
    let refusal = refused(wang.cases().resolve_case(resolve).await);
    meets("resolving a closed case", &refusal, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
    assert_eq!((&*refusal.metadata["state"], &*refusal.metadata["action"]), ("closed", "resolve"));
    // A record may be filled in afterwards all the same (K8).
    wang.calls().record_call(record("state-3")).await.unwrap();
}

#[tokio::test]
async fn p1_p3_a_policy_is_valid_before_anyone_can_approve_it_and_nobody_approves_their_own() {
    let suite = Shared::suite().await;
    let (hq, lead) = (suite.employee("hq"), suite.employee("lead"));
    let number = |value: f64| prost_types::Value { kind: Some(prost_types::value::Kind::NumberValue(value)) };
    let propose = |kind: &str, scope: &str, field: &str, value: f64| ProposePolicyRequest {
        kind: kind.to_owned(),
        scope: scope.to_owned(),
        document: Some(prost_types::Struct { fields: [(field.to_owned(), number(value))].into() }),
        effective_time: timestamp(now() + TimeDelta::days(1)),
        request_id: id(),
    };
    let refusal = refused(hq.policies().propose_policy(propose("calls", "firm", "rings", 0.0)).await);
    meets("no rings at all", &refusal, Code::InvalidArgument, "POLICY_INVALID");
    let violation = &refusal.details.bad_request().unwrap().field_violations[0];
    assert_eq!(violation.field, "document.rings");
    let refusal = refused(hq.policies().propose_policy(propose("weather", "firm", "rain", 1.0)).await);
    meets("no such kind", &refusal, Code::InvalidArgument, "POLICY_KIND_UNKNOWN");
    let mut past = propose("calls", "firm", "rings", 4.0);
    past.effective_time = timestamp(now() - TimeDelta::days(1));
    let refusal = refused(hq.policies().propose_policy(past).await);
    meets("yesterday", &refusal, Code::FailedPrecondition, "EFFECTIVE_TIME_PAST");
    let refusal =
        refused(lead.policies().propose_policy(propose("calls", "branches/west", "rings", 4.0)).await);
    meets("for another branch", &refusal, Code::PermissionDenied, "BRANCH_OUT_OF_REACH");

    let good = propose("calls", "firm", "rings", 4.0);
    let proposed = hq.policies().propose_policy(good).await.unwrap().into_inner();
    let approve =
        || ApprovePolicyRequest { name: proposed.name.clone(), etag: String::new(), request_id: id() };
    let refusal = refused(hq.policies().approve_policy(approve()).await);
    meets("one's own", &refusal, Code::PermissionDenied, "PROPOSER_CANNOT_APPROVE");
    let refusal = refused(lead.policies().approve_policy(approve()).await);
    meets("not headquarters", &refusal, Code::PermissionDenied, "ROLE_REQUIRED");
    suite.employee("hq-two").policies().approve_policy(approve()).await.unwrap();
    let refusal = refused(suite.employee("hq-two").policies().approve_policy(approve()).await);
    meets("approving twice", &refusal, Code::FailedPrecondition, "ILLEGAL_TRANSITION");
}
