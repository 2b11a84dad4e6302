//! Missed limits climb (O10): in order, each step once, over replicas and outages; calendars move what still runs (S3).

use shouwen_complaints::domain::{
    command::Action,
    complaint::Stage,
    settle::settled,
    terms::{Kind, LimitKind, ReplyKind, Severity},
};
use shouwen_engine::Domain as _;
use shouwen_policy::{Document, Level, document_to_struct};
use shouwen_proto::{
    events::v1::{
        ComplaintEscalated, ComplaintLimit, PolicyApproved, Severity as SeverityMessage, complaints_event,
        complaints_event::Event, ownership_event,
    },
    r#type::v1::EscalationLevel,
};
use shouwen_serving::timestamps;

use crate::{
    bench::{Bench, OFFICER, ZHANG, accept, at, reply},
    calls::{limit, proto},
    people::{handler, officer},
    service::Bed,
};

fn approved(kind: &str, scope: &str, document: &serde_json::Value, from: &str) -> ownership_event::Event {
    let document: Document = document.as_object().unwrap().clone().into_iter().collect();
    ownership_event::Event::PolicyApproved(PolicyApproved {
        policy: format!("policies/{kind}"),
        kind: kind.into(),
        scope: scope.into(),
        revision: 1,
        document: Some(document_to_struct(&document).unwrap()),
        effective_time: Some(timestamps::to_proto(at(from))),
        proposer: "employees/hq1".into(),
        approver: "employees/hq2".into(),
    })
}

/// Limit and level, and when the level was to be told, of the escalations among events.
fn escalations(events: &[Event]) -> Vec<(ComplaintLimit, EscalationLevel, Option<prost_types::Timestamp>)> {
    let told = |told: &ComplaintEscalated| (told.limit(), told.level(), told.step_due);
    events
        .iter()
        .filter_map(|event| match event {
            Event::ComplaintEscalated(escalated) => Some(told(escalated)),
            _ => None,
        })
        .collect()
}

#[test]
fn o10_a_missed_limit_climbs_level_by_level_each_once() {
    let mut bench = Bench::filed(Kind::Complaint, at("2025-09-22T10:00"), &[]);
    let mut seen = Vec::new();
    for now in [
        "2025-09-22T16:59:59",
        "2025-09-22T17:00",
        "2025-09-22T17:59:59",
        "2025-09-22T18:00",
        "2025-09-22T18:00",
        "2025-09-23T01:00",
        "2025-09-23T17:00",
        "2025-09-24T17:00",
    ] {
        seen.push(bench.sweep(at(now)).len());
    }
    assert_eq!(seen, [0, 2, 0, 1, 0, 1, 1, 0], "the miss tells handler and accountable person at once");
    assert_eq!(bench.limit(LimitKind::Acceptance).reached, Some(Level::CompanyLeader));
    assert!(bench.steps().is_empty());
}

#[test]
fn o10_escalation_stops_when_the_limit_is_met_or_given_up() {
    let mut met = Bench::accepted(Kind::Complaint, Severity::Minor, "2025-09-22T10:00");
    met.sweep(at("2025-09-22T12:00"));
    assert_eq!(met.limit(LimitKind::DefiniteAnswer).reached, Some(Level::Responsible));
    assert!(met.steps().contains(&"escalate_definite_answer"));
    met.act(at("2025-09-22T12:59"), ZHANG, reply(ReplyKind::Definite)).unwrap();
    assert!(met.sweep(at("2025-09-23T16:00")).is_empty());
    let limit = met.limit(LimitKind::DefiniteAnswer);
    assert!(limit.missed && limit.met.is_some(), "late is late");
    let mut given_up = Bench::filed(Kind::Complaint, at("2025-09-22T16:00"), &[]);
    given_up.sweep(at("2025-09-22T17:30"));
    given_up.act(at("2025-09-22T17:40"), OFFICER, Action::Decline { explanation: None }).unwrap();
    assert!(given_up.sweep(at("2025-09-30T12:00")).is_empty());
}

#[test]
fn o10_what_was_due_during_an_outage_happens_in_order_with_its_true_time() {
    let bench = Bench::accepted(Kind::Complaint, Severity::Minor, "2025-09-22T10:00");
    let (events, after) = settled(&bench.complaint, at("2025-09-23T18:00"), &bench.book);
    let expected = [
        (ComplaintLimit::DefiniteAnswer, EscalationLevel::Responsible, proto("2025-09-22T12:00")),
        (ComplaintLimit::DefiniteAnswer, EscalationLevel::Lead, proto("2025-09-22T13:00")),
        (ComplaintLimit::DefiniteAnswer, EscalationLevel::Hq, proto("2025-09-22T20:00")),
        (ComplaintLimit::DefiniteAnswer, EscalationLevel::CompanyLeader, proto("2025-09-23T12:00")),
        (ComplaintLimit::FirstReply, EscalationLevel::Responsible, proto("2025-09-23T17:00")),
        (ComplaintLimit::FirstReply, EscalationLevel::Lead, proto("2025-09-23T18:00")),
    ];
    assert_eq!(escalations(&events), expected);
    assert_eq!(settled(&after, at("2025-09-23T18:00"), &bench.book).0, [], "nothing twice");
}

#[test]
fn o10_the_outcome_does_not_depend_on_whether_the_sweeper_came_first() {
    let mut met = Bench::filed(Kind::Complaint, at("2025-09-22T10:00"), &[]);
    let mut swept = met.clone();
    let now = at("2025-09-23T02:00");
    swept.sweep(now);
    swept.act(now, OFFICER, accept(Severity::Minor)).unwrap();
    met.act(now, OFFICER, accept(Severity::Minor)).unwrap();
    assert_eq!(met.complaint, swept.complaint);
    assert_eq!(met.history, swept.history);
    assert_eq!(met.complaint.stage, Stage::Handling);
}

#[tokio::test]
async fn o10_two_replicas_sweeping_take_each_step_once() {
    let bed = Bed::at("2025-09-22T10:00").await;
    let another = bed.another().await;
    for number in 0..6 {
        bed.filed(&number.to_string()).await;
    }
    bed.outage_until("2025-09-23T18:00").await;
    let (here, there) = (&bed.first.service.engine, &another.service.engine);
    while here.status().await.unwrap().deadlines > 0 {
        let (one, two) = tokio::join!(here.sweep_once(), there.sweep_once());
        one.unwrap();
        two.unwrap();
    }
    assert_eq!(bed.count("complaint_limit_missed").await, 6);
    assert_eq!(bed.count("complaint_escalated").await, 24);
}

#[tokio::test]
async fn o10_after_an_outage_the_steps_are_on_the_ledger_in_order_with_their_true_times() {
    let mut bed = Bed::at("2025-09-22T10:00").await;
    let name = bed.filed("1").await;
    bed.outage_until("2025-09-23T02:00").await;
    // Whoever comes first, the sweeper or the officer: what was due comes before the acceptance.
    bed.accept("cases/1", &name).await.unwrap();
    let mut events = Vec::new();
    for _ in 0..6 {
        events.push(bed.next().await.1);
    }
    assert!(matches!(events.last(), Some(Event::ComplaintAccepted(_))), "{events:?}");
    let expected = [
        (ComplaintLimit::Acceptance, EscalationLevel::Responsible, proto("2025-09-22T17:00")),
        (ComplaintLimit::Acceptance, EscalationLevel::Lead, proto("2025-09-22T18:00")),
        (ComplaintLimit::Acceptance, EscalationLevel::Hq, proto("2025-09-23T01:00")),
    ];
    assert_eq!(escalations(&events), expected);
    let shown = bed.get(&officer("cases/1"), &name).await.unwrap();
    let limit = limit(&shown, ComplaintLimit::Acceptance);
    assert_eq!((limit.missed, limit.escalation()), (true, EscalationLevel::Hq));
    assert_eq!(limit.met_time, proto("2025-09-23T02:00"));
    bed.advance("2025-09-23T18:00").await;
    let late = bed.ledger().await.iter().filter(|name| *name == "complaint_escalated").count();
    assert_eq!(late, 3 + 3, "of the definite answer, no more of the acceptance");
}

#[tokio::test]
async fn o10_the_units_policy_decides_when_each_level_is_told() {
    let mut bed = Bed::at("2025-09-22T09:00").await;
    let ladder = serde_json::json!({"lead_minutes": 5, "hq_minutes": 10, "company_leader_minutes": 20});
    let policy = approved("escalation", "branches/b1", &ladder, "2025-09-22T10:00");
    bed.ownership_event("policies/escalation", policy).await;
    assert_eq!(bed.next().await.0.r#type, "policy_adopted");
    bed.filed("1").await;
    bed.advance("2025-09-22T17:20").await;
    let (row, event) = bed.next_of("complaint_limit_missed").await;
    let complaints_event::Event::ComplaintLimitMissed(missed) = event else { panic!("{event:?}") };
    assert_eq!(missed.escalation_policy_version, "escalation@branches/b1:1");
    assert_eq!((row.cause.as_str(), row.case_name.as_str()), ("deadline:acceptance", "cases/1"));
    assert_eq!(bed.count("complaint_escalated").await, 4);
}

/// Names, attributes and values of what the service shows in numbers.
async fn figures(bed: &Bed) -> Vec<(&'static str, String, i64)> {
    let engine = &bed.first.service.engine;
    let mut connection = bed.pool.acquire().await.unwrap();
    let readings = engine.domain().readings(&mut connection).await.unwrap();
    let figure = |it: &shouwen_engine::Reading| (it.gauge.name, it.attributes[0].1.clone(), it.value);
    readings.iter().map(figure).collect()
}

#[tokio::test]
async fn c6_what_is_open_and_overdue_is_shown_in_numbers() {
    let bed = Bed::at("2025-09-22T10:00").await;
    assert_eq!(figures(&bed).await, []);
    bed.filed("1").await;
    let name = bed.accepted("2").await;
    let open = |stage: &str, count| ("shouwen.complaints.open", stage.to_owned(), count);
    assert_eq!(figures(&bed).await, [open("filed", 1), open("handling", 1)]);
    bed.advance("2025-09-22T12:00").await;
    let overdue = |kind: &str, count| ("shouwen.complaints.overdue", kind.to_owned(), count);
    assert_eq!(figures(&bed).await, [open("filed", 1), open("handling", 1), overdue("definite_answer", 1)]);
    bed.reply(&handler("zhang", "cases/2"), &name, shouwen_proto::events::v1::ReplyKind::Definite)
        .await
        .unwrap();
    bed.advance("2025-09-22T17:00").await;
    assert_eq!(figures(&bed).await, [open("filed", 1), open("handling", 1), overdue("acceptance", 1)]);
    bed.handle("cases/2", &name).await;
    assert_eq!(figures(&bed).await, [open("filed", 1), open("handled", 1), overdue("acceptance", 1)]);
}

#[tokio::test]
async fn s3_running_limits_are_recomputed_when_the_calendar_changes() {
    let mut bed = Bed::at("2026-12-30T10:00").await;
    let name = bed.filed("1").await;
    let accepted = bed.accept_as(&officer("cases/1"), &name, SeverityMessage::Minor).await.unwrap();
    let settlement = limit(&accepted, ComplaintLimit::Settlement);
    assert_eq!((settlement.due_time, settlement.provisional), (proto("2027-01-06T17:00"), true));
    bed.reply(&handler("zhang", "cases/1"), &name, shouwen_proto::events::v1::ReplyKind::Definite)
        .await
        .unwrap();
    let data = "version = \"cn-2027.1\"\n[[year]]\nyear = 2027\nholidays = [\"2027-01-01\"]\nmake_up = []\nexchange_also_closed = []\n";
    let policy = approved("calendar", "firm", &serde_json::json!({"toml": data}), "2026-12-30T11:00");
    bed.ownership_event("policies/calendar", policy).await;
    bed.next_of("policy_adopted").await;
    bed.advance("2026-12-30T12:00").await;
    let (_, event) = bed.next_of("complaint_limit_moved").await;
    let complaints_event::Event::ComplaintLimitMoved(moved) = event else { panic!("{event:?}") };
    assert_eq!(moved.calendar_version, "cn-2026.1+cn-2027.1");
    let shown = bed.get(&officer("cases/1"), &name).await.unwrap();
    for (kind, due) in [
        (ComplaintLimit::Proposal, "2027-01-04T17:00"),
        (ComplaintLimit::Outcome, "2027-01-05T17:00"),
        (ComplaintLimit::Settlement, "2027-01-07T17:00"),
    ] {
        let limit = limit(&shown, kind);
        assert_eq!((limit.due_time, limit.provisional), (proto(due), false), "{kind:?}");
    }
    // Once.
    bed.first.service.engine.sweep_once().await.unwrap();
    assert_eq!(bed.count("complaint_limit_moved").await, 1);
}

#[tokio::test]
async fn p1_a_complaint_keeps_the_policy_under_which_it_was_accepted() {
    let mut bed = Bed::at("2025-09-22T09:00").await;
    let before = bed.accepted("1").await;
    let policy =
        approved("complaints", "firm", &serde_json::json!({"proposal_working_days": 1}), "2025-09-22T10:00");
    bed.ownership_event("policies/complaints", policy).await;
    bed.next_of("policy_adopted").await;
    bed.advance("2025-09-22T10:00").await;
    let after = bed.accepted("2").await;
    let due = async |case: &str, name: &str| {
        limit(&bed.get(&officer(case), name).await.unwrap(), ComplaintLimit::Proposal).due_time
    };
    assert_eq!(due("cases/1", &before).await, proto("2025-09-24T17:00"));
    assert_eq!(due("cases/2", &after).await, proto("2025-09-22T17:00"));
    // Reopened, it is still under its own policy.
    bed.handle("cases/1", &before).await;
    let reopened = bed.reopen(&crate::people::lead("cases/1"), &before, "the client wrote").await.unwrap();
    assert_eq!(limit(&reopened, ComplaintLimit::Proposal).due_time, proto("2025-09-24T17:00"));
}
