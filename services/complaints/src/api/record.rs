//! The record in full (C3): every text opened, in the order in which the complaint lists them.

use shouwen_access::Failure;
use shouwen_proto::complaints::v1::{CommunicationText, ComplaintRecord};
use shouwen_serving::refusal;
use shouwen_vault::{Place, Sealed, Vault};

use super::{desk, messages};
use crate::domain::{Complaint, codec::timestamp};

/// Opens every text of a complaint.
pub(super) async fn in_full(vault: &Vault, complaint: &Complaint) -> Result<ComplaintRecord, Failure> {
    let mut texts = open(vault, complaint, &fields(complaint)).await?.into_iter();
    let mut next = || texts.next().unwrap_or_default();
    let proposal = complaint.proposal();
    Ok(ComplaintRecord {
        complaint: Some(messages::complaint(complaint)),
        client_name: next(),
        phone: next(),
        subject: next(),
        place: next(),
        course: next(),
        first_proposal: next(),
        persons_involved: next(),
        occur_time: complaint.record.occurred.and_then(timestamp),
        decline_explanation: next(),
        communications: complaint
            .communications
            .iter()
            .map(|_| CommunicationText { person: next(), content: next() })
            .collect(),
        replies: complaint.replies.iter().map(|_| next()).collect(),
        remarks: complaint.remarks.iter().map(|_| next()).collect(),
        proposal: if proposal.is_some() { next() } else { String::new() },
        measures: proposal.into_iter().flat_map(|proposal| &proposal.measures).map(|_| next()).collect(),
    })
}

/// Field and text, in the order in which `in_full` takes them.
fn fields(complaint: &Complaint) -> Vec<(&'static str, Option<&Sealed>)> {
    let record = &complaint.record;
    let mut fields = vec![
        (desk::CLIENT_NAME, record.client_name.as_ref()),
        (desk::PHONE, record.phone.as_ref()),
        (desk::SUBJECT, record.subject.as_ref()),
        (desk::PLACE, record.place.as_ref()),
        (desk::COURSE, record.course.as_ref()),
        (desk::FIRST_PROPOSAL, record.first_proposal.as_ref()),
        (desk::PERSONS_INVOLVED, record.persons_involved.as_ref()),
        (desk::DECLINE_EXPLANATION, complaint.decline_explanation.as_ref()),
    ];
    for communication in &complaint.communications {
        fields.push((desk::PERSON, communication.person.as_ref()));
        fields.push((desk::CONTENT, communication.content.as_ref()));
    }
    fields.extend(complaint.replies.iter().map(|reply| (desk::REPLY, reply.text.as_ref())));
    fields.extend(complaint.remarks.iter().map(|remarks| (desk::REMARKS, Some(remarks))));
    if let Some(proposal) = complaint.proposal() {
        fields.push((desk::PROPOSAL, proposal.text.as_ref()));
        fields.extend(proposal.measures.iter().map(|measure| (desk::MEASURE, measure.text.as_ref())));
    }
    fields
}

/// The texts in order; empty where there is none.
async fn open(
    vault: &Vault,
    complaint: &Complaint,
    fields: &[(&'static str, Option<&Sealed>)],
) -> Result<Vec<String>, Failure> {
    let aggregate = complaint.name.aggregate();
    let failed = |error| refusal::vault(&error);
    let mut sealed = Vec::with_capacity(fields.len());
    for (field, text) in fields {
        if let Some(text) = text {
            sealed.push(text.at(Place { aggregate: &aggregate.0, field }).map_err(failed)?);
        }
    }
    let mut opened = vault.unseal_many(sealed).await.map_err(failed)?.into_iter();
    fields
        .iter()
        .map(|(_, text)| match text {
            Some(_) => opened.next().ok_or_else(Failure::internal)?.map_err(failed),
            None => Ok(String::new()),
        })
        .collect()
}
