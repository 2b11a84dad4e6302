//! Unique keys: one winner, whatever happens to it.

use futures_util::future::join_all;
use shouwen_engine::{
    AggregateId, SubmitError,
    options::{Mutants, Step},
};

use sqlx::Executor as _;

use crate::{
    bank::{Command, Refused},
    gate::Gate,
    ground::{Answer, Found, Ground, calm, demand, deposit, mutated, open, probed, red, rename, submission},
};

fn held_by(answer: &Answer) -> Option<&AggregateId> {
    match answer {
        Err(SubmitError::Rejected(Refused::Held { holder, holds: true })) => Some(holder),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_wanted_by_many_has_one_winner_and_the_others_are_told() {
    let ground = Ground::new().await;
    let engines = [ground.engine(calm()).await, ground.engine(calm()).await];
    let attempts = (0..64).map(|n| engines[n % 2].run(open(&format!("accounts/{n}"), Some("wanted"))));
    let answers = join_all(attempts).await;
    let winners: Vec<&AggregateId> = answers.iter().flatten().map(|outcome| &outcome.primary).collect();
    assert_eq!(winners.len(), 1);
    for answer in answers.iter().filter(|answer| answer.is_err()) {
        assert_eq!(held_by(answer), Some(winners[0]), "{answer:?}");
    }
    assert_eq!(ground.number("select count(*) from aggregate").await, 1, "losers leave no row");
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_one_batch_the_first_accepted_one_has_the_key() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/taken").await;
    let commands = vec![
        // Rejected for another reason: the name stays free.
        submission(open("accounts/taken", Some("wanted"))),
        submission(open("accounts/b", Some("wanted"))),
        submission(open("accounts/c", Some("wanted"))),
        submission(rename("accounts/b", None)),
        submission(open("accounts/d", Some("wanted"))),
    ];
    let answers = engine.together(&ground, commands).await;
    assert!(matches!(answers[0], Err(SubmitError::Rejected(Refused::Exists))));
    assert!(answers[1].is_ok());
    assert_eq!(held_by(&answers[2]), Some(&"accounts/b".into()));
    assert!(answers[3].is_ok());
    assert!(answers[4].is_ok());
    ground.consistent().await.unwrap();
    let rejected = engine.run(open("accounts/e", Some("wanted"))).await;
    assert_eq!(held_by(&rejected), Some(&"accounts/d".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_the_winner_s_batch_rolls_back_the_next_gets_the_key() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(probed(probe)).await;
    let second = ground.engine(calm()).await;
    gate.close();
    let losing = tokio::spawn(first.queued(vec![submission(open("accounts/a", Some("wanted")))]).await);
    gate.reached().await;
    let winning = tokio::spawn(second.queued(vec![submission(open("accounts/b", Some("wanted")))]).await);
    ground.waiting(1).await;
    gate.kill();
    assert!(matches!(losing.await.unwrap()[0], Err(SubmitError::OutcomeUnknown)));
    assert!(winning.await.unwrap()[0].is_ok());
    assert!(ground.account("accounts/a").await.is_none());
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_the_winner_s_batch_commits_the_next_is_told() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(probed(probe)).await;
    let second = ground.engine(calm()).await;
    gate.close();
    let winning = tokio::spawn(first.queued(vec![submission(open("accounts/a", Some("wanted")))]).await);
    gate.reached().await;
    let losing = tokio::spawn(second.queued(vec![submission(open("accounts/b", Some("wanted")))]).await);
    ground.waiting(1).await;
    gate.open();
    assert!(winning.await.unwrap()[0].is_ok());
    assert_eq!(held_by(&losing.await.unwrap()[0]), Some(&"accounts/a".into()));
    ground.consistent().await.unwrap();
}

/// One process wants a key and has learnt who holds it; another one releases it. Who is refused is refused for a holder that holds it.
async fn check_refusal_names_the_holder(mutants: Mutants) -> Found {
    let ground = Ground::new().await;
    // Whoever has locked b stops before the head while the gate is shut.
    let then = "if wanted ? 'counters' then";
    let gate =
        "if wanted -> 'aggregates' ? 'accounts/b' then perform pg_advisory_xact_lock_shared(1); end if;";
    ground.rewrite("lock_batch", then, &format!("{gate} {then}")).await;
    let first = ground.engine(mutated(mutants)).await;
    let second = ground.engine(mutated(mutants)).await;
    second.run(open("accounts/a", Some("wanted"))).await.map_err(|error| error.to_string())?;
    second.open("accounts/b").await;
    let mut blocker = ground.superuser("bank").await;
    blocker.execute("begin; select pg_advisory_xact_lock(1)").await.unwrap();
    let wanting = tokio::spawn(first.queued(vec![submission(rename("accounts/b", Some("wanted")))]).await);
    ground.waiting(1).await;
    let mut releasing = tokio::spawn(second.queued(vec![submission(rename("accounts/a", None))]).await);
    // The release must wait for the refusal, which rests on the holder's row; otherwise it is over before.
    let released = tokio::select! {
        released = &mut releasing => Some(released.unwrap()),
        () = ground.waiting(2) => None,
    };
    blocker.execute("rollback").await.unwrap();
    let wanted = wanting.await.unwrap();
    let released = match released {
        Some(released) => released,
        None => releasing.await.unwrap(),
    };
    demand!(released[0].is_ok(), "{:?}", released[0]);
    let refused = &wanted[0];
    demand!(held_by(refused).is_some(), "refused for a holder that does not hold the key: {refused:?}");
    ground.consistent().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_s_holder_holds_it_when_another_is_refused() {
    check_refusal_names_the_holder(Mutants::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mutant_locks_off_turns_the_holder_of_a_key_red() {
    red(
        check_refusal_names_the_holder(Mutants { locks_off: true, ..Mutants::default() }).await,
        "does not hold the key",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_being_released_is_waited_for_and_taken() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(probed(probe)).await;
    let second = ground.engine(calm()).await;
    first.run(open("accounts/a", Some("wanted"))).await.unwrap();
    gate.close();
    let releasing = tokio::spawn(first.queued(vec![submission(rename("accounts/a", None))]).await);
    gate.reached().await;
    let taking = tokio::spawn(second.queued(vec![submission(open("accounts/b", Some("wanted")))]).await);
    ground.waiting(1).await;
    gate.open();
    assert!(releasing.await.unwrap()[0].is_ok());
    assert!(taking.await.unwrap()[0].is_ok());
    // And back again.
    second.run(rename("accounts/b", None)).await.unwrap();
    first.run(rename("accounts/a", Some("wanted"))).await.unwrap();
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_that_want_each_other_s_winners_in_opposite_orders_do_not_deadlock() {
    let ground = Ground::new().await;
    let engines = [ground.engine(calm()).await, ground.engine(calm()).await];
    for account in 0..6 {
        engines[0].open(&format!("accounts/{account}")).await;
    }
    let seize = |account: usize, name: usize| Command::Seize {
        account: format!("accounts/{}", account % 6),
        name: format!("name-{}", name % 4),
    };
    for round in 0..20 {
        let forward = (0..12).map(|n| submission(seize(n + round, n))).collect();
        let backward = (0..12).rev().map(|n| submission(seize(n + 3, n + round))).collect();
        let (forward, backward) = (engines[0].queued(forward).await, engines[1].queued(backward).await);
        let (forward, backward) = tokio::join!(tokio::spawn(forward), tokio::spawn(backward));
        for answer in forward.unwrap().iter().chain(&backward.unwrap()) {
            assert!(answer.is_ok(), "{answer:?}");
        }
    }
    engines[0].run(deposit("accounts/0", 1)).await.unwrap();
    ground.consistent().await.unwrap();
    for engine in engines {
        engine.end().await;
    }
    assert_eq!(ground.deadlocks().await, 0);
}
