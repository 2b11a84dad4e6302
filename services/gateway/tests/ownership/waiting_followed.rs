//! What waits on desks because of callbacks and complaints, of which other services tell: on the desk of whom it concerns and on nobody else's.

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_proto::{
    events::v1::{
        ApprovalLevel, AttemptRecorded, CallbackCoalesced, CallbackCompleted, CallbackEscalated,
        CallbackExhausted, CallbackLeased, CallbackLimitMoved, CallbackPostponed, CallbackReleased,
        CallbackScheduled, ComplaintAccepted, ComplaintClosed, ComplaintEnd, ComplaintEscalated,
        ComplaintFiled, ComplaintLimit, ComplaintLimitMoved, ComplaintReopened, HandlingCompleted,
        HandlingProposed, LimitSet, Measure, MeasureRecorded, ProposalApproved, ProposalReturned, ReplyKind,
        ReplyRecorded, callbacks_event::Event as Callback, complaints_event::Event as Complaint,
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

/// A proposal's missed limit, as told to a level.
fn escalated(level: EscalationLevel) -> Complaint {
    missed(ComplaintLimit::Proposal, tuesday(), level)
}

/// A complaint's missed limit, as told to a level.
fn missed(limit: ComplaintLimit, due: DateTime<Utc>, level: EscalationLevel) -> Complaint {
    Complaint::ComplaintEscalated(ComplaintEscalated {
        limit: limit.into(),
        due: Some(to_proto(due)),
        level: level.into(),
        step_due: None,
    })
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

/// The complaint takes its handler off the case; that, and the limit that it missed, are heard of at once.
#[tokio::test]
async fn o12_a_missed_limit_of_a_complaint_never_waits_for_the_handler_whom_it_is_about() {
    let (_ground, office) = staffed().await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    li.accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    let complaint = format!("{name}/complaints/cp-1");
    let complaints = office.complaints();
    complaints.filed(tuesday(), &complaint, &["li"]);
    complaints.complaint(
        tuesday(),
        "complaint_escalated",
        &complaint,
        escalated(EscalationLevel::Responsible),
    );
    office.followed().await;
    let handler = zhang.get(&name).await.unwrap().handler;
    assert_ne!(handler, employee("li"));
    let told = who(&office, Kind::Escalation, &EVERYBODY).await;
    assert!(told.contains(&"zhang") && told.contains(&handler.trim_start_matches("employees/")), "{told:?}");
    assert!(!told.contains(&"li"), "{told:?}");
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
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

#[tokio::test]
async fn o10_a_missed_limit_of_a_complaint_waits_until_it_is_met_and_the_next_one_waits_anew() {
    let (_ground, office) = staffed().await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let complaint = format!("{name}/complaints/cp-1");
    let told = async |r#type: &str, event: Complaint| {
        office.complaints().complaint(tuesday(), r#type, &complaint, event);
        office.followed().await;
    };
    office.complaints().filed(tuesday(), &complaint, &[]);
    told("complaint_accepted", Complaint::ComplaintAccepted(ComplaintAccepted::default())).await;
    let hour = |hours| tuesday() + TimeDelta::hours(hours);
    let late = |limit, due| missed(limit, due, EscalationLevel::Hq);
    let replied = |kind: ReplyKind| {
        Complaint::ReplyRecorded(ReplyRecorded { kind: kind.into(), ..ReplyRecorded::default() })
    };
    for (limit, r#type, met) in [
        (ComplaintLimit::FirstReply, "reply_recorded", replied(ReplyKind::First)),
        (ComplaintLimit::DefiniteAnswer, "reply_recorded", replied(ReplyKind::Definite)),
        (
            ComplaintLimit::Proposal,
            "handling_proposed",
            Complaint::HandlingProposed(HandlingProposed::default()),
        ),
        (ComplaintLimit::Outcome, "reply_recorded", replied(ReplyKind::Outcome)),
    ] {
        told("complaint_escalated", late(limit, hour(1))).await;
        assert_eq!(who(&office, Kind::Escalation, &["chen"]).await, ["chen"], "{limit:?}");
        told(r#type, met).await;
        assert_eq!(who(&office, Kind::Escalation, &["chen"]).await, [""; 0], "{limit:?}");
    }
    // A later kind of reply includes the earlier ones; no reply meets any other limit.
    told("complaint_escalated", late(ComplaintLimit::FirstReply, hour(1))).await;
    told("complaint_escalated", late(ComplaintLimit::Settlement, hour(2))).await;
    told("reply_recorded", replied(ReplyKind::Definite)).await;
    let watch = Watch::of(&office, "chen").await;
    assert_eq!(at(watch.items[&format!("hq escalation {complaint}")].due_time), hour(2));
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn o10_a_declined_complaint_that_is_reopened_waits_to_be_accepted_and_its_limit_escalates() {
    let (_ground, office) = staffed().await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let complaint = format!("{name}/complaints/cp-1");
    let told = async |r#type: &str, event: Complaint| {
        office.complaints().complaint(tuesday(), r#type, &complaint, event);
        office.followed().await;
    };
    let acceptance = |hours| LimitSet {
        limit: ComplaintLimit::Acceptance.into(),
        due: Some(to_proto(tuesday() + TimeDelta::hours(hours))),
        ..LimitSet::default()
    };
    let filed = ComplaintFiled {
        complaint: complaint.clone(),
        case: name.clone(),
        receiving_unit: "branches/b1".to_owned(),
        complained_about: vec![employee("qian")],
        acceptance: Some(acceptance(5)),
        ..ComplaintFiled::default()
    };
    told("complaint_filed", Complaint::ComplaintFiled(filed)).await;
    office.complaints().declined(tuesday(), &complaint);
    office.followed().await;
    for id in EVERYBODY {
        assert_eq!(waiting(&office, id).await, [], "{id}");
    }
    let reopened =
        ComplaintReopened { case: name.clone(), limits: vec![acceptance(7)], ..ComplaintReopened::default() };
    told("complaint_reopened", Complaint::ComplaintReopened(reopened)).await;
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["officer"]);
    let due = tuesday() + TimeDelta::hours(7);
    let watch = Watch::of(&office, "officer").await;
    let item = watch.items.values().next().unwrap();
    assert_eq!((&*item.subject, &*item.case, at(item.due_time)), (&*complaint, &*name, due));
    // O12: still not for whom it is about.
    told("complaint_escalated", missed(ComplaintLimit::Acceptance, due, EscalationLevel::Hq)).await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, ["zhang", "zhao", "chen"]);
    told("complaint_accepted", Complaint::ComplaintAccepted(ComplaintAccepted::default())).await;
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["zhang"]);
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, [""; 0]);
    // C10: what was accepted before is not to be accepted again.
    office.complaints().handled_anew(tuesday(), &complaint, "dissatisfied");
    office.followed().await;
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["zhang"]);
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn c5_an_accepted_complaint_waits_for_the_handler_by_its_next_limit_until_it_is_handled() {
    let (_ground, office) = staffed().await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let complaint = format!("{name}/complaints/cp-1");
    let hour = |hours| tuesday() + TimeDelta::hours(hours);
    office.complaints().filed(tuesday(), &complaint, &[]);
    let step = async |r#type: &str, event: Complaint| {
        office.complaints().complaint(tuesday(), r#type, &complaint, event);
        office.followed().await;
        let desk = Watch::of(&office, "zhang").await;
        let waiting = desk.items.values().filter(|item| item.kind() == Kind::Complaint);
        waiting.map(|item| (item.subject.clone(), item.due_time.map(|due| at(Some(due))))).collect::<Vec<_>>()
    };
    let until = |due| vec![(complaint.clone(), due)];
    let limits = [
        (ComplaintLimit::FirstReply, 5),
        (ComplaintLimit::DefiniteAnswer, 24),
        (ComplaintLimit::Proposal, 48),
        (ComplaintLimit::Outcome, 72),
        (ComplaintLimit::Settlement, 96),
    ];
    let limits = limits.map(|(limit, hours)| LimitSet {
        limit: limit.into(),
        due: Some(to_proto(hour(hours))),
        ..LimitSet::default()
    });
    let replied = |kind: ReplyKind| {
        Complaint::ReplyRecorded(ReplyRecorded { kind: kind.into(), ..ReplyRecorded::default() })
    };
    let proposed = || {
        let levels = vec![ApprovalLevel::BranchHead.into()];
        Complaint::HandlingProposed(HandlingProposed { levels, ..HandlingProposed::default() })
    };
    let returned = || Complaint::ProposalReturned(ProposalReturned::default());
    let approved = || {
        let level = ApprovalLevel::BranchHead.into();
        Complaint::ProposalApproved(ProposalApproved { level, r#final: true, ..ProposalApproved::default() })
    };
    let accepted = ComplaintAccepted { limits: limits.into(), ..ComplaintAccepted::default() };
    let reopened = ComplaintReopened { case: name.clone(), ..ComplaintReopened::default() };
    let end = ComplaintEnd::Satisfied.into();
    let closed = ComplaintClosed { end, case: name.clone(), ..ComplaintClosed::default() };
    for (number, (r#type, event, due)) in [
        ("complaint_accepted", Complaint::ComplaintAccepted(accepted), until(Some(hour(5)))),
        // What does not depend on the proposal is owed while that waits for approval.
        ("handling_proposed", proposed(), until(Some(hour(5)))),
        ("reply_recorded", replied(ReplyKind::First), until(Some(hour(24)))),
        ("reply_recorded", replied(ReplyKind::Definite), vec![]),
        // C6: the first proposal met its limit; the outcome is next.
        ("proposal_returned", returned(), until(Some(hour(72)))),
        ("handling_proposed", proposed(), vec![]),
        ("proposal_approved", approved(), until(Some(hour(72)))),
        ("reply_recorded", replied(ReplyKind::Outcome), until(Some(hour(96)))),
        ("handling_completed", Complaint::HandlingCompleted(HandlingCompleted::default()), vec![]),
        // C10
        ("complaint_reopened", Complaint::ComplaintReopened(reopened), until(None)),
        ("complaint_closed", Complaint::ComplaintClosed(closed), vec![]),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(step(r#type, event).await, due, "step {number}");
    }
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn o9_o12_a_complaint_that_is_handled_waits_for_whoever_works_on_its_case_by_now() {
    let (_ground, office) = staffed().await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let survivor = zhang.open("call-1", "C-1").await;
    let merged = li.claim("call-2").await.unwrap().case.unwrap().name;
    let complaint = format!("{merged}/complaints/cp-1");
    office.complaints().filed(tuesday(), &complaint, &["qian"]);
    let accepted = Complaint::ComplaintAccepted(ComplaintAccepted::default());
    office.complaints().complaint(tuesday(), "complaint_accepted", &complaint, accepted);
    office.followed().await;
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["li"]);
    li.identify("call-2", "C-1").await.unwrap();
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["zhang"]);
    li.accept(&survivor, &zhang.offered(&survivor, "li").await).await.unwrap();
    let absence = li.be_absent(sudden("li", "wang")).await.unwrap();
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["li", "wang"]);
    li.be_back(&absence.name).await.unwrap();
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["li"]);
    // Whom another complaint of the case is about works on it no longer.
    office.complaints().filed(tuesday(), &format!("{survivor}/complaints/cp-2"), &["li"]);
    office.followed().await;
    let handler = zhang.get(&survivor).await.unwrap().handler;
    assert_eq!(handler, employee("zhang"));
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["zhang"]);
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn s3_a_complaint_waits_to_be_accepted_and_handled_until_when_the_calendar_says_by_now() {
    let (_ground, office) = staffed().await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let complaint = format!("{name}/complaints/cp-1");
    let told = async |r#type: &str, event: Complaint| {
        office.complaints().complaint(tuesday(), r#type, &complaint, event);
        office.followed().await;
    };
    let limit = |limit: ComplaintLimit, hours| LimitSet {
        limit: limit.into(),
        due: Some(to_proto(tuesday() + TimeDelta::hours(hours))),
        ..LimitSet::default()
    };
    let moved = |limits| {
        Complaint::ComplaintLimitMoved(ComplaintLimitMoved { limits, ..ComplaintLimitMoved::default() })
    };
    let filed = ComplaintFiled {
        complaint: complaint.clone(),
        case: name.clone(),
        receiving_unit: "branches/b1".to_owned(),
        acceptance: Some(limit(ComplaintLimit::Acceptance, 7)),
        ..ComplaintFiled::default()
    };
    told("complaint_filed", Complaint::ComplaintFiled(filed)).await;
    let item = format!("branches/b1/complaintOfficers complaint {complaint}");
    let mut officer = Watch::of(&office, "officer").await;
    told("complaint_limit_moved", moved(vec![limit(ComplaintLimit::Acceptance, 31)])).await;
    officer.until(|watch| at(watch.items[&item].due_time) == tuesday() + TimeDelta::hours(31)).await;
    assert_eq!(officer.changes, [(ChangeKind::Changed, item)]);
    // What is accepted waits for its handler with the limits of its handling, and not to be accepted again.
    let limits = vec![limit(ComplaintLimit::Proposal, 55), limit(ComplaintLimit::Outcome, 79)];
    let accepted = ComplaintAccepted { limits, ..ComplaintAccepted::default() };
    told("complaint_accepted", Complaint::ComplaintAccepted(accepted)).await;
    let item = format!("employees/zhang complaint {complaint}");
    let mut zhang = Watch::of(&office, "zhang").await;
    assert_eq!(at(zhang.items[&item].due_time), tuesday() + TimeDelta::hours(55));
    let later = [ComplaintLimit::Acceptance, ComplaintLimit::Proposal].map(|kind| limit(kind, 103));
    told("complaint_limit_moved", moved(later.into())).await;
    zhang.until(|watch| at(watch.items[&item].due_time) == tuesday() + TimeDelta::hours(79)).await;
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["zhang"]);
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn c10_nothing_of_an_approved_handling_waits_for_anybody_once_it_begins_anew() {
    let (_ground, office) = staffed().await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let complaint = format!("{name}/complaints/cp-1");
    let told = async |r#type: &str, event: Complaint| {
        office.complaints().complaint(tuesday(), r#type, &complaint, event);
        office.followed().await;
    };
    office.complaints().filed(tuesday(), &complaint, &[]);
    let proposed = HandlingProposed {
        levels: vec![ApprovalLevel::BranchHead.into()],
        measures: vec![Measure { measure: 1, responsible: employee("li"), text: None }],
        ..HandlingProposed::default()
    };
    told("handling_proposed", Complaint::HandlingProposed(proposed)).await;
    let approved = ProposalApproved {
        level: ApprovalLevel::BranchHead.into(),
        r#final: true,
        ..ProposalApproved::default()
    };
    told("proposal_approved", Complaint::ProposalApproved(approved)).await;
    let late = missed(ComplaintLimit::Settlement, tuesday(), EscalationLevel::Hq);
    told("complaint_escalated", late).await;
    assert_eq!(who(&office, Kind::Measure, &EVERYBODY).await, ["li"]);
    assert_eq!(who(&office, Kind::Escalation, &["chen"]).await, ["chen"]);
    office.complaints().handled_anew(tuesday(), &complaint, "the line cannot be repaired");
    office.followed().await;
    for kind in [Kind::Measure, Kind::Escalation] {
        assert_eq!(who(&office, kind, &EVERYBODY).await, [""; 0], "{kind:?}");
    }
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn c6_a_complaint_waits_at_each_step_for_whoever_takes_it() {
    let (_ground, office) = staffed().await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let complaint = format!("{name}/complaints/cp-1");
    let told = async |r#type: &str, event: Complaint| {
        office.complaints().complaint(office.here().await, r#type, &complaint, event);
        office.followed().await;
    };
    let due = tuesday() + TimeDelta::hours(7);
    let filed = ComplaintFiled {
        complaint: complaint.clone(),
        case: name.clone(),
        receiving_unit: "branches/b1".to_owned(),
        complained_about: vec![employee("qian")],
        acceptance: Some(LimitSet { due: Some(to_proto(due)), ..LimitSet::default() }),
        ..ComplaintFiled::default()
    };
    told("complaint_filed", Complaint::ComplaintFiled(filed)).await;
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["officer"]);
    let watch = Watch::of(&office, "officer").await;
    let item = watch.items.values().next().unwrap();
    assert_eq!((&*item.subject, &*item.case, at(item.due_time)), (&*complaint, &*name, due));
    told("complaint_accepted", Complaint::ComplaintAccepted(ComplaintAccepted::default())).await;
    assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, ["zhang"]);

    // O10: a missed limit, and O12: not for whom it is about.
    let escalated = ComplaintEscalated {
        limit: ComplaintLimit::Proposal.into(),
        due: Some(to_proto(due)),
        level: EscalationLevel::Hq.into(),
        step_due: None,
    };
    told("complaint_escalated", Complaint::ComplaintEscalated(escalated)).await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, ["zhang", "zhao", "chen"]);

    // C6: level by level; a higher one may stand in for a lower.
    let levels = [ApprovalLevel::BranchHead, ApprovalLevel::Hq, ApprovalLevel::CompanyLeader];
    let proposed = HandlingProposed {
        levels: levels.map(Into::into).into(),
        measures: vec![
            Measure { measure: 1, responsible: employee("li"), text: None },
            Measure { measure: 2, responsible: "the IT department".to_owned(), text: None },
        ],
        ..HandlingProposed::default()
    };
    told("handling_proposed", Complaint::HandlingProposed(proposed.clone())).await;
    assert_eq!(who(&office, Kind::Approval, &EVERYBODY).await, ["zhao"]);
    told("proposal_returned", Complaint::ProposalReturned(ProposalReturned::default())).await;
    assert_eq!(who(&office, Kind::Approval, &EVERYBODY).await, [""; 0]);
    told("handling_proposed", Complaint::HandlingProposed(proposed)).await;
    let approved = |level: ApprovalLevel, r#final| {
        Complaint::ProposalApproved(ProposalApproved {
            level: level.into(),
            r#final,
            ..ProposalApproved::default()
        })
    };
    told("proposal_approved", approved(ApprovalLevel::Hq, false)).await;
    assert_eq!(who(&office, Kind::Approval, &EVERYBODY).await, ["guo"]);
    assert_eq!(who(&office, Kind::Measure, &EVERYBODY).await, [""; 0]);
    told("proposal_approved", approved(ApprovalLevel::CompanyLeader, true)).await;
    assert_eq!(who(&office, Kind::Approval, &EVERYBODY).await, [""; 0]);

    // C8: what is to be corrected, by whom it is to be.
    assert_eq!(waiting(&office, "li").await, [(Kind::Measure, format!("{complaint}/measures/1"))]);
    let recorded =
        |done| Complaint::MeasureRecorded(MeasureRecorded { measure: 1, done, ..MeasureRecorded::default() });
    told("measure_recorded", recorded(false)).await;
    assert_eq!(who(&office, Kind::Measure, &EVERYBODY).await, ["li"]);
    told("measure_recorded", recorded(true)).await;
    assert_eq!(who(&office, Kind::Measure, &EVERYBODY).await, [""; 0]);
    told(
        "handling_completed",
        Complaint::HandlingCompleted(HandlingCompleted {
            case: name.clone(),
            ..HandlingCompleted::default()
        }),
    )
    .await;
    assert_eq!(who(&office, Kind::Escalation, &EVERYBODY).await, [""; 0]);
    office.complaints().complaint_closed(office.here().await, &complaint, ComplaintEnd::Satisfied, "");
    office.followed().await;
    for id in EVERYBODY {
        assert_eq!(waiting(&office, id).await, [], "{id}");
    }
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}
