//! What all transitions have in common: success, repetition, reuse, stale epoch, another case, unknown contact, illegal state, replay.

use futures_util::future::join_all;
use shouwen_access::Caller;
use shouwen_proto::{
    access::v1::Capacity,
    calls::v1::{RegisterCallRequest, call::State},
};
use tonic::Code;

use crate::{
    harness::{CASE, Running, call_from, employee, handler, metadata, on_case, reason, request_id, stranger},
    steps::{Step, sheet},
};

/// Tells the service of a newer epoch of the case, by a call that rests on it.
async fn raise_epoch(running: &Running, epoch: i64) {
    let name = running.ring("raises-the-epoch").await.name;
    Step::Answer.take(running, &name, Step::actor_at(epoch), &request_id()).await.unwrap();
}

#[tokio::test]
async fn every_transition_succeeds_and_a_repetition_returns_the_same() {
    let running = Running::start().await;
    for step in Step::ALL {
        let name = step.prepare(&running, &format!("{step:?}")).await;
        let id = request_id();
        let first = step.take(&running, &name, step.actor(), &id).await.unwrap().into_inner();
        assert!(step.shows(&first), "{step:?}: {first:?}");
        let again = step.take(&running, &name, step.actor(), &id).await.unwrap().into_inner();
        assert_eq!(again, first, "{step:?}");
        let read = crate::reads::get(&running, employee("li"), &name).await.unwrap().into_inner();
        assert_eq!(read, first, "{step:?}");
    }
}

#[tokio::test]
async fn a_request_id_used_for_something_else_is_refused() {
    let running = Running::start().await;
    for step in Step::ALL {
        let name = step.prepare(&running, &format!("{step:?}")).await;
        let other = step.prepare(&running, &format!("{step:?}-other")).await;
        let id = request_id();
        step.take(&running, &name, step.actor(), &id).await.unwrap();
        let refused = step.take(&running, &other, step.actor(), &id).await;
        assert_eq!(reason(refused), "REQUEST_ID_REUSED", "{step:?}");
        for (id, expected) in [("", "REQUEST_ID_REQUIRED"), ("1", "FIELD_INVALID")] {
            let refused = step.take(&running, &other, step.actor(), id).await;
            assert_eq!(reason(refused), expected, "{step:?}");
        }
    }
}

#[tokio::test]
async fn a_registration_is_repeated_but_not_made_twice() {
    let running = Running::start().await;
    let request = call_from("c1");
    let who = || employee("zhang");
    let first = running.register(who(), request.clone()).await.unwrap().into_inner();
    assert_eq!((first.name.as_str(), first.state()), ("calls/c1", State::Ringing));
    let again = running.register(who(), request.clone()).await.unwrap().into_inner();
    assert_eq!(again, first);
    let reused = RegisterCallRequest { call_id: "c2".into(), ..request.clone() };
    assert_eq!(reason(running.register(who(), reused).await), "REQUEST_ID_REUSED");
    let twice = running.register(who(), RegisterCallRequest { request_id: request_id(), ..request }).await;
    assert_eq!(twice.as_ref().unwrap_err().code(), Code::AlreadyExists);
    assert_eq!(reason(twice), "CALL_EXISTS");
    let nameless = running.register(who(), call_from("")).await.unwrap().into_inner();
    assert!(nameless.name.strip_prefix("calls/").is_some_and(|id| id.len() == 36), "{}", nameless.name);
}

#[tokio::test]
async fn a_stale_epoch_is_refused() {
    let running = Running::start().await;
    let mut names = Vec::new();
    for step in Step::ON_CASE {
        names.push((step, step.prepare(&running, &format!("{step:?}")).await));
    }
    raise_epoch(&running, 2).await;
    for (step, name) in names {
        let refused = step.take(&running, &name, Step::actor_at(1), &request_id()).await;
        assert_eq!(refused.as_ref().unwrap_err().code(), Code::Aborted, "{step:?}");
        assert_eq!(reason(refused), "STALE_EPOCH", "{step:?}");
        step.take(&running, &name, Step::actor_at(2), &request_id()).await.unwrap();
    }
}

#[tokio::test]
async fn a_former_employee_gets_the_answer_of_an_earlier_call_and_nothing_new() {
    let running = Running::start().await;
    let mut taken = Vec::new();
    for step in Step::ON_CASE {
        let (name, id) = (step.prepare(&running, &format!("{step:?}")).await, request_id());
        let first = step.take(&running, &name, step.actor(), &id).await.unwrap().into_inner();
        taken.push((step, name, id, first));
    }
    raise_epoch(&running, 2).await;
    for (step, name, id, first) in taken {
        let replay = || Caller { case: None, capacity: Capacity::Replay, ..employee("zhang") };
        let again = step.take(&running, &name, replay(), &id).await.unwrap().into_inner();
        assert_eq!(again, first, "{step:?}");
        let refused = step.take(&running, &name, replay(), &request_id()).await;
        assert_eq!(reason(refused), "NOT_A_REPLAY", "{step:?}");
    }
}

#[tokio::test]
async fn a_context_for_another_case_is_refused() {
    let running = Running::start().await;
    for step in [Step::Record, Step::Confirm, Step::Promise, Step::End] {
        let name = step.prepare(&running, &format!("{step:?}")).await;
        for who in [handler("zhang", "cases/k2"), employee("zhang")] {
            let refused = step.take(&running, &name, who, &request_id()).await;
            assert_eq!(refused.as_ref().unwrap_err().code(), Code::PermissionDenied, "{step:?}");
            assert_eq!(reason(refused), "CASE_MISMATCH", "{step:?}");
        }
        // Merged since: the survivor is checked, the contact's own case is named.
        let mut merged = handler("zhang", "cases/k2");
        if let Some(case) = &mut merged.case {
            case.named = CASE.into();
        }
        step.take(&running, &name, merged, &request_id()).await.unwrap();
    }
}

#[tokio::test]
async fn only_an_employee_of_the_branch_answers_and_only_its_telephony_misses() {
    let running = Running::start().await;
    let name = running.ring("c1").await.name;
    let foreign = Caller { case: handler("wang", CASE).case, ..stranger() };
    let refused = Step::Answer.take(&running, &name, foreign, &request_id()).await.unwrap_err();
    assert_eq!(metadata(&refused, "branch"), "branches/b1");
    for (step, who) in [(Step::Answer, stranger()), (Step::Miss, stranger())] {
        let refused = step.take(&running, &name, who, &request_id()).await;
        assert_eq!(reason(refused), "BRANCH_OUT_OF_REACH", "{step:?}");
    }
    let telephony = Caller { case: handler("zhang", CASE).case, ..crate::harness::telephony() };
    for step in Step::ON_CASE {
        let refused = step.take(&running, &name, telephony.clone(), &request_id()).await;
        assert_eq!(reason(refused), "EMPLOYEE_REQUIRED", "{step:?}");
    }
    assert_eq!(reason(running.register(stranger(), call_from("c2")).await), "BRANCH_OUT_OF_REACH");
}

#[tokio::test]
async fn an_unknown_contact_is_not_found() {
    let running = Running::start().await;
    for step in Step::ALL {
        let refused = step.take(&running, "calls/nobody", step.actor(), &request_id()).await;
        assert_eq!(refused.as_ref().unwrap_err().code(), Code::NotFound, "{step:?}");
        assert_eq!(reason(refused), "CALL_NOT_FOUND", "{step:?}");
        for malformed in ["", "calls/", "cases/k1", "calls/a/b", "calls/张"] {
            let refused = step.take(&running, malformed, step.actor(), &request_id()).await;
            assert_eq!(reason(refused), "FIELD_INVALID", "{step:?} {malformed}");
        }
    }
}

#[tokio::test]
async fn an_illegal_transition_says_from_which_state() {
    let running = Running::start().await;
    let ringing = running.ring("ringing").await.name;
    let missed = Step::Miss.prepare(&running, "missed").await;
    Step::Miss.take(&running, &missed, Step::Miss.actor(), &request_id()).await.unwrap();
    let answered = Step::End.prepare(&running, "answered").await;
    let ended = Step::End.prepare(&running, "ended").await;
    Step::End.take(&running, &ended, Step::End.actor(), &request_id()).await.unwrap();
    let illegal = [
        (&ringing, "RINGING", &[Step::Record, Step::Confirm, Step::Promise, Step::End][..]),
        (&missed, "MISSED", &Step::ALL[..]),
        (&answered, "ANSWERED", &[Step::Miss]),
        (&ended, "ENDED", &[Step::Miss, Step::Promise, Step::End]),
    ];
    for (name, state, steps) in illegal {
        for step in steps {
            let refused = step.take(&running, name, step.actor(), &request_id()).await.unwrap_err();
            assert_eq!(refused.code(), Code::FailedPrecondition, "{step:?} {state}");
            assert_eq!(metadata(&refused, "state"), state, "{step:?}: {refused:?}");
        }
    }
    let refused =
        Step::Answer.take(&running, &answered, handler("li", CASE), &request_id()).await.unwrap_err();
    assert_eq!(metadata(&refused, "employee"), "employees/zhang");
    assert_eq!(metadata(&refused, "case"), CASE);
    let refused = Step::Confirm.take(&running, &answered, Step::Confirm.actor(), &request_id()).await;
    assert_eq!(reason(refused), "RECORD_MISSING");
}

#[tokio::test]
async fn a_stale_etag_is_refused() {
    let running = Running::start().await;
    let name = Step::Record.prepare(&running, "c1").await;
    let record = async |etag: &str| {
        let request = shouwen_proto::calls::v1::RecordCallRequest { etag: etag.into(), ..sheet(&name) };
        running.client().record_call(crate::harness::by(Step::Record.actor(), request)).await
    };
    let call = record("2").await.unwrap().into_inner();
    assert_eq!(call.etag, "3");
    let refused = record("2").await;
    assert_eq!(refused.as_ref().unwrap_err().code(), Code::Aborted);
    assert_eq!(reason(refused), "ETAG_MISMATCH");
    assert_eq!(reason(record("new").await), "FIELD_INVALID");
    record("\"3\"").await.unwrap();
}

#[tokio::test]
async fn o1_of_32_answers_at_once_by_the_winner_one_changes_something() {
    let running = Running::start().await;
    let name = running.ring("c1").await.name;
    let (running, name) = (&running, name.as_str());
    let answers = (0..32).map(|_| async move {
        Step::Answer.take(running, name, on_case("zhang", CASE, 1, Capacity::Handler), &request_id()).await
    });
    for answer in join_all(answers).await {
        let call = answer.unwrap().into_inner();
        assert_eq!((call.etag.as_str(), call.employee.as_str()), ("2", "employees/zhang"));
    }
    let answered: i64 = sqlx::query_scalar("select count(*) from ledger where type = 'call_answered'")
        .fetch_one(&running.pool)
        .await
        .unwrap();
    assert_eq!(answered, 1);
}
