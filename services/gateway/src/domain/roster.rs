//! The roster (名册): branches, employees, lines and service accounts. Small enough to be held in memory whole; the ledger is its history.

mod entry;
mod index;
mod leaving;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use shouwen_access::Roles;
use shouwen_engine::Key;
use shouwen_proto::{
    access::v1::Role,
    events::v1::{BranchSaved, EmployeeSaved, LineSaved, ServiceAccountSaved, ownership_event::Event},
};

pub use entry::{RosterCommand, decide};
pub use index::Roster;
pub use leaving::LeftBehind;

/// The state of one entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "collection", rename_all = "snake_case")]
pub enum RosterState {
    Branch(Branch),
    Employee(Employee),
    Line(Line),
    ServiceAccount(ServiceAccount),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    pub name: String,
    pub display_name: String,
    pub complaints_phone: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "marks that are independent of each other, as the roster has them"
)]
pub struct Employee {
    pub name: String,
    pub display_name: String,
    pub branch: String,
    /// Numbers of `shouwen.access.v1.Role`, ascending.
    pub roles: Vec<i32>,
    pub office_phone: String,
    pub external_id: String,
    pub active: bool,
    /// Made by `shouwen token --bootstrap`.
    #[serde(default)]
    pub bootstrap: bool,
    /// A number of `shouwen.type.v1.Position` (L8).
    #[serde(default)]
    pub position: i32,
    /// What they can answer, ascending.
    #[serde(default)]
    pub skills: Vec<String>,
    /// Serves VIP and core clients before others (L12).
    #[serde(default)]
    pub vip_seat: bool,
    /// Serves outside working hours too (K21).
    #[serde(default)]
    pub duty: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    pub branch: String,
    pub number: String,
    pub published: bool,
    pub employee: String,
    /// Skills that who answers needs, ascending.
    #[serde(default)]
    pub skills: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceAccount {
    pub name: String,
    pub display_name: String,
    pub branches: Vec<String>,
    pub act_for_employees: bool,
    pub active: bool,
}

/// The branch of the first administrator, before any branch is imported.
pub const BOOTSTRAP_BRANCH: &str = "branches/hq";

impl Employee {
    /// The roles as the contract knows them.
    pub fn role_set(&self) -> Roles {
        Roles::of_numbers(&self.roles).unwrap_or(Roles::NONE)
    }

    /// Whether the employee helps out in every branch.
    pub fn is_hq(&self) -> bool {
        self.role_set().contains(Role::Hq)
    }

    /// Whether the employee may override in cases of a branch (O7).
    pub fn may_override(&self, branch: &str) -> bool {
        self.active && (self.is_hq() || (self.role_set().contains(Role::Lead) && self.branch == branch))
    }

    /// Whether the employee may work on cases.
    pub fn serves_clients(&self) -> bool {
        let roles = self.role_set();
        [Role::Staff, Role::Lead, Role::Hq].into_iter().any(|role| roles.contains(role))
    }

    /// Whether the employee may answer for cases: also a company leader may, where nobody else can (O12).
    pub fn answers_for_cases(&self) -> bool {
        self.serves_clients() || self.role_set().contains(Role::CompanyLeader)
    }
}

impl RosterState {
    pub fn name(&self) -> &str {
        match self {
            Self::Branch(branch) => &branch.name,
            Self::Employee(employee) => &employee.name,
            Self::Line(line) => &line.name,
            Self::ServiceAccount(account) => &account.name,
        }
    }

    /// External ids are unique, and the first administrator is made once.
    pub fn keys(&self) -> BTreeSet<Key> {
        let mut keys = BTreeSet::new();
        if let Self::Employee(employee) = self {
            if !employee.external_id.is_empty() {
                keys.insert(external_id_key(&employee.external_id));
            }
            if employee.bootstrap {
                keys.insert(bootstrap_key());
            }
        }
        keys
    }
}

/// The event that saves an entry.
fn saved(entry: RosterState) -> Event {
    match entry {
        RosterState::Branch(branch) => Event::BranchSaved(BranchSaved {
            branch: branch.name,
            display_name: branch.display_name,
            complaints_phone: branch.complaints_phone,
        }),
        RosterState::Employee(employee) => Event::EmployeeSaved(EmployeeSaved {
            employee: employee.name,
            display_name: employee.display_name,
            branch: employee.branch,
            roles: employee.roles,
            office_phone: employee.office_phone,
            external_id: employee.external_id,
            active: employee.active,
            bootstrap: employee.bootstrap,
            position: employee.position,
            skills: employee.skills,
            vip_seat: employee.vip_seat,
            duty: employee.duty,
        }),
        RosterState::Line(line) => Event::LineSaved(LineSaved {
            line: line.name,
            branch: line.branch,
            number: line.number,
            published: line.published,
            employee: line.employee,
            skills: line.skills,
        }),
        RosterState::ServiceAccount(account) => Event::ServiceAccountSaved(ServiceAccountSaved {
            service_account: account.name,
            display_name: account.display_name,
            branches: account.branches,
            act_for_employees: account.act_for_employees,
            active: account.active,
        }),
    }
}

/// The entry that an event saves.
pub fn entry_of(event: &Event) -> Option<RosterState> {
    match event {
        Event::BranchSaved(saved) => Some(RosterState::Branch(Branch {
            name: saved.branch.clone(),
            display_name: saved.display_name.clone(),
            complaints_phone: saved.complaints_phone.clone(),
        })),
        Event::EmployeeSaved(saved) => Some(RosterState::Employee(Employee {
            name: saved.employee.clone(),
            display_name: saved.display_name.clone(),
            branch: saved.branch.clone(),
            roles: saved.roles.clone(),
            office_phone: saved.office_phone.clone(),
            external_id: saved.external_id.clone(),
            active: saved.active,
            bootstrap: saved.bootstrap,
            position: saved.position,
            skills: saved.skills.clone(),
            vip_seat: saved.vip_seat,
            duty: saved.duty,
        })),
        Event::LineSaved(saved) => Some(RosterState::Line(Line {
            name: saved.line.clone(),
            branch: saved.branch.clone(),
            number: saved.number.clone(),
            published: saved.published,
            employee: saved.employee.clone(),
            skills: saved.skills.clone(),
        })),
        Event::ServiceAccountSaved(saved) => Some(RosterState::ServiceAccount(ServiceAccount {
            name: saved.service_account.clone(),
            display_name: saved.display_name.clone(),
            branches: saved.branches.clone(),
            act_for_employees: saved.act_for_employees,
            active: saved.active,
        })),
        _ => None,
    }
}

fn external_id_key(external_id: &str) -> Key {
    Key { kind: "employee_external_id", key: external_id.to_owned() }
}

fn bootstrap_key() -> Key {
    Key { kind: "bootstrap", key: "administrator".to_owned() }
}
