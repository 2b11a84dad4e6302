//! Somebody for each role, with no other role beside it, in either branch.

use shouwen_access::{Roles, contract::Method};
use shouwen_proto::{
    access::v1::Role,
    ownership::v1::{RosterEntry, ServiceAccount, roster_entry::Entry},
};

use crate::harness::{Client, Suite, roster};

/// Every role that a caller can have. What `SYSTEM` may, only services may among themselves.
pub(super) const ROLES: [Role; 8] = [
    Role::Staff,
    Role::Lead,
    Role::Hq,
    Role::ComplaintOfficer,
    Role::CompanyLeader,
    Role::Admin,
    Role::Auditor,
    Role::ServiceAccount,
];

/// Who has one role, in one branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    role: Role,
    branch: &'static str,
}

impl Person {
    pub(super) fn east(role: Role) -> Self {
        Self { role, branch: "east" }
    }

    pub(super) fn west(role: Role) -> Self {
        Self { role, branch: "west" }
    }

    fn id(self) -> String {
        let role = self.role.as_str_name().trim_start_matches("ROLE_").to_lowercase().replace('_', "-");
        format!("only-{role}-{}", self.branch)
    }

    fn entry(self) -> Entry {
        if self.role == Role::ServiceAccount {
            return Entry::ServiceAccount(ServiceAccount {
                name: format!("serviceAccounts/{}", self.id()),
                display_name: self.id(),
                branches: vec![format!("branches/{}", self.branch)],
                act_for_employees: false,
                active: true,
                etag: String::new(),
            });
        }
        Entry::Employee(roster::employee(&self.id(), self.branch, &[self.role], true))
    }

    pub(super) fn client(self, suite: &Suite) -> Client {
        match self.role {
            Role::ServiceAccount => suite.account(&self.id()),
            _ => suite.employee(&self.id()),
        }
    }

    /// Whether the option lets the role in.
    pub(super) fn is_admitted(self, method: &Method) -> bool {
        method.access.public || method.access.roles.intersects(Roles::NONE.with(self.role))
    }

    /// Whether the role reaches its own branch only.
    pub(super) fn is_local(self) -> bool {
        !matches!(self.role, Role::Hq | Role::CompanyLeader | Role::Admin | Role::Auditor)
    }
}

/// All of them, known to the gateway.
pub(super) async fn imported(suite: &Suite) {
    let everybody = ROLES.iter().flat_map(|role| [Person::east(*role), Person::west(*role)]);
    let entries = everybody.map(|person| RosterEntry { entry: Some(person.entry()) }).collect();
    roster::import(&suite.employee("admin"), entries).await;
    suite.known_everywhere(&Person::west(Role::Auditor).id()).await;
}
