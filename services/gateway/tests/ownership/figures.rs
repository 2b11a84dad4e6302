//! What ownership shows in numbers: open cases, owed answers past their limit, offers that wait, lines without anybody, contacts that wait.

use chrono::TimeDelta;
use shouwen_engine::Domain as _;
use shouwen_proto::events::v1::PresenceState as Wanted;

use crate::{
    ground::{Ground, Office, local, tuesday},
    presence::published_line,
    telephone::call,
};

/// Open, awaiting satisfaction, overdue, offers, unstaffed lines, waiting contacts.
async fn all_figures(office: &Office) -> [i64; 6] {
    let mut connection = office.engine.pool().acquire().await.unwrap();
    let readings = office.engine.domain().readings(&mut connection).await.unwrap();
    let names: Vec<_> = readings.iter().map(|it| it.gauge.name).collect();
    let open = "shouwen.cases.open";
    let expected = [
        open,
        open,
        "shouwen.cases.overdue",
        "shouwen.offers.pending",
        "shouwen.lines.unstaffed",
        "shouwen.routings.waiting",
    ];
    assert_eq!(names, expected);
    readings.iter().map(|it| it.value).collect::<Vec<_>>().try_into().unwrap()
}

/// Of cases alone.
async fn figures(office: &Office) -> [i64; 4] {
    let [open, awaiting, overdue, offers, ..] = all_figures(office).await;
    [open, awaiting, overdue, offers]
}

#[tokio::test]
async fn k1_unstaffed_lines_and_waiting_contacts_are_shown_in_numbers() {
    let (_ground, office) = Ground::at(tuesday()).await;
    office.admin().import(vec![published_line()]).await.unwrap();
    office.at_their_desks(&["zhang"]).await;
    assert_eq!(all_figures(&office).await[4..], [0, 0]);
    office.desk("zhang").is(Wanted::Paused).await.unwrap();
    office.engine.sweep_once().await.unwrap();
    office.telephony().route(call("c-1")).await.unwrap();
    assert_eq!(all_figures(&office).await[4..], [1, 1]);
}

#[tokio::test]
async fn k15_what_is_open_and_overdue_is_shown_in_numbers() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    assert_eq!(figures(&office).await, [0, 0, 0, 0]);
    let first = zhang.open("call-1", "C-1").await;
    let second = zhang.open("call-2", "C-2").await;
    zhang.offered(&first, "li").await;
    assert_eq!(figures(&office).await, [2, 0, 0, 1]);
    zhang.resolve(&second).await.unwrap();
    assert_eq!(figures(&office).await, [1, 1, 0, 1]);
    // The limit of that Tuesday's cases; the offer has expired long before.
    office.until(local(2025, 9, 11, 17, 0)).await;
    assert_eq!(figures(&office).await, [1, 1, 1, 0]);
    zhang.confirm(&second, true).await.unwrap();
    zhang.resolve(&first).await.unwrap();
    office.pass(TimeDelta::minutes(1)).await;
    assert_eq!(figures(&office).await, [0, 1, 0, 0]);
}
