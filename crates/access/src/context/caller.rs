//! The caller as handlers see it: the context, parsed once.

use std::collections::BTreeSet;

use shouwen_proto::access::v1::{CallContext, Capacity, Role};
use tonic::Status;

use crate::identity::{BranchName, EmployeeName, Principal, Reach, Roles};
use crate::language::Language;
use crate::status::Failure;

/// Who calls, in which capacity, on which case. It stands in the extensions of every request that reached a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who authenticated.
    pub principal: Principal,
    /// Who acts: the employee itself, or on whose behalf a service account acts.
    pub employee: Option<EmployeeName>,
    /// The employee's branch.
    pub branch: Option<BranchName>,
    /// Roles; exactly SYSTEM for services of the suite.
    pub roles: Roles,
    /// Branches in reach.
    pub reach: Reach,
    /// In which capacity on the case; UNSPECIFIED where the method has no case rule.
    pub capacity: Capacity,
    /// The case whose ownership was checked.
    pub case: Option<CaseInView>,
    /// A first touch joined the case, which was open before (O6).
    pub joined: bool,
    /// The language of messages to people.
    pub language: Language,
    /// For systems: the event or deadline that caused the call.
    pub cause: Option<String>,
    /// SHA-256 of the request; `None` for streams.
    pub body_digest: Option<[u8; 32]>,
}

/// The case that a call is about, and what its ownership was when the gateway read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseInView {
    /// `cases/{case}`; the survivor, where the named one was merged.
    pub name: String,
    /// The case as the request or the contact names it.
    pub named: String,
    /// The epoch that was read.
    pub epoch: i64,
    /// When it was read, microseconds since 1970 on the gateway's clock.
    pub read_at: i64,
}

/// A context whose parts do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call context holds an invalid {0}")]
pub struct InvalidContext(pub &'static str);

impl Caller {
    /// The caller of a request; `CONTEXT_MISSING` if the layer did not run.
    pub fn from_request<T>(request: &tonic::Request<T>) -> Result<&Self, Status> {
        request.extensions().get::<Self>().ok_or_else(|| super::verify::missing().into())
    }

    /// Parses a context; whether it may be believed is the verifier's business.
    pub fn of_context(context: CallContext) -> Result<Self, InvalidContext> {
        let principal = Principal::parse(&context.principal).ok_or(InvalidContext("principal"))?;
        let capacity = Capacity::try_from(context.capacity).map_err(|_| InvalidContext("capacity"))?;
        let roles = match capacity {
            Capacity::System => Roles::NONE.with(Role::System),
            _ => Roles::of_numbers(&context.roles).ok_or(InvalidContext("roles"))?,
        };
        if capacity != Capacity::System && roles.contains(Role::System) {
            return Err(InvalidContext("roles"));
        }
        let employee =
            optional(&context.employee, EmployeeName::parse).map_err(|()| InvalidContext("employee"))?;
        // An employee's own token speaks for that employee and nobody else.
        if let Principal::Employee(name) = &principal
            && employee.as_ref() != Some(name)
        {
            return Err(InvalidContext("employee"));
        }
        Ok(Self {
            principal,
            employee,
            branch: optional(&context.branch, BranchName::parse).map_err(|()| InvalidContext("branch"))?,
            roles,
            reach: reach(&context)?,
            capacity,
            case: case(&context)?,
            joined: context.joined,
            language: Language::parse(&context.language),
            cause: Some(context.cause).filter(|cause| !cause.is_empty()),
            body_digest: digest(&context.body_digest)?,
        })
    }

    /// Whether a service of the suite acts by itself.
    pub fn is_system(&self) -> bool {
        self.capacity == Capacity::System
    }

    /// The employee who acts. `EMPLOYEE_REQUIRED` for service accounts and systems in their own name.
    pub fn require_employee(&self) -> Result<&EmployeeName, Failure> {
        self.employee.as_ref().ok_or_else(|| {
            Failure::new(
                tonic::Code::PermissionDenied,
                "EMPLOYEE_REQUIRED",
                "Only an employee can do this; a service account names one in the metadata x-shouwen-employee.",
                "该操作须由员工进行；服务账号请在元数据 x-shouwen-employee 中指明员工。",
            )
        })
    }
}

fn optional<T, E>(name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, ()> {
    if name.is_empty() { Ok(None) } else { parse(name).map(Some).map_err(|_| ()) }
}

fn reach(context: &CallContext) -> Result<Reach, InvalidContext> {
    if context.all_branches {
        return Ok(Reach::All);
    }
    let branches: Result<BTreeSet<_>, _> =
        context.branches.iter().map(|name| BranchName::parse(name)).collect();
    branches.map(Reach::Branches).map_err(|_| InvalidContext("branches"))
}

fn case(context: &CallContext) -> Result<Option<CaseInView>, InvalidContext> {
    match (context.case.is_empty(), context.named_case.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Err(InvalidContext("case")),
        (false, unnamed) => Ok(Some(CaseInView {
            name: context.case.clone(),
            named: if unnamed { context.case.clone() } else { context.named_case.clone() },
            epoch: context.epoch,
            read_at: context.read_at,
        })),
    }
}

fn digest(bytes: &[u8]) -> Result<Option<[u8; 32]>, InvalidContext> {
    match bytes.len() {
        0 => Ok(None),
        _ => bytes.try_into().map(Some).map_err(|_| InvalidContext("body_digest")),
    }
}
