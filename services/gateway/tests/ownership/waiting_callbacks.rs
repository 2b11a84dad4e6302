//! What waits on desks because of callbacks, of which their service tells, and because of missed limits below a case: on the desk of whom it concerns and on
//! nobody else's.

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_proto::{
    events::v1::{
        AttemptRecorded, CallbackCoalesced, CallbackCompleted, CallbackEscalated, CallbackExhausted,
        CallbackLeased, CallbackLimitMoved, CallbackPostponed, CallbackReleased, CallbackScheduled,
        ComplaintAccepted, callbacks_event::Event as Callback, complaints_event::Event as Complaint,
    },
    routing::v1::{DeskItemKind as Kind, desk_change::Kind as ChangeKind},
    r#type::v1::{CallbackKind, EscalationLevel, Satisfaction},
};
use shouwen_serving::timestamps::to_proto;

use crate::{
    absence::sudden,
    desk::employee,
    ground::{Office, at, tuesday},
    waiting::{EVERYBODY, staffed, who},
    waiting_complaints::escalated,
    watching::{Watch, waiting},
};

#[tokio::test]
async fn b1_a_promise_waits_for_the_handler_of_its_case_and_moves_with_the_case() {
    let (_ground, office) = staffed().await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    let hour = |hours| tuesday() + TimeDelta::hours(hours);
    office.callbacks().scheduled(tuesday(), "cb-1", &name, hour(5));
    office.followed().await;
    let mut watched = Watch::of(&office, "zhang").await;
    assert_eq!(watched.waiting(), [(Kind::Callback, &*format!("{name}/callbacks/cb-1"))]);
    office.callbacks().moved(tuesday(), "cb-1", &name, hour(7));
    office.followed().await;
    let item = format!("employees/zhang callback {name}/callbacks/cb-1");
    watched.until(|watch| at(watch.items[&item].due_time) == hour(7)).await;
    assert_eq!(watched.changes, [(ChangeKind::Changed, item)]);
    li.accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, ["li"]);
    office.callbacks().completed(tuesday(), "cb-1", &name, true, Satisfaction::Neutral);
    office.followed().await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, [""; 0]);
}

#[tokio::test]
async fn o6_what_a_merged_case_promised_waits_for_the_handler_of_the_survivor() {
    let (_ground, office) = staffed().await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    zhang.open("call-1", "C-1").await;
    let merged = li.claim("call-2").await.unwrap().case.unwrap().name;
    office.callbacks().scheduled(tuesday(), "cb-1", &merged, tuesday() + TimeDelta::hours(5));
    office.followed().await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, ["li"]);
    li.identify("call-2", "C-1").await.unwrap();
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, ["zhang"]);
}

#[tokio::test]
async fn b7_a_verification_waits_for_the_unit_but_not_for_whom_the_complaint_is_about() {
    let (_ground, office) = staffed().await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    office.complaints().filed(tuesday(), &format!("{name}/complaints/cp-1"), &["wang"]);
    office.followed().await;
    office.callbacks().verification(tuesday(), "cp-1-1", &name, tuesday() + TimeDelta::days(1));
    office.followed().await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, ["zhang", "li", "zhao", "qian"]);
    office.callbacks().verified(tuesday(), "cp-1-1", &name, Satisfaction::Satisfied);
    office.followed().await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, [""; 0]);
}

/// A callback of branch b1 that has no case.
async fn callback(office: &Office, r#type: &str, event: Callback) {
    office.callbacks().callback(office.here().await, r#type, "cb-1", "", event);
    office.followed().await;
}

fn missed_call(due: DateTime<Utc>) -> Callback {
    Callback::CallbackScheduled(CallbackScheduled {
        callback: "branches/b1/callbacks/cb-1".to_owned(),
        kind: CallbackKind::MissedCall.into(),
        branch: "branches/b1".to_owned(),
        due: Some(to_proto(due)),
        ..CallbackScheduled::default()
    })
}

#[tokio::test]
async fn k14_a_callback_without_a_case_waits_for_the_branch_and_then_for_who_leased_it() {
    let (_ground, office) = staffed().await;
    let branch = ["zhang", "li", "wang", "zhao", "qian"];
    callback(&office, "callback_scheduled", missed_call(tuesday() + TimeDelta::minutes(30))).await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, branch);
    let leased = CallbackLeased { employee: employee("li"), expire_time: None };
    callback(&office, "callback_leased", Callback::CallbackLeased(leased.clone())).await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, ["li"]);
    callback(&office, "callback_released", Callback::CallbackReleased(CallbackReleased::default())).await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, branch);
    // B6: attempts are made until they are used up; then a lead decides.
    callback(&office, "callback_leased", Callback::CallbackLeased(leased)).await;
    callback(&office, "attempt_recorded", Callback::AttemptRecorded(AttemptRecorded::default())).await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, branch);
    callback(&office, "callback_exhausted", Callback::CallbackExhausted(CallbackExhausted {})).await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, [""; 0]);
    assert_eq!(who(&office, Kind::Unreached, &EVERYBODY).await, ["zhao", "qian"]);
    callback(&office, "callback_postponed", Callback::CallbackPostponed(CallbackPostponed::default())).await;
    assert_eq!(who(&office, Kind::Unreached, &EVERYBODY).await, [""; 0]);
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, branch);
    // S3: its time moves.
    let moved = CallbackLimitMoved {
        due: Some(to_proto(tuesday() + TimeDelta::days(1))),
        ..CallbackLimitMoved::default()
    };
    callback(&office, "callback_limit_moved", Callback::CallbackLimitMoved(moved)).await;
    let watch = Watch::of(&office, "wang").await;
    assert_eq!(at(watch.items.values().next().unwrap().due_time), tuesday() + TimeDelta::days(1));
    callback(&office, "callback_completed", Callback::CallbackCompleted(CallbackCompleted::default())).await;
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, [""; 0]);
}

#[tokio::test]
async fn o10_a_missed_callback_waits_for_whom_it_has_reached_until_an_attempt_is_made() {
    let (ground, office) = staffed().await;
    callback(&office, "callback_scheduled", missed_call(tuesday())).await;
    for (level, told) in [
        (EscalationLevel::Responsible, vec!["zhao", "qian"]),
        (EscalationLevel::Lead, vec!["zhao", "qian"]),
        (EscalationLevel::Hq, vec!["zhao", "qian", "chen"]),
        (EscalationLevel::CompanyLeader, vec!["zhao", "qian", "chen", "guo"]),
    ] {
        let escalated = CallbackEscalated { level: level.into(), ..CallbackEscalated::default() };
        callback(&office, "callback_escalated", Callback::CallbackEscalated(escalated)).await;
        assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, told, "{level:?}");
    }
    callback(&office, "attempt_recorded", Callback::AttemptRecorded(AttemptRecorded::default())).await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, [""; 0]);
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
    callback(&office, "callback_completed", Callback::CallbackCompleted(CallbackCompleted::default())).await;
    assert_eq!(ground.number("select count(*) from desk_followed").await, 0);
}

#[tokio::test]
async fn o10_a_missed_callback_of_no_case_waits_for_who_leased_it_and_otherwise_for_the_leads_at_once() {
    let (_ground, office) = staffed().await;
    let told = async |level: EscalationLevel| {
        let late = CallbackEscalated { level: level.into(), ..CallbackEscalated::default() };
        callback(&office, "callback_escalated", Callback::CallbackEscalated(late)).await;
    };
    callback(&office, "callback_scheduled", missed_call(tuesday())).await;
    told(EscalationLevel::Responsible).await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, ["zhao", "qian"]);
    let leased = CallbackLeased { employee: employee("li"), expire_time: None };
    callback(&office, "callback_leased", Callback::CallbackLeased(leased)).await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, ["li"]);
    callback(&office, "callback_released", Callback::CallbackReleased(CallbackReleased::default())).await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, ["zhao", "qian"]);
    // What they are told of once rises.
    let item = "branches/b1/leads escalation branches/b1/callbacks/cb-1".to_owned();
    let mut zhao = Watch::of(&office, "zhao").await;
    assert_eq!(zhao.items[&item].level(), EscalationLevel::Responsible);
    told(EscalationLevel::Lead).await;
    zhao.until(|watch| watch.items[&item].level() == EscalationLevel::Lead).await;
    assert_eq!(zhao.changes, [(ChangeKind::Changed, item)]);
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn b7_o10_a_missed_verification_waits_for_the_leads_of_the_unit_but_not_for_whom_it_is_about() {
    let (_ground, office) = staffed().await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let verification = CallbackScheduled {
        callback: "branches/b1/callbacks/cb-1".to_owned(),
        kind: CallbackKind::Verification.into(),
        case: name.clone(),
        branch: "branches/b1".to_owned(),
        due: Some(to_proto(tuesday())),
        complaint: format!("{name}/complaints/cp-1"),
        round: 1,
        recused: vec![employee("qian")],
        ..CallbackScheduled::default()
    };
    callback(&office, "callback_scheduled", Callback::CallbackScheduled(verification)).await;
    let late =
        CallbackEscalated { level: EscalationLevel::Responsible.into(), ..CallbackEscalated::default() };
    callback(&office, "callback_escalated", Callback::CallbackEscalated(late)).await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, ["zhao"]);
    let leased = CallbackLeased { employee: employee("wang"), expire_time: None };
    callback(&office, "callback_leased", Callback::CallbackLeased(leased)).await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, ["wang"]);
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn b3_o10_a_time_that_is_set_anew_is_what_waits_and_the_limit_before_it_is_over() {
    let (_ground, office) = staffed().await;
    let hour = |hours| tuesday() + TimeDelta::hours(hours);
    let due = async || {
        let watch = Watch::of(&office, "wang").await;
        watch.items.values().map(|item| at(item.due_time)).collect::<Vec<_>>()
    };
    let told = async || {
        let escalated =
            CallbackEscalated { level: EscalationLevel::Hq.into(), ..CallbackEscalated::default() };
        callback(&office, "callback_escalated", Callback::CallbackEscalated(escalated)).await;
        who(&office, Kind::Escalation, &["chen"]).await
    };
    callback(&office, "callback_scheduled", missed_call(hour(1))).await;
    assert_eq!(told().await, ["chen"]);
    let attempt = |due| Callback::AttemptRecorded(AttemptRecorded { due, ..AttemptRecorded::default() });
    callback(&office, "attempt_recorded", attempt(Some(to_proto(hour(5))))).await;
    assert_eq!((due().await, who(&office, Kind::Escalation, &["chen"]).await), (vec![hour(5)], vec![]));
    // B6: one in vain sets no limit.
    callback(&office, "attempt_recorded", attempt(None)).await;
    assert_eq!(due().await, [hour(5)]);
    assert_eq!(told().await, ["chen"]);
    let postponed = CallbackPostponed { due: Some(to_proto(hour(26))), ..CallbackPostponed::default() };
    callback(&office, "callback_postponed", Callback::CallbackPostponed(postponed)).await;
    assert_eq!((due().await, who(&office, Kind::Escalation, &["chen"]).await), (vec![hour(26)], vec![]));
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn k14_a_client_who_calls_in_vain_again_waits_for_the_branch_again_and_not_for_a_lead() {
    let (_ground, office) = staffed().await;
    let hour = |hours| tuesday() + TimeDelta::hours(hours);
    let joined = |due| Callback::CallbackCoalesced(CallbackCoalesced { due, ..CallbackCoalesced::default() });
    callback(&office, "callback_scheduled", missed_call(hour(1))).await;
    callback(&office, "attempt_recorded", Callback::AttemptRecorded(AttemptRecorded::default())).await;
    callback(&office, "callback_exhausted", Callback::CallbackExhausted(CallbackExhausted {})).await;
    let escalated = CallbackEscalated { level: EscalationLevel::Hq.into(), ..CallbackEscalated::default() };
    callback(&office, "callback_escalated", Callback::CallbackEscalated(escalated)).await;
    callback(&office, "callback_coalesced", joined(None)).await;
    assert_eq!(who(&office, Kind::Unreached, &EVERYBODY).await, ["zhao", "qian"]);
    assert_eq!(who(&office, Kind::Escalation, &["chen"]).await, ["chen"]);
    callback(&office, "callback_coalesced", joined(Some(to_proto(hour(5))))).await;
    for kind in [Kind::Unreached, Kind::Escalation] {
        assert_eq!(who(&office, kind, &EVERYBODY).await, [""; 0], "{kind:?}");
    }
    assert_eq!(who(&office, Kind::Callback, &EVERYBODY).await, ["zhang", "li", "wang", "zhao", "qian"]);
    let watch = Watch::of(&office, "wang").await;
    assert_eq!(at(watch.items.values().next().unwrap().due_time), hour(5));
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn o10_a_missed_limit_below_a_case_waits_for_whoever_is_responsible_for_it_by_now() {
    let (_ground, office) = staffed().await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    let complaint = format!("{name}/complaints/cp-1");
    let (complaints, callbacks) = (office.complaints(), office.callbacks());
    complaints.filed(tuesday(), &complaint, &["qian"]);
    callbacks.scheduled(tuesday(), "cb-1", &name, tuesday());
    office.followed().await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, [""; 0]);
    complaints.complaint(
        tuesday(),
        "complaint_escalated",
        &complaint,
        escalated(EscalationLevel::Responsible),
    );
    let late =
        CallbackEscalated { level: EscalationLevel::Responsible.into(), ..CallbackEscalated::default() };
    callbacks.callback(tuesday(), "callback_escalated", "cb-1", &name, Callback::CallbackEscalated(late));
    office.followed().await;
    let both = |waiting: Vec<(Kind, String)>| {
        let told = waiting.into_iter().filter(|(kind, _)| *kind == Kind::Escalation);
        let mut subjects: Vec<String> = told.map(|(_, subject)| subject).collect();
        subjects.sort_unstable();
        subjects == [format!("{name}/callbacks/cb-1"), complaint.clone()]
    };
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, ["zhang"]);
    assert!(both(waiting(&office, "zhang").await));
    // O4, O9: it goes with the case, and to who stands in.
    li.accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    let absence = li.be_absent(sudden("li", "wang")).await.unwrap();
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, ["zhang", "li", "wang"]);
    assert!(both(waiting(&office, "wang").await));
    li.be_back(&absence.name).await.unwrap();
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, ["zhang", "li"]);
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
    let accepted = Complaint::ComplaintAccepted(ComplaintAccepted::default());
    complaints.complaint(tuesday(), "complaint_accepted", &complaint, accepted);
    callbacks.completed(tuesday(), "cb-1", &name, true, Satisfaction::Neutral);
    office.followed().await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, [""; 0]);
}

#[tokio::test]
async fn o6_a_missed_limit_below_a_merged_case_waits_for_whoever_is_responsible_for_the_survivor() {
    let (_ground, office) = staffed().await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    zhang.open("call-1", "C-1").await;
    let merged = li.claim("call-2").await.unwrap().case.unwrap().name;
    let complaint = format!("{merged}/complaints/cp-1");
    let (complaints, callbacks) = (office.complaints(), office.callbacks());
    let late = |level: EscalationLevel| {
        complaints.complaint(tuesday(), "complaint_escalated", &complaint, escalated(level));
        let late = CallbackEscalated { level: level.into(), ..CallbackEscalated::default() };
        callbacks.callback(
            tuesday(),
            "callback_escalated",
            "cb-1",
            &merged,
            Callback::CallbackEscalated(late),
        );
    };
    complaints.filed(tuesday(), &complaint, &["qian"]);
    callbacks.scheduled(tuesday(), "cb-1", &merged, tuesday());
    late(EscalationLevel::Responsible);
    office.followed().await;
    let told = async || {
        let mut told = Vec::new();
        for id in EVERYBODY {
            let waiting = waiting(&office, id).await.into_iter();
            told.extend(waiting.filter(|(kind, _)| *kind == Kind::Escalation).map(|_| id));
        }
        told
    };
    assert_eq!(told().await, ["li", "li"]);
    li.identify("call-2", "C-1").await.unwrap();
    assert_eq!(told().await, ["zhang", "zhang"]);
    // Both keep the name of the case under which they came to be. The complaint's unit has no leads here.
    late(EscalationLevel::Hq);
    office.followed().await;
    assert_eq!(told().await, ["zhang", "zhang", "zhao", "qian", "chen", "chen"]);
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}
