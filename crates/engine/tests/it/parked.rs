//! Events that cannot be applied: parked for their aggregate, while others go on, until an operator retries or skips them.

use std::sync::Arc;

use shouwen_engine::{FeedSource, Options, options::Step, parked::ParkedError};
use shouwen_proto::events::v1::Event;
use sqlx::Executor as _;
use tokio::task::JoinHandle;
use tonic::Status;

use crate::{
    bank::{Command, DREADFUL, POISON},
    followers::{followed, projected_once},
    gate::Gate,
    ground::{Ground, Running, calm, probed},
    source::{Canned, Credit, event, happened},
};

/// What lets events be projected that could not be before.
const ROOM: &str = "insert into counter (name, value) values ('room', 0)";

/// An event whose projection fails until there is room.
fn unprojectable(position: i64, aggregate: &str, amount: &str) -> Event {
    Event { branch: "unprojectable".to_owned(), ..event(position, aggregate, amount) }
}

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
    let retried = engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await;
    assert!(matches!(retried, Err(ParkedError::StillRejected(_))), "{retried:?}");
    assert_eq!(parked(&engine).await.len(), 3);

    engine.run(soften("accounts/a")).await.unwrap();
    assert_eq!(engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await.unwrap(), 3);
    assert_eq!(parked(&engine).await, []);
    let retried =
        "select count(*) from retried_event where actor = 'employees/ops' and position in (2, 3, 5)";
    assert_eq!(ground.number(retried).await, 3);
    let (_, account) = ground.account("accounts/a").await.unwrap();
    assert_eq!(account.balance, 26);
    assert_eq!(account.heard, [1, 2, 3, 5].map(happened), "in order, and as of the events' times");
    let again = engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await;
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
async fn an_event_is_given_up_though_those_behind_it_cannot_be_read() {
    let ground = Ground::new().await;
    let canned = Canned::serve(vec![event(1, "a", "13"), event(2, "a", "2")], None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 2).await;
    let away: FeedSource = Arc::new(|_| Box::pin(async { Err(Status::unavailable("away")) }));
    let follow = Arc::new(Credit);
    let retried = engine.retry_parked(&follow, &away, 1, "employees/ops").await;
    assert!(matches!(retried, Err(ParkedError::Feed(_))), "{retried:?}");
    assert_eq!(engine.skip_parked(&follow, &away, 1, "no", "employees/ops").await.unwrap(), 0);
    assert_eq!(ground.number("select count(*) from skipped_event where position = 1").await, 1);
    assert_eq!(parked(&engine).await, expected(&[(2, "WAITING")]));
    assert_eq!(engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await.unwrap(), 1);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_that_the_feed_does_not_show_any_more_stays_parked_and_is_not_called_unknown() {
    let ground = Ground::new().await;
    let canned = Canned::serve(vec![event(1, "a", "13")], None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 1).await;
    let gone = Canned::serve(vec![event(2, "a", "1")], None).await;
    let retried = engine.retry_parked(&Arc::new(Credit), &gone.source, 1, "employees/ops").await;
    assert!(matches!(retried, Err(ParkedError::Feed(_))), "{retried:?}");
    assert_eq!(parked(&engine).await, expected(&[(1, "UNLUCKY")]));
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
    let retried = engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await;
    assert!(matches!(retried, Err(ParkedError::StillRejected(_))), "{retried:?}");
    assert_eq!(
        engine.skip_parked(&follow, &canned.source, 2, "unreadable", "employees/ops").await.unwrap(),
        1
    );
    assert_eq!(ground.balance("accounts/c").await, 6);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_retry_tells_what_was_applied_though_one_behind_is_rejected_again() {
    let ground = Ground::new().await;
    let events = [event(1, "a", "13"), event(2, "a", "many"), event(3, "a", "2")];
    let canned = Canned::serve(events.to_vec(), None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 3).await;
    engine.run(soften("accounts/a")).await.unwrap();
    let follow = Arc::new(Credit);
    assert_eq!(engine.retry_parked(&follow, &canned.source, 1, "employees/ops").await.unwrap(), 1);
    assert_eq!(parked(&engine).await, expected(&[(2, "MALFORMED: the amount is no number"), (3, "WAITING")]));
    // What waits behind it is not applied, whoever asks for that.
    let retried = engine.retry_parked(&follow, &canned.source, 3, "employees/ops").await;
    assert!(matches!(retried, Err(ParkedError::StillRejected(_))), "{retried:?}");
    assert_eq!(ground.balance("accounts/a").await, 13);
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
    assert_eq!(parked(&engine).await, expected(&[(2, "FAILED"), (3, "BEHIND_FAILED")]));
    (ground, engine, canned)
}

/// An event of this amount is parked, and applied on retry after its account became lenient.
async fn goes_on_beside(amount: i64) {
    let (ground, engine, canned) = failed_beside_others(&amount.to_string()).await;
    let follow = Arc::new(Credit);
    engine.run(soften("accounts/b")).await.unwrap();
    assert_eq!(engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await.unwrap(), 2);
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
    let (ground, engine, canned) = failed_beside_others("unspeakable").await;
    // Whoever retries it has an answer.
    let follow = Arc::new(Credit);
    let retried = engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await;
    assert!(matches!(retried, Err(ParkedError::Failed(_))), "{retried:?}");
    assert_eq!(parked(&engine).await.len(), 2);
    let skipped = engine.skip_parked(&follow, &canned.source, 2, "nobody can say it", "employees/ops").await;
    assert_eq!(skipped.unwrap(), 1);
    assert_eq!(ground.balance("accounts/b").await, 2);
    projected_once(&ground, 3).await.unwrap();
    ground.consistent().await.unwrap();
}

/// The second event tells of this case's epoch, and nobody can raise that fence.
async fn unfenced_beside_others(case: &str) {
    let ground = Ground::new().await;
    let about =
        |position: i64, case: &str| Event { case: case.to_owned(), version: 2, ..event(position, "a", "1") };
    let events = vec![about(1, "cases/1"), about(2, case), event(3, "a", "2"), event(4, "b", "1")];
    let canned = Canned::serve(events, None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 4).await;
    assert_eq!(parked(&engine).await, expected(&[(2, "FAILED"), (3, "BEHIND_FAILED")]));
    assert_eq!((ground.balance("accounts/a").await, ground.balance("accounts/b").await), (1, 1));
    assert_eq!(ground.number("select sum(epoch)::bigint from fence").await, 2);
    let follow = Arc::new(Credit);
    let retried = engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await;
    assert!(matches!(retried, Err(ParkedError::Failed(_))), "{retried:?}");
    assert_eq!(parked(&engine).await.len(), 2);
    let skipped = engine.skip_parked(&follow, &canned.source, 2, "no such case", "employees/ops").await;
    assert_eq!(skipped.unwrap(), 1);
    assert_eq!(ground.balance("accounts/a").await, 3);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_whose_fence_makes_its_follower_panic_is_parked_and_the_others_go_on() {
    unfenced_beside_others("cases/unspeakable").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_whose_fence_makes_a_statement_fail_is_parked_and_the_others_go_on() {
    // Postgres keeps no such text.
    unfenced_beside_others("cases/\0").await;
}

/// The latest event of `calls/a` by the projection.
async fn latest(ground: &Ground) -> i64 {
    ground.number("select position from latest where aggregate = 'calls/a'").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_whose_projection_fails_is_parked_and_projected_on_retry_before_those_that_came_after_it() {
    let ground = Ground::new().await;
    let stubborn = unprojectable(2, "a", "nothing");
    let canned =
        Canned::serve(vec![event(1, "a", "1"), stubborn, event(3, "a", "2"), event(4, "b", "1")], None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 4).await;
    // Also those that come later, and ask for nothing.
    canned.add([event(5, "a", "nothing"), event(6, "b", "1")]);
    followed(&engine, 6).await;
    let behind = [(2, "FAILED"), (3, "BEHIND_FAILED"), (5, "BEHIND_FAILED")];
    assert_eq!(parked(&engine).await, expected(&behind));
    assert_eq!((ground.balance("accounts/b").await, latest(&ground).await), (2, 1));
    let follow = Arc::new(Credit);
    let retried = engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await;
    assert!(matches!(retried, Err(ParkedError::Failed(_))), "{retried:?}");
    assert_eq!(parked(&engine).await, expected(&behind));
    ground.tamper(ROOM).await;
    assert_eq!(engine.retry_parked(&follow, &canned.source, 2, "employees/ops").await.unwrap(), 3);
    assert_eq!((ground.balance("accounts/a").await, latest(&ground).await), (3, 5));
    projected_once(&ground, 6).await.unwrap();
    // From here on the aggregate goes on by itself.
    canned.add([event(7, "a", "nothing")]);
    followed(&engine, 7).await;
    assert_eq!((parked(&engine).await, latest(&ground).await), (Vec::new(), 7));
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failed_event_that_is_rejected_on_retry_is_projected_as_rejected_ones_are() {
    let ground = Ground::new().await;
    let canned = Canned::serve(vec![unprojectable(1, "a", "13"), event(2, "a", "2")], None).await;
    let engine = ground.engine(calm()).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 2).await;
    assert_eq!(parked(&engine).await, expected(&[(1, "FAILED"), (2, "BEHIND_FAILED")]));
    ground.tamper(ROOM).await;
    let follow = Arc::new(Credit);
    for _ in 0..2 {
        let retried = engine.retry_parked(&follow, &canned.source, 1, "employees/ops").await;
        assert!(matches!(retried, Err(ParkedError::StillRejected(_))), "{retried:?}");
        assert_eq!(parked(&engine).await, expected(&[(1, "UNLUCKY"), (2, "BEHIND_FAILED")]));
        projected_once(&ground, 1).await.unwrap();
    }
    engine.run(soften("accounts/a")).await.unwrap();
    assert_eq!(engine.retry_parked(&follow, &canned.source, 1, "employees/ops").await.unwrap(), 2);
    assert_eq!((ground.balance("accounts/a").await, latest(&ground).await), (15, 2));
    projected_once(&ground, 2).await.unwrap();
    ground.consistent().await.unwrap();
}

/// The second of an account's three events failed and can be applied now. The second engine follows; the first has a gate for the retry.
async fn to_be_retried(step: Step) -> (Ground, [Running; 2], Canned, Gate) {
    let ground = Ground::new().await;
    let events = vec![event(1, "a", "1"), unprojectable(2, "a", "2"), event(3, "a", "4")];
    let canned = Canned::serve(events, None).await;
    let (probe, gate) = Gate::at(step);
    let engines = [ground.engine(probed(probe)).await, ground.engine(calm()).await];
    engines[1].follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engines[1], 3).await;
    ground.tamper(ROOM).await;
    gate.close();
    (ground, engines, canned, gate)
}

/// Begins to retry the second event.
fn retry(engine: &Running, canned: &Canned) -> JoinHandle<Result<i32, ParkedError>> {
    let (engine, source) = (engine.engine.clone(), Arc::clone(&canned.source));
    tokio::spawn(async move { engine.retry_parked(&Arc::new(Credit), &source, 2, "employees/ops").await })
}

/// Begins to give the second event up.
fn skip(engine: &Running, canned: &Canned) -> JoinHandle<Result<i32, ParkedError>> {
    let (engine, source) = (engine.engine.clone(), Arc::clone(&canned.source));
    tokio::spawn(
        async move { engine.skip_parked(&Arc::new(Credit), &source, 2, "no", "employees/ops").await },
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_operators_who_retry_at_once_apply_every_event_once_and_in_order() {
    let (ground, engines, canned, mut gate) = to_be_retried(Step::Attached).await;
    let one = retry(&engines[0], &canned);
    gate.reached().await;
    let other = retry(&engines[1], &canned);
    ground.waiting(1).await;
    gate.open();
    assert_eq!(one.await.unwrap().unwrap() + other.await.unwrap().unwrap(), 2);
    assert_eq!(parked(&engines[0]).await, []);
    let (_, account) = ground.account("accounts/a").await.unwrap();
    assert_eq!(account.heard, [1, 2, 3].map(happened));
    assert_eq!(latest(&ground).await, 3);
    projected_once(&ground, 3).await.unwrap();
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_is_retried_under_the_locks_of_its_follower() {
    let (ground, engines, canned, mut gate) = to_be_retried(Step::Attached).await;
    let retrying = retry(&engines[0], &canned);
    gate.reached().await;
    let mut superuser = ground.superuser("bank").await;
    let head = superuser.execute("select * from ledger_head for update nowait").await;
    assert!(head.is_err(), "it was projected without the head's lock");
    // What arrives meanwhile waits for the cursor.
    canned.add([event(4, "a", "8"), event(5, "b", "1")]);
    ground.waiting(1).await;
    gate.open();
    let applied = retrying.await.unwrap().unwrap();
    assert!(applied == 2 || applied == 3, "the fourth waits behind the third, or comes after it: {applied}");
    followed(&engines[1], 5).await;
    assert_eq!(parked(&engines[0]).await, []);
    let (_, account) = ground.account("accounts/a").await.unwrap();
    assert_eq!(account.heard, [1, 2, 3, 4].map(happened));
    assert_eq!(latest(&ground).await, 4);
    projected_once(&ground, 5).await.unwrap();
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_that_is_applied_meanwhile_is_not_recorded_as_given_up() {
    let (ground, engines, canned, mut gate) = to_be_retried(Step::Attached).await;
    let retrying = retry(&engines[0], &canned);
    gate.reached().await;
    let skipping = skip(&engines[1], &canned);
    ground.waiting(1).await;
    gate.open();
    assert_eq!(retrying.await.unwrap().unwrap(), 2);
    let skipped = skipping.await.unwrap();
    assert!(matches!(skipped, Err(ParkedError::NotFound)), "{skipped:?}");
    assert_eq!(ground.number("select count(*) from skipped_event").await, 0);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_event_that_is_given_up_meanwhile_is_not_applied() {
    let (ground, engines, canned, mut gate) = to_be_retried(Step::Begun).await;
    let retrying = retry(&engines[0], &canned);
    gate.reached().await;
    assert_eq!(skip(&engines[1], &canned).await.unwrap().unwrap(), 1);
    gate.open();
    assert_eq!(retrying.await.unwrap().unwrap(), 0);
    let (_, account) = ground.account("accounts/a").await.unwrap();
    assert_eq!(account.heard, [1, 3].map(happened));
    projected_once(&ground, 2).await.unwrap();
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
    let (retried, ()) =
        tokio::join!(engines[1].retry_parked(&follow, &canned.source, 1, "employees/ops"), arriving);
    assert!(retried.unwrap() >= 30);
    assert_eq!(parked(&engines[0]).await, []);
    let (_, account) = ground.account("accounts/a").await.unwrap();
    assert_eq!(account.heard, (1..=90).map(happened).collect::<Vec<_>>());
    projected_once(&ground, 90).await.unwrap();
    ground.consistent().await.unwrap();
}
