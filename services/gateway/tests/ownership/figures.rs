//! What ownership shows in numbers: open cases, owed answers past their limit, offers that wait.

use chrono::TimeDelta;
use shouwen_engine::Domain as _;

use crate::ground::{Ground, Office, local, tuesday};

/// Open, awaiting satisfaction, overdue, offers.
async fn figures(office: &Office) -> [i64; 4] {
    let mut connection = office.engine.pool().acquire().await.unwrap();
    let readings = office.engine.domain().readings(&mut connection).await.unwrap();
    let names: Vec<_> = readings.iter().map(|it| it.gauge.name).collect();
    let open = "shouwen.cases.open";
    assert_eq!(names, [open, open, "shouwen.cases.overdue", "shouwen.offers.pending"]);
    readings.iter().map(|it| it.value).collect::<Vec<_>>().try_into().unwrap()
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
