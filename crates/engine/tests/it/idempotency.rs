//! A repeated request has one effect and the former result; a refusal is no result.

use shouwen_engine::{
    FingerprintKey, Options, RequestKey, Submission, SubmitError,
    options::{Mutants, Step},
};
use shouwen_testkit::until;

use crate::{
    bank::{Command, Refused},
    gate::Gate,
    ground::{
        Answer, Found, Ground, PATIENCE, calm, demand, deposit, mutated, open, probed, red, requested,
        submission,
    },
};

/// A repeat shows what the first call showed, also after later changes.
async fn check_repeat(mutants: Mutants) -> Found {
    let ground = Ground::new().await;
    let engine = ground.engine(mutated(mutants)).await;
    let other = ground.engine(mutated(mutants)).await;
    engine.open("accounts/a").await;
    let first =
        engine.submit(requested(deposit("accounts/a", 5), "r1")).await.map_err(|error| error.to_string())?;
    demand!(!first.replayed, "a first call is no repeat");
    other.run(deposit("accounts/a", 100)).await.map_err(|error| error.to_string())?;
    for engine in [&engine, &other] {
        let again = engine
            .submit(requested(deposit("accounts/a", 5), "r1"))
            .await
            .map_err(|error| error.to_string())?;
        demand!(again.replayed, "a repeat was carried out");
        demand!((again.version, &again.state) == (first.version, &first.state), "{again:?} is not {first:?}");
    }
    let balance = ground.balance("accounts/a").await;
    demand!(balance == 105, "deposits of 5 and 100 make {balance}");
    ground.consistent().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeat_returns_the_former_result_also_after_later_changes() {
    check_repeat(Mutants::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mutant_dedupe_off_turns_repeats_red() {
    red(check_repeat(Mutants { dedupe_off: true, ..Mutants::default() }).await, "a repeat was carried out");
}

/// Row and result of an account that is opened as expected are written but once: no second version of either is left behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_made_as_expected_is_written_once() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    let first = engine.submit(requested(open("accounts/a", None), "r1")).await.unwrap();
    let second_versions = "select count(*) from (select ctid from request union all select ctid from aggregate) as row where ctid <> '(0,1)'";
    assert_eq!(ground.number(second_versions).await, 0);
    let again = engine.submit(requested(open("accounts/a", None), "r1")).await.unwrap();
    assert_eq!((first.replayed, again.replayed, again.version), (false, true, 1));
}

/// Opened and changed in one batch, an account's row and each request's result say what came of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_made_otherwise_than_expected_is_corrected() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    let commands =
        || vec![requested(open("accounts/a", None), "r1"), requested(deposit("accounts/a", 5), "r2")];
    let first = engine.together(&ground, commands()).await;
    let again = engine.together(&ground, commands()).await;
    let versions = |outcomes: Vec<Answer>| {
        outcomes.into_iter().map(|outcome| outcome.unwrap().version).collect::<Vec<_>>()
    };
    assert_eq!((versions(first), versions(again)), (vec![1, 2], vec![1, 2]));
    ground.consistent().await.unwrap();
}

/// What was refused may be accepted later under the same request id, alone or with neighbours.
async fn check_rejections_are_not_remembered(mutants: Mutants) -> Found {
    let ground = Ground::new().await;
    let engine = ground.engine(mutated(mutants)).await;
    let early = || requested(deposit("accounts/a", 5), "r1");
    let refused = engine.submit(early()).await;
    demand!(matches!(refused, Err(SubmitError::Rejected(Refused::Missing))), "{refused:?}");
    let beside = engine.together(&ground, vec![submission(open("accounts/b", None)), early()]).await;
    demand!(
        matches!(beside[1], Err(SubmitError::Rejected(Refused::Missing))),
        "a refusal is remembered: {:?}",
        beside[1]
    );
    demand!(ground.number("select count(*) from request").await == 0, "a refusal is remembered");
    engine.open("accounts/a").await;
    let accepted = engine.submit(early()).await;
    demand!(accepted.as_ref().is_ok_and(|outcome| !outcome.replayed), "{accepted:?}");
    let again = engine.submit(early()).await;
    demand!(again.as_ref().is_ok_and(|outcome| outcome.replayed), "{again:?}");
    ground.consistent().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rejections_are_not_remembered() {
    check_rejections_are_not_remembered(Mutants::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mutant_keep_rejected_turns_rejections_red() {
    let mutants = Mutants { keep_rejected: true, ..Mutants::default() };
    red(check_rejections_are_not_remembered(mutants).await, "a refusal is remembered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_id_for_something_else_is_refused() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    engine.submit(requested(deposit("accounts/a", 5), "r1")).await.unwrap();
    let reused = engine.submit(requested(deposit("accounts/a", 6), "r1")).await;
    assert!(matches!(reused, Err(SubmitError::RequestReused)), "{reused:?}");
    // Another principal's or another method's request of that id is another request.
    for (principal, method) in [("serviceAccounts/web", "/bank/Do"), ("serviceAccounts/crm", "/bank/Undo")] {
        let mut elsewhere = requested(deposit("accounts/a", 6), "r1");
        let key = elsewhere.request.take().unwrap();
        elsewhere.request =
            Some(RequestKey { principal: principal.to_owned(), method: method.to_owned(), ..key });
        assert!(!engine.submit(elsewhere).await.unwrap().replayed);
    }
    assert_eq!(ground.balance("accounts/a").await, 17);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_accepted_command_that_changes_nothing_is_remembered_too() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.run(open("accounts/a", Some("an"))).await.unwrap();
    let seize =
        || requested(Command::Seize { account: "accounts/a".to_owned(), name: "an".to_owned() }, "r1");
    let first = engine.submit(seize()).await.unwrap();
    engine.run(deposit("accounts/a", 1)).await.unwrap();
    let again = engine.submit(seize()).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!((first.version, first.state), (again.version, again.state));
    ground.consistent().await.unwrap();
}

fn once(answers: &[&crate::ground::Answer]) {
    let outcomes: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| !outcome.replayed).count(), 1);
    assert!(
        outcomes
            .windows(2)
            .all(|pair| (pair[0].version, &pair[0].state) == (pair[1].version, &pair[1].state))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_simultaneous_first_attempts_have_one_effect_and_one_result() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(probed(probe)).await;
    let second = ground.engine(calm()).await;
    first.open("accounts/a").await;
    let attempt = || vec![requested(deposit("accounts/a", 5), "r1")];
    gate.close();
    let one = tokio::spawn(first.queued(attempt()).await);
    gate.reached().await;
    let two = tokio::spawn(second.queued(attempt()).await);
    ground.waiting(1).await;
    gate.open();
    once(&[&one.await.unwrap()[0], &two.await.unwrap()[0]]);
    assert_eq!(ground.balance("accounts/a").await, 5);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_second_attempt_takes_over_where_the_first_dies() {
    let ground = Ground::new().await;
    let (probe, mut gate) = Gate::at(Step::BeforeCommit);
    let first = ground.engine(probed(probe)).await;
    let second = ground.engine(calm()).await;
    first.open("accounts/a").await;
    let attempt = || vec![requested(deposit("accounts/a", 5), "r1")];
    gate.close();
    let one = tokio::spawn(first.queued(attempt()).await);
    gate.reached().await;
    let two = tokio::spawn(second.queued(attempt()).await);
    ground.waiting(1).await;
    gate.kill();
    assert!(matches!(one.await.unwrap()[0], Err(SubmitError::OutcomeUnknown)));
    assert!(!two.await.unwrap()[0].as_ref().unwrap().replayed);
    assert_eq!(ground.balance("accounts/a").await, 5);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_id_many_times_in_one_batch_has_one_effect() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    let same = || requested(deposit("accounts/a", 5), "r1");
    let other: Submission<Command> = requested(deposit("accounts/a", 1), "r2");
    let reused = requested(deposit("accounts/a", 7), "r1");
    let answers = engine.together(&ground, vec![same(), same(), other, reused, same()]).await;
    once(&[&answers[0], &answers[1], &answers[4]]);
    assert!(!answers[2].as_ref().unwrap().replayed);
    assert!(matches!(answers[3], Err(SubmitError::RequestReused)));
    assert_eq!(ground.balance("accounts/a").await, 6);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_are_forgotten_after_their_retention() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    for id in ["old", "new"] {
        engine.submit(requested(deposit("accounts/a", 1), id)).await.unwrap();
    }
    ground
        .tamper("update request set created_at = created_at - interval '7 days 1 minute' where id = 'old'")
        .await;
    engine.keep_up();
    until("upkeep", PATIENCE, async || {
        (ground.number("select count(*) from request").await == 1).then_some(())
    })
    .await;
    assert!(!engine.submit(requested(deposit("accounts/a", 1), "old")).await.unwrap().replayed);
    assert!(engine.submit(requested(deposit("accounts/a", 1), "new")).await.unwrap().replayed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn l10_what_was_asked_cannot_be_guessed_from_a_stored_fingerprint() {
    let ground = Ground::new().await;
    let keyed = |byte| Options { fingerprint_key: FingerprintKey::new(&[byte; 32]), ..calm() };
    let (engine, replica) = (ground.engine(keyed(1)).await, ground.engine(keyed(1)).await);
    engine.open("accounts/a").await;
    let call = || requested(deposit("accounts/a", 5), "r1");
    let asked = call().request.unwrap();
    engine.submit(call()).await.unwrap();
    let plain =
        format!("select count(*) from request where fingerprint = '\\x{}'", hex::encode(&asked.fingerprint));
    assert_eq!(ground.number("select count(*) from request").await, 1);
    assert_eq!(ground.number(&plain).await, 0);
    assert!(replica.submit(call()).await.unwrap().replayed);
    assert!(replica.replay(&asked).await.is_ok());
    let stranger = ground.engine(keyed(2)).await;
    assert!(matches!(stranger.submit(call()).await, Err(SubmitError::RequestReused)));
}
