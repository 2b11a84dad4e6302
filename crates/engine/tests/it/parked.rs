//! Events that cannot be applied: parked for their aggregate, while others go on, until an operator retries or skips them.

use std::sync::Arc;

use shouwen_engine::{Options, operations::ParkedError};

use crate::{
    bank::{Command, DREADFUL, POISON},
    followers::{followed, projected_once},
    ground::{Ground, Running, calm},
    source::{Canned, Credit, event, happened},
};

fn soften(account: &str) -> Command {
    Command::Soften { account: account.to_owned() }
}

/// Position and reason of what is parked.
async fn parked(engine: &Running) -> Vec<(i64, String)> {
    let rows = engine.parked("", 0, 100).await.unwrap();
    rows.into_iter().map(|row| (row.position, row.reason)).collect()
}

fn expected(rows: &[(i64, &str)]) -> Vec<(i64, String)> {
    rows.iter().map(|(position, reason)| (*position, (*reason).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rejected_event_is_parked_and_later_ones_of_its_aggregate_wait_while_others_go_on() {
    let ground = Ground::new().await;
    let first = [event(1, "a", "5"), event(2, "a", "13"), event(3, "a", "7"), event(4, "b", "3")];
    let canned = Canned::serve(first.to_vec(), None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 4).await;
    // Also those that come later.
    canned.add([event(5, "a", "1"), event(6, "b", "4")]);
    followed(&engine, 6).await;
    assert_eq!((ground.balance("accounts/a").await, ground.balance("accounts/b").await), (5, 7));
    assert_eq!(parked(&engine).await, expected(&[(2, "UNLUCKY"), (3, "WAITING"), (5, "WAITING")]));
    assert_eq!(engine.status().await.unwrap().parked, 3);

    let follow = Arc::new(Credit);
    let retried = engine.retry_parked(&follow, &canned.source, 2).await;
    assert!(matches!(retried, Err(ParkedError::StillRejected(_))), "{retried:?}");
    assert_eq!(parked(&engine).await.len(), 3);

    engine.run(soften("accounts/a")).await.unwrap();
    assert_eq!(engine.retry_parked(&follow, &canned.source, 2).await.unwrap(), 3);
    assert_eq!(parked(&engine).await, []);
    let (_, account) = ground.account("accounts/a").await.unwrap();
    assert_eq!(account.balance, 26);
    assert_eq!(account.heard, [1, 2, 3, 5].map(happened), "in order, and as of the events' times");
    let again = engine.retry_parked(&follow, &canned.source, 2).await;
    assert!(matches!(again, Err(ParkedError::NotFound)));
    // From here on the aggregate goes on by itself.
    canned.add([event(7, "a", "100")]);
    followed(&engine, 7).await;
    assert_eq!(ground.balance("accounts/a").await, 126);
    projected_once(&ground, 7).await.unwrap();
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_skipped_event_is_recorded_and_those_behind_it_are_applied() {
    let ground = Ground::new().await;
    let events = [event(1, "a", "13"), event(2, "a", "2"), event(3, "a", "13"), event(4, "a", "4")];
    let canned = Canned::serve(events.to_vec(), None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 4).await;
    let follow = Arc::new(Credit);
    let applied = engine
        .skip_parked(&follow, &canned.source, 1, "agreed with the shop", "employees/ops")
        .await
        .unwrap();
    assert_eq!(applied, 1, "the next one is rejected itself");
    assert_eq!(parked(&engine).await, expected(&[(3, "UNLUCKY"), (4, "WAITING")]));
    let applied =
        engine.skip_parked(&follow, &canned.source, 3, "that one too", "employees/ops").await.unwrap();
    assert_eq!(applied, 1);
    assert_eq!(ground.balance("accounts/a").await, 6);
    let skipped = "select count(*) from skipped_event where actor = 'employees/ops' and position in (1, 3)";
    assert_eq!(ground.number(skipped).await, 2);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_malformed_event_is_parked() {
    let ground = Ground::new().await;
    let events = [event(1, "c", "2"), event(2, "c", "many"), event(3, "c", "4"), event(4, "d", "1")];
    let canned = Canned::serve(events.to_vec(), None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 4).await;
    assert_eq!((ground.balance("accounts/c").await, ground.balance("accounts/d").await), (2, 1));
    assert_eq!(parked(&engine).await, expected(&[(2, "MALFORMED: the amount is no number"), (3, "WAITING")]));
    let follow = Arc::new(Credit);
    let retried = engine.retry_parked(&follow, &canned.source, 2).await;
    assert!(matches!(retried, Err(ParkedError::StillRejected(_))), "{retried:?}");
    assert_eq!(
        engine.skip_parked(&follow, &canned.source, 2, "unreadable", "employees/ops").await.unwrap(),
        1
    );
    assert_eq!(ground.balance("accounts/c").await, 6);
    ground.consistent().await.unwrap();
}

/// The second of four events says this and fails; the third, of the same aggregate, waits behind it.
async fn failed_beside_others(text: &str) -> (Ground, Running, Canned) {
    let ground = Ground::new().await;
    let events = [event(1, "a", "1"), event(2, "b", text), event(3, "b", "2"), event(4, "a", "1")];
    let canned = Canned::serve(events.to_vec(), None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 4).await;
    assert_eq!(ground.balance("accounts/a").await, 2);
    assert_eq!(parked(&engine).await, expected(&[(2, "FAILED"), (3, "WAITING")]));
    (ground, engine, canned)
}

/// An event of this amount is parked, and applied on retry after its account became lenient.
async fn goes_on_beside(amount: i64) {
    let (ground, engine, canned) = failed_beside_others(&amount.to_string()).await;
    let follow = Arc::new(Credit);
    engine.run(soften("accounts/b")).await.unwrap();
    assert_eq!(engine.retry_parked(&follow, &canned.source, 2).await.unwrap(), 2);
    assert_eq!(ground.balance("accounts/b").await, amount + 2);
    projected_once(&ground, 4).await.unwrap();
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_that_makes_a_statement_fail_is_parked_and_the_others_go_on() {
    goes_on_beside(POISON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_that_makes_the_domain_panic_is_parked_and_the_others_go_on() {
    goes_on_beside(DREADFUL).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_that_makes_its_follower_panic_is_parked_and_the_others_go_on() {
    let (ground, _engine, _canned) = failed_beside_others("unspeakable").await;
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_whose_projection_fails_is_parked_and_projected_on_retry() {
    let ground = Ground::new().await;
    let mut stubborn = event(2, "a", "nothing");
    stubborn.branch = "unprojectable".to_owned();
    let canned =
        Canned::serve(vec![event(1, "a", "1"), stubborn, event(3, "a", "2"), event(4, "b", "1")], None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 4).await;
    assert_eq!(parked(&engine).await, expected(&[(2, "FAILED"), (3, "WAITING")]));
    assert_eq!(ground.balance("accounts/b").await, 1);
    let follow = Arc::new(Credit);
    let retried = engine.retry_parked(&follow, &canned.source, 2).await;
    assert!(matches!(retried, Err(ParkedError::Database(_))), "{retried:?}");
    ground.tamper("insert into counter (name, value) values ('room', 0)").await;
    assert_eq!(engine.retry_parked(&follow, &canned.source, 2).await.unwrap(), 2);
    assert_eq!(ground.balance("accounts/a").await, 3);
    projected_once(&ground, 4).await.unwrap();
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_left_waiting_when_a_queue_is_emptied_while_events_arrive() {
    let ground = Ground::new().await;
    let canned = Canned::serve((1..=30).map(|position| event(position, "a", "13")).collect(), None).await;
    let engines = [ground.engine(Options { feed_events: 2, ..calm() }).await, ground.engine(calm()).await];
    engines[0].follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engines[0], 30).await;
    engines[0].run(soften("accounts/a")).await.unwrap();
    let follow = Arc::new(Credit);
    let arriving = async {
        for position in 31..=90 {
            canned.add([event(position, "a", "13")]);
            tokio::task::yield_now().await;
        }
        followed(&engines[0], 90).await;
    };
    let (retried, ()) = tokio::join!(engines[1].retry_parked(&follow, &canned.source, 1), arriving);
    assert!(retried.unwrap() >= 30);
    assert_eq!(parked(&engines[0]).await, []);
    let (_, account) = ground.account("accounts/a").await.unwrap();
    assert_eq!(account.heard, (1..=90).map(happened).collect::<Vec<_>>());
    projected_once(&ground, 90).await.unwrap();
    ground.consistent().await.unwrap();
}
