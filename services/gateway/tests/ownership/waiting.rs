//! What waits on desks because of cases: each kind comes and goes with its cause, on the desk of whom it concerns and on nobody else's. What waits
//! because of callbacks and complaints: see `waiting_callbacks` and `waiting_complaints`.

use chrono::TimeDelta;
use shouwen_proto::{
    access::v1::Role,
    ownership::v1::roster_entry::Entry,
    routing::v1::{DeskItemKind as Kind, desk_change::Kind as ChangeKind},
    r#type::v1::EscalationLevel,
};

use crate::{
    absence::sudden,
    desk::{IntoEntry as _, colleague},
    ground::{Ground, Office, at, local, tuesday},
    watching::{Watch, waiting},
};

/// The usual roster, with a company leader and complaint officers of two branches.
pub(crate) async fn staffed() -> (Ground, Office) {
    let (ground, office) = Ground::at(tuesday()).await;
    let entries = [
        ("guo", "hq", Role::CompanyLeader),
        ("officer", "b1", Role::ComplaintOfficer),
        ("other-officer", "b2", Role::ComplaintOfficer),
    ];
    let entries =
        entries.map(|(id, branch, role)| Entry::Employee(colleague(id, branch, &[role])).into_entry());
    office.admin().import(entries.into()).await.unwrap();
    (ground, office)
}

/// Who of these has something of a kind waiting.
pub(crate) async fn who<'a>(office: &Office, kind: Kind, of: &[&'a str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for id in of {
        if waiting(office, id).await.iter().any(|(found, _)| *found == kind) {
            found.push(*id);
        }
    }
    found
}

pub(crate) const EVERYBODY: [&str; 11] =
    ["zhang", "li", "wang", "zhao", "qian", "sun", "zhou", "chen", "guo", "officer", "other-officer"];

#[tokio::test]
async fn o4_an_offer_waits_for_its_receiver_until_it_is_answered_withdrawn_or_expired() {
    let (_ground, office) = staffed().await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    for end in ["declined", "withdrawn", "expired", "accepted"] {
        let offer = zhang.offered(&name, "li").await;
        assert_eq!(who(&office, Kind::Offer, &EVERYBODY).await, ["li"], "{end}");
        match end {
            "declined" => drop(li.decline(&name, &offer).await.unwrap()),
            "withdrawn" => drop(zhang.withdraw(&name, &offer).await.unwrap()),
            "accepted" => drop(li.accept(&name, &offer).await.unwrap()),
            _ => office.pass(TimeDelta::days(1)).await,
        }
        assert_eq!(who(&office, Kind::Offer, &EVERYBODY).await, [""; 0], "{end}");
    }
    // With the case everything of it goes.
    li.offered(&name, "wang").await;
    li.confirm(&name, true).await.unwrap();
    assert_eq!(who(&office, Kind::Offer, &EVERYBODY).await, [""; 0]);
}

#[tokio::test]
async fn o4_an_offer_that_came_to_nothing_waits_for_its_giver_until_something_is_done_about_the_case() {
    let (_ground, office) = staffed().await;
    let (zhang, li, zhao) = (office.desk("zhang"), office.desk("li"), office.desk("zhao"));
    for (number, done) in
        ["withdrawn", "resolved", "confirmed", "reassigned", "offered"].into_iter().enumerate()
    {
        let name = zhang.open(&format!("call-{number}"), &format!("C-{number}")).await;
        for end in ["declined", "expired"] {
            let offer = zhang.offered(&name, "li").await;
            assert_eq!(who(&office, Kind::Returned, &EVERYBODY).await, [""; 0], "{done}, {end}");
            match end {
                "declined" => drop(li.decline(&name, &offer).await.unwrap()),
                _ => office.pass(TimeDelta::minutes(30)).await,
            }
            assert_eq!(who(&office, Kind::Returned, &EVERYBODY).await, ["zhang"], "{done}, {end}");
            let back = (Kind::Returned, format!("{name}/offers/{offer}"));
            assert!(waiting(&office, "zhang").await.contains(&back), "{done}, {end}");
        }
        match done {
            "offered" => drop(zhang.offered(&name, "li").await),
            "withdrawn" => {
                let offer = zhang.offered(&name, "li").await;
                zhang.withdraw(&name, &offer).await.unwrap();
            }
            "resolved" => drop(zhang.resolve(&name).await.unwrap()),
            "confirmed" => drop(zhang.confirm(&name, true).await.unwrap()),
            _ => drop(zhao.reassign("zhang", &["wang"], &[&name]).await.unwrap()),
        }
        assert_eq!(who(&office, Kind::Returned, &EVERYBODY).await, [""; 0], "{done}");
    }
}

#[tokio::test]
async fn o10_a_missed_limit_waits_for_the_handler_and_everybody_whom_it_has_reached() {
    let (_ground, office) = staffed().await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    li.accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    let due = local(2025, 9, 11, 17, 0);
    let mut watched = Watch::of(&office, "zhang").await;
    for (minutes, overdue, told) in [
        (-1, vec![], vec![]),
        (0, vec!["li"], vec!["zhang", "li"]),
        (60, vec!["li"], vec!["zhang", "li", "zhao", "qian"]),
        (480, vec!["li"], vec!["zhang", "li", "zhao", "qian", "chen"]),
        (1440, vec!["li"], vec!["zhang", "li", "zhao", "qian", "chen", "guo"]),
    ] {
        office.until(due + TimeDelta::minutes(minutes)).await;
        assert_eq!(who(&office, Kind::Overdue, &EVERYBODY).await, overdue, "{minutes}");
        assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, told, "{minutes}");
    }
    let chen = Watch::of(&office, "chen").await;
    let item = chen.items.values().next().unwrap();
    assert_eq!((&*item.subject, at(item.due_time), item.level()), (&*name, due, EscalationLevel::Hq));
    assert_eq!(item.recipient, "hq");
    // Once it came, it stayed as it was.
    let escalation = format!("employees/zhang escalation {name}");
    watched.until(|watch| watch.items.contains_key(&escalation)).await;
    li.resolve(&name).await.unwrap();
    watched.until(|watch| watch.items.is_empty()).await;
    assert_eq!(watched.changes, [(ChangeKind::Added, escalation.clone()), (ChangeKind::Cleared, escalation)]);
    for kind in [Kind::Overdue, Kind::Escalation] {
        assert_eq!(who(&office, kind, &EVERYBODY).await, [""; 0]);
    }
}

#[tokio::test]
async fn o8_an_answered_case_waits_for_the_clients_word() {
    let (_ground, office) = staffed().await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    for satisfied in [false, true] {
        zhang.resolve(&name).await.unwrap();
        assert_eq!(who(&office, Kind::Satisfaction, &EVERYBODY).await, ["zhang"]);
        zhang.confirm(&name, satisfied).await.unwrap();
        assert_eq!(who(&office, Kind::Satisfaction, &EVERYBODY).await, [""; 0]);
    }
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn o10_what_was_promised_waits_for_the_handler_though_the_case_is_closed_and_for_the_leads() {
    let (ground, office) = staffed().await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    office.callbacks().scheduled(tuesday(), "cb-1", &name, tuesday() + TimeDelta::days(1));
    office.followed().await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, ["zhang"]);
    zhang.confirm(&name, true).await.unwrap();
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, ["zhang", "zhao", "qian"]);
    // O9: whoever stands in, and whenever they do so, the leads have it before them.
    zhang.be_absent(sudden("zhang", "li")).await.unwrap();
    let another = ground.another().await;
    assert_eq!(who(&another, Kind::Callback, &EVERYBODY).await, ["zhang", "zhao", "qian"]);
    assert_eq!(shouwen_gateway::desk::mend(&another.engine).await.unwrap(), 0);
    // Taken up again, it is the handler's and the deputy's.
    zhang.reopen(&name).await.unwrap();
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, ["zhang", "li"]);
    office.callbacks().cancelled(office.here().await, "cb-1", &name);
    office.followed().await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, [""; 0]);
}

#[tokio::test]
async fn o9_what_waits_for_an_absent_handler_waits_for_the_deputy_too_until_they_are_back() {
    let (_ground, office) = staffed().await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    let offer = zhang.offered(&name, "li").await;
    office.desk("li").decline(&name, &offer).await.unwrap();
    office.callbacks().scheduled(tuesday(), "cb-1", &name, tuesday() + TimeDelta::days(1));
    office.followed().await;
    office.until(local(2025, 9, 11, 17, 0)).await;
    let absence = zhang.be_absent(sudden("zhang", "wang")).await.unwrap();
    for kind in [Kind::Overdue, Kind::Escalation, Kind::Callback, Kind::Returned] {
        assert_eq!(who(&office, kind, &EVERYBODY).await, ["zhang", "wang"], "{kind:?}");
    }
    zhang.be_back(&absence.name).await.unwrap();
    for kind in [Kind::Overdue, Kind::Escalation, Kind::Callback, Kind::Returned] {
        assert_eq!(who(&office, kind, &EVERYBODY).await, ["zhang"], "{kind:?}");
    }
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn o12_an_escalation_is_not_shown_to_whom_the_case_is_kept_from_on_any_desk() {
    let (_ground, office) = staffed().await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    office.until(local(2025, 9, 12, 9, 0)).await;
    assert_eq!(who(&office, Kind::Escalation, &["zhao", "qian"]).await, ["zhao", "qian"]);
    let mut qian = Watch::of(&office, "qian").await;
    let mut elsewhere = Watch::by(&office, "qian", "zhao").await;
    assert_eq!(elsewhere.items.len(), 1);
    let complaint = format!("{name}/complaints/cp-1");
    office.complaints().filed(office.here().await, &complaint, &["qian"]);
    office.followed().await;
    // A watcher sees it go.
    qian.until(|watch| watch.items.is_empty()).await;
    elsewhere.until(|watch| !watch.changes.is_empty()).await;
    assert_eq!(elsewhere.waiting(), []);
    assert_eq!(who(&office, Kind::Escalation, &["zhao", "qian"]).await, ["zhao"]);
    // Nor what waits for the handler by name.
    for (watcher, by_role, by_name) in [("qian", 0, 0), ("zhao", 1, 2), ("chen", 1, 2)] {
        assert_eq!(Watch::by(&office, watcher, "zhao").await.items.len(), by_role, "{watcher}");
        assert_eq!(Watch::by(&office, watcher, "zhang").await.items.len(), by_name, "{watcher}");
    }
    office.complaints().declined(office.here().await, &complaint);
    office.followed().await;
    qian.until(|watch| watch.items.len() == 1).await;
    elsewhere.until(|watch| watch.items.len() == 1).await;
}
