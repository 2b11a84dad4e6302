//! Backends trust nobody: calls past the gateway, with no context, a forged one, or one that was made for something else.

use bytes::Bytes;
use chrono::TimeDelta;
use http::HeaderValue;
use prost::Message as _;
use shouwen_access::context::{ContextKey, ContextSigner, body_digest};
use shouwen_proto::{
    access::v1::{CallContext, Capacity, Role},
    calls::v1::{Call, GetCallRequest},
    ownership::v1::{AcceptOfferRequest, GetCaseRequest},
};
use shouwen_runtime::clock::now;
use tonic::Code;

use super::{answered, meets};
use crate::harness::{
    Client, Shared, Suite,
    client::channel,
    id, raw, refused,
    requests::{offer, record},
};

const GET_CALL: &str = "/shouwen.calls.v1.CallService/GetCall";
const RECORD_CALL: &str = "/shouwen.calls.v1.CallService/RecordCall";
const GET_CASE: &str = "/shouwen.ownership.v1.CaseService/GetCase";

/// A context as the gateway would make it for this employee of branch east.
fn context(employee: &str, method: &str, body: &[u8]) -> CallContext {
    CallContext {
        method: method.to_owned(),
        body_digest: body_digest(body).to_vec(),
        principal: format!("employees/{employee}"),
        employee: format!("employees/{employee}"),
        branch: "branches/east".to_owned(),
        roles: vec![Role::Staff.into()],
        branches: vec!["branches/east".to_owned()],
        read_at: now().timestamp_micros(),
        expires_at: (now() + TimeDelta::seconds(5)).timestamp_micros(),
        language: "en".to_owned(),
        ..CallContext::default()
    }
}

#[tokio::test]
async fn a_backend_believes_only_a_fresh_context_for_this_very_call() {
    let suite = Shared::suite().await;
    answered(&suite, "direct-1").await;
    let backend = Client::anonymous(channel(suite.calls[0].address));
    let gateway = suite.deployment.signer("gateway", "calls");
    let body = Bytes::from(GetCallRequest { name: "calls/direct-1".to_owned() }.encode_to_vec());
    let other = Bytes::from(GetCallRequest { name: "calls/direct-2".to_owned() }.encode_to_vec());
    let good = || context("li", GET_CALL, &body);

    let answer = raw::call(&backend, GET_CALL, body.clone(), Some(&gateway.sign(good()))).await.unwrap();
    assert_eq!(Call::decode(answer.into_inner()).unwrap().name, "calls/direct-1");

    let stranger =
        ContextSigner::new("gateway", "calls", ContextKey::new("gateway-calls", &[7; 32]).unwrap());
    let unknown_key = ContextSigner::new("gateway", "calls", ContextKey::new("other", &[7; 32]).unwrap());
    let mut flipped = gateway.sign(good()).to_str().unwrap().to_owned().into_bytes();
    let middle = flipped.len() / 2;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let flipped = HeaderValue::from_bytes(&flipped).unwrap();
    let expired = CallContext { expires_at: now().timestamp_micros() - 1, ..good() };
    let system = CallContext {
        principal: "services/gateway".to_owned(),
        employee: "employees/li".to_owned(),
        roles: vec![Role::System.into()],
        capacity: Capacity::System.into(),
        ..good()
    };
    let half = CallContext { employee: "employees/wang".to_owned(), ..good() };
    let contexts = [
        ("a stranger's key", stranger.sign(good()), "CONTEXT_SIGNATURE_INVALID"),
        ("an unknown key", unknown_key.sign(good()), "CONTEXT_SIGNATURE_INVALID"),
        // Its own key, but says that it is the gateway.
        (
            "another issuer's key",
            suite.deployment.signer_with("gateway", "callbacks", "calls").sign(good()),
            "CONTEXT_SIGNATURE_INVALID",
        ),
        (
            "a service that asserts an employee",
            suite.deployment.signer("callbacks", "calls").sign(good()),
            "CONTEXT_CAPACITY_FORBIDDEN",
        ),
        ("a system for an employee", gateway.sign(system), "CONTEXT_CAPACITY_FORBIDDEN"),
        (
            "another audience",
            ContextSigner::new("gateway", "callbacks", key(&suite)).sign(good()),
            "CONTEXT_AUDIENCE_WRONG",
        ),
        ("another method", gateway.sign(context("li", RECORD_CALL, &body)), "CONTEXT_METHOD_WRONG"),
        ("another body", gateway.sign(context("li", GET_CALL, &other)), "CONTEXT_BODY_WRONG"),
        ("expired", gateway.sign(expired), "CONTEXT_EXPIRED"),
        ("inconsistent", gateway.sign(half), "CONTEXT_MALFORMED"),
        ("no context at all", HeaderValue::from_static("AQID"), "CONTEXT_MALFORMED"),
    ];
    for (what, signed, reason) in contexts {
        let refusal = refused(raw::call(&backend, GET_CALL, body.clone(), Some(&signed)).await);
        meets(what, &refusal, Code::Unauthenticated, reason);
    }
    let refusal = refused(raw::call(&backend, GET_CALL, body.clone(), Some(&flipped)).await);
    assert_eq!(refusal.code, Code::Unauthenticated);
    assert!(["CONTEXT_SIGNATURE_INVALID", "CONTEXT_MALFORMED"].contains(&&*refusal.reason), "{refusal:?}");
    let refusal = refused(raw::call(&backend, GET_CALL, body.clone(), None).await);
    meets("no context", &refusal, Code::Unauthenticated, "CONTEXT_MISSING");

    // A token is worth nothing here, and a context nothing at the gateway.
    let token = suite.deployment.issuer.sign(&crate::harness::client::claims("employees/li"));
    let refusal = refused(raw::call(&backend.clone().token(&token), GET_CALL, body.clone(), None).await);
    meets("a token", &refusal, Code::Unauthenticated, "CONTEXT_MISSING");
    let signed = gateway.sign(good());
    let refusal = refused(raw::call(&suite.anonymous(), GET_CALL, body.clone(), Some(&signed)).await);
    meets("a context at the gateway", &refusal, Code::Unauthenticated, "TOKEN_MISSING");

    // Neither does a role that the context asserts open a method that is not open to it.
    let officer = CallContext { roles: vec![Role::ComplaintOfficer.into()], ..good() };
    let refusal = refused(raw::call(&backend, GET_CALL, body, Some(&gateway.sign(officer))).await);
    meets("a role", &refusal, Code::PermissionDenied, "ROLE_REQUIRED");
}

/// The key by which calls knows the gateway, for contexts that say something else.
fn key(suite: &Suite) -> ContextKey {
    suite.deployment.key("gateway", "calls")
}

#[tokio::test]
async fn the_gateways_inner_side_lets_no_employee_in() {
    let suite = Shared::suite().await;
    let case = answered(&suite, "inner-1").await;
    let inner = Client::anonymous(channel(suite.ownership[0]));
    let body = Bytes::from(GetCaseRequest { name: case }.encode_to_vec());
    let refusal = refused(raw::call(&inner, GET_CASE, body.clone(), None).await);
    meets("no context", &refusal, Code::Unauthenticated, "CONTEXT_MISSING");
    let calls = suite.deployment.signer("calls", "ownership");
    let signed = calls.sign(context("li", GET_CASE, &body));
    let refusal = refused(raw::call(&inner, GET_CASE, body, Some(&signed)).await);
    meets("a service for an employee", &refusal, Code::Unauthenticated, "CONTEXT_CAPACITY_FORBIDDEN");
}

#[tokio::test]
async fn a_write_that_rests_on_an_older_epoch_or_an_old_reading_is_refused() {
    let suite = Shared::suite().await;
    let case = answered(&suite, "epoch-1").await;
    let (li, wang) = (suite.employee("li"), suite.employee("wang"));
    let read = GetCaseRequest { name: case.clone() };
    let former = li.cases().get_case(read).await.unwrap().into_inner().epoch;
    let offered = li.cases().offer_transfer(offer(&case, "wang")).await.unwrap().into_inner().offer.unwrap();
    let accept = AcceptOfferRequest { name: case.clone(), offer: offered.offer, request_id: id() };
    let accepted = wang.cases().accept_offer(accept).await.unwrap().into_inner();
    assert!(accepted.epoch > former);
    // From now on calls knows the newer epoch.
    wang.calls().record_call(record("epoch-1")).await.unwrap();

    let backend = Client::anonymous(channel(suite.calls[0].address));
    let gateway = suite.deployment.signer("gateway", "calls");
    let signed = |body: &Bytes, epoch: i64, age: TimeDelta| {
        gateway.sign(CallContext {
            capacity: Capacity::Handler.into(),
            case: case.clone(),
            named_case: case.clone(),
            epoch,
            read_at: (now() - age).timestamp_micros(),
            ..context("li", RECORD_CALL, body)
        })
    };
    let body = Bytes::from(record("epoch-1").encode_to_vec());
    for (what, epoch, age) in [
        ("an older epoch", former, TimeDelta::zero()),
        ("an old reading", accepted.epoch, TimeDelta::seconds(4)),
    ] {
        let header = signed(&body, epoch, age);
        let refusal = refused(raw::call(&backend, RECORD_CALL, body.clone(), Some(&header)).await);
        meets(what, &refusal, Code::Aborted, "STALE_EPOCH");
    }
    let header = signed(&body, accepted.epoch, TimeDelta::zero());
    raw::call(&backend, RECORD_CALL, body, Some(&header)).await.unwrap();
}
