//! What waits on desks because of complaints, of which their service tells: on the desk of whom it concerns and on nobody else's.

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_proto::{
    events::v1::{
        ApprovalLevel, CallOutcome, ComplaintAccepted, ComplaintClosed, ComplaintEnd, ComplaintEscalated,
        ComplaintFiled, ComplaintLimit, ComplaintLimitMoved, ComplaintReopened, HandlingCompleted,
        HandlingProposed, LimitSet, Measure, MeasureRecorded, ProposalApproved, ProposalReturned, ReplyKind,
        ReplyRecorded, complaints_event::Event as Complaint,
    },
    ownership::v1::case::State,
    routing::v1::{DeskItemKind as Kind, desk_change::Kind as ChangeKind},
    r#type::v1::EscalationLevel,
};
use shouwen_serving::timestamps::to_proto;

use crate::{
    absence::sudden,
    desk::employee,
    ground::{at, tuesday},
    waiting::{EVERYBODY, staffed, who},
    watching::{Watch, waiting},
};

/// A proposal's missed limit, as told to a level.
pub(crate) fn escalated(level: EscalationLevel) -> Complaint {
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
async fn c5_a_complaint_that_is_handled_in_a_void_case_waits_for_the_leads_of_its_unit() {
    let (_ground, office) = staffed().await;
    let name = office.desk("zhang").claim("call-1").await.unwrap().case.unwrap().name;
    office.calls().ended(tuesday(), "call-1", "zhang", CallOutcome::WrongNumber);
    office.followed().await;
    assert_eq!(office.desk("zhang").get(&name).await.unwrap().state(), State::Void);
    let complaint = format!("{name}/complaints/cp-1");
    let filed = ComplaintFiled {
        complaint: complaint.clone(),
        case: name.clone(),
        receiving_unit: "branches/b1".to_owned(),
        complained_about: vec![employee("qian")],
        ..ComplaintFiled::default()
    };
    let accepted = Complaint::ComplaintAccepted(ComplaintAccepted::default());
    let completed = Complaint::HandlingCompleted(HandlingCompleted::default());
    let steps = [
        ("complaint_filed", Complaint::ComplaintFiled(filed), vec![]),
        ("complaint_accepted", accepted, vec!["zhao"]),
        ("handling_completed", completed, vec![]),
    ];
    for (r#type, event, told) in steps {
        office.complaints().complaint(tuesday(), r#type, &complaint, event);
        office.followed().await;
        assert_eq!(who(&office, Kind::Complaint, &EVERYBODY).await, told, "{type}");
    }
    assert_eq!(shouwen_gateway::desk::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn c6_a_complaint_accepted_before_desks_knew_of_handling_waits_for_the_handler_from_its_proposal_on() {
    let (ground, office) = staffed().await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let proposed = || {
        let levels = vec![ApprovalLevel::BranchHead.into()];
        Complaint::HandlingProposed(HandlingProposed { levels, ..HandlingProposed::default() })
    };
    let approved = || {
        let level = ApprovalLevel::BranchHead.into();
        Complaint::ProposalApproved(ProposalApproved { level, r#final: true, ..ProposalApproved::default() })
    };
    let accepted = || Complaint::ComplaintAccepted(ComplaintAccepted::default());
    let returned = || Complaint::ProposalReturned(ProposalReturned::default());
    // What the earlier release still saw, and what comes after it.
    let stories = [
        (vec![("complaint_accepted", accepted())], ("handling_proposed", proposed())),
        (
            vec![("complaint_accepted", accepted()), ("handling_proposed", proposed())],
            ("proposal_returned", returned()),
        ),
    ];
    for (number, (before, (r#type, event))) in stories.into_iter().enumerate() {
        let complaint = format!("{name}/complaints/cp-{number}");
        office.complaints().filed(tuesday(), &complaint, &[]);
        for (r#type, event) in before {
            office.complaints().complaint(tuesday(), r#type, &complaint, event);
        }
        office.followed().await;
        ground.run("update desk_followed set state = state - 'handling' - 'owed'").await;
        office.complaints().complaint(tuesday(), r#type, &complaint, event);
        if r#type == "handling_proposed" {
            office.complaints().complaint(tuesday(), "proposal_approved", &complaint, approved());
        }
        office.followed().await;
        assert!(waiting(&office, "zhang").await.contains(&(Kind::Complaint, complaint)), "{type}");
    }
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
