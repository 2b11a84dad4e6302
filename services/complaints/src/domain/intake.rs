//! Taking a record form in: filed, accepted with its limits, or declined with an explanation (C1-C3, C5-C7, C15, C16).

use shouwen_proto::{
    events::v1::{ComplaintAccepted, ComplaintDeclined, ComplaintFiled, complaints_event::Event},
    r#type::v1::Private,
};

use super::{
    codec,
    command::Filing,
    complaint::{Complaint, Stage},
    limits::{self, Terms},
    policies::InForce,
    rejection::Rejection,
    terms::Severity,
    transitions::{Setting, illegal},
};

/// The event that records a form. Anybody may file, also who it is about.
pub fn file(filing: &Filing, setting: &Setting<'_>) -> Result<Event, Rejection> {
    if filing.occurred.is_some_and(|occurred| occurred > setting.now) {
        return Err(Rejection::InFuture("occur_time"));
    }
    let received = filing.received.unwrap_or(setting.at);
    if received > setting.now {
        return Err(Rejection::InFuture("receive_time"));
    }
    let in_force = InForce::beginning(&filing.receiving_unit, setting);
    Ok(Event::ComplaintFiled(ComplaintFiled {
        complaint: filing.name.to_string(),
        case: filing.name.case().to_owned(),
        kind: filing.kind.number(),
        channel: filing.channel.number(),
        category: filing.category.clone(),
        receiving_unit: filing.receiving_unit.clone(),
        client: filing.client.clone(),
        client_name: filing.client_name.clone(),
        client_name_masked: filing.client_name_masked.clone(),
        phone: filing.phone.clone(),
        phone_masked: filing.phone_masked.clone(),
        subject: filing.subject.clone(),
        place: filing.place.clone(),
        course: filing.course.clone(),
        first_proposal: filing.first_proposal.clone(),
        occur_time: filing.occurred.and_then(codec::timestamp),
        complained_about: filing.complained_about.clone(),
        persons_involved: filing.persons_involved.clone(),
        receive_time: codec::timestamp(received),
        filed_by: filing.filed_by.clone(),
        acceptance: Some(limits::acceptance(setting.at, in_force.rules())),
        policy_version: in_force.policy_version(),
        calendar_version: in_force.calendar_version(),
    }))
}

pub(super) fn accept(
    complaint: &Complaint,
    employee: &str,
    severity: Severity,
    complex: bool,
    vip: bool,
    setting: &Setting<'_>,
) -> Result<Vec<Event>, Rejection> {
    if complaint.stage != Stage::Filed {
        return Err(illegal(complaint, "AcceptComplaint"));
    }
    let in_force = InForce::beginning(&complaint.receiving_unit, setting);
    let terms = Terms { kind: complaint.kind, complex, vip };
    Ok(vec![Event::ComplaintAccepted(ComplaintAccepted {
        number: number(complaint, setting)?,
        severity: severity.number(),
        complex,
        accepted_by: employee.to_owned(),
        vip,
        limits: limits::handling(setting.at, terms, in_force.rules()),
        policy_version: in_force.policy_version(),
        calendar_version: in_force.calendar_version(),
    })])
}

pub(super) fn decline(
    complaint: &Complaint,
    employee: &str,
    explanation: Option<&Private>,
    setting: &Setting<'_>,
) -> Result<Vec<Event>, Rejection> {
    if complaint.stage != Stage::Filed {
        return Err(illegal(complaint, "DeclineComplaint"));
    }
    Ok(vec![Event::ComplaintDeclined(ComplaintDeclined {
        number: number(complaint, setting)?,
        explanation: explanation.cloned(),
        declined_by: employee.to_owned(),
        case: complaint.name.case().to_owned(),
    })])
}

/// C15: once given, a number stays.
fn number(complaint: &Complaint, setting: &Setting<'_>) -> Result<String, Rejection> {
    complaint
        .number
        .as_deref()
        .or(setting.number)
        .map(str::to_owned)
        .ok_or(Rejection::Internal("a complaint was to get a number and there was none"))
}
