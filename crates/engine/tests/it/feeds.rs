//! Watching a ledger: every event once, in order, without a gap, from any cursor.

use std::{pin::pin, time::Duration};

use futures_util::{StreamExt as _, TryStreamExt as _, future::join_all};
use shouwen_engine::{
    Engine, Options,
    feed::{CursorError, FeedItem, check_cursor, watch},
    options::{Mutants, Step},
};

use crate::{
    bank::Bank,
    gate::Gate,
    ground::{Found, Ground, calm, demand, deposit, mutated, options, red, submission},
};

/// Reads the feed after `position` until `last`; any skip, repetition or reordering is an error.
async fn read(engine: &Engine<Bank>, position: i64, last: i64) -> Found {
    let mut expected = position + 1;
    let mut items = pin!(watch(engine, position));
    while expected <= last {
        match items.next().await {
            Some(Ok(FeedItem::Events(rows))) => {
                for row in rows {
                    demand!(row.position == expected, "position {} where {expected} was due", row.position);
                    expected += 1;
                }
            }
            Some(Ok(FeedItem::Head(_))) => {}
            other => return Err(format!("the feed ended: {other:?}")),
        }
    }
    Ok(())
}

/// Eight writers over two engines; watchers of both processes, from the beginning, the middle and a slow one.
async fn check_watchers(mutants: Mutants) -> Found {
    const WRITERS: i64 = 8;
    const DEPOSITS: i64 = 40;
    let ground = Ground::new().await;
    let engines = [ground.engine(mutated(mutants)).await, ground.engine(mutated(mutants)).await];
    for account in 0..WRITERS {
        engines[0].open(&format!("accounts/{account}")).await;
    }
    let last = WRITERS + WRITERS * DEPOSITS;
    let write = async |writer: i64| {
        for n in 0..DEPOSITS {
            let engine = &engines[usize::from((writer + n) % 2 == 0)];
            engine.run(deposit(&format!("accounts/{writer}"), 1)).await.map_err(|error| error.to_string())?;
        }
        Ok::<_, String>(())
    };
    let writers = join_all((0..WRITERS).map(write));
    let watchers = async {
        tokio::try_join!(read(&engines[0], 0, last), read(&engines[1], 0, last), read(&engines[0], 5, last))
            .map(|_| ())
    };
    // A watcher that has found something does not wait for what it can no longer see.
    let (wrote, watched) = tokio::join!(writers, watchers);
    wrote.into_iter().collect::<Result<Vec<()>, String>>()?;
    watched
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn watchers_never_skip_double_or_reorder_while_writers_run() {
    check_watchers(Mutants::default()).await.unwrap();
}

/// A batch has its position and is slow to commit; another process commits meanwhile, or waits.
async fn check_order_of_commit(mutants: Mutants) -> Found {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(options(probe, mutants)).await;
    let second = ground.engine(mutated(mutants)).await;
    first.open("accounts/a").await;
    first.open("accounts/b").await;
    let watching = tokio::spawn({
        let engine = second.engine.clone();
        async move { read(&engine, 2, 4).await }
    });
    gate.close();
    let slow = tokio::spawn(first.queued(vec![submission(deposit("accounts/a", 1))]).await);
    gate.reached().await;
    let mut quick = tokio::spawn(second.queued(vec![submission(deposit("accounts/b", 1))]).await);
    let committed = tokio::select! {
        committed = &mut quick => Some(committed.unwrap()),
        () = ground.waiting(1) => None,
    };
    if committed.is_some() {
        // The later position is there and the earlier one is not: the watcher must not have passed over it.
        let found = watching.await.unwrap();
        gate.open();
        return found;
    }
    gate.open();
    demand!(slow.await.unwrap()[0].is_ok(), "the slow one failed");
    demand!(quick.await.unwrap()[0].is_ok(), "the quick one failed");
    watching.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn position_order_is_commit_order() {
    check_order_of_commit(Mutants::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mutant_positions_from_sequence_turns_watchers_red() {
    let mutants = Mutants { positions_from_sequence: true, ..Mutants::default() };
    red(check_order_of_commit(mutants).await, "position 4 where 3 was due");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cursor_that_cannot_be_resumed_is_an_error() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    assert!(
        check_cursor(&engine, "", 0).await.unwrap().is_ok(),
        "an empty ledger is read from its beginning"
    );
    for account in ["accounts/a", "accounts/b", "accounts/c"] {
        engine.open(account).await;
    }
    let incarnation = shouwen_engine::ledger::head(engine.pool()).await.unwrap().incarnation.to_string();
    let check = async |incarnation: &str, position: i64| {
        check_cursor(&engine, incarnation, position).await.unwrap().err()
    };
    assert_eq!(check(&incarnation, 0).await, None);
    assert_eq!(check(&incarnation, 3).await, None);
    assert_eq!(check(&incarnation, 4).await, Some(CursorError::BeyondHead));
    assert_eq!(check(&incarnation, -1).await, Some(CursorError::BeyondHead));
    assert_eq!(check("0192-another", 1).await, Some(CursorError::IncarnationChanged));
    ground.tamper("delete from ledger where position <= 2").await;
    assert_eq!(check(&incarnation, 1).await, Some(CursorError::BelowRetention));
    assert_eq!(check(&incarnation, 2).await, None);
    ground.tamper("update ledger_head set incarnation = gen_random_uuid()").await;
    assert_eq!(check(&incarnation, 3).await, Some(CursorError::IncarnationChanged));
    assert_eq!(check("", 3).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_watcher_that_has_caught_up_is_told_the_head_again_and_again() {
    let ground = Ground::new().await;
    let often = Duration::from_millis(10);
    let engine = ground.engine(Options { feed_heartbeat: often, feed_poll: often / 2, ..calm() }).await;
    engine.open("accounts/a").await;
    let items = watch(&engine.engine, 0).take(4).try_collect::<Vec<_>>().await.unwrap();
    assert!(matches!(&items[0], FeedItem::Events(rows) if rows.len() == 1));
    for item in &items[1..] {
        assert!(matches!(item, FeedItem::Head(head) if head.position == 1), "{item:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_long_ledger_is_read_in_pieces() {
    let ground = Ground::new().await;
    let engine = ground.engine(Options { feed_events: 7, ..calm() }).await;
    engine.open("accounts/a").await;
    let answers = engine.queued((0..99).map(|_| submission(deposit("accounts/a", 1))).collect()).await.await;
    assert!(answers.iter().all(Result::is_ok));
    read(&engine, 0, 100).await.unwrap();
    let sizes = watch(&engine.engine, 0)
        .take(15)
        .map(|item| if let Ok(FeedItem::Events(rows)) = item { rows.len() } else { 0 })
        .collect::<Vec<_>>()
        .await;
    assert_eq!(sizes.iter().sum::<usize>(), 100);
    assert!(sizes.iter().all(|size| (1..=7).contains(size)));
}
