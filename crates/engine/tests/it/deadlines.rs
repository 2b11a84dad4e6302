//! Deadlines: each step once, in order, at its true due time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use shouwen_engine::{Options, options::Step};
use shouwen_testkit::until;

use crate::{
    bank::{Command, UNBEARABLE, UNREADABLE},
    gate::Gate,
    ground::{Ground, PATIENCE, calm, probed, submission},
};

/// Whole microseconds, as Postgres keeps them.
fn ago(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(shouwen_runtime::clock::unix_micros()).unwrap()
        - TimeDelta::seconds(seconds)
}

fn remind(account: &str, due: DateTime<Utc>) -> Command {
    Command::Remind { account: account.to_owned(), due }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_an_outage_each_step_happens_once_in_order_with_its_true_due_time() {
    let ground = Ground::new().await;
    let engines = [ground.engine(calm()).await, ground.engine(calm()).await];
    let mut dues = Vec::new();
    for n in 0..40 {
        let (account, due) = (format!("accounts/{n}"), ago(10_000 - (n * 37) % 400));
        engines[0].open(&account).await;
        engines[0].run(remind(&account, due)).await.unwrap();
        dues.push((account, due));
    }
    let later = ago(-3600);
    engines[0].open("accounts/later").await;
    engines[0].run(remind("accounts/later", later)).await.unwrap();
    assert_eq!(engines[0].status().await.unwrap().deadlines, 41);

    let sweeps = (0..8).map(|n| engines[n % 2].sweep_once());
    assert!(join_all(sweeps).await.into_iter().all(|swept| swept.is_ok()));

    for (account, due) in &dues {
        let (_, state) = ground.account(account).await.unwrap();
        assert_eq!((&state.fired, &state.reminder), (&vec![*due], &None));
    }
    let fired = "select count(*) from ledger where type = 'fired' and cause = 'deadline:remind'";
    assert_eq!(ground.number(fired).await, 40);
    let rows = shouwen_engine::ledger::after(engines[0].pool(), 0, 1000).await.unwrap();
    let order: Vec<&str> =
        rows.iter().filter(|row| row.r#type == "fired").map(|row| row.aggregate.as_str()).collect();
    dues.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    assert_eq!(order, dues.iter().map(|(account, _)| account.as_str()).collect::<Vec<_>>());
    assert_eq!(engines[0].status().await.unwrap().next_due, Some(later));
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadline_moved_meanwhile_does_not_fire() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(probed(probe)).await;
    let second = ground.engine(calm()).await;
    first.open("accounts/a").await;
    first.run(remind("accounts/a", ago(60))).await.unwrap();
    gate.close();
    let moving = tokio::spawn(first.queued(vec![submission(remind("accounts/a", ago(-60)))]).await);
    gate.reached().await;
    let sweeping = tokio::spawn({
        let engine = second.engine.clone();
        async move { engine.sweep_once().await }
    });
    ground.waiting(1).await;
    gate.open();
    assert!(moving.await.unwrap()[0].is_ok());
    assert_eq!(sweeping.await.unwrap().unwrap(), 1, "it saw the old due time");
    let (_, state) = ground.account("accounts/a").await.unwrap();
    assert!(state.fired.is_empty() && state.reminder.is_some());
    assert_eq!(second.sweep_once().await.unwrap(), 0);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sweepers_of_two_processes_find_what_falls_due() {
    let ground = Ground::new().await;
    let often = || Options { sweep_interval: Duration::from_millis(5), ..calm() };
    let engines = [ground.engine(often()).await, ground.engine(often()).await];
    for engine in &engines {
        engine.sweep();
    }
    for n in 0..10 {
        let account = format!("accounts/{n}");
        engines[n % 2].open(&account).await;
        engines[n % 2].run(remind(&account, ago(0) + TimeDelta::milliseconds(50))).await.unwrap();
    }
    until("all have fired", PATIENCE, async || {
        (ground.number("select count(*) from ledger where type = 'fired'").await == 10).then_some(())
    })
    .await;
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_deadlines_are_computed_anew_when_the_calendar_changes() {
    let ground = Ground::new().await;
    let engine = ground.engine(Options { sweep_commands: 10, ..calm() }).await;
    engine.domain().set_calendar("2026a");
    let due = ago(-86_400);
    for n in 0..25 {
        let account = format!("accounts/{n}");
        engine.open(&account).await;
        engine.run(remind(&account, due)).await.unwrap();
    }
    engine.sweep_once().await.unwrap();
    assert_eq!(ground.number("select count(*) from deadline where provisional").await, 25);
    engine.domain().set_calendar("2026b");
    // Bounded at a time; the sweeper comes again.
    for left in [15, 5, 0, 0] {
        engine.sweep_once().await.unwrap();
        assert_eq!(ground.number("select count(*) from deadline where provisional").await, left);
    }
    let moved = "select count(*) from deadline where calendar_version = '2026b' and not provisional";
    assert_eq!(ground.number(moved).await, 25);
    assert_eq!(ground.number("select count(*) from ledger where cause = 'calendar:2026b'").await, 25);
    let (_, state) = ground.account("accounts/7").await.unwrap();
    assert_eq!(state.reminder.unwrap().due, due + TimeDelta::days(1));
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadline_at_which_the_domain_panics_holds_up_no_other() {
    let ground = Ground::new().await;
    let engine = ground.engine(Options { sweep_interval: Duration::from_millis(5), ..calm() }).await;
    engine.domain().set_calendar("2026a");
    let later = ago(-86_400);
    for (account, due) in [(UNBEARABLE, ago(60)), ("accounts/a", ago(50)), ("accounts/z", later)] {
        engine.open(account).await;
        engine.run(remind(account, due)).await.unwrap();
    }
    engine.domain().set_calendar("2026b");
    assert_eq!(engine.sweep_once().await.unwrap(), 2);
    let (_, state) = ground.account("accounts/a").await.unwrap();
    assert_eq!((state.fired.len(), state.reminder), (1, None));
    // Nor does it hold up what is computed anew, where the same account makes it panic.
    let (_, state) = ground.account("accounts/z").await.unwrap();
    assert_eq!(state.reminder.unwrap().due, later + TimeDelta::days(1));
    let (_, state) = ground.account(UNBEARABLE).await.unwrap();
    assert_eq!((state.fired.len(), state.reminder.unwrap().calendar.as_str()), (0, "2026a"));
    // Nor does what the domain cannot say at all.
    engine.domain().set_calendar(UNREADABLE);
    engine.run(remind("accounts/a", ago(40))).await.unwrap();
    engine.sweep();
    until("the deadline", PATIENCE, async || {
        (ground.account("accounts/a").await.unwrap().1.fired.len() == 2).then_some(())
    })
    .await;
    engine.end().await;
    ground.consistent().await.unwrap();
}
