//! O12: whom a complaint is about takes no part in its case; where they answered for it, the lead does from now on.

use chrono::TimeDelta;
use prost::Message as _;
use shouwen_engine::ledger;
use shouwen_proto::{
    access::v1::Role,
    events::v1::{AccountabilityMoved, ComplaintEnd, OwnershipEvent, ownership_event::Event},
    ownership::v1::{Case, case::State, roster_entry::Entry},
};
use tonic::Code;

use crate::{
    desk::{IntoEntry as _, colleague, employee, reason},
    ground::{Ground, Office, tuesday},
};

/// A complaint about these employees under the case; answers the case.
async fn complain(office: &Office, name: &str, id: &str, about: &[&str]) -> Case {
    office.complaints().filed(office.here().await, &format!("{name}/complaints/{id}"), about);
    office.followed().await;
    office.desk("auditor").get(name).await.unwrap()
}

/// How the accountability of a case moved.
async fn moves(office: &Office, case: &str) -> Vec<AccountabilityMoved> {
    let rows = ledger::history(office.engine.pool(), case, i64::MAX).await.unwrap();
    let events = rows.iter().filter_map(|row| OwnershipEvent::decode(&*row.payload).unwrap().event);
    events
        .filter_map(|event| match event {
            Event::AccountabilityMoved(moved) => Some(moved),
            _ => None,
        })
        .collect()
}

fn who(case: &Case) -> (&str, &str) {
    let id = |name: &'_ str| name.len() - name.trim_start_matches("employees/").len();
    (&case.accountable[id(&case.accountable)..], &case.handler[id(&case.handler)..])
}

#[tokio::test]
async fn o12_the_lead_answers_for_the_case_when_the_first_responder_is_complained_about() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    let moved = complain(&office, &name, "cp-1", &["zhang"]).await;
    // Of two leads the first by name; the first responder stays a fact of history.
    assert_eq!(who(&moved), ("qian", "qian"));
    assert_eq!((&moved.first_responder, moved.epoch), (&employee("zhang"), 2));
    assert_eq!((&moved.recused[..], moved.state()), (&[employee("zhang")][..], State::Open));
    assert_eq!(
        moves(&office, &name).await,
        [AccountabilityMoved {
            from: employee("zhang"),
            accountable: employee("qian"),
            handler: employee("qian"),
            reason: "recused".to_owned(),
            complaint: format!("{name}/complaints/cp-1"),
            epoch: 2,
        }]
    );
    // The recused person is not responsible any more; the edge reads the same.
    let refused = zhang.resolve(&name).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::PermissionDenied, "NOT_RESPONSIBLE"));
    assert_eq!(refused.metadata["accountable"], employee("qian"));
    let view = office.ownership.find(&name).await.unwrap().unwrap();
    assert_eq!((view.epoch, &view.accountable, &view.handler), (2, &employee("qian"), &employee("qian")));
    office.desk("qian").resolve(&name).await.unwrap();
    // Told again, nothing more moves.
    complain(&office, &name, "cp-1", &["zhang"]).await;
    assert_eq!(ground.count("accountability_moved").await, 1);
    // With the complaint the recusal ends; what was moved stays.
    office.complaints().declined(office.here().await, &format!("{name}/complaints/cp-1"));
    office.followed().await;
    let after = zhang.get(&name).await.unwrap();
    assert_eq!((who(&after), after.recused.len(), after.epoch), (("qian", "qian"), 0, 2));
}

#[tokio::test]
async fn o12_the_handler_stays_who_is_not_complained_about_and_steps_back_who_is() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let handed_over = async |number: usize| {
        let name = zhang.open(&format!("call-{number}"), &format!("C-{number}")).await;
        let offer = zhang.offered(&name, "li").await;
        office.desk("li").accept(&name, &offer).await.unwrap();
        name
    };
    // Only who answers for it: the work stays where it is.
    let moved = complain(&office, &handed_over(1).await, "a", &["zhang"]).await;
    assert_eq!((who(&moved), moved.epoch), (("qian", "li"), 3));
    // Only who handles it: the work goes to who answers for it, who is not complained about (O1).
    let name = handed_over(2).await;
    let moved = complain(&office, &name, "b", &["li"]).await;
    assert_eq!((who(&moved), moved.epoch), (("zhang", "zhang"), 3));
    let event = moves(&office, &name).await.remove(0);
    assert_eq!((event.from, event.accountable), (employee("zhang"), employee("zhang")));
    // Both.
    let moved = complain(&office, &handed_over(3).await, "c", &["li", "zhang"]).await;
    assert_eq!((who(&moved), moved.epoch), (("qian", "qian"), 3));
    // Neither: nothing changes but that they are recused.
    let moved = complain(&office, &handed_over(4).await, "d", &["wang"]).await;
    assert_eq!((who(&moved), moved.epoch, &moved.recused[..]), (("zhang", "li"), 2, &[employee("wang")][..]));
}

#[tokio::test]
async fn o12_who_answers_is_sought_among_leads_then_hq_then_company_leaders_who_are_not_complained_about() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let away = Entry::Employee(shouwen_proto::ownership::v1::Employee {
        active: false,
        ..colleague("aaa", "b1", &[Role::Lead])
    });
    let leader = Entry::Employee(colleague("boss", "hq", &[Role::CompanyLeader]));
    office.admin().import(vec![away.into_entry(), leader.into_entry()]).await.unwrap();
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    // Over all open complaints, one after the other.
    let steps: [(&[&str], &str); 6] = [
        (&["zhang"], "qian"),
        (&["qian"], "zhao"),
        (&["zhao", "sun"], "chen"),
        (&["chen"], "lin"),
        (&["lin"], "boss"),
        // Nobody is left: the person stays, so that the case is never without one (O9), and the complaint is on record.
        (&["boss"], "boss"),
    ];
    for (number, (about, expected)) in steps.into_iter().enumerate() {
        let case = complain(&office, &name, &format!("cp-{number}"), about).await;
        assert_eq!(who(&case), (expected, expected), "complaint {number}");
        assert_eq!(case.open_complaints.len(), number + 1);
    }
    let case = office.desk("auditor").get(&name).await.unwrap();
    let recused = ["boss", "chen", "lin", "qian", "sun", "zhang", "zhao"].map(employee);
    assert_eq!((&case.recused[..], case.epoch), (&recused[..], 6));
    assert_eq!(office.desk("zhang").get(&name).await.unwrap().first_responder, employee("zhang"));
    // A lead of another branch is not asked: of b2's case the one of b2 is.
    let elsewhere = office.desk("sun").open("call-2", "C-2").await;
    assert_eq!(who(&complain(&office, &elsewhere, "cp-x", &["sun"]).await), ("zhou", "zhou"));
}

#[tokio::test]
async fn o12_nobody_who_is_complained_about_receives_gives_or_overrides_the_case() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    // Pending to one who is complained about, and from one.
    let to = zhang.open("call-1", "C-1").await;
    let offer = zhang.offered(&to, "li").await;
    let case = complain(&office, &to, "a", &["li"]).await;
    assert_eq!((case.offer, case.epoch), (None, 1));
    assert_eq!(reason(office.desk("li").accept(&to, &offer).await), "NO_SUCH_OFFER");
    let refused = zhang.offer(&to, "li").await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "RECEIVER_INVALID"));
    assert!(refused.metadata["problem"].contains("O12"), "{refused:?}");
    zhang.offer(&to, "wang").await.unwrap();

    let from = zhang.open("call-2", "C-2").await;
    let offer = zhang.offered(&from, "li").await;
    let case = complain(&office, &from, "b", &["zhang"]).await;
    assert_eq!((case.offer, case.epoch), (None, 2));
    assert_eq!(reason(office.desk("li").accept(&from, &offer).await), "NO_SUCH_OFFER");
    // An offer among others stands.
    let among = zhang.open("call-3", "C-3").await;
    let offer = zhang.offered(&among, "li").await;
    assert!(complain(&office, &among, "c", &["wang"]).await.offer.is_some());
    office.desk("li").accept(&among, &offer).await.unwrap();

    // A running override ends, and none begins while the complaint is open.
    let case = office.desk("zhao").begin_override(&among).await.unwrap();
    assert_eq!(case.epoch, 3);
    let case = complain(&office, &among, "d", &["zhao"]).await;
    assert_eq!(
        (case.r#override, case.epoch, who(&office.desk("li").get(&among).await.unwrap())),
        (None, 4, ("zhang", "li"))
    );
    let refused = office.desk("zhao").begin_override(&among).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::PermissionDenied, "RECUSED"));
    assert_eq!(refused.metadata["complaint"], format!("{among}/complaints/d"));
    office.desk("qian").begin_override(&among).await.unwrap();
    office.desk("qian").end_override(&among).await.unwrap();
    office.complaints().declined(office.here().await, &format!("{among}/complaints/d"));
    office.followed().await;
    office.desk("zhao").begin_override(&among).await.unwrap();
    assert_eq!(ground.count("override_ended").await, 2);
}

#[tokio::test]
async fn o12_a_complaint_handled_anew_recuses_anew() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    complain(&office, &name, "cp-1", &["li"]).await;
    let complaint = format!("{name}/complaints/cp-1");
    office.complaints().declined(office.here().await, &complaint);
    office.followed().await;
    // Declined, the case went to the very person; then the complaint is taken up again.
    office.desk("li").accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    office.pass(TimeDelta::hours(1)).await;
    office.complaints().handled_anew(office.here().await, &complaint, "superseded");
    office.followed().await;
    let case = zhang.get(&name).await.unwrap();
    assert_eq!((who(&case), case.epoch, &case.recused[..]), (("zhang", "zhang"), 3, &[employee("li")][..]));
}

#[tokio::test]
async fn o12_a_merged_cases_complaint_recuses_who_answers_for_the_survivor() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let survivor = zhang.open("call-1", "C-1").await;
    let merged = li.claim("call-2").await.unwrap().case.unwrap().name;
    complain(&office, &merged, "cp-1", &["zhang"]).await;
    zhang.offer(&survivor, "wang").await.unwrap();
    let case = li.identify("call-2", "C-1").await.unwrap();
    assert_eq!((&case.name, who(&case), case.epoch), (&survivor, ("qian", "qian"), 2));
    assert_eq!((case.offer, case.recused), (None, vec![employee("zhang")]));

    // A closed case that a complaint reopens: the same, under a new clock.
    let closed = zhang.open("call-3", "C-3").await;
    zhang.confirm(&closed, true).await.unwrap();
    let case = complain(&office, &closed, "cp-2", &["zhang"]).await;
    assert_eq!(
        (case.state(), who(&case), case.reopen_count, case.epoch),
        (State::Open, ("qian", "qian"), 1, 2)
    );
    office.complaints().complaint_closed(
        office.here().await,
        &format!("{closed}/complaints/cp-2"),
        ComplaintEnd::Unreachable,
        "three attempts",
    );
    office.followed().await;
    assert_eq!(zhang.get(&closed).await.unwrap().close_reason, "three attempts");
}
