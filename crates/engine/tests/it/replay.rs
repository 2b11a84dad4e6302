//! Answering a repeat for somebody who may not make the call any more.

use shouwen_engine::{SubmitError, options::Step};

use crate::{
    gate::Gate,
    ground::{Ground, calm, deposit, open, probed, request, requested},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replay_waits_for_the_first_attempt_and_answers_its_result() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(probed(probe)).await;
    let second = ground.engine(calm()).await;
    first.open("accounts/a").await;
    let command = deposit("accounts/a", 5);
    gate.close();
    let attempt = tokio::spawn(first.queued(vec![requested(command.clone(), "r1")]).await);
    gate.reached().await;
    let replay = tokio::spawn({
        let (engine, request) = (second.engine.clone(), request(&command, "r1"));
        async move { engine.replay(&request).await }
    });
    ground.waiting(1).await;
    gate.open();
    let attempt = attempt.await.unwrap().remove(0).unwrap();
    let replay = replay.await.unwrap().unwrap();
    assert!(replay.replayed);
    assert_eq!((replay.version, &replay.state), (attempt.version, &attempt.state));
    // Also after later changes.
    first.run(deposit("accounts/a", 100)).await.unwrap();
    let replay = first.replay(&request(&command, "r1")).await.unwrap();
    assert_eq!((replay.version, &replay.state), (attempt.version, &attempt.state));
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replay_of_an_attempt_that_dies_is_none() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(probed(probe)).await;
    let second = ground.engine(calm()).await;
    first.open("accounts/a").await;
    let command = deposit("accounts/a", 5);
    gate.close();
    let attempt = tokio::spawn(first.queued(vec![requested(command.clone(), "r1")]).await);
    gate.reached().await;
    let replay = tokio::spawn({
        let (engine, request) = (second.engine.clone(), request(&command, "r1"));
        async move { engine.replay(&request).await }
    });
    ground.waiting(1).await;
    gate.kill();
    assert!(attempt.await.unwrap()[0].is_err());
    let replay = replay.await.unwrap();
    assert!(matches!(replay, Err(SubmitError::NotAReplay)), "{replay:?}");
    // The question left nothing behind.
    assert!(!second.submit(requested(command, "r1")).await.unwrap().replayed);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replay_of_nothing_a_rejection_or_something_else_is_refused() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    let never = engine.replay(&request(&deposit("accounts/a", 5), "r1")).await;
    assert!(matches!(never, Err(SubmitError::NotAReplay)));
    engine.submit(requested(deposit("accounts/a", 5), "r1")).await.unwrap_err();
    let rejected = engine.replay(&request(&deposit("accounts/a", 5), "r1")).await;
    assert!(matches!(rejected, Err(SubmitError::NotAReplay)));
    engine.submit(requested(open("accounts/a", None), "r2")).await.unwrap();
    let other = engine.replay(&request(&open("accounts/b", None), "r2")).await;
    assert!(matches!(other, Err(SubmitError::RequestReused)));
    assert_eq!(ground.number("select count(*) from request").await, 1);
}
