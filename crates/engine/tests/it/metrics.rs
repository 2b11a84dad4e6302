//! What the engine tells of itself in numbers.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use shouwen_engine::{Options, options::Step};
use shouwen_runtime::{clock, telemetry::Metrics};
use shouwen_testkit::until;

use crate::{
    bank::{Command, UNREADABLE},
    followers::followed,
    gate::Gate,
    ground::{Ground, PATIENCE, calm, deposit, open, probed, submission},
    source::{Canned, Credit, LedgerFeed, event, serve},
};

/// An engine's options under which metrics are always fresh.
fn shown(metrics: &Metrics, options: Options) -> Options {
    let sample_interval = Duration::from_millis(5);
    Options { meter: Some(metrics.meter("shouwen")), sample_interval, ..options }
}

/// The value of the one series of a metric that has these labels.
fn value(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let text = metrics.render().unwrap();
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    let mut lines = text.lines().filter(|line| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'))
            && labels.iter().all(|label| line.contains(label))
    });
    let found = lines.next()?.rsplit(' ').next()?.parse().ok();
    assert_eq!(lines.next(), None, "two series of {name} have {labels:?}");
    found
}

/// Waits until a metric has a value.
async fn reads(metrics: &Metrics, name: &str, labels: &[(&str, &str)], expected: f64) {
    until(name, PATIENCE, async || {
        let value = value(metrics, name, labels)?;
        ((value - expected).abs() < f64::EPSILON).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_database_knows_is_shown_and_goes_back_to_nothing() {
    let ground = Ground::new().await;
    let metrics = Metrics::new("test").unwrap();
    let engine = ground.engine(shown(&metrics, calm())).await;
    engine.keep_up();
    reads(&metrics, "shouwen_engine_ledger_head", &[], 0.0).await;
    assert_eq!(value(&metrics, "shouwen_engine_deadlines_overdue", &[]), None);

    engine.open("accounts/a").await;
    let due = clock::now() - TimeDelta::seconds(60);
    engine.run(Command::Remind { account: "accounts/a".to_owned(), due }).await.unwrap();
    engine.open("accounts/b").await;
    let due = clock::now() + TimeDelta::seconds(3600);
    engine.run(Command::Remind { account: "accounts/b".to_owned(), due }).await.unwrap();
    let step = [("shouwen_step", "remind"), ("shouwen_service", "bank")];
    reads(&metrics, "shouwen_engine_deadlines_overdue", &step, 1.0).await;
    engine.sweep_once().await.unwrap();
    reads(&metrics, "shouwen_engine_deadlines_overdue", &step, 0.0).await;

    // What the domain adds.
    reads(&metrics, "shouwen_bank_accounts", &[("shouwen_kind", "empty")], 2.0).await;
    engine.run(deposit("accounts/a", 1)).await.unwrap();
    reads(&metrics, "shouwen_bank_accounts", &[("shouwen_kind", "full")], 1.0).await;
    engine.run(deposit("accounts/b", 1)).await.unwrap();
    reads(&metrics, "shouwen_bank_accounts", &[("shouwen_kind", "full")], 2.0).await;
    assert_eq!(value(&metrics, "shouwen_bank_accounts", &[("shouwen_kind", "empty")]), Some(0.0));

    // What it cannot say stays as it was, and holds up nothing else.
    engine.domain().set_calendar(UNREADABLE);
    let due = clock::now() - TimeDelta::seconds(60);
    engine.run(Command::Remind { account: "accounts/b".to_owned(), due }).await.unwrap();
    reads(&metrics, "shouwen_engine_deadlines_overdue", &step, 1.0).await;
    assert_eq!(value(&metrics, "shouwen_bank_accounts", &[("shouwen_kind", "full")]), Some(2.0));

    // Another process writes.
    let other = ground.engine(calm()).await;
    let before = value(&metrics, "shouwen_engine_ledger_head", &[]).unwrap();
    other.run(deposit("accounts/a", 1)).await.unwrap();
    reads(&metrics, "shouwen_engine_ledger_head", &[], before + 1.0).await;
    assert!(value(&metrics, "shouwen_engine_sample_age_seconds", &[]).unwrap() < PATIENCE.as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_the_days_that_the_calendar_still_covers_are_shown_where_one_is_counted_by() {
    let ground = Ground::new().await;
    let metrics = Metrics::new("test").unwrap();
    let engine = ground.engine(shown(&metrics, calm())).await;
    engine.keep_up();
    reads(&metrics, "shouwen_engine_ledger_head", &[], 0.0).await;
    assert_eq!(value(&metrics, "shouwen_calendar_covered", &[]), None);
    for (days, figure) in [(60, 60.0), (-1, -1.0), (425, 425.0)] {
        engine.domain().set_days_left(days);
        reads(&metrics, "shouwen_calendar_covered", &[("shouwen_service", "bank")], figure).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_shows_where_it_stands_and_what_is_parked() {
    let ground = Ground::new().await;
    let metrics = Metrics::new("test").unwrap();
    let engine = ground.engine(shown(&metrics, calm())).await;
    let feed = [("shouwen_feed", "shop"), ("shouwen_service", "bank")];
    let first = [event(1, "a", "5"), event(2, "a", "13"), event(3, "a", "7")];
    let canned = Canned::serve(first.to_vec(), None).await;
    engine.keep_up();
    let follow = Arc::new(Credit);
    engine.follow(Arc::clone(&follow), Arc::clone(&canned.source));
    reads(&metrics, "shouwen_engine_parked_events", &feed, 2.0).await;
    reads(&metrics, "shouwen_engine_feed_position", &feed, 3.0).await;
    assert_eq!(value(&metrics, "shouwen_engine_feed_lag", &feed), Some(0.0));
    // The feed has not said that this was all; the last of it happened long ago.
    assert!(value(&metrics, "shouwen_engine_feed_delay_seconds", &feed).unwrap() > 1e6);
    engine.run(Command::Soften { account: "accounts/a".to_owned() }).await.unwrap();
    engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await.unwrap();
    reads(&metrics, "shouwen_engine_parked_events", &feed, 0.0).await;
    assert_eq!(value(&metrics, "shouwen_engine_batch_size_sum", &feed), Some(3.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_follower_at_the_head_of_a_live_feed_has_neither_lag_nor_delay() {
    let (there, here) = (Ground::new().await, Ground::new().await);
    let source = there.engine(probed(shouwen_engine::options::Probe::default())).await;
    let metrics = Metrics::new("test").unwrap();
    let engine = here.engine(shown(&metrics, calm())).await;
    engine.follow(Arc::new(Credit), serve(LedgerFeed(source.engine.clone())).await);
    source.open("accounts/a").await;
    for amount in 1..=5 {
        source.run(deposit("accounts/a", amount)).await.unwrap();
    }
    followed(&engine, 6).await;
    reads(&metrics, "shouwen_engine_feed_position", &[("shouwen_feed", "shop")], 6.0).await;
    reads(&metrics, "shouwen_engine_feed_delay_seconds", &[("shouwen_feed", "shop")], 0.0).await;
    assert_eq!(value(&metrics, "shouwen_engine_feed_lag", &[]), Some(0.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_that_wait_and_batches_that_were_made_are_counted() {
    let ground = Ground::new().await;
    let metrics = Metrics::new("test").unwrap();
    let (probe, mut gate) = Gate::at(Step::Begun);
    let engine = ground.engine(shown(&metrics, probed(probe))).await;
    gate.close();
    let first = tokio::spawn(engine.queued(vec![submission(open("accounts/a", None))]).await);
    gate.reached().await;
    let waiting = engine.queued((0..3).map(|_| submission(deposit("accounts/a", 1))).collect()).await;
    assert_eq!(value(&metrics, "shouwen_engine_queue_length", &[]), Some(3.0));
    assert_eq!(value(&metrics, "shouwen_engine_batch_size_count", &[]), None);
    gate.open();
    assert!(first.await.unwrap()[0].is_ok());
    assert!(waiting.await.iter().all(Result::is_ok));
    assert_eq!(value(&metrics, "shouwen_engine_queue_length", &[]), Some(0.0));
    assert_eq!(value(&metrics, "shouwen_engine_batch_size_count", &[]), Some(2.0));
    assert_eq!(value(&metrics, "shouwen_engine_batch_size_sum", &[]), Some(4.0));
    assert_eq!(value(&metrics, "shouwen_engine_batch_duration_seconds_count", &[]), Some(2.0));
    // The meter outlives the engine and does not keep it.
    engine.end().await;
    assert_eq!(value(&metrics, "shouwen_engine_queue_length", &[]), Some(0.0));
}
