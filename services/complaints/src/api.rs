//! `ComplaintService`: protobuf to commands and states to protobuf. What is possible when, and by whom, is the domain's.

mod desk;
mod failures;
mod filter;
mod messages;
mod parse;
mod record;
mod roster;

use shouwen_access::{Caller, Failure, PageTokens, page_token::Query};
use shouwen_engine::Engine;
use shouwen_proto::complaints::v1::{
    AcceptComplaintRequest, ApproveProposalRequest, CloseComplaintRequest, Complaint as ComplaintMessage,
    ComplaintRecord, CompleteHandlingRequest, DeclineComplaintRequest, FileComplaintRequest,
    GetComplaintRecordRequest, GetComplaintRequest, ListComplaintsRequest, ListComplaintsResponse,
    ProposeHandlingRequest, RecordCommunicationRequest, RecordMeasureRequest, RecordReplyRequest,
    ReopenComplaintRequest, ReturnProposalRequest, ReviewComplaintRequest, complaint_service_server,
};
use shouwen_runtime::ids;
use shouwen_serving::{Call, page, refusal};
use shouwen_vault::Vault;
use tonic::{Request, Response, Status};

use crate::{
    domain::{Command, ComplaintName, Rejection, command::Action},
    store::{self, projections},
    write_path::ComplaintsDomain,
};
use desk::{Done, Words};

/// Serves `ComplaintService`.
pub(crate) struct Api {
    pub(crate) engine: Engine<ComplaintsDomain>,
    pub(crate) vault: Vault,
    pub(crate) pages: PageTokens,
}

#[tonic::async_trait]
impl complaint_service_server::ComplaintService for Api {
    async fn file_complaint(
        &self,
        request: Request<FileComplaintRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "FileComplaint", &request.get_ref().request_id)?;
        let filed_by = call.caller.require_employee()?.to_string();
        let form = parse::form(request.get_ref(), &call.caller)?;
        let case = desk::case_in_view(&call.caller, &request.get_ref().parent)?;
        let known = self.known_case(case).await?;
        self.in_roster(&form.about()).await?;
        let name = ComplaintName::below(case, &ids::new_v7().to_string()).map_err(|_| Failure::internal())?;
        let words = Words { vault: &self.vault, subject: desk::subject(&known), complaint: name.aggregate() };
        let filing = words.filing(form, name, known.client, filed_by).await?;
        let command = Command::File(Box::new(filing));
        Ok(Done::of(call.submit(&self.engine, call.submission(command)).await?)?.respond())
    }

    async fn accept_complaint(
        &self,
        request: Request<AcceptComplaintRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "AcceptComplaint", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let severity = parse::severity(request.severity)?;
        let complaint = self.received(&call.caller, &request.name).await?;
        let client = self.client_of(&complaint).await?;
        let vip = projections::is_marked(self.engine.pool(), &client)
            .await
            .map_err(|error| refusal::database(&error))?;
        let action = Action::Accept { severity, complex: request.complex, vip };
        Ok(self.act(&call, &complaint, &request.etag, action).await?.respond())
    }

    async fn decline_complaint(
        &self,
        request: Request<DeclineComplaintRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "DeclineComplaint", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let explanation = parse::required("explanation", &request.explanation, parse::LONG)?;
        let complaint = self.received(&call.caller, &request.name).await?;
        let [explanation] = self.words(&complaint)?.seal([(desk::DECLINE_EXPLANATION, explanation)]).await?;
        let action = Action::Decline { explanation };
        Ok(self.act(&call, &complaint, &request.etag, action).await?.respond())
    }

    async fn record_communication(
        &self,
        request: Request<RecordCommunicationRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "RecordCommunication", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let unit = parse::required("unit", &request.unit, parse::SHORT)?.to_owned();
        let person = parse::required("person", &request.person, parse::SHORT)?;
        let content = parse::required("content", &request.content, parse::LONG)?;
        let time = parse::time("communicate_time", request.communicate_time.as_ref())?;
        let complaint = self.reachable(&call.caller, &request.name).await?;
        let [person, content] =
            self.words(&complaint)?.seal([(desk::PERSON, person), (desk::CONTENT, content)]).await?;
        let action = Action::Communicate { unit, person, content, time };
        Ok(self.act(&call, &complaint, "", action).await?.respond())
    }

    async fn record_reply(
        &self,
        request: Request<RecordReplyRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "RecordReply", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let kind = parse::reply_kind(request.kind)?;
        let text = parse::required("text", &request.text, parse::LONG)?;
        let complaint = self.reachable(&call.caller, &request.name).await?;
        let [text] = self.words(&complaint)?.seal([(desk::REPLY, text)]).await?;
        Ok(self.act(&call, &complaint, "", Action::Reply { kind, text }).await?.respond())
    }

    async fn propose_handling(
        &self,
        request: Request<ProposeHandlingRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "ProposeHandling", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let wanted = parse::proposal(request)?;
        let complaint = self.reachable(&call.caller, &request.name).await?;
        self.in_roster(&wanted.responsible()).await?;
        let proposing = self.words(&complaint)?.proposing(wanted).await?;
        Ok(self.act(&call, &complaint, &request.etag, Action::Propose(proposing)).await?.respond())
    }

    async fn approve_proposal(
        &self,
        request: Request<ApproveProposalRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "ApproveProposal", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let etag = parse::etag(&request.etag)?;
        let complaint = self.reachable(&call.caller, &request.name).await?;
        Ok(self.act(&call, &complaint, etag, Action::Approve).await?.respond())
    }

    async fn return_proposal(
        &self,
        request: Request<ReturnProposalRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "ReturnProposal", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let remarks = parse::required("remarks", &request.remarks, parse::LONG)?;
        let complaint = self.reachable(&call.caller, &request.name).await?;
        let [remarks] = self.words(&complaint)?.seal([(desk::REMARKS, remarks)]).await?;
        Ok(self.act(&call, &complaint, &request.etag, Action::Return { remarks }).await?.respond())
    }

    async fn record_measure(
        &self,
        request: Request<RecordMeasureRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "RecordMeasure", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let note = parse::note(request)?;
        let complaint = self.reachable(&call.caller, &request.name).await?;
        let [note] = self.words(&complaint)?.seal([(desk::NOTE, note)]).await?;
        let action = Action::RecordMeasure { measure: request.measure, done: request.done, note };
        Ok(self.act(&call, &complaint, "", action).await?.respond())
    }

    async fn complete_handling(
        &self,
        request: Request<CompleteHandlingRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "CompleteHandling", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let complaint = self.reachable(&call.caller, &request.name).await?;
        let client = self.client_of(&complaint).await?;
        Ok(self.act(&call, &complaint, &request.etag, Action::Complete { client }).await?.respond())
    }

    async fn reopen_complaint(
        &self,
        request: Request<ReopenComplaintRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "ReopenComplaint", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let reason = parse::required("reason", &request.reason, parse::MIDDLE)?.to_owned();
        let complaint = self.received(&call.caller, &request.name).await?;
        Ok(self.act(&call, &complaint, "", Action::Reopen { reason }).await?.respond())
    }

    async fn close_complaint(
        &self,
        request: Request<CloseComplaintRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let call = Call::mutation(&request, "CloseComplaint", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let end = parse::leads_end(request.end)?;
        let reason = parse::required("reason", &request.reason, parse::MIDDLE)?.to_owned();
        let complaint = self.received(&call.caller, &request.name).await?;
        Ok(self.act(&call, &complaint, &request.etag, Action::Close { end, reason }).await?.respond())
    }

    async fn get_complaint(
        &self,
        request: Request<GetComplaintRequest>,
    ) -> Result<Response<ComplaintMessage>, Status> {
        let caller = Caller::from_request(&request)?;
        let complaint = self.reachable(caller, &request.get_ref().name).await?;
        // O12
        if caller.employee.as_ref().is_some_and(|employee| complaint.is_about(employee.as_str())) {
            return Err(Failure::from(Rejection::Recused(complaint.name.to_string())).into());
        }
        Ok(Response::new(messages::complaint(&complaint)))
    }

    async fn list_complaints(
        &self,
        request: Request<ListComplaintsRequest>,
    ) -> Result<Response<ListComplaintsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.get_ref();
        let mut filter = filter::parse(&request.filter)?;
        filter.units = parse::units(&request.parent, caller)?;
        // O12
        filter.not_about = caller.employee.as_ref().map(ToString::to_string);
        let size = page::size(request.page_size, 50, 200)?;
        let arguments = [request.parent.as_str(), request.filter.as_str()];
        let query = Query { method: "ListComplaints", caller, arguments: &arguments };
        let before = self.pages.open(&query, &request.page_token)?.map(parse::position).transpose()?;
        // One more than asked for tells whether there is a next page.
        let complaints = store::list(self.engine.pool(), &filter, before.as_deref(), size + 1)
            .await
            .map_err(|error| refusal::database(&error))?;
        let (complaints, more) = page::cut(complaints, size);
        let next_page_token = complaints
            .last()
            .filter(|_| more)
            .map_or_else(String::new, |last| self.pages.issue(&query, last.name.aggregate().0.as_bytes()));
        let complaints = complaints.iter().map(messages::complaint).collect();
        Ok(Response::new(ListComplaintsResponse { complaints, next_page_token }))
    }

    async fn get_complaint_record(
        &self,
        request: Request<GetComplaintRecordRequest>,
    ) -> Result<Response<ComplaintRecord>, Status> {
        let call = Call::mutation(&request, "GetComplaintRecord", &request.get_ref().request_id)?;
        let request = request.get_ref();
        Ok(Response::new(self.show(&call, &request.name, &request.purpose).await?))
    }

    async fn review_complaint(
        &self,
        request: Request<ReviewComplaintRequest>,
    ) -> Result<Response<ComplaintRecord>, Status> {
        let call = Call::mutation(&request, "ReviewComplaint", &request.get_ref().request_id)?;
        let request = request.get_ref();
        Ok(Response::new(self.show(&call, &request.name, &request.purpose).await?))
    }
}
