//! Bounds: how often, how many at once, how large, and what is no message at all.

use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt as _;
use prost::Message as _;
use shouwen_runtime::config::Period;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Status};

use crate::backend::{Act, MORE_THAN_A_WINDOW};
use crate::contract::Ping;
use crate::world::{Ask, Refusal, World, comes_in, framed};

/// Begins a call that hangs at the backend.
async fn hanging(world: &mut World, ask: &Ask) -> AbortOnDropHandle<()> {
    world.script([Act::Hang]);
    let ask = ask.clone();
    let call = tokio::spawn(async move {
        let _ended = ask.send(&Ping::default()).await;
    });
    world.seen().await;
    AbortOnDropHandle::new(call)
}

#[tokio::test]
async fn each_principal_has_a_rate_of_its_own() {
    let world = World::with(|config| {
        (config.limits.employee_rate, config.limits.employee_burst) = (1, 2);
        (config.limits.account_rate, config.limits.account_burst) = (1, 3);
    })
    .await;
    let refused = async |ask: &Ask, allowed: usize| {
        for _ in 0..allowed {
            ask.send(&Ping::default()).await.unwrap();
        }
        let refusal = loop {
            // A slow machine lets a call's time pass meanwhile.
            if let Err(status) = ask.send(&Ping::default()).await {
                break Refusal(status);
            }
        };
        refusal.is(Code::ResourceExhausted, "RATE_LIMITED");
        let wait = refusal.retry_after();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    };
    refused(&world.ask("Get", "zhang"), 2).await;
    refused(&world.ask("Get", "li"), 2).await;
    // An account has one rate for all whom it acts for.
    let account = world.ask_at("/shouwen.echo.v1.Echo/Get", "serviceAccounts/crm");
    account.clone().acting_for("CRM-zhang").send(&Ping::default()).await.unwrap();
    refused(&account.acting_for("CRM-li"), 2).await;
}

#[tokio::test]
async fn calls_beyond_the_places_wait_shortly_and_are_shed() {
    let mut world = World::with(|config| {
        let limits = &mut config.limits;
        (limits.max_calls, limits.max_queued, limits.max_queue_time) = (1, 1, Period::millis(20));
    })
    .await;
    let ask = world.ask("Get", "zhang");
    let held = hanging(&mut world, &ask).await;
    let refusal = ask.refusal(&Ping::default()).await;
    refusal.is(Code::ResourceExhausted, "OVERLOADED");
    assert!(refusal.retry_after() > Duration::ZERO);
    // A place that becomes free is taken by who waits or comes.
    drop(held);
    world.ended().await;
    comes_in(async || ask.send(&Ping::default()).await).await;
}

#[tokio::test]
async fn calls_beyond_the_queue_are_shed_at_once() {
    let mut world = World::with(|config| {
        let limits = &mut config.limits;
        (limits.max_calls, limits.max_queued, limits.max_queue_time) = (1, 0, Period::secs(3600));
    })
    .await;
    let ask = world.ask("Get", "zhang");
    let _held = hanging(&mut world, &ask).await;
    ask.refusal(&Ping::default()).await.is(Code::ResourceExhausted, "OVERLOADED");
}

#[tokio::test]
async fn an_answer_that_is_not_read_keeps_its_place_until_its_time_is_over() {
    let world = World::with(|config| {
        let limits = &mut config.limits;
        (limits.max_calls, limits.max_queued, limits.request_timeout) = (1, 0, Period::secs(3600));
    })
    .await;
    let (ask, message) = (world.ask("Get", "zhang"), framed(&Ping::default().encode_to_vec()));
    world.script([Act::Say(MORE_THAN_A_WINDOW)]);
    let unread = ask.raw(message.clone()).await;
    ask.refusal(&Ping::default()).await.is(Code::ResourceExhausted, "OVERLOADED");
    drop(unread);
    comes_in(async || ask.send(&Ping::default()).await).await;

    world.script([Act::Say(MORE_THAN_A_WINDOW)]);
    let unread = ask.clone().with("grpc-timeout", "2S").raw(message).await;
    comes_in(async || ask.send(&Ping::default()).await).await;
    // Who reads at last is told.
    let read = timeout(Duration::from_secs(10), unread.into_body().collect()).await.unwrap().unwrap();
    let told = read.trailers().and_then(Status::from_header_map).unwrap();
    Refusal(told).is(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn nobody_holds_more_calls_at_once_than_their_share() {
    let mut world = World::with(|config| config.limits.employee_calls = 2).await;
    let ask = world.ask("Get", "zhang");
    let (_one, other) = (hanging(&mut world, &ask).await, hanging(&mut world, &ask).await);
    let refusal = ask.refusal(&Ping::default()).await;
    refusal.is(Code::ResourceExhausted, "TOO_MANY_AT_ONCE");
    let told = ["principal", "kind", "limit"].map(|key| refusal.metadata(key));
    assert_eq!(told, ["employees/zhang", "calls", "2"]);
    assert!(refusal.retry_after() > Duration::ZERO);
    // Whoever else calls has a share of their own, also who acts for the same employee.
    world.ask("Get", "li").send(&Ping::default()).await.unwrap();
    let account = world.ask_at("/shouwen.echo.v1.Echo/Get", "serviceAccounts/crm");
    account.acting_for("employees/zhang").send(&Ping::default()).await.unwrap();
    drop(other);
    comes_in(async || ask.send(&Ping::default()).await).await;
}

#[tokio::test]
async fn an_account_has_one_share_for_all_whom_it_acts_for() {
    let mut world = World::with(|config| config.limits.account_calls = 2).await;
    let account = world.ask_at("/shouwen.echo.v1.Echo/Get", "serviceAccounts/crm");
    let _zhang = hanging(&mut world, &account.clone().acting_for("employees/zhang")).await;
    let _li = hanging(&mut world, &account.clone().acting_for("CRM-li")).await;
    for ask in [account.clone().acting_for("employees/chief"), account] {
        let refusal = ask.refusal(&Ping::default()).await;
        refusal.is(Code::ResourceExhausted, "TOO_MANY_AT_ONCE");
        assert_eq!(refusal.metadata("principal"), "serviceAccounts/crm");
    }
    world.ask("Get", "zhang").send(&Ping::default()).await.unwrap();
}

#[tokio::test]
async fn who_waits_for_a_place_has_part_of_their_share() {
    let mut world = World::with(|config| {
        let limits = &mut config.limits;
        (limits.max_calls, limits.max_queue_time, limits.employee_calls) = (1, Period::secs(3600), 2);
    })
    .await;
    let ask = world.ask("Get", "zhang");
    let _held = hanging(&mut world, &ask).await;
    // One of them waits, whichever came first, so the other does not.
    let message = Ping::default();
    let refused = tokio::select! {
        refused = ask.refusal(&message) => refused,
        refused = ask.refusal(&message) => refused,
    };
    refused.is(Code::ResourceExhausted, "TOO_MANY_AT_ONCE");
}

#[tokio::test]
async fn an_answer_that_is_not_read_counts_for_its_caller_alone() {
    let world = World::with(|config| {
        (config.limits.employee_calls, config.limits.request_timeout) = (1, Period::secs(3600));
    })
    .await;
    let ask = world.ask("Get", "zhang");
    world.script([Act::Say(MORE_THAN_A_WINDOW)]);
    let unread = ask.raw(framed(&Ping::default().encode_to_vec())).await;
    ask.refusal(&Ping::default()).await.is(Code::ResourceExhausted, "TOO_MANY_AT_ONCE");
    world.ask("Get", "li").send(&Ping::default()).await.unwrap();
    drop(unread);
    comes_in(async || ask.send(&Ping::default()).await).await;
}

#[tokio::test]
async fn a_message_is_bounded_in_both_directions() {
    let mut world = World::with(|config| config.limits.max_message_bytes = 1024).await;
    let ask = world.ask("Get", "zhang");
    let largest = Ping::of(&[1; 1021]);
    assert_eq!(largest.encoded_len(), 1024);
    ask.send(&largest).await.unwrap();
    world.seen().await;
    let refusal = ask.refusal(&Ping::of(&[1; 1022])).await;
    refusal.is(Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    assert_eq!(refusal.metadata("limit_bytes"), "1024");
    assert!(world.nothing_seen());

    world.script([Act::Say(1024), Act::Say(1025)]);
    assert_eq!(ask.send(&Ping::default()).await.unwrap().into_inner().len(), 1024);
    let refusal = ask.refusal(&Ping::default()).await;
    refusal.is(Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    assert!(refusal.0.message().contains("answer"));
}

#[tokio::test]
async fn what_is_no_message_is_refused_before_any_backend() {
    let mut world = World::new().await;
    let good = framed(&Ping::of(b"x").encode_to_vec());
    let cases = [
        ("no frame", vec![]),
        ("half a frame", good[..3].to_vec()),
        ("half a message", good[..6].to_vec()),
        ("two messages", [good.clone(), good.clone()].concat()),
        ("an unknown flag", [&[2], &good[1..]].concat()),
        ("no protobuf", framed(&[0x0a, 0x05, b'a'])),
    ];
    let ask = world.ask("Get", "zhang");
    for (what, body) in cases {
        let refusal = ask.raw_refusal(body).await;
        assert_eq!(
            (refusal.0.code(), refusal.reason().as_str()),
            (Code::InvalidArgument, "MESSAGE_MALFORMED"),
            "{what}"
        );
    }
    // A wanted field of another type.
    world
        .ask("Look", "zhang")
        .raw_refusal(framed(&[0x08, 1]))
        .await
        .is(Code::InvalidArgument, "MESSAGE_MALFORMED");
    assert!(world.nothing_seen());
}

#[tokio::test]
async fn compressed_requests_are_refused_and_told_so() {
    let world = World::new().await;
    let good = framed(&Ping::of(b"x").encode_to_vec());
    let ask = world.ask("Get", "zhang");
    let response = ask.clone().with("grpc-encoding", "gzip").raw(good.clone()).await;
    assert_eq!(response.headers()["grpc-accept-encoding"], "identity");
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!(status.code(), Code::Unimplemented);
    let refusal = ask.raw_refusal([&[1], &good[1..]].concat()).await;
    refusal.is(Code::Unimplemented, "COMPRESSION_UNSUPPORTED");
    assert!(ask.with("grpc-encoding", "identity").raw(good).await.headers().contains_key("x-echo"));
}

#[tokio::test]
async fn what_is_no_grpc_is_no_grpc() {
    let world = World::new().await;
    let good = framed(&Ping::of(b"x").encode_to_vec());
    for (content_type, status) in [
        ("application/json", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/grpc-web+proto", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/grpc+json", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("application/grpc+proto", StatusCode::OK),
        ("application/grpc;charset=utf-8", StatusCode::OK),
    ] {
        let ask = world.ask("Get", "zhang").with("content-type", content_type);
        assert_eq!(ask.raw(good.clone()).await.status(), status, "{content_type}");
    }
}
