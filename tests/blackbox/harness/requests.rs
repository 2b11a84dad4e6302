//! Requests as employees make them, filled in completely; a test changes what it is about.

use chrono::{DateTime, Utc};
use shouwen_proto::{
    callbacks::v1::{CompleteCallbackRequest, LeaseCallbackRequest},
    calls::v1::{
        AnswerCallRequest, EndCallRequest, PromiseCallbackRequest, RecordCallRequest, RegisterCallRequest,
    },
    events::v1::{CallOutcome, Party},
    ownership::v1::OfferTransferRequest,
    r#type::v1::{Channel, MeasuresFound, Satisfaction},
};

use super::client::{id, timestamp};

/// The number from which clients call.
pub(crate) const CALLER: &str = "13812345678";

/// A phone call to branch east.
pub(crate) fn register(call: &str) -> RegisterCallRequest {
    RegisterCallRequest {
        parent: "branches/east".to_owned(),
        call_id: call.to_owned(),
        channel: Channel::Phone.into(),
        line: "lines/east-1".to_owned(),
        caller: CALLER.to_owned(),
        request_id: id(),
        ..RegisterCallRequest::default()
    }
}

pub(crate) fn answer(call: &str) -> AnswerCallRequest {
    AnswerCallRequest {
        name: format!("calls/{call}"),
        topic: "trading".to_owned(),
        client: String::new(),
        channel: Channel::Phone.into(),
        request_id: id(),
    }
}

/// A complete record sheet (K8, K9).
pub(crate) fn record(call: &str) -> RecordCallRequest {
    RecordCallRequest {
        name: format!("calls/{call}"),
        client_name: "张三丰".to_owned(),
        gender: "male".to_owned(),
        phone: CALLER.to_owned(),
        summary: "询问银证转账的时间".to_owned(),
        handling: "已说明".to_owned(),
        inquiry_type: "transfer".to_owned(),
        computer_familiarity: 2,
        trading_familiarity: 3,
        securities_familiarity: 1,
        assessment: "耐心".to_owned(),
        identity_checks: vec!["reserved_phone".to_owned(), "holdings".to_owned()],
        etag: String::new(),
        request_id: id(),
    }
}

/// A callback at a time that the client asked for, so that the test may run at any hour (B2).
pub(crate) fn promise(call: &str, agreed_time: DateTime<Utc>) -> PromiseCallbackRequest {
    PromiseCallbackRequest {
        name: format!("calls/{call}"),
        agreed_time: timestamp(agreed_time),
        client_asked: true,
        phone: String::new(),
        subject: "到账情况".to_owned(),
        request_id: id(),
    }
}

pub(crate) fn end(call: &str, outcome: CallOutcome) -> EndCallRequest {
    EndCallRequest {
        name: format!("calls/{call}"),
        ended_by: Party::Client.into(),
        outcome: outcome.into(),
        request_id: id(),
    }
}

pub(crate) fn offer(case: &str, to: &str) -> OfferTransferRequest {
    OfferTransferRequest {
        name: case.to_owned(),
        to: format!("employees/{to}"),
        reason: "熟悉该业务".to_owned(),
        explanation: "已告知客户由同事处理".to_owned(),
        etag: String::new(),
        request_id: id(),
    }
}

pub(crate) fn lease(callback: &str) -> LeaseCallbackRequest {
    LeaseCallbackRequest { name: callback.to_owned(), request_id: id() }
}

/// The complete result of a talk (B4).
pub(crate) fn complete(callback: &str, overall: Satisfaction) -> CompleteCallbackRequest {
    CompleteCallbackRequest {
        name: callback.to_owned(),
        solved: overall != Satisfaction::Dissatisfied,
        attitude: Satisfaction::Satisfied.into(),
        overall: overall.into(),
        score: 8,
        suggestions: "无".to_owned(),
        charged: false,
        answers: "已到账".to_owned(),
        request_id: id(),
        measures: MeasuresFound::Unspecified.into(),
    }
}

/// The result of a verification (C9).
pub(crate) fn verify(
    callback: &str,
    overall: Satisfaction,
    measures: MeasuresFound,
) -> CompleteCallbackRequest {
    CompleteCallbackRequest { measures: measures.into(), ..complete(callback, overall) }
}
