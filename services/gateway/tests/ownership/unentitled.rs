//! O7: an override ends with the right of who holds it, whatever the roster has made of them meanwhile: no lead any more, in another branch, gone.

use futures_util::future::join_all;
use shouwen_engine::{Actor, Submission};
use shouwen_gateway::domain::{
    Command,
    command::{Action, CaseCommand},
};
use shouwen_proto::{
    access::v1::Role,
    ownership::v1::{Employee, case::State, roster_entry::Entry},
};

use crate::{
    desk::{IntoEntry as _, colleague, employee, reason},
    ground::{Ground, Office, tuesday},
    touching::touch,
};

/// Zhao as the usual roster has them: a lead of b1.
fn lead() -> Employee {
    colleague("zhao", "b1", &[Role::Lead])
}

fn demoted() -> Employee {
    colleague("zhao", "b1", &[Role::Staff])
}

/// The roster makes somebody what they were not.
async fn becomes(office: &Office, entry: Employee) {
    let imported = office.admin().import(vec![Entry::Employee(entry).into_entry()]).await.unwrap();
    assert_eq!((imported.updated, imported.rejected.len()), (1, 0));
}

#[tokio::test]
async fn o7_an_override_ends_when_the_roster_does_not_let_its_holder_override_any_more() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhao) = (office.desk("zhang"), office.desk("zhao"));
    let changes = [
        ("demoted", demoted()),
        ("elsewhere", Employee { branch: "branches/b2".to_owned(), ..lead() }),
        ("gone", Employee { active: false, ..lead() }),
    ];
    for (number, (change, entry)) in changes.into_iter().enumerate() {
        let name = zhang.open(&format!("call-{number}"), &format!("C-{number}")).await;
        assert_eq!(zhao.begin_override(&name).await.unwrap().epoch, 2);
        becomes(&office, entry).await;
        // Neither decisions nor the edge wait for the event.
        let view = office.ownership.find(&name).await.unwrap().unwrap();
        assert_eq!((view.overriding, view.epoch), (None, 2), "{change}");
        assert_eq!(reason(zhao.resolve(&name).await), "NOT_RESPONSIBLE", "{change}");
        assert_eq!(reason(zhao.end_override(&name).await), "NO_OVERRIDE", "{change}");
        // It comes by itself, once.
        office.engine.sweep_once().await.unwrap();
        office.engine.sweep_once().await.unwrap();
        let case = zhang.get(&name).await.unwrap();
        assert_eq!((case.r#override, case.epoch, case.handler), (None, 3, employee("zhang")), "{change}");
        assert_eq!(ground.events(&name).await, ["case_opened", "override_begun", "override_ended"]);
        assert_eq!(reason(zhao.begin_override(&name).await), "NOT_RESPONSIBLE", "{change}");
        // With the right comes no power that ended before.
        becomes(&office, lead()).await;
        assert_eq!(reason(zhao.resolve(&name).await), "NOT_RESPONSIBLE", "{change}");
        assert_eq!(zhao.begin_override(&name).await.unwrap().epoch, 4);
        zhao.end_override(&name).await.unwrap();
    }
    let told = "select count(*) from ledger
                where type = 'override_ended' and cause = 'pending' and encode(payload, 'escape') like '%not_entitled%'";
    assert_eq!(ground.number(told).await, 3, "with the reason");
    assert_eq!(ground.number("select count(*) from deadline where step = 'override'").await, 0);
}

#[tokio::test]
async fn o7_headquarters_may_change_branch_and_overrides_on() {
    let (ground, office) = Ground::at(tuesday()).await;
    let chen = office.desk("chen");
    let name = office.desk("zhang").open("call-1", "C-1").await;
    chen.begin_override(&name).await.unwrap();
    becomes(&office, colleague("chen", "b2", &[Role::Hq])).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(office.ownership.find(&name).await.unwrap().unwrap().overriding, Some(employee("chen")));
    assert_eq!(chen.resolve(&name).await.unwrap().state(), State::AwaitingSatisfaction);
    becomes(&office, colleague("chen", "b2", &[Role::Lead])).await;
    assert_eq!(reason(chen.confirm(&name, true).await), "NOT_RESPONSIBLE");
    office.engine.sweep_once().await.unwrap();
    assert_eq!(ground.count("override_ended").await, 1);
}

#[tokio::test]
async fn o7_whatever_is_decided_next_says_that_an_override_has_ended() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhao, qian) = (office.desk("zhang"), office.desk("zhao"), office.desk("qian"));
    let (first, second) = (zhang.open("call-1", "C-1").await, zhang.open("call-2", "C-2").await);
    for case in [&first, &second] {
        zhao.begin_override(case).await.unwrap();
    }
    becomes(&office, demoted()).await;
    assert_eq!(zhang.resolve(&first).await.unwrap().epoch, 3);
    let events = ["case_opened", "override_begun", "override_ended", "case_resolved"];
    assert_eq!(ground.events(&first).await, events);
    // It keeps no other lead from overriding.
    let taken = qian.begin_override(&second).await.unwrap();
    assert_eq!((taken.r#override.unwrap().employee, taken.epoch), (employee("qian"), 4));
    office.engine.sweep_once().await.unwrap();
    assert_eq!(ground.count("override_ended").await, 2);
}

#[tokio::test]
async fn o7_who_answers_a_contact_again_has_no_power_by_an_override_that_has_lapsed() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    office.desk("zhao").begin_override(&name).await.unwrap();
    for (entry, overriding) in [(None, Some(employee("zhao"))), (Some(demoted()), None)] {
        if let Some(entry) = entry {
            becomes(&office, entry).await;
        }
        let view = office.ownership.claim(touch("call-2", "zhao", "C-1")).await.unwrap();
        assert_eq!((&view.case, view.overriding), (&name, overriding));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o7_many_overrides_of_one_who_leaves_end_each_once_over_two_processes() {
    const CASES: i64 = 250;
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let (zhang, zhao) = (one.desk("zhang"), one.desk("zhao"));
    join_all((0..CASES).map(|number| {
        let (zhang, zhao) = (&zhang, &zhao);
        async move {
            let name = zhang.open(&format!("call-{number}"), &format!("C-{number}")).await;
            zhao.begin_override(&name).await.unwrap();
        }
    }))
    .await;
    assert_eq!(ground.number("select count(*) from cases where overriding is not null").await, CASES);
    becomes(&one, Employee { active: false, ..lead() }).await;
    other.learned().await;
    let (first, second) = tokio::join!(one.engine.sweep_once(), other.engine.sweep_once());
    assert!(first.unwrap() + second.unwrap() >= 250);
    assert_eq!(ground.number("select count(*) from cases where overriding is not null").await, 0);
    assert_eq!(ground.number("select count(*) from cases where state ->> 'epoch' = '3'").await, CASES);
    assert_eq!(ground.count("override_ended").await, CASES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn o7_who_loses_the_right_while_beginning_to_override_holds_nothing_in_the_end() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    for number in 0..20 {
        let name = one.desk("zhang").open(&format!("call-{number}"), &format!("C-{number}")).await;
        let action = Action::BeginOverride { reason: "the handler is unreachable".to_owned() };
        let command = CaseCommand { case: name.as_str().into(), by: employee("zhao"), etag: None, action };
        let begins = one.engine.submit(Submission::new(Command::Case(command), Actor::default()));
        // Both orders, in one process and in two.
        let loses = becomes(if number % 2 == 0 { &one } else { &other }, demoted());
        let begun =
            if number % 4 < 2 { tokio::join!(begins, loses).0 } else { tokio::join!(loses, begins).1 };
        one.learned().await;
        one.engine.sweep_once().await.unwrap();
        let case = one.desk("zhang").get(&name).await.unwrap();
        assert_eq!((case.r#override, case.epoch), (None, if begun.is_ok() { 3 } else { 1 }), "{number}");
        becomes(&one, lead()).await;
    }
    assert_eq!(ground.count("override_ended").await, ground.count("override_begun").await);
}
