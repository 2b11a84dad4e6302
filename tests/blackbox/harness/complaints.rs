//! Complaints as employees enter them and carry them through: requests filled in completely, and the few steps that wait for another service.

use shouwen_proto::{
    complaints::v1::{
        AcceptComplaintRequest, ApproveProposalRequest, Complaint, CompleteHandlingRequest,
        FileComplaintRequest, GetComplaintRequest, ProposeHandlingRequest, ProposedMeasure,
        RecordMeasureRequest, RecordReplyRequest,
    },
    events::v1::{ComplaintKind, Finding, ReplyKind, Severity},
    r#type::v1::Channel,
};
use shouwen_testkit::until;

use super::{Client, PATIENCE, client::id, requests::CALLER, steps::once_not};

/// A complaint about these employees, by phone.
pub(crate) fn file(case: &str, about: &[&str]) -> FileComplaintRequest {
    FileComplaintRequest {
        parent: case.to_owned(),
        kind: ComplaintKind::Complaint.into(),
        channel: Channel::Phone.into(),
        category: "service-attitude".to_owned(),
        client_name: "张三丰".to_owned(),
        phone: CALLER.to_owned(),
        subject: "对答复不满".to_owned(),
        course: "客户称两次来电均未得到明确答复".to_owned(),
        complained_about: about.iter().map(|name| format!("employees/{name}")).collect(),
        request_id: id(),
        ..FileComplaintRequest::default()
    }
}

pub(crate) fn accept(complaint: &str, severity: Severity) -> AcceptComplaintRequest {
    AcceptComplaintRequest {
        name: complaint.to_owned(),
        severity: severity.into(),
        complex: false,
        etag: String::new(),
        request_id: id(),
    }
}

/// Upheld, with one measure for each of these employees.
pub(crate) fn propose(complaint: &str, responsible: &[&str]) -> ProposeHandlingRequest {
    let measure = |name: &&str| ProposedMeasure {
        responsible: format!("employees/{name}"),
        text: "重新培训应答规范".to_owned(),
    };
    ProposeHandlingRequest {
        name: complaint.to_owned(),
        finding: Finding::Upheld.into(),
        beyond_authority: false,
        malicious: false,
        proposal: "向客户致歉并纠正".to_owned(),
        measures: responsible.iter().map(measure).collect(),
        etag: String::new(),
        request_id: id(),
    }
}

pub(crate) fn approve(complaint: &Complaint) -> ApproveProposalRequest {
    ApproveProposalRequest { name: complaint.name.clone(), etag: complaint.etag.clone(), request_id: id() }
}

pub(crate) fn reply(complaint: &str, kind: ReplyKind) -> RecordReplyRequest {
    RecordReplyRequest {
        name: complaint.to_owned(),
        kind: kind.into(),
        text: "已向客户说明处理结果".to_owned(),
        request_id: id(),
    }
}

/// The measure was carried out.
pub(crate) fn measure(complaint: &str, measure: i32) -> RecordMeasureRequest {
    RecordMeasureRequest {
        name: complaint.to_owned(),
        measure,
        done: true,
        note: String::new(),
        request_id: id(),
    }
}

pub(crate) fn handled(complaint: &str) -> CompleteHandlingRequest {
    CompleteHandlingRequest { name: complaint.to_owned(), etag: String::new(), request_id: id() }
}

/// The callback by which a unit verifies the handling of a complaint in this round (C9).
pub(crate) fn verification(unit: &str, complaint: &str, round: i32) -> String {
    let id = complaint.rsplit('/').next().unwrap();
    format!("branches/{unit}/callbacks/{id}-{round}")
}

/// Files a complaint as soon as the complaints service has heard of its case.
pub(crate) async fn filed(client: &Client, request: FileComplaintRequest) -> Complaint {
    once_not("CASE_NOT_KNOWN_YET", async || client.complaints().file_complaint(request.clone()).await).await
}

pub(crate) async fn get(client: &Client, complaint: &str) -> Complaint {
    let request = GetComplaintRequest { name: complaint.to_owned() };
    client.complaints().get_complaint(request).await.unwrap().into_inner()
}

/// Waits until the complaint is as `done` wants it.
pub(crate) async fn becomes(
    client: &Client,
    complaint: &str,
    what: &str,
    done: impl Fn(&Complaint) -> bool,
) -> Complaint {
    until(what, PATIENCE, async || Some(get(client, complaint).await).filter(|it| done(it))).await
}
