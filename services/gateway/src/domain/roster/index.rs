//! The roster in memory, as every call asks it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{Branch, Employee, Line, RosterState, ServiceAccount};

/// The whole roster at one moment. Cheap to extend: entries are shared.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    branches: Arc<BTreeMap<String, Branch>>,
    employees: Arc<HashMap<String, Arc<Employee>>>,
    external_ids: Arc<HashMap<String, String>>,
    service_accounts: Arc<HashMap<String, ServiceAccount>>,
    lines: Arc<BTreeMap<String, Line>>,
    /// How many employees have each skill.
    skills: Arc<BTreeMap<String, usize>>,
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
                let skills = Arc::make_mut(&mut roster.skills);
                for skill in &employee.skills {
                    *skills.entry(skill.clone()).or_default() += 1;
                }
                let before =
                    Arc::make_mut(&mut roster.employees).insert(employee.name.clone(), Arc::new(employee));
                for skill in before.iter().flat_map(|before| &before.skills) {
                    if let Some(count) = skills.get_mut(skill) {
                        *count -= 1;
                    }
                }
            }
            RosterState::ServiceAccount(account) => {
                Arc::make_mut(&mut roster.service_accounts).insert(account.name.clone(), account);
            }
            RosterState::Line(line) => {
                Arc::make_mut(&mut roster.lines).insert(line.name.clone(), line);
            }
        }
        roster
    }

    pub fn branch(&self, name: &str) -> Option<&Branch> {
        self.branches.get(name)
    }

    pub fn branches(&self) -> impl Iterator<Item = &Branch> {
        self.branches.values()
    }

    pub fn employee(&self, name: &str) -> Option<&Arc<Employee>> {
        self.employees.get(name)
    }

    /// Whether the employee may override in cases of a branch (O7).
    pub fn may_override(&self, employee: &str, branch: &str) -> bool {
        self.employee(employee).is_some_and(|known| known.may_override(branch))
    }

    pub fn employee_by_external_id(&self, external_id: &str) -> Option<&Arc<Employee>> {
        let employee = self.employee(self.external_ids.get(external_id)?)?;
        (employee.external_id == external_id).then_some(employee)
    }

    pub fn line(&self, name: &str) -> Option<&Line> {
        self.lines.get(name)
    }

    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    /// Whether anybody has a skill of this name.
    pub fn knows_skill(&self, skill: &str) -> bool {
        self.skills.get(skill).is_some_and(|count| *count > 0)
    }

    /// In no order.
    pub fn employees(&self) -> impl Iterator<Item = &Employee> {
        self.employees.values().map(AsRef::as_ref)
    }

    pub fn service_account(&self, name: &str) -> Option<&ServiceAccount> {
        self.service_accounts.get(name)
    }
}
