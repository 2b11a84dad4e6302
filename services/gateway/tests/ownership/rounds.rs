//! O9: an absence reaches a thousand cases in bounded rounds, whatever process dies in between.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::join_all;
use shouwen_engine::{
    Actor, Options, Submission,
    options::{Probe, Step},
};
use shouwen_gateway::domain::{
    Command, Mutants,
    command::{Claim, ContactCommand},
};
use shouwen_proto::r#type::v1::Channel;

use crate::{
    absence::sudden,
    desk::employee,
    ground::{Ground, Office, still, tuesday},
};

const CASES: i64 = 1000;

fn claims(number: i64) -> Submission<Command> {
    let claim = Claim {
        contact: format!("contacts/call-{number}").into(),
        case: format!("cases/{number:04}").into(),
        employee: employee("zhang"),
        branch: "branches/b1".to_owned(),
        topic: "general".to_owned(),
        channel: Channel::Phone.into(),
        client: None,
        touch: None,
    };
    Submission::new(Command::Contact(ContactCommand::Claim(claim)), Actor::default())
}

/// Rounds until all cases stand as the absence says: in each a process dies at another step, and then one that lives goes on.
async fn applied(ground: &Ground, office: &Office, absence: &str) -> usize {
    let mut rounds = 0;
    for step in Step::ALL.into_iter().cycle() {
        if office.desk("zhang").absence(absence).await.unwrap().applied {
            break;
        }
        assert!(rounds < 20, "it comes to no end");
        let armed = Arc::new(AtomicBool::new(false));
        let probe = {
            let armed = Arc::clone(&armed);
            Probe::new(move |at| at == step && armed.load(Ordering::SeqCst))
        };
        let dying = ground.office(Options { probe, ..still() }, Mutants::default()).await;
        armed.store(true, Ordering::SeqCst);
        dying.engine.sweep_once().await.unwrap();
        office.engine.sweep_once().await.unwrap();
        rounds += 1;
    }
    rounds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o9_a_thousand_cases_get_their_deputy_and_lose_them_in_rounds_over_any_death() {
    let (ground, office) = Ground::at(tuesday()).await;
    for answer in join_all((0..CASES).map(|number| office.engine.submit(claims(number)))).await {
        answer.unwrap();
    }
    let covered =
        "select count(*) from cases where jsonb_array_length(deputies) = 1 and state ->> 'epoch' = '2'";
    let absence = office.desk("zhang").be_absent(sudden("zhang", "li")).await.unwrap();
    assert_eq!(ground.number(covered).await, 100, "the first at once, the others in rounds");
    // Before its round has come by, a case has its deputy all the same as soon as somebody acts.
    office.desk("li").resolve("cases/0999").await.unwrap();
    let rounds = applied(&ground, &office, &absence.name).await;
    assert!((5..=10).contains(&rounds), "{rounds}");
    assert_eq!(ground.number(covered).await, CASES);
    assert_eq!(ground.count("deputy_appointed").await, CASES);

    office.desk("zhang").be_back(&absence.name).await.unwrap();
    applied(&ground, &office, &absence.name).await;
    assert_eq!(ground.count("deputy_ended").await, CASES);
    assert_eq!(ground.number("select count(*) from cases where deputies is not null").await, 0);
    assert_eq!(ground.count("absence_applied").await, 2);
    assert_eq!(ground.number("select count(*) from deadline where aggregate like 'absences/%'").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o9_more_than_a_thousand_cases_are_reassigned_list_by_list() {
    let (ground, office) = Ground::at(tuesday()).await;
    for answer in join_all((0..=CASES).map(|number| office.engine.submit(claims(number)))).await {
        answer.unwrap();
    }
    let zhao = office.desk("zhao");
    let refused = zhao.reassign("zhang", &["li", "wang"], &[]).await.unwrap_err();
    assert_eq!((&*refused.reason, &*refused.metadata["limit"]), ("CASES_TOO_MANY", "1000"));
    // Without a deputy for all nobody could be named for each of so many.
    let refused =
        office.desk("zhang").be_absent(crate::absence::sudden_for("zhang", "cases/0000", "li")).await;
    let refused = refused.unwrap_err();
    assert_eq!((&*refused.reason, &*refused.metadata["count"]), ("CASES_UNCOVERED", "1000"));
    assert_eq!(zhao.reassign("zhang", &["li"], &["cases/0007"]).await.unwrap().cases.len(), 1);
    let done = zhao.reassign("zhang", &["li", "wang"], &[]).await.unwrap();
    assert_eq!(done.cases.len(), 1000);
    let of = |who: &str| {
        format!("select count(*) from cases where handler = 'employees/{who}' and accountable = handler")
    };
    assert_eq!((ground.number(&of("li")).await, ground.number(&of("wang")).await), (501, 500));
    assert_eq!(ground.count("cases_reassigned").await, 2);
}
