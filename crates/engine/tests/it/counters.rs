//! Gap-free counters.

use futures_util::future::join_all;
use shouwen_engine::SubmitError;

use crate::{
    bank::{Command, Refused},
    ground::{Ground, calm, submission},
};

fn note(note: String, accept: bool) -> Command {
    Command::Note { note, counter: "complaints/2026-11".to_owned(), accept }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn numbers_have_no_gap_though_two_engines_accept_and_reject() {
    let ground = Ground::new().await;
    let engines = [ground.engine(calm()).await, ground.engine(calm()).await];
    let write = async |writer: usize| {
        let mut numbers = Vec::new();
        for n in 0..6 {
            let accept = !(writer + n).is_multiple_of(3);
            let command = note(format!("notes/{writer}-{n}"), accept);
            match engines[writer % 2].run(command).await {
                Ok(outcome) if accept => numbers.push(outcome.state.unwrap().number),
                Err(SubmitError::Rejected(Refused::Unwanted)) if !accept => {}
                other => panic!("{other:?}"),
            }
        }
        numbers
    };
    let mut numbers = join_all((0..64).map(write)).await.concat();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=256).collect::<Vec<_>>());
    assert_eq!(ground.number("select value from counter").await, 256);
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_number_of_a_failed_batch_is_given_to_the_next() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    let poison = Command::Poison { account: "accounts/p".to_owned() };
    let commands = [note("notes/1".to_owned(), true), poison, note("notes/2".to_owned(), true)];
    let answers = engine.together(&ground, commands.into_iter().map(submission).collect()).await;
    let number = |index: usize| answers[index].as_ref().unwrap().state.as_ref().unwrap().number;
    assert_eq!((number(0), number(2)), (1, 2));
    assert!(matches!(answers[1], Err(SubmitError::Internal)));
    ground.consistent().await.unwrap();
}
