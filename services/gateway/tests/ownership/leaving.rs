//! O9: who leaves the firm leaves no open case behind; what is left is handed over in one act.

use shouwen_engine::Submission;
use shouwen_gateway::domain::{
    Command, RosterState,
    roster::{self, RosterCommand},
};
use shouwen_proto::{
    access::v1::Role,
    ownership::v1::{Employee, ImportRosterResponse, case::State, roster_entry::Entry},
};
use tonic::Code;

use crate::{
    absence::{deputies, reassign, sudden},
    deputies::accepts,
    desk::{IntoEntry as _, colleague, employee, is_chinese, reason},
    ground::{Ground, Office, tuesday},
};

async fn save(office: &Office, who: Employee) -> ImportRosterResponse {
    office.admin().import(vec![Entry::Employee(who).into_entry()]).await.unwrap()
}

fn inactive(id: &str, roles: &[Role]) -> Employee {
    Employee { active: false, ..colleague(id, "b1", roles) }
}

#[tokio::test]
async fn o9_nobody_leaves_with_open_cases_or_while_they_deputise() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhao) = (office.desk("zhang"), office.desk("zhao"));
    let first = zhang.open("call-0", "C-0").await;
    for number in 1..25 {
        zhang.open(&format!("call-{number}"), &format!("C-{number}")).await;
    }
    // Handed on, the work is another's, the accountability is not.
    office.desk("li").accept(&first, &zhang.offered(&first, "li").await).await.unwrap();
    for gone in [inactive("zhang", &[Role::Staff]), colleague("zhang", "b1", &[Role::Auditor])] {
        let rejected = save(&office, gone).await.rejected.remove(0);
        assert_eq!((&*rejected.reason, &*rejected.field), ("OPEN_CASES", "employee.active"));
        assert!(
            rejected.description.contains("25 open cases") && rejected.description.contains("ReassignCases")
        );
        assert_eq!(rejected.description.matches("`cases/").count(), 20);
    }
    // Anything else about them may change.
    let moved = save(
        &office,
        Employee { branch: "branches/b2".to_owned(), ..colleague("zhang", "b1", &[Role::Lead]) },
    )
    .await;
    assert_eq!((moved.updated, moved.rejected.len()), (1, 0));
    save(&office, colleague("zhang", "b1", &[Role::Staff])).await;
    zhao.reassign("zhang", &["wang"], &[]).await.unwrap();
    assert_eq!(save(&office, inactive("zhang", &[Role::Staff])).await.updated, 1);

    let absence = office.desk("wang").be_absent(sudden("wang", "li")).await.unwrap();
    let rejected = save(&office, inactive("li", &[Role::Staff])).await.rejected.remove(0);
    assert_eq!(rejected.reason, "OPEN_CASES", "the first case is theirs");
    zhao.reassign("li", &["qian"], &[]).await.unwrap();
    let rejected = save(&office, inactive("li", &[Role::Staff])).await.rejected.remove(0);
    assert_eq!(rejected.reason, "STILL_DEPUTY");
    assert!(rejected.description.contains(&absence.name) && rejected.description.contains("ChangeDeputy"));
    zhao.change_deputy(&absence.name, "zhao").await.unwrap();
    office.engine.sweep_once().await.unwrap();
    assert_eq!(save(&office, inactive("li", &[Role::Staff])).await.updated, 1);
}

#[tokio::test]
async fn o9_a_closed_case_of_somebody_who_left_reopens_with_the_lead() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let case = zhang.open("call-1", "C-1").await;
    zhang.confirm(&case, true).await.unwrap();
    assert_eq!(save(&office, inactive("zhang", &[Role::Staff])).await.updated, 1);
    let reopened = office.desk("wang").reopen(&case).await.unwrap();
    assert_eq!((reopened.state(), &reopened.first_responder), (State::Open, &employee("zhang")));
    assert_eq!((&reopened.accountable, &reopened.handler), (&employee("qian"), &employee("qian")));
    assert_eq!(
        ground.events(&case).await,
        ["case_opened", "case_closed", "case_reopened", "accountability_moved"]
    );
}

#[tokio::test]
async fn o9_cases_are_reassigned_in_one_act_that_stands_in_the_history() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhao) = (office.desk("zhang"), office.desk("zhao"));
    let both = zhang.open("call-1", "C-1").await;
    let offered = zhang.open("call-2", "C-2").await;
    let offer = zhang.offered(&offered, "li").await;
    let accountable = zhang.open("call-3", "C-3").await;
    office.desk("li").accept(&accountable, &zhang.offered(&accountable, "li").await).await.unwrap();
    let closed = zhang.open("call-4", "C-4").await;
    zhang.confirm(&closed, true).await.unwrap();

    let request = reassign("zhang", &["wang", "sun"], &[]);
    let done = office.desk("chen").reassign_as(request.clone()).await.unwrap();
    let moves: Vec<_> = done.cases.iter().map(|it| (&*it.case, &*it.to)).collect();
    let (wang, sun) = (employee("wang"), employee("sun"));
    assert_eq!(moves, [(&*both, &*wang), (&*offered, &*sun), (&*accountable, &*wang)]);
    assert_eq!((&done.by, &*done.reason), (&employee("chen"), "leaves the firm"));
    let case = zhang.get(&both).await.unwrap();
    assert_eq!((&case.handler, &case.accountable, &case.first_responder), (&wang, &wang, &employee("zhang")));
    assert_eq!(case.epoch, 2);
    let case = zhang.get(&offered).await.unwrap();
    assert_eq!((case.offer.is_none(), &case.handler), (true, &sun));
    assert_eq!(reason(office.desk("li").accept(&offered, &offer).await), "NO_SUCH_OFFER");
    let case = zhang.get(&accountable).await.unwrap();
    assert_eq!((&case.handler, &case.accountable), (&employee("li"), &wang));
    assert_eq!(reason(zhang.resolve(&both).await), "NOT_RESPONSIBLE");
    office.desk("wang").resolve(&both).await.unwrap();
    // One act, told again the same.
    assert_eq!(office.desk("chen").reassign_as(request).await.unwrap(), done);
    assert_eq!((ground.count("cases_reassigned").await, ground.count("case_reassigned").await), (1, 3));
    assert_eq!(zhao.reassign("zhang", &["wang"], &[]).await.unwrap().cases, []);
}

#[tokio::test]
async fn o9_what_is_refused_of_a_reassignment() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhao) = (office.desk("zhang"), office.desk("zhao"));
    let case = zhang.open("call-1", "C-1").await;
    let other = office.desk("li").open("call-2", "C-2").await;
    assert_eq!(reason(zhang.reassign("zhang", &["wang"], &[]).await), "NOT_THEIR_LEAD");
    assert_eq!(reason(office.desk("zhou").reassign("zhang", &["wang"], &[]).await), "NOT_THEIR_LEAD");
    assert_eq!(reason(zhao.reassign("nobody", &["wang"], &[]).await), "EMPLOYEE_NOT_FOUND");
    assert_eq!(reason(zhao.reassign("zhang", &[], &[]).await), "FIELD_INVALID");
    assert_eq!(reason(zhao.reassign("zhang", &["wang"], &["calls/1"]).await), "FIELD_INVALID");
    for to in ["zhang", "gone", "auditor", "nobody"] {
        assert_eq!(reason(zhao.reassign("zhang", &["wang", to], &[]).await), "RECEIVER_INVALID", "{to}");
        let told = zhao.clone().in_chinese().reassign("zhang", &["wang", to], &[]).await.unwrap_err().text;
        assert!(is_chinese(&told), "{told}");
    }
    for named in [&other, "cases/none"] {
        let refused = zhao.reassign("zhang", &["wang"], &[&case, named]).await.unwrap_err();
        let expected = if named == "cases/none" { "CASE_NOT_FOUND" } else { "CASE_NOT_THEIRS" };
        assert_eq!(refused.reason, expected);
    }
    office.desk("wang").be_absent(sudden("wang", "qian")).await.unwrap();
    let refused = zhao.reassign("zhang", &["wang"], &[]).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "RECEIVER_ABSENT"));
    office.complaints().filed(office.here().await, &format!("{case}/complaints/a"), &["li", "qian"]);
    office.followed().await;
    let refused = zhao.reassign("zhang", &["li", "qian"], &[]).await.unwrap_err();
    assert_eq!((&*refused.reason, &refused.metadata["case"]), ("RECEIVERS_RECUSED", &case));
    // Nothing of all that has moved anything; the one who may receives it.
    let done = zhao.reassign("zhang", &["li", "sun"], &[&case]).await.unwrap();
    assert_eq!(done.cases[0].to, employee("sun"));
    let now = zhang.get(&case).await.unwrap();
    assert_eq!((&now.handler, now.epoch, deputies(&now)), (&employee("sun"), 2, vec![]));
}

/// Somebody's entry, no longer active.
fn leaves(who: &str) -> Submission<Command> {
    let entry = RosterState::Employee(roster::Employee {
        name: employee(who),
        display_name: who.to_uppercase(),
        branch: "branches/b1".to_owned(),
        roles: vec![Role::Staff.into()],
        office_phone: String::new(),
        external_id: format!("E-{who}"),
        active: false,
        bootstrap: false,
        position: 0,
        skills: Vec::new(),
        vip_seat: false,
        duty: false,
    });
    Submission::new(
        Command::Roster(RosterCommand { entry, branches: None }),
        shouwen_engine::Actor::default(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn o9_who_leaves_while_accepting_does_one_of_the_two() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let mut left = 0;
    for number in 0..40 {
        save(&one, colleague("li", "b1", &[Role::Staff])).await;
        let leaving = if number % 2 == 0 { &one } else { &other };
        let case = one.desk("wang").open(&format!("call-{number}"), &format!("C-{number}")).await;
        let offer = one.desk("wang").offered(&case, "li").await;
        let (accept, leave) = (accepts("li", &case, &offer), leaves("li"));
        let (accepted, gone) = if number % 4 < 2 {
            tokio::join!(one.engine.submit(accept), leaving.engine.submit(leave))
        } else {
            let (gone, accepted) = tokio::join!(leaving.engine.submit(leave), one.engine.submit(accept));
            (accepted, gone)
        };
        assert_ne!(accepted.is_ok(), gone.is_ok(), "{number}: {accepted:?} {gone:?}");
        let handler = one.desk("wang").get(&case).await.unwrap().handler;
        assert_eq!(handler, employee(if accepted.is_ok() { "li" } else { "wang" }));
        left += usize::from(gone.is_ok());
        if accepted.is_ok() {
            one.desk("zhao").reassign("li", &["wang"], &[]).await.unwrap();
        }
    }
    assert!((1..40).contains(&left), "both orders were seen: {left}");
}
