//! What passes the edge, and that it passes as it is.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use shouwen_access::{Failure, Language};
use shouwen_gateway::edge::EdgeConfig;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::backend::Act;
use crate::contract::{Change, Ping};
use crate::world::{Ask, Refusal, World};

#[tokio::test]
async fn the_bytes_of_a_request_and_its_answer_pass_unchanged() {
    let mut world = World::new().await;
    // A field nobody knows, then a known one twice, in no order.
    let mut message = vec![0xfa, 0x3e, 2, b'h', b'i'];
    message.extend(Ping::named("first").encode_to_vec());
    message.extend(Ping::of(b"payload").encode_to_vec());
    message.extend(Ping::named("last").encode_to_vec());
    let answer = world.ask("Get", "zhang").bytes(message.clone()).await.unwrap();
    assert_eq!(answer.get_ref(), &message);
    assert_eq!(answer.metadata().get("x-echo").unwrap(), "head");
    assert_eq!(world.seen().await.message, message);
}

#[tokio::test]
async fn a_backends_refusal_passes_with_its_details_and_metadata() {
    let world = World::new().await;
    let details =
        ErrorDetails::with_error_info("SOME_REASON", "shouwen", [("key".to_owned(), "值".to_owned())]);
    let mut status = Status::with_error_details(Code::FailedPrecondition, "says the backend: 不行", details);
    status.metadata_mut().insert("x-more", "metadata".parse().unwrap());
    status.metadata_mut().insert_bin("x-more-bin", MetadataValue::from_bytes(&[0, 255]));
    world.script([Act::Refuse(status.clone())]);
    let told = world.ask("Get", "zhang").send(&Ping::default()).await.unwrap_err();
    assert_eq!((told.code(), told.message()), (status.code(), status.message()));
    assert_eq!(told.details(), status.details());
    assert_eq!(told.get_details_error_info().unwrap().metadata["key"], "值");
    assert_eq!(told.metadata().get("x-more").unwrap(), "metadata");
    assert_eq!(told.metadata().get_bin("x-more-bin").unwrap().to_bytes().unwrap().as_ref(), [0, 255]);
}

#[tokio::test]
async fn a_reason_that_only_looks_like_one_about_contexts_passes() {
    let world = World::new().await;
    let failure = Failure::new(Code::FailedPrecondition, "CONTEXT_OF_THE_CASE_MISSING", "No.", "不行。");
    world.script([Act::Refuse(Status::from(failure))]);
    let refusal = world.ask("Get", "zhang").refusal(&Ping::default()).await;
    refusal.is(Code::FailedPrecondition, "CONTEXT_OF_THE_CASE_MISSING");
}

#[tokio::test]
async fn metadata_passes_but_the_token_and_the_suites_own() {
    let mut world = World::new().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let ask = world.ask("Get", "zhang").with("traceparent", trace).with("x-of-the-crm", "17");
    let ask = ask.with("x-shouwen-context-bin", "Zm9yZ2Vk").with("x-shouwen-anything", "1");
    ask.with("accept-language", "zh").acting_for("employees/zhang").send(&Ping::default()).await.unwrap();
    let seen = world.seen().await;
    assert_eq!(seen.headers["traceparent"], trace);
    assert_eq!(seen.headers["x-of-the-crm"], "17");
    assert!(!seen.headers.contains_key("authorization"));
    let own: Vec<_> = seen.headers.keys().filter(|name| name.as_str().starts_with("x-shouwen-")).collect();
    assert_eq!(own, ["x-shouwen-context-bin"]);
    assert_eq!(seen.headers.get_all("x-shouwen-context-bin").iter().count(), 1);
    assert_eq!(seen.caller.unwrap().language, Language::ZhCn);
}

#[tokio::test]
async fn a_deadline_reaches_the_backend_and_ends_the_call() {
    let mut world = World::new().await;
    world.ask("Get", "zhang").with("grpc-timeout", "5S").send(&Ping::default()).await.unwrap();
    let passed = millis(&world.seen().await.headers["grpc-timeout"]);
    assert!((1..=5_000).contains(&passed), "{passed} ms");

    world.script([Act::Hang]);
    let ask = world.ask("Get", "zhang").with("grpc-timeout", "2S");
    ask.refusal(&Ping::default()).await.is(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    world.ended().await;
}

#[tokio::test]
async fn a_call_without_a_deadline_gets_that_of_the_edge() {
    let mut world = World::with(|config| config.limits.request_timeout = Duration::from_secs(2).into()).await;
    world.script([Act::Hang]);
    let refusal = world.ask("Get", "zhang").refusal(&Ping::default()).await;
    refusal.is(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(millis(&world.seen().await.headers["grpc-timeout"]) <= 2_000);
    world.ended().await;
}

/// Whole milliseconds of a `grpc-timeout`.
fn millis(header: &http::HeaderValue) -> u64 {
    let text = header.to_str().unwrap();
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().unwrap();
    match unit {
        "n" => number / 1_000_000,
        "u" => number / 1_000,
        "m" => number,
        "S" => number * 1_000,
        unit => panic!("{unit}"),
    }
}

#[tokio::test]
async fn a_cancelled_call_is_cancelled_at_the_backend() {
    let mut world = World::new().await;
    world.script([Act::Hang]);
    let ask = world.ask("Get", "zhang");
    let call = tokio::spawn(async move { ask.send(&Ping::default()).await });
    world.seen().await;
    call.abort();
    world.ended().await;
}

#[tokio::test]
async fn calls_are_spread_over_all_addresses_of_a_backend() {
    let mut world = World::of(&["one", "two"], |config| config.limits.employee_rate = 0).await;
    let mut names = BTreeSet::new();
    // The second connection may come up later than the first.
    for _ in 0..10_000 {
        world.ask("Get", "zhang").send(&Ping::default()).await.unwrap();
        names.insert(world.seen().await.backend);
        if names.len() == 2 {
            return;
        }
    }
    panic!("only {names:?}");
}

#[tokio::test]
async fn a_backend_that_is_away_is_told_with_the_time_to_come_again() {
    let world = World::of(&[], |config| {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        config.backends.get_mut("echo").unwrap().addresses = vec![format!("127.0.0.1:{port}")];
    })
    .await;
    let refusal = world.ask("Get", "zhang").refusal(&Ping::default()).await;
    refusal.is(Code::Unavailable, "BACKEND_UNAVAILABLE");
    assert_eq!(refusal.metadata("service"), "echo");
    assert!(refusal.retry_after() > Duration::ZERO);
    // Nothing was sent, so nothing can have been done.
    world.owners.case(&["cases/a"]);
    let refusal = world.ask("Decide", "li").refusal(&Change::of("cases/a")).await;
    refusal.is(Code::Unavailable, "BACKEND_UNAVAILABLE");
}

#[tokio::test]
async fn a_backend_that_does_not_believe_the_gateway_is_no_fault_of_the_callers_token() {
    let unbelieved: [fn(&mut EdgeConfig); 3] = [
        |config| config.backends.get_mut("echo").unwrap().key = STANDARD.encode([9_u8; 32]).into(),
        |config| config.backends.get_mut("echo").unwrap().key_id = "another".to_owned(),
        // What comes by a clock that runs behind has expired already.
        |config| config.context_lifetime = Duration::ZERO.into(),
    ];
    for change in unbelieved {
        let mut world = World::with(change).await;
        world.owners.case(&["cases/a"]);
        let unavailable = |refusal: Refusal| {
            refusal.is(Code::Unavailable, "BACKEND_UNAVAILABLE");
            assert_eq!(refusal.metadata("service"), "echo");
            assert!(refusal.retry_after() > Duration::ZERO);
        };
        unavailable(world.ask("Get", "zhang").refusal(&Ping::default()).await);
        unavailable(Refusal(world.ask("Watch", "zhang").watch(&Ping::default()).await.unwrap_err()));
        // Nothing can have been done, so nothing is unknown.
        unavailable(world.ask("Decide", "li").refusal(&Change::of("cases/a")).await);
        // Nor does somebody who is not responsible learn more than that.
        unavailable(world.ask("Decide", "wang").refusal(&Change::of("cases/a")).await);
        assert!(world.nothing_seen());
    }
}

#[tokio::test]
async fn what_is_unknown_internal_or_not_deployed_is_unimplemented() {
    let world = World::new().await;
    for (path, reason) in [
        ("/shouwen.echo.v1.Echo/Forget", "METHOD_UNKNOWN"),
        ("/shouwen.nowhere.v1.Nowhere/Get", "METHOD_UNKNOWN"),
        ("/shouwen.echo.v1.Echo/Hidden", "METHOD_UNKNOWN"),
        ("/shouwen.absent.v1.Absent/Get", "BACKEND_NOT_CONFIGURED"),
    ] {
        let refusal = world.ask_at(path, "employees/zhang").refusal(&Ping::default()).await;
        refusal.is(Code::Unimplemented, reason);
    }
}

#[tokio::test]
async fn a_request_may_say_which_service_it_is_for() {
    let mut world = World::new().await;
    let to = |service: &str| Ping { service: service.to_owned(), ..Ping::default() };
    world.ask("Ask", "zhang").send(&to("echo")).await.unwrap();
    assert_eq!(world.seen().await.backend, "one");
    let refusal = world.ask("Ask", "zhang").refusal(&to("absent")).await;
    refusal.is(Code::Unimplemented, "BACKEND_NOT_CONFIGURED");
    for nowhere in ["", "nowhere"] {
        let refusal = world.ask("Ask", "zhang").refusal(&to(nowhere)).await;
        refusal.is(Code::InvalidArgument, "FIELD_INVALID");
        assert_eq!(refusal.metadata("field"), "service");
    }
}

#[tokio::test]
async fn a_service_of_the_same_process_finds_its_caller_without_a_signature() {
    let mut world = World::new().await;
    let message = Ping::of(b"inside");
    let ask = world.ask_at("/shouwen.inside.v1.Inside/Get", "employees/zhang");
    let answer = ask.with("x-shouwen-context-bin", "Zm9yZ2Vk").send(&message).await.unwrap();
    assert_eq!(answer.into_inner(), message.encode_to_vec());
    let seen = world.seen().await;
    assert_eq!(seen.backend, "inside");
    assert!(!seen.headers.contains_key("x-shouwen-context-bin"));
    let caller = seen.caller.unwrap();
    assert_eq!(caller.employee.unwrap().as_str(), "employees/zhang");
    assert!(caller.body_digest.is_some());
}

#[tokio::test]
async fn a_public_method_needs_nobody_and_passes_nobody_on() {
    let mut world = World::new().await;
    let ask = Ask::new(&world.channel, "/shouwen.echo.v1.Echo/Open");
    ask.send(&Ping::default()).await.unwrap();
    let seen = world.seen().await;
    assert!(seen.caller.is_none() && !seen.headers.contains_key("x-shouwen-context-bin"));
}

fn is_counted(metrics: &str, method: &str, code: &str) -> bool {
    let labels = [format!("rpc_method=\"{method}\""), format!("\"{code}\"")];
    metrics.lines().any(|line| {
        line.starts_with("rpc_server_call_duration_seconds_count")
            && labels.iter().all(|label| line.contains(label))
    })
}

#[tokio::test]
async fn every_call_is_measured() {
    let world = World::new().await;
    world.ask("Get", "zhang").send(&Ping::default()).await.unwrap();
    world.ask("Lead", "zhang").refusal(&Ping::default()).await;
    let request = HealthCheckRequest { service: String::new() };
    HealthClient::new(world.channel.clone()).check(request).await.unwrap();
    let text = world.metrics.render().unwrap();
    for (method, code) in [
        ("shouwen.echo.v1.Echo/Get", "OK"),
        ("shouwen.echo.v1.Echo/Lead", "PERMISSION_DENIED"),
        ("grpc.health.v1.Health/Check", "OK"),
    ] {
        assert!(is_counted(&text, method, code), "{method} {code} in\n{text}");
    }
}

#[tokio::test]
async fn strangers_cannot_make_up_methods_in_the_metrics() {
    let world = World::new().await;
    let ask = Ask::new(&world.channel, "/made-up/Method");
    assert_eq!(ask.clone().with("content-type", "text/plain").raw("").await.status(), 415);
    ask.refusal(&Ping::default()).await.is(Code::Unimplemented, "METHOD_UNKNOWN");
    let text = world.metrics.render().unwrap();
    for code in ["UNKNOWN", "UNIMPLEMENTED"] {
        assert!(is_counted(&text, "_OTHER", code), "{code} in\n{text}");
    }
    assert!(!text.contains("made-up"), "{text}");
}
