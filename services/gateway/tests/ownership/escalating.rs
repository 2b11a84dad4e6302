//! O10: a missed limit goes higher level by level, each once and at its own time, until the answer is given.

use chrono::{DateTime, TimeDelta, Utc};
use prost::Message as _;
use serde_json::json;
use shouwen_engine::ledger;
use shouwen_proto::{
    events::v1::{OwnershipEvent, ownership_event::Event},
    r#type::v1::{EscalationLevel, Satisfaction},
};
use shouwen_serving::timestamps::from_proto;

use crate::{
    desk::Desk,
    ground::{Ground, Office, at, local, tuesday},
    policies::{approve, propose},
};

/// Where the limit of a case lies that is opened on that Tuesday.
fn due() -> DateTime<Utc> {
    local(2025, 9, 11, 17, 0)
}

/// The levels that the firm's policy names, with their minutes after the limit.
const LADDER: [(EscalationLevel, i64); 4] = [
    (EscalationLevel::Responsible, 0),
    (EscalationLevel::Lead, 60),
    (EscalationLevel::Hq, 480),
    (EscalationLevel::CompanyLeader, 1440),
];

/// What the ledger says of a case's escalation: level, and minutes from the limit to the next one.
async fn climbed(office: &Office, case: &str) -> Vec<(EscalationLevel, Option<i64>)> {
    let rows = ledger::history(office.engine.pool(), case, i64::MAX).await.unwrap();
    let events = rows.iter().filter_map(|row| OwnershipEvent::decode(&*row.payload).unwrap().event);
    let escalated = events.filter_map(|event| match event {
        Event::LimitEscalated(escalated) => Some(escalated),
        _ => None,
    });
    escalated
        .map(|escalated| {
            let limit = at(escalated.due);
            let next = escalated.next_due.as_ref().and_then(from_proto);
            (escalated.level(), next.map(|next| (next - limit).num_minutes()))
        })
        .collect()
}

async fn level(desk: &Desk, case: &str) -> EscalationLevel {
    desk.get(case).await.unwrap().clocks.last().unwrap().escalation()
}

/// Each level with the minutes after which the next one comes.
fn whole_ladder() -> Vec<(EscalationLevel, Option<i64>)> {
    let next = LADDER.iter().skip(1).map(|(_, minutes)| Some(*minutes)).chain([None]);
    LADDER.iter().map(|(level, _)| *level).zip(next).collect()
}

#[tokio::test]
async fn o10_a_missed_limit_climbs_each_level_at_its_time_and_once() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    office.until(due() - TimeDelta::microseconds(1)).await;
    assert_eq!(level(&zhang, &name).await, EscalationLevel::Unspecified);
    for (reached, minutes) in LADDER {
        let moment = due() + TimeDelta::minutes(minutes);
        office.until(moment).await;
        assert_eq!(level(&zhang, &name).await, reached, "{minutes} minutes after the limit");
        office.engine.sweep_once().await.unwrap();
    }
    office.until(due() + TimeDelta::days(30)).await;
    assert_eq!(climbed(&office, &name).await, whole_ladder());
    assert_eq!(ground.count("limit_missed").await, 1);
    assert_eq!(ground.number("select count(*) from deadline").await, 0, "nothing is above the top");
}

#[tokio::test]
async fn o10_the_time_between_two_levels_belongs_to_the_lower_one() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    for (step, (reached, _)) in LADDER.iter().enumerate().take(3) {
        let next = due() + TimeDelta::minutes(LADDER[step + 1].1);
        office.until(next - TimeDelta::microseconds(1)).await;
        assert_eq!(level(&zhang, &name).await, *reached);
    }
}

#[tokio::test]
async fn o10_two_services_take_each_step_once() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let names = [one.desk("zhang").open("call-1", "C-1").await, one.desk("li").open("call-2", "C-2").await];
    for (_, minutes) in LADDER {
        one.unswept(due() + TimeDelta::minutes(minutes)).await;
        let (first, second) = tokio::join!(one.engine.sweep_once(), other.engine.sweep_once());
        assert!(first.unwrap() + second.unwrap() >= 2);
    }
    for name in &names {
        assert_eq!(climbed(&one, name).await, whole_ladder());
    }
    assert_eq!(ground.count("limit_missed").await, 2);
}

#[tokio::test]
async fn o10_after_an_outage_the_steps_follow_in_order_with_their_true_times() {
    let (ground, office) = Ground::at(tuesday()).await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    ground.outage(due() + TimeDelta::days(3)).await;
    for (step, (reached, minutes)) in LADDER.into_iter().enumerate() {
        let waiting = "select extract(epoch from due)::bigint from deadline";
        assert_eq!(ground.number(waiting).await, (due() + TimeDelta::minutes(minutes)).timestamp());
        office.engine.sweep_once().await.unwrap();
        assert_eq!(climbed(&office, &name).await, whole_ladder()[..=step]);
        assert_eq!(level(&office.desk("zhang"), &name).await, reached);
    }
    office.engine.sweep_once().await.unwrap();
    assert_eq!(climbed(&office, &name).await.len(), 4);
    let causes = format!("select cause from ledger where aggregate = '{name}' and type = 'limit_escalated'");
    let causes = ground.texts(&format!("{causes} order by position")).await;
    assert_eq!(
        causes,
        ["deadline:answer", "deadline:escalation", "deadline:escalation", "deadline:escalation"]
    );
}

#[tokio::test]
async fn o10_what_is_done_before_the_sweep_finds_the_levels_that_were_due() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    ground.outage(due() + TimeDelta::hours(9)).await;
    let resolved = zhang.resolve(&name).await.unwrap();
    assert_eq!(resolved.clocks[0].escalation(), EscalationLevel::Hq);
    assert_eq!(climbed(&office, &name).await, whole_ladder()[..3]);
    office.engine.sweep_once().await.unwrap();
    office.until(due() + TimeDelta::days(3)).await;
    assert_eq!(climbed(&office, &name).await.len(), 3, "the answer was given");
}

#[tokio::test]
async fn o10_it_stops_with_the_answer_or_the_case_and_begins_anew_with_a_new_clock() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let answered = zhang.open("call-1", "C-1").await;
    let closed = zhang.open("call-2", "C-2").await;
    let merged = zhang.claim("call-3").await.unwrap().case.unwrap().name;
    let survivor = office.desk("li").open("call-4", "C-4").await;
    let void = zhang.claim("call-5").await.unwrap().case.unwrap().name;
    office.until(due() + TimeDelta::minutes(30)).await;
    zhang.resolve(&answered).await.unwrap();
    office.desk("zhao").close(&closed).await.unwrap();
    zhang.identify("call-3", "C-4").await.unwrap();
    office.calls().ended(
        office.here().await,
        "call-5",
        "zhang",
        shouwen_proto::events::v1::CallOutcome::WrongNumber,
    );
    office.followed().await;
    office.until(due() + TimeDelta::days(3)).await;
    for name in [&answered, &closed, &merged, &void] {
        assert_eq!(climbed(&office, name).await, whole_ladder()[..1], "{name}");
    }
    assert_eq!(climbed(&office, &survivor).await, whole_ladder());

    // Dissatisfied: the new clock starts below.
    office.callbacks().completed(office.here().await, "cb", &answered, false, Satisfaction::Neutral);
    office.followed().await;
    let again = zhang.get(&answered).await.unwrap();
    let [original, running] = &again.clocks[..] else { panic!("{:?}", again.clocks) };
    assert_eq!(
        (original.escalation(), running.escalation()),
        (EscalationLevel::Responsible, EscalationLevel::Unspecified)
    );
    let limit = at(running.due_time);
    office.until(limit + TimeDelta::hours(1)).await;
    assert_eq!(level(&zhang, &answered).await, EscalationLevel::Lead);
    let original = zhang.get(&answered).await.unwrap().clocks[0];
    assert_eq!(original.escalation(), EscalationLevel::Responsible);
}

#[tokio::test]
async fn o10_the_branchs_policy_at_the_limit_says_when_each_level_is_told() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let here = office.desk("zhang").open("call-1", "C-1").await;
    let elsewhere = office.desk("sun").open("call-2", "C-2").await;
    let quick = json!({"lead_minutes": 5, "hq_minutes": 10, "company_leader_minutes": 15});
    approve(&office, &propose(&office, "escalation", "branches/b1", quick, tuesday()).await).await;
    // What holds from after the limit changes nothing for a limit that has passed.
    let slow = json!({"lead_minutes": 600, "hq_minutes": 700, "company_leader_minutes": 800});
    let later = due() + TimeDelta::minutes(1);
    approve(&office, &propose(&office, "escalation", "branches/b1", slow, later).await).await;
    office.until(due() + TimeDelta::minutes(10)).await;
    assert_eq!(level(&office.desk("zhang"), &here).await, EscalationLevel::Hq);
    assert_eq!(level(&office.desk("sun"), &elsewhere).await, EscalationLevel::Responsible);
    office.until(due() + TimeDelta::minutes(15)).await;
    let next = climbed(&office, &here).await.into_iter().map(|(_, next)| next).collect::<Vec<_>>();
    assert_eq!(next, [Some(5), Some(10), Some(15), None]);
    office.until(due() + TimeDelta::minutes(60)).await;
    assert_eq!(level(&office.desk("sun"), &elsewhere).await, EscalationLevel::Lead);
}
