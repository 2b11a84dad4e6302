//! What employees do about complaints (C1-C16): each in the name of who did it, on the complaint that a line of the file has filed.

use shouwen_proto::{
    complaints::v1::{
        AcceptComplaintRequest, ApproveProposalRequest, CloseComplaintRequest, Complaint,
        CompleteHandlingRequest, DeclineComplaintRequest, FileComplaintRequest, GetComplaintRequest,
        ProposeHandlingRequest, ProposedMeasure, RecordCommunicationRequest, RecordMeasureRequest,
        RecordReplyRequest, ReopenComplaintRequest, ReturnProposalRequest,
        complaint_service_client::ComplaintServiceClient,
    },
    ownership::v1::Case,
};
use shouwen_serving::timestamps::to_proto;

use super::{
    super::{
        DemoError,
        api::{Refused, Who, request_id},
        input::{Action, ComplaintDeed, Filing},
        simulation::Service,
    },
    Answered, Play,
};

/// A call to a method of complaints that answers with the complaint.
macro_rules! complaint_call {
    ($play:expr, $who:expr, $method:ident, $request:expr) => {
        $play
            .ask($who, $request, |channel, request| async move {
                ComplaintServiceClient::new(channel).$method(request).await
            })
            .await
    };
}

impl<'a> Play<'a> {
    /// The full name of a complaint.
    pub(super) fn complaint(&self, name: &str) -> Option<&str> {
        self.complaints.get(name).map(String::as_str)
    }

    /// `None` where there is no such case.
    pub(super) async fn file_complaint(
        &mut self,
        action: &Action,
        contact: &str,
        filing: &'a Filing,
    ) -> Result<Option<Result<(), Refused>>, DemoError> {
        let Some(case) = self.case_of(contact).await? else {
            let expected = format!("contact {contact} to have led to a case");
            self.note(action.place, &action.name, expected, "it has none");
            return Ok(None);
        };
        self.simulation.called(Service::Complaints);
        let who = &Who::of(format!("employees/{}", action.by));
        let request = record(&case, filing, request_id(&action.text, &action.name));
        let answered = complaint_call!(self, who, file_complaint, request)?;
        Ok(Some(answered.map(|filed| {
            self.complaints.insert(&filing.complaint, filed.name);
        })))
    }

    /// `None` where there is no such complaint.
    pub(super) async fn act_on_complaint(
        &mut self,
        action: &Action,
        complaint: &str,
        deed: &ComplaintDeed,
    ) -> Result<Option<Result<(), Refused>>, DemoError> {
        let Some(name) = self.complaint(complaint).map(str::to_owned) else {
            self.note(action.place, &action.name, format!("{complaint} to have been filed"), "it was not");
            return Ok(None);
        };
        self.simulation.called(Service::Complaints);
        let answered = self.on_complaint(action, deed, name).await?;
        Ok(Some(answered.map(drop)))
    }

    async fn on_complaint(&self, action: &Action, deed: &ComplaintDeed, name: String) -> Answered<Complaint> {
        let who = &Who::of(format!("employees/{}", action.by));
        let (etag, request_id) = (String::new(), request_id(&action.text, &action.name));
        match deed {
            ComplaintDeed::Accept { severity, complex } => {
                let severity = (*severity).into();
                let request = AcceptComplaintRequest { name, severity, complex: *complex, etag, request_id };
                complaint_call!(self, who, accept_complaint, request)
            }
            ComplaintDeed::Decline { explanation } => {
                let explanation = explanation.clone();
                let request = DeclineComplaintRequest { name, explanation, etag, request_id };
                complaint_call!(self, who, decline_complaint, request)
            }
            ComplaintDeed::Communicate { unit, person, content } => {
                let (unit, person, content) = (unit.clone(), person.clone(), content.clone());
                let communicate_time = None;
                let request =
                    RecordCommunicationRequest { name, unit, person, content, communicate_time, request_id };
                complaint_call!(self, who, record_communication, request)
            }
            ComplaintDeed::Reply { kind, text } => {
                let request =
                    RecordReplyRequest { name, kind: (*kind).into(), text: text.clone(), request_id };
                complaint_call!(self, who, record_reply, request)
            }
            ComplaintDeed::Propose { finding, beyond, malicious, proposal, measures } => {
                let measures = measures.iter().map(|measure| ProposedMeasure {
                    responsible: format!("employees/{}", measure.responsible),
                    text: measure.text.clone(),
                });
                let request = ProposeHandlingRequest {
                    name,
                    finding: (*finding).into(),
                    beyond_authority: *beyond,
                    malicious: *malicious,
                    proposal: proposal.clone(),
                    measures: measures.collect(),
                    etag,
                    request_id,
                };
                complaint_call!(self, who, propose_handling, request)
            }
            ComplaintDeed::Approve => {
                // Nobody approves another proposal than the one they read.
                let etag = match self.read_complaint(name.clone()).await? {
                    Ok(complaint) => complaint.etag,
                    Err(refused) => return Ok(Err(refused)),
                };
                let request = ApproveProposalRequest { name, etag, request_id };
                complaint_call!(self, who, approve_proposal, request)
            }
            ComplaintDeed::Return { remarks } => {
                let request = ReturnProposalRequest { name, remarks: remarks.clone(), etag, request_id };
                complaint_call!(self, who, return_proposal, request)
            }
            ComplaintDeed::Measure { measure, done, note } => {
                let (measure, done, note) = (*measure, *done, note.clone());
                let request = RecordMeasureRequest { name, measure, done, note, request_id };
                complaint_call!(self, who, record_measure, request)
            }
            ComplaintDeed::CompleteHandling => {
                let request = CompleteHandlingRequest { name, etag, request_id };
                complaint_call!(self, who, complete_handling, request)
            }
            ComplaintDeed::Reopen { reason } => {
                let request = ReopenComplaintRequest { name, reason: reason.clone(), request_id };
                complaint_call!(self, who, reopen_complaint, request)
            }
            ComplaintDeed::Close { end, reason } => {
                let (end, reason) = ((*end).into(), reason.clone());
                let request = CloseComplaintRequest { name, end, reason, etag, request_id };
                complaint_call!(self, who, close_complaint, request)
            }
        }
    }

    async fn read_complaint(&self, name: String) -> Answered<Complaint> {
        complaint_call!(self, &self.observer, get_complaint, GetComplaintRequest { name })
    }
}

fn record(case: &Case, filing: &Filing, request_id: String) -> FileComplaintRequest {
    let unit = &filing.receiving_unit;
    FileComplaintRequest {
        parent: case.name.clone(),
        kind: filing.kind.into(),
        channel: filing.channel.into(),
        category: filing.category.clone(),
        client_name: filing.client_name.clone(),
        phone: filing.phone.clone(),
        subject: filing.subject.clone(),
        course: filing.course.clone(),
        place: filing.place.clone(),
        first_proposal: filing.first_proposal.clone(),
        complained_about: filing.about.iter().map(|who| format!("employees/{who}")).collect(),
        persons_involved: filing.persons_involved.clone(),
        occur_time: filing.occurred.map(to_proto),
        receive_time: filing.received.map(to_proto),
        request_id,
        receiving_unit: if unit.is_empty() { String::new() } else { format!("branches/{unit}") },
    }
}
