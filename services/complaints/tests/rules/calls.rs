//! Calls of `ComplaintService` in the shortest form, and a complaint led to where a test wants it.

use prost_types::Timestamp;
use shouwen_complaints::domain::codec;
use shouwen_proto::{
    access::v1::CallContext,
    complaints::v1::{
        AcceptComplaintRequest, ApproveProposalRequest, CloseComplaintRequest, Complaint, ComplaintRecord,
        CompleteHandlingRequest, DeclineComplaintRequest, FileComplaintRequest, GetComplaintRecordRequest,
        GetComplaintRequest, Limit, ProposeHandlingRequest, ProposedMeasure, RecordCommunicationRequest,
        RecordMeasureRequest, RecordReplyRequest, ReopenComplaintRequest, ReturnProposalRequest,
        ReviewComplaintRequest,
    },
    events::v1::{
        CallbackExhausted, ComplaintEnd, ComplaintKind, ComplaintLimit, Finding, ReplyKind, Severity,
        callbacks_event,
    },
    r#type::v1::Channel,
};
use tonic::{Response, Status};

use crate::{
    bench::at,
    people::{handler, lead, officer, request_id, request_of},
    service::Bed,
};

pub(crate) type Answer = Result<Complaint, Status>;

/// A record form with every field.
pub(crate) fn form(case: &str) -> FileComplaintRequest {
    FileComplaintRequest {
        parent: case.into(),
        kind: ComplaintKind::Complaint.into(),
        channel: Channel::Phone.into(),
        category: "trading-system".into(),
        client_name: "王小明".into(),
        phone: "138 1234 5678".into(),
        subject: "order was not placed".into(),
        course: "called twice, nobody answered".into(),
        place: "counter 3".into(),
        first_proposal: "check the log".into(),
        complained_about: Vec::new(),
        persons_involved: "his brother".into(),
        occur_time: None,
        receive_time: None,
        request_id: request_id(),
        receiving_unit: String::new(),
    }
}

pub(crate) fn proto(text: &str) -> Option<Timestamp> {
    codec::timestamp(at(text))
}

/// A limit of the present round.
pub(crate) fn limit(complaint: &Complaint, kind: ComplaintLimit) -> Limit {
    let mut limits = complaint.limits.iter();
    *limits.find(|limit| limit.limit() == kind && limit.round == complaint.round).unwrap()
}

pub(crate) fn proposal(name: &str) -> ProposeHandlingRequest {
    ProposeHandlingRequest {
        name: name.into(),
        finding: Finding::PartlyUpheld.into(),
        beyond_authority: false,
        malicious: false,
        proposal: "apologise and mend".into(),
        measures: vec![
            ProposedMeasure { responsible: "employees/wu".into(), text: "train the desk".into() },
            ProposedMeasure { responsible: "employees/zhao".into(), text: "repair the line".into() },
        ],
        etag: String::new(),
        request_id: request_id(),
    }
}

macro_rules! call {
    ($bed:expr, $who:expr, $method:ident, $request:expr) => {
        $bed.client().$method(request_of($who, $request)).await.map(Response::into_inner)
    };
}

impl Bed {
    pub(crate) async fn file(&self, who: &CallContext, form: FileComplaintRequest) -> Answer {
        call!(self, who, file_complaint, form)
    }

    pub(crate) async fn get(&self, who: &CallContext, name: &str) -> Answer {
        call!(self, who, get_complaint, GetComplaintRequest { name: name.into() })
    }

    pub(crate) async fn accept_as(&self, who: &CallContext, name: &str, severity: Severity) -> Answer {
        let request = AcceptComplaintRequest {
            name: name.into(),
            severity: severity.into(),
            complex: false,
            etag: String::new(),
            request_id: request_id(),
        };
        call!(self, who, accept_complaint, request)
    }

    pub(crate) async fn accept(&self, case: &str, name: &str) -> Answer {
        self.accept_as(&officer(case), name, Severity::Minor).await
    }

    pub(crate) async fn decline(&self, who: &CallContext, name: &str, explanation: &str) -> Answer {
        let request = DeclineComplaintRequest {
            name: name.into(),
            explanation: explanation.into(),
            etag: String::new(),
            request_id: request_id(),
        };
        call!(self, who, decline_complaint, request)
    }

    pub(crate) async fn communicate(&self, who: &CallContext, name: &str, time: Option<Timestamp>) -> Answer {
        let request = RecordCommunicationRequest {
            name: name.into(),
            unit: "IT department".into(),
            person: "Li Lei".into(),
            content: "asked for the log".into(),
            communicate_time: time,
            request_id: request_id(),
        };
        call!(self, who, record_communication, request)
    }

    pub(crate) async fn reply(&self, who: &CallContext, name: &str, kind: ReplyKind) -> Answer {
        let request = RecordReplyRequest {
            name: name.into(),
            kind: kind.into(),
            text: "we are looking into it".into(),
            request_id: request_id(),
        };
        call!(self, who, record_reply, request)
    }

    pub(crate) async fn propose(&self, who: &CallContext, request: ProposeHandlingRequest) -> Answer {
        call!(self, who, propose_handling, request)
    }

    pub(crate) async fn approve(&self, who: &CallContext, name: &str, etag: &str) -> Answer {
        let request =
            ApproveProposalRequest { name: name.into(), etag: etag.into(), request_id: request_id() };
        call!(self, who, approve_proposal, request)
    }

    pub(crate) async fn send_back(&self, who: &CallContext, name: &str) -> Answer {
        let request = ReturnProposalRequest {
            name: name.into(),
            remarks: "measures are too weak".into(),
            etag: String::new(),
            request_id: request_id(),
        };
        call!(self, who, return_proposal, request)
    }

    pub(crate) async fn measure(&self, who: &CallContext, name: &str, measure: i32, done: bool) -> Answer {
        let request = RecordMeasureRequest {
            name: name.into(),
            measure,
            done,
            note: if done { String::new() } else { "waits for parts".into() },
            request_id: request_id(),
        };
        call!(self, who, record_measure, request)
    }

    pub(crate) async fn complete(&self, who: &CallContext, name: &str) -> Answer {
        let request =
            CompleteHandlingRequest { name: name.into(), etag: String::new(), request_id: request_id() };
        call!(self, who, complete_handling, request)
    }

    pub(crate) async fn reopen(&self, who: &CallContext, name: &str, reason: &str) -> Answer {
        let request =
            ReopenComplaintRequest { name: name.into(), reason: reason.into(), request_id: request_id() };
        call!(self, who, reopen_complaint, request)
    }

    pub(crate) async fn close(&self, who: &CallContext, name: &str, end: ComplaintEnd) -> Answer {
        let request = CloseComplaintRequest {
            name: name.into(),
            end: end.into(),
            reason: "explained at the counter".into(),
            etag: String::new(),
            request_id: request_id(),
        };
        call!(self, who, close_complaint, request)
    }

    pub(crate) async fn record(
        &self,
        who: &CallContext,
        request: GetComplaintRecordRequest,
    ) -> Result<ComplaintRecord, Status> {
        call!(self, who, get_complaint_record, request)
    }

    pub(crate) async fn review(&self, who: &CallContext, name: &str) -> Result<ComplaintRecord, Status> {
        let request = ReviewComplaintRequest {
            name: name.into(),
            purpose: "to approve it".into(),
            request_id: request_id(),
        };
        call!(self, who, review_complaint, request)
    }

    /// A complaint of the case `cases/{id}`, filed by its handler zhang; answers its name.
    pub(crate) async fn filed(&self, id: &str) -> String {
        let case = format!("cases/{id}");
        self.open_case(&case, "7").await;
        self.file(&handler("zhang", &case), form(&case)).await.unwrap().name
    }

    /// The same, accepted as a minor one.
    pub(crate) async fn accepted(&self, id: &str) -> String {
        let name = self.filed(id).await;
        self.accept(&format!("cases/{id}"), &name).await.unwrap();
        name
    }

    /// The attempts to verify a round of a complaint are used up, as callbacks tells; taken in.
    pub(crate) async fn exhausted(&self, name: &str, round: i32) {
        let id = name.rsplit('/').next().unwrap();
        let event = callbacks_event::Event::CallbackExhausted(CallbackExhausted {});
        self.callback_event_at(&format!("callbacks/{id}-{round}"), self.now().await, event);
        self.caught_up().await;
    }

    /// Leads an accepted complaint through proposal, approval, measures and outcome to the end of its handling.
    pub(crate) async fn handle(&self, case: &str, name: &str) -> Complaint {
        let zhang = handler("zhang", case);
        let proposed = self.propose(&zhang, proposal(name)).await.unwrap();
        self.approve(&lead(case), name, &proposed.etag).await.unwrap();
        for measure in [1, 2] {
            self.measure(&zhang, name, measure, true).await.unwrap();
        }
        self.reply(&zhang, name, ReplyKind::Outcome).await.unwrap();
        self.complete(&zhang, name).await.unwrap()
    }
}
