//! Real things for the calls to name: a case of `li` with all that can hang on it, on which `zhang` assists.

use chrono::TimeDelta;
use shouwen_access::contract::CaseCondition;
use shouwen_proto::{
    callbacks::v1::GetCallbackRequest, events::v1::Severity, ownership::v1::IdentifyClientRequest,
};
use shouwen_runtime::clock::now;

use super::Target;
use crate::harness::{
    Suite, complaints, files, id, requests,
    steps::{answered, case_becomes, once_not},
};

/// Full names.
pub(super) struct Scene {
    pub(super) case: String,
    call: String,
    contact: String,
    callback: String,
    complaint: String,
    pub(super) client: String,
}

impl Scene {
    /// The names begin with `call`; the client has this serial number.
    pub(super) async fn played(suite: &Suite, call: &str, serial: u32) -> Self {
        let (li, zhang) = (suite.employee("li"), suite.employee("zhang"));
        files::save(&suite.account("crm-east"), files::input(call, "east", serial)).await;
        let case = answered(suite, call, "li").await;
        let again = format!("{call}-again");
        answered(suite, &again, "zhang").await;
        for (contact, by) in [(call, &li), (&again, &zhang)] {
            let identify = IdentifyClientRequest {
                contact: format!("contacts/{contact}"),
                client: call.to_owned(),
                request_id: id(),
                ..IdentifyClientRequest::default()
            };
            by.cases().identify_client(identify).await.unwrap();
        }
        case_becomes(&li, &case, "a colleague assists", |case| case.assistants == ["employees/zhang"]).await;

        let promise = requests::promise(call, now() + TimeDelta::hours(2));
        let promised = li.calls().promise_callback(promise).await.unwrap().into_inner();
        let callback = promised.callbacks[0].clone();
        let get = GetCallbackRequest { name: callback.clone() };
        once_not("CALLBACK_NOT_FOUND", async || li.callbacks().get_callback(get.clone()).await).await;
        let filed = complaints::filed(&li, complaints::file(&case, &[])).await;
        let accept = complaints::accept(&filed.name, Severity::Minor);
        suite.employee("officer").complaints().accept_complaint(accept).await.unwrap();
        Self {
            case,
            call: format!("calls/{call}"),
            contact: format!("contacts/{call}"),
            callback,
            complaint: filed.name,
            client: format!("clients/{call}"),
        }
    }

    /// What the case field of this method may name.
    pub(super) fn name(&self, target: &Target<'_>, condition: &CaseCondition) -> String {
        let name = match (target.service, condition.field.name.as_str()) {
            ("calls", _) => &self.call,
            ("callbacks", _) => &self.callback,
            ("complaints", "name") => &self.complaint,
            (_, "contact") => &self.contact,
            _ => &self.case,
        };
        name.clone()
    }
}
