//! What calls does about ownership's events: policies, epochs, voided touches.

use chrono::TimeDelta;
use shouwen_policy::PolicyVersion;
use shouwen_proto::{
    calls::v1::call::State,
    events::v1::{
        OverrideBegun, PolicyAdopted, PolicyApproved, RoutingAfterHours, RoutingEnded, RoutingReason,
        TouchVoided, ownership_event::Event,
    },
    operator::v1::{GetStatusRequest, operator_service_client::OperatorServiceClient},
};

use crate::{
    feed::await_event,
    harness::{CASE, Running, by, employee, handler, reason, request_id, system},
    reads,
    steps::Step,
};

/// An approval of a policy for the whole firm.
fn approval(id: &str, kind: &str, revision: i64, document: &serde_json::Value) -> Event {
    let version: PolicyVersion = serde_json::from_value(serde_json::json!({
        "policy": format!("policies/{id}"), "kind": kind, "scope": "firm", "revision": revision, "document": document,
        "effective_from": "2025-01-01T00:00:00Z",
    }))
    .unwrap();
    let adopted = PolicyAdopted::try_from(&version).unwrap();
    Event::PolicyApproved(PolicyApproved {
        policy: adopted.policy,
        kind: adopted.kind,
        scope: adopted.scope,
        revision: adopted.revision,
        document: adopted.document,
        effective_time: adopted.effective_time,
        proposer: "employees/hq-1".into(),
        approver: "employees/hq-2".into(),
    })
}

/// Lets ownership say something harmless and waits until it has arrived: whatever was said before has arrived too.
async fn settle(running: &Running) {
    let event = approval("settled", "callbacks", 1, &serde_json::json!({ "attempts": 4 }));
    running.ownership.says("policies/settled", "", "10:00:00", event);
    await_event(running, system(), "policy_adopted").await;
}

#[tokio::test]
async fn p1_an_approved_policy_holds_here_too() {
    let running = Running::start().await;
    let event = approval("p1", "calls", 1, &serde_json::json!({ "rings": 1 }));
    running.ownership.says("policies/p1", "", "10:00:00", event);
    let adopted = await_event(&running, system(), "policy_adopted").await;
    assert_eq!((adopted.aggregate.as_str(), adopted.cause.as_str()), ("policies/p1", "ownership:1"));
    let name = running.ring("c1").await.name;
    running.advance(TimeDelta::seconds(6)).await;
    let call = Step::Answer.take(&running, &name, Step::Answer.actor(), &request_id()).await.unwrap();
    assert!(call.into_inner().late, "one ring is allowed now");
}

#[tokio::test]
async fn p1_a_policy_that_cannot_be_read_is_parked_and_others_go_on() {
    let running = Running::start().await;
    let Event::PolicyApproved(mut unknown) = approval("p1", "calls", 1, &serde_json::json!({ "rings": 1 }))
    else {
        panic!()
    };
    unknown.kind = "questionnaire".into();
    running.ownership.says("policies/p1", "", "10:00:00", Event::PolicyApproved(unknown));
    settle(&running).await;
    let mut operator = OperatorServiceClient::new(running.service.routes());
    let request = GetStatusRequest { service: "calls".into(), idle_after: Vec::new() };
    let status = operator.get_status(by(system(), request)).await.unwrap().into_inner();
    assert_eq!((status.parked, status.followers.len()), (1, 1));
    assert!(status.simulated && !status.calendar_version.is_empty());
}

#[tokio::test]
async fn o7_an_epoch_of_ownership_fences_the_former_handler() {
    let running = Running::start().await;
    let name = Step::End.prepare(&running, "c1").await;
    let begun = OverrideBegun { employee: "employees/lead".into(), epoch: 2, ..OverrideBegun::default() };
    running.ownership.says(CASE, CASE, "10:00:00", Event::OverrideBegun(begun));
    settle(&running).await;
    let refused = Step::End.take(&running, &name, handler("zhang", CASE), &request_id()).await;
    assert_eq!(reason(refused), "STALE_EPOCH");
    Step::End.take(&running, &name, Step::actor_at(2), &request_id()).await.unwrap();
}

#[tokio::test]
async fn o1_a_voided_touch_lets_the_contact_ring_again_however_late_it_answered() {
    let running = Running::start().await;
    let (answered, other) = (running.ring("c1").await.name, running.ring("c2").await.name);
    let ringing = running.ring("c3").await.name;
    // Answered after ownership voided the touch, before word of it came.
    let touch = request_id();
    Step::Answer.take(&running, &answered, Step::Answer.actor(), &touch).await.unwrap();
    Step::Answer.take(&running, &other, Step::Answer.actor(), &request_id()).await.unwrap();
    for contact in ["contacts/c1", "contacts/c2", "contacts/c3", "contacts/nobody"] {
        let voided = TouchVoided { reason: "CALL_NOT_FOUND".into(), request_id: touch.clone() };
        running.ownership.says(contact, CASE, "09:00:00", Event::TouchVoided(voided));
    }
    settle(&running).await;
    for name in [&answered, &ringing] {
        let call = reads::get(&running, employee("li"), name).await.unwrap().into_inner();
        assert_eq!((call.state(), call.case.as_str()), (State::Ringing, ""));
    }
    let stands = reads::get(&running, employee("li"), &other).await.unwrap().into_inner();
    assert_eq!((stands.state(), stands.case.as_str()), (State::Answered, CASE), "of another touch");
    let call =
        Step::Answer.take(&running, &answered, handler("li", "cases/k2"), &request_id()).await.unwrap();
    assert_eq!(call.into_inner().employee, "employees/li");
}

#[tokio::test]
async fn k14_a_client_who_was_gone_when_an_answer_was_taken_back_is_owed_a_callback() {
    let running = Running::start().await;
    let name = running.ring("c1").await.name;
    let touch = request_id();
    Step::Answer.take(&running, &name, Step::Answer.actor(), &touch).await.unwrap();
    // Telephony is told that somebody has answered; the client hung up meanwhile.
    let early = Step::Miss.take(&running, &name, Step::Miss.actor(), &request_id()).await;
    assert_eq!(reason(early), "ILLEGAL_TRANSITION");
    let voided = TouchVoided { reason: "BRANCH_OUT_OF_REACH".into(), request_id: touch };
    running.ownership.says("contacts/c1", CASE, "10:00:00", Event::TouchVoided(voided));
    let gone = RoutingEnded { reason: RoutingReason::ClientGone.into() };
    running.ownership.says("routings/c1", "", "10:00:00", Event::RoutingEnded(gone));
    let missed = await_event(&running, system(), "call_missed").await;
    assert_eq!((missed.aggregate.as_str(), missed.cause.as_str()), ("calls/c1", "ownership:2"));
    let call = reads::get(&running, employee("li"), &name).await.unwrap().into_inner();
    assert_eq!((call.state(), call.case.as_str(), call.employee.as_str()), (State::Missed, "", ""));
}

#[tokio::test]
async fn k14_a_call_that_routing_gives_up_is_missed_and_what_was_answered_stays() {
    let running = Running::start().await;
    let answered = Step::Record.prepare(&running, "c1").await;
    let (gone, night, resumed) =
        (running.ring("c2").await.name, running.ring("c3").await.name, running.ring("c4").await.name);
    let ended = || Event::RoutingEnded(RoutingEnded { reason: RoutingReason::ClientGone.into() });
    for contact in ["c1", "c2", "nobody"] {
        running.ownership.says(&format!("routings/{contact}"), "", "10:00:00", ended());
    }
    for (contact, resumes) in [("c3", false), ("c4", true)] {
        let after = RoutingAfterHours { resumes, ..RoutingAfterHours::default() };
        running.ownership.says(
            &format!("routings/{contact}"),
            "",
            "10:00:00",
            Event::RoutingAfterHours(after),
        );
    }
    settle(&running).await;
    let expected = [
        (answered, State::Answered),
        (gone, State::Missed),
        (night, State::Missed),
        (resumed, State::Ringing),
    ];
    for (name, state) in expected {
        let call = reads::get(&running, employee("li"), &name).await.unwrap().into_inner();
        assert_eq!(call.state(), state, "{name}");
    }
}
