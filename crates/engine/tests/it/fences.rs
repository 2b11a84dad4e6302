//! Epochs: an old one writes no more once a newer one was seen.

use std::{collections::HashMap, sync::Mutex};

use chrono::TimeDelta;
use futures_util::future::join_all;
use shouwen_engine::{
    Options, SubmitError,
    options::{Mutants, Step},
};
use shouwen_runtime::clock::MachineClock;
use sqlx::Executor as _;

use crate::{
    gate::Gate,
    ground::{Found, Ground, calm, demand, deposit, fenced, mutated, probed, red},
};

const CASE: &str = "cases/1";

/// A former handler's command is refused as soon as a process has seen the newer epoch.
async fn check_stale_epoch(mutants: Mutants) -> Found {
    let ground = Ground::new().await;
    let engine = ground.engine(mutated(mutants)).await;
    let other = ground.engine(mutated(mutants)).await;
    engine.open("accounts/a").await;
    let write = |epoch| fenced(deposit("accounts/a", epoch), CASE, epoch);
    for epoch in [1, 2, 2, 4] {
        engine.submit(write(epoch)).await.map_err(|error| format!("epoch {epoch}: {error}"))?;
    }
    for engine in [&engine, &other] {
        let old = engine.submit(write(3)).await;
        demand!(matches!(old, Err(SubmitError::Stale)), "epoch 3 after 4: {old:?}");
    }
    // Old and new in one batch: the newest of the batch counts.
    let answers = other.together(&ground, vec![write(4), write(5), write(4)]).await;
    demand!(matches!(answers[0], Err(SubmitError::Stale)), "{:?}", answers[0]);
    demand!(answers[1].is_ok(), "{:?}", answers[1]);
    demand!(matches!(answers[2], Err(SubmitError::Stale)), "{:?}", answers[2]);
    let fenced_elsewhere = fenced(deposit("accounts/a", 1), "cases/2", 1);
    demand!(other.submit(fenced_elsewhere).await.is_ok(), "another case has its own epochs");
    ground.consistent().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_old_epoch_is_refused() {
    check_stale_epoch(Mutants::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mutant_fence_off_turns_old_epochs_red() {
    red(check_stale_epoch(Mutants { fence_off: true, ..Mutants::default() }).await, "epoch 3 after 4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_missing_fence_is_raised_first() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::Begun);
    let engine = ground.engine(probed(probe)).await;
    engine.open("accounts/a").await;
    gate.close();
    let writing = tokio::spawn(engine.queued(vec![fenced(deposit("accounts/a", 1), CASE, 3)]).await);
    gate.reached().await;
    // Committed before the batch has looked at anything.
    assert_eq!(ground.number("select epoch from fence where case_name = 'cases/1'").await, 3);
    // Meanwhile another process has heard of the next epoch.
    let other = ground.engine(calm()).await;
    other.submit(fenced(deposit("accounts/a", 1), CASE, 4)).await.unwrap();
    gate.open();
    let answer = writing.await.unwrap().remove(0);
    assert!(matches!(answer, Err(SubmitError::Stale)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_raise_waits_for_the_write_that_shares_the_fence() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(probed(probe)).await;
    let second = ground.engine(calm()).await;
    first.open("accounts/a").await;
    first.open("accounts/b").await;
    gate.close();
    let old = tokio::spawn(first.queued(vec![fenced(deposit("accounts/a", 1), CASE, 1)]).await);
    gate.reached().await;
    let new = tokio::spawn(second.queued(vec![fenced(deposit("accounts/b", 2), CASE, 2)]).await);
    ground.waiting(1).await;
    gate.open();
    assert!(old.await.unwrap()[0].is_ok(), "it was under way before the newer epoch was known");
    assert!(new.await.unwrap()[0].is_ok());
    let late = first.submit(fenced(deposit("accounts/a", 1), CASE, 1)).await;
    assert!(matches!(late, Err(SubmitError::Stale)));
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn raises_and_shares_of_many_cases_neither_deadlock_nor_let_an_old_write_follow() {
    let ground = Ground::new().await;
    let engines = [ground.engine(calm()).await, ground.engine(calm()).await];
    for account in 0..8 {
        engines[0].open(&format!("accounts/{account}")).await;
    }
    // The newest epoch of each case that was acknowledged.
    let acknowledged: Mutex<HashMap<usize, i64>> = Mutex::default();
    let write = async |writer: usize| {
        for n in 0..12 {
            let case = (writer * 5 + n * 7) % 6;
            let epoch = 1 + i64::try_from((writer + n * 3) % 10 + n).unwrap();
            let known = acknowledged.lock().unwrap().get(&case).copied().unwrap_or_default();
            let account = format!("accounts/{}", (writer + n) % 8);
            let command = fenced(deposit(&account, 1), &format!("cases/{case}"), epoch);
            match engines[(writer + n) % 2].submit(command).await {
                Ok(_) => {
                    assert!(epoch >= known, "epoch {epoch} was accepted after {known}");
                    let mut acknowledged = acknowledged.lock().unwrap();
                    let newest = acknowledged.entry(case).or_default();
                    *newest = epoch.max(*newest);
                }
                Err(SubmitError::Stale) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
    };
    join_all((0..32).map(write)).await;
    ground.consistent().await.unwrap();
    for engine in engines {
        engine.end().await;
    }
    assert_eq!(ground.deadlocks().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_ownership_read_that_is_too_old_is_refused() {
    let ground = Ground::new().await;
    let clock = MachineClock::manual(shouwen_runtime::clock::now());
    let engine = ground.engine_at("bank", Options::default(), clock.clone(), ground.options("bank")).await;
    engine.open("accounts/a").await;
    let read_at = clock.now();
    let write = || {
        let mut submission = fenced(deposit("accounts/a", 1), CASE, 1);
        submission.fence.as_mut().unwrap().read_at = read_at;
        submission
    };
    clock.advance(TimeDelta::seconds(2));
    engine.submit(write()).await.unwrap();
    clock.advance(TimeDelta::microseconds(1));
    let late = engine.submit(write()).await;
    assert!(matches!(late, Err(SubmitError::Stale)), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_age_of_a_read_is_checked_after_the_fence_was_waited_for() {
    let ground = Ground::new().await;
    let clock = MachineClock::manual(shouwen_runtime::clock::now());
    let engine = ground.engine_at("bank", Options::default(), clock.clone(), ground.options("bank")).await;
    engine.open("accounts/a").await;
    let write = || {
        let mut submission = fenced(deposit("accounts/a", 1), CASE, 1);
        submission.fence.as_mut().unwrap().read_at = clock.now();
        submission
    };
    engine.submit(write()).await.unwrap();
    // A raise is under way, and takes its time.
    let mut raise = ground.superuser("bank").await;
    raise.execute("begin; select * from fence for update").await.unwrap();
    let waiting = tokio::spawn(engine.queued(vec![write()]).await);
    ground.waiting(1).await;
    clock.advance(TimeDelta::seconds(3));
    raise.execute("rollback").await.unwrap();
    let answer = waiting.await.unwrap().remove(0);
    assert!(matches!(answer, Err(SubmitError::Stale)), "{answer:?}");
}
