//! The state after an event. Total: what cannot have happened changes nothing.

use chrono::{DateTime, Utc};
use shouwen_engine::Recorded;
use shouwen_policy::PolicyVersion;
use shouwen_proto::events::v1::{
    CommunicationRecorded, ComplaintAccepted, ComplaintEscalated, ComplaintFiled, ComplaintLimitMissed,
    ComplaintReopened, HandlingProposed, LimitSet, MeasureRecorded, ProposalApproved, ReplyRecorded,
    VerificationRecorded, complaints_event::Event,
};
use shouwen_serving::private;

use super::{
    State, codec,
    complaint::{
        Acceptance, Approval, Attempts, Communication, Complaint, Measure, Proposal, Record, Reply, Stage,
        Verification,
    },
    limits::{Limit, Step},
    terms::{self, ApprovalLevel, Channel, End, Finding, Kind, LimitKind, Measures, ReplyKind, Severity},
};

/// The state of an aggregate after an event on it.
pub fn evolve(state: Option<State>, recorded: &Recorded<'_, Event>) -> State {
    match (state, recorded.event) {
        (_, Event::PolicyAdopted(adopted)) => {
            State::Policy(PolicyVersion::try_from(adopted).ok().map(Box::new))
        }
        (None, Event::ComplaintFiled(filed)) => match begun(filed, recorded.time) {
            Some(complaint) => State::Complaint(Box::new(complaint)),
            None => State::Policy(None),
        },
        (Some(State::Complaint(mut complaint)), event) => {
            apply(&mut complaint, event, recorded.time);
            State::Complaint(complaint)
        }
        (Some(policy), _) => policy,
        (None, _) => State::Policy(None),
    }
}

/// The complaint that an event records.
pub fn begun(filed: &ComplaintFiled, time: DateTime<Utc>) -> Option<Complaint> {
    let sealed = |field| private::sealed(Option::as_ref(field));
    Some(Complaint {
        name: filed.complaint.parse().ok()?,
        kind: Kind::of(filed.kind)?,
        channel: Channel::of(filed.channel)?,
        category: filed.category.clone(),
        receiving_unit: filed.receiving_unit.clone(),
        client: filed.client.clone(),
        record: Record {
            client_name: sealed(&filed.client_name),
            client_name_masked: filed.client_name_masked.clone(),
            phone: sealed(&filed.phone),
            phone_masked: filed.phone_masked.clone(),
            subject: sealed(&filed.subject),
            place: sealed(&filed.place),
            course: sealed(&filed.course),
            first_proposal: sealed(&filed.first_proposal),
            persons_involved: sealed(&filed.persons_involved),
            occurred: codec::time(filed.occur_time.as_ref()),
        },
        complained_about: filed.complained_about.clone(),
        filed_by: filed.filed_by.clone(),
        filed: time,
        received: codec::time(filed.receive_time.as_ref()).unwrap_or(time),
        number: None,
        acceptance: None,
        decline_explanation: None,
        stage: Stage::Filed,
        round: 1,
        limits: filed.acceptance.iter().filter_map(|set| Limit::set(set, 1, time)).collect(),
        communications: Vec::new(),
        replies: Vec::new(),
        remarks: Vec::new(),
        verifications: Vec::new(),
        attempts: Some(Attempts::Open),
        handled: None,
        closed: None,
        policy_version: filed.policy_version.clone(),
        calendar_version: filed.calendar_version.clone(),
        revision: 1,
    })
}

/// Applies an event to a complaint.
pub fn apply(complaint: &mut Complaint, event: &Event, time: DateTime<Utc>) {
    match event {
        Event::ComplaintAccepted(accepted) => take_up(complaint, accepted, time),
        Event::ComplaintDeclined(declined) => {
            complaint.number = Some(declined.number.clone());
            complaint.decline_explanation = private::sealed(declined.explanation.as_ref());
            complaint.stage = Stage::Declined;
            complaint.closed = Some(time);
            meet(complaint, LimitKind::Acceptance, time);
            give_up(complaint);
        }
        Event::CommunicationRecorded(recorded) => communicated(complaint, recorded, time),
        Event::ReplyRecorded(recorded) => replied(complaint, recorded, time),
        Event::HandlingProposed(proposed) => propose(complaint, proposed, time),
        Event::ProposalApproved(approved) => approve(complaint, approved, time),
        Event::ProposalReturned(returned) => {
            complaint.remarks.extend(private::sealed(returned.remarks.as_ref()));
            complaint.stage = Stage::Handling;
        }
        Event::MeasureRecorded(recorded) => measure(complaint, recorded),
        Event::HandlingCompleted(_) => {
            complaint.stage = Stage::Handled { proposal: take_proposal(complaint) };
            complaint.handled = Some(time);
            complaint.attempts = Some(Attempts::Open);
            meet(complaint, LimitKind::Settlement, time);
        }
        Event::VerificationRecorded(recorded) => verified(complaint, recorded, time),
        Event::VerificationExhausted(_) => complaint.attempts = Some(Attempts::UsedUp),
        Event::ComplaintReopened(reopened) => reopen(complaint, reopened, time),
        Event::ComplaintClosed(closed) => {
            let proposal = take_proposal(complaint);
            let end = End::of(closed.end).unwrap_or(End::Answered);
            complaint.stage = Stage::Closed { proposal, end };
            complaint.closed = Some(time);
            meet(complaint, LimitKind::Settlement, time);
            give_up(complaint);
        }
        Event::ComplaintLimitMissed(missed) => miss(complaint, missed),
        Event::ComplaintEscalated(escalated) => escalate(complaint, escalated),
        Event::ComplaintLimitMoved(moved) => {
            for set in &moved.limits {
                move_limit(complaint, set);
            }
            complaint.calendar_version.clone_from(&moved.calendar_version);
        }
        Event::PolicyAdopted(_) | Event::ComplaintFiled(_) | Event::ComplaintRecordShown(_) => {}
    }
    if is_revision(event) {
        complaint.revision += 1;
    }
}

/// Whether people or clients did something about it, and not time, a reader, or whoever called in vain.
fn is_revision(event: &Event) -> bool {
    !matches!(
        event,
        Event::ComplaintLimitMissed(_)
            | Event::ComplaintEscalated(_)
            | Event::ComplaintLimitMoved(_)
            | Event::VerificationExhausted(_)
            | Event::ComplaintRecordShown(_)
    )
}

fn take_up(complaint: &mut Complaint, accepted: &ComplaintAccepted, time: DateTime<Utc>) {
    complaint.number = Some(accepted.number.clone());
    complaint.acceptance = Severity::of(accepted.severity).map(|severity| Acceptance {
        severity,
        complex: accepted.complex,
        vip: accepted.vip,
        by: accepted.accepted_by.clone(),
        time,
    });
    complaint.stage = Stage::Handling;
    complaint.policy_version.clone_from(&accepted.policy_version);
    complaint.calendar_version.clone_from(&accepted.calendar_version);
    meet(complaint, LimitKind::Acceptance, time);
    set_limits(complaint, &accepted.limits, time);
}

fn communicated(complaint: &mut Complaint, recorded: &CommunicationRecorded, time: DateTime<Utc>) {
    complaint.communications.push(Communication {
        unit: recorded.unit.clone(),
        person: private::sealed(recorded.person.as_ref()),
        content: private::sealed(recorded.content.as_ref()),
        time: codec::time(recorded.communicate_time.as_ref()).unwrap_or(time),
        employee: recorded.employee.clone(),
    });
}

/// A later kind of reply includes the earlier ones.
fn replied(complaint: &mut Complaint, recorded: &ReplyRecorded, time: DateTime<Utc>) {
    let Some(kind) = ReplyKind::of(recorded.kind) else { return };
    complaint.replies.push(Reply {
        kind,
        text: private::sealed(recorded.text.as_ref()),
        employee: recorded.employee.clone(),
        time,
        round: complaint.round,
    });
    meet(complaint, LimitKind::FirstReply, time);
    if kind >= ReplyKind::Definite {
        meet(complaint, LimitKind::DefiniteAnswer, time);
    }
    if kind >= ReplyKind::Outcome {
        meet(complaint, LimitKind::Outcome, time);
    }
}

fn propose(complaint: &mut Complaint, proposed: &HandlingProposed, time: DateTime<Utc>) {
    let Some(finding) = Finding::of(proposed.finding) else { return };
    let measures = proposed.measures.iter().map(|measure| Measure {
        responsible: measure.responsible.clone(),
        text: private::sealed(measure.text.as_ref()),
        done: None,
    });
    let proposal = Box::new(Proposal {
        finding,
        beyond_authority: proposed.beyond_authority,
        malicious: proposed.malicious,
        text: private::sealed(proposed.proposal.as_ref()),
        measures: measures.collect(),
        proposer: proposed.proposer.clone(),
        levels: proposed.levels.iter().filter_map(|level| ApprovalLevel::of(*level)).collect(),
        approvals: Vec::new(),
    });
    complaint.stage = Stage::Proposed { proposal };
    // C6: the first of the round meets the limit for good.
    meet(complaint, LimitKind::Proposal, time);
}

fn approve(complaint: &mut Complaint, approved: &ProposalApproved, time: DateTime<Utc>) {
    let Some(level) = ApprovalLevel::of(approved.level) else { return };
    let Some(mut proposal) = take_proposal(complaint) else { return };
    proposal.approvals.push(Approval { level, approver: approved.approver.clone(), time });
    complaint.stage =
        if approved.r#final { Stage::Approved { proposal } } else { Stage::Proposed { proposal } };
}

fn measure(complaint: &mut Complaint, recorded: &MeasureRecorded) {
    let index = usize::try_from(recorded.measure).ok().and_then(|measure| measure.checked_sub(1));
    let measures = complaint.proposal_mut().map(|proposal| &mut proposal.measures);
    if let Some(measure) = measures.zip(index).and_then(|(measures, index)| measures.get_mut(index)) {
        measure.done = Some(recorded.done);
    }
}

/// C11: what is superseded stays.
fn verified(complaint: &mut Complaint, recorded: &VerificationRecorded, time: DateTime<Utc>) {
    if !recorded.supersedes_reason.is_empty() {
        for former in &mut complaint.verifications {
            former.superseded |= former.callback == recorded.callback;
        }
    }
    complaint.verifications.push(Verification {
        round: u32::try_from(recorded.round).unwrap_or_default(),
        callback: recorded.callback.clone(),
        satisfied: recorded.satisfied,
        measures: Measures::of(recorded.measures),
        employee: recorded.employee.clone(),
        time,
        superseded: false,
    });
}

fn reopen(complaint: &mut Complaint, reopened: &ComplaintReopened, time: DateTime<Utc>) {
    give_up(complaint);
    complaint.stage = match complaint.stage {
        Stage::Declined => Stage::Filed,
        _ => Stage::Handling,
    };
    complaint.round += 1;
    complaint.attempts = Some(Attempts::Open);
    complaint.handled = None;
    complaint.closed = None;
    complaint.calendar_version.clone_from(&reopened.calendar_version);
    set_limits(complaint, &reopened.limits, time);
}

fn miss(complaint: &mut Complaint, missed: &ComplaintLimitMissed) {
    let Some(limit) = limit_mut(complaint, missed.limit) else { return };
    limit.missed = true;
    limit.escalation_policy.clone_from(&missed.escalation_policy_version);
    let steps = missed.steps.iter().filter_map(|step| {
        Some(Step { level: terms::level(step.level)?, due: codec::time(step.due.as_ref())? })
    });
    limit.steps = steps.collect();
}

fn escalate(complaint: &mut Complaint, escalated: &ComplaintEscalated) {
    let Some(level) = terms::level(escalated.level) else { return };
    let Some(limit) = limit_mut(complaint, escalated.limit) else { return };
    limit.reached = Some(level);
    limit.steps.retain(|step| step.level > level);
}

fn move_limit(complaint: &mut Complaint, set: &LimitSet) {
    let due = codec::time(set.due.as_ref());
    if let Some((limit, due)) = limit_mut(complaint, set.limit).zip(due) {
        limit.due = due;
        limit.provisional = set.provisional;
    }
}

fn set_limits(complaint: &mut Complaint, sets: &[LimitSet], time: DateTime<Utc>) {
    let round = complaint.round;
    complaint.limits.extend(sets.iter().filter_map(|set| Limit::set(set, round, time)));
}

/// A limit of the present round.
fn limit_mut(complaint: &mut Complaint, number: i32) -> Option<&mut Limit> {
    let (kind, round) = (LimitKind::of(number)?, complaint.round);
    complaint.limits.iter_mut().find(|limit| limit.kind == kind && limit.round == round)
}

/// What is met once stays so.
fn meet(complaint: &mut Complaint, kind: LimitKind, time: DateTime<Utc>) {
    let limit = limit_mut(complaint, kind.number()).filter(|limit| limit.is_owed());
    if let Some(limit) = limit {
        limit.met = Some(time);
    }
}

fn give_up(complaint: &mut Complaint) {
    for limit in complaint.limits.iter_mut().filter(|limit| limit.is_owed()) {
        limit.given_up = true;
    }
}

/// Takes the proposal out of a stage that is about to change.
fn take_proposal(complaint: &mut Complaint) -> Option<Box<Proposal>> {
    match std::mem::replace(&mut complaint.stage, Stage::Handling) {
        Stage::Proposed { proposal } | Stage::Approved { proposal } => Some(proposal),
        Stage::Handled { proposal } | Stage::Closed { proposal, .. } => proposal,
        Stage::Filed | Stage::Handling | Stage::Declined => None,
    }
}
