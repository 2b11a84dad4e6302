//! Calls that go around the gateway: a backend believes a context and nothing else.

use chrono::TimeDelta;
use http::HeaderValue;
use prost::Message as _;
use shouwen_access::context::{ContextKey, ContextSigner, body_digest};
use shouwen_proto::access::v1::{CallContext, Role};
use shouwen_runtime::channel::{ChannelOptions, connect};
use tonic::Code;

use crate::backend::{KEY, KEY_ID};
use crate::contract::Ping;
use crate::world::{Ask, World};

const GET: &str = "/shouwen.echo.v1.Echo/Get";
const LEAD: &str = "/shouwen.echo.v1.Echo/Lead";

/// A context as the gateway would sign it for Zhang's call of [`GET`] with `message`.
fn context(world: &World, message: &Ping) -> CallContext {
    CallContext {
        method: GET.to_owned(),
        body_digest: body_digest(&message.encode_to_vec()).to_vec(),
        principal: "employees/zhang".to_owned(),
        employee: "employees/zhang".to_owned(),
        branch: "branches/b1".to_owned(),
        roles: vec![Role::Staff.into()],
        branches: vec!["branches/b1".to_owned()],
        expires_at: (world.clock.now() + TimeDelta::seconds(5)).timestamp_micros(),
        language: "en".to_owned(),
        ..CallContext::default()
    }
}

fn sign(context: CallContext, secret: [u8; 32]) -> HeaderValue {
    ContextSigner::new("gateway", "echo", ContextKey::new(KEY_ID, &secret).unwrap()).sign(context)
}

#[tokio::test]
async fn a_backend_refuses_every_call_without_a_context_that_was_made_for_it() {
    let mut world = World::new().await;
    let backend = connect(&[world.backends[0].to_string()], &ChannelOptions::default()).unwrap();
    let message = Ping::of(b"x");
    let good = context(&world, &message);
    let with = |path: &str, context: HeaderValue| {
        Ask::new(&backend, path).with("x-shouwen-context-bin", context.to_str().unwrap())
    };
    let refused = async |ask: Ask, message: &Ping, reason: &str| {
        ask.refusal(message).await.is(Code::Unauthenticated, reason);
    };

    let token = format!("Bearer {}", world.token("employees/zhang"));
    refused(Ask::new(&backend, GET).with("authorization", &token), &message, "CONTEXT_MISSING").await;
    refused(with(GET, sign(good.clone(), [8; 32])), &message, "CONTEXT_SIGNATURE_INVALID").await;
    refused(with(GET, HeaderValue::from_static("bm90aGluZw")), &message, "CONTEXT_MALFORMED").await;
    refused(with(LEAD, sign(good.clone(), KEY)), &message, "CONTEXT_METHOD_WRONG").await;
    refused(with(GET, sign(good.clone(), KEY)), &Ping::of(b"y"), "CONTEXT_BODY_WRONG").await;
    let late = CallContext { expires_at: world.clock.unix_micros(), ..good.clone() };
    refused(with(GET, sign(late, KEY)), &message, "CONTEXT_EXPIRED").await;
    assert!(world.nothing_seen());

    with(GET, sign(good, KEY)).send(&message).await.unwrap();
    assert_eq!(world.seen().await.message, message.encode_to_vec());
}

#[tokio::test]
async fn a_context_that_passed_by_is_good_for_seconds_only() {
    let mut world = World::new().await;
    let message = Ping::of(b"x");
    world.ask("Get", "zhang").send(&message).await.unwrap();
    let taken = world.seen().await.headers["x-shouwen-context-bin"].to_str().unwrap().to_owned();
    let backend = connect(&[world.backends[0].to_string()], &ChannelOptions::default()).unwrap();
    let ask = Ask::new(&backend, GET).with("x-shouwen-context-bin", &taken);
    ask.send(&message).await.unwrap();
    world.clock.advance(TimeDelta::seconds(5));
    ask.refusal(&message).await.is(Code::Unauthenticated, "CONTEXT_EXPIRED");
}
