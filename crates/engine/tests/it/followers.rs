//! Followers: the effect of every event exactly once, over deaths, replicas and broken streams.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use prost::Message as _;
use shouwen_engine::{
    Options, SubmitError,
    follower::cursor,
    options::{Mutants, Step},
};
use shouwen_runtime::clock::MachineClock;
use shouwen_testkit::until;

use crate::{
    gate::{Death, Gate},
    ground::{
        Found, Ground, PATIENCE, Running, calm, demand, deposit, fenced, options, probed, red, submission,
    },
    source::{Canned, Credit, LedgerFeed, event, happened, serve},
};

/// Waits until the follower has come to a position.
pub(crate) async fn followed(engine: &Running, position: i64) {
    until("the follower's cursor", PATIENCE, async || {
        (cursor(&engine.engine, "shop").await.unwrap().position >= position).then_some(())
    })
    .await;
}

/// The projection has each of so many events once.
pub(crate) async fn projected_once(ground: &Ground, events: i64) -> Found {
    let twice = ground.number("select count(*) from projected where times > 1").await;
    demand!(twice == 0, "{twice} events are projected more than once");
    let projected = ground.number("select count(*) from projected").await;
    demand!(projected == events, "{projected} of {events} events are projected");
    Ok(())
}

/// The follower dies once at a step; afterwards every effect is there once.
async fn check_followed_once(step: Step, mutants: Mutants) -> Found {
    let ground = Ground::new().await;
    let (probe, death) = Death::at(step);
    let events =
        (1..=60).map(|position| event(position, &(position % 7).to_string(), &(position * 10).to_string()));
    let canned = Canned::serve(events.collect(), None).await;
    let engine = ground.engine(Options { feed_events: 10, ..options(probe, mutants) }).await;
    death.arm(2);
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 60).await;
    demand!(canned.opened() > 1, "nothing died at {step:?}");
    let sum = ground.number("select sum((state ->> 'balance')::bigint)::bigint from account").await;
    demand!(sum == 60 * 61 * 5, "credits of {} make {sum} after {step:?}", 60 * 61 * 5);
    let causes = ground.number("select count(distinct cause) from ledger").await;
    demand!(causes == 60, "{causes} causes after {step:?}");
    projected_once(&ground, 60).await?;
    ground.consistent().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_killed_at_any_step_applies_every_event_once() {
    for step in Step::ALL {
        check_followed_once(step, Mutants::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mutant_cursor_outside_turns_followers_red() {
    let mutants = Mutants { cursor_outside: true, ..Mutants::default() };
    red(check_followed_once(Step::Committed, mutants).await, "credits of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_follower_applies_at_once_is_bounded_by_bytes() {
    let ground = Ground::new().await;
    let bytes = event(10, "a", "10").encoded_len();
    let engine = ground.engine(Options { batch_bytes: 3 * bytes, ..calm() }).await;
    let canned = Canned::serve((10..=99).map(|position| event(position, "a", "10")).collect(), None).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 99).await;
    assert_eq!(ground.balance("accounts/a").await, 900);
    let rows = shouwen_engine::ledger::after(engine.pool(), 0, 1000).await.unwrap();
    let batches: Vec<usize> = rows.chunk_by(|a, b| a.time == b.time).map(<[_]>::len).collect();
    assert!(batches.iter().all(|events| *events <= 3), "{batches:?}");
    projected_once(&ground, 90).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_replicas_that_follow_at_once_apply_every_event_once() {
    let ground = Ground::new().await;
    let canned = Canned::serve(Vec::new(), None).await;
    let small = || Options { feed_events: 3, ..calm() };
    let engines = [ground.engine(small()).await, ground.engine(small()).await];
    for engine in &engines {
        engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    }
    for start in (0..300).step_by(10) {
        canned
            .add((start + 1..=start + 10).map(|position| event(position, &(position % 5).to_string(), "1")));
    }
    followed(&engines[0], 300).await;
    assert_eq!(ground.number("select sum((state ->> 'balance')::bigint)::bigint from account").await, 300);
    projected_once(&ground, 300).await.unwrap();
    // The slower one has let go of the cursor.
    let row = "select 1::bigint from feed_cursor for update nowait";
    until("the cursor is free", Duration::from_secs(5), async || {
        let mut connection = ground.superuser("bank").await;
        sqlx::query_scalar::<_, i64>(row).fetch_one(&mut connection).await.ok()
    })
    .await;
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_replica_that_was_overtaken_holds_no_lock() {
    let ground = Ground::new().await;
    let canned = Canned::serve(vec![event(1, "a", "1")], None).await;
    let (probe, mut gate) = Gate::at(Step::Begun);
    let slow = ground.engine(probed(probe)).await;
    let quick = ground.engine(calm()).await;
    gate.close();
    slow.follow(Arc::new(Credit), Arc::clone(&canned.source));
    gate.reached().await;
    quick.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&quick, 1).await;
    let opened = canned.opened();
    gate.open();
    // It sees that it was overtaken and asks again from where the cursor is.
    until("the slow replica resumes", PATIENCE, async || (canned.opened() > opened).then_some(())).await;
    ground.tamper("select * from feed_cursor for update nowait").await;
    canned.add([event(2, "a", "1")]);
    followed(&slow, 2).await;
    assert_eq!(ground.balance("accounts/a").await, 2);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn broken_streams_are_resumed_from_the_cursor() {
    let ground = Ground::new().await;
    let canned = Canned::serve((1..=40).map(|position| event(position, "a", "1")).collect(), Some(7)).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 40).await;
    assert!(canned.opened() >= 6);
    assert_eq!(ground.balance("accounts/a").await, 40);
    projected_once(&ground, 40).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_service_follows_the_ledger_of_another_while_it_is_written() {
    let ground = Ground::new().await;
    let fast = || probed(shouwen_engine::options::Probe::default());
    let shop = [
        ground.engine_at("shop", fast(), MachineClock::system(), ground.options("shop")).await,
        ground.engine_at("shop", fast(), MachineClock::system(), ground.options("shop")).await,
    ];
    for account in 0..4 {
        shop[0].open(&format!("accounts/{account}")).await;
    }
    let bank = ground.engine(calm()).await;
    bank.follow(Arc::new(Credit), serve(LedgerFeed(shop[0].engine.clone())).await);
    let write = async |writer: usize| {
        for _ in 0..20 {
            shop[writer % 2].run(deposit(&format!("accounts/{}", writer % 4), 3)).await.unwrap();
        }
    };
    join_all((0..16).map(write)).await;
    followed(&bank, 4 + 320).await;
    for account in 0..4 {
        assert_eq!(ground.balance(&format!("accounts/{account}")).await, 240);
    }
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clocks_start_at_the_event_s_time_and_the_cause_is_on_the_ledger() {
    let ground = Ground::new().await;
    let canned = Canned::serve(vec![event(1, "a", "nothing"), event(2, "a", "5")], None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 2).await;
    let (_, account) = ground.account("accounts/a").await.unwrap();
    assert_eq!(account.heard, [happened(2)]);
    assert_eq!(ground.number("select count(*) from ledger where cause = 'shop:2'").await, 1);
    projected_once(&ground, 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_raises_the_fence_that_an_event_tells_of() {
    let ground = Ground::new().await;
    let mut handed_over = event(1, "a", "nothing");
    handed_over.case = "cases/1".to_owned();
    handed_over.version = 2;
    let canned = Canned::serve(vec![handed_over], None).await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    engine.submit(fenced(deposit("accounts/a", 1), "cases/1", 1)).await.unwrap();
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 1).await;
    let old = engine.submit(fenced(deposit("accounts/a", 1), "cases/1", 1)).await;
    assert!(matches!(old, Err(SubmitError::Stale)), "{old:?}");
    engine.submit(fenced(deposit("accounts/a", 1), "cases/1", 2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_and_followed_events_on_the_same_aggregates_lose_nothing() {
    let ground = Ground::new().await;
    let canned = Canned::serve(Vec::new(), None).await;
    let engines = [ground.engine(calm()).await, ground.engine(calm()).await];
    for account in 0..3 {
        engines[0].open(&format!("accounts/{account}")).await;
    }
    for engine in &engines {
        engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    }
    let deposits =
        (0..240).map(|n| engines[n % 2].submit(submission(deposit(&format!("accounts/{}", n % 3), 1))));
    let feeding = async {
        for start in (0..120).step_by(4) {
            canned.add(
                (start + 1..=start + 4).map(|position| event(position, &(position % 3).to_string(), "1")),
            );
            tokio::task::yield_now().await;
        }
    };
    let (answers, ()) = tokio::join!(join_all(deposits), feeding);
    assert!(answers.iter().all(Result::is_ok));
    followed(&engines[0], 120).await;
    for account in 0..3 {
        assert_eq!(ground.balance(&format!("accounts/{account}")).await, 120);
    }
    ground.consistent().await.unwrap();
    for engine in engines {
        engine.end().await;
    }
    assert_eq!(ground.deadlocks().await, 0);
}
