//! What rings on desks, and the alarm of an unstaffed line: both wait there until they are dealt with.

use chrono::TimeDelta;
use shouwen_gateway::desk as desks;
use shouwen_proto::{
    events::v1::PresenceState as Wanted,
    ownership::v1::{Line, roster_entry::Entry},
    routing::v1::{DeskItemKind as Kind, desk_change::Kind as ChangeKind},
};

use crate::{
    desk::{IntoEntry as _, employee},
    ground::{Ground, Office, at, local, tuesday},
    telephone::{call, outcome},
    watching::{Watch, waiting},
};

#[tokio::test]
async fn k2_a_reservation_waits_for_its_employee_until_it_goes_to_the_next() {
    let (_ground, office) = Ground::at(tuesday()).await;
    office.at_their_desks(&["zhang"]).await;
    office.pass(TimeDelta::seconds(1)).await;
    office.at_their_desks(&["li"]).await;
    let mut zhang = Watch::of(&office, "zhang").await;
    let routing = office.telephony().route(call("c-1")).await.unwrap();
    assert_eq!(outcome(&routing), employee("zhang"));
    let item = "employees/zhang reservation routings/c-1";
    zhang.until(|watch| watch.items.contains_key(item)).await;
    let reserved = &zhang.items[item];
    assert_eq!((reserved.kind(), &*reserved.branch), (Kind::Reservation, "branches/b1"));
    assert_eq!(reserved.due_time, routing.reservation.unwrap().expire_time);
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
    // Three rings later it is somebody else's.
    office.until(at(reserved.due_time)).await;
    zhang.until(|watch| watch.items.is_empty()).await;
    assert_eq!(zhang.changes, [(ChangeKind::Added, item.to_owned()), (ChangeKind::Cleared, item.to_owned())]);
    assert_eq!(waiting(&office, "li").await, [(Kind::Reservation, "routings/c-1".to_owned())]);
    // And once it is answered, nobody's.
    office.desk("li").claim("c-1").await.unwrap();
    assert_eq!(waiting(&office, "li").await, []);
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

/// A line of a branch, as it is imported now.
async fn save_line(office: &Office, branch: &str, published: bool) {
    let line = Line {
        name: "lines/1".to_owned(),
        branch: format!("branches/{branch}"),
        number: "021-1".to_owned(),
        published,
        ..Line::default()
    };
    let imported = office.admin().import(vec![Entry::Line(line).into_entry()]).await.unwrap();
    assert_eq!(imported.rejected, []);
}

#[tokio::test]
async fn k1_the_alarm_of_an_unstaffed_line_waits_for_the_leads_until_somebody_is_back() {
    let (_ground, office) = Ground::at(local(2025, 9, 9, 9, 0)).await;
    save_line(&office, "b1", true).await;
    office.at_their_desks(&["li"]).await;
    office.desk("li").is(Wanted::Offline).await.unwrap();
    office.engine.sweep_once().await.unwrap();
    let alarm = [(Kind::Unstaffed, "lines/1".to_owned())];
    for (who, expected) in
        [("zhao", &alarm[..]), ("qian", &alarm), ("zhang", &[]), ("zhou", &[]), ("chen", &[])]
    {
        assert_eq!(waiting(&office, who).await, expected, "{who}");
    }
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
    office.at_their_desks(&["li"]).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(waiting(&office, "zhao").await, []);
}

#[tokio::test]
async fn k1_the_alarm_of_a_line_ends_when_it_is_published_no_more() {
    let (ground, office) = Ground::at(local(2025, 9, 9, 9, 0)).await;
    save_line(&office, "b1", true).await;
    office.at_their_desks(&["li"]).await;
    office.desk("li").is(Wanted::Offline).await.unwrap();
    office.engine.sweep_once().await.unwrap();
    let mut zhao = Watch::of(&office, "zhao").await;
    assert_eq!(zhao.waiting(), [(Kind::Unstaffed, "lines/1")]);
    save_line(&office, "b1", false).await;
    office.engine.sweep_once().await.unwrap();
    zhao.until(|watch| watch.items.is_empty()).await;
    assert_eq!(waiting(&office, "qian").await, []);
    assert_eq!(ground.events("staffing/1").await, ["line_unstaffed", "line_staffed"]);
    assert_eq!(ground.number("select count(*) from staffing where unstaffed").await, 0);
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn k1_the_alarm_of_a_line_goes_with_it_to_the_leads_of_another_branch() {
    let (ground, office) = Ground::at(local(2025, 9, 9, 9, 0)).await;
    save_line(&office, "b1", true).await;
    for id in ["li", "sun"] {
        office.at_their_desks(&[id]).await;
        office.desk(id).is(Wanted::Offline).await.unwrap();
    }
    office.engine.sweep_once().await.unwrap();
    let alarm = [(Kind::Unstaffed, "lines/1".to_owned())];
    assert_eq!(waiting(&office, "zhao").await, alarm);
    assert_eq!(waiting(&office, "zhou").await, []);
    save_line(&office, "b2", true).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(waiting(&office, "zhao").await, []);
    assert_eq!(waiting(&office, "zhou").await, alarm);
    // There it ends as anywhere.
    office.at_their_desks(&["sun"]).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(waiting(&office, "zhou").await, []);
    let events = ["line_unstaffed", "line_staffed", "line_unstaffed", "line_staffed"];
    assert_eq!(ground.events("staffing/1").await, events);
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}
