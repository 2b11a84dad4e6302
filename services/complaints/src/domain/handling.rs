//! The handling: contacts with other units, replies, the proposal, its measures, and the word that it is done (C4-C9).

use chrono::{DateTime, Utc};
use shouwen_proto::{
    events::v1::{
        CommunicationRecorded, ComplaintClosed, HandlingCompleted, HandlingProposed, Measure,
        MeasureRecorded, ReplyRecorded, complaints_event::Event,
    },
    r#type::v1::Private,
};
use shouwen_serving::private;

use super::{
    approval, codec,
    command::Proposing,
    complaint::{Complaint, Stage},
    policies,
    rejection::Rejection,
    terms::{End, Finding, ReplyKind},
    transitions::{Setting, illegal},
};

/// C4
pub(super) fn communicate(
    complaint: &Complaint,
    employee: &str,
    unit: &str,
    person: Option<&Private>,
    content: Option<&Private>,
    time: Option<DateTime<Utc>>,
    setting: &Setting<'_>,
) -> Result<Vec<Event>, Rejection> {
    if !complaint.is_open() {
        return Err(illegal(complaint, "RecordCommunication"));
    }
    let time = time.unwrap_or(setting.now);
    if time > setting.now {
        return Err(Rejection::InFuture("communicate_time"));
    }
    Ok(vec![Event::CommunicationRecorded(CommunicationRecorded {
        unit: unit.to_owned(),
        person: person.cloned(),
        communicate_time: codec::timestamp(time),
        content: content.cloned(),
        employee: employee.to_owned(),
    })])
}

/// C5, C7
pub(super) fn reply(
    complaint: &Complaint,
    employee: &str,
    kind: ReplyKind,
    text: Option<&Private>,
) -> Result<Vec<Event>, Rejection> {
    match complaint.stage {
        Stage::Handling | Stage::Proposed { .. }
            if kind == ReplyKind::Outcome && complaint.needs_proposal() =>
        {
            return Err(Rejection::NotApproved(complaint.name.to_string()));
        }
        Stage::Handling | Stage::Proposed { .. } | Stage::Approved { .. } => {}
        Stage::Filed | Stage::Handled { .. } | Stage::Closed { .. } | Stage::Declined => {
            return Err(illegal(complaint, "RecordReply"));
        }
    }
    Ok(vec![Event::ReplyRecorded(ReplyRecorded {
        kind: kind.number(),
        text: text.cloned(),
        employee: employee.to_owned(),
    })])
}

/// C6, C8
pub(super) fn propose(
    complaint: &Complaint,
    employee: &str,
    proposing: &Proposing,
    setting: &Setting<'_>,
) -> Result<Vec<Event>, Rejection> {
    if complaint.stage != Stage::Handling {
        return Err(illegal(complaint, "ProposeHandling"));
    }
    if !complaint.needs_proposal() {
        return Err(Rejection::NoProposalNeeded);
    }
    if proposing.finding != Finding::NotUpheld && proposing.measures.is_empty() {
        return Err(Rejection::MeasuresRequired);
    }
    let acceptance =
        complaint.acceptance.as_ref().ok_or(Rejection::Internal("a complaint is handled unaccepted"))?;
    let policy = policies::policy(complaint, setting.book)?;
    let levels = approval::levels(acceptance.severity, proposing.beyond_authority, &policy.value);
    let measures = (1..).zip(&proposing.measures).map(|(measure, (responsible, text))| Measure {
        measure,
        responsible: responsible.clone(),
        text: text.clone(),
    });
    Ok(vec![Event::HandlingProposed(HandlingProposed {
        finding: proposing.finding.number(),
        beyond_authority: proposing.beyond_authority,
        malicious: proposing.malicious,
        proposal: proposing.text.clone(),
        measures: measures.collect(),
        proposer: employee.to_owned(),
        levels: levels.iter().map(|level| level.number()).collect(),
    })])
}

/// C9
pub(super) fn record_measure(
    complaint: &Complaint,
    employee: &str,
    measure: i32,
    done: bool,
    note: Option<&Private>,
) -> Result<Vec<Event>, Rejection> {
    let proposal = match &complaint.stage {
        Stage::Approved { proposal } => proposal,
        Stage::Handling | Stage::Proposed { .. } => {
            return Err(Rejection::NotApproved(complaint.name.to_string()));
        }
        Stage::Filed | Stage::Handled { .. } | Stage::Closed { .. } | Stage::Declined => {
            return Err(illegal(complaint, "RecordMeasure"));
        }
    };
    if !usize::try_from(measure).is_ok_and(|measure| (1..=proposal.measures.len()).contains(&measure)) {
        return Err(Rejection::MeasureUnknown(measure));
    }
    Ok(vec![Event::MeasureRecorded(MeasureRecorded {
        measure,
        done,
        note: note.cloned(),
        employee: employee.to_owned(),
    })])
}

/// C9: a complaint is verified with its client; what is none is settled by it.
pub(super) fn complete(complaint: &Complaint, employee: &str, client: &str) -> Result<Vec<Event>, Rejection> {
    let needed = match &complaint.stage {
        Stage::Approved { .. } => ReplyKind::Outcome,
        Stage::Handling if !complaint.needs_proposal() => ReplyKind::Definite,
        Stage::Handling | Stage::Proposed { .. } => {
            return Err(Rejection::NotApproved(complaint.name.to_string()));
        }
        Stage::Filed | Stage::Handled { .. } | Stage::Closed { .. } | Stage::Declined => {
            return Err(illegal(complaint, "CompleteHandling"));
        }
    };
    if complaint.told() < Some(needed) {
        return Err(Rejection::ReplyMissing(needed));
    }
    let open = complaint.proposal().map(super::complaint::Proposal::open_measures).unwrap_or_default();
    if !open.is_empty() {
        return Err(Rejection::MeasuresOpen(open));
    }
    let record = &complaint.record;
    let texts = record.phone.as_ref().or(record.subject.as_ref());
    let mut events = vec![Event::HandlingCompleted(HandlingCompleted {
        case: complaint.name.case().to_owned(),
        round: i32::try_from(complaint.round).unwrap_or(i32::MAX),
        employee: employee.to_owned(),
        receiving_unit: complaint.receiving_unit.clone(),
        client: if complaint.client.is_empty() { client.to_owned() } else { complaint.client.clone() },
        phone: record.phone.clone().map(private::message),
        phone_masked: record.phone_masked.clone(),
        subject: record.subject.clone().map(private::message),
        recused: complaint.complained_about.clone(),
        without_verification: !complaint.needs_proposal(),
        text_subject: texts.map(|sealed| sealed.subject.as_str().to_owned()).unwrap_or_default(),
    })];
    if !complaint.needs_proposal() {
        events.push(Event::ComplaintClosed(ComplaintClosed {
            end: End::Answered.number(),
            reason: String::new(),
            case: complaint.name.case().to_owned(),
            employee: employee.to_owned(),
        }));
    }
    Ok(events)
}
