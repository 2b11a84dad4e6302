//! The process is killed between any two steps with many commands under way, and another one goes on.

use futures_util::future::join_all;
use shouwen_engine::{
    Submission, SubmitError,
    options::{Mutants, Step},
};

use crate::{
    bank::Command,
    gate::Death,
    ground::{Found, Ground, demand, deposit, mutated, open, options, red, requested},
};

const WRITERS: usize = 24;

/// What one writer does: an account, a numbered note, deposits to an account of all.
fn work(writer: usize) -> Vec<Submission<Command>> {
    let note = Command::Note { note: format!("notes/{writer}"), counter: "notes".to_owned(), accept: true };
    let mine = open(&format!("accounts/{writer}"), Some(&format!("name-{writer}")));
    [mine, note, deposit("accounts/all", 1), deposit(&format!("accounts/{writer}"), 2)]
        .into_iter()
        .enumerate()
        .map(|(n, command)| requested(command, format!("w{writer}-{n}")))
        .collect()
}

/// The first process dies at a step; everything is repeated to a second one.
async fn check_killed_at(step: Step, mutants: Mutants) -> Found {
    let ground = Ground::new().await;
    let (probe, death) = Death::at(step);
    let first = ground.engine(options(probe, mutants)).await;
    first.open("accounts/all").await;
    // Not in the first batch: commands are answered, others are under way, others wait.
    death.arm(3);
    let write = async |writer: usize| {
        let mut acknowledged = 0;
        for submission in work(writer) {
            match first.submit(submission).await {
                Ok(_) => acknowledged += 1,
                Err(SubmitError::OutcomeUnknown | SubmitError::Unavailable) => break,
                Err(other) => return Err(other.to_string()),
            }
        }
        Ok(acknowledged)
    };
    let acknowledged: Vec<usize> =
        join_all((0..WRITERS).map(write)).await.into_iter().collect::<Result<_, _>>()?;
    let answered: usize = acknowledged.iter().sum();
    demand!(answered > 0 && answered < WRITERS * 4, "{answered} commands were answered before {step:?}");
    drop(first);
    let second = ground.engine(mutated(mutants)).await;
    for (writer, acknowledged) in acknowledged.into_iter().enumerate() {
        for (n, submission) in work(writer).into_iter().enumerate() {
            let outcome =
                second.submit(submission).await.map_err(|error| format!("w{writer}-{n}: {error}"))?;
            demand!(
                outcome.replayed || n >= acknowledged,
                "w{writer}-{n} was acknowledged and is gone after {step:?}"
            );
        }
        let own = ground.balance(&format!("accounts/{writer}")).await;
        demand!(own == 2, "a deposit of 2 makes {own} after {step:?}");
    }
    let all = ground.balance("accounts/all").await;
    demand!(usize::try_from(all) == Ok(WRITERS), "{WRITERS} deposits make {all} after {step:?}");
    let notes = ground.number("select value from counter").await;
    demand!(usize::try_from(notes) == Ok(WRITERS), "{WRITERS} notes have {notes} numbers after {step:?}");
    ground.consistent().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_at_any_step_loses_nothing_acknowledged_and_does_nothing_twice() {
    for step in Step::ALL {
        check_killed_at(step, Mutants::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mutant_dedupe_off_turns_kills_red() {
    red(check_killed_at(Step::Committed, Mutants { dedupe_off: true, ..Mutants::default() }).await, "EXISTS");
}
