//! What decisions use beside the locked states is the same in every process.

use shouwen_engine::SubmitError;

use crate::{
    bank::{Command, Refused},
    ground::{Answer, Ground, calm, deposit, submission},
};

fn over_limit(answer: &Answer) -> bool {
    matches!(answer, Err(SubmitError::Rejected(Refused::OverLimit)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn p2_what_one_process_sets_binds_the_next_decision_of_all() {
    let ground = Ground::new().await;
    let engines = [ground.engine(calm()).await, ground.engine(calm()).await];
    engines[0].open("accounts/a").await;
    engines[1].run(deposit("accounts/a", 50)).await.unwrap();
    for (n, limit) in [40, 10, 30, 20].into_iter().enumerate() {
        engines[n % 2].run(Command::SetLimit { amount: limit }).await.unwrap();
        for engine in &engines {
            assert!(engine.run(deposit("accounts/a", limit)).await.is_ok());
            assert!(over_limit(&engine.run(deposit("accounts/a", limit + 1)).await));
        }
    }
    // A process that starts later knows it from its first decision on.
    let late = ground.engine(calm()).await;
    assert!(over_limit(&late.run(deposit("accounts/a", 21)).await));
    // The rest of the batch that sets it, too: not what was decided before it, but what comes after.
    let set = Command::SetLimit { amount: 5 };
    let batch = [deposit("accounts/a", 20), set, deposit("accounts/a", 20), deposit("accounts/a", 5)];
    let answers = late.together(&ground, batch.map(submission).to_vec()).await;
    assert!(answers[0].is_ok() && answers[1].is_ok() && answers[3].is_ok(), "{answers:?}");
    assert!(over_limit(&answers[2]), "{answers:?}");
    // What a refused command would have set binds nobody.
    let refused = Command::Overreach { account: "accounts/a".to_owned(), other: "accounts/none".to_owned() };
    let answers = late.together(&ground, [refused, deposit("accounts/a", 5)].map(submission).to_vec()).await;
    assert!(answers[0].is_err() && answers[1].is_ok(), "{answers:?}");
    assert!(over_limit(&engines[0].run(deposit("accounts/a", 6)).await));
    ground.consistent().await.unwrap();
}
