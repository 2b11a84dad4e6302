//! Simulated business time: it stands still, moves forward only, and never past a deadline.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_engine::{
    Options,
    clock::{ClockError, simulate_from, simulated_at},
    options::{Probe, Step},
};
use shouwen_testkit::until;

use crate::{
    bank::Command,
    gate::Gate,
    ground::{Ground, PATIENCE, Running, calm, deposit},
    source::{Canned, Credit, event},
};

fn at(hour: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600 + hour * 3600, 0).unwrap()
}

async fn simulating(ground: &Ground, probe: Probe) -> Running {
    let often = Options { sweep_interval: Duration::from_millis(2), probe, ..calm() };
    let engine = ground.engine(often).await;
    simulate_from(engine.pool(), at(0)).await.unwrap();
    engine
}

fn remind(due: DateTime<Utc>) -> Command {
    Command::Remind { account: "accounts/a".to_owned(), due }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn simulated_time_is_set_on_an_empty_ledger_only() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    assert_eq!(simulated_at(engine.pool()).await.unwrap(), None);
    let real = engine.step_clock(at(0), at(1), true).await;
    assert!(matches!(real, Err(ClockError::NotSimulated)));
    engine.open("accounts/a").await;
    assert!(matches!(simulate_from(engine.pool(), at(0)).await, Err(ClockError::LedgerNotEmpty)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn simulated_time_stands_still_and_moves_forward_only() {
    let ground = Ground::new().await;
    let engine = simulating(&ground, Probe::default()).await;
    engine.open("accounts/a").await;
    engine.run(deposit("accounts/a", 1)).await.unwrap();
    assert_eq!(engine.now().await.unwrap(), at(0));
    assert_eq!(engine.step_clock(at(0), at(2), true).await.unwrap(), at(2));
    engine.run(deposit("accounts/a", 1)).await.unwrap();
    let rows = shouwen_engine::ledger::after(engine.pool(), 0, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.time).collect::<Vec<_>>(), [at(0), at(0), at(2)]);
    for (from, to) in [(at(0), at(3)), (at(2), at(1)), (at(3), at(4))] {
        let refused = engine.step_clock(from, to, true).await;
        assert!(matches!(refused, Err(ClockError::Elsewhere(here)) if here == at(2)), "{refused:?}");
    }
    assert_eq!(engine.now().await.unwrap(), at(2));
    let status = engine.status().await.unwrap();
    assert!(status.simulated);
    assert_eq!((status.now, status.next_due, status.outstanding), (at(2), None, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn simulated_time_never_passes_the_next_deadline() {
    let ground = Ground::new().await;
    let engine = simulating(&ground, Probe::default()).await;
    engine.sweep();
    engine.open("accounts/a").await;
    engine.run(remind(at(5))).await.unwrap();
    let refused = engine.step_clock(at(0), at(5) + TimeDelta::microseconds(1), true).await;
    assert!(matches!(refused, Err(ClockError::DeadlineBefore(due)) if due == at(5)), "{refused:?}");
    // A step that was refused leaves nobody paused.
    engine.run(remind(at(0))).await.unwrap();
    until("the reminder fires", PATIENCE, async || {
        ground.account("accounts/a").await.filter(|(_, state)| state.fired == [at(0)])
    })
    .await;
    engine.run(remind(at(5))).await.unwrap();
    engine.step_clock(at(0), at(5), true).await.unwrap();
    until("the reminder fires", PATIENCE, async || {
        ground.account("accounts/a").await.filter(|(_, state)| state.fired == [at(0), at(5)])
    })
    .await;
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sweepers_and_followers_keep_still_until_released() {
    let ground = Ground::new().await;
    let engine = simulating(&ground, Probe::default()).await;
    let canned = Canned::serve(vec![event(1, "b", "1")], None).await;
    engine.sweep();
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    until("the first event", PATIENCE, async || (ground.balance("accounts/b").await == 1).then_some(()))
        .await;
    engine.open("accounts/a").await;
    engine.run(remind(at(5))).await.unwrap();
    engine.step_clock(at(0), at(5), false).await.unwrap();
    canned.add([event(2, "b", "1")]);
    // Many times as long as a sweep or an event takes otherwise, measured in round trips.
    for _ in 0..200 {
        engine.now().await.unwrap();
    }
    assert_eq!(ground.balance("accounts/b").await, 1);
    assert!(ground.account("accounts/a").await.unwrap().1.fired.is_empty());
    // Commands of callers are accepted meanwhile.
    engine.run(deposit("accounts/a", 1)).await.unwrap();
    engine.step_clock(at(5), at(5), true).await.unwrap();
    until("the second event", PATIENCE, async || (ground.balance("accounts/b").await == 2).then_some(()))
        .await;
    until("the reminder fires", PATIENCE, async || {
        ground.account("accounts/a").await.filter(|(_, state)| state.fired == [at(5)])
    })
    .await;
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_clock_waits_for_a_follower_that_is_at_work() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::Begun);
    let engine = simulating(&ground, probe).await;
    let canned = Canned::serve(vec![event(1, "b", "1")], None).await;
    gate.close();
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    gate.reached().await;
    let mut step = Box::pin(engine.step_clock(at(0), at(1), true));
    for _ in 0..50 {
        let moved = futures_util::future::poll_immediate(&mut step).await;
        assert!(moved.is_none(), "the clock moved under a batch: {moved:?}");
        assert_eq!(engine.now().await.unwrap(), at(0));
    }
    gate.open();
    step.await.unwrap();
    assert_eq!(ground.balance("accounts/b").await, 1);
    let rows = shouwen_engine::ledger::after(engine.pool(), 0, 1).await.unwrap();
    assert_eq!(rows[0].time, at(0), "the event belongs to the time before the step");
}
