//! States as the contract shows them: names and phones masked, texts left out (L10).

use std::cmp::Reverse;

use shouwen_proto::complaints::v1::{
    Approval, Communication, Complaint as ComplaintMessage, Limit as LimitMessage, Measure,
    Proposal as ProposalMessage, Reply, Verification, complaint::State,
};

use crate::domain::{
    Complaint, Stage,
    codec::timestamp,
    complaint::Proposal,
    limits::Limit,
    terms::{self, ApprovalLevel, End, Measures},
};

/// A complaint as lists and answers show it.
pub(super) fn complaint(complaint: &Complaint) -> ComplaintMessage {
    let acceptance = complaint.acceptance.as_ref();
    let mut limits: Vec<&Limit> = complaint.limits.iter().collect();
    limits.sort_by_key(|limit| Reverse(limit.round));
    ComplaintMessage {
        name: complaint.name.to_string(),
        etag: complaint.revision.to_string(),
        number: complaint.number.clone().unwrap_or_default(),
        kind: complaint.kind.number(),
        channel: complaint.channel.number(),
        category: complaint.category.clone(),
        receiving_unit: complaint.receiving_unit.clone(),
        client: complaint.client.clone(),
        client_name: complaint.record.client_name_masked.clone(),
        phone: complaint.record.phone_masked.clone(),
        complained_about: complaint.complained_about.clone(),
        state: state(&complaint.stage).into(),
        severity: acceptance.map(|acceptance| acceptance.severity.number()).unwrap_or_default(),
        complex: acceptance.is_some_and(|acceptance| acceptance.complex),
        round: number(complaint.round),
        limits: limits.into_iter().map(limit).collect(),
        communications: complaint
            .communications
            .iter()
            .map(|communication| Communication {
                unit: communication.unit.clone(),
                time: timestamp(communication.time),
                employee: communication.employee.clone(),
            })
            .collect(),
        replies: complaint
            .replies
            .iter()
            .map(|reply| Reply {
                kind: reply.kind.number(),
                time: timestamp(reply.time),
                employee: reply.employee.clone(),
                round: number(reply.round),
            })
            .collect(),
        proposal: complaint.proposal().map(proposal),
        verifications: complaint
            .verifications
            .iter()
            .map(|verification| Verification {
                round: number(verification.round),
                callback: verification.callback.clone(),
                satisfied: verification.satisfied,
                measures: verification.measures.map(Measures::number).unwrap_or_default(),
                employee: verification.employee.clone(),
                time: timestamp(verification.time),
                superseded: verification.superseded,
            })
            .collect(),
        end: end(&complaint.stage).map(End::number).unwrap_or_default(),
        filed_by: complaint.filed_by.clone(),
        accepted_by: acceptance.map(|acceptance| acceptance.by.clone()).unwrap_or_default(),
        receive_time: timestamp(complaint.received),
        create_time: timestamp(complaint.filed),
        accept_time: acceptance.and_then(|acceptance| timestamp(acceptance.time)),
        handle_time: complaint.handled.and_then(timestamp),
        close_time: complaint.closed.and_then(timestamp),
        vip: acceptance.is_some_and(|acceptance| acceptance.vip),
    }
}

fn state(stage: &Stage) -> State {
    match stage {
        Stage::Filed => State::Filed,
        Stage::Handling => State::Handling,
        Stage::Proposed { .. } => State::Proposed,
        Stage::Approved { .. } => State::Approved,
        Stage::Handled { .. } => State::Handled,
        Stage::Closed { .. } => State::Closed,
        Stage::Declined => State::Declined,
    }
}

fn end(stage: &Stage) -> Option<End> {
    match stage {
        Stage::Closed { end, .. } => Some(*end),
        Stage::Declined => Some(End::Declined),
        _ => None,
    }
}

fn limit(limit: &Limit) -> LimitMessage {
    LimitMessage {
        limit: limit.kind.number(),
        round: number(limit.round),
        due_time: timestamp(limit.due),
        met_time: limit.met.and_then(timestamp),
        missed: limit.missed,
        provisional: limit.provisional,
        escalation: limit.reached.map(|level| terms::escalation(level).into()).unwrap_or_default(),
    }
}

fn proposal(proposal: &Proposal) -> ProposalMessage {
    ProposalMessage {
        finding: proposal.finding.number(),
        beyond_authority: proposal.beyond_authority,
        malicious: proposal.malicious,
        measures: (1..)
            .zip(&proposal.measures)
            .map(|(measure, it)| Measure {
                measure,
                responsible: it.responsible.clone(),
                done: it.done == Some(true),
                not_done: it.done == Some(false),
            })
            .collect(),
        proposer: proposal.proposer.clone(),
        approvals: proposal
            .approvals
            .iter()
            .map(|approval| Approval {
                level: approval.level.number(),
                approver: approval.approver.clone(),
                time: timestamp(approval.time),
            })
            .collect(),
        open_levels: proposal.open_levels().iter().copied().map(ApprovalLevel::number).collect(),
    }
}

fn number(round: u32) -> i32 {
    i32::try_from(round).unwrap_or(i32::MAX)
}
