//! Approval, level by level (C6): how many depends on severity, nobody approves what they proposed or two levels of one proposal (P3), and every level
//! may return it.

use shouwen_policy::ComplaintsPolicy;
use shouwen_proto::{
    events::v1::{ProposalApproved, ProposalReturned, complaints_event::Event},
    r#type::v1::Private,
};

use super::{
    command::Who,
    complaint::{Complaint, Proposal, Stage},
    rejection::Rejection,
    terms::{ApprovalLevel, Severity},
    transitions::illegal,
};

/// Who approves, lowest first. What is beyond authority goes to the company leader in any case (C8).
pub fn levels(
    severity: Severity,
    beyond_authority: bool,
    policy: &ComplaintsPolicy,
) -> &'static [ApprovalLevel] {
    let count = match severity {
        _ if beyond_authority => 3,
        Severity::Minor => policy.minor_approval_levels,
        Severity::Serious => policy.serious_approval_levels,
        Severity::Grave => policy.grave_approval_levels,
    };
    let all = &ApprovalLevel::ALL;
    all.get(..usize::try_from(count).unwrap_or(usize::MAX)).unwrap_or(all)
}

pub(super) fn approve(complaint: &Complaint, who: &Who) -> Result<Vec<Event>, Rejection> {
    let (proposal, level) = waiting(complaint, "ApproveProposal")?;
    if proposal.proposer == who.employee || proposal.was_approved_by(&who.employee) {
        return Err(Rejection::SecondPersonRequired);
    }
    reaches(who, level)?;
    Ok(vec![Event::ProposalApproved(ProposalApproved {
        level: level.number(),
        approver: who.employee.clone(),
        r#final: proposal.open_levels().len() == 1,
    })])
}

/// Who approved a lower level may still return the proposal: otherwise one whose open level only they reach would wait for ever.
pub(super) fn send_back(
    complaint: &Complaint,
    who: &Who,
    remarks: Option<&Private>,
) -> Result<Vec<Event>, Rejection> {
    let (proposal, level) = waiting(complaint, "ReturnProposal")?;
    if proposal.proposer == who.employee {
        return Err(Rejection::SecondPersonRequired);
    }
    if !proposal.was_approved_by(&who.employee) {
        reaches(who, level)?;
    }
    Ok(vec![Event::ProposalReturned(ProposalReturned {
        level: level.number(),
        approver: who.employee.clone(),
        remarks: remarks.cloned(),
    })])
}

/// The proposal that waits for approval, and its lowest open level.
fn waiting<'a>(
    complaint: &'a Complaint,
    action: &'static str,
) -> Result<(&'a Proposal, ApprovalLevel), Rejection> {
    let Stage::Proposed { proposal } = &complaint.stage else { return Err(illegal(complaint, action)) };
    let level = proposal.open_levels().first();
    level
        .map(|level| (&**proposal, *level))
        .ok_or(Rejection::Internal("a proposal waits for no level's approval"))
}

fn reaches(who: &Who, level: ApprovalLevel) -> Result<(), Rejection> {
    if who.authority >= Some(level) { Ok(()) } else { Err(Rejection::LevelTooHigh(level)) }
}
