//! O6, O7: only handler, accountable person and who overrides decide; who answered a later contact may record and decide nothing.

use chrono::TimeDelta;
use shouwen_proto::ownership::v1::case::State;
use tonic::Code;

use crate::{
    desk::{employee, reason},
    ground::{Ground, at, tuesday},
};

#[tokio::test]
async fn o6_who_assists_decides_nothing() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let li = office.desk("li");
    li.claim_of("call-2", "C-1").await.unwrap();
    for refused in [
        li.resolve(&name).await,
        li.confirm(&name, true).await,
        li.offer(&name, "wang").await,
        li.withdraw(&name, "any").await,
    ] {
        let refused = refused.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::PermissionDenied, "NOT_RESPONSIBLE"));
        for role in ["first_responder", "accountable", "handler"] {
            assert_eq!(refused.metadata[role], employee("zhang"));
        }
        assert_eq!(refused.metadata["case"], name);
    }
    // What is handed over to somebody who assisted is theirs to decide.
    li.accept(&name, &office.desk("zhang").offered(&name, "li").await).await.unwrap();
    li.resolve(&name).await.unwrap();
}

#[tokio::test]
async fn o7_an_override_lets_a_lead_decide_for_a_time_and_stands_in_the_history() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhao, qian) = (office.desk("zhang"), office.desk("zhao"), office.desk("qian"));
    let name = zhang.open("call-1", "C-1").await;
    assert_eq!(reason(zhao.resolve(&name).await), "NOT_RESPONSIBLE");
    let begun = zhao.begin_override(&name).await.unwrap();
    let running = begun.r#override.clone().unwrap();
    assert_eq!((&running.employee, &*running.reason), (&employee("zhao"), "the handler is unreachable"));
    assert_eq!(at(running.expire_time), tuesday() + TimeDelta::minutes(480));
    assert_eq!((begun.epoch, &begun.handler), (2, &employee("zhang")));
    assert_eq!(office.ownership.find(&name).await.unwrap().unwrap().overriding, Some(employee("zhao")));

    // Again by the same lead: nothing new. By another: refused, naming who overrides.
    assert_eq!(zhao.begin_override(&name).await.unwrap(), begun);
    let refused = qian.begin_override(&name).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "OVERRIDE_RUNNING"));
    assert_eq!(refused.metadata["employee"], employee("zhao"));
    assert_eq!(reason(qian.end_override(&name).await), "NO_OVERRIDE");

    // It may decide; handler and accountable person still may, too.
    let offer = zhao.offered(&name, "li").await;
    zhang.withdraw(&name, &offer).await.unwrap();
    zhao.resolve(&name).await.unwrap();
    let ended = zhao.end_override(&name).await.unwrap();
    assert_eq!((ended.r#override, ended.epoch), (None, 3));
    assert_eq!(reason(zhao.confirm(&name, true).await), "NOT_RESPONSIBLE");
    assert_eq!(reason(zhao.end_override(&name).await), "NO_OVERRIDE");
    let lines = zhang.timeline(&name, 100, "").await.unwrap().entries;
    let line = lines.iter().find(|line| line.r#type == "override_begun").unwrap();
    assert_eq!(line.on_behalf, employee("zhao"));
    let told = "select count(*) from ledger where type = 'override_begun' and encode(payload, 'escape') like '%unreachable%'";
    assert_eq!(ground.number(told).await, 1, "with its reason");
}

#[tokio::test]
async fn o6_who_answered_while_they_could_decide_records_it_also_when_they_cannot_any_more() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li, zhao) = (office.desk("zhang"), office.desk("li"), office.desk("zhao"));
    let name = zhang.open("call-1", "C-1").await;
    zhao.begin_override(&name).await.unwrap();
    zhao.claim_of("call-2", "C-1").await.unwrap();
    zhao.end_override(&name).await.unwrap();
    li.accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    li.claim_of("call-3", "C-1").await.unwrap();
    office.desk("wang").accept(&name, &li.offered(&name, "wang").await).await.unwrap();
    zhang.claim_of("call-4", "C-1").await.unwrap();
    let found = office.ownership.find("calls/call-3").await.unwrap().unwrap();
    assert_eq!(found.assistants, [employee("zhao"), employee("li"), employee("zhang")]);
    assert_eq!(zhang.get(&name).await.unwrap().assistants, [""; 0], "they could decide then");
    assert_eq!(reason(zhao.resolve(&name).await), "NOT_RESPONSIBLE");
}

#[tokio::test]
async fn o7_a_lead_of_another_branch_overrides_nothing() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, zhou) = (office.desk("zhang"), office.desk("zhou"));
    let name = zhang.open("call-1", "C-1").await;
    assert_eq!(reason(zhou.begin_override(&name).await), "NOT_RESPONSIBLE");
    // Not as the handler of the case either: that power ends with the hand-over.
    zhou.accept(&name, &zhang.offered(&name, "zhou").await).await.unwrap();
    assert_eq!(reason(zhou.begin_override(&name).await), "NOT_RESPONSIBLE");
}

#[tokio::test]
async fn o7_headquarters_overrides_too_and_the_next_lead_after_it() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    office.desk("chen").begin_override(&name).await.unwrap();
    office.desk("chen").end_override(&name).await.unwrap();
    let second = office.desk("zhao").begin_override(&name).await.unwrap();
    assert_eq!((second.r#override.unwrap().employee, second.epoch), (employee("zhao"), 4));
}

#[tokio::test]
async fn o7_an_override_ends_exactly_at_its_time_and_once() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let zhao = one.desk("zhao");
    let name = one.desk("zhang").open("call-1", "C-1").await;
    zhao.begin_override(&name).await.unwrap();
    let ends = tuesday() + TimeDelta::minutes(480);
    one.until(ends - TimeDelta::microseconds(1)).await;
    assert!(zhao.get(&name).await.unwrap().r#override.is_some());
    one.unswept(ends).await;
    let (first, second) = tokio::join!(one.engine.sweep_once(), other.engine.sweep_once());
    assert!(first.unwrap() + second.unwrap() >= 1);
    let case = zhao.get(&name).await.unwrap();
    assert_eq!((case.r#override, case.epoch), (None, 3));
    assert_eq!(ground.events(&name).await, ["case_opened", "override_begun", "override_ended"]);
    assert_eq!(reason(zhao.resolve(&name).await), "NOT_RESPONSIBLE");
}

#[tokio::test]
async fn o7_an_override_whose_time_has_come_lets_nobody_decide_before_any_sweep() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhao, qian) = (office.desk("zhao"), office.desk("qian"));
    let name = office.desk("zhang").open("call-1", "C-1").await;
    zhao.begin_override(&name).await.unwrap();
    office.unswept(tuesday() + TimeDelta::minutes(480)).await;
    assert_eq!(office.ownership.find(&name).await.unwrap().unwrap().overriding, None, "for the edge too");
    assert_eq!(reason(zhao.resolve(&name).await), "NOT_RESPONSIBLE");
    assert_eq!(reason(zhao.end_override(&name).await), "NO_OVERRIDE");
    let second = qian.begin_override(&name).await.unwrap();
    assert_eq!((second.r#override.unwrap().employee, second.epoch), (employee("qian"), 4));
    let events = ["case_opened", "override_begun", "override_ended", "override_begun"];
    assert_eq!(ground.events(&name).await, events);
}

#[tokio::test]
async fn o7_an_override_ends_with_the_case() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhao = office.desk("zhao");
    let name = office.desk("zhang").open("call-1", "C-1").await;
    zhao.begin_override(&name).await.unwrap();
    let closed = zhao.confirm(&name, true).await.unwrap();
    assert_eq!((closed.state(), closed.r#override, closed.epoch), (State::Closed, None, 3));
    assert_eq!(ground.events(&name).await[1..], ["override_begun", "override_ended", "case_closed"]);
    assert_eq!(ground.number("select count(*) from deadline").await, 0);
    assert_eq!(reason(zhao.begin_override(&name).await), "ILLEGAL_TRANSITION");
    // Reopened, it is nobody's again but the handler's.
    zhao.reopen(&name).await.unwrap();
    assert_eq!(reason(zhao.resolve(&name).await), "NOT_RESPONSIBLE");
}
