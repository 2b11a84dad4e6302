//! K15, S2, S3, O10: an answer is due within two working days, the day of acceptance not counted; a missed limit is recorded once; new calendar data
//! move what was provisional.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use shouwen_engine::{Actor, Domain as _, Submission};
use shouwen_gateway::domain::{Command, command::FollowUp};
use shouwen_proto::{
    events::v1::CallOutcome,
    ownership::v1::{Clock, case::State},
    r#type::v1::Satisfaction,
};

use crate::{
    desk::{Desk, employee},
    ground::{Ground, at, local, tuesday},
    policies::{approve, propose},
};

async fn running(desk: &Desk, case: &str) -> Clock {
    desk.get(case).await.unwrap().clocks.pop().unwrap()
}

#[tokio::test]
async fn k15_the_limit_is_the_end_of_the_second_working_day_after_the_day_of_acceptance() {
    let opened: [(DateTime<Utc>, DateTime<Utc>); 9] = [
        (local(2025, 9, 9, 10, 0), local(2025, 9, 11, 17, 0)),
        (local(2025, 9, 9, 23, 59), local(2025, 9, 11, 17, 0)),
        (local(2025, 9, 10, 0, 0), local(2025, 9, 12, 17, 0)),
        // Over a weekend.
        (local(2025, 9, 12, 16, 59), local(2025, 9, 16, 17, 0)),
        (local(2025, 9, 13, 12, 0), local(2025, 9, 16, 17, 0)),
        // National Day 2025: Sunday 28 September is worked, 1 to 8 October are off, Saturday 11 October is worked.
        (local(2025, 9, 26, 9, 0), local(2025, 9, 29, 17, 0)),
        (local(2025, 9, 29, 9, 0), local(2025, 10, 9, 17, 0)),
        (local(2025, 9, 30, 9, 0), local(2025, 10, 10, 17, 0)),
        (local(2025, 10, 9, 9, 0), local(2025, 10, 11, 17, 0)),
    ];
    let (_ground, office) = Ground::at(opened[0].0).await;
    let zhang = office.desk("zhang");
    for (number, (moment, due)) in opened.into_iter().enumerate() {
        office.until(moment).await;
        let name = zhang.open(&format!("call-{number}"), &format!("C-{number}")).await;
        let clock = running(&zhang, &name).await;
        assert_eq!((at(clock.start_time), at(clock.due_time)), (moment, due), "opened at {moment}");
        assert!(!clock.provisional && !clock.missed && clock.met_time.is_none());
    }
}

#[tokio::test]
async fn o10_a_limit_is_missed_at_its_instant_and_recorded_once() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let zhang = one.desk("zhang");
    let due = local(2025, 9, 11, 17, 0);
    let name = zhang.open("call-1", "C-1").await;
    let in_time = zhang.open("call-2", "C-2").await;
    one.until(due - TimeDelta::microseconds(1)).await;
    zhang.resolve(&in_time).await.unwrap();
    assert!(!running(&zhang, &name).await.missed);
    one.unswept(due).await;
    let (first, second) = tokio::join!(one.engine.sweep_once(), other.engine.sweep_once());
    assert!(first.unwrap() + second.unwrap() >= 1);
    one.until(due + TimeDelta::days(3)).await;
    let clock = running(&zhang, &name).await;
    assert!(clock.missed && clock.met_time.is_none());
    assert!(!running(&zhang, &in_time).await.missed);
    assert_eq!(ground.events(&name).await[..3], ["case_opened", "limit_missed", "limit_escalated"]);
    assert_eq!(ground.count("limit_missed").await, 1);
    // Answered late: met and missed, both for good.
    zhang.resolve(&name).await.unwrap();
    let clock = running(&zhang, &name).await;
    assert!(clock.missed && clock.met_time.is_some());
    // The next clock can be missed again.
    zhang.confirm(&name, false).await.unwrap();
    one.until(due + TimeDelta::days(10)).await;
    let case = zhang.get(&name).await.unwrap();
    assert!(case.clocks.iter().all(|clock| clock.missed));
    assert_eq!(ground.count("limit_missed").await, 2);
}

#[tokio::test]
async fn o10_an_answer_after_the_limit_is_late_also_where_no_sweep_has_come_by() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    office.unswept(local(2025, 9, 11, 17, 0)).await;
    let resolved = zhang.resolve(&name).await.unwrap();
    assert_eq!(resolved.state(), State::AwaitingSatisfaction);
    assert!(resolved.clocks[0].missed && resolved.clocks[0].met_time.is_some());
    office.engine.sweep_once().await.unwrap();
    let events = ["case_opened", "limit_missed", "limit_escalated", "case_resolved"];
    assert_eq!(ground.events(&name).await, events);
}

#[tokio::test]
async fn o10_what_was_said_before_the_limit_is_in_time_however_late_it_arrives() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    let due = local(2025, 9, 11, 17, 0);
    office.unswept(due).await;
    // The contact ended clear a minute before the limit; the event is told when it has passed.
    let ended = FollowUp::CallEnded {
        contact: "contacts/call-1".into(),
        by: employee("zhang"),
        outcome: CallOutcome::AnsweredClear,
    };
    let mut told = Submission::new(Command::FollowUp(ended), Actor::default());
    told.at = Some(due - TimeDelta::minutes(1));
    office.engine.submit(told).await.unwrap();
    let closed = zhang.get(&name).await.unwrap();
    assert_eq!(closed.state(), State::Closed);
    assert!(!closed.clocks[0].missed);
}

#[tokio::test]
async fn s3_a_clock_opened_by_a_late_event_starts_when_that_happened_and_is_recomputed_from_then() {
    let start = local(2026, 12, 30, 9, 0);
    let (ground, office) = Ground::at(start).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    zhang.resolve(&name).await.unwrap();
    // Told on Thursday evening: dissatisfied on Wednesday afternoon.
    let happened = local(2026, 12, 30, 15, 0);
    office.until(local(2026, 12, 31, 20, 0)).await;
    office.callbacks().completed(happened, "cb-1", &name, false, Satisfaction::Neutral);
    office.followed().await;
    let clock = running(&zhang, &name).await;
    assert_eq!((at(clock.start_time), at(clock.due_time)), (happened, local(2027, 1, 1, 17, 0)));
    assert!(clock.provisional);
    let written = "select extract(epoch from time)::bigint from ledger where type = 'case_reopened'";
    assert_eq!(
        ground.number(written).await,
        local(2026, 12, 31, 20, 0).timestamp(),
        "the ledger's time is later"
    );

    // With the data of 2027, in which New Year is off: two working days from Wednesday, not from Thursday.
    let toml = json!({"toml": CALENDAR_2027});
    approve(&office, &propose(&office, "calendar", "firm", toml, office.here().await).await).await;
    office.engine.sweep_once().await.unwrap();
    let clock = running(&zhang, &name).await;
    assert_eq!((at(clock.start_time), at(clock.due_time)), (happened, local(2027, 1, 4, 17, 0)));
    assert!(!clock.provisional);
}

#[tokio::test]
async fn s3_a_limit_that_was_missed_does_not_move() {
    let start = local(2026, 12, 30, 9, 0);
    let (ground, office) = Ground::at(start).await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    office.until(local(2027, 1, 1, 17, 0)).await;
    assert!(running(&office.desk("zhang"), &name).await.missed);
    let toml = json!({"toml": CALENDAR_2027});
    approve(&office, &propose(&office, "calendar", "firm", toml, office.here().await).await).await;
    let told = Submission::new(Command::FollowUp(FollowUp::Recompute(name.clone().into())), Actor::default());
    office.engine.submit(told).await.unwrap();
    assert_eq!(at(running(&office.desk("zhang"), &name).await.due_time), local(2027, 1, 1, 17, 0));
    assert_eq!(ground.count("limit_moved").await, 0);
}

#[tokio::test]
async fn k15_a_case_keeps_the_policy_under_which_it_began() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let first = zhang.open("call-1", "C-1").await;
    let policy = json!({"answer_working_days": 5, "offer_minutes": 10});
    approve(&office, &propose(&office, "ownership", "branches/b1", policy, tuesday()).await).await;
    let second = zhang.open("call-2", "C-2").await;
    let elsewhere = office.desk("sun").open("call-3", "C-3").await;
    assert_eq!(at(running(&zhang, &first).await.due_time), local(2025, 9, 11, 17, 0));
    assert_eq!(at(running(&zhang, &second).await.due_time), local(2025, 9, 16, 17, 0));
    assert_eq!(at(running(&zhang, &elsewhere).await.due_time), local(2025, 9, 11, 17, 0));
    // Reopened, the new clock of the first runs under its own policy; an offer made now expires by what holds now.
    zhang.confirm(&first, true).await.unwrap();
    zhang.reopen(&first).await.unwrap();
    assert_eq!(at(running(&zhang, &first).await.due_time), local(2025, 9, 11, 17, 0));
    let offer = zhang.offer(&first, "li").await.unwrap().offer.unwrap();
    assert_eq!(at(offer.expire_time), tuesday() + TimeDelta::minutes(10));
}

/// Calendar data of 2027 in which New Year is off.
const CALENDAR_2027: &str = r#"
version = "cn-2027.1"

[[year]]
year = 2027
holidays = ["2027-01-01"]
make_up = []
exchange_also_closed = []
"#;

#[tokio::test]
async fn s3_provisional_limits_move_by_a_recorded_event_when_the_calendar_arrives() {
    let start = local(2026, 12, 31, 9, 0);
    let (ground, office) = Ground::at(start).await;
    let other = ground.another().await;
    let zhang = office.desk("zhang");
    let provisional = zhang.open("call-1", "C-1").await;
    let answered = zhang.open("call-2", "C-2").await;
    zhang.resolve(&answered).await.unwrap();
    let clock = running(&zhang, &provisional).await;
    // Beyond the imported years every Monday to Friday counts: Friday 1 and Monday 4 January.
    assert_eq!((at(clock.due_time), clock.provisional), (local(2027, 1, 4, 17, 0), true));

    let toml = json!({"toml": CALENDAR_2027});
    let policy = propose(&office, "calendar", "firm", toml, start + TimeDelta::hours(1)).await;
    approve(&office, &policy).await;
    office.engine.sweep_once().await.unwrap();
    assert_eq!(ground.count("limit_moved").await, 0, "the data hold from their effective time");

    office.until(start + TimeDelta::hours(1)).await;
    other.learned().await;
    let _swept = tokio::join!(office.engine.sweep_once(), other.engine.sweep_once());
    let clock = running(&zhang, &provisional).await;
    assert_eq!((at(clock.due_time), clock.provisional), (local(2027, 1, 5, 17, 0), false));
    assert_eq!(at(clock.start_time), start);
    assert_eq!(ground.events(&provisional).await, ["case_opened", "limit_moved"]);
    assert_eq!(ground.count("limit_moved").await, 1, "what is answered does not move");
    let sql = "select calendar_version from deadline where step = 'answer'";
    let version = office.domain().policies().calendar(office.here().await).version().to_owned();
    assert_eq!(ground.texts(sql).await, [version]);

    // Once moved it rests, and is missed at its new time.
    office.engine.sweep_once().await.unwrap();
    office.until(local(2027, 1, 5, 16, 59)).await;
    assert!(!running(&zhang, &provisional).await.missed);
    office.until(local(2027, 1, 5, 17, 0)).await;
    let events = ["case_opened", "limit_moved", "limit_missed", "limit_escalated"];
    assert_eq!(ground.events(&provisional).await, events);
}

#[tokio::test]
async fn s3_how_long_the_calendar_lasts_is_known_before_it_ends_and_grows_with_an_import() {
    let start = local(2026, 11, 1, 9, 0);
    let (_ground, office) = Ground::at(start).await;
    let left = |at| office.domain().calendar_days_left(at);
    let moments = [start, local(2026, 12, 31, 23, 59), local(2027, 1, 1, 0, 0)];
    assert_eq!(moments.map(left), [Some(60), Some(0), Some(-1)]);
    let policy = propose(&office, "calendar", "firm", json!({"toml": CALENDAR_2027}), start).await;
    approve(&office, &policy).await;
    assert_eq!(moments.map(left), [Some(425), Some(365), Some(364)]);
}
