//! Many writers over two engines, neighbours in a batch, and what a batch may not leave behind.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use shouwen_engine::{
    Broken, Options, Submission, SubmitError,
    options::{Mutants, Probe, Step},
};
use sqlx::Executor as _;

use crate::{
    bank::{Command, FATAL, Refused},
    followers::followed,
    gate::Gate,
    ground::{Found, Ground, Running, calm, demand, deposit, mutated, open, probed, red, rename, submission},
    source::{Canned, Credit, event},
};

const WRITERS: i64 = 64;
const DEPOSITS: i64 = 4;

fn name(account: i64) -> String {
    format!("accounts/{account}")
}

/// 64 writers over two engines deposit to so many accounts; nothing is lost, every version and position is used once.
async fn check_writers(mutants: Mutants, accounts: i64) -> Found {
    let ground = Ground::new().await;
    let engines = [ground.engine(mutated(mutants)).await, ground.engine(mutated(mutants)).await];
    for account in 0..accounts {
        engines[0].run(open(&name(account), None)).await.map_err(|error| error.to_string())?;
    }
    let write = async |engine: &Running, writer: i64| {
        for _ in 0..DEPOSITS {
            engine.run(deposit(&name(writer % accounts), 1)).await?;
        }
        Ok::<_, SubmitError<Refused>>(())
    };
    let writers = (0..WRITERS).map(|writer| write(&engines[usize::from(writer % 2 == 0)], writer));
    for answer in join_all(writers).await {
        answer.map_err(|error| format!("a deposit failed: {error}"))?;
    }
    ground.consistent().await?;
    let expected = WRITERS * DEPOSITS / accounts;
    for account in 0..accounts {
        let (version, state) = ground.account(&name(account)).await.ok_or("an account is missing")?;
        demand!(state.balance == expected, "{} deposits are {} on {account}", expected, state.balance);
        demand!(version == expected + 1, "version {version} after {expected} deposits");
    }
    let head = ground.number("select position from ledger_head").await;
    demand!(head == accounts + WRITERS * DEPOSITS, "the head is at {head}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_two_engines_on_one_aggregate_lose_nothing() {
    check_writers(Mutants::default(), 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_two_engines_on_many_aggregates_lose_nothing() {
    check_writers(Mutants::default(), 32).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mutant_positions_from_sequence_turns_writers_red() {
    let mutants = Mutants { positions_from_sequence: true, ..Mutants::default() };
    red(check_writers(mutants, 32).await, "Altered");
}

/// Without the head's lock, only the rows' locks and versions stand between two batches: there they must be seen to work.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mutant_locks_off_without_the_head_turns_sums_red() {
    let without_head = Mutants { positions_from_sequence: true, ..Mutants::default() };
    check_overlap(without_head).await.unwrap();
    red(check_overlap(Mutants { locks_off: true, ..without_head }).await, "make 10");
}

/// One batch stands still with the account loaded; another deposits to the same account meanwhile.
async fn check_overlap(mutants: Mutants) -> Found {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::Loaded);
    let first = ground.engine(crate::ground::options(probe, mutants)).await;
    let second = ground.engine(mutated(mutants)).await;
    first.open("accounts/a").await;
    gate.close();
    let held = first.queued(vec![submission(deposit("accounts/a", 1))]).await;
    let held = tokio::spawn(held);
    gate.reached().await;
    let other = tokio::spawn(second.queued(vec![submission(deposit("accounts/a", 10))]).await);
    if !mutants.locks_off {
        ground.waiting(1).await;
        gate.open();
    }
    let other = other.await.unwrap();
    if mutants.locks_off {
        gate.open();
    }
    let held = held.await.unwrap();
    demand!(other.iter().chain(&held).all(Result::is_ok), "a deposit failed");
    let balance = ground.balance("accounts/a").await;
    demand!(balance == 11, "deposits of 1 and 10 make {balance}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn transfers_in_both_directions_keep_the_sum() {
    let ground = Ground::new().await;
    let engines = [ground.engine(calm()).await, ground.engine(calm()).await];
    for account in 0..8 {
        engines[0].open(&name(account)).await;
        engines[0].run(deposit(&name(account), 100)).await.unwrap();
    }
    let transfers = (0..256_i64).map(|n| {
        let (from, to) = (name(n % 8), name((n * 3 + 1 + n / 8) % 8));
        engines[usize::from(n % 2 == 0)].run(Command::Transfer { from, to, amount: n % 60 })
    });
    let answers = join_all(transfers).await;
    for answer in &answers {
        assert!(matches!(answer, Ok(_) | Err(SubmitError::Rejected(Refused::Insufficient))), "{answer:?}");
    }
    ground.consistent().await.unwrap();
    let sum = "select sum((state ->> 'balance')::bigint)::bigint from account";
    assert_eq!(ground.number(sum).await, 800);
    for engine in engines {
        engine.end().await;
    }
    assert_eq!(ground.deadlocks().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_of_one_batch_are_decided_in_order_of_arrival() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    let mut commands = vec![open("accounts/a", None)];
    commands.extend((1..=20).map(|amount| deposit("accounts/a", amount)));
    let answers = engine.together(&ground, commands.into_iter().map(submission).collect()).await;
    let balances: Vec<i64> =
        answers.iter().map(|answer| answer.as_ref().unwrap().state.as_ref().unwrap().balance).collect();
    assert_eq!(balances, (0..=20).map(|n| n * (n + 1) / 2).collect::<Vec<_>>());
    let versions: Vec<i64> = answers.iter().map(|answer| answer.as_ref().unwrap().version).collect();
    assert_eq!(versions, (1..=21).collect::<Vec<_>>());
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_is_bounded_by_bytes_and_nothing_overtakes_what_had_no_room() {
    let ground = Ground::new().await;
    let engine = ground.engine(Options { batch_bytes: 100, ..calm() }).await;
    engine.open("accounts/a").await;
    let sized = |(amount, bytes): (i64, usize)| {
        let deposit = submission(deposit("accounts/a", amount));
        Submission { bytes, ..deposit }
    };
    let sizes = [60, 60, 30, 200, 0, 10, 95];
    let submissions = (1..).zip(sizes).map(sized).collect();
    let answers = engine.together(&ground, submissions).await;
    let balances: Vec<i64> =
        answers.iter().map(|answer| answer.as_ref().unwrap().state.as_ref().unwrap().balance).collect();
    assert_eq!(balances, [1, 3, 6, 10, 15, 21, 28], "in order of arrival");
    // All events of a batch have one time, and no two batches the same.
    let rows = shouwen_engine::ledger::after(engine.pool(), 1, 100).await.unwrap();
    let batches: Vec<usize> = rows.chunk_by(|a, b| a.time == b.time).map(<[_]>::len).collect();
    assert_eq!(batches, [1, 2, 2, 1, 1]);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poisoned_command_does_not_hurt_its_neighbours() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    for account in ["accounts/a", "accounts/b", "accounts/c"] {
        engine.open(account).await;
    }
    let poison = Command::Poison { account: "accounts/b".to_owned() };
    let missing = deposit("accounts/none", 1);
    let commands =
        [deposit("accounts/a", 1), poison, missing, deposit("accounts/b", 2), deposit("accounts/c", 3)];
    let answers = engine.together(&ground, commands.into_iter().map(submission).collect()).await;
    assert!(answers[0].is_ok());
    assert!(matches!(answers[1], Err(SubmitError::Internal)), "{:?}", answers[1]);
    assert!(matches!(answers[2], Err(SubmitError::Rejected(Refused::Missing))));
    assert!(answers[3].is_ok());
    assert!(answers[4].is_ok());
    assert_eq!(ground.balance("accounts/b").await, 2);
    // A poisoned command by itself leaves a connection that goes on.
    let poison = Command::Poison { account: "accounts/b".to_owned() };
    assert!(matches!(engine.run(poison).await, Err(SubmitError::Internal)));
    engine.run(deposit("accounts/b", 1)).await.unwrap();
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_command_that_makes_the_domain_panic_hurts_neither_its_neighbours_nor_the_write_path() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    let panic = || Command::Panic { account: "accounts/a".to_owned() };
    let commands = [deposit("accounts/a", 1), panic(), deposit("accounts/a", 2)];
    let answers = engine.together(&ground, commands.into_iter().map(submission).collect()).await;
    assert!(answers[0].is_ok());
    assert!(matches!(answers[1], Err(SubmitError::Internal)), "{:?}", answers[1]);
    assert!(answers[2].is_ok());
    assert!(matches!(engine.run(panic()).await, Err(SubmitError::Internal)));
    engine.run(deposit("accounts/a", 4)).await.unwrap();
    assert_eq!(ground.balance("accounts/a").await, 7);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_domain_that_panics_at_what_was_committed_ends_nothing() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    let commands = [deposit("accounts/a", 1), deposit("accounts/a", FATAL), deposit("accounts/a", 2)];
    let answers = engine.together(&ground, commands.map(submission).to_vec()).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    // What a follower has committed, too.
    let canned = Canned::serve(vec![event(1, "a", &FATAL.to_string()), event(2, "a", "4")], None).await;
    engine.follow(Arc::new(Credit), Arc::clone(&canned.source));
    followed(&engine, 2).await;
    engine.run(deposit("accounts/a", 8)).await.unwrap();
    assert_eq!(ground.balance("accounts/a").await, 15 + 2 * FATAL);
    engine.end().await;
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_engine_that_cannot_go_on_stops_its_process() {
    let ground = Ground::new().await;
    let doomed = Arc::new(AtomicBool::new(false));
    let probe = Probe::new({
        let doomed = Arc::clone(&doomed);
        move |step| {
            assert!(step != Step::Committed || !doomed.load(Ordering::SeqCst), "nobody can live with this");
            false
        }
    });
    let engine = ground.engine(probed(probe)).await;
    engine.open("accounts/a").await;
    doomed.store(true, Ordering::SeqCst);
    let answer = engine.run(deposit("accounts/a", 5)).await;
    assert!(matches!(answer, Err(SubmitError::OutcomeUnknown)), "{answer:?}");
    engine.stopping().await;
    let answer = engine.run(deposit("accounts/a", 1)).await;
    assert!(matches!(answer, Err(SubmitError::Unavailable)), "{answer:?}");
    assert_eq!(engine.stopped().await, Err(Broken));
    assert_eq!(ground.balance("accounts/a").await, 5);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_part_of_the_service_that_panics_stops_its_process() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.run_part(async {
        let lost: Option<()> = std::hint::black_box(None);
        lost.expect("nobody can live with this either");
    });
    engine.stopping().await;
    assert_eq!(engine.stopped().await, Err(Broken));
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_decision_beyond_its_footprint_leaves_nothing_behind() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    engine.run(open("accounts/b", Some("bo"))).await.unwrap();
    let overreach = Command::Overreach { account: "accounts/a".to_owned(), other: "accounts/b".to_owned() };
    let commands = vec![
        submission(deposit("accounts/a", 5)),
        submission(overreach.clone()),
        submission(open("accounts/c", None)),
    ];
    let answers = engine.together(&ground, commands).await;
    assert!(answers[0].is_ok());
    assert!(matches!(answers[1], Err(SubmitError::Internal)), "{:?}", answers[1]);
    assert!(answers[2].is_ok());
    assert!(matches!(engine.run(overreach).await, Err(SubmitError::Internal)));
    assert_eq!(ground.balance("accounts/a").await, 5);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_whose_unlocked_read_was_overtaken_starts_again() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(probed(probe)).await;
    let second = ground.engine(calm()).await;
    for account in ["accounts/a", "accounts/b", "accounts/c"] {
        first.open(account).await;
    }
    let link =
        |partner: &str| Command::Link { account: "accounts/a".to_owned(), partner: partner.to_owned() };
    first.run(link("accounts/b")).await.unwrap();
    gate.close();
    let linking = tokio::spawn(first.queued(vec![submission(link("accounts/c"))]).await);
    gate.reached().await;
    let pay = Command::PayPartner { account: "accounts/a".to_owned(), amount: 7 };
    let paying = tokio::spawn(second.queued(vec![submission(pay)]).await);
    ground.waiting(1).await;
    gate.open();
    assert!(linking.await.unwrap()[0].is_ok());
    assert_eq!(paying.await.unwrap()[0].as_ref().unwrap().primary.0, "accounts/c");
    assert_eq!((ground.balance("accounts/b").await, ground.balance("accounts/c").await), (0, 7));
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_that_waits_too_long_is_given_up_and_can_be_repeated() {
    let ground = Ground::new().await;
    let short = Options { write_timeout: Duration::from_millis(200), ..calm() };
    let engine = ground.engine(short).await;
    engine.open("accounts/a").await;
    let mut blocker = ground.superuser("bank").await;
    blocker.execute("begin; select * from aggregate where id = 'accounts/a' for update").await.unwrap();
    let repeated = crate::ground::requested(deposit("accounts/a", 1), "r1");
    assert!(matches!(engine.submit(repeated.clone()).await, Err(SubmitError::Unavailable)));
    blocker.execute("rollback").await.unwrap();
    // The session that was given up may still hold the request's row for a moment.
    let answer = shouwen_testkit::until("the deposit", crate::ground::PATIENCE, async || {
        engine.submit(repeated.clone()).await.ok()
    })
    .await;
    assert!(!answer.replayed);
    assert_eq!(ground.balance("accounts/a").await, 1);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refused_batch_holds_no_lock() {
    let ground = Ground::new().await;
    let options = Options { batch_attempts: 2, ..calm() };
    let engine = ground.engine(options).await;
    engine.run(open("accounts/a", Some("an"))).await.unwrap();
    engine.open("accounts/b").await;
    // A key whose holder has no row can never be locked: the command goes round until it is given up.
    ground
        .tamper("insert into unique_key (kind, key, holder) values ('name', 'ghost', 'accounts/ghost')")
        .await;
    let answer = engine.run(rename("accounts/b", Some("ghost"))).await;
    assert!(matches!(answer, Err(SubmitError::Contention)), "{answer:?}");
    let locked = "select count(*) from pg_locks l join pg_stat_activity a using (pid)
                  where a.datname = current_database() and a.state like 'idle in transaction%'";
    assert_eq!(ground.number(locked).await, 0);
    ground.tamper("select * from aggregate where id = 'accounts/b' for update nowait").await;
    ground.tamper("delete from unique_key where key = 'ghost'").await;
    engine.run(rename("accounts/b", Some("ghost"))).await.unwrap();
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_taken_in_is_answered_before_the_engine_stops() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    let waiting = engine.queued((0..50).map(|_| submission(deposit("accounts/a", 1))).collect()).await;
    let clone = engine.engine.clone();
    let (answers, ()) = tokio::join!(waiting, engine.end());
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(ground.balance("accounts/a").await, 50);
    assert!(matches!(
        clone.submit(submission(deposit("accounts/a", 1))).await,
        Err(SubmitError::Unavailable)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_queue_refuses_at_once() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::Begun);
    let engine = ground.engine(Options { queue: 3, ..probed(probe) }).await;
    gate.close();
    let first = tokio::spawn(engine.queued(vec![submission(open("accounts/a", None))]).await);
    gate.reached().await;
    let waiting = engine.queued((0..3).map(|_| submission(deposit("accounts/a", 1))).collect()).await;
    let answer = engine.run(deposit("accounts/a", 1)).await;
    assert!(matches!(answer, Err(SubmitError::Overloaded)), "{answer:?}");
    gate.open();
    assert!(first.await.unwrap()[0].is_ok());
    assert!(waiting.await.iter().all(Result::is_ok));
    assert_eq!(ground.balance("accounts/a").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn time_never_runs_backwards_along_positions() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    // As if Postgres's clock had been set back by an hour since the last event.
    ground.tamper("update ledger_head set time = time + interval '1 hour'").await;
    let ahead = shouwen_engine::ledger::head(engine.pool()).await.unwrap().time;
    engine.run(deposit("accounts/a", 1)).await.unwrap();
    engine.run(deposit("accounts/a", 1)).await.unwrap();
    let rows = shouwen_engine::ledger::after(engine.pool(), 1, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| Some(row.time)).collect::<Vec<_>>(), [ahead, ahead]);
    ground.consistent().await.unwrap();
}
