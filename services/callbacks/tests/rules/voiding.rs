//! A promise and the voiding of its case at the same time: the feeds of calls and ownership meet in whatever order, on two replicas, and nothing
//! stays owed under a void case.

use std::time::Duration;

use shouwen_engine::follower;
use shouwen_proto::events::v1::{CaseVoided, calls_event, ownership_event};
use shouwen_testkit::until;

use crate::service::{Bed, promised};

const PATIENCE: Duration = Duration::from_secs(30);
/// Followers of one feed, one in each replica.
const REPLICAS: i64 = 2;

/// A callback is promised under a case.
async fn promise(bed: &Bed, case: &str, id: &str) {
    let event = promised(case, id, "2026-05-06T15:00");
    bed.call_event("calls/7", calls_event::Event::CallbackPromised(event)).await;
}

/// The case turns out to hold no concern.
async fn void(bed: &Bed, case: &str) {
    let voided = CaseVoided { reason: "wrong number".into(), epoch: 2 };
    bed.ownership_event(case, ownership_event::Event::CaseVoided(voided)).await;
}

/// Waits until so many sessions wait for a lock.
async fn waiting(bed: &Bed, sessions: i64) {
    let sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    until("sessions waiting for a lock", PATIENCE, async || {
        let waiting = sqlx::query_scalar::<_, i64>(sql).fetch_one(&bed.pool).await.unwrap();
        (waiting == sessions).then_some(())
    })
    .await;
}

/// Waits until both feeds are followed up to here, by whichever replica.
async fn followed(bed: &Bed, calls: i64, ownership: i64) {
    for (feed, position) in [("calls", calls), ("ownership", ownership)] {
        until(feed, PATIENCE, async || {
            let cursor = follower::cursor(&bed.first.service.engine, feed).await.unwrap();
            (cursor.position == position).then_some(())
        })
        .await;
    }
}

/// Stages of the callbacks under a case.
async fn stages(bed: &Bed, case: &str) -> Vec<String> {
    let sql = "select state -> 'stage' ->> 'stage' from callback where parent = $1 order by id";
    sqlx::query_scalar::<_, String>(sql).bind(case).fetch_all(&bed.pool).await.unwrap()
}

/// Plays rounds in which both followers have read before either decides: they queue behind the ledger's head, the promise in front or behind.
async fn meet(promise_first: bool) {
    let bed = Bed::at("2026-05-06T10:00").await;
    let _another = bed.another().await;
    for round in 1..=10 {
        let case = format!("cases/{round}");
        let mut held = bed.pool.begin().await.unwrap();
        sqlx::query("select 1 from ledger_head for no key update").execute(&mut *held).await.unwrap();
        if promise_first {
            promise(&bed, &case, &format!("c{round}")).await;
            waiting(&bed, REPLICAS).await;
            void(&bed, &case).await;
        } else {
            void(&bed, &case).await;
            waiting(&bed, REPLICAS).await;
            promise(&bed, &case, &format!("c{round}")).await;
        }
        waiting(&bed, 2 * REPLICAS).await;
        held.rollback().await.unwrap();
        followed(&bed, round, round).await;
        waiting(&bed, 0).await;
        let expected: &[&str] = if promise_first { &["cancelled"] } else { &[] };
        assert_eq!(stages(&bed, &case).await, expected, "{case}");
    }
    assert_eq!(bed.first.service.engine.status().await.unwrap().parked, 0);
}

#[tokio::test]
async fn a_promise_decided_before_an_older_reading_of_its_void_case_is_cancelled() {
    meet(true).await;
}

#[tokio::test]
async fn a_promise_read_before_its_case_is_void_and_decided_after_it_schedules_nothing() {
    meet(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_promises_and_voids_at_once_none_leaves_anything_open_under_a_void_case() {
    const CASES: i64 = 240;
    let bed = Bed::at("2026-05-06T10:00").await;
    let _another = bed.another().await;
    let voids = |number: i64| number % 4 != 0;
    for number in 0..CASES {
        let case = format!("cases/{number}");
        if number % 2 == 0 {
            promise(&bed, &case, &format!("a{number}")).await;
        }
        if voids(number) {
            void(&bed, &case).await;
        }
        promise(&bed, &case, &format!("b{number}")).await;
    }
    followed(&bed, CASES + CASES / 2, CASES * 3 / 4).await;
    for number in 0..CASES {
        let stages = stages(&bed, &format!("cases/{number}")).await;
        if voids(number) {
            assert!(stages.iter().all(|stage| stage == "cancelled"), "cases/{number}: {stages:?}");
        } else {
            assert_eq!(stages, ["waiting", "waiting"], "cases/{number}");
        }
    }
    assert_eq!(bed.first.service.engine.status().await.unwrap().parked, 0);
}
