//! Streams in all directions.

use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::stream;
use prost::Message as _;
use shouwen_access::Failure;
use shouwen_gateway::ownership::CaseView;
use shouwen_proto::access::v1::Capacity;
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::backend::{Act, MORE_THAN_A_WINDOW};
use crate::contract::Ping;
use crate::owners::view;
use crate::world::{Ask, NOW, Refusal, World, comes_in};

/// A stream that the test feeds.
fn fed() -> (mpsc::UnboundedSender<Bytes>, impl futures_util::Stream<Item = Bytes> + Send + 'static) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    (sender, stream::poll_fn(move |context| receiver.poll_recv(context)))
}

fn encoded(payload: &[u8]) -> Bytes {
    Ping::of(payload).encode_to_vec().into()
}

async fn end_of(mut answers: Streaming<Bytes>) -> Refusal {
    loop {
        match answers.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the stream ended well"),
            Err(status) => return Refusal(status),
        }
    }
}

#[tokio::test]
async fn a_servers_stream_passes_with_its_trailers() {
    let mut world = World::new().await;
    let message = Ping::of(b"x");
    let mut answers = world.ask("Watch", "zhang").watch(&message).await.unwrap();
    let mut told = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        told.push(answer);
    }
    let echo = Bytes::from(message.encode_to_vec());
    assert_eq!(told, [echo.clone(), echo.clone(), echo, Bytes::from_static(b"last")]);
    let seen = world.seen().await;
    assert_eq!(seen.message, message.encode_to_vec());
    // A stream's context carries no digest, and nobody set it a deadline.
    assert_eq!(seen.caller.unwrap().body_digest, None);
    assert!(!seen.headers.contains_key("grpc-timeout"));

    let mut status = Status::from(Failure::new(Code::OutOfRange, "CURSOR_BEYOND_HEAD", "No.", "不行。"));
    status.metadata_mut().insert("x-more", "metadata".parse().unwrap());
    world.script([Act::Refuse(status)]);
    let refusal = end_of(world.ask("Watch", "zhang").watch(&message).await.unwrap()).await;
    refusal.is(Code::OutOfRange, "CURSOR_BEYOND_HEAD");
    assert_eq!(refusal.0.metadata().get("x-more").unwrap(), "metadata");
}

#[tokio::test]
async fn a_callers_stream_passes_under_the_case_rule_of_its_first_message() {
    let mut world = World::new().await;
    let assistants = vec!["employees/wang".to_owned()];
    world.owners.put(&["cases/a"], &CaseView { assistants, ..view("cases/a") });
    let messages = [Ping::named("cases/a"), Ping::of(b"one"), Ping::of(b"two")];
    let echoed = world.ask("Upload", "wang").upload(&messages).await.unwrap();
    let all: Vec<u8> = messages.iter().flat_map(prost::Message::encode_to_vec).collect();
    assert_eq!(echoed, all);
    let seen = world.seen().await;
    assert_eq!(seen.message, messages[0].encode_to_vec());
    assert_eq!(seen.caller.unwrap().capacity, Capacity::Assisting);

    world.owners.case(&["cases/b"]);
    let refusal = world.ask("Upload", "wang").upload(&[Ping::named("cases/b")]).await.unwrap_err();
    Refusal(refusal).is(Code::PermissionDenied, "NOT_RESPONSIBLE");
    let nothing = world.ask("Upload", "wang").upload(&[] as &[Ping]).await.unwrap_err();
    Refusal(nothing).is(Code::InvalidArgument, "FIELD_INVALID");
    assert!(world.nothing_seen());
}

#[tokio::test]
async fn the_first_message_of_a_stream_is_not_waited_for_without_end() {
    let mut world =
        World::with(|config| config.limits.request_timeout = Duration::from_millis(100).into()).await;
    let (_feeding, messages) = fed();
    let ask = world.ask_at("/shouwen.echo.v1.Echo/Upload", "employees/zhang");
    let refusal = ask.chat(messages).await.unwrap_err();
    Refusal(refusal).is(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(world.nothing_seen());
}

#[tokio::test]
async fn a_conversation_goes_back_and_forth_without_being_held_up() {
    let world = World::new().await;
    let (feeding, messages) = fed();
    let mut answers = world.ask("Chat", "zhang").chat(messages).await.unwrap();
    for index in 0..5_u8 {
        feeding.send(encoded(&[index])).unwrap();
        assert_eq!(answers.message().await.unwrap().unwrap(), encoded(&[index]));
    }
    drop(feeding);
    assert_eq!(answers.message().await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_that_its_caller_drops_ends_at_the_backend() {
    let mut world = World::new().await;
    world.script([Act::Hang]);
    let mut answers = world.ask("Watch", "zhang").watch(&Ping::default()).await.unwrap();
    answers.message().await.unwrap();
    world.seen().await;
    drop(answers);
    world.ended().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let world = World::new().await;
    let mut claims = World::claims("employees/zhang");
    claims["exp"] = (NOW + 1).into();
    let token = world.issuer.sign(&claims);
    world.clock.advance(TimeDelta::milliseconds(500));
    let (feeding, messages) = fed();
    let ask = Ask::new(&world.channel, "/shouwen.echo.v1.Echo/Chat")
        .with("authorization", &format!("Bearer {token}"));
    let answers = ask.chat(messages).await.unwrap();
    feeding.send(encoded(b"x")).unwrap();
    end_of(answers).await.is(Code::Unauthenticated, "TOKEN_EXPIRED");
    // Though the caller still holds its side open.
    world.ended().await;
}

#[tokio::test]
async fn a_deadline_that_the_caller_sets_ends_a_stream() {
    let mut world = World::new().await;
    let (_feeding, messages) = fed();
    let ask = world.ask("Chat", "zhang").with("grpc-timeout", "2S");
    end_of(ask.chat(messages).await.unwrap()).await.is(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(world.seen().await.headers.contains_key("grpc-timeout"));
    world.ended().await;
}

#[tokio::test]
async fn a_stream_that_is_not_read_keeps_its_place_until_its_deadline() {
    let world = World::with(|config| config.limits.max_streams = 1).await;
    let ask = world.ask("Watch", "zhang");
    world.script([Act::Say(MORE_THAN_A_WINDOW)]);
    let unread = ask.clone().with("grpc-timeout", "2S").watch(&Ping::default()).await.unwrap();
    comes_in(async || ask.watch(&Ping::default()).await).await;
    end_of(unread).await.is(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_message_of_a_stream_that_is_too_large_ends_it() {
    let world = World::with(|config| config.limits.max_message_bytes = 1024).await;
    let (feeding, messages) = fed();
    let mut answers = world.ask("Chat", "zhang").chat(messages).await.unwrap();
    feeding.send(encoded(b"x")).unwrap();
    answers.message().await.unwrap().unwrap();
    feeding.send(encoded(&[1; 2000])).unwrap();
    end_of(answers).await.is(Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    world.ended().await;

    world.script([Act::Say(1025)]);
    let answers = world.ask("Watch", "zhang").watch(&Ping::default()).await.unwrap();
    end_of(answers).await.is(Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn streams_beyond_the_places_are_shed() {
    let world = World::with(|config| config.limits.max_streams = 1).await;
    let (_feeding, messages) = fed();
    let first = world.ask("Chat", "zhang").chat(messages).await.unwrap();
    let refusal = Refusal(world.ask("Watch", "zhang").watch(&Ping::default()).await.unwrap_err());
    refusal.is(Code::ResourceExhausted, "OVERLOADED");
    assert!(refusal.retry_after() > Duration::ZERO);
    drop(first);
    // Unary calls have places of their own.
    world.ask("Get", "zhang").send(&Ping::default()).await.unwrap();
}

#[tokio::test]
async fn nobody_opens_more_streams_than_their_share() {
    let world = World::with(|config| config.limits.employee_streams = 1).await;
    let (_feeding, messages) = fed();
    let first = world.ask("Chat", "zhang").chat(messages).await.unwrap();
    let ask = world.ask("Watch", "zhang");
    let refusal = Refusal(ask.watch(&Ping::default()).await.unwrap_err());
    refusal.is(Code::ResourceExhausted, "TOO_MANY_AT_ONCE");
    let told = ["principal", "kind", "limit"].map(|key| refusal.metadata(key));
    assert_eq!(told, ["employees/zhang", "streams", "1"]);
    // Waiting does not help.
    assert!(refusal.0.get_details_retry_info().is_none());
    // Whoever else calls has a share of their own, and unary calls have another.
    world.ask("Watch", "li").watch(&Ping::default()).await.unwrap();
    world.ask("Get", "zhang").send(&Ping::default()).await.unwrap();
    drop(first);
    comes_in(async || ask.watch(&Ping::default()).await).await;
}
