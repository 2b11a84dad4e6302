//! Call contexts: what a backend believes, and every way in which it does not.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderValue};
use prost::Message as _;
use shouwen_access::context::{
    ContextKey, ContextSigner, ContextVerifier, HEADER, KeysInvalid, RequestBody, SystemCall, body_digest,
};
use shouwen_access::{Caller, Failure, Language, Principal, Reach};
use shouwen_proto::access::v1::{CallContext, Capacity, Role};
use tonic::Code;

const METHOD: &str = "/shouwen.calls.v1.CallService/EndCall";
const BODY: &[u8] = b"request";
const NOW: i64 = 1_700_000_000_000_000;

fn key(id: &str, byte: u8) -> ContextKey {
    ContextKey::new(id, &[byte; 32]).unwrap()
}

fn gateway() -> ContextSigner {
    ContextSigner::new("gateway", "calls", key("gateway-1", 1))
}

fn verifier() -> ContextVerifier {
    let keys = [("gateway".to_owned(), key("gateway-1", 1)), ("callbacks".to_owned(), key("callbacks-1", 2))];
    ContextVerifier::new("calls", keys).unwrap()
}

fn context() -> CallContext {
    CallContext {
        method: METHOD.into(),
        body_digest: body_digest(BODY).to_vec(),
        principal: "serviceAccounts/crm".into(),
        employee: "employees/zhang".into(),
        branch: "branches/b1".into(),
        roles: vec![Role::Staff.into(), Role::Lead.into()],
        branches: vec!["branches/b1".into()],
        capacity: Capacity::Handler.into(),
        case: "cases/2".into(),
        named_case: "cases/1".into(),
        epoch: 7,
        read_at: NOW - 5,
        expires_at: NOW + 10_000_000,
        language: "zh-CN".into(),
        ..CallContext::default()
    }
}

fn headers(value: HeaderValue) -> HeaderMap {
    HeaderMap::from_iter([(HEADER.parse().unwrap(), value)])
}

fn verify(value: HeaderValue) -> Result<Caller, Failure> {
    verifier().verify(&headers(value), METHOD, NOW)
}

fn refusal(value: HeaderValue) -> String {
    let failure = verify(value).unwrap_err();
    assert_eq!(failure.code(), Code::Unauthenticated);
    failure.reason().to_owned()
}

fn bytes_of(value: &HeaderValue) -> Vec<u8> {
    STANDARD_NO_PAD.decode(value).unwrap()
}

#[test]
fn a_context_of_the_gateway_tells_who_calls_in_which_capacity_on_which_case() {
    let caller = verify(gateway().sign(context())).unwrap();
    assert_eq!(caller.principal.to_string(), "serviceAccounts/crm");
    assert_eq!(caller.require_employee().unwrap().as_str(), "employees/zhang");
    assert_eq!(caller.branch.as_ref().unwrap().as_str(), "branches/b1");
    assert_eq!(caller.roles.to_string(), "STAFF, LEAD");
    assert!(caller.reach.covers("branches/b1") && !caller.reach.covers("branches/b2"));
    assert_eq!(caller.capacity, Capacity::Handler);
    let case = caller.case.as_ref().unwrap();
    assert_eq!(
        (case.name.as_str(), case.named.as_str(), case.epoch, case.read_at),
        ("cases/2", "cases/1", 7, NOW - 5)
    );
    assert_eq!((caller.language, &caller.cause), (Language::ZhCn, &None));
    assert_eq!(caller.body_digest, Some(body_digest(BODY)));
    ContextVerifier::verify_body(&caller, RequestBody::Unary(BODY)).unwrap();
}

#[test]
fn a_service_acts_in_its_own_name_as_system() {
    let signer = ContextSigner::new("callbacks", "calls", key("callbacks-1", 2));
    let call = SystemCall {
        method: METHOD,
        body_digest: None,
        cause: "calls:381",
        now: DateTime::<Utc>::from_timestamp_micros(NOW).unwrap(),
        lifetime: TimeDelta::seconds(5),
    };
    let caller = verify(signer.sign_system(&call)).unwrap();
    assert_eq!(caller.principal, Principal::Service("callbacks".into()));
    assert!(caller.is_system() && caller.roles.contains(Role::System) && caller.reach == Reach::All);
    assert_eq!(caller.cause.as_deref(), Some("calls:381"));
    assert_eq!(caller.require_employee().unwrap_err().reason(), "EMPLOYEE_REQUIRED");
    ContextVerifier::verify_body(&caller, RequestBody::Stream).unwrap();
}

#[test]
fn binary_metadata_is_read_with_and_without_padding() {
    let padded = STANDARD.encode(bytes_of(&gateway().sign(context())));
    assert!(verify(padded.parse().unwrap()).is_ok());
}

#[test]
fn a_call_without_a_context_is_refused() {
    let failure = verifier().verify(&HeaderMap::new(), METHOD, NOW).unwrap_err();
    assert_eq!((failure.code(), failure.reason()), (Code::Unauthenticated, "CONTEXT_MISSING"));
    let status = Caller::from_request(&tonic::Request::new(())).unwrap_err();
    assert_eq!(shouwen_access::status::reason_of(&status).as_deref(), Some("CONTEXT_MISSING"));
}

#[test]
fn what_is_not_a_context_is_malformed() {
    let good = bytes_of(&gateway().sign(context()));
    let mut format_2 = good.clone();
    format_2[0] = 2;
    let mut no_message = good[..33].to_vec();
    no_message.extend([0xff, 0xff]);
    for bytes in [&[][..], &good[..20], &format_2, &no_message] {
        assert_eq!(refusal(STANDARD_NO_PAD.encode(bytes).parse().unwrap()), "CONTEXT_MALFORMED");
    }
    assert_eq!(refusal(HeaderValue::from_static("not base64!")), "CONTEXT_MALFORMED");
    let mut twice = headers(gateway().sign(context()));
    twice.append(HEADER, gateway().sign(context()));
    assert_eq!(verifier().verify(&twice, METHOD, NOW).unwrap_err().reason(), "CONTEXT_MALFORMED");
}

#[test]
fn a_signed_context_whose_parts_do_not_fit_together_is_malformed() {
    let cases = [
        CallContext { principal: "zhang".into(), ..context() },
        CallContext { principal: "employees/li".into(), ..context() },
        CallContext { employee: "Zhang".into(), ..context() },
        CallContext { branch: "b1".into(), ..context() },
        CallContext { branches: vec!["b1".into()], ..context() },
        CallContext { roles: vec![0], ..context() },
        CallContext { roles: vec![Role::System.into()], ..context() },
        CallContext { capacity: 99, ..context() },
        CallContext { case: String::new(), ..context() },
        CallContext { body_digest: vec![1, 2, 3], ..context() },
    ];
    for context in cases {
        assert_eq!(refusal(gateway().sign(context.clone())), "CONTEXT_MALFORMED", "{context:?}");
    }
}

#[test]
fn a_forged_or_altered_context_is_refused() {
    let forged = ContextSigner::new("gateway", "calls", key("gateway-1", 9));
    assert_eq!(refusal(forged.sign(context())), "CONTEXT_SIGNATURE_INVALID");
    let unknown = ContextSigner::new("gateway", "calls", key("gateway-2", 1));
    assert_eq!(refusal(unknown.sign(context())), "CONTEXT_SIGNATURE_INVALID");

    let signed = bytes_of(&gateway().sign(context()));
    let mut altered = CallContext::decode(&signed[33..]).unwrap();
    altered.epoch += 1;
    let mut bytes = signed[..33].to_vec();
    bytes.extend(altered.encode_to_vec());
    assert_eq!(refusal(STANDARD_NO_PAD.encode(bytes).parse().unwrap()), "CONTEXT_SIGNATURE_INVALID");
}

#[test]
fn a_key_signs_for_its_own_issuer_only() {
    let stolen_name = ContextSigner::new("gateway", "calls", key("callbacks-1", 2));
    assert_eq!(refusal(stolen_name.sign(context())), "CONTEXT_SIGNATURE_INVALID");
}

#[test]
fn a_context_for_another_service_is_refused() {
    let elsewhere = ContextSigner::new("gateway", "callbacks", key("gateway-1", 1));
    assert_eq!(refusal(elsewhere.sign(context())), "CONTEXT_AUDIENCE_WRONG");
}

#[test]
fn a_context_for_another_method_is_refused() {
    let other = CallContext { method: "/shouwen.calls.v1.CallService/GetCall".into(), ..context() };
    assert_eq!(refusal(gateway().sign(other)), "CONTEXT_METHOD_WRONG");
}

#[test]
fn a_context_for_another_body_is_refused() {
    let caller = verify(gateway().sign(context())).unwrap();
    for body in [RequestBody::Unary(b"another"), RequestBody::Stream] {
        let failure = ContextVerifier::verify_body(&caller, body).unwrap_err();
        assert_eq!((failure.code(), failure.reason()), (Code::Unauthenticated, "CONTEXT_BODY_WRONG"));
    }
    let for_stream = verify(gateway().sign(CallContext { body_digest: Vec::new(), ..context() })).unwrap();
    assert!(ContextVerifier::verify_body(&for_stream, RequestBody::Unary(b"")).is_err());
}

#[test]
fn a_context_ends_to_the_microsecond() {
    let headers = headers(gateway().sign(context()));
    let end = context().expires_at;
    assert!(verifier().verify(&headers, METHOD, end - 1).is_ok());
    assert_eq!(verifier().verify(&headers, METHOD, end).unwrap_err().reason(), "CONTEXT_EXPIRED");
}

#[test]
fn only_the_gateway_speaks_for_employees_and_nobody_for_another_service() {
    let callbacks = ContextSigner::new("callbacks", "calls", key("callbacks-1", 2));
    let system = |principal: &str, employee: &str, capacity: Capacity| CallContext {
        principal: principal.into(),
        employee: employee.into(),
        capacity: capacity.into(),
        ..context()
    };
    let forbidden = [
        callbacks.sign(context()),
        callbacks.sign(system("serviceAccounts/crm", "", Capacity::System)),
        callbacks.sign(system("services/ownership", "", Capacity::System)),
        callbacks.sign(system("services/callbacks", "", Capacity::Handler)),
        callbacks.sign(system("services/callbacks", "employees/zhang", Capacity::System)),
        gateway().sign(system("services/callbacks", "", Capacity::System)),
        gateway().sign(system("employees/zhang", "employees/zhang", Capacity::System)),
    ];
    for value in forbidden {
        assert_eq!(refusal(value), "CONTEXT_CAPACITY_FORBIDDEN");
    }
    assert!(verify(gateway().sign(system("services/gateway", "", Capacity::System))).is_ok());
}

#[test]
fn keys_are_strong_named_and_given_once() {
    assert!(ContextKey::new("a", &[0; 31]).is_none());
    assert!(ContextKey::new("", &[0; 32]).is_none());
    let twice = [("gateway".to_owned(), key("a", 1)), ("calls".to_owned(), key("a", 2))];
    assert_eq!(ContextVerifier::new("calls", twice).unwrap_err(), KeysInvalid("a".into()));
}

#[test]
fn an_issuer_may_have_two_keys_while_they_are_changed() {
    let keys = [("gateway".to_owned(), key("gateway-1", 1)), ("gateway".to_owned(), key("gateway-2", 3))];
    let verifier = ContextVerifier::new("calls", keys).unwrap();
    for signer in [gateway(), ContextSigner::new("gateway", "calls", key("gateway-2", 3))] {
        assert!(verifier.verify(&headers(signer.sign(context())), METHOD, NOW).is_ok());
    }
}
