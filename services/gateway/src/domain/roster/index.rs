//! The roster in memory, as every call asks it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{Branch, Employee, RosterState, ServiceAccount};

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
