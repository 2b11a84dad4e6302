//! The end, and what is no end: the client's word or its absence, reopening, closing by a lead (C9-C11, O8); and the showing of a record (L10).

use shouwen_proto::events::v1::{
    ComplaintClosed, ComplaintRecordShown, ComplaintReopened, VerificationExhausted, VerificationRecorded,
    complaints_event::Event,
};

use super::{
    command::Verify,
    complaint::{Attempts, Complaint, Stage},
    limits,
    policies::InForce,
    rejection::Rejection,
    terms::{End, Measures},
    transitions::{Setting, illegal},
};

/// The client was called back. Satisfied ends the complaint; anything else sends it back, with the reason (C10). A result of a former round, or one that
/// comes after a lead's word, is on record and changes nothing else (C11).
pub(super) fn verified(
    complaint: &Complaint,
    verify: &Verify,
    setting: &Setting<'_>,
) -> Result<Vec<Event>, Rejection> {
    if verify.round > complaint.round || verify.round == 0 {
        return Err(Rejection::RoundUnknown { name: complaint.name.to_string(), round: verify.round });
    }
    let mut events = vec![Event::VerificationRecorded(VerificationRecorded {
        round: i32::try_from(verify.round).unwrap_or(i32::MAX),
        callback: verify.callback.clone(),
        satisfied: verify.satisfied,
        measures: verify.measures.map(Measures::number).unwrap_or_default(),
        employee: verify.employee.clone(),
        supersedes_reason: verify.supersedes_reason.clone(),
    })];
    if verify.round < complaint.round {
        return Ok(events);
    }
    let satisfied = verify.satisfied || setting.mutants.dissatisfied_does_not_reopen;
    match &complaint.stage {
        Stage::Handled { .. } if satisfied => {
            events.push(closed(complaint, "", End::Satisfied, ""));
        }
        Stage::Handled { .. } | Stage::Closed { end: End::Satisfied | End::Unreachable, .. }
            if !satisfied =>
        {
            events.push(reopened(complaint, reason(verify), setting)?);
        }
        _ => {}
    }
    Ok(events)
}

/// B6: the attempts to verify a round are used up. Of a former round, or after the end, that means nothing any more.
pub(super) fn exhausted(complaint: &Complaint, round: u32) -> Vec<Event> {
    let matters = round == complaint.round
        && matches!(complaint.stage, Stage::Handled { .. })
        && complaint.attempts != Some(Attempts::UsedUp);
    let exhausted = VerificationExhausted {
        round: i32::try_from(round).unwrap_or(i32::MAX),
        callback: complaint.verification(),
    };
    matters.then_some(Event::VerificationExhausted(exhausted)).into_iter().collect()
}

/// Why a verification sends a complaint back.
fn reason(verify: &Verify) -> &'static str {
    match verify.measures {
        _ if !verify.supersedes_reason.is_empty() => "superseded",
        Some(Measures::NotCarriedOut | Measures::WithoutEffect) => "measures",
        Some(Measures::CarriedOut) | None => "dissatisfied",
    }
}

pub(super) fn reopen(
    complaint: &Complaint,
    reason: &str,
    setting: &Setting<'_>,
) -> Result<Vec<Event>, Rejection> {
    let possible = match &complaint.stage {
        Stage::Handled { .. } | Stage::Closed { .. } | Stage::Declined => true,
        // C10: what was approved cannot be carried out.
        Stage::Approved { proposal } => proposal.has_failed(),
        Stage::Filed | Stage::Handling | Stage::Proposed { .. } => false,
    };
    if !possible {
        return Err(illegal(complaint, "ReopenComplaint"));
    }
    Ok(vec![reopened(complaint, reason, setting)?])
}

/// A lead's word: the client cannot be reached (O8), or stays dissatisfied although the handling was right (C10).
pub(super) fn close(
    complaint: &Complaint,
    employee: &str,
    end: End,
    reason: &str,
) -> Result<Vec<Event>, Rejection> {
    let possible = match complaint.stage {
        Stage::Handled { .. } => true,
        Stage::Handling | Stage::Proposed { .. } | Stage::Approved { .. } => complaint.was_sent_back(),
        Stage::Filed | Stage::Closed { .. } | Stage::Declined => false,
    };
    if !possible {
        return Err(illegal(complaint, "CloseComplaint"));
    }
    // O8, B6
    if end == End::Unreachable && complaint.attempts == Some(Attempts::Open) {
        return Err(Rejection::AttemptsOpen(complaint.verification()));
    }
    Ok(vec![closed(complaint, employee, end, reason)])
}

/// L10
pub(super) fn show(employee: &str, purpose: &str) -> Vec<Event> {
    vec![Event::ComplaintRecordShown(ComplaintRecordShown {
        employee: employee.to_owned(),
        purpose: purpose.to_owned(),
    })]
}

fn closed(complaint: &Complaint, employee: &str, end: End, reason: &str) -> Event {
    Event::ComplaintClosed(ComplaintClosed {
        end: end.number(),
        reason: reason.to_owned(),
        case: complaint.name.case().to_owned(),
        employee: employee.to_owned(),
    })
}

/// New limits from the cause on. What was declined waits for the complaint officer again.
fn reopened(complaint: &Complaint, reason: &str, setting: &Setting<'_>) -> Result<Event, Rejection> {
    let in_force = InForce::of(complaint, setting.at, setting.at, setting)?;
    let limits = match complaint.stage {
        Stage::Declined => vec![limits::acceptance(setting.at, in_force.rules())],
        _ => limits::handling(setting.at, complaint.terms(), in_force.rules()),
    };
    Ok(Event::ComplaintReopened(ComplaintReopened {
        reason: reason.to_owned(),
        case: complaint.name.case().to_owned(),
        limits,
        calendar_version: in_force.calendar_version(),
    }))
}
