//! The absences that are planned or running, as every decision knows them: learned from the ledger under its head's lock, so exact for every replica.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use shouwen_proto::events::v1::ownership_event::Event;

use super::{AbsenceState, Naming, Window, window};

/// All of them, by employee. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Absences {
    by_employee: Arc<BTreeMap<String, Vec<Standing>>>,
}

/// One that is planned or running.
#[derive(Clone, Debug)]
pub struct Standing {
    /// `absences/{absence}`
    pub name: String,
    pub employee: String,
    pub window: Window,
    pub naming: Naming,
    pub revision: i64,
}

impl Absences {
    pub fn of(absences: impl IntoIterator<Item = (String, AbsenceState)>) -> Self {
        let mut by_employee: BTreeMap<String, Vec<Standing>> = BTreeMap::new();
        for (name, state) in absences {
            let AbsenceState { employee, window, naming, revision, .. } = state;
            let standing = Standing { name, employee: employee.clone(), window, naming, revision };
            by_employee.entry(employee).or_default().push(standing);
        }
        Self { by_employee: Arc::new(by_employee) }
    }

    /// Takes an event in.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::AbsencePlanned(planned) => {
                let known = Arc::make_mut(&mut self.by_employee).entry(planned.employee.clone()).or_default();
                known.retain(|standing| standing.name != planned.absence);
                known.push(Standing {
                    name: planned.absence.clone(),
                    employee: planned.employee.clone(),
                    window: window(planned, DateTime::<Utc>::MIN_UTC),
                    naming: Naming::of(&planned.deputy, &planned.selected),
                    revision: 1,
                });
            }
            Event::AbsenceEnded(ended) => self.forget(&ended.absence),
            Event::AbsenceCancelled(cancelled) => self.forget(&cancelled.absence),
            Event::AbsenceDeputyChanged(changed) => {
                let known = Arc::make_mut(&mut self.by_employee).values_mut().flatten();
                for standing in known.filter(|standing| standing.name == changed.absence) {
                    standing.naming = Naming::of(&changed.deputy, &changed.selected);
                    standing.revision += 1;
                }
            }
            _ => {}
        }
    }

    fn forget(&mut self, name: &str) {
        let known = Arc::make_mut(&mut self.by_employee);
        for standings in known.values_mut() {
            standings.retain(|standing| standing.name != name);
        }
        known.retain(|_, standings| !standings.is_empty());
    }

    /// Whether the employee is absent at a moment.
    pub fn is_absent(&self, employee: &str, at: DateTime<Utc>) -> bool {
        self.covering(employee, at).is_some()
    }

    /// Who was named to deputise for the employee in a case at a moment; `None` where the employee is at work, and where nobody was named.
    pub fn deputy_of(&self, employee: &str, case: &str, at: DateTime<Utc>) -> Option<&str> {
        self.covering(employee, at)?.naming.deputy(case)
    }

    /// The absence in which the employee is at a moment.
    pub fn covering(&self, employee: &str, at: DateTime<Utc>) -> Option<&Standing> {
        self.by(employee).find(|standing| standing.window.covers(at))
    }

    /// The employee's own absences.
    pub fn by(&self, employee: &str) -> impl Iterator<Item = &Standing> {
        self.by_employee.get(employee).into_iter().flatten()
    }

    /// The absences in which the employee is named to deputise.
    pub fn deputised_by(&self, employee: &str) -> impl Iterator<Item = &Standing> {
        let named = move |standing: &&Standing| standing.naming.everybody().any(|named| named == employee);
        self.by_employee.values().flatten().filter(named)
    }
}
