//! One call of a mutating RPC: who calls, what makes it safe to repeat, and on which ownership it rests.

use chrono::DateTime;
use prost::Message;
use shouwen_access::{Caller, Failure};
use shouwen_engine::{Actor, Domain, Engine, Fence, Outcome, RequestKey, Submission};
use shouwen_proto::access::v1::Capacity;
use tonic::Request;
use uuid::Uuid;

use crate::refusal;

/// A call as the engine wants to know it.
#[derive(Clone, Debug)]
pub struct Call {
    pub caller: Caller,
    pub method: &'static str,
    pub request: Option<RequestKey>,
    /// Encoded size of the request, by which batches are bounded; 0 where it is not known.
    pub bytes: usize,
}

impl Call {
    /// A mutating call: `request_id` must be a UUID, and the whole request is its fingerprint.
    pub fn mutation<T: Message>(
        request: &Request<T>,
        method: &'static str,
        request_id: &str,
    ) -> Result<Self, Failure> {
        let caller = Caller::from_request(request).map_err(|_| Failure::internal())?.clone();
        if request_id.is_empty() {
            return Err(Failure::request_id_required());
        }
        let id = Uuid::try_parse(request_id)
            .map_err(|_| Failure::field_invalid("request_id", "must be a UUID", "必须是 UUID"))?;
        let bytes = request.get_ref().encoded_len();
        let request = RequestKey {
            principal: format!("{} {}", caller.principal, acting(&caller)),
            method: method.to_owned(),
            id: id.to_string(),
            fingerprint: caller.body_digest.map(|digest| digest.to_vec()).unwrap_or_default(),
        };
        Ok(Self { caller, method, request: Some(request), bytes })
    }

    /// A part of a bulk call: an entry has the request id of the whole and its own index. How large it is by itself is not known; where entries
    /// are submitted at once and may be large, set [`bytes`](Self::bytes).
    #[must_use]
    pub fn entry(&self, index: usize) -> Self {
        let mut entry = Self { bytes: 0, ..self.clone() };
        if let Some(request) = &mut entry.request {
            request.id = format!("{}/{index}", request.id);
        }
        entry
    }

    /// The actor on the ledger.
    pub fn actor(&self) -> Actor {
        Actor {
            principal: self.caller.principal.to_string(),
            on_behalf: acting(&self.caller),
            capacity: capacity_name(self.caller.capacity).to_owned(),
        }
    }

    /// A submission of this call. With a case in view it is fenced by the epoch that was read.
    pub fn submission<C>(&self, command: C) -> Submission<C> {
        let mut submission = Submission::new(command, self.actor());
        submission.request.clone_from(&self.request);
        submission.bytes = self.bytes;
        if let Some(case) = &self.caller.case {
            submission.case.clone_from(&case.name);
            submission.fence = DateTime::from_timestamp_micros(case.read_at).map(|read_at| Fence {
                case: case.name.clone(),
                epoch: case.epoch,
                read_at,
            });
        }
        submission.branch = self.caller.branch.as_ref().map(ToString::to_string).unwrap_or_default();
        submission.cause = self.caller.cause.clone().unwrap_or_default();
        submission
    }

    /// Submits; a caller in capacity `replay` only gets the former result.
    pub async fn submit<D>(
        &self,
        engine: &Engine<D>,
        submission: Submission<D::Command>,
    ) -> Result<Outcome<D::State>, Failure>
    where
        D: Domain,
        D::Rejection: Into<Failure>,
    {
        let answered = match (&self.request, self.caller.capacity) {
            (Some(request), Capacity::Replay) => engine.replay(request).await,
            _ => engine.submit(submission).await,
        };
        answered.map_err(refusal::failure)
    }
}

/// Who acts, as text; empty where nobody acts for an employee.
fn acting(caller: &Caller) -> String {
    caller.employee.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// The capacity's name on the ledger.
pub fn capacity_name(capacity: Capacity) -> &'static str {
    match capacity {
        Capacity::Unspecified => "",
        Capacity::Handler => "handler",
        Capacity::Accountable => "accountable",
        Capacity::Override => "override",
        Capacity::Assisting => "assisting",
        Capacity::Reader => "reader",
        Capacity::Replay => "replay",
        Capacity::System => "system",
        Capacity::Branch => "branch",
        Capacity::Deputy => "deputy",
    }
}

/// The version behind an etag; `None` for an empty one.
pub fn etag_version(etag: &str) -> Result<Option<i64>, Failure> {
    if etag.is_empty() {
        return Ok(None);
    }
    etag.trim_matches('"').parse().map(Some).map_err(|_| {
        Failure::field_invalid("etag", "must be an etag as a read returned it", "必须是读取时返回的 etag")
    })
}

#[cfg(test)]
mod tests {
    use shouwen_access::{BranchName, EmployeeName, Language, Principal, Reach, Roles};
    use shouwen_proto::operator::v1::SkipParkedEventRequest;

    use super::*;

    fn caller() -> Caller {
        let employee = EmployeeName::parse("employees/li").unwrap();
        Caller {
            principal: Principal::Employee(employee.clone()),
            employee: Some(employee),
            branch: BranchName::parse("branches/pudong").ok(),
            roles: Roles::NONE,
            reach: Reach::All,
            capacity: Capacity::Unspecified,
            case: None,
            joined: false,
            language: Language::En,
            cause: None,
            body_digest: Some([7; 32]),
        }
    }

    #[test]
    fn a_submission_weighs_what_its_request_weighs_and_a_part_of_it_nothing_by_itself() {
        let message =
            SkipParkedEventRequest { reason: "因".repeat(1000), ..SkipParkedEventRequest::default() };
        let bytes = message.encoded_len();
        assert!(bytes > 3000);
        let mut request = Request::new(message);
        request.extensions_mut().insert(caller());
        let call = Call::mutation(&request, "Skip", "0198c0de-0000-4000-8000-000000000000").unwrap();
        assert_eq!(call.submission(()).bytes, bytes);
        let mut entry = call.entry(3);
        assert_eq!(entry.submission(()).bytes, 0);
        entry.bytes = 17;
        assert_eq!(entry.submission(()).bytes, 17);
        assert_eq!(call.submission(()).bytes, bytes);
    }
}
