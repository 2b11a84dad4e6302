//! The roster: branches, employees, lines and service accounts. Small enough to be held in memory whole; the ledger is its history.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use shouwen_access::Roles;
use shouwen_engine::{AggregateId, Decision, Footprint, Key, Refusal, World};
use shouwen_proto::{
    access::v1::Role,
    events::v1::{BranchSaved, EmployeeSaved, LineSaved, ServiceAccountSaved, ownership_event::Event},
};

use super::{State, rejection::Rejection};

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
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    pub branch: String,
    pub number: String,
    pub published: bool,
    pub employee: String,
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

    /// Whether the employee may work on cases.
    pub fn serves_clients(&self) -> bool {
        let roles = self.role_set();
        [Role::Staff, Role::Lead, Role::Hq].into_iter().any(|role| roles.contains(role))
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

fn external_id_key(external_id: &str) -> Key {
    Key { kind: "employee_external_id", key: external_id.to_owned() }
}

fn bootstrap_key() -> Key {
    Key { kind: "bootstrap", key: "administrator".to_owned() }
}

/// Creates or updates one entry.
#[derive(Clone, Debug)]
pub struct RosterCommand {
    pub entry: RosterState,
}

impl RosterCommand {
    pub fn footprint(&self) -> Footprint {
        let mut aggregates = vec![AggregateId(self.entry.name().to_owned())];
        aggregates.extend(self.named_branches().into_iter().map(|branch| AggregateId(branch.to_owned())));
        if let RosterState::Line(line) = &self.entry
            && !line.employee.is_empty()
        {
            aggregates.push(AggregateId(line.employee.clone()));
        }
        Footprint { aggregates, keys: self.entry.keys().into_iter().collect(), counters: Vec::new() }
    }

    fn named_branches(&self) -> Vec<&str> {
        match &self.entry {
            RosterState::Branch(_) => Vec::new(),
            RosterState::Employee(employee) => vec![&employee.branch],
            RosterState::Line(line) => vec![&line.branch],
            RosterState::ServiceAccount(account) => account.branches.iter().map(String::as_str).collect(),
        }
    }
}

/// Decides an entry. What is named must exist; the same entry again changes nothing.
pub fn decide(
    world: &World<'_, State>,
    command: &RosterCommand,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let id = AggregateId(command.entry.name().to_owned());
    let known = match world.state(&id) {
        Some(State::Roster(known)) => Some(known),
        _ => None,
    };
    if let RosterState::Employee(employee) = &command.entry
        && employee.bootstrap
        && world.key_holder(&bootstrap_key()).is_some_and(|holder| *holder != id)
    {
        return Err(Rejection::RosterNotEmpty.into());
    }
    let mut entry = command.entry.clone();
    // A later import of the first administrator keeps the mark.
    if let (RosterState::Employee(employee), Some(RosterState::Employee(before))) = (&mut entry, known) {
        if employee.bootstrap && known.is_some() {
            return Err(Rejection::RosterNotEmpty.into());
        }
        employee.bootstrap |= before.bootstrap;
    }
    if known == Some(&entry) {
        return Ok(Decision::nothing(id));
    }
    let bootstrap = matches!(&entry, RosterState::Employee(employee) if employee.bootstrap);
    for branch in command.named_branches() {
        let exists = matches!(
            world.state(&AggregateId(branch.to_owned())),
            Some(State::Roster(RosterState::Branch(_)))
        );
        if !exists && !bootstrap {
            return Err(Rejection::RosterInvalid {
                field: "branch",
                problem: "is not in the roster; import the branch first",
            }
            .into());
        }
    }
    if let RosterState::Employee(employee) = &entry {
        let taken = !employee.external_id.is_empty()
            && world.key_holder(&external_id_key(&employee.external_id)).is_some_and(|holder| *holder != id);
        if taken {
            return Err(Rejection::RosterInvalid {
                field: "external_id",
                problem: "belongs to another employee",
            }
            .into());
        }
    }
    if let RosterState::Line(line) = &entry
        && !line.employee.is_empty()
        && world.state(&AggregateId(line.employee.clone())).is_none()
    {
        return Err(Rejection::RosterInvalid {
            field: "employee",
            problem: "is not in the roster; import the employee first",
        }
        .into());
    }
    Ok(Decision::on(id, [saved(entry)]))
}

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
        }),
        RosterState::Line(line) => Event::LineSaved(LineSaved {
            line: line.name,
            branch: line.branch,
            number: line.number,
            published: line.published,
            employee: line.employee,
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
        })),
        Event::LineSaved(saved) => Some(RosterState::Line(Line {
            name: saved.line.clone(),
            branch: saved.branch.clone(),
            number: saved.number.clone(),
            published: saved.published,
            employee: saved.employee.clone(),
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

/// The whole roster at one moment. Cheap to extend: entries are shared.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    branches: Arc<BTreeMap<String, Branch>>,
    employees: Arc<BTreeMap<String, Employee>>,
    external_ids: Arc<HashMap<String, String>>,
    service_accounts: Arc<BTreeMap<String, ServiceAccount>>,
}

impl Roster {
    pub fn of(entries: impl IntoIterator<Item = RosterState>) -> Self {
        entries.into_iter().fold(Self::default(), |roster, entry| roster.with(entry))
    }

    #[must_use]
    pub fn with(&self, entry: RosterState) -> Self {
        let mut roster = self.clone();
        match entry {
            RosterState::Branch(branch) => {
                Arc::make_mut(&mut roster.branches).insert(branch.name.clone(), branch);
            }
            RosterState::Employee(employee) => {
                if !employee.external_id.is_empty() {
                    Arc::make_mut(&mut roster.external_ids)
                        .insert(employee.external_id.clone(), employee.name.clone());
                }
                Arc::make_mut(&mut roster.employees).insert(employee.name.clone(), employee);
            }
            RosterState::ServiceAccount(account) => {
                Arc::make_mut(&mut roster.service_accounts).insert(account.name.clone(), account);
            }
            RosterState::Line(_) => {}
        }
        roster
    }

    pub fn branch(&self, name: &str) -> Option<&Branch> {
        self.branches.get(name)
    }

    pub fn employee(&self, name: &str) -> Option<&Employee> {
        self.employees.get(name)
    }

    pub fn employee_by_external_id(&self, external_id: &str) -> Option<&Employee> {
        let employee = self.employee(self.external_ids.get(external_id)?)?;
        (employee.external_id == external_id).then_some(employee)
    }

    pub fn employees(&self) -> impl Iterator<Item = &Employee> {
        self.employees.values()
    }

    pub fn service_accounts(&self) -> impl Iterator<Item = &ServiceAccount> {
        self.service_accounts.values()
    }

    pub fn service_account(&self, name: &str) -> Option<&ServiceAccount> {
        self.service_accounts.get(name)
    }
}
