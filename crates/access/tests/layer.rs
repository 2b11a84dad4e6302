//! The layer in front of handlers, around a service of the suite as tonic serves it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use shouwen_access::context::{ContextKey, ContextSigner, ContextVerifier, HEADER, SystemCall, body_digest};
use shouwen_access::status::reason_of;
use shouwen_access::{Caller, Contract, Failure, RequireContext};
use shouwen_proto::access::v1::{CallContext, Capacity, Role};
use shouwen_runtime::clock::MachineClock;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer as _, ServiceExt as _, service_fn};

const GET_CALL: &str = "/shouwen.calls.v1.CallService/GetCall";
const WATCH: &str = "/shouwen.events.v1.EventFeed/Watch";
const LIMIT: usize = 1024;

/// What the handler behind the layer saw: its caller and the bytes of the body.
type Seen = Arc<Mutex<Option<(Option<Caller>, Bytes)>>>;

struct Backend {
    clock: MachineClock,
    seen: Seen,
}

impl Backend {
    fn new() -> Self {
        let clock = MachineClock::manual(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        Self { clock, seen: Seen::default() }
    }

    async fn call(&self, request: Request<Full<Bytes>>) -> Response<Body> {
        self.handle(request, || Ok(())).await
    }

    async fn handle(
        &self,
        request: Request<Full<Bytes>>,
        handler: fn() -> Result<(), Failure>,
    ) -> Response<Body> {
        let key = |id: &str| ContextKey::new(id, &[7; 32]).unwrap();
        let keys = ["gateway", "callbacks"].map(|issuer| (issuer.to_owned(), key(issuer)));
        let verifier = ContextVerifier::new("calls", keys).unwrap();
        let contract = Contract::load(shouwen_proto::DESCRIPTORS).unwrap();
        let seen = Arc::clone(&self.seen);
        let inner = service_fn(move |request: Request<Body>| {
            let seen = Arc::clone(&seen);
            async move {
                let caller = request.extensions().get::<Caller>().cloned();
                let bytes = request.into_body().collect().await.unwrap().to_bytes();
                *seen.lock().unwrap() = Some((caller, bytes));
                Ok::<_, std::convert::Infallible>(match handler().map_err(Status::from) {
                    Ok(()) => Response::new(Body::empty()),
                    Err(status) => status.into_http(),
                })
            }
        });
        let layer = RequireContext::new(Arc::new(contract), verifier, self.clock.clone(), LIMIT);
        let Ok(response) = layer.layer(inner).oneshot(request).await;
        response
    }

    fn handled(&self) -> Option<(Option<Caller>, Bytes)> {
        self.seen.lock().unwrap().take()
    }

    fn context(&self, path: &str, message: Option<&[u8]>) -> CallContext {
        CallContext {
            method: path.into(),
            body_digest: message.map(body_digest).map(Vec::from).unwrap_or_default(),
            principal: "employees/zhang".into(),
            employee: "employees/zhang".into(),
            branch: "branches/b1".into(),
            roles: vec![Role::Lead.into()],
            branches: vec!["branches/b1".into()],
            capacity: Capacity::Reader.into(),
            expires_at: self.clock.unix_micros() + 1_000_000,
            language: "zh-CN".into(),
            ..CallContext::default()
        }
    }

    fn sign(&self, path: &str, message: Option<&[u8]>) -> http::HeaderValue {
        signer("gateway").sign(self.context(path, message))
    }
}

fn signer(issuer: &str) -> ContextSigner {
    ContextSigner::new(issuer, "calls", ContextKey::new(issuer, &[7; 32]).unwrap())
}

fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}

fn request(path: &str, body: Bytes) -> Request<Full<Bytes>> {
    Request::post(format!("http://calls{path}")).body(Full::new(body)).unwrap()
}

fn signed(path: &str, context: http::HeaderValue, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = request(path, body);
    request.headers_mut().insert(HEADER, context);
    request
}

fn refusal(response: &Response<Body>) -> (Code, String) {
    let status = Status::from_header_map(response.headers()).expect("refused");
    (status.code(), reason_of(&status).expect("a reason"))
}

#[tokio::test]
async fn a_handler_sees_the_caller_and_the_body_as_it_was_sent() {
    let backend = Backend::new();
    let body = framed(b"message");
    backend.call(signed(GET_CALL, backend.sign(GET_CALL, Some(b"message")), body.clone())).await;
    let (caller, seen) = backend.handled().expect("handled");
    assert_eq!(caller.unwrap().principal.to_string(), "employees/zhang");
    assert_eq!(seen, body);
}

#[tokio::test]
async fn nothing_reaches_a_handler_without_a_context() {
    let backend = Backend::new();
    let response = backend.call(request(GET_CALL, framed(b""))).await;
    assert_eq!(refusal(&response), (Code::Unauthenticated, "CONTEXT_MISSING".into()));
    assert!(backend.handled().is_none());
}

#[tokio::test]
async fn a_context_does_not_fit_another_body_or_another_method() {
    let backend = Backend::new();
    let response = backend.call(signed(GET_CALL, backend.sign(GET_CALL, Some(b"a")), framed(b"b"))).await;
    assert_eq!(refusal(&response), (Code::Unauthenticated, "CONTEXT_BODY_WRONG".into()));
    let response = backend.call(signed(GET_CALL, backend.sign(WATCH, Some(b"a")), framed(b"a"))).await;
    assert_eq!(refusal(&response), (Code::Unauthenticated, "CONTEXT_METHOD_WRONG".into()));
    assert!(backend.handled().is_none());
}

#[tokio::test]
async fn a_context_expires_by_the_machines_clock() {
    let backend = Backend::new();
    let context = backend.sign(GET_CALL, Some(b""));
    backend.clock.advance(TimeDelta::seconds(1));
    let response = backend.call(signed(GET_CALL, context, framed(b""))).await;
    assert_eq!(refusal(&response), (Code::Unauthenticated, "CONTEXT_EXPIRED".into()));
}

#[tokio::test]
async fn a_stream_carries_no_digest_and_its_body_is_left_alone() {
    let backend = Backend::new();
    let call = SystemCall {
        method: WATCH,
        body_digest: None,
        cause: "",
        now: backend.clock.now(),
        lifetime: TimeDelta::seconds(5),
    };
    let body = framed(&vec![1; 2 * LIMIT]);
    backend.call(signed(WATCH, signer("callbacks").sign_system(&call), body.clone())).await;
    let (caller, seen) = backend.handled().expect("handled");
    assert!(caller.unwrap().is_system());
    assert_eq!(seen, body);

    let response = backend.call(signed(WATCH, backend.sign(WATCH, Some(b"x")), framed(b"x"))).await;
    assert_eq!(refusal(&response), (Code::Unauthenticated, "CONTEXT_BODY_WRONG".into()));
}

#[tokio::test]
async fn a_role_that_the_contract_does_not_name_is_refused_here_too() {
    let backend = Backend::new();
    let admin = CallContext { roles: vec![Role::Admin.into()], ..backend.context(GET_CALL, Some(b"")) };
    let response = backend.call(signed(GET_CALL, signer("gateway").sign(admin), framed(b""))).await;
    assert_eq!(refusal(&response), (Code::PermissionDenied, "ROLE_REQUIRED".into()));

    let call = SystemCall {
        method: GET_CALL,
        body_digest: Some(body_digest(b"")),
        cause: "",
        now: backend.clock.now(),
        lifetime: TimeDelta::seconds(5),
    };
    let response = backend.call(signed(GET_CALL, signer("callbacks").sign_system(&call), framed(b""))).await;
    assert_eq!(refusal(&response), (Code::PermissionDenied, "ROLE_REQUIRED".into()));
}

#[tokio::test]
async fn a_method_outside_the_contract_is_unknown_whoever_asks() {
    let backend = Backend::new();
    let path = "/shouwen.calls.v1.CallService/Forget";
    let response = backend.call(signed(path, backend.sign(path, Some(b"")), framed(b""))).await;
    assert_eq!(refusal(&response), (Code::Unimplemented, "METHOD_UNKNOWN".into()));
}

#[tokio::test]
async fn health_and_reflection_pass_without_a_context() {
    let backend = Backend::new();
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ] {
        backend.call(request(path, framed(b""))).await;
        let (caller, _) = backend.handled().expect("handled");
        assert!(caller.is_none());
    }
}

#[tokio::test]
async fn the_gateway_in_the_same_process_is_believed() {
    let backend = Backend::new();
    let caller = Caller::of_context(backend.context(GET_CALL, None)).unwrap();
    let mut inside = request(GET_CALL, framed(b"x"));
    inside.extensions_mut().insert(caller.clone());
    backend.call(inside).await;
    assert_eq!(backend.handled().unwrap().0, Some(caller));
}

#[tokio::test]
async fn a_request_that_is_not_one_whole_uncompressed_message_is_refused() {
    let backend = Backend::new();
    let mut two = framed(b"a").to_vec();
    two.extend(framed(b"a"));
    let mut compressed = framed(b"a").to_vec();
    compressed[0] = 1;
    let cases = [
        (Vec::new(), "MESSAGE_MALFORMED"),
        (vec![0, 0, 0], "MESSAGE_MALFORMED"),
        (framed(b"ab")[..6].to_vec(), "MESSAGE_MALFORMED"),
        (two, "MESSAGE_MALFORMED"),
        (compressed, "COMPRESSION_UNSUPPORTED"),
        (framed(&[1; LIMIT + 1]).to_vec(), "MESSAGE_TOO_LARGE"),
    ];
    for (body, reason) in cases {
        let response = backend.call(signed(GET_CALL, backend.sign(GET_CALL, Some(b"a")), body.into())).await;
        assert_eq!(refusal(&response).1, reason);
    }
    assert!(backend.handled().is_none());
    let largest = [1; LIMIT];
    backend.call(signed(GET_CALL, backend.sign(GET_CALL, Some(&largest)), framed(&largest))).await;
    assert!(backend.handled().is_some());
}

#[tokio::test]
async fn a_handler_refuses_in_the_callers_language() {
    let backend = Backend::new();
    let call = signed(GET_CALL, backend.sign(GET_CALL, Some(b"")), framed(b""));
    let response = backend.handle(call, || Err(Failure::contention())).await;
    let status = Status::from_header_map(response.headers()).unwrap();
    let localized = tonic_types::StatusExt::get_details_localized_message(&status).unwrap();
    assert_eq!(localized.locale, "zh-CN");
}
