//! Who calls and for whom: the token's subject, looked up in the roster, and for service accounts the employee they act for.

use std::{collections::BTreeSet, sync::Arc};

use http::{HeaderMap, HeaderName};
use shouwen_access::{BranchName, Failure, Principal, Reach, Roles};
use shouwen_proto::access::v1::Role;

use super::refusal;
use crate::domain::Roster;
use crate::domain::roster::{Employee, ServiceAccount};

/// Names the employee for whom a service account acts: `employees/{employee}`, or the CRM's id of the employee.
pub(super) const EMPLOYEE: HeaderName = HeaderName::from_static("x-shouwen-employee");

/// Their holders reach every branch.
const EVERYWHERE: Roles =
    Roles::NONE.with(Role::Hq).with(Role::CompanyLeader).with(Role::Admin).with(Role::Auditor);

/// A caller whom the roster knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Who authenticated.
    pub(super) principal: Principal,
    /// Who acts; nobody for a service account in its own name.
    pub(super) acting: Option<Arc<Employee>>,
    pub(super) roles: Roles,
    pub(super) reach: Reach,
}

impl Identity {
    /// The caller with this token and these headers.
    pub(super) fn of_request(
        principal: Principal,
        headers: &HeaderMap,
        roster: &Roster,
    ) -> Result<Self, Failure> {
        let named = named_employee(headers)?;
        match &principal {
            Principal::Employee(name) => {
                let employee = active(known(roster.employee(name.as_str()), name.as_str())?)?;
                if let Some(other) = named
                    && find(roster, other).is_none_or(|other| other.name != name.as_str())
                {
                    return Err(refusal::employee_mismatch(&principal, other));
                }
                Self::of_employee(principal, employee)
            }
            Principal::ServiceAccount(name) => {
                let account = roster
                    .service_account(name.as_str())
                    .ok_or_else(|| refusal::account_unknown(&principal))?;
                if !account.active {
                    return Err(refusal::account_inactive(&principal));
                }
                match named {
                    None => Self::of_account(principal, account),
                    Some(named) => Self::for_employee(principal, account, named, roster),
                }
            }
            Principal::Service(_) => Err(refusal::account_unknown(&principal)),
        }
    }

    /// An employee, active or not.
    fn of_employee(principal: Principal, employee: &Arc<Employee>) -> Result<Self, Failure> {
        let roles = employee.role_set();
        let reach = if roles.intersects(EVERYWHERE) {
            Reach::All
        } else {
            let branch = BranchName::parse(&employee.branch).map_err(|_| unreadable())?;
            Reach::Branches(BTreeSet::from([branch]))
        };
        Ok(Self { principal, acting: Some(Arc::clone(employee)), roles, reach })
    }

    /// For whom a call is repeated: an employee, within the branches of the account through which it was made. Whether either has become inactive since
    /// does not matter: what was begun is brought to its end.
    pub(super) fn of_repeated(
        principal: Principal,
        employee: &Arc<Employee>,
        roster: &Roster,
    ) -> Result<Self, Failure> {
        let account = match &principal {
            Principal::ServiceAccount(name) => {
                let known = roster.service_account(name.as_str());
                Some(known.ok_or_else(|| refusal::account_unknown(&principal))?)
            }
            Principal::Employee(_) | Principal::Service(_) => None,
        };
        let mut identity = Self::of_employee(principal, employee)?;
        if let Some(account) = account {
            identity.narrow(account)?;
        }
        Ok(identity)
    }

    /// Never beyond the account's own branches.
    fn narrow(&mut self, account: &ServiceAccount) -> Result<(), Failure> {
        if self.reach == Reach::All {
            self.reach = reach_of(account)?;
        }
        Ok(())
    }

    /// A service account in its own name: telephony, a reader of feeds.
    fn of_account(principal: Principal, account: &ServiceAccount) -> Result<Self, Failure> {
        let roles = Roles::NONE.with(Role::ServiceAccount);
        Ok(Self { principal, acting: None, roles, reach: reach_of(account)? })
    }

    /// A service account for an employee: with the employee's roles, but never beyond the account's own branches.
    fn for_employee(
        principal: Principal,
        account: &ServiceAccount,
        named: &str,
        roster: &Roster,
    ) -> Result<Self, Failure> {
        if !account.act_for_employees {
            return Err(refusal::account_cannot_act(&principal));
        }
        let employee = known(find(roster, named), named)?;
        if !account.branches.contains(&employee.branch) {
            return Err(refusal::employee_outside_account(&principal, named, &employee.branch));
        }
        let mut identity = Self::of_employee(principal, active(employee)?)?;
        identity.narrow(account)?;
        Ok(identity)
    }

    /// Whether `name` (`employees/{employee}`) is who acts.
    pub(super) fn is(&self, name: &str) -> bool {
        self.acting.as_ref().is_some_and(|acting| acting.name == name)
    }
}

fn reach_of(account: &ServiceAccount) -> Result<Reach, Failure> {
    let branches: Result<BTreeSet<_>, _> =
        account.branches.iter().map(|branch| BranchName::parse(branch)).collect();
    branches.map(Reach::Branches).map_err(|_| unreadable())
}

/// Import checks names, so this is a fault of ours.
fn unreadable() -> Failure {
    tracing::error!("the roster holds a name that is none");
    Failure::internal()
}

fn named_employee(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let mut values = headers.get_all(EMPLOYEE).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str().map(str::trim) {
            Ok(name) if !name.is_empty() => Ok(Some(name)),
            _ => Err(refusal::employee_metadata_invalid(&EMPLOYEE)),
        },
        (Some(_), Some(_)) => Err(refusal::employee_metadata_invalid(&EMPLOYEE)),
    }
}

fn find<'a>(roster: &'a Roster, named: &str) -> Option<&'a Arc<Employee>> {
    if named.starts_with("employees/") {
        roster.employee(named)
    } else {
        roster.employee_by_external_id(named)
    }
}

fn known<'a>(employee: Option<&'a Arc<Employee>>, named: &str) -> Result<&'a Arc<Employee>, Failure> {
    employee.ok_or_else(|| refusal::employee_unknown(named))
}

fn active(employee: &Arc<Employee>) -> Result<&Arc<Employee>, Failure> {
    if employee.active { Ok(employee) } else { Err(refusal::employee_inactive(&employee.name)) }
}
