//! A missed limit goes up level by level, each once, until somebody makes an attempt (O10).

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_callbacks::domain::{Command, Met, codec, command::Tried};
use shouwen_engine::Domain as _;
use shouwen_policy::{Document, Level, document_to_struct};
use shouwen_proto::{
    callbacks::v1::{PostponeCallbackRequest, RecordAttemptRequest},
    events::v1::{AttemptOutcome, CallbackEscalated, PolicyApproved, callbacks_event, ownership_event},
    r#type::v1::EscalationLevel,
};
use shouwen_serving::timestamps;

use crate::{
    bench::{Bench, LI, ZHANG},
    service::{BRANCH, Bed, at, colleague, handler, request_id, request_of},
    verification::{closed, handled},
};

/// Levels and when each was to be told.
fn told(events: &[callbacks_event::Event]) -> Vec<(Level, DateTime<Utc>)> {
    let escalated = events.iter().filter_map(|event| match event {
        callbacks_event::Event::CallbackEscalated(escalated) => Some(level_and_time(escalated)),
        _ => None,
    });
    escalated.collect()
}

fn level_and_time(escalated: &CallbackEscalated) -> (Level, DateTime<Utc>) {
    (codec::level(escalated.level()).unwrap(), codec::time(escalated.step_due.as_ref()).unwrap())
}

/// The whole ladder of a limit with the standard delays.
fn ladder(limit: &str) -> Vec<(Level, DateTime<Utc>)> {
    [(Level::Responsible, 0), (Level::Lead, 60), (Level::Hq, 480), (Level::CompanyLeader, 1440)]
        .map(|(level, minutes)| (level, at(limit) + TimeDelta::minutes(minutes)))
        .to_vec()
}

#[test]
fn o10_a_missed_limit_goes_up_level_by_level() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    let due = Command::Due { callback: bench.id() };
    let events = bench.tell(at("2026-05-07T10:15"), &due).unwrap();
    let [callbacks_event::Event::CallbackLimitMissed(missed), callbacks_event::Event::CallbackEscalated(_)] =
        &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((missed.steps.len(), missed.escalation_policy_version.as_str()), (4, "escalation@default"));
    assert_eq!(told(&events), ladder("2026-05-07T10:15")[..1]);
    assert_eq!(bench.steps(), ["escalation_lead", "escalation_hq", "escalation_company_leader"]);
    assert!(bench.tell(at("2026-05-07T11:14"), &due).unwrap().is_empty());
    assert_eq!(told(&bench.tell(at("2026-05-07T11:15"), &due).unwrap()), ladder("2026-05-07T10:15")[1..2]);
    assert_eq!(bench.callback.escalation.reached, Some(Level::Lead));
    assert_eq!(told(&bench.tell(at("2026-05-09T00:00"), &due).unwrap()), ladder("2026-05-07T10:15")[2..]);
    assert!(bench.steps().is_empty() && bench.callback.is_open());
}

#[test]
fn o10_the_first_attempt_stops_the_ladder_and_at_the_very_instant_the_step_comes_first() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    bench.lease(at("2026-05-07T11:10"), ZHANG).unwrap();
    let events = bench.attempt(at("2026-05-07T11:15"), ZHANG, Tried::Unreached(Met::Busy)).unwrap();
    assert_eq!(told(&events), ladder("2026-05-07T10:15")[1..2]);
    assert!(bench.steps().is_empty());
    let due = Command::Due { callback: bench.id() };
    assert!(bench.tell(at("2026-05-12T09:00"), &due).unwrap().is_empty());
    assert_eq!(bench.callback.escalation.reached, Some(Level::Lead), "how high it went stays visible");
}

#[test]
fn o10_the_end_stops_the_ladder() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    let cancel = Command::Cancel { callback: bench.id(), employee: LI.into(), reason: "abroad".into() };
    bench.tell(at("2026-05-07T10:30"), &cancel).unwrap();
    assert!(bench.callback.missed && bench.steps().is_empty());
    assert_eq!(bench.callback.escalation.reached, Some(Level::Responsible));
}

#[test]
fn o10_a_limit_that_is_kept_tells_nobody() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    bench.lease(at("2026-05-07T10:10"), ZHANG).unwrap();
    bench.complete(at("2026-05-07T10:14"), ZHANG).unwrap();
    let due = Command::Due { callback: bench.id() };
    assert!(bench.tell(at("2026-05-12T09:00"), &due).unwrap().is_empty());
    assert!(!bench.callback.missed && bench.callback.escalation.reached.is_none());
}

#[tokio::test]
async fn o10_of_two_engines_each_step_is_taken_once_and_in_order() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    for number in 0..8 {
        bed.promise(&format!("cases/{number}"), &format!("c{number}"), "2026-05-06T15:00").await;
    }
    let another = bed.another().await;
    let (here, there) = (bed.first.service.engine.clone(), another.service.engine.clone());
    let mut now = at("2026-05-06T15:00");
    for (_, time) in ladder("2026-05-06T15:15") {
        here.step_clock(now, time, true).await.unwrap();
        now = time;
        let (one, two) = tokio::join!(here.sweep_once(), there.sweep_once());
        one.unwrap();
        two.unwrap();
    }
    let mut of = vec![Vec::new(); 8];
    for _ in 0..8 * 5 {
        let (row, event) = bed.next().await;
        let number: usize = row.aggregate.strip_prefix("callbacks/c").unwrap().parse().unwrap();
        if let callbacks_event::Event::CallbackEscalated(escalated) = &event {
            assert_eq!(escalated.due, Some(timestamps::to_proto(at("2026-05-06T15:15"))));
            assert_eq!(row.time, level_and_time(escalated).1, "told in time");
        }
        of[number].push(event);
    }
    assert!(of.iter().all(|events| told(events) == ladder("2026-05-06T15:15")));
    assert_eq!(here.status().await.unwrap().deadlines, 0);
    assert_eq!(bed.ledger().await.len(), 8 * 6);
    let shown = bed.get(&handler("zhang", "cases/3", 1), "cases/3/callbacks/c3").await.unwrap();
    assert_eq!((shown.missed, shown.escalation()), (true, EscalationLevel::CompanyLeader));
}

#[tokio::test]
async fn o10_after_an_outage_the_missed_steps_happen_in_order_with_their_true_times() {
    let mut bed = Bed::at("2026-05-10T15:00").await;
    bed.complaint_event_at("complaints/k1", "2026-05-06T15:00", handled(1));
    assert_eq!(bed.next().await.0.r#type, "callback_scheduled");
    let another = bed.another().await;
    let (here, there) = (&bed.first.service.engine, &another.service.engine);
    while here.status().await.unwrap().deadlines > 0 {
        let (one, two) = tokio::join!(here.sweep_once(), there.sweep_once());
        one.unwrap();
        two.unwrap();
    }
    let mut events = Vec::new();
    for _ in 0..5 {
        let (row, event) = bed.next().await;
        assert_eq!(row.time, at("2026-05-10T15:00"));
        events.push(event);
    }
    assert!(matches!(&events[0], callbacks_event::Event::CallbackLimitMissed(_)));
    assert_eq!(told(&events), ladder("2026-05-07T15:00"));
    assert_eq!(bed.ledger().await.len(), 6);
}

/// Checks names, kinds and values of what the service shows in numbers.
async fn reads(bed: &Bed, expected: &[(&str, &str, i64)]) {
    let engine = &bed.first.service.engine;
    let mut connection = engine.pool().acquire().await.unwrap();
    let readings = engine.domain().readings(&mut connection).await.unwrap();
    let shown: Vec<_> =
        readings.iter().map(|it| (it.gauge.name, it.attributes[0].1.as_str(), it.value)).collect();
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn b1_what_is_open_and_overdue_is_shown_in_numbers() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    let promise = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    bed.complaint_event("complaints/k1", handled(1)).await;
    assert_eq!(bed.next().await.0.r#type, "callback_scheduled");
    let shown = |promised: [i64; 2], verifications: [i64; 2]| {
        let kind = |kind: &'static str, [open, overdue]: [i64; 2]| {
            [("shouwen.callbacks.open", kind, open), ("shouwen.callbacks.overdue", kind, overdue)]
        };
        [kind("promised", promised), kind("verification", verifications)].concat()
    };
    reads(&bed, &shown([1, 0], [1, 0])).await;
    bed.advance("2026-05-06T15:15").await;
    reads(&bed, &shown([1, 1], [1, 0])).await;
    let zhang = handler("zhang", "cases/1", 1);
    bed.lease(&zhang, &promise).await.unwrap();
    let attempt = RecordAttemptRequest {
        name: promise.clone(),
        outcome: AttemptOutcome::NoAnswer.into(),
        request_id: request_id(),
        ..RecordAttemptRequest::default()
    };
    bed.client().record_attempt(request_of(&zhang, attempt)).await.unwrap();
    reads(&bed, &shown([1, 0], [1, 0])).await;
    // B6: a time that was set anew is missed like the first.
    let postpone = PostponeCallbackRequest {
        name: promise,
        not_before: Some(timestamps::to_proto(at("2026-05-06T17:00"))),
        reason: "in a meeting until then".into(),
        request_id: request_id(),
    };
    bed.client().postpone_callback(request_of(&zhang, postpone)).await.unwrap();
    reads(&bed, &shown([1, 0], [1, 0])).await;
    bed.advance("2026-05-06T17:15").await;
    reads(&bed, &shown([1, 1], [1, 0])).await;
    bed.complaint_event("complaints/k1", closed()).await;
    assert_eq!(bed.next_types(8).await[7], "callback_cancelled");
    reads(&bed, &shown([1, 1], [0, 0])[..2]).await;
}

#[tokio::test]
async fn o10_who_comes_before_the_sweeper_finds_what_it_would_have_done() {
    let mut bed = Bed::at("2026-05-08T10:00").await;
    bed.complaint_event_at("complaints/k1", "2026-05-06T15:00", handled(1));
    assert_eq!(bed.next().await.0.r#type, "callback_scheduled");
    let li = colleague("li");
    let leased = bed.lease(&li, "branches/b1/callbacks/k1-1").await.unwrap().callback.unwrap();
    assert_eq!((leased.missed, leased.escalation()), (true, EscalationLevel::Hq));
    let mut types = bed.next_types(5).await;
    assert_eq!(types.remove(0), "callback_limit_missed");
    assert_eq!(types.pop().unwrap(), "callback_leased");
    assert!(types.iter().all(|name| name == "callback_escalated"));
    // An attempt before the company leader is told: nobody is.
    let attempt = RecordAttemptRequest {
        name: leased.name,
        outcome: AttemptOutcome::NoAnswer.into(),
        request_id: request_id(),
        ..RecordAttemptRequest::default()
    };
    bed.client().record_attempt(request_of(&li, attempt)).await.unwrap();
    bed.advance("2026-05-12T10:00").await;
    assert_eq!(bed.next().await.0.r#type, "attempt_recorded");
    assert_eq!(bed.ledger().await.len(), 7);
}

#[tokio::test]
async fn o10_the_branchs_policy_at_the_miss_sets_the_delays_for_good() {
    let mut bed = Bed::at("2026-05-06T10:00").await;
    for (revision, from, lead) in [(1, "2026-05-06T12:00", 10), (2, "2026-05-06T15:20", 5)] {
        let document =
            serde_json::json!({"lead_minutes": lead, "hq_minutes": 20, "company_leader_minutes": 30});
        let document: Document = document.as_object().unwrap().clone().into_iter().collect();
        let policy = ownership_event::Event::PolicyApproved(PolicyApproved {
            policy: format!("policies/p{revision}"),
            kind: "escalation".into(),
            scope: BRANCH.into(),
            revision,
            document: Some(document_to_struct(&document).unwrap()),
            effective_time: Some(timestamps::to_proto(at(from))),
            proposer: "employees/hq1".into(),
            approver: "employees/hq2".into(),
        });
        bed.ownership_event(&format!("policies/p{revision}"), policy).await;
        assert_eq!(bed.next().await.0.r#type, "policy_adopted");
    }
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    bed.advance("2026-05-06T15:24").await;
    let shown = bed.get(&handler("zhang", "cases/1", 1), &name).await.unwrap();
    assert_eq!(shown.escalation(), EscalationLevel::Responsible, "the newer policy holds for later misses");
    bed.advance("2026-05-06T15:25").await;
    let shown = bed.get(&handler("zhang", "cases/1", 1), &name).await.unwrap();
    assert_eq!(shown.escalation(), EscalationLevel::Lead);
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackLimitMissed(missed) = event else { panic!("{event:?}") };
    assert_eq!(row.branch, BRANCH);
    assert_eq!(missed.escalation_policy_version, "escalation@branches/b1:1");
}
