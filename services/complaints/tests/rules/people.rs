//! Callers with their contexts, as the gateway signs them.

use prost::Message;
use shouwen_access::{Caller, context::body_digest, status::reason_of};
use shouwen_proto::access::v1::{CallContext, Capacity, Role};
use shouwen_runtime::ids;
use tonic::{Request, Status};

/// The branch of all tests but those about reach.
pub(crate) const BRANCH: &str = "branches/b1";

/// An employee of the branch who handles a case.
pub(crate) fn handler(employee: &str, case: &str) -> CallContext {
    CallContext {
        principal: format!("employees/{employee}"),
        employee: format!("employees/{employee}"),
        branch: BRANCH.into(),
        roles: vec![Role::Staff.into()],
        branches: vec![BRANCH.into()],
        capacity: Capacity::Handler.into(),
        case: case.into(),
        named_case: case.into(),
        epoch: 1,
        ..CallContext::default()
    }
}

/// Somebody whose branch scope covers the case.
fn reader(employee: &str, case: &str, role: Role) -> CallContext {
    CallContext { roles: vec![role.into()], capacity: Capacity::Reader.into(), ..handler(employee, case) }
}

/// Somebody of the headquarters.
fn of_all(employee: &str, case: &str, role: Role) -> CallContext {
    CallContext {
        branch: "branches/hq".into(),
        branches: Vec::new(),
        all_branches: true,
        ..reader(employee, case, role)
    }
}

pub(crate) fn officer(case: &str) -> CallContext {
    reader("officer", case, Role::ComplaintOfficer)
}

pub(crate) fn lead(case: &str) -> CallContext {
    reader("lead", case, Role::Lead)
}

pub(crate) fn hq(case: &str) -> CallContext {
    of_all("hq", case, Role::Hq)
}

pub(crate) fn leader(case: &str) -> CallContext {
    of_all("leader", case, Role::CompanyLeader)
}

/// A service of the suite.
pub(crate) fn system() -> CallContext {
    CallContext {
        principal: "services/callbacks".into(),
        roles: vec![Role::System.into()],
        all_branches: true,
        capacity: Capacity::System.into(),
        ..CallContext::default()
    }
}

/// A request as the layer that verifies contexts hands it to the service.
pub(crate) fn request_of<T: Message>(who: &CallContext, message: T) -> Request<T> {
    let mut context = who.clone();
    context.body_digest = body_digest(&message.encode_to_vec()).to_vec();
    context.read_at = shouwen_runtime::clock::unix_micros();
    let caller = Caller::of_context(context).unwrap();
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller);
    request
}

pub(crate) fn request_id() -> String {
    ids::new_v4().to_string()
}

/// The reason of a refusal.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    reason_of(&answer.unwrap_err()).unwrap()
}

/// One metadata value of a refusal.
pub(crate) fn detail<T: std::fmt::Debug>(answer: Result<T, Status>, key: &str) -> String {
    use tonic_types::StatusExt as _;
    answer.unwrap_err().get_details_error_info().unwrap().metadata[key].clone()
}
